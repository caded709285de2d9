//! The acknowledged head, kept apart from the segments: a journal that ends before it has lost what was acknowledged.
//!
//! `<dir>/witness` has two slots, written in turn, so that a write cut short leaves the other one:
//!
//! ```text
//! 0   8 bytes  "SFWITN01"
//! 8   u64      number of this writing; the greater slot counts
//! 16  u128     id of the journal
//! 32  u64      number of the last acknowledged frame
//! 40  u32 u32  segment and byte behind it
//! 48  u16      number of partitions, then the last acknowledged position of each as u64
//!     u32      CRC32C of all before; zeros up to a multiple of 4096
//! ```

use std::{
    convert::Infallible,
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::Duration,
};

use bytes::Bytes;

use super::{frame::JournalId, index::Index, segment::sync_dir, writer::Shared};
use crate::persistence::{
    codec::{Decoder, Encoder, Malformed},
    record::Location,
    sync::read,
};

const MAGIC: u64 = u64::from_le_bytes(*b"SFWITN01");

/// How often the head is written down, if it has moved: with the sync it stays within the 100 ms that are promised.
const EVERY: Duration = Duration::from_millis(50);

/// What was acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Acknowledged {
    pub(super) journal: JournalId,
    /// Number of the last frame; 0 for none.
    pub(super) frame: u64,
    /// Behind it.
    pub(super) end: Location,
    /// The last position of each partition.
    pub(super) positions: Vec<u64>,
}

impl Acknowledged {
    fn of(index: &Index, journal: JournalId) -> Self {
        Self { journal, frame: index.end.frame, end: index.end.place, positions: index.positions() }
    }

    fn encode(&self, serial: u64) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(slot_bytes(self.positions.len()));
        let mut to = Encoder(&mut bytes);
        to.u64(MAGIC);
        to.u64(serial);
        to.u128(self.journal.0);
        to.u64(self.frame);
        to.u32(self.end.segment);
        to.u32(self.end.byte);
        to.u16(u16::try_from(self.positions.len()).expect("a partition's number is a u16"));
        for position in &self.positions {
            to.u64(*position);
        }
        let checksum = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        bytes.resize(slot_bytes(self.positions.len()), 0);
        bytes
    }

    /// Also the number of the writing.
    fn decode(slot: &[u8]) -> Result<(u64, Self), Malformed> {
        const SHORT: Malformed = Malformed("ends too early");
        let count: [u8; 2] = *slot.get(48..).and_then(<[u8]>::first_chunk).ok_or(SHORT)?;
        let count = usize::from(u16::from_le_bytes(count));
        let (checked, rest) = slot.split_at_checked(50 + 8 * count).ok_or(SHORT)?;
        let stored: [u8; 4] = *rest.first_chunk().ok_or(SHORT)?;
        if u32::from_le_bytes(stored) != crc32c::crc32c(checked) {
            return Err(Malformed("does not match its checksum"));
        }
        let mut from = Decoder::new(Bytes::copy_from_slice(checked));
        if from.u64()? != MAGIC {
            return Err(Malformed("has a version that is not known"));
        }
        let serial = from.u64()?;
        let (journal, frame) = (JournalId(from.u128()?), from.u64()?);
        let end = Location { segment: from.u32()?, byte: from.u32()? };
        from.u16()?;
        let positions = (0..count).map(|_| from.u64()).collect::<Result<_, _>>()?;
        Ok((serial, Self { journal, frame, end, positions }))
    }
}

fn slot_bytes(partitions: usize) -> usize {
    (50 + 8 * partitions + 4).next_multiple_of(4096)
}

/// Where a journal's witness stands.
pub(super) fn path(dir: &Path) -> PathBuf {
    dir.join("witness")
}

/// What was acknowledged at the least; `None` when there is no witness, or none that is whole.
pub(super) fn last(dir: &Path, partitions: u16) -> io::Result<Option<Acknowledged>> {
    Ok(newest(dir, partitions)?.map(|(_, acknowledged)| acknowledged))
}

fn newest(dir: &Path, partitions: u16) -> io::Result<Option<(u64, Acknowledged)>> {
    let bytes = match fs::read(path(dir)) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let slots = bytes.chunks(slot_bytes(usize::from(partitions)));
    let newest = slots.filter_map(|slot| Acknowledged::decode(slot).ok()).max_by_key(|(serial, _)| *serial);
    if newest.is_none() && bytes.iter().any(|byte| *byte != 0) {
        tracing::warn!(file = %path(dir).display(), "the witness is damaged; a lost tail would not be noticed now");
    }
    Ok(newest)
}

/// Writes the acknowledged head down.
pub(super) struct Witness {
    file: File,
    serial: u64,
    /// The frame that was written down last.
    known: Option<u64>,
    complained: bool,
}

impl Witness {
    /// Opens the witness in `dir`, making it when it is not there.
    pub(super) fn open(dir: &Path, partitions: u16) -> io::Result<Self> {
        let serial = newest(dir, partitions)?.map_or(0, |(serial, _)| serial);
        let bytes = 2 * slot_bytes(usize::from(partitions)) as u64;
        let path = path(dir);
        let there = fs::metadata(&path).is_ok_and(|file| file.len() == bytes);
        if !there {
            let unfinished = dir.join("witness.new");
            let file = File::create(&unfinished)?;
            file.write_all_at(&vec![0; usize::try_from(bytes).unwrap_or(0)], 0)?;
            file.sync_all()?;
            fs::rename(unfinished, &path)?;
            sync_dir(dir)?;
        }
        let file = File::options().write(true).open(path)?;
        Ok(Self { file, serial, known: None, complained: false })
    }

    /// Keeps the witness up to date until the writer is gone, and then once more.
    pub(super) fn run(mut self, shared: &Arc<Shared>, journal: JournalId, writer: &Receiver<Infallible>) {
        while writer.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
            self.note(shared, journal);
        }
        self.note(shared, journal);
    }

    /// Writes down what is acknowledged now, if that is news.
    pub(super) fn note(&mut self, shared: &Shared, journal: JournalId) {
        let acknowledged = {
            let index = read(&shared.index);
            if self.known == Some(index.end.frame) {
                return;
            }
            Acknowledged::of(&index, journal)
        };
        match self.write(&acknowledged) {
            Ok(()) => (self.known, self.complained) = (Some(acknowledged.frame), false),
            Err(error) if !self.complained => {
                tracing::error!(%error, "the witness cannot be written; a lost tail might not be noticed");
                self.complained = true;
            }
            Err(_) => {}
        }
    }

    fn write(&mut self, acknowledged: &Acknowledged) -> io::Result<()> {
        let serial = self.serial + 1;
        let bytes = acknowledged.encode(serial);
        self.file.write_all_at(&bytes, (serial % 2) * bytes.len() as u64)?;
        self.file.sync_data()?;
        self.serial = serial;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acknowledged(frame: u64) -> Acknowledged {
        let end = Location { segment: 2, byte: 640 };
        Acknowledged { journal: JournalId(7), frame, end, positions: vec![3, 0, frame] }
    }

    #[test]
    fn the_newest_of_two_writings_counts_and_one_cut_short_leaves_the_other() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(last(dir.path(), 3).unwrap(), None);
        let mut witness = Witness::open(dir.path(), 3).unwrap();
        assert_eq!(last(dir.path(), 3).unwrap(), None, "it was made, and nothing is acknowledged");
        for frame in 1..=5 {
            witness.write(&acknowledged(frame)).unwrap();
            assert_eq!(last(dir.path(), 3).unwrap(), Some(acknowledged(frame)));
        }
        let mut again = Witness::open(dir.path(), 3).unwrap();
        again.write(&acknowledged(6)).unwrap();
        assert_eq!(last(dir.path(), 3).unwrap(), Some(acknowledged(6)));
        let whole = fs::read(path(dir.path())).unwrap();
        let slot = 4096 * usize::from(whole[8] != 6); // where number 6 stands
        for byte in slot..slot + 50 + 24 + 4 {
            let mut torn = whole.clone();
            torn[byte] ^= 1;
            fs::write(path(dir.path()), torn).unwrap();
            assert_eq!(last(dir.path(), 3).unwrap(), Some(acknowledged(5)), "byte {byte}");
        }
        fs::write(path(dir.path()), vec![9; 8192]).unwrap();
        assert_eq!(last(dir.path(), 3).unwrap(), None);
    }

    #[test]
    fn many_partitions_have_slots_of_their_size() {
        let dir = tempfile::tempdir().unwrap();
        let mut witness = Witness::open(dir.path(), 1024).unwrap();
        let many = Acknowledged { positions: (0..1024).collect(), ..acknowledged(9) };
        witness.write(&many).unwrap();
        witness.write(&many).unwrap();
        assert_eq!(last(dir.path(), 1024).unwrap(), Some(many));
    }
}
