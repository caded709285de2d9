//! A journal that a fault may happen to.

use std::{
    io,
    path::PathBuf,
    sync::{Arc, OnceLock},
};

use super::{Fault, Faults, Operation, WHY};
use crate::persistence::{
    Append, AppendDone, AppendError, BaseOf, Journal, JournalMetrics, Lease, Line, PartitionId, ReadError, Record,
    Refusal, StoredSnapshot, StreamHead, StreamId, TruncateError, Truncated, Truncation, line::cutting,
};

/// Appends that fail, tear, are lost or wait, and reads that fail.
pub(in crate::persistence) struct FaultyJournal {
    inner: Arc<dyn Journal>,
    faults: Arc<Faults>,
    poisoned: Arc<OnceLock<Arc<str>>>,
}

impl FaultyJournal {
    pub(in crate::persistence) fn new(inner: Arc<dyn Journal>, faults: Arc<Faults>) -> Self {
        Self { inner, faults, poisoned: Arc::default() }
    }

    fn not_read(&self) -> Result<(), ReadError> {
        match self.faults.meet(Operation::Read) {
            None => Ok(()),
            Some(_) => Err(ReadError::Io { file: PathBuf::from("journal"), source: Arc::new(io::Error::other(WHY)) }),
        }
    }
}

/// Hands an append over, unless the journal has failed meanwhile.
fn hand_over(inner: &dyn Journal, poisoned: &OnceLock<Arc<str>>, append: Append, line: Option<Line>, done: AppendDone) {
    match poisoned.get() {
        Some(reason) => done(Err(AppendError::Refused(Refusal::Poisoned(Arc::clone(reason))))),
        None => inner.hand_over(append, line, done),
    }
}

impl Journal for FaultyJournal {
    fn hand_over(&self, append: Append, line: Option<Line>, done: AppendDone) {
        let done = cutting(line.as_ref(), done);
        if self.poisoned.get().is_some() {
            return hand_over(&*self.inner, &self.poisoned, append, line, done);
        }
        let met = self.faults.meet(Operation::Append);
        match met {
            None | Some(Fault::Delay) => {
                let (inner, poisoned) = (Arc::clone(&self.inner), Arc::clone(&self.poisoned));
                let now = move || hand_over(&*inner, &poisoned, append, line, done);
                if let Some(now) = self.faults.hold(met.is_some(), now) {
                    now();
                }
            }
            Some(fault) => {
                let reason: Arc<str> = WHY.into();
                self.poisoned.get_or_init(|| Arc::clone(&reason));
                let unknown = Err(AppendError::Unknown(reason));
                if fault == Fault::Lose {
                    self.inner.hand_over(append, line, Box::new(move |_| done(unknown)));
                } else {
                    done(unknown);
                }
            }
        }
    }

    fn partitions(&self) -> u16 {
        self.inner.partitions()
    }

    fn lease(&self, partition: PartitionId) -> Lease {
        self.inner.lease(partition)
    }

    fn durable(&self, partition: PartitionId) -> u64 {
        self.inner.durable(partition)
    }

    fn head(&self, stream: &StreamId) -> Option<StreamHead> {
        self.inner.head(stream)
    }

    fn heads(&self, visit: &mut dyn FnMut(&StreamId, &StreamHead)) {
        self.inner.heads(visit);
    }

    fn read_stream(&self, stream: &StreamId, after: u64, limit: usize) -> Result<Vec<Record>, ReadError> {
        self.not_read()?;
        self.inner.read_stream(stream, after, limit)
    }

    fn read_feed(&self, partition: PartitionId, after: u64, limit: usize) -> Result<Vec<Record>, ReadError> {
        self.not_read()?;
        self.inner.read_feed(partition, after, limit)
    }

    fn truncate(&self, what: Truncation<'_>, base: &mut BaseOf<'_>) -> Result<Truncated, TruncateError> {
        self.inner.truncate(what, base)
    }

    fn first(&self, partition: PartitionId) -> u64 {
        self.inner.first(partition)
    }

    fn base(&self, stream: &StreamId) -> Result<Option<StoredSnapshot>, ReadError> {
        self.not_read()?;
        self.inner.base(stream)
    }

    fn refusal(&self) -> Option<Refusal> {
        self.poisoned().map(Refusal::Poisoned).or_else(|| self.inner.refusal())
    }

    fn poisoned(&self) -> Option<Arc<str>> {
        self.poisoned.get().cloned().or_else(|| self.inner.poisoned())
    }

    fn metrics(&self) -> JournalMetrics {
        self.inner.metrics()
    }

    fn disk_bytes(&self) -> u64 {
        self.inner.disk_bytes()
    }

    fn close(&self) {
        self.faults.release();
        self.inner.close();
    }
}
