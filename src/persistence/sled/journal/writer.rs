//! The one thread that writes: take what waits, decide, apply one batch, flush, sync, publish, tell.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    convert::Infallible,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering, mpsc::Sender},
    time::Duration,
};

use ::sled::Batch;

use super::{
    Index, Shared, keys, recovery,
    store::{Failure, Store},
};
use crate::persistence::{
    AppendError, Appended, Lease, PartitionId, Refusal, StreamId,
    metrics::timed,
    ready::Ready,
    record,
    rules::Head,
    segments::queue::{Done, Queued},
    sled::values,
    sync::{read, write},
};

/// Appends taken from the queue at once.
const MAX_GROUP: usize = 256;

/// Events in one batch; a single append with more still goes through. sled's memory follows the size of a batch: 2000
/// took 1.4 GB, 256 take 190 MB.
const MAX_EVENTS: usize = 256;

/// Bytes of records taken for one batch; a single larger record still goes through.
const MAX_GROUP_BYTES: usize = 1 << 20;

/// What the writer does to sled, so that a test can make it fail.
pub(super) trait Medium: Send + 'static {
    fn apply(&mut self, store: &Store, batch: Batch) -> Result<(), Failure> {
        store.apply(batch)
    }
    fn sync(&mut self, store: &Store) -> Result<(), Failure> {
        store.sync()
    }
}

/// The real one.
#[derive(Debug)]
pub(super) struct RealMedium;

impl Medium for RealMedium {}

pub(super) struct Writer<M> {
    pub(super) shared: Arc<Shared>,
    pub(super) medium: M,
    pub(super) epoch: u64,
    /// Nothing is sent: that it is dropped tells the witness that nothing more is written.
    pub(super) running: Sender<Infallible>,
}

/// A batch in the making.
#[derive(Default)]
struct Group {
    records: Vec<(Vec<u8>, Vec<u8>)>,
    told: Vec<(Done, Result<Appended, AppendError>)>,
    heads: HashMap<StreamId, Head>,
    positions: BTreeMap<PartitionId, u64>,
}

impl<M: Medium> Writer<M> {
    /// Runs until the queue is closed and empty.
    pub(super) fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        if catch_unwind(AssertUnwindSafe(|| self.write_all())).is_err() {
            // A promise of ours is broken. What was in hand was told `Unknown` while unwinding.
            poison(&shared, "the journal's writer panicked");
            while let Some(waiting) = shared.queue.take(MAX_GROUP, MAX_GROUP_BYTES) {
                tell(refuse(waiting, &shared));
            }
        }
        drop(self.running);
        shared.store.close();
    }

    fn write_all(&mut self) {
        while let Some(mut waiting) = self.shared.queue.take(MAX_GROUP, MAX_GROUP_BYTES) {
            self.shared.taken.fetch_add(waiting.len() as u64, Ordering::Relaxed);
            while !waiting.is_empty() {
                if self.shared.poisoned.get().is_some() {
                    tell(refuse(std::mem::take(&mut waiting), &self.shared));
                } else {
                    self.commit(&mut waiting);
                }
            }
        }
    }

    /// Takes one batch's worth off the front of `waiting` and sees it through.
    fn commit(&mut self, waiting: &mut VecDeque<Queued>) {
        let mut group = self.gather(waiting);
        let (stored, took) = match group.records.len() {
            0 => (Ok(()), Duration::ZERO),
            _ => timed(|| self.store(&mut group)),
        };
        if stored.is_ok() && !group.records.is_empty() {
            let bytes = group.records.iter().map(|(_, bytes)| bytes.len()).sum();
            self.shared.counters.group(group.records.len(), bytes, took);
        }
        if let Err(error) = stored {
            let reason = poison(&self.shared, &format!("sled could not be written: {error}"));
            for (_, outcome) in &mut group.told {
                // A duplicate may be one of an append in this very group.
                if matches!(outcome, Ok(_) | Err(AppendError::Duplicate(_))) {
                    *outcome = Err(AppendError::Unknown(Arc::clone(&reason)));
                }
            }
        }
        tell(group.told);
    }

    /// Decides on what waits, each append in the light of those before it, until the batch is full.
    fn gather(&self, waiting: &mut VecDeque<Queued>) -> Group {
        let mut group = Group::default();
        let index = read(&self.shared.index);
        let mut events = 0;
        while let Some(next) = waiting.front() {
            events += next.ready.as_ref().map_or(0, |ready| usize::from(ready.next.events));
            if events > MAX_EVENTS && !group.told.is_empty() {
                break;
            }
            let Some(queued) = waiting.pop_front() else { break };
            let told = queued.place(|ready| self.place(ready, &mut group, &index));
            group.told.push(told);
        }
        group
    }

    /// Adds an append to the group, if it is the next of its stream.
    fn place(&self, ready: Ready, group: &mut Group, index: &Index) -> Result<Appended, AppendError> {
        let Ready { stream, partition, next, mut record } = ready;
        let head = group.heads.get(&stream).or_else(|| index.streams.get(&stream));
        next.judge(&stream, head, Lease { partition, epoch: self.epoch })?;
        let previous = keys::location(head.map_or(0, |head| head.offset));
        let last = group.positions.entry(partition).or_insert_with(|| index.last(partition));
        let offset = *last + 1;
        record::place(&mut record, offset, previous);
        let head = next.head(offset);
        *last += u64::from(head.events);
        group.records.push((keys::record(partition, offset), record));
        group.heads.insert(stream, head);
        Ok(Appended { offset, sequence: head.sequence })
    }

    /// Applies the batch, syncs, and shows it to readers.
    fn store(&mut self, group: &mut Group) -> Result<(), Failure> {
        let mut batch = Batch::default();
        let store = &self.shared.store;
        store.access(|db| {
            for (key, bytes) in &group.records {
                values::add(db, &mut batch, key, bytes)?;
            }
            let index = read(&self.shared.index);
            for (partition, last) in &group.positions {
                let positions = recovery::witness(index.last(*partition), *last);
                values::add(db, &mut batch, &keys::witness(*partition), &positions)?;
            }
            Ok(())
        })?;
        self.medium.apply(store, batch)?;
        self.medium.sync(store)?;
        let mut index = write(&self.shared.index);
        index.streams.extend(group.heads.drain());
        for (partition, last) in &group.positions {
            if let Some(position) = index.positions.get_mut(usize::from(partition.0)) {
                *position = *last;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
impl<M: Medium> Writer<M> {
    /// How many appends one batch takes.
    pub(super) fn gather_count(&self, waiting: &mut VecDeque<Queued>) -> usize {
        self.gather(waiting).told.len()
    }
}

/// Refuses from now on, for the first reason there was.
fn poison(shared: &Shared, reason: &str) -> Arc<str> {
    tracing::error!(reason, "the journal takes no more writes");
    shared.counters.poisonings.fetch_add(1, Ordering::Relaxed);
    Arc::clone(shared.poisoned.get_or_init(|| reason.into()))
}

type Told = Vec<(Done, Result<Appended, AppendError>)>;

fn refuse(waiting: VecDeque<Queued>, shared: &Shared) -> Told {
    let reason = shared.poisoned.get().cloned().unwrap_or_default();
    waiting.into_iter().map(|queued| queued.refuse(Refusal::Poisoned(Arc::clone(&reason)))).collect()
}

fn tell(told: Told) {
    for (done, outcome) in told {
        if catch_unwind(AssertUnwindSafe(|| done.tell(outcome))).is_err() {
            tracing::error!("whoever waited for an append panicked when told");
        }
    }
}
