//! `[bulkhead]`: the threads that connectors run on, and the places in which services handle their commands.

use std::{collections::BTreeMap, time::Duration};

use super::{
    error::{ConfigError, Place, Problem},
    section::{Placed, Section},
};

/// `[bulkhead]` or `[bulkhead.<name>]`: threads of their own for what blocks or is not trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BulkheadConfig {
    /// Calls that are worked on at the same time. Default 2, from 1 to 64. Without effect when it follows its load.
    pub threads: u32,
    /// Calls that may wait for a thread. Default 64, from 1 to 65 536.
    pub queue: u32,
    /// A call that takes longer is given up, and its thread replaced. Default 30 s, from 10 ms to 10 min.
    pub hard_limit: Duration,
    /// Threads that may be given up and not have come back; then stuck ones are not replaced any more.
    /// Default 4, from 0 to 64.
    pub max_leaked: u32,
    /// How the number of threads follows the load, up to 64. `None`: it does not.
    pub autoscale: Option<AutoscaleConfig>,
}

/// `[bulkhead.<system>.<service>]`: the places in which the commands of a service are handled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacesConfig {
    /// Commands that are handled at the same time, from 1 to 65 536. `None`: as many as the service may have under way.
    pub max: Option<u32>,
    /// Commands that may wait for a place. Default 256, from 0 to 65 536.
    pub queue: u32,
    /// How the number of places follows the load, up to 65 536. `None`: it does not.
    pub autoscale: Option<AutoscaleConfig>,
}

/// `autoscale` of a bulkhead: between how many workers it follows its load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AutoscaleConfig {
    /// The fewest workers. Default 1, not more than `max`.
    pub min: u32,
    /// The most workers. Default 10.
    pub max: u32,
    /// How busy workers should be, in percent. Default 70, from 1 to 100.
    pub busy_target: u32,
    /// How long fewer must have been enough before there are fewer. Default 30 s, from 1 s to 1 h.
    pub idle: Duration,
}

impl Default for BulkheadConfig {
    fn default() -> Self {
        Self { threads: 2, queue: 64, hard_limit: Duration::from_secs(30), max_leaked: 4, autoscale: None }
    }
}

impl Default for PlacesConfig {
    fn default() -> Self {
        Self { max: None, queue: 256, autoscale: None }
    }
}

impl Default for AutoscaleConfig {
    fn default() -> Self {
        Self { min: 1, max: 10, busy_target: 70, idle: Duration::from_secs(30) }
    }
}

const TEN_MS: Duration = Duration::from_millis(10);
const SECOND: Duration = Duration::from_secs(1);
const TEN_MINUTES: Duration = Duration::from_mins(10);
const HOUR: Duration = Duration::from_hours(1);

/// Threads are the machine's, and a few serve many slow calls.
const MOST_THREADS: u32 = 64;
const MOST_PLACES: u32 = 65_536;

/// The bulkheads, and what a connector's deadline is measured by.
pub(super) struct Bulkheads {
    pub(super) default: BulkheadConfig,
    pub(super) named: BTreeMap<String, BulkheadConfig>,
    /// By service, as `<system>/<service>`.
    pub(super) places: BTreeMap<String, PlacesConfig>,
    pub(super) hard_limit: Placed<Duration>,
    pub(super) hard_limits: BTreeMap<String, Placed<Duration>>,
}

pub(super) fn bulkheads(mut section: Section<'_>) -> Result<Bulkheads, ConfigError> {
    let (default, hard_limit) = threads(&mut section, &BulkheadConfig::default())?;
    let (mut named, mut hard_limits) = (BTreeMap::new(), BTreeMap::new());
    let mut of_services: BTreeMap<String, PlacesConfig> = BTreeMap::new();
    let mut add = |name: String, place: Place, mut section: Section<'_>| {
        let key = section.key("");
        let config = places(&mut section)?;
        section.finish()?;
        if of_services.insert(name.clone(), config).is_none() {
            return Ok(());
        }
        let (key, other) = (key.trim_end_matches('.').to_owned(), "bulkhead of the same service".to_owned());
        Err(ConfigError::refused(place, Problem::Same { key, other, value: name }))
    };
    for (name, place, mut section) in section.named()? {
        if name.contains('/') {
            add(name, place, section)?;
            continue;
        }
        // `[bulkhead.stay.pay]` is two tables deep, `[bulkhead.stay-alarm]` and `[bulkhead."stay/pay"]` are one.
        let is_bare = section.is_empty();
        let (config, limit) = threads(&mut section, &default)?;
        let services = section.named()?;
        section.finish()?;
        if is_bare || services.is_empty() || config != default {
            named.insert(name.clone(), config);
            hard_limits.insert(name.clone(), limit);
        }
        for (service, place, section) in services {
            add(format!("{name}/{service}"), place, section)?;
        }
    }
    section.finish()?;
    Ok(Bulkheads { default, named, places: of_services, hard_limit, hard_limits })
}

fn threads(
    section: &mut Section<'_>,
    default: &BulkheadConfig,
) -> Result<(BulkheadConfig, Placed<Duration>), ConfigError> {
    let hard_limit = section.bounded("hard_limit", default.hard_limit, TEN_MS..=TEN_MINUTES)?;
    let threads = section.bounded("threads", default.threads, 1..=MOST_THREADS)?;
    let scaled = autoscale(section, MOST_THREADS, threads.place.as_ref(), "threads")?;
    let config = BulkheadConfig {
        // A size of its own is not followed by what others do.
        autoscale: if threads.place.is_some() { None } else { scaled.or(default.autoscale) },
        threads: threads.value,
        queue: section.bounded("queue", default.queue, 1..=65_536)?.value,
        hard_limit: hard_limit.value,
        max_leaked: section.bounded("max_leaked", default.max_leaked, 0..=64)?.value,
    };
    Ok((config, hard_limit))
}

fn places(section: &mut Section<'_>) -> Result<PlacesConfig, ConfigError> {
    let default = PlacesConfig::default();
    let max = section.bounded("max", MOST_PLACES, 1..=MOST_PLACES)?;
    Ok(PlacesConfig {
        autoscale: autoscale(section, MOST_PLACES, max.place.as_ref(), "max")?,
        max: max.place.map(|_| max.value),
        queue: section.bounded("queue", default.queue, 0..=65_536)?.value,
    })
}

/// `autoscale` of a section whose key `fixed`, if it stands somewhere, says the same thing in another way.
fn autoscale(
    section: &mut Section<'_>,
    most: u32,
    fixed: Option<&Place>,
    fixed_key: &str,
) -> Result<Option<AutoscaleConfig>, ConfigError> {
    let (default, fixed_key) = (AutoscaleConfig::default(), section.key(fixed_key));
    let mut own = section.section("autoscale")?;
    let min = own.bounded("min", default.min, 1..=most)?;
    let max = own.bounded("max", default.max, 1..=most)?;
    let busy_target = own.bounded("busy_target", default.busy_target, 1..=100)?;
    let idle = own.bounded("idle", default.idle, SECOND..=HOUR)?;
    own.finish()?;
    min.at_most(&max)?;
    if ![&min.place, &max.place, &busy_target.place, &idle.place].into_iter().any(Option::is_some) {
        return Ok(None);
    }
    if let Some(place) = fixed {
        let problem = Problem::NoEffect { key: fixed_key, other: section.key("autoscale") };
        return Err(ConfigError::refused(place.clone(), problem));
    }
    let (min, max, busy_target, idle) = (min.value, max.value, busy_target.value, idle.value);
    Ok(Some(AutoscaleConfig { min, max, busy_target, idle }))
}

#[cfg(test)]
mod tests {
    use super::{super::SupervisionConfig, *};

    fn parse(text: &str) -> SupervisionConfig {
        SupervisionConfig::parse(text, "supervision.toml").unwrap()
    }

    #[test]
    fn the_places_of_a_service_are_told_from_the_threads_of_a_bulkhead() {
        let config = parse(
            r#"
            [bulkhead.stay.Pay]
            max = 4
            [bulkhead."store/delivery"]
            queue = 0
            autoscale = { busy_target = 15 }
            [bulkhead.stay-alarm]
            autoscale.max = 5
            "#,
        );
        let places = |service: &str| config.places("stay", service).clone();
        assert_eq!(places("pay"), PlacesConfig { max: Some(4), queue: 256, autoscale: None });
        assert_eq!(places("room"), PlacesConfig::default());
        let scaled = AutoscaleConfig { min: 1, max: 10, busy_target: 15, idle: Duration::from_secs(30) };
        let delivery = PlacesConfig { max: None, queue: 0, autoscale: Some(scaled) };
        assert_eq!(config.places("store", "Delivery"), &delivery);
        let alarm = config.bulkhead("stay-alarm");
        assert_eq!(alarm.autoscale, Some(AutoscaleConfig { max: 5, ..AutoscaleConfig::default() }));
        assert_eq!(config.bulkhead("stay"), &BulkheadConfig::default(), "it is no bulkhead of threads");
        assert_eq!(config.named().count(), 3);
    }

    #[test]
    fn a_bulkhead_takes_its_scale_from_all_unless_it_has_a_size_of_its_own() {
        let config = parse("[bulkhead.autoscale]\nmax = 6\n[bulkhead.a]\nthreads = 3\n[bulkhead.b]\nqueue = 1");
        assert_eq!((config.bulkhead("a").autoscale, config.bulkhead("a").threads), (None, 3));
        assert_eq!(config.bulkhead("b").autoscale.map(|scale| scale.max), Some(6));
    }

    #[test]
    fn every_broken_rule_is_refused_with_its_place() {
        for (text, refused) in [
            ("[bulkhead.a.b]\nmax = 0", "2:1: `bulkhead.a.b.max` is 0; it takes 1 to 65536"),
            ("[bulkhead.a.b]\nthreads = 1", "2:1: unknown key `bulkhead.a.b.threads`"),
            ("[bulkhead.a]\nmax = 1", "2:1: unknown key `bulkhead.a.max`"),
            (
                "[bulkhead.a.b]\nmax = 1\nautoscale.min = 1",
                "2:1: `bulkhead.a.b.max` does nothing with this `bulkhead.a.b.autoscale`",
            ),
            (
                "[bulkhead.a]\nthreads = 1\nautoscale.min = 1",
                "2:1: `bulkhead.a.threads` does nothing with this `bulkhead.a.autoscale`",
            ),
            (
                "[bulkhead.a]\nautoscale.min = 11",
                "2:11: `bulkhead.a.autoscale.min` is 11, more than `bulkhead.a.autoscale.max`, which is 10",
            ),
            ("[bulkhead.a]\nautoscale.max = 65", "2:11: `bulkhead.a.autoscale.max` is 65; it takes 1 to 64"),
            (
                "[bulkhead.a]\nautoscale.idle = \"1ms\"",
                "2:11: `bulkhead.a.autoscale.idle` is 1ms; it takes 1s to 3600s",
            ),
            (
                "[bulkhead.a.b]\nmax = 1\n[bulkhead.\"A/B\"]\nmax = 2",
                "1:13: `bulkhead.a.b` and `bulkhead of the same service` are both a/b",
            ),
        ] {
            let error = SupervisionConfig::parse(text, "supervision.toml").unwrap_err().to_string();
            assert_eq!(error, format!("supervision.toml:{refused}"), "for {text:?}");
        }
    }
}
