//! How busy a pool's workers were: the share of their time that they worked, and the share that they would have had to
//! work if nobody had been turned away. Pure: the time is given.

use std::time::Duration;

/// A share, in hundredths of a percent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Share(u32);

/// The whole.
const ALL: u32 = 10_000;

impl Share {
    pub(crate) fn basis_points(self) -> u32 {
        self.0
    }

    /// 1 is the whole.
    pub(crate) fn as_f64(self) -> f64 {
        f64::from(self.0) / f64::from(ALL)
    }
}

/// What was asked of the workers in some time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Load {
    /// What they worked, from 0 to 1.
    pub(crate) busy: Share,
    /// The same with the work of those that were turned away: beyond 1 there are too few workers.
    pub(crate) asked: Share,
}

/// Sums up worker time, and the part of it that was worked.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    /// Until here both sums are complete.
    until: Duration,
    busy: usize,
    size: usize,
    /// Nanoseconds of workers: 2^128 of them are beyond any pool and any time.
    worked: u128,
    offered: u128,
    missed: u128,
}

impl Meter {
    /// From `now` on `busy` of `size` workers work. More than there are count as all of them.
    pub(crate) fn set(&mut self, now: Duration, busy: usize, size: usize) {
        let passed = now.saturating_sub(self.until).as_nanos();
        self.worked += passed * self.busy.min(self.size) as u128;
        self.offered += passed * self.size as u128;
        (self.until, self.busy, self.size) = (self.until.max(now), busy, size);
    }

    /// Somebody was turned away whose work would have taken so long.
    pub(crate) fn miss(&mut self, work: Duration) {
        self.missed += work.as_nanos();
    }

    /// The load since the last time that it was taken, until the last change; none when no time has passed.
    pub(crate) fn take(&mut self) -> Load {
        let share = |work: u128| {
            let share = (work * u128::from(ALL)).checked_div(self.offered).unwrap_or(0);
            Share(u32::try_from(share).unwrap_or(u32::MAX))
        };
        let load = Load { busy: share(self.worked).min(Share(ALL)), asked: share(self.worked + self.missed) };
        (self.worked, self.offered, self.missed) = (0, 0, 0);
        load
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_of_the_time_of_all_workers() {
        let at = Duration::from_millis;
        let mut meter = Meter::default();
        meter.set(at(1000), 0, 4);
        meter.set(at(1500), 4, 4);
        meter.set(at(1750), 2, 4);
        meter.set(at(2000), 0, 4);
        assert_eq!(
            meter.take().busy.basis_points(),
            3_750,
            "(4 * 250 + 2 * 250) / (4 * 1000) from the first worker on"
        );
        meter.set(at(3000), 9, 2);
        assert_eq!(meter.take(), Load::default());
        meter.set(at(4000), 9, 2);
        let all = Load { busy: Share(ALL), asked: Share(ALL) };
        assert_eq!((meter.take(), meter.take().busy.as_f64()), (all, 0.0), "nobody works more than always");
        meter.set(at(3000), 1, 1);
        meter.set(at(3500), 1, 1);
        assert_eq!(meter.take(), Load::default(), "a time that lies behind counts for nothing");
    }

    #[test]
    fn what_was_turned_away_is_asked_as_well_and_makes_nobody_busier() {
        let at = Duration::from_millis;
        let mut meter = Meter::default();
        meter.set(at(0), 1, 2);
        (0..30).for_each(|_| meter.miss(at(100)));
        meter.set(at(1000), 1, 2);
        let load = meter.take();
        assert_eq!((load.busy.basis_points(), load.asked.basis_points()), (5_000, 20_000), "1 s and 3 s of 2 s");
        meter.set(at(2000), 1, 2);
        assert_eq!(meter.take().asked.basis_points(), 5_000, "it counts once");
    }
}
