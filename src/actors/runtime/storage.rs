//! The storage part of the tree: who notices that a journal takes no more writes and opens it again, and who saves
//! snapshots.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures::future::{BoxFuture, FutureExt};
use tokio::sync::Mutex;

use super::{
    builder::learn,
    consumer::{Consumer, Lane},
    kinds::KindHost,
    service::wake_open_streams,
    unit::{SnapshotQueue, UnitRuntime},
};
use crate::{
    actors::supervision::{Failure, Process, Running, Stop},
    persistence::MAX_SNAPSHOTS,
};

/// How often a journal's health is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How often it is seen what can be archived: a segment takes longer to fill under most loads.
const ARCHIVE_EVERY: Duration = Duration::from_mins(1);

/// Fails when the journal is poisoned; when it is started again, it opens the journal again in place. Whether that is
/// tried once more after it failed, its supervisor decides. Fails as well when the tables beside the journal take no more
/// writes. Those are opened again only with the process: no restart of a service would bring its views back.
pub(crate) struct JournalWatch {
    pub(crate) unit: Arc<UnitRuntime>,
    /// Whoever keeps streams in the unit.
    pub(crate) hosts: Vec<Arc<dyn KindHost>>,
    /// Whoever reads its feed, when what all of them have dealt with is to be archived.
    pub(crate) archived_behind: Option<Vec<Arc<Consumer>>>,
}

impl Process for JournalWatch {
    fn start(&self, stop: Stop) -> BoxFuture<'static, Result<Running, Failure>> {
        let (unit, hosts, readers) = (self.unit.clone(), self.hosts.clone(), self.archived_behind.clone());
        async move {
            if let Some(reason) = unit.poisoned() {
                reopen(&unit, &reason).await?;
                take_up(&unit, &hosts);
            }
            are_written(&unit)?;
            Ok(watch(unit, readers, stop).boxed())
        }
        .boxed()
    }
}

/// Whether the tables take writes.
fn are_written(unit: &UnitRuntime) -> Result<(), Failure> {
    let broken = unit.projections.broken();
    broken.map_or(Ok(()), |reason| Err(Failure::new(format!("tables {}: {reason}", unit.name))))
}

async fn reopen(unit: &Arc<UnitRuntime>, poisoned: &str) -> Result<(), Failure> {
    let journal = unit.journal.clone();
    let failure = |why: &dyn std::fmt::Display| Failure::new(format!("journal {}: {poisoned}; {why}", unit.name));
    match tokio::task::spawn_blocking(move || journal.reopen()).await {
        Ok(Ok(())) => {
            unit.faults.reopened(&unit.name);
            tracing::warn!(unit = unit.name.as_ref(), epoch = unit.epoch(), "the journal was opened again");
            Ok(())
        }
        Ok(Err(error)) => Err(failure(&error)),
        Err(panic) => Err(failure(&panic)),
    }
}

/// Goes on behind a reopening: an append of which nobody knew may be there. Its number is taken, its readers have to
/// look, and what it began is resumed. Entities in memory notice the new epoch and recover.
fn take_up(unit: &UnitRuntime, hosts: &[Arc<dyn KindHost>]) {
    learn(unit, hosts);
    unit.feed.show_all();
    let running = |host: &&Arc<dyn KindHost>| host.service().intake().is_ok();
    wake_open_streams(unit, &hosts.iter().filter(running).cloned().collect::<Vec<_>>());
}

async fn watch(unit: Arc<UnitRuntime>, readers: Option<Vec<Arc<Consumer>>>, stop: Stop) -> Result<(), Failure> {
    let mut look = tokio::time::interval(LOOK_EVERY);
    let mut archive = tokio::time::interval(ARCHIVE_EVERY);
    loop {
        tokio::select! {
            () = stop.requested() => return Ok(()),
            _ = look.tick() => {
                if let Some(reason) = unit.poisoned() {
                    return Err(Failure::new(format!("journal {}: {reason}", unit.name)));
                }
                are_written(&unit)?;
            }
            _ = archive.tick() => {
                if let Some(readers) = &readers {
                    archive_behind(&unit, readers).await?;
                }
            }
        }
    }
}

/// Archives what every reader has dealt with. One that has not begun has dealt with nothing.
async fn archive_behind(unit: &Arc<UnitRuntime>, readers: &[Arc<Consumer>]) -> Result<(), Failure> {
    let lanes = |partition: u16| {
        let own = move |lane: &&Lane| Arc::ptr_eq(&lane.unit, unit) && lane.partition == partition;
        readers.iter().flat_map(|reader| &reader.lanes).filter(own)
    };
    let dealt_with = |partition: u16| lanes(partition).map(Lane::cursor).min().unwrap_or(0);
    let below: Vec<u64> = (0..unit.journal.partitions()).map(dealt_with).collect();
    let journal = unit.journal.clone();
    match tokio::task::spawn_blocking(move || journal.archive(&below)).await {
        Ok(Ok(0)) => {}
        Ok(Ok(segments)) => tracing::info!(unit = unit.name.as_ref(), segments, "moved to the archive"),
        Ok(Err(error)) => tracing::warn!(unit = unit.name.as_ref(), %error, "nothing is archived now"),
        Err(panic) => return Err(Failure::new(format!("journal {}: {panic}", unit.name))),
    }
    Ok(())
}

/// Saves snapshots in batches, off everybody's way.
pub(crate) struct SnapshotWriter {
    unit: Arc<UnitRuntime>,
    /// Shared by the runs of this process; one of them at a time has it.
    queue: Arc<Mutex<SnapshotQueue>>,
}

impl SnapshotWriter {
    pub(crate) fn new(unit: Arc<UnitRuntime>, queue: SnapshotQueue) -> Self {
        Self { unit, queue: Arc::new(Mutex::new(queue)) }
    }
}

impl Process for SnapshotWriter {
    fn start(&self, stop: Stop) -> BoxFuture<'static, Result<Running, Failure>> {
        let (unit, queue) = (self.unit.clone(), self.queue.clone());
        async move { Ok(save_all(unit, queue, stop).boxed()) }.boxed()
    }
}

async fn save_all(unit: Arc<UnitRuntime>, queue: Arc<Mutex<SnapshotQueue>>, stop: Stop) -> Result<(), Failure> {
    let mut queue = queue.lock().await;
    loop {
        let mut batch = Vec::new();
        tokio::select! {
            biased;
            taken = queue.recv_many(&mut batch, MAX_SNAPSHOTS) => {
                if taken == 0 {
                    return Ok(());
                }
            }
            () = stop.requested() => return Ok(()),
        }
        let (snapshots, count, meter) = (unit.snapshots.clone(), batch.len() as u64, &unit.snapshot_meter);
        match tokio::task::spawn_blocking(move || snapshots.save(batch)).await {
            Ok(Ok(())) => drop(meter.saved.fetch_add(count, Ordering::Relaxed)),
            Ok(Err(error)) => {
                meter.failed.fetch_add(count, Ordering::Relaxed);
                tracing::warn!(unit = unit.name.as_ref(), %error, "snapshots not saved");
            }
            Err(error) => return Err(Failure::new(format!("snapshot writer: {error}"))),
        }
    }
}
