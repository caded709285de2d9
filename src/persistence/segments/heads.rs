//! Saved heads: the tips of all streams in one file, so that the next opening need not decode every record. A cache: it
//! may be missing, old or another journal's, and the journal finds out.
//!
//! ```text
//! 0   8 bytes  "SFHEAD01"
//!     pieces:  a block each: u32 length of the body, u32 CRC32C of the length and the body, body
//!
//! body of the first: u128 id of the journal, u64 number of the checkpoint's frame, u32 u32 segment and byte behind it,
//!                    u64 hash over the headers of all frames up to it,
//!                    u16 number of partitions, u64 the last position of each
//! of the others:     for each stream: text kind, text key, its tip
//! ```
//! Written beside the one in use and renamed. It has no end: a row that is missing is noticed like one that is old.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use bytes::Bytes;

use super::block;
use crate::persistence::{
    StreamId,
    codec::{Decoder, Encoder, Malformed, Names},
    record::Location,
    tip::Tip,
};

const MAGIC: [u8; 8] = *b"SFHEAD01";

/// Bytes that are written and synced at once: the journal's own sync waits behind that. A piece may be longer by what
/// belongs to one part of the streams.
pub(super) const PIECE: usize = 256 << 10;

/// How far the saved heads go: all of the journal up to a frame is in them. Tips may be newer, never older.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Checkpoint {
    /// The journal's id.
    pub(super) journal: u128,
    /// Number of the last frame.
    pub(super) frame: u64,
    /// Behind that frame.
    pub(super) end: Location,
    /// Hash over the headers of all frames up to that one: two journals that were once the same differ in it.
    pub(super) chain: u64,
    /// The last position of each partition.
    pub(super) positions: Vec<u64>,
}

impl Checkpoint {
    fn encode(&self, to: &mut Encoder<'_>) {
        to.u128(self.journal);
        to.u64(self.frame);
        to.u32(self.end.segment);
        to.u32(self.end.byte);
        to.u64(self.chain);
        to.u16(u16::try_from(self.positions.len()).expect("partitions are counted by a u16"));
        self.positions.iter().for_each(|position| to.u64(*position));
    }

    fn decode(bytes: Bytes) -> Result<Self, Malformed> {
        let mut from = Decoder::new(bytes);
        let (journal, frame) = (from.u128()?, from.u64()?);
        let end = Location { segment: from.u32()?, byte: from.u32()? };
        let chain = from.u64()?;
        let partitions = from.u16()?;
        let positions = (0..partitions).map(|_| from.u64()).collect::<Result<_, _>>()?;
        from.end()?;
        Ok(Self { journal, frame, end, chain, positions })
    }
}

/// Where they are.
pub(super) fn path(dir: &Path) -> PathBuf {
    dir.join("heads")
}

fn unfinished(dir: &Path) -> PathBuf {
    dir.join("heads.new")
}

/// Removes what a crash has cut short.
pub(super) fn remove_unfinished(dir: &Path) -> io::Result<()> {
    match fs::remove_file(unfinished(dir)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Heads that were saved, of which the first piece has been read.
#[derive(Debug)]
pub(super) struct SavedHeads {
    pub(super) checkpoint: Checkpoint,
    rest: Pieces,
}

impl SavedHeads {
    /// Those in `dir`; `None` when none were saved.
    pub(super) fn open(dir: &Path) -> io::Result<Option<Self>> {
        let mut file = match File::open(path(dir)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let length = file.metadata()?.len();
        let mut magic = [0; MAGIC.len()];
        file.read_exact(&mut magic)?;
        if magic != MAGIC {
            return Err(invalid(Malformed("they are of a version that is not known")));
        }
        let mut rest = Pieces { file, left: length - MAGIC.len() as u64 };
        let first = rest.next()?.ok_or_else(|| invalid(Malformed("they have no beginning")))?;
        Ok(Some(Self { checkpoint: Checkpoint::decode(first).map_err(invalid)?, rest }))
    }

    /// Shows every tip, once.
    pub(super) fn each(mut self, names: &Names, visit: &mut dyn FnMut(StreamId, Tip)) -> io::Result<()> {
        while let Some(body) = self.rest.next()? {
            let mut from = Decoder::new(body);
            while !from.is_empty() {
                let (stream, tip) = row(&mut from, names).map_err(invalid)?;
                visit(stream, tip);
            }
        }
        Ok(())
    }
}

fn row(from: &mut Decoder, names: &Names) -> Result<(StreamId, Tip), Malformed> {
    let stream = StreamId { kind: from.text(names)?, key: from.own_text()? };
    Ok((stream, Tip::decode(from)?))
}

fn invalid(what: Malformed) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// What is left of a file, piece by piece.
#[derive(Debug)]
struct Pieces {
    file: File,
    left: u64,
}

impl Pieces {
    /// The body of the next one; `None` at the end.
    fn next(&mut self) -> io::Result<Option<Bytes>> {
        if self.left == 0 {
            return Ok(None);
        }
        let mut header = [0; block::HEADER];
        self.file.read_exact(&mut header)?;
        let header = block::Header::read(&header).expect("as long as a header");
        let all = block::HEADER as u64 + u64::from(header.length);
        if all > self.left {
            return Err(invalid(Malformed("a piece goes on after the end of the file")));
        }
        let mut body = vec![0; usize::try_from(header.length).unwrap_or(usize::MAX)];
        self.file.read_exact(&mut body)?;
        if !header.is_of(&body) {
            return Err(invalid(Malformed("a piece does not match its checksum")));
        }
        self.left -= all;
        Ok(Some(body.into()))
    }
}

/// Heads that are being saved. Dropping it before the end leaves those that were saved before.
#[derive(Debug)]
pub(super) struct Saving {
    dir: PathBuf,
    file: File,
    /// What is not written yet, behind room for its header.
    piece: Vec<u8>,
}

impl Saving {
    /// Begins with the checkpoint, which was taken before any of the tips.
    pub(super) fn begin(dir: &Path, checkpoint: &Checkpoint) -> io::Result<Self> {
        let file = File::create(unfinished(dir))?;
        let mut saving = Self { dir: dir.to_owned(), file, piece: Vec::with_capacity(PIECE + PIECE / 4) };
        saving.file.write_all(&MAGIC)?;
        saving.piece.resize(block::HEADER, 0);
        checkpoint.encode(&mut Encoder(&mut saving.piece));
        saving.write_piece()?;
        Ok(saving)
    }

    /// Takes a tip. Writes nothing.
    pub(super) fn add(&mut self, stream: &StreamId, tip: &Tip) {
        let mut to = Encoder(&mut self.piece);
        to.text(&stream.kind);
        to.text(&stream.key);
        tip.encode(&mut to);
    }

    /// Whether a piece is full.
    pub(super) fn is_due(&self) -> bool {
        self.piece.len() >= PIECE
    }

    /// Writes and syncs what was taken.
    pub(super) fn write_piece(&mut self) -> io::Result<()> {
        block::seal(&mut self.piece).map_err(invalid)?;
        self.file.write_all(&self.piece)?;
        self.file.sync_data()?;
        self.piece.truncate(block::HEADER);
        Ok(())
    }

    /// Puts it in the place of what was saved before. A power cut may take that back.
    pub(super) fn end(self) -> io::Result<()> {
        fs::rename(unfinished(&self.dir), path(&self.dir))
    }
}

impl Drop for Saving {
    fn drop(&mut self) {
        // What is left is removed at the next opening.
        let _renamed_or_left = remove_unfinished(&self.dir).is_ok();
    }
}
