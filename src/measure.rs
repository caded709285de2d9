//! Counting while work goes on: what costs the one who counts an atomic or two, and is read when somebody asks.
//!
//! A leaf: it knows nothing of ours, and whoever counts may use it. How the figures are written for a monitoring
//! system is the business of `observe`.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// How often values fell below each bound.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// Bound and how many values were at most that, ascending; greater values are only in `count`.
    pub at_most: Vec<(u64, u64)>,
    /// How many values there were.
    pub count: u64,
    /// Their sum.
    pub sum: u64,
}

impl Histogram {
    /// The values of both.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        if self.at_most.is_empty() {
            self.at_most.clone_from(&other.at_most);
        } else {
            for (own, others) in self.at_most.iter_mut().zip(&other.at_most) {
                own.1 += others.1;
            }
        }
        self.count += other.count;
        self.sum = self.sum.wrapping_add(other.sum);
        self
    }
}

/// Powers of two up to this one: 4096 appends are the largest group, and above 8 s a disk is as good as gone.
const BOUNDS: usize = 24;

/// The counters behind a [`Histogram`]: two relaxed atomics for each value. `count` is that of all bounds, so it never
/// disagrees with them.
#[derive(Debug, Default)]
pub(crate) struct Buckets {
    /// One for each bound, and one for what is above them all.
    counts: [AtomicU64; BOUNDS + 1],
    sum: AtomicU64,
}

impl Buckets {
    pub(crate) fn add(&self, value: u64) {
        let bits = u64::BITS - value.saturating_sub(1).leading_zeros();
        let bucket = usize::try_from(bits).unwrap_or(BOUNDS).min(BOUNDS);
        if let Some(count) = self.counts.get(bucket) {
            count.fetch_add(1, Ordering::Relaxed);
        }
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// Adds a time, in microseconds.
    pub(crate) fn took(&self, time: Duration) {
        self.add(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
    }

    pub(crate) fn read(&self) -> Histogram {
        let mut count = 0;
        let mut at_most = Vec::with_capacity(BOUNDS);
        for (power, counted) in self.counts.iter().enumerate() {
            count += counted.load(Ordering::Relaxed);
            if power < BOUNDS {
                at_most.push((1 << power, count));
            }
        }
        Histogram { at_most, count, sum: self.sum.load(Ordering::Relaxed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_counts_below_every_bound_that_is_not_smaller() {
        let buckets = Buckets::default();
        for value in [0, 1, 2, 3, 4, 5, u64::from(u32::MAX)] {
            buckets.add(value);
        }
        let read = buckets.read();
        assert_eq!(read.at_most[..4], [(1, 2), (2, 3), (4, 5), (8, 6)]);
        assert_eq!((read.at_most.last().unwrap().1, read.count), (6, 7), "what is above all bounds is in the count");
        assert_eq!(read.sum, 15 + u64::from(u32::MAX));
    }

    #[test]
    fn two_histograms_are_one_with_the_values_of_both() {
        let (one, other) = (Buckets::default(), Buckets::default());
        one.add(3);
        other.took(Duration::from_micros(100));
        let both = Histogram::default().and(&one.read()).and(&other.read());
        assert_eq!((both.count, both.sum, both.at_most[2], both.at_most[7]), (2, 103, (4, 1), (128, 2)));
    }
}
