//! The documents: of the public listener, and of the operators'.

use serde_json::Value;

use super::{
    Resource, admin,
    openapi::{self, Document},
};

const ABOUT: &str = "What the resources' declarations say. Values may be sent as texts, as the old clients do. What is not declared is \
                     ignored, in bodies and in queries. HEAD and OPTIONS are offered wherever GET is.";

const OF_OPERATORS: &str = "What operators see and do. Only from this machine, and not from web pages of other places.";

/// What the public listener offers, as it serves it at `/openapi.json`: at the root for one `rooted` system, else each
/// system below its name.
pub fn contract(resources: &[Resource], rooted: bool) -> Value {
    of(resources.iter(), rooted, true)
}

/// The same of some of the resources; `whole` with what the listener has besides.
pub(crate) fn of<'a>(resources: impl Iterator<Item = &'a Resource>, rooted: bool, whole: bool) -> Value {
    let mut document = Document::new("steadfast", ABOUT);
    let mut systems: Vec<&str> = Vec::new();
    for resource in resources {
        let prefix = if rooted { String::new() } else { format!("/{}", resource.system) };
        if !systems.contains(&resource.system) {
            systems.push(resource.system);
            openapi::roots(&prefix, resource.system, &mut document);
            openapi::commands(&prefix, resource.system, &mut document);
        }
        resource.describe(&prefix, &mut document);
    }
    if whole {
        openapi::probes(&mut document);
        if !rooted {
            openapi::itself("", "", &mut document);
            openapi::commands("", "", &mut document);
        }
    }
    document.finish()
}

/// What the operators' listener offers.
pub fn admin_contract() -> Value {
    let mut document = Document::new("steadfast: operators", OF_OPERATORS);
    admin::describe(&mut document);
    openapi::probes(&mut document);
    openapi::itself("", "", &mut document);
    document.finish()
}
