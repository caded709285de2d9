//! `[connector.<system>.<channel>]`: how notices leave the house.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use super::{
    bulkhead::Bulkheads,
    error::{ConfigError, Place, Problem},
    section::{Placed, Read, Section},
    value::Value,
};

/// `[connector.<system>.<channel>]`: what carries the notices of one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectorConfig {
    /// What it is. Default a line in the log.
    pub kind: ConnectorKind,
    /// The bulkhead that it runs in, of its own or shared with others. Default `<system>-<channel>`.
    pub bulkhead: String,
    /// The time that one try has. Default 10 s, from 10 ms to 10 min, not more than the bulkhead's hard limit.
    pub deadline: Duration,
    /// Failed tries before a notice becomes a dead letter. Default 10, from 1 to 1000.
    pub attempts: u32,
    /// The pause after the first failed try; it doubles. Default 100 ms, from 1 ms to 1 h.
    pub first_pause: Duration,
    /// The longest of these pauses. Default 10 s, from 1 ms to 1 h.
    pub longest_pause: Duration,
}

/// What carries a notice.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConnectorKind {
    /// A line in the log.
    Log,
    /// A POST.
    Webhook {
        /// Where to, `http` or `https`.
        url: String,
        /// The file with the token that the receiver wants to see; read anew for each try.
        token_file: Option<PathBuf>,
    },
    /// A program that is run for each notice.
    Command {
        /// Its path, or its name on the search path.
        program: PathBuf,
        /// Its arguments, as they are: no shell reads them.
        args: Vec<String>,
    },
}

impl ConnectorConfig {
    /// What a channel without a section has.
    pub fn of(system: &str, channel: &str) -> Self {
        Self {
            kind: ConnectorKind::Log,
            bulkhead: format!("{system}-{channel}").to_ascii_lowercase(),
            deadline: Duration::from_secs(10),
            attempts: 10,
            first_pause: Duration::from_millis(100),
            longest_pause: Duration::from_secs(10),
        }
    }
}

const TEN_MS: Duration = Duration::from_millis(10);
const TEN_MINUTES: Duration = Duration::from_mins(10);
const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_hours(1);

/// The connectors that differ, as `<system>.<channel>`.
pub(super) fn connectors(
    mut section: Section<'_>,
    bulkheads: &Bulkheads,
) -> Result<BTreeMap<String, ConnectorConfig>, ConfigError> {
    let mut connectors = BTreeMap::new();
    for (system, _, mut section) in section.named()? {
        for (channel, place, section) in section.named()? {
            let config = connector(section, &place, ConnectorConfig::of(&system, &channel), bulkheads)?;
            connectors.insert(format!("{system}.{channel}"), config);
        }
        section.finish()?;
    }
    section.finish()?;
    Ok(connectors)
}

fn connector(
    mut section: Section<'_>,
    place: &Place,
    default: ConnectorConfig,
    bulkheads: &Bulkheads,
) -> Result<ConnectorConfig, ConfigError> {
    let kind = kind(&mut section, place)?;
    let bulkhead = section.or("bulkhead", default.bulkhead)?.value.to_ascii_lowercase();
    let deadline = section.bounded("deadline", default.deadline, TEN_MS..=TEN_MINUTES)?;
    deadline.at_most(bulkheads.hard_limits.get(&bulkhead).unwrap_or(&bulkheads.hard_limit))?;
    let attempts = section.bounded("attempts", default.attempts, 1..=1000)?.value;
    let mut pauses = section.section("backoff")?;
    let first = pauses.bounded("min", default.first_pause, MS..=HOUR)?;
    let longest = pauses.bounded("max", default.longest_pause, MS..=HOUR)?;
    first.at_most(&longest)?;
    pauses.finish()?;
    section.finish()?;
    let (first_pause, longest_pause) = (first.value, longest.value);
    Ok(ConnectorConfig { kind, bulkhead, deadline: deadline.value, attempts, first_pause, longest_pause })
}

/// The kind and the keys that belong to it. One that belongs to another would do nothing, and is refused.
fn kind(section: &mut Section<'_>, place: &Place) -> Result<ConnectorKind, ConfigError> {
    let kind = section.or("kind", Kind::Log)?;
    let url = section.optional::<Url>("url")?;
    let token = section.optional::<PathBuf>("token_file")?;
    let program = section.optional::<PathBuf>("program")?;
    let args = section.optional::<Vec<String>>("args")?;
    let missing = |key: &str| {
        ConfigError::refused(
            kind.place.clone().unwrap_or_else(|| place.clone()),
            Problem::Missing { key: section.key(key) },
        )
    };
    let (kind, other) = match kind.value {
        Kind::Log => {
            let others =
                [refused(url.as_ref()), refused(token.as_ref()), refused(program.as_ref()), refused(args.as_ref())];
            (ConnectorKind::Log, others)
        }
        Kind::Webhook => {
            let Placed { value: Url(url), .. } = url.ok_or_else(|| missing("url"))?;
            let token_file = token.map(|token| token.value);
            (
                ConnectorKind::Webhook { url, token_file },
                [refused(program.as_ref()), refused(args.as_ref()), None, None],
            )
        }
        Kind::Command => {
            let program = program.ok_or_else(|| missing("program"))?.value;
            let args = args.map(|args| args.value).unwrap_or_default();
            (ConnectorKind::Command { program, args }, [refused(url.as_ref()), refused(token.as_ref()), None, None])
        }
    };
    match other.into_iter().flatten().next() {
        None => Ok(kind),
        Some((place, key)) => Err(ConfigError::refused(place, Problem::NoEffect { key, other: section.key("kind") })),
    }
}

/// Where a key stands that should not be there.
fn refused<T>(placed: Option<&Placed<T>>) -> Option<(Place, String)> {
    let placed = placed?;
    Some((placed.place.clone()?, placed.key.clone()))
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Log,
    Webhook,
    Command,
}

impl Read for Kind {
    const EXPECTED: &'static str = "\"log\", \"webhook\" or \"command\"";
    fn read(value: &Value) -> Option<Self> {
        match String::read(value)?.as_str() {
            "log" => Some(Self::Log),
            "webhook" => Some(Self::Webhook),
            "command" => Some(Self::Command),
            _ => None,
        }
    }
}

struct Url(String);

impl Read for Url {
    const EXPECTED: &'static str = "a URL without a password, as \"https://example.org/alarms\"";
    fn read(value: &Value) -> Option<Self> {
        let text = String::read(value)?;
        let uri: http::Uri = text.parse().ok()?;
        let has_scheme = matches!(uri.scheme_str(), Some("http" | "https"));
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'))?;
        (has_scheme && !authority.host().is_empty()).then_some(Self(text))
    }
}
