//! `[[supervisor]]`: how each level of the tree restarts its children.

use std::{collections::BTreeMap, time::Duration};

use super::{
    super::{
        backoff::Backoff,
        intensity::Intensity,
        spec::{ChildSpec, SupervisorSpec},
        strategy::Strategy,
    },
    entity::intensity,
    error::{ConfigError, Place, Problem},
    section::{Placed, Section},
};

/// One `[[supervisor]]`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SupervisorConfig {
    /// Who is restarted with whom.
    pub strategy: Strategy,
    /// How many restarts are too many. `at_most` up to 1000, `within` from 1 ms to 24 h.
    pub intensity: Intensity,
    /// The waits before restarts. All up to 1 h, `min` not more than `max`, `jitter` from 0.0 to 1.0.
    pub backoff: Backoff,
    /// The time each worker has to end after it was asked to. From 1 ms to 10 min.
    pub shutdown: Duration,
}

impl SupervisorConfig {
    /// A supervisor of this kind.
    pub fn spec(self, name: impl Into<String>, children: Vec<ChildSpec>) -> SupervisorSpec {
        let Self { strategy, intensity, backoff, shutdown } = self;
        SupervisorSpec { name: name.into(), strategy, intensity, backoff, shutdown, children }
    }
}

/// The supervisors of the tree.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SupervisorConfigs {
    /// The root. Default: rest for one, as each part relies on those before it; 3 restarts within 60 s.
    pub guardian: SupervisorConfig,
    /// The journal and snapshot writers. Default: rest for one; 3 within 60 s.
    pub storage: SupervisorConfig,
    /// Above the services. Default: one for one; 5 within 60 s.
    pub services: SupervisorConfig,
    /// Each service: its shards, dispatchers and projectors. Default: one for one; 10 within 60 s.
    pub service: SupervisorConfig,
    /// Above the pools of threads for what blocks. Default: one for one; 5 within 60 s.
    pub bulkheads: SupervisorConfig,
    /// The listeners. Default: one for one; 5 within 60 s. Its `shutdown` is at least `server.drain`.
    pub edge: SupervisorConfig,
}

impl Default for SupervisorConfigs {
    fn default() -> Self {
        let backoff = Backoff {
            min: Duration::from_millis(100),
            max: Duration::from_secs(10),
            jitter: 0.2,
            reset_after: Duration::from_mins(1),
        };
        let one = |strategy, at_most, shutdown| SupervisorConfig {
            strategy,
            intensity: Intensity { at_most, within: Duration::from_mins(1) },
            backoff,
            shutdown: Duration::from_secs(shutdown),
        };
        Self {
            guardian: one(Strategy::RestForOne, 3, 5),
            storage: one(Strategy::RestForOne, 3, 10),
            services: one(Strategy::OneForOne, 5, 5),
            service: one(Strategy::OneForOne, 10, 5),
            bulkheads: one(Strategy::OneForOne, 5, 5),
            edge: one(Strategy::OneForOne, 5, 15),
        }
    }
}

impl SupervisorConfigs {
    fn get_mut(&mut self, name: &str) -> Option<&mut SupervisorConfig> {
        match name {
            "guardian" => Some(&mut self.guardian),
            "storage" => Some(&mut self.storage),
            "services" => Some(&mut self.services),
            "service" => Some(&mut self.service),
            "bulkheads" => Some(&mut self.bulkheads),
            "edge" => Some(&mut self.edge),
            _ => None,
        }
    }
}

const MS: Duration = Duration::from_millis(1);
const TEN_MINUTES: Duration = Duration::from_mins(10);
const HOUR: Duration = Duration::from_hours(1);

pub(super) fn supervisors(
    sections: Vec<(Place, Section<'_>)>,
    drain: &Placed<Duration>,
) -> Result<SupervisorConfigs, ConfigError> {
    let mut configs = SupervisorConfigs::default();
    let mut seen: BTreeMap<String, Place> = BTreeMap::new();
    let mut patience = Placed { key: "supervisor.edge.shutdown".to_owned(), value: configs.edge.shutdown, place: None };
    for (place, mut section) in sections {
        let Some(Placed { value: name, place: named, key }) = section.optional::<String>("name")? else {
            return Err(ConfigError::refused(place, Problem::Missing { key: section.key("name") }));
        };
        let place = named.unwrap_or(place);
        let Some(config) = configs.get_mut(&name) else {
            let expected = "\"guardian\", \"storage\", \"services\", \"service\", \"bulkheads\" or \"edge\"".to_owned();
            let problem = Problem::Unreadable { key, value: format!("\"{name}\""), expected };
            return Err(ConfigError::refused(place, problem));
        };
        if let Some(earlier) = seen.insert(name.clone(), place.clone()) {
            let other = format!("supervisor.name at {earlier}");
            let problem = Problem::Same { key, other, value: format!("\"{name}\"") };
            return Err(ConfigError::refused(place, problem));
        }
        let shutdown = supervisor(section, config)?;
        if name == "edge" {
            patience = Placed { key: patience.key, ..shutdown };
        }
    }
    drain.at_most(&patience)?;
    Ok(configs)
}

fn supervisor(mut section: Section<'_>, config: &mut SupervisorConfig) -> Result<Placed<Duration>, ConfigError> {
    config.strategy = section.or("strategy", config.strategy)?.value;
    config.intensity = intensity(&mut section, config.intensity)?;
    let shutdown = section.bounded("shutdown", config.shutdown, MS..=TEN_MINUTES)?;
    config.shutdown = shutdown.value;

    let mut waits = section.section("backoff")?;
    let default = config.backoff;
    let min = waits.bounded("min", default.min, Duration::ZERO..=HOUR)?;
    let max = waits.bounded("max", default.max, Duration::ZERO..=HOUR)?;
    min.at_most(&max)?;
    config.backoff = Backoff {
        min: min.value,
        max: max.value,
        jitter: waits.bounded("jitter", default.jitter, 0.0..=1.0)?.value,
        reset_after: waits.bounded("reset_after", default.reset_after, Duration::ZERO..=HOUR)?.value,
    };
    waits.finish()?;
    section.finish()?;
    Ok(shutdown)
}
