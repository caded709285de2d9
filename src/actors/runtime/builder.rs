//! Puts a system together: parts are declared, checked against each other and the configuration, and started.

use std::{collections::HashMap, fmt, sync::Arc};

use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    bulkhead::{ActixHost, PoolSupervisor},
    bus::MOST_FOLLOWERS,
    checks::{check_names, check_places, placed},
    clock::Clock,
    configured::Configured,
    connector::{Channels, Connect, Connector},
    declare::{Assembly, Internal, Place, Service, add_progress, add_refused},
    faults::FaultControl,
    history::HistoryKeeper,
    kinds::KindHost,
    limits::{EntityLimits, ServiceLimits},
    link::Links,
    meters::RequestMeters,
    probe::Vitals,
    reload::{ConfigurationSource, Reloads},
    remote::{Carrier, Remote},
    service::{OWN, ServiceRuntime},
    settings::{SettingsCell, SystemSettings},
    storage::{JournalWatch, SnapshotWriter},
    system::{Inner, System},
    tree::Parts,
    unit::{SnapshotQueue, UnitRuntime},
};
use crate::{
    actors::{
        entity::{AnySettings, Key},
        supervision::{ConnectorConfig, Process, ShownValue, SupervisionConfig},
    },
    persistence::{Elsewhere, Storage, StorageConfig},
};

type Edge = Box<dyn FnOnce(System) -> Arc<dyn Process> + Send>;

/// Puts a system together.
#[must_use = "nothing runs until it is started"]
pub struct SystemBuilder {
    storage: Storage,
    config: SupervisionConfig,
    clock: Clock,
    settings: SystemSettings,
    source: Option<ConfigurationSource>,
    reloads: Vec<Arc<dyn Reloads>>,
    shown: Vec<ShownValue>,
    services: Vec<(&'static str, Service)>,
    connect: Option<Connect>,
    remote: Carrier,
    edge: Vec<(String, Edge)>,
}

/// Why a system could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Two kinds, policies or views have the same name; names are on disk.
    #[error("{name} is registered twice")]
    NameTaken {
        /// The name.
        name: &'static str,
    },
    /// A policy belongs to the service of its target, so that it waits when that is stopped.
    #[error("the policy {policy} asks {target}, which is no entity of its service {service}")]
    ForeignTarget {
        /// The policy.
        policy: &'static str,
        /// Its target.
        target: &'static str,
        /// The service that it was registered with.
        service: String,
    },
    /// Notices belong to the service of their history, so that they wait when that is stopped.
    #[error("{outbound} tells of {source_kind}, which is no entity of its service {service}")]
    ForeignSource {
        /// What tells.
        outbound: &'static str,
        /// Its history.
        source_kind: &'static str,
        /// The service that it was registered with.
        service: String,
    },
    /// A policy or view follows a kind that nobody registered.
    #[error("{follower} follows {source_kind}, which is not registered")]
    UnknownSource {
        /// The policy or view.
        follower: &'static str,
        /// The kind.
        source_kind: &'static str,
    },
    /// The configuration gives a service a storage unit that was not opened.
    #[error("{service} is configured to use the storage unit {unit}, which is not open")]
    NoUnit {
        /// The service.
        service: String,
        /// The unit.
        unit: String,
    },
    /// The configuration has a section for something that does not exist here, so it would have no effect.
    #[error("the configuration has [{section}], but nothing here is called that")]
    Unused {
        /// The section.
        section: String,
    },
    /// The configuration gives a storage unit to a service that does not exist here, so it would have no effect.
    #[error("[storage.unit.{unit}] is for {service}, but no service here is called that")]
    UnknownService {
        /// The unit.
        unit: String,
        /// The service.
        service: String,
    },
    /// A service has its data in another storage unit than the configuration says: it would start empty.
    #[error(transparent)]
    Elsewhere(#[from] Elsewhere),
    /// A policy that survives would follow events that do not: after a restart their positions begin anew, and it
    /// would take new ones for old.
    #[error(
        "the policy {policy} of {service} is kept, and follows {source_kind} in the storage unit {unit}, which is in memory only"
    )]
    Forgetful {
        /// The policy.
        policy: &'static str,
        /// Its service.
        service: String,
        /// What it follows.
        source_kind: &'static str,
        /// The unit of that.
        unit: String,
    },
    /// The supervision tree could not be started.
    #[error("{0}")]
    Supervision(String),
}

impl SystemBuilder {
    pub(super) fn new(storage: Storage) -> Self {
        let (config, clock) = (SupervisionConfig::default(), Clock::system());
        let settings = SystemSettings::default();
        Self {
            storage,
            config,
            clock,
            settings,
            source: None,
            reloads: Vec::new(),
            shown: Vec::new(),
            services: Vec::new(),
            connect: None,
            remote: None,
            edge: Vec::new(),
        }
    }

    /// Takes limits, strategies and the storage units of services from a configuration.
    pub fn supervision(mut self, config: SupervisionConfig) -> Self {
        self.config = config;
        self
    }

    /// Times decisions by another clock.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Sets the switches of a system; without them its decisions see the defaults.
    pub fn settings(self, settings: AnySettings) -> Self {
        self.settings.set(settings);
        self
    }

    /// What operators are told that the configuration is, key by key.
    pub fn shown(mut self, values: Vec<ShownValue>) -> Self {
        self.shown = values;
        self
    }

    /// Where [`System::reload`] reads the configuration again.
    pub fn source(mut self, source: ConfigurationSource) -> Self {
        self.source = Some(source);
        self
    }

    /// Has [`System::reload`] change this as well.
    pub fn reloading(mut self, beside: Arc<dyn Reloads>) -> Self {
        self.reloads.push(beside);
        self
    }

    /// Adds a service to `system`; services start in the order in which they are added.
    pub fn service(mut self, system: &'static str, service: Service) -> Self {
        self.services.push((system, service));
        self
    }

    /// Adds all services of `system`.
    pub fn system(mut self, system: &'static str, services: impl IntoIterator<Item = Service>) -> Self {
        self.services.extend(services.into_iter().map(|service| (system, service)));
        self
    }

    /// Says how channels reach the outside. Without this nothing leaves the house: notices stay in their
    /// histories, and are told from the first one on by the first start with connectors.
    pub fn connectors(mut self, connect: impl Fn(&ConnectorConfig) -> Arc<dyn Connector> + Send + 'static) -> Self {
        self.connect = Some(Box::new(connect));
        self
    }

    /// Says what carries asks to other processes. Without this a link whose target is one reaches nobody.
    pub fn remote(mut self, remote: Arc<dyn Remote>) -> Self {
        self.remote = Some(remote);
        self
    }

    /// Adds a process at the edge, such as a listener: started last, stopped first.
    pub fn edge(
        mut self,
        name: impl Into<String>,
        process: impl FnOnce(System) -> Arc<dyn Process> + Send + 'static,
    ) -> Self {
        self.edge.push((name.into(), Box::new(process)));
        self
    }

    /// Starts everything; returns once every part has started.
    ///
    /// # Errors
    /// [`StartError`]: what was put together wrongly, or what could not be started.
    ///
    /// # Cancel safety
    /// Dropping the future stops what was started.
    pub async fn start(mut self) -> Result<System, StartError> {
        let Assembled { units, queues, mut assembly, internal, services, faults } = self.assemble()?;
        let homes = placed(&services, &assembly.hosts);
        check_places(&units, &homes)?;
        self.storage.place(&homes)?;
        for unit in &units {
            learn(unit, &assembly.hosts);
        }

        let config = self.config;
        let inner = Arc::new(Inner {
            configured: Configured::new(self.clock.now(), self.shown),
            clock: self.clock,
            settings: self.settings,
            source: self.source,
            reloads: self.reloads,
            storage: self.storage,
            kinds: assembly.kinds,
            faults,
            requests: RequestMeters::default(),
            units: units.clone(),
            services: services.iter().map(|place| place.service.clone()).collect(),
            vitals: Vitals::by_service(services.iter().map(|place| place.service.as_ref()), &config),
            internal: internal.iter().map(|own| own.place.service.clone()).collect(),
            refused: internal.iter().map(|own| (own.place.unit.name.clone(), own.refused.clone())).collect(),
            hosts: assembly.hosts,
            consumers: assembly.consumers,
            retries: assembly.retries,
            asked: assembly.asked,
            rebuilds: assembly.rebuilds,
            bulkheads: assembly.channels.bulkheads().map(|(_, bulkhead)| bulkhead.clone()).collect(),
            handles: assembly.handles,
            followers: Arc::new(Semaphore::new(MOST_FOLLOWERS)),
            ended: CancellationToken::new(),
            drain: CancellationToken::new(),
            operations: TaskTracker::new(),
            guardian: tokio::sync::SetOnce::new(),
            config,
        });
        let system = System { inner };

        let mut parts = Parts::default();
        for (unit, queue) in units.iter().zip(queues) {
            let watch = watch_of(unit, &system.inner, &services, &internal);
            if let Some(keeper) = keeper_of(unit, &system.inner, &watch.hosts) {
                parts.storage(format!("history:{}", unit.name), Arc::new(keeper));
            }
            parts.storage(format!("journal:{}", unit.name), Arc::new(watch));
            parts.storage(format!("snapshots:{}", unit.name), Arc::new(SnapshotWriter::new(unit.clone(), queue)));
        }
        for own in internal {
            parts.internal(own);
        }
        for place in services {
            let processes = assembly.processes.remove(&place.service.full_name).unwrap_or_default();
            parts.service(&system, place, processes);
        }
        let host = Arc::new(ActixHost::default());
        for (name, bulkhead) in assembly.channels.bulkheads() {
            let (threads, host) = (bulkhead.clone(), host.clone());
            parts.bulkhead(name.to_owned(), Arc::new(PoolSupervisor { threads, host }));
        }
        for (name, process) in self.edge {
            parts.edge(name, process(system.clone()));
        }
        let guardian = parts.start(&system.inner.config, system.clock()).await?;
        assert!(system.inner.guardian.set(guardian).is_ok(), "the guardian is set once");
        Ok(system)
    }

    /// Whether this could be started, as far as that does not depend on data: nothing is started, and nothing is kept.
    ///
    /// # Errors
    /// [`StartError`]: what was put together wrongly, or what the configuration says about something that is not here.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn check(mut self) -> Result<(), StartError> {
        self.assemble().map(drop)
    }

    /// Everything but what runs.
    fn assemble(&mut self) -> Result<Assembled, StartError> {
        let faults = FaultControl::new(self.clock.clone());
        let (units, queues) = open_units(&self.storage, &faults);
        let limits = EntityLimits::by_kind(&self.config);
        let channels = Channels::new(self.connect.take(), self.config.clone());
        let mut assembly = Assembly::new(units.clone(), limits, channels);

        let mut internal = Vec::new();
        for unit in &units {
            let service = own_service(unit, &self.config, &self.clock);
            let place = Place { service: service.clone(), unit: unit.clone() };
            let (progress, refused) = (add_progress(&mut assembly, &place), add_refused(&mut assembly, &place));
            internal.push(Internal { place, progress, refused });
        }

        let mut places = Vec::new();
        for (system, mut service) in std::mem::take(&mut self.services) {
            let runtime = ServiceRuntime::new(
                system,
                service.name,
                self.clock.clone(),
                self.settings.of(system),
                ServiceLimits::of(&self.config, system, service.name),
            );
            let unit = unit_of(&self.config, &units, &runtime.full_name)?;
            let place = Place { service: runtime, unit };
            assembly.add_entities(&mut service, &place)?;
            places.push((place, service));
        }
        let mut services = Vec::new();
        for (place, service) in places {
            assembly.add_followers(service, &place)?;
            services.push(place);
        }

        check_names(&self.config, &assembly.hosts, &services, &assembly.channels)?;
        let mut kinds = assembly.hosts.clone();
        kinds.extend(internal.first().into_iter().flat_map(Internal::hosts));
        assembly.kinds.fill(&kinds, Links::between(&assembly.hosts, &assembly.asked, &self.config, &self.remote));
        Ok(Assembled { units, queues, assembly, internal, services, faults })
    }
}

/// A system that is put together.
struct Assembled {
    units: Vec<Arc<UnitRuntime>>,
    queues: Vec<SnapshotQueue>,
    assembly: Assembly,
    /// The runtime's own.
    internal: Vec<Internal>,
    services: Vec<Place>,
    faults: Arc<FaultControl>,
}

/// The runtime's own service in a unit.
fn own_service(unit: &UnitRuntime, config: &SupervisionConfig, clock: &Clock) -> Arc<ServiceRuntime> {
    let name: &'static str = Box::leak(unit.name.to_string().into_boxed_str());
    let limits = ServiceLimits::of(config, OWN, name);
    ServiceRuntime::new(OWN, name, clock.clone(), SettingsCell::default(), limits)
}

/// The watch of a unit's journal, with whoever keeps streams in it.
fn watch_of(unit: &Arc<UnitRuntime>, inner: &Inner, services: &[Place], internal: &[Internal]) -> JournalWatch {
    let own = |place: &Place| Arc::ptr_eq(&place.unit, unit);
    let here = |host: &Arc<dyn KindHost>| {
        services.iter().any(|place| own(place) && Arc::ptr_eq(host.service(), &place.service))
    };
    let mut hosts: Vec<_> = inner.hosts.iter().filter(|host| here(host)).cloned().collect();
    hosts.extend(internal.iter().filter(|internal| own(&internal.place)).flat_map(Internal::hosts));
    let archived_behind = inner.config.storage.archive.then(|| inner.consumers.clone());
    JournalWatch { unit: unit.clone(), hosts, archived_behind }
}

/// Who deletes history of a unit, where that is configured.
fn keeper_of(unit: &Arc<UnitRuntime>, inner: &Inner, hosts: &[Arc<dyn KindHost>]) -> Option<HistoryKeeper> {
    Some(HistoryKeeper {
        unit: unit.clone(),
        hosts: hosts.to_vec(),
        readers: inner.consumers.clone(),
        letters: inner.retries.values().cloned().collect(),
        clock: inner.clock.clone(),
        keep: inner.config.storage.history?,
    })
}

fn open_units(storage: &Storage, faults: &Arc<FaultControl>) -> (Vec<Arc<UnitRuntime>>, Vec<SnapshotQueue>) {
    storage.units().map(|(name, unit)| UnitRuntime::new(name.into(), unit, faults.clone())).unzip()
}

fn unit_of(
    config: &SupervisionConfig,
    units: &[Arc<UnitRuntime>],
    service: &str,
) -> Result<Arc<UnitRuntime>, StartError> {
    let own =
        config.storage.units.iter().find(|(_, services)| services.iter().any(|s| s.eq_ignore_ascii_case(service)));
    let wanted = own.map_or(StorageConfig::MAIN, |(unit, _)| unit.as_str());
    let unit = units.iter().find(|unit| unit.name.as_ref() == wanted);
    unit.cloned().ok_or_else(|| StartError::NoUnit { service: service.to_owned(), unit: wanted.to_owned() })
}

/// Numbers and counters are rebuilt from what the journal knows of each stream.
pub(super) fn learn(unit: &UnitRuntime, hosts: &[Arc<dyn KindHost>]) {
    let by_kind: HashMap<&str, &Arc<dyn KindHost>> = hosts.iter().map(|host| (host.kind(), host)).collect();
    unit.journal.heads(&mut |stream, head| {
        if let Some(host) = by_kind.get(stream.kind.as_ref())
            && let Ok(key) = Key::new(stream.key.as_ref())
        {
            host.learn(key, head);
        }
    });
}

impl fmt::Debug for SystemBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SystemBuilder").field("services", &self.services).finish_non_exhaustive()
    }
}
