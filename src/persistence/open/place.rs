//! What lies where: which backend keeps a unit's journal, and which services keep their streams in it. A configuration
//! that says otherwise is refused; an empty journal beside a full one would look like a shop without a past.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::{Backend, OpenError, Storage};
use crate::persistence::{Look, sled::journal, survey};

/// A service and the unit that it is to keep its streams in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// `<system>/<service>`.
    pub service: String,
    /// The unit.
    pub unit: String,
    /// The kinds of its entities.
    pub kinds: Vec<String>,
}

/// Why services cannot have their streams where they are to be.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Elsewhere {
    /// Its streams are in another unit: configure that one. Nothing was changed.
    #[error(
        "{service} is configured to use the storage unit {unit}, but has data of kind {kind} in the unit {found}: \
         give it that unit again, or move its data first"
    )]
    Moved {
        /// The service.
        service: String,
        /// The unit that it is to use.
        unit: String,
        /// The unit with its streams.
        found: String,
        /// One of the kinds that are there.
        kind: String,
    },
    /// Another unit could not be looked at.
    #[error(transparent)]
    NotRead(#[from] OpenError),
}

const SERVICES: &str = "services.json";

pub(super) fn segments(data: &Path, unit: &str) -> PathBuf {
    data.join(unit).join("journal")
}

pub(super) fn sled(data: &Path, unit: &str) -> PathBuf {
    data.join(unit).join("journal-sled")
}

/// Where a unit's journal is.
pub(in crate::persistence) fn journal_dir(data: &Path, unit: &str, backend: Backend) -> PathBuf {
    if backend == Backend::Sled { sled(data, unit) } else { segments(data, unit) }
}

/// Shows every record of a journal in sled that nobody has open.
pub(in crate::persistence) fn survey_database(
    dir: &Path,
    partitions: u16,
    look: &mut dyn Look,
) -> Result<(), OpenError> {
    journal::survey::survey(dir, partitions, look)
}

/// What keeps the journal that is on disk; `None` when there is none.
pub(in crate::persistence) fn backend_of(data: &Path, unit: &str) -> io::Result<Option<Backend>> {
    if journal::is_there(&sled(data, unit)) {
        return Ok(Some(Backend::Sled));
    }
    let dir = segments(data, unit);
    if !dir.try_exists()? {
        return Ok(None);
    }
    Ok(fs::read_dir(dir)?.next().is_some().then_some(Backend::Segments))
}

/// Refuses a backend that would begin an empty journal beside a full one.
pub(super) fn check_backend(data: &Path, unit: &str, wanted: Backend) -> Result<(), OpenError> {
    let found = backend_of(data, unit).map_err(|error| OpenError::io(data.join(unit), error))?;
    match found {
        Some(found) if found != wanted => Err(OpenError::Format(format!(
            "the storage unit {unit} in {} keeps its journal in {found}, and {wanted} is configured: it would start \
             empty; configure {found}, or choose another directory",
            data.display()
        ))),
        Some(_) | None => Ok(()),
    }
}

impl Storage {
    /// Checks that no unit which is not open has streams of these services, and notes beside each open unit which
    /// services it has. Nothing to do in memory. May block on the disk.
    ///
    /// # Errors
    /// [`Elsewhere`]: nothing was noted then.
    pub fn place(&self, services: &[Placed]) -> Result<(), Elsewhere> {
        let Some(data) = &self.opened.data else { return Ok(()) };
        let on_disk = |unit: &str| self.unit(unit).is_some_and(|unit| !unit.forgetful);
        let io = |error: io::Error| Elsewhere::NotRead(OpenError::io(data, error));
        for unit in survey::unit_names(data).map_err(io)?.iter().filter(|unit| !on_disk(unit)) {
            look_into(data, unit, services)?;
        }
        let mut by_unit: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for placed in services.iter().filter(|placed| on_disk(&placed.unit)) {
            by_unit.entry(&placed.unit).or_default().insert(&placed.service);
        }
        for (unit, own) in by_unit {
            note(data, unit, &own, services).map_err(io)?;
        }
        Ok(())
    }
}

/// Looks for streams of `services` in a unit that is not open.
fn look_into(data: &Path, unit: &str, services: &[Placed]) -> Result<(), Elsewhere> {
    let noted = noted(data, unit);
    let here = |placed: &&Placed| noted.as_ref().is_none_or(|noted| noted.contains(&placed.service));
    let suspects: Vec<&Placed> = services.iter().filter(here).collect();
    if suspects.is_empty() {
        return Ok(());
    }
    let kinds = survey::kinds(data, unit)?;
    for placed in suspects {
        if let Some(kind) = placed.kinds.iter().find(|kind| kinds.contains(kind.as_str())) {
            let Placed { service, unit: wanted, .. } = placed.clone();
            return Err(Elsewhere::Moved { service, unit: wanted, found: unit.to_owned(), kind: kind.clone() });
        }
    }
    Ok(())
}

/// The services that were noted; `None` when nothing readable is.
fn noted(data: &Path, unit: &str) -> Option<BTreeSet<String>> {
    serde_json::from_slice(&fs::read(data.join(unit).join(SERVICES)).ok()?).ok()
}

/// Notes the services of a unit, beside those of systems that do not run here.
fn note(data: &Path, unit: &str, own: &BTreeSet<&str>, services: &[Placed]) -> io::Result<()> {
    let before = noted(data, unit).unwrap_or_default();
    let elsewhere = |service: &String| services.iter().any(|placed| placed.service == *service);
    let mut now: BTreeSet<String> = before.iter().filter(|service| !elsewhere(service)).cloned().collect();
    now.extend(own.iter().map(|service| (*service).to_owned()));
    if now == before {
        return Ok(());
    }
    let dir = data.join(unit);
    let unfinished = dir.join("services.json.new");
    let mut file = File::create(&unfinished)?;
    serde_json::to_writer(&file, &now)?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    fs::rename(&unfinished, dir.join(SERVICES))?;
    File::open(dir)?.sync_all()
}
