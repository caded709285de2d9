use std::{any::Any, fmt, sync::Arc};

use serde::{Serialize, de::DeserializeOwned};

use super::{AnyContinuation, AnySettings, CommandId, Effects, Entity, Number, Settings, Step, Timestamp, Unavailable};

/// One thing that an `E` can be asked to do, and the type of its answer.
pub trait Command<E: Entity>: Serialize + DeserializeOwned + Clone + Send + 'static {
    /// An imperative in kebab case, as logs, metrics and dead letters show it.
    const NAME: &'static str;
    /// What the asker gets. Kept with the events, so that a repeat gets the same again.
    type Reply: Serialize + DeserializeOwned + Send + 'static;

    /// Pure: equal inputs give equal decisions. Runs between two messages, so it cannot race.
    ///
    /// # Errors
    /// The business "no"; nothing is written and the same command may be tried again.
    fn decide(self, entity: &E, ctx: &CommandContext) -> Decision<E, Self::Reply>;
}

/// What a command leads to: effects, or the entity's refusal.
pub type Decision<E, R> = Result<Effects<E, R>, <E as Entity>::Rejection>;

/// What would otherwise be read from the world, passed in as data.
#[derive(Clone, Debug)]
pub struct CommandContext {
    /// The time of the decision.
    pub now: Timestamp,
    /// The id of this command.
    pub command_id: CommandId,
    /// The entity's public number. For a first event, the one it will have if anything is written;
    /// [`Number::NONE`] for kinds without numbers.
    pub number: Number,
    /// For a follow-up, the step that it answers.
    pub answers: Option<Step>,
    /// The switches of the entity's system; `None` when nobody set any.
    pub settings: Option<AnySettings>,
}

impl CommandContext {
    /// The switches of the entity's system as they stand; the defaults when nobody set any.
    ///
    /// # Panics
    /// When `S` are those of another system.
    pub fn settings<S: Settings>(&self) -> Arc<S> {
        self.settings.as_ref().map_or_else(Arc::default, AnySettings::get)
    }
}

/// A value could not be written as JSON: a map with keys that are no text, or the author's own error.
#[derive(Debug, thiserror::Error)]
#[error("{what} cannot be written as JSON")]
pub struct EncodeError {
    /// The command, event or reply.
    pub what: &'static str,
    /// What serde says.
    #[source]
    pub source: serde_json::Error,
}

/// A command whose type is forgotten; how the runtime holds it in a mailbox.
pub trait AnyCommand<E: Entity>: Send {
    /// [`Command::NAME`].
    fn name(&self) -> &'static str;
    /// The command as JSON, for people to read.
    ///
    /// # Errors
    /// [`EncodeError`] when serde refuses.
    fn encode(&self) -> Result<serde_json::Value, EncodeError>;
    /// The command itself, for tests that compare it.
    fn as_any(&self) -> &dyn Any;
    /// [`Command::decide`].
    ///
    /// # Errors
    /// The entity's rejection.
    fn decide_any(self: Box<Self>, entity: &E, ctx: &CommandContext) -> Result<AnyEffects<E>, E::Rejection>;
}

impl<E: Entity, C: Command<E>> AnyCommand<E> for C {
    fn name(&self) -> &'static str {
        C::NAME
    }
    fn encode(&self) -> Result<serde_json::Value, EncodeError> {
        serde_json::to_value(self).map_err(|source| EncodeError { what: C::NAME, source })
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn decide_any(self: Box<Self>, entity: &E, ctx: &CommandContext) -> Result<AnyEffects<E>, E::Rejection> {
        Command::decide(*self, entity, ctx).map(Effects::erase)
    }
}

/// [`Effects`] whose reply type is forgotten.
pub struct AnyEffects<E: Entity> {
    /// What to write, possibly nothing.
    pub events: Vec<E::Event>,
    /// What to do once that is applied.
    pub answer: AnyAnswer<E>,
}

impl<E: Entity> fmt::Debug for AnyEffects<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyEffects").field("events", &self.events).finish_non_exhaustive()
    }
}

/// Makes something of the state after the events.
type OfState<E, R> = Box<dyn FnOnce(&E) -> R + Send>;

/// What follows the events of a decision.
pub enum AnyAnswer<E: Entity> {
    /// Answer with what the state after the events says.
    Reply(OfState<E, Box<dyn AnyReply>>),
    /// Go on with another entity; the answer comes later.
    Then(OfState<E, AnyContinuation<E>>),
    /// Answer that it was not done and may be tried again with the same command id.
    NotDone(Unavailable),
    /// Answer with this refusal, although events were written.
    Rejected(E::Rejection),
}

impl<E: Entity> fmt::Debug for AnyAnswer<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reply(_) => f.write_str("Reply(..)"),
            Self::Then(_) => f.write_str("Then(..)"),
            Self::NotDone(why) => f.debug_tuple("NotDone").field(why).finish(),
            Self::Rejected(rejection) => f.debug_tuple("Rejected").field(rejection).finish(),
        }
    }
}

/// A reply whose type is forgotten.
pub trait AnyReply: Send {
    /// The reply as the JSON that is kept with the events.
    ///
    /// # Errors
    /// [`EncodeError`] when serde refuses.
    fn encode(&self) -> Result<Vec<u8>, EncodeError>;
    /// The reply itself.
    fn into_any(self: Box<Self>) -> Box<dyn Any + Send>;
}

impl<R: Serialize + Send + 'static> AnyReply for R {
    fn encode(&self) -> Result<Vec<u8>, EncodeError> {
        serde_json::to_vec(self).map_err(|source| EncodeError { what: std::any::type_name::<R>(), source })
    }
    fn into_any(self: Box<Self>) -> Box<dyn Any + Send> {
        self
    }
}
