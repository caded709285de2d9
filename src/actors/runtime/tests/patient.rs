//! Askers that do not wait for a partner that is away: what was begun is finished when it is back, once.

use std::time::Duration;

use serde_json::json;

use super::{
    super::{CommandOutcome, System},
    fixture::*,
};
use crate::actors::entity::{AskError, CommandId, Number, NumberedId, Outcome, Unavailable};

const ID: CommandId = CommandId::from_bits(9);

/// One tally with 1 in it, whose service is stopped.
async fn without_tallies(system: &System) {
    system.entities::<Tally>().ask(&key("a"), Add { n: 1 }).await.expect("added");
    system.stop_service("t/tally").await.expect("stopped");
}

async fn errand(system: &System) -> Result<i64, AskError<ErrandRejection>> {
    system.entities::<Errand>().ask(&key("e"), RunErrand { to: 1, n: 4 }).known_as(ID).patient().await
}

async fn outcome(system: &System) -> CommandOutcome {
    system.entities::<Errand>().outcome(&key("e"), ID).await.expect("it can be told")
}

/// The errand has added 4 to the 1, once, and everybody says so. 1000 is for the count of finished errands.
async fn is_done_once(system: &System, round: &str) {
    settled(system).await;
    let done = CommandOutcome::Done { reply: json!(5), number: Number::new(1), sequence: 2 };
    assert_eq!(outcome(system).await, done, "{round}");
    let tally = system.entities::<Tally>().get(&NumberedId::number(1)).await.expect("readable").expect("there");
    assert_eq!((tally.state.total, tally.state.adds), (1005, 3), "{round}");
}

#[tokio::test(start_paused = true)]
async fn what_was_accepted_is_done_once_when_the_partner_is_back() {
    let system = start(&memory()).await;
    without_tallies(&system).await;
    let told = errand(&system).await.expect_err("the tallies are away");
    assert_eq!((&told, told.outcome()), (&AskError::Accepted, Outcome::Unknown));
    assert_eq!(outcome(&system).await, CommandOutcome::Pending);
    tokio::time::sleep(Duration::from_hours(1)).await; // far beyond the deadline of the ask
    assert_eq!(outcome(&system).await, CommandOutcome::Pending);
    system.start_service("t/tally").await.expect("started");
    is_done_once(&system, "").await;
}

#[tokio::test(start_paused = true)]
async fn what_was_accepted_survives_a_crash_and_a_stop_of_either_side() {
    for round in ["crash", "stop of the asker", "crash of the asker's start", "both"] {
        let storage = memory();
        let mut system = start(&storage).await;
        without_tallies(&system).await;
        assert_eq!(errand(&system).await, Err(AskError::Accepted), "{round}");
        let mut storage = storage;
        if round == "stop of the asker" || round == "both" {
            system.stop_service("t/errand").await.expect("stopped");
            system.start_service("t/errand").await.expect("started");
            assert_eq!(outcome(&system).await, CommandOutcome::Pending, "{round}");
        }
        if round.starts_with("crash") || round == "both" {
            (storage, system) = crash_and_restart(storage, system).await;
        }
        if round == "crash of the asker's start" {
            system.stop_service("t/tally").await.expect("stopped");
            (storage, system) = crash_and_restart(storage, system).await;
        }
        system.start_service("t/tally").await.expect("started");
        is_done_once(&system, round).await;
        drop(storage);
    }
}

#[tokio::test(start_paused = true)]
async fn a_partner_that_says_no_in_the_end_is_a_refusal() {
    let system = start(&memory()).await;
    system.entities::<Tally>().ask(&key("a"), Add { n: 1 }).await.expect("added");
    system.entities::<Tally>().ask(&key("a"), Close).await.expect("closed");
    system.stop_service("t/tally").await.expect("stopped");
    assert_eq!(errand(&system).await, Err(AskError::Accepted));
    system.start_service("t/tally").await.expect("started");
    settled(&system).await;
    let told = outcome(&system).await;
    assert!(
        matches!(&told, CommandOutcome::Refused { rejection, .. } if *rejection == json!("TallyClosed")),
        "{told:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_partner_that_is_there_is_simply_answered() {
    let system = start(&memory()).await;
    system.entities::<Tally>().ask(&key("a"), Add { n: 1 }).await.expect("added");
    assert_eq!(errand(&system).await, Ok(5));
    is_done_once(&system, "").await;
}

/// Who may repeat a command is told of a pending one as before, and gets the first answer in the end.
#[tokio::test(start_paused = true)]
async fn a_repeat_of_what_was_accepted_waits_and_is_then_answered() {
    let system = start(&memory()).await;
    without_tallies(&system).await;
    let errand = || {
        let errands = system.entities::<Errand>();
        errands.ask(&key("e"), RunErrand { to: 1, n: 4 }).command_id(ID).patient()
    };
    assert_eq!(errand().await, Err(AskError::Accepted));
    assert!(matches!(errand().await, Err(AskError::InProgress { .. })));
    system.start_service("t/tally").await.expect("started");
    settled(&system).await;
    let again = errand().answered().await.expect("replayed");
    assert_eq!((again.reply, again.replayed), (5, true));
}

#[tokio::test(start_paused = true)]
async fn beyond_the_limit_nobody_is_promised_anything() {
    let system = start(&memory()).await;
    without_tallies(&system).await;
    let service = system.inner.services.iter().find(|service| service.name == "errand").expect("there").clone();
    let mut waiting = Vec::new();
    while service.patience.has_room() {
        waiting.push(service.patience.clone().take());
    }
    let told = errand(&system).await;
    assert!(matches!(told, Err(AskError::Unavailable(Unavailable::Partner { .. }))), "taken back: {told:?}");
    drop(waiting);
    assert_eq!(errand(&system).await, Err(AskError::Accepted));
    system.start_service("t/tally").await.expect("started");
    settled(&system).await;
    assert!(service.patience.has_room());
}
