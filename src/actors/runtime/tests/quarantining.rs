//! What operators are told of an entity in quarantine, and how it goes on without the command that it failed on.

use super::{super::quarantine::QUARANTINE_LIST, fixture::*};
use crate::{
    InspectError, QuarantinedEntity, SkipError, System,
    actors::entity::{AskError, CommandId, NumberedId, Outcome, Unavailable},
};

const POISON: CommandId = CommandId::from_bits(7);

async fn boom(system: &System, tally: &str) -> AskError<TallyRejection> {
    let asked = system.entities::<Tally>().ask(&key(tally), Boom).command_id(POISON).correlation("my-request");
    asked.await.expect_err("it never succeeds")
}

async fn add(system: &System, tally: &str, n: i64) -> Result<i64, AskError<TallyRejection>> {
    system.entities::<Tally>().ask(&key(tally), Add { n }).await
}

/// A tally of 5 that has failed on the same command until it was quarantined.
async fn poisoned(system: &System, tally: &str) {
    add(system, tally, 5).await.expect("added");
    for _ in 0..6 {
        assert_eq!(boom(system, tally).await, AskError::Unavailable(Unavailable::Panicked));
    }
}

fn only(system: &System) -> QuarantinedEntity {
    let (mut listed, count) = system.quarantine();
    assert_eq!((listed.len(), count), (1, 1));
    listed.remove(0)
}

#[tokio::test(start_paused = true)]
async fn the_quarantined_are_listed_with_what_failed_on_which_command_and_what_was_tried() {
    let system = start(&memory()).await;
    assert_eq!(system.quarantine(), (vec![], 0));
    poisoned(&system, "a").await;
    let found = only(&system);
    assert_eq!((found.kind.as_str(), found.key.as_str(), found.number.get()), ("t.tally", "a", 1));
    assert_eq!((found.failures, found.reason.as_str()), (6, "failed 6 times; last: boom: panicked: boom"));
    assert!(found.can_skip && found.since.as_millis() >= 1_000_000, "{found:#?}");
    let command = found.command.expect("it failed on one");
    assert_eq!((command.name.as_str(), command.by.as_str()), ("boom", "client"));
    assert_eq!((command.id, command.correlation.as_str()), (POISON.to_string(), "my-request"));
    let then: Vec<&str> = found.tried.iter().map(|tried| tried.then.as_str()).collect();
    assert!(
        then[..5].iter().all(|then| then.starts_with("recovered after ")) && then[5..] == ["quarantined"],
        "{then:?}"
    );

    let seen = system.inspect("tally", "1").await.expect("there");
    assert_eq!(seen["trouble"]["tried"].as_array().map(Vec::len), Some(6));
    assert_eq!((seen["state"]["total"].as_i64(), seen["sequence"].as_u64()), (Some(5), Some(1)), "it can be looked at");

    system.resume_entity("tally", "1").expect("it is in quarantine");
    assert_eq!(system.quarantine().1, 0);
    boom(&system, "a").await;
    let trouble = &system.inspect("tally", "1").await.expect("there")["trouble"];
    assert_eq!(
        (trouble["failures"].as_u64(), trouble["tried"][5]["then"].as_str()),
        (Some(7), Some("quarantined; resumed"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_skipped_command_is_refused_from_then_on_also_after_a_restart_and_the_entity_goes_on() {
    let storage = memory();
    let system = start(&storage).await;
    poisoned(&system, "a").await;
    let skipped = system.skip_command("tally", "1").await.expect("skipped");
    assert_eq!((skipped.kind.as_str(), skipped.key.as_str(), skipped.name.as_str()), ("t.tally", "a", "boom"));
    assert_eq!(skipped.command, POISON.to_string());
    assert_eq!(add(&system, "a", 1).await, Ok(6));
    let refused = boom(&system, "a").await;
    assert!(matches!(&refused, AskError::RefusedByOperator { reason } if reason.contains("boom")), "{refused:?}");
    assert_eq!((refused.outcome(), refused.retry_after()), (Outcome::Refused, None));
    assert_eq!(add(&system, "a", 1).await, Ok(7), "it was not decided again");
    // The same id means another command elsewhere.
    add(&system, "b", 1).await.expect("added");
    assert_eq!(boom(&system, "b").await, AskError::Unavailable(Unavailable::Panicked));

    let (_storage, system) = crash_and_restart(storage, system).await;
    assert!(matches!(boom(&system, "a").await, AskError::RefusedByOperator { .. }));
    assert_eq!(add(&system, "a", 1).await, Ok(8));
    let seen = system.inspect("tally", "1").await.expect("there");
    assert!(seen.get("trouble").is_none(), "it has not failed: {seen}");
}

/// Without a skip, a restart is another chance for the command, and for the entity.
#[tokio::test(start_paused = true)]
async fn a_restart_of_the_process_tries_a_quarantined_entity_again() {
    let storage = memory();
    let system = start(&storage).await;
    poisoned(&system, "a").await;
    let (_storage, system) = crash_and_restart(storage, system).await;
    assert_eq!(system.quarantine().1, 0);
    assert_eq!(add(&system, "a", 1).await, Ok(6));
    assert_eq!(boom(&system, "a").await, AskError::Unavailable(Unavailable::Panicked));
}

/// The tally is at the end of its numbers, and the policy adds to it: the same dispatch comes again and again.
#[tokio::test(start_paused = true)]
async fn a_policy_puts_a_skipped_command_aside_and_goes_on_also_after_a_restart() {
    let storage = memory();
    let system = start(&storage).await;
    add(&system, "a", i64::MAX - 5).await.expect("added");
    add(&system, "b", 1).await.expect("added");
    let errand = |system: &System, name: &str| {
        system.entities::<Errand>().ask(&key(name), RunErrand { to: 2, n: 4 }).into_future()
    };
    errand(&system, "e").await.expect("done");
    let mut looks = 0;
    while system.quarantine().1 == 0 {
        looks += 1;
        assert!(looks < 1000, "never quarantined");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    let found = only(&system);
    let command = found.command.expect("it failed on one");
    assert_eq!((command.name.as_str(), command.by.as_str()), ("add", "policy:t.count-errands"));
    assert!(system.dead_letters().await.expect("readable").is_empty(), "it waits while the entity is away");

    system.skip_command("t.tally", "a").await.expect("skipped");
    settled(&system).await;
    let letters = system.dead_letters().await.expect("readable");
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert!(letters[0].letter.reason.starts_with("refused by an operator: add"), "{letters:?}");
    assert_eq!(add(&system, "a", -10_000).await, Ok(i64::MAX - 10_005));

    let (_storage, system) = crash_and_restart(storage, system).await;
    settled(&system).await;
    assert_eq!((system.quarantine().1, system.dead_letters().await.expect("readable").len()), (0, 1));
    errand(&system, "f").await.expect("done");
    settled(&system).await;
    let total = system.entities::<Tally>().get(&key("a")).await.expect("readable").expect("there").state.total;
    assert_eq!(total, i64::MAX - 9_005, "what comes after it is delivered");
    // Once there is room, an operator has it delivered after all.
    system.retry_dead_letter(&letters[0].id).await.expect("delivered");
    assert_eq!(add(&system, "a", 1).await, Ok(i64::MAX - 8_004));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_skipped_is_told_and_changes_nothing() {
    let system = start(&memory()).await;
    let missing = system.skip_command("tally", "nobody").await;
    assert!(matches!(missing, Err(SkipError::Inspect(_))), "{missing:?}");
    add(&system, "a", 5).await.expect("added");
    let healthy = system.skip_command("tally", "1").await;
    assert!(matches!(&healthy, Err(SkipError::Nothing(why)) if why == "it is not in quarantine"), "{healthy:?}");
    assert_eq!(system.resume_entity("tally", "1"), Err(InspectError::NotQuarantined));
    assert_eq!(system.resume_entity("tally", "nobody"), Err(InspectError::NotFound));
    for _ in 0..6 {
        system.kill_entity("tally", "1").await.expect("killed");
    }
    let on_nothing = system.skip_command("tally", "1").await;
    assert!(matches!(&on_nothing, Err(SkipError::Nothing(why)) if why == "it did not fail on one"), "{on_nothing:?}");
    system.resume_entity("tally", "1").expect("it is in quarantine");
    for _ in 0..6 {
        system.entities::<Tally>().ask(&NumberedId::number(1), Boom).await.expect_err("panics");
    }
    assert!(!only(&system).can_skip);
    let fresh = system.skip_command("tally", "1").await;
    assert!(matches!(&fresh, Err(SkipError::Nothing(why)) if why.contains("no id that comes again")), "{fresh:?}");
    assert_eq!(system.quarantine().1, 1, "it is still in quarantine");
}

#[tokio::test]
async fn the_list_has_its_limit_and_tells_how_many_there_are() {
    let system = start(&memory()).await;
    let host = system.entities::<Tally>().0;
    for n in 0..=QUARANTINE_LIST {
        let name = format!("t{n}");
        add(&system, &name, 1).await.expect("added");
        let cell = host.cell(&crate::actors::entity::Key::new(name).expect("a key")).expect("in memory");
        host.quarantine(&cell, "for the list".into());
    }
    let (listed, count) = system.quarantine();
    assert_eq!((listed.len(), count), (QUARANTINE_LIST, QUARANTINE_LIST + 1));
}
