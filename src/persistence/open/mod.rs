//! The only place that names a backend.

mod config;
mod error;
mod report;

use std::{collections::BTreeMap, fmt, sync::Arc};

pub use self::{
    config::{Backend, StorageConfig},
    error::OpenError,
    report::{OpenReport, TornTail},
};
use super::{Journal, MemoryStore, Projections, Snapshots};

/// A journal with what is made of it.
#[derive(Clone)]
pub struct Unit {
    /// The truth.
    pub journal: Arc<dyn Journal>,
    /// The recovery cache.
    pub snapshots: Arc<dyn Snapshots>,
    /// Rows and cursors.
    pub projections: Arc<dyn Projections>,
}

/// The opened storage units. Clones share them; when the last one is dropped, it is closed.
#[derive(Clone)]
pub struct Storage {
    opened: Arc<Opened>,
}

struct Opened {
    units: BTreeMap<String, Unit>,
    memory: BTreeMap<String, Arc<MemoryStore>>,
}

/// Opens every unit of `config`, making it when it is not there. Blocks until each journal is checked.
///
/// # Errors
/// See [`OpenError`]; nothing on disk was changed then.
pub fn open(config: &StorageConfig) -> Result<Storage, OpenError> {
    let names = unit_names(config)?;
    match config.journal {
        Backend::Memory => Ok(Storage::of_memory(
            names
                .into_iter()
                .map(|name| (name, Arc::new(MemoryStore::new(config.partitions).with_queue(config.queue))))
                .collect(),
        )),
    }
}

/// The names of all units, `main` first.
fn unit_names(config: &StorageConfig) -> Result<Vec<String>, OpenError> {
    if config.partitions == 0 {
        return Err(OpenError::Format("a storage has at least 1 partition, not 0".into()));
    }
    if config.queue == 0 {
        return Err(OpenError::Format("the journal's queue has at least 1 place, not 0".into()));
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
        let units = memory.iter().map(|(name, store)| (name.clone(), Unit::of_memory(store))).collect();
        Self { opened: Arc::new(Opened { units, memory }) }
    }

    /// The same storage as it comes back after a power cut: only what was acknowledged is in it, and appends through
    /// `self` are fenced from now on. `None` for a storage on disk: open that again.
    #[must_use]
    pub fn reopen_memory(&self) -> Option<Self> {
        if self.opened.memory.is_empty() {
            return None;
        }
        let again = |(name, store): (&String, &Arc<MemoryStore>)| (name.clone(), Arc::new(store.reopen()));
        Some(Self::of_memory(self.opened.memory.iter().map(again).collect()))
    }

    /// The unit of that name.
    pub fn unit(&self, name: &str) -> Option<&Unit> {
        self.opened.units.get(name)
    }

    /// Every unit with its name, by name.
    pub fn units(&self) -> impl Iterator<Item = (&str, &Unit)> {
        self.opened.units.iter().map(|(name, unit)| (name.as_str(), unit))
    }

    /// Commits what was handed over, syncs, and refuses from then on. Blocks until that is done; calling it again
    /// does nothing.
    pub fn close(&self) {
        self.opened.close();
    }
}

impl Unit {
    fn of_memory(store: &Arc<MemoryStore>) -> Self {
        Self { journal: store.clone(), snapshots: store.clone(), projections: store.clone() }
    }
}

impl Opened {
    fn close(&self) {
        for unit in self.units.values() {
            unit.journal.close();
        }
    }
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
