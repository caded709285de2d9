//! The one thread that writes: take what waits, decide, write one frame, sync once, publish, tell.
//!
//! ```text
//! callers --queue--> writer --(frame, fdatasync)--> index --> teller --> done, in commit order
//! ```
//! Telling has a thread of its own, so that the disk is busy while callers are told.

use std::{
    collections::VecDeque,
    convert::Infallible,
    fs::File,
    io,
    os::unix::fs::FileExt,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock, RwLock,
        atomic::Ordering,
        mpsc::{Receiver, Sender, SyncSender},
    },
    thread,
};

use super::{
    epoch::{self, Opening},
    frame::{FRAME_HEADER, FrameHeader, JournalId},
    index::Index,
    queue::{Outcome, Queue, Queued},
    returning::Returning,
    segment::{self, NotCreated, SEGMENT_HEADER, SegmentHeader},
    spare::Spare,
};
use crate::{
    maps::Map,
    persistence::{
        AppendError, Appended, Lease, PartitionId, Refusal, StreamId,
        metrics::{Counters, timed},
        ready::Ready,
        record::{self, Location},
        space::Room,
        sync::{read, write},
        tip::Tip,
    },
};

/// Appends in one frame: a sync takes about as long for one as for this many.
const MAX_GROUP: usize = 4096;

/// A group of fewer that waited for the one before gives way once before it is written, so that whoever is about to append
/// comes along: where all processors are busy, that saves a sync. A group that the writer waited for does not: others may
/// keep the processor for milliseconds.
const FEW: usize = 64;

/// Bytes of records taken for one frame; a single larger record still goes through.
const MAX_GROUP_BYTES: usize = 4 << 20;

/// Groups that are committed and not yet told. When tellers are slower than the disk, the writer waits for them.
pub(super) const MAX_UNTOLD: usize = 16;

/// What the writer does to files, so that a test can make it fail.
pub(super) trait Disk: Send + 'static {
    fn create(&mut self, dir: &Path, header: SegmentHeader, bytes: u64, frames: &[u8]) -> Result<File, NotCreated> {
        segment::create(dir, header, bytes, frames)
    }
    fn adopt(&mut self, dir: &Path, header: SegmentHeader, spare: (File, PathBuf)) -> Result<File, NotCreated> {
        segment::adopt(dir, header, spare)
    }
    fn write(&mut self, file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
        file.write_all_at(bytes, at)
    }
    fn sync(&mut self, file: &File) -> io::Result<()> {
        file.sync_data()
    }
    fn sync_dir(&mut self, dir: &Path) -> io::Result<()> {
        segment::sync_dir(dir)
    }
}

/// The real one.
#[derive(Debug)]
pub(super) struct OsDisk;

impl Disk for OsDisk {}

/// What the writer and everyone else share.
pub(super) struct Shared {
    pub(super) queue: Queue,
    pub(super) index: RwLock<Index>,
    pub(super) poisoned: OnceLock<Arc<str>>,
    pub(super) counters: Arc<Counters>,
}

/// Committed or refused appends with who is to be told, in order.
pub(super) type Told = Vec<Outcome>;

/// Where the next frame goes.
#[derive(Debug)]
pub(super) struct Tail {
    pub(super) file: File,
    pub(super) segment: u32,
    pub(super) at: u64,
    pub(super) capacity: u64,
}

pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) disk: Box<dyn Disk>,
    pub(super) room: Arc<Room>,
    pub(super) dir: PathBuf,
    pub(super) id: JournalId,
    pub(super) partitions: u16,
    pub(super) epoch: u64,
    pub(super) segment_bytes: u64,
    pub(super) tail: Tail,
    pub(super) spare: Spare,
    pub(super) next_frame: u64,
    pub(super) told: SyncSender<Told>,
    /// Nothing is sent: that they are dropped tells the saver of heads and the witness that nothing more is written.
    pub(super) running: [Sender<Infallible>; 2],
    pub(super) returning: Returning,
}

/// A frame in the making.
struct Group {
    bytes: Vec<u8>,
    told: Told,
    tips: Map<StreamId, Tip>,
    /// Partition, position of the first event and of the last, for each record.
    notes: Vec<(PartitionId, u64, u64)>,
}

impl Writer {
    /// Runs until the queue is closed and empty.
    pub(super) fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let told = self.told.clone();
        if catch_unwind(AssertUnwindSafe(|| self.write_all())).is_err() {
            // A promise of ours is broken. What was in hand was told `Unknown` while unwinding.
            poison(&shared, "the journal's writer panicked");
            while let Some(group) = shared.queue.take(MAX_GROUP, MAX_GROUP_BYTES) {
                hand_over(&told, refuse(group, &shared));
            }
        }
        drop(self.running);
    }

    fn write_all(&mut self) {
        loop {
            let already = self.shared.queue.waiting();
            let is_busy = already > 0;
            if let Some(wanted) = self.returning.wanted(already) {
                let came = self.shared.queue.gather(wanted);
                self.returning.learn(came);
            }
            let Some(mut waiting) = self.shared.queue.take(MAX_GROUP, MAX_GROUP_BYTES) else { return };
            if is_busy && waiting.len() < FEW {
                thread::yield_now();
                waiting.extend(self.shared.queue.take_now(MAX_GROUP - waiting.len(), MAX_GROUP_BYTES));
            }
            while !waiting.is_empty() {
                if self.shared.poisoned.get().is_some() {
                    hand_over(&self.told, refuse(std::mem::take(&mut waiting), &self.shared));
                } else {
                    self.commit(&mut waiting);
                }
            }
        }
    }

    /// Takes one frame's worth off the front of `waiting` and sees it through.
    fn commit(&mut self, waiting: &mut VecDeque<Queued>) {
        if let Some(first) = waiting.front()
            && !self.fits(first.size())
            && let Err(why) = self.roll(first.size())
        {
            // Nothing was written of what waits.
            match why {
                NotRolled::NoSpace(refusal) => hand_over(&self.told, self.refuse_for_space(waiting, &refusal)),
                // The caller finds the journal poisoned and refuses all of it.
                NotRolled::Failed(error) => {
                    poison(&self.shared, &format!("a new segment could not be made: {error}"));
                }
            }
            return;
        }
        let mut group = self.gather(waiting);
        if !group.notes.is_empty()
            && let Err(error) = self.store(&mut group)
        {
            let reason = poison(&self.shared, &format!("segment {} could not be written: {error}", self.tail.segment));
            for (_, outcome) in &mut group.told {
                // A duplicate may be one of an append in this very group.
                if matches!(outcome, Ok(_) | Err(AppendError::Duplicate(_))) {
                    *outcome = Err(AppendError::Unknown(Arc::clone(&reason)));
                }
            }
        }
        hand_over(&self.told, group.told);
    }

    /// Whether so many bytes of records still fit into the segment.
    fn fits(&self, records: usize) -> bool {
        self.tail.at + FRAME_HEADER as u64 + records as u64 <= self.tail.capacity
    }

    /// All that waits, refused: a new segment is needed, and the disk has no room for it.
    fn refuse_for_space(&self, waiting: &mut VecDeque<Queued>, refusal: &Refusal) -> Told {
        self.shared.counters.no_space.fetch_add(waiting.len() as u64, Ordering::Relaxed);
        waiting.drain(..).map(|queued| queued.refuse(refusal.clone())).collect()
    }

    fn roll(&mut self, first: usize) -> Result<(), NotRolled> {
        let needed = (SEGMENT_HEADER + FRAME_HEADER + first) as u64;
        let capacity = self.segment_bytes.max(needed);
        let segment =
            self.tail.segment.checked_add(1).ok_or_else(|| io::Error::other("no segment numbers are left"))?;
        if let Some(refusal) = self.room.refusal() {
            return Err(NotRolled::NoSpace(refusal));
        }
        // A spare has its room already.
        let spare = self.spare.take(capacity);
        if spare.is_none()
            && let Some(refusal) = self.room.refusal_of(capacity)
        {
            return Err(NotRolled::NoSpace(refusal));
        }
        let header = SegmentHeader { segment, partitions: self.partitions, id: self.id, first_frame: self.next_frame };
        let created = match spare {
            Some(spare) => self.disk.adopt(&self.dir, header, spare),
            None => self.disk.create(&self.dir, header, capacity, &[]),
        };
        let file = created.map_err(|why| {
            if why.is_for_want_of_space() {
                NotRolled::NoSpace(self.room.no_space())
            } else {
                NotRolled::Failed(why.into())
            }
        })?;
        epoch::write(&self.dir, Opening { epoch: self.epoch, segment })?;
        write(&self.shared.index).ended(self.place_of(0));
        self.tail = Tail { file, segment, at: SEGMENT_HEADER as u64, capacity };
        Ok(())
    }

    /// Decides on what waits, each append in the light of those before it, until the segment is full.
    fn gather(&self, waiting: &mut VecDeque<Queued>) -> Group {
        let mut group =
            Group { bytes: vec![0; FRAME_HEADER], told: Vec::new(), tips: Map::default(), notes: Vec::new() };
        let shared = Arc::clone(&self.shared);
        let index = read(&shared.index);
        let mut last: Map<PartitionId, u64> = Map::default();
        while let Some(next) = waiting.front() {
            if !self.fits(group.bytes.len() - FRAME_HEADER + next.size()) {
                break;
            }
            let Some(queued) = waiting.pop_front() else { break };
            let told = queued.place(|ready| {
                let last = last.entry(ready.partition).or_insert_with(|| index.last(ready.partition));
                self.place(ready, &mut group, &index, last)
            });
            group.told.push(told);
        }
        group
    }

    /// Adds an append to the group, if it is the next of its stream. `last` is its partition's last position.
    fn place(&self, ready: Ready, group: &mut Group, index: &Index, last: &mut u64) -> Result<Appended, AppendError> {
        let Ready { stream, partition, next, record } = ready;
        let tip = group.tips.get(&stream).or_else(|| index.streams.get(&stream));
        next.judge(&stream, tip.map(|tip| &tip.head), Lease { partition, epoch: self.epoch })?;
        let previous = tip.map_or(Location::NONE, |tip| tip.location);
        let (offset, start) = (*last + 1, group.bytes.len());
        let location = self.place_of(start);
        group.bytes.extend_from_slice(&record);
        record::place(group.bytes.get_mut(start..).expect("just written"), offset, previous);
        let head = next.head(offset);
        *last += u64::from(head.events);
        group.notes.push((partition, offset, *last));
        group.tips.insert(stream, Tip { head, location });
        Ok(Appended { offset, sequence: head.sequence })
    }

    /// The place of the frame's byte `within`.
    fn place_of(&self, within: usize) -> Location {
        let byte = u32::try_from(self.tail.at + within as u64).expect("segments are shorter than 4 GiB");
        Location { segment: self.tail.segment, byte }
    }

    /// Writes the frame, syncs, and shows it to readers.
    fn store(&mut self, group: &mut Group) -> io::Result<()> {
        let records = group.bytes.get(FRAME_HEADER..).unwrap_or_default();
        let frame = FrameHeader {
            number: self.next_frame,
            length: u32::try_from(records.len()).expect("a group is bounded"),
            count: u32::try_from(group.notes.len()).expect("a group is bounded"),
            checksum: crc32c::crc32c(records),
        };
        let header = group.bytes.first_chunk_mut::<FRAME_HEADER>().expect("the buffer begins with the header's place");
        *header = frame.encode(self.id);
        let (stored, took) = timed(|| {
            self.disk.write(&self.tail.file, &group.bytes, self.tail.at)?;
            self.disk.sync(&self.tail.file)
        });
        stored?;
        self.shared.counters.group(group.notes.len(), group.bytes.len(), took);
        self.returning.told(group.notes.len(), took);
        let place = self.place_of(0);
        let mut index = write(&self.shared.index);
        for (stream, tip) in group.tips.drain() {
            index.publish(stream, tip);
        }
        for (partition, first, last) in &group.notes {
            index.note(*partition, place, *first, *last);
        }
        self.tail.at = frame.next(self.tail.at);
        index.end = index.end.after(frame, self.id, self.place_of(0));
        drop(index);
        self.next_frame += 1;
        self.spare.prepare(self.tail.at, self.segment_bytes);
        Ok(())
    }
}

/// Why there is no new segment.
enum NotRolled {
    /// The disk has no room for it. Nothing was touched.
    NoSpace(Refusal),
    Failed(io::Error),
}

impl From<io::Error> for NotRolled {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

/// Refuses from now on, for the first reason there was.
fn poison(shared: &Shared, reason: &str) -> Arc<str> {
    shared.counters.poisonings.fetch_add(1, Ordering::Relaxed);
    tracing::error!(reason, "the journal takes no more writes");
    Arc::clone(shared.poisoned.get_or_init(|| reason.into()))
}

fn refuse(waiting: VecDeque<Queued>, shared: &Shared) -> Told {
    let reason = shared.poisoned.get().cloned().unwrap_or_default();
    waiting.into_iter().map(|queued| queued.refuse(Refusal::Poisoned(Arc::clone(&reason)))).collect()
}

fn hand_over(teller: &SyncSender<Told>, told: Told) {
    if let Err(unsent) = teller.send(told) {
        tell_all(unsent.0); // the teller is gone, which only a broken promise of ours can bring about
    }
}

fn tell_all(told: Told) {
    for (done, outcome) in told {
        if catch_unwind(AssertUnwindSafe(|| done.tell(outcome))).is_err() {
            tracing::error!("whoever waited for an append panicked when told");
        }
    }
}

/// Tells what is committed, in order, until the writer is gone.
pub(super) fn tell(groups: &Receiver<Told>) {
    for told in groups {
        tell_all(told);
    }
}
