//! The vocabulary that a business author implements.
//!
//! Everything here is pure: no async, clock, I/O, randomness or framework. A decision is a value that
//! says what should be done ([`Effects`], [`Continuation`], [`Dispatch`]); the runtime does it.
//!
//! ```text
//! Command --decide--> Effects --(durable)--> evolve --> reply | Ask --answer--> Command (a follow-up)
//!                       |
//!                       +--> Recorded events --> Policy::react --> Dispatch (a command elsewhere)
//!                                           +--> View::apply   --> row
//! ```

mod ask;
mod command;
mod dead_letters;
mod declare;
mod effects;
mod error;
mod event;
mod id;
mod model;
mod notification;
mod policy;
mod settings;
mod time;
mod upcast;
mod view;

pub(crate) use ask::Question;
pub use ask::{AnyContinuation, Ask, AskedAnswer, Continuation, ReplyValue, Step};
pub use command::{AnyAnswer, AnyCommand, AnyEffects, AnyReply, Command, CommandContext, Decision, EncodeError};
pub use dead_letters::{
    Advance, DeadLetter, DeadLetterId, Deliver, Discard, PolicyProgress, PolicyProgressEvent, ProgressId, PutAside,
    UnknownDeadLetter,
};
pub use declare::ServiceDeclaration;
pub use effects::{Effects, Persist, persist};
pub use error::{AskError, Injected, Outcome, Unavailable};
pub use event::{DomainEvent, Position, Recorded};
pub use id::{Address, CommandAddress, CommandId, EntityId, Key, KeyError, Number, NumberedId};
pub use model::{EntityModel, OutboundModel, PolicyModel, ServiceModel, ViewModel};
pub use notification::{Notice, Notification, Outbound};
pub use policy::{Dispatch, DispatchOrder, DispatchTarget, Policy, create, send};
pub use settings::{AnySettings, Settings};
pub use time::Timestamp;
pub use upcast::Upcast;
pub use view::{Follows, Listed, Listing, Presence, Source, Sources, View, ViewKey};

use serde::{Serialize, de::DeserializeOwned};

/// A consistency boundary whose state is the fold of its events.
///
/// One entity handles one command at a time; its `Default` is the state before the first event.
pub trait Entity: Default + Clone + Send + Sync + Serialize + DeserializeOwned + 'static {
    /// First half of every stream's identity, `<system>.<entity>`. On disk: never rename.
    const KIND: &'static str;
    /// Shape of the serialized state. Raised with every change of a field: an older snapshot is then
    /// ignored and the entity replayed.
    const SNAPSHOT: u32;
    /// Makes a serialized state of an earlier [`SNAPSHOT`](Self::SNAPSHOT) one of this release; `None` when it cannot. Only
    /// asked where history was deleted, so that the entity cannot be replayed: without an answer it is quarantined. Pure.
    fn migrate(_shape: u32, _state: serde_json::Value) -> Option<serde_json::Value> {
        None
    }
    /// How an entity of this kind is addressed.
    type Id: EntityId;
    /// What can happen to it: a closed enum, so that `evolve` is exhaustive.
    type Event: DomainEvent;
    /// A business "no". Nothing was written.
    type Rejection: std::error::Error + Serialize + DeserializeOwned + Clone + PartialEq + Send + Sync + 'static;

    /// [`Command::NAME`] of every command that it decides, follow-ups included. What is not listed is
    /// refused by debug builds and the testkit; `docs/domain.md` shows the list.
    const COMMANDS: &'static [&'static str];
    /// [`Entity::KIND`] of every kind that its steps ask: the synchronous links. Kept like `COMMANDS`.
    const ASKS: &'static [&'static str] = &[];

    /// Applies a fact. Total: a fact cannot be refused.
    fn evolve(&mut self, event: &Self::Event);

    /// The steps that the state shows begun and not finished. Called once after each recovery; what
    /// it returns is what the decision that began the step returned.
    fn resume(&self) -> Vec<AnyContinuation<Self>> {
        Vec::new()
    }
}
