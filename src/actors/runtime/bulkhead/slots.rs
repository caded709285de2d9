//! The slots of a pool of threads, and what waits for them. Knows no actor and no thread.
//!
//! A worker's place is a slot. Its phases:
//!
//! 1. *down*: nobody works there; the supervisor starts somebody, after a pause when the last one died
//! 2. *idle*: waits to be woken
//! 3. *busy*: has a job
//! 4. *stuck*: has had it too long, and was not replaced because too many are leaked
//! 5. *leaving*: there are more slots than are wanted now; it is told to end when it has nothing to do

use std::{collections::VecDeque, time::Duration};

use tokio::{sync::oneshot, time::Instant};

use super::{ThreadLimits, autoscale::Sizer, pool::WorkerId};

pub(super) struct Job {
    pub(super) work: Box<dyn FnOnce() + Send>,
    /// Tells the caller that nobody waits for the end any more, and after how long. Closed when the caller has gone.
    pub(super) give_up: oneshot::Sender<Duration>,
}

/// Wakes a worker.
pub(super) type Wake = Box<dyn Fn() + Send>;

pub(super) struct Books {
    pub(super) open: bool,
    pub(super) limits: ThreadLimits,
    /// Slots from the number on that it desires are not filled again: at most the largest size that was ever wanted.
    pub(super) sizer: Sizer,
    pub(super) queue: VecDeque<Job>,
    pub(super) slots: Vec<Slot>,
    pub(super) leaked: usize,
    pub(super) replaced: u64,
    pub(super) refused: u64,
    /// When the supervisor looks again by itself, at the latest; `None` before it has looked.
    pub(super) looks_at: Option<Instant>,
}

pub(super) struct Slot {
    pub(super) generation: u64,
    /// Workers that died here one after the other.
    pub(super) deaths: u32,
    pub(super) wake: Option<Wake>,
    /// Woken, and has not looked for work since: at most one wake-up is on its way.
    pub(super) woken: bool,
    pub(super) phase: Phase,
}

pub(super) enum Phase {
    Down { not_before: Option<Instant> },
    Idle,
    Busy { since: Instant, give_up: oneshot::Sender<Duration> },
    Stuck,
    Leaving,
}

impl Books {
    /// Closed, with nobody at work.
    pub(super) fn new(limits: ThreadLimits) -> Self {
        let sizer = Sizer::new(limits.threads);
        let (queue, slots) = (VecDeque::new(), Vec::new());
        let (leaked, replaced, refused, looks_at) = (0, 0, 0, None);
        let mut books = Self { open: false, limits, sizer, queue, slots, leaked, replaced, refused, looks_at };
        books.fit();
        books
    }

    /// The worker's slot, unless it was given up.
    pub(super) fn of(&mut self, worker: WorkerId) -> Option<&mut Slot> {
        self.slots.get_mut(worker.slot).filter(|slot| slot.generation == worker.generation)
    }

    /// The slots that should be filled.
    pub(super) fn wanted(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter().take(self.sizer.desired())
    }

    /// Calls that are worked on.
    pub(super) fn busy(&self) -> usize {
        self.slots.iter().filter(|slot| matches!(slot.phase, Phase::Busy { .. } | Phase::Stuck)).count()
    }

    pub(super) fn is_exhausted(&self) -> bool {
        self.wanted().all(|slot| matches!(slot.phase, Phase::Stuck))
    }

    /// A slot for each worker that there should be; whoever is too many looks up and leaves.
    pub(super) fn fit(&mut self) {
        let desired = self.sizer.desired();
        let slot =
            || Slot { generation: 0, deaths: 0, wake: None, woken: false, phase: Phase::Down { not_before: None } };
        if self.slots.len() < desired {
            self.slots.resize_with(desired, slot);
        }
        // All of them: who leaves may have been woken for a job that somebody else has to take now.
        for slot in &mut self.slots {
            slot.wake();
        }
    }

    /// Gives up on whoever works in this slot.
    pub(super) fn abandon(&mut self, slot: usize) {
        let Some(slot) = self.slots.get_mut(slot) else { return };
        if !matches!(slot.phase, Phase::Down { .. }) {
            slot.wake(); // it leaves when it can
            slot.generation += 1;
            (slot.wake, slot.woken) = (None, false);
            self.leaked += 1;
        }
        slot.phase = Phase::Down { not_before: None };
    }

    pub(super) fn check(&mut self, index: usize, now: Instant) {
        let limits = self.limits;
        let Some(slot) = self.slots.get_mut(index) else { return };
        let overdue = match &slot.phase {
            Phase::Busy { since, .. } => now.saturating_duration_since(*since) >= limits.hard_limit,
            Phase::Stuck => true,
            Phase::Down { .. } | Phase::Idle | Phase::Leaving => false,
        };
        if !overdue {
            return;
        }
        if let Phase::Busy { give_up, .. } = std::mem::replace(&mut slot.phase, Phase::Stuck) {
            let _gone = give_up.send(limits.hard_limit).is_err();
        }
        if self.leaked < limits.max_leaked {
            self.abandon(index);
            self.replaced += 1;
        }
    }
}

impl Slot {
    pub(super) fn wake(&mut self) {
        if let Some(wake) = self.wake.as_ref().filter(|_| !self.woken) {
            wake();
            self.woken = true;
        }
    }
}
