//! `supervision.toml`: parsed with the place of every value, then validated into plain structs.
//!
//! Layers, later wins: defaults, file, environment (`STEADFAST__SECTION__KEY`); flags are laid over the
//! result by whoever has them. Every key has a default, so the file may be empty or absent. An unknown key
//! or a broken rule refuses the whole configuration and says where.

mod addresses;
mod admin;
mod auth;
mod bulkhead;
mod connector;
mod entity;
mod error;
mod link;
mod log;
mod probe;
mod rate;
mod secret;
mod section;
mod server;
mod shown;
mod storage;
mod supervisors;
mod switches;
#[cfg(test)]
mod tests;
mod units;
mod value;

use std::{collections::BTreeMap, io, path::Path, time::Duration};

pub use addresses::AddressRange;
pub use admin::AdminConfig;
pub use auth::AuthConfig;
pub use bulkhead::{AutoscaleConfig, BulkheadConfig, PlacesConfig};
pub use connector::{ConnectorConfig, ConnectorKind};
pub use entity::{EntityConfig, ServiceConfig};
pub use error::{ConfigError, Place, Problem};
pub use link::{BreakerConfig, LinkConfig, LinkTarget};
pub use log::LogConfig;
pub use probe::ProbeConfig;
pub use rate::RateConfig;
pub use secret::Secret;
pub use server::{LimitsConfig, ServerConfig, ServicePorts, TlsConfig};
pub use shown::ShownValue;
pub use storage::{JournalKind, StorageConfig};
pub use supervisors::{SupervisorConfig, SupervisorConfigs};
pub use units::ByteCount;
pub use units::duration as read_duration;
pub use value::FlagValue;

use section::{Asked, Section};
use switches::{Switches, World};
use value::Table;

use crate::actors::entity::Settings;

/// The configuration of a process. `default()` is that of an empty file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SupervisionConfig {
    /// `[server]`.
    pub server: ServerConfig,
    /// `[admin]`.
    pub admin: AdminConfig,
    /// `[limits]`.
    pub limits: LimitsConfig,
    /// `[limits.rate]`.
    pub rate: RateConfig,
    /// `[auth]`.
    pub auth: AuthConfig,
    /// `[log]`.
    pub log: LogConfig,
    /// `[storage]`.
    pub storage: StorageConfig,
    /// `[[supervisor]]`.
    pub supervisors: SupervisorConfigs,
    systems: BTreeMap<String, Switches>,
    entity: EntityConfig,
    entities: BTreeMap<String, EntityConfig>,
    service: ServiceConfig,
    services: BTreeMap<String, ServiceConfig>,
    probe: ProbeConfig,
    probes: BTreeMap<String, ProbeConfig>,
    link: LinkConfig,
    links: BTreeMap<String, LinkConfig>,
    bulkhead: BulkheadConfig,
    bulkheads: BTreeMap<String, BulkheadConfig>,
    places: BTreeMap<String, PlacesConfig>,
    /// Of services without a section.
    default_places: PlacesConfig,
    connectors: BTreeMap<String, ConnectorConfig>,
}

impl SupervisionConfig {
    /// Reads the file at `path`; an absent one is an empty one.
    ///
    /// # Errors
    /// The first broken rule, or that the file cannot be read.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        Self::load_with(path, [])
    }

    /// Reads the file at `path` and lays `variables` over it, names and values of the environment. Variables
    /// whose names do not begin with `STEADFAST__` are ignored.
    ///
    /// # Errors
    /// The first broken rule, or that the file cannot be read.
    pub fn load_with(
        path: impl AsRef<Path>,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        Self::load_layers(path, variables, []).map(|(config, _)| config)
    }

    /// As [`load_with`](Self::load_with), with flags laid over that; also every key with its value and its origin, but for
    /// the switches of systems, which [`shown_settings`](Self::shown_settings) has.
    ///
    /// # Errors
    /// The first broken rule, or that the file cannot be read.
    pub fn load_layers(
        path: impl AsRef<Path>,
        variables: impl IntoIterator<Item = (String, String)>,
        flags: impl IntoIterator<Item = FlagValue>,
    ) -> Result<(Self, Vec<ShownValue>), ConfigError> {
        let path = path.as_ref();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(ConfigError::Unreadable { path: path.to_owned(), source }),
        };
        let mut root = value::from_text(&text, &path.display().to_string())?;
        value::overlay(&mut root, variables)?;
        value::overlay_flags(&mut root, flags);
        let shown = shown::shown(root.clone())?;
        Ok((Self::validate(root, &Asked::default())?, shown))
    }

    /// Reads the text of a file; errors call it `file_name`.
    ///
    /// # Errors
    /// The first broken rule.
    pub fn parse(text: &str, file_name: &str) -> Result<Self, ConfigError> {
        Self::parse_with(text, file_name, [])
    }

    /// Reads the text of a file and lays `variables` over it, as [`load_with`](Self::load_with) does.
    ///
    /// # Errors
    /// The first broken rule.
    pub fn parse_with(
        text: &str,
        file_name: &str,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut root = value::from_text(text, file_name)?;
        value::overlay(&mut root, variables)?;
        Self::validate(root, &Asked::default())
    }

    fn validate(root: Table, asked: &Asked) -> Result<Self, ConfigError> {
        let mut root = Section::root(root, asked);
        let (server, drain) = server::server(root.section("server")?)?;
        let (limits, rate) = server::limits(root.section("limits")?)?;
        let (entity, entities) = entity::entities(root.section("entity")?)?;
        let (service, services) = entity::services(root.section("service")?)?;
        let (probe, probes) = probe::probes(root.section("probe")?)?;
        let (link, links) = link::links(root.section("link")?)?;
        let bulkheads = bulkhead::bulkheads(root.section("bulkhead")?)?;
        let connectors = connector::connectors(root.section("connector")?, &bulkheads)?;
        let mut systems = root.section("systems")?;
        let switches =
            systems.named()?.into_iter().map(|(name, place, section)| (name, Switches::of(place, section))).collect();
        systems.finish()?;
        let config = Self {
            server,
            admin: admin::admin(root.section("admin")?)?,
            limits,
            rate,
            auth: auth::auth(root.section("auth")?)?,
            log: log::log(root.section("log")?)?,
            storage: storage::storage(root.section("storage")?)?,
            supervisors: supervisors::supervisors(root.sections("supervisor")?, &drain)?,
            systems: switches,
            entity,
            entities,
            service,
            services,
            probe,
            probes,
            link,
            links,
            bulkhead: bulkheads.default,
            bulkheads: bulkheads.named,
            places: bulkheads.places,
            default_places: PlacesConfig::default(),
            connectors,
        };
        root.finish()?;
        Ok(config)
    }

    /// `[systems.<name>]`: the switches of one system, for which `variable` gives the environment's values. A
    /// key `<switch>_file` names a file with the value of `<switch>`; blanks around it are not part of it.
    ///
    /// # Errors
    /// A switch that the system does not know or cannot read, or a file that cannot be read.
    pub fn settings<S: Settings>(&self, variable: impl Fn(&str) -> Option<String>) -> Result<S, ConfigError> {
        let file = |path: &Path| std::fs::read_to_string(path);
        let switches = self.systems.get(S::SYSTEM).cloned().unwrap_or_default();
        switches.read(&World { file: &file, variable: &variable })
    }

    /// The switches of one system as [`settings`](Self::settings) reads them, each with its origin. What stands in a file
    /// of its own is not shown.
    ///
    /// # Errors
    /// As [`settings`](Self::settings).
    pub fn shown_settings<S: Settings>(
        &self,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Vec<ShownValue>, ConfigError> {
        let file = |path: &Path| std::fs::read_to_string(path);
        let switches = self.systems.get(S::SYSTEM).cloned().unwrap_or_default();
        switches.shown::<S>(&World { file: &file, variable: &variable })
    }

    /// Whether all switches in it are of `known`, the systems that read some: nobody would notice the others.
    ///
    /// # Errors
    /// The first system with switches that is none of them.
    pub fn refuse_switches_of_others(&self, known: &[&'static str]) -> Result<(), ConfigError> {
        let unknown = |(name, _): &(&String, &Switches)| !known.contains(&name.as_str());
        let Some((name, switches)) = self.systems.iter().find(unknown) else { return Ok(()) };
        Err(switches.of_nobody(name, known))
    }

    /// What differs from `other` beside what a running system takes over: sections, which are read only at a start.
    pub fn fixed_differences(&self, other: &Self) -> Vec<&'static str> {
        let sections = [
            ("server", self.server.fixed() != other.server.fixed()),
            ("admin", self.admin.fixed() != other.admin.fixed()),
            ("limits", self.limits != other.limits),
            ("auth", self.auth.open != other.auth.open || self.auth.is_on() != other.auth.is_on()),
            ("log", self.log != other.log),
            ("storage", self.storage != other.storage),
            ("supervisor", self.supervisors != other.supervisors),
            ("entity", self.entity != other.entity || self.entities != other.entities),
            ("probe", self.probe != other.probe || self.probes != other.probes),
            ("link", self.link_timeouts() != other.link_timeouts()),
            ("service", self.command_keys() != other.command_keys()),
            ("connector", self.connectors != other.connectors),
        ];
        sections.into_iter().filter(|(_, differs)| *differs).map(|(section, _)| section).collect()
    }

    /// What of the links cannot change while they are used.
    fn link_timeouts(&self) -> (Option<Duration>, BTreeMap<&str, Option<Duration>>) {
        let own = self.links.iter().filter(|(_, link)| link.timeout != self.link.timeout);
        (self.link.timeout, own.map(|(name, link)| (name.as_str(), link.timeout)).collect())
    }

    /// What of `[service]` holds until the next start, where it differs from the default.
    fn command_keys(&self) -> (u32, BTreeMap<&str, u32>) {
        let all = self.service.command_keys;
        let own = self.services.iter().map(|(name, config)| (name.as_str(), config.command_keys));
        (all, own.filter(|(_, keys)| *keys != all).collect())
    }

    /// The limits of the entities of a kind, `<system>.<entity>`: its own section, that of its short name,
    /// or `[entity]`.
    pub fn entity(&self, kind: &str) -> &EntityConfig {
        let kind = kind.to_ascii_lowercase();
        let short = || kind.split_once('.').and_then(|(_, short)| self.entities.get(short));
        self.entities.get(&kind).or_else(short).unwrap_or(&self.entity)
    }

    /// The limits of a service: its own section, or `[service]`.
    pub fn service(&self, system: &str, service: &str) -> &ServiceConfig {
        self.services.get(&format!("{system}/{service}").to_ascii_lowercase()).unwrap_or(&self.service)
    }

    /// The probe of a service: its own section, or `[probe]`.
    pub fn probe(&self, system: &str, service: &str) -> ProbeConfig {
        self.probes.get(&format!("{system}/{service}").to_ascii_lowercase()).copied().unwrap_or(self.probe)
    }

    /// The limits of calls from one service of a system to another: its own section, or `[link]`.
    pub fn link(&self, system: &str, from: &str, to: &str) -> &LinkConfig {
        self.links.get(&format!("{system}.{from}.{to}").to_ascii_lowercase()).unwrap_or(&self.link)
    }

    /// What carries the notices of a channel: its own section, or the default.
    pub fn connector(&self, system: &str, channel: &str) -> ConnectorConfig {
        let own = self.connectors.get(&format!("{system}.{channel}").to_ascii_lowercase());
        own.cloned().unwrap_or_else(|| ConnectorConfig::of(system, channel))
    }

    /// The limits of a bulkhead: its own section, or `[bulkhead]`.
    pub fn bulkhead(&self, name: &str) -> &BulkheadConfig {
        self.bulkheads.get(&name.to_ascii_lowercase()).unwrap_or(&self.bulkhead)
    }

    /// The places in which a service handles its commands.
    pub fn places(&self, system: &str, service: &str) -> &PlacesConfig {
        self.places.get(&format!("{system}/{service}").to_ascii_lowercase()).unwrap_or(&self.default_places)
    }

    /// Whether the section of some connector names this bulkhead.
    pub fn runs_in(&self, bulkhead: &str) -> bool {
        self.connectors.values().any(|connector| connector.bulkhead == bulkhead)
    }

    /// The names of kinds, services, links, connectors and bulkheads that have a section of their own, as the sections have them.
    /// Whoever knows all names refuses those that nothing has.
    pub fn named(&self) -> impl Iterator<Item = (NamedSection, &str)> {
        let entities = self.entities.keys().map(|name| (NamedSection::Entity, name.as_str()));
        let services = self.services.keys().map(|name| (NamedSection::Service, name.as_str()));
        let probes = self.probes.keys().map(|name| (NamedSection::Probe, name.as_str()));
        let links = self.links.keys().map(|name| (NamedSection::Link, name.as_str()));
        let connectors = self.connectors.keys().map(|name| (NamedSection::Connector, name.as_str()));
        let bulkheads = self.bulkheads.keys().map(|name| (NamedSection::Bulkhead, name.as_str()));
        let places = self.places.keys().map(|name| (NamedSection::Places, name.as_str()));
        entities.chain(services).chain(probes).chain(links).chain(connectors).chain(bulkheads).chain(places)
    }
}

/// What a named section is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NamedSection {
    /// An entity kind: `order` or `store.order`.
    Entity,
    /// A service: `store/order`.
    Service,
    /// The probe of a service: `store/order`.
    Probe,
    /// A link: `store.order.delivery`.
    Link,
    /// A channel: `store.alarm`.
    Connector,
    /// A bulkhead of threads: `store-alarm`.
    Bulkhead,
    /// The bulkhead of a service: `store/order`.
    Places,
}
