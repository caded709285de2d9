use super::*;

const COMMAND: Subject<'static> = Subject::Command { service: "store/delivery", kind: "store.delivery", key: "k" };
const OTHER: Subject<'static> = Subject::Command { service: "store/order", kind: "store.order", key: "k" };

fn at(millis: u64) -> Moment {
    Moment { passed: Duration::from_millis(millis), at: Timestamp::from_millis(1_000_000 + millis) }
}

fn service() -> Scope {
    Scope::Service("store/delivery".into())
}

fn plan(fault: Fault) -> FaultPlan {
    FaultPlan::new("store/delivery", fault)
}

fn latency(millis: u64) -> FaultPlan {
    plan(Fault::latency(Duration::from_millis(millis), Duration::ZERO))
}

fn with(plans: impl IntoIterator<Item = FaultPlan>) -> Book {
    let mut book = Book::default();
    for plan in plans {
        book.inject(&plan, service(), 1, at(0)).unwrap();
    }
    book
}

fn ends(book: &mut Book) -> Vec<FaultEnd> {
    book.news().into_iter().map(|status| status.ended.unwrap().0).collect()
}

#[test]
fn a_fault_happens_in_its_scope_until_it_is_ended() {
    let mut book = with([plan(Fault::Panic)]);
    assert_eq!(book.strike(&OTHER, at(1)), None);
    let fired = book.strike(&COMMAND, at(1)).unwrap();
    assert_eq!(fired, Fired { id: FaultId(1), nth: 1, what: Strike::Panic });
    assert_eq!(book.strike(&COMMAND, at(2)).unwrap().nth, 2);
    let ended = book.end(FaultId(1), FaultEnd::Removed, at(3)).unwrap();
    assert_eq!((ended.fired, ended.ended), (2, Some((FaultEnd::Removed, at(3).at))));
    assert_eq!(book.strike(&COMMAND, at(4)), None);
    assert_eq!(book.end(FaultId(1), FaultEnd::Removed, at(5)), None, "it has ended");
    assert_eq!((book.has_active(), ends(&mut book)), (false, vec![FaultEnd::Removed]));
    assert_eq!(book.news(), [], "told once");
}

#[test]
fn a_count_is_used_up_exactly() {
    let mut book = with([plan(Fault::error("no")).count(2)]);
    let fired: Vec<bool> = (0..4).map(|_| book.strike(&COMMAND, at(0)).is_some()).collect();
    assert_eq!(fired, [true, true, false, false]);
    assert_eq!(ends(&mut book), [FaultEnd::UsedUp]);
}

#[test]
fn a_latency_that_is_used_up_ends_when_the_last_wait_does() {
    let mut book = with([latency(50).count(2)]);
    let first = book.delay(&COMMAND, None, at(0)).unwrap();
    assert_eq!(first.what, Wait { time: Duration::from_millis(50), until: None });
    assert!(book.delay(&COMMAND, None, at(1)).is_some());
    assert_eq!(book.delay(&COMMAND, None, at(2)), None, "used up");
    book.waited(FaultId(1), at(50));
    assert_eq!((book.has_active(), book.list(at(50))[0].waiting), (true, 1));
    book.waited(FaultId(1), at(51));
    assert_eq!((book.has_active(), ends(&mut book)), (false, vec![FaultEnd::UsedUp]));
    book.waited(FaultId(1), at(52)); // what comes later changes nothing
}

#[test]
fn latencies_are_met_one_after_the_other_and_strikes_in_the_order_of_injection() {
    let mut book = with([latency(1), plan(Fault::error("first")), latency(2), plan(Fault::Panic)]);
    let first = book.delay(&COMMAND, None, at(0)).unwrap();
    let second = book.delay(&COMMAND, Some(first.id), at(0)).unwrap();
    assert_eq!((first.id, second.id), (FaultId(1), FaultId(3)));
    assert_eq!(book.delay(&COMMAND, Some(second.id), at(0)), None);
    assert_eq!(book.strike(&COMMAND, at(0)).unwrap().what, Strike::Refuse("first".into()));
    book.end(FaultId(2), FaultEnd::Removed, at(0));
    assert_eq!(book.strike(&COMMAND, at(0)).unwrap().what, Strike::Panic);
}

#[test]
fn a_fault_ends_when_its_time_is_over_whoever_asks() {
    let lasting = || plan(Fault::Panic).lasting(Duration::from_millis(100));
    let mut book = with([lasting(), latency(1).lasting(Duration::from_millis(100))]);
    let wait = book.delay(&COMMAND, None, at(40)).unwrap().what;
    assert_eq!(wait.until, Some(Duration::from_millis(100)), "nobody waits beyond it");
    assert_eq!(book.list(at(99))[0].remaining, Some(Duration::from_millis(1)));
    assert!(book.strike(&COMMAND, at(99)).is_some());
    assert_eq!(book.strike(&COMMAND, at(100)), None);
    assert_eq!(ends(&mut book), [FaultEnd::TimeOver, FaultEnd::TimeOver]);
    let ended = book.list(at(101));
    assert!(ended.iter().all(|fault| fault.remaining.is_none() && !fault.is_active()), "{ended:?}");
    let mut book = with([lasting()]);
    book.list(at(100));
    assert_eq!(ends(&mut book), [FaultEnd::TimeOver], "also when nobody meets it");
}

#[test]
fn a_probability_and_a_share_choose_and_the_seed_says_how() {
    let fired = |seed| {
        let mut book = with([plan(Fault::Panic).probability(0.3).seed(seed)]);
        (0..100).map(|_| book.strike(&COMMAND, at(0)).is_some()).collect::<Vec<_>>()
    };
    assert_eq!(fired(5), fired(5));
    assert_ne!(fired(5), fired(6));
    let count = fired(5).into_iter().filter(|fired| *fired).count();
    assert!((15..45).contains(&count), "{count}");

    let mut book = with([plan(Fault::Panic).share(0.2)]);
    let keys: Vec<String> = (0..100).map(|n| n.to_string()).collect();
    let command = |key| Subject::Command { service: "store/delivery", kind: "store.delivery", key };
    let mut hit = || keys.iter().filter(|key| book.strike(&command(key), at(0)).is_some()).collect::<Vec<_>>();
    let first = hit();
    assert!((8..35).contains(&first.len()), "{first:?}");
    assert_eq!(hit(), first, "the same ones stay hit");
}

#[test]
fn health_is_asked_by_probes_alone() {
    let mut book = with([plan(Fault::HealthDown)]);
    assert_eq!(book.strike(&COMMAND, at(0)), None);
    assert_eq!(book.strike(&Subject::Probe { service: "store/order" }, at(0)), None);
    assert_eq!(book.strike(&Subject::Probe { service: "store/delivery" }, at(0)).unwrap().what, Strike::Down);
    let mut book = with([plan(Fault::Panic)]);
    assert_eq!(book.strike(&Subject::Probe { service: "store/delivery" }, at(0)), None);
}

#[test]
fn a_fault_ends_when_too_much_fails_that_it_has_nothing_to_do_with() {
    let guarded = || with([plan(Fault::error("")).stop_above(0.5)]);
    let tell = |book: &mut Book, subject: Subject<'_>| {
        for request in 0..100 {
            book.told(&subject, request, true, at(0));
        }
        ends(book)
    };
    let mut book = guarded();
    assert!(book.listens());
    assert_eq!(tell(&mut book, COMMAND), [], "its own failures are wanted");
    for request in 0..100 {
        book.touch(request);
    }
    assert_eq!(tell(&mut book, OTHER), [], "what asked its target fails with it");
    assert_eq!(tell(&mut guarded(), OTHER), [FaultEnd::ErrorsElsewhere { share: 1.0 }]);
    let mut heedless = with([plan(Fault::error(""))]);
    assert!(!heedless.listens());
    assert_eq!(tell(&mut heedless, OTHER), []);
}

#[test]
fn there_are_at_most_so_many_active_ones_and_so_many_remembered() {
    let mut book = with(std::iter::repeat_n(plan(Fault::Panic), MAX_ACTIVE));
    let more = book.inject(&plan(Fault::Panic), service(), 1, at(0));
    assert_eq!(more, Err(InjectError::TooMany { most: MAX_ACTIVE }));
    book.end(FaultId(1), FaultEnd::Removed, at(0));
    let next = book.inject(&plan(Fault::Panic), service(), 1, at(0)).unwrap();
    assert_eq!(next.id, FaultId(33), "an id is not used twice");

    let mut book = Book::default();
    for n in 1..=MAX_ENDED as u64 + 3 {
        book.inject(&plan(Fault::Panic), service(), 1, at(0)).unwrap();
        book.end(FaultId(n), FaultEnd::Removed, at(0));
    }
    let remembered = book.list(at(0));
    assert_eq!(
        (remembered.len(), remembered[0].id, remembered[MAX_ENDED - 1].id),
        (MAX_ENDED, FaultId(67), FaultId(4))
    );
}

#[test]
fn of_very_many_touched_requests_the_oldest_are_forgotten() {
    let mut touched = Touched::default();
    for request in 0..=MAX_TOUCHED as u64 {
        touched.insert(request);
        touched.insert(request);
    }
    assert!(!touched.has(0) && touched.has(1) && touched.has(MAX_TOUCHED as u64));
    assert_eq!((touched.known.len(), touched.oldest_first.len()), (MAX_TOUCHED, MAX_TOUCHED));
}
