//! The budget of a service: the bounds of its work, counted message by message, refused at once beyond.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use schemars::JsonSchema;
use serde::Serialize;

use super::{bulkhead::BulkheadStatus, lane::Lane};

/// How much of a service's work may be there at a time: what waits in all mailboxes together, and what has no answer
/// yet.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    counts: Counts,
    bytes: AtomicUsize,
    most: Bounds,
    refused: AtomicU64,
}

/// What may change.
#[derive(Debug, Default)]
struct Bounds {
    messages: AtomicUsize,
    bytes: AtomicUsize,
    in_flight: AtomicUsize,
}

/// Messages that wait, in the lower half, and those without an answer, in the upper: one atomic, because every command pays
/// for each that threads share. A half is far beyond what memory holds.
#[derive(Debug, Default)]
struct Counts(AtomicU64);

const WAITS: u64 = 1;
const IN_FLIGHT: u64 = 1 << 32;

impl Counts {
    /// What is counted then. Sequentially consistent: see [`Door::is_held`](super::door::Door::is_held).
    fn add(&self, what: u64) -> (usize, usize) {
        Self::halves(self.0.fetch_add(what, Ordering::SeqCst) + what)
    }

    fn sub(&self, what: u64) {
        self.0.fetch_sub(what, Ordering::Release);
    }

    fn now(&self) -> (usize, usize) {
        Self::halves(self.0.load(Ordering::SeqCst))
    }

    fn halves(both: u64) -> (usize, usize) {
        let half = |half: u64| usize::try_from(half).unwrap_or(usize::MAX);
        (half(both % IN_FLIGHT), half(both / IN_FLIGHT))
    }
}

/// The work of a service and its bounds as operators see them. Beyond a bound commands and reads are refused at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct BudgetStatus {
    /// Messages that wait in its mailboxes, or for a place.
    pub messages: usize,
    /// Messages that may wait.
    pub messages_limit: usize,
    /// Bytes of the messages that wait.
    pub bytes: usize,
    /// Bytes that may wait.
    pub bytes_limit: usize,
    /// Messages that have no answer yet: those that wait, and those whose events are not durable or that ask others.
    pub in_flight: usize,
    /// Messages that may have no answer.
    pub in_flight_limit: usize,
    /// Messages that were refused since the start, because one of these bounds was reached.
    pub refused: u64,
    /// Entities that are being recovered.
    pub recoveries: usize,
    /// Entities that may be recovered at a time.
    pub recoveries_limit: usize,
    /// Entities that wait for being recovered.
    pub recoveries_waiting: usize,
    /// Entities that may wait for being recovered.
    pub recoveries_waiting_limit: usize,
    /// Recoveries that were refused since the start, because too many waited.
    pub recoveries_refused: u64,
}

impl Budget {
    pub(crate) fn new(messages: usize, bytes: usize, in_flight: usize) -> Arc<Self> {
        let budget = Arc::new(Self::default());
        budget.resize(messages, bytes, in_flight);
        budget
    }

    /// Other bounds from now on; true when they differ. What is counted stays counted, also beyond them.
    pub(crate) fn resize(&self, messages: usize, bytes: usize, in_flight: usize) -> bool {
        let Bounds { messages: waiting, bytes: of_bytes, in_flight: under_way } = &self.most;
        let bounds = [(waiting, messages), (of_bytes, bytes), (under_way, in_flight)];
        bounds.map(|(bound, most)| bound.swap(most, Ordering::Relaxed) != most).contains(&true)
    }

    /// Room for one message of `bytes` to wait, and for it to be under way; `None` when the service has enough to do for
    /// another in this lane.
    pub(crate) fn take(self: &Arc<Self>, bytes: usize, lane: Lane) -> Option<Room> {
        let room = Room { budget: self.clone(), waits: Some(bytes) };
        // All are counted, and dropping gives the room back.
        let (messages, in_flight) = self.counts.add(WAITS + IN_FLIGHT);
        let bytes = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let fits = |now: usize, most: &AtomicUsize| now <= lane.share(most.load(Ordering::Relaxed));
        let most = &self.most;
        if fits(messages, &most.messages) && fits(bytes, &most.bytes) && fits(in_flight, &most.in_flight) {
            return Some(room);
        }
        self.refused.fetch_add(1, Ordering::Relaxed);
        None
    }

    /// Room for one small message beside the bounds: whoever asks whether a service is well asks a full one too.
    pub(crate) fn beside(self: &Arc<Self>) -> Room {
        self.counts.add(WAITS + IN_FLIGHT);
        Room { budget: self.clone(), waits: Some(0) }
    }

    fn leave(&self, bytes: usize, what: u64) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.counts.sub(what);
    }

    /// Messages that wait now.
    pub(crate) fn waiting(&self) -> usize {
        self.counts.now().0
    }

    /// Messages without an answer now.
    pub(crate) fn in_flight(&self) -> usize {
        self.counts.now().1
    }

    /// Messages that may be without an answer.
    pub(crate) fn most_in_flight(&self) -> usize {
        self.most.in_flight.load(Ordering::Relaxed)
    }

    /// The service's places, when nothing but this budget bounds them.
    pub(crate) fn as_places(&self, name: &str, state: &'static str) -> BulkheadStatus {
        let most = self.most_in_flight();
        BulkheadStatus {
            name: name.to_owned(),
            kind: "semaphore",
            state,
            min: most,
            max: most,
            desired: most,
            current: most,
            in_flight: self.in_flight(),
            waiting: 0,
            queue_limit: 0,
            admitted: 0,
            refused: self.refused.load(Ordering::Relaxed),
            late: 0,
            expired: 0,
            busy_share: 0.0,
            leaked: 0,
            replaced: 0,
        }
    }

    /// As operators see it, with the recoveries of the same service.
    pub(crate) fn status(&self, recoveries: &BulkheadStatus) -> BudgetStatus {
        let (messages, in_flight) = self.counts.now();
        let most = |bound: &AtomicUsize| bound.load(Ordering::Relaxed);
        BudgetStatus {
            messages,
            messages_limit: most(&self.most.messages),
            bytes: self.bytes.load(Ordering::Relaxed),
            bytes_limit: most(&self.most.bytes),
            in_flight,
            in_flight_limit: most(&self.most.in_flight),
            refused: self.refused.load(Ordering::Relaxed),
            recoveries: recoveries.in_flight,
            recoveries_limit: recoveries.max,
            recoveries_waiting: recoveries.waiting,
            recoveries_waiting_limit: recoveries.queue_limit,
            recoveries_refused: recoveries.refused,
        }
    }
}

/// One message's share of what may wait, and of what may be under way; given back when this is dropped. One, because every
/// command pays for each count that threads share.
pub(crate) struct Room {
    budget: Arc<Budget>,
    /// Its bytes, while it waits.
    waits: Option<usize>,
}

impl Room {
    /// The message's turn has come: it waits until that is over, and is under way until this is dropped. The budget is
    /// that of its service.
    pub(crate) fn turn<'a>(&mut self, of: &'a Budget) -> Turn<'a> {
        debug_assert!(std::ptr::eq(of, self.budget.as_ref()), "a message has room in the service of its entity");
        Turn { budget: of, waits: self.waits.take() }
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        match self.waits {
            Some(bytes) => self.budget.leave(bytes, WAITS + IN_FLIGHT),
            None => self.budget.counts.sub(IN_FLIGHT),
        }
    }
}

/// The turn of a message.
#[must_use = "the message waits no longer when this is dropped"]
pub(crate) struct Turn<'a> {
    budget: &'a Budget,
    waits: Option<usize>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(bytes) = self.waits {
            self.budget.leave(bytes, WAITS);
        }
    }
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room").field("waits", &self.waits).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_refuses_the_message_above_its_limit_and_takes_one_again_later() {
        let budget = Budget::new(2, 100, 3);
        let mut first = budget.take(40, Lane::First).expect("room");
        let second = budget.take(40, Lane::First).expect("room");
        assert!(budget.take(1, Lane::First).is_none(), "three messages");
        drop(first.turn(&budget));
        assert!(budget.take(61, Lane::First).is_none(), "101 bytes");
        let mut third = budget.take(60, Lane::First).expect("room");
        drop(third.turn(&budget));
        assert!(budget.take(1, Lane::First).is_none(), "four without an answer");
        drop(first);
        assert!(budget.take(1, Lane::First).is_some());
        drop((second, third));
        assert_eq!((budget.waiting(), budget.bytes.load(Ordering::Relaxed), budget.in_flight()), (0, 0, 0));
        assert_eq!(budget.refused.load(Ordering::Relaxed), 3);
    }

    #[test]
    fn a_smaller_budget_takes_nobody_s_room_away() {
        let budget = Budget::new(2, 100, 2);
        let taken = [budget.take(40, Lane::First).expect("room"), budget.take(40, Lane::First).expect("room")];
        assert!(budget.resize(1, 100, 1) && !budget.resize(1, 100, 1));
        assert!(budget.take(1, Lane::First).is_none());
        drop(taken);
        assert!(budget.take(1, Lane::First).is_some());
    }

    #[test]
    fn new_work_leaves_a_quarter_to_what_was_begun_and_to_reads() {
        let budget = Budget::new(8, 10_000, 8);
        let new: Vec<_> = (0..6).map(|_| budget.take(1, Lane::New).expect("three quarters")).collect();
        assert!(budget.take(1, Lane::New).is_none());
        let first = budget.take(1, Lane::First).expect("a quarter is left");
        let read = budget.take(1, Lane::Read).expect("a quarter is left");
        assert!(budget.take(1, Lane::First).is_none() && budget.take(1, Lane::Read).is_none());
        drop((first, read));
        assert!(budget.take(1, Lane::New).is_none(), "also when the last quarter is empty");
        drop(new);
        assert!(budget.take(7500, Lane::New).is_some() && budget.take(7501, Lane::New).is_none());
    }
}
