use std::collections::HashSet;

use serde_json::Value;

use crate::actors::entity::{DomainEvent, Entity, Number};

/// Checks what every entity has to keep, with these histories as samples. Together they should contain
/// every event.
///
/// - An event survives its JSON, and [`DomainEvent::name`] is the tag that serde writes.
/// - An event leads to the same representation on the bus each time.
/// - A snapshot taken anywhere and the events after it give the state that all events give, and the
///   same asks to resume.
/// - No two asks to resume have one step.
/// - `evolve` and `resume` are total: every event may meet every state, the first one included.
pub fn laws<E: Entity>(histories: impl IntoIterator<Item = Vec<E::Event>>) {
    let histories: Vec<_> = histories.into_iter().collect();
    let events: Vec<_> = histories.iter().flatten().collect();
    assert!(!events.is_empty(), "the laws of {} need samples", E::KIND);
    for event in &events {
        survives_its_json(*event);
    }
    for history in &histories {
        let mut states = vec![E::default()];
        for event in history {
            let mut state = states.last().expect("there is the first").clone();
            state.evolve(event);
            states.push(state);
        }
        for (taken, state) in states.iter().enumerate() {
            snapshot_and_rest_is_replay(state, history.get(taken..).unwrap_or_default(), states.last());
            is_total(state, &events);
        }
    }
}

fn survives_its_json<V: DomainEvent>(event: &V) {
    let json = serde_json::to_value(event).expect("an event can be written");
    let tag = match &json {
        Value::String(tag) => Some(tag),
        Value::Object(fields) if fields.len() == 1 => fields.keys().next(),
        Value::Object(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
    };
    assert_eq!(tag.map(String::as_str), Some(event.name()), "the tag that serde writes for {event:?}");
    let text = serde_json::to_vec(event).expect("an event can be written");
    let back: V =
        serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{event:?} cannot be read back: {error}"));
    assert_eq!(&back, event, "an event survives its JSON");
    assert!(event.version() > 0, "versions count from 1: {event:?}");
    let number = Number::new(7);
    assert_eq!(event.on_bus(number), back.on_bus(number), "{event:?} on the bus");
}

fn snapshot_and_rest_is_replay<E: Entity>(state: &E, rest: &[E::Event], live: Option<&E>) {
    let text = serde_json::to_vec(state).expect("a state can be written");
    let mut restored: E = serde_json::from_slice(&text)
        .unwrap_or_else(|error| panic!("a snapshot of {} cannot be read back: {error}", E::KIND));
    for event in rest {
        restored.evolve(event);
    }
    let live = live.expect("there is the first");
    assert_eq!(json(&restored), json(live), "snapshot and the events {rest:?}");
    assert_eq!(format!("{:?}", restored.resume()), format!("{:?}", live.resume()), "what is resumed");
}

fn is_total<E: Entity>(state: &E, events: &[&E::Event]) {
    let mut steps = HashSet::new();
    for asked in state.resume() {
        assert!(steps.insert(asked.step()), "{} is resumed twice", asked.step());
    }
    for event in events {
        let mut state = state.clone();
        state.evolve(event);
        drop(state.resume());
    }
}

fn json<E: Entity>(state: &E) -> Value {
    serde_json::to_value(state).expect("a state can be written")
}
