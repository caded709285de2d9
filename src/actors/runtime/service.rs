//! A service while it runs: intake, budgets, counters, and the process that hosts its cells.

use std::{
    fmt,
    future::Future,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU8, AtomicU32, AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::future::{BoxFuture, FutureExt};
use tokio::{runtime::Handle, sync::Notify, time::Instant};
use tokio_util::{
    sync::CancellationToken,
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};

use super::{
    budget::{Budget, BudgetStatus},
    bulkhead::{BulkheadStatus, LOOK_EVERY, Semaphore},
    clock::Clock,
    dedup::KeyBudget,
    door::Door,
    entities::stopped,
    kinds::KindHost,
    limits::ServiceLimits,
    numbers::Numbers,
    patience::Patience,
    settings::SettingsCell,
    stall::Stall,
    unit::UnitRuntime,
};
use crate::actors::{
    entity::{AskError, Key, Unavailable},
    supervision::{Failure, Process, Running, Stop},
};

/// How often idle entities are looked for, and how busy the service is.
const SWEEP_EVERY: Duration = LOOK_EVERY;

/// Failures of entities per [`FAILURE_WINDOW`] above which the service as a whole is taken for broken and
/// restarted by its supervisor. One poisoned entity is quarantined long before it counts this much.
const MAX_FAILURES: usize = 1_000;
const FAILURE_WINDOW: Duration = Duration::from_secs(10);

/// The system of the runtime's own services.
pub(crate) const OWN: &str = "steadfast";

/// When a journal that answers nothing is worth another look: as often as we look.
const STALLED_RETRY: Duration = SWEEP_EVERY;

const STOPPED: u8 = 0;
const RUNNING: u8 = 1;
const STOPPING: u8 = 2;

/// One service: what its entities share.
pub(crate) struct ServiceRuntime {
    pub(crate) system: &'static str,
    pub(crate) name: &'static str,
    /// `<system>/<service>`.
    pub(crate) full_name: String,
    pub(crate) clock: Clock,
    pub(crate) settings: SettingsCell,
    pub(crate) budget: Arc<Budget>,
    pub(crate) keys: Arc<KeyBudget>,
    pub(crate) patience: Arc<Patience>,
    pub(crate) numbers: Numbers,
    pub(crate) recoveries: Semaphore,
    /// Where its commands are handled.
    pub(crate) places: Semaphore,
    pub(crate) door: Arc<Door>,
    phase: AtomicU8,
    drain: Duration,
    started: Instant,
    /// Whole seconds since then, as of the last sweep.
    second: AtomicU32,
    handle: Handle,
    tasks: TaskTracker,
    stop: Mutex<CancellationToken>,
    appends: AtomicUsize,
    appends_answered: Notify,
    asks: AtomicUsize,
    failures: AtomicUsize,
    stall: Stall,
}

impl ServiceRuntime {
    /// A stopped service. Called within the tokio runtime that will run its entities.
    pub(crate) fn new(
        system: &'static str,
        name: &'static str,
        clock: Clock,
        settings: SettingsCell,
        limits: ServiceLimits,
    ) -> Arc<Self> {
        let full_name = format!("{system}/{name}");
        Arc::new(Self {
            system,
            name,
            clock,
            settings,
            budget: Budget::new(limits.messages, limits.bytes, limits.in_flight),
            keys: KeyBudget::new(limits.command_keys),
            patience: Arc::default(),
            numbers: Numbers::default(),
            recoveries: Semaphore::new(&format!("{full_name} recoveries"), Some(limits.recoveries)),
            places: Semaphore::new(&full_name, limits.places),
            door: Arc::default(),
            full_name,
            phase: AtomicU8::new(STOPPED),
            drain: limits.drain,
            started: Instant::now(),
            second: AtomicU32::new(0),
            handle: Handle::current(),
            tasks: TaskTracker::new(),
            stop: Mutex::new(CancellationToken::new()),
            appends: AtomicUsize::new(0),
            appends_answered: Notify::new(),
            asks: AtomicUsize::new(0),
            failures: AtomicUsize::new(0),
            stall: Stall::default(),
        })
    }

    /// Other bounds from now on; true when they differ. What is under way goes on, also beyond them.
    pub(crate) fn resize(&self, limits: &ServiceLimits) -> bool {
        let resized = [
            self.budget.resize(limits.messages, limits.bytes, limits.in_flight),
            self.recoveries.resize(Some(limits.recoveries)),
            self.places.resize(limits.places),
        ];
        resized.contains(&true)
    }

    /// Its places as operators see them: without a bound of their own as many as may be under way.
    pub(crate) fn places_status(&self) -> BulkheadStatus {
        self.places.status().unwrap_or_else(|| self.budget.as_places(&self.full_name, self.state()))
    }

    /// Its work and its bounds as operators see them.
    pub(crate) fn budget_status(&self) -> BudgetStatus {
        self.budget.status(&self.recoveries.status().expect("recoveries have a bound"))
    }

    /// Whether messages are taken now.
    pub(crate) fn intake(&self) -> Result<(), Unavailable> {
        if self.phase.load(Ordering::Acquire) == RUNNING { Ok(()) } else { Err(stopped(&self.full_name)) }
    }

    /// As [`intake`](Self::intake), after waiting at a door that is held while the incarnation is replaced.
    ///
    /// # Errors
    /// `Unavailable`, or it waited too long or beside too many.
    pub(crate) async fn admits<R>(&self, deadline: Instant) -> Result<(), AskError<R>> {
        if self.door.is_held() {
            self.door.passed(self.budget.most_in_flight(), deadline).await?;
        }
        self.intake().map_err(AskError::Unavailable)
    }

    /// Whether it takes messages, or will in a moment: what it shows can be read.
    pub(crate) fn is_there(&self) -> Result<(), Unavailable> {
        if self.door.is_held() { Ok(()) } else { self.intake() }
    }

    /// `running`, `redeploying`, `stopping` or `stopped`.
    pub(crate) fn state(&self) -> &'static str {
        if self.door.is_held() {
            return "redeploying";
        }
        match self.phase.load(Ordering::Acquire) {
            RUNNING => "running",
            STOPPING => "stopping",
            _ => "stopped",
        }
    }

    /// Runs a task that the service's stop waits for. Callable from any thread.
    ///
    /// Boxed: a task of tokio's is some fifty functions, and every kind of entity has tasks of several types. As types
    /// of their own they were a tenth of the program.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn_on(task.boxed(), &self.handle);
    }

    /// Has the service's stop wait until the token is dropped.
    pub(crate) fn stay(&self) -> TaskTrackerToken {
        self.tasks.token()
    }

    /// Seconds since the service was built, as of its last sweep: for passivation, which sweeps. No turn pays for a look at
    /// the clock.
    pub(crate) fn second(&self) -> u32 {
        self.second.load(Ordering::Relaxed)
    }

    pub(crate) fn stop_token(&self) -> CancellationToken {
        self.stop.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether what is written now has a chance to be durable before `deadline`: not while the journal has answered nothing
    /// for longer than that. Nobody knows when it will; what is let in would wait in memory, and be late.
    ///
    /// # Errors
    /// It has none, and nothing of it was begun.
    pub(crate) fn is_in_time(&self, deadline: Instant) -> Result<(), Unavailable> {
        let stalled = self.stall.lasts(self.appends.load(Ordering::Acquire));
        if stalled.is_zero() || stalled <= deadline.saturating_duration_since(Instant::now()) {
            return Ok(());
        }
        let reason = format!("no append was answered for {stalled:?}");
        Err(Unavailable::Storage { reason, retry_after: STALLED_RETRY })
    }

    pub(crate) fn append_begun(&self) {
        self.appends.fetch_add(1, Ordering::AcqRel);
    }

    fn append_answered(&self) {
        self.stall.answered();
        if self.appends.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.appends_answered.notify_waiters();
        }
    }

    pub(crate) fn ask_opened(&self) {
        self.asks.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn ask_closed(&self) {
        self.asks.fetch_sub(1, Ordering::AcqRel);
    }

    /// An ask that is counted until the value is dropped.
    pub(crate) fn count_ask(self: &Arc<Self>) -> CountedAsk {
        self.ask_opened();
        CountedAsk(self.clone())
    }

    /// Asks of this service's entities that have no answer yet.
    pub(crate) fn open_asks(&self) -> usize {
        self.asks.load(Ordering::Acquire)
    }

    /// Appends that the journal has not answered yet, and messages that wait.
    pub(crate) fn unfinished(&self) -> usize {
        self.appends.load(Ordering::Acquire) + self.budget.waiting()
    }

    /// Messages that have no answer yet, and appends that are not answered.
    pub(crate) fn in_flight(&self) -> usize {
        self.budget.in_flight() + self.appends.load(Ordering::Acquire)
    }

    /// The time that a stop has for what was begun.
    pub(crate) fn drain_limit(&self) -> Duration {
        self.drain
    }

    pub(crate) fn entity_failed(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    async fn all_appends_answered(&self) {
        loop {
            let answered = self.appends_answered.notified();
            tokio::pin!(answered);
            answered.as_mut().enable();
            if self.appends.load(Ordering::Acquire) == 0 {
                return;
            }
            answered.await;
        }
    }
}

/// An append that counts as answered when this is dropped, also when telling it panics: the next incarnation waits for it.
pub(crate) struct AnsweredAtLast<'a>(pub(crate) &'a ServiceRuntime);

impl Drop for AnsweredAtLast<'_> {
    fn drop(&mut self) {
        self.0.append_answered();
    }
}

/// See [`ServiceRuntime::count_ask`].
pub(crate) struct CountedAsk(Arc<ServiceRuntime>);

impl Drop for CountedAsk {
    fn drop(&mut self) {
        self.0.ask_closed();
    }
}

impl fmt::Debug for ServiceRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceRuntime")
            .field("name", &self.full_name)
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

/// The long-lived process behind a service's cells: waits for the appends of its predecessor, opens the intake, resumes
/// what was begun, lets idle entities leave, and in the end closes the intake, drains and drops the cells.
pub(crate) struct Cells {
    pub(crate) service: Arc<ServiceRuntime>,
    pub(crate) unit: Arc<UnitRuntime>,
    pub(crate) hosts: Vec<Arc<dyn KindHost>>,
}

impl Process for Cells {
    fn start(&self, stop: Stop) -> BoxFuture<'static, Result<Running, Failure>> {
        let (service, unit, hosts) = (self.service.clone(), self.unit.clone(), self.hosts.clone());
        async move {
            // A predecessor that was killed has left cells behind.
            for host in &hosts {
                host.drop_cells();
            }
            let stopping = std::mem::take(&mut *service.stop.lock().unwrap_or_else(PoisonError::into_inner));
            stopping.cancel(); // for the timers of a predecessor that was killed
            // What a predecessor wrote and was not told of is not in the heads yet: it would be recovered without it.
            tokio::select! {
                () = service.all_appends_answered() => {}
                () = stop.requested() => return Ok(async { Ok(()) }.boxed()),
            }
            service.failures.store(0, Ordering::Relaxed);
            service.places.open();
            service.phase.store(RUNNING, Ordering::Release);
            service.door.open();
            wake_open_streams(&unit, &hosts);
            Ok(host_cells(service, hosts, stop).boxed())
        }
        .boxed()
    }
}

/// Streams with open asks are brought into memory, so that what was begun is finished.
pub(super) fn wake_open_streams(unit: &UnitRuntime, hosts: &[Arc<dyn KindHost>]) {
    let mut open: Vec<_> = hosts.iter().map(|host| (host.clone(), Vec::new())).collect();
    unit.journal.heads(&mut |stream, head| {
        let own = open.iter_mut().find(|(host, _)| head.open_asks && host.kind() == stream.kind.as_ref());
        if let Some((_, keys)) = own
            && let Ok(key) = Key::new(stream.key.as_ref())
        {
            keys.push(key);
        }
    });
    for (host, keys) in open {
        host.wake(keys);
    }
}

async fn host_cells(service: Arc<ServiceRuntime>, hosts: Vec<Arc<dyn KindHost>>, stop: Stop) -> Result<(), Failure> {
    let mut sweep = tokio::time::interval(SWEEP_EVERY);
    sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut window = Instant::now();
    let closed = ClosedAtLast { service: service.clone(), hosts: hosts.clone(), armed: true };
    let outcome = loop {
        tokio::select! {
            () = stop.requested() => break Ok(()),
            _ = sweep.tick() => {
                let second = u32::try_from(service.started.elapsed().as_secs()).unwrap_or(u32::MAX);
                service.second.store(second, Ordering::Relaxed);
                service.places.look();
                service.stall.look(service.appends.load(Ordering::Acquire), SWEEP_EVERY);
                for host in &hosts {
                    while !stop.is_requested() && host.sweep_some(second) {
                        tokio::task::yield_now().await;
                    }
                }
                let failures = service.failures.load(Ordering::Relaxed);
                if failures > MAX_FAILURES {
                    break Err(Failure::new(format!("{failures} entities failed within {FAILURE_WINDOW:?}")));
                }
                if window.elapsed() >= FAILURE_WINDOW {
                    service.failures.store(0, Ordering::Relaxed);
                    window = Instant::now();
                }
            }
        }
    };
    closed.disarm();
    halt(&service, &hosts).await;
    outcome
}

/// Closes the intake of a service whose cells end without having been halted, by a panic or a kill: what is not started
/// again must not go on taking commands.
struct ClosedAtLast {
    service: Arc<ServiceRuntime>,
    hosts: Vec<Arc<dyn KindHost>>,
    armed: bool,
}

impl ClosedAtLast {
    fn disarm(mut self) {
        self.armed = false;
    }
}

impl Drop for ClosedAtLast {
    fn drop(&mut self) {
        if self.armed {
            self.service.phase.store(STOPPED, Ordering::Release);
            let why = stopped(&self.service.full_name);
            self.hosts.iter().for_each(|host| host.refuse_queues(&why));
        }
    }
}

/// Closes the intake; what waits was not done; what was decided is waited for; what another entity is
/// asked for is resumed at the next start.
async fn halt(service: &ServiceRuntime, hosts: &[Arc<dyn KindHost>]) {
    service.phase.store(STOPPING, Ordering::Release);
    service.places.close();
    let why = stopped(&service.full_name);
    for host in hosts {
        host.refuse_queues(&why);
    }
    service.stop_token().cancel();
    service.tasks.close();
    let drained = async {
        service.tasks.wait().await;
        service.all_appends_answered().await;
    };
    if tokio::time::timeout(service.drain, drained).await.is_err() {
        tracing::warn!(service = service.full_name, limit = ?service.drain, "not drained within its limit");
    }
    for host in hosts {
        host.drop_cells();
    }
    service.tasks.reopen();
    service.phase.store(STOPPED, Ordering::Release);
}
