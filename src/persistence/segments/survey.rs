//! A look at all segments that changes nothing, goes on behind damage, and may be taken while a journal writes.

use std::{fs::File, io, ops::ControlFlow, path::Path};

use super::{
    bases,
    frame::{ALIGN, FRAME_HEADER, FrameHeader, JournalId, NOT_ZERO},
    segment::{self, SEGMENT_HEADER, SegmentHeader, Window},
    witness,
};
use crate::persistence::{
    TornTail,
    codec::Names,
    glance::Glance,
    record,
    survey::{Look, Spot},
};

/// Read at once; a frame has at most 4 MiB, or one record.
const AHEAD: usize = 1 << 20;

/// How far a search for the next frame reads at once.
const SEARCH: usize = 1 << 16;

/// Shows every record of every segment in `dir` to `look`, in the order of the files.
pub(in crate::persistence) fn survey(dir: &Path, partitions: u16, look: &mut dyn Look) -> io::Result<()> {
    // Before the segments: what it says is then in them.
    let acknowledged = witness::last(dir, partitions)?;
    let mut walk = Walk { id: None, next_frame: None, last: 0 };
    let mut before = None;
    if let Some(start) = bases::survey(dir, look)? {
        walk = Walk { id: Some(JournalId(start.id)), next_frame: Some(start.next_frame), last: start.next_frame - 1 };
        before = Some(start.segment);
    }
    let mut segments = segment::list(dir)?;
    segments.retain(|segment| before.is_none_or(|deleted| *segment > deleted));
    for number in &segments {
        let expected = before.map_or(1, |before: u32| before + 1);
        if *number != expected {
            let gone = deleted_meanwhile(dir, expected, io::ErrorKind::NotFound.into());
            if gone.kind() != io::ErrorKind::NotFound {
                return Err(gone);
            }
        }
        // Where nothing says what was deleted, nothing is missed.
        if before.is_some() && *number != expected {
            look.damage(Spot { file: &segment::path(dir, expected), at: 0 }, None, "the segment is missing");
            walk.next_frame = None;
        }
        before = Some(*number);
        let path = segment::place(dir, *number);
        let file = File::open(&path).map_err(|error| deleted_meanwhile(dir, *number, error))?;
        let is_last = segments.last() == Some(number);
        let until = if is_last { None } else { segment::first_frame(dir, number + 1)? };
        if walk.segment((&path, &file), is_last, until, look)?.is_break() {
            return Ok(());
        }
    }
    if let Some(witness) = acknowledged.filter(|witness| witness.frame > walk.last) {
        let file = segment::path(dir, segments.last().copied().unwrap_or(1));
        let what = format!("the journal ends with frame {}, and frame {} was acknowledged", walk.last, witness.frame);
        look.damage(Spot { file: &file, at: file.metadata().map_or(0, |meta| meta.len()) }, None, &what);
    }
    Ok(())
}

/// A segment that was there a moment ago: a running process may have deleted it.
pub(super) fn deleted_meanwhile(dir: &Path, segment: u32, error: io::Error) -> io::Error {
    let now = bases::Bases::open(dir, &Names::default(), &mut |_, _| ()).ok().flatten();
    let deleted = now.is_some_and(|now| now.start.segment >= segment);
    if error.kind() == io::ErrorKind::NotFound && deleted {
        return io::Error::other("history was deleted meanwhile: look again");
    }
    error
}

struct Walk {
    /// Of the journal; known from the first readable header on.
    id: Option<JournalId>,
    /// `None` behind damage: any frame may come.
    next_frame: Option<u64>,
    /// Number of the last frame that was met.
    last: u64,
}

impl Walk {
    /// Shows a segment's frames before `until`: that one begins the next segment, and what stands behind here was left by a
    /// write that failed.
    fn segment(
        &mut self,
        (path, file): (&Path, &File),
        is_last: bool,
        until: Option<u64>,
        look: &mut dyn Look,
    ) -> io::Result<ControlFlow<()>> {
        let spot = |at| Spot { file: path, at };
        let mut window = Window::new(file, AHEAD);
        match SegmentHeader::decode(window.get(0, SEGMENT_HEADER)?) {
            Ok(header) => {
                if self.id.is_some_and(|id| id != header.id) {
                    look.damage(spot(0), None, "the segment belongs to another journal");
                }
                if self.next_frame.is_some_and(|next| next != header.first_frame) {
                    look.damage(spot(0), None, "the segment before this one ends too early");
                    self.next_frame = None;
                }
                self.id = Some(header.id);
                self.next_frame.get_or_insert(header.first_frame);
            }
            Err(what) => {
                look.damage(spot(0), None, &what.to_string());
                self.next_frame = None;
            }
        }
        let Some(id) = self.id else { return Ok(ControlFlow::Continue(())) };
        let is_left = |frame| until.is_some_and(|until| frame >= until);
        let mut at = SEGMENT_HEADER as u64;
        while !self.next_frame.is_some_and(is_left) {
            let header = window.get(at, FRAME_HEADER)?;
            let nothing = header.iter().all(|byte| *byte == 0);
            let frame = FrameHeader::decode(header, id);
            let what = match frame {
                Some(frame) if is_left(frame.number) => break,
                Some(frame) => match self.frame(path, &mut window, (at, frame), is_last, look)? {
                    Next::At(next) => {
                        look.passed(next - at);
                        at = next;
                        continue;
                    }
                    Next::Enough => return Ok(ControlFlow::Break(())),
                    Next::Bad(what) => what,
                },
                None if nothing => "the frame is missing",
                None => "a frame's header does not match its checksum",
            };
            // Nothing more, a torn tail, or damage.
            let found = behind(&mut window, at, id)?;
            if let Behind::Frame(next) = found {
                look.damage(spot(at), None, what);
                self.next_frame = None;
                look.passed(next - at);
                at = next;
                continue;
            }
            if is_last && matches!(found, Behind::Bytes) {
                let bytes = end(&mut window, at)? - at;
                look.tail(TornTail { file: path.to_owned(), at, bytes });
            } else if !nothing || matches!(found, Behind::Bytes) {
                look.damage(spot(at), None, what);
                self.next_frame = None;
            }
            break;
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Shows the records of a frame.
    fn frame(
        &mut self,
        path: &Path,
        window: &mut Window<'_>,
        (at, frame): (u64, FrameHeader),
        is_last: bool,
        look: &mut dyn Look,
    ) -> io::Result<Next> {
        let spot = |at| Spot { file: path, at };
        if self.next_frame.is_some_and(|next| next != frame.number) {
            look.damage(spot(at), None, &format!("frame {} stands here, others before it are missing", frame.number));
        }
        let length = usize::try_from(frame.length).unwrap_or(usize::MAX);
        let first = at + FRAME_HEADER as u64;
        let records = window.get(first, length)?;
        if records.len() < length {
            return Ok(Next::Bad("a frame goes on after the end of the file"));
        }
        let whole = crc32c::crc32c(records) == frame.checksum;
        if !whole && is_last {
            let id = self.id.expect("frames are known by it");
            let mut ahead = Window::new(window.file(), SEARCH);
            if !matches!(behind(&mut ahead, at, id)?, Behind::Frame(_)) {
                return Ok(Next::Bad("a frame does not match its checksum"));
            }
        }
        self.next_frame = Some(frame.number + 1);
        self.last = frame.number;
        let mut rest = window.get(first, length)?;
        let mut byte = first;
        let mut named = false;
        for _ in 0..frame.count {
            let taken = record::full_length(rest).filter(|length| *length <= rest.len());
            let Some(length) = taken else {
                look.damage(spot(byte), None, "a record has an impossible length");
                named = true;
                break;
            };
            match Glance::of(rest) {
                Ok(glance) if look.record(spot(byte), &glance).is_break() => return Ok(Next::Enough),
                Ok(_) => {}
                Err(what) => {
                    let place = record::skim(rest).ok().map(|skimmed| (skimmed.partition.0, skimmed.offset));
                    look.damage(spot(byte), place, &what.to_string());
                    named = true;
                }
            }
            rest = rest.get(length..).unwrap_or_default();
            byte += length as u64;
        }
        let tidy = whole && rest.is_empty();
        if !named && !tidy {
            look.damage(spot(at), None, "a frame does not match its checksum");
        }
        let (padding, length) = frame.padding(at);
        if window.get(padding, length)?.iter().any(|byte| *byte != 0) {
            look.damage(spot(at), None, NOT_ZERO);
        }
        Ok(Next::At(frame.next(at)))
    }
}

enum Next {
    At(u64),
    Bad(&'static str),
    Enough,
}

/// What stands behind a place where no frame begins.
pub(super) enum Behind {
    Nothing,
    Bytes,
    Frame(u64),
}

pub(super) fn behind(window: &mut Window<'_>, at: u64, id: JournalId) -> io::Result<Behind> {
    let mut bytes_seen = false;
    let mut from = at;
    loop {
        let bytes = window.get(from, SEARCH + FRAME_HEADER)?;
        if bytes.iter().any(|byte| *byte != 0) {
            bytes_seen = true;
            let starts = (0..bytes.len()).step_by(ALIGN).filter(|offset| from + *offset as u64 > at);
            for offset in starts {
                if bytes.get(offset..).and_then(|bytes| FrameHeader::decode(bytes, id)).is_some() {
                    return Ok(Behind::Frame(from + offset as u64));
                }
            }
        }
        if bytes.len() < SEARCH + FRAME_HEADER {
            return Ok(if bytes_seen { Behind::Bytes } else { Behind::Nothing });
        }
        from += SEARCH as u64;
    }
}

/// Behind the last byte from `at` on that is not zero.
fn end(window: &mut Window<'_>, at: u64) -> io::Result<u64> {
    let (mut from, mut end) = (at, at);
    loop {
        let bytes = window.get(from, SEARCH)?;
        if let Some(last) = bytes.iter().rposition(|byte| *byte != 0) {
            end = from + last as u64 + 1;
        }
        if bytes.len() < SEARCH {
            return Ok(end);
        }
        from += SEARCH as u64;
    }
}
