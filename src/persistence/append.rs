//! What is appended: the truth, record by record.

use std::sync::Arc;

use bytes::Bytes;

use super::{PartitionId, StreamId};

/// The right to append to a partition. A newer epoch takes it away from an older one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lease {
    /// The partition.
    pub partition: PartitionId,
    /// Raised each time the partition changes hands; with embedded storage, at each start.
    pub epoch: u64,
}

/// What a turn hands over: all of it becomes durable, or none.
#[derive(Clone, Debug, PartialEq)]
pub struct Append {
    /// The stream.
    pub stream: StreamId,
    /// The right to append to the stream's partition.
    pub lease: Lease,
    /// Which activation of the entity this is; grows within an epoch. The sequence alone is no fence once
    /// appends are pipelined.
    pub incarnation: u64,
    /// Sequence of the stream's last event as the writer knows it; 0 for a new stream.
    pub expected: u64,
    /// When it was decided: milliseconds since the epoch of 1970.
    pub at_millis: u64,
    /// The entity's public number; 0 for none.
    pub number: u64,
    /// The command that was decided.
    pub command: u128,
    /// How that command came here: what a repeat is recognised by.
    pub origin: Origin,
    /// The reply, when this append settles the command.
    pub reply: Option<Bytes>,
    /// The step that this append begins.
    pub begun: Option<Begun>,
    /// The earlier command that this append settles, being the follow-up of a step.
    pub settled: Option<Settled>,
    /// Whether the stream has open asks after this append: it is then activated at start.
    pub open_asks: bool,
    /// The request that all of this goes back to.
    pub correlation: Arc<str>,
    /// What directly caused the command.
    pub causation: Causation,
    /// The events, at least one, at most [`Append::MAX_EVENTS`].
    pub events: Vec<NewEvent>,
}

impl Append {
    /// A decision writes a handful of events; the bound keeps a frame small.
    pub const MAX_EVENTS: usize = 1024;
    /// Bytes of all payloads, the replies and what was told instead of one, together. A body is at most 1 MiB.
    pub const MAX_BYTES: usize = 4 << 20;
}

/// How a command came to the entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// With a fresh id that nobody repeats.
    Fresh,
    /// With an id that its sender may repeat; the fingerprint tells a repeat from another request under
    /// the same id.
    Repeatable {
        /// Hash of the request; 0 when there is nothing to compare.
        fingerprint: u128,
    },
    /// From a policy.
    Dispatch(DispatchMark),
}

/// Identifies a dispatch: the greatest one per (policy, unit, partition) that a stream has applied says
/// which repeats to ignore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DispatchMark {
    /// The policy.
    pub policy: Arc<str>,
    /// The storage unit of the event that it reacted to.
    pub unit: Arc<str>,
    /// The partition of that event.
    pub partition: PartitionId,
    /// The position of that event.
    pub offset: u64,
    /// Index among the dispatches that the event led to.
    pub index: u16,
}

/// A step that was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Begun {
    /// The command whose asker waits for the end.
    pub origin: u128,
    /// How that command came here.
    pub how: Origin,
    /// The step's name.
    pub step: Arc<str>,
    /// The step's round.
    pub round: u32,
    /// Whether the asker has been told that it will be finished: it waits for another entity that is away, however
    /// long that takes.
    pub patient: bool,
}

/// An earlier command that is settled now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// That command.
    pub origin: u128,
    /// How that command came here.
    pub how: Origin,
    /// Its reply; `None` when it was not done and may be repeated.
    pub reply: Option<Bytes>,
    /// What its asker was told instead of a reply; `None` when there is one, and in records of the first layout.
    pub why: Option<Bytes>,
}

/// What directly caused a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Causation {
    /// A request from outside.
    Request,
    /// Another entity's command.
    Command(u128),
    /// An event, through a policy.
    Event {
        /// Its storage unit.
        unit: Arc<str>,
        /// Its partition.
        partition: PartitionId,
        /// Its position.
        offset: u64,
    },
}

/// An event as bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// Name of the event.
    pub name: Arc<str>,
    /// Version of its fields.
    pub version: u16,
    /// Whether others may see it.
    pub public: bool,
    /// The event.
    pub payload: Bytes,
}

/// An append that is durable.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// What was handed over.
    pub append: Append,
    /// Position of its first event within the partition, counted from 1; the others follow densely.
    pub offset: u64,
}

impl Record {
    /// Sequence of the first event within the stream.
    pub fn first_sequence(&self) -> u64 {
        self.append.expected + 1
    }

    /// Sequence of the last event within the stream.
    pub fn last_sequence(&self) -> u64 {
        self.append.expected + self.append.events.len() as u64
    }

    /// Position of the last event within the partition.
    pub fn last_offset(&self) -> u64 {
        self.offset + self.append.events.len() as u64 - 1
    }
}

/// Where an append came to stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Position of the first event within the partition.
    pub offset: u64,
    /// Sequence of the last event within the stream.
    pub sequence: u64,
}
