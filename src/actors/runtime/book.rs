//! What the runtime keeps beside an entity's state, and both together as a snapshot.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::dedup::{Dedup, Kept, KeyBudget};
use crate::{
    actors::entity::{Entity, Step, Timestamp},
    persistence::{Append, Begun, DispatchMark, Origin, PartitionId, Record},
};

/// A step that was begun and has no answer yet.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OpenStep {
    pub(crate) step: Arc<str>,
    pub(crate) round: u32,
    /// The command whose asker waits for the end.
    pub(crate) origin: u128,
    /// How that command came here.
    pub(crate) how: Origin,
    pub(crate) correlation: Arc<str>,
    /// Whether it is asked for as long as it takes.
    pub(crate) patient: bool,
}

impl OpenStep {
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        (&self.step, self.round) == (&other.step, other.round)
    }

    pub(crate) fn is(&self, step: Step) -> bool {
        self.step.as_ref() == step.0 && self.round == step.1
    }
}

/// What the runtime knows of one active entity.
#[derive(Debug)]
pub(crate) struct Book {
    /// Sequence of the last event, durable or on its way.
    pub(crate) sequence: u64,
    pub(crate) number: u64,
    pub(crate) incarnation: u64,
    pub(crate) dedup: Dedup,
    pub(crate) open: Vec<OpenStep>,
    pub(crate) tail: Tail,
}

/// What a recovery would have to read behind the newest snapshot.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Tail {
    pub(crate) events: u32,
    pub(crate) bytes: usize,
    /// Size of the newest snapshot: the tail grows to at least that, so that an entity with a large
    /// state does not write it again every hundred events.
    pub(crate) snapshot: usize,
}

impl Tail {
    pub(crate) fn is_due(self, every: u32, bytes: usize) -> bool {
        (self.events >= every || self.bytes >= bytes) && self.bytes >= self.snapshot / 2
    }
}

impl Book {
    pub(crate) fn new(incarnation: u64, keys: Arc<KeyBudget>) -> Self {
        let (dedup, open, tail) = (Dedup::new(keys), Vec::new(), Tail::default());
        Self { sequence: 0, number: 0, incarnation, dedup, open, tail }
    }

    /// Takes over what an append says: the same for one just handed over and one read back, so that
    /// memory and journal cannot differ.
    pub(crate) fn apply(&mut self, append: &Append) {
        self.sequence = append.expected + append.events.len() as u64;
        if self.number == 0 {
            self.number = append.number;
        }
        let at = Timestamp::from_millis(append.at_millis);
        if let Some(reply) = &append.reply {
            self.dedup.done(append.command, &append.origin, reply, at);
        }
        // A follow-up closes the step that it answers before it may begin the next one.
        if let Some(settled) = &append.settled {
            self.open.retain(|open| open.origin != settled.origin);
            if let Some(reply) = &settled.reply {
                self.dedup.done(settled.origin, &settled.how, reply, at);
            }
        }
        if let Some(Begun { origin, how, step, round, patient }) = &append.begun {
            self.open.retain(|open| open.origin != *origin);
            let (step, how, correlation) = (step.clone(), how.clone(), append.correlation.clone());
            self.open.push(OpenStep { step, round: *round, origin: *origin, how, correlation, patient: *patient });
        }
        self.tail.events = self.tail.events.saturating_add(u32::try_from(append.events.len()).unwrap_or(u32::MAX));
        self.tail.bytes += append.events.iter().map(|event| event.payload.len()).sum::<usize>();
    }

    /// [`apply`](Self::apply) for a record read back.
    pub(crate) fn replay(&mut self, record: &Record) {
        self.apply(&record.append);
    }

    /// A follow-up has ended this step and wrote nothing about it.
    pub(crate) fn close(&mut self, closed: Option<&OpenStep>) {
        if let Some(closed) = closed {
            self.open.retain(|open| open.origin != closed.origin);
        }
    }

    /// Whether this command is the origin of an open step.
    pub(crate) fn is_pending(&self, command: u128) -> bool {
        self.open.iter().any(|open| open.origin == command)
    }
}

#[derive(Serialize, Deserialize)]
struct Saved<S> {
    state: S,
    number: u64,
    keys: Vec<SavedKey>,
    marks: Vec<SavedMark>,
    open: Vec<SavedStep>,
}

#[derive(Serialize, Deserialize)]
struct SavedKey {
    id: String,
    fingerprint: String,
    at: Timestamp,
    reply: String,
}

#[derive(Serialize, Deserialize)]
struct SavedMark {
    policy: Arc<str>,
    unit: Arc<str>,
    partition: u16,
    offset: u64,
    index: u16,
}

#[derive(Serialize, Deserialize)]
struct SavedStep {
    step: Arc<str>,
    round: u32,
    origin: String,
    how: SavedOrigin,
    correlation: Arc<str>,
    /// Not in snapshots of the first release.
    #[serde(default)]
    patient: bool,
}

#[derive(Serialize, Deserialize)]
enum SavedOrigin {
    Fresh,
    Repeatable(String),
    Dispatch(SavedMark),
}

/// A snapshot that cannot be used; the journal is read instead.
#[derive(Debug, thiserror::Error)]
#[error("unusable snapshot: {0}")]
pub(crate) struct UnusableSnapshot(String);

/// State and book as bytes.
pub(crate) fn save<E: Entity>(state: &E, book: &Book) -> Result<Bytes, UnusableSnapshot> {
    let text = |reply: &Bytes| String::from_utf8_lossy(reply).into_owned();
    let saved = Saved {
        state,
        number: book.number,
        keys: book
            .dedup
            .keys()
            .map(|(id, kept)| SavedKey {
                id: hex(id),
                fingerprint: hex(kept.fingerprint),
                at: kept.at,
                reply: text(&kept.reply),
            })
            .collect(),
        marks: book.dedup.marks().iter().map(SavedMark::from).collect(),
        open: book
            .open
            .iter()
            .map(|open| SavedStep {
                step: open.step.clone(),
                round: open.round,
                origin: hex(open.origin),
                how: match &open.how {
                    Origin::Fresh => SavedOrigin::Fresh,
                    Origin::Repeatable { fingerprint } => SavedOrigin::Repeatable(hex(*fingerprint)),
                    Origin::Dispatch(mark) => SavedOrigin::Dispatch(mark.into()),
                },
                correlation: open.correlation.clone(),
                patient: open.patient,
            })
            .collect(),
    };
    serde_json::to_vec(&saved).map(Bytes::from).map_err(|error| UnusableSnapshot(error.to_string()))
}

/// State and book from bytes; the book is at `sequence`.
pub(crate) fn load<E: Entity>(
    bytes: &[u8],
    sequence: u64,
    incarnation: u64,
    keys: Arc<KeyBudget>,
) -> Result<(E, Book), UnusableSnapshot> {
    let saved: Saved<E> = serde_json::from_slice(bytes).map_err(|error| UnusableSnapshot(error.to_string()))?;
    loaded(saved, bytes.len(), sequence, incarnation, keys)
}

/// [`load`] for a state of an earlier shape, which the entity has to know.
pub(crate) fn migrate<E: Entity>(
    bytes: &[u8],
    shape: u32,
    sequence: u64,
    incarnation: u64,
    keys: Arc<KeyBudget>,
) -> Result<(E, Book), UnusableSnapshot> {
    let unusable = |error: serde_json::Error| UnusableSnapshot(error.to_string());
    let saved: Saved<serde_json::Value> = serde_json::from_slice(bytes).map_err(unusable)?;
    let Saved { state, number, keys: kept, marks, open } = saved;
    let state = E::migrate(shape, state).ok_or_else(|| {
        UnusableSnapshot(format!(
            "it is of shape {shape} and this release has shape {}: run the release that wrote it, or let `migrate` of {} read shape {shape}",
            E::SNAPSHOT,
            E::KIND
        ))
    })?;
    let state: E = serde_json::from_value(state).map_err(unusable)?;
    loaded(Saved { state, number, keys: kept, marks, open }, bytes.len(), sequence, incarnation, keys)
}

fn loaded<E>(
    saved: Saved<E>,
    bytes: usize,
    sequence: u64,
    incarnation: u64,
    keys: Arc<KeyBudget>,
) -> Result<(E, Book), UnusableSnapshot> {
    let mut book = Book::new(incarnation, keys);
    book.sequence = sequence;
    book.number = saved.number;
    book.tail.snapshot = bytes;
    for key in saved.keys {
        let Kept { fingerprint, at, reply } =
            Kept { fingerprint: unhex(&key.fingerprint)?, at: key.at, reply: Bytes::from(key.reply) };
        book.dedup.done(unhex(&key.id)?, &Origin::Repeatable { fingerprint }, &reply, at);
    }
    for mark in saved.marks {
        book.dedup.done(0, &Origin::Dispatch(mark.into()), &Bytes::new(), Timestamp::default());
    }
    for open in saved.open {
        let how = match open.how {
            SavedOrigin::Fresh => Origin::Fresh,
            SavedOrigin::Repeatable(fingerprint) => Origin::Repeatable { fingerprint: unhex(&fingerprint)? },
            SavedOrigin::Dispatch(mark) => Origin::Dispatch(mark.into()),
        };
        let SavedStep { step, round, correlation, patient, .. } = open;
        book.open.push(OpenStep { step, round, origin: unhex(&open.origin)?, how, correlation, patient });
    }
    Ok((saved.state, book))
}

impl From<&DispatchMark> for SavedMark {
    fn from(mark: &DispatchMark) -> Self {
        let (policy, unit) = (mark.policy.clone(), mark.unit.clone());
        Self { policy, unit, partition: mark.partition.0, offset: mark.offset, index: mark.index }
    }
}

impl From<SavedMark> for DispatchMark {
    fn from(mark: SavedMark) -> Self {
        let SavedMark { policy, unit, partition, offset, index } = mark;
        Self { policy, unit, partition: PartitionId(partition), offset, index }
    }
}

fn hex(bits: u128) -> String {
    format!("{bits:032x}")
}

fn unhex(text: &str) -> Result<u128, UnusableSnapshot> {
    u128::from_str_radix(text, 16).map_err(|error| UnusableSnapshot(error.to_string()))
}
