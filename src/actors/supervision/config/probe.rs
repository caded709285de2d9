//! `[probe]`: how each service is asked whether it is well.

use std::{collections::BTreeMap, time::Duration};

use super::{error::ConfigError, section::Section};

/// `[probe]` or `[probe.<system>.<service>]`: the probe of a service.
///
/// A service that fails `threshold` probes in a row is restarted by its supervisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProbeConfig {
    /// The time after each start before the first one. Default 10 s, up to 10 min.
    pub delay: Duration,
    /// The time between two. Default 5 s, from 10 ms to 10 min.
    pub period: Duration,
    /// The time that the service has to answer one. Default 2 s, from 1 ms to 10 min.
    pub timeout: Duration,
    /// Failures in a row that are too many. Default 5, up to 100; 0: it is never restarted for them, and they are shown.
    pub threshold: u32,
}

impl Default for ProbeConfig {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { delay: seconds(10), period: seconds(5), timeout: seconds(2), threshold: 5 }
    }
}

const MS: Duration = Duration::from_millis(1);
const TEN_MINUTES: Duration = Duration::from_mins(10);

/// The defaults of all services, and those that differ, as `<system>/<service>`.
pub(super) fn probes(mut section: Section<'_>) -> Result<(ProbeConfig, BTreeMap<String, ProbeConfig>), ConfigError> {
    let default = probe(&mut section, ProbeConfig::default())?;
    let mut probes = BTreeMap::new();
    for (system, _, mut section) in section.named()? {
        for (name, _, mut section) in section.named()? {
            probes.insert(format!("{system}/{name}"), probe(&mut section, default)?);
            section.finish()?;
        }
        section.finish()?;
    }
    section.finish()?;
    Ok((default, probes))
}

fn probe(section: &mut Section<'_>, default: ProbeConfig) -> Result<ProbeConfig, ConfigError> {
    Ok(ProbeConfig {
        delay: section.bounded("delay", default.delay, Duration::ZERO..=TEN_MINUTES)?.value,
        period: section.bounded("period", default.period, 10 * MS..=TEN_MINUTES)?.value,
        timeout: section.bounded("timeout", default.timeout, MS..=TEN_MINUTES)?.value,
        threshold: section.bounded("threshold", default.threshold, 0..=100)?.value,
    })
}
