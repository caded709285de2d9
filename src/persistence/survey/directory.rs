//! The units of a data directory, as they lie on the disk.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use super::{Look, SurveyError};
use crate::persistence::{
    Backend, OpenError,
    open::{backend_of, journal_dir, partitions_of, survey_database},
    segments,
};

/// A data directory that is looked at, not opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataDirectory {
    /// Where it is.
    pub data: PathBuf,
    /// Partitions of each unit.
    pub partitions: u16,
    /// Every unit with a journal, by name, and what keeps it.
    pub units: Vec<(String, Backend)>,
}

/// The names of all directories in `data` that have a journal.
pub(in crate::persistence) fn unit_names(data: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(data)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if backend_of(data, &name).unwrap_or(None).is_some() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

impl DataDirectory {
    /// Finds out what is in `data`.
    ///
    /// # Errors
    /// [`SurveyError`]: it is no data directory, or of a format that is not known.
    pub fn find(data: &Path) -> Result<Self, SurveyError> {
        let partitions = partitions_of(data)?.ok_or_else(|| SurveyError::NoData { data: data.to_owned() })?;
        let names = unit_names(data).map_err(|error| SurveyError::io(data, error))?;
        let backend = |name: String| Some((backend_of(data, &name).ok()??, name));
        let units = names.into_iter().filter_map(backend).map(|(backend, name)| (name, backend)).collect();
        Ok(Self { data: data.to_owned(), partitions, units })
    }

    /// Takes the data for a look at `unit`, whose journal is in sled: no process opens it before the file is dropped. `None`
    /// when none ever had it open, as in a copy: there is nothing to take then.
    ///
    /// # Errors
    /// [`SurveyError::InUse`]: a process has it open. [`SurveyError::Io`]
    pub(super) fn hold(&self, unit: &str) -> Result<Option<File>, SurveyError> {
        let path = self.data.join("LOCK");
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(SurveyError::io(path, error)),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Err(SurveyError::InUse { unit: unit.to_owned() }),
            Err(TryLockError::Error(error)) => Err(SurveyError::io(path, error)),
        }
    }

    /// The directory of a unit's journal.
    pub fn journal(&self, unit: &str) -> PathBuf {
        let known = self.units.iter().find(|(name, _)| name == unit);
        journal_dir(&self.data, unit, known.map_or(Backend::Segments, |(_, backend)| *backend))
    }

    /// Bytes of a unit's journal on the disk, at most: what a look has to pass.
    pub fn bytes(&self, unit: &str) -> u64 {
        fn sum(dir: &Path) -> u64 {
            let entries = fs::read_dir(dir).into_iter().flatten().flatten();
            let sizes = entries.map(|entry| match entry.metadata() {
                Ok(meta) if meta.is_dir() => sum(&entry.path()),
                Ok(meta) => meta.len(),
                Err(_) => 0,
            });
            sizes.sum()
        }
        sum(&self.journal(unit))
    }

    /// Shows every record of a unit to `look`. May block on the disk for as long as that takes.
    ///
    /// # Errors
    /// [`SurveyError`]. Damage is none: `look` is told of it, and the look goes on.
    pub fn look(&self, unit: &str, look: &mut dyn Look) -> Result<(), SurveyError> {
        let dir = self.journal(unit);
        match self.units.iter().find(|(name, _)| name == unit).map(|(_, backend)| *backend) {
            Some(Backend::Sled) => {
                let _held = self.hold(unit)?;
                match survey_database(&dir, self.partitions, look) {
                    Err(OpenError::Damaged { file, at, what }) => {
                        look.damage(super::Spot { file: &file, at }, None, &what);
                        Ok(())
                    }
                    outcome => Ok(outcome?),
                }
            }
            Some(Backend::Segments) => {
                segments::survey::survey(&dir, self.partitions, look).map_err(|error| SurveyError::io(dir, error))
            }
            Some(Backend::Memory) | None => Ok(()),
        }
    }
}
