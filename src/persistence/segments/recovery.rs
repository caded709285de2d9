//! Opening a journal: every frame is checked before anything is changed.
//!
//! | what is found | answer |
//! |---|---|
//! | a bad frame at the end of the last segment, no frame behind it | cut, reported |
//! | a bad frame with a frame behind it, or in an earlier segment | `Damaged` |
//! | a gap in the frame numbers or the segments | `Damaged` |
//! | a record that does not continue its partition or its stream | `Damaged` |

use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use super::{
    frame::{ALIGN, FRAME_HEADER, FrameHeader, JournalId},
    index::{Index, Tip},
    segment::{self, SEGMENT_HEADER, SegmentHeader, Window},
};
use crate::persistence::{
    OpenError, TornTail,
    codec::Names,
    record::{self, Location},
    rules::Head,
};

/// A journal that was read and found whole.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) id: JournalId,
    pub(super) index: Index,
    /// The greatest epoch of any record.
    pub(super) epoch: u64,
    pub(super) next_frame: u64,
    /// The last segment.
    pub(super) segment: u32,
    /// Where the next frame goes in it.
    pub(super) end: u64,
    /// Where its last frame begins, if it has one.
    pub(super) last_frame: Option<u64>,
    pub(super) torn: Option<TornTail>,
}

/// Bytes that are read at a time.
const AHEAD: usize = 1 << 20;

/// Reads every segment in `dir`; there is at least one. Changes nothing.
pub(super) fn scan(dir: &Path, segments: &[u32], partitions: u16, names: &Names) -> Result<Recovered, OpenError> {
    let mut scan = Scan {
        partitions,
        names,
        found: Recovered {
            id: JournalId(0),
            index: Index::new(partitions),
            epoch: 0,
            next_frame: 1,
            segment: 0,
            end: 0,
            last_frame: None,
            torn: None,
        },
    };
    let last = segments.last().copied();
    for number in segments {
        let expected = scan.found.segment + 1;
        if *number != expected {
            return Err(damaged(segment::path(dir, expected), 0, "the segment is missing"));
        }
        let path = segment::path(dir, *number);
        let file = File::open(&path).map_err(|error| OpenError::io(&path, error))?;
        scan.segment(dir, &path, &file, last == Some(*number))?;
    }
    Ok(scan.found)
}

fn damaged(file: impl Into<PathBuf>, at: u64, what: impl Into<String>) -> OpenError {
    OpenError::Damaged { file: file.into(), at, what: what.into() }
}

struct Scan<'a> {
    partitions: u16,
    names: &'a Names,
    found: Recovered,
}

/// What stands where a frame is expected.
enum Found {
    Frame(FrameHeader),
    /// Nothing but zeros, or the end of the file.
    Nothing,
    Bad(&'static str),
}

impl Scan<'_> {
    fn segment(&mut self, dir: &Path, path: &Path, file: &File, is_last: bool) -> Result<(), OpenError> {
        let io = |error| OpenError::io(path, error);
        let mut window = Window::new(file, AHEAD);
        let header = SegmentHeader::decode(window.get(0, SEGMENT_HEADER).map_err(io)?)
            .map_err(|what| damaged(path, 0, what.to_string()))?;
        self.check_segment(dir, path, header)?;
        let mut at = SEGMENT_HEADER as u64;
        self.found.last_frame = None;
        loop {
            match self.find(&mut window, at).map_err(io)? {
                Found::Frame(frame) if frame.number == self.found.next_frame => {
                    self.frame(path, &mut window, at, frame)?;
                    self.found.next_frame += 1;
                    self.found.last_frame = Some(at);
                    at = frame.next(at);
                }
                Found::Frame(frame) => {
                    let what = format!("frame {} stands where frame {} belongs", frame.number, self.found.next_frame);
                    return Err(damaged(path, at, what));
                }
                Found::Bad(what) if !is_last => return Err(damaged(path, at, what)),
                Found::Nothing if !is_last => break,
                Found::Bad(what) => {
                    self.found.torn = Some(self.tail(path, &mut window, at, what)?);
                    break;
                }
                Found::Nothing => {
                    let tail = self.tail(path, &mut window, at, "the frame is missing")?;
                    self.found.torn = (tail.bytes > 0).then_some(tail);
                    break;
                }
            }
        }
        self.found.segment = header.segment;
        self.found.end = at;
        Ok(())
    }

    /// Whether the segment continues the one before it.
    fn check_segment(&mut self, dir: &Path, path: &Path, header: SegmentHeader) -> Result<(), OpenError> {
        let expected = self.found.segment + 1;
        if header.segment != expected {
            let what = format!("this is segment {}, not segment {expected}", header.segment);
            return Err(damaged(path, 0, what));
        }
        if header.partitions != self.partitions {
            let what = format!("the segment has {} partitions, the journal {}", header.partitions, self.partitions);
            return Err(damaged(path, 0, what));
        }
        if expected == 1 {
            self.found.id = header.id;
        } else if header.id != self.found.id {
            return Err(damaged(path, 0, "the segment belongs to another journal"));
        }
        if header.first_frame != self.found.next_frame {
            let what = format!(
                "frame {} belongs here, but the next segment goes on with frame {}",
                self.found.next_frame, header.first_frame
            );
            return Err(damaged(segment::path(dir, self.found.segment), self.found.end, what));
        }
        Ok(())
    }

    fn find(&self, window: &mut Window<'_>, at: u64) -> io::Result<Found> {
        let bytes = window.get(at, FRAME_HEADER)?;
        let Some(frame) = FrameHeader::decode(bytes, self.found.id) else {
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
        let place = |byte: u64| {
            let byte = u32::try_from(byte).map_err(|_| damaged(path, at, "the segment is longer than it can be"))?;
            Ok(Location { segment: self.found.segment + 1, byte })
        };
        let start = place(at)?;
        let first = at + FRAME_HEADER as u64;
        let length = usize::try_from(frame.length).unwrap_or(usize::MAX);
        let mut rest = window.get(first, length).map_err(|error| OpenError::io(path, error))?;
        let mut byte = first;
        for _ in 0..frame.count {
            let full = record::full_length(rest).unwrap_or(usize::MAX);
            let linked = record::decode(rest, self.names).map_err(|what| damaged(path, byte, what.to_string()))?;
            let location = place(byte)?;
            take(&mut self.found.index, self.partitions, start, location, &linked)
                .map_err(|what| damaged(path, byte, what))?;
            self.found.epoch = self.found.epoch.max(linked.record.append.lease.epoch);
            rest = rest.get(full..).unwrap_or_default();
            byte += full as u64;
        }
        if rest.is_empty() { Ok(()) } else { Err(damaged(path, byte, "a frame has more bytes than records")) }
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
                    let behind = bytes.get(offset..).and_then(|bytes| FrameHeader::decode(bytes, self.found.id));
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

/// Compared as a whole first: nearly all of a preallocated file is zeros.
fn last_nonzero(bytes: &[u8]) -> Option<usize> {
    const ZEROS: [u8; 4096] = [0; 4096];
    if bytes.chunks(ZEROS.len()).all(|chunk| ZEROS.starts_with(chunk)) {
        return None;
    }
    bytes.iter().rposition(|byte| *byte != 0)
}

/// Takes one record into the index, if it continues its partition and its stream.
fn take(
    index: &mut Index,
    partitions: u16,
    frame: Location,
    location: Location,
    linked: &record::Linked,
) -> Result<(), String> {
    let record = &linked.record;
    let stream = &record.append.stream;
    let partition = stream.partition(partitions);
    let next = index.last(partition) + 1;
    if record.append.lease.partition != partition || record.offset != next {
        return Err(format!("position {next} of partition {} belongs here, not {}", partition.0, record.offset));
    }
    let tip = index.streams.get(stream);
    let sequence = tip.map_or(0, |tip| tip.head.sequence);
    let previous = tip.map_or(Location::NONE, |tip| tip.location);
    if record.append.expected != sequence || linked.previous != previous {
        return Err(format!("{stream} is at {sequence}, and its next record says {}", record.append.expected));
    }
    index.streams.insert(stream.clone(), Tip { head: Head::after(&record.append, record.offset), location });
    index.note(partition, frame, record.offset, record.last_offset());
    Ok(())
}

/// Makes what was found durable and ready to write on: cuts the torn tail, and writes the last frame once more.
///
/// That frame was perhaps never synced, or its sync failed, after which the system takes its pages for clean: only
/// writing the same bytes again makes it sync them.
pub(super) fn settle(dir: &Path, found: &Recovered, segment_bytes: u64) -> io::Result<File> {
    segment::remove_unfinished(dir)?;
    let file = File::options().read(true).write(true).open(segment::path(dir, found.segment))?;
    if let Some(torn) = &found.torn {
        let zeros = vec![0; 1 << 16];
        let end = torn.at + torn.bytes;
        let mut at = torn.at;
        while at < end {
            let length = usize::try_from(end - at).unwrap_or(usize::MAX).min(zeros.len());
            file.write_all_at(zeros.get(..length).unwrap_or_default(), at)?;
            at += length as u64;
        }
    }
    if let Some(start) = found.last_frame {
        let length = usize::try_from(found.end - start).unwrap_or(usize::MAX);
        file.write_all_at(Window::new(&file, 0).get(start, length)?, start)?;
    }
    segment::preallocate(&file, segment_bytes)?;
    file.sync_all()?;
    segment::sync_dir(dir)?;
    Ok(file)
}
