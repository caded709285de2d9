//! The port of the truth.

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use super::{
    Append, Appended, BaseOf, JournalMetrics, Lease, Line, Record, StoredSnapshot, TruncateError, Truncated, Truncation,
};

/// A stream: all events of one entity.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId {
    /// The entity's kind.
    pub kind: Arc<str>,
    /// The entity's key.
    pub key: Arc<str>,
}

impl StreamId {
    /// The partition that this stream belongs to, of `partitions`. On disk: never change.
    ///
    /// XXH3-64 (seed 0) over kind, a zero byte, key; modulo the number of partitions.
    pub fn partition(&self, partitions: u16) -> PartitionId {
        PartitionId::of(&self.kind, &self.key, partitions)
    }
}

impl StreamId {
    pub(super) fn hash(&self) -> u64 {
        hash_of(&self.kind, &self.key)
    }
}

/// XXH3-64 over kind, a zero byte, key.
pub(super) fn hash_of(kind: &str, key: &str) -> u64 {
    let (kind, key) = (kind.as_bytes(), key.as_bytes());
    // In one piece, as almost every stream is short enough, it takes a tenth of the time.
    let mut text = [0; 256];
    if let Some(text) = text.get_mut(..kind.len() + 1 + key.len()) {
        let (start, end) = text.split_at_mut(kind.len() + 1);
        start.split_at_mut(kind.len()).0.copy_from_slice(kind);
        end.copy_from_slice(key);
        return xxhash_rust::xxh3::xxh3_64(text);
    }
    let mut hash = xxhash_rust::xxh3::Xxh3Default::new();
    hash.update(kind);
    hash.update(&[0]);
    hash.update(key);
    hash.digest()
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.key)
    }
}

/// One of the fixed number of partitions of a storage unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartitionId(pub u16);

impl PartitionId {
    /// That of a stream, as [`StreamId::partition`].
    pub(crate) fn of(kind: &str, key: &str, partitions: u16) -> Self {
        let slot = hash_of(kind, key) % u64::from(partitions.max(1));
        Self(u16::try_from(slot).expect("smaller than a u16"))
    }
}

/// Called once with what became of an append, from any thread: quick, and never blocking.
pub type AppendDone = Box<dyn FnOnce(Result<Appended, AppendError>) + Send>;

/// Why an append was not done, or is not known to be.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AppendError {
    /// The stream is elsewhere: recover and decide again. Nothing was written.
    #[error("{stream} is at {actual}, not at {expected}")]
    Conflict {
        /// The stream.
        stream: StreamId,
        /// What the append expected.
        expected: u64,
        /// Where the stream is.
        actual: u64,
    },
    /// The stream's last append is this very one, handed over again. Nothing was written again.
    #[error("already appended at {}", .0.offset)]
    Duplicate(Appended),
    /// A newer lease or incarnation has taken over. Nothing was written; stop writing.
    #[error("a newer writer has taken {stream} over")]
    Fenced {
        /// The stream.
        stream: StreamId,
    },
    /// Not written, for a reason that may pass.
    #[error("not written: {0}")]
    Refused(Refusal),
    /// Nobody knows whether it was written. Read the stream again before writing.
    #[error("not known whether written: {0}")]
    Unknown(Arc<str>),
}

/// Why nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The writer's queue is full.
    #[error("the journal's queue is full")]
    Overloaded {
        /// When a new try has a chance.
        retry_after: Duration,
    },
    /// More than a record may hold, or no event at all.
    #[error("{bytes} bytes in {events} events are not what one append may hold")]
    TooLarge {
        /// Payload bytes.
        bytes: usize,
        /// Events.
        events: usize,
    },
    /// The disk has too little space left. Nothing was touched; reads go on.
    #[error("the disk has {available} bytes left, and writes stop below {mark}")]
    NoSpace {
        /// Bytes that it had when it was last looked at.
        available: u64,
        /// Writes are taken again from so many bytes on, and room for the ballast.
        mark: u64,
        /// When a new try has a chance.
        retry_after: Duration,
    },
    /// An earlier write failed; the store takes no more until it is reopened.
    #[error("the journal takes no writes since an earlier one failed: {0}")]
    Poisoned(Arc<str>),
    /// The store is closed.
    #[error("the journal is closed")]
    Closed,
    /// An append before it in its [line](super::Line) was not written.
    #[error("what comes before it was not written")]
    LineCut,
    /// It was not even handed over, on purpose: a fault was injected. Nothing was touched.
    #[error("refused on purpose by {reason}")]
    OnPurpose {
        /// Which fault.
        reason: Arc<str>,
        /// When a new try has a chance.
        retry_after: Duration,
    },
}

/// Why a poisoned store could not be opened again in place. It goes on refusing writes; trying again is safe.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReopenError {
    /// This journal does not do that: the process has to be started again.
    #[error("this journal cannot be opened again in place")]
    NotSupported,
    /// It is closed for good.
    #[error("the journal is closed")]
    Closed,
    /// What is on disk could not be opened.
    #[error("{0}")]
    Open(#[from] super::OpenError),
}

/// Why something could not be read.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// Bytes on disk are not what was written.
    #[error("{file} is damaged at byte {at}: {what}", file = .file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// Byte offset within it.
        at: u64,
        /// What is wrong.
        what: String,
    },
    /// The operating system said no.
    #[error("cannot read {file}", file = .file.display())]
    Io {
        /// The file.
        file: PathBuf,
        /// What it said.
        #[source]
        source: Arc<std::io::Error>,
    },
    /// What was asked for was deleted on purpose.
    #[error("older history was deleted; {first} is the first that is there")]
    Deleted {
        /// The first position of the partition, or the first sequence of the stream, that can be read.
        first: u64,
    },
}

/// What is known about a stream without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamHead {
    /// Sequence of its last durable event.
    pub sequence: u64,
    /// The entity's public number; 0 for none.
    pub number: u64,
    /// Whether it has open asks.
    pub open_asks: bool,
}

/// Streams of events in fixed partitions, append-only.
///
/// - **Durable:** when `done` gets `Ok`, the events survive a power cut, and from then on
///   [`head`](Self::head), [`read_stream`](Self::read_stream) and [`read_feed`](Self::read_feed) show them.
///   Nothing shows an event before that.
/// - **All or nothing:** of one append, readers see all events or none, also after a crash.
/// - **Ordered:** positions are dense per partition, from 1, in commit order; within a partition `done` is
///   called in that order, before a greater position is durable to a reader that was told of it. An append
///   handed over after another of the same stream, from the same thread, is committed after it.
/// - **Fenced:** an append is taken only when its lease is the current one, its incarnation is not older
///   than the stream's last, and `expected` is the stream's sequence. The very append that is the stream's last (same
///   command, same expected sequence) answers `Duplicate`.
/// - **Honest:** what is not known is `Unknown`; after it the store is poisoned and refuses until it is
///   [reopened](Self::reopen).
pub trait Journal: Send + Sync + 'static {
    /// Hands an append over. Never waits: when the queue is full, `done` gets `Overloaded` at once (on
    /// the caller's thread). `done` is called exactly once, also when the store closes.
    fn append(&self, append: Append, done: AppendDone) {
        self.hand_over(append, None, done);
    }

    /// As [`append`](Self::append); with a line, only if all before it in that line are written, and behind them: else it
    /// is refused as `LineCut`. One that is not written, or not known to be, cuts its line before `done` is called.
    fn hand_over(&self, append: Append, line: Option<Line>, done: AppendDone);

    /// Number of partitions, fixed when the data was created.
    fn partitions(&self) -> u16;

    /// The lease that this process holds on `partition`.
    fn lease(&self, partition: PartitionId) -> Lease;

    /// Position of the last durable event of `partition`; 0 when there is none.
    fn durable(&self, partition: PartitionId) -> u64;

    /// The stream's durable head; `None` for a stream without events. From memory: never blocks on a disk.
    fn head(&self, stream: &StreamId) -> Option<StreamHead>;

    /// Shows every stream's durable head, in no order, each as it is when its turn comes. From memory; nobody waits
    /// meanwhile.
    fn heads(&self, visit: &mut dyn FnMut(&StreamId, &StreamHead));

    /// The records of a stream with events after `after`, in order, at most `limit` records. May block on
    /// the disk.
    ///
    /// # Errors
    /// [`ReadError::Damaged`] names the place; nothing of the stream is returned then. [`ReadError::Deleted`] names the
    /// first sequence that can be read.
    fn read_stream(&self, stream: &StreamId, after: u64, limit: usize) -> Result<Vec<Record>, ReadError>;

    /// The records of a partition with positions after `after`, in order and without a gap, at most `limit` records,
    /// up to the durable head. May block on the disk.
    ///
    /// # Errors
    /// As [`read_stream`](Self::read_stream).
    fn read_feed(&self, partition: PartitionId, after: u64, limit: usize) -> Result<Vec<Record>, ReadError>;

    /// Why the store takes no more writes; `None` while it is healthy.
    fn poisoned(&self) -> Option<Arc<str>>;

    /// Why an append would be refused now; `None` when it is worth a try. For whoever would rather not begin what
    /// cannot be written.
    fn refusal(&self) -> Option<Refusal> {
        self.poisoned().map(Refusal::Poisoned)
    }

    /// Opens a poisoned store again in place, under a new epoch: appends with older leases are `Fenced` from then on.
    /// What was acknowledged is there; an append that was `Unknown` is there or not, for good. Readers go on meanwhile
    /// with what was durable before. Does nothing to a store that is healthy. Blocks until the store is checked.
    ///
    /// # Errors
    /// [`ReopenError`].
    fn reopen(&self) -> Result<(), ReopenError> {
        Err(ReopenError::NotSupported)
    }

    /// Moves away what nobody follows any more: everything at or below these positions, one per partition, was dealt
    /// with by every reader of the feed. It is kept for ever and is read as before. Returns how many pieces were moved;
    /// 0 for a journal that has no archive. Blocks.
    ///
    /// # Errors
    /// Nothing is lost; trying again is safe.
    fn archive(&self, _below: &[u64]) -> Result<usize, super::StoreError> {
        Ok(0)
    }

    /// Deletes what is old and dealt with, for ever, in whole pieces and from the beginning on. For each stream that loses
    /// events `base` is asked for a base record, which is kept durably from then on ([`base`](Self::base)). The newest
    /// piece always stays. Positions, sequences, heads and fences go on as before. All of it or nothing, also after a
    /// crash; what was made instead is on the disk and read back from there before anything is removed. May do nothing
    /// although something is old enough, when that would not be worth its cost. Blocks, with the writer going on.
    ///
    /// # Errors
    /// [`TruncateError`]
    fn truncate(&self, _what: Truncation<'_>, _base: &mut BaseOf<'_>) -> Result<Truncated, TruncateError> {
        Err(TruncateError::NotSupported)
    }

    /// The first position of `partition` that was not deleted; 1 while nothing was. It may not be there yet.
    fn first(&self, _partition: PartitionId) -> u64 {
        1
    }

    /// What stands for the deleted events of a stream; `None` when it has lost none. Its sequence may be greater than
    /// that of the last deleted event, and never beyond the stream's head. May block on the disk.
    ///
    /// # Errors
    /// As [`read_stream`](Self::read_stream).
    fn base(&self, _stream: &StreamId) -> Result<Option<StoredSnapshot>, ReadError> {
        Ok(None)
    }

    /// What it has counted so far; all zero for a journal that does not count.
    fn metrics(&self) -> JournalMetrics {
        JournalMetrics::default()
    }

    /// Bytes that it has on the disk, with what is preallocated and archived; 0 for a journal in memory, and for what
    /// cannot be looked at. Blocks.
    fn disk_bytes(&self) -> u64 {
        0
    }

    /// Commits what was handed over, syncs, and refuses from then on. Blocks until that is done; calling it
    /// again does nothing.
    fn close(&self);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_partition_of_a_stream_is_fixed_because_it_is_on_disk() {
        for bytes in [1, 7, 100, 244, 245, 300] {
            let stream = StreamId { kind: "store.order".into(), key: "k".repeat(bytes).into() };
            let text = format!("store.order\0{}", stream.key);
            assert_eq!(stream.hash(), xxhash_rust::xxh3::xxh3_64(text.as_bytes()), "{bytes} bytes");
        }
        let stream = StreamId { kind: "store.order".into(), key: "1".into() };
        assert_eq!((stream.hash(), stream.partition(16)), (7_052_613_949_791_506_553, PartitionId(9)));
    }
}
