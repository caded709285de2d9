//! A journal that failed and is opened again, while the system runs.

use std::{sync::Arc, time::Duration};

use futures::future::{join_all, poll_immediate};

use super::{super::System, fixture::*};
use crate::{
    actors::entity::{AskError, CommandId, NumberedId, Outcome},
    persistence::{MemoryStore, Storage, StorageConfig, open},
};

/// How the failed write left what it wrote.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Left {
    There,
    Lost,
}

fn unit(storage: &Storage) -> Arc<MemoryStore> {
    storage.memory_unit("main").expect("in memory")
}

/// One command is on its way when the disk fails. Its asker's answer.
async fn failed_while_adding(system: &System, storage: &Storage, left: Left, id: CommandId, n: i64) -> Outcome {
    let disk = unit(storage);
    disk.hold();
    let ask = async { system.entities::<Tally>().ask(&key("a"), Add { n }).command_id(id).await };
    let fail = async {
        eventually(|| disk.waiting() > 0).await;
        match left {
            Left::There => disk.poison_after_write("no"),
            Left::Lost => disk.poison("no"),
        }
        disk.release();
    };
    tokio::join!(ask, fail).0.expect_err("nobody knows").outcome()
}

/// Waits until the journal takes writes again.
async fn reopened(system: &System) {
    while !system.not_ready().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn eventually(holds: impl Fn() -> bool) {
    while !holds() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn total(system: &System, name: &str) -> i64 {
    system.entities::<Tally>().get(&key(name)).await.expect("readable").expect("there").state.total
}

#[tokio::test(start_paused = true)]
async fn what_a_failed_write_left_counts_for_everybody_once_the_journal_is_back() {
    for left in [Left::There, Left::Lost] {
        let storage = memory();
        let system = start(&storage).await;
        let tallies = system.entities::<Tally>();
        assert_eq!(tallies.ask(&key("a"), Add { n: 1 }).await, Ok(1));
        let id = CommandId::from_bits(7);
        let outcome = failed_while_adding(&system, &storage, left, id, 10).await;
        assert_eq!(outcome, Outcome::Unknown, "{left:?}");
        reopened(&system).await;
        let there = if left == Left::There { 10 } else { 0 };
        assert_eq!(total(&system, "a").await, 1 + there, "{left:?}: the entity recovered");
        // A repeat settles it, whatever it was.
        let again = tallies.ask(&key("a"), Add { n: 10 }).command_id(id).answered().await.expect("answered");
        assert_eq!((again.reply, again.replayed), (11, left == Left::There), "{left:?}");
        settled(&system).await;
        let counted = system.views::<AddCount>().get(&1).await.expect("readable");
        assert_eq!(counted, Some(AddCount { adds: 2 }), "{left:?}: readers of the feed saw it once");
        assert_eq!(tallies.ask(&key("b"), Add { n: 1 }).answered().await.expect("added").number.get(), 2);
    }
}

/// The first event of an entity, with its number.
#[tokio::test(start_paused = true)]
async fn a_number_that_nobody_was_told_of_is_not_given_again() {
    let storage = memory();
    let system = start(&storage).await;
    let outcome = failed_while_adding(&system, &storage, Left::There, CommandId::from_bits(7), 10).await;
    assert_eq!(outcome, Outcome::Unknown);
    reopened(&system).await;
    let tallies = system.entities::<Tally>();
    let next = tallies.ask(&key("b"), Add { n: 1 }).answered().await.expect("added");
    assert_eq!(next.number.get(), 2);
    assert_eq!(tallies.ask(&NumberedId::number(1), Add { n: 1 }).await, Ok(11), "and the first one has it");
}

/// While it is poisoned: writes are refused and say that nothing was done, reads go on.
#[tokio::test(start_paused = true)]
async fn until_then_writes_are_refused_and_reads_go_on() {
    let storage = memory();
    let system =
        start_with(&storage, "[[supervisor]]\nname = \"storage\"\nbackoff = { min = \"5s\", max = \"5s\" }\n").await;
    let tallies = system.entities::<Tally>();
    assert_eq!(tallies.ask(&key("a"), Add { n: 1 }).await, Ok(1));
    unit(&storage).poison("no");
    for _ in 0..3 {
        let refused = tallies.ask(&key("a"), Add { n: 1 }).await.expect_err("refused");
        assert!(matches!(refused, AskError::Unavailable(_)) && refused.outcome() == Outcome::NotDone, "{refused}");
        assert_eq!(total(&system, "a").await, 1);
    }
    assert!(!system.not_ready().is_empty());
    reopened(&system).await;
    assert_eq!(tallies.ask(&key("a"), Add { n: 1 }).await, Ok(2));
}

/// A read that waits for a write is not what fails with it: it is answered from what is durable.
#[tokio::test(start_paused = true)]
async fn a_read_behind_a_write_that_fails_is_read_again() {
    for left in [Left::There, Left::Lost] {
        let storage = memory();
        let system = start(&storage).await;
        let tallies = system.entities::<Tally>();
        assert_eq!(tallies.ask(&key("a"), Add { n: 1 }).await, Ok(1));
        let disk = unit(&storage);
        disk.hold();
        let (a, many) = (key("a"), 100);
        let mut add = Box::pin(tallies.ask(&a, Add { n: 10 }).into_future());
        assert!(poll_immediate(&mut add).await.is_none());
        let mut reads = Box::pin(join_all((0..many).map(|_| tallies.get(&a))));
        assert!(poll_immediate(&mut reads).await.is_none(), "they wait for the write");
        match left {
            Left::There => disk.poison_after_write("no"),
            Left::Lost => disk.poison("no"),
        }
        disk.release();
        assert_eq!(add.await.expect_err("nobody knows").outcome(), Outcome::Unknown);
        for read in reads.await {
            assert_eq!(read.expect("readable").expect("there").state.total, 1, "{left:?}");
        }
        assert!(!system.not_ready().is_empty(), "and did not wait for the journal");
        reopened(&system).await;
        assert_eq!(total(&system, "a").await, if left == Left::There { 11 } else { 1 });
    }
}

/// An errand began its step in the write that failed: the tally is asked once the journal is back.
#[tokio::test(start_paused = true)]
async fn a_step_that_nobody_knew_was_begun_is_resumed() {
    let storage = memory();
    let system = start(&storage).await;
    system.entities::<Tally>().ask(&key("a"), Add { n: 1 }).await.expect("added");
    let disk = unit(&storage);
    disk.hold();
    let run = async { system.entities::<Errand>().ask(&key("e"), RunErrand { to: 1, n: 5 }).await };
    let fail = async {
        eventually(|| disk.waiting() > 0).await;
        disk.poison_after_write("no");
        disk.release();
    };
    assert_eq!(tokio::join!(run, fail).0.expect_err("nobody knows").outcome(), Outcome::Unknown);
    let errands = system.entities::<Errand>();
    while errands.get(&key("e")).await.expect("readable").is_none_or(|errand| errand.state.result.is_none()) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    settled(&system).await;
    assert_eq!(errands.get(&key("e")).await.expect("readable").expect("there").state.result, Some(6));
    assert_eq!(total(&system, "a").await, 1006, "added once, and counted once by the policy");
}

/// What every view and policy has dealt with leaves the journal's directory, when asked for, and is there all the same.
#[tokio::test]
async fn segments_that_all_readers_have_dealt_with_are_archived_when_asked_for() {
    for (asked_for, config) in [(true, "[storage]\narchive = true\n"), (false, "")] {
        let dir = tempfile::tempdir().expect("a directory");
        let disk = StorageConfig { segment_bytes: 8 << 10, ballast_bytes: 0, ..StorageConfig::new(dir.path()) };
        let storage = open(&disk).expect("opens");
        let system = start_with(&storage, config).await;
        for n in 1..=60 {
            system.entities::<Tally>().ask(&key("a"), Add { n }).await.expect("added");
        }
        settled(&system).await;
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(61)).await;
        tokio::time::resume();
        let journal = dir.path().join("main/journal");
        if asked_for {
            eventually(|| journal.join("archive/0000000001.seg").exists()).await;
        }
        assert_eq!(journal.join("0000000001.seg").exists(), !asked_for);
        assert_eq!(total(&system, "a").await, 1830);
        drop(system.shutdown(Duration::from_secs(5)).await);
        let system = start_with(&open(&disk).expect("opens again"), config).await;
        assert_eq!(total(&system, "a").await, 1830);
        drop(system.shutdown(Duration::from_secs(5)).await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_cannot_be_opened_again_ends_the_system() {
    let storage = memory();
    let system = start(&storage).await;
    let disk = unit(&storage);
    disk.break_for_good();
    disk.poison("the disk is gone");
    let reason = system.gave_up().await;
    assert!(reason.contains("journal main") && reason.contains("the disk is gone"), "{reason}");
}
