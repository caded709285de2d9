//! Threads of their own for code that blocks or is not trusted: it may take its time, panic or never come
//! back, and nobody else notices.
//!
//! ```text
//! Bulkhead::run --> queue (ours, bounded) <-- pulled by -- worker: an actix actor, alone on its thread
//!                     |  full: Overloaded at once            |  answers the caller
//!                     |                                      |  ends (panic): its sentinel tells
//!                   Pool <-- watched by -- PoolSupervisor <--+
//!                     |                      |  too long: abandoned by generation, a new thread instead
//!                     +----------------------+  too many abandoned: Exhausted, until one comes back
//! ```
//!
//! A thread cannot be killed. One that is abandoned goes on until its call returns; then it sees that its
//! generation is over and ends. What it still answers reaches nobody.

mod pool;
mod supervisor;
#[cfg(test)]
mod tests;
mod threads;

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use serde::Serialize;
use tokio::sync::oneshot;

use self::pool::{Job, Pool};
pub(crate) use self::{supervisor::PoolSupervisor, threads::ActixHost};
use super::outcome::panic_text;

/// The bounds of one bulkhead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BulkheadLimits {
    /// Calls that are worked on at the same time.
    pub(crate) threads: usize,
    /// Calls that may wait for a thread.
    pub(crate) queue: usize,
    /// A call that takes longer is given up, and its thread with it.
    pub(crate) hard_limit: Duration,
    /// Threads that may be given up and not have come back; beyond, a stuck one is not replaced.
    pub(crate) max_leaked: usize,
}

/// Runs calls on a few threads of its own. Cheap to clone; all clones are the same bulkhead.
#[derive(Debug, Clone)]
pub(crate) struct Bulkhead(Arc<Pool>);

/// Why a call has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BulkheadError {
    /// As many wait as may wait. Not begun.
    #[error("the bulkhead {bulkhead} is full")]
    Overloaded { bulkhead: Arc<str> },
    /// Every thread is stuck, and no more are replaced. Not begun; it heals when one comes back.
    #[error("every thread of the bulkhead {bulkhead} is stuck")]
    Exhausted { bulkhead: Arc<str> },
    /// It is not started, or stopping. Not begun.
    #[error("the bulkhead {bulkhead} is stopped")]
    Stopped { bulkhead: Arc<str> },
    /// It did not come back. It may have done its work, or do it yet.
    #[error("no end within {0:?}; its thread was given up")]
    Stuck(Duration),
    /// It panicked, or its thread died. It may have done its work.
    #[error("{0}")]
    Died(Arc<str>),
}

/// A bulkhead as operators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BulkheadStatus {
    /// Its name.
    pub name: String,
    /// What separates it from the rest: `threads`.
    pub kind: &'static str,
    /// `running`, `exhausted` (every thread is stuck) or `stopped`.
    pub state: &'static str,
    /// Threads that it should have.
    pub threads: usize,
    /// Threads that take calls now.
    pub live: usize,
    /// Calls that are worked on now.
    pub busy: usize,
    /// Threads that were given up and have not come back.
    pub leaked: usize,
    /// Threads that were replaced since the start, because they were stuck or died.
    pub replaced: u64,
    /// Calls that wait for a thread.
    pub queue: usize,
    /// Calls that may wait for a thread.
    pub queue_limit: usize,
    /// Calls that were refused since the start, because it was full, exhausted or stopped.
    pub refused: u64,
}

impl Bulkhead {
    /// A bulkhead that is stopped until its [`PoolSupervisor`] runs.
    pub(crate) fn new(name: &str, limits: BulkheadLimits) -> Self {
        Self(Pool::new(name, limits))
    }

    pub(crate) fn limits(&self) -> BulkheadLimits {
        self.0.limits
    }

    pub(crate) fn status(&self) -> BulkheadStatus {
        self.0.status()
    }

    /// Runs `work` on a thread of the bulkhead, and gives back what it returned. At most the time that
    /// others before it take, plus `hard_limit`.
    ///
    /// # Errors
    /// [`BulkheadError`].
    ///
    /// # Cancel safety
    /// Dropping the future withdraws work that was not begun; what was begun goes on.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, BulkheadError> {
        let (answer, mut answered) = oneshot::channel();
        let (give_up, mut abandoned) = oneshot::channel();
        let begun = Arc::new(AtomicBool::new(false));
        let has_begun = begun.clone();
        let work = Box::new(move || {
            begun.store(true, Ordering::Release);
            // The panic is told and goes on: it ends the actor, as a panic outside of the work would.
            let panicked = match catch_unwind(AssertUnwindSafe(work)) {
                Ok(done) => return drop(answer.send(Ok(done))), // nobody waits any more
                Err(panicked) => panicked,
            };
            drop(answer.send(Err(panic_text(panicked.as_ref()))));
            resume_unwind(panicked)
        });
        self.0.submit(Job { work, give_up })?;
        tokio::select! {
            biased;
            done = &mut answered => match done {
                Ok(done) => done.map_err(BulkheadError::Died),
                Err(_) if has_begun.load(Ordering::Acquire) => Err(BulkheadError::Died("its thread ended".into())),
                Err(_) => Err(self.0.not_begun()),
            },
            Ok(()) = &mut abandoned => Err(BulkheadError::Stuck(self.0.limits.hard_limit)),
        }
    }
}
