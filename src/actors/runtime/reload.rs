//! Reading the configuration again while the system runs: all of it is valid or nothing changes.

use std::{fmt, sync::Arc};

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    configured::{ConfigurationStatus, ReadBy},
    limits::{self, ServiceLimits},
    system::System,
};
use crate::actors::{
    entity::AnySettings,
    supervision::{ConfigError, NamedSection, ShownValue, SupervisionConfig},
};

/// A whole configuration: what the tree reads, and the switches of the systems.
#[derive(Clone, Debug, Default)]
pub struct Configuration {
    /// `supervision.toml` with its layers.
    pub supervision: SupervisionConfig,
    /// The switches of each system that runs here.
    pub settings: Vec<AnySettings>,
    /// Every key with its value and its origin, for operators; may be empty.
    pub shown: Vec<ShownValue>,
}

/// Where a configuration is read from, at the start and at each reload. May block.
#[derive(Clone)]
pub struct ConfigurationSource(Arc<dyn Fn() -> Result<Configuration, ConfigError> + Send + Sync>);

impl ConfigurationSource {
    /// Reads it by calling `read`.
    pub fn new(read: impl Fn() -> Result<Configuration, ConfigError> + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// Reads it.
    ///
    /// # Errors
    /// The first broken rule, or what cannot be read.
    pub fn read(&self) -> Result<Configuration, ConfigError> {
        (self.0)()
    }
}

impl fmt::Debug for ConfigurationSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConfigurationSource(..)")
    }
}

/// Something beside the runtime that the configuration says things about, and that a reload changes with the rest.
pub trait Reloads: Send + Sync {
    /// Reads what `config` asks for and says how to make it hold; changes nothing yet. May block.
    ///
    /// # Errors
    /// Why it cannot hold, for people; then nothing of the whole configuration is taken over.
    fn prepare(&self, config: &SupervisionConfig) -> Result<Prepared, String>;
}

/// Makes hold what was prepared, and says what differs now. It cannot fail.
pub type Prepared = Box<dyn FnOnce() -> Vec<String> + Send>;

/// What a reload did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Reloaded {
    /// The systems whose switches hold from now on.
    pub applied: Vec<&'static str>,
    /// The links whose limits and breakers are others from now on.
    pub links: Vec<String>,
    /// The services and bulkheads with other bounds from now on, by name.
    pub resized: Vec<String>,
    /// What else is other from now on, such as who is let in.
    pub edge: Vec<String>,
    /// The sections that differ from those the process runs with: they are read at its next start.
    pub needs_restart: Vec<&'static str>,
    /// The keys in them, where the configuration is explained key by key.
    pub needs_restart_keys: Vec<String>,
}

/// Why nothing was reloaded. What held before goes on holding.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReloadError {
    /// The system was put together without a source to read again.
    #[error("this system was started without a configuration that could be read again")]
    NoSource,
    /// The new configuration is refused.
    #[error(transparent)]
    Refused(#[from] ConfigError),
    /// The new configuration has bounds for something that does not exist here, so they would have no effect.
    #[error("the configuration has [{section}], but nothing here is called that")]
    Unused {
        /// The section.
        section: String,
    },
    /// A file that the new configuration names cannot be used.
    #[error("{0}")]
    Unusable(String),
    /// Reading it failed in a way that it must not; it is in the log.
    #[error("the configuration could not be read")]
    Failed,
}

impl System {
    /// As [`reload_by`](Self::reload_by), asked for by an operator.
    ///
    /// # Errors
    /// [`ReloadError`]; then nothing has changed.
    ///
    /// # Cancel safety
    /// As [`reload_by`](Self::reload_by).
    pub async fn reload(&self) -> Result<Reloaded, ReloadError> {
        self.reload_by(ReadBy::Api).await
    }

    /// What the configuration is, where each value comes from, and how the last readings ended.
    pub fn configuration(&self) -> ConfigurationStatus {
        self.inner.configured.status()
    }

    /// Reads the configuration again and applies what can change while the system runs: the switches of the systems,
    /// the bounds of services and bulkheads, and the links' attempts, pauses, room and breakers. Decisions made from now
    /// on see the new switches; what is under way goes on, also beyond smaller bounds. A link's timeout is part of what
    /// its callers were started with.
    ///
    /// # Errors
    /// [`ReloadError`]; then nothing has changed.
    ///
    /// # Cancel safety
    /// Dropping the future leaves either the old switches and bounds or the new ones, as a whole.
    pub async fn reload_by(&self, by: ReadBy) -> Result<Reloaded, ReloadError> {
        let done = self.read_again(by).await;
        if let Err(error) = &done {
            tracing::error!(%error, ?by, "the configuration was not taken; what held goes on holding");
            self.inner.configured.refused(self.clock().now(), by, error.to_string());
        }
        done
    }

    async fn read_again(&self, by: ReadBy) -> Result<Reloaded, ReloadError> {
        let source = self.inner.source.clone().ok_or(ReloadError::NoSource)?;
        let beside = self.inner.reloads.clone();
        let read = tokio::task::spawn_blocking(move || {
            let configuration = source.read()?;
            let prepared = beside.iter().map(|beside| beside.prepare(&configuration.supervision));
            let prepared: Vec<Prepared> = prepared.collect::<Result<_, _>>().map_err(ReloadError::Unusable)?;
            Ok::<_, ReloadError>((configuration, prepared))
        });
        let (Configuration { supervision, settings, shown }, prepared) =
            read.await.map_err(|_| ReloadError::Failed)??;
        self.knows_all(&supervision)?;
        let needs_restart = supervision.fixed_differences(self.config());
        let applied = settings.iter().map(AnySettings::system).collect();
        for settings in settings {
            self.change_settings(settings);
        }
        let resized = self.resize(&supervision);
        let links = self.inner.kinds.links().reconfigure(&supervision);
        let edge: Vec<String> = prepared.into_iter().flat_map(|apply| apply()).collect();
        let mut reloaded = Reloaded { applied, links, resized, edge, needs_restart, needs_restart_keys: Vec::new() };
        self.inner.configured.taken(self.clock().now(), by, shown, &mut reloaded);
        let Reloaded { applied, links, resized, edge, needs_restart_keys: waiting, .. } = &reloaded;
        tracing::info!(?by, ?applied, ?resized, ?links, ?edge, ?waiting, "the configuration was read again");
        Ok(reloaded)
    }

    /// Whether everything is here that has bounds of its own. Sections of systems that do not run here are left alone.
    fn knows_all(&self, config: &SupervisionConfig) -> Result<(), ReloadError> {
        let services = &self.inner.services;
        let here = |system: &str| services.iter().any(|service| service.system.eq_ignore_ascii_case(system));
        let service = |name: &str| services.iter().any(|service| service.full_name.eq_ignore_ascii_case(name));
        let of_other = |name: &str, end: char| name.split_once(end).is_some_and(|(system, _)| !here(system));
        for (section, name) in config.named() {
            let (prefix, is_known) = match section {
                NamedSection::Service => ("service", service(name) || of_other(name, '/')),
                NamedSection::Places => ("bulkhead", service(name) || of_other(name, '/')),
                NamedSection::Bulkhead => {
                    let runs = self.inner.bulkheads.iter().any(|threads| threads.name() == name);
                    ("bulkhead", runs || config.runs_in(name) || of_other(name, '-'))
                }
                NamedSection::Entity | NamedSection::Probe | NamedSection::Link | NamedSection::Connector => continue,
            };
            if !is_known {
                return Err(ReloadError::Unused { section: format!("{prefix}.{}", name.replace('/', ".")) });
            }
        }
        Ok(())
    }

    /// Takes over the bounds of services and bulkheads; those that differ, by name.
    fn resize(&self, config: &SupervisionConfig) -> Vec<String> {
        let services = self.inner.services.iter().chain(&self.inner.internal);
        let resized = services.filter(|service| {
            let limits = ServiceLimits::of(config, service.system, service.name);
            service.resize(&limits)
        });
        let mut names: Vec<String> = resized.map(|service| service.full_name.clone()).collect();
        let threads = self.inner.bulkheads.iter();
        let resized = threads.filter(|threads| threads.resize(limits::threads(config.bulkhead(threads.name()))));
        names.extend(resized.map(|threads| threads.name().to_owned()));
        names
    }
}
