//! What one entity is now, and what becomes of it when an operator makes it fail.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::super::{
    cell::Phase,
    host::Host,
    mailbox::{Body, Meta},
    recovery::NotRecovered,
};
use crate::actors::entity::{Address, AskError, Entity, Key, Unavailable};

impl<E: Entity> Host<E> {
    /// All that is known of an entity; `None` when there is none.
    pub(crate) async fn seen(self: &Arc<Self>, to: &Address) -> Result<Option<Value>, String> {
        let Ok(key) = self.resolve(to) else { return Ok(None) };
        let Some(head) = self.unit.journal.head(&self.stream(&key)) else { return Ok(None) };
        let trouble = self.cell(&key).and_then(|cell| cell.lock().trouble.as_deref().cloned());
        let mut seen = Map::new();
        seen.insert("kind".into(), E::KIND.into());
        seen.insert("key".into(), key.as_str().into());
        seen.insert("number".into(), json!(head.number));
        seen.insert("sequence".into(), head.sequence.into());
        seen.insert("phase".into(), self.phase_of(&key).into());
        match self.recover(&key).await {
            Ok(recovered) => {
                let steps = recovered.book.open.iter().map(|open| format!("{}#{}", open.step, open.round));
                seen.insert("openAsks".into(), steps.collect());
                seen.insert("state".into(), json!(recovered.state));
            }
            Err(NotRecovered::ForNow(why)) => return Err(why.to_string()),
            // Whoever looks at it looks for this.
            Err(NotRecovered::Ever(why)) => drop(seen.insert("unreadable".into(), why.as_ref().into())),
        }
        if let Some(trouble) = trouble {
            seen.insert("trouble".into(), json!(trouble));
        }
        Ok(Some(seen.into()))
    }

    /// The phase of an entity, `passive` when it is not in memory.
    pub(crate) fn phase_of(&self, key: &Key) -> String {
        let Some(cell) = self.cell(key) else { return "passive".to_owned() };
        match &cell.lock().phase {
            Phase::Idle => "idle".to_owned(),
            Phase::Running => "running".to_owned(),
            Phase::Backoff => "backoff".to_owned(),
            Phase::Draining => "draining".to_owned(),
            Phase::Quarantined(reason) => format!("quarantined: {reason}"),
            Phase::Gone => "passive".to_owned(),
        }
    }

    /// Makes an entity fail as a panic would; false when there is none.
    pub(crate) async fn make_fail(self: &Arc<Self>, to: &Address) -> Result<bool, String> {
        let Ok(key) = self.resolve(to) else { return Ok(false) };
        if self.unit.journal.head(&self.stream(&key)).is_none() {
            return Ok(false);
        }
        let (meta, deadline) = (Meta::fresh("kill"), Instant::now() + self.config.deadline);
        match self.ask(&key, Body::Kill, meta, deadline, None).await {
            Err(AskError::Unavailable(Unavailable::Panicked)) => Ok(true),
            Err(other) => Err(other.to_string()),
            Ok(_) => Err("the entity answered instead of failing".to_owned()),
        }
    }
}
