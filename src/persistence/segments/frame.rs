//! A frame: the records of one group commit, written by one write and made durable by one sync.
//!
//! ```text
//! 0   u32  magic "SFfr"
//! 4   u32  length of the records, in bytes
//! 8   u64  frame number, counted from 1 through all segments
//! 16  u32  number of records
//! 20  u32  CRC32C of the records
//! 24  u32  zero
//! 28  u32  CRC32C of the journal's id and bytes 0..28
//! 32  records, then zeros up to a multiple of 16
//! ```
//!
//! The journal's id is in the checksum and nowhere in the frame, so that bytes which a client sent cannot pass for a
//! frame when recovery looks for one behind damage.

const MAGIC: u32 = u32::from_le_bytes(*b"SFfr");

/// Bytes before a frame's records.
pub(super) const FRAME_HEADER: usize = 32;

/// Frames begin at multiples of this, so that a search for one need not try every byte.
pub(super) const ALIGN: usize = 16;

/// What is told of a frame whose [`padding`](FrameHeader::padding) is not zeros.
pub(super) const NOT_ZERO: &str = "the bytes behind a frame's records are not zeros";

/// Makes checksums of one journal's frames its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct JournalId(pub(super) u128);

/// What a frame says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameHeader {
    pub(super) number: u64,
    /// Bytes of the records.
    pub(super) length: u32,
    /// Number of records.
    pub(super) count: u32,
    /// Checksum of the records.
    pub(super) checksum: u32,
}

impl FrameHeader {
    pub(super) fn encode(self, id: JournalId) -> [u8; FRAME_HEADER] {
        let mut bytes = [0; FRAME_HEADER];
        let mut at = 0;
        let mut put = |field: &[u8]| {
            if let Some(place) = bytes.get_mut(at..at + field.len()) {
                place.copy_from_slice(field);
            }
            at += field.len();
        };
        put(&MAGIC.to_le_bytes());
        put(&self.length.to_le_bytes());
        put(&self.number.to_le_bytes());
        put(&self.count.to_le_bytes());
        put(&self.checksum.to_le_bytes());
        put(&[0; 4]);
        let checked = *bytes.first_chunk::<28>().expect("a header has 32 bytes");
        let own = seal(id, &checked).to_le_bytes();
        bytes.last_chunk_mut::<4>().expect("a header has 32 bytes").copy_from_slice(&own);
        bytes
    }

    /// The header that starts here, when its checksum is right.
    pub(super) fn decode(bytes: &[u8], id: JournalId) -> Option<Self> {
        let bytes = bytes.first_chunk::<FRAME_HEADER>()?;
        let u32_at = |at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
        if u32_at(0)? != MAGIC || u32_at(28)? != seal(id, bytes.first_chunk::<28>()?) {
            return None;
        }
        Some(Self {
            length: u32_at(4)?,
            number: u64::from_le_bytes(*bytes.get(8..)?.first_chunk()?),
            count: u32_at(16)?,
            checksum: u32_at(20)?,
        })
    }

    /// Where the frame after this one begins, when this one begins at `start`.
    pub(super) fn next(self, start: u64) -> u64 {
        (start + FRAME_HEADER as u64 + u64::from(self.length)).next_multiple_of(ALIGN as u64)
    }

    /// The zeros between the records of this frame, which begins at `start`, and the next one: where they begin, and
    /// how many there are. No checksum covers them and nothing ever writes them, so other bytes are damage.
    pub(super) fn padding(self, start: u64) -> (u64, usize) {
        let records_end = start + FRAME_HEADER as u64 + u64::from(self.length);
        (records_end, usize::try_from(self.next(start) - records_end).expect("less than the alignment"))
    }
}

/// The checksum of a header's first bytes under the journal's id.
fn seal(id: JournalId, header: &[u8; 28]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&id.0.to_le_bytes()), header)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: FrameHeader = FrameHeader { number: 7, length: 100, count: 3, checksum: 0xdead_beef };

    #[test]
    fn a_header_comes_back_as_it_was_and_no_flipped_bit_passes() {
        let bytes = FRAME.encode(JournalId(42));
        assert_eq!(FrameHeader::decode(&bytes, JournalId(42)), Some(FRAME));
        for bit in 0..FRAME_HEADER * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(FrameHeader::decode(&flipped, JournalId(42)), None, "bit {bit}");
        }
    }

    #[test]
    fn a_frame_of_another_journal_is_no_frame() {
        assert_eq!(FrameHeader::decode(&FRAME.encode(JournalId(42)), JournalId(43)), None);
    }

    #[test]
    fn frames_begin_at_multiples_of_16() {
        assert_eq!(FRAME.next(64), 208);
        assert_eq!(FRAME.padding(64), (196, 12));
        assert_eq!(FrameHeader { length: 112, ..FRAME }.next(64), 208);
        assert_eq!(FrameHeader { length: 112, ..FRAME }.padding(64), (208, 0));
    }
}
