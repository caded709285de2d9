//! The opened sled, every call of it guarded: it panics where others answer that bytes are damaged.

use std::{
    fs::{self, File},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, RwLock},
};

use ::sled::{Batch, Db};

use super::keys;
use crate::persistence::{
    OpenError, ReadError,
    sled::{
        is_damage, keep_awake, remove_unfinished, sync_new,
        values::{self, ValueError},
        waking::Waking,
        when_free,
    },
    sync::{lock, read, write},
};

/// Why sled did not do something.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("{0}")]
    Damaged(String),
    #[error("{0}")]
    Io(String),
}

impl From<ValueError> for Failure {
    fn from(error: ValueError) -> Self {
        match error {
            ValueError::Sled(::sled::Error::Io(error)) if !is_damage(&error) => Self::Io(error.to_string()),
            ValueError::Sled(error) => Self::Damaged(error.to_string()),
            error @ (ValueError::Damaged(_) | ValueError::TooLong(_)) => Self::Damaged(error.to_string()),
        }
    }
}

pub(super) struct Store {
    /// `None` once closed.
    opened: RwLock<Option<Opened>>,
    /// Why a sync failed, whoever asked for it: the system may have dropped what it did not write, of others too, and tells
    /// that once. Held while syncing, so that no sync begins that would not know.
    not_synced: Mutex<Option<Arc<str>>>,
    dir: PathBuf,
}

struct Opened {
    /// Ends before what it looks after.
    waking: Waking,
    db: Db,
    /// sled's only data file, to sync it.
    file: File,
}

impl Store {
    /// Opens sled below `journal`. With `expected`, an empty one is damage: there was a journal.
    pub(super) fn open(journal: &Path, partitions: u16, cache_bytes: u64, expected: bool) -> Result<Self, OpenError> {
        let dir = journal.join("sled");
        if !expected && !dir.exists() {
            Self::make(journal, partitions, cache_bytes)?;
        }
        Self::open_in(&dir, partitions, cache_bytes, expected)
    }

    /// Makes an empty one that is there as a whole or not at all: sled does not open what it has half made.
    fn make(journal: &Path, partitions: u16, cache_bytes: u64) -> Result<(), OpenError> {
        let unfinished = journal.join("sled.new");
        let io = |error| OpenError::io(&unfinished, error);
        match fs::remove_dir_all(&unfinished) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(io(error)),
            Ok(()) | Err(_) => {}
        }
        fs::create_dir_all(&unfinished).map_err(io)?;
        Self::open_in(&unfinished, partitions, cache_bytes, false)?.close();
        sync_new(&unfinished).map_err(io)?;
        fs::rename(&unfinished, journal.join("sled")).map_err(io)?;
        for made in [Some(journal), journal.parent()].into_iter().flatten() {
            File::open(made).and_then(|made| made.sync_all()).map_err(io)?;
        }
        Ok(())
    }

    fn open_in(dir: &Path, partitions: u16, cache_bytes: u64, expected: bool) -> Result<Self, OpenError> {
        let io = |error| OpenError::io(dir, error);
        fs::create_dir_all(dir).and_then(|()| remove_unfinished(dir)).map_err(io)?;
        let damaged = |what: String| OpenError::Damaged { file: dir.join("db"), at: 0, what };
        let open = || Ok(::sled::Config::new().path(dir).cache_capacity(cache_bytes).open()?);
        let db: Db = match catch_unwind(AssertUnwindSafe(|| when_free(&open))) {
            Ok(Ok(db)) => db,
            Ok(Err(ValueError::Sled(::sled::Error::Io(error)))) if !is_damage(&error) => return Err(io(error)),
            Ok(Err(error)) => return Err(damaged(error.to_string())),
            Err(_) => return Err(damaged("sled panicked when it was opened".to_owned())),
        };
        let file = sync_new(dir).map_err(io)?;
        let waking = keep_awake(&db).map_err(io)?;
        let store = Self {
            opened: RwLock::new(Some(Opened { waking, db, file })),
            not_synced: Mutex::default(),
            dir: dir.to_owned(),
        };
        let format = store.access(|db| Ok((values::get(db, keys::FORMAT_KEY)?, db.is_empty())));
        let own = [keys::FORMAT, &partitions.to_le_bytes()].concat();
        match format.map_err(|failure| store.not_opened(failure))? {
            (Some(format), _) if format == own => {}
            (Some(_), _) => {
                return Err(damaged("it is no journal of a format and number of partitions that fit".into()));
            }
            (None, true) if !expected => {
                let mut batch = Batch::default();
                let written = store.access(|db| values::add(db, &mut batch, keys::FORMAT_KEY, &own));
                written
                    .and_then(|()| store.apply(batch))
                    .and_then(|()| store.sync())
                    .map_err(|failure| store.not_opened(failure))?;
            }
            (None, _) => return Err(damaged("there was a journal here, and now it has no format".into())),
        }
        Ok(store)
    }

    /// sled's data file: what a person looks at.
    pub(super) fn file(&self) -> PathBuf {
        self.dir.join("db")
    }

    /// Does something with what is open.
    pub(super) fn access<T>(&self, act: impl FnOnce(&Db) -> Result<T, ValueError>) -> Result<T, Failure> {
        let opened = read(&self.opened);
        let opened = opened.as_ref().ok_or_else(|| Failure::Io("the journal is closed".to_owned()))?;
        match opened.waking.during(|| catch_unwind(AssertUnwindSafe(|| act(&opened.db)))) {
            Ok(outcome) => Ok(outcome?),
            Err(_) => Err(Failure::Damaged("sled panicked".to_owned())),
        }
    }

    /// Applies a batch, whole or not at all. Durable once [`sync`](Self::sync) has returned.
    pub(super) fn apply(&self, batch: Batch) -> Result<(), Failure> {
        self.access(|db| Ok(db.apply_batch(batch)?))
    }

    /// Has sled write what it holds, and syncs that. Fails for ever once it has failed.
    pub(super) fn sync(&self) -> Result<(), Failure> {
        let mut not_synced = lock(&self.not_synced);
        if let Some(reason) = &*not_synced {
            return Err(Failure::Io(format!("an earlier sync failed: {reason}")));
        }
        let synced = self.flush_and_sync();
        *not_synced = synced.as_ref().err().map(|failure| failure.to_string().into());
        synced
    }

    fn flush_and_sync(&self) -> Result<(), Failure> {
        self.access(|db| Ok(db.flush().map(drop)?))?;
        let opened = read(&self.opened);
        let opened = opened.as_ref().ok_or_else(|| Failure::Io("the journal is closed".to_owned()))?;
        opened.file.sync_data().map_err(|error| Failure::Io(error.to_string()))
    }

    /// Syncs another file from now on, and returns the one before.
    #[cfg(test)]
    pub(super) fn sync_instead(&self, file: File) -> File {
        std::mem::replace(&mut write(&self.opened).as_mut().expect("it is open").file, file)
    }

    /// Gives sled's files free; everything fails from then on.
    pub(super) fn close(&self) {
        let opened = write(&self.opened).take();
        if catch_unwind(AssertUnwindSafe(|| drop(opened))).is_err() {
            tracing::error!("sled panicked when it was closed");
        }
    }

    pub(super) fn not_opened(&self, failure: Failure) -> OpenError {
        match failure {
            Failure::Damaged(what) => OpenError::Damaged { file: self.file(), at: 0, what },
            Failure::Io(what) => OpenError::io(self.file(), std::io::Error::other(what)),
        }
    }

    pub(super) fn not_read(&self, failure: Failure) -> ReadError {
        match failure {
            Failure::Damaged(what) => ReadError::Damaged { file: self.file(), at: 0, what },
            Failure::Io(what) => ReadError::Io { file: self.file(), source: Arc::new(std::io::Error::other(what)) },
        }
    }
}

/// Whether a journal of this kind is in `dir`.
pub(in crate::persistence) fn is_there(dir: &Path) -> bool {
    dir.join("epoch").exists() || dir.join("sled").exists()
}
