//! The routes of a resource as they are counted: its patterns, never a path that a client chose.

use std::sync::Arc;

use super::{Resource, Target};
use crate::{RequestMeters, RouteMeter};

/// The counters of a resource's routes.
#[derive(Debug)]
pub(crate) struct ResourceRoutes {
    collection: Arc<RouteMeter>,
    item: Arc<RouteMeter>,
    search: Arc<RouteMeter>,
    procedures: Vec<(&'static str, Arc<RouteMeter>)>,
    finders: Vec<(&'static str, Arc<RouteMeter>)>,
}

impl ResourceRoutes {
    pub(crate) fn of(resource: &Resource, meters: &RequestMeters) -> Self {
        let collection = resource.shape.collection;
        let meter = |route: String| meters.route(resource.system, resource.service, route);
        let named = |name: &'static str, route| (name, meter(route));
        Self {
            collection: meter(format!("/{collection}")),
            item: meter(format!("/{collection}/{{id}}")),
            search: meter(format!("/{collection}/search")),
            procedures: resource
                .procedures
                .iter()
                .filter(|procedure| !procedure.name.is_empty())
                .map(|procedure| named(procedure.name, format!("/{collection}/{}", procedure.name)))
                .collect(),
            finders: resource
                .finders
                .iter()
                .map(|finder| named(finder.name, format!("/{collection}/search/{}", finder.name)))
                .collect(),
        }
    }

    /// The counters of what a path names; `None` for a finder that is not there.
    pub(crate) fn at(&self, target: &Target) -> Option<&Arc<RouteMeter>> {
        match target {
            Target::Collection => Some(&self.collection),
            Target::Item(name) | Target::Procedure(name) => {
                let procedure = self.procedures.iter().find(|(known, _)| known == name);
                Some(procedure.map_or(&self.item, |(_, meter)| meter))
            }
            Target::Search => Some(&self.search),
            Target::Finder(name) => self.finders.iter().find(|(known, _)| known == name).map(|(_, meter)| meter),
        }
    }
}
