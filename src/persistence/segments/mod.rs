//! The default journal: append-only files of checked frames, one writer, one sync per group.
//!
//! Keeps true: what was acknowledged is in a synced frame; frames are numbered without a gap; nothing is shown before
//! it is durable; nothing on disk is changed unless all of it was found whole; heads saved elsewhere only make opening
//! shorter. After a failed write the journal takes no more until it is opened again in place: readers go on meanwhile.
//! The bytes are drawn in `docs/storage.md`.
//!
//! ```text
//! SegmentsJournal --(the present)--> Run: queue, index, reader, threads
//!                 \--(reopen)------> a new Run under a new epoch
//! ```

pub(super) mod bases;
mod block;
pub(super) mod copying;
mod epoch;
mod frame;
mod heads;
mod index;
pub(super) mod queue;
mod reader;
mod recovery;
mod returning;
mod run;
mod salvage;
mod saver;
mod segment;
mod spare;
pub(super) mod survey;
#[cfg(test)]
pub(super) mod tests;
mod tips;
mod trails;
mod truncate;
mod witness;
mod writer;

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use self::{
    bases::Bases,
    frame::JournalId,
    heads::SavedHeads,
    queue::Queued,
    recovery::Recovered,
    run::Run,
    segment::{SEGMENT_HEADER, SegmentHeader},
    writer::{Disk, OsDisk},
};
use super::{
    Append, AppendDone, AppendError, BaseOf, Journal, JournalMetrics, Lease, Line, OpenError, PartitionId, ReadError,
    Record, Refusal, ReopenError, StoreError, StoredSnapshot, StreamHead, StreamId, TornTail, TruncateError, Truncated,
    Truncation,
    codec::Names,
    metrics::Counters,
    space::{Room, bytes_below},
    sync::{lock, read, write},
};

/// A full queue is some groups of work; a group takes milliseconds.
const RETRY_AFTER: Duration = Duration::from_millis(50);

/// Places in a segment are four bytes, also the one behind its last frame.
const MAX_CAPACITY: u64 = u32::MAX as u64 - frame::ALIGN as u64;

/// How a journal is opened.
#[derive(Clone, Debug)]
pub(super) struct SegmentsConfig {
    pub(super) dir: PathBuf,
    pub(super) partitions: u16,
    pub(super) segment_bytes: u64,
    pub(super) queue: usize,
    /// Whether the disk has room for writes.
    pub(super) room: Arc<Room>,
}

/// What each opening writes with.
type Disks = Box<dyn Fn() -> Box<dyn Disk> + Send + Sync>;

/// A journal in segment files.
pub(super) struct SegmentsJournal {
    config: SegmentsConfig,
    disks: Disks,
    counters: Arc<Counters>,
    /// Replaced as a whole; never locked for longer than it takes to look.
    present: RwLock<Arc<Run>>,
    /// That of `present`, or for a moment the one before it: each message looks at it.
    epoch: AtomicU64,
    /// One at a time reopens.
    reopening: Mutex<()>,
    closed: AtomicBool,
    /// When the newest record of a segment was decided, for those that were looked at. 12 bytes a segment.
    newest: Mutex<BTreeMap<u32, u64>>,
}

impl SegmentsJournal {
    /// Scans and opens the journal in `config.dir`, making it when it is not there.
    #[cfg(test)]
    pub(super) fn open(config: &SegmentsConfig) -> Result<Self, OpenError> {
        Self::open_on(config, Box::new(|| Box::new(OsDisk)))
    }

    /// Opens the journal in `config.dir`, which was scanned, and nobody has changed it since; makes it when it is not there.
    pub(super) fn open_scanned(config: &SegmentsConfig, scanned: Option<Scanned>) -> Result<Self, OpenError> {
        Self::start(config, Box::new(|| Box::new(OsDisk)), scanned)
    }

    #[cfg(test)]
    fn open_on(config: &SegmentsConfig, disks: Disks) -> Result<Self, OpenError> {
        Self::start(config, disks, Scanned::of(&config.dir, config.partitions)?)
    }

    fn start(config: &SegmentsConfig, disks: Disks, scanned: Option<Scanned>) -> Result<Self, OpenError> {
        let counters = Arc::new(Counters::default());
        let run = Run::open(config, disks(), &counters, scanned)?;
        let (epoch, present) = (AtomicU64::new(run.epoch), RwLock::new(Arc::new(run)));
        let (config, closed) = (config.clone(), AtomicBool::new(false));
        Ok(Self {
            config,
            disks,
            counters,
            present,
            epoch,
            reopening: Mutex::new(()),
            closed,
            newest: Mutex::default(),
        })
    }

    fn run(&self) -> Arc<Run> {
        Arc::clone(&read(&self.present))
    }

    /// Refuses for want of space.
    fn no_room(&self) -> Option<Refusal> {
        let refusal = self.config.room.refusal();
        if refusal.is_some() {
            count(&self.counters.no_space);
        }
        refusal
    }

    /// What was cut off the end when this was opened.
    pub(super) fn torn(&self) -> Option<TornTail> {
        self.run().torn.clone()
    }

    /// The epoch of this opening.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch.load(Ordering::Acquire)
    }

    /// The last frame whose records were not decoded at this opening; 0 when all were.
    pub(super) fn skimmed_to(&self) -> u64 {
        self.run().skimmed_to
    }

    /// Reads, and once more when what was being read was deleted meanwhile.
    fn read<T>(&self, reading: impl Fn(&Run) -> Result<T, ReadError>) -> Result<T, ReadError> {
        let run = self.run();
        let cut = || read(&run.shared.index).cut();
        let before = cut();
        match reading(&run) {
            Err(ReadError::Io { .. }) if cut() != before => reading(&run),
            outcome => outcome,
        }
    }

    /// How many streams have events.
    pub(super) fn streams(&self) -> usize {
        read(&self.run().shared.index).streams.len()
    }
}

/// A journal that was read and found whole.
#[derive(Debug)]
pub(super) struct Scanned {
    found: Recovered,
    bases: Option<Bases>,
    names: Arc<Names>,
}

impl Scanned {
    /// Reads the journal in `dir` and checks every frame; `None` when there is none. Changes nothing.
    pub(super) fn of(dir: &Path, partitions: u16) -> Result<Option<Self>, OpenError> {
        let io = |error: io::Error| OpenError::io(dir, error);
        if !dir.try_exists().map_err(io)? {
            return Ok(None);
        }
        let segments = listed(dir)?;
        let names = Arc::new(Names::default());
        let (bases, beginning) = Bases::begin(dir, partitions, &names)?.unzip();
        let deleted = bases.as_ref().map_or(0, |bases| bases.start.segment);
        if deleted > 0 && segments.last().is_none_or(|last| *last <= deleted) {
            let what = format!("the segment is missing; those up to {deleted} were deleted on purpose");
            return Err(OpenError::Damaged { file: segment::path(dir, deleted + 1), at: 0, what });
        }
        let Some(last) = segments.last() else {
            let witness = witness::last(dir, partitions).map_err(io)?.filter(|witness| witness.frame > 0);
            let Some(witness) = witness else { return Ok(None) };
            let what = format!("the segment is missing; everything up to frame {} was acknowledged", witness.frame);
            return Err(OpenError::Damaged { file: segment::path(dir, 1), at: 0, what });
        };
        // Before anything is read: what a process before this one wrote is perhaps only in the system's memory.
        let path = segment::place(dir, *last);
        let synced = fs::File::open(&path).and_then(|file| file.sync_all());
        synced.map_err(|error| OpenError::io(path, error))?;
        let found = recovery::scan(dir, &segments, partitions, &names, saved_in(dir), beginning.as_ref())?;
        Ok(Some(Self { found, bases, names }))
    }
}

/// The heads that were saved, if they can be read.
fn saved_in(dir: &Path) -> Option<SavedHeads> {
    SavedHeads::open(dir).unwrap_or_else(|error| {
        tracing::warn!(%error, "saved stream heads cannot be read; all records are decoded");
        None
    })
}

/// Makes a journal with one empty segment.
fn make(config: &SegmentsConfig) -> Result<(), OpenError> {
    let SegmentsConfig { dir, partitions, segment_bytes, .. } = config;
    let io = |error: io::Error| OpenError::io(dir, error);
    fs::create_dir_all(dir).map_err(io)?;
    if let Some(parent) = dir.parent() {
        segment::sync_dir(parent).map_err(|error| OpenError::io(parent, error))?;
    }
    let id = JournalId(fastrand::u128(..));
    let header = SegmentHeader { segment: 1, partitions: *partitions, id, first_frame: 1 };
    let bytes = (*segment_bytes).max(SEGMENT_HEADER as u64);
    segment::create(dir, header, bytes, &[]).map_err(|error| io(error.into()))?;
    Ok(())
}

/// The numbers of the segments; none when there was never one.
fn listed(dir: &Path) -> Result<Vec<u32>, OpenError> {
    let io = |error: io::Error| OpenError::io(dir, error);
    let segments = segment::list(dir).map_err(io)?;
    let last = segments.last().copied().unwrap_or(0);
    if let Some(opening) = epoch::read(dir).map_err(io)?
        && opening.segment > last
    {
        let what = format!("the segment is missing; the epoch file says that there was one up to {}", opening.segment);
        return Err(OpenError::Damaged { file: segment::path(dir, last + 1), at: 0, what });
    }
    Ok(segments)
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Journal for SegmentsJournal {
    fn hand_over(&self, append: Append, line: Option<Line>, done: AppendDone) {
        let queued = Queued::new(append, line, self.no_room(), self.config.partitions, done);
        // Who is refused is told when nothing is locked any more.
        let refused = read(&self.present).push(queued);
        if let Err((refusal, done)) = refused {
            done.tell(Err(AppendError::Refused(refusal)));
        }
    }

    fn refusal(&self) -> Option<Refusal> {
        self.poisoned().map(Refusal::Poisoned).or_else(|| self.no_room())
    }

    fn partitions(&self) -> u16 {
        self.config.partitions
    }

    fn lease(&self, partition: PartitionId) -> Lease {
        Lease { partition, epoch: self.epoch() }
    }

    fn durable(&self, partition: PartitionId) -> u64 {
        read(&self.run().shared.index).last(partition)
    }

    fn head(&self, stream: &StreamId) -> Option<StreamHead> {
        read(&self.run().shared.index).streams.get(stream).map(|tip| tip.head.shown())
    }

    fn heads(&self, visit: &mut dyn FnMut(&StreamId, &StreamHead)) {
        let run = self.run();
        for number in 0.. {
            let Some(part) = read(&run.shared.index).streams.part(number) else { return };
            for (stream, tip) in part {
                visit(&stream, &tip.head.shown());
            }
        }
    }

    fn read_stream(&self, stream: &StreamId, after: u64, limit: usize) -> Result<Vec<Record>, ReadError> {
        self.read(|run| run.reader.stream(&run.shared.index, stream, after, limit))
    }

    fn read_feed(&self, partition: PartitionId, after: u64, limit: usize) -> Result<Vec<Record>, ReadError> {
        self.read(|run| run.reader.feed(&run.shared.index, partition, after, limit))
    }

    fn poisoned(&self) -> Option<Arc<str>> {
        read(&self.present).shared.poisoned.get().cloned()
    }

    fn reopen(&self) -> Result<(), ReopenError> {
        let _one = lock(&self.reopening);
        let before = self.run();
        if self.closed.load(Ordering::Acquire) {
            return Err(ReopenError::Closed);
        }
        if before.shared.poisoned.get().is_none() {
            return Ok(());
        }
        let after = Arc::new(before.again(&self.config, (self.disks)(), &self.counters)?);
        count(&self.counters.reopenings);
        *write(&self.present) = Arc::clone(&after);
        self.epoch.store(after.epoch, Ordering::Release);
        if self.closed.load(Ordering::Acquire) {
            after.close(); // meanwhile, and whoever closed it has not seen this one
        }
        Ok(())
    }

    fn archive(&self, below: &[u64]) -> Result<usize, StoreError> {
        let _no_reopening = lock(&self.reopening);
        let run = self.run();
        let failed = |error: io::Error| StoreError { doing: "archiving segments", reason: error.to_string() };
        let mut moved = 0;
        for segment in segment::present(&self.config.dir).map_err(failed)? {
            {
                let index = read(&run.shared.index);
                // The last one with a frame is never moved: the writer, or a reopening, may be at it.
                if segment >= index.end.place.segment || !index.is_below(segment, below) {
                    break;
                }
            }
            segment::move_away(&self.config.dir, segment).map_err(failed)?;
            moved += 1;
        }
        Ok(moved)
    }

    fn truncate(&self, what: Truncation<'_>, base: &mut BaseOf<'_>) -> Result<Truncated, TruncateError> {
        self.delete(what, base, &mut |_| Ok(()))
    }

    fn first(&self, partition: PartitionId) -> u64 {
        read(&self.run().shared.index).first(partition)
    }

    fn base(&self, stream: &StreamId) -> Result<Option<StoredSnapshot>, ReadError> {
        let run = self.run();
        let Some(bases) = read(&run.bases).clone() else { return Ok(None) };
        Ok(bases.get(stream, &run.reader.names)?.map(|entry| entry.base))
    }

    fn metrics(&self) -> JournalMetrics {
        self.counters.read(self.run().shared.queue.waiting())
    }

    fn disk_bytes(&self) -> u64 {
        bytes_below(&self.config.dir)
    }

    fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.run().close();
    }
}

impl Drop for SegmentsJournal {
    fn drop(&mut self) {
        self.close();
    }
}

impl std::fmt::Debug for SegmentsJournal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SegmentsJournal").field("epoch", &self.epoch()).finish_non_exhaustive()
    }
}
