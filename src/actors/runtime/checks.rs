//! Before anything starts: whether the configuration is about what is here, and data where it is looked for.

use std::{collections::HashMap, sync::Arc};

use super::{builder::StartError, connector::Channels, declare::Place, kinds::KindHost, unit::UnitRuntime};
use crate::{
    actors::supervision::{NamedSection, SupervisionConfig},
    persistence::{Elsewhere, Placed},
};

/// A section about something that does not exist would have no effect: a slip that should be known.
/// Sections of systems that this process does not run are left alone.
pub(super) fn check_names(
    config: &SupervisionConfig,
    hosts: &[Arc<dyn KindHost>],
    services: &[Place],
    channels: &Channels,
) -> Result<(), StartError> {
    let here = |system: &str| services.iter().any(|place| place.service.system.eq_ignore_ascii_case(system));
    let service = |name: &str| services.iter().any(|place| place.service.full_name.eq_ignore_ascii_case(name));
    let kind = |name: &str| {
        let short = |kind: &str| kind.split_once('.').is_some_and(|(_, short)| short.eq_ignore_ascii_case(name));
        hosts.iter().any(|host| host.kind().eq_ignore_ascii_case(name) || short(host.kind()))
    };
    for (section, name) in config.named() {
        let (prefix, known) = match section {
            NamedSection::Entity => ("entity", kind(name) || name.split_once('.').is_some_and(|(s, _)| !here(s))),
            NamedSection::Places => {
                ("bulkhead", service(name) || name.split_once('/').is_some_and(|(system, _)| !here(system)))
            }
            NamedSection::Service => {
                ("service", service(name) || name.split_once('/').is_some_and(|(system, _)| !here(system)))
            }
            NamedSection::Probe => {
                ("probe", service(name) || name.split_once('/').is_some_and(|(system, _)| !here(system)))
            }
            NamedSection::Link => {
                let mut parts = name.split('.');
                let system = parts.next().unwrap_or_default();
                ("link", !here(system) || parts.all(|part| service(&format!("{system}/{part}"))))
            }
            NamedSection::Connector => {
                ("connector", channels.has(name) || name.split_once('.').is_some_and(|(system, _)| !here(system)))
            }
            NamedSection::Bulkhead => {
                let is_used = channels.bulkheads().any(|(used, _)| used == name) || config.runs_in(name);
                ("bulkhead", is_used || name.split_once('-').is_some_and(|(system, _)| !here(system)))
            }
        };
        if !known {
            return Err(StartError::Unused { section: format!("{prefix}.{}", name.replace('/', ".")) });
        }
    }
    for (unit, listed) in &config.storage.units {
        let unknown = |name: &&String| !service(name) && name.split_once('/').is_none_or(|(system, _)| here(system));
        if let Some(service) = listed.iter().find(unknown) {
            return Err(StartError::UnknownService { unit: unit.clone(), service: service.clone() });
        }
    }
    Ok(())
}

/// Which service keeps the streams of which kinds where.
pub(super) fn placed(services: &[Place], hosts: &[Arc<dyn KindHost>]) -> Vec<Placed> {
    let placed = |place: &Place| {
        let own = hosts.iter().filter(|host| Arc::ptr_eq(host.service(), &place.service));
        let kinds = own.map(|host| host.kind().to_owned()).collect();
        Placed { service: place.service.full_name.clone(), unit: place.unit.name.to_string(), kinds }
    };
    services.iter().map(placed).collect()
}

/// All streams of a kind are in the unit of its service.
pub(super) fn check_places(units: &[Arc<UnitRuntime>], placed: &[Placed]) -> Result<(), Elsewhere> {
    let kinds = placed.iter().flat_map(|placed| placed.kinds.iter().map(move |kind| (kind.as_str(), placed)));
    let by_kind: HashMap<&str, &Placed> = kinds.collect();
    let mut moved = None;
    // With one unit there is nowhere else.
    for unit in units.iter().filter(|_| units.len() > 1) {
        unit.journal.heads(&mut |stream, _| {
            if let Some(placed) = by_kind.get(stream.kind.as_ref()).filter(|placed| placed.unit != *unit.name) {
                let Placed { service, unit: wanted, .. } = Placed::clone(placed);
                let (found, kind) = (unit.name.to_string(), stream.kind.to_string());
                moved = Some(Elsewhere::Moved { service, unit: wanted, found, kind });
            }
        });
    }
    moved.map_or(Ok(()), Err)
}
