//! Brings an entity back from its newest usable snapshot, or from its base record where history was deleted, and the
//! events behind it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use tokio::time::Instant;

use super::{
    book::{Book, load, migrate, save},
    cell::Active,
    code::apply,
    dedup::KeyBudget,
    host::Host,
    off_thread::off_thread,
    outcome::panic_text,
};
use crate::{
    actors::entity::{Entity, Key},
    persistence::{ReadError, Record, StoredSnapshot},
};

/// Records read at once: bounds what a recovery holds in memory.
const PAGE: usize = 4_096;

/// How often a recovery begins again because history was deleted under it: once is the rule, and deletions are minutes
/// apart.
const TRIES: u32 = 3;

/// Why an entity could not be brought back.
#[derive(Debug)]
pub(crate) enum NotRecovered {
    /// The storage could not be read just now.
    ForNow(Arc<str>),
    /// The events cannot be read, decoded or applied by this release: names the place.
    Ever(Arc<str>),
}

impl<E: Entity> Host<E> {
    /// State and book as the journal has them. Reads nothing for an entity without events.
    pub(crate) async fn recover(self: &Arc<Self>, key: &Key) -> Result<Box<Active<E>>, NotRecovered> {
        let incarnation = self.unit.next_incarnation();
        let epoch = self.unit.epoch(); // before anything is read
        let stream = self.stream(key);
        if self.unit.journal.head(&stream).is_none() {
            let book = Book::new(incarnation, self.service.keys.clone());
            return Ok(Box::new(Active { state: E::default(), book, epoch, gate: None }));
        }
        let (host, key, begun) = (self.clone(), key.clone(), Instant::now());
        let read = off_thread(move || host.read_back(&key, incarnation, epoch)).await;
        self.meter.recoveries.took(begun.elapsed());
        match read {
            Ok(read) => read,
            Err(error) => Err(NotRecovered::ForNow(error.to_string().into())),
        }
    }

    fn read_back(&self, key: &Key, incarnation: u64, epoch: u64) -> Result<Box<Active<E>>, NotRecovered> {
        let (state, mut book) = self.fold(key, incarnation, &self.service.keys)?;
        // What a snapshot or an old event still names must not count against the service's budget.
        book.dedup.expire(self.clock().now());
        Ok(Box::new(Active { state, book, epoch, gate: None }))
    }

    /// State and book as of the stream's durable head, without anybody noticing. May block on the disk.
    pub(crate) fn base_record(&self, key: &Key) -> Result<StoredSnapshot, String> {
        let budget = KeyBudget::new(usize::MAX);
        let (state, mut book) = self.fold(key, 0, &budget).map_err(|error| match error {
            NotRecovered::ForNow(why) | NotRecovered::Ever(why) => why.to_string(),
        })?;
        book.dedup.expire(self.clock().now());
        let saved = catch_unwind(AssertUnwindSafe(|| save(&state, &book)));
        let bytes =
            saved.map_err(|panic| panic_text(panic.as_ref()).to_string())?.map_err(|error| error.to_string())?;
        Ok(StoredSnapshot { sequence: book.sequence, shape: E::SNAPSHOT, bytes })
    }

    fn fold(&self, key: &Key, incarnation: u64, keys: &Arc<KeyBudget>) -> Result<(E, Book), NotRecovered> {
        for _ in 0..TRIES {
            let (mut state, mut book) = self.newest(key, incarnation, keys)?;
            if self.replay_rest(key, &mut state, &mut book)? {
                return Ok((state, book));
            }
        }
        Err(NotRecovered::ForNow("its history is being deleted".into()))
    }

    /// Applies the events behind the book's sequence; false when they were deleted meanwhile, and there is a newer base
    /// record.
    fn replay_rest(&self, key: &Key, state: &mut E, book: &mut Book) -> Result<bool, NotRecovered> {
        loop {
            let page = match self.unit.journal.read_stream(&self.stream(key), book.sequence, PAGE) {
                Err(ReadError::Deleted { .. }) => return Ok(false),
                page => page.map_err(not_read)?,
            };
            let last = page.len() < PAGE;
            for record in page {
                replay(state, book, &record).map_err(NotRecovered::Ever)?;
            }
            if last {
                return Ok(true);
            }
        }
    }

    /// The newest snapshot that is of use, else the base record, else the beginning.
    fn newest(&self, key: &Key, incarnation: u64, keys: &Arc<KeyBudget>) -> Result<(E, Book), NotRecovered> {
        let base = self.unit.journal.base(&self.stream(key)).map_err(not_read)?;
        let from = base.as_ref().map_or(0, |base| base.sequence);
        if let Some(loaded) = self.newest_snapshot(key, from, incarnation, keys) {
            return Ok(loaded);
        }
        let Some(base) = base else { return Ok((E::default(), Book::new(incarnation, keys.clone()))) };
        // The events before it are deleted: there is no other way back.
        Self::from_base(&base, incarnation, keys).map_err(|why| NotRecovered::Ever(why.into()))
    }

    /// State and book of a base record.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub(super) fn from_base(
        base: &StoredSnapshot,
        incarnation: u64,
        keys: &Arc<KeyBudget>,
    ) -> Result<(E, Book), String> {
        let loaded = catch_unwind(AssertUnwindSafe(|| {
            let keys = keys.clone();
            if base.shape == E::SNAPSHOT {
                load::<E>(&base.bytes, base.sequence, incarnation, keys)
            } else {
                migrate::<E>(&base.bytes, base.shape, base.sequence, incarnation, keys)
            }
        }));
        let why = match loaded {
            Ok(Ok(loaded)) => return Ok(loaded),
            Ok(Err(error)) => error.to_string(),
            Err(panic) => panic_text(panic.as_ref()).to_string(),
        };
        Err(format!("the base record of sequence {}: {why}", base.sequence))
    }

    fn newest_snapshot(&self, key: &Key, from: u64, incarnation: u64, keys: &Arc<KeyBudget>) -> Option<(E, Book)> {
        let stream = self.stream(key);
        let durable = self.unit.journal.head(&stream).map_or(0, |head| head.sequence);
        let stored = self.unit.snapshots.load(&stream).unwrap_or_else(|error| {
            tracing::warn!(kind = E::KIND, %key, %error, "no snapshots; the journal is read from the beginning");
            Vec::new()
        });
        // One of another shape, from beyond the journal, or older than the base record, is no use.
        let usable = stored
            .into_iter()
            .filter(|stored| stored.shape == E::SNAPSHOT && (from.max(1)..=durable).contains(&stored.sequence));
        for snapshot in usable {
            let keys = keys.clone();
            match catch_unwind(AssertUnwindSafe(|| load::<E>(&snapshot.bytes, snapshot.sequence, incarnation, keys))) {
                Ok(Ok(loaded)) => return Some(loaded),
                Ok(Err(error)) => tracing::warn!(kind = E::KIND, %key, %error, "snapshot ignored"),
                Err(_) => tracing::warn!(kind = E::KIND, %key, "snapshot ignored: reading it panicked"),
            }
        }
        None
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn not_read(error: ReadError) -> NotRecovered {
    match error {
        ReadError::Damaged { .. } => NotRecovered::Ever(error.to_string().into()),
        ReadError::Io { .. } | ReadError::Deleted { .. } => NotRecovered::ForNow(error.to_string().into()),
    }
}

/// Applies one record. The message names the event's sequence.
fn replay<E: Entity>(state: &mut E, book: &mut Book, record: &Record) -> Result<(), Arc<str>> {
    for (sequence, event) in (record.first_sequence()..).zip(&record.append.events) {
        apply(state, sequence, event)?;
    }
    book.replay(record);
    Ok(())
}
