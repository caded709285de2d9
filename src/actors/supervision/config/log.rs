//! `[log]`: what is written of the requests.

use std::path::PathBuf;

use super::{error::ConfigError, section::Section};

/// `[log]`: the access log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// Where each request gets a line of JSON; `-` is standard output. Default nowhere.
    pub access: Option<PathBuf>,
    /// One request of so many gets a line, and every one that ended in an error of ours. Default 1, up to 1 000 000.
    pub access_one_in: u32,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { access: None, access_one_in: 1 }
    }
}

pub(super) fn log(mut section: Section<'_>) -> Result<LogConfig, ConfigError> {
    let default = LogConfig::default();
    let config = LogConfig {
        access: section.optional("access")?.map(|file| file.value),
        access_one_in: section.bounded("access_one_in", default.access_one_in, 1..=1_000_000)?.value,
    };
    section.finish()?;
    Ok(config)
}
