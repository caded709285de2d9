//! What the answers to a service's probes amount to. Pure: answers and moments are passed in.
//!
//! | answer | failures in a row | what follows |
//! |---|---|---|
//! | well | none | go on |
//! | ill | one more | go on; from the threshold on, restart |
//! | excused | as before | go on |

use std::{sync::Arc, time::Duration};

/// What one probe found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    /// It answered.
    Well,
    /// It did not, or wrongly: why.
    Ill(Arc<str>),
    /// It could not be asked, and a restart of it would not change that: why.
    Excused(Arc<str>),
}

/// What follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The next probe.
    GoOn,
    /// The service has to be restarted.
    Restart {
        /// What failed, and how often.
        reason: String,
        /// How long it had been well before.
        well_for: Duration,
    },
}

/// The probes of one run of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pulse {
    threshold: u32,
    failures: u32,
    /// When it was last well, since its start.
    well: Duration,
}

impl Pulse {
    /// With a `threshold` of 0 it is never restarted.
    pub(crate) fn new(threshold: u32) -> Self {
        Self { threshold, failures: 0, well: Duration::ZERO }
    }

    /// Takes what a probe found at `at`, since the start of the service.
    pub(crate) fn observe(&mut self, at: Duration, seen: &Seen) -> Verdict {
        match seen {
            Seen::Well => {
                self.failures = 0;
                self.well = at;
                Verdict::GoOn
            }
            Seen::Excused(_) => Verdict::GoOn,
            Seen::Ill(why) => {
                self.failures = self.failures.saturating_add(1);
                if self.threshold == 0 || self.failures < self.threshold {
                    return Verdict::GoOn;
                }
                let reason = format!("{} probes failed in a row; the last: {why}", self.failures);
                Verdict::Restart { reason, well_for: self.well }
            }
        }
    }

    /// Failures in a row.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }
}

#[cfg(test)]
mod tests {
    use super::{
        Pulse, Seen,
        Verdict::{self, GoOn},
    };
    use std::time::Duration;

    fn ill() -> Seen {
        Seen::Ill("no answer within 2s".into())
    }

    fn excused() -> Seen {
        Seen::Excused("the storage refuses".into())
    }

    fn restart(failures: u32, well_for: u64) -> Verdict {
        let reason = format!("{failures} probes failed in a row; the last: no answer within 2s");
        Verdict::Restart { reason, well_for: Duration::from_secs(well_for) }
    }

    #[test]
    fn as_many_failures_in_a_row_as_the_threshold_restart_the_service() {
        let (well, ill, excused) = (|| (Seen::Well, GoOn), || (ill(), GoOn), || (excused(), GoOn));
        for (story, threshold, given, then) in [
            ("one is enough", 1, vec![], restart(1, 0)),
            ("the third of three", 3, vec![ill(), ill()], restart(3, 0)),
            ("one that was well in between begins anew", 2, vec![ill(), well()], GoOn),
            ("it says how long it had been well", 2, vec![well(), well(), ill()], restart(2, 10)),
            ("what was excused is no failure", 2, vec![excused(), excused()], GoOn),
            ("and does not take one back", 2, vec![ill(), excused()], restart(2, 0)),
            ("without a threshold it is never restarted", 0, vec![ill(), ill(), ill()], GoOn),
        ] {
            let mut pulse = Pulse::new(threshold);
            let mut at = Duration::ZERO;
            for (seen, verdict) in given {
                at += Duration::from_secs(5);
                assert_eq!(pulse.observe(at, &seen), verdict, "{story}, at {at:?}");
            }
            at += Duration::from_secs(5);
            assert_eq!(pulse.observe(at, &self::ill()), then, "{story}");
        }
    }

    #[test]
    fn failures_are_counted_in_a_row() {
        let mut pulse = Pulse::new(9);
        let mut counts = Vec::new();
        for seen in [ill(), ill(), excused(), ill(), Seen::Well, ill()] {
            pulse.observe(Duration::from_secs(1), &seen);
            counts.push(pulse.failures());
        }
        assert_eq!(counts, [1, 2, 2, 3, 0, 1]);
    }
}
