//! Who waits for a place of a pool, and the place itself.

use std::{fmt, sync::Arc, time::Duration};

use tokio::{sync::oneshot, time::Instant};

use super::{super::BulkheadError, Inner};

pub(super) struct Waiter {
    pub(super) ticket: u64,
    pub(super) since: Instant,
    pub(super) order: Order,
    pub(super) tell: oneshot::Sender<Turn>,
}

/// What who waits is told when its turn comes: the place, or that it would come too late, and when another try has a chance.
pub(super) type Turn = Result<Permit, Duration>;

/// Those whose turn has come.
#[derive(Default)]
pub(super) struct Called {
    pub(super) places: Vec<Waiter>,
    /// What was expected when they came did not hold: they would not be done in time any more.
    pub(super) late: Vec<(Waiter, Duration)>,
}

/// A place, given back when this is dropped. Without limits it is none. Small, for every message carries one.
#[must_use = "the place is given back when this is dropped"]
#[derive(Default)]
pub(crate) struct Permit(Option<Box<Held>>);

struct Held {
    of: Arc<Inner>,
    since: Instant,
}

/// Who waits for a place; dropped, it leaves the queue.
pub(super) struct Waiting {
    pub(super) of: Arc<Inner>,
    pub(super) order: Order,
    pub(super) ticket: u64,
    pub(super) told: oneshot::Receiver<Turn>,
}

/// In which queue somebody waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    First,
    /// As long as it may take.
    New(Duration),
}

impl Permit {
    pub(super) fn of(pool: &Arc<Inner>) -> Self {
        Self(Some(Box::new(Held { of: pool.clone(), since: Instant::now() })))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let next = {
            let mut books = self.of.books();
            books.held -= 1;
            books.admission.held(self.since.elapsed());
            self.of.let_in(&mut books)
        };
        self.of.tell(next);
    }
}

impl Future for Waiting {
    type Output = Result<Permit, BulkheadError>;

    fn poll(mut self: std::pin::Pin<&mut Self>, context: &mut std::task::Context<'_>) -> std::task::Poll<Self::Output> {
        std::pin::Pin::new(&mut self.told).poll(context).map(|told| match told {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(retry_after)) => Err(self.of.overloaded(retry_after)),
            Err(_) => Err(self.of.stopped()),
        })
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut books = self.of.books();
        let queue = books.queue(self.order);
        if let Ok(at) = queue.binary_search_by_key(&self.ticket, |waiter| waiter.ticket) {
            queue.remove(at);
        }
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Permit").field(&self.0.is_some()).finish()
    }
}
