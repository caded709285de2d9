//! The records of checked frames, taken into the index: decoded, or only skimmed when saved heads know them.

use super::Stop;
use crate::persistence::{
    codec::Names,
    heads::{Checkpoint, HeadStore, Tip},
    record::{self, Location},
    rules::Head,
    segments::{
        bases::Beginning,
        frame::{FrameHeader, JournalId},
        index::Index,
        tips::Tips,
    },
};

/// Heads that may spare decoding.
pub(super) struct Saved<'a> {
    pub(super) heads: &'a dyn HeadStore,
    pub(super) checkpoint: Checkpoint,
}

/// What the records say, so far.
pub(super) struct Records<'a> {
    pub(super) partitions: u16,
    /// `None` when nobody wants to know what they say.
    names: Option<&'a Names>,
    saved: Option<Saved<'a>>,
    index: Index,
    tips: Tips,
    epoch: u64,
    skimmed_to: u64,
}

impl<'a> Records<'a> {
    /// `track` says whether the index is to know which streams change.
    pub(super) fn new(
        partitions: u16,
        names: &'a Names,
        track: bool,
        saved: Option<Saved<'a>>,
        beginning: Option<&Beginning>,
    ) -> Self {
        let mut index = beginning.map_or_else(|| Index::new(partitions), Index::beginning);
        let tips = Tips::of(index.streams.tips());
        if track {
            index.track(); // the tips at the beginning are kept beside the base records
        }
        let epoch = beginning.map_or(0, |beginning| beginning.start.epoch);
        Self { partitions, names: Some(names), saved, index, tips, epoch, skimmed_to: 0 }
    }

    /// For a look at the frames alone.
    pub(super) fn unread(partitions: u16) -> Self {
        let index = Index::new(partitions);
        Self { partitions, names: None, saved: None, index, tips: Tips::default(), epoch: 0, skimmed_to: 0 }
    }

    /// Whether anybody wants to know what they say.
    pub(super) fn are_read(&self) -> bool {
        self.names.is_some()
    }

    /// Takes the record that `bytes` begin with, standing in a frame of that number. Returns its length.
    pub(super) fn take(
        &mut self,
        number: u64,
        frame: Location,
        location: Location,
        bytes: &[u8],
    ) -> Result<usize, String> {
        let Some(names) = self.names else {
            return record::full_length(bytes).ok_or_else(|| "a record has no header".to_owned());
        };
        if self.saved.as_ref().is_some_and(|saved| number <= saved.checkpoint.frame) {
            self.skim(frame, location, bytes)
        } else {
            self.decode(names, frame, location, bytes)
        }
    }

    /// A frame ends before `place`. If it is the checkpoint's, the saved heads go into the index.
    pub(super) fn ended(&mut self, frame: FrameHeader, id: JournalId, place: Location) -> Result<(), Stop> {
        let end = self.index.end.after(frame, id, place);
        self.index.end = end;
        let saved = self.saved.as_ref().filter(|saved| saved.checkpoint.frame == end.frame);
        let (Some(Saved { heads, checkpoint }), Some(names)) = (saved, self.names) else { return Ok(()) };
        let same = checkpoint.journal == id.0 && checkpoint.end == end.place && checkpoint.chain == end.chain;
        if !same || !self.index.resume(checkpoint) {
            return Err(Stop::Heads("they are of another journal".to_owned()));
        }
        let index = &mut self.index;
        heads
            .heads(names, &mut |stream, tip| index.publish(stream, tip))
            .map_err(|error| Stop::Heads(error.to_string()))?;
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
        if let Some(Saved { checkpoint, .. }) = &self.saved {
            if self.skimmed_to == 0 {
                return Err(Stop::Heads(format!("they go up to frame {}, which is not there", checkpoint.frame)));
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
    fn decode(&mut self, names: &Names, frame: Location, location: Location, bytes: &[u8]) -> Result<usize, String> {
        let length = record::full_length(bytes).unwrap_or(usize::MAX);
        let linked = record::decode(bytes, names).map_err(|what| what.to_string())?;
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
