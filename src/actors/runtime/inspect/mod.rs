//! One entity as operators see it: what it is, what it was, and what they may do to it.

mod list;
mod now;
mod past;

use std::sync::Arc;

use serde_json::Value;

use super::{kinds::KindHost, off_thread::off_thread, system::System};
use crate::actors::entity::{Address, Key, Number};

pub use list::{ENTITY_PAGE, EntityPage, EntityRow};
pub use past::{EntityEvent, EntityHistory, EventCause, HISTORY_PAGE, PastState};

/// Why an entity could not be looked at, or could not do what an operator wants of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InspectError {
    /// No running system has this kind.
    #[error("there is no kind {0}")]
    UnknownKind(String),
    /// Several systems have a kind of this short name.
    #[error("{name} is short for {}: say which", .kinds.join(" and "))]
    AmbiguousKind {
        /// What was asked for.
        name: String,
        /// The kinds, in full.
        kinds: Vec<&'static str>,
    },
    /// Nothing has this id.
    #[error("there is no such entity")]
    NotFound,
    /// It has no event with this sequence.
    #[error("its events have the sequences 1 to {last}, not {sequence}")]
    NoSuchEvent {
        /// What was asked for.
        sequence: u64,
        /// The sequence of its last event.
        last: u64,
    },
    /// What was asked for was deleted, as `[storage] history` has it.
    #[error("its older history was deleted: this can be told from {first} on")]
    Deleted {
        /// The first sequence of which it can be told.
        first: u64,
    },
    /// It has something to do, or is in quarantine.
    #[error("it cannot leave memory now: {0}")]
    NotAtRest(String),
    /// It is not in quarantine, so there is nothing to resume.
    #[error("it is not in quarantine")]
    NotQuarantined,
    /// What the journal has of it cannot be read, or not by this release: the text names the event, or the file and the
    /// place in it.
    #[error("{0}")]
    Unreadable(String),
    /// It cannot be read now.
    #[error("not available: {0}")]
    Unavailable(String),
}

impl System {
    /// State, sequence and phase of one entity; `kind` in full or short, `id` a number or a key.
    ///
    /// # Errors
    /// [`InspectError`].
    ///
    /// # Cancel safety
    /// Reads only.
    pub async fn inspect(&self, kind: &str, id: &str) -> Result<Value, InspectError> {
        let (host, address) = self.place_of(kind, id)?;
        host.inspect(address).await.map_err(InspectError::Unavailable)?.ok_or(InspectError::NotFound)
    }

    /// The entities of a kind, by number and then by key: those with events, in memory or not, also those that their
    /// clients removed. `page` is counted from 0; `size` is at most [`ENTITY_PAGE`].
    ///
    /// # Errors
    /// [`InspectError::UnknownKind`], [`InspectError::AmbiguousKind`], [`InspectError::Unavailable`].
    ///
    /// # Cancel safety
    /// Reads only.
    pub async fn entities_of(&self, kind: &str, page: usize, size: usize) -> Result<EntityPage, InspectError> {
        let host = self.kind(kind)?;
        off_thread(move || list::page(host.as_ref(), page, size.min(ENTITY_PAGE))).await.map_err(ended)
    }

    /// The events of one entity after `after`, oldest first; without it from the oldest that is there. At most `limit`,
    /// and [`HISTORY_PAGE`], of them; fewer where they are large.
    ///
    /// # Errors
    /// [`InspectError`].
    ///
    /// # Cancel safety
    /// Reads only.
    pub async fn entity_history(
        &self,
        kind: &str,
        id: &str,
        after: Option<u64>,
        limit: usize,
    ) -> Result<EntityHistory, InspectError> {
        let (host, key) = self.stream_of(kind, id)?;
        let limit = limit.clamp(1, HISTORY_PAGE);
        off_thread(move || past::history(host.as_ref(), &key, after, limit)).await.map_err(ended)?
    }

    /// The state of one entity as it was after the event with this sequence.
    ///
    /// # Errors
    /// [`InspectError`].
    ///
    /// # Cancel safety
    /// Reads only.
    pub async fn entity_at(&self, kind: &str, id: &str, sequence: u64) -> Result<PastState, InspectError> {
        let (host, key) = self.stream_of(kind, id)?;
        off_thread(move || host.state_at(&key, sequence)).await.map_err(ended)?
    }

    /// Has one entity leave memory now, with a snapshot where that is worth it. Whoever asks it next brings it back. Does
    /// nothing to one that is not in memory.
    ///
    /// # Errors
    /// [`InspectError::NotAtRest`] while it has something to do: nothing is dropped that somebody waits for.
    pub fn passivate_entity(&self, kind: &str, id: &str) -> Result<(), InspectError> {
        let (host, key) = self.stream_of(kind, id)?;
        host.passivate(&key).map_err(InspectError::NotAtRest)
    }

    /// Makes one entity fail as a panic in a decision would. It recovers by itself.
    ///
    /// # Errors
    /// [`InspectError`].
    ///
    /// # Cancel safety
    /// It fails or not.
    pub async fn kill_entity(&self, kind: &str, id: &str) -> Result<(), InspectError> {
        let (host, address) = self.place_of(kind, id)?;
        let killed = host.kill(address).await.map_err(InspectError::Unavailable)?;
        if killed { Ok(()) } else { Err(InspectError::NotFound) }
    }

    /// Takes one entity out of quarantine; it recovers from the journal.
    ///
    /// # Errors
    /// [`InspectError::NotQuarantined`] when there is nothing to resume.
    pub fn resume_entity(&self, kind: &str, id: &str) -> Result<(), InspectError> {
        let (host, address) = self.place_of(kind, id)?;
        if host.release(address, "resumed") {
            return Ok(());
        }
        self.stream_of(kind, id)?;
        Err(InspectError::NotQuarantined)
    }

    /// The host of a kind and the address that an id stands for.
    pub(super) fn place_of(&self, kind: &str, id: &str) -> Result<(Arc<dyn KindHost>, Address), InspectError> {
        Ok((self.kind(kind)?, address(id)?))
    }

    /// The host of a kind and the key of an entity of it that has events.
    pub(super) fn stream_of(&self, kind: &str, id: &str) -> Result<(Arc<dyn KindHost>, Key), InspectError> {
        let (host, address) = self.place_of(kind, id)?;
        let key = host.key_of(&address).filter(|key| host.head(key).is_some());
        Ok((host, key.ok_or(InspectError::NotFound)?))
    }

    /// The kind of this name, in full, or short where that is enough to tell.
    pub(super) fn kind(&self, name: &str) -> Result<Arc<dyn KindHost>, InspectError> {
        let is_short = |kind: &str| kind.split_once('.').is_some_and(|(_, short)| short == name);
        let found = self.inner.hosts.iter().filter(|host| host.kind() == name || is_short(host.kind()));
        match found.collect::<Vec<_>>().as_slice() {
            [host] => Ok(Arc::clone(host)),
            [] => Err(InspectError::UnknownKind(name.to_owned())),
            several => Err(InspectError::AmbiguousKind {
                name: name.to_owned(),
                kinds: several.iter().map(|host| host.kind()).collect(),
            }),
        }
    }
}

fn address(id: &str) -> Result<Address, InspectError> {
    match id.parse() {
        Ok(number) => Ok(Address::Number(Number::new(number))),
        Err(_) => Key::new(id).map(Address::Key).map_err(|_| InspectError::NotFound),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn ended(error: tokio::task::JoinError) -> InspectError {
    InspectError::Unavailable(error.to_string())
}
