//! Snapshots and projections in sled 0.34; and, in `journal`, a whole journal.
//!
//! Keeps true: what `save` or `sync` answered is synced by a sync of our own, since sled's flush is none; every
//! value has a checksum of ours; a store that cannot be opened is moved aside and made anew, since all of it can be
//! derived from the journal. sled panics on damage, so every call of it is guarded.

pub(super) mod journal;
mod keys;
mod packs;
mod projections;
mod snapshots;
#[cfg(test)]
mod tests;
mod values;
mod waking;

use std::{
    fs::{self, File},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, RwLock},
    thread,
    time::Duration,
};

use ::sled::{Db, Tree};

use self::{values::ValueError, waking::Waking};
use super::{
    OpenError, StoreError,
    sync::{lock, read, write},
};

/// How a store is opened.
#[derive(Clone, Debug)]
pub(super) struct SledConfig {
    pub(super) dir: PathBuf,
    pub(super) cache_bytes: u64,
}

/// What can be derived from one unit's journal.
pub(super) struct SledStore {
    /// `None` once closed.
    opened: RwLock<Option<Opened>>,
    /// A write or sync failed, and this way: the system may have dropped what it did not write, so nothing is trusted to
    /// a later one. Nor does sled write again after an error of the disk.
    broken: OnceLock<Arc<str>>,
    /// Held while syncing: the system tells of what it dropped once, so nobody begins to sync before that is known.
    syncing: Mutex<()>,
}

struct Opened {
    /// Ends before what it looks after.
    waking: Waking,
    db: Db,
    /// sled's only data file, to sync it.
    file: File,
}

/// Why sled did not open.
enum Unopened {
    Damaged(String),
    Io(io::Error),
}

impl SledStore {
    /// Opens the store in `config.dir`, making it when it is not there or cannot be opened.
    pub(super) fn open(config: &SledConfig) -> Result<Self, OpenError> {
        let io = |error| OpenError::io(&config.dir, error);
        let opened = match open_db(config) {
            Ok(opened) => opened,
            Err(Unopened::Io(error)) => return Err(io(error)),
            Err(Unopened::Damaged(reason)) => {
                let aside = move_aside(&config.dir).map_err(io)?;
                let (dir, aside) = (config.dir.display(), aside.display());
                tracing::warn!(%dir, %aside, reason, "snapshots and views could not be opened; they are built anew");
                open_db(config).map_err(|again| match again {
                    Unopened::Io(error) => io(error),
                    Unopened::Damaged(reason) => io(io::Error::other(reason)),
                })?
            }
        };
        Ok(Self { opened: RwLock::new(Some(opened)), broken: OnceLock::new(), syncing: Mutex::default() })
    }

    /// Gives sled's files free; everything fails from then on.
    pub(super) fn close(&self) {
        let opened = write(&self.opened).take();
        if catch_unwind(AssertUnwindSafe(|| drop(opened))).is_err() {
            tracing::error!("sled panicked when it was closed");
        }
    }

    /// Does something with the tree of snapshots and rows.
    fn with<T>(&self, doing: &'static str, act: impl FnOnce(&Tree) -> Result<T, ValueError>) -> Result<T, StoreError> {
        let opened = read(&self.opened);
        let opened = opened.as_ref().ok_or_else(|| failed(doing, "the store is closed"))?;
        opened.waking.during(|| guarded(doing, || act(&opened.db)))
    }

    /// Does something with the tree of snapshots and rows, and syncs.
    fn write(&self, doing: &'static str, act: impl FnOnce(&Tree) -> Result<(), ValueError>) -> Result<(), StoreError> {
        self.change(doing, |opened| act(&opened.db))?;
        let _one = lock(&self.syncing);
        self.check(doing)?; // another sync may have failed since, with what was changed here
        let opened = read(&self.opened);
        let opened = opened.as_ref().ok_or_else(|| failed(doing, "the store is closed"))?;
        opened
            .waking
            .during(|| guarded(doing, || Ok(opened.db.flush().map(drop)?)))
            .and_then(|()| opened.file.sync_data().map_err(|error| failed(doing, error.to_string())))
            .map_err(|error| self.broke(error))
    }

    /// Does something with what is open. A power cut may take it back until something is synced.
    fn change(
        &self,
        doing: &'static str,
        act: impl FnOnce(&Opened) -> Result<(), ValueError>,
    ) -> Result<(), StoreError> {
        self.check(doing)?;
        let opened = read(&self.opened);
        let opened = opened.as_ref().ok_or_else(|| failed(doing, "the store is closed"))?;
        match opened.waking.during(|| guarded(doing, || Ok(act(opened))))? {
            Err(ValueError::Sled(error @ ::sled::Error::Io(_))) => Err(self.broke(failed(doing, error.to_string()))),
            done => done.map_err(|error| failed(doing, error.to_string())),
        }
    }

    fn check(&self, doing: &'static str) -> Result<(), StoreError> {
        match self.broken.get() {
            Some(reason) => Err(failed(doing, format!("an earlier write failed: {reason}"))),
            None => Ok(()),
        }
    }

    fn broke(&self, error: StoreError) -> StoreError {
        self.broken.get_or_init(|| error.to_string().into());
        error
    }
}

fn failed(doing: &'static str, reason: impl Into<String>) -> StoreError {
    StoreError { doing, reason: reason.into() }
}

/// sled panics where others answer that bytes are damaged.
fn guarded<T>(doing: &'static str, act: impl FnOnce() -> Result<T, ValueError>) -> Result<T, StoreError> {
    match catch_unwind(AssertUnwindSafe(act)) {
        Ok(outcome) => outcome.map_err(|error| failed(doing, error.to_string())),
        Err(_) => Err(failed(doing, "sled panicked")),
    }
}

fn open_db(config: &SledConfig) -> Result<Opened, Unopened> {
    fs::create_dir_all(&config.dir).and_then(|()| remove_unfinished(&config.dir)).map_err(Unopened::Io)?;
    let open = || -> Result<Db, ValueError> {
        let db = ::sled::Config::new().path(&config.dir).cache_capacity(config.cache_bytes).open()?;
        match values::get(&db, keys::FORMAT_KEY)? {
            Some(format) if format == keys::FORMAT => {}
            // A release that knows no packs must not take what stands alone for everything.
            format if format.as_ref().map_or(db.is_empty(), |format| format == keys::FORMAT_WITHOUT_PACKS) => {
                let mut batch = ::sled::Batch::default();
                values::insert(&db, &mut batch, keys::FORMAT_KEY, keys::FORMAT)?;
                db.apply_batch(batch)?;
                db.flush()?;
            }
            Some(_) | None => return Err(super::codec::Malformed("does not have a known format").into()),
        }
        // Of an earlier release.
        if db.tree_names().iter().any(|name| *name == keys::HEADS_TREE.as_bytes()) {
            db.drop_tree(keys::HEADS_TREE)?;
        }
        Ok(db)
    };
    let db = match catch_unwind(AssertUnwindSafe(|| when_free(&open))) {
        Ok(Ok(opened)) => opened,
        Ok(Err(ValueError::Sled(::sled::Error::Io(error)))) if !is_damage(&error) => return Err(Unopened::Io(error)),
        Ok(Err(error)) => return Err(Unopened::Damaged(error.to_string())),
        Err(_) => return Err(Unopened::Damaged("sled panicked".to_owned())),
    };
    let file = sync_new(&config.dir).map_err(Unopened::Io)?;
    let waking = keep_awake(&db).map_err(Unopened::Io)?;
    Ok(Opened { waking, db, file })
}

/// Keeps calls of `db` from waiting for ever.
fn keep_awake(db: &Db) -> io::Result<Waking> {
    let db = db.clone();
    // What it answers, those hear who wait.
    Waking::start(move || drop(catch_unwind(AssertUnwindSafe(|| come_to_the_log(&db)))))
}

/// Writes to sled's log, whatever waits for a lock: makes a tree and removes it. Dropping what is left of that flushes, and
/// may wait.
fn come_to_the_log(db: &Db) -> ::sled::Result<Tree> {
    let tree = db.open_tree(keys::WAKING_TREE)?;
    db.drop_tree(keys::WAKING_TREE)?;
    Ok(tree)
}

/// A store that was closed just now is still locked while a thread of sled writes its last bytes.
#[expect(clippy::disallowed_methods, reason = "sled tells nobody when it is done")]
fn when_free<T>(open: &dyn Fn() -> Result<T, ValueError>) -> Result<T, ValueError> {
    /// Another process holds it for longer than this, and is not waited for.
    const TRIES: u32 = 50;
    const BETWEEN: Duration = Duration::from_millis(10);
    let locked = |outcome: &Result<T, ValueError>| matches!(outcome, Err(ValueError::Sled(::sled::Error::Io(error))) if error.to_string().contains("acquire lock"));
    let mut outcome = open();
    for _ in 1..TRIES {
        if !locked(&outcome) {
            break;
        }
        thread::sleep(BETWEEN);
        outcome = open();
    }
    outcome
}

/// sled's own view of what a store has left, which was closed just now.
#[cfg(test)]
fn raw(dir: &Path) -> Db {
    when_free(&|| Ok(::sled::open(dir)?)).expect("sled opens")
}

/// Of what the system answers, this is about the bytes; the rest (no space, no right, in use) is not.
fn is_damage(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput)
}

/// Removes snapshots of sled's own that a crash has cut short: sled would take one for the newest, and not open.
fn remove_unfinished(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(|name| name.starts_with("snap.") && name.ends_with(".generating")) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Syncs what opening has made: every file, since sled syncs its data only, the directory, and its name.
fn sync_new(dir: &Path) -> io::Result<File> {
    for entry in fs::read_dir(dir)? {
        match File::open(entry?.path()).and_then(|made| made.sync_all()) {
            // A thread of sled that ends has removed it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            synced => synced?,
        }
    }
    File::open(dir)?.sync_all()?;
    if let Some(parent) = dir.parent() {
        File::open(parent)?.sync_all()?;
    }
    File::open(dir.join("db"))
}

/// Renames a store that cannot be opened, for people to look at. One is kept; an earlier one goes.
fn move_aside(dir: &Path) -> io::Result<PathBuf> {
    let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let prefix = format!("{name}.damaged-");
    let parent = dir.parent().unwrap_or(Path::new("."));
    let mut last = 0;
    for entry in fs::read_dir(parent)? {
        let entry = entry?;
        let number: Option<u64> =
            entry.file_name().to_str().and_then(|name| name.strip_prefix(&prefix)).and_then(|n| n.parse().ok());
        if let Some(number) = number {
            last = last.max(number);
            fs::remove_dir_all(entry.path())?;
        }
    }
    let aside = parent.join(format!("{prefix}{}", last + 1));
    fs::rename(dir, &aside)?;
    Ok(aside)
}

impl Drop for SledStore {
    fn drop(&mut self) {
        self.close();
    }
}

impl std::fmt::Debug for SledStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SledStore").finish_non_exhaustive()
    }
}
