//! The feed: every durable event of a storage unit, per partition, in order and without a gap.
//!
//! Committed events go into one ring per partition, decoded once (they never left memory); whoever has
//! fallen behind the ring reads the journal. Nobody is shown an event before the journal's answer has come through here:
//! what is durable and not answered yet is not looked for on the disk, and nobody acts on it before its asker is told.
//! Nor does anybody read what is none of his business: where nothing of the kinds that he follows has come, he is at the
//! head at once.

use std::{
    any::Any,
    collections::VecDeque,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::{Notify, futures::Notified};

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
    /// Wakes those who wait for whatever comes next.
    published: Notify,
}

/// Whose events somebody follows.
#[derive(Clone, Debug)]
pub(crate) enum Followed {
    All,
    Of(Arc<[&'static str]>),
}

/// One partition.
struct Partition {
    newest: Mutex<Newest>,
    /// Position of the last event that readers are shown.
    head: AtomicU64,
}

/// What is known of a partition's newest events.
struct Newest {
    /// The events themselves, dense.
    ring: VecDeque<FeedItem>,
    /// Of each kind, the position of the last one; a handful.
    last: Vec<(Arc<str>, u64)>,
    /// Of what is up to here, nothing is known about the kinds.
    known_from: u64,
    /// The greatest position that was published or is covered by `known_from`.
    upto: u64,
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
            let head = journal.durable(PartitionId(partition));
            let newest = Newest { ring: VecDeque::new(), last: Vec::new(), known_from: head, upto: head };
            Partition { newest: Mutex::new(newest), head: AtomicU64::new(head) }
        };
        let partitions = (0..journal.partitions()).map(partition).collect();
        Self { unit, journal, partitions, interested: RwLock::default(), published: Notify::new() }
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
            let mut newest = partition.newest();
            for item in items {
                head = item.offset;
                kind.get_or_insert_with(|| item.kind.clone());
                newest.push(item);
            }
        }
        let Some(kind) = kind else { return };
        partition.head.fetch_max(head, Ordering::AcqRel);
        let interested = self.interested.read().unwrap_or_else(PoisonError::into_inner);
        for who in interested.get(&kind).into_iter().flatten() {
            who.notify_one();
        }
        self.published.notify_waiters();
    }

    /// Shows everything durable: after a journal was opened again it may have events that were never published, since
    /// nobody knew what became of their appends.
    pub(crate) fn show_all(&self) {
        for (number, partition) in (0..).zip(&self.partitions) {
            let durable = self.journal.durable(PartitionId(number));
            // First: whoever sees the head must not take what was never published for nothing.
            partition.newest().skip_to(durable);
            partition.head.fetch_max(durable, Ordering::AcqRel);
        }
        let interested = self.interested.read().unwrap_or_else(PoisonError::into_inner);
        for who in interested.values().flatten() {
            who.notify_one();
        }
        self.published.notify_waiters();
    }

    /// Waits for events that are shown after this call, of whatever kind; it need not have been polled by then.
    pub(crate) fn published(&self) -> Notified<'_> {
        self.published.notified()
    }

    /// Position of the last event of `partition` that readers are shown.
    pub(crate) fn head(&self, partition: u16) -> u64 {
        self.partition(partition).head.load(Ordering::Acquire)
    }

    /// The next events of `partition` after `after` that are `followed`, at most `limit` of them.
    ///
    /// # Errors
    /// What the journal says; nothing is skipped.
    pub(crate) async fn read(
        &self,
        kinds: &Kinds,
        followed: &Followed,
        partition: u16,
        after: u64,
        limit: usize,
    ) -> Result<Batch, ReadError> {
        let head = self.head(partition); // before the rest: what it covers, the rest knows
        if head <= after {
            return Ok(Batch { items: Vec::new(), upto: after });
        }
        let seen = self.partition(partition).newest().after(after, followed, head, limit);
        if let Some(batch) = seen {
            return Ok(batch);
        }
        let mut older = self.older(kinds, followed, partition, after, limit.min(PAGE)).await?;
        older.items.retain(|item| item.offset <= head);
        older.upto = older.upto.min(head);
        Ok(older)
    }

    async fn older(
        &self,
        kinds: &Kinds,
        followed: &Followed,
        partition: u16,
        after: u64,
        limit: usize,
    ) -> Result<Batch, ReadError> {
        let (journal, kinds, unit) = (self.journal.clone(), kinds.clone(), self.unit.clone());
        let followed = followed.clone();
        let read = move || page(journal.as_ref(), &unit, &kinds, partition, after, limit, |kind| followed.has(kind));
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

impl Followed {
    fn has(&self, kind: &str) -> bool {
        match self {
            Self::All => true,
            Self::Of(kinds) => kinds.contains(&kind),
        }
    }
}

impl Partition {
    fn newest(&self) -> MutexGuard<'_, Newest> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Newest {
    fn push(&mut self, item: FeedItem) {
        if self.ring.back().is_some_and(|last| last.offset + 1 != item.offset) {
            self.ring.clear(); // readers of what is missing go to the journal
        }
        if self.ring.len() >= RING {
            self.ring.pop_front();
        }
        self.skip_to(item.offset - 1);
        // One that repeats an earlier answer comes again.
        self.upto = self.upto.max(item.offset);
        match self.last.iter_mut().find(|(kind, _)| *kind == item.kind) {
            Some((_, last)) => *last = (*last).max(item.offset),
            None => self.last.push((item.kind.clone(), item.offset)),
        }
        self.ring.push_back(item);
    }

    /// What has not come up to this position will not come, and may be of any kind.
    fn skip_to(&mut self, position: u64) {
        if position > self.upto {
            (self.known_from, self.upto) = (position, position);
        }
    }

    /// What comes after `after` and is followed, up to `head`; `None` when only the journal knows.
    fn after(&self, after: u64, followed: &Followed, head: u64, limit: usize) -> Option<Batch> {
        let mut last = self.last.iter().filter(|(kind, _)| followed.has(kind));
        if after >= self.known_from && last.all(|(_, last)| *last <= after) {
            return Some(Batch { items: Vec::new(), upto: head });
        }
        let first = self.ring.front()?.offset;
        if after + 1 < first {
            return None;
        }
        let skip = usize::try_from(after + 1 - first).unwrap_or(usize::MAX);
        let (mut items, mut upto) = (Vec::new(), after);
        for item in self.ring.iter().skip(skip) {
            if items.len() >= limit {
                break;
            }
            upto = item.offset;
            if followed.has(&item.kind) {
                items.push(item.clone());
            }
        }
        (upto > after).then_some(Batch { items, upto })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::persistence::{Storage, StorageConfig, open};

    /// A feed in front of an empty journal: what is read must have been published.
    fn feed() -> (Storage, Feed) {
        let storage = open(&StorageConfig::memory()).expect("memory opens");
        let journal = storage.units().next().expect("a unit").1.journal.clone();
        (storage, Feed::new("main".into(), journal))
    }

    fn publish(feed: &Feed, kind: &str, offsets: std::ops::RangeInclusive<u64>) {
        let item = |offset| FeedItem { kind: kind.into(), offset, public: true, event: None };
        feed.publish(0, offsets.map(item));
    }

    async fn read(feed: &Feed, kind: &'static str, after: u64, limit: usize) -> (Vec<u64>, u64) {
        let followed = Followed::Of([kind].into());
        let batch = feed.read(&Kinds::default(), &followed, 0, after, limit).await.expect("readable");
        (batch.items.iter().map(|item| item.offset).collect(), batch.upto)
    }

    #[tokio::test]
    async fn whoever_follows_nothing_of_it_is_at_the_head_without_a_look_at_the_journal() {
        let (_storage, feed) = feed();
        let many = RING as u64 * 3;
        publish(&feed, "a", 1..=many);
        assert_eq!(read(&feed, "b", 0, 9).await, (vec![], many));
        publish(&feed, "b", many + 1..=many + 1);
        publish(&feed, "a", many + 2..=many + 3);
        assert_eq!(read(&feed, "b", many, 9).await, (vec![many + 1], many + 3));
        assert_eq!(read(&feed, "b", many + 1, 9).await, (vec![], many + 3));
        // Further back than the ring, only the journal knows; and this one has nothing.
        assert_eq!(read(&feed, "b", 0, 9).await, (vec![], 0));
    }

    #[tokio::test]
    async fn a_piece_ends_with_the_last_event_that_it_has_room_for() {
        let (_storage, feed) = feed();
        publish(&feed, "a", 1..=2);
        publish(&feed, "b", 3..=3);
        publish(&feed, "a", 4..=5);
        assert_eq!(read(&feed, "a", 0, 3).await, (vec![1, 2, 4], 4));
        assert_eq!(read(&feed, "a", 4, 3).await, (vec![5], 5));
        assert_eq!(read(&feed, "a", 5, 3).await, (vec![], 5));
    }

    #[tokio::test]
    async fn nothing_is_said_of_events_that_were_never_published() {
        let (_storage, feed) = feed();
        publish(&feed, "a", 1..=2);
        publish(&feed, "a", 5..=5); // 3 and 4 are in the journal, and may be of any kind
        assert_eq!(read(&feed, "b", 2, 9).await, (vec![], 2));
        assert_eq!(read(&feed, "b", 4, 9).await, (vec![], 5));
    }

    #[tokio::test]
    async fn the_first_that_is_published_may_come_after_some_that_were_not() {
        let (_storage, feed) = feed();
        publish(&feed, "a", 3..=3);
        assert_eq!(read(&feed, "b", 0, 9).await, (vec![], 0));
        assert_eq!(read(&feed, "b", 2, 9).await, (vec![], 3));
    }

    /// An append that repeats one is answered as that was, and shown once more.
    #[tokio::test]
    async fn an_event_that_is_shown_again_hides_no_later_one() {
        let (_storage, feed) = feed();
        publish(&feed, "a", 1..=5);
        publish(&feed, "a", 2..=2);
        // The ring has only that one now: the journal knows of 4 and 5, and nobody is sent past them.
        assert_eq!(read(&feed, "a", 3, 9).await, (vec![], 3));
        assert_eq!(read(&feed, "b", 3, 9).await, (vec![], 5));
        publish(&feed, "a", 6..=6);
        assert_eq!(read(&feed, "a", 3, 9).await, (vec![], 3));
        assert_eq!(read(&feed, "a", 5, 9).await, (vec![6], 6));
    }
}
