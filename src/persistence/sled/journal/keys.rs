//! The keys of the journal. On disk: never change.
//!
//! | what | key | value, sealed |
//! |---|---|---|
//! | format | `f` | `FORMAT`, u16 number of partitions |
//! | witness | `w`, partition u16 | u64 last position before the last batch, u64 last position |
//! | record | `e`, partition u16, position u64 | the record as in a segment; "previous" is a position |
//! | chunk | `c`, key of the record, generation u8, index u16 | a part of a record above 4 KiB |
//!
//! Numbers in keys are big-endian, so that a partition's records stand in their order.

use crate::persistence::{PartitionId, record::Location};

pub(super) const FORMAT_KEY: &[u8] = b"f";
pub(super) const FORMAT: &[u8] = b"journal 1 ";

pub(super) fn witness(partition: PartitionId) -> Vec<u8> {
    [b"w".as_slice(), &partition.0.to_be_bytes()].concat()
}

/// What the keys of a partition's records begin with.
pub(super) fn partition(partition: PartitionId) -> Vec<u8> {
    [b"e".as_slice(), &partition.0.to_be_bytes()].concat()
}

pub(super) fn record(of: PartitionId, position: u64) -> Vec<u8> {
    [partition(of).as_slice(), &position.to_be_bytes()].concat()
}

/// The position in a record's key.
pub(super) fn position(key: &[u8]) -> Option<u64> {
    match key.split_last_chunk::<8>()? {
        ([b'e', _, _], position) => Some(u64::from_be_bytes(*position)),
        _ => None,
    }
}

/// A position in the place that a record has for its stream's record before it.
pub(super) fn location(position: u64) -> Location {
    let half = |bits: u64| u32::try_from(bits & u64::from(u32::MAX)).expect("masked");
    Location { segment: half(position >> 32), byte: half(position) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_sort_by_position_and_give_it_back() {
        let key = |position| record(PartitionId(3), position);
        assert!(key(255) < key(256) && key(u64::from(u32::MAX)) < key(1 << 32));
        assert!(key(u64::MAX) < record(PartitionId(4), 0));
        assert_eq!(position(&key(1 << 40)), Some(1 << 40));
        assert_eq!(position(b"e"), None);
        assert_eq!(location((7 << 32) + 9), Location { segment: 7, byte: 9 });
        assert_eq!(location(0), Location::NONE);
    }
}
