//! What is kept in memory of the durable journal: stream heads, and where positions are.

use std::collections::HashMap;

use crate::persistence::{PartitionId, StreamId, record::Location, rules::Head};

/// A stream's head and where its last record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tip {
    pub(super) head: Head,
    pub(super) location: Location,
}

/// Everything that readers look up. Holds only what is durable.
///
/// About 200 bytes a stream (its key is shared with whoever appended it), and at most 16 bytes per partition for
/// every [`STRIDE`] bytes of journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Index {
    pub(super) streams: HashMap<StreamId, Tip>,
    partitions: Vec<Partition>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Partition {
    last: u64,
    marks: Vec<Mark>,
}

/// A frame that has a record of the partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mark {
    /// Position of the partition's first event in the frame.
    pub(super) first: u64,
    /// Where the frame begins.
    pub(super) frame: Location,
}

/// Every record of a partition stands in a frame that begins less than this many bytes after a mark's frame, in the
/// same segment. Small enough that a reader skips little, large enough that marks take 1/4096 of the journal's size
/// per partition.
pub(super) const STRIDE: u32 = 64 << 10;

impl Index {
    pub(super) fn new(partitions: u16) -> Self {
        Self { streams: HashMap::new(), partitions: vec![Partition::default(); usize::from(partitions)] }
    }

    /// Position of the partition's last event.
    pub(super) fn last(&self, partition: PartitionId) -> u64 {
        self.partitions.get(usize::from(partition.0)).map_or(0, |partition| partition.last)
    }

    /// Notes that the frame at `frame` has the partition's events from `first` to `last`.
    pub(super) fn note(&mut self, partition: PartitionId, frame: Location, first: u64, last: u64) {
        let Some(partition) = self.partitions.get_mut(usize::from(partition.0)) else { return };
        let covered =
            |mark: &Mark| mark.frame.segment == frame.segment && frame.byte.saturating_sub(mark.frame.byte) < STRIDE;
        if !partition.marks.last().is_some_and(covered) {
            partition.marks.push(Mark { first, frame });
        }
        partition.last = last;
    }

    /// The marks from the one that covers the position `wanted` on, at most `limit`.
    pub(super) fn marks(&self, partition: PartitionId, wanted: u64, limit: usize) -> Vec<Mark> {
        let marks = self.partitions.get(usize::from(partition.0)).map_or(&[][..], |partition| &partition.marks);
        let from = marks.partition_point(|mark| mark.first <= wanted).saturating_sub(1);
        marks.iter().skip(from).take(limit).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(segment: u32, byte: u32) -> Location {
        Location { segment, byte }
    }

    #[test]
    fn marks_stand_a_stride_apart_and_at_each_segment() {
        let mut index = Index::new(1);
        let partition = PartitionId(0);
        index.note(partition, at(1, 64), 1, 1);
        index.note(partition, at(1, 64 + STRIDE - 16), 2, 4);
        index.note(partition, at(1, 64 + STRIDE), 5, 5);
        index.note(partition, at(2, 64), 6, 9);
        assert_eq!(index.last(partition), 9);
        let firsts = |wanted| index.marks(partition, wanted, 10).iter().map(|mark| mark.first).collect::<Vec<_>>();
        assert_eq!(firsts(1), [1, 5, 6]);
        assert_eq!(firsts(4), [1, 5, 6]);
        assert_eq!(firsts(5), [5, 6]);
        assert_eq!(firsts(8), [6]);
        assert_eq!(index.marks(partition, 1, 2).len(), 2);
    }
}
