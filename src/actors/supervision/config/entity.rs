//! `[entity]` and `[service]`: the limits of cells and services.

use std::{collections::BTreeMap, time::Duration};

use super::{super::intensity::Intensity, error::ConfigError, section::Section, units::ByteCount};

/// `[entity]` or `[entity.<kind>]`: the limits of each entity of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityConfig {
    /// Commands that may wait for one entity. Default 64, from 1 to 65 536.
    pub mailbox: u32,
    /// Events since the last snapshot that make a new one. Default 100, from 1 to 1 000 000.
    pub snapshot_every: u32,
    /// Bytes of events since the last snapshot that make a new one. Default 64 KiB, from 1 KiB to 64 MiB.
    pub snapshot_bytes: ByteCount,
    /// The time without a command after which an entity leaves memory. Default 5 min, from 10 ms to 24 h.
    pub passivate_after: Duration,
    /// Entities of the kind in memory, above which the least recently used leave. Default 100 000, from 1 to
    /// 100 000 000.
    pub max_live: u32,
    /// Failures of one entity that are too many: it is quarantined then. Default 5 within 60 s; at most 1000,
    /// within 1 ms to 24 h.
    pub restarts: Intensity,
    /// The deadline of an ask that names none. Default 3 s, from 1 ms to 10 min.
    pub deadline: Duration,
}

impl Default for EntityConfig {
    fn default() -> Self {
        Self {
            mailbox: 64,
            snapshot_every: 100,
            snapshot_bytes: ByteCount::kib(64),
            passivate_after: Duration::from_mins(5),
            max_live: 100_000,
            restarts: Intensity { at_most: 5, within: Duration::from_mins(1) },
            deadline: Duration::from_secs(3),
        }
    }
}

/// `[service]` or `[service.<system>.<service>]`: the limits of each service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceConfig {
    /// Commands that may wait in all mailboxes of a service together. Default 4096, from 1 to 1 000 000.
    pub budget_messages: u32,
    /// Bytes of these commands. Default 64 MiB, from 64 KiB to 16 GiB.
    pub budget_bytes: ByteCount,
    /// Commands and reads that may be under way: those that wait, and those that were decided and have no answer yet,
    /// since their events are not durable or another entity is asked. Default 16 384, from 1 to 1 000 000.
    pub in_flight: u32,
    /// Entities that may be recovered at a time. Default 16, from 1 to 1024.
    pub recoveries: u32,
    /// Entities that may wait for being recovered; what is asked of more is refused. Default 1024, from 0 to 1 000 000.
    pub recovery_queue: u32,
    /// Idempotency keys that are kept (for 24 h); when full, new keys are refused. Default 100 000, from 1
    /// to 10 000 000.
    pub command_keys: u32,
}

impl Default for ServiceConfig {
    fn default() -> Self {
        Self {
            budget_messages: 4096,
            budget_bytes: ByteCount::mib(64),
            in_flight: 16_384,
            recoveries: 16,
            recovery_queue: 1024,
            command_keys: 100_000,
        }
    }
}

const MS: Duration = Duration::from_millis(1);
const TEN_MINUTES: Duration = Duration::from_mins(10);
const DAY: Duration = Duration::from_hours(24);

/// The defaults of all kinds, and the kinds that differ, by their names as the file has them.
pub(super) fn entities(
    mut section: Section<'_>,
) -> Result<(EntityConfig, BTreeMap<String, EntityConfig>), ConfigError> {
    let default = entity(&mut section, &EntityConfig::default())?;
    let mut kinds = BTreeMap::new();
    for (name, _, mut kind) in section.named()? {
        // `[entity.store.order]` is two tables deep, `[entity.order]` and `[entity."store.order"]` are one.
        let bare = kind.is_empty();
        let config = entity(&mut kind, &default)?;
        let nested = kind.named()?;
        if bare || nested.is_empty() || config != default {
            kinds.insert(name.clone(), config);
        }
        for (below, _, mut section) in nested {
            let config = entity(&mut section, &default)?;
            section.finish()?;
            kinds.insert(format!("{name}.{below}"), config);
        }
        kind.finish()?;
    }
    section.finish()?;
    Ok((default, kinds))
}

fn entity(section: &mut Section<'_>, default: &EntityConfig) -> Result<EntityConfig, ConfigError> {
    let snapshot_bounds = ByteCount::kib(1)..=ByteCount::mib(64);
    Ok(EntityConfig {
        mailbox: section.bounded("mailbox", default.mailbox, 1..=65_536)?.value,
        snapshot_every: section.bounded("snapshot_every", default.snapshot_every, 1..=1_000_000)?.value,
        snapshot_bytes: section.bounded("snapshot_bytes", default.snapshot_bytes, snapshot_bounds)?.value,
        passivate_after: section.bounded("passivate_after", default.passivate_after, 10 * MS..=DAY)?.value,
        max_live: section.bounded("max_live", default.max_live, 1..=100_000_000)?.value,
        restarts: {
            let mut restarts = section.section("restarts")?;
            let intensity = intensity(&mut restarts, default.restarts)?;
            restarts.finish()?;
            intensity
        },
        deadline: section.bounded("deadline", default.deadline, MS..=TEN_MINUTES)?.value,
    })
}

/// `at_most` and `within`, wherever they stand.
pub(super) fn intensity(section: &mut Section<'_>, default: Intensity) -> Result<Intensity, ConfigError> {
    Ok(Intensity {
        at_most: section.bounded("at_most", default.at_most, 0..=1000)?.value,
        within: section.bounded("within", default.within, MS..=DAY)?.value,
    })
}

/// The defaults of all services, and those that differ, as `<system>/<service>`.
pub(super) fn services(
    mut section: Section<'_>,
) -> Result<(ServiceConfig, BTreeMap<String, ServiceConfig>), ConfigError> {
    let default = service(&mut section, &ServiceConfig::default())?;
    let mut services = BTreeMap::new();
    for (system, _, mut section) in section.named()? {
        for (name, _, mut section) in section.named()? {
            services.insert(format!("{system}/{name}"), service(&mut section, &default)?);
            section.finish()?;
        }
        section.finish()?;
    }
    section.finish()?;
    Ok((default, services))
}

fn service(section: &mut Section<'_>, default: &ServiceConfig) -> Result<ServiceConfig, ConfigError> {
    let byte_bounds = ByteCount::kib(64)..=ByteCount::mib(16 * 1024);
    Ok(ServiceConfig {
        budget_messages: section.bounded("budget_messages", default.budget_messages, 1..=1_000_000)?.value,
        budget_bytes: section.bounded("budget_bytes", default.budget_bytes, byte_bounds)?.value,
        in_flight: section.bounded("in_flight", default.in_flight, 1..=1_000_000)?.value,
        recoveries: section.bounded("recoveries", default.recoveries, 1..=1024)?.value,
        recovery_queue: section.bounded("recovery_queue", default.recovery_queue, 0..=1_000_000)?.value,
        command_keys: section.bounded("command_keys", default.command_keys, 1..=10_000_000)?.value,
    })
}
