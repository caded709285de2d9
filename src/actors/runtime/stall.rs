//! Whether the disk answers: for how long no append was answered while some were under way.
//!
//! Looked at once in a second, so that an append costs one addition. What is found is a lower bound: a store that is just
//! slow answers some append in every second and is never taken for one that hangs.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// The appends of one service, as far as it matters whether the journal answers them.
#[derive(Debug, Default)]
pub(crate) struct Stall {
    answered: AtomicU64,
    /// [`answered`](Self::answered) at the last look.
    seen: AtomicU64,
    /// Milliseconds of looks in a row at which nothing more was answered.
    lasted: AtomicU64,
}

impl Stall {
    /// An append was answered.
    pub(crate) fn answered(&self) {
        self.answered.fetch_add(1, Ordering::Relaxed);
    }

    /// Looks whether anything was answered since the last look, which was `passed` ago.
    pub(crate) fn look(&self, under_way: usize, passed: Duration) {
        let answered = self.answered.load(Ordering::Relaxed);
        if self.seen.swap(answered, Ordering::Relaxed) == answered && under_way > 0 {
            let passed = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX);
            self.lasted.fetch_add(passed, Ordering::Relaxed);
        } else {
            self.lasted.store(0, Ordering::Relaxed);
        }
    }

    /// For how long nothing was answered, at least; zero as soon as something is, or nothing is under way.
    pub(crate) fn lasts(&self, under_way: usize) -> Duration {
        let is_over = under_way == 0 || self.answered.load(Ordering::Relaxed) != self.seen.load(Ordering::Relaxed);
        if is_over { Duration::ZERO } else { Duration::from_millis(self.lasted.load(Ordering::Relaxed)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn it_grows_while_nothing_is_answered_and_is_over_with_the_first_answer() {
        let stall = Stall::default();
        stall.look(0, SECOND);
        assert_eq!(stall.lasts(1), Duration::ZERO, "nothing was under way until now");
        for seconds in 1..=5 {
            stall.look(3, SECOND);
            assert_eq!(stall.lasts(3), SECOND * seconds);
        }
        stall.answered();
        assert_eq!(stall.lasts(2), Duration::ZERO, "before anybody looks again");
        stall.look(2, SECOND);
        assert_eq!(stall.lasts(2), Duration::ZERO);
        stall.look(2, SECOND);
        assert_eq!((stall.lasts(2), stall.lasts(0)), (SECOND, Duration::ZERO));
    }

    #[test]
    fn a_journal_that_answers_one_append_in_a_second_is_slow_and_no_more() {
        let stall = Stall::default();
        for _ in 0..100 {
            stall.answered();
            stall.look(1000, SECOND);
            assert_eq!(stall.lasts(1000), Duration::ZERO);
        }
    }
}
