//! How a long-lived process looks to the rest of the crate: two futures and a stop signal.

use std::{fmt, sync::Arc, time::Duration};

use futures::future::{BoxFuture, FutureExt};
use tokio_util::sync::CancellationToken;

/// Something that runs until it is asked to stop, in two phases.
///
/// 1. *Starting*: the future that [`start`](Process::start) returns binds a listener, loads cursors and so
///    on. Siblings behind it wait for it. An error or a panic is a failed start and counts as a failure.
/// 2. *Running*: the future that starting gave. After `stop` was requested it has to end by itself, with
///    everything it took flushed and released. An error, a panic, or an end that nobody asked for is an
///    exit, which its supervisor answers.
///
/// Each restart calls `start` again: what must survive a restart belongs to the process, what must not
/// belongs to the futures. A future that has not ended when its time to stop is over is dropped.
pub trait Process: Send + Sync + 'static {
    /// Begins one run. Does nothing before the returned future is polled.
    fn start(&self, stop: Stop) -> BoxFuture<'static, Result<Running, Failure>>;
}

/// The second phase of a [`Process`].
pub type Running = BoxFuture<'static, Result<(), Failure>>;

/// Makes a [`Process`] of a closure: `process(|stop| async { starting; Ok(async { running; Ok(()) }) })`.
pub fn process<F, S, R>(start: F) -> Arc<dyn Process>
where
    F: Fn(Stop) -> S + Send + Sync + 'static,
    S: Future<Output = Result<R, Failure>> + Send + 'static,
    R: Future<Output = Result<(), Failure>> + Send + 'static,
{
    Arc::new(Closure(start))
}

struct Closure<F>(F);

impl<F, S, R> Process for Closure<F>
where
    F: Fn(Stop) -> S + Send + Sync + 'static,
    S: Future<Output = Result<R, Failure>> + Send + 'static,
    R: Future<Output = Result<(), Failure>> + Send + 'static,
{
    fn start(&self, stop: Stop) -> BoxFuture<'static, Result<Running, Failure>> {
        let starting = (self.0)(stop);
        async move { Ok(starting.await?.boxed()) }.boxed()
    }
}

/// The request to stop, for one run of a [`Process`]. Clones are the same request.
#[derive(Debug, Clone, Default)]
pub struct Stop(CancellationToken);

impl Stop {
    /// A request that nobody has made yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the run to end. Asking twice changes nothing.
    pub fn request(&self) {
        self.0.cancel();
    }

    /// Whether it was asked to end.
    pub fn is_requested(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Waits until it is asked to end.
    ///
    /// # Cancel safety
    /// Safe: a dropped wait loses nothing.
    pub async fn requested(&self) {
        self.0.cancelled().await;
    }
}

/// Why a process could not be started or go on, in words for the log and the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Failure {
    reason: String,
    well_for: Option<Duration>,
}

impl Failure {
    /// A failure in the caller's words; include the cause, it is not kept otherwise.
    pub fn new(reason: impl fmt::Display) -> Self {
        Self { reason: reason.to_string(), well_for: None }
    }

    /// Says how long the run was well before the trouble began that it ends with. Without this, for all of its time.
    #[must_use]
    pub fn after_being_well_for(self, well_for: Duration) -> Self {
        Self { well_for: Some(well_for), ..self }
    }

    /// What [`after_being_well_for`](Self::after_being_well_for) said.
    pub(super) fn well_for(&self) -> Option<Duration> {
        self.well_for
    }
}
