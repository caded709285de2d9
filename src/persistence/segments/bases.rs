//! What stands for deleted segments: where the journal begins that is left, and a base record of every stream that has
//! lost events.
//!
//! `<dir>/bases` is made under another name, synced, read back and renamed. That renaming is the deletion: segments up to
//! the one it names are void from then on, whether they are still there or not.
//!
//! ```text
//! 0   8 bytes  "SFBASE01"
//! 8   u32      number of the last deleted segment
//! 12  u16      number of partitions
//! 14  u16      zero
//! 16  u128     id of the journal
//! 32  u64      number of the first frame that is left
//! 40  u64      hash over the headers of all deleted frames
//! 48  u64      greatest epoch of the deleted records
//! 56  u64      the last deleted position of each partition
//!     u32      CRC32C of all before
//!     entries: u32 length of the body, u32 CRC32C of the length and the body, body
//!     end:     u32 all ones, u32 CRC32C of the ones and the number, u64 number of entries
//!
//! body: bytes the stream's head after its last deleted record, and where that stood (as a saved head)
//!       text kind, text key, u64 sequence and u32 shape of the state, bytes state
//! ```

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;

use super::segment::{self, Window};
use crate::persistence::{
    BaseOf, OpenError, ReadError, StoreError, StoredSnapshot, StreamId, TruncateError,
    codec::{Decoder, Encoder, MAX_TEXT, Malformed, Names},
    heads::Tip,
    history::MAX_BASE,
    survey::{BaseGlance, Look, Spot},
};

const MAGIC: u64 = u64::from_le_bytes(*b"SFBASE01");

/// Before the positions.
const FIXED: usize = 56;

/// Length and checksum of an entry.
const ENTRY_HEADER: usize = 8;

/// Stands where an entry's length would.
const END: u32 = u32::MAX;

/// Longer than any entry: texts, head and state.
const MAX_ENTRY: usize = 2 * MAX_TEXT + MAX_BASE + 256;

/// Read at once.
const AHEAD: usize = 1 << 20;

/// Where the journal begins that is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::persistence) struct Start {
    pub(in crate::persistence) id: u128,
    /// The last deleted segment.
    pub(in crate::persistence) segment: u32,
    pub(in crate::persistence) next_frame: u64,
    pub(in crate::persistence) chain: u64,
    pub(in crate::persistence) epoch: u64,
    /// The last deleted position of each partition.
    pub(in crate::persistence) positions: Vec<u64>,
}

/// Where it begins, with the tips that the streams had there.
#[derive(Clone, Debug)]
pub(in crate::persistence) struct Beginning {
    pub(in crate::persistence) start: Start,
    pub(in crate::persistence) tips: Vec<(StreamId, Tip)>,
}

/// What is kept of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::persistence) struct Entry {
    pub(in crate::persistence) stream: StreamId,
    /// After its last deleted record.
    pub(in crate::persistence) tip: Tip,
    pub(in crate::persistence) base: StoredSnapshot,
}

/// The file, open: whoever has it reads on when it is replaced.
#[derive(Debug)]
pub(in crate::persistence) struct Bases {
    file: File,
    path: PathBuf,
    pub(in crate::persistence) start: Start,
    /// By the hash of the stream: where its entry stands. 16 bytes a stream.
    places: Vec<(u64, u64)>,
    pub(in crate::persistence) bytes: u64,
}

pub(super) fn path(dir: &Path) -> PathBuf {
    dir.join("bases")
}

fn unfinished(dir: &Path) -> PathBuf {
    dir.join("bases.new")
}

/// Removes what was never finished.
pub(in crate::persistence) fn remove_unfinished(dir: &Path) -> io::Result<()> {
    match fs::remove_file(unfinished(dir)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

impl Start {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(FIXED + 8 * self.positions.len() + 4);
        let mut to = Encoder(&mut bytes);
        to.u64(MAGIC);
        to.u32(self.segment);
        to.u16(u16::try_from(self.positions.len()).expect("partitions are counted by a u16"));
        to.u16(0);
        to.u128(self.id);
        to.u64(self.next_frame);
        to.u64(self.chain);
        to.u64(self.epoch);
        self.positions.iter().for_each(|position| to.u64(*position));
        let checksum = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Also how many bytes it has.
    fn decode(bytes: &[u8]) -> Result<(Self, usize), Malformed> {
        const SHORT: Malformed = Malformed("it ends too early");
        if bytes.first_chunk() != Some(&MAGIC.to_le_bytes()) {
            return Err(Malformed("this is no file of base records of a version that is known"));
        }
        let count = u16::from_le_bytes(*bytes.get(12..).and_then(<[u8]>::first_chunk).ok_or(SHORT)?);
        let (checked, rest) = bytes.split_at_checked(FIXED + 8 * usize::from(count)).ok_or(SHORT)?;
        if rest.first_chunk() != Some(&crc32c::crc32c(checked).to_le_bytes()) {
            return Err(Malformed("its header does not match its checksum"));
        }
        let mut from = Decoder::new(Bytes::copy_from_slice(checked));
        from.u64()?;
        let segment = from.u32()?;
        from.u32()?;
        let (id, next_frame, chain, epoch) = (from.u128()?, from.u64()?, from.u64()?, from.u64()?);
        let positions = (0..count).map(|_| from.u64()).collect::<Result<_, _>>()?;
        Ok((Self { id, segment, next_frame, chain, epoch, positions }, checked.len() + 4))
    }
}

impl Entry {
    fn encode(&self, out: &mut Vec<u8>) {
        out.clear();
        out.resize(ENTRY_HEADER, 0);
        let mut to = Encoder(out);
        to.bytes(&self.tip.encode());
        to.text(&self.stream.kind);
        to.text(&self.stream.key);
        to.u64(self.base.sequence);
        to.u32(self.base.shape);
        to.bytes(&self.base.bytes);
        let length = u32::try_from(out.len() - ENTRY_HEADER).expect("states are checked against MAX_BASE");
        let own = checksum(length, out.get(ENTRY_HEADER..).unwrap_or_default());
        for (place, byte) in out.iter_mut().zip(length.to_le_bytes().into_iter().chain(own.to_le_bytes())) {
            *place = byte;
        }
    }

    fn decode(body: &[u8], names: &Names) -> Result<Self, Malformed> {
        let mut from = Decoder::new(Bytes::copy_from_slice(body));
        let tip = Tip::decode(from.bytes()?)?;
        let stream = StreamId { kind: from.text(names)?, key: from.own_text()? };
        let base = StoredSnapshot { sequence: from.u64()?, shape: from.u32()?, bytes: from.bytes()? };
        from.end()?;
        Ok(Self { stream, tip, base })
    }
}

fn checksum(length: u32, body: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&length.to_le_bytes()), body)
}

/// Length and checksum that stand at the beginning.
fn header(bytes: &[u8]) -> Option<(u32, u32)> {
    let (length, rest) = bytes.split_first_chunk()?;
    Some((u32::from_le_bytes(*length), u32::from_le_bytes(*rest.first_chunk()?)))
}

impl Bases {
    /// Opens and checks what is in `dir`, and shows every entry with the byte where it stands; `None` when nothing was
    /// ever deleted. Changes nothing.
    pub(super) fn open(
        dir: &Path,
        names: &Names,
        visit: &mut dyn FnMut(u64, Entry),
    ) -> Result<Option<Self>, OpenError> {
        Self::open_at(path(dir), names, visit)
    }

    fn open_at(path: PathBuf, names: &Names, visit: &mut dyn FnMut(u64, Entry)) -> Result<Option<Self>, OpenError> {
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(OpenError::io(path, error)),
        };
        let bytes = file.metadata().map_err(|error| OpenError::io(&path, error))?.len();
        let damaged = |at, what: &str| OpenError::Damaged { file: path.clone(), at, what: what.to_owned() };
        let mut window = Window::new(&file, 0);
        let partitions = window.get(12, 2).map_err(|error| OpenError::io(&path, error))?.first_chunk().copied();
        let header = FIXED + 8 * usize::from(partitions.map_or(0, u16::from_le_bytes)) + 4;
        let start = window.get(0, header).map_err(|error| OpenError::io(&path, error))?;
        let (start, length) = Start::decode(start).map_err(|what| damaged(0, &what.to_string()))?;
        let mut places = Vec::new();
        let mut at = length as u64;
        drop(window);
        each(&file, &mut at, names, &mut |at, entry| {
            places.push((entry.stream.hash(), at));
            visit(at, entry);
        })
        .map_err(|why| match why {
            NotRead::Io(error) => OpenError::io(&path, error),
            NotRead::Damaged(what) => damaged(at, what),
        })?;
        places.sort_unstable();
        Ok(Some(Self { file, path, start, places, bytes }))
    }

    /// With the tips, for reading the segments that are left.
    pub(in crate::persistence) fn begin(
        dir: &Path,
        partitions: u16,
        names: &Names,
    ) -> Result<Option<(Self, Beginning)>, OpenError> {
        let mut tips = Vec::new();
        let Some(bases) = Self::open(dir, names, &mut |_, entry| tips.push((entry.stream, entry.tip)))? else {
            return Ok(None);
        };
        if bases.start.positions.len() != usize::from(partitions) {
            let what = format!("it has {} partitions, the journal {partitions}", bases.start.positions.len());
            return Err(OpenError::Damaged { file: bases.path, at: 0, what });
        }
        let start = bases.start.clone();
        Ok(Some((bases, Beginning { start, tips })))
    }

    /// The tips once more, from the file that is open.
    pub(in crate::persistence) fn beginning(&self, names: &Names) -> Result<Beginning, ReadError> {
        let mut tips = Vec::with_capacity(self.places.len());
        let mut at = self.start.encode().len() as u64;
        let read = each(&self.file, &mut at, names, &mut |_, entry| tips.push((entry.stream, entry.tip)));
        read.map_err(|why| self.not_read(at, why))?;
        Ok(Beginning { start: self.start.clone(), tips })
    }

    fn not_read(&self, at: u64, why: NotRead) -> ReadError {
        match why {
            NotRead::Io(error) => ReadError::Io { file: self.path.clone(), source: Arc::new(error) },
            NotRead::Damaged(what) => ReadError::Damaged { file: self.path.clone(), at, what: what.to_owned() },
        }
    }

    /// What is kept of a stream.
    pub(in crate::persistence) fn get(&self, stream: &StreamId, names: &Names) -> Result<Option<Entry>, ReadError> {
        let hash = stream.hash();
        let from = self.places.partition_point(|(known, _)| *known < hash);
        for (_, at) in self.places.iter().skip(from).take_while(|(known, _)| *known == hash) {
            let mut window = Window::new(&self.file, 4096);
            let entry = entry(&mut window, *at, names).map_err(|why| self.not_read(*at, why))?;
            if let Some((entry, _)) = entry.filter(|(entry, _)| entry.stream == *stream) {
                return Ok(Some(entry));
            }
        }
        Ok(None)
    }
}

enum NotRead {
    Io(io::Error),
    Damaged(&'static str),
}

/// The entry at `at` and where the next one stands; `None` at the end.
fn entry(window: &mut Window<'_>, at: u64, names: &Names) -> Result<Option<(Entry, u64)>, NotRead> {
    let found = window.get(at, ENTRY_HEADER).map_err(NotRead::Io)?;
    let (length, stored) = header(found).ok_or(NotRead::Damaged("it ends too early"))?;
    if length == END {
        return Ok(None);
    }
    let bytes = usize::try_from(length).unwrap_or(usize::MAX);
    if bytes > MAX_ENTRY {
        return Err(NotRead::Damaged("a base record has an impossible length"));
    }
    let body = window.get(at + ENTRY_HEADER as u64, bytes).map_err(NotRead::Io)?;
    if body.len() < bytes || checksum(length, body) != stored {
        return Err(NotRead::Damaged("a base record does not match its checksum"));
    }
    let entry = Entry::decode(body, names).map_err(|Malformed(what)| NotRead::Damaged(what))?;
    Ok(Some((entry, at + (ENTRY_HEADER + bytes) as u64)))
}

/// Shows every entry from `at` on, and checks that their end is there. `at` is where it has come to.
fn each(file: &File, at: &mut u64, names: &Names, visit: &mut dyn FnMut(u64, Entry)) -> Result<(), NotRead> {
    let mut window = Window::new(file, AHEAD);
    let mut count = 0u64;
    while let Some((entry, next)) = entry(&mut window, *at, names)? {
        visit(*at, entry);
        (*at, count) = (next, count + 1);
    }
    let wanted = end(count);
    let found = window.get(*at, wanted.len() + 1).map_err(NotRead::Io)?;
    if found == wanted { Ok(()) } else { Err(NotRead::Damaged("the base records do not end as they should")) }
}

fn end(count: u64) -> Vec<u8> {
    let mut bytes = END.to_le_bytes().to_vec();
    let own = crc32c::crc32c_append(crc32c::crc32c(&bytes), &count.to_le_bytes());
    bytes.extend_from_slice(&own.to_le_bytes());
    bytes.extend_from_slice(&count.to_le_bytes());
    bytes
}

/// A file in the making; nothing counts before [`replace`](Self::replace).
pub(super) struct Making {
    dir: PathBuf,
    out: BufWriter<File>,
    count: u64,
    buffer: Vec<u8>,
}

impl Making {
    pub(super) fn begin(dir: &Path, start: &Start) -> io::Result<Self> {
        let mut out = BufWriter::with_capacity(AHEAD, File::create(unfinished(dir))?);
        out.write_all(&start.encode())?;
        Ok(Self { dir: dir.to_owned(), out, count: 0, buffer: Vec::new() })
    }

    pub(super) fn add(&mut self, entry: &Entry) -> io::Result<()> {
        entry.encode(&mut self.buffer);
        self.count += 1;
        self.out.write_all(&self.buffer)
    }

    /// All of it is on the disk.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        self.out.write_all(&end(self.count))?;
        self.out.flush()?;
        self.out.get_ref().sync_all()
    }

    /// Reads it back from the disk. An error when it is not what was meant.
    pub(super) fn check(self, start: &Start, names: &Names) -> Result<Made, OpenError> {
        let path = unfinished(&self.dir);
        let mut count = 0;
        let made = Bases::open_at(path.clone(), names, &mut |_, _| count += 1)?;
        if let Some(bases) = made.filter(|made| made.start == *start && count == self.count) {
            return Ok(Made { dir: self.dir, bases });
        }
        let what = "what was read back is not what was written".to_owned();
        Err(OpenError::Damaged { file: path, at: 0, what })
    }
}

/// A file that is written, checked, and has another name.
pub(super) struct Made {
    dir: PathBuf,
    bases: Bases,
}

impl Made {
    /// From now on it is what counts, unless the power is cut before [`settle`](Self::settle).
    pub(super) fn replace(&self) -> io::Result<()> {
        fs::rename(unfinished(&self.dir), path(&self.dir))
    }

    /// From now on it is what counts, for ever.
    pub(super) fn settle(self) -> io::Result<Bases> {
        segment::sync_dir(&self.dir)?;
        Ok(Bases { path: path(&self.dir), ..self.bases })
    }
}

/// Shows what stands for deleted history to `look`, and says where the journal goes on.
///
/// # Errors
/// Whoever looks was told of damage; anything else.
pub(in crate::persistence) fn survey(dir: &Path, look: &mut dyn Look) -> io::Result<Option<Start>> {
    let mut found = Vec::new();
    match Bases::open(dir, &Names::default(), &mut |_, entry| found.push(entry)) {
        Ok(None) => Ok(None),
        Ok(Some(Bases { start, .. })) => {
            look.deleted(&start.positions);
            for Entry { stream, tip, base } in &found {
                look.base(BaseGlance {
                    kind: &stream.kind,
                    key: &stream.key,
                    deleted: tip.head.sequence,
                    open_asks: tip.head.open_asks,
                    number: tip.head.number,
                    epoch: tip.head.epoch,
                    sequence: base.sequence,
                    bytes: base.bytes.len(),
                });
            }
            Ok(Some(start))
        }
        Err(OpenError::Damaged { file, at, what }) => {
            look.damage(Spot { file: &file, at }, None, &what);
            Ok(None)
        }
        Err(error) => Err(io::Error::other(error)),
    }
}

/// Is asked before each step that changes something on the disk, so that a test can stop there.
pub(in crate::persistence) type Before<'a> = dyn FnMut(&'static str) -> io::Result<()> + 'a;

/// Where a new file comes from.
pub(in crate::persistence) struct Renewal<'a> {
    pub(in crate::persistence) dir: &'a Path,
    pub(in crate::persistence) names: &'a Names,
    /// What is there now.
    pub(in crate::persistence) old: Option<&'a Bases>,
    /// The sequence of a stream's last durable event.
    pub(in crate::persistence) durable: &'a dyn Fn(&StreamId) -> u64,
}

impl Renewal<'_> {
    /// Makes the file that stands for everything up to `start`, where the streams have these tips, durably. Returns it, and
    /// how many base records are new.
    ///
    /// # Errors
    /// Nothing is deleted, or, when the storage failed in the end, all of it.
    pub(in crate::persistence) fn make(
        &self,
        start: &Start,
        tips: impl Iterator<Item = (StreamId, Tip)>,
        base: &mut BaseOf<'_>,
        before: &mut Before<'_>,
    ) -> Result<(Bases, u64), TruncateError> {
        before("create").map_err(failed)?;
        let mut making = Making::begin(self.dir, start).map_err(failed)?;
        let mut made = 0;
        for (stream, tip) in tips {
            let sequence = tip.head.sequence;
            let kept = self.old.map(|old| old.get(&stream, self.names)).transpose()?.flatten();
            let base = if let Some(kept) = kept.filter(|kept| kept.base.sequence >= sequence) {
                kept.base
            } else {
                made += 1;
                let made = base(&stream, sequence);
                TruncateError::unless_of_use(&stream, sequence, (self.durable)(&stream), made)?
            };
            making.add(&Entry { stream, tip, base }).map_err(failed)?;
        }
        before("sync").map_err(failed)?;
        making.sync().map_err(failed)?;
        before("check").map_err(failed)?;
        let checked = making.check(start, self.names).map_err(not_read)?;
        before("rename").map_err(failed)?;
        checked.replace().map_err(failed)?;
        before("settle").map_err(failed)?;
        Ok((checked.settle().map_err(failed)?, made))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
pub(in crate::persistence) fn failed(error: io::Error) -> TruncateError {
    TruncateError::Store(StoreError { doing: "deleting history", reason: error.to_string() })
}

pub(in crate::persistence) fn not_read(error: OpenError) -> TruncateError {
    TruncateError::Read(match error {
        OpenError::Damaged { file, at, what } => ReadError::Damaged { file, at, what },
        OpenError::Io { file, source } => ReadError::Io { file, source },
        other @ (OpenError::InUse { .. } | OpenError::Format(_)) => {
            return failed(io::Error::other(other.to_string()));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::persistence::{record::Location, rules::Head, sample};

    fn start() -> Start {
        Start { id: 9, segment: 7, next_frame: 40, chain: 3, epoch: 2, positions: vec![5, 0, 11] }
    }

    fn sample_entry(key: &str, state: &str) -> Entry {
        let head = Head {
            sequence: 4,
            number: 2,
            epoch: 1,
            incarnation: 3,
            command: 8,
            offset: 2,
            events: 1,
            open_asks: true,
        };
        let tip = Tip { head, location: Location { segment: 7, byte: 64 } };
        let base = StoredSnapshot { sequence: 6, shape: 1, bytes: Bytes::copy_from_slice(state.as_bytes()) };
        Entry { stream: sample::stream(key), tip, base }
    }

    fn made(dir: &Path, entries: &[Entry]) -> Bases {
        let mut making = Making::begin(dir, &start()).unwrap();
        for entry in entries {
            making.add(entry).unwrap();
        }
        making.sync().unwrap();
        let made = making.check(&start(), &Names::default()).unwrap();
        made.replace().unwrap();
        made.settle().unwrap()
    }

    #[test]
    fn every_entry_is_found_and_no_other_and_a_file_that_is_replaced_is_read_on() {
        let dir = tempfile::tempdir().unwrap();
        let entries: Vec<_> = (0..300).map(|n| sample_entry(&n.to_string(), &"x".repeat(n * 7))).collect();
        let bases = made(dir.path(), &entries);
        let again = made(dir.path(), &entries[..1]);
        for (n, entry) in entries.iter().enumerate() {
            assert_eq!(bases.get(&entry.stream, &Names::default()).unwrap().as_ref(), Some(entry));
            assert_eq!(again.get(&entry.stream, &Names::default()).unwrap().is_some(), n == 0);
        }
        assert_eq!(bases.get(&sample::stream("300"), &Names::default()).unwrap(), None);
        assert_eq!(bases.beginning(&Names::default()).unwrap().tips.len(), 300);
        let (again, beginning) = Bases::begin(dir.path(), 3, &Names::default()).unwrap().unwrap();
        assert_eq!((again.start, beginning.tips.len()), (start(), 1));
        assert!(Bases::begin(dir.path(), 4, &Names::default()).is_err(), "of another number of partitions");
    }

    #[test]
    fn no_flipped_bit_and_no_shortened_file_passes() {
        let dir = tempfile::tempdir().unwrap();
        made(dir.path(), &[sample_entry("1", "state"), sample_entry("2", "")]);
        let whole = fs::read(path(dir.path())).unwrap();
        let opens = |bytes: &[u8]| {
            fs::write(path(dir.path()), bytes).unwrap();
            Bases::open(dir.path(), &Names::default(), &mut |_, _| ())
        };
        assert!(opens(&whole).is_ok());
        for bit in (0..whole.len() * 8).step_by(3) {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(opens(&flipped), Err(OpenError::Damaged { .. })), "bit {bit}");
        }
        for length in 0..whole.len() {
            assert!(matches!(opens(&whole[..length]), Err(OpenError::Damaged { .. })), "{length} bytes");
        }
        assert!(opens(&[&whole[..], &[0]].concat()).is_err(), "nothing stands behind the end");
    }
}
