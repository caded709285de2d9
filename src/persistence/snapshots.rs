//! The port of the recovery cache.

use bytes::Bytes;

use super::{StoreError, StreamId};

/// A state as of a sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSnapshot {
    /// Sequence of the last event in it.
    pub sequence: u64,
    /// Shape of the state: one of another shape is ignored.
    pub shape: u32,
    /// The state, and what the runtime keeps beside it.
    pub bytes: Bytes,
}

/// States of entities, so that recovery reads only a tail. A cache: it may lose, it never lies.
///
/// A snapshot is only ever saved of events that are durable in the journal, so one from the future of a
/// stream cannot exist; a reader that meets one ignores it.
pub trait Snapshots: Send + Sync + 'static {
    /// Saves at most [`MAX_SNAPSHOTS`] snapshots, each keeping the stream's previous one and dropping older ones. They
    /// survive a power cut once this returns. May block on the disk.
    ///
    /// # Errors
    /// Any of them may be lost then; nothing else is. A store may refuse a state above 4 MiB.
    fn save(&self, batch: Vec<(StreamId, StoredSnapshot)>) -> Result<(), StoreError>;

    /// The stream's snapshots, newest first, at most two. One that is damaged is left out (and reported by
    /// a log line), so that the older one or the journal serves. May block on the disk.
    ///
    /// # Errors
    /// When the store cannot be read at all.
    fn load(&self, stream: &StreamId) -> Result<Vec<StoredSnapshot>, StoreError>;
}

/// The most that one [`Snapshots::save`] takes: sled's memory follows the size of a batch.
pub const MAX_SNAPSHOTS: usize = 64;
