//! What came of the requests of a load.

use std::{collections::BTreeMap, time::Duration};

use super::histogram::Histogram;

/// Different failures that are told apart; further ones are counted together.
const KINDS: usize = 20;
/// Under which further ones are.
const OTHERS: &str = "others";

/// What an answer says of its request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Done.
    Ok,
    /// Not done, and said so: 429 or 503, typed, with the time to come back after.
    Refused(String),
    /// Neither. `unknown` when it may have been done all the same.
    Failed {
        /// The status and code, or why there was no answer.
        why: String,
        /// Whether it may have been done.
        unknown: bool,
    },
}

/// Counts of a load.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) ok: u64,
    pub(super) refused: u64,
    pub(super) failed: u64,
    /// Of the failed, those that may have been done.
    pub(super) unknown: u64,
    /// How long the good answers took.
    pub(super) took: Histogram,
    /// How long the refusals took.
    pub(super) refusing: Histogram,
    /// How often each refusal and failure was.
    pub(super) why: BTreeMap<String, u64>,
}

impl Tally {
    /// Counts an answer.
    pub(super) fn count(&mut self, verdict: Verdict, took: Duration) {
        match verdict {
            Verdict::Ok => {
                self.ok += 1;
                self.took.record(took);
            }
            Verdict::Refused(why) => {
                self.refused += 1;
                self.refusing.record(took);
                self.count_why(why, 1);
            }
            Verdict::Failed { why, unknown } => {
                self.failed += 1;
                self.unknown += u64::from(unknown);
                self.count_why(why, 1);
            }
        }
    }

    fn count_why(&mut self, why: String, times: u64) {
        let is_new = !self.why.contains_key(&why);
        let why = if is_new && self.why.len() >= KINDS { OTHERS.to_owned() } else { why };
        *self.why.entry(why).or_default() += times;
    }

    /// Counts what another has counted.
    pub(super) fn add(&mut self, other: Self) {
        self.ok += other.ok;
        self.refused += other.refused;
        self.failed += other.failed;
        self.unknown += other.unknown;
        self.took.add(&other.took);
        self.refusing.add(&other.refusing);
        for (why, times) in other.why {
            self.count_why(why, times);
        }
    }

    /// All requests.
    pub(super) fn all(&self) -> u64 {
        self.ok + self.refused + self.failed
    }

    /// The share of requests that were done, in percent; 100 when there were none.
    #[expect(clippy::cast_precision_loss, reason = "a percentage for people")]
    pub(super) fn availability(&self) -> f64 {
        if self.all() == 0 { 100.0 } else { self.ok as f64 * 100.0 / self.all() as f64 }
    }

    /// Requests done per second.
    #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
    pub(super) fn rate(&self, within: Duration) -> f64 {
        self.ok as f64 / within.as_secs_f64().max(0.001)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed(why: &str, unknown: bool) -> Verdict {
        Verdict::Failed { why: why.to_owned(), unknown }
    }

    #[test]
    fn availability_is_the_share_of_what_was_done() {
        let mut tally = Tally::default();
        assert!((tally.availability() - 100.0).abs() < f64::EPSILON);
        let milli = Duration::from_millis(1);
        for _ in 0..3 {
            tally.count(Verdict::Ok, milli);
        }
        tally.count(Verdict::Refused("503 OVERLOADED".into()), 2 * milli);
        assert!((tally.availability() - 75.0).abs() < f64::EPSILON);
        assert!((tally.rate(Duration::from_secs(2)) - 1.5).abs() < f64::EPSILON);
        assert_eq!((tally.took.longest(), tally.refusing.longest()), (milli, 2 * milli));
    }

    #[test]
    fn the_reasons_are_told_apart_up_to_their_limit_and_none_is_lost() {
        let (mut one, mut other) = (Tally::default(), Tally::default());
        for nth in 0..2 * KINDS {
            let tally = if nth % 2 == 0 { &mut one } else { &mut other };
            tally.count(failed(&format!("kind {nth}"), nth == 0), Duration::ZERO);
        }
        one.add(other);
        assert_eq!((one.failed, one.unknown), (2 * KINDS as u64, 1));
        assert!(one.why.len() <= KINDS + 1, "{:?}", one.why);
        assert_eq!(one.why.values().sum::<u64>(), one.failed);
    }
}
