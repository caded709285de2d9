//! What a service consists of, as its author declares it, and how that becomes running parts.

use std::{
    any::{Any, TypeId},
    collections::{BTreeMap, HashMap, HashSet},
    fmt,
    sync::Arc,
};

use tokio::sync::Semaphore;

use super::{
    builder::StartError,
    code::KindCode,
    connector::{Carrying, Channels},
    consumer::Consumer,
    dispatcher::{Commands, Dispatcher, Retry},
    entities::Entities,
    host::Host,
    kinds::{KindHost, Kinds},
    limits::EntityLimits,
    projector::{Projector, Rebuild, ViewRows, Views},
    remote::{Answers, Askable},
    seeds::{self, Seed, Seeds},
    service::ServiceRuntime,
    skips::RefusedCommands,
    unit::UnitRuntime,
};
use crate::actors::{
    entity::{Command, Entity, Listed, Listing, Outbound, Policy, PolicyProgress, ServiceDeclaration, View},
    supervision::Process,
};

/// A process and its name among its siblings.
pub(crate) type Named = (String, Arc<dyn Process>);

type Step = Box<dyn FnOnce(&mut Assembly, &Place) -> Result<(), StartError> + Send>;

/// A service: the entity kinds, policies and views that stop, start and fail together.
pub struct Service {
    pub(crate) name: &'static str,
    codes: Vec<KindCode>,
    entities: Vec<Step>,
    asked: Vec<Step>,
    seeds: Vec<Step>,
    followers: Vec<Step>,
}

impl Service {
    /// A service without content; `name` is unique within its system.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            codes: Vec::new(),
            entities: Vec::new(),
            asked: Vec::new(),
            seeds: Vec::new(),
            followers: Vec::new(),
        }
    }

    /// The code of its entities' kinds, for tools that look at data.
    pub fn codes(&self) -> &[KindCode] {
        &self.codes
    }
}

impl ServiceDeclaration for Service {
    fn service(name: &'static str) -> Self {
        Self::new(name)
    }

    fn entity<E: Entity>(mut self) -> Self {
        self.codes.push(KindCode::of::<E>());
        self.entities.push(Box::new(add_entity::<E>));
        self
    }

    fn listed<E: Listed>(self) -> Self {
        self.entity::<E>().view::<Listing<E>>()
    }

    fn seed<E: Entity, C: Command<E>>(mut self, to: E::Id, command: C) -> Self {
        self.seeds.push(Box::new(move |assembly, place| add_seed::<E, C>(assembly, place, to, command)));
        self
    }

    fn asked<E: Entity, C: Command<E>>(mut self) -> Self {
        self.asked.push(Box::new(add_asked::<E, C>));
        self
    }

    fn policy<P: Policy>(mut self, policy: P) -> Self {
        self.followers.push(Box::new(move |assembly, place| add_policy(assembly, place, policy)));
        self
    }

    fn view<V: View>(mut self) -> Self {
        self.followers.push(Box::new(add_view::<V>));
        self
    }

    fn notifies<O: Outbound>(mut self, outbound: O) -> Self {
        self.followers.push(Box::new(move |assembly, place| add_outbound(assembly, place, outbound)));
        self
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Where a service's parts belong.
pub(crate) struct Place {
    pub(crate) service: Arc<ServiceRuntime>,
    pub(crate) unit: Arc<UnitRuntime>,
}

/// The runtime's own service of a storage unit.
pub(crate) struct Internal {
    pub(crate) place: Place,
    pub(crate) progress: Arc<dyn KindHost>,
    pub(crate) refused: Entities<RefusedCommands>,
}

impl Internal {
    /// What it keeps in its unit.
    pub(crate) fn hosts(&self) -> Vec<Arc<dyn KindHost>> {
        vec![self.progress.clone(), self.refused.0.clone()]
    }
}

/// The parts of a system while they are put together.
pub(crate) struct Assembly {
    pub(crate) kinds: Kinds,
    pub(crate) units: Vec<Arc<UnitRuntime>>,
    pub(crate) limits: Box<dyn Fn(&str) -> EntityLimits + Send>,
    pub(crate) hosts: Vec<Arc<dyn KindHost>>,
    /// The progress of policies, by the unit that the policy's service keeps its streams in.
    pub(crate) progress: HashMap<Arc<str>, Entities<PolicyProgress>>,
    /// `Entities<E>` by `E`, `Views<V>` by `V`.
    pub(crate) handles: HashMap<TypeId, Box<dyn Any + Send + Sync>>,
    pub(crate) consumers: Vec<Arc<Consumer>>,
    pub(crate) retries: BTreeMap<&'static str, Arc<dyn Retry>>,
    pub(crate) rebuilds: Vec<(Arc<Consumer>, Arc<Rebuild>)>,
    /// Whose turn it is to rebuild.
    turn: Arc<Semaphore>,
    pub(crate) channels: Channels,
    pub(crate) asked: Askable,
    /// What each service asks for when it starts, by its full name.
    seeds: HashMap<String, Vec<Seed>>,
    /// Processes of each service, by its full name, in the order in which they start.
    pub(crate) processes: HashMap<String, Vec<Named>>,
    names: HashSet<&'static str>,
}

impl Assembly {
    pub(crate) fn new(
        units: Vec<Arc<UnitRuntime>>,
        limits: Box<dyn Fn(&str) -> EntityLimits + Send>,
        channels: Channels,
    ) -> Self {
        Self {
            kinds: Kinds::default(),
            units,
            limits,
            hosts: Vec::new(),
            progress: HashMap::new(),
            handles: HashMap::new(),
            consumers: Vec::new(),
            retries: BTreeMap::new(),
            rebuilds: Vec::new(),
            turn: Arc::new(Semaphore::new(1)),
            channels,
            asked: Askable::new(),
            seeds: HashMap::new(),
            processes: HashMap::new(),
            names: HashSet::new(),
        }
    }

    pub(crate) fn add_entities(&mut self, service: &mut Service, place: &Place) -> Result<(), StartError> {
        let (entities, asked) = (std::mem::take(&mut service.entities), std::mem::take(&mut service.asked));
        entities.into_iter().chain(asked).try_for_each(|step| step(self, place))
    }

    pub(crate) fn add_followers(&mut self, service: Service, place: &Place) -> Result<(), StartError> {
        service.seeds.into_iter().try_for_each(|step| step(self, place))?;
        if let Some(seeds) = self.seeds.remove(&place.service.full_name) {
            self.process(place, "seeds".to_owned(), Arc::new(Seeds(seeds)));
        }
        service.followers.into_iter().try_for_each(|step| step(self, place))
    }

    fn claim(&mut self, name: &'static str) -> Result<(), StartError> {
        if self.names.insert(name) { Ok(()) } else { Err(StartError::NameTaken { name }) }
    }

    fn host<E: Entity>(&self) -> Option<Arc<Host<E>>> {
        let handle = self.handles.get(&TypeId::of::<E>())?.downcast_ref::<Entities<E>>()?;
        Some(handle.0.clone())
    }

    /// The unit with the entities of `E` that does not survive the process while others do.
    fn forgetful_source<E: Entity>(&self) -> Option<String> {
        let forgetful = |unit: &&Arc<UnitRuntime>| unit.forgetful;
        let of_all = (E::KIND == PolicyProgress::KIND).then(|| self.units.iter().find(forgetful)).flatten();
        let own = self.host::<E>().map(|host| host.unit.clone());
        of_all.or(own.as_ref().filter(forgetful)).map(|unit| unit.name.to_string())
    }

    fn process(&mut self, place: &Place, name: String, process: Arc<dyn Process>) {
        self.processes.entry(place.service.full_name.clone()).or_default().push((name, process));
    }

    fn consumer(&mut self, name: &'static str, place: &Place, kinds: &[&'static str]) -> Arc<Consumer> {
        let consumer = Consumer::new(name, (place.service.system, place.service.name), &self.units, kinds);
        for unit in &self.units {
            unit.feed.subscribe(kinds.iter().copied(), &consumer.wake);
        }
        self.consumers.push(consumer.clone());
        consumer
    }
}

fn add_entity<E: Entity>(assembly: &mut Assembly, place: &Place) -> Result<(), StartError> {
    assembly.claim(E::KIND)?;
    let limits = (assembly.limits)(E::KIND);
    let host = Host::<E>::new(place.service.clone(), place.unit.clone(), limits, assembly.kinds.clone());
    assembly.hosts.push(host.clone());
    assembly.handles.insert(TypeId::of::<E>(), Box::new(Entities(host)));
    Ok(())
}

/// The streams of policies' progress in one unit. One kind, but one host per unit.
pub(crate) fn add_progress(assembly: &mut Assembly, place: &Place) -> Arc<dyn KindHost> {
    let limits = (assembly.limits)(PolicyProgress::KIND);
    let host = Host::<PolicyProgress>::new(place.service.clone(), place.unit.clone(), limits, assembly.kinds.clone());
    assembly.progress.insert(place.unit.name.clone(), Entities(host.clone()));
    host
}

/// The refused commands of one unit. One kind, but one host per unit.
pub(crate) fn add_refused(assembly: &mut Assembly, place: &Place) -> Entities<RefusedCommands> {
    let limits = (assembly.limits)(RefusedCommands::KIND);
    let (service, unit, kinds) = (place.service.clone(), place.unit.clone(), assembly.kinds.clone());
    Entities(Host::<RefusedCommands>::new(service, unit, limits, kinds))
}

fn add_asked<E: Entity, C: Command<E>>(assembly: &mut Assembly, place: &Place) -> Result<(), StartError> {
    let target = assembly.host::<E>().filter(|host| Arc::ptr_eq(&host.service, &place.service));
    let Some(target) = target else {
        let (policy, target, service) = (C::NAME, E::KIND, place.service.full_name.clone());
        return Err(StartError::ForeignTarget { policy, target, service });
    };
    assembly.asked.insert((E::KIND, C::NAME), Arc::new(Answers::<E, C>::of(target)));
    Ok(())
}

fn add_seed<E: Entity, C: Command<E>>(
    assembly: &mut Assembly,
    place: &Place,
    to: E::Id,
    command: C,
) -> Result<(), StartError> {
    let target = assembly.host::<E>().filter(|host| Arc::ptr_eq(&host.service, &place.service));
    let Some(target) = target else {
        let (policy, target, service) = (C::NAME, E::KIND, place.service.full_name.clone());
        return Err(StartError::ForeignTarget { policy, target, service });
    };
    let seed = seeds::seed(Entities(target), to, command);
    assembly.seeds.entry(place.service.full_name.clone()).or_default().push(seed);
    Ok(())
}

fn add_policy<P: Policy>(assembly: &mut Assembly, place: &Place, policy: P) -> Result<(), StartError> {
    assembly.claim(P::NAME)?;
    let target = assembly.host::<P::Target>().filter(|host| Arc::ptr_eq(&host.service, &place.service));
    let Some(target) = target else {
        let (policy, target, service) = (P::NAME, P::Target::KIND, place.service.full_name.clone());
        return Err(StartError::ForeignTarget { policy, target, service });
    };
    let is_registered = P::Source::KIND == PolicyProgress::KIND || assembly.host::<P::Source>().is_some();
    if !is_registered {
        return Err(StartError::UnknownSource { follower: P::NAME, source_kind: P::Source::KIND });
    }
    if !place.unit.forgetful
        && let Some(unit) = assembly.forgetful_source::<P::Source>()
    {
        let (policy, source_kind, service) = (P::NAME, P::Source::KIND, place.service.full_name.clone());
        return Err(StartError::Forgetful { policy, service, source_kind, unit });
    }
    let progress = assembly.progress.get(&place.unit.name).expect("every unit has its progress").clone();
    let consumer = assembly.consumer(P::NAME, place, &[P::Source::KIND]);
    let kinds = assembly.kinds.clone();
    let carrier = Arc::new(Commands { policy: Arc::new(policy), target });
    let dispatcher = Arc::new(Dispatcher { carrier, progress, consumer, kinds });
    assembly.retries.insert(P::NAME, dispatcher.clone());
    assembly.process(place, format!("policy:{}", P::NAME), dispatcher);
    Ok(())
}

fn add_view<V: View>(assembly: &mut Assembly, place: &Place) -> Result<(), StartError> {
    assembly.claim(V::NAME)?;
    let sources: Vec<&'static str> = V::sources().kinds().collect();
    let known = |kind: &&str| assembly.hosts.iter().any(|host| host.kind() == *kind);
    if let Some(source_kind) = sources.iter().copied().find(|kind| !known(kind)) {
        return Err(StartError::UnknownSource { follower: V::NAME, source_kind });
    }
    let consumer = assembly.consumer(V::NAME, place, &sources);
    let rows = Arc::new(ViewRows::<V>::new());
    let (unit, kinds) = (place.unit.clone(), assembly.kinds.clone());
    let views =
        Views { rows: rows.clone(), unit: unit.clone(), service: place.service.clone(), consumer: consumer.clone() };
    assembly.handles.insert(TypeId::of::<V>(), Box::new(views));
    let rebuild = Rebuild::new(assembly.turn.clone());
    assembly.rebuilds.push((consumer.clone(), rebuild.clone()));
    let projector = Arc::new(Projector { rows, unit, consumer, kinds, rebuild });
    assembly.process(place, format!("view:{}", V::NAME), projector);
    Ok(())
}

fn add_outbound<O: Outbound>(assembly: &mut Assembly, place: &Place, outbound: O) -> Result<(), StartError> {
    assembly.claim(O::NAME)?;
    let is_own = assembly.host::<O::Source>().is_some_and(|host| Arc::ptr_eq(&host.service, &place.service));
    if !is_own {
        let (outbound, source_kind, service) = (O::NAME, O::Source::KIND, place.service.full_name.clone());
        return Err(StartError::ForeignSource { outbound, source_kind, service });
    }
    let system = place.service.system;
    let Some(channel) = assembly.channels.channel(system, O::CHANNEL) else { return Ok(()) };
    let progress = assembly.progress.get(&place.unit.name).expect("every unit has its progress").clone();
    let consumer = assembly.consumer(O::NAME, place, &[O::Source::KIND]);
    let kinds = assembly.kinds.clone();
    let carrier = Arc::new(Carrying { outbound, system, channel });
    let dispatcher = Arc::new(Dispatcher { carrier, progress, consumer, kinds });
    assembly.retries.insert(O::NAME, dispatcher.clone());
    assembly.process(place, format!("connector:{}", O::NAME), dispatcher);
    Ok(())
}
