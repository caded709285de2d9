//! A system: services put together, started under supervision, and stopped in order.

use std::{
    any::{Any, TypeId},
    collections::{BTreeMap, HashMap},
    fmt,
    sync::Arc,
    time::Duration,
};

use tokio::sync::{Semaphore, SetOnce};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    builder::SystemBuilder,
    bulkhead::ThreadPool,
    clock::Clock,
    configured::Configured,
    consumer::Consumer,
    dispatcher::Retry,
    entities::Entities,
    faults::FaultControl,
    kinds::{KindHost, Kinds},
    meters::RequestMeters,
    probe::Vitals,
    projector::{Rebuild, Views},
    reload::{ConfigurationSource, Reloads},
    remote::Askable,
    service::ServiceRuntime,
    settings::SystemSettings,
    skips::RefusedCommands,
    tree::Tree,
    unit::UnitRuntime,
};
use crate::{
    actors::{
        entity::{AnySettings, Entity, Listed, Listing, Settings, View},
        supervision::{Guardian, SupervisionConfig, TreeNode},
    },
    persistence::Storage,
};

/// A running system. Cheap to clone; all clones are the same system.
#[derive(Clone)]
pub struct System {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(super) clock: Clock,
    pub(super) settings: SystemSettings,
    pub(super) source: Option<ConfigurationSource>,
    pub(super) reloads: Vec<Arc<dyn Reloads>>,
    pub(super) config: SupervisionConfig,
    pub(super) configured: Configured,
    pub(super) storage: Storage,
    pub(super) kinds: Kinds,
    pub(super) faults: Arc<FaultControl>,
    pub(super) requests: RequestMeters,
    pub(crate) units: Vec<Arc<UnitRuntime>>,
    pub(crate) services: Vec<Arc<ServiceRuntime>>,
    /// What the probes of each service say, by its full name.
    pub(super) vitals: BTreeMap<String, Arc<Vitals>>,
    /// The runtime's own: the progress of policies.
    pub(crate) internal: Vec<Arc<ServiceRuntime>>,
    /// The commands that operators have refused, by storage unit.
    pub(super) refused: HashMap<Arc<str>, Entities<RefusedCommands>>,
    pub(crate) hosts: Vec<Arc<dyn KindHost>>,
    pub(crate) consumers: Vec<Arc<Consumer>>,
    pub(crate) retries: BTreeMap<&'static str, Arc<dyn Retry>>,
    /// What other processes may ask.
    pub(crate) asked: Askable,
    pub(crate) rebuilds: Vec<(Arc<Consumer>, Arc<Rebuild>)>,
    pub(crate) bulkheads: Vec<ThreadPool>,
    pub(super) handles: HashMap<TypeId, Box<dyn Any + Send + Sync>>,
    /// One permit for each who may follow the events.
    pub(super) followers: Arc<Semaphore>,
    /// Cancelled when nothing will come any more.
    pub(super) ended: CancellationToken,
    /// What operators began and nobody need wait for; it ends with the system.
    pub(super) operations: TaskTracker,
    /// Cancelled when an operator wishes that the process ends.
    pub(super) drain: CancellationToken,
    /// Set once the tree has started; its edge may be asked a moment before.
    pub(super) guardian: SetOnce<Guardian>,
}

/// How a system ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShutdownReport {
    /// What did not end in time and was killed.
    pub killed: Vec<String>,
}

impl System {
    /// A builder of a system whose entities live in `storage`.
    pub fn builder(storage: Storage) -> SystemBuilder {
        SystemBuilder::new(storage)
    }

    /// The entities of one kind.
    ///
    /// # Panics
    /// When `E` was not registered: that is decided where the system is put together.
    pub fn entities<E: Entity>(&self) -> Entities<E> {
        let handle = self.inner.handles.get(&TypeId::of::<E>());
        let handle = handle.and_then(|handle| handle.downcast_ref::<Entities<E>>());
        handle.unwrap_or_else(|| not_registered(E::KIND)).clone()
    }

    /// The rows of one view.
    ///
    /// # Panics
    /// When `V` was not registered.
    pub fn views<V: View>(&self) -> Views<V> {
        let handle = self.inner.handles.get(&TypeId::of::<V>());
        let handle = handle.and_then(|handle| handle.downcast_ref::<Views<V>>());
        handle.unwrap_or_else(|| not_registered(V::NAME)).clone()
    }

    /// The list of all entities of one kind.
    ///
    /// # Panics
    /// When `E` was not registered as listed.
    pub fn list<E: Listed>(&self) -> Views<Listing<E>> {
        self.views::<Listing<E>>()
    }

    /// The clock that decisions are timed by.
    pub fn clock(&self) -> Clock {
        self.inner.clock.clone()
    }

    /// The switches of a system as decisions made now see them.
    pub fn settings<S: Settings>(&self) -> Arc<S> {
        self.inner.settings.of(S::SYSTEM).current().map_or_else(Arc::default, |settings| settings.get())
    }

    /// Replaces the switches of a running system. Decisions from now on see them; those under way see
    /// either the old ones or the new ones as a whole.
    ///
    /// Nothing happens for a system that has no service here.
    pub fn change_settings(&self, settings: AnySettings) {
        self.inner.settings.set(settings);
    }

    /// The configuration that it was started with; what a reload has changed since is not in it.
    pub fn config(&self) -> &SupervisionConfig {
        &self.inner.config
    }

    /// The supervision tree as it stands.
    ///
    /// # Cancel safety
    /// Reads only.
    pub async fn tree(&self) -> TreeNode {
        self.guardian().await.tree()
    }

    /// Why the system is not ready to serve; empty when it is. One service that is away does not make it so: see
    /// [`degraded`](Self::degraded).
    pub fn not_ready(&self) -> Vec<String> {
        let poisoned = |unit: &Arc<UnitRuntime>| Some(format!("storage {}: {}", unit.name, unit.poisoned()?));
        let mut reasons: Vec<String> = self.inner.units.iter().filter_map(poisoned).collect();
        reasons.extend(self.is_draining().then(|| "it was told to drain".to_owned()));
        let stopped = self.inner.internal.iter().filter(|service| service.state() != "running");
        reasons.extend(stopped.map(|service| format!("{}: {}", service.full_name, service.state())));
        let degraded = self.degraded();
        if !degraded.is_empty() && degraded.len() == self.inner.services.len() {
            reasons.extend(degraded); // nobody is left who serves
        }
        let down = self.faults().all_down().into_iter();
        reasons.extend(down.map(|(service, fault)| format!("{service}: not well by the injected fault {fault}")));
        reasons
    }

    /// Stops everything in reverse order, writes what is left, and closes the storage. Whoever asks from
    /// then on is refused.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the storage open until the last clone of it is dropped.
    pub async fn shutdown(&self, limit: Duration) -> ShutdownReport {
        let killed = self.guardian().await.shutdown(limit).await;
        self.inner.ended.cancel();
        self.inner.operations.close();
        self.inner.operations.wait().await;
        let storage = self.inner.storage.clone();
        // A panic in there was reported by its own thread; there is nothing left to do about it.
        drop(tokio::task::spawn_blocking(move || storage.close()).await);
        ShutdownReport { killed }
    }

    /// Waits until every supervisor of the tree and the threads for blocking work have answered: whether the process is
    /// alive, not whether its services are. With a limit, for a watchdog.
    ///
    /// # Cancel safety
    /// Waits only.
    pub async fn responds(&self) {
        self.guardian().await.responds().await;
        if tokio::task::spawn_blocking(|| ()).await.is_err() {
            std::future::pending::<()>().await; // the runtime ends
        }
    }

    /// Waits until the supervision tree gives up; the reason.
    ///
    /// # Cancel safety
    /// Waits only.
    pub async fn gave_up(&self) -> String {
        self.guardian().await.gave_up().await
    }

    pub(crate) async fn guardian(&self) -> Tree<'_> {
        Tree(self.inner.guardian.wait().await)
    }
}

#[expect(clippy::panic, reason = "a mistake of the composition root, found by the first test that starts it")]
fn not_registered(name: &str) -> ! {
    panic!("{name} is not registered with this system")
}

impl fmt::Debug for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("System").field("services", &self.inner.services).finish_non_exhaustive()
    }
}
