//! The feed: every durable event of a storage unit, per partition, in order and without a gap.
//!
//! Committed events go into one ring per partition, decoded once (they never left memory); whoever has
//! fallen behind the ring reads the journal.

use std::{
    any::Any,
    collections::{HashMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use tokio::sync::Notify;

use super::kinds::Kinds;
use crate::persistence::{Journal, PartitionId, ReadError};

/// Events that a ring keeps per partition; some hundred bytes each, so a few MiB per storage unit.
const RING: usize = 1024;

/// Records read from the journal at once by a reader that has fallen behind.
const PAGE: usize = 256;

/// One durable event.
#[derive(Clone)]
pub(crate) struct FeedItem {
    pub(crate) kind: Arc<str>,
    pub(crate) offset: u64,
    pub(crate) public: bool,
    /// A `Recorded<E>` of this kind; `None` when this release cannot decode it.
    pub(crate) event: Option<Arc<dyn Any + Send + Sync>>,
}

/// The feed of one storage unit.
pub(crate) struct Feed {
    unit: Arc<str>,
    journal: Arc<dyn Journal>,
    rings: Box<[Mutex<Ring>]>,
    /// Who wants to be woken by events of a kind.
    interested: RwLock<HashMap<Arc<str>, Vec<Arc<Notify>>>>,
}

/// The newest events of one partition, dense.
#[derive(Default)]
struct Ring {
    items: VecDeque<FeedItem>,
}

/// A piece of a partition.
pub(crate) struct Batch {
    pub(crate) items: Vec<FeedItem>,
    /// Everything up to here has been seen with this batch.
    pub(crate) upto: u64,
}

impl Feed {
    pub(crate) fn new(unit: Arc<str>, journal: Arc<dyn Journal>) -> Self {
        let rings = (0..journal.partitions()).map(|_| Mutex::new(Ring::default())).collect();
        Self { unit, journal, rings, interested: RwLock::new(HashMap::new()) }
    }

    /// Has `who` woken by events of `kinds`.
    pub(crate) fn subscribe<'a>(&self, kinds: impl IntoIterator<Item = &'a str>, who: &Arc<Notify>) {
        let mut interested = self.interested.write().unwrap_or_else(PoisonError::into_inner);
        for kind in kinds {
            interested.entry(kind.into()).or_default().push(who.clone());
        }
    }

    /// Shows events that are durable; called in the order of their positions.
    pub(crate) fn publish(&self, partition: u16, items: impl Iterator<Item = FeedItem>) {
        let mut kind = None;
        {
            let mut ring = self.ring(partition);
            for item in items {
                let follows = ring.items.back().is_none_or(|last| last.offset + 1 == item.offset);
                if !follows {
                    ring.items.clear(); // readers of what is missing go to the journal
                }
                if ring.items.len() >= RING {
                    ring.items.pop_front();
                }
                kind.get_or_insert_with(|| item.kind.clone());
                ring.items.push_back(item);
            }
        }
        let Some(kind) = kind else { return };
        let interested = self.interested.read().unwrap_or_else(PoisonError::into_inner);
        for who in interested.get(&kind).into_iter().flatten() {
            who.notify_one();
        }
    }

    /// Has everybody look: the journal may show events that were never published, and whose appends nobody knew about.
    pub(crate) fn wake_all(&self) {
        let interested = self.interested.read().unwrap_or_else(PoisonError::into_inner);
        for who in interested.values().flatten() {
            who.notify_one();
        }
    }

    /// The next events of `partition` after `after`, at most `limit` records' worth.
    ///
    /// # Errors
    /// What the journal says; nothing is skipped.
    pub(crate) async fn read(
        &self,
        kinds: &Kinds,
        partition: u16,
        after: u64,
        limit: usize,
    ) -> Result<Batch, ReadError> {
        let seen = self.newest(partition, after, limit);
        if let Some(batch) = seen.filter(|batch| !batch.items.is_empty()) {
            return Ok(batch);
        }
        if self.journal.durable(PartitionId(partition)) <= after {
            return Ok(Batch { items: Vec::new(), upto: after });
        }
        self.older(kinds, partition, after, limit.min(PAGE)).await
    }

    /// `None` when the ring does not reach back to `after`.
    fn newest(&self, partition: u16, after: u64, limit: usize) -> Option<Batch> {
        let ring = self.ring(partition);
        let first = ring.items.front()?.offset;
        if after + 1 < first {
            return None;
        }
        let skip = usize::try_from(after + 1 - first).unwrap_or(usize::MAX);
        let items: Vec<_> = ring.items.iter().skip(skip).take(limit).cloned().collect();
        let upto = items.last().map_or(after, |last| last.offset);
        Some(Batch { items, upto })
    }

    async fn older(&self, kinds: &Kinds, partition: u16, after: u64, limit: usize) -> Result<Batch, ReadError> {
        let (journal, kinds, unit) = (self.journal.clone(), kinds.clone(), self.unit.clone());
        let read = move || page(journal.as_ref(), &unit, &kinds, partition, after, limit, |_| true);
        match tokio::task::spawn_blocking(read).await {
            Ok(batch) => batch,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// The next events of the `wanted` kinds in `partition` after `after`, from the journal and not from the ring. May
    /// block on the disk.
    ///
    /// # Errors
    /// What the journal says; nothing is skipped.
    pub(crate) fn page(
        &self,
        kinds: &Kinds,
        partition: u16,
        after: u64,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Batch, ReadError> {
        page(self.journal.as_ref(), &self.unit, kinds, partition, after, PAGE, wanted)
    }

    fn ring(&self, partition: u16) -> MutexGuard<'_, Ring> {
        let ring = self.rings.get(usize::from(partition)).expect("one ring per partition");
        ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn page(
    journal: &dyn Journal,
    unit: &Arc<str>,
    kinds: &Kinds,
    partition: u16,
    after: u64,
    limit: usize,
    wanted: impl Fn(&str) -> bool,
) -> Result<Batch, ReadError> {
    let records = journal.read_feed(PartitionId(partition), after, limit)?;
    let upto = records.last().map_or(after, crate::persistence::Record::last_offset);
    let decode = |record| match kinds.find(record_kind(record)).filter(|host| wanted(host.kind())) {
        Some(host) => host.decode(unit, record),
        None => Vec::new(), // of a system that is not served by this process, or not wanted
    };
    let items = records.iter().flat_map(decode).filter(|item| item.offset > after).collect();
    Ok(Batch { items, upto })
}

fn record_kind(record: &crate::persistence::Record) -> &str {
    &record.append.stream.kind
}

impl fmt::Debug for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Feed").field("unit", &self.unit).finish_non_exhaustive()
    }
}
