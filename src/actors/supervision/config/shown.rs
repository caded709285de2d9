//! The effective configuration, key by key, with where each value comes from: for people, so secrets are not in it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    error::{ConfigError, Place},
    value::{self, Table, Value},
};

/// The file that says every default, which a test keeps true.
const DEFAULTS: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/supervision.toml"));

/// What stands for a value that is nobody's business.
const HIDDEN: &str = "\"***\"";

/// One key of the effective configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct ShownValue {
    /// With its sections: `storage.partitions`, `supervisor.edge.at_most`.
    pub key: String,
    /// As it would stand in the file; `"***"` for a secret.
    pub value: String,
    /// `default`, file and line, the name of an environment variable, or a flag.
    pub origin: String,
}

impl ShownValue {
    /// A value that nobody has given.
    pub fn default_of(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self { key: key.into(), value: value.into(), origin: "default".to_owned() }
    }

    pub(super) fn of(key: String, value: &str, origin: Option<&Place>) -> Self {
        let value = discreet(&key, value);
        let origin = match origin {
            None => "default".to_owned(),
            Some(Place::File { name, line, .. }) => format!("{name}:{line}"),
            Some(Place::Variable(name)) => name.clone(),
            Some(Place::Flag(name)) => (*name).to_owned(),
        };
        Self { key, value, origin }
    }

    pub(super) fn hidden(key: String, origin: Option<&Place>) -> Self {
        Self { value: HIDDEN.to_owned(), ..Self::of(key, "", origin) }
    }

    /// Whether the running process keeps its value of this key until its next start.
    pub fn needs_restart(&self) -> bool {
        let section = self.key.split('.').next().unwrap_or_default();
        let last = self.key.rsplit('.').next().unwrap_or_default();
        match section {
            "link" => last == "timeout",
            "service" => last == "command_keys",
            "systems" | "bulkhead" => false,
            "auth" => last == "open",
            "admin" => last != "token_file",
            "limits" => !self.key.starts_with("limits.rate."),
            "server" => !self.key.starts_with("server.tls."),
            _ => true,
        }
    }
}

/// Every value of `given`, and the defaults of the keys that it does not give; without the switches of systems, whose
/// defaults are theirs.
pub(super) fn shown(given: Table) -> Result<Vec<ShownValue>, ConfigError> {
    let mut all = BTreeMap::new();
    flatten("", value::from_text(DEFAULTS, "supervision.toml")?, &mut all);
    // Of this channel the file shows the defaults of every one.
    all.retain(|key, _| !key.starts_with("connector."));
    for (_, place) in all.values_mut() {
        *place = None;
    }
    let mut own = BTreeMap::new();
    flatten("", given, &mut own);
    if own.keys().any(|key| key.starts_with("storage.unit.")) {
        all.retain(|key, _| !key.starts_with("storage.unit.")); // naming any unit replaces those
    }
    all.extend(own);
    let listed = all.into_iter().filter(|(key, _)| !key.starts_with("systems."));
    Ok(listed.map(|(key, (value, place))| ShownValue::of(key, &value, place.as_ref())).collect())
}

type Flat = BTreeMap<String, (String, Option<Place>)>;

fn flatten(above: &str, table: Table, flat: &mut Flat) {
    for (key, entry) in table {
        let path = if above.is_empty() { key } else { format!("{above}.{key}") };
        match entry.value {
            Value::Table(below) => flatten(&path, below, flat),
            Value::Array(elements) if path == "supervisor" => {
                for element in elements {
                    let Value::Table(mut below) = element.value else { continue };
                    let name = below.remove("name").map(|name| name.value);
                    let (Some(Value::Text(name)), false) = (name, below.is_empty()) else { continue };
                    flatten(&format!("{path}.{name}"), below, flat);
                }
            }
            value @ (Value::Array(_)
            | Value::Text(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Bool(_)
            | Value::Untyped(_)) => {
                flat.insert(path, (value.into_toml().to_string(), Some(entry.place)));
            }
        }
    }
}

/// A value as it may be shown, also in an error.
pub(super) fn discreet(key: &str, value: &str) -> String {
    if is_secret(key) { HIDDEN.to_owned() } else { without_credentials(value) }
}

/// Whether what stands under this key is shown to nobody. The name of a file with a secret is none.
fn is_secret(key: &str) -> bool {
    let last = key.rsplit('.').next().unwrap_or_default();
    !last.ends_with("_file") && ["token", "secret", "password"].iter().any(|word| last.contains(word))
}

/// An address without user, password and query, where tokens may stand.
fn without_credentials(value: &str) -> String {
    let Some((scheme, rest)) = value.split_once("://") else { return value.to_owned() };
    let end = rest.find(['/', '?', '"']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit_once('@').map_or_else(|| authority.to_owned(), |(_, host)| format!("***@{host}"));
    let path = path.split_once('?').map_or_else(|| path.to_owned(), |(path, _)| format!("{path}?***\""));
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown_and_the_names_of_their_files_are() {
        let shown = |key: &str, value: &str| ShownValue::of(key.to_owned(), value, None).value;
        assert_eq!(shown("connector.store.alarm.token", "\"s3cret\""), HIDDEN);
        assert_eq!(shown("auth.client_secret", "\"s3cret\""), HIDDEN);
        assert_eq!(shown("connector.store.alarm.token_file", "\"/run/t\""), "\"/run/t\"");
        for (url, expected) in [
            ("\"https://example.org/a\"", "\"https://example.org/a\""),
            ("\"https://me:pw@example.org/a?token=x\"", "\"https://***@example.org/a?***\""),
            ("\"https://example.org?token=x\"", "\"https://example.org?***\""),
        ] {
            assert_eq!(shown("connector.store.alarm.url", url), expected);
        }
    }

    #[test]
    fn what_a_process_keeps_until_its_next_start_is_known_by_its_key() {
        let needs = |key: &str| ShownValue::default_of(key, "").needs_restart();
        for key in ["server.drain", "storage.data", "link.timeout", "link.stay.booking.pay.timeout", "entity.mailbox"] {
            assert!(needs(key), "{key}");
        }
        for key in ["systems.stay.exclusive", "bulkhead.threads", "link.attempts", "service.in_flight"] {
            assert!(!needs(key), "{key}");
        }
    }
}
