//! Deletes history that is older than the configuration keeps, behind base records.
//!
//! Everything is done by one thread that blocks, now and then, and never by a mailbox: a base record is folded from
//! durable events, which nobody can change any more, so that no entity has to be woken or stopped for it.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures::future::{BoxFuture, FutureExt};

use super::{
    clock::Clock,
    consumer::{Consumer, Lane},
    dispatcher::Retry,
    kinds::KindHost,
    unit::UnitRuntime,
};
use crate::{
    actors::supervision::{Failure, Process, Running, Stop},
    persistence::{PartitionId, StoredSnapshot, StreamId, TruncateError, Truncated, Truncation},
};

/// How often it is seen what can be deleted. The journal reads a segment at most once to find out how old it is.
const LOOK_EVERY: Duration = Duration::from_mins(1);

/// How soon it is seen again once readers were asked to keep their cursors, and how often in a row.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
const SOON_AT_MOST: u32 = 3;

/// Base records made in a row; others then have the disk and the core for [`PAUSE`].
const IN_A_ROW: u64 = 64;

/// Some milliseconds are what so many base records take.
const PAUSE: Duration = Duration::from_millis(10);

/// Deletes what is older than `keep` and dealt with by everybody.
pub(crate) struct HistoryKeeper {
    pub(crate) unit: Arc<UnitRuntime>,
    /// Whoever keeps streams in the unit.
    pub(crate) hosts: Vec<Arc<dyn KindHost>>,
    /// Whoever reads its feed.
    pub(crate) readers: Vec<Arc<Consumer>>,
    /// Whoever has put deliveries aside, whose events are wanted once more.
    pub(crate) letters: Vec<Arc<dyn Retry>>,
    pub(crate) clock: Clock,
    pub(crate) keep: Duration,
}

impl Process for HistoryKeeper {
    fn start(&self, stop: Stop) -> BoxFuture<'static, Result<Running, Failure>> {
        let work = Arc::new(Work {
            unit: self.unit.clone(),
            hosts: self.hosts.iter().map(|host| (host.kind(), host.clone())).collect(),
            readers: self.readers.clone(),
            letters: self.letters.clone(),
            clock: self.clock.clone(),
            keep: self.keep,
        });
        async move { Ok(work.run(stop).boxed()) }.boxed()
    }
}

struct Work {
    unit: Arc<UnitRuntime>,
    hosts: HashMap<&'static str, Arc<dyn KindHost>>,
    readers: Vec<Arc<Consumer>>,
    letters: Vec<Arc<dyn Retry>>,
    clock: Clock,
    keep: Duration,
}

impl Work {
    async fn run(self: Arc<Self>, stop: Stop) -> Result<(), Failure> {
        let (mut pause, mut soon) = (LOOK_AGAIN, 0);
        loop {
            tokio::select! {
                () = stop.requested() => return Ok(()),
                () = tokio::time::sleep(pause) => pause = LOOK_EVERY,
            }
            let unit = self.unit.name.as_ref();
            let dealt_with = match self.dealt_with().await {
                Ok(dealt_with) => dealt_with,
                Err(why) => {
                    tracing::warn!(unit, why, "no history is deleted now: the dead letters cannot be read");
                    continue;
                }
            };
            let (work, asked) = (self.clone(), stop.clone());
            let done = tokio::task::spawn_blocking(move || work.truncate(&dealt_with, &asked)).await;
            match done.map_err(|panic| Failure::new(format!("history of {unit}: {panic}")))? {
                Ok(Truncated { pieces: 0, .. }) => {}
                Ok(Truncated { pieces, events, bases }) => {
                    tracing::info!(unit, pieces, events, bases, "history was deleted");
                }
                Err(_) if stop.is_requested() => {}
                Err(TruncateError::Behind { partition, needed, dealt_with }) => {
                    tracing::info!(unit, partition, needed, dealt_with, "history is kept for a reader that is behind");
                    self.ask_to_keep(partition, needed);
                    soon = (soon + 1) % (SOON_AT_MOST + 1);
                    pause = if soon > 0 { LOOK_AGAIN } else { LOOK_EVERY };
                }
                Err(error) => tracing::warn!(unit, %error, "no history is deleted now"),
            }
        }
    }

    /// Of each partition, what every reader has dealt with, also after a crash, and no dead letter goes back to. Who is
    /// refused does not count: it can read nothing of it anyway.
    async fn dealt_with(&self) -> Result<Vec<u64>, String> {
        let journal = &self.unit.journal;
        let kept = |partition: u16| self.lanes(partition).map(|(_, lane)| lane.kept()).min();
        let durable = |partition: u16| journal.durable(PartitionId(partition));
        let mut upto: Vec<u64> =
            (0..journal.partitions()).map(|partition| kept(partition).unwrap_or_else(|| durable(partition))).collect();
        for letters in &self.letters {
            for (place, _) in letters.letters().await? {
                if place.unit == *self.unit.name
                    && let Some(upto) = upto.get_mut(usize::from(place.partition))
                {
                    *upto = (*upto).min(place.id.offset.saturating_sub(1));
                }
            }
        }
        Ok(upto)
    }

    fn lanes(&self, partition: u16) -> impl Iterator<Item = (&Arc<Consumer>, &Lane)> {
        let own = move |lane: &&Lane| Arc::ptr_eq(&lane.unit, &self.unit) && lane.partition == partition;
        let readers = self.readers.iter().filter(|reader| reader.why_refused().is_none());
        readers.flat_map(move |reader| reader.lanes.iter().filter(own).map(move |lane| (reader, lane)))
    }

    /// A reader may be further than its kept cursor says: little that is none of its business is not kept at once.
    fn ask_to_keep(&self, partition: u16, needed: u64) {
        for (reader, _) in self.lanes(partition).filter(|(_, lane)| lane.kept() < needed) {
            reader.keep_soon();
        }
    }

    fn truncate(&self, dealt_with: &[u64], stop: &Stop) -> Result<Truncated, TruncateError> {
        let now = self.clock.now().as_millis();
        let before_millis = now.saturating_sub(u64::try_from(self.keep.as_millis()).unwrap_or(u64::MAX));
        let mut made = 0u64;
        self.unit.journal.truncate(Truncation { before_millis, dealt_with }, &mut |stream, _| {
            made += 1;
            if made.is_multiple_of(IN_A_ROW) {
                std::thread::park_timeout(PAUSE);
            }
            if stop.is_requested() {
                return Err("the system is stopping".to_owned());
            }
            self.base_record(stream)
        })
    }

    fn base_record(&self, stream: &StreamId) -> Result<StoredSnapshot, String> {
        let host = self.hosts.get(stream.kind.as_ref());
        host.ok_or_else(|| "its kind is of no service that runs here".to_owned())?.base_record(&stream.key)
    }
}
