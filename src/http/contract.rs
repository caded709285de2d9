//! The documents: of the public listener, and of the operators'.

use serde_json::Value;

use super::{
    Resource, admin,
    openapi::{self, Access, Document, Offers},
};
use crate::SupervisionConfig;

const ABOUT: &str = "What the resources' declarations say. Values may be sent as texts, as the old clients do. What is not declared is \
                     ignored, in bodies and in queries. HEAD and OPTIONS are offered wherever GET is.";

const OF_OPERATORS: &str = "What operators see and do. Only from this machine, and not from web pages of other places.";

/// What the public listener offers, as it serves it at `/openapi.json`: at the root for one `rooted` system, else each
/// system below its name. `config` says who is asked who he is, and whether other processes may ask.
pub fn contract(resources: &[Resource], rooted: bool, config: &SupervisionConfig) -> Value {
    of(resources.iter(), rooted, true, Offers::of(config))
}

/// The same of some of the resources; `whole` with what the listener has besides.
pub(crate) fn of<'a>(
    resources: impl Iterator<Item = &'a Resource>,
    rooted: bool,
    whole: bool,
    offers: Offers,
) -> Value {
    let mut document = Document::of_clients("steadfast", ABOUT, offers);
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
        if offers.asks() {
            openapi::asks(&mut document);
        }
        if !rooted {
            openapi::itself("", "", Access::Open, &mut document);
            openapi::commands("", "", &mut document);
        }
    }
    document.finish()
}

/// What the operators' listener offers. `config` says whether they are asked who they are.
pub fn admin_contract(config: &SupervisionConfig) -> Value {
    let mut document = Document::of_operators("steadfast: operators", OF_OPERATORS, Offers::of(config));
    admin::describe(&mut document);
    openapi::probes(&mut document);
    openapi::itself("", "", Access::Known, &mut document);
    document.finish()
}
