//! Whether a service is well, asked the way that its commands go.
//!
//! ```text
//! delay --> [ intake? shard? mailbox? task? recovery? turn? ] --answer--> pulse --ok--> period --> ...
//!             of each kind, in a cell that has no events                    |too often
//!                                                                          v
//!                                       this process fails, and the service with it: its supervisor restarts it
//! ```
//!
//! A probe has a place beside the service's budget, so that overload is not taken for illness. A storage that takes no
//! writes is its own supervisor's business: a restart of the services above it would heal nothing, so it is excused.

mod pulse;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    time::Duration,
};

use futures::future::{BoxFuture, FutureExt, join_all};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::time::Instant;

pub(crate) use self::pulse::Seen;
use self::pulse::{Pulse, Verdict};
use super::{
    clock::Clock, declare::Place, faults::FaultControl, host::Host, kinds::KindHost, off_thread::off_thread,
    service::ServiceRuntime, system::System, unit::UnitRuntime,
};
use crate::actors::{
    entity::{AskError, Entity, Key, Timestamp, Unavailable},
    supervision::{Failure, ProbeConfig, Process, Running, Stop, SupervisionConfig},
};

/// What the probes of a service say of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ProbeStatus {
    /// What the last one found.
    pub state: ProbeState,
    /// Failures in a row.
    pub failures: u32,
    /// Failures in a row that have the service restarted; 0 for never.
    pub threshold: u32,
    /// When the last one was answered, or was not in time.
    pub at: Option<Timestamp>,
    /// What it found, when that was not well.
    pub reason: Option<String>,
    /// Probes since the process started.
    pub probes: u64,
    /// Of them, those that failed.
    pub failed: u64,
}

/// What the last probe of a service found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ProbeState {
    /// The service does not run, or was started a moment ago.
    Waiting,
    /// It answered in time.
    Well,
    /// It did not.
    Ill,
    /// It could not be asked for a reason that is not its own.
    Excused,
}

/// What is known of a service's probes, beyond its restarts.
pub(crate) struct Vitals {
    status: Mutex<ProbeStatus>,
}

impl Vitals {
    pub(crate) fn new(config: ProbeConfig) -> Arc<Self> {
        let status = ProbeStatus {
            state: ProbeState::Waiting,
            failures: 0,
            threshold: config.threshold,
            at: None,
            reason: None,
            probes: 0,
            failed: 0,
        };
        Arc::new(Self { status: Mutex::new(status) })
    }

    /// One for each service, by its full name.
    pub(crate) fn by_service<'a>(
        services: impl Iterator<Item = &'a ServiceRuntime>,
        config: &SupervisionConfig,
    ) -> BTreeMap<String, Arc<Self>> {
        let vitals = |service: &ServiceRuntime| Self::new(config.probe(service.system, service.name));
        services.map(|service| (service.full_name.clone(), vitals(service))).collect()
    }

    pub(crate) fn status(&self) -> ProbeStatus {
        self.lock().clone()
    }

    fn wait(&self) {
        let mut status = self.lock();
        (status.state, status.failures) = (ProbeState::Waiting, 0);
    }

    fn tell(&self, seen: &Seen, failures: u32, at: Timestamp) {
        let mut status = self.lock();
        let (state, reason) = match seen {
            Seen::Well => (ProbeState::Well, None),
            Seen::Ill(why) => (ProbeState::Ill, Some(why.to_string())),
            Seen::Excused(why) => (ProbeState::Excused, Some(why.to_string())),
        };
        status.probes += 1;
        status.failed += u64::from(state == ProbeState::Ill);
        (status.state, status.reason, status.failures, status.at) = (state, reason, failures, Some(at));
    }

    fn lock(&self) -> MutexGuard<'_, ProbeStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Vitals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Vitals").field(&self.status()).finish()
    }
}

/// Why a kind did not answer its probe.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NoAnswer {
    /// The service is being stopped, so nothing is asked of it.
    Stopping,
    /// What it said instead.
    Wrong(String),
}

/// Asks a service again and again whether it is well; fails when it is not, too often in a row.
#[derive(Clone)]
pub(crate) struct Probe {
    pub(crate) unit: Arc<UnitRuntime>,
    pub(crate) hosts: Vec<Arc<dyn KindHost>>,
    pub(crate) config: ProbeConfig,
    pub(crate) clock: Clock,
    pub(crate) faults: Arc<FaultControl>,
    /// Its full name.
    pub(crate) service: String,
    pub(crate) vitals: Arc<Vitals>,
}

impl Process for Probe {
    fn start(&self, stop: Stop) -> BoxFuture<'static, Result<Running, Failure>> {
        let probe = self.clone();
        async move {
            let running = async move {
                tokio::select! {
                    () = stop.requested() => {
                        probe.vitals.wait();
                        Ok(())
                    }
                    failure = probe.until_ill() => Err(failure),
                }
            };
            Ok(running.boxed())
        }
        .boxed()
    }
}

impl System {
    /// The probe of the service at this place.
    pub(super) fn probe(&self, place: &Place, hosts: &[Arc<dyn KindHost>]) -> Probe {
        let Place { service, unit } = place;
        let config = self.config().probe(service.system, service.name);
        let vitals = self.inner.vitals.get(&service.full_name).cloned().unwrap_or_else(|| Vitals::new(config));
        let (faults, service) = (self.inner.faults.clone(), service.full_name.clone());
        Probe { unit: unit.clone(), hosts: hosts.to_vec(), config, clock: self.clock(), faults, service, vitals }
    }
}

impl Probe {
    async fn until_ill(&self) -> Failure {
        let started = Instant::now();
        let mut pulse = Pulse::new(self.config.threshold);
        self.vitals.wait();
        tokio::time::sleep(self.config.delay).await;
        let mut turn = tokio::time::interval(self.config.period);
        turn.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        for number in 0.. {
            turn.tick().await;
            let seen = self.look(number).await;
            let verdict = pulse.observe(started.elapsed(), &seen);
            self.vitals.tell(&seen, pulse.failures(), self.clock.now());
            if let Verdict::Restart { reason, well_for } = verdict {
                return Failure::new(reason).after_being_well_for(well_for);
            }
        }
        Failure::new("probes are not without end")
    }

    pub(super) async fn look(&self, number: u64) -> Seen {
        if let Some(fault) = self.faults.down(&self.service) {
            return Seen::Ill(format!("not well by the injected fault {fault}").into());
        }
        if let Some(why) = self.unit.poisoned() {
            return Seen::Excused(format!("the storage {} takes no writes: {why}", self.unit.name).into());
        }
        let within = self.config.timeout;
        let asked = self.hosts.iter().map(|host| async move {
            let kind = host.kind();
            match tokio::time::timeout(within, host.clone().probe(number, within)).await {
                Ok(Ok(())) => Seen::Well,
                Ok(Err(NoAnswer::Stopping)) => Seen::Excused("the service is being stopped".into()),
                Ok(Err(NoAnswer::Wrong(why))) => Seen::Ill(format!("{kind}: {why}").into()),
                Err(_) => Seen::Ill(format!("{kind}: no answer within {within:?}").into()),
            }
        });
        let answers = join_all(asked).await;
        let of = |ill: bool| {
            answers.iter().find(|seen| if ill { matches!(seen, Seen::Ill(_)) } else { **seen != Seen::Well })
        };
        of(true).or_else(|| of(false)).cloned().unwrap_or(Seen::Well)
    }
}

/// Has a host count one cell less while it is there.
struct Probing<E: Entity>(Arc<Host<E>>);

impl<E: Entity> Probing<E> {
    fn of(host: &Arc<Host<E>>) -> Self {
        host.probing.fetch_add(1, Ordering::Relaxed);
        Self(host.clone())
    }
}

impl<E: Entity> Drop for Probing<E> {
    fn drop(&mut self) {
        self.0.probing.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<E: Entity> Host<E> {
    /// Whether a cell without events answers within this time.
    pub(super) async fn answers(self: Arc<Self>, number: u64, within: Duration) -> Result<(), NoAnswer> {
        /// Cells that are asked in turn, so that one partition after the other is.
        const PROBED: u64 = 64;
        let key = Key::derived("probe", &[E::KIND.as_bytes(), &(number % PROBED).to_le_bytes()]);
        let deadline = Instant::now() + within;
        let wrong = |why: &dyn fmt::Display| NoAnswer::Wrong(why.to_string());
        let (host, asked) = (self.clone(), key.clone());
        let _counted = Probing::of(&self);
        // A lock that is never given back must not cost the runtime a thread for each probe.
        let sent = off_thread(move || host.send_probe(&asked, deadline)).await;
        let answered = match sent {
            Err(ended) => Err(wrong(&ended)),
            Ok(Err(AskError::Unavailable(Unavailable::ServiceStopped { .. }))) => Err(NoAnswer::Stopping),
            Ok(Err(error)) => Err(wrong(&error)),
            Ok(Ok((answer, _))) => match answer.await {
                Ok(Ok(_)) => Ok(()),
                Ok(Err(AskError::Unavailable(Unavailable::ServiceStopped { .. }))) => Err(NoAnswer::Stopping),
                Ok(Err(error)) => Err(wrong(&error)),
                Err(_) => Err(wrong(&"its runtime ended before it answered")),
            },
        };
        tokio::task::yield_now().await; // its run ends a moment after its answer
        // One that is not at rest yet leaves memory with the idle ones.
        self.drop_if_at_rest(&key);
        answered
    }
}
