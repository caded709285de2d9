//! What a request led to: every command that wrote something under its correlation id, with what caused it, in order.
//!
//! ```text
//! request --> command --> events --policy--> command --> events
//!               |
//!               +--step--> command --> events --answer--> command --> events
//! ```
//!
//! The journal has no index of correlations: one in the commit path would cost each command more than a look back costs
//! the few operators who ask. So the newest records are read first, piece by piece in all partitions, until the whole
//! chain is there or the limit is reached.

mod order;

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;

use super::{codec, off_thread::off_thread, service::OWN, system::System, unit::UnitRuntime};
use crate::{
    actors::entity::{
        CommandId, Entity, EntityId, Key, Number, PolicyProgress, PolicyProgressEvent, ProgressId, Timestamp,
    },
    persistence::{Causation, Origin, PartitionId, ReadError, Record},
};
use order::Ordered;

/// Records on one answer; a purchase of the store has eight.
const MOST_LINKS: usize = 1_000;

/// Positions that one query looks at, of all partitions together: some seconds on a slow disk.
const MOST_LOOKED_AT: u64 = 500_000;

/// Positions of each partition that are looked at before it is seen whether that was enough.
const PIECE: u64 = 2_048;

/// What is decided earlier may stand behind what was decided later, by as long as an append takes.
const APPEND_MILLIS: u64 = 60_000;

/// The chain of one correlation id.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Chain {
    /// The correlation id.
    pub correlation: String,
    /// Whether nothing of it is missing: every cause is there, and all that is younger was looked at.
    pub complete: bool,
    /// Positions of the journal that were looked at, newest first.
    pub looked_at: u64,
    /// Its commands, each behind its cause, otherwise by time.
    pub commands: Vec<ChainLink>,
}

/// One command that wrote something.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ChainLink {
    /// Its id.
    pub command: CommandId,
    /// Who asked: `request`, `step` (an entity that needs this one), `answer` (to a step of its own), `policy`, or
    /// `runtime` (a delivery that was put aside, or an operator's doing with it).
    pub by: &'static str,
    /// The policy, where it was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    /// How many causes it is away from the request.
    pub depth: u32,
    /// What directly caused it: the id of a command or of an event; `None` for the request's own, and where the cause
    /// was not found.
    pub cause: Option<String>,
    /// When it was decided.
    pub at: Timestamp,
    /// The kind of its entity, `store.order`.
    pub kind: String,
    /// The key of its entity.
    pub key: String,
    /// The public number of its entity.
    pub number: Number,
    /// The step that it began, by name and round; its entity then asked another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub began: Option<String>,
    /// What it wrote.
    pub events: Vec<ChainEvent>,
}

/// One event of a [`ChainLink`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ChainEvent {
    /// Its id, as in `/admin/events`: unit, partition, position.
    #[serde(rename = "eventId")]
    pub id: String,
    /// Its type.
    #[serde(rename = "eventType")]
    pub name: String,
    /// Its place in the history of its entity.
    pub sequence: u64,
    /// Whether other services may see it.
    pub public: bool,
}

/// Why there is no chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// Nothing among the newest positions, so many of them, has this correlation id. Older ones were not looked at when
    /// there are any.
    #[error("nothing was written for {correlation} as far as was looked: {looked_at} positions{}", if *.is_all { "" } else { ", older ones were not" })]
    Unknown {
        /// The correlation id.
        correlation: String,
        /// How many positions were looked at.
        looked_at: u64,
        /// Whether those were all.
        is_all: bool,
    },
    /// The journal cannot be read now.
    #[error("{0}")]
    Store(String),
}

impl System {
    /// What a request led to, by its correlation id: at most 1,000 commands, of the newest 500,000 positions.
    ///
    /// # Errors
    /// [`ChainError`].
    ///
    /// # Cancel safety
    /// Reads only.
    pub async fn chain(&self, correlation: &str) -> Result<Chain, ChainError> {
        let (units, correlation) = (self.inner.units.clone(), correlation.to_owned());
        let looked = off_thread(move || Look::back(&units, correlation, MOST_LOOKED_AT)).await;
        looked.unwrap_or_else(|error| Err(ChainError::Store(error.to_string())))
    }
}

/// What was found so far.
struct Look {
    correlation: String,
    found: Vec<ChainLink>,
    looked_at: u64,
}

/// A partition, and the lowest position that was looked at.
struct Lane<'a> {
    unit: &'a UnitRuntime,
    partition: PartitionId,
    /// Everything above was looked at.
    left: u64,
    /// Of what was looked at, the time of the oldest.
    oldest: u64,
}

impl Look {
    fn back(units: &[Arc<UnitRuntime>], correlation: String, most: u64) -> Result<Chain, ChainError> {
        let lanes = units.iter().flat_map(|unit| {
            (0..unit.journal.partitions()).map(PartitionId).map(|partition| {
                let left = unit.journal.durable(partition);
                Lane { unit, partition, left, oldest: u64::MAX }
            })
        });
        let mut lanes: Vec<Lane<'_>> = lanes.collect();
        let mut look = Self { correlation, found: Vec::new(), looked_at: 0 };
        let (mut complete, mut is_all) = (false, false);
        while !is_all && !complete && look.looked_at < most && look.found.len() <= MOST_LINKS {
            for lane in &mut lanes {
                look.piece(lane)?;
            }
            is_all = lanes.iter().all(|lane| lane.left < lane.unit.journal.first(lane.partition));
            complete = look.is_whole(&lanes);
        }
        if look.found.is_empty() {
            let Self { correlation, looked_at, .. } = look;
            return Err(ChainError::Unknown { correlation, looked_at, is_all });
        }
        let Ordered { mut links, all_caused } = order::ordered(look.found);
        let complete = (complete || is_all) && all_caused && links.len() <= MOST_LINKS;
        links.truncate(MOST_LINKS);
        Ok(Chain { correlation: look.correlation, complete, looked_at: look.looked_at, commands: links })
    }

    /// Looks at the next piece of a partition, below what was looked at.
    fn piece(&mut self, lane: &mut Lane<'_>) -> Result<(), ChainError> {
        let first = lane.unit.journal.first(lane.partition);
        if lane.left < first {
            return Ok(());
        }
        let (upto, mut after) = (lane.left, lane.left.saturating_sub(PIECE).max(first - 1));
        let begin = after;
        while after < upto {
            let limit = usize::try_from(upto - after).unwrap_or(usize::MAX);
            let records = match lane.unit.journal.read_feed(lane.partition, after, limit) {
                Ok(records) => records,
                Err(ReadError::Deleted { first }) => {
                    // meanwhile; what is there is younger
                    after = (first - 1).max(after + 1);
                    continue;
                }
                Err(error) => return Err(ChainError::Store(error.to_string())),
            };
            let Some(last) = records.last() else { break };
            after = last.last_offset();
            for record in records.iter().filter(|record| record.offset <= upto) {
                lane.oldest = lane.oldest.min(record.append.at_millis);
                if *record.append.correlation == *self.correlation {
                    self.found.push(link(lane.unit, record));
                }
            }
        }
        self.looked_at += upto - begin;
        lane.left = begin;
        Ok(())
    }

    /// Whether the request's own command is there, and all that is not older than that was looked at.
    fn is_whole(&self, lanes: &[Lane<'_>]) -> bool {
        let Some(begun) = self.found.iter().filter(|link| link.by == "request").map(|link| link.at).min() else {
            return false;
        };
        let from = begun.as_millis().saturating_sub(APPEND_MILLIS);
        lanes.iter().all(|lane| lane.oldest < from || lane.left < lane.unit.journal.first(lane.partition))
    }
}

fn link(unit: &UnitRuntime, record: &Record) -> ChainLink {
    let append = &record.append;
    let partition = append.lease.partition.0;
    let id = |offset: u64| format!("{}:{partition}:{offset}", unit.name);
    let events = append.events.iter().zip(0..).map(|(event, index)| ChainEvent {
        id: id(record.offset + index),
        name: event.name.to_string(),
        sequence: record.first_sequence() + index,
        public: event.public,
    });
    let is_answer = append.settled.is_some() || append.begun.as_ref().is_some_and(|it| it.origin != append.command);
    let is_own = append.stream.kind.split('.').next() == Some(OWN);
    let (by, cause) = match &append.causation {
        Causation::Request if is_own => ("runtime", put_aside(unit, record)),
        Causation::Request => ("request", None),
        Causation::Command(command) if is_answer => ("answer", Some(CommandId::from_bits(*command).to_string())),
        Causation::Command(command) => ("step", Some(CommandId::from_bits(*command).to_string())),
        Causation::Event { unit, partition, offset } => ("policy", Some(format!("{unit}:{}:{offset}", partition.0))),
    };
    let policy = match &append.origin {
        Origin::Dispatch(mark) => Some(mark.policy.to_string()),
        Origin::Fresh | Origin::Repeatable { .. } => None,
    };
    ChainLink {
        command: CommandId::from_bits(append.command),
        by,
        policy,
        depth: 0,
        cause,
        at: Timestamp::from_millis(append.at_millis),
        kind: append.stream.kind.to_string(),
        key: append.stream.key.to_string(),
        number: Number::new(append.number),
        began: append.begun.as_ref().map(|begun| format!("{}#{}", begun.step, begun.round)),
        events: events.collect(),
    }
}

/// The event whose delivery was put aside: a dead letter says of which it is.
fn put_aside(unit: &UnitRuntime, record: &Record) -> Option<String> {
    let append = &record.append;
    if *append.stream.kind != *PolicyProgress::KIND {
        return None;
    }
    let of = ProgressId::from_key(&Key::new(append.stream.key.as_ref()).ok()?)?;
    let event = append.events.first()?;
    match codec::decode(&event.name, event.version, &event.payload) {
        Ok(PolicyProgressEvent::PutAside(letter)) => Some(format!("{}:{}:{}", of.unit, of.partition, letter.id.offset)),
        Ok(_) => None,
        Err(error) => {
            tracing::warn!(unit = unit.name.as_ref(), offset = record.offset, %error, "event cannot be decoded");
            None
        }
    }
}
