//! An append as a journal's writer takes it.

use super::{
    Append, PartitionId, StreamId,
    record::{encode_unplaced, encoded_len},
    rules::Successor,
};

/// An append that needs nothing but its place: the rest of its record is written where it was decided, by whoever hands it
/// over. So that the one writer has little to do, and the pieces of an append end on the thread that made them.
pub(super) struct Ready {
    pub(super) stream: StreamId,
    pub(super) partition: PartitionId,
    pub(super) next: Successor,
    /// Of [`encode_unplaced`].
    pub(super) record: Vec<u8>,
}

impl Ready {
    /// `append` has passed `rules::check_size`.
    pub(super) fn new(append: Append, partitions: u16) -> Self {
        let mut record = Vec::with_capacity(encoded_len(&append));
        encode_unplaced(&append, &mut record);
        let (partition, next) = (append.stream.partition(partitions), Successor::of(&append));
        Self { stream: append.stream, partition, next, record }
    }

    /// Bytes of its record.
    pub(super) fn size(&self) -> usize {
        self.record.len()
    }
}
