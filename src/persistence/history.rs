//! Deleting old events: what a journal is told, what it asks for, and how it refuses.

use super::{ReadError, StoreError, StoredSnapshot, StreamId};

/// What may be deleted.
#[derive(Clone, Copy, Debug)]
pub struct Truncation<'a> {
    /// Only events that were decided before: milliseconds since 1970.
    pub before_millis: u64,
    /// Position of each partition up to which every reader of the feed has dealt with it, and knows so after a crash.
    pub dealt_with: &'a [u64],
}

/// Makes the base record of a stream: its state as of at least this sequence, which is durable. May read the journal. An
/// error says why there is none, and nothing is deleted then.
pub type BaseOf<'a> = dyn FnMut(&StreamId, u64) -> Result<StoredSnapshot, String> + 'a;

/// What was deleted; all zero when there was nothing to delete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Truncated {
    /// Segments, or whatever the journal deletes as a whole.
    pub pieces: u64,
    /// Events.
    pub events: u64,
    /// Base records that were made for it.
    pub bases: u64,
}

/// Why nothing was deleted. After [`TruncateError::Store`] all of it counts as deleted, or nothing; all others change
/// nothing. Trying again is safe.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TruncateError {
    /// This journal keeps all history.
    #[error("this journal cannot delete history")]
    NotSupported,
    /// What is old enough is not dealt with by every reader.
    #[error("position {needed} of partition {partition} is old enough, and a reader has only dealt with {dealt_with}")]
    Behind {
        /// The partition.
        partition: u16,
        /// The last position that would be deleted.
        needed: u64,
        /// How far the readers are.
        dealt_with: u64,
    },
    /// A stream that would lose events has no base record.
    #[error("{stream} would lose the events up to {sequence} and has no base record: {why}")]
    NoBase {
        /// The stream.
        stream: StreamId,
        /// The last event that it would lose.
        sequence: u64,
        /// Why there is none.
        why: String,
    },
    /// What would be deleted cannot be read, or is damaged.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The storage failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl TruncateError {
    /// That there is no base record, unless this one is of use for a stream that would lose what is up to `sequence`.
    pub(super) fn unless_of_use(
        stream: &StreamId,
        sequence: u64,
        durable: u64,
        base: Result<StoredSnapshot, String>,
    ) -> Result<StoredSnapshot, Self> {
        let no_base = |why| Self::NoBase { stream: stream.clone(), sequence, why };
        let base = base.map_err(no_base)?;
        if base.sequence < sequence || base.sequence > durable {
            return Err(no_base(format!("the one that was made is of sequence {}", base.sequence)));
        }
        if base.bytes.len() > MAX_BASE {
            return Err(no_base(format!("its {} bytes are more than {MAX_BASE}", base.bytes.len())));
        }
        Ok(base)
    }
}

/// Bytes of one base record's state: beyond any entity that fits into memory among others.
pub(super) const MAX_BASE: usize = 64 << 20;
