//! How long to wait before a restart: exponential, with jitter, back to the shortest after health. Pure:
//! the random part is passed in.

use std::time::Duration;

/// The waits between a failure and the next start of the same child.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Backoff {
    /// The first wait; each further failure doubles it.
    pub min: Duration,
    /// No wait is longer, jitter included.
    pub max: Duration,
    /// How far a wait may differ from its nominal length, from 0.0 (not at all) to 1.0 (from nothing to twice).
    /// It keeps children that failed together from starting together.
    pub jitter: f64,
    /// A child that ran for this long is healthy: its next failure waits `min` again.
    pub reset_after: Duration,
}

/// Beyond this many doublings every sensible `max` is reached; it keeps the factor within a `u32`.
const MOST_DOUBLINGS: u32 = 20;

impl Backoff {
    /// The wait after `failures` earlier failures in a row; `random` is uniform in 0.0..1.0.
    pub(super) fn delay(&self, failures: u32, random: f64) -> Duration {
        let nominal = self.min.saturating_mul(1 << failures.min(MOST_DOUBLINGS)).min(self.max);
        let factor = 1.0 + self.jitter.clamp(0.0, 1.0) * (2.0 * random.clamp(0.0, 1.0) - 1.0);
        nominal.mul_f64(factor).min(self.max)
    }

    /// The failures in a row that still count for a child that ran for `ran` before it failed (zero when
    /// it never got that far).
    pub(super) fn failures_after(&self, failures: u32, ran: Duration) -> u32 {
        if ran >= self.reset_after { 0 } else { failures }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Backoff;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    const PLAIN: Backoff = Backoff { min: ms(100), max: ms(1000), jitter: 0.0, reset_after: ms(5000) };

    #[test]
    fn it_doubles_up_to_the_longest_wait() {
        for (failures, wait) in [(0, 100), (1, 200), (2, 400), (3, 800), (4, 1000), (5, 1000), (u32::MAX, 1000)] {
            assert_eq!(PLAIN.delay(failures, 0.5), ms(wait), "after {failures}");
        }
    }

    #[test]
    fn jitter_spreads_around_the_nominal_wait_and_never_past_the_longest() {
        let spread = Backoff { jitter: 0.2, ..PLAIN };
        for (failures, random, wait) in [(0, 0.0, 80), (0, 0.5, 100), (0, 1.0, 120), (4, 0.0, 800), (4, 1.0, 1000)] {
            assert_eq!(spread.delay(failures, random).as_millis(), wait, "{failures} {random}");
        }
    }

    #[test]
    fn a_healthy_run_forgets_the_failures_before_it() {
        for (failures, ran, left) in [(4, 0, 4), (4, 4999, 4), (4, 5000, 0), (0, 9000, 0)] {
            assert_eq!(PLAIN.failures_after(failures, ms(ran)), left, "{ran}");
        }
    }
}
