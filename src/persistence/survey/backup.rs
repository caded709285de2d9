//! A copy of all journals that opens to the same, and how it comes back.
//!
//! A journal only grows, so a copy of a running one is a prefix of it: what is apart from the segments is copied first,
//! then the segments that are there by then, the last one up to the frame that was whole when it was met. History that is
//! deleted between the two leaves a gap behind what was copied of `bases`: there is no copy then. What can be derived
//! from the journals is left out. The copy is a data directory of its own, with `backup.json` beside the units: every
//! file with its length and checksum.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::{DataDirectory, SurveyError};
use crate::persistence::{Backend, segments::copying};

const MANIFEST: &str = "backup.json";

/// Bytes copied at once.
const CHUNK: usize = 1 << 20;

/// Why there is no copy, or nothing was restored.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The place where it should go is not empty. Nothing was touched.
    #[error("{to} is not empty, and nothing is overwritten: choose another directory", to = .to.display())]
    NotEmpty {
        /// That place.
        to: PathBuf,
    },
    /// It is no finished backup.
    #[error("{from} is no finished backup: {what}", from = .from.display())]
    NoBackup {
        /// The directory.
        from: PathBuf,
        /// What is missing.
        what: String,
    },
    /// A file of the backup is not what was written.
    #[error("{file} is damaged: {what}", file = .file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The data could not be read.
    #[error(transparent)]
    Survey(#[from] SurveyError),
    /// The operating system said no.
    #[error("cannot copy {file}", file = .file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What it said.
        #[source]
        source: Arc<io::Error>,
    },
}

impl BackupError {
    fn io(file: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::Io { file: file.to_owned(), source: Arc::new(source) }
    }
}

/// What was copied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backed {
    /// Files below the directory.
    files: Vec<Copied>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Copied {
    path: PathBuf,
    bytes: u64,
    crc32c: u32,
}

impl Backed {
    /// How many files.
    pub fn files(&self) -> usize {
        self.files.len()
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }
}

impl DataDirectory {
    /// Copies all journals to `to`, which is not there or empty. May be called while a process runs on the data, unless a
    /// journal is in sled: no process can open the data then before this returns. The copy is durable by then. May block on
    /// the disk.
    ///
    /// # Errors
    /// [`BackupError`]: the copy is then not finished, and `restore` refuses it.
    pub fn back_up(&self, to: &Path, passed: &mut dyn FnMut(u64)) -> Result<Backed, BackupError> {
        refuse_full(to)?;
        // sled changes its files from its opening on: nobody opens them before all of it is copied.
        let in_sled = self.units.iter().find(|(_, backend)| *backend == Backend::Sled);
        let _held = in_sled.map(|(unit, _)| self.hold(unit)).transpose()?;
        fs::create_dir_all(to).map_err(BackupError::io(to))?;
        let mut backed = Backed { files: Vec::new() };
        for (unit, backend) in &self.units {
            let journal = self.journal(unit);
            let mut beside = Vec::new();
            list(&journal, &mut beside).map_err(BackupError::io(&journal))?;
            beside.retain(|file| !is_segment(file));
            beside.sort();
            let services = self.data.join(unit).join("services.json");
            for file in services.exists().then_some(services).into_iter().chain(beside) {
                backed.files.push(copy(&self.data, to, &file, None, passed)?);
            }
            if *backend != Backend::Segments {
                continue;
            }
            // Listed last: what says how far segments go never says more than they have.
            let copied = to.join(journal.strip_prefix(&self.data).unwrap_or(&journal));
            let segments = copying::segments(&journal, &copied, self.partitions).map_err(SurveyError::from)?;
            for (file, end) in segments {
                backed.files.push(copy(&self.data, to, &file, end, passed)?);
            }
        }
        backed.files.push(copy(&self.data, to, &self.data.join("format.json"), None, passed)?);
        let manifest = to.join(MANIFEST);
        let text = serde_json::to_vec_pretty(&backed).expect("paths of ours are text");
        write_synced(&manifest, &text).map_err(BackupError::io(&manifest))?;
        Ok(backed)
    }

    /// Copies a backup to `to`, which is not there or empty, after every file was found whole. Either all of it is
    /// there afterwards, or nothing. May block on the disk.
    ///
    /// # Errors
    /// [`BackupError`]
    pub fn restore(from: &Path, to: &Path, passed: &mut dyn FnMut(u64)) -> Result<Backed, BackupError> {
        let manifest = from.join(MANIFEST);
        let text = match fs::read(&manifest) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let what = format!("it has no {MANIFEST}");
                return Err(BackupError::NoBackup { from: from.to_owned(), what });
            }
            Err(error) => return Err(BackupError::io(&manifest)(error)),
        };
        let damaged = |what: String| BackupError::Damaged { file: manifest.clone(), what };
        let backed: Backed = serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
        refuse_full(to)?;
        let name = to.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let unfinished = to.with_file_name(format!("{name}.restoring"));
        refuse_full(&unfinished)?;
        fs::create_dir_all(&unfinished).map_err(BackupError::io(&unfinished))?;
        // what is left of a failed one would be in the way of the next
        copy_all(from, &backed, &unfinished, passed).inspect_err(|_| remove(&unfinished))?;
        if to.exists() {
            fs::remove_dir(to).map_err(BackupError::io(to))?;
        }
        fs::rename(&unfinished, to).map_err(BackupError::io(to))?;
        let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        sync_dir(parent).map_err(BackupError::io(parent))?;
        Ok(backed)
    }
}

/// Copies what `backed` lists, each file as it was when it was copied.
fn copy_all(from: &Path, backed: &Backed, to: &Path, passed: &mut dyn FnMut(u64)) -> Result<(), BackupError> {
    for known in &backed.files {
        let is_below = known.path.components().all(|part| matches!(part, std::path::Component::Normal(_)));
        if !is_below {
            let what = format!("{} is not below the directory", known.path.display());
            return Err(BackupError::Damaged { file: from.join(MANIFEST), what });
        }
        let file = from.join(&known.path);
        if !file.exists() {
            return Err(BackupError::Damaged { file, what: "it is missing".to_owned() });
        }
        let copied = copy(from, to, &file, None, passed)?;
        if copied != *known {
            let what = format!("{} bytes with another checksum than when it was copied", copied.bytes);
            return Err(BackupError::Damaged { file, what });
        }
    }
    Ok(())
}

fn remove(unfinished: &Path) {
    if let Err(error) = fs::remove_dir_all(unfinished) {
        tracing::warn!(%error, "what was not restored is left in {}", unfinished.display());
    }
}

fn is_segment(file: &Path) -> bool {
    file.extension().is_some_and(|end| end == "seg")
}

/// Every file below `dir` that a journal needs.
fn list(dir: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            list(&path, files)?;
        } else if path.extension().is_none_or(|end| end != "new") {
            files.push(path); // what is unfinished is no part of it
        }
    }
    Ok(())
}

/// Copies one file below `from` to the same place below `to`, leaving out runs of zeros, and syncs it. The copy ends at
/// `end`: behind it a segment has nothing but space that it has taken, and takes again when it is opened.
fn copy(
    from: &Path,
    to: &Path,
    file: &Path,
    end: Option<u64>,
    passed: &mut dyn FnMut(u64),
) -> Result<Copied, BackupError> {
    use std::os::unix::fs::FileExt;
    let path = file.strip_prefix(from).unwrap_or(file).to_owned();
    let target = to.join(&path);
    let mut run = || -> io::Result<(u64, u32)> {
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        let mut source = File::open(file)?.take(end.unwrap_or(u64::MAX));
        let made = File::options().write(true).create_new(true).open(&target)?;
        let (mut bytes, mut checksum) = (0u64, 0);
        let mut buffer = vec![0; CHUNK];
        loop {
            let read = source.read(&mut buffer)?;
            let chunk = buffer.get(..read).unwrap_or_default();
            if chunk.is_empty() {
                break;
            }
            checksum = crc32c::crc32c_append(checksum, chunk);
            if chunk.iter().any(|byte| *byte != 0) {
                made.write_all_at(chunk, bytes)?;
            }
            bytes += chunk.len() as u64;
            passed(chunk.len() as u64);
        }
        made.set_len(bytes)?;
        made.sync_all()?;
        target.parent().map_or(Ok(()), sync_dir)?;
        Ok((bytes, checksum))
    };
    let (bytes, crc32c) = run().map_err(BackupError::io(file))?;
    Ok(Copied { path, bytes, crc32c })
}

fn write_synced(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut made = File::create(file)?;
    made.write_all(bytes)?;
    made.sync_all()?;
    file.parent().map_or(Ok(()), sync_dir)
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

fn is_empty(dir: &Path) -> io::Result<bool> {
    match fs::read_dir(dir) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

fn refuse_full(dir: &Path) -> Result<(), BackupError> {
    if is_empty(dir).map_err(BackupError::io(dir))? {
        Ok(())
    } else {
        Err(BackupError::NotEmpty { to: dir.to_owned() })
    }
}
