//! A view at work: events move rows in memory, where readers see them at once; rows and cursors go to
//! storage together, behind.

mod behind;
mod beside;
mod overlay;
mod rebuild;
mod steps;
mod views;

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures::{
    future::{BoxFuture, FutureExt},
    stream::{FuturesUnordered, StreamExt},
};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use self::{
    behind::{Committed, Sealed},
    beside::Beside,
    overlay::Generation,
};
pub(crate) use self::{overlay::ViewRows, rebuild::Rebuild};
pub use self::{
    rebuild::{RebuildError, RebuildState, RebuildStatus},
    views::{ViewError, Views},
};
use super::{
    consumer::{Consumer, ConsumerState},
    feed::{Batch, FeedItem},
    kinds::Kinds,
    off_thread::off_thread,
    unit::UnitRuntime,
};
use crate::{
    actors::{
        entity::{Sources, View, ViewKey},
        supervision::{Failure, Process, Running, Stop},
    },
    maps::Set,
    persistence::{Cursor, MAX_ROWS, PartitionId, StoreError, ViewName, ViewProgress},
};

/// How long changed rows wait for more before they go to storage: the more there are, the more neighbours are written with
/// each. Readers do not wait for it.
const COALESCE: Duration = Duration::from_secs(1);

/// Records read at once from one partition.
const BATCH: usize = 256;

/// Events skipped before the cursors go to storage although no row changed.
const SKIPPED: u64 = 4096;

/// Pause after storage could not be read or written.
const RETRY: Duration = Duration::from_millis(200);

/// The process behind one view.
pub(crate) struct Projector<V: View> {
    pub(crate) rows: Arc<ViewRows<V>>,
    /// Where the rows live.
    pub(crate) unit: Arc<UnitRuntime>,
    pub(crate) consumer: Arc<Consumer>,
    pub(crate) kinds: Kinds,
    pub(crate) rebuild: Arc<Rebuild>,
}

/// Work on other threads, at most one at a time.
type Working<T> = FuturesUnordered<BoxFuture<'static, Result<T, StoreError>>>;

struct Projecting<V: View> {
    /// This run's number; see [`ViewRows::begin_run`].
    run: u64,
    rows: Arc<ViewRows<V>>,
    /// Those in use.
    used: Arc<Generation<V>>,
    unit: Arc<UnitRuntime>,
    consumer: Arc<Consumer>,
    kinds: Kinds,
    sources: Sources<V>,
    /// Per lane, everything up to here is in the rows.
    applied: Vec<u64>,
    /// Per lane, the cursor in storage.
    stored: Vec<u64>,
    /// Rows that wait for the commit under way, each piece with its cursors.
    sealed: Vec<Sealed<V>>,
    /// The commit or sync under way.
    commit: Working<Committed>,
    commit_at: Option<Instant>,
    /// When what is in storage is to be synced; `None` when it is.
    sync_at: Option<Instant>,
    /// The lane that is read first the next time: the first that there was no more room for.
    first: usize,
    rebuild: Arc<Rebuild>,
    /// Rows that are being built, and not yet moved together with those in use.
    building: Working<Beside<V>>,
    /// Rows that are built: what moves those in use moves them too, until all are compared.
    beside: Option<Beside<V>>,
    /// Rows that are not in use any more are being thrown away.
    clearing: Working<()>,
    /// Ends what works on other threads, at the latest when this is dropped.
    cancelled: DropGuard,
}

pub(crate) const fn view_name<V: View>(generation: u16) -> ViewName {
    const { assert!(V::VERSION <= 0xffff, "a view has at most 65 535 versions") };
    #[expect(clippy::cast_possible_truncation, reason = "asserted above")]
    let version = V::VERSION as u16;
    ViewName { name: V::NAME, version, generation }
}

impl<V: View> Process for Projector<V> {
    fn start(&self, stop: Stop) -> BoxFuture<'static, Result<Running, Failure>> {
        let (rows, unit, consumer, kinds) =
            (self.rows.clone(), self.unit.clone(), self.consumer.clone(), self.kinds.clone());
        let rebuild = self.rebuild.clone();
        async move {
            rebuild.interrupted();
            let (projections, own) = (unit.projections.clone(), rows.clone());
            let begun = blocking(move || {
                let run = own.begin_run();
                let used = view_name::<V>(projections.generation(view_name::<V>(0))?);
                let progress = projections.progress(used)?;
                // An earlier run may have written it and not come to sync it.
                projections.sync()?;
                Ok((run, used, progress, projections.last(used)?))
            });
            let (run, used, progress, last) = begun.await.map_err(|error| Failure::new(error.to_string()))?;
            let known = progress.filter(|progress| is_of_these_journals(progress, &consumer));
            let (used, progress, last) = if let Some(progress) = known {
                (used, progress, last)
            } else if consumer.begin(&vec![0; consumer.lanes.len()]).is_err() {
                // Rows of another version stay for the release that has them.
                rows.switch(Arc::new(Generation::unknown()));
                return Ok(refused(consumer, stop).boxed());
            } else {
                let projections = unit.projections.clone();
                let cleared = blocking(move || projections.clear(used)).await;
                cleared.map_err(|error| Failure::new(error.to_string()))?;
                tracing::info!(view = V::NAME, version = V::VERSION, "rows are built from the beginning");
                (view_name::<V>(0), ViewProgress::default(), None)
            };
            let used = Arc::new(Generation::new(used, progress.listed, last));
            rows.switch(used.clone());
            let cursor_of = |unit: &str, partition: u16| {
                let mut known = progress.cursors.iter();
                let cursor = known.find(|cursor| cursor.unit.as_ref() == unit && cursor.partition.0 == partition);
                cursor.map_or(0, |cursor| cursor.offset)
            };
            let cursors: Vec<u64> =
                consumer.lanes.iter().map(|lane| cursor_of(&lane.unit.name, lane.partition)).collect();
            for (index, cursor) in cursors.iter().enumerate() {
                consumer.set_cursor(index, *cursor);
                consumer.set_kept(index, *cursor);
            }
            if consumer.begin(&cursors).is_err() {
                return Ok(refused(consumer, stop).boxed());
            }
            let mut projecting = Projecting {
                run,
                rows,
                used,
                unit,
                consumer,
                kinds,
                sources: V::sources(),
                applied: cursors.clone(),
                stored: cursors,
                sealed: Vec::new(),
                commit: FuturesUnordered::new(),
                commit_at: None,
                sync_at: None,
                first: 0,
                rebuild,
                building: FuturesUnordered::new(),
                beside: None,
                clearing: FuturesUnordered::new(),
                cancelled: CancellationToken::new().drop_guard(),
            };
            // What a rebuild left that ended in the middle.
            projecting.clear_others();
            Ok(projecting.run(stop).boxed())
        }
        .boxed()
    }
}

/// A view that cannot be brought up to date waits for a stop.
async fn refused(consumer: Arc<Consumer>, stop: Stop) -> Result<(), Failure> {
    stop.requested().await;
    consumer.set_state(ConsumerState::Stopped);
    Ok(())
}

/// Whether the journals have every event that the stored rows know of. Rows of a unit that is not open now
/// would stay without their cursor, and its events would be applied again when it comes back.
fn is_of_these_journals(progress: &ViewProgress, consumer: &Consumer) -> bool {
    progress.cursors.iter().filter(|cursor| cursor.offset > 0).all(|cursor| {
        let mut lanes = consumer.lanes.iter();
        let lane = lanes.find(|lane| lane.unit.name == cursor.unit && lane.partition == cursor.partition.0);
        lane.is_some_and(|lane| cursor.offset <= lane.head())
    })
}

impl<V: View> Projecting<V> {
    async fn run(mut self, stop: Stop) -> Result<(), Failure> {
        self.consumer.set_state(ConsumerState::Running);
        let consumer = self.consumer.clone();
        let ended = loop {
            let mut more = match self.read().await {
                Ok(more) => more,
                Err(reason) => break Err(Failure::new(reason)),
            };
            consumer.tell();
            match self.rebuild().await {
                Ok(goes_on) => more |= goes_on,
                Err(error) => break Err(Failure::new(error.to_string())),
            }
            let store_at = self.commit_at.into_iter().chain(self.sync_at).min();
            tokio::select! {
                biased;
                () = stop.requested() => break Ok(()),
                Some(committed) = self.commit.next() => {
                    if let Err(error) = self.committed(committed).await {
                        break Err(Failure::new(error.to_string()));
                    }
                }
                () = tokio::time::sleep_until(store_at.unwrap_or_else(Instant::now)),
                    if store_at.is_some() && self.commit.is_empty() => self.begin_commit(),
                Some(built) = self.building.next() => self.built(built).await,
                Some(cleared) = self.clearing.next() => {
                    if let Err(error) = cleared {
                        tracing::warn!(view = V::NAME, %error, "rows that are not in use are left until the next start");
                    }
                }
                () = std::future::ready(()), if more => {}
                () = consumer.wake.notified() => {}
            }
        };
        consumer.busy.store(0, Ordering::Release);
        consumer.set_state(ConsumerState::Stopped);
        self.end_rebuild().await;
        match ended {
            Ok(()) => self.finish().await,
            Err(failure) => {
                tracing::warn!(view = V::NAME, %failure, "view failed; it goes on from its stored rows");
                tokio::time::sleep(RETRY).await;
                Err(failure)
            }
        }
    }

    /// Applies a piece of every partition; says whether there may be more. The rows of a few may fill a commit: the next
    /// pass goes on behind them, or those that come last would never be read.
    async fn read(&mut self) -> Result<bool, String> {
        let mut more = false;
        let (first, lanes) = (self.first, self.consumer.lanes.len());
        let order = (0..lanes).map(|turn| (first + turn) % lanes);
        let mut order: VecDeque<usize> = order.filter(|index| self.has_news(*index)).collect();
        while !order.is_empty() && self.has_room() {
            let mut pieces = self.pieces(&mut order).await?.into_iter();
            self.bring_rows(pieces.as_slice()).await.map_err(|error| error.to_string())?;
            while self.has_room()
                && let Some((index, batch)) = pieces.next()
            {
                more |= self.take(index, batch).await.map_err(|error| error.to_string())?;
            }
            pieces.rev().for_each(|(index, _)| order.push_front(index));
        }
        if let Some(next) = order.front() {
            self.first = *next;
            more = false; // the commit that is asked for below makes room, and then we are here again
        }
        let skipped = self.applied.iter().zip(&self.stored).any(|(applied, stored)| applied - stored >= SKIPPED);
        let keep = self.consumer.is_to_keep();
        let soon = Instant::now() + COALESCE;
        if self.commit_at.is_none() && (self.used.dirty() > 0 || skipped || keep && self.applied != self.stored) {
            self.commit_at = Some(soon);
        }
        if keep && (self.applied != self.stored || self.sync_at.is_some()) {
            self.sync_at = Some(soon);
        }
        if !self.sealed.is_empty() || self.used.dirty() >= MAX_ROWS {
            self.commit_at = Some(Instant::now());
        }
        Ok(more)
    }

    fn has_news(&self, index: usize) -> bool {
        let lane = self.consumer.lanes.get(index).zip(self.applied.get(index));
        lane.is_some_and(|(lane, applied)| lane.head() > *applied && lane.why_held().is_none())
    }

    /// Applies what was read of a partition, as far as there is room for the rows that change; whether there was any.
    async fn take(&mut self, index: usize, batch: Batch) -> Result<bool, StoreError> {
        let moves = self.applied.get(index).is_some_and(|applied| batch.upto > *applied);
        let mut upto = batch.upto;
        for item in &batch.items {
            // Should the rows so far be sealed here: their cursor goes with them.
            self.advance(index, item.offset - 1);
            if !self.has_room() {
                upto = item.offset - 1;
                break;
            }
            if item.event.is_none() {
                self.consumer.hold(index, item);
                upto = item.offset - 1;
                break;
            }
            self.apply(item);
        }
        self.advance(index, upto);
        if let Some(beside) = self.beside.take() {
            self.beside = self.move_too(beside, index, batch.items, upto).await;
        }
        Ok(moves)
    }

    fn apply(&self, item: &FeedItem) {
        let (Some(source), Some(event)) = (self.sources.get(&item.kind), item.event.as_deref()) else { return };
        if let Some(key) = source.key(event) {
            self.used.change(key.to_bytes(), |row| source.apply(row, event));
        }
    }

    fn advance(&mut self, index: usize, upto: u64) {
        if let Some(applied) = self.applied.get_mut(index) {
            *applied = upto;
        }
        self.consumer.set_cursor(index, upto);
    }

    /// What comes next in some partitions, taken from `order`: in as many as it takes for a batch of events.
    async fn pieces(&mut self, order: &mut VecDeque<usize>) -> Result<Vec<(usize, Batch)>, String> {
        let (mut pieces, mut count) = (Vec::new(), 0);
        while count < BATCH
            && let Some(index) = order.pop_front()
        {
            let Some((lane, after)) = self.consumer.lanes.get(index).zip(self.applied.get(index)) else { continue };
            let batch = lane.read(&self.kinds, &self.consumer.followed, *after, BATCH).await;
            let batch = batch.map_err(|error| error.to_string())?;
            count += batch.items.len();
            pieces.push((index, batch));
        }
        Ok(pieces)
    }

    /// Brings the rows that these events are about into memory: all in one go, since each is a journey to another thread.
    async fn bring_rows(&mut self, pieces: &[(usize, Batch)]) -> Result<(), StoreError> {
        let keys = pieces.iter().flat_map(|(_, batch)| &batch.items).filter_map(|item| {
            let key = self.sources.get(&item.kind)?.key(item.event.as_deref()?)?;
            Some(key.to_bytes())
        });
        let missing: Set<Vec<u8>> = keys.filter(|key| !self.used.knows(key)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let (run, rows, used) = (self.run, self.rows.clone(), self.used.clone());
        let projections = self.unit.projections.clone();
        let load = move || {
            rows.during(run, || {
                for key in missing {
                    let row = projections.get(used.name, &key)?;
                    used.load(key, row.as_deref())?;
                }
                Ok(())
            })
        };
        blocking(load).await
    }
}

/// What is stored with rows that stand for everything up to these positions, one per lane.
fn progress_of(consumer: &Consumer, positions: &[u64], listed: u64) -> ViewProgress {
    let cursors = consumer.lanes.iter().zip(positions).map(|(lane, offset)| {
        let (unit, partition) = (lane.unit.name.clone(), PartitionId(lane.partition));
        Cursor { unit, partition, offset: *offset }
    });
    ViewProgress { cursors: cursors.collect(), listed }
}

/// Runs something that may block on the disk off the async threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    match off_thread(work).await {
        Ok(done) => done,
        Err(error) => Err(StoreError { doing: "off-thread work", reason: error.to_string() }),
    }
}
