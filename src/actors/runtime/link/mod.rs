//! Synchronous links: what is between an entity that asks and the other service's entity that it asks.
//!
//! ```text
//! ask --> room? --> breaker? --> callee's mailbox       one call; its answer is judged and told to the breaker
//!          |full      |open
//!          +----------+--> refused at once, nothing was begun
//! ```
//!
//! A fault of the callee costs each caller at most the link's timeout, and after a few of them nothing. Asks within one
//! service have no link: they fail together.

mod breaker;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use schemars::JsonSchema;
use serde::Serialize;
use tokio::time::Instant;

pub use self::breaker::BreakerState;
use self::breaker::{Breaker, Permit, Verdict};
use super::{
    bulkhead::Semaphore,
    kinds::KindHost,
    remote::{Askable, Carrier, Elsewhere, RemoteTarget},
    system::System,
};
use crate::{
    actors::{
        entity::{AskError, Unavailable},
        supervision::{LinkConfig, SupervisionConfig},
    },
    measure::{Buckets, Histogram},
};

/// When another try has a chance while a link has no room: calls end all the time.
const FULL_RETRY: Duration = Duration::from_secs(1);

/// What a link has that says nothing else; the systems know those of their own.
const TIMEOUT: Duration = Duration::from_secs(1);

/// The link from one service to another.
#[derive(Debug)]
pub(crate) struct Link {
    /// `<system>.<caller>.<callee>`.
    name: String,
    callee: String,
    /// Replaced as a whole by a reload.
    config: RwLock<LinkConfig>,
    carrier: Carrier,
    /// The callee's, when it is in this process.
    places: Semaphore,
    begun: Instant,
    breaker: Mutex<Breaker>,
    in_flight: AtomicU32,
    calls: AtomicU64,
    failed: AtomicU64,
    retried: AtomicU64,
    refused_open: AtomicU64,
    refused_full: AtomicU64,
    seconds: Buckets,
}

/// A link as operators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LinkStatus {
    /// `<system>.<caller>.<callee>`.
    pub link: String,
    /// Where the callee is: `local`, or the address of another process.
    pub target: String,
    /// What its breaker does with calls.
    pub state: BreakerState,
    /// When an open one tries a call again: milliseconds from now.
    pub retry_after_ms: Option<u64>,
    /// How often it has opened since the start.
    pub opened: u64,
    /// Calls in the breaker's window.
    pub window_calls: u32,
    /// Of them, those that failed.
    pub window_failed: u32,
    /// Of them, those that were slow.
    pub window_slow: u32,
    /// Calls under way.
    pub in_flight: u32,
    /// Calls that may be under way.
    pub in_flight_limit: u32,
    /// Calls since the start.
    pub calls: u64,
    /// Calls since the start that failed: no answer in time, or the callee's decision panicked.
    pub failed: u64,
    /// Calls since the start that were made again because one before was not done.
    pub retried: u64,
    /// Calls since the start that were refused because the breaker was open.
    pub refused_open: u64,
    /// Calls since the start that were refused because too many were under way, or the callee had more to do than it can
    /// do in time.
    pub refused_full: u64,
    /// How often its breaker let calls through again to see how the callee is, since the start.
    pub half_opened: u64,
    /// How often its breaker closed again since the start.
    pub closed: u64,
    /// How long calls took, in microseconds.
    #[serde(skip)]
    pub seconds: Histogram,
}

/// A call that is made. Dropped without an end it says nothing about the callee.
#[derive(Debug)]
pub(crate) struct Call {
    link: Arc<Link>,
    permit: Option<Permit>,
    begun: Instant,
}

impl Link {
    fn new(name: String, callee: String, config: LinkConfig, places: Semaphore, carrier: Carrier) -> Arc<Self> {
        let breaker = Mutex::new(Breaker::new(config.breaker));
        let zero = || AtomicU64::new(0);
        Arc::new(Self {
            name,
            callee,
            config: RwLock::new(config),
            carrier,
            places,
            begun: Instant::now(),
            breaker,
            in_flight: AtomicU32::new(0),
            calls: zero(),
            failed: zero(),
            retried: zero(),
            refused_open: zero(),
            refused_full: zero(),
            seconds: Buckets::default(),
        })
    }

    /// `<system>.<caller>.<callee>`.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Lets a call through.
    ///
    /// # Errors
    /// The breaker is open, or too many are under way. Nothing was begun.
    pub(crate) fn enter(self: &Arc<Self>) -> Result<Call, Unavailable> {
        let entered = self.in_flight.fetch_add(1, Ordering::AcqRel);
        // Counted from here on, so that leaving early gives the room back.
        let mut call = Call { link: self.clone(), permit: None, begun: Instant::now() };
        if entered >= self.config().in_flight {
            self.refused_full.fetch_add(1, Ordering::Relaxed);
            return Err(self.away(format!("{entered} calls of {} are under way", self.name), FULL_RETRY));
        }
        match self.breaker().admit(self.now()) {
            Ok(permit) => call.permit = Some(permit),
            Err(wait) => {
                self.count_refused();
                return Err(self.is_open(wait));
            }
        }
        self.calls.fetch_add(1, Ordering::Relaxed);
        Ok(call)
    }

    /// Why no call would be let through now; `None` while one would.
    pub(crate) fn open(&self) -> Option<Unavailable> {
        let looked = self.breaker().look(self.now());
        looked.err().map(|wait| self.is_open(wait))
    }

    /// Why a call that is new work would not be in time now, however it ends; `None` when it has a chance. Asked before
    /// anything is written: a step that is begun and refused costs two appends more.
    fn crowded(&self) -> Option<Unavailable> {
        if self.elsewhere().is_some() {
            return None;
        }
        let within = self.config().timeout.unwrap_or(TIMEOUT);
        let retry_after = self.places.would_admit(within).err()?;
        Some(self.away(format!("more is asked of {} than it can do in time", self.callee), retry_after))
    }

    /// The other process that the callee is in, if it is.
    pub(crate) fn elsewhere(&self) -> Option<Elsewhere> {
        let target = RemoteTarget::of(&self.config())?;
        Some(Elsewhere::new(target, self.carrier.clone(), self.callee.clone()))
    }

    /// Counts a call that was not even tried, because of what [`open`](Self::open) said.
    pub(crate) fn count_refused(&self) {
        self.refused_open.fetch_add(1, Ordering::Relaxed);
    }

    fn is_open(&self, wait: Duration) -> Unavailable {
        self.away(format!("calls of {} failed, and its breaker is open", self.name), wait)
    }

    fn away(&self, reason: String, retry_after: Duration) -> Unavailable {
        Unavailable::Partner { partner: self.callee.clone(), reason, retry_after }
    }

    /// The pause before a call that was not done is made again; `None` after the last attempt.
    pub(crate) fn pause_after(&self, tries: u32) -> Option<Duration> {
        let config = self.config();
        (tries < config.attempts).then(|| config.pause.saturating_mul(1 << tries.saturating_sub(1).min(16)))
    }

    pub(crate) fn count_retry(&self) {
        self.retried.fetch_add(1, Ordering::Relaxed);
    }

    fn status(&self) -> LinkStatus {
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let now = self.now();
        let mut breaker = self.breaker();
        let calls = breaker.calls(now);
        let wait = breaker.look(now).err();
        LinkStatus {
            link: self.name.clone(),
            target: self.config().target.to_string(),
            state: breaker.state(now),
            retry_after_ms: wait.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
            opened: breaker.opened(),
            window_calls: calls.all,
            window_failed: calls.failed,
            window_slow: calls.slow,
            in_flight: self.in_flight.load(Ordering::Relaxed),
            in_flight_limit: self.config().in_flight,
            calls: count(&self.calls),
            failed: count(&self.failed),
            retried: count(&self.retried),
            refused_open: count(&self.refused_open),
            refused_full: count(&self.refused_full),
            half_opened: breaker.half_opened(),
            closed: breaker.closed(),
            seconds: self.seconds.read(),
        }
    }

    /// Goes on with other limits; false when they are the same. Calls that are under way keep their place.
    fn reconfigure(&self, config: &LinkConfig) -> bool {
        let mut known = self.config.write().unwrap_or_else(PoisonError::into_inner);
        if *known == *config {
            return false;
        }
        known.clone_from(config);
        drop(known);
        self.breaker().reconfigure(config.breaker, self.now());
        true
    }

    fn config(&self) -> RwLockReadGuard<'_, LinkConfig> {
        self.config.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        self.begun.elapsed()
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Call {
    /// Tells the breaker what came of it.
    pub(crate) fn end<T, R>(mut self, answer: &Result<T, AskError<R>>) {
        self.settle(verdict(answer));
    }

    /// Tells the breaker that the callee was not reached.
    pub(crate) fn missed(mut self) {
        self.settle(Verdict::Failed);
    }

    fn settle(&mut self, verdict: Verdict) {
        let Some(permit) = self.permit.take() else { return };
        let link = &self.link;
        if verdict == Verdict::Failed {
            link.failed.fetch_add(1, Ordering::Relaxed);
        }
        let took = self.begun.elapsed();
        link.seconds.took(took);
        let now = link.now();
        let mut breaker = link.breaker();
        let before = breaker.state(now);
        breaker.settle(permit, verdict, took, now);
        let after = breaker.state(now);
        drop(breaker);
        if before != after {
            let link = link.name.as_str();
            match after {
                BreakerState::Open => tracing::warn!(link, "calls failed; the breaker is open"),
                BreakerState::HalfOpen | BreakerState::Closed => tracing::info!(link, state = ?after, "breaker"),
            }
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.settle(Verdict::Void);
        self.link.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What an answer says about the callee. One that is stopped, full or quarantined has answered at once: a breaker would
/// only keep callers away when it is back. A storage that fails is the caller's trouble as well.
fn verdict<T, R>(answer: &Result<T, AskError<R>>) -> Verdict {
    match answer {
        Ok(_) => Verdict::Succeeded,
        Err(error) => match error {
            AskError::Rejected(_)
            | AskError::NotFound { .. }
            | AskError::Reused
            | AskError::RefusedByOperator { .. }
            | AskError::Moved { .. } => Verdict::Succeeded,
            AskError::Expired(_)
            | AskError::TimedOut(_)
            | AskError::Unavailable(Unavailable::Panicked | Unavailable::Injected { .. }) => Verdict::Failed,
            AskError::Overloaded { .. }
            | AskError::InProgress { .. }
            | AskError::Accepted
            | AskError::Unsettled { .. }
            | AskError::Unreadable { .. }
            | AskError::Unavailable(
                Unavailable::ServiceStopped { .. }
                | Unavailable::ShuttingDown
                | Unavailable::Quarantined { .. }
                | Unavailable::NotRecovered { .. }
                | Unavailable::Storage { .. }
                | Unavailable::Partner { .. },
            ) => Verdict::Void,
        },
    }
}

/// Every link, by the kinds of the asker and of the asked.
#[derive(Debug, Default)]
pub(crate) struct Links {
    by_kinds: BTreeMap<(&'static str, &'static str), Arc<Link>>,
    /// By name, each once.
    all: Vec<Arc<Link>>,
    /// Kinds and commands that may come from another process.
    askable: BTreeSet<(&'static str, &'static str)>,
}

impl Links {
    /// The links between these kinds: one for each pair of services, however many kinds ask in it.
    pub(crate) fn between(
        hosts: &[Arc<dyn KindHost>],
        askable: &Askable,
        config: &SupervisionConfig,
        carrier: &Carrier,
    ) -> Self {
        let mut links = Self { askable: askable.keys().copied().collect(), ..Self::default() };
        for caller in hosts {
            for kind in caller.asks() {
                let Some(callee) = hosts.iter().find(|host| host.kind() == *kind) else { continue };
                let (from, to) = (caller.service(), callee.service());
                if Arc::ptr_eq(from, to) {
                    continue;
                }
                let name = format!("{}.{}.{}", from.system, from.name, to.name);
                let known = links.all.iter().find(|link| link.name == name).cloned();
                let link = known.unwrap_or_else(|| {
                    let config = config.link(from.system, from.name, to.name).clone();
                    let link = Link::new(name, to.full_name.clone(), config, to.places.clone(), carrier.clone());
                    links.all.push(link.clone());
                    link
                });
                links.by_kinds.insert((caller.kind(), callee.kind()), link);
            }
        }
        links.all.sort_by(|a, b| a.name.cmp(&b.name));
        links
    }

    /// Gives each link what the configuration now says; the names of those for which that is something else.
    pub(crate) fn reconfigure(&self, config: &SupervisionConfig) -> Vec<String> {
        let changed = self.all.iter().filter(|link| {
            let mut parts = link.name.splitn(3, '.');
            let mut next = || parts.next().unwrap_or_default();
            link.reconfigure(config.link(next(), next(), next()))
        });
        changed.map(|link| link.name.clone()).collect()
    }

    pub(crate) fn of(&self, from: &'static str, to: &'static str) -> Option<&Arc<Link>> {
        self.by_kinds.get(&(from, to))
    }

    /// As [`of`](Self::of), for a command. A kind that may be asked from other processes at all may be asked for all that
    /// comes over its links: another one is a slip in the declaration of its service, which debug builds do not let pass.
    pub(crate) fn for_command(
        &self,
        from: &'static str,
        to: &'static str,
        command: &'static str,
    ) -> Option<&Arc<Link>> {
        let link = self.of(from, to);
        debug_assert!(
            link.is_none()
                || self.askable.contains(&(to, command))
                || !self.askable.iter().any(|(kind, _)| *kind == to),
            "`asked` is missing in the declaration of the service of {to}, for {command}"
        );
        link
    }

    /// Why a step of the kind `from` need not be begun: whomever of `asks` it would ask, that breaker is open, or that
    /// callee has more to do than it can.
    pub(crate) fn refuse(&self, from: &'static str, asks: &[&'static str]) -> Option<Unavailable> {
        let mut reason = None;
        for to in asks {
            let link = self.of(from, to)?;
            let open = link.open().map(|why| (why, &link.refused_open));
            reason = Some(open.or_else(|| link.crowded().map(|why| (why, &link.refused_full)))?);
        }
        let (why, count) = reason?;
        count.fetch_add(1, Ordering::Relaxed);
        Some(why)
    }
}

impl System {
    /// The synchronous links between its services, by name.
    pub fn links(&self) -> Vec<LinkStatus> {
        self.inner.kinds.links().all.iter().map(|link| link.status()).collect()
    }
}
