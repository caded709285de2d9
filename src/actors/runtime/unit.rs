//! A storage unit as the runtime uses it.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::mpsc;

use super::{
    answers::Answers,
    faults::{FaultControl, Slow},
    feed::Feed,
    meters::SnapshotMeter,
    skips::Refusals,
};
use crate::persistence::{
    Append, AppendDone, Journal, Line, PartitionId, Projections, Snapshots, StoredSnapshot, StreamId, Unit,
};

/// Snapshots that wait to be saved. More are dropped: a snapshot is only a cache.
pub(crate) const SNAPSHOT_QUEUE: usize = 1024;

/// Ports and feed of one storage unit.
pub(crate) struct UnitRuntime {
    pub(crate) name: Arc<str>,
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) snapshots: Arc<dyn Snapshots>,
    pub(crate) projections: Arc<dyn Projections>,
    pub(crate) feed: Feed,
    /// Its positions begin anew with each process, while other units survive.
    pub(crate) forgetful: bool,
    /// The commands to its entities that operators have refused.
    pub(crate) refusals: Refusals,
    /// What is injected on purpose, here and elsewhere.
    pub(crate) faults: Arc<FaultControl>,
    /// The appends that wait on purpose.
    slow: Arc<Slow>,
    /// What became of its snapshots.
    pub(crate) snapshot_meter: SnapshotMeter,
    /// Brings what the journal says to those who wait for it.
    pub(crate) answers: Arc<Answers>,
    to_save: mpsc::Sender<(StreamId, StoredSnapshot)>,
    incarnations: AtomicU64,
}

/// Where the snapshot writer takes its work from.
pub(crate) type SnapshotQueue = mpsc::Receiver<(StreamId, StoredSnapshot)>;

impl UnitRuntime {
    /// Called within the tokio runtime that will run its entities.
    pub(crate) fn new(name: Arc<str>, unit: &Unit, faults: Arc<FaultControl>) -> (Arc<Self>, SnapshotQueue) {
        let (to_save, queue) = mpsc::channel(SNAPSHOT_QUEUE);
        let feed = Feed::new(name.clone(), unit.journal.clone());
        let (journal, snapshots, projections) =
            (unit.journal.clone(), unit.snapshots.clone(), unit.projections.clone());
        let incarnations = AtomicU64::new(1);
        let forgetful = unit.forgetful;
        let refusals = Refusals::default();
        let slow = Slow::new(name.clone(), journal.clone(), faults.clone());
        let unit = Self {
            name,
            journal,
            snapshots,
            projections,
            feed,
            forgetful,
            refusals,
            faults,
            slow,
            snapshot_meter: SnapshotMeter::default(),
            answers: Answers::new(),
            to_save,
            incarnations,
        };
        (Arc::new(unit), queue)
    }

    /// Hands an append over, unless a fault is injected here: as [`Journal::hand_over`], but that `done` cuts the line.
    pub(crate) fn hand_over(&self, append: Append, line: Option<Line>, done: AppendDone) {
        if !self.faults.any() {
            return self.journal.hand_over(append, line, done);
        }
        match self.faults.append(&self.name, &append.stream, &append.correlation) {
            Some(error) => done(Err(error)),
            None => self.slow.hand_over(append, line, done),
        }
    }

    /// Why the journal takes no more writes, be it on purpose; `None` while it is healthy.
    pub(crate) fn poisoned(&self) -> Option<Arc<str>> {
        let on_purpose = || self.faults.any().then(|| self.faults.poisoned(&self.name)).flatten();
        self.journal.poisoned().or_else(on_purpose)
    }

    /// The journal's epoch: raised each time it is opened, also again in place.
    pub(crate) fn epoch(&self) -> u64 {
        self.journal.lease(PartitionId(0)).epoch
    }

    /// A number for a new activation of an entity, greater than every earlier one of this epoch.
    pub(crate) fn next_incarnation(&self) -> u64 {
        self.incarnations.fetch_add(1, Ordering::Relaxed)
    }

    /// Has a snapshot saved some time soon, or never.
    pub(crate) fn save_later(&self, stream: StreamId, snapshot: StoredSnapshot) {
        if self.to_save.try_send((stream, snapshot)).is_err() {
            self.snapshot_meter.left_out.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(unit = self.name.as_ref(), "snapshot writer is busy; one snapshot is left out");
        }
    }
}

impl fmt::Debug for UnitRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnitRuntime").field("name", &self.name).finish_non_exhaustive()
    }
}
