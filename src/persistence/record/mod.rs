//! A record as bytes: an append and the position it stands at, with a checksum of its own.
//!
//! ```text
//! 0   u32  length of the body
//! 4   u32  CRC32C of the length and the body
//! 8   body, see `writing`; drawn in docs/storage.md
//! ```

mod reading;
mod writing;

pub(super) use self::{
    reading::{decode, full_length, outline, skim, verified},
    writing::{encode, encode_unplaced, encoded_len, place},
};
use super::{PartitionId, Record};

/// The layout that is written. On disk: raised with every change, and older ones stay readable.
///
/// 2 has two flags more, for [`Begun::patient`] and [`Settled::why`].
const VERSION: u8 = 2;
const OLDEST: u8 = 1;

/// Length and checksum.
pub(super) const RECORD_HEADER: usize = 8;

/// What stands before the texts of a body, always at the same place: version, flags, previous, offset, partition,
/// expected.
const FIXED: usize = 1 + 1 + 4 + 4 + 8 + 2 + 8;

const OPEN_ASKS: u8 = 1;
const REPLY: u8 = 1 << 1;
const BEGUN: u8 = 1 << 2;
const SETTLED: u8 = 1 << 3;
const SETTLED_REPLY: u8 = 1 << 4;
const SETTLED_WHY: u8 = 1 << 5;
const PATIENT: u8 = 1 << 6;

/// Where a record stands: a segment's number and a byte within it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Location {
    pub(super) segment: u32,
    pub(super) byte: u32,
}

impl Location {
    /// What a stream's first record has before it: segments are counted from 1.
    pub(super) const NONE: Self = Self { segment: 0, byte: 0 };
}

/// A record with where its stream's record before it stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Linked {
    pub(super) record: Record,
    pub(super) previous: Location,
}

/// What can be said of a record without decoding all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Outline {
    pub(super) previous: Location,
    pub(super) offset: u64,
    pub(super) partition: PartitionId,
    pub(super) expected: u64,
}

/// What a record in a frame whose checksum is right says at fixed places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Skimmed {
    /// Bytes of the whole record.
    pub(super) length: usize,
    pub(super) previous: Location,
    pub(super) offset: u64,
    pub(super) partition: PartitionId,
    pub(super) epoch: u64,
}

fn checksum(length: u32, body: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&length.to_le_bytes()), body)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::persistence::{codec::Names, sample};

    fn location() -> impl Strategy<Value = Location> {
        (any::<u32>(), any::<u32>()).prop_map(|(segment, byte)| Location { segment, byte })
    }

    proptest! {
        #[test]
        fn every_record_comes_back_as_it_was(
            append in sample::any_append(),
            offset in 1..u64::MAX / 2,
            previous in location(),
        ) {
            let mut bytes = Vec::new();
            encode(&append, offset, previous, &mut bytes);
            prop_assert_eq!(bytes.len(), encoded_len(&append));
            prop_assert_eq!(full_length(&bytes), Some(bytes.len()));
            let outlined = outline(&bytes).unwrap();
            prop_assert_eq!(
                outlined,
                Outline { previous, offset, partition: append.lease.partition, expected: append.expected }
            );
            let (length, partition, epoch) = (bytes.len(), append.lease.partition, append.lease.epoch);
            prop_assert_eq!(skim(&bytes).unwrap(), Skimmed { length, previous, offset, partition, epoch });
            let linked = decode(&bytes, &Names::default()).unwrap();
            prop_assert_eq!(linked, Linked { record: Record { append, offset }, previous });
        }

        /// The second layout only has flags more.
        #[test]
        fn a_record_of_the_first_layout_is_read(append in sample::any_append()) {
            let mut append = append;
            append.begun.iter_mut().for_each(|begun| begun.patient = false);
            append.settled.iter_mut().for_each(|settled| settled.why = None);
            let mut bytes = Vec::new();
            encode(&append, 1, Location::NONE, &mut bytes);
            bytes[RECORD_HEADER] = 1;
            let length = u32::try_from(bytes.len() - RECORD_HEADER).unwrap();
            let checksum = checksum(length, &bytes[RECORD_HEADER..]).to_le_bytes();
            bytes[4..RECORD_HEADER].copy_from_slice(&checksum);
            prop_assert_eq!(decode(&bytes, &Names::default()).unwrap().record.append, append);
        }

        #[test]
        fn a_flipped_bit_is_never_a_record(append in sample::any_append(), at in any::<prop::sample::Index>(), bit in 0..8) {
            let mut bytes = Vec::new();
            encode(&append, 1, Location::NONE, &mut bytes);
            let at = at.index(bytes.len());
            bytes[at] ^= 1u8 << bit;
            prop_assert!(decode(&bytes, &Names::default()).is_err());
        }

        #[test]
        fn a_shortened_record_is_no_record(append in sample::any_append(), keep in any::<prop::sample::Index>()) {
            let mut bytes = Vec::new();
            encode(&append, 1, Location::NONE, &mut bytes);
            bytes.truncate(keep.index(bytes.len()));
            prop_assert!(decode(&bytes, &Names::default()).is_err());
        }

        /// With the checksum made right, so that the decoder itself meets the bytes.
        #[test]
        fn arbitrary_bytes_never_panic(mut body in prop::collection::vec(any::<u8>(), 0..300), known in any::<bool>()) {
            if known && let Some(version) = body.first_mut() {
                *version = VERSION;
            }
            let length = u32::try_from(body.len()).unwrap();
            let mut bytes = length.to_le_bytes().to_vec();
            bytes.extend(checksum(length, &body).to_le_bytes());
            bytes.extend(&body);
            let _decoded = decode(&bytes, &Names::default());
            let _outlined = outline(&bytes);
            let _skimmed = skim(&bytes);
            let _unframed = decode(&body, &Names::default());
        }
    }
}
