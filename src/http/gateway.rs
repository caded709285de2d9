//! From a path to a resource: `/<system>/<collection>/...`, and without the system when there is only one.

use std::{fmt, sync::Arc};

use futures::{FutureExt, future::BoxFuture};
use http::{Method, StatusCode, header};
use serde_json::{Map, Value, json};
use tracing::Instrument;

use super::{
    Audit, Edge, Guard, HttpLimits, HttpServer, Listener, Problem, Readiness, Resource,
    admin::Admin,
    asks::{ASKS, Asks},
    catalog::{Catalog, described},
    contract,
    guard::{may_command, may_read},
    hal::{Place, link},
    health::{self, Health, Ready},
    openapi::{OPENAPI, Offers, is_page, page},
    request::{HAL, JSON, PathSegment, Request, Response, empty, json as json_response, set},
    routes::Routes,
    status::{self, COMMANDS, Outcomes},
};
use crate::{CommandOutcome, RequestMeters, RouteMeter, System, Unavailable};

/// The public listener: the systems' `resources`, and the probes. A system that is `rooted` answers at the
/// root as well as under its name; only a single one can be.
pub fn public(
    listener: Listener,
    system: &System,
    resources: Vec<Resource>,
    rooted: bool,
    limits: HttpLimits,
    readiness: Readiness,
) -> HttpServer {
    let health = Health::new(readiness.clone(), ready(system));
    let gateway =
        Gateway::new(resources, rooted, health, gate(system)).telling(outcomes(system)).answering(Asks::of(system));
    let gateway = gateway.counting(&system.requests()).offering(Offers::of(system.config()));
    HttpServer::new(listener, Edge::new(gateway, true, limits, now(system), system.requests()), readiness)
}

/// The listener of one service, as the old services had their own ports: its resources at the root, its
/// own health, and no cross-origin headers. `resources` may hold those of others; only its own are served.
pub fn service_port(
    listener: Listener,
    system: &System,
    system_name: &'static str,
    service_name: &'static str,
    resources: Vec<Resource>,
    limits: HttpLimits,
    readiness: Readiness,
) -> HttpServer {
    let health = Health::new(readiness.clone(), service_ready(system, system_name, service_name));
    let gateway = Gateway::of_service(system_name, service_name, resources, health, gate(system));
    let gateway = gateway.telling(outcomes(system)).answering(Asks::of(system)).counting(&system.requests());
    let gateway = gateway.offering(Offers::of(system.config()));
    HttpServer::new(listener, Edge::new(gateway, false, limits, now(system), system.requests()), readiness)
}

/// The operators' listener. Without tokens of theirs, it serves probes only on an address that other machines can reach.
/// What they change is written down in `audit`.
pub fn admin(
    listener: Listener,
    system: &System,
    limits: HttpLimits,
    readiness: Readiness,
    guard: &Guard,
    audit: Audit,
) -> HttpServer {
    let health = Health::new(readiness.clone(), complete(system));
    let admin = Admin::new(system.clone(), health, guard.operators(), audit, listener.is_loopback());
    HttpServer::new(listener, Edge::new(admin, false, limits, now(system), system.requests()), readiness)
}

fn ready(system: &System) -> Ready {
    let system = system.clone();
    Arc::new(move || {
        let system = system.clone();
        async move {
            let reasons = system.not_ready();
            if reasons.is_empty() { Ok(system.degraded()) } else { Err(reasons) }
        }
        .boxed()
    })
}

/// For operators: what the whole system needs, and every service that nobody has stopped on purpose. Clients are not
/// kept from the others by one that is away, so for them that is no reason.
fn complete(system: &System) -> Ready {
    let system = system.clone();
    Arc::new(move || {
        let mut reasons = system.not_ready();
        let (stopped, away): (Vec<_>, Vec<_>) =
            system.degraded().into_iter().partition(|told| told.ends_with(": stopped"));
        reasons.extend(away.into_iter().filter(|told| !system.not_ready().contains(told)));
        async move { if reasons.is_empty() { Ok(stopped) } else { Err(reasons) } }.boxed()
    })
}

/// What the whole system needs, and this service.
fn service_ready(system: &System, system_name: &'static str, service_name: &'static str) -> Ready {
    let system = system.clone();
    Arc::new(move || {
        let mut reasons = system.not_ready();
        if let Err(why) = system.accepts(system_name, service_name) {
            let own = format!("{system_name}/{service_name}: ");
            let told = system.degraded().into_iter().find(|away| away.starts_with(&own));
            reasons.push(told.unwrap_or_else(|| why.to_string()));
        }
        async move { if reasons.is_empty() { Ok(Vec::new()) } else { Err(reasons) } }.boxed()
    })
}

/// Whether the service of a resource takes requests now.
pub(crate) type Gate = Arc<dyn Fn(&Resource) -> Result<(), Unavailable> + Send + Sync>;

fn gate(system: &System) -> Gate {
    let system = system.clone();
    Arc::new(move |resource| system.accepts(resource.system, resource.service))
}

fn outcomes(system: &System) -> Outcomes {
    let system = system.clone();
    Arc::new(move |address| {
        let system = system.clone();
        async move { system.outcome(&address).await }.boxed()
    })
}

fn now(system: &System) -> super::routes::Now {
    let clock = system.clock();
    Arc::new(move || clock.now())
}

/// Resources by system and collection.
pub(crate) struct Gateway {
    systems: Vec<Catalog>,
    rooted: bool,
    health: Health,
    gate: Gate,
    outcomes: Outcomes,
    asks: Option<Asks>,
    offers: Offers,
    own: OwnRoutes,
}

/// The counters of what is no resource.
#[derive(Debug, Default)]
struct OwnRoutes {
    probe: Option<Arc<RouteMeter>>,
    root: Option<Arc<RouteMeter>>,
    openapi: Option<Arc<RouteMeter>>,
    profile: Option<Arc<RouteMeter>>,
    status: Option<Arc<RouteMeter>>,
    asks: Option<Arc<RouteMeter>>,
}

impl Gateway {
    pub(crate) fn new(resources: Vec<Resource>, rooted: bool, health: Health, gate: Gate) -> Self {
        let mut systems: Vec<Catalog> = Vec::new();
        for resource in resources {
            let known = systems.iter().position(|catalog| catalog.system == resource.system);
            if let Some(catalog) = known.and_then(|index| systems.get_mut(index)) {
                catalog.add(resource);
            } else {
                let mut catalog = Catalog::new(resource.system);
                catalog.add(resource);
                systems.push(catalog);
            }
        }
        let rooted = rooted && systems.len() == 1;
        Self {
            systems,
            rooted,
            health,
            gate,
            outcomes: untold(),
            asks: None,
            offers: Offers::default(),
            own: OwnRoutes::default(),
        }
    }

    /// Of the resources, those of one service; at the root, also when there are none.
    pub(crate) fn of_service(
        system: &'static str,
        service: &str,
        resources: Vec<Resource>,
        health: Health,
        gate: Gate,
    ) -> Self {
        let mut catalog = Catalog::new(system);
        let is_own = |resource: &Resource| resource.system == system && resource.service.eq_ignore_ascii_case(service);
        resources.into_iter().filter(is_own).for_each(|resource| catalog.add(resource));
        Self {
            systems: vec![catalog],
            rooted: true,
            health,
            gate,
            outcomes: untold(),
            asks: None,
            offers: Offers::default(),
            own: OwnRoutes::default(),
        }
    }

    /// With whoever knows what became of commands; without, all of them are unknown.
    pub(crate) fn telling(mut self, outcomes: Outcomes) -> Self {
        self.outcomes = outcomes;
        self
    }

    /// With whoever answers other processes.
    pub(crate) fn answering(mut self, asks: Asks) -> Self {
        self.asks = Some(asks);
        self
    }

    /// With a contract that says what the configuration decides about it.
    pub(crate) fn offering(mut self, offers: Offers) -> Self {
        self.offers = offers;
        self
    }

    /// With its requests counted by route; without, they are all of none.
    pub(crate) fn counting(mut self, meters: &RequestMeters) -> Self {
        for catalog in &mut self.systems {
            catalog.count(meters);
        }
        let own = |route: &str| Some(meters.route("", "", route));
        self.own = OwnRoutes {
            probe: own(health::ROUTE),
            root: own("/"),
            openapi: own("/openapi.json"),
            profile: own("/profile/{collection}"),
            status: own("/commands/{id}"),
            asks: own("/asks"),
        };
        self
    }

    /// The system that serves these segments, its prefix in links, and what follows.
    fn placed<'a>(&self, segments: &'a [PathSegment<'a>]) -> Option<(&Catalog, String, &'a [PathSegment<'a>])> {
        if let Some((first, rest)) = segments.split_first() {
            let named = self.systems.iter().find(|catalog| catalog.system.eq_ignore_ascii_case(first));
            if let Some(catalog) = named {
                return Some((catalog, format!("/{}", catalog.system), rest));
            }
        }
        match self.systems.as_slice() {
            [only] if self.rooted => Some((only, String::new(), segments)),
            _ => None,
        }
    }

    async fn answer(&self, request: &Request) -> Result<Response, Problem> {
        let segments = request.segments().ok_or_else(|| self.lost(request))?;
        if let Some(response) = self.health.answer(&segments).await {
            request.is_of(self.own.probe.as_ref());
            return reading(request, || response);
        }
        if segments == [OPENAPI] {
            request.is_of(self.own.openapi.as_ref());
            return reading(request, || self.openapi(&self.systems));
        }
        if let Some(response) = page(request, &segments, true) {
            request.is_of(self.own.openapi.as_ref());
            return response;
        }
        if segments.is_empty() && !self.rooted {
            request.is_of(self.own.root.as_ref());
            return reading(request, || self.root(request));
        }
        if let [commands, id] = segments.as_slice()
            && commands == COMMANDS
        {
            return self.status(request, id, None).await;
        }
        if let Some(asks) = self.asks.as_ref().filter(|_| segments == [ASKS]) {
            request.is_of(self.own.asks.as_ref());
            return asks.answer(request).instrument(request.log_span()).await;
        }
        let (catalog, prefix, rest) = self.placed(&segments).ok_or_else(|| self.lost(request))?;
        may_read(request.caller.as_ref(), catalog.system)?;
        let base = request.origin().with(&prefix);
        if let Some(response) = page(request, rest, true) {
            request.is_of(self.own.openapi.as_ref());
            return response;
        }
        match rest {
            [] => {
                request.is_of(self.own.root.as_ref());
                reading(request, || catalog.root(&base))
            }
            [name] if name == OPENAPI => {
                request.is_of(self.own.openapi.as_ref());
                reading(request, || self.openapi([catalog]))
            }
            [profile] if profile == "profile" => {
                request.is_of(self.own.profile.as_ref());
                reading(request, || catalog.profile(&base))
            }
            [profile, name] if profile == "profile" => {
                request.is_of(self.own.profile.as_ref());
                let resource = catalog.get(name).ok_or_else(|| self.lost(request))?;
                reading(request, || described(resource, &base))
            }
            [commands, id] if commands == COMMANDS => self.status(request, id, Some((catalog, base))).await,
            [asked, rest @ ..] => {
                let index = catalog.position(asked).ok_or_else(|| self.lost(request))?;
                let resource = catalog.at(index).ok_or_else(|| self.lost(request))?;
                let target = resource.target(rest).ok_or_else(|| self.lost(request))?;
                request.is_of(catalog.route(index, &target));
                if let Some(roles) = resource.commanders_of(&request.method, &target) {
                    may_command(request.caller.as_ref(), catalog.system, roles)?;
                }
                (self.gate)(resource).map_err(|why| {
                    let after = why.retry_after();
                    Problem::unavailable("UNAVAILABLE", why.to_string(), after).with("outcome", "not done".into())
                })?;
                let asked = asked.clone().into_owned();
                resource.handle(request, target, &Place { base, asked }).await
            }
        }
    }

    /// What became of a command of a resource here; `placed` when the request named its system.
    async fn status(
        &self,
        request: &Request,
        id: &str,
        placed: Option<(&Catalog, String)>,
    ) -> Result<Response, Problem> {
        request.is_of(self.own.status.as_ref());
        if !matches!(request.method, Method::GET | Method::HEAD) {
            return reading(request, || empty(StatusCode::OK));
        }
        let text = id;
        let id = status::parse(text)?;
        let system = id.address.kind.split('.').next().unwrap_or_default();
        let (catalog, base) = if let Some((catalog, base)) = placed {
            (Some(catalog).filter(|catalog| catalog.system == system), base)
        } else {
            let prefix = if self.rooted { String::new() } else { format!("/{system}") };
            let catalog = self.systems.iter().find(|catalog| catalog.system == system);
            (catalog, request.origin().with(&prefix))
        };
        let resource = catalog.and_then(|catalog| catalog.get(&id.collection)).ok_or_else(|| self.lost(request))?;
        may_read(request.caller.as_ref(), resource.system)?;
        let ended = status::ended(&id, (self.outcomes)(id.address.clone()).await)?;
        let own = format!("{base}/{COMMANDS}/{text}");
        let place = Place { base, asked: id.collection.clone() };
        Ok(status::document(request, &own, ended, |recalled| resource.recall(&id.route, recalled, &place)))
    }

    /// What these systems' declarations say to programs, at the addresses that this listener has for them.
    fn openapi<'a>(&self, systems: impl IntoIterator<Item = &'a Catalog>) -> Response {
        let systems: Vec<&Catalog> = systems.into_iter().collect();
        let whole = self.rooted || systems.len() == self.systems.len();
        let resources = systems.into_iter().flat_map(|catalog| &catalog.resources);
        json_response(StatusCode::OK, JSON, &contract::of(resources, self.rooted, whole, self.offers))
    }

    /// With several systems, the root lists them.
    fn root(&self, request: &Request) -> Response {
        let base = request.origin();
        let links: Map<String, Value> = self
            .systems
            .iter()
            .map(|catalog| (catalog.system.to_owned(), link(format!("{base}/{}", catalog.system))))
            .collect();
        json_response(StatusCode::OK, HAL, &json!({ "_links": links }))
    }

    /// 404 with what exists.
    fn lost(&self, request: &Request) -> Problem {
        let exist: Value = self
            .systems
            .iter()
            .flat_map(|catalog| {
                let prefix = if self.rooted { String::new() } else { format!("/{}", catalog.system) };
                catalog.resources.iter().map(move |resource| format!("{prefix}/{}", resource.shape.collection))
            })
            .collect();
        Problem::not_found(format!("{} does not exist", request.path)).with("available", exist)
    }
}

fn untold() -> Outcomes {
    Arc::new(|_| async { Ok(CommandOutcome::Unknown) }.boxed())
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").field("systems", &self.systems).field("rooted", &self.rooted).finish_non_exhaustive()
    }
}

impl Routes for Gateway {
    fn route<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Response, Problem>> {
        self.answer(request).boxed()
    }

    fn is_control(&self, path: &str) -> bool {
        health::is_probe(path)
    }

    fn is_open(&self, path: &str) -> bool {
        let is_system = |name: &str| self.systems.iter().any(|catalog| catalog.system.eq_ignore_ascii_case(name));
        // these and no other path that ends like one of them: it may be an item's
        let describes = |path: &str| path == OPENAPI || is_page(path);
        let own = path.strip_prefix('/').unwrap_or(path);
        let of_system = own.split_once('/').filter(|(system, _)| is_system(system)).map(|(_, rest)| rest);
        let asks_itself = own == ASKS && self.asks.as_ref().is_some_and(Asks::has_token);
        asks_itself || describes(own) || of_system.is_some_and(describes)
    }
}

/// What can only be read.
pub(crate) fn reading(request: &Request, response: impl FnOnce() -> Response) -> Result<Response, Problem> {
    const ALLOW: &str = "GET, HEAD, OPTIONS";
    match request.method {
        Method::GET | Method::HEAD => Ok(response()),
        Method::OPTIONS => {
            let mut response = empty(StatusCode::OK);
            set(&mut response, header::ALLOW, ALLOW);
            Ok(response)
        }
        _ => Err(Problem::method_not_allowed(&request.method, ALLOW.to_owned())),
    }
}
