//! Faults on purpose: the n-th operation of a storage fails, tears, is lost or is delayed. For tests, which loop over n
//! until a run meets no fault.
//!
//! | fault | append | snapshots saved | rows committed | anything read |
//! |---|---|---|---|---|
//! | fail | `Unknown`, nothing written | error, none saved | error, none written | error |
//! | tear | `Unknown`, nothing written | error, a part saved | not met | not met |
//! | lose | `Unknown`, and written | error, all saved | error, all written | not met |
//! | delay | waits until released, and all appends after it | not met | not met | not met |
//!
//! After an append that fails, tears or is lost the unit's journal refuses, as the contract says. An operation that a
//! fault cannot happen to is not counted.

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use bytes::Bytes;

use super::{
    Append, AppendDone, AppendError, BaseOf, Journal, JournalMetrics, Lease, Line, PartitionId, Projections, ReadError,
    Record, Refusal, RowChange, Snapshots, StoreError, StoredSnapshot, StreamHead, StreamId, TruncateError, Truncated,
    Truncation, Unit, ViewName, ViewProgress, line::cutting, sync::lock,
};

/// What happens to the n-th operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing of it is done.
    Fail,
    /// A part of it is done, as far as a part can be seen later.
    Tear,
    /// All of it is done, and told as not known.
    Lose,
    /// It is done once it is released.
    Delay,
}

/// What a fault happened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// An append.
    Append,
    /// Snapshots are saved.
    SaveSnapshots,
    /// Rows and cursors are committed, or a view is cleared.
    CommitRows,
    /// Records, snapshots or rows are read.
    Read,
}

/// One fault, waiting for its operation.
pub struct Faults {
    fault: Fault,
    nth: u64,
    met: AtomicU64,
    disarmed: AtomicBool,
    fired: OnceLock<Operation>,
    held: Mutex<Held>,
}

/// Appends that are delayed.
#[derive(Default)]
struct Held {
    holding: bool,
    appends: Vec<Box<dyn FnOnce() + Send>>,
}

impl Faults {
    /// `fault` for the `nth` operation that it can happen to, counted from 1 over all units.
    pub fn nth(nth: u64, fault: Fault) -> Arc<Self> {
        Arc::new(Self {
            fault,
            nth,
            met: AtomicU64::new(0),
            disarmed: AtomicBool::new(false),
            fired: OnceLock::new(),
            held: Mutex::default(),
        })
    }

    /// What the fault happened to; `None` while it did not.
    pub fn fired(&self) -> Option<Operation> {
        self.fired.get().copied()
    }

    /// Hands over what was delayed, in order, and delays no more.
    pub fn release(&self) {
        loop {
            let appends = {
                let mut held = lock(&self.held);
                if held.appends.is_empty() {
                    held.holding = false;
                    return;
                }
                std::mem::take(&mut held.appends)
            };
            for append in appends {
                append();
            }
        }
    }

    /// Nothing fails from now on; whether something did stays known.
    pub fn disarm(&self) {
        self.disarmed.store(true, Ordering::Release);
        self.release();
    }

    /// The fault, if this operation is the one that it happens to.
    fn meet(&self, operation: Operation) -> Option<Fault> {
        let can = match operation {
            Operation::Append => true,
            Operation::SaveSnapshots => self.fault != Fault::Delay,
            Operation::CommitRows => matches!(self.fault, Fault::Fail | Fault::Lose),
            Operation::Read => self.fault == Fault::Fail,
        };
        if !can || self.disarmed.load(Ordering::Acquire) || self.met.fetch_add(1, Ordering::Relaxed) + 1 != self.nth {
            return None;
        }
        self.fired.get_or_init(|| operation);
        Some(self.fault)
    }

    /// Keeps `append` while others are held, or from now on when `begin` says so. Gives it back when it is not held.
    fn hold<F: FnOnce() + Send + 'static>(&self, begin: bool, append: F) -> Option<F> {
        let mut held = lock(&self.held);
        held.holding |= begin;
        if !held.holding {
            return Some(append);
        }
        held.appends.push(Box::new(append));
        None
    }
}

impl std::fmt::Debug for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { fault, nth, .. } = self;
        f.debug_struct("Faults").field("fault", fault).field("nth", nth).field("fired", &self.fired()).finish()
    }
}

const WHY: &str = "a fault on purpose";

/// The unit, with faults in front of its ports.
pub(super) fn in_front_of(unit: &Unit, faults: &Arc<Faults>) -> Unit {
    Unit {
        journal: Arc::new(FaultyJournal {
            inner: Arc::clone(&unit.journal),
            faults: Arc::clone(faults),
            poisoned: Arc::default(),
        }),
        snapshots: Arc::new(Faulty { inner: Arc::clone(&unit.snapshots), faults: Arc::clone(faults) }),
        projections: Arc::new(Faulty { inner: Arc::clone(&unit.projections), faults: Arc::clone(faults) }),
        forgetful: unit.forgetful,
    }
}

pub(super) struct FaultyJournal {
    inner: Arc<dyn Journal>,
    faults: Arc<Faults>,
    poisoned: Arc<OnceLock<Arc<str>>>,
}

impl FaultyJournal {
    #[cfg(test)]
    pub(super) fn new(inner: Arc<dyn Journal>, faults: Arc<Faults>) -> Self {
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

/// Snapshots or projections.
struct Faulty<T: ?Sized> {
    inner: Arc<T>,
    faults: Arc<Faults>,
}

fn failed(doing: &'static str) -> StoreError {
    StoreError { doing, reason: WHY.to_owned() }
}

impl<T: ?Sized> Faulty<T> {
    fn read<R>(&self, doing: &'static str, read: impl FnOnce(&T) -> Result<R, StoreError>) -> Result<R, StoreError> {
        match self.faults.meet(Operation::Read) {
            None => read(&self.inner),
            Some(_) => Err(failed(doing)),
        }
    }

    fn write(&self, doing: &'static str, write: impl FnOnce(&T) -> Result<(), StoreError>) -> Result<(), StoreError> {
        match self.faults.meet(Operation::CommitRows) {
            None => write(&self.inner),
            Some(fault) => {
                if fault == Fault::Lose {
                    write(&self.inner)?;
                }
                Err(failed(doing))
            }
        }
    }
}

impl Snapshots for Faulty<dyn Snapshots> {
    fn save(&self, mut batch: Vec<(StreamId, StoredSnapshot)>) -> Result<(), StoreError> {
        let met = self.faults.meet(Operation::SaveSnapshots);
        match met {
            Some(Fault::Fail) => return Err(failed("saving snapshots")),
            Some(Fault::Tear) => batch.truncate(batch.len() / 2),
            Some(Fault::Lose | Fault::Delay) | None => {}
        }
        self.inner.save(batch)?;
        if met.is_some() { Err(failed("saving snapshots")) } else { Ok(()) }
    }

    fn load(&self, stream: &StreamId) -> Result<Vec<StoredSnapshot>, StoreError> {
        self.read("loading snapshots", |inner| inner.load(stream))
    }
}

impl Projections for Faulty<dyn Projections> {
    fn broken(&self) -> Option<Arc<str>> {
        self.inner.broken()
    }

    fn progress(&self, view: ViewName) -> Result<Option<ViewProgress>, StoreError> {
        self.read("reading progress", |inner| inner.progress(view))
    }

    fn commit(&self, view: ViewName, rows: Vec<RowChange>, progress: &ViewProgress) -> Result<(), StoreError> {
        self.write("committing rows", |inner| inner.commit(view, rows, progress))
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.write("syncing rows", Projections::sync)
    }

    fn get(&self, view: ViewName, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.read("reading a row", |inner| inner.get(view, key))
    }

    fn last(&self, view: ViewName) -> Result<Option<Vec<u8>>, StoreError> {
        self.read("looking for the last row", |inner| inner.last(view))
    }

    fn scan(
        &self,
        view: ViewName,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Bytes)>, StoreError> {
        self.read("reading rows", |inner| inner.scan(view, prefix, after, limit))
    }

    fn clear(&self, view: ViewName) -> Result<(), StoreError> {
        self.write("clearing rows", |inner| inner.clear(view))
    }

    fn generation(&self, view: ViewName) -> Result<u16, StoreError> {
        self.read("reading which rows are in use", |inner| inner.generation(view))
    }

    fn stage(&self, view: ViewName, rows: Vec<RowChange>) -> Result<(), StoreError> {
        self.write("writing rows beside those in use", |inner| inner.stage(view, rows))
    }

    fn switch(&self, view: ViewName) -> Result<(), StoreError> {
        self.write("switching to other rows", |inner| inner.switch(view))
    }

    fn clear_others(&self, view: ViewName) -> Result<bool, StoreError> {
        // A read as faults count it: nobody ever sees what it drops.
        self.read("clearing rows that are not in use", |inner| inner.clear_others(view))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::*;
    use crate::persistence::{Appended, MemoryStore, sample};

    fn faulty(fault: Fault, nth: u64) -> (Arc<MemoryStore>, FaultyJournal, Arc<Faults>) {
        let (memory, faults) = (Arc::new(MemoryStore::new(1)), Faults::nth(nth, fault));
        (Arc::clone(&memory), FaultyJournal::new(memory, Arc::clone(&faults)), faults)
    }

    fn append(journal: &dyn Journal, key: &str) -> Receiver<Result<Appended, AppendError>> {
        let (sender, receiver) = channel();
        let append = sample::append(&sample::stream(key), journal.lease(PartitionId(0)), 0, 1);
        journal.append(append, Box::new(move |outcome| sender.send(outcome).unwrap()));
        receiver
    }

    #[test]
    fn what_fails_or_tears_is_not_there_and_what_is_lost_is() {
        for (fault, there) in [(Fault::Fail, 1), (Fault::Tear, 1), (Fault::Lose, 2)] {
            let (memory, journal, faults) = faulty(fault, 2);
            append(&journal, "1").try_recv().unwrap().unwrap();
            assert_eq!(faults.fired(), None);
            assert!(matches!(append(&journal, "2").try_recv().unwrap(), Err(AppendError::Unknown(_))));
            assert_eq!(faults.fired(), Some(Operation::Append));
            let late = append(&journal, "3").try_recv().unwrap();
            assert!(matches!(late, Err(AppendError::Refused(Refusal::Poisoned(_)))));
            assert_eq!((memory.durable(PartitionId(0)), journal.poisoned().is_some()), (there, true));
        }
    }

    #[test]
    fn what_is_delayed_is_done_in_order_once_it_is_released() {
        let (memory, journal, faults) = faulty(Fault::Delay, 2);
        append(&journal, "1").try_recv().unwrap().unwrap();
        let held = [append(&journal, "2"), append(&journal, "3")];
        assert!(held.iter().all(|held| held.try_recv().is_err()));
        faults.release();
        let offsets = held.map(|held| held.try_recv().unwrap().unwrap().offset);
        assert_eq!((offsets, memory.durable(PartitionId(0))), ([2, 3], 3));
        append(&journal, "4").try_recv().unwrap().unwrap();
    }

    #[test]
    fn a_fault_of_tables_is_told_and_happens_once() {
        let unit = Unit::of_memory(&Arc::new(MemoryStore::new(1)));
        let snapshot = || (sample::stream("1"), StoredSnapshot { sequence: 1, shape: 1, bytes: Bytes::new() });
        let torn = in_front_of(&unit, &Faults::nth(1, Fault::Tear));
        torn.snapshots.save(vec![snapshot()]).unwrap_err();
        assert_eq!(torn.snapshots.load(&sample::stream("1")).unwrap(), []);
        torn.snapshots.save(vec![snapshot()]).unwrap();
        let view = ViewName { name: "orders", version: 1, generation: 0 };
        let lost = in_front_of(&unit, &Faults::nth(1, Fault::Lose));
        lost.projections.commit(view, Vec::new(), &ViewProgress::default()).unwrap_err();
        assert!(lost.projections.progress(view).unwrap().is_some());
        let failing = in_front_of(&unit, &Faults::nth(2, Fault::Fail));
        failing.journal.read_feed(PartitionId(0), 0, 1).unwrap();
        failing.journal.read_stream(&sample::stream("1"), 0, 1).unwrap_err();
        failing.projections.progress(view).unwrap();
    }
}
