//! What is kept in memory of the durable journal: stream heads, and where positions are.

use std::collections::{BTreeMap, hash_map::Entry};

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::{
    bases::Beginning,
    frame::{FrameHeader, JournalId},
    heads::Checkpoint,
};
use crate::{
    maps::Map,
    persistence::{PartitionId, StreamId, record::Location, tip::Tip},
};

/// Everything that readers look up. Holds only what is durable.
///
/// About 200 bytes a stream (its key is shared with whoever appended it), and at most 16 bytes per partition for
/// every [`STRIDE`] bytes of journal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Index {
    pub(super) streams: Streams,
    partitions: Vec<Partition>,
    pub(super) end: End,
    /// Where the last frame ends of each segment but the last. Behind it may stand what was never acknowledged.
    ends: BTreeMap<u32, u32>,
    /// The last deleted segment; 0 when nothing was deleted.
    cut: u32,
    /// How many records came one by one: without those that saved heads, or base records, stand for.
    records: u64,
}

/// The tips of all streams, in parts that are looked through one at a time, so that nobody waits for all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Streams(Vec<Map<StreamId, Tip>>);

/// Ten million streams are 40 thousand a part: some milliseconds.
const PARTS: u16 = 256;

impl Default for Streams {
    fn default() -> Self {
        Self(vec![Map::default(); usize::from(PARTS)])
    }
}

impl Streams {
    fn part_of(stream: &StreamId) -> usize {
        usize::from(stream.partition(PARTS).0)
    }

    pub(super) fn get(&self, stream: &StreamId) -> Option<&Tip> {
        self.0.get(Self::part_of(stream))?.get(stream)
    }

    fn entry(&mut self, stream: StreamId) -> Entry<'_, StreamId, Tip> {
        self.0.get_mut(Self::part_of(&stream)).expect("there is a part for every stream").entry(stream)
    }

    pub(super) fn len(&self) -> usize {
        self.0.iter().map(Map::len).sum()
    }

    pub(super) fn tips(&self) -> impl Iterator<Item = &Tip> {
        self.0.iter().flat_map(Map::values)
    }

    /// One of the parts, as it is now; `None` behind the last.
    pub(super) fn part(&self, number: usize) -> Option<Vec<(StreamId, Tip)>> {
        Some(self.0.get(number)?.iter().map(|(stream, tip)| (stream.clone(), *tip)).collect())
    }

    /// Shows one of the parts; false behind the last.
    pub(super) fn visit(&self, number: usize, mut show: impl FnMut(&StreamId, &Tip)) -> bool {
        let part = self.0.get(number);
        part.into_iter().flatten().for_each(|(stream, tip)| show(stream, tip));
        part.is_some()
    }
}

/// How far the journal goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct End {
    /// Number of the last frame; 0 when there is none.
    pub(super) frame: u64,
    /// Behind it.
    pub(super) place: Location,
    /// Hash over the headers of all frames, each of which has the checksum of its records. No CRC32C: a header ends with
    /// its own, and over such bytes it is always the same.
    pub(super) chain: u64,
}

impl End {
    /// The end once `frame` is there, which ends before `place`.
    pub(super) fn after(self, frame: FrameHeader, id: JournalId, place: Location) -> Self {
        Self { frame: frame.number, place, chain: xxh3_64_with_seed(&frame.encode(id), self.chain) }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Partition {
    last: u64,
    /// The last deleted position.
    cut: u64,
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
        Self { partitions: vec![Partition::default(); usize::from(partitions)], ..Self::default() }
    }

    /// The index of a journal that begins there, before anything that is left was read.
    pub(super) fn beginning(Beginning { start, tips }: &Beginning) -> Self {
        let partition = |last: &u64| Partition { last: *last, cut: *last, marks: Vec::new() };
        let end = End {
            frame: start.next_frame.saturating_sub(1),
            place: Location { segment: start.segment, byte: 0 },
            chain: start.chain,
        };
        let partitions = start.positions.iter().map(partition).collect();
        let mut index = Self { partitions, end, cut: start.segment, ..Self::default() };
        for (stream, tip) in tips {
            index.restore(stream.clone(), *tip);
        }
        index
    }

    /// The segments up to this one are no more; these were their last positions.
    pub(super) fn delete(&mut self, upto: u32, positions: &[u64]) {
        self.cut = upto;
        self.ends.retain(|segment, _| *segment > upto);
        for (partition, cut) in self.partitions.iter_mut().zip(positions) {
            partition.cut = *cut;
            partition.marks.retain(|mark| mark.frame.segment > upto);
        }
    }

    /// The last deleted segment; 0 when nothing was deleted.
    pub(super) fn cut(&self) -> u32 {
        self.cut
    }

    /// The first position that was not deleted.
    pub(super) fn first(&self, partition: PartitionId) -> u64 {
        self.partitions.get(usize::from(partition.0)).map_or(1, |partition| partition.cut + 1)
    }

    /// For comparisons of what was read in different ways.
    #[cfg(test)]
    pub(super) fn forget_records(&mut self) {
        self.records = 0;
    }

    /// Sets a stream's tip to the record that came.
    pub(super) fn publish(&mut self, stream: StreamId, tip: Tip) {
        self.records += 1;
        self.restore(stream, tip);
    }

    /// Sets a stream's tip, which was kept.
    pub(super) fn restore(&mut self, stream: StreamId, tip: Tip) {
        *self.streams.entry(stream).or_insert(tip) = tip;
    }

    /// How many records have come one by one.
    pub(super) fn records(&self) -> u64 {
        self.records
    }

    /// Goes on from `saved`, whose frames were all noted. False when it says less than what was noted.
    pub(super) fn resume(&mut self, saved: &Checkpoint) -> bool {
        let fits = self.partitions.len() == saved.positions.len()
            && self.partitions.iter().zip(&saved.positions).all(|(partition, last)| partition.last <= *last);
        for (partition, last) in self.partitions.iter_mut().zip(&saved.positions) {
            partition.last = *last;
        }
        fits
    }

    /// What is in all tips from now on.
    pub(super) fn checkpoint(&self, id: JournalId) -> Checkpoint {
        let End { frame, place, chain } = self.end;
        Checkpoint { journal: id.0, frame, end: place, chain, positions: self.positions() }
    }

    /// The segment's last frame ends here: the journal goes on in another one.
    pub(super) fn ended(&mut self, place: Location) {
        self.ends.insert(place.segment, place.byte);
    }

    /// Where the frames of a segment end.
    pub(super) fn end_of(&self, segment: u32) -> u32 {
        let last = if self.end.place.segment == segment { self.end.place.byte } else { 0 };
        self.ends.get(&segment).copied().unwrap_or(last)
    }

    /// The last position of each partition.
    pub(super) fn positions(&self) -> Vec<u64> {
        self.partitions.iter().map(|partition| partition.last).collect()
    }

    /// Whether every event in the segments up to this one stands at or below these positions, one per partition.
    pub(super) fn is_below(&self, segment: u32, below: &[u64]) -> bool {
        self.above(segment, below).is_none()
    }

    /// A partition whose last position in the segments up to this one is not at or below these, and that position.
    pub(super) fn above(&self, segment: u32, below: &[u64]) -> Option<(u16, u64)> {
        self.partitions.iter().zip(0..).find_map(|(partition, number)| {
            let behind = partition.marks.partition_point(|mark| mark.frame.segment <= segment);
            let last = partition.marks.get(behind).map_or(partition.last, |mark| mark.first - 1);
            let is_below = below.get(usize::from(number)).is_some_and(|below| last <= *below);
            (!is_below).then_some((number, last))
        })
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
