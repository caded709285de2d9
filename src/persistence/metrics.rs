//! What a journal counts while it works, for whoever watches it.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use crate::measure::{Buckets, Histogram};

/// What a journal has done since the process began, also before it was reopened. Counters only grow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JournalMetrics {
    /// Appends that are durable.
    pub appends: u64,
    /// Bytes of their frames.
    pub bytes: u64,
    /// Appends that one sync made durable.
    pub group_sizes: Histogram,
    /// Microseconds from the begin of a group's write to the end of its sync.
    pub group_micros: Histogram,
    /// Appends that found the queue full.
    pub overloaded: u64,
    /// Appends refused because the disk had too little space.
    pub no_space: u64,
    /// Times that a failed write or sync closed the journal to writes.
    pub poisonings: u64,
    /// Times that it was opened again after that.
    pub reopenings: u64,
    /// Times that history was deleted.
    pub truncations: u64,
    /// Events that were deleted with it.
    pub deleted: u64,
    /// Appends that wait for the writer now.
    pub waiting: u64,
}

/// The counters behind [`JournalMetrics`].
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) appends: AtomicU64,
    pub(super) bytes: AtomicU64,
    pub(super) group_sizes: Buckets,
    pub(super) group_micros: Buckets,
    pub(super) overloaded: AtomicU64,
    pub(super) no_space: AtomicU64,
    pub(super) poisonings: AtomicU64,
    pub(super) reopenings: AtomicU64,
    pub(super) truncations: AtomicU64,
    pub(super) deleted: AtomicU64,
}

impl Counters {
    /// One group is durable.
    pub(super) fn group(&self, appends: usize, bytes: usize, took: Duration) {
        self.appends.fetch_add(appends as u64, Ordering::Relaxed);
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.group_sizes.add(appends as u64);
        self.group_micros.took(took);
    }

    pub(super) fn read(&self, waiting: usize) -> JournalMetrics {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        JournalMetrics {
            appends: of(&self.appends),
            bytes: of(&self.bytes),
            group_sizes: self.group_sizes.read(),
            group_micros: self.group_micros.read(),
            overloaded: of(&self.overloaded),
            no_space: of(&self.no_space),
            poisonings: of(&self.poisonings),
            reopenings: of(&self.reopenings),
            truncations: of(&self.truncations),
            deleted: of(&self.deleted),
            waiting: waiting as u64,
        }
    }
}

/// How long `act` takes.
#[expect(clippy::disallowed_methods, reason = "how long a disk was busy is no time of the domain")]
pub(super) fn timed<T>(act: impl FnOnce() -> T) -> (T, Duration) {
    let began = Instant::now();
    let done = act();
    (done, began.elapsed())
}
