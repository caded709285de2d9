//! How what a fault has nothing to do with gets on beside it.

use std::time::Duration;

/// What is looked at is this old at least, and twice as old at most.
const PIECE: Duration = Duration::from_secs(5);

/// Fewer requests say nothing.
const LEAST: u32 = 20;

/// Requests of the last one or two pieces, and those of them that failed.
#[derive(Debug, Clone)]
pub(crate) struct Elsewhere {
    limit: f64,
    piece: u128,
    now: Counts,
    before: Counts,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    all: u32,
    failed: u32,
}

impl Elsewhere {
    /// Nothing was seen yet; more than `limit` of all is too much.
    pub(crate) fn new(limit: f64) -> Self {
        Self { limit, piece: 0, now: Counts::default(), before: Counts::default() }
    }

    /// Takes in a request; the share that failed when that is too much now. `passed` never goes back.
    pub(crate) fn count(&mut self, has_failed: bool, passed: Duration) -> Option<f64> {
        let piece = passed.as_millis() / PIECE.as_millis();
        match piece.saturating_sub(self.piece) {
            0 => {}
            1 => self.before = std::mem::take(&mut self.now),
            _ => (self.before, self.now) = (Counts::default(), Counts::default()),
        }
        self.piece = self.piece.max(piece);
        self.now.all = self.now.all.saturating_add(1);
        self.now.failed = self.now.failed.saturating_add(u32::from(has_failed));
        let all = self.now.all.saturating_add(self.before.all);
        let share = f64::from(self.now.failed.saturating_add(self.before.failed)) / f64::from(all);
        (all >= LEAST && share > self.limit).then_some(share)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn too_many_failures_are_told_once_enough_was_seen() {
        let mut elsewhere = Elsewhere::new(0.5);
        assert!((1..LEAST).all(|_| elsewhere.count(true, at(0)).is_none()), "too few to tell");
        assert_eq!(elsewhere.count(true, at(0)), Some(1.0));
        let mut elsewhere = Elsewhere::new(0.5);
        for n in 0..100 {
            assert_eq!(elsewhere.count(n % 2 == 1, at(1)), None, "never above half");
        }
        assert!(elsewhere.count(true, at(1)).is_some());
    }

    #[test]
    fn what_is_long_past_does_not_count() {
        for (later, is_forgotten) in [(6, false), (10, true), (100, true)] {
            let mut elsewhere = Elsewhere::new(0.2);
            for _ in 1..LEAST {
                elsewhere.count(true, at(0));
            }
            assert_eq!(elsewhere.count(false, at(later)).is_none(), is_forgotten, "after {later} s");
        }
    }
}
