//! `[link]`: the synchronous calls from one service to another.

use std::{collections::BTreeMap, fmt, path::PathBuf, time::Duration};

use super::{
    error::{ConfigError, Place, Problem},
    section::{Read, Section},
    value::Value,
};

/// `[link]` or `[link.<system>.<caller>.<callee>]`: a synchronous call between two services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkConfig {
    /// Where the callee is. Default in this process.
    pub target: LinkTarget,
    /// The file with the token that a callee elsewhere wants to see; read anew for each call. Default none.
    pub token_file: Option<PathBuf>,
    /// What all attempts of a call have together, from 1 ms to 10 min. `None`: what the system has for this
    /// link, 1 s for most.
    pub timeout: Option<Duration>,
    /// How often a call is made that was not done. Default 1, from 1 to 10.
    pub attempts: u32,
    /// The pause before the second attempt; it doubles. Default 50 ms, from 1 ms to 10 s.
    pub pause: Duration,
    /// Calls that may be under way at the same time; more are refused at once. Default 256, from 1 to 65 536.
    pub in_flight: u32,
    /// When calls are not made at all.
    pub breaker: BreakerConfig,
}

/// Where the callee of a link is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum LinkTarget {
    /// In this process.
    Local,
    /// In another one, whose public address or service port this is: `http://<host>[:<port>]`.
    Elsewhere(String),
}

impl fmt::Display for LinkTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Local => "local",
            Self::Elsewhere(url) => url,
        })
    }
}

impl Read for LinkTarget {
    const EXPECTED: &'static str = "\"local\" or an address as \"http://pay.example:8083\", without a path";
    fn read(value: &Value) -> Option<Self> {
        let text = String::read(value)?;
        if text == "local" {
            return Some(Self::Local);
        }
        let authority = text.strip_prefix("http://")?.trim_end_matches('/');
        let is_plain = !authority.is_empty() && !authority.contains(['/', '?', '#', '@']);
        let is_printable = authority.bytes().all(|byte| byte.is_ascii_graphic());
        (is_plain && is_printable).then(|| Self::Elsewhere(format!("http://{authority}")))
    }
}

/// `[link.breaker]`: when calls of a link are refused at once, because those before failed.
///
/// A call fails when it has no answer in time, or the callee's decision panics; a callee that says no, or that it is
/// stopped or full, has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerConfig {
    /// What share of the calls in the window must have failed, in percent. Default 50, from 1 to 100.
    pub failure_rate: u32,
    /// A call that takes longer is slow, from 1 ms to 10 min. `None`: none is.
    pub slow_call: Option<Duration>,
    /// What share of the calls in the window must have been slow, in percent. Default 50, from 1 to 100.
    pub slow_rate: u32,
    /// How far back is looked. Default 10 s, from 100 ms to 10 min.
    pub window: Duration,
    /// With fewer calls in the window nothing is said. Default 20, from 1 to 1 000 000.
    pub minimum_calls: u32,
    /// So many failures in a row open it too, however few calls there are; 0 for never. Default 0, to 1000.
    pub consecutive_failures: u32,
    /// How long nothing is tried. Default 5 s, from 1 ms to 10 min.
    pub open_for: Duration,
    /// Calls that are then tried, at the same time at most, and must succeed. Default 1, from 1 to 100.
    pub probes: u32,
}

impl Default for LinkConfig {
    fn default() -> Self {
        let (pause, breaker) = (50 * MS, BreakerConfig::default());
        let (target, token_file) = (LinkTarget::Local, None);
        Self { target, token_file, timeout: None, attempts: 1, pause, in_flight: 256, breaker }
    }
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self {
            failure_rate: 50,
            slow_call: None,
            slow_rate: 50,
            window: Duration::from_secs(10),
            minimum_calls: 20,
            consecutive_failures: 0,
            open_for: Duration::from_secs(5),
            probes: 1,
        }
    }
}

const MS: Duration = Duration::from_millis(1);
const TEN_SECONDS: Duration = Duration::from_secs(10);
const TEN_MINUTES: Duration = Duration::from_mins(10);

/// The defaults of all links, and the links that differ, as `<system>.<caller>.<callee>`.
pub(super) fn links(mut section: Section<'_>) -> Result<(LinkConfig, BTreeMap<String, LinkConfig>), ConfigError> {
    let default = link(&mut section, &LinkConfig::default())?;
    let mut links = BTreeMap::new();
    for (system, _, mut section) in section.named()? {
        for (from, _, mut section) in section.named()? {
            for (to, place, mut section) in section.named()? {
                refuse_self(&from, &to, &place)?;
                let config = link(&mut section, &default)?;
                section.finish()?;
                links.insert(format!("{system}.{from}.{to}"), config);
            }
            section.finish()?;
        }
        section.finish()?;
    }
    section.finish()?;
    Ok((default, links))
}

fn link(section: &mut Section<'_>, default: &LinkConfig) -> Result<LinkConfig, ConfigError> {
    Ok(LinkConfig {
        target: section.or("target", default.target.clone())?.value,
        token_file: section.optional("token_file")?.map(|file| file.value).or_else(|| default.token_file.clone()),
        timeout: section.optionally_bounded("timeout", MS..=TEN_MINUTES)?.or(default.timeout),
        attempts: section.bounded("attempts", default.attempts, 1..=10)?.value,
        pause: section.bounded("pause", default.pause, MS..=TEN_SECONDS)?.value,
        in_flight: section.bounded("in_flight", default.in_flight, 1..=65_536)?.value,
        breaker: {
            let mut breaker = section.section("breaker")?;
            let config = breaker_of(&mut breaker, default.breaker)?;
            breaker.finish()?;
            config
        },
    })
}

fn breaker_of(section: &mut Section<'_>, default: BreakerConfig) -> Result<BreakerConfig, ConfigError> {
    Ok(BreakerConfig {
        failure_rate: section.bounded("failure_rate", default.failure_rate, 1..=100)?.value,
        slow_call: section.optionally_bounded("slow_call", MS..=TEN_MINUTES)?.or(default.slow_call),
        slow_rate: section.bounded("slow_rate", default.slow_rate, 1..=100)?.value,
        window: section.bounded("window", default.window, 100 * MS..=TEN_MINUTES)?.value,
        minimum_calls: section.bounded("minimum_calls", default.minimum_calls, 1..=1_000_000)?.value,
        consecutive_failures: section.bounded("consecutive_failures", default.consecutive_failures, 0..=1000)?.value,
        open_for: section.bounded("open_for", default.open_for, MS..=TEN_MINUTES)?.value,
        probes: section.bounded("probes", default.probes, 1..=100)?.value,
    })
}

fn refuse_self(from: &str, to: &str, place: &Place) -> Result<(), ConfigError> {
    if from != to {
        return Ok(());
    }
    let problem = Problem::Same { key: "caller".into(), other: "callee".into(), value: format!("`{from}`") };
    Err(ConfigError::refused(place.clone(), problem))
}
