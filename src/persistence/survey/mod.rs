//! Looking at data without opening it: what lies where, whether it is whole, and copies of it.
//!
//! Nothing here writes to the data, and all but sled's journals may be looked at while a process runs on them.

mod backup;
mod directory;
mod verify;

use std::{
    collections::BTreeSet,
    io,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
};

pub use self::{
    backup::{Backed, BackupError},
    directory::DataDirectory,
    verify::{Counted, Damage, EventCount, UnitReport, Verified, Verifier},
};
use super::{OpenError, TornTail, glance::Glance};

/// A place in a file.
#[derive(Clone, Copy, Debug)]
pub struct Spot<'a> {
    /// The file.
    pub file: &'a Path,
    /// Byte within it; 0 for what sled keeps.
    pub at: u64,
}

/// A base record whose checksum is right.
#[derive(Clone, Copy, Debug)]
pub struct BaseGlance<'a> {
    /// The entity's kind.
    pub kind: &'a str,
    /// The entity's key.
    pub key: &'a str,
    /// Sequence of its last deleted event.
    pub deleted: u64,
    /// Whether it had open asks after that one.
    pub open_asks: bool,
    /// The entity's public number; 0 for none.
    pub number: u64,
    /// The greatest epoch of its deleted records.
    pub epoch: u64,
    /// Sequence of the last event in the state that is kept.
    pub sequence: u64,
    /// Bytes of that state.
    pub bytes: usize,
}

/// Whoever is shown a journal.
pub trait Look {
    /// A record whose checksum is right. Breaking ends the look at this unit.
    fn record(&mut self, spot: Spot<'_>, record: &Glance<'_>) -> ControlFlow<()>;

    /// Something is not what was written; with partition and position when it is a record that can still be named.
    fn damage(&mut self, spot: Spot<'_>, record: Option<(u16, u64)>, what: &str);

    /// History was deleted on purpose up to these positions, one for each partition: the journal goes on behind them. Told
    /// before anything else.
    fn deleted(&mut self, _positions: &[u64]) {}

    /// A base record: what stands for the deleted events of a stream. Told before any record.
    fn base(&mut self, _base: BaseGlance<'_>) {}

    /// Bytes at the end that are no frame: being written just now, or never acknowledged.
    fn tail(&mut self, _tail: TornTail) {}

    /// So many bytes more were looked at.
    fn passed(&mut self, _bytes: u64) {}
}

/// Why data could not be looked at.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SurveyError {
    /// There is no data here.
    #[error("{data} is no data directory: it has no format.json", data = .data.display())]
    NoData {
        /// The directory.
        data: PathBuf,
    },
    /// A journal in sled can be read by one process at a time, and one has it open.
    #[error("the storage unit {unit} keeps its journal in sled, which only one process can read: stop the other first")]
    InUse {
        /// The unit.
        unit: String,
    },
    /// The data cannot be read as what it says it is.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The operating system said no.
    #[error("cannot read {file}", file = .file.display())]
    Io {
        /// The file or directory.
        file: PathBuf,
        /// What it said.
        #[source]
        source: Arc<io::Error>,
    },
}

impl SurveyError {
    fn io(file: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Io { file: file.into(), source: Arc::new(source) }
    }
}

pub(super) use directory::unit_names;

/// The kinds of all streams of a unit that is not open.
pub(super) fn kinds(data: &Path, unit: &str) -> Result<BTreeSet<String>, OpenError> {
    struct Kinds(BTreeSet<String>);
    impl Look for Kinds {
        fn record(&mut self, _: Spot<'_>, record: &Glance<'_>) -> ControlFlow<()> {
            if !self.0.contains(record.kind) {
                self.0.insert(record.kind.to_owned());
            }
            ControlFlow::Continue(())
        }
        fn damage(&mut self, _: Spot<'_>, _: Option<(u16, u64)>, _: &str) {}
        fn base(&mut self, base: BaseGlance<'_>) {
            self.0.insert(base.kind.to_owned());
        }
    }
    let not_read = |error: SurveyError| match error {
        SurveyError::Open(error) => error,
        error @ (SurveyError::NoData { .. } | SurveyError::InUse { .. } | SurveyError::Io { .. }) => {
            OpenError::io(data.join(unit), io::Error::other(error.to_string()))
        }
    };
    let directory = DataDirectory::find(data).map_err(not_read)?;
    let mut kinds = Kinds(BTreeSet::new());
    directory.look(unit, &mut kinds).map_err(not_read)?;
    Ok(kinds.0)
}
