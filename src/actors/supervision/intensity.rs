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

    /// The first of the restarts that count now.
    pub(super) fn first(&self) -> Option<Duration> {
        self.recent.front().copied()
    }
}

/// The recent restarts of a child that is counted by itself, over the time in which it was well.
///
/// The time in which it failed its probes, waited to be started or was stopped does not count: otherwise one that takes
/// long to be found ill would never be given up.
#[derive(Debug)]
pub(super) struct OwnWindow {
    window: RestartWindow,
    well: Duration,
}

impl OwnWindow {
    pub(super) fn new(limit: Intensity) -> Self {
        Self { window: RestartWindow::new(limit), well: Duration::ZERO }
    }

    /// Counts a restart after a run that was well for `well_for`.
    pub(super) fn record(&mut self, well_for: Duration) -> Verdict {
        self.well = self.well.saturating_add(well_for);
        self.window.record(self.well)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{
        Intensity, OwnWindow, RestartWindow,
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
    fn only_the_time_in_which_it_was_well_moves_the_window_of_a_child_of_its_own() {
        let limit = Intensity { at_most: 2, within: Duration::from_mins(1) };
        for (story, runs) in [
            ("never well is given up, however long it takes to find out", vec![(0, GoOn), (0, GoOn), (0, GiveUp)]),
            ("well for a while, but not long enough", vec![(20, GoOn), (20, GoOn), (40, GiveUp)]),
            ("well for longer than the window", vec![(0, GoOn), (0, GoOn), (61, GoOn), (0, GoOn), (0, GiveUp)]),
        ] {
            let mut window = OwnWindow::new(limit);
            for (well_for, verdict) in runs {
                assert_eq!(window.record(Duration::from_secs(well_for)), verdict, "{story}, after {well_for} s");
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
