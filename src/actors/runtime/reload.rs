//! Reading the configuration again while the system runs: all of it is valid or nothing changes.

use std::{fmt, sync::Arc};

use serde::Serialize;

use super::system::System;
use crate::actors::{
    entity::AnySettings,
    supervision::{ConfigError, SupervisionConfig},
};

/// A whole configuration: what the tree reads, and the switches of the systems.
#[derive(Clone, Debug, Default)]
pub struct Configuration {
    /// `supervision.toml` with its layers.
    pub supervision: SupervisionConfig,
    /// The switches of each system that runs here.
    pub settings: Vec<AnySettings>,
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

/// What a reload did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Reloaded {
    /// The systems whose switches hold from now on.
    pub applied: Vec<&'static str>,
    /// The links whose limits and breakers are others from now on.
    pub links: Vec<String>,
    /// The sections that differ from those the process runs with: they are read at its next start.
    pub needs_restart: Vec<&'static str>,
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
    /// Reading it failed in a way that it must not; it is in the log.
    #[error("the configuration could not be read")]
    Failed,
}

impl System {
    /// Reads the configuration again and applies what can change while the system runs: the switches of the
    /// systems, which decisions made from now on see, and the links' attempts, pauses, room and breakers. A link's
    /// timeout is part of what its callers were started with.
    ///
    /// # Errors
    /// [`ReloadError`]; then nothing has changed.
    ///
    /// # Cancel safety
    /// Dropping the future leaves either the old switches or the new ones, as a whole.
    pub async fn reload(&self) -> Result<Reloaded, ReloadError> {
        let source = self.inner.source.clone().ok_or(ReloadError::NoSource)?;
        let read = tokio::task::spawn_blocking(move || source.read()).await.map_err(|_| ReloadError::Failed)?;
        let Configuration { supervision, settings } = read?;
        let needs_restart = supervision.fixed_differences(self.config());
        let applied = settings.iter().map(AnySettings::system).collect();
        for settings in settings {
            self.change_settings(settings);
        }
        let links = self.inner.kinds.links().reconfigure(&supervision);
        tracing::info!(?applied, ?links, ?needs_restart, "the configuration was read again");
        Ok(Reloaded { applied, links, needs_restart })
    }
}
