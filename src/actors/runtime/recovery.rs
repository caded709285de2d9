//! Brings an entity back from its newest usable snapshot and the events behind it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use super::{
    book::{Book, load},
    cell::Active,
    codec,
    host::Host,
    off_thread::off_thread,
    outcome::panic_text,
};
use crate::{
    actors::entity::{Entity, Key},
    persistence::{ReadError, Record},
};

/// Records read at once: bounds what a recovery holds in memory.
const PAGE: usize = 4_096;

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
        let (host, key) = (self.clone(), key.clone());
        match off_thread(move || host.read_back(&key, incarnation, epoch)).await {
            Ok(read) => read,
            Err(error) => Err(NotRecovered::ForNow(error.to_string().into())),
        }
    }

    fn read_back(&self, key: &Key, incarnation: u64, epoch: u64) -> Result<Box<Active<E>>, NotRecovered> {
        let (mut state, mut book) = self.newest_snapshot(key, incarnation);
        loop {
            let page = self.unit.journal.read_stream(&self.stream(key), book.sequence, PAGE).map_err(not_read)?;
            let last = page.len() < PAGE;
            for record in page {
                replay(&mut state, &mut book, &record).map_err(NotRecovered::Ever)?;
            }
            if last {
                // What a snapshot or an old event still names must not count against the service's budget.
                book.dedup.expire(self.clock().now());
                return Ok(Box::new(Active { state, book, epoch, gate: None }));
            }
        }
    }

    fn newest_snapshot(&self, key: &Key, incarnation: u64) -> (E, Book) {
        let stream = self.stream(key);
        let durable = self.unit.journal.head(&stream).map_or(0, |head| head.sequence);
        let stored = self.unit.snapshots.load(&stream).unwrap_or_else(|error| {
            tracing::warn!(kind = E::KIND, %key, %error, "no snapshots; the journal is read from the beginning");
            Vec::new()
        });
        // One of another shape, or from beyond the journal, is no use.
        let usable = stored.into_iter().filter(|stored| stored.shape == E::SNAPSHOT && stored.sequence <= durable);
        for snapshot in usable {
            let keys = self.service.keys.clone();
            match catch_unwind(AssertUnwindSafe(|| load::<E>(&snapshot.bytes, snapshot.sequence, incarnation, keys))) {
                Ok(Ok(loaded)) => return loaded,
                Ok(Err(error)) => tracing::warn!(kind = E::KIND, %key, %error, "snapshot ignored"),
                Err(_) => tracing::warn!(kind = E::KIND, %key, "snapshot ignored: reading it panicked"),
            }
        }
        (E::default(), Book::new(incarnation, self.service.keys.clone()))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn not_read(error: ReadError) -> NotRecovered {
    match error {
        ReadError::Damaged { .. } => NotRecovered::Ever(error.to_string().into()),
        ReadError::Io { .. } => NotRecovered::ForNow(error.to_string().into()),
    }
}

/// Applies one record. The message names the event's sequence.
fn replay<E: Entity>(state: &mut E, book: &mut Book, record: &Record) -> Result<(), Arc<str>> {
    for (index, event) in record.append.events.iter().enumerate() {
        let sequence = record.first_sequence() + index as u64;
        let decoded: E::Event = codec::decode(&event.name, event.version, &event.payload)
            .map_err(|error| -> Arc<str> { format!("event {sequence}: {error}").into() })?;
        catch_unwind(AssertUnwindSafe(|| state.evolve(&decoded))).map_err(|panic| -> Arc<str> {
            format!("event {sequence} ({}) cannot be applied: {}", event.name, panic_text(panic.as_ref())).into()
        })?;
    }
    book.replay(record);
    Ok(())
}
