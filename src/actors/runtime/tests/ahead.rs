//! Asks that go ahead of a journal that takes its time.

use std::{sync::Arc, time::Duration};

use tokio::{task::JoinSet, time::sleep};

use super::{
    super::System,
    boss::{Boss, Have, offices},
    fixture::*,
    walker::{Away, How, Walk, Walker, walkers},
};
use crate::{
    AppendFault, Fault, FaultPlan,
    actors::entity::{AskError, CommandId, NumberedId, Outcome},
    persistence::{MemoryStore, Storage, StorageConfig, StreamId, open},
};

type Told = Result<i64, AskError<ErrandRejection>>;

/// Bosses, errands, and a tally of 1, on a journal in memory with room for so many appends that wait.
async fn office(queue: usize) -> (Storage, System, Arc<MemoryStore>) {
    let storage = open(&StorageConfig { queue, ..StorageConfig::memory() }).expect("memory opens");
    let system = offices(&storage).await;
    system.entities::<Tally>().ask(&key("a"), Add { n: 1 }).await.expect("added");
    let disk = storage.memory_unit("main").expect("in memory");
    (storage, system, disk)
}

/// Adds 4 to that tally: an errand, or a boss who has one run. May be repeated.
async fn ask(system: &System, is_boss: bool) -> Told {
    let id = CommandId::from_bits(7);
    if is_boss {
        return system.entities::<Boss>().ask(&key("b"), Have).command_id(id).await;
    }
    system.entities::<Errand>().ask(&key("e"), RunErrand { to: 1, n: 4 }).command_id(id).await
}

/// The same, as often as it is told to come again: a step that was cut off is being taken up.
async fn insist(system: &System, is_boss: bool) -> Told {
    loop {
        match ask(system, is_boss).await {
            Err(AskError::InProgress { retry_after }) => sleep(retry_after).await,
            told => return told,
        }
    }
}

fn sent(system: &System, is_boss: bool) -> JoinSet<Told> {
    let (system, mut tasks) = (system.clone(), JoinSet::new());
    tasks.spawn(async move { ask(&system, is_boss).await });
    tasks
}

async fn told<T: 'static>(tasks: &mut JoinSet<T>) -> T {
    tasks.join_next().await.expect("a task").expect("no panic")
}

async fn total(system: &System) -> i64 {
    let tally = system.entities::<Tally>().get(&NumberedId::number(1)).await;
    tally.expect("readable").expect("there").state.total
}

/// Until the storage supervisor has opened it again.
async fn healthy(system: &System) {
    while !system.not_ready().is_empty() {
        sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_hears_of_what_went_ahead_before_it_is_durable() {
    let (storage, system, disk) = office(100).await;
    disk.hold();
    let mut asked = sent(&system, true);
    wait_for(|| async { disk.waiting() == 5 }).await; // sent, begun, added, finished, heard
    sleep(Duration::from_secs(1)).await;
    assert!(asked.try_join_next().is_none(), "not the asker");
    let stream = StreamId { kind: "t.boss".into(), key: "b".into() };
    assert!(storage.unit("main").expect("a unit").journal.head(&stream).is_none(), "not the disk");
    let read = tokio::time::timeout(Duration::from_secs(1), total(&system)).await;
    assert!(read.is_err(), "no reader: {read:?}");
    disk.release();
    assert_eq!(told(&mut asked).await, Ok(5));
    settled(&system).await;
    assert_eq!(total(&system).await, 5);
}

/// Whatever becomes of the appends, however few of them found room, and with the first of them durable before the others or
/// not: done once or not at all, and nobody is told that nothing was done when something was.
#[tokio::test(start_paused = true)]
async fn every_end_of_what_went_ahead_is_all_or_nothing() {
    for (is_boss, appends) in [(false, 3), (true, 5)] {
        for is_begun in [false, true] {
            for room in 1..=appends {
                for end in [End::Released, End::Lost, End::NotKnown] {
                    ends(is_boss, is_begun, room, end).await;
                }
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Released,
    Lost,
    /// Written, and told as not known.
    NotKnown,
}

async fn ends(is_boss: bool, is_begun: bool, room: usize, end: End) {
    let what = format!("boss: {is_boss}, begun: {is_begun}, room for {room}, {end:?}");
    let (_storage, system, disk) = office(room).await;
    let mut asked = if is_begun {
        // The tally is away for a moment: what begins to ask it is durable before it is asked.
        system.entities::<Tally>().ask(&key("a"), Boom).await.expect_err("panics");
        let asked = sent(&system, is_boss);
        let errand = || system.services().iter().any(|it| it.service.ends_with("errand") && it.open_asks > 0);
        wait_for(|| async { errand() }).await;
        disk.hold();
        asked
    } else {
        disk.hold();
        sent(&system, is_boss)
    };
    sleep(Duration::from_millis(100)).await;
    assert!((1..=room).contains(&disk.waiting()), "{what}: {}", disk.waiting());
    match end {
        End::Released => disk.release(),
        End::Lost => disk.poison("on purpose"),
        End::NotKnown => disk.poison_after_write("on purpose"),
    }
    let first = told(&mut asked).await;
    healthy(&system).await;
    disk.release();
    sleep(Duration::from_secs(20)).await; // whatever is taken up again is done
    settled(&system).await;
    let is_done = total(&system).await == 5;
    match first.as_ref().map_err(AskError::outcome) {
        Ok(_) => assert!(is_done, "{what}: {first:?}"),
        Err(Outcome::NotDone | Outcome::Refused) => assert_eq!(total(&system).await, 1, "{what}: {first:?}"),
        Err(Outcome::Unknown) => {}
    }
    assert!(end != End::Lost || is_begun || !is_done, "{what}: nothing was written: {first:?}");
    assert_eq!((insist(&system, is_boss).await, insist(&system, is_boss).await), (Ok(5), Ok(5)), "{what}");
    settled(&system).await;
    assert_eq!(total(&system).await, 5, "{what}: once");
}

/// What began the ask was not written, so nothing was that went ahead of it: that is known.
#[tokio::test(start_paused = true)]
async fn a_journal_that_refuses_what_began_an_ask_has_done_nothing() {
    for (is_boss, appends) in [(false, 3), (true, 5)] {
        let (_storage, system, disk) = office(100).await;
        let slow = Fault::latency(Duration::from_millis(30), Duration::ZERO);
        system.faults().inject(FaultPlan::new("storage/main", slow)).expect("injected");
        let fails = async {
            sleep(Duration::from_millis(10)).await;
            let waiting = system.faults().list().remove(0).waiting;
            assert_eq!((disk.waiting(), waiting), (0, appends), "all wait in front of it");
            let plan = FaultPlan::new("storage/main", Fault::Append(AppendFault::Fail)).count(1);
            system.faults().inject(plan).expect("injected");
            system.entities::<Tally>().ask(&key("c"), Add { n: 1 }).await.expect_err("nobody knows");
        };
        let (told, ()) = tokio::join!(ask(&system, is_boss), fails);
        let told = told.expect_err("the journal takes no more writes");
        assert_eq!(told.outcome(), Outcome::NotDone, "{told:?}");
        healthy(&system).await;
        assert_eq!(total(&system).await, 1);
        assert_eq!(ask(&system, is_boss).await, Ok(5));
    }
}

/// The answer came early, and the one who has it writes nothing: what he says has to wait all the same, also when what began
/// the ask is durable already, and only what the partner wrote is not.
#[tokio::test(start_paused = true)]
async fn who_writes_nothing_waits_for_what_his_answer_stands_on() {
    for (how, says) in [(How::Rejecting, Err(AskError::Rejected(Away))), (How::Silently, Ok(1))] {
        for (is_begun, is_lost) in [(false, false), (false, true), (true, false), (true, true)] {
            let what = format!("{how:?}, begun: {is_begun}, lost: {is_lost}");
            let storage = memory();
            let system = walkers(&storage).await;
            let (walks, tallies) = (system.entities::<Walker>(), system.entities::<Tally>());
            tallies.ask(&key("a"), Add { n: 1 }).await.expect("added");
            settled(&system).await;
            let (disk, mut asked) = (storage.memory_unit("main").expect("in memory"), JoinSet::new());
            let walk = walks.ask(&key("w"), Walk(how)).into_future();
            if is_begun {
                // The tally is away for a moment: the walker has left for good before it is asked.
                tallies.ask(&key("a"), Boom).await.expect_err("panics");
                asked.spawn(walk);
                wait_for(|| async { system.services().iter().any(|service| service.open_asks > 0) }).await;
                disk.hold();
            } else {
                disk.hold();
                asked.spawn(walk);
            }
            sleep(Duration::from_secs(1)).await;
            assert_eq!(disk.waiting(), if is_begun { 1 } else { 2 }, "{what}: left, added");
            assert!(asked.try_join_next().is_none(), "{what}");
            let waits = tokio::time::timeout(Duration::from_secs(1), walks.get(&key("w"))).await;
            assert!(waits.is_err(), "{what}: whoever reads waits as well");
            if is_lost {
                disk.poison("on purpose");
            } else {
                disk.release();
            }
            let told = told(&mut asked).await;
            healthy(&system).await;
            disk.release();
            settled(&system).await;
            if is_lost {
                assert_eq!(told.expect_err("lost").outcome(), Outcome::Unknown, "{what}");
                assert_eq!(walks.get(&key("w")).await.expect("readable").is_some(), is_begun, "{what}");
            } else {
                assert_eq!(told, says, "{what}");
            }
            // A step that is open is taken up again, unless the state does not show it.
            let is_added = !is_lost || (is_begun && how == How::Rejecting);
            assert_eq!(total(&system).await, if is_added { 2 } else { 1 }, "{what}");
        }
    }
}
