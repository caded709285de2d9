//! The port behind which a journal keeps its stream heads, so that it opens sooner. A cache: what it gives may be
//! missing, old or another journal's, and the journal finds out.

use std::fmt;

use super::{StoreError, StreamId, codec::Names, record::Location, rules::Head};

/// A stream's head and where its last record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tip {
    pub(super) head: Head,
    pub(super) location: Location,
}

/// How far the saved heads go: all of the journal up to a frame is in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Checkpoint {
    /// The journal's id.
    pub(super) journal: u128,
    /// Number of the last frame.
    pub(super) frame: u64,
    /// Behind that frame.
    pub(super) end: Location,
    /// Hash over the headers of all frames up to that one: two journals that were once the same differ in it.
    pub(super) chain: u64,
    /// The last position of each partition.
    pub(super) positions: Vec<u64>,
}

/// Rows in one batch: sled's memory follows the size of a batch.
pub(super) const MAX_HEADS: usize = 256;

/// Keeps a row for each stream, and one checkpoint.
///
/// A crash leaves what a prefix of the calls has written. Rows may be newer than the checkpoint, never older.
pub(super) trait HeadStore: fmt::Debug + Send + Sync + 'static {
    /// The checkpoint; `None` when nothing was saved.
    fn checkpoint(&self) -> Result<Option<Checkpoint>, StoreError>;

    /// Shows every row, in no order. An error when one of them is damaged.
    fn heads(&self, names: &Names, visit: &mut dyn FnMut(StreamId, Tip)) -> Result<(), StoreError>;

    /// Writes at most [`MAX_HEADS`] rows. With a checkpoint: together with it, all or nothing, and everything written
    /// so far is durable when this returns.
    fn save_heads(&self, rows: &[(StreamId, Tip)], checkpoint: Option<&Checkpoint>) -> Result<(), StoreError>;

    /// Takes the checkpoint away, durably, and then every row.
    fn clear_heads(&self) -> Result<(), StoreError>;
}
