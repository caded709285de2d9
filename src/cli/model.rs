//! `steadfast model`: what the systems consist of, as they declare it. `docs/domain.md` is its output.

use std::fmt::{self, Write};

use anyhow::Context;
use clap::Args;
use serde_json::json;
use steadfast::{EntityModel, OutboundModel, PolicyModel, ServiceModel};

use super::{
    Exit,
    fleet::{self, Fleet, Known},
    say,
};

#[derive(Debug, Args)]
pub(super) struct Model {
    /// Which system.
    #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(fleet::names()), default_value = fleet::ALL)]
    system: String,
    /// As JSON, for programs.
    #[arg(long)]
    json: bool,
}

impl Model {
    pub(super) fn run(self) -> Result<(), Exit> {
        let fleet = Fleet::named(&self.system);
        let text = if self.json {
            let systems = fleet.iter().map(|known| (known.name.to_owned(), json!((known.model)())));
            let systems = serde_json::Value::Object(systems.collect());
            serde_json::to_string_pretty(&systems).context("the model cannot be written").map_err(Exit::Other)?
        } else {
            let mut text = String::new();
            written(&mut text, fleet).context("the model cannot be written").map_err(Exit::Other)?;
            text
        };
        say(text.trim_end());
        Ok(())
    }
}

fn written(out: &mut String, fleet: Fleet) -> fmt::Result {
    writeln!(out, "# The domain model\n")?;
    writeln!(out, "Written by `steadfast model` from what the systems declare; a test keeps it current.\n")?;
    writeln!(out, "An *event* is one that the bus carries; intents and bookkeeping are internal. A *link* is a")?;
    writeln!(out, "synchronous call: the caller waits for the callee. Everything else is asynchronous.")?;
    for known in fleet.iter() {
        system(out, known)?;
    }
    Ok(())
}

fn system(out: &mut String, known: &Known) -> fmt::Result {
    let services = (known.model)();
    writeln!(out, "\n## {}\n", known.name)?;
    writeln!(out, "| service | port | entity | commands | events |\n|---|---|---|---|---|")?;
    for service in &services {
        let port = known.service_ports.iter().find(|(name, _)| *name == service.name).map(|(_, port)| port.to_string());
        let port = port.unwrap_or_default();
        for entity in &service.entities {
            let EntityModel { kind, commands, events, .. } = entity;
            writeln!(out, "| {} | {port} | `{kind}` | {} | {} |", service.name, listed(commands), listed(events))?;
        }
        if service.entities.is_empty() {
            writeln!(out, "| {} | {port} | | | |", service.name)?;
        }
    }
    links(out, &services)?;
    policies(out, &services)?;
    views(out, &services)?;
    notices(out, &services)?;
    seeds(out, &services)
}

fn links(out: &mut String, services: &[ServiceModel]) -> fmt::Result {
    let owner = |kind: &str| {
        let hosts = |service: &&ServiceModel| service.entities.iter().any(|entity| entity.kind == kind);
        services.iter().find(hosts).map_or("?", |service| service.name)
    };
    let mut links = Vec::new();
    for service in services {
        for entity in &service.entities {
            let own = entity.asks.iter().map(|asked| (service.name, owner(asked), entity.kind, *asked));
            links.extend(own.filter(|(caller, callee, ..)| caller != callee));
        }
    }
    if links.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n| link | who asks | whom |\n|---|---|---|")?;
    links
        .iter()
        .try_for_each(|(caller, callee, kind, asked)| writeln!(out, "| {caller} -> {callee} | `{kind}` | `{asked}` |"))
}

fn policies(out: &mut String, services: &[ServiceModel]) -> fmt::Result {
    if services.iter().all(|service| service.policies.is_empty()) {
        return Ok(());
    }
    writeln!(out, "\n| policy | of service | whenever something happens to | asks |\n|---|---|---|---|")?;
    for service in services {
        for PolicyModel { name, source, target, .. } in &service.policies {
            writeln!(out, "| `{name}` | {} | `{source}` | `{target}` |", service.name)?;
        }
    }
    Ok(())
}

fn views(out: &mut String, services: &[ServiceModel]) -> fmt::Result {
    if services.iter().all(|service| service.views.is_empty()) {
        return Ok(());
    }
    writeln!(out, "\n| view | of service | follows |\n|---|---|---|")?;
    for service in services {
        for view in &service.views {
            writeln!(out, "| `{}` | {} | {} |", view.name, service.name, listed(&view.follows))?;
        }
    }
    Ok(())
}

fn notices(out: &mut String, services: &[ServiceModel]) -> fmt::Result {
    if services.iter().all(|service| service.notices.is_empty()) {
        return Ok(());
    }
    writeln!(out, "\n| leaves the house | of service | history | channel |\n|---|---|---|---|")?;
    for service in services {
        for OutboundModel { name, source, channel, .. } in &service.notices {
            writeln!(out, "| `{name}` | {} | `{source}` | `{channel}` |", service.name)?;
        }
    }
    Ok(())
}

fn seeds(out: &mut String, services: &[ServiceModel]) -> fmt::Result {
    let entities = services.iter().flat_map(|service| &service.entities);
    for EntityModel { kind, seeds, .. } in entities.filter(|entity| !entity.seeds.is_empty()) {
        writeln!(out, "\nAt every start `{kind}` is asked for: {}.", listed(seeds))?;
    }
    Ok(())
}

fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
