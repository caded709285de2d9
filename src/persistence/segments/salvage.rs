//! After a write or a sync that failed: what was written and not acknowledged goes into a segment of its own.
//!
//! A sync that failed is not tried again, since the system may take the pages for clean that never reached the disk. So
//! the place is left: a fresh segment begins with the frame after the last acknowledged one, which ends the segment
//! before it there, whatever stands behind. If that frame was written whole, the fresh segment has a copy of it;
//! otherwise it is empty, and nobody was told that the frame is there.

use std::{io, path::Path};

use super::{
    frame::{FRAME_HEADER, FrameHeader, JournalId},
    index::End,
    segment::{self, SEGMENT_HEADER, SegmentHeader, Window},
    writer::Disk,
};
use crate::persistence::{
    codec::Names,
    record::{self, Location},
};

/// Begins a fresh segment behind the acknowledged end of the journal in `dir`. Returns how many records it has.
///
/// # Errors
/// The fresh segment is not there, or perhaps there; calling again is safe.
pub(super) fn leave(
    dir: &Path,
    acknowledged: End,
    SegmentHeader { id, partitions, .. }: SegmentHeader,
    segment_bytes: u64,
    disk: &mut dyn Disk,
) -> io::Result<u32> {
    segment::remove_unfinished(dir)?;
    let last = segment::list(dir)?.last().copied().unwrap_or(0);
    let next = acknowledged.frame + 1;
    let at = if acknowledged.place.segment == last {
        acknowledged.place
    } else {
        Location { segment: last, byte: u32::try_from(SEGMENT_HEADER).expect("a header is short") }
    };
    let segment = last.checked_add(1).ok_or_else(|| io::Error::other("no segment numbers are left"))?;
    let copy = copied(dir, at, next, segment, id)?;
    let (records, frame) = copy.unwrap_or_default();
    let header = SegmentHeader { segment, partitions, id, first_frame: next };
    let needed = (SEGMENT_HEADER + frame.len()) as u64;
    disk.create(dir, header, segment_bytes.max(needed), &frame)?;
    Ok(records)
}

/// The frame at `at` as it stands at the beginning of `segment`, if it is the wanted one and whole.
fn copied(dir: &Path, at: Location, number: u64, segment: u32, id: JournalId) -> io::Result<Option<(u32, Vec<u8>)>> {
    let file = std::fs::File::open(segment::place(dir, at.segment))?;
    let mut window = Window::new(&file, FRAME_HEADER);
    let header = FrameHeader::decode(window.get(u64::from(at.byte), FRAME_HEADER)?, id);
    let Some(frame) = header.filter(|frame| frame.number == number) else { return Ok(None) };
    let length = usize::try_from(frame.length).unwrap_or(usize::MAX);
    let records = window.get(u64::from(at.byte) + FRAME_HEADER as u64, length)?;
    if records.len() < length || crc32c::crc32c(records) != frame.checksum {
        return Ok(None);
    }
    let moved = |from: Location| {
        if from.segment != at.segment || from.byte < at.byte {
            return from; // before the frame
        }
        let within = from.byte - at.byte;
        let first = u32::try_from(SEGMENT_HEADER).expect("a header is short");
        Location { segment, byte: first + within }
    };
    let Some(records) = relinked(records, frame.count, moved) else { return Ok(None) };
    let frame = FrameHeader { checksum: crc32c::crc32c(&records), ..frame };
    Ok(Some((frame.count, [&frame.encode(id)[..], &records].concat())))
}

/// The records with each "previous record" as `moved` says. `None` when they are none.
fn relinked(records: &[u8], count: u32, moved: impl Fn(Location) -> Location) -> Option<Vec<u8>> {
    let names = Names::default();
    let mut rest = records;
    let mut copy = Vec::with_capacity(records.len());
    for _ in 0..count {
        let linked = record::decode(rest, &names).ok()?;
        record::encode(&linked.record.append, linked.record.offset, moved(linked.previous), &mut copy);
        rest = rest.get(record::full_length(rest)?..)?;
    }
    (rest.is_empty() && copy.len() == records.len()).then_some(copy)
}
