//! Commands, replies, numbers, repeats.

use std::time::Duration;

use super::fixture::*;
use crate::{
    actors::entity::{AskError, CommandId, NumberedId, Outcome},
    persistence::{Append, Fault, Faults, Operation, StreamId},
};

#[tokio::test]
async fn a_command_writes_and_a_read_sees_it() {
    let system = start(&memory()).await;
    let tallies = system.entities::<Tally>();
    assert_eq!(tallies.ask(&key("a"), Add { n: 2 }).await, Ok(2));
    assert_eq!(tallies.ask(&key("a"), Add { n: 3 }).await, Ok(5));
    let current = tallies.get(&key("a")).await.expect("readable").expect("there");
    assert_eq!((current.state.total, current.sequence, current.number.get()), (5, 2, 1));
    assert!(tallies.get(&key("b")).await.expect("readable").is_none());
}

#[tokio::test]
async fn numbers_count_from_one_and_refusals_take_none() {
    let system = start(&memory()).await;
    let tallies = system.entities::<Tally>();
    let refused = tallies.ask(&key("x"), Add { n: 0 }).await;
    assert_eq!(refused, Err(AskError::Rejected(TallyRejection::Zero)));
    for (name, number) in [("a", 1), ("b", 2), ("c", 3)] {
        let answered = tallies.ask(&key(name), Add { n: 1 }).answered().await.expect("added");
        assert_eq!(answered.number.get(), number);
    }
    assert_eq!(tallies.ask(&NumberedId::number(2), Add { n: 7 }).await, Ok(8));
    let unknown = tallies.ask(&NumberedId::number(4), Add { n: 7 }).await.expect_err("nobody has it");
    assert_eq!(unknown.outcome(), Outcome::Refused);
}

/// A policy may read an event from the journal, and follow a number in it, before the journal has answered.
#[tokio::test]
async fn a_number_is_found_before_its_append_is_answered_and_no_more_when_that_fails() {
    let storage = memory();
    let disk = storage.memory_unit("main").expect("in memory");
    let system = start(&storage).await;
    let tallies = system.entities::<Tally>();
    disk.hold();
    let first = async { tallies.ask(&key("a"), Add { n: 1 }).await };
    let second = async {
        wait_for(|| async { disk.waiting() == 1 }).await;
        let second = async { tallies.ask(&NumberedId::number(1), Add { n: 2 }).await };
        tokio::join!(second, async { disk.release() }).0
    };
    let (first, second) = tokio::join!(first, second);
    assert_eq!((first, second), (Ok(1), Ok(3)));

    let faults = Faults::nth(1, Fault::Tear);
    let system = start(&storage.with_faults(&faults)).await;
    let tallies = system.entities::<Tally>();
    tallies.ask(&key("b"), Add { n: 1 }).await.expect_err("its append fails");
    assert_eq!(faults.fired(), Some(Operation::Append));
    let unknown = tallies.ask(&NumberedId::number(2), Add { n: 1 }).await;
    assert!(matches!(unknown, Err(AskError::NotFound { .. })), "{unknown:?}");
}

#[tokio::test]
async fn numbers_go_on_after_a_crash() {
    let storage = memory();
    let system = start(&storage).await;
    for name in ["a", "b"] {
        system.entities::<Tally>().ask(&key(name), Add { n: 1 }).await.expect("added");
    }
    let (_storage, system) = crash_and_restart(storage, system).await;
    let tallies = system.entities::<Tally>();
    let answered = tallies.ask(&key("c"), Add { n: 1 }).answered().await.expect("added");
    assert_eq!(answered.number.get(), 3);
    assert_eq!(tallies.ask(&NumberedId::number(1), Add { n: 1 }).await, Ok(2));
}

#[tokio::test]
async fn a_repeat_gets_the_first_answer_also_after_a_crash() {
    let storage = memory();
    let mut system = start(&storage).await;
    let id = CommandId::from_bits(7);
    let ask = |system: &super::super::System, n| {
        system.entities::<Tally>().ask(&key("a"), Add { n }).command_id(id).fingerprint(u128::from(n.unsigned_abs()))
    };
    let first = ask(&system, 2).answered().await.expect("added");
    assert!(!first.replayed);
    system.entities::<Tally>().ask(&key("a"), Add { n: 5 }).await.expect("added");
    let mut storage = storage;
    for round in 0..2 {
        let again = ask(&system, 2).answered().await.expect("replayed");
        assert_eq!((again.reply, again.replayed), (2, true), "round {round}");
        assert_eq!(ask(&system, 3).await, Err(AskError::Reused));
        (storage, system) = crash_and_restart(storage, system).await;
    }
    drop(storage);
}

#[tokio::test]
async fn a_precondition_that_does_not_hold_writes_nothing() {
    let system = start(&memory()).await;
    let tallies = system.entities::<Tally>();
    tallies.ask(&key("a"), Add { n: 2 }).await.expect("added");
    let moved = tallies.ask(&key("a"), Add { n: 2 }).expecting(5).await;
    assert_eq!(moved, Err(AskError::Moved { sequence: 1 }));
    assert_eq!(tallies.ask(&key("a"), Add { n: 2 }).expecting(1).await, Ok(4));
}

#[tokio::test]
async fn a_hundred_commands_later_a_snapshot_serves_and_tells_the_same() {
    let storage = memory();
    let system = start(&storage).await;
    for n in 1..=250 {
        assert_eq!(system.entities::<Tally>().ask(&key("a"), Add { n: 1 }).await, Ok(n));
    }
    let report = system.shutdown(Duration::from_secs(5)).await;
    assert!(report.killed.is_empty(), "{report:?}");
    let (storage, system) = crash_and_restart(storage, system).await;
    let stream = StreamId { kind: "t.tally".into(), key: "a".into() };
    let unit = storage.unit("main").expect("main");
    let snapshots = unit.snapshots.load(&stream).expect("readable");
    assert!(snapshots.first().is_some_and(|newest| newest.sequence >= 200), "{snapshots:?}");
    assert_eq!(system.entities::<Tally>().ask(&key("a"), Add { n: 1 }).await, Ok(251));
}

#[tokio::test]
async fn many_askers_of_one_entity_lose_nothing() {
    let system = start(&memory()).await;
    let asks = (0..40).map(|_| {
        let tallies = system.entities::<Tally>();
        async move {
            for _ in 0..50 {
                tallies.ask(&key("hot"), Add { n: 1 }).await.expect("added");
            }
        }
    });
    futures::future::join_all(asks).await;
    let current = system.entities::<Tally>().get(&key("hot")).await.expect("readable").expect("there");
    assert_eq!((current.state.total, current.sequence), (2000, 2000));
}

/// The stream has an append that the entity has not seen, by the same command: it used to be answered from the state that
/// had missed it.
#[tokio::test]
async fn what_is_there_already_is_not_answered_from_a_state_without_it() {
    let storage = memory();
    let system = start(&storage).await;
    let tallies = system.entities::<Tally>();
    tallies.ask(&key("a"), Add { n: 1 }).await.expect("added");
    let journal = &storage.unit("main").expect("main").journal;
    let stream = StreamId { kind: "t.tally".into(), key: "a".into() };
    let first = journal.read_stream(&stream, 0, 1).expect("readable").remove(0).append;
    let id = CommandId::from_bits(7);
    let (tell, told) = tokio::sync::oneshot::channel();
    let unseen = Append { expected: 1, command: id.to_bits(), ..first };
    journal.append(unseen, Box::new(move |told| tell.send(told).expect("the test waits")));
    told.await.expect("told").expect("written");
    let told = tallies.ask(&key("a"), Add { n: 5 }).known_as(id).await.expect_err("it was another one");
    assert_eq!(told.outcome(), Outcome::Unknown, "{told:?}");
    let current = tallies.get(&key("a")).await.expect("readable").expect("there");
    assert_eq!((current.state.total, current.sequence), (2, 2), "recovered");
    assert_eq!(tallies.ask(&key("a"), Add { n: 5 }).await, Ok(7));
}
