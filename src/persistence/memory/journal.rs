//! Appends in memory.
//!
//! Locks are taken in this order: live, durable. `done` is called under neither, since it may call back.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use super::{Image, Live, MemoryStore, Stream, Waiting};
use crate::persistence::{
    Append, AppendDone, AppendError, Appended, BaseOf, Journal, Lease, Line, PartitionId, ReadError, Record, Refusal,
    ReopenError, StoredSnapshot, StreamHead, StreamId, TruncateError, Truncated, Truncation,
    line::{cutting, in_line},
    rules::{Head, Successor, check_size},
    sync::lock,
};

/// A held store is released by its test; nobody waits for this.
const RETRY_AFTER: Duration = Duration::from_millis(50);

impl MemoryStore {
    /// What becomes of `append`, given the durable image and what waits before it.
    fn decide(&self, append: Append, live: &mut Live) -> Result<Record, AppendError> {
        if let Some(reason) = &live.poisoned {
            return Err(AppendError::Refused(Refusal::Poisoned(Arc::clone(reason))));
        }
        check_size(&append).map_err(AppendError::Refused)?;
        let durable = lock(&self.durable);
        let partition = append.stream.partition(self.partitions);
        let stored = || durable.streams.get(&append.stream).map(|stream| &stream.head);
        let head = live.heads.get(&append.stream).or_else(stored);
        let current = Lease { partition, epoch: durable.epoch };
        Successor::of(&append).judge(&append.stream, head, current)?;
        let last = live.positions.entry(partition.0).or_insert_with(|| durable.last(partition));
        let record = Record { offset: *last + 1, append };
        *last = record.last_offset();
        live.heads.insert(record.append.stream.clone(), Head::after(&record.append, record.offset));
        Ok(record)
    }

    /// Makes durable what waits, unless it is held.
    pub(super) fn commit(&self) {
        let mut live = lock(&self.live);
        if live.held {
            return;
        }
        let mut durable = lock(&self.durable);
        // Otherwise a newer opening of this memory has taken over while appends were held.
        let current = durable.epoch == self.epoch();
        let Live { waiting, answers, .. } = &mut *live;
        for Waiting { stream, outcome, done } in waiting.drain(..) {
            let outcome = match outcome {
                // Also a duplicate, since it may be one of an append that was held.
                Ok(_) | Err(AppendError::Duplicate(_)) if !current => Err(AppendError::Fenced { stream }),
                outcome => outcome.map(|record| durable.store(record, self.partitions)),
            };
            answers.push_back((outcome, done));
        }
        live.heads.clear();
        live.positions.clear();
    }

    /// Tells what was committed, in order. Whoever finds another thread telling leaves it to that one, so that the
    /// order holds and a `done` that appends does not nest.
    pub(super) fn tell(&self) {
        let mut live = lock(&self.live);
        if live.telling {
            return;
        }
        live.telling = true;
        while let Some((outcome, done)) = live.answers.pop_front() {
            drop(live);
            done(outcome);
            live = lock(&self.live);
        }
        live.telling = false;
    }
}

impl Image {
    fn last(&self, partition: PartitionId) -> u64 {
        self.records(partition).last().map_or_else(|| self.deleted_to(partition), |record| record.last_offset())
    }

    pub(super) fn deleted_to(&self, partition: PartitionId) -> u64 {
        self.deleted.get(usize::from(partition.0)).copied().unwrap_or(0)
    }

    pub(super) fn records(&self, partition: PartitionId) -> &[Arc<Record>] {
        self.partitions.get(usize::from(partition.0)).map_or(&[], Vec::as_slice)
    }

    fn store(&mut self, record: Record, partitions: u16) -> Appended {
        let stream = record.append.stream.clone();
        let head = Head::after(&record.append, record.offset);
        let appended = Appended { offset: record.offset, sequence: record.last_sequence() };
        let record = Arc::new(record);
        if let Some(partition) = self.partitions.get_mut(usize::from(stream.partition(partitions).0)) {
            partition.push(Arc::clone(&record));
        }
        let stream = self.streams.entry(stream).or_insert_with(|| Stream { head, records: Vec::new() });
        stream.head = head;
        stream.records.push(record);
        appended
    }
}

/// The first `limit` records for which `is_after` holds; it is false, then true.
fn page(records: &[Arc<Record>], is_after: impl Fn(&Record) -> bool, limit: usize) -> Vec<Record> {
    let from = records.partition_point(|record| !is_after(record));
    records.iter().skip(from).take(limit).map(|record| Record::clone(record)).collect()
}

impl Journal for MemoryStore {
    fn hand_over(&self, append: Append, its_line: Option<Line>, done: AppendDone) {
        let done = cutting(its_line.as_ref(), done);
        let mut live = lock(&self.live);
        let refusal = if live.closed {
            Some(Refusal::Closed)
        } else if live.waiting.len() >= self.queue {
            Some(Refusal::Overloaded { retry_after: RETRY_AFTER })
        } else {
            None
        };
        if let Some(refusal) = refusal {
            drop(live);
            return done(Err(AppendError::Refused(refusal)));
        }
        let stream = append.stream.clone();
        let outcome = in_line(its_line.as_ref(), || self.decide(append, &mut live));
        live.waiting.push_back(Waiting { stream, outcome, done });
        drop(live);
        self.commit();
        self.tell();
    }

    fn partitions(&self) -> u16 {
        self.partitions
    }

    fn lease(&self, partition: PartitionId) -> Lease {
        Lease { partition, epoch: self.epoch() }
    }

    fn durable(&self, partition: PartitionId) -> u64 {
        lock(&self.durable).last(partition)
    }

    fn head(&self, stream: &StreamId) -> Option<StreamHead> {
        lock(&self.durable).streams.get(stream).map(|stream| stream.head.shown())
    }

    fn heads(&self, visit: &mut dyn FnMut(&StreamId, &StreamHead)) {
        let heads: Vec<_> = {
            let durable = lock(&self.durable);
            durable.streams.iter().map(|(id, stream)| (id.clone(), stream.head.shown())).collect()
        };
        for (stream, head) in &heads {
            visit(stream, head);
        }
    }

    fn read_stream(&self, stream: &StreamId, after: u64, limit: usize) -> Result<Vec<Record>, ReadError> {
        let durable = lock(&self.durable);
        let Some(stream) = durable.streams.get(stream) else { return Ok(Vec::new()) };
        let records = &stream.records;
        let deleted = records.first().map_or(stream.head.sequence, |record| record.append.expected);
        if after < deleted {
            return Err(ReadError::Deleted { first: deleted + 1 });
        }
        Ok(page(records, |record| record.last_sequence() > after, limit))
    }

    fn read_feed(&self, partition: PartitionId, after: u64, limit: usize) -> Result<Vec<Record>, ReadError> {
        let durable = lock(&self.durable);
        let deleted = durable.deleted_to(partition);
        if after < deleted {
            return Err(ReadError::Deleted { first: deleted + 1 });
        }
        Ok(page(durable.records(partition), |record| record.last_offset() > after, limit))
    }

    fn truncate(&self, what: Truncation<'_>, base: &mut BaseOf<'_>) -> Result<Truncated, TruncateError> {
        self.delete(what, base)
    }

    fn first(&self, partition: PartitionId) -> u64 {
        lock(&self.durable).deleted_to(partition) + 1
    }

    fn base(&self, stream: &StreamId) -> Result<Option<StoredSnapshot>, ReadError> {
        Ok(lock(&self.durable).bases.get(stream).cloned())
    }

    fn poisoned(&self) -> Option<Arc<str>> {
        lock(&self.live).poisoned.clone()
    }

    fn reopen(&self) -> Result<(), ReopenError> {
        let mut live = lock(&self.live);
        if live.closed {
            return Err(ReopenError::Closed);
        }
        if self.broken.load(Ordering::Acquire) {
            return Err(ReopenError::NotSupported);
        }
        if live.poisoned.is_none() {
            return Ok(());
        }
        let mut durable = lock(&self.durable);
        if durable.epoch != self.epoch() {
            return Err(ReopenError::Closed); // a newer opening of this memory has taken over
        }
        for record in live.unshown.drain(..) {
            durable.store(record, self.partitions);
        }
        durable.epoch += 1;
        self.epoch.store(durable.epoch, Ordering::Release);
        live.poisoned = None;
        Ok(())
    }

    fn close(&self) {
        lock(&self.live).closed = true;
        self.release();
    }
}
