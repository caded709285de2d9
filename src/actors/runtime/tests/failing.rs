//! Panics, quarantine, refusing storage.

use std::time::Duration;

use super::fixture::*;
use crate::actors::entity::{AskError, Outcome, Unavailable};

#[tokio::test]
async fn a_panic_costs_one_asker_an_answer_and_nobody_else_anything() {
    let system = start(&memory()).await;
    let tallies = system.entities::<Tally>();
    tallies.ask(&key("a"), Add { n: 5 }).await.expect("added");
    let (a, b, boom, c) = (key("a"), key("a"), key("a"), key("a"));
    let (before, boom, after, read) = tokio::join!(
        tallies.ask(&a, Add { n: 1 }).into_future(),
        tallies.ask(&boom, Boom).into_future(),
        tallies.ask(&b, Add { n: 1 }).into_future(),
        tallies.get(&c),
    );
    assert_eq!(before, Ok(6));
    assert_eq!(boom, Err(AskError::Unavailable(Unavailable::Panicked)));
    assert_eq!(after, Ok(7), "what was queued is kept, in order");
    assert_eq!(read.expect("readable").expect("there").state.total, 7);
}

#[tokio::test]
async fn an_entity_that_fails_too_often_is_quarantined_and_its_neighbours_live() {
    let system = start(&memory()).await;
    let tallies = system.entities::<Tally>();
    tallies.ask(&key("a"), Add { n: 5 }).await.expect("added");
    for _ in 0..6 {
        let failed = tallies.ask(&key("a"), Boom).await.expect_err("panics");
        assert_eq!(failed, AskError::Unavailable(Unavailable::Panicked));
    }
    let refused = tallies.ask(&key("a"), Add { n: 1 }).await.expect_err("quarantined");
    assert!(matches!(&refused, AskError::Unavailable(Unavailable::Quarantined { reason }) if reason.contains("boom")));
    assert_eq!(refused.outcome(), Outcome::NotDone);
    assert_eq!(tallies.ask(&key("b"), Add { n: 1 }).await, Ok(1));
    system.resume_entity("tally", "a").expect("it is in quarantine");
    assert_eq!(tallies.ask(&key("a"), Add { n: 1 }).await, Ok(6));
}

#[tokio::test]
async fn an_append_that_was_refused_wrote_nothing_and_gives_its_number_back() {
    let storage = memory();
    let system = start(&storage).await;
    let memory = storage.memory_unit("main").expect("in memory");
    let tallies = system.entities::<Tally>();
    tallies.ask(&key("a"), Add { n: 1 }).await.expect("added");
    memory.poison("injected");
    let refused = tallies.ask(&key("b"), Add { n: 1 }).await.expect_err("the journal refuses");
    assert_eq!(refused.outcome(), Outcome::NotDone, "{refused:?}");
    assert!(!system.not_ready().is_empty());
    let (_storage, system) = crash_and_restart(storage, system).await;
    let answered = system.entities::<Tally>().ask(&key("b"), Add { n: 1 }).answered().await.expect("added");
    assert_eq!((answered.reply, answered.number.get()), (1, 2));
}

#[tokio::test]
async fn a_full_mailbox_refuses_at_once_and_loses_nothing() {
    let storage = memory();
    let system = start(&storage).await;
    let tallies = system.entities::<Tally>();
    let asks: Vec<_> = (0..200).map(|_| tallies.ask(&key("a"), Add { n: 1 }).into_future()).collect();
    let answers = futures::future::join_all(asks).await;
    let done = answers.iter().filter(|answer| answer.is_ok()).count();
    let full = answers.iter().filter(|answer| matches!(answer, Err(AskError::Overloaded { .. }))).count();
    assert_eq!(done + full, 200, "{answers:?}");
    assert!(full > 0, "64 places for 200 messages that were sent before the first could be decided");
    let total = tallies.get(&key("a")).await.expect("readable").expect("there").state.total;
    assert_eq!(usize::try_from(total), Ok(done));
}

#[tokio::test(start_paused = true)]
async fn an_ask_that_was_not_begun_in_time_is_withdrawn() {
    let system = start(&memory()).await;
    let tallies = system.entities::<Tally>();
    tallies.ask(&key("a"), Add { n: 1 }).await.expect("added");
    // The entity is away for its backoff, so the next message waits longer than its asker does.
    tallies.ask(&key("a"), Boom).await.expect_err("panics");
    let late = tallies.ask(&key("a"), Add { n: 1 }).within(Duration::from_millis(1)).await;
    assert!(matches!(late, Err(AskError::Expired(_))), "{late:?}");
    assert_eq!(tallies.ask(&key("a"), Add { n: 1 }).await, Ok(2), "the withdrawn one was never decided");
}
