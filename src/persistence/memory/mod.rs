//! The reference: everything in memory, for tests and for trying things out.
//!
//! Two images. The *durable* one is shared by all openings of the same memory and holds what was acknowledged; the
//! *live* one belongs to one opening and holds what was handed over since. Normally an append passes from one to the
//! other at once; [`MemoryStore::hold`] keeps it waiting, as a slow disk would, and [`MemoryStore::reopen`] starts
//! again from the durable image, as after a power cut.

mod journal;
mod tables;
#[cfg(test)]
mod tests;
mod truncate;

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use self::tables::Tables;
use super::{
    AppendDone, AppendError, Appended, Projections, Record, RowChange, Snapshots, StoreError, StoredSnapshot, StreamId,
    ViewName, ViewProgress, rules::Head, sync::lock,
};

/// Journal, snapshots and projections in memory.
pub struct MemoryStore {
    durable: Arc<Mutex<Image>>,
    live: Mutex<Live>,
    partitions: u16,
    epoch: AtomicU64,
    queue: usize,
    /// Cannot be opened again in place.
    broken: AtomicBool,
    /// One at a time deletes history.
    truncating: Mutex<()>,
}

/// What survives.
#[derive(Default)]
struct Image {
    /// The epoch of the newest opening: older ones are fenced.
    epoch: u64,
    streams: HashMap<StreamId, Stream>,
    /// The last deleted position of each partition, and what stands for deleted events.
    deleted: Vec<u64>,
    bases: HashMap<StreamId, StoredSnapshot>,
    /// The records of each partition, by position.
    partitions: Vec<Vec<Arc<Record>>>,
    tables: Tables,
}

struct Stream {
    head: Head,
    records: Vec<Arc<Record>>,
}

/// An append that is not yet told what became of it.
struct Waiting {
    stream: StreamId,
    outcome: Result<Record, AppendError>,
    done: AppendDone,
}

/// What one opening has in hand.
#[derive(Default)]
struct Live {
    /// Appends that are taken or refused, and not yet told so, in the order they came.
    waiting: VecDeque<Waiting>,
    /// Heads as of the waiting appends.
    heads: HashMap<StreamId, Head>,
    /// Last position of each partition as of the waiting appends, where that is beyond the durable one.
    positions: HashMap<u16, u64>,
    held: bool,
    /// What is committed and not yet told, in order. One thread at a time tells.
    answers: VecDeque<(Result<Appended, AppendError>, AppendDone)>,
    telling: bool,
    /// Written and not known to be, until it is reopened.
    unshown: Vec<Record>,
    poisoned: Option<Arc<str>>,
    closed: bool,
}

impl MemoryStore {
    /// As many held appends as the segments journal queues by default.
    const QUEUE: usize = 8192;

    /// Empty memory with a fixed number of partitions, at least one.
    pub fn new(partitions: u16) -> Self {
        let partitions = partitions.max(1);
        let image = Image {
            epoch: 1,
            deleted: vec![0; usize::from(partitions)],
            partitions: vec![Vec::new(); usize::from(partitions)],
            ..Image::default()
        };
        Self {
            durable: Arc::new(Mutex::new(image)),
            live: Mutex::default(),
            partitions,
            epoch: AtomicU64::new(1),
            queue: Self::QUEUE,
            broken: AtomicBool::new(false),
            truncating: Mutex::default(),
        }
    }

    /// The same memory with room for `queue` held appends; more are answered `Overloaded`.
    #[must_use]
    pub fn with_queue(mut self, queue: usize) -> Self {
        self.queue = queue;
        self
    }

    /// Opens the same memory again, as after a power cut: what was acknowledged is there, what was not is lost. The
    /// lease has a new epoch, so that appends through this store are refused as `Fenced` from now on.
    #[must_use]
    pub fn reopen(&self) -> Self {
        let mut image = lock(&self.durable);
        image.epoch += 1;
        Self {
            durable: Arc::clone(&self.durable),
            live: Mutex::default(),
            partitions: self.partitions,
            epoch: AtomicU64::new(image.epoch),
            queue: self.queue,
            broken: AtomicBool::new(false),
            truncating: Mutex::default(),
        }
    }

    /// Keeps appends waiting from now on, as a slow disk would.
    pub fn hold(&self) {
        lock(&self.live).held = true;
    }

    /// Commits what waits and no longer keeps appends waiting.
    pub fn release(&self) {
        lock(&self.live).held = false;
        self.commit();
        self.tell();
    }

    /// How many appends wait.
    pub fn waiting(&self) -> usize {
        lock(&self.live).waiting.len()
    }

    /// As when a write fails: what waits is `Unknown` and is lost, later appends are refused until it is reopened.
    pub fn poison(&self, reason: &str) {
        self.fail(reason, false);
    }

    /// As when a sync fails: what waits is `Unknown`, and is there once the store is reopened.
    pub fn poison_after_write(&self, reason: &str) {
        self.fail(reason, true);
    }

    /// Makes reopening in place fail from now on, as a disk that is gone would.
    pub fn break_for_good(&self) {
        self.broken.store(true, Ordering::Release);
    }

    fn fail(&self, reason: &str, written: bool) {
        let reason: Arc<str> = reason.into();
        let mut live = lock(&self.live);
        live.poisoned.get_or_insert_with(|| Arc::clone(&reason));
        let Live { waiting, answers, unshown, .. } = &mut *live;
        for Waiting { outcome, done, .. } in waiting.drain(..) {
            let outcome = match outcome {
                Ok(record) => {
                    unshown.extend(written.then_some(record));
                    Err(AppendError::Unknown(Arc::clone(&reason)))
                }
                // It may be one of an append that waits.
                Err(AppendError::Duplicate(_)) => Err(AppendError::Unknown(Arc::clone(&reason))),
                Err(other) => Err(other),
            };
            answers.push_back((outcome, done));
        }
        live.heads.clear();
        live.positions.clear();
        drop(live);
        self.tell();
    }

    fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }
}

impl MemoryStore {
    /// The durable image, unless a newer opening has taken over: what is left of an earlier one, which a crash
    /// would have ended, must not write rows under the newer one's.
    fn current(&self, doing: &'static str) -> Result<MutexGuard<'_, Image>, StoreError> {
        let image = lock(&self.durable);
        if image.epoch == self.epoch() {
            return Ok(image);
        }
        Err(StoreError { doing, reason: "this memory has been opened again".to_owned() })
    }
}

impl Snapshots for MemoryStore {
    fn save(&self, batch: Vec<(StreamId, StoredSnapshot)>) -> Result<(), StoreError> {
        lock(&self.durable).tables.save(batch)
    }

    fn load(&self, stream: &StreamId) -> Result<Vec<StoredSnapshot>, StoreError> {
        Ok(lock(&self.durable).tables.load(stream))
    }
}

impl Projections for MemoryStore {
    fn progress(&self, view: ViewName) -> Result<Option<ViewProgress>, StoreError> {
        Ok(lock(&self.durable).tables.progress(view))
    }

    fn commit(&self, view: ViewName, rows: Vec<RowChange>, progress: &ViewProgress) -> Result<(), StoreError> {
        self.current("committing rows")?.tables.commit(view, rows, progress)
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.current("syncing rows").map(drop)
    }

    fn get(&self, view: ViewName, key: &[u8]) -> Result<Option<bytes::Bytes>, StoreError> {
        Ok(lock(&self.durable).tables.get(view, key))
    }

    fn last(&self, view: ViewName) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(lock(&self.durable).tables.last(view))
    }

    fn scan(
        &self,
        view: ViewName,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, bytes::Bytes)>, StoreError> {
        Ok(lock(&self.durable).tables.scan(view, prefix, after, limit))
    }

    fn clear(&self, view: ViewName) -> Result<(), StoreError> {
        self.current("clearing rows")?.tables.clear(view);
        Ok(())
    }

    fn generation(&self, view: ViewName) -> Result<u16, StoreError> {
        Ok(lock(&self.durable).tables.generation(view))
    }

    fn stage(&self, view: ViewName, rows: Vec<RowChange>) -> Result<(), StoreError> {
        self.current("writing rows beside those in use")?.tables.stage(view, rows)
    }

    fn switch(&self, view: ViewName) -> Result<(), StoreError> {
        self.current("switching to other rows")?.tables.switch(view);
        Ok(())
    }

    fn clear_others(&self, view: ViewName) -> Result<bool, StoreError> {
        self.current("clearing rows that are not in use")?.tables.clear_others(view);
        Ok(false)
    }
}

impl std::fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryStore")
            .field("partitions", &self.partitions)
            .field("epoch", &self.epoch())
            .finish_non_exhaustive()
    }
}
