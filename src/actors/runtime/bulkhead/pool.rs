//! The books of one pool of threads: what waits, which worker has what, and what becomes of those that do not come
//! back. Each call takes the lock, changes the [slots](super::slots), and wakes whom it concerns.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use super::{
    BulkheadError, BulkheadStatus, LOOK_EVERY, ThreadLimits,
    slots::{Books, Job, Phase, Slot, Wake},
};

/// The pause before a worker that died is replaced; it doubles while they go on dying, up to
/// [`LONGEST_PAUSE`]: whoever panics at every call must not keep a core busy with new threads.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// When another try has a chance while the pool is full. Short, since it is full of calls that end.
const WHEN_FULL: Duration = Duration::from_millis(20);

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

/// Whether jobs wait for a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waiting {
    None,
    Some,
}

pub(super) struct Pool {
    pub(super) name: Arc<str>,
    begun: Instant,
    /// Wakes the supervisor: a job was begun that may be stuck before it looks, a worker ended, or there should be more.
    pub(super) changed: Notify,
    books: Mutex<Books>,
}

impl Pool {
    pub(super) fn new(name: &str, limits: ThreadLimits) -> Arc<Self> {
        Arc::new(Self {
            name: name.into(),
            begun: Instant::now(),
            changed: Notify::new(),
            books: Mutex::new(Books::new(limits)),
        })
    }

    pub(super) fn limits(&self) -> ThreadLimits {
        self.books().limits
    }

    /// Other limits from now on; true when they differ.
    pub(super) fn resize(&self, limits: ThreadLimits) -> bool {
        {
            let mut books = self.books();
            if books.limits == limits {
                return false;
            }
            books.limits = limits;
            books.sizer.resize(limits.threads);
            books.fit();
        }
        self.changed.notify_one();
        true
    }

    /// Looks how busy it was since the last time, and follows its load where it may.
    pub(super) fn look_at_load(&self) {
        {
            let mut books = self.books();
            let (now, busy, waits) = (self.begun.elapsed(), books.busy(), !books.queue.is_empty());
            let before = books.sizer.desired();
            books.sizer.look(now, busy, waits);
            let (after, share) = (books.sizer.desired(), books.sizer.share().as_f64());
            if before == after {
                return;
            }
            books.fit();
            tracing::info!(bulkhead = %self.name, before, after, share, "resized");
        }
        self.changed.notify_one();
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
        let idle = books.wanted().filter(|slot| matches!(slot.phase, Phase::Idle)).count();
        let refusal = if !books.open || books.is_exhausted() {
            Some(self.refusal(&books))
        } else if books.queue.len() >= books.limits.queue + idle {
            Some(BulkheadError::Overloaded { bulkhead: self.name.clone(), retry_after: WHEN_FULL })
        } else {
            None
        };
        if let Some(refusal) = refusal {
            books.refused += 1;
            if matches!(refusal, BulkheadError::Overloaded { .. }) {
                books.sizer.miss(Duration::ZERO);
            }
            return Err(refusal);
        }
        books.queue.push_back(job);
        // Whoever was woken goes on until the queue is empty, so it is enough when all of them are.
        let desired = books.sizer.desired();
        let mut wanted = books.slots.iter_mut().take(desired);
        // Who cannot be woken yet will look once it can.
        let is_asleep = |slot: &&mut Slot| matches!(slot.phase, Phase::Idle) && slot.wake.is_some() && !slot.woken;
        if let Some(slot) = wanted.find(is_asleep) {
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
        if !books.open || slot >= books.sizer.desired() {
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

    /// How a worker is woken. It looks for work by itself first, and may have done so already: what has come since could
    /// not wake it, so that it is sent to look once more.
    pub(super) fn can_be_woken(&self, worker: WorkerId, wake: Wake) {
        if let Some(slot) = self.books().of(worker) {
            slot.wake = Some(wake);
            slot.wake();
        }
    }

    /// What `worker`, which has done what it had, does next. A job whose caller has gone is left out.
    pub(super) fn next(&self, worker: WorkerId, now: Instant) -> Next {
        let (next, is_too_late) = {
            let mut books = self.books();
            let (open, desired) = (books.open, books.sizer.desired());
            let stuck_at = now + books.limits.hard_limit;
            let is_too_late = books.looks_at.is_none_or(|at| stuck_at < at);
            let Books { queue, slots, .. } = &mut *books;
            let Some(slot) = slots.get_mut(worker.slot).filter(|slot| slot.generation == worker.generation) else {
                return Next::Leave;
            };
            slot.woken = false;
            let next = if open && worker.slot >= desired {
                slot.phase = Phase::Leaving;
                Next::Leave
            } else if let Some(job) = std::iter::from_fn(|| queue.pop_front()).find(|job| !job.give_up.is_closed()) {
                slot.phase = Phase::Busy { since: now, give_up: job.give_up };
                Next::Work(job.work)
            } else {
                slot.phase = Phase::Idle;
                if open { Next::Wait } else { Next::Leave }
            };
            self.measure(&mut books);
            (next, is_too_late)
        };
        if is_too_late && matches!(next, Next::Work(_)) {
            self.changed.notify_one();
        }
        next
    }

    /// A worker has done a job without dying. Whether another waits.
    pub(super) fn survived(&self, worker: WorkerId) -> Waiting {
        let mut books = self.books();
        if let Some(slot) = books.of(worker) {
            slot.deaths = 0;
        }
        if books.queue.is_empty() { Waiting::None } else { Waiting::Some }
    }

    /// A worker has ended, however. Called exactly once for each.
    pub(super) fn ended(&self, worker: WorkerId, now: Instant) {
        {
            let mut books = self.books();
            let open = books.open;
            match books.of(worker) {
                Some(slot) if matches!(slot.phase, Phase::Leaving) => {
                    (slot.wake, slot.woken) = (None, false);
                    slot.phase = Phase::Down { not_before: None };
                }
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
            self.measure(&mut books);
        }
        self.changed.notify_one();
    }

    /// Gives up what is stuck. Which slots want a worker now, and when to look again.
    pub(super) fn look(&self, now: Instant) -> (Vec<usize>, Option<Instant>) {
        let waiting = {
            let mut books = self.books();
            for slot in 0..books.slots.len() {
                books.check(slot, now);
            }
            if books.is_exhausted() { std::mem::take(&mut books.queue) } else { VecDeque::new() }
        };
        if !waiting.is_empty() {
            tracing::error!(bulkhead = %self.name, "every thread is stuck; what waits is refused");
        }
        drop(waiting);
        let mut books = self.books();
        let (mut wanted, mut again) = (Vec::new(), None::<Instant>);
        for (index, slot) in books.slots.iter().enumerate() {
            let at = match slot.phase {
                Phase::Down { .. } if index >= books.sizer.desired() => None,
                Phase::Down { not_before } => match not_before.filter(|at| *at > now) {
                    None => {
                        wanted.push(index);
                        continue;
                    }
                    later => later,
                },
                Phase::Busy { since, .. } => Some(since + books.limits.hard_limit),
                Phase::Idle | Phase::Stuck | Phase::Leaving => None,
            };
            again = [again, at].into_iter().flatten().min();
        }
        let at_the_latest = now + LOOK_EVERY;
        books.looks_at = Some(again.map_or(at_the_latest, |again| again.min(at_the_latest)));
        (wanted, again)
    }

    /// Whether nobody works here any more but those that were given up.
    pub(super) fn is_empty(&self) -> bool {
        self.books().slots.iter().all(|slot| matches!(slot.phase, Phase::Down { .. } | Phase::Stuck))
    }

    pub(super) fn status(&self) -> BulkheadStatus {
        let books = self.books();
        let state = match (books.open, books.is_exhausted()) {
            (false, _) => "stopped",
            (true, true) => "exhausted",
            (true, false) => "running",
        };
        let (min, max) = books.limits.threads.bounds();
        let works = |slot: &&Slot| matches!(slot.phase, Phase::Idle | Phase::Busy { .. });
        BulkheadStatus {
            name: self.name.to_string(),
            kind: "threads",
            state,
            min,
            max,
            desired: books.sizer.desired(),
            current: books.slots.iter().filter(works).count(),
            in_flight: books.busy(),
            waiting: books.queue.len(),
            queue_limit: books.limits.queue,
            admitted: books.limits.queue,
            refused: books.refused,
            late: 0,
            expired: 0,
            busy_share: books.sizer.share().as_f64(),
            leaked: books.leaked,
            replaced: books.replaced,
        }
    }

    fn measure(&self, books: &mut Books) {
        let busy = books.busy();
        books.sizer.measure(self.begun.elapsed(), busy);
    }

    /// Nothing under this lock runs code of others but the dropping of a job that nobody waits for.
    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("status", &self.status()).finish()
    }
}
