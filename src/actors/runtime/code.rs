//! What this program can do with the events of a kind without running anything: for tools that look at data.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::Value;

use super::{
    codec::{self, UnreadableEvent},
    outcome::panic_text,
    skips::RefusedCommands,
};
use crate::{
    actors::entity::{Entity, PolicyProgress},
    persistence::{NewEvent, Record},
};

/// The code of one kind.
#[derive(Clone, Copy, Debug)]
pub struct KindCode {
    kind: &'static str,
    knows: fn(&str, u16, &[u8]) -> Result<(), UnreadableEvent>,
    state: fn(&[Record], u64) -> Result<Value, String>,
}

impl KindCode {
    pub(super) fn of<E: Entity>() -> Self {
        Self {
            kind: E::KIND,
            knows: |name, version, payload| codec::decode::<E::Event>(name, version, payload).map(drop),
            state: state::<E>,
        }
    }

    /// The kinds that the runtime itself writes.
    pub fn of_the_runtime() -> [Self; 2] {
        [Self::of::<PolicyProgress>(), Self::of::<RefusedCommands>()]
    }

    /// The kind.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// Whether an event can be read.
    ///
    /// # Errors
    /// [`UnreadableEvent`] says why not.
    pub fn knows(&self, name: &str, version: u16, payload: &[u8]) -> Result<(), UnreadableEvent> {
        (self.knows)(name, version, payload)
    }

    /// The state after the event with this sequence, from all records of a stream.
    ///
    /// # Errors
    /// Says which event cannot be read or applied, by its sequence.
    pub fn state(&self, records: &[Record], upto: u64) -> Result<Value, String> {
        (self.state)(records, upto)
    }
}

fn state<E: Entity>(records: &[Record], upto: u64) -> Result<Value, String> {
    let mut state = E::default();
    fold(&mut state, records, 0, upto)?;
    shown(&state)
}

/// Applies the events after `after` up to `upto`.
///
/// # Errors
/// As [`apply`]; the state is of no use then.
pub(super) fn fold<E: Entity>(state: &mut E, records: &[Record], after: u64, upto: u64) -> Result<(), String> {
    for record in records {
        for (sequence, event) in (record.first_sequence()..).zip(&record.append.events) {
            if sequence > after && sequence <= upto {
                apply(state, sequence, event)?;
            }
        }
    }
    Ok(())
}

/// Applies one event.
///
/// # Errors
/// Why it cannot be read or applied, with its sequence. It may have been applied in part.
pub(super) fn apply<E: Entity>(state: &mut E, sequence: u64, event: &NewEvent) -> Result<(), String> {
    let decoded = codec::decode::<E::Event>(&event.name, event.version, &event.payload)
        .map_err(|error| format!("event {sequence}: {error}"))?;
    catch_unwind(AssertUnwindSafe(|| state.evolve(&decoded)))
        .map_err(|panic| format!("event {sequence} ({}) cannot be applied: {}", event.name, panic_text(panic.as_ref())))
}

/// A state as people are shown it.
///
/// # Errors
/// What serde says.
pub(super) fn shown<E: Entity>(state: &E) -> Result<Value, String> {
    serde_json::to_value(state).map_err(|error| error.to_string())
}
