//! The port of what was made of the journal: rows and cursors.

use std::sync::Arc;

use bytes::Bytes;

use super::PartitionId;

/// A view, its version and a generation of its rows: each has rows and progress of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ViewName {
    /// Name of the view.
    pub name: &'static str,
    /// Its version. Rows of another version are dropped.
    pub version: u16,
    /// Which of the rows of this version: those in use, or those that are built beside them.
    pub generation: u16,
}

/// How far a reader of the feed has come in one partition of one storage unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The storage unit.
    pub unit: Arc<str>,
    /// The partition.
    pub partition: PartitionId,
    /// Everything up to this position is in the rows.
    pub offset: u64,
}

/// What is committed together with rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ViewProgress {
    /// The vector of cursors.
    pub cursors: Vec<Cursor>,
    /// How many of the view's rows are listed.
    pub listed: u64,
}

/// A store of snapshots or rows could not do something. What it holds is derivable from the journal.
#[derive(Debug, thiserror::Error)]
#[error("{doing} failed: {reason}")]
pub struct StoreError {
    /// What was being done.
    pub doing: &'static str,
    /// What went wrong.
    pub reason: String,
}

/// A row change: the row's key and its bytes, or `None` to delete it.
pub type RowChange = (Vec<u8>, Option<Bytes>);

/// Rows of views, sorted by key, with the cursors that they stand for. Derivable: may be deleted as a whole.
pub trait Projections: Send + Sync + 'static {
    /// Why nothing will be written here any more before the process starts again; `None` while all is well. A failed write
    /// is not tried again: the system may have dropped what it did not write.
    fn broken(&self) -> Option<Arc<str>> {
        None
    }

    /// The view's progress; `None` when it has none in this version.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn progress(&self, view: ViewName) -> Result<Option<ViewProgress>, StoreError>;

    /// Writes at most [`MAX_ROWS`] row changes and the progress, all or nothing. A power cut may take it back, and with it
    /// what came after it, until [`sync`](Self::sync) has returned. May block on the disk.
    ///
    /// # Errors
    /// Nothing of it is written then, or all of it; reading the progress says which.
    fn commit(&self, view: ViewName, rows: Vec<RowChange>, progress: &ViewProgress) -> Result<(), StoreError>;

    /// Has everything that was written so far, of all views, survive a power cut. Blocks on the disk.
    ///
    /// # Errors
    /// It may have been written or not; the store is [`broken`](Self::broken) then.
    fn sync(&self) -> Result<(), StoreError>;

    /// One row. May block on the disk.
    ///
    /// # Errors
    /// When the store cannot be read, or the row is damaged.
    fn get(&self, view: ViewName, key: &[u8]) -> Result<Option<Bytes>, StoreError>;

    /// The greatest key of a row; `None` when there is none. May block on the disk.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn last(&self, view: ViewName) -> Result<Option<Vec<u8>>, StoreError>;

    /// At most `limit` rows with keys greater than `after` (all, when `None`) and starting with `prefix`,
    /// by key. May block on the disk.
    ///
    /// # Errors
    /// When the store cannot be read, or a row is damaged.
    fn scan(
        &self,
        view: ViewName,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Bytes)>, StoreError>;

    /// Drops every row and the progress of this view, in all versions and generations. May block on the disk.
    ///
    /// # Errors
    /// Some rows may be gone then; the progress is gone first, so that a rebuild follows.
    fn clear(&self, view: ViewName) -> Result<(), StoreError>;

    /// The generation of this view and version that is in use; 0 when there was never another.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn generation(&self, view: ViewName) -> Result<u16, StoreError>;

    /// Writes at most [`MAX_ROWS`] row changes of a generation that is not in use and has progress already. They are
    /// durable with the next [`sync`](Self::sync); until then a power cut may leave any of them. May block on the disk.
    ///
    /// # Errors
    /// Nothing of it is written then, or all of it.
    fn stage(&self, view: ViewName, rows: Vec<RowChange>) -> Result<(), StoreError>;

    /// Makes this generation the one in use, all at once. Survives a power cut once this returns. May block on the disk.
    ///
    /// # Errors
    /// It is then in use or not; [`generation`](Self::generation) says which.
    fn switch(&self, view: ViewName) -> Result<(), StoreError>;

    /// Drops some rows, at most [`MAX_CLEARED`], of the generations and versions of this view that are not in use, and
    /// the progress of each with its last row; whether there are more. May block on the disk.
    ///
    /// # Errors
    /// Some may be gone then.
    fn clear_others(&self, view: ViewName) -> Result<bool, StoreError>;
}

/// The most that one `commit` takes: sled's memory follows the size of a batch. Many at once, because rows whose keys are
/// near each other cost little together.
pub const MAX_ROWS: usize = 4096;

/// The most that one `clear_others` drops: nobody should wait long for it when the store is closed.
pub const MAX_CLEARED: usize = 4096;
