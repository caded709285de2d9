//! What an entity remembers of asks: until the step of the asker is closed, and no longer.

use super::fixture::*;
use crate::actors::entity::{AskError, CommandId};

/// Every ask used to be remembered for 24 hours by the entity that was asked: one that is asked often enough filled
/// its service's table within a day, and was then refused to everybody.
#[tokio::test]
async fn an_ask_that_is_over_needs_no_room_and_those_of_clients_do() {
    let system = start_with(&memory(), "[service.t.tally]\ncommand_keys = 2\n").await;
    system.entities::<Tally>().ask(&key("a"), Add { n: 1 }).await.expect("added");
    let service = system.inner.services.iter().find(|service| service.name == "tally").expect("there").clone();
    for n in 0..20 {
        let errand = system.entities::<Errand>().ask(&key(&format!("e{n}")), RunErrand { to: 1, n: 4 }).await;
        assert!(errand.is_ok(), "errand {n}: {errand:?}");
        assert_eq!(service.keys.held(), 0, "errand {n}");
    }
    for bits in 1..=2 {
        let add = system.entities::<Tally>().ask(&key("a"), Add { n: 1 }).command_id(CommandId::from_bits(bits));
        add.await.expect("there is room for two");
    }
    let full = system.entities::<Tally>().ask(&key("a"), Add { n: 1 }).command_id(CommandId::from_bits(3)).await;
    assert!(matches!(full, Err(AskError::Overloaded { .. })), "{full:?}");
    let first = system.entities::<Tally>().ask(&key("a"), Add { n: 1 }).command_id(CommandId::from_bits(1));
    assert!(first.answered().await.expect("kept").replayed, "none is dropped early");
}

/// The answer has come home, and the crash comes before that is durable: the ask is asked again, and must be known.
#[tokio::test]
async fn an_ask_whose_step_was_not_closed_before_the_crash_is_remembered() {
    let storage = memory();
    let system = start(&storage).await;
    system.entities::<Tally>().ask(&key("a"), Add { n: 1 }).await.expect("added");
    settled(&system).await;
    let disk = storage.memory_unit("main").expect("a unit in memory");
    let errands = system.entities::<Errand>();
    let mut tasks = tokio::task::JoinSet::new();
    let asked = tasks.spawn(async move { errands.ask(&key("e"), RunErrand { to: 1, n: 4 }).await });
    // Held at once, and let go append by append: the begin, the addition; not the end of the errand.
    disk.hold();
    for _ in 0..2 {
        while disk.waiting() == 0 && !asked.is_finished() {
            tokio::task::yield_now().await;
        }
        disk.release();
        disk.hold();
    }
    assert_eq!(disk.waiting(), 0, "the end of the errand was not handed over yet");
    let (storage, system) = crash_and_restart(storage, system).await;
    settled(&system).await;
    let tally = system.entities::<Tally>().get(&key("a")).await.expect("readable").expect("there");
    // 1, the errand's 4 once, and 1000 for the count of finished errands.
    assert_eq!((tally.state.total, tally.state.adds), (1005, 3));
    asked.abort();
    drop(storage);
}
