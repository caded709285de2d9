//! What the configuration of a running system is, where it comes from, and how its last readings ended.

use std::sync::{Mutex, PoisonError};

use schemars::JsonSchema;
use serde::Serialize;

use super::reload::Reloaded;
use crate::actors::{entity::Timestamp, supervision::ShownValue};

/// Who had the configuration read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ReadBy {
    /// The process began.
    Start,
    /// SIGHUP.
    Signal,
    /// The file is another one.
    File,
    /// `POST /admin/reload`.
    Api,
}

/// The configuration of a running system as operators see it.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct ConfigurationStatus {
    /// When what holds now was read.
    pub read_at: Timestamp,
    /// Who had it read.
    pub read_by: ReadBy,
    /// How often it was read again and taken.
    pub reloads: u64,
    /// How often it was read again and refused.
    pub refusals: u64,
    /// The last reading, when it was refused: what was read before goes on holding.
    pub refused: Option<RefusedReading>,
    /// Keys that were read with other values than those that hold: they wait for the next start.
    pub needs_restart: Vec<String>,
    /// Every key with the value that holds and its origin. Empty where nobody explains the configuration.
    pub values: Vec<ShownValue>,
}

/// A configuration that was not taken.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct RefusedReading {
    /// When it was read.
    pub at: Timestamp,
    /// Who had it read.
    pub by: ReadBy,
    /// What is wrong with it, and where.
    pub why: String,
}

/// What is known of it.
#[derive(Debug)]
pub(super) struct Configured(Mutex<ConfigurationStatus>);

impl Configured {
    pub(super) fn new(at: Timestamp, values: Vec<ShownValue>) -> Self {
        Self(Mutex::new(ConfigurationStatus {
            read_at: at,
            read_by: ReadBy::Start,
            reloads: 0,
            refusals: 0,
            refused: None,
            needs_restart: Vec::new(),
            values,
        }))
    }

    pub(super) fn status(&self) -> ConfigurationStatus {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn refused(&self, at: Timestamp, by: ReadBy, why: String) {
        let mut status = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        status.refusals += 1;
        status.refused = Some(RefusedReading { at, by, why });
    }

    /// Takes over what holds from now on, and tells which keys wait for the next start.
    pub(super) fn taken(&self, at: Timestamp, by: ReadBy, read: Vec<ShownValue>, reloaded: &mut Reloaded) {
        let mut status = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (status.read_at, status.read_by, status.refused) = (at, by, None);
        status.reloads += 1;
        let values = merged(&status.values, read, &mut reloaded.needs_restart_keys);
        status.values = values;
        status.needs_restart.clone_from(&reloaded.needs_restart_keys);
    }
}

/// What holds after `read`: of the keys that need a restart, what held before.
fn merged(held: &[ShownValue], read: Vec<ShownValue>, waiting: &mut Vec<String>) -> Vec<ShownValue> {
    let before = |key: &str| held.iter().find(|shown| shown.key == key);
    let gone = held.iter().filter(|shown| shown.needs_restart() && !read.iter().any(|new| new.key == shown.key));
    let mut kept: Vec<ShownValue> = gone.cloned().collect();
    waiting.extend(kept.iter().map(|shown| shown.key.clone()));
    for new in read {
        if !new.needs_restart() {
            kept.push(new);
            continue;
        }
        match before(&new.key) {
            Some(old) if old.value == new.value => kept.push(new),
            old => {
                waiting.push(new.key);
                kept.extend(old.cloned());
            }
        }
    }
    kept.sort();
    waiting.sort();
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(key: &str, value: &str) -> ShownValue {
        ShownValue { origin: format!("of {value}"), ..ShownValue::default_of(key, value) }
    }

    #[test]
    fn what_needs_a_restart_holds_as_before_and_is_named() {
        let held = [shown("entity.mailbox", "1"), shown("server.drain", "2"), shown("bulkhead.threads", "3")];
        let read = vec![shown("bulkhead.threads", "4"), shown("entity.mailbox", "5"), shown("storage.queue", "6")];
        let mut waiting = Vec::new();
        let holds = merged(&held, read, &mut waiting);
        assert_eq!(holds, [shown("bulkhead.threads", "4"), shown("entity.mailbox", "1"), shown("server.drain", "2")]);
        assert_eq!(waiting, ["entity.mailbox", "server.drain", "storage.queue"]);
    }
}
