//! The default journal: append-only files of checked frames, one writer, one sync per group.
//!
//! Keeps true: what was acknowledged is in a synced frame; frames are numbered without a gap; nothing is shown before
//! it is durable; nothing on disk is changed unless all of it was found whole; heads saved elsewhere only make opening
//! shorter. The bytes are drawn in `docs/storage.md`.

mod epoch;
mod frame;
mod index;
pub(super) mod queue;
mod reader;
mod recovery;
mod saver;
mod segment;
pub(super) mod survey;
#[cfg(test)]
pub(super) mod tests;
mod tips;
mod writer;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, OnceLock, RwLock,
        mpsc::{channel, sync_channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use self::{
    epoch::Witness,
    frame::JournalId,
    queue::{Done, NotQueued, Queue, Queued},
    reader::Reader,
    recovery::Recovered,
    saver::{MAX_AT_CLOSE, Saver},
    segment::{OpenFiles, SEGMENT_HEADER, SegmentHeader},
    writer::{Disk, MAX_UNTOLD, OsDisk, Shared, Tail, Writer, tell},
};
use super::{
    Append, AppendDone, AppendError, Journal, Lease, OpenError, PartitionId, ReadError, Record, Refusal, StreamHead,
    StreamId, TornTail,
    codec::Names,
    heads::HeadStore,
    record::encoded_len,
    rules::check_size,
    sync::{lock, read},
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
    /// Where heads are saved, so that the next opening need not decode all records.
    pub(super) heads: Option<Arc<dyn HeadStore>>,
}

/// A journal in segment files.
pub(super) struct SegmentsJournal {
    shared: Arc<Shared>,
    reader: Reader,
    partitions: u16,
    epoch: u64,
    skimmed_to: u64,
    torn: Option<TornTail>,
    /// Writer, teller and saver, until closed.
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl SegmentsJournal {
    /// Opens the journal in `config.dir`, making it when it is not there.
    pub(super) fn open(config: &SegmentsConfig) -> Result<Self, OpenError> {
        Self::open_on(config, OsDisk)
    }

    /// Checks every frame in `dir`, if there are any, and changes nothing.
    pub(super) fn check(dir: &Path, partitions: u16) -> Result<(), OpenError> {
        if !dir.try_exists().map_err(|error| OpenError::io(dir, error))? {
            return Ok(());
        }
        recovery::check(dir, &listed(dir)?, partitions)
    }

    fn open_on(config: &SegmentsConfig, disk: impl Disk) -> Result<Self, OpenError> {
        let SegmentsConfig { dir, partitions, segment_bytes, queue, heads } = config;
        let io = |error| OpenError::io(dir, error);
        let segments = prepare(config)?;
        let names = Arc::new(Names::default());
        let found = recovery::scan(dir, &segments, *partitions, &names, heads.as_deref())?;
        let before = epoch::read(dir).map_err(io)?.map_or(0, |witness| witness.epoch).max(found.epoch);
        let file = recovery::settle(dir, &found, *segment_bytes).map_err(io)?;
        if let Some(TornTail { file, at, bytes }) = &found.torn {
            let file = file.display();
            tracing::warn!(%file, at, bytes, "the end of the journal was no frame and has been cut off");
        }
        let epoch = before + 1;
        epoch::write(dir, Witness { epoch, segment: found.segment }).map_err(io)?;
        let capacity = file.metadata().map_err(io)?.len().min(MAX_CAPACITY);
        let tail = Tail { file, segment: found.segment, at: found.end, capacity };
        let shared =
            Arc::new(Shared { queue: Queue::new(*queue), index: RwLock::new(found.index), poisoned: OnceLock::new() });
        let (told, groups) = sync_channel(MAX_UNTOLD);
        let (running, stopped) = channel();
        let writer = Writer {
            shared: Arc::clone(&shared),
            disk,
            dir: dir.clone(),
            id: found.id,
            partitions: *partitions,
            epoch,
            segment_bytes: *segment_bytes,
            tail,
            next_frame: found.next_frame,
            told,
            running,
        };
        let saver = heads.as_ref().map(|heads| Saver {
            shared: Arc::clone(&shared),
            heads: Arc::clone(heads),
            id: found.id,
            anew: found.skimmed_to == 0,
            at_close: MAX_AT_CLOSE,
            pending: Vec::new(),
            complained: false,
        });
        let spawn = |name: &str| thread::Builder::new().name(name.into());
        let teller = spawn("journal-teller").spawn(move || tell(&groups)).map_err(io)?;
        let saver = saver.map(|saver| spawn("journal-heads").spawn(move || saver.run(&stopped)));
        let saver = saver.transpose().map_err(io)?;
        let writer = spawn("journal-writer").spawn(move || writer.run()).map_err(io)?;
        let reader = Reader { files: OpenFiles::new(dir.clone()), names, id: found.id };
        let threads = Mutex::new([writer, teller].into_iter().chain(saver).collect());
        let Recovered { skimmed_to, torn, .. } = found;
        Ok(Self { shared, reader, partitions: *partitions, epoch, skimmed_to, torn, threads })
    }

    /// What was cut off the end when this was opened.
    pub(super) fn torn(&self) -> Option<&TornTail> {
        self.torn.as_ref()
    }

    /// The epoch of this opening.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The last frame whose records were not decoded at this opening; 0 when all were.
    pub(super) fn skimmed_to(&self) -> u64 {
        self.skimmed_to
    }

    /// How many streams have events.
    pub(super) fn streams(&self) -> usize {
        read(&self.shared.index).streams.len()
    }
}

/// The numbers of the segments, the first of which is made when nothing is there yet.
fn prepare(config: &SegmentsConfig) -> Result<Vec<u32>, OpenError> {
    let SegmentsConfig { dir, partitions, segment_bytes, .. } = config;
    let io = |error: io::Error| OpenError::io(dir, error);
    fs::create_dir_all(dir).map_err(io)?;
    if let Some(parent) = dir.parent() {
        segment::sync_dir(parent).map_err(|error| OpenError::io(parent, error))?;
    }
    let segments = listed(dir)?;
    if !segments.is_empty() {
        return Ok(segments);
    }
    let id = JournalId(fastrand::u128(..));
    let header = SegmentHeader { segment: 1, partitions: *partitions, id, first_frame: 1 };
    segment::create(dir, header, (*segment_bytes).max(SEGMENT_HEADER as u64)).map_err(io)?;
    Ok(vec![1])
}

/// The numbers of the segments; none when there was never one.
fn listed(dir: &Path) -> Result<Vec<u32>, OpenError> {
    let io = |error: io::Error| OpenError::io(dir, error);
    let segments = segment::list(dir).map_err(io)?;
    let last = segments.last().copied().unwrap_or(0);
    if let Some(witness) = epoch::read(dir).map_err(io)?
        && witness.segment > last
    {
        let what = format!("the segment is missing; the epoch file says that there was one up to {}", witness.segment);
        return Err(OpenError::Damaged { file: segment::path(dir, last + 1), at: 0, what });
    }
    Ok(segments)
}

impl Journal for SegmentsJournal {
    fn append(&self, append: Append, done: AppendDone) {
        let (append, size) = match check_size(&append) {
            Ok(()) => {
                let size = encoded_len(&append);
                (Ok(append), size)
            }
            Err(refusal) => (Err(AppendError::Refused(refusal)), 0),
        };
        let queued = Queued { append, size, done: Done::new(done) };
        if let Err((why, done)) = self.shared.queue.push(queued) {
            let refusal = match why {
                NotQueued::Full => Refusal::Overloaded { retry_after: RETRY_AFTER },
                NotQueued::Closed => Refusal::Closed,
            };
            done.tell(Err(AppendError::Refused(refusal)));
        }
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
        read(&self.shared.index).streams.get(stream).map(|tip| tip.head.shown())
    }

    fn heads(&self, visit: &mut dyn FnMut(&StreamId, &StreamHead)) {
        for (stream, tip) in &read(&self.shared.index).streams {
            visit(stream, &tip.head.shown());
        }
    }

    fn read_stream(&self, stream: &StreamId, after: u64, limit: usize) -> Result<Vec<Record>, ReadError> {
        self.reader.stream(&self.shared.index, stream, after, limit)
    }

    fn read_feed(&self, partition: PartitionId, after: u64, limit: usize) -> Result<Vec<Record>, ReadError> {
        self.reader.feed(&self.shared.index, partition, after, limit)
    }

    fn poisoned(&self) -> Option<Arc<str>> {
        self.shared.poisoned.get().cloned()
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

impl Drop for SegmentsJournal {
    fn drop(&mut self) {
        self.close();
    }
}

impl std::fmt::Debug for SegmentsJournal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SegmentsJournal").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}
