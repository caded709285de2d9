//! The records of checked frames, taken into the index: decoded, or only skimmed when saved heads know them.

use super::Stop;
use crate::persistence::{
    codec::Names,
    record::{self, Location},
    rules::Head,
    segments::{
        bases::Beginning,
        frame::{FrameHeader, JournalId},
        heads::SavedHeads,
        index::Index,
        tips::Tips,
    },
    tip::Tip,
};

/// What the records say, so far.
pub(super) struct Records<'a> {
    pub(super) partitions: u16,
    names: &'a Names,
    /// How far saved heads may spare decoding.
    spared_to: Option<u64>,
    /// They, until they are in the index.
    saved: Option<SavedHeads>,
    index: Index,
    tips: Tips,
    epoch: u64,
    skimmed_to: u64,
}

impl<'a> Records<'a> {
    pub(super) fn new(
        partitions: u16,
        names: &'a Names,
        saved: Option<SavedHeads>,
        beginning: Option<&Beginning>,
    ) -> Self {
        let index = beginning.map_or_else(|| Index::new(partitions), Index::beginning);
        let tips = Tips::of(index.streams.tips());
        let epoch = beginning.map_or(0, |beginning| beginning.start.epoch);
        let spared_to = saved.as_ref().map(|saved| saved.checkpoint.frame);
        Self { partitions, names, spared_to, saved, index, tips, epoch, skimmed_to: 0 }
    }

    /// Takes the record that `bytes` begin with, standing in a frame of that number. Returns its length.
    pub(super) fn take(
        &mut self,
        number: u64,
        frame: Location,
        location: Location,
        bytes: &[u8],
    ) -> Result<usize, String> {
        if self.spared_to.is_some_and(|frame| number <= frame) {
            self.skim(frame, location, bytes)
        } else {
            self.decode(frame, location, bytes)
        }
    }

    /// A frame ends before `place`. If it is the checkpoint's, the saved heads go into the index.
    pub(super) fn ended(&mut self, frame: FrameHeader, id: JournalId, place: Location) -> Result<(), Stop> {
        let end = self.index.end.after(frame, id, place);
        self.index.end = end;
        let saved = self.saved.take_if(|saved| saved.checkpoint.frame == end.frame);
        let Some(saved) = saved else { return Ok(()) };
        let checkpoint = &saved.checkpoint;
        let same = checkpoint.journal == id.0 && checkpoint.end == end.place && checkpoint.chain == end.chain;
        if !same || !self.index.resume(checkpoint) {
            return Err(Stop::Heads("they are of another journal".to_owned()));
        }
        let index = &mut self.index;
        let restored = saved.each(self.names, &mut |stream, tip| index.restore(stream, tip));
        restored.map_err(|error| Stop::Heads(error.to_string()))?;
        self.skimmed_to = end.frame;
        Ok(())
    }

    /// A segment that is not the last has no frame behind `place`.
    pub(super) fn segment_ended(&mut self, place: Location) {
        self.index.ended(place);
    }

    /// The last position of each partition, as far as records were read.
    pub(super) fn positions(&self) -> Vec<u64> {
        self.index.positions()
    }

    /// The index, the greatest epoch, and the number of the last frame that was only skimmed.
    pub(super) fn end(self) -> Result<(Index, u64, u64), Stop> {
        if let Some(frame) = self.spared_to {
            if self.saved.is_some() {
                return Err(Stop::Heads(format!("they go up to frame {frame}, which is not there")));
            }
            if Tips::of(self.index.streams.tips()) != self.tips {
                return Err(Stop::Heads("they are not those of all streams".to_owned()));
            }
        }
        Ok((self.index, self.epoch, self.skimmed_to))
    }

    /// Notes the record that `bytes` begin with. Returns its length.
    fn skim(&mut self, frame: Location, location: Location, bytes: &[u8]) -> Result<usize, String> {
        let record = record::skim(bytes).map_err(|what| what.to_string())?;
        if record.partition.0 >= self.partitions || record.offset <= self.index.last(record.partition) {
            return Err(format!("position {} of partition {} is not new", record.offset, record.partition.0));
        }
        self.index.note(record.partition, frame, record.offset, record.offset);
        self.epoch = self.epoch.max(record.epoch);
        self.tips.moved(record.previous, location);
        Ok(record.length)
    }

    /// Takes the record that `bytes` begin with into the index. Returns its length.
    fn decode(&mut self, frame: Location, location: Location, bytes: &[u8]) -> Result<usize, String> {
        let length = record::full_length(bytes).unwrap_or(usize::MAX);
        let linked = record::decode(bytes, self.names).map_err(|what| what.to_string())?;
        self.epoch = self.epoch.max(linked.record.append.lease.epoch);
        self.tips.moved(linked.previous, location);
        take(&mut self.index, self.partitions, frame, location, linked)?;
        Ok(length)
    }
}

/// Takes a decoded record into the index, if it continues its partition and its stream.
fn take(
    index: &mut Index,
    partitions: u16,
    frame: Location,
    location: Location,
    record::Linked { record, previous }: record::Linked,
) -> Result<(), String> {
    let stream = &record.append.stream;
    let partition = stream.partition(partitions);
    let next = index.last(partition) + 1;
    if record.append.lease.partition != partition || record.offset != next {
        return Err(format!("position {next} of partition {} belongs here, not {}", partition.0, record.offset));
    }
    index.note(partition, frame, record.offset, record.last_offset());
    let tip = Tip { head: Head::after(&record.append, record.offset), location };
    let before = index.streams.get(stream).copied();
    // A saved head that is newer than the checkpoint: this record, or one that comes, is the one it speaks of.
    if before.is_some_and(|saved| saved == tip || saved.location > location) {
        return Ok(());
    }
    let sequence = before.map_or(0, |tip| tip.head.sequence);
    if record.append.expected != sequence || previous != before.map_or(Location::NONE, |tip| tip.location) {
        return Err(format!("{stream} is at {sequence}, and its next record says {}", record.append.expected));
    }
    index.publish(record.append.stream, tip);
    Ok(())
}
