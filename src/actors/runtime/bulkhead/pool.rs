//! The books of one bulkhead: what waits, which worker has what, and what becomes of those that do not come
//! back. Knows no actor and no thread.
//!
//! A worker's place is a slot. Its phases:
//!
//! 1. *down*: nobody works there; the supervisor starts somebody, after a pause when the last one died
//! 2. *idle*: waits to be woken
//! 3. *busy*: has a job
//! 4. *stuck*: has had it too long, and was not replaced because too many are leaked

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{Notify, oneshot},
    time::Instant,
};

use super::{BulkheadError, BulkheadLimits, BulkheadStatus};

/// The pause before a worker that died is replaced; it doubles while they go on dying, up to
/// [`LONGEST_PAUSE`]: whoever panics at every call must not keep a core busy with new threads.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

pub(super) struct Job {
    pub(super) work: Box<dyn FnOnce() + Send>,
    /// Tells the caller that nobody waits for the end any more. Closed when the caller has gone.
    pub(super) give_up: oneshot::Sender<()>,
}

/// Which worker: its slot, and its generation there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WorkerId {
    pub(super) slot: usize,
    pub(super) generation: u64,
}

/// What a worker does next.
pub(super) enum Next {
    Work(Box<dyn FnOnce() + Send>),
    /// Nothing to do: it will be woken.
    Wait,
    /// It was given up, or the bulkhead is stopping: it ends.
    Leave,
}

/// Wakes a worker.
pub(super) type Wake = Box<dyn Fn() + Send>;

pub(super) struct Pool {
    pub(super) name: Arc<str>,
    pub(super) limits: BulkheadLimits,
    /// Wakes the supervisor: a job was begun, or a worker ended.
    pub(super) changed: Notify,
    books: Mutex<Books>,
}

struct Books {
    open: bool,
    queue: VecDeque<Job>,
    slots: Vec<Slot>,
    leaked: usize,
    replaced: u64,
    refused: u64,
}

struct Slot {
    generation: u64,
    /// Workers that died here one after the other.
    deaths: u32,
    wake: Option<Wake>,
    /// Woken, and has not looked for work since: at most one wake-up is on its way.
    woken: bool,
    phase: Phase,
}

enum Phase {
    Down { not_before: Option<Instant> },
    Idle,
    Busy { since: Instant, give_up: oneshot::Sender<()> },
    Stuck,
}

impl Pool {
    pub(super) fn new(name: &str, limits: BulkheadLimits) -> Arc<Self> {
        let slot =
            || Slot { generation: 0, deaths: 0, wake: None, woken: false, phase: Phase::Down { not_before: None } };
        let slots = std::iter::repeat_with(slot).take(limits.threads).collect();
        let books = Books { open: false, queue: VecDeque::new(), slots, leaked: 0, replaced: 0, refused: 0 };
        Arc::new(Self { name: name.into(), limits, changed: Notify::new(), books: Mutex::new(books) })
    }

    /// Takes work from now on. Workers of a predecessor that was killed are given up.
    pub(super) fn open(&self) {
        let mut books = self.books();
        books.open = true;
        for slot in &mut books.slots {
            slot.deaths = 0;
        }
        for slot in 0..books.slots.len() {
            books.abandon(slot);
        }
    }

    /// Takes no more work: what waits is not begun, and workers end when they have nothing to do.
    pub(super) fn close(&self) {
        let waiting = {
            let mut books = self.books();
            books.open = false;
            for slot in &mut books.slots {
                slot.wake();
            }
            std::mem::take(&mut books.queue)
        };
        drop(waiting); // tells the callers
    }

    /// Hands a job to whoever is free next.
    ///
    /// # Errors
    /// What [`BulkheadError`] says is not begun.
    pub(super) fn submit(&self, job: Job) -> Result<(), BulkheadError> {
        let mut books = self.books();
        let idle = books.slots.iter().filter(|slot| matches!(slot.phase, Phase::Idle)).count();
        let refusal = if !books.open || books.is_exhausted() {
            Some(self.refusal(&books))
        } else if books.queue.len() >= self.limits.queue + idle {
            Some(BulkheadError::Overloaded { bulkhead: self.name.clone() })
        } else {
            None
        };
        if let Some(refusal) = refusal {
            books.refused += 1;
            return Err(refusal);
        }
        books.queue.push_back(job);
        // Whoever was woken goes on until the queue is empty, so it is enough when all of them are.
        if let Some(slot) = books.slots.iter_mut().find(|slot| matches!(slot.phase, Phase::Idle) && !slot.woken) {
            slot.wake();
        }
        Ok(())
    }

    /// Why a job that waited was dropped.
    pub(super) fn not_begun(&self) -> BulkheadError {
        self.refusal(&self.books())
    }

    fn refusal(&self, books: &Books) -> BulkheadError {
        let bulkhead = self.name.clone();
        if books.open { BulkheadError::Exhausted { bulkhead } } else { BulkheadError::Stopped { bulkhead } }
    }

    /// A new worker for a slot where nobody works. `None` when somebody does, or the bulkhead is closed.
    pub(super) fn hire(&self, slot: usize) -> Option<WorkerId> {
        let mut books = self.books();
        if !books.open {
            return None;
        }
        let place = books.slots.get_mut(slot)?;
        if !matches!(place.phase, Phase::Down { .. }) {
            return None;
        }
        place.generation += 1;
        place.phase = Phase::Idle;
        Some(WorkerId { slot, generation: place.generation })
    }

    /// How a worker is woken; it looks for work by itself first.
    pub(super) fn can_be_woken(&self, worker: WorkerId, wake: Wake) {
        if let Some(slot) = self.books().of(worker) {
            slot.wake = Some(wake);
        }
    }

    /// What `worker`, which has done what it had, does next. A job whose caller has gone is left out.
    pub(super) fn next(&self, worker: WorkerId, now: Instant) -> Next {
        let next = {
            let mut books = self.books();
            let open = books.open;
            let Books { queue, slots, .. } = &mut *books;
            let Some(slot) = slots.get_mut(worker.slot).filter(|slot| slot.generation == worker.generation) else {
                return Next::Leave;
            };
            slot.woken = false;
            let mut jobs = std::iter::from_fn(|| queue.pop_front());
            if let Some(job) = jobs.find(|job| !job.give_up.is_closed()) {
                slot.phase = Phase::Busy { since: now, give_up: job.give_up };
                Next::Work(job.work)
            } else {
                slot.phase = Phase::Idle;
                if open { Next::Wait } else { Next::Leave }
            }
        };
        if let Next::Work(_) = next {
            self.changed.notify_one();
        }
        next
    }

    /// A worker has done a job without dying.
    pub(super) fn survived(&self, worker: WorkerId) {
        if let Some(slot) = self.books().of(worker) {
            slot.deaths = 0;
        }
    }

    /// A worker has ended, however. Called exactly once for each.
    pub(super) fn ended(&self, worker: WorkerId, now: Instant) {
        {
            let mut books = self.books();
            let open = books.open;
            match books.of(worker) {
                Some(slot) => {
                    let pause = FIRST_PAUSE.saturating_mul(1 << slot.deaths.min(16)).min(LONGEST_PAUSE);
                    slot.deaths = slot.deaths.saturating_add(1);
                    slot.wake = None;
                    slot.woken = false;
                    slot.phase = Phase::Down { not_before: Some(now + pause) };
                    books.replaced += u64::from(open);
                }
                None => books.leaked = books.leaked.saturating_sub(1),
            }
        }
        self.changed.notify_one();
    }

    /// Gives up what is stuck. Which slots want a worker now, and when to look again.
    pub(super) fn look(&self, now: Instant) -> (Vec<usize>, Option<Instant>) {
        let waiting = {
            let mut books = self.books();
            for slot in 0..books.slots.len() {
                books.check(slot, now, self.limits);
            }
            if books.is_exhausted() { std::mem::take(&mut books.queue) } else { VecDeque::new() }
        };
        if !waiting.is_empty() {
            tracing::error!(bulkhead = %self.name, "every thread is stuck; what waits is refused");
        }
        drop(waiting);
        let books = self.books();
        let (mut wanted, mut again) = (Vec::new(), None::<Instant>);
        for (index, slot) in books.slots.iter().enumerate() {
            let at = match slot.phase {
                Phase::Down { not_before } => match not_before.filter(|at| *at > now) {
                    None => {
                        wanted.push(index);
                        continue;
                    }
                    later => later,
                },
                Phase::Busy { since, .. } => Some(since + self.limits.hard_limit),
                Phase::Idle | Phase::Stuck => None,
            };
            again = [again, at].into_iter().flatten().min();
        }
        (wanted, again)
    }

    /// Whether nobody works here any more but those that were given up.
    pub(super) fn is_empty(&self) -> bool {
        self.books().slots.iter().all(|slot| matches!(slot.phase, Phase::Down { .. } | Phase::Stuck))
    }

    pub(super) fn status(&self) -> BulkheadStatus {
        let books = self.books();
        let count = |is: fn(&Phase) -> bool| books.slots.iter().filter(|slot| is(&slot.phase)).count();
        let state = match (books.open, books.is_exhausted()) {
            (false, _) => "stopped",
            (true, true) => "exhausted",
            (true, false) => "running",
        };
        BulkheadStatus {
            name: self.name.to_string(),
            kind: "threads",
            state,
            threads: self.limits.threads,
            live: count(|phase| matches!(phase, Phase::Idle | Phase::Busy { .. })),
            busy: count(|phase| matches!(phase, Phase::Busy { .. } | Phase::Stuck)),
            leaked: books.leaked,
            replaced: books.replaced,
            queue: books.queue.len(),
            queue_limit: self.limits.queue,
            refused: books.refused,
        }
    }

    /// Nothing under this lock runs code of others but the dropping of a job that nobody waits for.
    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    /// The worker's slot, unless it was given up.
    fn of(&mut self, worker: WorkerId) -> Option<&mut Slot> {
        self.slots.get_mut(worker.slot).filter(|slot| slot.generation == worker.generation)
    }

    fn is_exhausted(&self) -> bool {
        self.slots.iter().all(|slot| matches!(slot.phase, Phase::Stuck))
    }

    /// Gives up on whoever works in this slot.
    fn abandon(&mut self, slot: usize) {
        let Some(slot) = self.slots.get_mut(slot) else { return };
        if !matches!(slot.phase, Phase::Down { .. }) {
            slot.wake(); // it leaves when it can
            slot.generation += 1;
            (slot.wake, slot.woken) = (None, false);
            self.leaked += 1;
        }
        slot.phase = Phase::Down { not_before: None };
    }

    fn check(&mut self, index: usize, now: Instant, limits: BulkheadLimits) {
        let Some(slot) = self.slots.get_mut(index) else { return };
        let overdue = match &slot.phase {
            Phase::Busy { since, .. } => now.saturating_duration_since(*since) >= limits.hard_limit,
            Phase::Stuck => true,
            Phase::Down { .. } | Phase::Idle => false,
        };
        if !overdue {
            return;
        }
        if let Phase::Busy { give_up, .. } = std::mem::replace(&mut slot.phase, Phase::Stuck) {
            let _gone = give_up.send(()).is_err();
        }
        if self.leaked < limits.max_leaked {
            self.abandon(index);
            self.replaced += 1;
        }
    }
}

impl Slot {
    fn wake(&mut self) {
        if let Some(wake) = self.wake.as_ref().filter(|_| !self.woken) {
            wake();
            self.woken = true;
        }
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("status", &self.status()).finish()
    }
}
