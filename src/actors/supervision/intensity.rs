//! How often is too often: a pure sliding window over the moments of restarts.

use std::{collections::VecDeque, time::Duration};

/// The restarts a supervisor puts up with: more than `at_most` within `within`, and it gives up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intensity {
    /// Restarts that are still tolerated within the window. Zero: the first failure is too much.
    pub at_most: u32,
    /// The length of the window.
    pub within: Duration,
}

/// What a supervisor does after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Restart.
    GoOn,
    /// Stop everything and fail.
    GiveUp,
}

/// The recent restarts of one supervisor; at most `at_most + 1` moments are kept.
#[derive(Debug)]
pub(super) struct RestartWindow {
    limit: Intensity,
    recent: VecDeque<Duration>,
}

impl RestartWindow {
    pub(super) fn new(limit: Intensity) -> Self {
        Self { limit, recent: VecDeque::new() }
    }

    /// Counts a restart at `now`, a moment on any clock that does not go back.
    pub(super) fn record(&mut self, now: Duration) -> Verdict {
        let at_most = usize::try_from(self.limit.at_most).unwrap_or(usize::MAX);
        self.recent.push_back(now);
        while self.recent.front().is_some_and(|then| now.saturating_sub(*then) > self.limit.within) {
            self.recent.pop_front();
        }
        if self.recent.len() <= at_most {
            return Verdict::GoOn;
        }
        // One more than the limit decides it; older moments cannot change a later verdict.
        self.recent.drain(..self.recent.len() - at_most - 1);
        Verdict::GiveUp
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{
        Intensity, RestartWindow,
        Verdict::{GiveUp, GoOn},
    };

    #[test]
    fn more_than_at_most_within_the_window_gives_up() {
        for (story, at_most, moments) in [
            ("the first is too much when none is allowed", 0, vec![(0, GiveUp)]),
            ("as many as allowed go on", 2, vec![(0, GoOn), (1, GoOn)]),
            ("one more gives up", 2, vec![(0, GoOn), (1, GoOn), (2, GiveUp)]),
            ("the edge of the window still counts", 1, vec![(0, GoOn), (1000, GiveUp)]),
            ("past the edge it does not", 1, vec![(0, GoOn), (1001, GoOn)]),
            ("the window slides", 2, vec![(0, GoOn), (900, GoOn), (1001, GoOn), (1800, GiveUp)]),
        ] {
            let mut window = RestartWindow::new(Intensity { at_most, within: Duration::from_secs(1) });
            for (at, verdict) in moments {
                assert_eq!(window.record(Duration::from_millis(at)), verdict, "{story}, at {at}");
            }
        }
    }

    #[test]
    fn it_keeps_one_moment_more_than_the_limit_and_no_others() {
        let mut window = RestartWindow::new(Intensity { at_most: 3, within: Duration::from_mins(1) });
        for at in 0..1000 {
            window.record(Duration::from_millis(at));
            assert!(window.recent.len() <= 4, "{} kept", window.recent.len());
        }
    }
}
