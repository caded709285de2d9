//! Which segments belong to a copy of a journal that may be written meanwhile, and how far.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
};

use super::{
    bases::Bases,
    epoch,
    frame::{FRAME_HEADER, FrameHeader, JournalId},
    segment::{self, SEGMENT_HEADER, SegmentHeader, Window},
    survey::{Behind, behind, deleted_meanwhile},
    witness,
};
use crate::persistence::{OpenError, codec::Names};

/// Read at once; a frame has at most 4 MiB, or one record.
const AHEAD: usize = 1 << 20;

/// A segment, and where its copy ends: the last one can change behind its last whole frame, and no other can.
pub(in crate::persistence) type ToCopy = (PathBuf, Option<u64>);

/// Every segment in `dir` that belongs to a copy with these files beside its segments: what stands in `copied`. That was
/// copied before, so it says nothing of a segment or a frame that is not yet there.
///
/// # Errors
/// A segment is not there: history was deleted meanwhile, or it is lost. Or the last one is damaged: what is behind the
/// damage must not be left out as if it had never been acknowledged.
pub(in crate::persistence) fn segments(dir: &Path, copied: &Path, partitions: u16) -> Result<Vec<ToCopy>, OpenError> {
    let io = |error| OpenError::io(dir, error);
    let start = Bases::open(copied, &Names::default(), &mut |_, _| ())?.map(|bases| bases.start);
    let deleted = start.as_ref().map_or(0, |start| start.segment);
    let named = epoch::read(copied).map_err(io)?.map_or(0, |opening| opening.segment);
    let mut segments = segment::list(dir).map_err(io)?;
    segments.retain(|segment| *segment > deleted); // the others are void
    let last = segments.last().copied().unwrap_or(deleted).max(named);
    if let Some(missing) = (deleted + 1..=last).find(|segment| segments.binary_search(segment).is_err()) {
        return Err(not_there(dir, missing));
    }
    let mut found: Vec<ToCopy> = segments.into_iter().map(|segment| (segment::place(dir, segment), None)).collect();
    let mut frame = start.map_or(0, |start| start.next_frame - 1);
    if let Some((path, end)) = found.last_mut() {
        let last = end_of(path)?;
        (*end, frame) = (Some(last.at), last.frame);
    }
    let acknowledged = witness::last(copied, partitions).map_err(io)?.map_or(0, |witness| witness.frame);
    if frame < acknowledged {
        let (file, at) = found.pop().map_or((dir.to_owned(), 0), |(file, end)| (file, end.unwrap_or(0)));
        let what = format!("the journal ends with frame {frame}, and frame {acknowledged} was acknowledged");
        return Err(OpenError::Damaged { file, at, what });
    }
    Ok(found)
}

/// Behind the last whole frame of a segment: what stands before it never changes.
struct End {
    at: u64,
    /// The number of that frame.
    frame: u64,
}

fn end_of(path: &Path) -> Result<End, OpenError> {
    let io = |error| OpenError::io(path, error);
    let damaged = |at, what: String| OpenError::Damaged { file: path.to_owned(), at, what };
    let file = File::open(path).map_err(io)?;
    let mut window = Window::new(&file, AHEAD);
    let header = SegmentHeader::decode(window.get(0, SEGMENT_HEADER).map_err(io)?);
    let header = header.map_err(|what| damaged(0, what.to_string()))?;
    let mut end = End { at: SEGMENT_HEADER as u64, frame: header.first_frame.saturating_sub(1) };
    loop {
        let frame = if let Some(frame) = whole(&mut window, end.at, header.id).map_err(io)? {
            frame
        } else {
            let Behind::Frame(next) = behind(&mut window, end.at, header.id).map_err(io)? else { return Ok(end) };
            // The writer begins a frame only when the one before it is durable: that one is whole by now, or damaged.
            window = Window::new(&file, AHEAD);
            let what = || damaged(end.at, format!("no whole frame is here, and one stands behind it at byte {next}"));
            whole(&mut window, end.at, header.id).map_err(io)?.ok_or_else(what)?
        };
        end = End { at: frame.next(end.at), frame: frame.number };
    }
}

/// The frame at `at`, if its checksums are right.
fn whole(window: &mut Window<'_>, at: u64, id: JournalId) -> io::Result<Option<FrameHeader>> {
    let Some(frame) = FrameHeader::decode(window.get(at, FRAME_HEADER)?, id) else { return Ok(None) };
    let length = usize::try_from(frame.length).unwrap_or(usize::MAX);
    let records = window.get(at + FRAME_HEADER as u64, length)?;
    Ok(Some(frame).filter(|_| records.len() == length && crc32c::crc32c(records) == frame.checksum))
}

fn not_there(dir: &Path, missing: u32) -> OpenError {
    let file = segment::path(dir, missing);
    let why = deleted_meanwhile(dir, missing, io::ErrorKind::NotFound.into());
    if why.kind() == io::ErrorKind::NotFound {
        OpenError::Damaged { file, at: 0, what: "the segment is missing".to_owned() }
    } else {
        OpenError::io(file, why)
    }
}
