//! Threads of their own for code that blocks or is not trusted: it may take its time, panic or never come
//! back, and nobody else notices.
//!
//! ```text
//! ThreadPool::run --> queue (ours, bounded) <-- pulled by -- worker: an actix actor, alone on its thread
//!                       |  full: Overloaded at once            |  answers the caller
//!                       |                                      |  ends (panic): its sentinel tells
//!                     Pool <-- watched by -- PoolSupervisor <--+
//!                       |                      |  too long: abandoned by generation, a new thread instead
//!                       +----------------------+  too many abandoned: Exhausted, until one comes back
//! ```
//!
//! A thread cannot be killed. One that is abandoned goes on until its call returns; then it sees that its
//! generation is over and ends. What it still answers reaches nobody.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::oneshot;

use super::{super::outcome::panic_text, BulkheadError, BulkheadStatus, autoscale::Size, pool::Pool, slots::Job};

/// The bounds of one pool of threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ThreadLimits {
    /// Calls that are worked on at the same time.
    pub(crate) threads: Size,
    /// Calls that may wait for a thread.
    pub(crate) queue: usize,
    /// A call that takes longer is given up, and its thread with it.
    pub(crate) hard_limit: Duration,
    /// Threads that may be given up and not have come back; beyond, a stuck one is not replaced.
    pub(crate) max_leaked: usize,
}

/// Runs calls on a few threads of its own. Cheap to clone; all clones are the same pool.
#[derive(Clone)]
pub(crate) struct ThreadPool(pub(super) Arc<Pool>);

impl ThreadPool {
    /// One that is stopped until its [`PoolSupervisor`](super::PoolSupervisor) runs.
    pub(crate) fn new(name: &str, limits: ThreadLimits) -> Self {
        Self(Pool::new(name, limits))
    }

    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }

    pub(crate) fn limits(&self) -> ThreadLimits {
        self.0.limits()
    }

    pub(crate) fn status(&self) -> BulkheadStatus {
        self.0.status()
    }

    /// Other limits from now on; true when they differ. What is begun is done, and what waits goes on waiting, also
    /// beyond the new queue; a thread that is too many ends after its call.
    pub(crate) fn resize(&self, limits: ThreadLimits) -> bool {
        self.0.resize(limits)
    }

    /// Runs `work` on a thread of the pool, and gives back what it returned. At most the time that
    /// others before it take, plus `hard_limit`.
    ///
    /// # Errors
    /// [`BulkheadError`], never `Expired`.
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
            Ok(after) = &mut abandoned => Err(BulkheadError::Stuck(after)),
        }
    }
}

impl fmt::Debug for ThreadPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
