//! Bulkheads: what may take its time, in places of its own, so that whatever happens there is felt nowhere else.
//!
//! | kind | for | a place is | what is begun |
//! |---|---|---|---|
//! | [`Semaphore`] | work that waits instead of blocking: the commands of a service, recoveries | a number | goes on for as long as it holds its permit |
//! | [`ThreadPool`] | code that blocks or is not trusted: connectors | an actix actor, alone on its thread | is given up after `hard_limit`, its thread replaced |
//!
//! What is handed in differs, so each has a handle of its own; all else is the same. Both have a queue with a bound,
//! refuse at once beyond it, may follow their load between two sizes ([`autoscale`]), may be resized while they run,
//! answer with one set of errors ([`BulkheadError`]) and look alike to operators ([`BulkheadStatus`]).

mod admission;
mod autoscale;
mod meter;
mod pool;
mod semaphore;
mod slots;
mod supervisor;
#[cfg(test)]
mod tests;
mod thread_pool;
mod threads;

use std::{sync::Arc, time::Duration};

use schemars::JsonSchema;
use serde::Serialize;

pub(crate) use self::{
    autoscale::{Scale, Size},
    semaphore::{Permit, Semaphore, SemaphoreLimits},
    supervisor::PoolSupervisor,
    thread_pool::{ThreadLimits, ThreadPool},
    threads::ActixHost,
};

/// How often a pool looks at its load: a few looks make ten workers of one.
pub(crate) const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Why there is no place, or no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BulkheadError {
    /// As many wait as may wait. Not begun; come back after `retry_after`.
    #[error("the bulkhead {bulkhead} is full")]
    Overloaded { bulkhead: Arc<str>, retry_after: Duration },
    /// Every thread is stuck, and no more are replaced. Not begun; it heals when one comes back.
    #[error("every thread of the bulkhead {bulkhead} is stuck")]
    Exhausted { bulkhead: Arc<str> },
    /// It is not started, or stopping. Not begun.
    #[error("the bulkhead {bulkhead} is stopped")]
    Stopped { bulkhead: Arc<str> },
    /// Nobody left in time. Not begun.
    #[error("no place within {0:?}")]
    Expired(Duration),
    /// It did not come back. It may have done its work, or do it yet.
    #[error("no end within {0:?}; its thread was given up")]
    Stuck(Duration),
    /// It panicked, or its thread died. It may have done its work.
    #[error("{0}")]
    Died(Arc<str>),
}

/// A bulkhead as operators see it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct BulkheadStatus {
    /// Its name; the commands of a service run in the one of its name, `<system>/<service>`.
    pub name: String,
    /// What separates it from the rest: `threads` or `semaphore`.
    pub kind: &'static str,
    /// `running`, `exhausted` (every thread is stuck) or `stopped`.
    pub state: &'static str,
    /// The fewest workers that it has.
    pub min: usize,
    /// The most workers that it has.
    pub max: usize,
    /// Workers that it should have by its load; `min` and `max` are the same for one that follows none.
    pub desired: usize,
    /// Workers that it has.
    pub current: usize,
    /// Calls that are worked on now.
    pub in_flight: usize,
    /// Calls that wait for a worker.
    pub waiting: usize,
    /// Calls that may wait for a worker.
    pub queue_limit: usize,
    /// Of new work so much may wait now: what costs no more time than the work itself, and at most `queue_limit`.
    pub admitted: usize,
    /// Calls that were refused since the start, because it was full, exhausted or stopped.
    pub refused: u64,
    /// Of those, calls that would not have been done before their deadline.
    pub late: u64,
    /// Calls that were given up since the start, because nobody left before their deadline.
    pub expired: u64,
    /// The share of its workers' time that they worked, in the second before the last look: 0 to 1.
    pub busy_share: f64,
    /// Threads that were given up and have not come back.
    pub leaked: usize,
    /// Threads that were replaced since the start, because they were stuck or died.
    pub replaced: u64,
}
