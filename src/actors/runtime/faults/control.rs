//! The faults of a running system: who asks, who waits, what is logged.
//!
//! While nothing is injected all of it is one relaxed load of [`FaultControl::any`].

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    book::{Book, Fired, Moment, Strike, Wait},
    fault::{AppendFault, FaultId},
    plan::{FaultPlan, InjectError},
    status::{FaultEnd, FaultStatus},
    target::{Scope, Subject},
};
use crate::{
    actors::{
        entity::{Injected, Unavailable},
        runtime::clock::Clock,
    },
    persistence::{AppendError, Refusal, StreamId},
};

/// How often a fault's happening is logged for everybody; from then on for those who look for it.
const LOGGED: u64 = 16;

/// When an append is worth another try that was refused as by a full disk: as with a disk that is full.
const FULL_RETRY: Duration = Duration::from_secs(5);

/// When an append is worth another try that was refused.
const REJECT_RETRY: Duration = Duration::from_secs(1);

/// All faults of a system.
pub(crate) struct FaultControl {
    /// Whether there is anything to look for.
    any: AtomicBool,
    clock: Clock,
    begun: Instant,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    book: Book,
    /// Told by those who end, heard by those who wait; one for each active fault.
    ends: HashMap<FaultId, CancellationToken>,
    /// The storage units whose journal takes no more writes since a fault, and which.
    poisoned: HashMap<Arc<str>, Arc<str>>,
    /// How many storage units have appends that wait: whoever comes has to wait behind them, also when the fault has ended.
    holding: usize,
}

/// A wait that a fault makes. Dropped when it is over, or given up.
pub(super) struct Delay {
    control: Arc<FaultControl>,
    id: FaultId,
    wait: Wait,
    ended: CancellationToken,
}

impl FaultControl {
    pub(crate) fn new(clock: Clock) -> Arc<Self> {
        let (any, begun, inner) = (AtomicBool::new(false), Instant::now(), Mutex::default());
        Arc::new(Self { any, clock, begun, inner })
    }

    /// Whether anything is injected.
    pub(crate) fn any(&self) -> bool {
        self.any.load(Ordering::Relaxed)
    }

    pub(super) fn inject(&self, plan: &FaultPlan, scope: Scope) -> Result<FaultStatus, InjectError> {
        let mut inner = self.lock();
        let injected = inner.book.inject(plan, scope, fastrand::u64(..), self.now());
        if let Ok(status) = &injected {
            inner.ends.insert(status.id, CancellationToken::new());
            let (fault, target, lasting) = (status.id, status.target.as_str(), status.lasting);
            tracing::warn!(%fault, target, injected = %status.fault, ?lasting, "a fault was injected");
        }
        self.settle(&mut inner);
        injected
    }

    pub(super) fn end(&self, id: FaultId) -> Option<FaultStatus> {
        let mut inner = self.lock();
        inner.book.expire(self.now());
        let ended = inner.book.end(id, FaultEnd::Removed, self.now());
        self.settle(&mut inner);
        ended
    }

    pub(super) fn list(&self) -> Vec<FaultStatus> {
        let mut inner = self.lock();
        let list = inner.book.list(self.now());
        self.settle(&mut inner);
        list
    }

    /// Waits as long as latencies on this subject say: at most until `deadline`, and no longer than they are there. The
    /// one that it waited in last.
    pub(crate) async fn delay(
        self: &Arc<Self>,
        subject: &Subject<'_>,
        correlation: &str,
        deadline: Instant,
        mut begins: impl FnMut(FaultId),
    ) -> Option<FaultId> {
        let mut last = None;
        while let Some(delay) = self.next_delay(subject, last, correlation) {
            last = Some(delay.id);
            begins(delay.id);
            delay.lasts(deadline.min(delay.over(Instant::now()))).await;
            if Instant::now() >= deadline {
                break;
            }
        }
        last
    }

    /// What this append waits in before the journal has it, and until when: in all of it at the same time.
    pub(super) fn slows(
        self: &Arc<Self>,
        unit: &Arc<str>,
        stream: &StreamId,
        correlation: &str,
    ) -> Vec<(Delay, Instant)> {
        let subject = Subject::Append { unit, kind: &stream.kind, key: &stream.key };
        let (mut delays, mut last, now) = (Vec::new(), None, Instant::now());
        while let Some(delay) = self.next_delay(&subject, last, correlation) {
            last = Some(delay.id);
            let until = delay.over(now);
            delays.push((delay, until));
        }
        delays
    }

    /// Appends of a storage unit begin to wait.
    pub(super) fn holds(&self) {
        let mut inner = self.lock();
        inner.holding += 1;
        self.settle(&mut inner);
    }

    /// None of a storage unit waits any more.
    pub(super) fn holds_no_more(&self) {
        let mut inner = self.lock();
        inner.holding = inner.holding.saturating_sub(1);
        self.settle(&mut inner);
    }

    fn next_delay(self: &Arc<Self>, subject: &Subject<'_>, after: Option<FaultId>, correlation: &str) -> Option<Delay> {
        let mut inner = self.lock();
        let met = inner.book.delay(subject, after, self.now());
        if met.is_some() {
            inner.book.touch(hash(correlation));
        }
        let delay = met.map(|met| {
            let millis = met.what.time.as_millis();
            log(&met, subject, correlation, format_args!("latency of {millis}ms"));
            let ended = inner.ends.get(&met.id).cloned().unwrap_or_default();
            Delay { control: self.clone(), id: met.id, wait: met.what, ended }
        });
        self.settle(&mut inner);
        delay
    }

    /// What is done to a command or a call instead of what it wants.
    pub(crate) fn strike(&self, subject: &Subject<'_>, correlation: &str) -> Option<Unavailable> {
        let mut inner = self.lock();
        let met = inner.book.strike(subject, self.now());
        if met.is_some() {
            inner.book.touch(hash(correlation));
        }
        self.settle(&mut inner);
        drop(inner);
        let met = met?;
        let (what, told) = match &met.what {
            Strike::Refuse(reason) => (Injected::Refused(reason.clone()), "error"),
            Strike::Panic => (Injected::Panicked, "panic"),
            Strike::Append(_) | Strike::Down => return None, // of other subjects
        };
        log(&met, subject, correlation, format_args!("{told}"));
        Some(injected(met.id, what))
    }

    /// Why an append is not handed over.
    pub(crate) fn append(&self, unit: &Arc<str>, stream: &StreamId, correlation: &str) -> Option<AppendError> {
        let subject = Subject::Append { unit, kind: &stream.kind, key: &stream.key };
        let mut inner = self.lock();
        if let Some(reason) = inner.poisoned.get(unit) {
            return Some(AppendError::Refused(Refusal::Poisoned(reason.clone())));
        }
        let met = inner.book.strike(&subject, self.now());
        let error = met.as_ref().and_then(|met| {
            let Strike::Append(how) = met.what else { return None };
            inner.book.touch(hash(correlation));
            let reason: Arc<str> = format!("the injected fault {}: append {}", met.id, how.name()).into();
            Some(match how {
                AppendFault::Reject => AppendError::Refused(Refusal::OnPurpose { reason, retry_after: REJECT_RETRY }),
                AppendFault::Full => AppendError::Refused(Refusal::OnPurpose { reason, retry_after: FULL_RETRY }),
                AppendFault::Fail | AppendFault::Tear => {
                    inner.poisoned.insert(unit.clone(), reason.clone());
                    AppendError::Unknown(reason)
                }
            })
        });
        self.settle(&mut inner);
        drop(inner);
        if let Some((met, error)) = met.zip(error.as_ref()) {
            log(&met, &subject, correlation, format_args!("{error}"));
        }
        error
    }

    /// Why the journal of this unit takes no more writes since a fault.
    pub(crate) fn poisoned(&self, unit: &str) -> Option<Arc<str>> {
        self.lock().poisoned.get(unit).cloned()
    }

    /// The journal of this unit was opened again.
    pub(crate) fn reopened(&self, unit: &str) {
        let mut inner = self.lock();
        inner.poisoned.remove(unit);
        self.settle(&mut inner);
    }

    /// The fault by which this service is not well.
    pub(crate) fn down(&self, service: &str) -> Option<FaultId> {
        let subject = Subject::Probe { service };
        let mut inner = self.lock();
        let met = inner.book.strike(&subject, self.now());
        self.settle(&mut inner);
        drop(inner);
        let met = met?;
        log(&met, &subject, "", format_args!("health down"));
        Some(met.id)
    }

    /// What became of a request that asked `subject`.
    pub(crate) fn told(&self, subject: &Subject<'_>, correlation: &str, has_failed: bool) {
        let mut inner = self.lock();
        if inner.book.listens() {
            inner.book.told(subject, hash(correlation), has_failed, self.now());
            self.settle(&mut inner);
        }
    }

    /// After every change: whoever waits in what has ended goes on, and the end is logged.
    fn settle(&self, inner: &mut Inner) {
        for status in inner.book.news() {
            if let Some(token) = inner.ends.remove(&status.id) {
                token.cancel();
            }
            let (fault, target, fired) = (status.id, status.target.as_str(), status.fired);
            if let Some((why, _)) = status.ended {
                tracing::warn!(%fault, target, injected = %status.fault, fired, %why, "an injected fault has ended");
            }
        }
        let any = inner.book.has_active() || !inner.poisoned.is_empty() || inner.holding > 0;
        self.any.store(any, Ordering::Relaxed);
    }

    fn now(&self) -> Moment {
        Moment { passed: self.begun.elapsed(), at: self.clock.now() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Delay {
    /// When it is over that began at `from`: not later than its fault.
    fn over(&self, from: Instant) -> Instant {
        let time = from + self.wait.time;
        self.wait.until.map_or(time, |until| time.min(self.control.begun + until))
    }

    /// Waits until then, and no longer than its fault is there.
    pub(super) async fn lasts(&self, until: Instant) {
        tokio::select! {
            () = tokio::time::sleep_until(until) => {}
            () = self.ended.cancelled() => {}
        }
    }
}

impl Drop for Delay {
    fn drop(&mut self) {
        let mut inner = self.control.lock();
        inner.book.waited(self.id, self.control.now());
        self.control.settle(&mut inner);
    }
}

/// What whoever meets a fault is told.
pub(crate) fn injected(fault: FaultId, what: Injected) -> Unavailable {
    Unavailable::Injected { fault: fault.to_string(), what }
}

fn hash(correlation: &str) -> u64 {
    xxhash_rust::xxh3::xxh3_64(correlation.as_bytes())
}

fn log<T>(met: &Fired<T>, subject: &Subject<'_>, correlation: &str, what: fmt::Arguments<'_>) {
    let (fault, nth) = (met.id, met.nth);
    let (kind, key) = subject.entity().unwrap_or_default();
    if nth <= LOGGED {
        tracing::info!(%fault, nth, kind, key, correlation, "injected: {what}");
    } else {
        tracing::debug!(%fault, nth, kind, key, correlation, "injected: {what}");
    }
}

impl fmt::Debug for FaultControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultControl").field("any", &self.any()).finish_non_exhaustive()
    }
}
