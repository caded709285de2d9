//! Waiting for another process. It cannot wake us, so we look again and again, never longer than a limit.

use std::{
    thread,
    time::{Duration, Instant},
};

/// What comes soon has come by then, also on a machine whose disk stands still for many seconds; who waits longer waits in
/// vain.
pub(crate) const SOON: Duration = Duration::from_mins(1);
/// Far from the [deadlines](super::DEADLINES) of servers under test: whoever answers in this time has waited for none.
pub(crate) const AT_ONCE: Duration = Duration::from_secs(10);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// What has passed since it was started.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Watch(Instant);

impl Watch {
    #[expect(clippy::disallowed_methods, reason = "the processes under test live in real time")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn passed(self) -> Duration {
        self.0.elapsed()
    }
}

/// The first `Ok` of `look` within `limit`; otherwise its last `Err`.
pub(crate) fn until<T, E>(limit: Duration, mut look: impl FnMut() -> Result<T, E>) -> Result<T, E> {
    let watch = Watch::start();
    loop {
        let last = watch.passed() >= limit;
        match look() {
            Err(_) if !last => thread::park_timeout(PAUSE),
            done => return done,
        }
    }
}

/// Looks until `look` has something to give; fails the test with `what` after `limit`.
#[track_caller]
pub(crate) fn eventually<T>(limit: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    match until(limit, || look().ok_or(())) {
        Ok(found) => found,
        Err(()) => panic!("not within {limit:?}: {what}"),
    }
}
