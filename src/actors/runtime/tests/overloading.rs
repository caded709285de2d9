//! Who is refused first, and where nothing is written for it.

use std::time::Duration;

use super::{
    bounds::{add, occupy, service, settle, waits},
    fixture::*,
};
use crate::{
    actors::entity::{AskError, Outcome, Unavailable},
    persistence::{PartitionId, Storage},
};

fn written(storage: &Storage) -> u64 {
    let unit = storage.unit("main").expect("main");
    (0..unit.journal.partitions()).map(|partition| unit.journal.durable(PartitionId(partition))).sum()
}

#[tokio::test(start_paused = true)]
async fn while_the_disk_answers_nothing_new_work_that_cannot_be_in_time_is_refused_at_once() {
    let storage = memory();
    let system = start_with(&storage, "").await;
    let tallies = system.entities::<Tally>();
    tallies.ask(&key("z"), Add { n: 1 }).await.expect("added");
    settled(&system).await;
    let disk = storage.memory_unit("main").expect("in memory");
    disk.hold();
    let mut held = Box::pin(add(&system, "a".to_owned()));
    assert!(waits(&mut held));
    settle(|| disk.waiting() == 1).await;
    tokio::time::sleep(Duration::from_secs(5)).await;

    let asked = tokio::time::Instant::now();
    let refused = tallies.ask(&key("b"), Add { n: 1 }).await.expect_err("the disk hangs");
    assert_eq!((asked.elapsed(), refused.outcome()), (Duration::ZERO, Outcome::NotDone));
    assert!(matches!(refused, AskError::Unavailable(Unavailable::Storage { .. })), "{refused:?}");
    assert_eq!(refused.retry_after(), Some(Duration::from_secs(1)));
    assert_eq!(disk.waiting(), 1, "nothing of it was written");
    let state = tallies.get(&key("z")).await.expect("reads go on");
    assert_eq!(state.map(|current| current.state.total), Some(1));
    let mut patient = Box::pin(add(&system, "c".to_owned()));
    assert!(waits(&mut patient), "who has time enough waits");

    disk.release();
    assert_eq!(tallies.ask(&key("b"), Add { n: 1 }).await, Ok(1), "at once");
    assert_eq!((held.await, patient.await), (Ok(1), Ok(1)));
}

#[tokio::test(start_paused = true)]
async fn a_mailbox_full_of_new_work_takes_reads_and_what_was_promised() {
    let config = "[entity]\nmailbox = 4\n[service.t.tally]\nrecoveries = 1";
    let system = start_with(&memory(), config).await;
    let (tally, tallies) = (service(&system, "t/tally"), system.entities::<Tally>());
    let held = tally.recoveries.enter_patiently(false).await.expect("free");
    let mut new: Vec<_> = (0..4).map(|_| Box::pin(add(&system, "a".to_owned()))).collect();
    assert!(new.iter_mut().all(waits));
    let full = add(&system, "a".to_owned()).await;
    assert!(matches!(full, Err(AskError::Overloaded { .. })), "{full:?}");
    let get = || async { tallies.get(&key("a")).await.expect("readable").map(|current| current.state.total) };
    let mut reads: Vec<_> = (0..200).map(|_| Box::pin(get())).collect();
    assert!(reads.iter_mut().all(waits), "reads need no place of a command");
    let promise = || async { tallies.ask(&key("a"), Add { n: 1 }).within(Duration::from_mins(5)).patient().await };
    let mut promised = Box::pin(promise());
    assert!(waits(&mut promised));
    let beyond = promise().await;
    assert!(matches!(beyond, Err(AskError::Overloaded { .. })), "a quarter more, and not without end: {beyond:?}");
    drop(held);
    for (call, total) in new.into_iter().zip(1..) {
        assert_eq!(call.await, Ok(total));
    }
    assert_eq!(futures::future::join_all(reads).await, vec![Some(4); 200]);
    assert_eq!(promised.await, Ok(5));
}

/// What a client begins is refused before anything of it is written when the partner has more to do than it can.
#[tokio::test(start_paused = true)]
async fn a_step_whose_partner_has_no_place_for_it_is_not_begun() {
    let storage = memory();
    let system = start_with(&storage, "[bulkhead.t.tally]\nmax = 1\nqueue = 0").await;
    add(&system, "a".to_owned()).await.expect("added");
    settled(&system).await;
    let before = written(&storage);
    let held = occupy(&system, "t/tally").await;
    let errand = || async { system.entities::<Errand>().ask(&key("e"), RunErrand { to: 1, n: 5 }).await };
    let refused = errand().await.expect_err("no place");
    assert_eq!(refused.outcome(), Outcome::NotDone);
    assert!(matches!(&refused, AskError::Unavailable(Unavailable::Partner { partner, .. }) if partner == "t/tally"));
    assert_eq!((written(&storage), system.links()[0].refused_full, system.links()[0].calls), (before, 1, 0));
    drop(held);
    assert_eq!(errand().await, Ok(6));
}
