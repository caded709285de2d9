//! The bytes of the file of base records.
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
//!     entries: a block each: u32 length of the body, u32 CRC32C of the length and the body, body
//!     end:     u32 all ones, u32 CRC32C of the ones and the number, u64 number of entries
//!
//! body: bytes the stream's head after its last deleted record, and where that stood (as a saved head)
//!       text kind, text key, u64 sequence and u32 shape of the state, bytes state
//! ```

use bytes::Bytes;

use super::super::block;
use crate::persistence::{
    StoredSnapshot, StreamId,
    codec::{Decoder, Encoder, MAX_TEXT, Malformed, Names},
    history::MAX_BASE,
    tip::Tip,
};

const MAGIC: u64 = u64::from_le_bytes(*b"SFBASE01");

/// Before the positions.
pub(super) const FIXED: usize = 56;

/// Stands where an entry's length would.
pub(super) const END: u32 = u32::MAX;

/// Longer than any entry: texts, head and state.
pub(super) const MAX_ENTRY: usize = 2 * MAX_TEXT + MAX_BASE + 256;

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

/// What is kept of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::persistence) struct Entry {
    pub(in crate::persistence) stream: StreamId,
    /// After its last deleted record.
    pub(in crate::persistence) tip: Tip,
    pub(in crate::persistence) base: StoredSnapshot,
}

impl Start {
    pub(super) fn encode(&self) -> Vec<u8> {
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
    pub(super) fn decode(bytes: &[u8]) -> Result<(Self, usize), Malformed> {
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
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.clear();
        out.resize(block::HEADER, 0);
        let mut tip = Vec::new();
        self.tip.encode(&mut Encoder(&mut tip));
        let mut to = Encoder(out);
        to.bytes(&tip);
        to.text(&self.stream.kind);
        to.text(&self.stream.key);
        to.u64(self.base.sequence);
        to.u32(self.base.shape);
        to.bytes(&self.base.bytes);
        block::seal(out).expect("states are checked against MAX_BASE");
    }

    pub(super) fn decode(body: &[u8], names: &Names) -> Result<Self, Malformed> {
        let mut from = Decoder::new(Bytes::copy_from_slice(body));
        let mut tip_only = Decoder::new(from.bytes()?);
        let tip = Tip::decode(&mut tip_only)?;
        tip_only.end()?;
        let stream = StreamId { kind: from.text(names)?, key: from.own_text()? };
        let base = StoredSnapshot { sequence: from.u64()?, shape: from.u32()?, bytes: from.bytes()? };
        from.end()?;
        Ok(Self { stream, tip, base })
    }
}

/// What stands behind this many entries.
pub(super) fn end(count: u64) -> Vec<u8> {
    let count = count.to_le_bytes();
    [&block::Header::of(END, &count).bytes(), count.as_slice()].concat()
}
