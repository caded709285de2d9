//! The resources of one system by name, and what is told of them to who asks at their root.

use std::sync::Arc;

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{
    Field, Resource,
    hal::{link, template},
    request::{HAL, Response, json as json_response},
    resource::{ResourceRoutes, Target},
};
use crate::{RequestMeters, RouteMeter};

/// The resources of one system, in order of declaration.
#[derive(Debug)]
pub(super) struct Catalog {
    pub(super) system: &'static str,
    pub(super) resources: Vec<Resource>,
    /// The counters of each, in the same order; none while they are not counted.
    routes: Vec<ResourceRoutes>,
}

/// What it may be called in a path, in any case.
fn names(resource: &Resource) -> impl Iterator<Item = &'static str> {
    std::iter::once(resource.shape.collection).chain(resource.aliases.iter().copied())
}

impl Catalog {
    pub(super) fn new(system: &'static str) -> Self {
        Self { system, resources: Vec::new(), routes: Vec::new() }
    }

    pub(super) fn add(&mut self, resource: Resource) {
        for name in names(&resource) {
            debug_assert!(self.get(name).is_none(), "{name} is declared twice in {}", self.system);
        }
        self.resources.push(resource);
    }

    /// With the requests of each counted.
    pub(super) fn count(&mut self, meters: &RequestMeters) {
        self.routes = self.resources.iter().map(|resource| ResourceRoutes::of(resource, meters)).collect();
    }

    /// The counters of what a path of the resource in this position names.
    pub(super) fn route(&self, position: usize, target: &Target) -> Option<&Arc<RouteMeter>> {
        self.routes.get(position)?.at(target)
    }

    /// Where the resource with this name, or alias, is. There are so few that looking at each is the fastest.
    pub(super) fn position(&self, name: &str) -> Option<usize> {
        self.resources.iter().position(|resource| names(resource).any(|own| own.eq_ignore_ascii_case(name)))
    }

    pub(super) fn at(&self, position: usize) -> Option<&Resource> {
        self.resources.get(position)
    }

    pub(super) fn get(&self, name: &str) -> Option<&Resource> {
        self.at(self.position(name)?)
    }

    pub(super) fn root(&self, base: &str) -> Response {
        let mut links: Map<String, Value> = self
            .resources
            .iter()
            .filter(|resource| resource.has_items())
            .map(|resource| {
                let (name, paged) = (resource.shape.collection, resource.shape.paged);
                let own = format!("{base}/{name}");
                (name.to_owned(), if paged { template(format!("{own}{{?page,size,sort}}")) } else { link(own) })
            })
            .collect();
        links.insert("profile".into(), link(format!("{base}/profile")));
        json_response(StatusCode::OK, HAL, &json!({ "_links": links }))
    }

    pub(super) fn profile(&self, base: &str) -> Response {
        let mut links = Map::new();
        links.insert("self".into(), link(format!("{base}/profile")));
        for name in self.resources.iter().map(|resource| resource.shape.collection) {
            links.insert(name.to_owned(), link(format!("{base}/profile/{name}")));
        }
        json_response(StatusCode::OK, HAL, &json!({ "_links": links }))
    }
}

/// What `/profile/<collection>` says: the fields and their types, and the procedures with theirs.
pub(super) fn described(resource: &Resource, base: &str) -> Response {
    let shape = &resource.shape;
    let typed = |field: &Field| json!({ "name": field.name, "type": format!("{:?}", field.kind).to_lowercase() });
    let mut body = Map::new();
    body.insert("collection".into(), shape.collection.into());
    if resource.has_items() {
        body.insert("item".into(), shape.relation.into());
        body.insert("fields".into(), std::iter::once(&shape.key).chain(&shape.fields).map(typed).collect());
    }
    let procedures = resource.procedures.iter().map(|procedure| {
        let parameters: Value = procedure.parameters.iter().map(typed).collect();
        json!({ "method": procedure.method.as_str(), "name": procedure.name, "parameters": parameters })
    });
    if !resource.procedures.is_empty() {
        body.insert("procedures".into(), procedures.collect());
    }
    let own = link(format!("{base}/profile/{}", shape.collection));
    body.insert("_links".into(), json!({ "self": own }));
    json_response(StatusCode::OK, HAL, &Value::Object(body))
}
