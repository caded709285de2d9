//! The figures of kinds, journals and dead letters, as whoever watches them wants them.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use super::super::{projector::ViewError, system::System, unit::UnitRuntime};
use crate::{
    measure::Histogram,
    persistence::{JournalMetrics, PartitionId},
};

/// One kind of entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KindFigures {
    /// Its system.
    pub system: &'static str,
    /// Its service.
    pub service: &'static str,
    /// Its name without the system: `order`.
    pub kind: &'static str,
    /// Its commands since the start.
    pub commands: CommandFigures,
    /// Messages that were refused since the start, because a mailbox or the service's budget was full.
    pub mailbox_refused: u64,
    /// Entities in memory.
    pub live: usize,
    /// Entities in quarantine.
    pub quarantined: usize,
    /// How long it took to bring entities back into memory, in microseconds.
    pub recoveries: Histogram,
}

/// The commands of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandFigures {
    /// How many ended how: `done`, `replayed` (an answer of before), `accepted`, `refused`, `not_done`, `unknown`,
    /// `abandoned` (the asker went away).
    pub outcomes: Vec<(&'static str, u64)>,
    /// How long they took, from being asked to being answered, in microseconds.
    pub seconds: Histogram,
}

/// The journal and the snapshots of one storage unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalFigures {
    /// The unit.
    pub unit: String,
    /// Whether it takes writes.
    pub writable: bool,
    /// Events that are durable, in all partitions together.
    pub durable: u64,
    /// Bytes of its files.
    pub disk_bytes: u64,
    /// What it counted; all zero for a journal that does not count.
    pub journal: JournalMetrics,
    /// What became of snapshots: `saved`, `failed`, `left_out` (too many waited to be saved).
    pub snapshots: [(&'static str, u64); 3],
}

/// The dead letters of one policy or connector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LetterCount {
    /// Its system.
    pub system: &'static str,
    /// Its service.
    pub service: &'static str,
    /// The policy or connector.
    pub policy: &'static str,
    /// Letters that wait for an operator.
    pub waiting: usize,
}

/// What became of the snapshots of a unit.
#[derive(Debug, Default)]
pub(crate) struct SnapshotMeter {
    pub(crate) saved: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) left_out: AtomicU64,
}

impl SnapshotMeter {
    fn figures(&self) -> [(&'static str, u64); 3] {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        [("saved", of(&self.saved)), ("failed", of(&self.failed)), ("left_out", of(&self.left_out))]
    }
}

fn journal(unit: &UnitRuntime) -> JournalFigures {
    JournalFigures {
        unit: unit.name.to_string(),
        writable: unit.poisoned().is_none(),
        durable: (0..unit.journal.partitions()).map(|partition| unit.journal.durable(PartitionId(partition))).sum(),
        disk_bytes: unit.journal.disk_bytes(),
        journal: unit.journal.metrics(),
        snapshots: unit.snapshot_meter.figures(),
    }
}

impl System {
    /// Every kind of entity of its services.
    pub fn kinds(&self) -> Vec<KindFigures> {
        let kinds = self.inner.hosts.iter().map(|host| {
            let (service, meter) = (host.service(), host.meter());
            KindFigures {
                system: service.system,
                service: service.name,
                kind: host.kind().split_once('.').map_or(host.kind(), |(_, short)| short),
                commands: CommandFigures { outcomes: meter.outcomes(), seconds: meter.seconds() },
                mailbox_refused: meter.refused.load(Ordering::Relaxed),
                live: host.live(),
                quarantined: host.in_quarantine_now(),
                recoveries: meter.recoveries.read(),
            }
        });
        kinds.collect()
    }

    /// The journal of every storage unit.
    ///
    /// # Cancel safety
    /// Reads only.
    pub async fn journals(&self) -> Vec<JournalFigures> {
        let units = self.inner.units.clone();
        let read = move || units.iter().map(|unit: &Arc<UnitRuntime>| journal(unit)).collect();
        match tokio::task::spawn_blocking(read).await {
            Ok(figures) => figures,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// How many dead letters each policy and connector has, also those that have none.
    ///
    /// # Errors
    /// [`ViewError::Unavailable`] while their progress cannot be read.
    ///
    /// # Cancel safety
    /// Reads only.
    pub async fn letter_counts(&self) -> Result<Vec<LetterCount>, ViewError> {
        let mut counts = Vec::new();
        for (policy, retry) in &self.inner.retries {
            let waiting = retry.letters().await.map_err(ViewError::Store)?.len();
            let of = self.inner.consumers.iter().find(|consumer| consumer.name == *policy);
            let (system, service) = of.map_or(("", ""), |consumer| (consumer.system, consumer.service));
            counts.push(LetterCount { system, service, policy, waiting });
        }
        Ok(counts)
    }
}
