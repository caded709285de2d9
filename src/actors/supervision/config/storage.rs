//! `[storage]`: what is kept where.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use super::{
    error::{ConfigError, Place, Problem},
    section::{Read, Section},
    units::ByteCount,
    value::Value,
};

/// `[storage]`: the data directory and its journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageConfig {
    /// The data directory. Default `./data`.
    pub data: PathBuf,
    /// What keeps the journal. Default segments.
    pub journal: JournalKind,
    /// Partitions of a storage unit; counts when its data is created, later the data's own number holds.
    /// Default 16, from 1 to 1024.
    pub partitions: u32,
    /// The size of a segment file. Default 64 MiB, from 64 KiB to 1 GiB.
    pub segment_bytes: ByteCount,
    /// Appends that may wait for the writer of a unit. Default 4096, from 1 to 65 536.
    pub queue: u32,
    /// The cache of each sled database. Default 64 MiB, from 1 MiB to 16 GiB.
    pub sled_cache: ByteCount,
    /// Writes are refused while the disk has less left. Default 256 MiB, from 0 B (never) to 1 TiB.
    pub low_space: ByteCount,
    /// The size of a file that is given up when that happens, so that everything else goes on. Default 64 MiB, from
    /// 0 B (none) to 16 GiB.
    pub ballast: ByteCount,
    /// Whether segments that every view and policy has dealt with are moved to `archive/` beside the others. They are
    /// kept for ever and are read as before. Default false.
    pub archive: bool,
    /// Events that are older are deleted for good, segment by segment, once every view and policy has dealt with them and
    /// every entity that loses some has a base record. Default: none, history is kept for ever. From 2d, which is longer
    /// than the 24 hours for which a command may be repeated, to 36500d.
    pub history: Option<Duration>,
    /// The services with a storage unit of their own, by the unit's name: `<system>/<service>` in small
    /// letters. Default: `alarm` has `store/alarm`, `notification` has `procurement/notification`. A file that names units replaces the default.
    pub units: BTreeMap<String, Vec<String>>,
    /// What keeps the journal of a unit, where that is not what `journal` says.
    pub unit_journals: BTreeMap<String, JournalKind>,
}

impl Default for StorageConfig {
    fn default() -> Self {
        Self {
            data: PathBuf::from("./data"),
            journal: JournalKind::Segments,
            partitions: 16,
            segment_bytes: ByteCount::mib(64),
            queue: 4096,
            sled_cache: ByteCount::mib(64),
            low_space: ByteCount::mib(256),
            ballast: ByteCount::mib(64),
            archive: false,
            history: None,
            units: [("alarm", "store/alarm"), ("notification", "procurement/notification")]
                .map(|(unit, service)| (unit.to_owned(), vec![service.to_owned()]))
                .into(),
            unit_journals: BTreeMap::new(),
        }
    }
}

/// What keeps a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum JournalKind {
    /// Segment files: survives the process and the power.
    Segments,
    /// sled: survives the process and the power, and is slower.
    Sled,
    /// Memory: gone with the process.
    Memory,
}

impl Read for JournalKind {
    const EXPECTED: &'static str = "\"segments\", \"sled\" or \"memory\"";
    fn read(value: &Value) -> Option<Self> {
        match String::read(value)?.as_str() {
            "segments" => Some(Self::Segments),
            "sled" => Some(Self::Sled),
            "memory" => Some(Self::Memory),
            _ => None,
        }
    }
}

pub(super) fn storage(mut section: Section<'_>) -> Result<StorageConfig, ConfigError> {
    let default = StorageConfig::default();
    let segment_bounds = ByteCount::kib(64)..=ByteCount::mib(1024);
    let cache_bounds = ByteCount::mib(1)..=ByteCount::mib(16 * 1024);
    let listed = units(section.section("unit")?)?;
    let (units, unit_journals) = listed.unwrap_or((default.units, BTreeMap::new()));
    let low_bounds = ByteCount::bytes(0)..=ByteCount::mib(1024 * 1024);
    let ballast_bounds = ByteCount::bytes(0)..=ByteCount::mib(16 * 1024);
    let history = section.optionally_bounded("history", LEAST_HISTORY..=days(36_500))?;
    let config = StorageConfig {
        data: section.or("data", default.data)?.value,
        journal: section.or("journal", default.journal)?.value,
        partitions: section.bounded("partitions", default.partitions, 1..=1024)?.value,
        segment_bytes: section.bounded("segment_bytes", default.segment_bytes, segment_bounds)?.value,
        queue: section.bounded("queue", default.queue, 1..=65_536)?.value,
        sled_cache: section.bounded("sled_cache", default.sled_cache, cache_bounds)?.value,
        low_space: section.bounded("low_space", default.low_space, low_bounds)?.value,
        ballast: section.bounded("ballast", default.ballast, ballast_bounds)?.value,
        archive: section.or("archive", default.archive)?.value,
        history,
        units,
        unit_journals,
    };
    section.finish()?;
    Ok(config)
}

const fn days(days: u64) -> Duration {
    Duration::from_hours(24 * days)
}

/// Longer than a command id is remembered, so that whoever may still repeat a command can be shown what it did.
const LEAST_HISTORY: Duration = days(2);

/// The services of each unit, and what keeps its journal when it says so.
type Units = (BTreeMap<String, Vec<String>>, BTreeMap<String, JournalKind>);

/// `None`: the file says nothing about units.
fn units(mut section: Section<'_>) -> Result<Option<Units>, ConfigError> {
    if section.is_empty() {
        return Ok(None);
    }
    let (mut units, mut journals) = (BTreeMap::new(), BTreeMap::new());
    let mut taken: BTreeMap<String, String> = BTreeMap::new();
    for (name, place, mut unit) in section.named()? {
        check_name(&name, &place, section.key(&name))?;
        let Some(services) = unit.optional::<Vec<String>>("services")? else {
            return Err(ConfigError::refused(place, Problem::Missing { key: unit.key("services") }));
        };
        let names: Vec<_> = services.value.iter().map(|service| service.to_ascii_lowercase()).collect();
        for service in &names {
            let at = || services.place.clone().unwrap_or_else(|| place.clone());
            if !service.split_once('/').is_some_and(|(system, rest)| !system.is_empty() && !rest.is_empty()) {
                let expected = "names of services, as \"store/alarm\"".to_owned();
                let problem =
                    Problem::Unreadable { key: services.key.clone(), value: format!("{service:?}"), expected };
                return Err(ConfigError::refused(at(), problem));
            }
            if let Some(other) = taken.insert(service.clone(), services.key.clone()) {
                let problem = Problem::Same { key: services.key.clone(), other, value: service.clone() };
                return Err(ConfigError::refused(at(), problem));
            }
        }
        if let Some(journal) = unit.optional::<JournalKind>("journal")? {
            journals.insert(name.clone(), journal.value);
        }
        unit.finish()?;
        units.insert(name, names);
    }
    section.finish()?;
    Ok(Some((units, journals)))
}

/// A unit's name is also the name of its directory.
fn check_name(name: &str, place: &Place, key: String) -> Result<(), ConfigError> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !name.is_empty() && name.len() <= 64 && name.chars().all(fits) {
        return Ok(());
    }
    let expected = "a name of at most 64 letters, digits and -".to_owned();
    let problem = Problem::Unreadable { key, value: format!("{name:?}"), expected };
    Err(ConfigError::refused(place.clone(), problem))
}
