//! `[limits.rate]`: how often one client may ask.

use std::time::Duration;

use super::{error::ConfigError, section::Section};

/// `[limits.rate]`: requests of one client within a time. None of them counts probes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateConfig {
    /// Requests of whoever a token or key says it is, within `within`. Default 0: any number.
    pub per_subject: u32,
    /// Requests of one address (of IPv6 the first 64 bits), within `within`. Default 0: any number.
    pub per_address: u32,
    /// The time in which they are counted. Default 1 min, from 1 s to 1 h.
    pub within: Duration,
    /// Clients that are counted one by one; the others share one account. Default 10 000, from 1 to 1 000 000.
    pub clients: u32,
}

impl Default for RateConfig {
    fn default() -> Self {
        Self { per_subject: 0, per_address: 0, within: Duration::from_mins(1), clients: 10_000 }
    }
}

pub(super) fn rate(mut section: Section<'_>) -> Result<RateConfig, ConfigError> {
    const MOST: u32 = 1_000_000;
    let default = RateConfig::default();
    let config = RateConfig {
        per_subject: section.bounded("per_subject", default.per_subject, 0..=MOST)?.value,
        per_address: section.bounded("per_address", default.per_address, 0..=MOST)?.value,
        within: section.bounded("within", default.within, Duration::from_secs(1)..=Duration::from_hours(1))?.value,
        clients: section.bounded("clients", default.clients, 1..=MOST)?.value,
    };
    section.finish()?;
    Ok(config)
}
