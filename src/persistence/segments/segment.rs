//! Segment files: `<dir>/<number, 10 digits>.seg`, preallocated, counted from 1 without a gap.
//!
//! ```text
//! 0   8 bytes  "SFSEGM01"
//! 8   u32      number of this segment
//! 12  u16      number of partitions
//! 14  u16      zero
//! 16  u128     id of the journal
//! 32  u64      number of the first frame
//! 40  zeros
//! 60  u32      CRC32C of bytes 0..60
//! 64  frames, then zeros
//! ```

use std::{
    collections::VecDeque,
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use rustix::{
    fs::{FallocateFlags, fallocate},
    io::Errno,
};

use super::frame::JournalId;
use crate::persistence::{
    codec::{Decoder, Encoder, Malformed},
    sync::lock,
};

const MAGIC: u64 = u64::from_le_bytes(*b"SFSEGM01");

/// Bytes before a segment's first frame.
pub(super) const SEGMENT_HEADER: usize = 64;

/// What a segment says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    pub(super) segment: u32,
    pub(super) partitions: u16,
    pub(super) id: JournalId,
    pub(super) first_frame: u64,
}

impl SegmentHeader {
    pub(super) fn encode(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(SEGMENT_HEADER);
        let mut to = Encoder(&mut bytes);
        to.u64(MAGIC);
        to.u32(self.segment);
        to.u16(self.partitions);
        to.u16(0);
        to.u128(self.id.0);
        to.u64(self.first_frame);
        bytes.resize(SEGMENT_HEADER - 4, 0);
        let checksum = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let bytes = bytes.first_chunk::<SEGMENT_HEADER>().ok_or(Malformed("the segment has no header"))?;
        let (checked, stored) = bytes.split_last_chunk::<4>().ok_or(Malformed("the segment has no header"))?;
        let mut from = Decoder::new(Bytes::copy_from_slice(checked));
        if from.u64()? != MAGIC {
            return Err(Malformed("this is no segment of a version that is known"));
        }
        if u32::from_le_bytes(*stored) != crc32c::crc32c(checked) {
            return Err(Malformed("the segment's header does not match its checksum"));
        }
        let segment = from.u32()?;
        let partitions = from.u16()?;
        from.u16()?;
        Ok(Self { segment, partitions, id: JournalId(from.u128()?), first_frame: from.u64()? })
    }
}

/// The path of a segment that is written.
pub(super) fn path(dir: &Path, segment: u32) -> PathBuf {
    dir.join(format!("{segment:010}.seg"))
}

/// The path of a segment that is there: beside the others, or in the archive.
pub(super) fn place(dir: &Path, segment: u32) -> PathBuf {
    let (beside, archived) = (path(dir, segment), path(&archive(dir), segment));
    if !beside.exists() && archived.exists() { archived } else { beside }
}

/// Where segments go that nobody follows any more.
pub(super) fn archive(dir: &Path) -> PathBuf {
    dir.join("archive")
}

/// Moves a segment into the archive. Whoever has it open reads on; a crash leaves it here or there.
pub(super) fn move_away(dir: &Path, segment: u32) -> io::Result<()> {
    let archive = archive(dir);
    if !archive.exists() {
        fs::create_dir(&archive)?;
        sync_dir(dir)?;
    }
    fs::rename(path(dir, segment), path(&archive, segment))?;
    // First where it is now: should it be in both places, that is as good as in one.
    sync_dir(&archive)?;
    sync_dir(dir)
}

/// Creates a segment of at least `bytes` bytes that is either there with its header, its space and `frames`, or not at
/// all.
///
/// # Errors
/// [`NotCreated::Nothing`]: there is no such segment. [`NotCreated::Unknown`]: nobody knows whether it survives.
pub(super) fn create(dir: &Path, header: SegmentHeader, bytes: u64, frames: &[u8]) -> Result<File, NotCreated> {
    let unfinished = unfinished(dir, &format!("{:010}", header.segment));
    let filled = fill(&unfinished, header, bytes, frames);
    name(dir, header, filled, &unfinished)
}

/// Makes a segment of a file that has its space already, and nothing but zeros in it.
///
/// # Errors
/// As [`create`].
pub(super) fn adopt(dir: &Path, header: SegmentHeader, (file, spare): (File, PathBuf)) -> Result<File, NotCreated> {
    let written = file.write_all_at(&header.encode(), 0).and_then(|()| file.sync_data());
    name(dir, header, written.map(|()| file), &spare)
}

/// Gives a segment that is complete its name.
fn name(dir: &Path, header: SegmentHeader, filled: io::Result<File>, unfinished: &Path) -> Result<File, NotCreated> {
    let file = filled.map_err(|error| {
        // Its space may be the last; a file that is still there is removed at the next opening.
        drop(fs::remove_file(unfinished));
        NotCreated::Nothing(error)
    })?;
    fs::rename(unfinished, path(dir, header.segment)).map_err(NotCreated::Unknown)?;
    sync_dir(dir).map_err(NotCreated::Unknown)?;
    Ok(file)
}

/// Why a segment was not created.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotCreated {
    /// It never got its name.
    #[error("{0}")]
    Nothing(io::Error),
    /// It got its name, perhaps not durably.
    #[error("{0}")]
    Unknown(io::Error),
}

impl NotCreated {
    /// Whether nothing but room is missing.
    pub(super) fn is_for_want_of_space(&self) -> bool {
        match self {
            Self::Nothing(error) => {
                matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            }
            Self::Unknown(_) => false,
        }
    }
}

impl From<NotCreated> for io::Error {
    fn from(why: NotCreated) -> Self {
        match why {
            NotCreated::Nothing(error) | NotCreated::Unknown(error) => error,
        }
    }
}

fn fill(unfinished: &Path, header: SegmentHeader, bytes: u64, frames: &[u8]) -> io::Result<File> {
    let file = File::options().read(true).write(true).create(true).truncate(true).open(unfinished)?;
    preallocate(&file, bytes)?;
    file.write_all_at(&header.encode(), 0)?;
    file.write_all_at(frames, SEGMENT_HEADER as u64)?;
    file.sync_all()?;
    Ok(file)
}

/// The path of a segment that is being made.
pub(super) fn unfinished(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}{UNFINISHED}"))
}

/// How the name of a segment ends that is being made.
const UNFINISHED: &str = ".seg.new";

/// Gives the file its space, so that a write in it need not sync its size; only grows it.
pub(super) fn preallocate(file: &File, bytes: u64) -> io::Result<()> {
    match fallocate(file, FallocateFlags::empty(), 0, bytes) {
        // A file system without it: the file is then sparse, which is slower and as safe.
        Err(Errno::OPNOTSUPP) => file.set_len(bytes.max(file.metadata()?.len())),
        outcome => Ok(outcome?),
    }
}

pub(super) fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// The numbers of all segments of the journal in `dir`, archived ones too, in order.
pub(super) fn list(dir: &Path) -> io::Result<Vec<u32>> {
    let mut found = present(dir)?;
    match present(&archive(dir)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        archived => found.append(&mut archived?),
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// The numbers of the segments in one directory.
pub(super) fn present(dir: &Path) -> io::Result<Vec<u32>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name();
        let digits = name.to_str().and_then(|name| name.strip_suffix(".seg"));
        let number: Option<u32> = digits.and_then(|digits| digits.parse().ok());
        found.extend(number);
    }
    found.sort_unstable();
    Ok(found)
}

/// The frame that a segment begins with; `None` when that cannot be known, since it is not there or damaged.
pub(super) fn first_frame(dir: &Path, segment: u32) -> io::Result<Option<u64>> {
    let mut header = Vec::new();
    match File::open(place(dir, segment)).and_then(|file| file.take(SEGMENT_HEADER as u64).read_to_end(&mut header)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
        Ok(_) => Ok(SegmentHeader::decode(&header).ok().map(|header| header.first_frame)),
    }
}

/// Removes the segments up to this one, wherever they are, for ever.
pub(super) fn remove_upto(dir: &Path, upto: u32) -> io::Result<()> {
    for dir in [archive(dir), dir.to_owned()] {
        let found = match present(&dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            found => found?,
        };
        let deleted: Vec<_> = found.into_iter().filter(|segment| *segment <= upto).collect();
        for segment in &deleted {
            fs::remove_file(path(&dir, *segment))?;
        }
        if !deleted.is_empty() {
            sync_dir(&dir)?;
        }
    }
    Ok(())
}

/// Removes segments whose making was cut short.
pub(super) fn remove_unfinished(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(|name| name.ends_with(UNFINISHED)) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Open segments for readers, by number; the least recently used is closed.
#[derive(Debug)]
pub(super) struct OpenFiles {
    dir: PathBuf,
    /// Most recently used last.
    files: Mutex<VecDeque<(u32, Arc<File>)>>,
}

impl OpenFiles {
    /// A process may commonly have 1024 files open, sockets included.
    const MAX: usize = 64;

    pub(super) fn new(dir: PathBuf) -> Self {
        Self { dir, files: Mutex::default() }
    }

    pub(super) fn path(&self, segment: u32) -> PathBuf {
        place(&self.dir, segment)
    }

    /// Once more when it is moved away at that very moment.
    fn open(&self, segment: u32) -> io::Result<File> {
        match File::open(self.path(segment)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => File::open(self.path(segment)),
            opened => opened,
        }
    }

    /// Closes the segments up to this one.
    pub(super) fn forget(&self, upto: u32) {
        lock(&self.files).retain(|(segment, _)| *segment > upto);
    }

    pub(super) fn get(&self, segment: u32) -> io::Result<Arc<File>> {
        let mut files = lock(&self.files);
        let known = files.iter().position(|(number, _)| *number == segment);
        let entry = match known.and_then(|at| files.remove(at)) {
            Some(entry) => entry,
            None => (segment, Arc::new(self.open(segment)?)),
        };
        let file = Arc::clone(&entry.1);
        files.push_back(entry);
        if files.len() > Self::MAX {
            files.pop_front();
        }
        Ok(file)
    }
}

/// A file read forward through a buffer.
#[derive(Debug)]
pub(super) struct Window<'a> {
    file: &'a File,
    start: u64,
    buffer: Vec<u8>,
    ahead: usize,
}

impl<'a> Window<'a> {
    /// Reads `ahead` bytes at a time.
    pub(super) fn new(file: &'a File, ahead: usize) -> Self {
        Self { file, start: 0, buffer: Vec::new(), ahead }
    }

    /// The file that is read.
    pub(super) fn file(&self) -> &'a File {
        self.file
    }

    /// `length` bytes from `at` on; fewer where the file ends.
    pub(super) fn get(&mut self, at: u64, length: usize) -> io::Result<&[u8]> {
        let within = at.checked_sub(self.start).and_then(|from| usize::try_from(from).ok());
        let buffered = within.is_some_and(|from| from.saturating_add(length) <= self.buffer.len());
        if !buffered {
            self.fill(at, length.max(self.ahead))?;
        }
        let from = usize::try_from(at - self.start).unwrap_or(usize::MAX);
        let rest = self.buffer.get(from..).unwrap_or_default();
        Ok(rest.get(..length).unwrap_or(rest))
    }

    fn fill(&mut self, at: u64, length: usize) -> io::Result<()> {
        self.buffer.clear();
        self.buffer.resize(length, 0);
        self.start = at;
        let mut filled = 0;
        while let Some(rest) = self.buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, at + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.buffer.truncate(filled);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: SegmentHeader = SegmentHeader { segment: 3, partitions: 16, id: JournalId(9), first_frame: 12 };

    #[test]
    fn a_segment_header_comes_back_as_it_was_and_no_flipped_bit_passes() {
        let bytes = HEADER.encode();
        assert_eq!(SegmentHeader::decode(&bytes), Ok(HEADER));
        for bit in 0..SEGMENT_HEADER * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(SegmentHeader::decode(&flipped).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_new_segment_has_its_space_and_its_header() {
        let dir = tempfile::tempdir().unwrap();
        create(dir.path(), HEADER, 8192, &[]).unwrap();
        let bytes = fs::read(path(dir.path(), 3)).unwrap();
        assert_eq!(bytes.len(), 8192);
        assert_eq!(SegmentHeader::decode(&bytes), Ok(HEADER));
        assert_eq!(list(dir.path()).unwrap(), [3]);
    }

    #[test]
    fn a_window_gives_what_is_there_and_no_more() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("f"), b"0123456789").unwrap();
        let file = File::open(dir.path().join("f")).unwrap();
        let mut window = Window::new(&file, 4);
        assert_eq!(window.get(2, 3).unwrap(), b"234");
        assert_eq!(window.get(3, 6).unwrap(), b"345678");
        assert_eq!(window.get(8, 5).unwrap(), b"89");
        assert_eq!(window.get(20, 5).unwrap(), b"");
    }

    #[test]
    fn only_so_many_files_are_open() {
        let dir = tempfile::tempdir().unwrap();
        let files = OpenFiles::new(dir.path().to_owned());
        for segment in 1..=u32::try_from(OpenFiles::MAX).unwrap() + 5 {
            fs::write(path(dir.path(), segment), b"").unwrap();
            files.get(segment).unwrap();
        }
        assert_eq!(lock(&files.files).len(), OpenFiles::MAX);
    }
}
