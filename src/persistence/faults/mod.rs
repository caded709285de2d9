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

mod journal;
mod tables;

use std::sync::{
    Arc, Mutex, OnceLock,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

pub(super) use self::journal::FaultyJournal;
use self::tables::Faulty;
use super::{Unit, sync::lock};

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
        journal: Arc::new(FaultyJournal::new(Arc::clone(&unit.journal), Arc::clone(faults))),
        snapshots: Arc::new(Faulty::new(Arc::clone(&unit.snapshots), Arc::clone(faults))),
        projections: Arc::new(Faulty::new(Arc::clone(&unit.projections), Arc::clone(faults))),
        forgetful: unit.forgetful,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use bytes::Bytes;

    use super::*;
    use crate::persistence::{
        AppendError, Appended, Journal, MemoryStore, PartitionId, Refusal, StoredSnapshot, ViewName, ViewProgress,
        sample,
    };

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
