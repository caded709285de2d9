//! How long answers took, in buckets whose width grows with the value: bounded memory, bounded error.

use std::time::Duration;

/// Buckets of each power of two: the error of a quantile is at most a thirty-second part.
const PER_OCTAVE: usize = 32;
const BITS: u32 = PER_OCTAVE.trailing_zeros();
/// The greatest power of two of microseconds that has buckets, some 19 hours. What takes longer counts as that.
const GREATEST: u32 = 36;
/// 8 KiB in all.
const BUCKETS: usize = PER_OCTAVE * (GREATEST - BITS + 2) as usize;

/// Counts durations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Histogram {
    counts: Box<[u64]>,
    count: u64,
    longest: Duration,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS].into(), count: 0, longest: Duration::ZERO }
    }
}

impl Histogram {
    /// Counts one.
    pub(super) fn record(&mut self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        if let Some(count) = self.counts.get_mut(bucket(micros)) {
            *count += 1;
        }
        self.count += 1;
        self.longest = self.longest.max(took);
    }

    /// Counts what another has counted.
    pub(super) fn add(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.count += other.count;
        self.longest = self.longest.max(other.longest);
    }

    /// The time within which `share` (0.0 to 1.0) of all were, rounded up to its bucket; zero when there are none.
    pub(super) fn quantile(&self, share: f64) -> Duration {
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share of a count is a count"
        )]
        let wanted = ((self.count as f64) * share.clamp(0.0, 1.0)).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return Duration::from_micros(greatest_in(bucket)).min(self.longest);
            }
        }
        self.longest
    }

    /// The longest of all, exactly.
    pub(super) fn longest(&self) -> Duration {
        self.longest
    }
}

/// Values below 32 have a bucket each; above, each power of two has 32.
fn bucket(micros: u64) -> usize {
    let micros = micros.min((2 << GREATEST) - 1);
    let place = |micros: u64| usize::try_from(micros).unwrap_or(usize::MAX);
    match micros.checked_ilog2() {
        // The first of an octave is 32 shifted, so that the octaves follow each other.
        Some(power) if power >= BITS => (power - BITS) as usize * PER_OCTAVE + place(micros >> (power - BITS)),
        _ => place(micros),
    }
}

/// The greatest value that a bucket counts.
fn greatest_in(bucket: usize) -> u64 {
    let (octave, place) = (bucket / PER_OCTAVE, bucket % PER_OCTAVE);
    match octave.checked_sub(1) {
        None => bucket as u64,
        Some(shift) => (((PER_OCTAVE + place + 1) as u64) << shift) - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn micros(histogram: &Histogram, share: f64) -> u128 {
        histogram.quantile(share).as_micros()
    }

    #[test]
    fn every_value_is_in_the_bucket_whose_end_is_at_most_a_thirty_second_part_above_it() {
        for power in 0..=GREATEST {
            for value in [1_u64 << power, (1 << power) + 1, (2 << power) - 1, (1 << power) + (1 << power) / 3] {
                let bucket = bucket(value);
                let end = greatest_in(bucket);
                assert!(
                    end >= value && end - value <= value / PER_OCTAVE as u64,
                    "{value} in {bucket}, which ends at {end}"
                );
                assert!(bucket < BUCKETS, "{value} in {bucket}");
            }
        }
        assert!((0..BUCKETS).all(|nth| bucket(greatest_in(nth)) == nth && bucket(greatest_in(nth) + 1) >= nth));
    }

    #[test]
    fn what_is_beyond_the_last_bucket_counts_as_that_and_is_the_longest_exactly() {
        let mut histogram = Histogram::default();
        let days = Duration::from_hours(300);
        histogram.record(days);
        histogram.record(Duration::MAX);
        assert_eq!(histogram.longest(), Duration::MAX);
        assert!(histogram.quantile(0.5) > Duration::from_hours(30));
        assert_eq!(histogram.count, 2);
    }

    #[test]
    fn quantiles_are_within_their_error_and_never_above_the_longest() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(0.99), Duration::ZERO);
        for value in 1..=10_000 {
            histogram.record(Duration::from_micros(value));
        }
        for (share, exact) in [(0.0, 1_u128), (0.5, 5_000), (0.99, 9_900), (0.999, 9_990), (1.0, 10_000)] {
            let told = micros(&histogram, share);
            assert!(told >= exact && told <= (exact + exact / 32).min(10_000), "{share}: {told}");
        }
    }

    #[test]
    fn two_added_are_as_one_that_counted_both() {
        let (mut one, mut other, mut both) = (Histogram::default(), Histogram::default(), Histogram::default());
        for value in 0..5_000 {
            let took = Duration::from_micros(value * value);
            let half = if value % 3 == 0 { &mut one } else { &mut other };
            half.record(took);
            both.record(took);
        }
        one.add(&other);
        assert_eq!(one, both);
    }
}
