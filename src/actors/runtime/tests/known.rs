//! The known outcome: what became of a command whose asker does not know.

use std::time::Duration;

use serde_json::json;

use super::{
    super::{CommandOutcome, OutcomeError, System},
    fixture::*,
    walker::{How, Walk, Walker, walkers},
};
use crate::actors::entity::{
    AskError, Command, CommandAddress, CommandId, Entity, Key, Number, NumberedId, Unavailable,
};

/// A minute less than 24 hours.
const ALMOST_A_DAY: Duration = Duration::from_mins(24 * 60 - 1);

fn id(bits: u128) -> CommandId {
    CommandId::from_bits(bits)
}

async fn outcome<E: Entity<Id = NumberedId>>(system: &System, of: &str, command: u128) -> CommandOutcome {
    let told = system.entities::<E>().outcome(&key(of), id(command)).await.expect("it can be told");
    let kind = E::KIND.into();
    let address = CommandAddress { kind, key: Key::new(of).expect("a key"), command: id(command) };
    assert_eq!(system.outcome(&address).await.as_ref(), Ok(&told), "both ways");
    told
}

fn done(reply: i64, number: u64, sequence: u64) -> CommandOutcome {
    CommandOutcome::Done { reply: json!(reply), number: Number::new(number), sequence }
}

/// Asks a tally under an id that is not kept for repeats.
async fn ask<C: Command<Tally>>(system: &System, of: &str, command: u128, what: C) {
    drop(system.entities::<Tally>().ask(&key(of), what).known_as(id(command)).await);
}

#[tokio::test(start_paused = true)]
async fn what_was_done_is_known_also_when_the_entity_moved_on_left_memory_or_crashed() {
    let (mut storage, config) = (memory(), "[entity]\npassivate_after = \"3s\"");
    let mut system = start_with(&storage, config).await;
    ask(&system, "a", 1, Add { n: 2 }).await;
    let repeatable = system.entities::<Tally>().ask(&key("a"), Add { n: 3 }).command_id(id(2));
    assert_eq!(repeatable.await, Ok(5));
    ask(&system, "a", 3, Add { n: 4 }).await;
    for round in 0..3 {
        let sequences = (outcome::<Tally>(&system, "a", 1).await, outcome::<Tally>(&system, "a", 3).await);
        assert_eq!(sequences, (done(2, 1, 1), done(9, 1, 3)), "round {round}");
        assert_eq!(outcome::<Tally>(&system, "a", 2).await, done(5, 1, 3), "round {round}: as a repeat is answered");
        if round == 0 {
            tokio::time::sleep(Duration::from_secs(10)).await;
            assert_eq!(system.services().iter().map(|service| service.live).sum::<usize>(), 0, "it left memory");
        } else {
            (storage, system) = crash_and_restart(storage, system).await;
        }
    }
}

#[tokio::test]
async fn what_wrote_nothing_is_not_known_and_is_not_called_refused() {
    let system = start(&memory()).await;
    assert_eq!(outcome::<Tally>(&system, "nobody", 1).await, CommandOutcome::Unknown);
    ask(&system, "a", 1, Add { n: 0 }).await;
    ask(&system, "a", 2, Add { n: 1 }).await;
    assert_eq!(outcome::<Tally>(&system, "a", 1).await, CommandOutcome::Unknown, "refused at once");
    let elsewhere = CommandAddress { kind: "t.other".into(), key: Key::new("a").expect("a key"), command: id(2) };
    assert_eq!(system.outcome(&elsewhere).await, Err(OutcomeError::UnknownKind("t.other".to_owned())));
    system.stop_service("t/tally").await.expect("stopped");
    let told = system.entities::<Tally>().outcome(&key("a"), id(2)).await.expect_err("a stopped service tells nothing");
    assert!(matches!(told, AskError::Unavailable(Unavailable::ServiceStopped { .. })), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn after_24_hours_it_is_not_known_any_more() {
    let system = start(&memory()).await;
    ask(&system, "a", 1, Add { n: 2 }).await;
    let repeatable = system.entities::<Tally>().ask(&key("a"), Add { n: 3 }).command_id(id(2));
    repeatable.await.expect("added");
    tokio::time::advance(ALMOST_A_DAY).await;
    assert_eq!(outcome::<Tally>(&system, "a", 1).await, done(2, 1, 1));
    assert_eq!(outcome::<Tally>(&system, "a", 2).await, done(5, 1, 2));
    tokio::time::advance(Duration::from_mins(2)).await;
    assert_eq!(outcome::<Tally>(&system, "a", 1).await, CommandOutcome::Unknown);
    assert_eq!(outcome::<Tally>(&system, "a", 2).await, CommandOutcome::Unknown);
}

#[tokio::test]
async fn a_step_that_came_to_nothing_says_whether_it_was_refused_or_taken_back() {
    let mut storage = memory();
    let mut system = start(&storage).await;
    ask(&system, "a", 90, Add { n: 1 }).await;
    ask(&system, "a", 91, Close).await;
    let errand = |system: &System, of: &str, command| {
        system.entities::<Errand>().ask(&key(of), RunErrand { to: 1, n: 4 }).known_as(id(command))
    };
    errand(&system, "e", 1).await.expect_err("the tally is closed");
    system.stop_service("t/tally").await.expect("stopped");
    errand(&system, "f", 2).await.expect_err("the tally is away");
    for round in 0..2 {
        let refused = CommandOutcome::Refused {
            rejection: json!("TallyClosed"),
            message: ErrandRejection::TallyClosed.to_string(),
        };
        assert_eq!(outcome::<Errand>(&system, "e", 1).await, refused, "round {round}");
        let taken_back = outcome::<Errand>(&system, "f", 2).await;
        let CommandOutcome::NotDone(Some(Unavailable::Partner { partner, .. })) = &taken_back else {
            panic!("round {round}: {taken_back:?}")
        };
        assert_eq!(partner, "tally");
        (storage, system) = crash_and_restart(storage, system).await;
    }
}

#[tokio::test]
async fn a_step_of_whose_end_nothing_was_written_is_over_and_no_more_is_claimed() {
    let system = walkers(&memory()).await;
    ask(&system, "t1", 90, Add { n: 1 }).await;
    let walk = system.entities::<Walker>().ask(&key("w"), Walk(How::Rejecting)).known_as(id(1));
    walk.await.expect_err("away");
    assert_eq!(outcome::<Walker>(&system, "w", 1).await, CommandOutcome::Ended);
}

#[tokio::test]
async fn a_busy_entity_is_looked_through_further_back() {
    let system = start(&memory()).await;
    ask(&system, "hot", 1, Add { n: 7 }).await;
    for _ in 0..1_500 {
        system.entities::<Tally>().ask(&key("hot"), Add { n: 1 }).await.expect("added");
    }
    assert_eq!(outcome::<Tally>(&system, "hot", 1).await, done(7, 1, 1));
    for _ in 0..7_000 {
        system.entities::<Tally>().ask(&key("hot"), Add { n: 1 }).await.expect("added");
    }
    assert_eq!(outcome::<Tally>(&system, "hot", 1).await, CommandOutcome::Unknown, "beyond the bound");
}

/// An append of which nobody knows whether it is there must not be called unknown to the entity: it may be there after
/// all once the journal was opened again.
#[tokio::test(start_paused = true)]
async fn while_the_journal_does_not_know_nobody_is_told_and_then_it_is_what_it_is() {
    for there in [true, false] {
        let storage = memory();
        let system = start(&storage).await;
        let disk = storage.memory_unit("main").expect("in memory");
        disk.hold();
        let asked = async { system.entities::<Tally>().ask(&key("a"), Add { n: 2 }).known_as(id(1)).await };
        let fail = async {
            while disk.waiting() == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            if there {
                disk.poison_after_write("no");
            } else {
                disk.poison("no");
            }
            disk.release();
            // It may be told already, or not yet; never wrongly.
            let early = system.entities::<Tally>().outcome(&key("a"), id(1)).await;
            match early {
                Ok(told) => assert_eq!(told == done(2, 1, 1), there, "{told:?}"),
                Err(error) => {
                    assert!(matches!(error, AskError::Unavailable(_) | AskError::Unsettled { .. }), "{error:?}");
                }
            }
        };
        let (told, ()) = tokio::join!(asked, fail);
        assert!(matches!(told, Err(AskError::Unsettled { .. })), "{told:?}");
        while !system.not_ready().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let expected = if there { done(2, 1, 1) } else { CommandOutcome::Unknown };
        assert_eq!(outcome::<Tally>(&system, "a", 1).await, expected);
    }
}
