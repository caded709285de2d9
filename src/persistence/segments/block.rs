//! A block of a file: `u32 length of the body, u32 CRC32C of the length and the body, body`, little-endian.

use crate::persistence::codec::Malformed;

/// Bytes before the body.
pub(super) const HEADER: usize = 8;

/// What stands before a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Bytes of the body, or a number that stands there for something else.
    pub(super) length: u32,
    checksum: u32,
}

impl Header {
    pub(super) fn of(length: u32, body: &[u8]) -> Self {
        Self { length, checksum: crc32c::crc32c_append(crc32c::crc32c(&length.to_le_bytes()), body) }
    }

    /// What `bytes` begin with; `None` when they are too few.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (length, rest) = bytes.split_first_chunk()?;
        let checksum = rest.first_chunk()?;
        Some(Self { length: u32::from_le_bytes(*length), checksum: u32::from_le_bytes(*checksum) })
    }

    /// Whether the body is the one it was made of.
    pub(super) fn is_of(self, body: &[u8]) -> bool {
        self == Self::of(self.length, body)
    }

    pub(super) fn bytes(self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        let words = [self.length, self.checksum].map(u32::to_le_bytes);
        bytes.as_chunks_mut().0.copy_from_slice(&words);
        bytes
    }
}

/// Writes the header into the room for it at the beginning of a block.
pub(super) fn seal(block: &mut [u8]) -> Result<(), Malformed> {
    let too_short = Malformed("a block has no room for its header");
    let (header, body) = block.split_first_chunk_mut::<HEADER>().ok_or(too_short)?;
    let length = u32::try_from(body.len()).map_err(|_| Malformed("a block is too long"))?;
    *header = Header::of(length, body).bytes();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_block_is_known_by_its_header_and_no_other_is() {
        let mut block = [vec![0; HEADER], b"body".to_vec()].concat();
        seal(&mut block).unwrap();
        let header = Header::read(&block).unwrap();
        assert_eq!(header.length, 4);
        assert!(header.is_of(&block[HEADER..]));
        assert!(!header.is_of(b"bodY"));
        for bit in 0..HEADER * 8 {
            block[bit / 8] ^= 1 << (bit % 8);
            assert!(!Header::read(&block).unwrap().is_of(b"body"), "{bit}");
            block[bit / 8] ^= 1 << (bit % 8);
        }
        assert_eq!(Header::read(&block[..HEADER - 1]), None);
        assert!(seal(&mut [0; HEADER - 1]).is_err());
    }
}
