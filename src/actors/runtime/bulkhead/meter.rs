//! How busy a pool's workers were: the share of their time that they worked. Pure: the time is given.

use std::time::Duration;

/// A share of 0 to 1, in hundredths of a percent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Share(u32);

/// The whole.
const ALL: u32 = 10_000;

impl Share {
    pub(crate) fn basis_points(self) -> u32 {
        self.0
    }

    /// From 0 to 1.
    pub(crate) fn as_f64(self) -> f64 {
        f64::from(self.0) / f64::from(ALL)
    }
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
}

impl Meter {
    /// From `now` on `busy` of `size` workers work. More than there are count as all of them.
    pub(crate) fn set(&mut self, now: Duration, busy: usize, size: usize) {
        let passed = now.saturating_sub(self.until).as_nanos();
        self.worked += passed * self.busy.min(self.size) as u128;
        self.offered += passed * self.size as u128;
        (self.until, self.busy, self.size) = (self.until.max(now), busy, size);
    }

    /// The share since the last time that it was taken, until the last change; 0 when no time has passed.
    pub(crate) fn take(&mut self) -> Share {
        let share = (self.worked * u128::from(ALL)).checked_div(self.offered).unwrap_or(0);
        (self.worked, self.offered) = (0, 0);
        Share(u32::try_from(share).unwrap_or(ALL).min(ALL))
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
        assert_eq!(meter.take().basis_points(), 3_750, "(4 * 250 + 2 * 250) / (4 * 1000) from the first worker on");
        meter.set(at(3000), 9, 2);
        assert_eq!(meter.take(), Share::default());
        meter.set(at(4000), 9, 2);
        assert_eq!((meter.take().basis_points(), meter.take().as_f64()), (ALL, 0.0), "nobody works more than always");
        meter.set(at(3000), 1, 1);
        meter.set(at(3500), 1, 1);
        assert_eq!(meter.take(), Share::default(), "a time that lies behind counts for nothing");
    }
}
