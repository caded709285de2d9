//! The bounds of entities and services, in one place.

use std::time::Duration;

/// Bounds of one kind of entity.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EntityLimits {
    /// Messages that may wait for one entity.
    pub(crate) mailbox: usize,
    /// Events behind the newest snapshot after which the next one is made.
    pub(crate) snapshot_every: u32,
    /// Bytes behind the newest snapshot after which the next one is made.
    pub(crate) snapshot_bytes: usize,
    /// An entity that had no message for so long leaves memory.
    pub(crate) passivate_after: Duration,
    /// Entities in memory above which the least recently used leave.
    pub(crate) max_live: usize,
    /// Failures within [`restarts_within`](Self::restarts_within) that an entity may have before it is quarantined.
    pub(crate) restarts: usize,
    pub(crate) restarts_within: Duration,
    /// How long an ask waits when it says nothing else.
    pub(crate) deadline: Duration,
}

/// Bounds of one service.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ServiceLimits {
    /// Messages that may wait in all its mailboxes together.
    pub(crate) messages: usize,
    /// Their bytes, as far as their own size tells.
    pub(crate) bytes: usize,
    /// Entities that are recovered at the same time.
    pub(crate) recoveries: usize,
    /// Explicit command ids that its live entities may remember.
    pub(crate) command_keys: usize,
    /// How long a stop waits for appends and asks.
    pub(crate) drain: Duration,
}

impl Default for EntityLimits {
    fn default() -> Self {
        Self {
            mailbox: 64,
            snapshot_every: 100,
            snapshot_bytes: 64 << 10,
            passivate_after: Duration::from_mins(2),
            max_live: 200_000,
            restarts: 5,
            restarts_within: Duration::from_mins(1),
            deadline: Duration::from_secs(5),
        }
    }
}

impl Default for ServiceLimits {
    fn default() -> Self {
        Self { messages: 16_384, bytes: 64 << 20, recoveries: 64, command_keys: 100_000, drain: Duration::from_secs(5) }
    }
}

/// The configuration (read from a file in a later commit).
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct SupervisionConfig;

impl SupervisionConfig {
    pub(crate) fn unit_of(&self, service: &str) -> &str {
        if service == "store/alarm" { "alarm" } else { "main" }
    }
}

impl EntityLimits {
    pub(crate) fn by_kind(_: &SupervisionConfig) -> Box<dyn Fn(&str) -> Self + Send> {
        Box::new(|_| Self::default())
    }
}

impl ServiceLimits {
    pub(crate) fn of(_: &SupervisionConfig, _: &str, _: &str) -> Self {
        Self::default()
    }

    pub(crate) fn internal(_: &SupervisionConfig) -> Self {
        Self::default()
    }
}
