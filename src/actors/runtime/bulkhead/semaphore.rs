//! Places for work that waits instead of blocking: at most so many at a time, and so many that wait for one, first
//! come, first served.
//!
//! ```text
//! enter --> a place is free: Permit
//!   |       all are taken: in the queue --> Permit, in turn
//!   |                        |    |  its deadline passes: Expired
//!   |                        |    |  closed: Stopped
//!   |                        +----+  nothing was begun
//!   +--> the queue is full: Overloaded at once
//! ```
//!
//! A [`Permit`] is the place: dropping it hands it on. So the capacity of whatever holds permits is the number of
//! places over the time that one is held: 4 places of 20 ms are 200 a second.

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{sync::oneshot, time::Instant};

use super::{
    BulkheadError, BulkheadStatus,
    autoscale::{Size, Sizer},
};

/// When another try has a chance, at least: somebody leaves all the time.
const LEAST_RETRY: Duration = Duration::from_millis(250);
/// And at most: by then the pool may have another size, or its work another pace.
const LONGEST_RETRY: Duration = Duration::from_secs(30);

/// The bounds of a semaphore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SemaphoreLimits {
    /// Places.
    pub(crate) size: Size,
    /// Those that may wait for one.
    pub(crate) queue: usize,
}

/// The places of one pool. Cheap to clone; all clones are the same pool.
#[derive(Clone)]
pub(crate) struct Semaphore(Arc<Inner>);

struct Inner {
    name: Arc<str>,
    begun: Instant,
    /// Whether there are limits at all: without them nobody asks for the lock.
    limited: AtomicBool,
    books: Mutex<Books>,
}

struct Books {
    open: bool,
    limits: Option<SemaphoreLimits>,
    sizer: Sizer,
    held: usize,
    /// Oldest first, so their tickets rise.
    waiting: VecDeque<Waiter>,
    next_ticket: u64,
    /// How long a place was held in the last few cases: each new one counts an eighth.
    mean: Duration,
    refused: u64,
    expired: u64,
}

struct Waiter {
    ticket: u64,
    tell: oneshot::Sender<Permit>,
}

/// A place, given back when this is dropped. Without limits it is none.
#[must_use = "the place is given back when this is dropped"]
#[derive(Default)]
pub(crate) struct Permit(Option<Held>);

struct Held {
    of: Arc<Inner>,
    since: Instant,
}

/// Who waits for a place; dropped, it leaves the queue.
struct Waiting {
    of: Arc<Inner>,
    ticket: u64,
    told: oneshot::Receiver<Permit>,
}

enum Asked {
    Entered(Permit),
    Waits(Waiting),
}

impl Semaphore {
    /// An open pool; without limits it lets everybody in and counts nobody.
    pub(crate) fn new(name: &str, limits: Option<SemaphoreLimits>) -> Self {
        let books = Books {
            open: true,
            limits,
            sizer: Sizer::new(size_of(limits)),
            held: 0,
            waiting: VecDeque::new(),
            next_ticket: 0,
            mean: Duration::ZERO,
            refused: 0,
            expired: 0,
        };
        let limited = AtomicBool::new(limits.is_some());
        let pool = Inner { name: name.into(), begun: Instant::now(), limited, books: Mutex::new(books) };
        pool.changed(&mut pool.books());
        Self(Arc::new(pool))
    }

    /// Takes a place, or waits for one in the queue, at most until `deadline`.
    ///
    /// # Errors
    /// `Overloaded`, `Stopped` or `Expired`: nothing was begun.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the queue, and gives a place back that had just been got.
    pub(crate) async fn enter(&self, deadline: Instant) -> Result<Permit, BulkheadError> {
        let waiting = match self.ask(false)? {
            Asked::Entered(permit) => return Ok(permit),
            Asked::Waits(waiting) => waiting,
        };
        let asked = Instant::now();
        match tokio::time::timeout_at(deadline, waiting).await {
            Ok(entered) => entered,
            Err(_) => {
                self.0.books().expired += 1;
                Err(BulkheadError::Expired(deadline.saturating_duration_since(asked)))
            }
        }
    }

    /// As [`enter`](Self::enter), for as long as it takes. With `anyway` also when the queue is full: for what has a
    /// bound of its own.
    pub(crate) async fn enter_patiently(&self, anyway: bool) -> Result<Permit, BulkheadError> {
        match self.ask(anyway)? {
            Asked::Entered(permit) => Ok(permit),
            Asked::Waits(waiting) => waiting.await,
        }
    }

    fn ask(&self, anyway: bool) -> Result<Asked, BulkheadError> {
        if !self.is_limited() {
            return Ok(Asked::Entered(Permit::default()));
        }
        let mut books = self.0.books();
        if !books.open {
            return Err(self.0.stopped());
        }
        let Some(limits) = books.limits else { return Ok(Asked::Entered(Permit::default())) };
        if books.held < books.sizer.desired() && books.waiting.is_empty() {
            books.held += 1;
            self.0.changed(&mut books);
            return Ok(Asked::Entered(Permit::of(&self.0)));
        }
        if books.waiting.len() >= limits.queue && !anyway {
            books.refused += 1;
            let retry_after = books.wait(1).clamp(LEAST_RETRY, LONGEST_RETRY);
            return Err(BulkheadError::Overloaded { bulkhead: self.0.name.clone(), retry_after });
        }
        let (tell, told) = oneshot::channel();
        let ticket = books.next_ticket;
        books.next_ticket += 1;
        books.waiting.push_back(Waiter { ticket, tell });
        Ok(Asked::Waits(Waiting { of: self.0.clone(), ticket, told }))
    }

    /// Whether it bounds anything.
    pub(crate) fn is_limited(&self) -> bool {
        self.0.limited.load(Ordering::Acquire)
    }

    /// Lets nobody in any more: who waits is told so, who is in stays in.
    pub(crate) fn close(&self) {
        let waiting = {
            let mut books = self.0.books();
            books.open = false;
            std::mem::take(&mut books.waiting)
        };
        drop(waiting); // tells them
    }

    /// Lets in again.
    pub(crate) fn open(&self) {
        self.0.books().open = true;
    }

    /// Other limits from now on; true when they differ. Who is in stays in, also beyond the new size, and who waits
    /// goes on waiting, also beyond the new queue.
    pub(crate) fn resize(&self, limits: Option<SemaphoreLimits>) -> bool {
        let next = {
            let mut books = self.0.books();
            if books.limits == limits {
                return false;
            }
            books.limits = limits;
            books.sizer.resize(size_of(limits));
            self.0.limited.store(limits.is_some(), Ordering::Release);
            self.0.let_in(&mut books)
        };
        self.0.tell(next);
        true
    }

    /// Looks how busy it was since the last look, and follows its load where it may. To be called once in a second.
    pub(crate) fn look(&self) {
        if !self.is_limited() {
            return;
        }
        let next = {
            let mut books = self.0.books();
            let (now, held, waits) = (self.0.begun.elapsed(), books.held, !books.waiting.is_empty());
            let before = books.sizer.desired();
            books.sizer.look(now, held, waits);
            let after = books.sizer.desired();
            if before != after {
                tracing::info!(bulkhead = %self.0.name, before, after, share = books.sizer.share().as_f64(), "resized");
            }
            self.0.let_in(&mut books)
        };
        self.0.tell(next);
    }

    /// How long somebody who comes now will wait for a place, by how long places were held lately; `None` when nobody
    /// has to.
    #[cfg_attr(not(test), expect(dead_code, reason = "for whoever admits by deadline"))]
    pub(crate) fn expected_wait(&self) -> Option<Duration> {
        let books = self.0.books();
        let waits = books.limits.is_some() && (books.held >= books.sizer.desired() || !books.waiting.is_empty());
        waits.then(|| books.wait(1))
    }

    /// As operators see it; `None` without limits.
    pub(crate) fn status(&self) -> Option<BulkheadStatus> {
        let books = self.0.books();
        let limits = books.limits?;
        let (min, max) = limits.size.bounds();
        Some(BulkheadStatus {
            name: self.0.name.to_string(),
            kind: "semaphore",
            state: if books.open { "running" } else { "stopped" },
            min,
            max,
            desired: books.sizer.desired(),
            // Whoever is in beyond a smaller size has a place.
            current: books.sizer.desired().max(books.held),
            in_flight: books.held,
            waiting: books.waiting.len(),
            queue_limit: limits.queue,
            refused: books.refused,
            expired: books.expired,
            busy_share: books.sizer.share().as_f64(),
            leaked: 0,
            replaced: 0,
        })
    }
}

impl Inner {
    fn stopped(&self) -> BulkheadError {
        BulkheadError::Stopped { bulkhead: self.name.clone() }
    }

    fn changed(&self, books: &mut Books) {
        let held = books.held;
        books.sizer.measure(self.begun.elapsed(), held);
    }

    /// Takes those out of the queue for whom there is a place now.
    fn let_in(&self, books: &mut Books) -> Vec<Waiter> {
        let size = if books.limits.is_some() { books.sizer.desired() } else { usize::MAX };
        let mut next = Vec::new();
        while books.held < size {
            let Some(waiter) = books.waiting.pop_front() else { break };
            if !waiter.tell.is_closed() {
                books.held += 1;
                next.push(waiter);
            }
        }
        self.changed(books);
        next
    }

    /// Not under the lock: who has just left gives the place back at once.
    fn tell(self: &Arc<Self>, waiters: Vec<Waiter>) {
        for waiter in waiters {
            drop(waiter.tell.send(Permit::of(self)));
        }
    }

    /// Nothing under this lock runs code of others.
    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    /// How long the last of `more` who come now will wait.
    fn wait(&self, more: usize) -> Duration {
        let rounds = (self.waiting.len() + more).div_ceil(self.sizer.desired().max(1));
        self.mean.saturating_mul(u32::try_from(rounds).unwrap_or(u32::MAX))
    }
}

impl Permit {
    fn of(pool: &Arc<Inner>) -> Self {
        Self(Some(Held { of: pool.clone(), since: Instant::now() }))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let next = {
            let mut books = self.of.books();
            books.held -= 1;
            let held_for = self.since.elapsed();
            books.mean = if books.mean.is_zero() { held_for } else { books.mean - books.mean / 8 + held_for / 8 };
            self.of.let_in(&mut books)
        };
        self.of.tell(next);
    }
}

impl Future for Waiting {
    type Output = Result<Permit, BulkheadError>;

    fn poll(mut self: std::pin::Pin<&mut Self>, context: &mut std::task::Context<'_>) -> std::task::Poll<Self::Output> {
        std::pin::Pin::new(&mut self.told).poll(context).map_err(|_| self.of.stopped())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut books = self.of.books();
        if let Ok(at) = books.waiting.binary_search_by_key(&self.ticket, |waiter| waiter.ticket) {
            books.waiting.remove(at);
        }
    }
}

/// Without limits no place is counted.
fn size_of(limits: Option<SemaphoreLimits>) -> Size {
    limits.map_or(Size::Fixed(0), |limits| limits.size)
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Permit").field(&self.0.is_some()).finish()
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore").field("status", &self.status()).finish()
    }
}
