//! Commands that are sent together and done in order: one is decided only when every one before it was decided and done.
//!
//! ```text
//! sent      0 1 2 3 4        one after the other, none waits until the one before is durable
//! decided   0 1 no           2 was refused, came too late, met a panic: it is told so
//! dropped         3 4        without being begun: sent again in a series of their own
//! ```
//! So what a failure leaves is a beginning of the series, never a part with a hole. An entity knows repeats of a policy's
//! commands by the greatest position that it has applied: one behind a hole would have it take what belongs into the hole for
//! a repeat. And entities that are created one after the other, each with a stream of its own, keep their order: their
//! appends go in a [`Line`].

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use tokio::sync::Notify;

use crate::persistence::Line;

/// How far a series has come.
#[derive(Debug, Default)]
pub(crate) struct Series {
    /// How many were decided and done, from the first on; [`ENDED`] from the first failure on.
    done: AtomicU32,
    /// How many were begun to be decided.
    begun: AtomicU32,
    line: Line,
    /// Tells the sender that it is decided how far the series has come.
    moved: Notify,
}

/// More than a series has.
const ENDED: u32 = u32::MAX;

/// One command of a series.
#[derive(Debug, Clone)]
pub(crate) struct Nth {
    series: Arc<Series>,
    nth: u32,
}

impl Series {
    /// The places of so many commands, in order.
    pub(crate) fn of(commands: usize) -> impl Iterator<Item = Nth> {
        let series = Arc::new(Self::default());
        let commands = u32::try_from(commands).unwrap_or(ENDED);
        (0..commands).map(move |nth| Nth { series: series.clone(), nth })
    }
}

impl Nth {
    /// Its turn to be decided has come; false when one before it was not done, so that nothing may be done for it.
    pub(crate) fn begin(&self) -> bool {
        let is_next = self.series.done.load(Ordering::Acquire) == self.nth;
        if is_next {
            self.series.begun.store(self.nth + 1, Ordering::Release);
        }
        is_next
    }

    /// It was decided, with an answer that is no error, and its events were handed over. They may still fail.
    pub(crate) fn done(&self) {
        let (before, after) = (self.nth, self.nth + 1);
        // What has ended stays so: an earlier one may have failed meanwhile.
        let _ended = self.series.done.compare_exchange(before, after, Ordering::AcqRel, Ordering::Acquire);
        self.series.moved.notify_one();
    }

    /// It is told that it was not done, or not surely: nothing more of its series is decided.
    pub(crate) fn failed(&self) {
        self.series.done.store(ENDED, Ordering::Release);
        self.series.moved.notify_one();
    }

    /// Waits until it was done, or its series has ended. For the one who sends them.
    pub(crate) async fn is_decided(&self) {
        while self.series.done.load(Ordering::Acquire) <= self.nth {
            self.series.moved.notified().await;
        }
    }

    /// Whether it was done, as far as anybody knows.
    pub(crate) fn is_done(&self) -> bool {
        (self.nth + 1..ENDED).contains(&self.series.done.load(Ordering::Acquire))
    }

    /// Where its append goes.
    pub(crate) fn line(&self) -> Line {
        self.series.line.clone()
    }

    /// Whether it was ever begun.
    pub(crate) fn was_begun(&self) -> bool {
        self.series.begun.load(Ordering::Acquire) > self.nth
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> [Nth; 3] {
        Series::of(3).collect::<Vec<_>>().try_into().expect("three")
    }

    #[test]
    fn each_is_begun_when_all_before_it_are_done() {
        let [first, second, third] = three();
        assert!(!second.begin() && first.begin());
        assert!(!second.begin(), "the first may still be refused");
        first.done();
        assert!(!third.begin() && second.begin());
        assert!(first.was_begun() && second.was_begun() && !third.was_begun());
    }

    #[test]
    fn nothing_is_begun_behind_a_failure_whenever_it_is_known() {
        let [first, second, third] = three();
        assert!(first.begin());
        first.done();
        assert!(second.begin());
        first.failed(); // its append
        second.done();
        assert!(!third.begin());
    }
}
