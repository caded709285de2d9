//! Segments and their frames, checked from the first byte to the last.

use std::{fs::File, io, path::Path};

use super::{Recovered, Stop, damaged, records::Records};
use crate::persistence::{
    OpenError, TornTail,
    record::Location,
    segments::{
        bases::Start,
        frame::{ALIGN, FRAME_HEADER, FrameHeader, JournalId, NOT_ZERO},
        segment::{self, SEGMENT_HEADER, SegmentHeader, Window},
        witness::{self, Acknowledged},
    },
};

/// Bytes that are read at a time.
const AHEAD: usize = 1 << 20;

/// A journal that is being read; its fields are those of [`Recovered`].
pub(super) struct Frames<'a> {
    dir: &'a Path,
    records: Records<'a>,
    id: JournalId,
    next_frame: u64,
    segment: u32,
    end: u64,
    last_frame: Option<u64>,
    torn: Option<TornTail>,
    witness: Option<Acknowledged>,
    /// The last segment that is looked at; `None` for all.
    until: Option<u32>,
}

/// The segment behind another one, and the frame that it begins with, as far as that is to be read.
struct Follower {
    first_frame: Option<u64>,
}

/// What stands where a frame is expected.
enum Found {
    Frame(FrameHeader),
    /// Nothing but zeros, or the end of the file.
    Nothing,
    Bad(&'static str),
}

impl<'a> Frames<'a> {
    /// `start` says where the journal begins when its beginning was deleted.
    pub(super) fn new(
        dir: &'a Path,
        records: Records<'a>,
        witness: Option<Acknowledged>,
        start: Option<&Start>,
    ) -> Self {
        let (id, next_frame, segment) =
            start.map_or((JournalId(0), 1, 0), |start| (JournalId(start.id), start.next_frame, start.segment));
        Self { dir, records, id, next_frame, segment, end: 0, last_frame: None, torn: None, witness, until: None }
    }

    /// Looks at no segment behind this one.
    pub(super) fn until(self, segment: u32) -> Self {
        Self { witness: None, until: Some(segment), ..self }
    }

    /// Reads all segments; these are their numbers.
    pub(super) fn all(mut self, segments: &[u32]) -> Result<Recovered, Stop> {
        let last = segments.last().copied();
        let deleted = self.segment;
        let until = self.until.unwrap_or(u32::MAX);
        for number in segments.iter().filter(|number| **number > deleted && **number <= until) {
            let expected = self.segment + 1;
            if *number != expected {
                return Err(damaged(segment::path(self.dir, expected), 0, "the segment is missing").into());
            }
            let path = segment::place(self.dir, *number);
            let file = File::open(&path).map_err(|error| OpenError::io(&path, error))?;
            self.segment(&path, &file, self.follower(number + 1, last)?)?;
        }
        self.check_witness()?;
        let Self { id, next_frame, segment, end, last_frame, torn, .. } = self;
        let (index, epoch, skimmed_to) = self.records.end()?;
        Ok(Recovered { deleted, skimmed_to, id, index, epoch, next_frame, segment, end, last_frame, torn })
    }

    /// What follows a segment: `None` behind the last.
    fn follower(&self, number: u32, last: Option<u32>) -> Result<Option<Follower>, OpenError> {
        if last.is_none_or(|last| number > last) {
            return Ok(None);
        }
        // One that is missing or damaged is told of when it is its turn.
        let first_frame = segment::first_frame(self.dir, number);
        let first_frame = first_frame.map_err(|error| OpenError::io(segment::place(self.dir, number), error))?;
        Ok(Some(Follower { first_frame }))
    }

    fn segment(&mut self, path: &Path, file: &File, follower: Option<Follower>) -> Result<(), Stop> {
        let is_last = follower.is_none();
        let until = follower.and_then(|follower| follower.first_frame);
        let io = |error| OpenError::io(path, error);
        let mut window = Window::new(file, AHEAD);
        let header = SegmentHeader::decode(window.get(0, SEGMENT_HEADER).map_err(io)?)
            .map_err(|what| damaged(path, 0, what.to_string()))?;
        self.check_segment(path, header)?;
        let mut at = SEGMENT_HEADER as u64;
        self.last_frame = None;
        // What stands behind the frame that the next segment begins with was left there by a write that failed.
        while until.is_none_or(|until| self.next_frame < until) {
            match self.find(&mut window, at).map_err(io)? {
                Found::Frame(frame) if frame.number == self.next_frame => {
                    self.frame(path, &mut window, at, frame)?;
                    self.next_frame += 1;
                    self.last_frame = Some(at);
                    at = frame.next(at);
                    self.records.ended(frame, self.id, place(path, header.segment, at)?)?;
                }
                Found::Frame(frame) => {
                    let what = format!("frame {} stands where frame {} belongs", frame.number, self.next_frame);
                    return Err(damaged(path, at, what).into());
                }
                Found::Bad(what) if !is_last => return Err(damaged(path, at, what).into()),
                Found::Nothing if !is_last => break,
                Found::Bad(what) => {
                    self.torn = Some(self.tail(path, &mut window, at, what)?);
                    break;
                }
                Found::Nothing => {
                    let tail = self.tail(path, &mut window, at, "the frame is missing")?;
                    self.torn = (tail.bytes > 0).then_some(tail);
                    break;
                }
            }
        }
        self.segment = header.segment;
        self.end = at;
        if !is_last {
            self.records.segment_ended(place(path, header.segment, at)?);
        }
        Ok(())
    }

    /// Whether everything is there that was acknowledged for certain.
    fn check_witness(&self) -> Result<(), Stop> {
        let Some(witness) = &self.witness else { return Ok(()) };
        let last = segment::path(self.dir, self.segment);
        if witness.journal != self.id {
            return Err(damaged(witness::path(self.dir), 0, "this is the witness of another journal").into());
        }
        let found = self.next_frame - 1;
        if found >= witness.frame {
            return Ok(());
        }
        let positions = lost(&witness.positions, &self.records.positions());
        let positions = positions.map(|lost| format!(": {lost}")).unwrap_or_default();
        let acknowledged = witness.frame;
        let what = format!(
            "the journal ends here with frame {found}, and everything up to frame {acknowledged} was acknowledged{positions}"
        );
        Err(damaged(last, self.end, what).into())
    }

    /// Whether the segment continues the one before it.
    fn check_segment(&mut self, path: &Path, header: SegmentHeader) -> Result<(), OpenError> {
        let expected = self.segment + 1;
        if header.segment != expected {
            let what = format!("this is segment {}, not segment {expected}", header.segment);
            return Err(damaged(path, 0, what));
        }
        if header.partitions != self.records.partitions {
            let what =
                format!("the segment has {} partitions, the journal {}", header.partitions, self.records.partitions);
            return Err(damaged(path, 0, what));
        }
        if expected == 1 {
            self.id = header.id;
        } else if header.id != self.id {
            return Err(damaged(path, 0, "the segment belongs to another journal"));
        }
        if header.first_frame != self.next_frame {
            let what = format!(
                "frame {} belongs here, but the next segment goes on with frame {}",
                self.next_frame, header.first_frame
            );
            return Err(damaged(segment::path(self.dir, self.segment), self.end, what));
        }
        Ok(())
    }

    fn find(&self, window: &mut Window<'_>, at: u64) -> io::Result<Found> {
        let bytes = window.get(at, FRAME_HEADER)?;
        let Some(frame) = FrameHeader::decode(bytes, self.id) else {
            let nothing = bytes.iter().all(|byte| *byte == 0);
            return Ok(if nothing {
                Found::Nothing
            } else {
                Found::Bad("a frame's header does not match its checksum")
            });
        };
        let length = usize::try_from(frame.length).unwrap_or(usize::MAX);
        let records = window.get(at + FRAME_HEADER as u64, length)?;
        Ok(if records.len() < length {
            Found::Bad("a frame goes on after the end of the file")
        } else if crc32c::crc32c(records) == frame.checksum {
            Found::Frame(frame)
        } else {
            Found::Bad("a frame does not match its checksum")
        })
    }

    /// Takes the records of a frame into the index.
    fn frame(&mut self, path: &Path, window: &mut Window<'_>, at: u64, frame: FrameHeader) -> Result<(), OpenError> {
        let segment = self.segment + 1;
        let start = place(path, segment, at)?;
        let first = at + FRAME_HEADER as u64;
        let length = usize::try_from(frame.length).unwrap_or(usize::MAX);
        let mut rest = window.get(first, length).map_err(|error| OpenError::io(path, error))?;
        let mut byte = first;
        for _ in 0..frame.count {
            let location = place(path, segment, byte)?;
            let taken = self.records.take(frame.number, start, location, rest);
            let full = taken.map_err(|what| damaged(path, byte, what))?;
            rest = rest.get(full..).unwrap_or_default();
            byte += full as u64;
        }
        if !rest.is_empty() {
            return Err(damaged(path, byte, "a frame has more bytes than records"));
        }
        let (padding, length) = frame.padding(at);
        let zeros = window.get(padding, length).map_err(|error| OpenError::io(path, error))?;
        // Never a torn tail: a write that is cut short leaves the zeros that were there.
        if zeros.iter().any(|byte| *byte != 0) { Err(damaged(path, at, NOT_ZERO)) } else { Ok(()) }
    }

    /// What stands from `at` to the end of the last segment. A frame must not: the writer begins one only when the
    /// one before it is durable.
    fn tail(&self, path: &Path, window: &mut Window<'_>, at: u64, what: &str) -> Result<TornTail, OpenError> {
        let mut end = at;
        let mut from = at;
        loop {
            let bytes = window.get(from, AHEAD + FRAME_HEADER).map_err(|error| OpenError::io(path, error))?;
            if let Some(last) = last_nonzero(bytes) {
                end = from + last as u64 + 1;
                for offset in (0..bytes.len()).step_by(ALIGN).filter(|offset| from + *offset as u64 > at) {
                    let behind = bytes.get(offset..).and_then(|bytes| FrameHeader::decode(bytes, self.id));
                    if let Some(behind) = behind {
                        let place = from + offset as u64;
                        let what = format!("{what}, and frame {} stands behind it at byte {place}", behind.number);
                        return Err(damaged(path, at, what));
                    }
                }
            }
            if bytes.len() < AHEAD + FRAME_HEADER {
                return Ok(TornTail { file: path.to_owned(), at, bytes: end - at });
            }
            from += AHEAD as u64;
        }
    }
}

/// The positions that were acknowledged and are not there.
fn lost(acknowledged: &[u64], found: &[u64]) -> Option<String> {
    /// More are only counted: a line is for people.
    const NAMED: usize = 4;
    let missing = acknowledged.iter().zip(found).enumerate().filter(|(_, (acknowledged, found))| acknowledged > found);
    let missing: Vec<_> = missing
        .map(|(partition, (acknowledged, found))| {
            format!("positions {} to {acknowledged} of partition {partition}", found + 1)
        })
        .collect();
    let more = missing.len().saturating_sub(NAMED);
    let named = missing.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    let more = if more > 0 { format!(" and of {more} more partitions") } else { String::new() };
    (!missing.is_empty()).then(|| format!("{named}{more} are lost"))
}

/// Compared as a whole first: nearly all of a preallocated file is zeros.
fn last_nonzero(bytes: &[u8]) -> Option<usize> {
    const ZEROS: [u8; 4096] = [0; 4096];
    if bytes.chunks(ZEROS.len()).all(|chunk| ZEROS.starts_with(chunk)) {
        return None;
    }
    bytes.iter().rposition(|byte| *byte != 0)
}

fn place(path: &Path, segment: u32, byte: u64) -> Result<Location, OpenError> {
    let byte = u32::try_from(byte).map_err(|_| damaged(path, byte, "the segment is longer than it can be"))?;
    Ok(Location { segment, byte })
}
