use std::{collections::BTreeMap, fmt, path::PathBuf};

/// Where data is kept, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageConfig {
    /// The data directory; made when it is not there. Not used by [`Backend::Memory`].
    pub data: PathBuf,
    /// What keeps the events.
    pub journal: Backend,
    /// Number of partitions of each unit, at least 1. Fixed when the data is made: another value is refused later.
    pub partitions: u16,
    /// Storage units by name: small letters, digits and dashes, at most 32. [`StorageConfig::MAIN`] is always among
    /// those that are opened.
    pub units: Vec<String>,
    /// What keeps the events of a unit, where that is not what `journal` says.
    pub backends: BTreeMap<String, Backend>,
    /// Bytes of one segment file, from 4 KiB to 1 GiB.
    pub segment_bytes: u64,
    /// Appends that may wait for the writer, at least 1; more are answered `Overloaded`.
    pub queue: usize,
    /// Bytes of memory for sled's page cache, per unit.
    pub sled_cache_bytes: u64,
    /// Whether history may be deleted. Programs of before refuse the data from then on, since they know no base records.
    pub deletes_history: bool,
    /// Writes are refused while the disk has fewer bytes left; 0 for never.
    pub low_space_bytes: u64,
    /// Bytes of a file that is given up when that happens, so that everything else goes on; 0 for none.
    pub ballast_bytes: u64,
}

/// What keeps the events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Backend {
    /// Append-only files of checked frames: the default.
    Segments,
    /// sled 0.34 with syncs of our own.
    Sled,
    /// Nothing survives the process.
    Memory,
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Segments => "segments",
            Self::Sled => "sled",
            Self::Memory => "memory",
        })
    }
}

impl StorageConfig {
    /// Name of the unit that is always there. On disk: never rename.
    pub const MAIN: &str = "main";

    /// The defaults, with the data in `data`.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            data: data.into(),
            journal: Backend::Segments,
            partitions: 16,
            units: vec![Self::MAIN.to_owned()],
            backends: BTreeMap::new(),
            segment_bytes: 64 << 20,
            queue: 8192,
            sled_cache_bytes: 64 << 20,
            deletes_history: false,
            low_space_bytes: 256 << 20,
            ballast_bytes: 64 << 20,
        }
    }

    /// What keeps the events of a unit.
    pub fn backend(&self, unit: &str) -> Backend {
        self.backends.get(unit).copied().unwrap_or(self.journal)
    }

    /// The defaults, with everything in memory.
    pub fn memory() -> Self {
        Self { journal: Backend::Memory, ..Self::new("") }
    }
}

impl Default for StorageConfig {
    fn default() -> Self {
        Self::new("data")
    }
}
