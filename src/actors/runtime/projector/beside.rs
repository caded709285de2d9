//! Rows that are built beside those in use: folded from the first event on, in threads that may block.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        mpsc::{SyncSender, sync_channel},
    },
    thread,
};

use tokio_util::sync::CancellationToken;

use super::{
    super::{
        consumer::{Consumer, Lane},
        feed::{Batch, FeedItem},
        kinds::Kinds,
        unit::UnitRuntime,
    },
    overlay::{Generation, Known, ViewRows, decode, encode},
    progress_of,
    rebuild::{Rebuild, RebuildState},
    view_name,
    views::{Piece, piece},
};
use crate::{
    actors::entity::{Sources, View, ViewKey},
    persistence::{MAX_ROWS, StoreError, ViewProgress},
};

/// Rows held in memory before they go to storage; some hundred bytes each, so about 100 MiB. Of all views, one at a
/// time is rebuilt.
const HELD: usize = if cfg!(test) { 64 } else { 1 << 18 };

/// Threads that read and decode the journal, each some partitions.
const READERS: usize = 4;

/// Pages of events that wait to be folded.
const PAGES: usize = 8;

/// So near to the rows in use, it may join them: what is missing is read while they wait.
const NEAR: u64 = 1024;

/// How often it runs after rows that move before it joins them all the same.
const PASSES: usize = 16;

/// Rows compared while no event moves any.
const COMPARED: usize = 512;

/// Rows that are being built.
pub(super) struct Beside<V: View> {
    /// The run that they belong to; see [`ViewRows::begin_run`].
    pub(super) run: u64,
    /// Those in use.
    pub(super) rows: Arc<ViewRows<V>>,
    pub(super) built: Arc<Generation<V>>,
    /// Where the rows live.
    pub(super) unit: Arc<UnitRuntime>,
    pub(super) consumer: Arc<Consumer>,
    pub(super) kinds: Kinds,
    pub(super) rebuild: Arc<Rebuild>,
    /// Per lane, everything up to here is in the rows.
    pub(super) applied: Vec<u64>,
    /// Nobody wants them any more.
    pub(super) cancelled: CancellationToken,
    sources: Sources<V>,
    /// Rows up to this key have been compared.
    compared: Option<Vec<u8>>,
}

impl<V: View> Beside<V> {
    pub(super) fn new(
        (run, rows): (u64, Arc<ViewRows<V>>),
        unit: Arc<UnitRuntime>,
        consumer: Arc<Consumer>,
        kinds: Kinds,
        rebuild: Arc<Rebuild>,
        cancelled: CancellationToken,
    ) -> Self {
        let generation = rows.used().name.generation.wrapping_add(1);
        let built = Arc::new(Generation::new(view_name::<V>(generation), 0, None));
        let applied = vec![0; consumer.lanes.len()];
        let (sources, compared) = (V::sources(), None);
        Self { run, rows, built, unit, consumer, kinds, rebuild, applied, cancelled, sources, compared }
    }

    /// Builds until the rows stand nearly for what those in use stand for.
    pub(super) fn build(mut self) -> Result<Self, StoreError> {
        let cursors: Vec<u64> = self.consumer.lanes.iter().map(Lane::cursor).collect();
        self.rebuild.begin(cursors.iter().sum());
        clear_others(self.run, &self.rows, &self.unit, &self.cancelled)?;
        // Progress first: by it they are found, and thrown away, should this end in the middle.
        self.commit(&ViewProgress::default())?;
        for _ in 0..PASSES {
            let cursors: Vec<u64> = self.consumer.lanes.iter().map(Lane::cursor).collect();
            let behind: u64 = cursors.iter().zip(&self.applied).map(|(cursor, applied)| cursor - applied).sum();
            self.up_to(&cursors)?;
            self.spill()?;
            if behind <= NEAR {
                break;
            }
        }
        self.rebuild.note(|status| status.state = RebuildState::Comparing);
        Ok(self)
    }

    /// Folds every event up to these positions, one per lane.
    pub(super) fn up_to(&mut self, positions: &[u64]) -> Result<(), StoreError> {
        let (consumer, kinds) = (self.consumer.clone(), self.kinds.clone());
        let behind = consumer.lanes.iter().zip(self.applied.clone()).zip(positions).enumerate();
        let behind: Vec<Reading<'_>> = behind
            .filter(|(_, ((_, after), upto))| after < *upto)
            .map(|(index, ((lane, after), upto))| Reading { index, lane, after, upto: *upto })
            .collect();
        let followed: Vec<&'static str> = self.sources.kinds().collect();
        read(&behind, &kinds, &followed, &mut |index, items, upto| self.fold(index, items, upto))
    }

    /// Folds the events of a lane up to `upto`.
    pub(super) fn fold(&mut self, index: usize, items: &[FeedItem], upto: u64) -> Result<(), StoreError> {
        self.check()?;
        for item in items.iter().filter(|item| item.offset <= upto) {
            let Some(source) = self.sources.get(&item.kind) else { continue };
            let event = item.event.as_deref().ok_or_else(|| undecodable(item))?;
            let Some(key) = source.key(event) else { continue };
            let key = key.to_bytes();
            if !self.built.knows(&key) {
                let row = self.unit.projections.get(self.built.name, &key)?;
                self.built.load(key.clone(), row.as_deref())?;
            }
            self.built.change(key, |row| source.apply(row, event));
        }
        if let Some(applied) = self.applied.get_mut(index) {
            let passed = upto - *applied;
            *applied = upto;
            self.rebuild.note(|status| status.events += passed);
        }
        if self.built.held() >= HELD { self.spill() } else { Ok(()) }
    }

    /// Writes all rows that have changed, and keeps none in memory.
    fn spill(&mut self) -> Result<(), StoreError> {
        let mut changes = self.built.take_changes().into_iter();
        loop {
            let rows = encode(changes.by_ref().take(MAX_ROWS))?;
            if rows.is_empty() {
                break;
            }
            self.check()?;
            self.rows.during(self.run, || self.unit.projections.stage(self.built.name, rows))?;
        }
        self.built.drop_stored();
        Ok(())
    }

    fn commit(&self, progress: &ViewProgress) -> Result<(), StoreError> {
        self.rows.during(self.run, || self.unit.projections.commit(self.built.name, Vec::new(), progress))
    }

    /// Compares some rows with those in use, which must stand for the same events; whether these were the last.
    pub(super) fn compare(&mut self) -> Result<bool, StoreError> {
        self.check()?;
        let (used, projections) = (self.rows.used(), self.unit.projections.as_ref());
        let after = self.compared.as_deref();
        let built = piece(&self.built, projections, &[], after, COMPARED)?;
        let (mut expected, mut end) = (present(built.rows), built.end);
        let found = match piece(&used, projections, &[], after, COMPARED) {
            Ok(Piece { rows, end: found_end }) => {
                end = match (end, found_end) {
                    (Some(a), Some(b)) => Some(a.min(b)),
                    (one, other) => one.or(other),
                };
                present(rows).into_iter().map(|(key, row)| (key, Ok(row))).collect()
            }
            // One of them cannot be read: row by row, then, as far as they should be there.
            Err(_) => {
                expected.keys().filter_map(|key| Some((key.clone(), self.single(&used, key).transpose()?))).collect()
            }
        };
        let mut found: BTreeMap<Vec<u8>, Result<V, StoreError>> = found;
        if let Some(end) = &end {
            expected.retain(|key, _| key <= end);
            found.retain(|key, _| key <= end);
        }
        self.rebuild.note(|status| {
            status.rows += expected.len() as u64;
            for (key, row) in &expected {
                let shown = || shown::<V>(key);
                match found.remove(key) {
                    None => status.differs(|status| &mut status.missing, shown),
                    Some(Err(_)) => status.differs(|status| &mut status.unreadable, shown),
                    Some(Ok(other)) if !is_same(row, &other) => status.differs(|status| &mut status.changed, shown),
                    Some(Ok(_)) => {}
                }
            }
            for key in found.keys() {
                status.differs(|status| &mut status.superfluous, || shown::<V>(key));
            }
        });
        let is_last = end.is_none();
        self.compared = end;
        Ok(is_last)
    }

    fn single(&self, used: &Generation<V>, key: &[u8]) -> Result<Option<V>, StoreError> {
        match used.get(key) {
            Known::Row(row) => Ok(Some(row)),
            Known::Absent => Ok(None),
            Known::Elsewhere => self.unit.projections.get(used.name, key)?.map(|bytes| decode(&bytes)).transpose(),
        }
    }

    /// Puts the rows into use: in storage first, then for readers.
    pub(super) fn switch(mut self) -> Result<Self, StoreError> {
        self.spill()?;
        self.commit(&progress_of(&self.consumer, &self.applied, self.built.listed()))?;
        self.rows.during(self.run, || {
            self.unit.projections.switch(self.built.name)?;
            self.rows.switch(self.built.clone());
            Ok(())
        })?;
        Ok(self)
    }

    fn check(&self) -> Result<(), StoreError> {
        check(&self.cancelled)
    }
}

/// A lane that is read.
struct Reading<'a> {
    index: usize,
    lane: &'a Lane,
    after: u64,
    upto: u64,
}

/// Takes the events of a lane, up to a position.
type Fold<'a> = dyn FnMut(usize, &[FeedItem], u64) -> Result<(), StoreError> + 'a;

/// A lane, how far it is to be folded, and what was read.
type Page = Result<(usize, u64, Batch), StoreError>;

impl Reading<'_> {
    /// Sends page after page; false when nobody takes them any more.
    fn all(&self, kinds: &Kinds, followed: &[&'static str], pages: &SyncSender<Page>) -> bool {
        let mut after = self.after;
        while after < self.upto {
            let wanted = |kind: &str| followed.contains(&kind);
            let read = self.lane.unit.feed.page(kinds, self.lane.partition, after, wanted);
            let page = match read {
                Ok(batch) if batch.upto > after => {
                    after = batch.upto;
                    Ok((self.index, self.upto, batch))
                }
                Ok(_) => Err(StoreError { doing: "reading events", reason: format!("none follows position {after}") }),
                Err(error) => Err(StoreError { doing: "reading events", reason: error.to_string() }),
            };
            let failed = page.is_err();
            if pages.send(page).is_err() || failed {
                return false;
            }
        }
        true
    }
}

/// Folds events lane by lane, read and decoded by threads of their own.
fn read(
    behind: &[Reading<'_>],
    kinds: &Kinds,
    followed: &[&'static str],
    fold: &mut Fold<'_>,
) -> Result<(), StoreError> {
    let readers = thread::available_parallelism().map_or(1, usize::from).min(READERS).min(behind.len());
    let (pages, folding) = sync_channel(PAGES);
    thread::scope(|scope| {
        for reader in 0..readers {
            let pages = pages.clone();
            scope.spawn(move || {
                let mut own = behind.iter().skip(reader).step_by(readers);
                // Whoever folds has given up when there is nobody to send to.
                own.all(|reading| reading.all(kinds, followed, &pages))
            });
        }
        drop(pages);
        // Leaving early drops the receiving end, which ends the readers.
        for page in folding {
            let (index, upto, batch) = page?;
            fold(index, &batch.items, batch.upto.min(upto))?;
        }
        Ok(())
    })
}

/// Throws away what is stored beside the rows in use.
pub(super) fn clear_others<V: View>(
    run: u64,
    rows: &ViewRows<V>,
    unit: &UnitRuntime,
    cancelled: &CancellationToken,
) -> Result<(), StoreError> {
    while rows.during(run, || unit.projections.clear_others(view_name::<V>(0)))? {
        check(cancelled)?;
    }
    Ok(())
}

fn check(cancelled: &CancellationToken) -> Result<(), StoreError> {
    if cancelled.is_cancelled() { Err(stopped()) } else { Ok(()) }
}

pub(super) fn stopped() -> StoreError {
    StoreError { doing: "building rows", reason: "the view stops".to_owned() }
}

/// Rows without it would stand for less than their cursors say.
fn undecodable(item: &FeedItem) -> StoreError {
    let (kind, offset) = (&item.kind, item.offset);
    StoreError { doing: "reading events", reason: format!("this release cannot decode that of {kind} at {offset}") }
}

fn present<V>(rows: BTreeMap<Vec<u8>, Option<V>>) -> BTreeMap<Vec<u8>, V> {
    rows.into_iter().filter_map(|(key, row)| Some((key, row?))).collect()
}

/// A row's key for people to read.
fn shown<V: View>(key: &[u8]) -> String {
    V::Key::from_bytes(key).map_or_else(|| format!("{key:?}"), |key| format!("{key:?}"))
}

/// Whether two rows are stored alike, whatever the order of a map in them.
fn is_same<V: View>(one: &V, other: &V) -> bool {
    let bytes = |row: &V| serde_json::to_vec(row).ok();
    let value = |row: &V| serde_json::to_value(row).ok();
    bytes(one) == bytes(other) || value(one) == value(other)
}
