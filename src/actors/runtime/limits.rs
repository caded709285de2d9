//! The bounds of entities and services, in one place.

use std::time::Duration;

use super::bulkhead::{Scale, SemaphoreLimits, Size, ThreadLimits};
use crate::actors::supervision::{AutoscaleConfig, BulkheadConfig, ByteCount, PlacesConfig, SupervisionConfig};

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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ServiceLimits {
    /// Messages that may wait in all its mailboxes together.
    pub(crate) messages: usize,
    /// Their bytes, as far as their own size tells.
    pub(crate) bytes: usize,
    /// Messages that have no answer yet.
    pub(crate) in_flight: usize,
    /// Entities that are recovered at the same time, and that may wait for it.
    pub(crate) recoveries: SemaphoreLimits,
    /// Commands that are handled at the same time, and that may wait for it; `None` for as many as are in flight.
    pub(crate) places: Option<SemaphoreLimits>,
    /// Explicit command ids that its live entities may remember.
    pub(crate) command_keys: usize,
    /// How long a stop waits for appends and asks.
    pub(crate) drain: Duration,
}

impl EntityLimits {
    /// The limits of each kind, as the configuration has them.
    pub(crate) fn by_kind(config: &SupervisionConfig) -> Box<dyn Fn(&str) -> Self + Send> {
        let config = config.clone();
        Box::new(move |kind| {
            let entity = config.entity(kind);
            Self {
                mailbox: count(entity.mailbox),
                snapshot_every: entity.snapshot_every,
                snapshot_bytes: bytes(entity.snapshot_bytes),
                passivate_after: entity.passivate_after,
                max_live: count(entity.max_live),
                restarts: count(entity.restarts.at_most),
                restarts_within: entity.restarts.within,
                deadline: entity.deadline,
            }
        })
    }
}

impl ServiceLimits {
    /// The limits of a service, as the configuration has them.
    pub(crate) fn of(config: &SupervisionConfig, system: &str, service: &str) -> Self {
        let limits = config.service(system, service);
        Self {
            messages: count(limits.budget_messages),
            bytes: bytes(limits.budget_bytes),
            in_flight: count(limits.in_flight),
            recoveries: SemaphoreLimits {
                size: Size::Fixed(count(limits.recoveries)),
                queue: count(limits.recovery_queue),
            },
            places: places(config.places(system, service)),
            command_keys: count(limits.command_keys),
            // What is left of its time to stop is for dropping the cells.
            drain: config.supervisors.service.shutdown.mul_f64(0.8),
        }
    }
}

/// The bounds of a bulkhead of threads, as the configuration has them.
pub(crate) fn threads(config: &BulkheadConfig) -> ThreadLimits {
    ThreadLimits {
        threads: config.autoscale.map_or(Size::Fixed(count(config.threads)), scaled),
        queue: count(config.queue),
        hard_limit: config.hard_limit,
        max_leaked: count(config.max_leaked),
    }
}

fn places(config: &PlacesConfig) -> Option<SemaphoreLimits> {
    let size = config.autoscale.map(scaled).or(config.max.map(|max| Size::Fixed(count(max))))?;
    Some(SemaphoreLimits { size, queue: count(config.queue) })
}

fn scaled(config: AutoscaleConfig) -> Size {
    let AutoscaleConfig { min, max, busy_target, idle } = config;
    Size::Scaled(Scale { min: count(min), max: count(max), busy_target, idle })
}

fn count(n: u32) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

fn bytes(n: ByteCount) -> usize {
    n.as_usize()
}
