//! Which faults are active and which have ended, and what each subject meets: a pure function of the plans, their
//! seeds, and the order of the questions.
//!
//! ```text
//!  inject --> active --count used up, nobody waits in it--> ended (the last 64 are remembered)
//!               +--its time is over, an operator, errors elsewhere--> ended: who waits in it goes on at once
//! ```

use std::{
    collections::{HashSet, VecDeque},
    time::Duration,
};

use super::{
    chance::{Dice, is_in_share},
    elsewhere::Elsewhere,
    fault::{AppendFault, Fault, FaultId},
    plan::{FaultPlan, InjectError},
    status::{FaultEnd, FaultStatus},
    target::{Scope, Subject},
};
use crate::actors::entity::Timestamp;

/// Faults that may be active at a time; every command passes all of them. More are refused.
pub(crate) const MAX_ACTIVE: usize = 32;

/// Faults that are remembered after their end; the oldest are forgotten.
pub(crate) const MAX_ENDED: usize = 64;

/// Requests that are known to have met a fault. Beyond, the oldest are taken for untouched ones.
const MAX_TOUCHED: usize = 4096;

/// A moment: how long there have been faults here at all, and what the clock shows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) passed: Duration,
    pub(crate) at: Timestamp,
}

/// A fault that happens now.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fired<T> {
    pub(crate) id: FaultId,
    /// The how-manieth time, from 1.
    pub(crate) nth: u64,
    pub(crate) what: T,
}

/// A wait: so long, and at most until then.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Wait {
    pub(crate) time: Duration,
    pub(crate) until: Option<Duration>,
}

/// What is done to a subject instead of what it wanted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Strike {
    /// It is refused, for this reason.
    Refuse(String),
    /// It fails as by a panic.
    Panic,
    /// Its append goes wrong.
    Append(AppendFault),
    /// It is told that the service is not well.
    Down,
}

#[derive(Debug)]
struct Active {
    status: FaultStatus,
    scope: Scope,
    dice: Dice,
    until: Option<Duration>,
    elsewhere: Option<Elsewhere>,
}

/// All faults of a process.
#[derive(Debug, Default)]
pub(crate) struct Book {
    last: u64,
    active: Vec<Active>,
    ended: VecDeque<FaultStatus>,
    /// Those that ended since somebody asked last.
    news: Vec<FaultStatus>,
    touched: Touched,
}

impl Book {
    /// Begins a fault in `scope`. Its plan was checked.
    ///
    /// # Errors
    /// `TooMany`.
    pub(crate) fn inject(
        &mut self,
        plan: &FaultPlan,
        scope: Scope,
        seed: u64,
        now: Moment,
    ) -> Result<FaultStatus, InjectError> {
        self.expire(now);
        if self.active.len() >= MAX_ACTIVE {
            return Err(InjectError::TooMany { most: MAX_ACTIVE });
        }
        self.last += 1;
        let status = FaultStatus::new(FaultId(self.last), scope.to_string(), plan, now.at);
        let until = plan.lasting.and_then(|time| now.passed.checked_add(time));
        let (dice, elsewhere) = (Dice::new(plan.seed.unwrap_or(seed)), plan.stop_above.map(Elsewhere::new));
        self.active.push(Active { status: status.clone(), scope, dice, until, elsewhere });
        Ok(status)
    }

    /// Whether anything can happen to anybody.
    pub(crate) fn has_active(&self) -> bool {
        !self.active.is_empty()
    }

    /// The next latency that this subject meets behind the one called `after`. It is over with [`waited`](Self::waited).
    pub(crate) fn delay(&mut self, subject: &Subject<'_>, after: Option<FaultId>, now: Moment) -> Option<Fired<Wait>> {
        self.expire(now);
        let behind = |active: &&mut Active| after.is_none_or(|after| active.status.id > after);
        self.active.iter_mut().filter(behind).find_map(|active| {
            let Fault::Latency { base, spread } = active.status.fault else { return None };
            if !active.hits(subject) {
                return None;
            }
            active.status.waiting += 1;
            let wait = Wait { time: active.dice.between(base, spread), until: active.until };
            Some(active.fired(wait))
        })
    }

    /// A wait that the fault `id` made is over.
    pub(crate) fn waited(&mut self, id: FaultId, now: Moment) {
        if let Some(active) = self.active.iter_mut().find(|active| active.status.id == id) {
            active.status.waiting = active.status.waiting.saturating_sub(1);
        }
        self.sort_out(now);
    }

    /// The first error, panic, append fault or bad health that this subject meets.
    pub(crate) fn strike(&mut self, subject: &Subject<'_>, now: Moment) -> Option<Fired<Strike>> {
        self.expire(now);
        let struck = self.active.iter_mut().find_map(|active| {
            let strike = match &active.status.fault {
                Fault::Latency { .. } => return None,
                Fault::Error { reason } => Strike::Refuse(reason.clone()),
                Fault::Panic => Strike::Panic,
                Fault::Append(how) => Strike::Append(*how),
                Fault::HealthDown => Strike::Down,
            };
            let is_probed = matches!(subject, Subject::Probe { .. });
            (is_probed == (strike == Strike::Down) && active.hits(subject)).then(|| active.fired(strike))
        });
        self.sort_out(now);
        struck
    }

    /// A fault happened to something of this request.
    pub(crate) fn touch(&mut self, request: u64) {
        self.touched.insert(request);
    }

    /// What became of a request that asked `subject`. Where no fault touched it, faults that have nothing to do with it
    /// may end.
    pub(crate) fn told(&mut self, subject: &Subject<'_>, request: u64, has_failed: bool, now: Moment) {
        if self.touched.has(request) {
            return;
        }
        let mut ended = Vec::new();
        for active in &mut self.active {
            if active.scope.has(subject) {
                continue;
            }
            let too_many = active.elsewhere.as_mut().and_then(|elsewhere| elsewhere.count(has_failed, now.passed));
            ended.extend(too_many.map(|share| (active.status.id, share)));
        }
        for (id, share) in ended {
            self.end(id, FaultEnd::ErrorsElsewhere { share }, now);
        }
    }

    /// Whether what becomes of requests is of interest.
    pub(crate) fn listens(&self) -> bool {
        self.active.iter().any(|active| active.elsewhere.is_some())
    }

    /// Ends a fault; `None` when no active one is called so.
    pub(crate) fn end(&mut self, id: FaultId, why: FaultEnd, now: Moment) -> Option<FaultStatus> {
        let at = self.active.iter().position(|active| active.status.id == id)?;
        let mut status = self.active.remove(at).status;
        (status.ended, status.waiting, status.remaining) = (Some((why, now.at)), 0, None);
        if self.ended.len() >= MAX_ENDED {
            self.ended.pop_front();
        }
        self.ended.push_back(status.clone());
        self.news.push(status.clone());
        if self.active.is_empty() {
            self.touched = Touched::default();
        }
        Some(status)
    }

    /// Ends those whose time is over.
    pub(crate) fn expire(&mut self, now: Moment) {
        let is_over = |active: &&Active| active.until.is_some_and(|until| now.passed >= until);
        let over: Vec<FaultId> = self.active.iter().filter(is_over).map(|active| active.status.id).collect();
        for id in over {
            self.end(id, FaultEnd::TimeOver, now);
        }
    }

    /// Ends those whose count is used up and in which nobody waits.
    fn sort_out(&mut self, now: Moment) {
        let is_used_up = |active: &&Active| active.status.left() == Some(0) && active.status.waiting == 0;
        let used_up: Vec<FaultId> = self.active.iter().filter(is_used_up).map(|active| active.status.id).collect();
        for id in used_up {
            self.end(id, FaultEnd::UsedUp, now);
        }
    }

    /// Those that ended since this was asked last.
    pub(crate) fn news(&mut self) -> Vec<FaultStatus> {
        std::mem::take(&mut self.news)
    }

    /// The active ones in the order in which they were injected, then the ended ones, the last first.
    pub(crate) fn list(&mut self, now: Moment) -> Vec<FaultStatus> {
        self.expire(now);
        let active = self.active.iter().map(|active| {
            let remaining = active.until.map(|until| until.saturating_sub(now.passed));
            FaultStatus { remaining, ..active.status.clone() }
        });
        active.chain(self.ended.iter().rev().cloned()).collect()
    }
}

impl Active {
    fn hits(&mut self, subject: &Subject<'_>) -> bool {
        let status = &self.status;
        status.left() != Some(0)
            && self.scope.has(subject)
            && subject.entity().is_none_or(|(kind, key)| is_in_share(status.share, kind, key))
            && self.dice.hits(status.probability)
    }

    fn fired<T>(&mut self, what: T) -> Fired<T> {
        self.status.fired += 1;
        Fired { id: self.status.id, nth: self.status.fired, what }
    }
}

/// The requests that met a fault, as hashes of their correlation ids.
#[derive(Debug, Default)]
struct Touched {
    known: HashSet<u64>,
    oldest_first: VecDeque<u64>,
}

impl Touched {
    fn insert(&mut self, request: u64) {
        if !self.known.insert(request) {
            return;
        }
        self.oldest_first.push_back(request);
        if self.oldest_first.len() > MAX_TOUCHED
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.known.remove(&oldest);
        }
    }

    fn has(&self, request: u64) -> bool {
        self.known.contains(&request)
    }
}

#[cfg(test)]
mod tests;
