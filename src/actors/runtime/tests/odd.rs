//! What nobody should do, and what should not happen: it costs those who did it, and leaks nothing.

use std::time::Duration;

use super::{super::System, fixture::*, walker::*};
use crate::{
    actors::entity::{AskError, CommandId, NumberedId, Outcome, Unavailable},
    persistence::{PartitionId, Storage, StorageConfig, StreamId, ViewName, open},
};

async fn with_tallies(storage: &Storage, count: u64) -> System {
    let system = walkers(storage).await;
    for number in 1..=count {
        let added = system.entities::<Tally>().ask(&key(&format!("t{number}")), Add { n: 1 }).answered().await;
        assert_eq!(added.expect("added").number.get(), number);
    }
    system
}

async fn total(system: &System, number: u64) -> i64 {
    let tally = system.entities::<Tally>().get(&NumberedId::number(number)).await;
    tally.expect("readable").expect("there").state.total
}

/// The tally is put out of service, so that what is for it waits.
async fn quarantine(system: &System, tally: &str) {
    let boom = || system.entities::<Tally>().ask(&key(tally), Boom).into_future();
    while !matches!(boom().await, Err(AskError::Unavailable(Unavailable::Quarantined { .. }))) {}
}

/// Two walkers whose streams are in the same partition.
fn neighbours() -> (NumberedId, NumberedId) {
    let partition = |name: &str| StreamId { kind: "t.walker".into(), key: name.into() }.partition(16);
    let other = (0..1000).map(|n| format!("w{n}")).find(|name| partition(name) == partition("w")).expect("one of 16");
    (key("w"), key(&other))
}

/// The step of a follow-up that panics is durable and is taken up again: its asker must not be told that
/// nothing was done. It used to be told "not done"; and one that panicked while the follow-up was made
/// never got an answer, and its ask was counted for ever.
#[tokio::test(start_paused = true)]
async fn a_follow_up_that_panics_is_an_unknown_outcome_and_ends_in_quarantine() {
    for how in [How::PanickingWhenDeciding, How::PanickingAtOnce] {
        let system = with_tallies(&memory(), 1).await;
        let told = system.entities::<Walker>().ask(&key("w"), Walk(how)).await.expect_err("panics");
        assert_eq!(told.outcome(), Outcome::Unknown, "{how:?}: {told:?}");
        tokio::time::sleep(Duration::from_secs(10)).await; // it is resumed, and fails again, until it is out
        settled(&system).await;
        let next = system.entities::<Walker>().ask(&key("w"), Walk(How::Well)).await;
        assert!(matches!(next, Err(AskError::Unavailable(Unavailable::Quarantined { .. }))), "{how:?}: {next:?}");
        assert_eq!(total(&system, 1).await, 2, "{how:?}: asked often, done once");
    }
}

/// A step whose follow-up wrote nothing used to stay open: a repeat of its command was told to wait, for
/// ever after a rejection, and after the next recovery when the state showed nothing any more.
#[tokio::test(start_paused = true)]
async fn a_follow_up_that_writes_nothing_ends_its_step() {
    for (how, told) in [(How::Rejecting, Err(AskError::Rejected(Away))), (How::Silently, Ok(1))] {
        let storage = memory();
        let system = with_tallies(&storage, 1).await;
        let walk = |system: &System| {
            let asked = system.entities::<Walker>().ask(&key("w"), Walk(how));
            asked.command_id(CommandId::from_bits(5)).into_future()
        };
        assert_eq!(walk(&system).await, told);
        assert_eq!(walk(&system).await, Err(AskError::Rejected(Away)), "{how:?}: decided again");
        let again = storage.reopen_memory().expect("memory");
        drop(system.shutdown(Duration::from_secs(1)).await);
        let system = walkers(&again).await;
        settled(&system).await;
        assert_eq!(walk(&system).await, Err(AskError::Rejected(Away)), "{how:?}: also after a crash");
        assert_eq!(total(&system, 1).await, 2);
    }
}

/// A second ask of the same step stayed in the table without ever being begun.
#[tokio::test(start_paused = true)]
async fn who_comes_second_to_a_step_is_told_to_ask_again() {
    let system = with_tallies(&memory(), 1).await;
    let walkers = system.entities::<Walker>();
    let w = key("w");
    let (first, second) =
        tokio::join!(walkers.ask(&w, Walk(How::Well)).into_future(), walkers.ask(&w, Follow).into_future(),);
    assert_eq!(first, Ok(1));
    assert!(matches!(second, Err(AskError::InProgress { .. })), "{second:?}");
    settled(&system).await;
}

/// The partner has done it when the asker comes back, and is stopped: "not done" would be a lie. Errands
/// used to give up here, although the tally had been added to. The two have a journal each, so that the answer waits for one.
#[tokio::test(start_paused = true)]
async fn a_partner_that_is_stopped_takes_nothing_back() {
    let units = vec!["main".to_owned(), "other".to_owned()];
    let storage = open(&StorageConfig { units, ..StorageConfig::memory() }).expect("memory opens");
    let system = start_with(&storage, "[storage.unit.other]\nservices = [\"t/tally\"]").await;
    system.entities::<Tally>().ask(&key("a"), Add { n: 1 }).await.expect("added");
    // The tally is away for a moment: the errand's step is open, and what it asks waits.
    system.entities::<Tally>().ask(&key("a"), Boom).await.expect_err("panics");
    let errands = system.entities::<Errand>();
    let errand = move || errands.ask(&key("e"), RunErrand { to: 1, n: 4 }).command_id(CommandId::from_bits(3));
    let mut tasks = tokio::task::JoinSet::new();
    let asked = errand();
    tasks.spawn(async move { asked.await });
    while system.services().iter().all(|service| service.open_asks == 0) {
        tokio::task::yield_now().await;
    }
    // From now on nothing is durable: the errand is stopped before its answer can be.
    let memory = storage.memory_unit("other").expect("in memory");
    memory.hold();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(memory.waiting(), 1, "the tally's append");
    system.stop_service("t/errand").await.expect("stopped");
    let told = tasks.join_next().await.expect("a task").expect("no panic").expect_err("stopped");
    assert_eq!(told.outcome(), Outcome::Unknown);
    memory.release();
    system.stop_service("t/tally").await.expect("stopped");
    system.start_service("t/errand").await.expect("started");
    tokio::time::sleep(Duration::from_secs(20)).await;
    let waits = errand().await.expect_err("the tallies are stopped");
    assert!(matches!(waits, AskError::InProgress { .. }), "{waits:?}");
    system.start_service("t/tally").await.expect("started");
    settled(&system).await;
    assert_eq!(errand().await, Ok(5));
    assert_eq!(total(&system, 1).await, 1005, "once by the errand, and 1000 for the count of errands");
}

/// The journal hangs while a service is stopped and started again: the new cells were recovered without what the old ones
/// had written, and a step that was durable afterwards was never asked.
#[tokio::test(start_paused = true)]
async fn a_service_starts_with_all_that_it_wrote_before_it_was_stopped() {
    let storage = memory();
    let system = start(&storage).await;
    system.entities::<Tally>().ask(&key("a"), Add { n: 1 }).await.expect("added");
    let (disk, errands) = (storage.memory_unit("main").expect("in memory"), system.entities::<Errand>());
    disk.hold();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(errands.ask(&key("e"), RunErrand { to: 1, n: 4 }).into_future());
    wait_for(|| async { disk.waiting() == 3 }).await; // begun, added, finished
    system.stop_service("t/errand").await.expect("stopped, when its time is up");
    let told = tasks.join_next().await.expect("a task").expect("no panic").expect_err("stopped");
    assert_eq!(told.outcome(), Outcome::Unknown);
    let answers = async {
        tokio::time::sleep(Duration::from_mins(1)).await;
        disk.release();
    };
    let (started, ()) = tokio::join!(system.start_service("t/errand"), answers);
    assert_eq!(started.expect("started").state, "running");
    settled(&system).await;
    let errand = errands.get(&key("e")).await.expect("readable").expect("there");
    assert_eq!((errand.state.result, total(&system, 1).await), (Some(5), 1005));
}

/// It waits for a journal that hangs, and is stopped meanwhile.
#[tokio::test(start_paused = true)]
async fn a_service_that_waits_for_the_journal_can_be_stopped() {
    let storage = memory();
    let system = start(&storage).await;
    let (disk, tallies) = (storage.memory_unit("main").expect("in memory"), system.entities::<Tally>());
    disk.hold();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(tallies.ask(&key("a"), Add { n: 1 }).into_future());
    wait_for(|| async { disk.waiting() == 1 }).await;
    system.stop_service("t/tally").await.expect("stopped");
    let waits = tokio::time::timeout(Duration::from_mins(1), system.start_service("t/tally")).await;
    assert!(waits.is_err(), "{waits:?}");
    assert_eq!(system.stop_service("t/tally").await.expect("stopped again").state, "stopped");
    disk.release();
    system.start_service("t/tally").await.expect("started");
    assert_eq!(tallies.ask(&key("a"), Add { n: 1 }).await, Ok(2));
}

/// Thirty streams have an open step, and the service has room for four messages: all are resumed.
#[tokio::test(start_paused = true)]
async fn every_open_step_is_resumed_also_when_there_are_more_than_the_service_has_room_for() {
    let storage = memory();
    let system = with_tallies(&storage, 1).await;
    quarantine(&system, "t1").await;
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..30 {
        let asked = system.entities::<Walker>().ask(&key(&format!("v{n}")), Walk(How::Well)).into_future();
        tasks.spawn(asked);
    }
    // A walk is over as soon as its partner says no: cut them off before.
    while system.services().iter().all(|service| service.open_asks < 30) {
        tokio::task::yield_now().await;
    }
    let again = storage.reopen_memory().expect("memory");
    drop(tasks);
    drop(system.shutdown(Duration::from_secs(1)).await);
    let system = walkers_with(&again, "[service.t.walker]\nbudget_messages = 4\n").await;
    settled(&system).await;
    assert_eq!(total(&system, 1).await, 31);
}

/// A dispatch for a tally that is away comes late, and one of a later position goes by another lane: the
/// tally then took the earlier one for a repeat, and it was lost.
#[tokio::test(start_paused = true)]
async fn an_earlier_dispatch_for_the_same_entity_is_never_overtaken() {
    for (first, second) in [(By::Number, By::Key), (By::Key, By::Number), (By::Source, By::Source)] {
        let system = with_tallies(&memory(), 1).await;
        let (one, other) = neighbours();
        quarantine(&system, "t1").await;
        system.entities::<Walker>().ask(&one, Wave { to: 1, by: first }).await.expect("waved");
        // Its tries are seconds apart by now.
        tokio::time::sleep(Duration::from_secs(30)).await;
        system.resume_entity("tally", "t1").expect("in quarantine");
        system.entities::<Walker>().ask(&other, Wave { to: 1, by: second }).await.expect("waved");
        system.quiesce(Duration::from_mins(1)).await.expect("everything comes to rest");
        assert_eq!(total(&system, 1).await, 21, "{first:?}, then {second:?}");
    }
}

/// What waits for a tally that is away used to take the room of everything else.
#[tokio::test(start_paused = true)]
async fn a_target_that_is_away_holds_up_only_what_is_for_it() {
    let system = with_tallies(&memory(), 2).await;
    quarantine(&system, "t1").await;
    for _ in 0..600 {
        system.entities::<Walker>().ask(&key("w"), Wave { to: 1, by: By::Number }).await.expect("waved");
    }
    system.entities::<Walker>().ask(&key("w"), Wave { to: 2, by: By::Number }).await.expect("waved");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(total(&system, 2).await, 11);
    system.resume_entity("tally", "t1").expect("in quarantine");
    system.quiesce(Duration::from_mins(1)).await.expect("everything comes to rest");
    assert_eq!(total(&system, 1).await, 6001);
}

/// Hundreds of records of a kind that this process does not serve lie before the first that it does: the
/// reader took a page of nothing for the end.
#[tokio::test]
async fn a_view_reads_on_behind_records_that_nobody_here_serves() {
    use super::super::{Service, System};
    use crate::actors::entity::ServiceDeclaration;
    let storage = memory();
    let quiet = || Service::new("tally").entity::<Tally>();
    let first = System::builder(storage.clone()).service("t", quiet());
    let first = first.service("t", Service::new("walker").entity::<Walker>()).start().await.expect("starts");
    let partitions = storage.unit("main").expect("main").journal.partitions();
    let partition = |kind: &str, key: &str| StreamId { kind: kind.into(), key: key.into() }.partition(partitions);
    let walker: PartitionId = partition("t.walker", "w");
    let tally =
        (0..1000).map(|n| format!("t{n}")).find(|name| partition("t.tally", name) == walker).expect("one of 16");
    for _ in 0..1000 {
        first.entities::<Walker>().ask(&key("w"), Wave { to: 1, by: By::Number }).await.expect("waved");
    }
    first.entities::<Tally>().ask(&key(&tally), Add { n: 1 }).await.expect("added");
    drop(first.shutdown(Duration::from_secs(5)).await);
    let storage = storage.reopen_memory().expect("memory");
    let listed = Service::new("tally").listed::<Tally>();
    let second = System::builder(storage.clone()).service("t", listed).start().await.expect("starts");
    assert!(second.list::<Tally>().catch_up(Duration::from_secs(10)).await.expect("running"));
    assert_eq!(second.list::<Tally>().count().await.expect("readable"), 1);
}

/// Full in the middle of its partitions, a projector used to sleep without having asked for the commit that
/// was to wake it: a rebuild of more than 256 rows never ended.
#[tokio::test]
async fn a_view_is_built_again_of_more_rows_than_one_commit_takes() {
    let storage = memory();
    let system = start(&storage).await;
    for n in 1..=900u64 {
        system.entities::<Tally>().ask(&key(&format!("t{n}")), Add { n: 1 }).await.expect("added");
    }
    drop(system.shutdown(Duration::from_secs(5)).await);
    let storage = storage.reopen_memory().expect("memory");
    let projections = &storage.unit("main").expect("main").projections;
    projections.clear(ViewName { name: "t.add-counts", version: 1, generation: 0 }).expect("cleared");
    let system = start(&storage).await;
    let counts = system.views::<AddCount>();
    assert!(counts.catch_up(Duration::from_secs(10)).await.expect("running"));
    assert_eq!(counts.count().await.expect("readable"), 900);
}
