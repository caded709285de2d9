//! The only place that names a backend.
//!
//! ```text
//! <data>/LOCK                   held while open
//! <data>/format.json            format and number of partitions
//! <data>/ballast                given up when the disk is nearly full
//! <data>/<unit>/journal/*.seg   the truth, kept by segments
//! <data>/<unit>/journal-sled/   the truth, kept by sled
//! <data>/<unit>/services.json   which services keep their streams here
//! <data>/<unit>/sled/           what can be derived from it: may be deleted while closed
//! ```

mod config;
mod directory;
mod error;
mod place;
mod report;

use std::{
    collections::BTreeMap,
    fmt,
    fs::File,
    path::PathBuf,
    sync::{Arc, Mutex},
};

pub use self::{
    config::{Backend, StorageConfig},
    error::OpenError,
    place::{Elsewhere, Placed},
    report::{OpenReport, TornTail},
};
pub(super) use self::{
    directory::partitions_of,
    place::{backend_of, journal_dir, survey_database},
};
use super::{
    Faults, Journal, MemoryStore, Projections, Snapshots, faults,
    segments::{Scanned, SegmentsConfig, SegmentsJournal},
    sled::{
        SledConfig, SledStore,
        journal::{SledJournal, SledJournalConfig},
    },
    space::{FileSystem, Room, SpaceConfig, SpaceWatch},
    sync::lock,
};

/// A journal with what is made of it.
#[derive(Clone)]
pub struct Unit {
    /// The truth.
    pub journal: Arc<dyn Journal>,
    /// The recovery cache.
    pub snapshots: Arc<dyn Snapshots>,
    /// Rows and cursors.
    pub projections: Arc<dyn Projections>,
    /// Nothing of it survives the process, while other units do.
    pub forgetful: bool,
}

/// The opened storage units. Clones share them; when the last one is dropped, it is closed.
#[derive(Clone)]
pub struct Storage {
    opened: Arc<Opened>,
}

#[derive(Default)]
struct Opened {
    units: BTreeMap<String, Unit>,
    report: Vec<OpenReport>,
    memory: BTreeMap<String, Arc<MemoryStore>>,
    tables: Vec<Arc<SledStore>>,
    /// Looks at the disk, until closed.
    space: Mutex<Option<SpaceWatch>>,
    /// The lock on the data directory, until closed.
    held: Mutex<Option<File>>,
    /// The data directory; `None` when everything is in memory.
    data: Option<PathBuf>,
    /// The storage behind this one, when this one only puts faults in front of it.
    behind: Option<Storage>,
}

/// Opens every unit of `config`, making it when it is not there. Blocks until each journal is checked.
///
/// # Errors
/// See [`OpenError`]. Units before the one that failed were opened, and are closed again.
pub fn open(config: &StorageConfig) -> Result<Storage, OpenError> {
    let names = unit_names(config)?;
    if names.iter().all(|name| config.backend(name) == Backend::Memory) {
        return Ok(Storage::of_memory(names.into_iter().map(|name| (name, memory(config))).collect()));
    }
    // What is opened so far is closed again should a later unit fail.
    let mut opened = Opened::default();
    opened.data = Some(config.data.clone());
    *lock(&opened.held) = Some(directory::hold(&config.data)?);
    directory::check_format(&config.data, config.partitions, config.deletes_history)?;
    let space = SpaceConfig { dir: config.data.clone(), mark: config.low_space_bytes, ballast: config.ballast_bytes };
    // Before anything is changed, the tables included: opening those after a kill writes to them.
    let mut scanned = Vec::with_capacity(names.len());
    for name in &names {
        place::check_backend(&config.data, name, config.backend(name))?;
        scanned.push(match config.backend(name) {
            Backend::Segments => Scanned::of(&place::segments(&config.data, name), config.partitions)?,
            Backend::Sled | Backend::Memory => None,
        });
    }
    let watch = SpaceWatch::start(&space, Arc::new(FileSystem))?;
    let room = watch.room();
    *lock(&opened.space) = Some(watch);
    for (name, scanned) in names.into_iter().zip(scanned) {
        opened.open_unit(config, name, scanned, &room)?;
    }
    Ok(Storage { opened: Arc::new(opened) })
}

fn memory(config: &StorageConfig) -> Arc<MemoryStore> {
    Arc::new(MemoryStore::new(config.partitions).with_queue(config.queue))
}

/// A page: less would be nothing but headers.
const MIN_SEGMENT: u64 = 4 << 10;

/// A place in a segment is four bytes; a quarter of that leaves room for a last long record.
const MAX_SEGMENT: u64 = 1 << 30;

/// The names of all units, `main` first.
fn unit_names(config: &StorageConfig) -> Result<Vec<String>, OpenError> {
    if config.partitions == 0 {
        return Err(OpenError::Format("a storage has at least 1 partition, not 0".into()));
    }
    if config.queue == 0 {
        return Err(OpenError::Format("the journal's queue has at least 1 place, not 0".into()));
    }
    if !(MIN_SEGMENT..=MAX_SEGMENT).contains(&config.segment_bytes) {
        let bytes = config.segment_bytes;
        return Err(OpenError::Format(format!("a segment has {MIN_SEGMENT} to {MAX_SEGMENT} bytes, not {bytes}")));
    }
    let mut names = vec![StorageConfig::MAIN.to_owned()];
    for name in &config.units {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty() || name.len() > 32 || !name.chars().all(allowed) {
            return Err(OpenError::Format(format!(
                "a storage unit is named by at most 32 small letters, digits and dashes, not {name:?}"
            )));
        }
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    Ok(names)
}

impl Storage {
    /// A storage of units in memory that the caller keeps a hand on, as tests do.
    pub fn of_memory(memory: BTreeMap<String, Arc<MemoryStore>>) -> Self {
        let mut opened = Opened::default();
        opened.units = memory.iter().map(|(name, store)| (name.clone(), Unit::of_memory(store))).collect();
        opened.memory = memory;
        Self { opened: Arc::new(opened) }
    }

    /// The same storage as it comes back after a power cut: only what was acknowledged is in it, and appends through
    /// `self` are fenced from now on. `None` for a storage on disk: open that again.
    #[must_use]
    pub fn reopen_memory(&self) -> Option<Self> {
        if self.opened.data.is_some() {
            return None;
        }
        let again = |(name, store): (&String, &Arc<MemoryStore>)| (name.clone(), Arc::new(store.reopen()));
        Some(Self::of_memory(self.opened.memory.iter().map(again).collect()))
    }

    /// The same storage with a fault in front of all its units, for tests. Closing it closes this one.
    #[must_use]
    pub fn with_faults(&self, faults: &Arc<Faults>) -> Self {
        let mut opened = Opened::default();
        let in_front = |(name, unit): (&str, &Unit)| (name.to_owned(), faults::in_front_of(unit, faults));
        opened.units = self.units().map(in_front).collect();
        opened.data.clone_from(&self.opened.data);
        opened.behind = Some(self.clone());
        Self { opened: Arc::new(opened) }
    }

    /// The store behind a unit in memory, for tests that hold, fail or crash it.
    pub fn memory_unit(&self, name: &str) -> Option<Arc<MemoryStore>> {
        self.opened.memory.get(name).cloned()
    }

    /// The unit of that name.
    pub fn unit(&self, name: &str) -> Option<&Unit> {
        self.opened.units.get(name)
    }

    /// Every unit with its name, by name.
    pub fn units(&self) -> impl Iterator<Item = (&str, &Unit)> {
        self.opened.units.iter().map(|(name, unit)| (name.as_str(), unit))
    }

    /// What opening each unit found; empty for units in memory.
    pub fn report(&self) -> &[OpenReport] {
        &self.opened.report
    }

    /// Commits what was handed over, syncs, and refuses from then on. Blocks until that is done; calling it again
    /// does nothing. Snapshots and projections fail from then on, and the data directory is free.
    pub fn close(&self) {
        self.opened.close();
    }
}

impl Unit {
    pub(super) fn of_memory(store: &Arc<MemoryStore>) -> Self {
        Self { journal: store.clone(), snapshots: store.clone(), projections: store.clone(), forgetful: false }
    }
}

impl Opened {
    fn open_unit(
        &mut self,
        config: &StorageConfig,
        name: String,
        scanned: Option<Scanned>,
        room: &Arc<Room>,
    ) -> Result<(), OpenError> {
        if config.backend(&name) == Backend::Memory {
            let store = memory(config);
            self.units.insert(name.clone(), Unit { forgetful: true, ..Unit::of_memory(&store) });
            self.memory.insert(name, store);
            return Ok(());
        }
        let dir = config.data.join(&name);
        directory::make(&config.data, &dir)?;
        let tables = SledStore::open(&SledConfig { dir: dir.join("sled"), cache_bytes: config.sled_cache_bytes });
        let tables = Arc::new(tables?);
        let (journal, report): (Arc<dyn Journal>, _) = match config.backend(&name) {
            Backend::Sled => open_sled(config, &name, room)?,
            Backend::Segments | Backend::Memory => open_segments(config, &name, scanned, room)?,
        };
        self.report.push(report);
        self.tables.push(Arc::clone(&tables));
        let unit = Unit { journal, snapshots: tables.clone(), projections: tables, forgetful: false };
        self.units.insert(name, unit);
        Ok(())
    }

    fn close(&self) {
        for unit in self.units.values() {
            unit.journal.close();
        }
        if let Some(behind) = &self.behind {
            behind.close();
        }
        for tables in &self.tables {
            tables.close();
        }
        drop(lock(&self.space).take());
        drop(lock(&self.held).take());
    }
}

fn open_segments(
    config: &StorageConfig,
    name: &str,
    scanned: Option<Scanned>,
    room: &Arc<Room>,
) -> Result<(Arc<dyn Journal>, OpenReport), OpenError> {
    let config = SegmentsConfig {
        dir: place::segments(&config.data, name),
        partitions: config.partitions,
        segment_bytes: config.segment_bytes,
        queue: config.queue,
        room: Arc::clone(room),
    };
    let journal = SegmentsJournal::open_scanned(&config, scanned)?;
    let report = OpenReport {
        unit: name.to_owned(),
        streams: journal.streams(),
        epoch: journal.epoch(),
        skimmed_to: journal.skimmed_to(),
        torn: journal.torn(),
    };
    Ok((Arc::new(journal), report))
}

fn open_sled(
    config: &StorageConfig,
    name: &str,
    room: &Arc<Room>,
) -> Result<(Arc<dyn Journal>, OpenReport), OpenError> {
    let journal = SledJournal::open(&SledJournalConfig {
        dir: place::sled(&config.data, name),
        partitions: config.partitions,
        queue: config.queue,
        cache_bytes: config.sled_cache_bytes,
        room: Arc::clone(room),
    })?;
    let (streams, epoch) = (journal.streams(), journal.epoch());
    Ok((Arc::new(journal), OpenReport { unit: name.to_owned(), streams, epoch, skimmed_to: 0, torn: None }))
}

impl Drop for Opened {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unit").field("partitions", &self.journal.partitions()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.units()).finish()
    }
}

#[cfg(test)]
mod tests;
