//! Entities that ask entities.

use std::time::Duration;

use super::fixture::*;
use crate::actors::entity::{AskError, CommandId, NumberedId, Outcome, Unavailable};

#[tokio::test]
async fn an_answer_comes_back_to_the_one_who_asked_first() {
    let system = start(&memory()).await;
    system.entities::<Tally>().ask(&key("a"), Add { n: 1 }).await.expect("added");
    let errand = system.entities::<Errand>().ask(&key("e"), RunErrand { to: 1, n: 4 });
    assert_eq!(errand.await, Ok(5));
}

#[tokio::test]
async fn a_partner_that_is_away_is_not_done_and_the_same_command_may_come_again() {
    let system = start(&memory()).await;
    system.entities::<Tally>().ask(&key("a"), Add { n: 1 }).await.expect("added");
    system.stop_service("T/Tally").await.expect("stopped");
    let errand = || {
        let errands = system.entities::<Errand>();
        errands.ask(&key("e"), RunErrand { to: 1, n: 4 }).command_id(CommandId::from_bits(3))
    };
    let away = errand().await.expect_err("the tallies are stopped");
    assert!(matches!(away, AskError::Unavailable(Unavailable::Partner { .. })), "{away:?}");
    assert_eq!(away.outcome(), Outcome::NotDone);
    system.start_service("t/tally").await.expect("started");
    assert_eq!(errand().await, Ok(5));
    let again = errand().answered().await.expect("replayed");
    assert_eq!((again.reply, again.replayed), (5, true));
}

#[tokio::test]
async fn a_step_that_a_crash_cut_off_is_finished_once() {
    let storage = memory();
    let system = start(&storage).await;
    system.entities::<Tally>().ask(&key("a"), Add { n: 1 }).await.expect("added");
    settled(&system).await;

    // The tallies answer no more: the step stays open until the crash.
    let memory = storage.memory_unit("main").expect("a unit in memory");
    let mut tasks = tokio::task::JoinSet::new();
    let asked = tasks.spawn({
        let errands = system.entities::<Errand>();
        async move { errands.ask(&key("e"), RunErrand { to: 1, n: 4 }).command_id(CommandId::from_bits(9)).await }
    });
    wait_for(|| async { system.services().iter().any(|service| service.open_asks > 0) || asked.is_finished() }).await;
    memory.hold();
    let (storage, system) = crash_and_restart(storage, system).await;
    drop(asked);
    settled(&system).await;
    let tally = system.entities::<Tally>().get(&NumberedId::number(1)).await.expect("readable").expect("there");
    // Once by the errand (4), and 1000 for the count of finished errands.
    assert_eq!((tally.state.total, tally.state.adds), (1005, 3));
    let errands = system.entities::<Errand>();
    let again = errands.ask(&key("e"), RunErrand { to: 1, n: 4 }).command_id(CommandId::from_bits(9)).await;
    assert_eq!(again, Ok(5));
    drop(storage);
}

#[tokio::test]
async fn a_step_may_end_in_a_refusal_that_leaves_nothing_open_and_is_not_kept() {
    let storage = memory();
    let system = start(&storage).await;
    for key in [key("a"), key("b")] {
        system.entities::<Tally>().ask(&key, Add { n: 1 }).await.expect("added");
    }
    system.entities::<Tally>().ask(&key("a"), Close).await.expect("closed");
    let errand = |system: &crate::System, to| {
        let errands = system.entities::<Errand>();
        errands.ask(&key("e"), RunErrand { to, n: 4 }).command_id(CommandId::from_bits(5))
    };
    assert_eq!(errand(&system, 1).await, Err(AskError::Rejected(ErrandRejection::TallyClosed)));
    let (_storage, system) = crash_and_restart(storage, system).await;
    settled(&system).await;
    assert_eq!(errand(&system, 1).await, Err(AskError::Rejected(ErrandRejection::TallyClosed)), "decided again");
    assert_eq!(errand(&system, 2).await, Ok(5), "the key is free");
}

/// The tally's append hangs for longer than the ask may take, and what is asked again is refused at the door, where nobody
/// looks what was done before. Errands used to give up there, although the tally was added to.
#[tokio::test(start_paused = true)]
async fn a_journal_that_hangs_takes_nothing_back() {
    let storage = memory();
    let system = start(&storage).await;
    system.entities::<Tally>().ask(&key("a"), Add { n: 1 }).await.expect("added");
    // The tally is away for a moment: what the errand begins is durable before the journal hangs.
    system.entities::<Tally>().ask(&key("a"), Boom).await.expect_err("panics");
    let errands = system.entities::<Errand>();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(errands.ask(&key("e"), RunErrand { to: 1, n: 4 }).into_future());
    wait_for(|| async { system.services().iter().any(|service| service.open_asks > 0) }).await;
    let disk = storage.memory_unit("main").expect("in memory");
    disk.hold();
    tokio::time::sleep(Duration::from_secs(13)).await;
    disk.release();
    settled(&system).await;
    let errand = errands.get(&key("e")).await.expect("readable").expect("there");
    assert_eq!(errand.state.result, Some(5));
    let tally = system.entities::<Tally>().get(&NumberedId::number(1)).await.expect("readable").expect("there");
    assert_eq!(tally.state.total, 1005, "once by the errand, and 1000 for the count of errands");
}
