//! One entity as operators see it: in a list, what it was, and out of memory.

use super::{
    super::{EntityHistory, EntityRow, EventCause, InspectError},
    fixture::*,
};
use crate::{System, actors::entity::NumberedId, persistence::StreamId};

async fn add(system: &System, tally: &str, adds: impl IntoIterator<Item = i64>) {
    for n in adds {
        system.entities::<Tally>().ask(&key(tally), Add { n }).await.expect("added");
    }
}

fn live(system: &System) -> usize {
    system.services().iter().map(|service| service.live).sum()
}

#[tokio::test]
async fn a_history_is_read_page_by_page_and_says_what_caused_each_event() {
    let system = start(&memory()).await;
    add(&system, "a", 1..=4).await;
    system.entities::<Errand>().ask(&key("e"), RunErrand { to: 1, n: 9 }).correlation("mine").await.expect("done");
    settled(&system).await;
    let page = async |after, limit| system.entity_history("tally", "a", after, limit).await.expect("readable");
    let EntityHistory { events, next } = page(None, 2).await;
    assert_eq!((events.len(), next), (2, Some(2)));
    assert_eq!((events[0].sequence, events[0].event.as_str(), events[0].version), (1, "Added", 1));
    assert_eq!((&events[0].cause, &events[0].fields), (&EventCause::Request, &serde_json::json!({"Added": {"n": 1}})));
    let EntityHistory { events, next } = page(Some(2), 1000).await;
    assert_eq!(events.iter().map(|event| event.sequence).collect::<Vec<_>>(), [3, 4, 5, 6]);
    assert_eq!(next, None);
    let asked = &events[2];
    assert!(matches!(asked.cause, EventCause::Command(_)) && asked.correlation == "mine", "{asked:?}");
    let sent = &events[3];
    assert!(matches!(&sent.cause, EventCause::Event(at) if at.starts_with("main:")), "a policy: {sent:?}");
    assert_eq!(page(Some(6), 10).await, EntityHistory { events: vec![], next: None });
    for (kind, id) in [("tally", "9"), ("tally", "nobody"), ("errand", "a")] {
        assert_eq!(system.entity_history(kind, id, None, 10).await, Err(InspectError::NotFound), "{kind} {id}");
    }
    let unknown = system.entity_history("kitchen", "1", None, 10).await;
    assert_eq!(unknown, Err(InspectError::UnknownKind("kitchen".to_owned())));
}

/// One command may write several events: a page may end between them, and a state may be one of between.
#[tokio::test]
async fn a_page_and_a_state_may_end_within_what_one_command_wrote() {
    let system = start(&memory()).await;
    for n in 1..=3 {
        system.entities::<Tally>().ask(&key("a"), AddTwice { n }).await.expect("added");
    }
    let (mut sequences, mut after) = (Vec::new(), None);
    for _ in 0..10 {
        let page = system.entity_history("tally", "a", after, 1).await.expect("readable");
        sequences.extend(page.events.iter().map(|event| event.sequence));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(sequences, [1, 2, 3, 4, 5, 6]);
    for (sequence, total) in (1..).zip([1, 2, 4, 6, 9, 12]) {
        assert_eq!(system.entity_at("tally", "a", sequence).await.expect("readable").state["total"], total);
    }
}

#[tokio::test]
async fn an_entity_is_told_as_it_was_after_each_of_its_events() {
    let system = start(&memory()).await;
    add(&system, "a", 1..=20).await;
    for sequence in 1..=20 {
        let past = system.entity_at("t.tally", "1", sequence).await.expect("readable");
        assert_eq!((past.kind, past.key.as_str(), past.number.get(), past.sequence), ("t.tally", "a", 1, sequence));
        assert_eq!(past.state["total"].as_u64(), Some(sequence * (sequence + 1) / 2));
        assert!(past.at.is_some_and(|at| at.as_millis() >= 1_000_000), "{past:?}");
    }
    for sequence in [0, 21, u64::MAX] {
        let refused = system.entity_at("tally", "a", sequence).await;
        assert_eq!(refused, Err(InspectError::NoSuchEvent { sequence, last: 20 }));
    }
}

#[tokio::test]
async fn the_entities_of_a_kind_are_listed_by_number_also_those_out_of_memory() {
    let storage = memory();
    let system = start(&storage).await;
    for name in ["c", "b", "a"] {
        add(&system, name, [1]).await;
    }
    let (_storage, system) = crash_and_restart(storage, system).await;
    add(&system, "b", [1]).await;
    let page = async |page, size| system.entities_of("tally", page, size).await.expect("there is the kind");
    let row = |key: &str, number: u64, sequence: u64, phase: &str| EntityRow {
        kind: "t.tally",
        key: key.to_owned(),
        number: crate::actors::entity::Number::new(number),
        sequence,
        phase: phase.to_owned(),
        asking: false,
    };
    let first = page(0, 2).await;
    assert_eq!((first.rows, first.count), (vec![row("c", 1, 1, "passive"), row("b", 2, 2, "idle")], 3));
    assert_eq!(page(1, 2).await.rows, [row("a", 3, 1, "passive")]);
    assert_eq!((page(2, 2).await.rows, page(usize::MAX, 2).await.rows), (vec![], vec![]));
    assert_eq!(system.entities_of("errand", 0, 10).await.expect("there is the kind").count, 0);
}

#[tokio::test]
async fn an_entity_leaves_memory_when_it_is_told_to_and_comes_back_as_it_was() {
    let storage = memory();
    let system = start(&storage).await;
    add(&system, "few", 1..=3).await;
    add(&system, "many", 1..=20).await;
    assert_eq!(live(&system), 2);
    for name in ["few", "many", "many"] {
        system.passivate_entity("tally", name).expect("it is at rest, or gone already");
        assert_eq!(system.inspect("tally", name).await.expect("there")["phase"], "passive");
    }
    assert_eq!(live(&system), 0);
    let snapshots = |name: &str| {
        let stream = StreamId { kind: "t.tally".into(), key: name.into() };
        storage.unit("main").expect("main").snapshots.load(&stream).expect("readable")
    };
    // It is written by another thread.
    wait_for(async || !snapshots("many").is_empty()).await;
    assert_eq!(snapshots("many").first().map(|newest| newest.sequence), Some(20));
    assert_eq!(snapshots("few"), [], "three events are read back sooner than a snapshot is written");
    add(&system, "few", [4]).await;
    add(&system, "many", [21]).await;
    let total = async |name| system.entities::<Tally>().get(&key(name)).await.expect("readable").expect("there").state;
    assert_eq!((total("few").await.total, total("many").await.total), (10, 231));
    let nobody = system.passivate_entity("tally", "9");
    assert_eq!(nobody, Err(InspectError::NotFound));
}

#[tokio::test(start_paused = true)]
async fn an_entity_that_is_not_at_rest_stays() {
    let system = start(&memory()).await;
    add(&system, "a", [1]).await;
    for _ in 0..6 {
        system.entities::<Tally>().ask(&key("a"), Boom).await.expect_err("it fails");
    }
    let stays = system.passivate_entity("tally", "1");
    let Err(InspectError::NotAtRest(why)) = &stays else { panic!("{stays:?}") };
    assert!(why.starts_with("quarantined: "), "{why}");
    assert_eq!(system.quarantine().1, 1, "and is still in quarantine");
    system.resume_entity("tally", "1").expect("it is in quarantine");
    assert_eq!(system.entities::<Tally>().ask(&NumberedId::number(1), Add { n: 1 }).await, Ok(2));
    system.passivate_entity("tally", "1").expect("it is at rest");
}
