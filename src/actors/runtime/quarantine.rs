//! What is told of an entity that fails: what failed, on which command, how often, and what was tried. And how an
//! operator lets it go on without the command that it failed on.

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::Ordering},
};

use schemars::JsonSchema;
use serde::Serialize;

use super::{
    cell::{Cell, Inner, Phase},
    host::Host,
    inspect::InspectError,
    kinds::KindHost,
    mailbox::Meta,
    skips::{NotRefused, RefuseCommand, RefusedCommand, RefusedCommandsId},
    system::System,
};
use crate::{
    actors::entity::{AskError, Entity, Number, Timestamp},
    persistence::Origin,
};

/// Failures of one entity that are kept with what was done about each.
const TRIES: usize = 8;

/// Entities that a list of the quarantined has at most: those that have been in it longest.
pub const QUARANTINE_LIST: usize = 1_000;

/// A command on which an entity failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct FailedCommand {
    /// Its id, 32 hexadecimal digits.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Who repeats it: `client` or another entity with this very id, or `policy:<name>`; `nobody` when it has come once
    /// and for all; `step` for the answer to a step of its own, which is asked for until it is taken.
    pub by: String,
    /// The request that it goes back to.
    pub correlation: String,
}

/// A failure of an entity, and what was done about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct EntityFailure {
    /// When.
    pub at: Timestamp,
    /// What failed, in its own words.
    pub reason: String,
    /// On which command; `None` when it was on none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<FailedCommand>,
    /// What the runtime did, or an operator.
    pub then: String,
}

/// The failures of one entity since it was last well for the time that its restarts are counted in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Trouble {
    /// How often it has failed.
    pub failures: u64,
    /// When it was quarantined; `None` while it is tried again.
    pub quarantined: Option<Timestamp>,
    /// The last failures, oldest first; at most eight.
    pub tried: VecDeque<EntityFailure>,
}

/// An entity in quarantine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct QuarantinedEntity {
    /// Its kind.
    pub kind: String,
    /// Its key.
    pub key: String,
    /// Its public number; 0 for one without.
    pub number: Number,
    /// Since when.
    pub since: Timestamp,
    /// Why.
    pub reason: String,
    /// How often it had failed.
    pub failures: u64,
    /// On which command it failed last, when it was on one.
    pub command: Option<FailedCommand>,
    /// Whether that command can be skipped.
    pub can_skip: bool,
    /// Its last failures, oldest first, and what was done about each.
    pub tried: Vec<EntityFailure>,
}

/// Why no command was skipped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SkipError {
    /// The entity is not there, or not in quarantine.
    #[error(transparent)]
    Inspect(#[from] InspectError),
    /// It did not fail on a command that comes again. Resuming it is enough, or does not help.
    #[error("there is no command to skip: {0}")]
    Nothing(String),
    /// Too many are skipped already.
    #[error(transparent)]
    Full(#[from] NotRefused),
    /// That it is skipped could not be written. Nothing has changed.
    #[error("not available: {0}")]
    Unavailable(String),
}

impl FailedCommand {
    /// The command that a message is.
    pub(super) fn of(meta: &Meta, name: &str, is_step: bool) -> Self {
        let by = match &meta.origin {
            _ if is_step => "step".to_owned(),
            Origin::Fresh => "nobody".to_owned(),
            Origin::Repeatable { .. } => "client".to_owned(),
            Origin::Dispatch(mark) => format!("policy:{}", mark.policy),
        };
        Self { id: meta.command.to_string(), name: name.to_owned(), by, correlation: meta.correlation.to_string() }
    }

    /// Why it cannot be skipped; `None` when it can.
    fn why_not(&self) -> Option<&'static str> {
        match self.by.as_str() {
            "step" => Some("it failed on the answer to a step of its own, which has to be taken"),
            "nobody" => Some("its command has no id that comes again"),
            _ => None,
        }
    }
}

impl Trouble {
    /// Keeps a failure.
    pub(super) fn failed(&mut self, at: Timestamp, reason: &str, command: Option<FailedCommand>, then: String) {
        self.failures += 1;
        if self.tried.len() >= TRIES {
            self.tried.pop_front();
        }
        self.tried.push_back(EntityFailure { at, reason: reason.to_owned(), command, then });
    }

    /// Says that something else was done about the last failure as well.
    pub(super) fn and_then(&mut self, what: &str) {
        if let Some(last) = self.tried.back_mut() {
            last.then = format!("{}; {what}", last.then);
        }
    }

    /// Whether the last thing that was done about it was an operator's doing: what it failed on before is still of
    /// interest when it fails again.
    pub(super) fn is_resumed(&self) -> bool {
        self.tried.back().is_some_and(|last| last.then.ends_with("resumed"))
    }

    /// What it last failed on.
    fn command(&self) -> Option<&FailedCommand> {
        self.tried.back().and_then(|last| last.command.as_ref())
    }
}

impl<E: Entity> Host<E> {
    /// Sets the phase of a cell that may come out of quarantine or go into it: who is in it is counted.
    pub(super) fn set_phase(&self, inner: &mut Inner<E>, phase: Phase) {
        let is_in = |phase: &Phase| matches!(phase, Phase::Quarantined(_));
        let was_in = is_in(&std::mem::replace(&mut inner.phase, phase));
        match (was_in, is_in(&inner.phase)) {
            (false, true) => _ = self.quarantined.fetch_add(1, Ordering::Relaxed),
            (true, false) => _ = self.quarantined.fetch_sub(1, Ordering::Relaxed),
            (true, true) | (false, false) => {}
        }
    }

    /// Those in quarantine.
    pub(super) fn in_quarantine(&self) -> Vec<QuarantinedEntity> {
        if self.quarantined.load(Ordering::Relaxed) == 0 {
            return Vec::new(); // no need to look at every entity
        }
        self.cells().iter().filter_map(|cell| self.quarantined_as(cell)).collect()
    }

    /// What is told of an entity in quarantine; `None` when it is not.
    pub(super) fn quarantined_as(&self, cell: &Cell<E>) -> Option<QuarantinedEntity> {
        let (reason, trouble) = {
            let inner = cell.lock();
            let Phase::Quarantined(reason) = &inner.phase else { return None };
            (reason.clone(), inner.trouble.as_deref().cloned().unwrap_or_default())
        };
        let number = self.unit.journal.head(&self.stream(&cell.key)).map_or(0, |head| head.number);
        let command = trouble.command().cloned();
        Some(QuarantinedEntity {
            kind: E::KIND.to_owned(),
            key: cell.key.to_string(),
            number: Number::new(number),
            since: trouble.quarantined.unwrap_or_default(),
            reason: reason.to_string(),
            failures: trouble.failures,
            can_skip: command.as_ref().is_some_and(|command| command.why_not().is_none()),
            command,
            tried: trouble.tried.into(),
        })
    }
}

impl System {
    /// The entities in quarantine, those that have been in it longest first; at most [`QUARANTINE_LIST`], and how many
    /// there are.
    pub fn quarantine(&self) -> (Vec<QuarantinedEntity>, usize) {
        let mut all: Vec<_> = self.hosts().flat_map(|host| host.quarantined()).collect();
        all.sort_by(|a, b| (a.since, &a.kind, &a.key).cmp(&(b.since, &b.kind, &b.key)));
        let count = all.len();
        all.truncate(QUARANTINE_LIST);
        (all, count)
    }

    fn hosts(&self) -> impl Iterator<Item = &Arc<dyn KindHost>> {
        self.inner.hosts.iter()
    }

    /// Has an entity in quarantine go on without the command that it failed on last. That command is refused from then
    /// on, also after a restart: a client that repeats it is told so, and a policy puts it aside as a dead letter.
    ///
    /// # Errors
    /// [`SkipError`]; then nothing has changed.
    ///
    /// # Cancel safety
    /// Dropping the future may leave the command refused and the entity in quarantine; skipping it again resumes it.
    pub async fn skip_command(&self, kind: &str, id: &str) -> Result<RefusedCommand, SkipError> {
        let (host, address) = self.place_of(kind, id)?;
        let Some(found) = host.quarantined_at(&address) else {
            self.stream_of(kind, id)?;
            return Err(SkipError::Nothing("it is not in quarantine".to_owned()));
        };
        let Some(command) = found.command else {
            return Err(SkipError::Nothing("it did not fail on one".to_owned()));
        };
        if let Some(why) = command.why_not() {
            return Err(SkipError::Nothing(why.to_owned()));
        }
        let refused = RefusedCommand {
            kind: found.kind,
            key: found.key,
            command: command.id,
            name: command.name,
            at: self.clock().now(),
            reason: found.tried.last().map_or(found.reason, |last| last.reason.clone()),
        };
        let unit = host.unit().name.as_ref();
        let known = self.inner.refused.get(unit).ok_or_else(|| SkipError::Unavailable(format!("no unit {unit}")))?;
        let asked = known.ask(&RefusedCommandsId, RefuseCommand { refused: refused.clone() });
        asked.await.map_err(|error| {
            if let AskError::Rejected(full) = error {
                return SkipError::Full(full);
            }
            SkipError::Unavailable(error.to_string())
        })?;
        host.unit().refusals.load(known).await.map_err(SkipError::Unavailable)?;
        tracing::warn!(kind = refused.kind, key = refused.key, command = refused.command, "skipped by an operator");
        host.clone().release(address, "its command was skipped, and it was resumed");
        Ok(refused)
    }
}
