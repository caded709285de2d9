//! What operators see and do: services, consumers, dead letters.

use std::{sync::Arc, time::Duration};

use schemars::JsonSchema;
use serde::Serialize;
use tokio::time::Instant;

use super::{
    budget::BudgetStatus,
    bulkhead::{BulkheadStatus, ThreadPool},
    dispatcher::{LetterError, LetterPlace},
    probe::ProbeStatus,
    projector::ViewError,
    service::ServiceRuntime,
    system::System,
};
use crate::actors::{
    entity::{DeadLetter, DeadLetterId, Unavailable},
    supervision::{NodeState, PastFailure, TreeNode},
};

/// A service as operators see it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ServiceStatus {
    /// The system.
    pub system: String,
    /// The service.
    pub service: String,
    /// `running`, `redeploying`, `stopping` or `stopped`; `backoff` when it failed and is about to be started again, `failed` when it
    /// was given up until an operator starts it.
    pub state: &'static str,
    /// How often its supervisor started it again.
    pub restarts: u64,
    /// Why it last went down.
    pub last_reason: Option<String>,
    /// Its last failures, oldest first, and what was done about each.
    pub failures: Vec<PastFailure>,
    /// What its probes say.
    pub probe: Option<ProbeStatus>,
    /// Entities in memory.
    pub live: usize,
    /// Messages that wait in its mailboxes.
    pub waiting: usize,
    /// Asks of its entities that have no answer yet.
    pub open_asks: usize,
    /// What its work may come to, and comes to.
    pub budget: BudgetStatus,
}

/// One partition of one policy, view or connector.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ConsumerStatus {
    /// The policy, view or outbound.
    pub name: String,
    /// Its system.
    pub system: String,
    /// Its service.
    pub service: String,
    /// The storage unit that it reads.
    pub unit: String,
    /// The partition of that unit.
    pub partition: u16,
    /// Everything up to here has been dealt with.
    pub cursor: u64,
    /// Events behind the durable head.
    pub lag: u64,
    /// `running`, `waiting`, `stopped` or `refused`.
    pub state: &'static str,
    /// Why it is refused: what it would have to read was deleted, or cannot be decoded by this release.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// A dead letter with where it waits.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct WaitingLetter {
    /// What retry and discard take.
    pub id: String,
    /// The policy or outbound that it belongs to.
    pub policy: String,
    /// The letter.
    pub letter: DeadLetter,
}

/// Why a service could not be stopped or started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// No service has this name.
    #[error("there is no service {0}")]
    Unknown(String),
    /// The supervision tree could not do it.
    #[error("{0}")]
    Failed(String),
}

impl System {
    /// Every service, in the order in which they start.
    pub fn services(&self) -> Vec<ServiceStatus> {
        self.inner.services.iter().map(|place| self.service_status(place)).collect()
    }

    fn service_status(&self, service: &ServiceRuntime) -> ServiceStatus {
        let hosts = self.inner.hosts.iter().filter(|host| std::ptr::eq(Arc::as_ptr(host.service()), service));
        let node = self.standing(&service.full_name);
        let state = match node.as_ref().map(|node| node.state) {
            Some(NodeState::Backoff) => "backoff",
            Some(NodeState::Failed) => "failed",
            _ => service.state(),
        };
        let (restarts, last_reason, failures) =
            node.map(|node| (node.restarts, node.last_reason, node.failures)).unwrap_or_default();
        ServiceStatus {
            system: service.system.to_owned(),
            service: service.name.to_owned(),
            state,
            restarts,
            last_reason,
            failures,
            probe: self.inner.vitals.get(&service.full_name).map(|vitals| vitals.status()),
            live: hosts.map(|host| host.live()).sum(),
            waiting: service.budget.waiting(),
            open_asks: service.open_asks(),
            budget: service.budget_status(),
        }
    }

    /// The place of a service in the tree; `None` before all has been started once.
    fn standing(&self, service: &str) -> Option<TreeNode> {
        self.inner.guardian.get()?.node(&["services", service])
    }

    /// The services that are away while the others go on, each with its state and the reason.
    pub fn degraded(&self) -> Vec<String> {
        let services = self.inner.services.iter().map(|place| self.service_status(place));
        let away = services.filter(|service| !matches!(service.state, "running" | "redeploying"));
        let told = away.map(|ServiceStatus { system, service, state, last_reason, .. }| match last_reason {
            Some(reason) if state != "stopped" => format!("{system}/{service}: {state}: {reason}"),
            _ => format!("{system}/{service}: {state}"),
        });
        told.collect()
    }

    /// Whether a service takes commands and reads, now or once its redeploy is through, its names in any case; nothing is said of a service
    /// that is not there.
    ///
    /// # Errors
    /// `ServiceStopped`.
    pub fn accepts(&self, system: &str, service: &str) -> Result<(), Unavailable> {
        let known = self
            .inner
            .services
            .iter()
            .find(|known| known.name.eq_ignore_ascii_case(service) && known.system.eq_ignore_ascii_case(system));
        known.map_or(Ok(()), |known| known.is_there())
    }

    /// Stops a service, `<system>/<service>` in any case: its commands and reads are refused, its policies
    /// and views pause. Returns when it has stopped; stopping it again does nothing.
    ///
    /// # Errors
    /// [`ServiceError`].
    ///
    /// # Cancel safety
    /// Dropping the future does not stop the stop.
    pub async fn stop_service(&self, name: &str) -> Result<ServiceStatus, ServiceError> {
        self.operate(name, Operation::Stop).await
    }

    /// Starts a stopped service. Returns when it runs: not before the journal has answered all that it wrote earlier.
    ///
    /// # Errors
    /// [`ServiceError`].
    ///
    /// # Cancel safety
    /// As [`stop_service`](Self::stop_service).
    pub async fn start_service(&self, name: &str) -> Result<ServiceStatus, ServiceError> {
        self.operate(name, Operation::Start).await
    }

    /// Stops a service and starts it again.
    ///
    /// # Errors
    /// [`ServiceError`].
    ///
    /// # Cancel safety
    /// As [`stop_service`](Self::stop_service).
    pub async fn restart_service(&self, name: &str) -> Result<ServiceStatus, ServiceError> {
        self.operate(name, Operation::Restart).await
    }

    pub(super) fn service_named(&self, name: &str) -> Result<&Arc<ServiceRuntime>, ServiceError> {
        let known = self.inner.services.iter().find(|service| service.full_name.eq_ignore_ascii_case(name));
        known.ok_or_else(|| ServiceError::Unknown(name.to_owned()))
    }

    async fn operate(&self, name: &str, operation: Operation) -> Result<ServiceStatus, ServiceError> {
        let service = self.service_named(name)?;
        let path = ["services", service.full_name.as_str()];
        let guardian = self.guardian().await;
        let done = match operation {
            Operation::Stop => guardian.stop_child(&path).await,
            Operation::Start => guardian.start_child(&path).await,
            Operation::Restart => guardian.restart_child(&path).await,
        };
        done.map_err(|error| ServiceError::Failed(error.to_string()))?;
        Ok(self.service_status(service))
    }

    /// Every policy, view and connector, partition by partition. What is none of its business does not wake a consumer,
    /// so one that is behind is woken and given up to 100 ms: a lag that is told then is one.
    ///
    /// # Cancel safety
    /// Waits and reads only.
    pub async fn consumers(&self) -> Vec<ConsumerStatus> {
        const CATCH_UP: Duration = Duration::from_millis(100);
        let running = || self.inner.consumers.iter().filter(|consumer| consumer.state() == "running");
        let reached = running().map(|consumer| async move { consumer.reached(&consumer.heads()).await });
        // Who does not come so far shows its lag.
        let _in_time = tokio::time::timeout(CATCH_UP, futures::future::join_all(reached)).await.is_ok();
        let consumers = self.inner.consumers.iter();
        let lanes = consumers.flat_map(|consumer| {
            consumer.lanes.iter().map(move |lane| ConsumerStatus {
                name: consumer.name.to_owned(),
                system: consumer.system.to_owned(),
                service: consumer.service.to_owned(),
                unit: lane.unit.name.to_string(),
                partition: lane.partition,
                cursor: lane.cursor(),
                lag: lane.head().saturating_sub(lane.cursor()),
                state: consumer.state(),
                refused: lane.why_held().or_else(|| consumer.why_refused()).map(|reason| reason.to_string()),
            })
        });
        lanes.collect()
    }

    /// Every bulkhead: the places of each service, then the threads of connectors, and what waits for them.
    pub fn bulkheads(&self) -> Vec<BulkheadStatus> {
        let places = self.inner.services.iter().map(|service| service.places_status());
        places.chain(self.inner.bulkheads.iter().map(ThreadPool::status)).collect()
    }

    /// Waits until every policy, view and connector of a running service is at the durable head, nothing is being
    /// dispatched and no ask is open.
    ///
    /// # Errors
    /// What was still behind when `within` had passed.
    ///
    /// # Cancel safety
    /// Waits only.
    pub async fn quiesce(&self, within: Duration) -> Result<(), Vec<String>> {
        /// How soon to look again where there is nothing to be woken by.
        const LOOK_AGAIN: Duration = Duration::from_millis(2);
        let deadline = Instant::now() + within;
        loop {
            let unfinished = self.unfinished().await;
            if unfinished.is_empty() {
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(unfinished);
            }
            for consumer in &self.inner.consumers {
                consumer.wake.notify_one();
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    async fn unfinished(&self) -> Vec<String> {
        let heads = |system: &Self| -> Vec<Vec<u64>> { system.inner.consumers.iter().map(|c| c.heads()).collect() };
        let before = heads(self);
        let mut left = Vec::new();
        for service in self.inner.services.iter().chain(&self.inner.internal) {
            if service.open_asks() > 0 {
                left.push(format!("{}: {} open asks", service.full_name, service.open_asks()));
            }
            if service.unfinished() > 0 {
                left.push(format!("{}: {} messages and appends", service.full_name, service.unfinished()));
            }
        }
        for (consumer, heads) in self.inner.consumers.iter().zip(&before) {
            let busy = consumer.busy.load(std::sync::atomic::Ordering::Acquire);
            if !consumer.has_reached(heads) || busy > 0 {
                let state = consumer.state();
                left.push(format!(
                    "{} ({state}): {} events behind, {busy} on their way",
                    consumer.name,
                    consumer.lag()
                ));
            }
        }
        // What was at rest while something else moved may have been woken by it.
        tokio::task::yield_now().await;
        if left.is_empty() && heads(self) != before {
            left.push("events are still being written".to_owned());
        }
        left
    }

    /// The dead letters of all policies and connectors.
    ///
    /// # Errors
    /// [`ViewError::Unavailable`] while policies' progress cannot be read.
    ///
    /// # Cancel safety
    /// Reads only.
    pub async fn dead_letters(&self) -> Result<Vec<WaitingLetter>, ViewError> {
        let mut waiting = Vec::new();
        for (policy, retry) in &self.inner.retries {
            let letters = retry.letters().await.map_err(ViewError::Store)?;
            waiting.extend(letters.into_iter().map(|(place, letter)| {
                let LetterPlace { unit, partition, id: DeadLetterId { offset, index } } = place;
                let id = format!("{policy}:{unit}:{partition}:{offset}:{index}");
                WaitingLetter { id, policy: (*policy).to_owned(), letter }
            }));
        }
        Ok(waiting)
    }

    /// Delivers a dead letter after all. It stays when that fails.
    ///
    /// # Errors
    /// [`LetterError`].
    ///
    /// # Cancel safety
    /// Dropping the future may leave the letter delivered and still listed; retrying it then changes
    /// nothing.
    pub async fn retry_dead_letter(&self, id: &str) -> Result<(), LetterError> {
        let (policy, place) = letter_place(id).ok_or(LetterError::Unknown)?;
        self.inner.retries.get(policy).ok_or(LetterError::Unknown)?.deliver(place).await
    }

    /// Gives a dead letter up.
    ///
    /// # Errors
    /// [`LetterError`].
    ///
    /// # Cancel safety
    /// It is given up or not.
    pub async fn discard_dead_letter(&self, id: &str) -> Result<(), LetterError> {
        let (policy, place) = letter_place(id).ok_or(LetterError::Unknown)?;
        self.inner.retries.get(policy).ok_or(LetterError::Unknown)?.discard(place).await
    }
}

#[derive(Clone, Copy)]
enum Operation {
    Stop,
    Start,
    Restart,
}

fn letter_place(id: &str) -> Option<(&str, LetterPlace)> {
    let mut parts = id.rsplitn(5, ':');
    let index = parts.next()?.parse().ok()?;
    let offset = parts.next()?.parse().ok().filter(|offset| *offset > 0)?;
    let partition = parts.next()?.parse().ok()?;
    let unit = parts.next()?.to_owned();
    let id = DeadLetterId { offset, index };
    Some((parts.next()?, LetterPlace { unit, partition, id }))
}
