//! The feed: every durable event of a storage unit, per partition, in order and without a gap.
//!
//! Committed events go into one ring per partition, decoded once (they never left memory); whoever has
//! fallen behind the ring reads the journal. Nobody is shown an event before the journal's answer has come through here:
//! what is durable and not answered yet is not looked for on the disk, and nobody acts on it before its asker is told.

use std::{
    any::Any,
    collections::VecDeque,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::Notify;

use super::kinds::Kinds;
use crate::{
    maps::Map,
    persistence::{Journal, PartitionId, ReadError},
};

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
    partitions: Box<[Partition]>,
    /// Who wants to be woken by events of a kind.
    interested: RwLock<Map<Arc<str>, Vec<Arc<Notify>>>>,
}

/// One partition.
struct Partition {
    /// The newest events, dense.
    ring: Mutex<VecDeque<FeedItem>>,
    /// Position of the last event that readers are shown.
    head: AtomicU64,
}

/// A piece of a partition.
pub(crate) struct Batch {
    pub(crate) items: Vec<FeedItem>,
    /// Everything up to here has been seen with this batch.
    pub(crate) upto: u64,
}

impl Feed {
    pub(crate) fn new(unit: Arc<str>, journal: Arc<dyn Journal>) -> Self {
        let partition = |partition| {
            let head = AtomicU64::new(journal.durable(PartitionId(partition)));
            Partition { ring: Mutex::default(), head }
        };
        let partitions = (0..journal.partitions()).map(partition).collect();
        Self { unit, journal, partitions, interested: RwLock::default() }
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
        let partition = self.partition(partition);
        let (mut kind, mut head) = (None, 0);
        {
            let mut ring = partition.ring();
            for item in items {
                let follows = ring.back().is_none_or(|last| last.offset + 1 == item.offset);
                if !follows {
                    ring.clear(); // readers of what is missing go to the journal
                }
                if ring.len() >= RING {
                    ring.pop_front();
                }
                head = item.offset;
                kind.get_or_insert_with(|| item.kind.clone());
                ring.push_back(item);
            }
        }
        let Some(kind) = kind else { return };
        partition.head.fetch_max(head, Ordering::AcqRel);
        let interested = self.interested.read().unwrap_or_else(PoisonError::into_inner);
        for who in interested.get(&kind).into_iter().flatten() {
            who.notify_one();
        }
    }

    /// Shows everything durable: after a journal was opened again it may have events that were never published, since
    /// nobody knew what became of their appends.
    pub(crate) fn show_all(&self) {
        for (number, partition) in (0..).zip(&self.partitions) {
            partition.head.fetch_max(self.journal.durable(PartitionId(number)), Ordering::AcqRel);
        }
        let interested = self.interested.read().unwrap_or_else(PoisonError::into_inner);
        for who in interested.values().flatten() {
            who.notify_one();
        }
    }

    /// Position of the last event of `partition` that readers are shown.
    pub(crate) fn head(&self, partition: u16) -> u64 {
        self.partition(partition).head.load(Ordering::Acquire)
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
        let head = self.head(partition);
        if head <= after {
            return Ok(Batch { items: Vec::new(), upto: after });
        }
        let mut older = self.older(kinds, partition, after, limit.min(PAGE)).await?;
        older.items.retain(|item| item.offset <= head);
        older.upto = older.upto.min(head);
        Ok(older)
    }

    /// `None` when the ring does not reach back to `after`.
    fn newest(&self, partition: u16, after: u64, limit: usize) -> Option<Batch> {
        let ring = self.partition(partition).ring();
        let first = ring.front()?.offset;
        if after + 1 < first {
            return None;
        }
        let skip = usize::try_from(after + 1 - first).unwrap_or(usize::MAX);
        let items: Vec<_> = ring.iter().skip(skip).take(limit).cloned().collect();
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

    fn partition(&self, partition: u16) -> &Partition {
        self.partitions.get(usize::from(partition)).expect("as many as the journal has")
    }
}

impl Partition {
    fn ring(&self) -> MutexGuard<'_, VecDeque<FeedItem>> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
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
