//! Where the tips of all streams must stand, counted without knowing the streams.
//!
//! Each record says where its stream's record before it stands. So the last records are those that no other record
//! names, and a sum over places, one added and one taken away for each record, is the sum over the last ones. Saved
//! heads of which one is missing, old or too many have another sum: the fence of a stream never hangs on what a cache
//! has lost.

use crate::persistence::{record::Location, tip::Tip};

/// The number of streams, and a sum over the places of their last records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tips {
    streams: u64,
    sum: u64,
}

impl Tips {
    /// The tips of a whole index.
    pub(super) fn of<'a>(tips: impl Iterator<Item = &'a Tip>) -> Self {
        let mut all = Self::default();
        for tip in tips {
            all.moved(Location::NONE, tip.location);
        }
        all
    }

    /// A stream's last record stood at `from`, or it had none, and now stands at `to`.
    pub(super) fn moved(&mut self, from: Location, to: Location) {
        if from == Location::NONE {
            self.streams = self.streams.wrapping_add(1);
        } else {
            self.sum = self.sum.wrapping_sub(scattered(from));
        }
        self.sum = self.sum.wrapping_add(scattered(to));
    }
}

/// A number that looks random, so that sums over different places differ (the finaliser of `SplitMix64`).
fn scattered(place: Location) -> u64 {
    let mut bits = (u64::from(place.segment) << 32 | u64::from(place.byte)).wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(byte: u32) -> Location {
        Location { segment: 1, byte }
    }

    /// Streams a and b: a at 64, b at 128, a at 192.
    #[test]
    fn what_is_left_is_the_last_record_of_each_stream() {
        let mut all = Tips::default();
        for (from, to) in [(Location::NONE, at(64)), (Location::NONE, at(128)), (at(64), at(192))] {
            all.moved(from, to);
        }
        let tips = |bytes: &[u32]| {
            let mut tips = Tips::default();
            for byte in bytes {
                tips.moved(Location::NONE, at(*byte));
            }
            tips
        };
        assert_eq!(all, tips(&[192, 128]));
        for wrong in [&[64, 128][..], &[192], &[192, 128, 64], &[128, 128], &[]] {
            assert_ne!(all, tips(wrong), "{wrong:?}");
        }
    }
}
