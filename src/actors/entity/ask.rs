use std::{any::Any, fmt, marker::PhantomData, time::Duration};

use serde_json::Value;

use super::{Address, AnyCommand, AskError, Command, EncodeError, Entity, EntityId, Key};

/// Names one attempt of one step within the asking entity: the step's name and its round.
///
/// With the stream it makes the command id, so that asking again after a crash is recognised by the
/// target, and a second round is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Step(pub &'static str, pub u32);

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.0, self.1)
    }
}

impl Step {
    /// The key of the entity that this step of the stream `kind`/`key` creates: the same for every
    /// repetition of the step, so that it is created once.
    pub fn creates(self, kind: &str, key: &Key) -> Key {
        Key::derived("step", &[kind.as_bytes(), key.as_str().as_bytes(), self.0.as_bytes(), &self.1.to_le_bytes()])
    }
}

/// A question to another entity, as data. The runtime asks it outside this entity's turn.
#[must_use = "an ask is only asked when its continuation is returned"]
#[derive(Debug)]
pub struct Ask<T: Entity, C: Command<T>> {
    step: Step,
    to: AskTarget<T>,
    command: C,
    within: Duration,
}

#[derive(Debug)]
enum AskTarget<T: Entity> {
    Existing(T::Id),
    Created,
}

impl<T: Entity, C: Command<T>> Ask<T, C> {
    /// Asks `to` for `command`, once per `step`, and gives up waiting after `within`.
    pub fn once(step: Step, to: T::Id, command: C, within: Duration) -> Self {
        Self { step, to: AskTarget::Existing(to), command, within }
    }

    /// Asks a new entity for `command`, once per `step`: its key is derived from the asking stream and
    /// the step, see [`Step::creates`].
    pub fn create(step: Step, command: C, within: Duration) -> Self {
        Self { step, to: AskTarget::Created, command, within }
    }

    /// The answer comes back to the asking entity as the command `next` makes of it.
    pub fn then<E: Entity, F: Command<E>>(
        self,
        next: impl FnOnce(Result<C::Reply, AskError<T::Rejection>>) -> F + Send + 'static,
    ) -> Continuation<E, F::Reply> {
        let address = match &self.to {
            AskTarget::Existing(id) => Some(id.address()),
            AskTarget::Created => None,
        };
        Continuation {
            inner: AnyContinuation {
                step: self.step,
                kind: T::KIND,
                address,
                question: Question::of::<T, C>(self.command),
                within: self.within,
                next: Box::new(move |answer| Box::new(next(typed::<T, C>(answer)))),
            },
            reply: PhantomData,
        }
    }
}

/// Gives the forgotten types of an answer back.
fn typed<T: Entity, C: Command<T>>(answer: AskedAnswer) -> Result<C::Reply, AskError<T::Rejection>> {
    match answer {
        Ok(reply) => reply.read(),
        Err(error) => Err(error.map(|rejection| {
            *rejection.downcast::<T::Rejection>().expect("a target of this kind rejects with its own type")
        })),
    }
}

/// A question with what to do with its answer; `R` is what the original asker gets in the end.
#[must_use = "a continuation does nothing until it is returned"]
pub struct Continuation<E: Entity, R> {
    inner: AnyContinuation<E>,
    reply: PhantomData<fn() -> R>,
}

impl<E: Entity, R> Continuation<E, R> {
    /// Forgets the reply type; what [`Entity::resume`] returns.
    pub fn erase(self) -> AnyContinuation<E> {
        self.inner
    }
}

impl<E: Entity, R> From<Continuation<E, R>> for AnyContinuation<E> {
    fn from(continuation: Continuation<E, R>) -> Self {
        continuation.inner
    }
}

impl<E: Entity, R> fmt::Debug for Continuation<E, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// What came back from a target: its reply, or why there is none.
pub type AskedAnswer = Result<ReplyValue, AskError<Box<dyn Any + Send>>>;

/// A reply on its way to the asker.
pub enum ReplyValue {
    /// As the decision made it.
    Fresh(Box<dyn Any + Send>),
    /// As it was kept when the command was first done: this is a repeat.
    Recorded(Vec<u8>),
}

impl ReplyValue {
    /// The typed reply.
    ///
    /// # Errors
    /// [`AskError::Unreadable`] when the kept reply is not of this type (any more).
    pub fn read<R: serde::de::DeserializeOwned + 'static, X>(self) -> Result<R, AskError<X>> {
        match self {
            Self::Fresh(reply) => Ok(*reply.downcast::<R>().expect("a command answers with its own reply type")),
            Self::Recorded(bytes) => {
                serde_json::from_slice(&bytes).map_err(|error| AskError::Unreadable { reason: error.to_string() })
            }
        }
    }
}

impl fmt::Debug for ReplyValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fresh(_) => "Fresh(..)",
            Self::Recorded(_) => "Recorded(..)",
        })
    }
}

/// Makes the follow-up of an answer.
type FollowUp<E> = Box<dyn FnOnce(AskedAnswer) -> Box<dyn AnyCommand<E>> + Send>;

/// A [`Continuation`] whose reply type is forgotten.
#[must_use = "a continuation does nothing until it is returned"]
pub struct AnyContinuation<E: Entity> {
    step: Step,
    kind: &'static str,
    address: Option<Address>,
    question: Question,
    within: Duration,
    next: FollowUp<E>,
}

/// Makes a `Box<dyn AnyCommand<T>>` for the target's kind `T` of a command, boxed again.
type IntoTarget = fn(&(dyn Any + Send)) -> Box<dyn Any + Send>;

/// The two halves of a continuation, once the runtime takes it up.
pub(crate) struct TakenUp<E: Entity> {
    pub(crate) step: Step,
    pub(crate) kind: &'static str,
    /// `None`: the entity that [`Step::creates`].
    pub(crate) address: Option<Address>,
    pub(crate) within: Duration,
    pub(crate) question: Question,
    pub(crate) next: FollowUp<E>,
}

/// A command for a target whose type is forgotten. It can be asked more than once.
pub(crate) struct Question {
    name: &'static str,
    command: Box<dyn Any + Send>,
    into_target: IntoTarget,
    encode: fn(&(dyn Any + Send)) -> Result<Value, EncodeError>,
    rejection: fn(AskError<Value>) -> AskError<Box<dyn Any + Send>>,
}

impl Question {
    fn of<T: Entity, C: Command<T>>(command: C) -> Self {
        fn own<C: 'static>(command: &(dyn Any + Send)) -> &C {
            command.downcast_ref().expect("the command was boxed as this type")
        }
        Self {
            name: C::NAME,
            command: Box::new(command),
            into_target: |command| {
                let command: Box<dyn AnyCommand<T>> = Box::new(own::<C>(command).clone());
                Box::new(command)
            },
            encode: |command| AnyCommand::<T>::encode(own::<C>(command)),
            rejection: |error| error.read::<T::Rejection>().map(|no| Box::new(no) as Box<dyn Any + Send>),
        }
    }

    /// [`Command::NAME`].
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// The command as a target in another process reads it.
    ///
    /// # Errors
    /// [`EncodeError`] when serde refuses.
    pub(crate) fn encode(&self) -> Result<Value, EncodeError> {
        (self.encode)(self.command.as_ref())
    }

    /// What a target in another process has answered.
    pub(crate) fn decode(&self, answer: Result<Value, AskError<Value>>) -> AskedAnswer {
        let reply = answer.map_err(self.rejection)?;
        let unreadable = |error: serde_json::Error| AskError::Unreadable { reason: error.to_string() };
        serde_json::to_vec(&reply).map(ReplyValue::Recorded).map_err(unreadable)
    }

    /// A `Box<dyn AnyCommand<T>>` for the target's kind `T`.
    pub(crate) fn command(&self) -> Box<dyn Any + Send> {
        (self.into_target)(self.command.as_ref())
    }
}

impl<E: Entity> AnyContinuation<E> {
    /// The step that this asks.
    pub fn step(&self) -> Step {
        self.step
    }

    /// Kind of the entity that is asked.
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// Who is asked; `None` for the entity that the step creates.
    pub fn address(&self) -> Option<&Address> {
        self.address.as_ref()
    }

    /// How long the asker waits for the answer.
    pub fn within(&self) -> Duration {
        self.within
    }

    /// The command that is asked, when it is a `C`.
    pub fn command<C: 'static>(&self) -> Option<&C> {
        self.question.command.downcast_ref()
    }

    /// The follow-up that this answer would lead to.
    pub fn answer(self, answer: AskedAnswer) -> Box<dyn AnyCommand<E>> {
        (self.next)(answer)
    }

    pub(crate) fn take_up(self) -> TakenUp<E> {
        TakenUp {
            step: self.step,
            kind: self.kind,
            address: self.address,
            within: self.within,
            question: self.question,
            next: self.next,
        }
    }
}

impl<E: Entity> fmt::Debug for AnyContinuation<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Continuation")
            .field("step", &self.step)
            .field("kind", &self.kind)
            .field("address", &self.address)
            .field("command", &self.question.name)
            .finish_non_exhaustive()
    }
}
