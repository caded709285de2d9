//! A complete journal in sled 0.34, for who wants one engine for everything.
//!
//! Keeps true what [`Journal`] promises: one writer; what it acknowledged was flushed by sled and then synced by us,
//! since sled's flush is no sync; nothing is shown before that. A record is one value with two checksums of ours; a
//! batch, which sled applies whole or not at all, has at most 256 events.
//!
//! ```text
//! <dir>/epoch      epoch, acknowledged positions, checksum: kept apart from sled, so that a lost tail is missed
//! <dir>/sled/      keys and values: see `keys`
//! ```
//! Slower than segments, whose every opening is a look at checksums: this one decodes every record. Only one process
//! at a time can read it, and opening it after a kill lets sled mend its own files before anything is checked.

mod epoch;
mod keys;
mod reader;
mod recovery;
mod store;
pub(in crate::persistence) mod survey;
#[cfg(test)]
pub(in crate::persistence) mod tests;
mod truncate;
mod writer;

use std::{
    collections::HashMap,
    fs::File,
    path::PathBuf,
    sync::{
        Arc, Mutex, OnceLock, RwLock,
        atomic::{AtomicU64, Ordering},
        mpsc::channel,
    },
    thread::{self, JoinHandle},
    time::Duration,
};

pub(in crate::persistence) use self::store::is_there;
use self::{
    store::Store,
    writer::{Medium, RealMedium, Writer},
};
use crate::persistence::{
    Append, AppendDone, AppendError, BaseOf, Journal, JournalMetrics, Lease, Line, OpenError, PartitionId, ReadError,
    Record, Refusal, StoredSnapshot, StreamHead, StreamId, TruncateError, Truncated, Truncation,
    codec::Names,
    metrics::Counters,
    rules::Head,
    segments::{
        bases::{self, Bases},
        queue::{NotQueued, Queue, Queued},
    },
    space::{Room, bytes_below},
    sync::{lock, read},
};

/// A full queue is some groups of work; a group takes milliseconds.
const RETRY_AFTER: Duration = Duration::from_millis(50);

/// How a journal is opened.
#[derive(Clone, Debug)]
pub(in crate::persistence) struct SledJournalConfig {
    pub(in crate::persistence) dir: PathBuf,
    pub(in crate::persistence) partitions: u16,
    pub(in crate::persistence) queue: usize,
    pub(in crate::persistence) cache_bytes: u64,
    /// Whether the disk has room for writes.
    pub(in crate::persistence) room: Arc<Room>,
}

/// A journal in sled.
pub(in crate::persistence) struct SledJournal {
    shared: Arc<Shared>,
    partitions: u16,
    epoch: u64,
    room: Arc<Room>,
    /// Writer and witness, until closed.
    threads: Mutex<Vec<JoinHandle<()>>>,
    dir: PathBuf,
    /// One at a time deletes history.
    truncating: Mutex<()>,
    counted: Mutex<truncate::Counted>,
}

/// What the writer and everyone else share.
struct Shared {
    queue: Queue,
    /// Holds only what is durable.
    index: RwLock<Index>,
    poisoned: OnceLock<Arc<str>>,
    store: Store,
    names: Names,
    /// What stands for deleted records; replaced as a whole.
    bases: RwLock<Option<Arc<Bases>>>,
    counters: Counters,
    /// Appends that were put into the queue, and that were taken out of it.
    queued: AtomicU64,
    taken: AtomicU64,
}

/// What readers look up: about 150 bytes a stream.
#[derive(Debug, Default, PartialEq)]
struct Index {
    streams: HashMap<StreamId, Head>,
    /// The last position of each partition.
    positions: Vec<u64>,
    /// The last deleted position of each partition.
    deleted: Vec<u64>,
}

impl Index {
    fn deleted(&self, partition: PartitionId) -> u64 {
        self.deleted.get(usize::from(partition.0)).copied().unwrap_or(0)
    }

    fn last(&self, partition: PartitionId) -> u64 {
        self.positions.get(usize::from(partition.0)).copied().unwrap_or(0)
    }
}

impl SledJournal {
    /// Opens the journal in `config.dir`, making it when it is not there.
    pub(in crate::persistence) fn open(config: &SledJournalConfig) -> Result<Self, OpenError> {
        Self::open_on(config, RealMedium)
    }

    fn open_on(config: &SledJournalConfig, medium: impl Medium) -> Result<Self, OpenError> {
        let names = Names::default();
        let witness = epoch::read(&config.dir)?;
        let store = Store::open(&config.dir, config.partitions, config.cache_bytes, witness.is_some())?;
        let (bases, beginning) = Bases::begin(&config.dir, config.partitions, &names)?.unzip();
        let found = recovery::scan(&store, config.partitions, witness.as_ref(), &names, beginning)?;
        let epoch = found.epoch.max(witness.map_or(0, |witness| witness.epoch)) + 1;
        // What is deleted is removed: by then, what stands for it has its name for ever.
        File::open(&config.dir).and_then(|dir| dir.sync_all()).map_err(|error| OpenError::io(&config.dir, error))?;
        recovery::settle(&store, &found, epoch)?;
        bases::remove_unfinished(&config.dir).map_err(|error| OpenError::io(&config.dir, error))?;
        epoch::write(&config.dir, epoch, &found.index.positions)?;
        let shared = Arc::new(Shared {
            queue: Queue::new(config.queue),
            index: RwLock::new(found.index),
            poisoned: OnceLock::new(),
            store,
            names,
            bases: RwLock::new(bases.map(Arc::new)),
            counters: Counters::default(),
            queued: AtomicU64::new(0),
            taken: AtomicU64::new(0),
        });
        let (running, stopped) = channel();
        let writer = Writer { shared: Arc::clone(&shared), medium, epoch, running };
        let (watched, dir) = (Arc::clone(&shared), config.dir.clone());
        let io = |error| OpenError::io(&config.dir, error);
        let spawn = |name: &str| thread::Builder::new().name(name.into());
        let witness = spawn("sled-witness").spawn(move || epoch::keep(&dir, epoch, &watched, &stopped)).map_err(io)?;
        let writer = spawn("journal-sled").spawn(move || writer.run()).map_err(io)?;
        let room = Arc::clone(&config.room);
        let (threads, dir) = (Mutex::new(vec![writer, witness]), config.dir.clone());
        Ok(Self {
            shared,
            partitions: config.partitions,
            epoch,
            room,
            threads,
            dir,
            truncating: Mutex::default(),
            counted: Mutex::default(),
        })
    }

    /// The epoch of this opening.
    pub(in crate::persistence) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Reads, and once more when what was being read was deleted meanwhile.
    fn read<T>(&self, reading: impl Fn() -> Result<T, ReadError>) -> Result<T, ReadError> {
        let deleted = || read(&self.shared.index).deleted.clone();
        let before = deleted();
        match reading() {
            Err(ReadError::Io { .. } | ReadError::Damaged { .. }) if deleted() != before => reading(),
            outcome => outcome,
        }
    }

    /// How many streams have events.
    pub(in crate::persistence) fn streams(&self) -> usize {
        read(&self.shared.index).streams.len()
    }
}

impl Journal for SledJournal {
    fn hand_over(&self, append: Append, line: Option<Line>, done: AppendDone) {
        let no_room = self.room.refusal();
        if no_room.is_some() {
            self.shared.counters.no_space.fetch_add(1, Ordering::Relaxed);
        }
        let queued = Queued::new(append, line, no_room, self.partitions, done);
        let Err((why, done)) = self.shared.queue.push(queued) else {
            self.shared.queued.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let refusal = match why {
            NotQueued::Full => {
                self.shared.counters.overloaded.fetch_add(1, Ordering::Relaxed);
                Refusal::Overloaded { retry_after: RETRY_AFTER }
            }
            NotQueued::Closed => Refusal::Closed,
        };
        done.tell(Err(AppendError::Refused(refusal)));
    }

    fn refusal(&self) -> Option<Refusal> {
        self.poisoned().map(Refusal::Poisoned).or_else(|| self.room.refusal())
    }

    fn partitions(&self) -> u16 {
        self.partitions
    }

    fn lease(&self, partition: PartitionId) -> Lease {
        Lease { partition, epoch: self.epoch }
    }

    fn durable(&self, partition: PartitionId) -> u64 {
        read(&self.shared.index).last(partition)
    }

    fn head(&self, stream: &StreamId) -> Option<StreamHead> {
        read(&self.shared.index).streams.get(stream).map(Head::shown)
    }

    fn heads(&self, visit: &mut dyn FnMut(&StreamId, &StreamHead)) {
        for (stream, head) in &read(&self.shared.index).streams {
            visit(stream, &head.shown());
        }
    }

    fn read_stream(&self, stream: &StreamId, after: u64, limit: usize) -> Result<Vec<Record>, ReadError> {
        self.read(|| reader::stream(&self.shared, self.partitions, stream, after, limit))
    }

    fn read_feed(&self, partition: PartitionId, after: u64, limit: usize) -> Result<Vec<Record>, ReadError> {
        self.read(|| reader::feed(&self.shared, partition, after, limit))
    }

    fn poisoned(&self) -> Option<Arc<str>> {
        self.shared.poisoned.get().cloned()
    }

    fn truncate(&self, what: Truncation<'_>, base: &mut BaseOf<'_>) -> Result<Truncated, TruncateError> {
        self.delete(what, base, &mut |_| Ok(()))
    }

    fn first(&self, partition: PartitionId) -> u64 {
        read(&self.shared.index).deleted(partition) + 1
    }

    fn base(&self, stream: &StreamId) -> Result<Option<StoredSnapshot>, ReadError> {
        let Some(bases) = self.bases() else { return Ok(None) };
        Ok(bases.get(stream, &self.shared.names)?.map(|entry| entry.base))
    }

    fn metrics(&self) -> JournalMetrics {
        let (truncations, deleted) = *lock(&self.counted);
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        // An append may be taken a moment before it is counted as queued.
        let waiting = of(&self.shared.queued).saturating_sub(of(&self.shared.taken));
        let counted = self.shared.counters.read(usize::try_from(waiting).unwrap_or(usize::MAX));
        JournalMetrics { truncations, deleted, ..counted }
    }

    fn disk_bytes(&self) -> u64 {
        bytes_below(&self.dir)
    }

    fn close(&self) {
        self.shared.queue.close();
        let threads: Vec<_> = lock(&self.threads).drain(..).collect();
        if threads.iter().any(|thread| thread.thread().id() == thread::current().id()) {
            // Whoever was told last dropped the journal: its threads end by themselves once this one goes on.
            return;
        }
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a thread of the journal panicked");
            }
        }
    }
}

impl Drop for SledJournal {
    fn drop(&mut self) {
        self.close();
    }
}

impl std::fmt::Debug for SledJournal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SledJournal").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}
