//! What an entity was: its events, and its state after one of them. Read from the journal; the entity notices nothing.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::{
    super::{code, dedup::KeyBudget, host::Host, kinds::KindHost},
    InspectError,
};
use crate::{
    actors::entity::{CommandId, Entity, Key, Number, Timestamp},
    persistence::{Causation, ReadError, Record, StreamId},
};

/// Events of one page of a history, at most.
pub const HISTORY_PAGE: usize = 1_000;

/// A page is full with so many bytes of events: one record more than this is on it at most.
const PAGE_BYTES: usize = 4 << 20;
/// Records read at once for a page, each of 4 MiB at most.
const PIECE: usize = 16;
/// Records read at once to fold a state.
const RECORDS: usize = 1_024;
/// How often to begin again because history was deleted meanwhile: deletions are minutes apart.
const TRIES: u32 = 3;

/// Some events of an entity.
#[derive(Debug, Clone, PartialEq)]
pub struct EntityHistory {
    /// In order.
    pub events: Vec<EntityEvent>,
    /// The sequence after which the next page begins; `None` when this is the last.
    pub next: Option<u64>,
}

/// One event of an entity, as the journal has it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct EntityEvent {
    /// Its place in the history of the entity, from 1.
    pub sequence: u64,
    /// When it was decided: milliseconds since 1970.
    pub at: Timestamp,
    /// Its type.
    pub event: String,
    /// The version of its fields.
    pub version: u16,
    /// Whether other services may see it.
    pub public: bool,
    /// Its place in the journal: unit, partition, position.
    pub position: String,
    /// The command that decided it.
    pub command: CommandId,
    /// The request that all of this goes back to.
    pub correlation: String,
    /// What directly caused the command.
    pub cause: EventCause,
    /// As it was written: a text when its bytes are no JSON.
    pub fields: Value,
}

/// What directly caused a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum EventCause {
    /// A request from outside.
    Request,
    /// Another command.
    Command(CommandId),
    /// An event: unit, partition, position.
    Event(String),
}

/// The state of an entity after one of its events.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct PastState {
    /// Its kind.
    pub kind: &'static str,
    /// Its key.
    pub key: String,
    /// Its public number; 0 for none.
    pub number: Number,
    /// The storage unit of its events.
    pub unit: String,
    /// The sequence of that event.
    pub sequence: u64,
    /// When that was decided: milliseconds since 1970; `None` when the event itself was deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// As its kind keeps it.
    pub state: Value,
}

impl EntityEvent {
    /// The events of a record that was read from this storage unit.
    pub fn of<'a>(unit: &'a str, record: &'a Record) -> impl Iterator<Item = Self> + 'a {
        let append = &record.append;
        let cause = match &append.causation {
            Causation::Request => EventCause::Request,
            Causation::Command(command) => EventCause::Command(CommandId::from_bits(*command)),
            Causation::Event { unit, partition, offset } => {
                EventCause::Event(format!("{unit}:{}:{offset}", partition.0))
            }
        };
        append.events.iter().zip(0..).map(move |(event, index)| Self {
            sequence: record.first_sequence() + index,
            at: Timestamp::from_millis(append.at_millis),
            event: event.name.to_string(),
            version: event.version,
            public: event.public,
            position: format!("{unit}:{}:{}", append.lease.partition.0, record.offset + index),
            command: CommandId::from_bits(append.command),
            correlation: append.correlation.to_string(),
            cause: cause.clone(),
            fields: serde_json::from_slice(&event.payload)
                .unwrap_or_else(|_| String::from_utf8_lossy(&event.payload).into_owned().into()),
        })
    }
}

/// A page of a history. May block on the disk.
///
/// # Errors
/// [`InspectError::Deleted`] for an `after` that lies before what is there; [`InspectError::Unreadable`];
/// [`InspectError::Unavailable`].
pub(super) fn history(
    host: &dyn KindHost,
    key: &Key,
    after: Option<u64>,
    limit: usize,
) -> Result<EntityHistory, InspectError> {
    let (unit, stream) = (host.unit(), StreamId { kind: host.kind().into(), key: key.shared() });
    let (mut events, mut bytes) = (Vec::new(), 0);
    let mut at = after.unwrap_or(0);
    while events.len() < limit && bytes < PAGE_BYTES {
        let records = match unit.journal.read_stream(&stream, at, PIECE) {
            Err(ReadError::Deleted { first }) if after.is_none() && events.is_empty() && at + 1 < first => {
                at = first - 1;
                continue;
            }
            records => records.map_err(not_read)?,
        };
        let Some(last) = records.last() else { break };
        let upto = last.last_sequence();
        for record in &records {
            if events.len() >= limit || bytes >= PAGE_BYTES {
                break;
            }
            let room = limit - events.len();
            events.extend(EntityEvent::of(&unit.name, record).filter(|event| event.sequence > at).take(room));
            bytes += record.append.events.iter().map(|event| event.payload.len()).sum::<usize>();
        }
        at = upto;
    }
    let last = events.last().map_or(at, |event| event.sequence);
    let next = host.head(key).is_some_and(|head| last < head.sequence).then_some(last);
    Ok(EntityHistory { events, next })
}

impl<E: Entity> Host<E> {
    /// The state after the event with this sequence. May block on the disk.
    ///
    /// # Errors
    /// [`InspectError`].
    pub(crate) fn state_at(&self, key: &Key, sequence: u64) -> Result<PastState, InspectError> {
        let head = self.unit.journal.head(&self.stream(key)).ok_or(InspectError::NotFound)?;
        if !(1..=head.sequence).contains(&sequence) {
            return Err(InspectError::NoSuchEvent { sequence, last: head.sequence });
        }
        for _ in 0..TRIES {
            let Some((state, at)) = self.fold_to(key, sequence)? else { continue };
            let state = code::shown(&state).map_err(InspectError::Unreadable)?;
            let (key, number, unit) = (key.as_str().to_owned(), Number::new(head.number), self.unit.name.to_string());
            return Ok(PastState { kind: E::KIND, key, number, unit, sequence, at, state });
        }
        Err(InspectError::Unavailable("its history is being deleted".to_owned()))
    }

    /// The state, and the time of the last event; `None` when history was deleted meanwhile.
    fn fold_to(&self, key: &Key, sequence: u64) -> Result<Option<(E, Option<Timestamp>)>, InspectError> {
        let (stream, journal) = (self.stream(key), &self.unit.journal);
        let (mut state, mut from, mut at) = (E::default(), 0, None);
        if let Some(base) = journal.base(&stream).map_err(not_read)? {
            if base.sequence > sequence {
                return Err(InspectError::Deleted { first: base.sequence });
            }
            let keys = KeyBudget::new(usize::MAX); // of no service: nobody is to be forgotten for it
            (state, _) = Self::from_base(&base, 0, &keys).map_err(InspectError::Unreadable)?;
            from = base.sequence;
        }
        while from < sequence {
            let records = match journal.read_stream(&stream, from, RECORDS) {
                Err(ReadError::Deleted { .. }) => return Ok(None),
                records => records.map_err(not_read)?,
            };
            let Some(last) = records.last() else {
                return Err(InspectError::Unavailable(format!("its events after {from} cannot be read")));
            };
            let upto = last.last_sequence();
            code::fold(&mut state, &records, from, sequence).map_err(InspectError::Unreadable)?;
            let of = records.iter().find(|record| record.last_sequence() >= sequence);
            at = of.map(|record| Timestamp::from_millis(record.append.at_millis));
            from = upto;
        }
        Ok(Some((state, at)))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn not_read(error: ReadError) -> InspectError {
    match error {
        ReadError::Deleted { first } => InspectError::Deleted { first },
        ReadError::Damaged { .. } => InspectError::Unreadable(error.to_string()),
        ReadError::Io { .. } => InspectError::Unavailable(error.to_string()),
    }
}
