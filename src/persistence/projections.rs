//! The port of what was made of the journal: rows and cursors.

use std::sync::Arc;

use bytes::Bytes;

use super::PartitionId;

/// A view and its version: rows of another version are dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ViewName {
    /// Name of the view.
    pub name: &'static str,
    /// Its version.
    pub version: u32,
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
    /// The view's progress; `None` when it has none in this version.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn progress(&self, view: ViewName) -> Result<Option<ViewProgress>, StoreError>;

    /// Writes at most [`MAX_ROWS`] row changes and the progress, all or nothing. Survives a power cut once
    /// this returns. May block on the disk.
    ///
    /// # Errors
    /// Nothing of it is written then, or all of it; reading the progress says which.
    fn commit(&self, view: ViewName, rows: Vec<RowChange>, progress: &ViewProgress) -> Result<(), StoreError>;

    /// One row. May block on the disk.
    ///
    /// # Errors
    /// When the store cannot be read, or the row is damaged.
    fn get(&self, view: ViewName, key: &[u8]) -> Result<Option<Bytes>, StoreError>;

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

    /// Drops every row and the progress of this view, in all versions. May block on the disk.
    ///
    /// # Errors
    /// Some rows may be gone then; the progress is gone first, so that a rebuild follows.
    fn clear(&self, view: ViewName) -> Result<(), StoreError>;
}

/// The most that one `commit` takes: sled's memory follows the size of a batch.
pub const MAX_ROWS: usize = 256;
