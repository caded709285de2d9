//! Places for work that waits instead of blocking: at most so many at a time, and so many that wait for one, first
//! come, first served.
//!
//! ```text
//! enter --> a place is free: Permit
//!   |       all are taken: in the queue --> Permit, in turn
//!   |                        |    |  it would come too late when its turn comes: Overloaded
//!   |                        |    |  its deadline passes: Expired
//!   |                        |    |  closed: Stopped
//!   |                        +----+  nothing was begun
//!   +--> the queue is full: Overloaded at once
//! ```
//!
//! A [`Permit`] is the place: dropping it hands it on. So the capacity of whatever holds permits is the number of
//! places over the time that one is held: 4 places of 20 ms are 200 a second.

mod waiting;

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

pub(crate) use self::waiting::Permit;
use self::waiting::{Called, Order, Waiter, Waiting};
use super::{
    BulkheadError, BulkheadStatus,
    admission::{Admission, Crowd, NoRoom},
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
    /// What finishes what was begun, and comes before all that is new. Oldest first, so their tickets rise.
    first: VecDeque<Waiter>,
    /// New work, as well.
    new: VecDeque<Waiter>,
    next_ticket: u64,
    admission: Admission,
    refused: u64,
    late: u64,
    expired: u64,
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
            first: VecDeque::new(),
            new: VecDeque::new(),
            next_ticket: 0,
            admission: Admission::default(),
            refused: 0,
            late: 0,
            expired: 0,
        };
        let limited = AtomicBool::new(limits.is_some());
        let pool = Inner { name: name.into(), begun: Instant::now(), limited, books: Mutex::new(books) };
        pool.changed(&mut pool.books());
        Self(Arc::new(pool))
    }

    /// Takes a place for new work, or waits for one in the queue, at most until `deadline`. It does not wait where it
    /// would come too late, or in a queue that serves nobody ([`Admission`]). When its turn comes after longer than was
    /// expected, the place goes to who can still be done in time.
    ///
    /// # Errors
    /// `Overloaded`, `Stopped` or `Expired`: nothing was begun.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the queue, and gives a place back that had just been got.
    pub(crate) async fn enter(&self, deadline: Instant) -> Result<Permit, BulkheadError> {
        let within = deadline.saturating_duration_since(Instant::now());
        self.enter_in(Order::New(within), deadline).await
    }

    /// As [`enter`](Self::enter) for what finishes what was begun: before all that is new, in a queue of its own, which is
    /// as long as the other may be.
    pub(crate) async fn enter_first(&self, deadline: Instant) -> Result<Permit, BulkheadError> {
        self.enter_in(Order::First, deadline).await
    }

    async fn enter_in(&self, order: Order, deadline: Instant) -> Result<Permit, BulkheadError> {
        let waiting = match self.ask(order, false)? {
            Asked::Entered(permit) => return Ok(permit),
            Asked::Waits(waiting) => waiting,
        };
        let asked = Instant::now();
        if let Ok(entered) = tokio::time::timeout_at(deadline, waiting).await {
            return entered;
        }
        self.0.books().expire();
        Err(BulkheadError::Expired(deadline.saturating_duration_since(asked)))
    }

    /// As [`enter`](Self::enter), for as long as it takes. With `anyway` also when the queue is full: for what has a
    /// bound of its own.
    pub(crate) async fn enter_patiently(&self, anyway: bool) -> Result<Permit, BulkheadError> {
        match self.ask(Order::First, anyway)? {
            Asked::Entered(permit) => Ok(permit),
            Asked::Waits(waiting) => waiting.await,
        }
    }

    fn ask(&self, order: Order, anyway: bool) -> Result<Asked, BulkheadError> {
        if !self.is_limited() {
            return Ok(Asked::Entered(Permit::default()));
        }
        let mut books = self.0.books();
        if !books.open {
            return Err(self.0.stopped());
        }
        let Some(limits) = books.limits else { return Ok(Asked::Entered(Permit::default())) };
        if books.is_free() {
            books.held += 1;
            let (now, size) = (self.0.begun.elapsed(), books.sizer.desired());
            books.admission.entered(now, Duration::ZERO, size);
            self.0.changed(&mut books);
            return Ok(Asked::Entered(Permit::of(&self.0)));
        }
        if let Err(why) = books.may_wait(order, limits.queue)
            && !anyway
        {
            let retry_after = books.refuse(why);
            return Err(self.0.overloaded(retry_after));
        }
        let (tell, told) = oneshot::channel();
        let ticket = books.next_ticket;
        books.next_ticket += 1;
        books.queue(order).push_back(Waiter { ticket, since: Instant::now(), order, tell });
        Ok(Asked::Waits(Waiting { of: self.0.clone(), order, ticket, told }))
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
            (std::mem::take(&mut books.first), std::mem::take(&mut books.new))
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
            let (now, held, waits) = (self.0.begun.elapsed(), books.held, books.waiting() > 0);
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

    /// Whether new work that has to be done `within` a time would be let in now; if not, when another try has a chance.
    /// For whoever would have to write something before it asks; a refusal counts as one.
    ///
    /// # Errors
    /// It would be refused.
    pub(crate) fn would_admit(&self, within: Duration) -> Result<(), Duration> {
        if !self.is_limited() {
            return Ok(());
        }
        let mut books = self.0.books();
        let Some(limits) = books.limits.filter(|_| !books.is_free()) else { return Ok(()) };
        books.may_wait(Order::New(within), limits.queue).map_err(|why| books.refuse(why))
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
            waiting: books.waiting(),
            queue_limit: limits.queue,
            admitted: books.admission.limit(books.sizer.desired()).min(limits.queue),
            refused: books.refused,
            late: books.late,
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
    fn let_in(&self, books: &mut Books) -> Called {
        let size = if books.limits.is_some() { books.sizer.desired() } else { usize::MAX };
        let mut called = Called::default();
        while books.held < size {
            let Some(waiter) = books.first.pop_front().or_else(|| books.new.pop_front()) else { break };
            if waiter.tell.is_closed() {
                continue;
            }
            let passed = waiter.since.elapsed();
            if let Order::New(within) = waiter.order
                && size < usize::MAX
            {
                if !books.admission.is_in_time(within.saturating_sub(passed)) {
                    let retry_after = books.refuse(NoRoom::Late);
                    called.late.push((waiter, retry_after));
                    continue;
                }
                books.admission.entered(self.begun.elapsed(), passed, size);
            }
            books.held += 1;
            called.places.push(waiter);
        }
        self.changed(books);
        called
    }

    /// Not under the lock: who has just left gives the place back at once.
    fn tell(self: &Arc<Self>, called: Called) {
        for waiter in called.places {
            drop(waiter.tell.send(Ok(Permit::of(self))));
        }
        for (waiter, retry_after) in called.late {
            drop(waiter.tell.send(Err(retry_after)));
        }
    }

    fn overloaded(&self, retry_after: Duration) -> BulkheadError {
        BulkheadError::Overloaded { bulkhead: self.name.clone(), retry_after }
    }

    /// Nothing under this lock runs code of others.
    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    /// Whether whoever comes now need not wait.
    fn is_free(&self) -> bool {
        self.held < self.sizer.desired() && self.waiting() == 0
    }

    fn waiting(&self) -> usize {
        self.first.len() + self.new.len()
    }

    fn queue(&mut self, order: Order) -> &mut VecDeque<Waiter> {
        match order {
            Order::First => &mut self.first,
            Order::New(_) => &mut self.new,
        }
    }

    fn may_wait(&self, order: Order, queue: usize) -> Result<(), NoRoom> {
        match order {
            Order::First if self.first.len() >= queue => Err(NoRoom::Full),
            Order::First => Ok(()),
            Order::New(within) => {
                let crowd = Crowd { size: self.sizer.desired(), before: self.waiting(), queue };
                self.admission.new_work(crowd, within)
            }
        }
    }

    /// Counts one that had waited until its deadline.
    fn expire(&mut self) {
        self.expired += 1;
        self.sizer.miss(self.admission.mean());
    }

    /// Counts a refusal. When another try has a chance: when those that wait now have their places.
    fn refuse(&mut self, why: NoRoom) -> Duration {
        self.refused += 1;
        self.late += u64::from(why == NoRoom::Late);
        self.sizer.miss(self.admission.mean());
        self.admission.wait(self.waiting() + 1, self.sizer.desired()).clamp(LEAST_RETRY, LONGEST_RETRY)
    }
}

/// Without limits no place is counted.
fn size_of(limits: Option<SemaphoreLimits>) -> Size {
    limits.map_or(Size::Fixed(0), |limits| limits.size)
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore").field("status", &self.status()).finish()
    }
}
