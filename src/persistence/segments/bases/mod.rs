//! What stands for deleted segments: where the journal begins that is left, and a base record of every stream that has
//! lost events.
//!
//! `<dir>/bases` is made under another name, synced, read back and renamed. That renaming is the deletion: segments up to
//! the one it names are void from then on, whether they are still there or not.

mod format;
mod making;

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use self::format::{END, FIXED, MAX_ENTRY, end};
pub(in crate::persistence) use self::{
    format::{Entry, Start},
    making::{Before, Renewal, failed, not_read},
};
use super::{block, segment::Window};
use crate::persistence::{
    OpenError, ReadError, StreamId,
    codec::{Malformed, Names},
    survey::{BaseGlance, Look, Spot},
    tip::Tip,
};

/// Read at once.
const AHEAD: usize = 1 << 20;

/// Where it begins, with the tips that the streams had there.
#[derive(Clone, Debug)]
pub(in crate::persistence) struct Beginning {
    pub(in crate::persistence) start: Start,
    pub(in crate::persistence) tips: Vec<(StreamId, Tip)>,
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
    let found = window.get(at, block::HEADER).map_err(NotRead::Io)?;
    let header = block::Header::read(found).ok_or(NotRead::Damaged("it ends too early"))?;
    if header.length == END {
        return Ok(None);
    }
    let bytes = usize::try_from(header.length).unwrap_or(usize::MAX);
    if bytes > MAX_ENTRY {
        return Err(NotRead::Damaged("a base record has an impossible length"));
    }
    let body = window.get(at + block::HEADER as u64, bytes).map_err(NotRead::Io)?;
    if body.len() < bytes || !header.is_of(body) {
        return Err(NotRead::Damaged("a base record does not match its checksum"));
    }
    let entry = Entry::decode(body, names).map_err(|Malformed(what)| NotRead::Damaged(what))?;
    Ok(Some((entry, at + (block::HEADER + bytes) as u64)))
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::{making::Making, *};
    use crate::persistence::{StoredSnapshot, record::Location, rules::Head, sample};

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
