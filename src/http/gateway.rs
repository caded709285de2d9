//! From a path to a resource: `/<system>/<collection>/...`, and without the system when there is only one.

use std::{collections::HashMap, sync::Arc};

use futures::{FutureExt, future::BoxFuture};
use http::{Method, StatusCode, header};
use serde_json::{Map, Value, json};

use super::{
    Edge, HttpLimits, HttpServer, Listener, Problem, Readiness, Resource,
    admin::Admin,
    hal::{Place, link, template},
    health::{Health, Ready},
    request::{HAL, Request, Response, empty, json as json_response, set},
    resource::Target,
    routes::Routes,
};
use crate::System;

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
    let gateway = Gateway::new(resources, rooted, Health::new(readiness.clone(), ready(system)));
    HttpServer::new(listener, Edge::new(gateway, true, limits, now(system)), readiness)
}

/// The operators' listener. On an address that other machines can reach it serves probes only.
pub fn admin(listener: Listener, system: &System, limits: HttpLimits, readiness: Readiness) -> HttpServer {
    let health = Health::new(readiness.clone(), ready(system));
    let admin = Admin::new(system.clone(), health, listener.is_loopback());
    HttpServer::new(listener, Edge::new(admin, false, limits, now(system)), readiness)
}

fn ready(system: &System) -> Ready {
    let system = system.clone();
    Arc::new(move || {
        let system = system.clone();
        async move {
            let reasons = system.not_ready();
            if reasons.is_empty() { Ok(()) } else { Err(reasons) }
        }
        .boxed()
    })
}

fn now(system: &System) -> super::routes::Now {
    let clock = system.clock();
    Arc::new(move || clock.now())
}

/// Resources by system and collection.
#[derive(Debug)]
pub(crate) struct Gateway {
    systems: Vec<Catalog>,
    rooted: bool,
    health: Health,
}

/// The resources of one system, in order of declaration, and by lower-case name.
#[derive(Debug)]
struct Catalog {
    system: &'static str,
    resources: Vec<Resource>,
    by_name: HashMap<String, usize>,
}

impl Gateway {
    pub(crate) fn new(resources: Vec<Resource>, rooted: bool, health: Health) -> Self {
        let mut systems: Vec<Catalog> = Vec::new();
        for resource in resources {
            let known = systems.iter().position(|catalog| catalog.system == resource.system);
            if let Some(catalog) = known.and_then(|index| systems.get_mut(index)) {
                catalog.add(resource);
            } else {
                let mut catalog = Catalog { system: resource.system, resources: Vec::new(), by_name: HashMap::new() };
                catalog.add(resource);
                systems.push(catalog);
            }
        }
        let rooted = rooted && systems.len() == 1;
        Self { systems, rooted, health }
    }

    /// The system that serves these segments, its prefix in links, and what follows.
    fn placed<'a>(&self, segments: &'a [String]) -> Option<(&Catalog, String, &'a [String])> {
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
            return reading(request, || response);
        }
        if segments.is_empty() && !self.rooted {
            return reading(request, || self.root(request));
        }
        let (catalog, prefix, rest) = self.placed(&segments).ok_or_else(|| self.lost(request))?;
        let base = format!("{}{prefix}", request.origin());
        match rest {
            [] => reading(request, || catalog.root(&base)),
            [profile] if profile == "profile" => reading(request, || catalog.profile(&base)),
            [profile, name] if profile == "profile" => {
                let resource = catalog.get(name).ok_or_else(|| self.lost(request))?;
                reading(request, || described(resource, &base))
            }
            [asked, rest @ ..] => {
                let resource = catalog.get(asked).ok_or_else(|| self.lost(request))?;
                let target = Target::of(rest).ok_or_else(|| self.lost(request))?;
                let asked = asked.clone();
                resource.handle(request, target, &Place { base, asked }).await
            }
        }
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

impl Routes for Gateway {
    fn route<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Response, Problem>> {
        self.answer(request).boxed()
    }
}

impl Catalog {
    fn add(&mut self, resource: Resource) {
        self.by_name.insert(resource.shape.collection.to_lowercase(), self.resources.len());
        self.resources.push(resource);
    }

    fn get(&self, name: &str) -> Option<&Resource> {
        self.resources.get(*self.by_name.get(&name.to_lowercase())?)
    }

    fn root(&self, base: &str) -> Response {
        let mut links: Map<String, Value> = self
            .resources
            .iter()
            .map(|resource| {
                let (name, paged) = (resource.shape.collection, resource.shape.paged);
                let own = format!("{base}/{name}");
                (name.to_owned(), if paged { template(format!("{own}{{?page,size,sort}}")) } else { link(own) })
            })
            .collect();
        links.insert("profile".into(), link(format!("{base}/profile")));
        json_response(StatusCode::OK, HAL, &json!({ "_links": links }))
    }

    fn profile(&self, base: &str) -> Response {
        let mut links = Map::new();
        links.insert("self".into(), link(format!("{base}/profile")));
        for name in self.resources.iter().map(|resource| resource.shape.collection) {
            links.insert(name.to_owned(), link(format!("{base}/profile/{name}")));
        }
        json_response(StatusCode::OK, HAL, &json!({ "_links": links }))
    }
}

/// What `/profile/<collection>` says: the fields and their types.
fn described(resource: &Resource, base: &str) -> Response {
    let shape = &resource.shape;
    let fields: Value = std::iter::once(&shape.key)
        .chain(&shape.fields)
        .map(|field| json!({ "name": field.name, "type": format!("{:?}", field.kind).to_lowercase() }))
        .collect();
    let own = link(format!("{base}/profile/{}", shape.collection));
    let body =
        json!({ "collection": shape.collection, "item": shape.relation, "fields": fields, "_links": { "self": own } });
    json_response(StatusCode::OK, HAL, &body)
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
