//! Whether to wait for those who were just told, so that their next appends share a sync with what waits.
//!
//! Callers that each wait for their answer and append again fall into two halves on a slow disk: one waits for the sync
//! under way, the other was told by the one before, comes back at once and is too late. Each append then takes two syncs.
//! When those who were told come back within half a sync, waiting for them makes it one.
//!
//! It pays when all callers together can come back within one sync: with two halves, when one half does within half of
//! one. Where they do not, because they have better to do or the processors have, it is tried less and less.

use std::time::Duration;

/// A sync that is shorter is not waited for: to wake a thread takes a good part of it.
const SHORTEST: Duration = Duration::from_micros(400);

/// Nobody waits longer, even when the disk stood still a moment ago.
const LONGEST: Duration = Duration::from_millis(25);

/// With so many misses more than hits, one group in 64 is waited for.
const MISSES: u32 = 6;

/// What waiting is for, and how long it may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Appends in the queue, with those that wait already.
    pub(super) count: usize,
    pub(super) within: Duration,
}

/// What is known of those who were told.
#[derive(Debug, Default)]
pub(super) struct Returning {
    /// How long a sync takes, smoothed.
    sync: Duration,
    /// How many were told last.
    told: Option<usize>,
    /// How often more they did not come back in time than they did, lately.
    misses: u32,
    /// Groups that are not waited for.
    skipped: u32,
}

impl Returning {
    /// So many are told now, after a sync that took so long.
    pub(super) fn told(&mut self, count: usize, took: Duration) {
        self.sync = if self.sync.is_zero() { took } else { (self.sync * 7 + took) / 8 };
        self.told = Some(count);
    }

    /// What to wait for when so many wait already; `None` for nothing. One in eight need not come back, and the first
    /// that comes is waited for anyway.
    pub(super) fn wanted(&mut self, waiting: usize) -> Option<Wanted> {
        let told = self.told.take().filter(|told| waiting + told > 1 && self.sync >= SHORTEST)?;
        if self.skipped > 0 {
            self.skipped -= 1;
            return None;
        }
        Some(Wanted { count: waiting + told - told / 8, within: (self.sync / 2).min(LONGEST) })
    }

    /// Whether they came.
    pub(super) fn learn(&mut self, came: bool) {
        self.misses = if came { self.misses.saturating_sub(1) } else { (self.misses + 1).min(MISSES) };
        self.skipped = (1 << self.misses) - 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYNC: Duration = Duration::from_millis(2);

    #[test]
    fn those_who_were_told_are_waited_for_half_a_sync() {
        let mut returning = Returning::default();
        assert_eq!(returning.wanted(3), None, "nobody was told");
        returning.told(4, SYNC);
        assert_eq!(returning.wanted(3), Some(Wanted { count: 7, within: SYNC / 2 }));
        assert_eq!(returning.wanted(3), None, "once");
        returning.told(1, SYNC);
        assert_eq!(returning.wanted(0), None, "one alone");
        returning.told(64, SYNC);
        assert_eq!(returning.wanted(0).map(|wanted| wanted.count), Some(56));
    }

    #[test]
    fn a_short_sync_is_not_waited_for_and_a_long_one_only_so_long() {
        let cases = [(399, None), (400, Some(200)), (9_000_000, Some(25_000))];
        for (took, within) in cases.map(|(took, within)| (Duration::from_micros(took), within)) {
            let mut returning = Returning::default();
            returning.told(2, took);
            assert_eq!(returning.wanted(0).map(|wanted| wanted.within), within.map(Duration::from_micros), "{took:?}");
        }
    }

    #[test]
    fn one_stall_changes_what_a_sync_takes_by_an_eighth() {
        let mut returning = Returning::default();
        returning.told(1, SYNC);
        returning.told(1, SYNC * 9);
        assert_eq!(returning.sync, SYNC * 2);
    }

    #[test]
    fn who_does_not_come_back_is_waited_for_less_and_less_and_who_does_more_and_more() {
        let mut returning = Returning::default();
        let mut tried = |came: bool, groups: usize| {
            let tries = (0..groups).filter(|_| {
                returning.told(2, SYNC);
                returning.wanted(1).inspect(|_| returning.learn(came)).is_some()
            });
            tries.count()
        };
        // 1 + 2 + 4 + ... + 64 groups with a try each, then one in 64.
        assert_eq!(tried(false, 127), 7);
        assert_eq!(tried(false, 640), 10);
        // As many groups until all are waited for again, then each.
        assert_eq!(tried(true, 64 + 32 + 16 + 8 + 4 + 2), 6);
        assert_eq!(tried(true, 100), 100);
    }
}
