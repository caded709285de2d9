//! What injected faults do to commands, links and appends, and that they end.

use std::time::Duration;

use tokio::time::Instant;

use super::fixture::*;
use crate::{
    AppendFault, BreakerState, Fault, FaultEnd, FaultId, FaultPlan, FaultStatus, InjectError, System,
    actors::entity::{AskError, CommandId, Injected, NumberedId, Outcome, Unavailable},
};

const TALLY: &str = "t/tally";

/// A system with the tallies a and b.
async fn shop(config: &str) -> System {
    let system = start_with(&memory(), config).await;
    for tally in ["a", "b"] {
        add(&system, tally, 1).await.expect("added");
    }
    system
}

type Added = Result<i64, AskError<TallyRejection>>;

async fn add(system: &System, tally: &str, n: i64) -> Added {
    system.entities::<Tally>().ask(&key(tally), Add { n }).await
}

async fn total(system: &System, tally: &str) -> i64 {
    system.entities::<Tally>().get(&key(tally)).await.expect("readable").expect("there").state.total
}

fn inject(system: &System, plan: FaultPlan) -> FaultId {
    system.faults().inject(plan).expect("injected").id
}

fn latency(target: &str, millis: u64) -> FaultPlan {
    FaultPlan::new(target, Fault::latency(Duration::from_millis(millis), Duration::ZERO))
}

fn status(system: &System, id: FaultId) -> FaultStatus {
    system.faults().list().into_iter().find(|fault| fault.id == id).expect("known")
}

fn end_of(system: &System, id: FaultId) -> Option<FaultEnd> {
    status(system, id).ended.map(|(why, _)| why)
}

/// By a fault with this id, and what it did.
fn injected<R>(error: &AskError<R>) -> Option<(&str, &Injected)> {
    let AskError::Unavailable(Unavailable::Injected { fault, what }) = error else { return None };
    Some((fault, what))
}

#[tokio::test(start_paused = true)]
async fn a_latency_delays_each_entity_of_its_service_by_itself_and_no_other_service() {
    let system = shop("").await;
    let id = inject(&system, latency(TALLY, 400));
    let begun = Instant::now();
    let (a, again, b) = tokio::join!(add(&system, "a", 2), add(&system, "a", 3), async {
        let added = add(&system, "b", 4).await;
        (added, begun.elapsed().as_millis())
    });
    assert_eq!((a, again, b.0), (Ok(3), Ok(6), Ok(5)), "in the order in which they came");
    assert_eq!((b.1, begun.elapsed().as_millis()), (400, 800), "a's second one waits behind its first one");
    assert_eq!(status(&system, id).fired, 3);
    let begun = Instant::now();
    assert_eq!(total(&system, "a").await, 6);
    assert_eq!(begun.elapsed(), Duration::ZERO, "reads of an entity that has nothing to do are not delayed");
    let errand = system.entities::<Errand>().ask(&key("e"), RunErrand { to: 1, n: 5 }).await;
    assert_eq!((errand, begun.elapsed().as_millis()), (Ok(11), 400), "its own commands are not, its asks are");
}

#[tokio::test(start_paused = true)]
async fn a_fault_of_a_kind_or_entity_hits_that_alone() {
    let system = shop("").await;
    let took = |tally: &'static str| {
        let system = system.clone();
        async move {
            let begun = Instant::now();
            add(&system, tally, 1).await.expect("added");
            begun.elapsed().as_millis()
        }
    };
    for target in ["t.tally/2", "tally/2", "tally/b"] {
        let id = inject(&system, latency(target, 100));
        assert_eq!((took("a").await, took("b").await), (0, 100), "{target}");
        system.faults().end(id).expect("active");
    }
    let id = inject(&system, latency("tally", 100));
    assert_eq!((took("a").await, took("b").await), (100, 100));
    system.faults().end(id).expect("active");
    inject(&system, latency("errand", 100));
    assert_eq!((took("a").await, took("b").await), (0, 0));
    let unknown = system.faults().inject(latency("tally/99", 100));
    assert!(matches!(unknown, Err(InjectError::NoTarget { sort: "entity", .. })), "{unknown:?}");
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_fault_is_the_end_of_all_waiting_in_it() {
    let system = shop("").await;
    let begun = Instant::now();
    let id = inject(&system, latency(TALLY, 2_000));
    let ended = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert_eq!(status(&system, id).waiting, 2);
        system.faults().end(id).expect("active")
    };
    let (a, b, ended) = tokio::join!(add(&system, "a", 1), add(&system, "b", 1), ended);
    assert_eq!((a, b, begun.elapsed().as_millis()), (Ok(2), Ok(2), 300));
    assert_eq!((ended.fired, ended.waiting, ended.ended.map(|(why, _)| why)), (2, 0, Some(FaultEnd::Removed)));

    let (begun, id) = (Instant::now(), inject(&system, latency(TALLY, 2_000).lasting(Duration::from_millis(500))));
    assert_eq!(add(&system, "a", 1).await, Ok(3));
    assert_eq!((begun.elapsed().as_millis(), end_of(&system, id)), (500, Some(FaultEnd::TimeOver)));

    let (begun, id) = (Instant::now(), inject(&system, latency(TALLY, 200).count(1)));
    let (a, b) = tokio::join!(add(&system, "a", 1), add(&system, "b", 1));
    assert_eq!((a, b, begun.elapsed().as_millis()), (Ok(4), Ok(3), 200), "the one that it counted waits all the same");
    assert_eq!((status(&system, id).fired, end_of(&system, id)), (1, Some(FaultEnd::UsedUp)));
}

#[tokio::test(start_paused = true)]
async fn what_is_delayed_beyond_its_deadline_is_withdrawn_and_says_why() {
    let system = shop("").await;
    let id = inject(&system, latency(TALLY, 10_000));
    let begun = Instant::now();
    let late = add(&system, "a", 5).await.expect_err("it would take 10 s");
    assert_eq!(begun.elapsed(), Duration::from_secs(3), "the deadline");
    assert_eq!(injected(&late), Some(("f1", &Injected::Delayed)), "{late:?}");
    assert_eq!((late.outcome(), late.to_string().contains("injected fault f1")), (Outcome::NotDone, true));
    system.faults().end(id).expect("active");
    settled(&system).await;
    assert_eq!(add(&system, "a", 1).await, Ok(2), "the one that was withdrawn was never decided");
}

#[tokio::test(start_paused = true)]
async fn a_full_mailbox_behind_a_latency_refuses_at_once_and_loses_nothing() {
    let system = shop("[entity]\nmailbox = 4").await;
    inject(&system, latency(TALLY, 100).count(1));
    let adds = futures::future::join_all((0..20).map(|_| add(&system, "a", 1))).await;
    let full = adds.iter().filter(|added| matches!(added, Err(AskError::Overloaded { .. }))).count();
    let done = adds.iter().filter(|added| added.is_ok()).count();
    assert!(full >= 15 && done >= 4, "{adds:?}");
    assert_eq!(usize::try_from(total(&system, "a").await - 1), Ok(done));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_stops_waits_for_no_latency() {
    let system = shop("").await;
    inject(&system, latency(TALLY, 2_500));
    let begun = Instant::now();
    let stop = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        system.stop_service(TALLY).await.expect("stopped");
    };
    let (added, ()) = tokio::join!(add(&system, "a", 1), stop);
    assert!(matches!(added, Err(AskError::Unavailable(Unavailable::ServiceStopped { .. }))), "{added:?}");
    assert_eq!(begun.elapsed().as_millis(), 100);
    system.start_service(TALLY).await.expect("started");
    system.faults().end_all();
    assert_eq!(add(&system, "a", 1).await, Ok(2));
}

#[tokio::test]
async fn an_error_writes_nothing_and_a_repeat_gets_what_was_done_before() {
    let system = shop("").await;
    let tallies = system.entities::<Tally>();
    let known = CommandId::from_bits(7);
    assert_eq!(tallies.ask(&key("a"), Add { n: 4 }).command_id(known).await, Ok(5));
    inject(&system, FaultPlan::new(TALLY, Fault::error("no money")).count(2));
    for n in [2, 3] {
        let refused = add(&system, "a", n).await.expect_err("refused");
        assert_eq!(injected(&refused), Some(("f1", &Injected::Refused("no money".into()))), "{refused:?}");
        assert_eq!((refused.outcome(), refused.retry_after()), (Outcome::NotDone, Some(Duration::from_secs(1))));
        assert_eq!(tallies.ask(&key("a"), Add { n: 4 }).command_id(known).await, Ok(5), "its first answer");
    }
    assert_eq!(end_of(&system, FaultId(1)), Some(FaultEnd::UsedUp));
    assert_eq!(add(&system, "a", 1).await, Ok(6), "nothing else was added");
}

#[tokio::test(start_paused = true)]
async fn a_panic_goes_the_way_of_a_real_one_to_restart_and_quarantine() {
    let system = shop("[entity]\nrestarts = { at_most = 2, within = \"60s\" }").await;
    inject(&system, FaultPlan::new("tally/a", Fault::Panic).count(1));
    let failed = add(&system, "a", 5).await.expect_err("panics");
    assert_eq!(injected(&failed), Some(("f1", &Injected::Panicked)), "{failed:?}");
    assert!(matches!(&failed, AskError::Unavailable(why) if why.is_panic()));
    assert_eq!(add(&system, "a", 1).await, Ok(2), "it came back, and nothing was written");
    inject(&system, FaultPlan::new("tally/a", Fault::Panic));
    for _ in 0..2 {
        add(&system, "a", 5).await.expect_err("panics");
    }
    let quarantined = add(&system, "a", 1).await.expect_err("too often");
    let reason = quarantined.to_string();
    assert!(matches!(quarantined, AskError::Unavailable(Unavailable::Quarantined { .. })), "{quarantined:?}");
    assert!(reason.contains("add") && reason.contains("injected fault f2"), "{reason}");
    assert_eq!(add(&system, "b", 1).await, Ok(2), "its neighbour lives");
    system.faults().end_all();
    system.resume_entity("tally", "1").expect("it is quarantined");
    assert_eq!(add(&system, "a", 1).await, Ok(3));
}

#[tokio::test(start_paused = true)]
async fn what_a_policy_sends_waits_for_an_error_and_outlives_some_panics() {
    for fault in [Fault::error(""), Fault::Panic] {
        let system = shop("").await;
        let errand = system.entities::<Errand>().ask(&key("e"), RunErrand { to: 2, n: 5 });
        // Not the ask of the errand, which goes to b, but what the policy sends to a.
        let id = inject(&system, FaultPlan::new("tally/a", fault.clone()).count(3));
        assert_eq!(errand.await, Ok(6));
        settled(&system).await;
        assert_eq!((total(&system, "a").await, status(&system, id).fired), (1001, 3), "{fault}");
        assert!(system.dead_letters().await.expect("readable").is_empty(), "{fault}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_fault_of_a_link_counts_in_its_breaker() {
    let link = "link/t.errand.tally";
    let delayed = latency(link, 5_000);
    for (plan, told) in
        [(FaultPlan::new(link, Fault::error("cut")), "refused (cut)"), (delayed, "delayed beyond its deadline")]
    {
        let system = shop("[link.t.errand.tally.breaker]\nconsecutive_failures = 3\nopen_for = \"30s\"").await;
        let id = inject(&system, plan);
        let run = |errand: u32| {
            system.entities::<Errand>().ask(&key(&format!("e{errand}")), RunErrand { to: 1, n: 5 }).into_future()
        };
        for errand in 1..=3 {
            let failed = run(errand).await.expect_err("the link does not carry");
            assert!(failed.to_string().contains(told) && failed.outcome() == Outcome::NotDone, "{failed}");
        }
        let state =
            |system: &System| system.links().into_iter().map(|link| (link.state, link.failed)).collect::<Vec<_>>();
        assert_eq!(state(&system), [(BreakerState::Open, 3)], "{told}");
        run(4).await.expect_err("open");
        assert_eq!(status(&system, id).fired, 3, "what the breaker refuses meets no fault");
        assert_eq!(total(&system, "a").await, 1, "the tally never heard of it");
        system.faults().end_all();
        tokio::time::sleep(Duration::from_secs(31)).await;
        assert_eq!(run(5).await, Ok(6));
        assert_eq!(add(&system, "b", 1).await, Ok(2));
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_a_fault_of_its_link_refused_is_made_again_within_the_attempts() {
    let system = shop("[link.t.errand.tally]\nattempts = 3\npause = \"100ms\"").await;
    let id = inject(&system, FaultPlan::new("link/t.errand.tally", Fault::error("")).count(2));
    let begun = Instant::now();
    let asked = system.entities::<Errand>().ask(&key("e"), RunErrand { to: 1, n: 5 }).await;
    assert_eq!((asked, begun.elapsed().as_millis()), (Ok(6), 300));
    assert_eq!(end_of(&system, id), Some(FaultEnd::UsedUp));
}

#[tokio::test(start_paused = true)]
async fn a_latency_of_a_link_below_its_timeout_only_takes_time() {
    let system = shop("").await;
    let id = inject(&system, latency("link/T.Errand.Tally", 300));
    let begun = Instant::now();
    let asked = system.entities::<Errand>().ask(&key("e"), RunErrand { to: 1, n: 5 }).await;
    assert_eq!((asked, begun.elapsed().as_millis()), (Ok(6), 300));
    add(&system, "a", 1).await.expect("added");
    assert_eq!((begun.elapsed().as_millis(), status(&system, id).fired), (300, 1), "others reach the tally as before");
}

#[tokio::test(start_paused = true)]
async fn an_append_that_is_refused_was_not_written_and_everything_goes_on() {
    for (how, retry_after) in [(AppendFault::Reject, 1), (AppendFault::Full, 5)] {
        let system = shop("").await;
        inject(&system, FaultPlan::new("storage/main", Fault::Append(how)).count(2));
        for _ in 0..2 {
            let refused = add(&system, "a", 5).await.expect_err("refused");
            assert!(refused.to_string().contains("injected fault f1"), "{refused}");
            assert_eq!(refused.outcome(), Outcome::NotDone);
            assert_eq!(refused.retry_after(), Some(Duration::from_secs(retry_after)));
        }
        assert_eq!(end_of(&system, FaultId(1)), Some(FaultEnd::UsedUp));
        assert_eq!((add(&system, "a", 1).await, total(&system, "b").await), (Ok(2), 1), "{how:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_append_that_fails_has_the_journal_opened_again_while_the_system_runs() {
    for how in [AppendFault::Fail, AppendFault::Tear] {
        let system = shop("").await;
        let id = inject(&system, FaultPlan::new("storage", Fault::Append(how)).count(2));
        for round in 1..=2 {
            let command = CommandId::from_bits(round);
            let asked = || system.entities::<Tally>().ask(&key("a"), Add { n: 5 }).command_id(command).into_future();
            let unknown = asked().await.expect_err("nobody knows");
            assert_eq!(unknown.outcome(), Outcome::Unknown, "{unknown:?}");
            let refused = add(&system, "b", 1).await.expect_err("the journal takes nothing");
            assert_eq!(refused.outcome(), Outcome::NotDone, "{refused:?}");
            assert!(system.not_ready()[0].contains("injected fault f1"), "{:?}", system.not_ready());
            while !system.not_ready().is_empty() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            if round == 2 {
                assert_eq!(asked().await, Ok(6), "a repeat with the same id does it, once");
            }
        }
        assert_eq!((status(&system, id).fired, end_of(&system, id)), (2, Some(FaultEnd::UsedUp)));
        assert_eq!((total(&system, "a").await, add(&system, "b", 1).await), (6, Ok(2)));
        let tree = format!("{:?}", system.tree().await);
        assert!(tree.contains("injected fault f1"), "the tree tells why the journal was opened again: {tree}");
    }
}

#[tokio::test]
async fn a_service_whose_health_is_down_says_so_and_works() {
    let system = shop("").await;
    assert_eq!((system.faults().down("T", "Tally"), system.not_ready().len()), (None, 0));
    let id = inject(&system, FaultPlan::new("T/Tally", Fault::HealthDown));
    assert_eq!(system.faults().down("T", "Tally"), Some(id));
    assert_eq!(system.faults().down("t", "errand"), None);
    assert_eq!(system.faults().down("t", "kitchen"), None);
    assert_eq!(system.not_ready(), ["t/tally: not well by the injected fault f1"]);
    assert_eq!(add(&system, "a", 1).await, Ok(2));
    assert_eq!(status(&system, id).fired, 2, "each look");
    system.faults().end(id).expect("active");
    assert_eq!((system.faults().down("t", "tally"), system.not_ready().len()), (None, 0));
}

#[tokio::test(start_paused = true)]
async fn a_fault_ends_by_itself_when_others_suffer() {
    let system = shop("").await;
    let guarded = inject(&system, FaultPlan::new("errand", Fault::error("")).stop_above(0.5));
    for errand in 0..30 {
        let asked = system.entities::<Errand>().ask(&key(&format!("e{errand}")), RunErrand { to: 1, n: 5 }).await;
        asked.expect_err("refused");
    }
    assert!(status(&system, guarded).is_active(), "its own failures are wanted");
    // Another fault makes tallies fail; nobody but those who meet a fault fail because of it.
    let own = inject(&system, FaultPlan::new(TALLY, Fault::error("")));
    for _ in 0..30 {
        add(&system, "a", 1).await.expect_err("refused");
    }
    assert!(status(&system, guarded).is_active(), "what any fault has touched does not count");
    system.faults().end(own).expect("active");
    system.stop_service(TALLY).await.expect("stopped");
    system.start_service(TALLY).await.expect("started");
    for _ in 0..30 {
        let within = system.entities::<Tally>().ask(&key("a"), Add { n: i64::MIN });
        within.await.expect_err("a real panic, a backoff, or quarantine");
    }
    match end_of(&system, guarded) {
        Some(FaultEnd::ErrorsElsewhere { share }) => assert!(share > 0.5, "{share}"),
        other => panic!("{other:?}"),
    }
    let errand = system.entities::<Errand>().ask(&key("f"), RunErrand { to: 2, n: 5 }).await;
    assert_eq!(errand, Ok(6));
    assert_eq!(
        system.entities::<Tally>().get(&NumberedId::number(2)).await.expect("readable").expect("there").state.total,
        6
    );
}

#[tokio::test(start_paused = true)]
async fn faults_that_are_ended_while_others_come_leave_nobody_waiting() {
    let system = shop("").await;
    let first = inject(&system, latency(TALLY, 100));
    let second = inject(&system, latency(TALLY, 200));
    let begun = Instant::now();
    assert_eq!(add(&system, "a", 1).await, Ok(2));
    assert_eq!(begun.elapsed().as_millis(), 300, "one after the other");
    let (begun, ended) = (Instant::now(), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        system.faults().end(first).expect("active");
    });
    let (added, ()) = tokio::join!(add(&system, "a", 1), ended);
    assert_eq!((added, begun.elapsed().as_millis()), (Ok(3), 250));
    system.faults().end(second).expect("active");
    let again = system.faults().end(second);
    assert!(again.is_err(), "it has ended: {again:?}");
    let fired: Vec<u64> = system.faults().list().iter().map(|fault| fault.fired).collect();
    assert_eq!(fired, [2, 2], "the last that ended first");
}
