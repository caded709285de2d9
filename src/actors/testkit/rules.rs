use std::{any::Any, fmt, time::Duration};

use crate::actors::entity::{
    Address, AnyAnswer, AnyCommand, AnyContinuation, AnyEffects, AnySettings, AskError, Command, CommandContext,
    CommandId, Entity, EntityId, Number, ReplyValue, Settings, Step, Timestamp, Unavailable,
};

/// The moment at which tests decide unless they say otherwise; any fixed one would do.
const NOW: Timestamp = Timestamp::from_millis(1_600_000_000_000);

/// Starts a test of a rule with an entity to which `events` have happened.
pub fn given<E: Entity>(events: impl IntoIterator<Item = E::Event>) -> Given<E> {
    let mut state = E::default();
    for event in events {
        state.evolve(&event);
    }
    let ctx = CommandContext {
        now: NOW,
        command_id: CommandId::from_bits(1),
        number: Number::new(1),
        answers: None,
        settings: None,
    };
    Given { state, ctx }
}

/// An entity with a past, and the circumstances in which it will be asked.
#[must_use = "a test needs a command: call `when`"]
pub struct Given<E: Entity> {
    state: E,
    ctx: CommandContext,
}

impl<E: Entity> Given<E> {
    /// Gives the entity the public number `n`; it is 1 otherwise.
    pub fn numbered(mut self, n: u64) -> Self {
        self.ctx.number = Number::new(n);
        self
    }

    /// Lets the decision happen at `now`.
    pub fn at(mut self, now: Timestamp) -> Self {
        self.ctx.now = now;
        self
    }

    /// Makes the command the follow-up that answers `step`.
    pub fn answering(mut self, step: Step) -> Self {
        self.ctx.answers = Some(step);
        self
    }

    /// Lets the decision happen under these switches of the entity's system; otherwise the defaults hold.
    pub fn under(mut self, settings: impl Settings) -> Self {
        self.ctx.settings = Some(AnySettings::of(settings));
        self
    }

    /// The state that the events led to.
    pub fn state(&self) -> &E {
        &self.state
    }

    /// Has the entity decide `command`.
    pub fn when<C: Command<E>>(self, command: C) -> Then<E, C::Reply> {
        Then::decide(self.state, self.ctx, Box::new(command))
    }
}

/// What a decision led to. Each `then_*` checks one part of it and hands it on.
pub struct Then<E: Entity, R> {
    ctx: CommandContext,
    state: E,
    events: Vec<E::Event>,
    answer: Answered<E, R>,
}

enum Answered<E: Entity, R> {
    Rejected(E::Rejection),
    Reply(Box<R>),
    Asks(AnyContinuation<E>),
    NotDone(Unavailable),
}

impl<E: Entity, R: 'static> Then<E, R> {
    fn decide(state: E, ctx: CommandContext, command: Box<dyn AnyCommand<E>>) -> Self {
        command.encode().expect("every command can be shown as JSON");
        assert!(E::COMMANDS.contains(&command.name()), "{} is missing in the COMMANDS of {}", command.name(), E::KIND);
        match command.decide_any(&state, &ctx) {
            Err(rejection) => Self { ctx, state, events: Vec::new(), answer: Answered::Rejected(rejection) },
            Ok(effects) => Self::apply(state, ctx, effects),
        }
    }

    fn apply(mut state: E, ctx: CommandContext, effects: AnyEffects<E>) -> Self {
        for event in &effects.events {
            state.evolve(event);
        }
        let answer = match effects.answer {
            AnyAnswer::Reply(from) => {
                let reply = from(&state);
                reply.encode().expect("every reply can be kept as JSON");
                Answered::Reply(reply.into_any().downcast().expect("a command answers with its own reply type"))
            }
            AnyAnswer::Then(next) => {
                let asked = next(&state);
                assert!(E::ASKS.contains(&asked.kind()), "{} is missing in the ASKS of {}", asked.kind(), E::KIND);
                Answered::Asks(asked)
            }
            AnyAnswer::NotDone(why) => Answered::NotDone(why),
            AnyAnswer::Rejected(rejection) => Answered::Rejected(rejection),
        };
        Self { ctx, state, events: effects.events, answer }
    }

    /// Expects exactly these events.
    pub fn then_events(self, expected: impl IntoIterator<Item = E::Event>) -> Self {
        let expected: Vec<_> = expected.into_iter().collect();
        assert_eq!(self.events, expected, "the events; the answer was {:?}", self.answer);
        self
    }

    /// Expects that no event was written.
    pub fn then_nothing_written(self) -> Self {
        self.then_events([])
    }

    /// Expects this reply.
    pub fn then_reply(self, expected: R) -> Self
    where
        R: PartialEq + fmt::Debug,
    {
        match &self.answer {
            Answered::Reply(reply) => assert_eq!(reply.as_ref(), &expected, "the reply"),
            Answered::Rejected(_) | Answered::Asks(_) | Answered::NotDone(_) => {
                panic!("expected the reply {expected:?}, got {:?}", self.answer)
            }
        }
        self
    }

    /// Expects this business "no". What was written of a step that was begun, [`Self::then_events`] checks.
    pub fn then_rejected(self, expected: E::Rejection) -> Self {
        match &self.answer {
            Answered::Rejected(rejection) => assert_eq!(rejection, &expected, "the rejection"),
            Answered::Reply(_) | Answered::Asks(_) | Answered::NotDone(_) => {
                panic!("expected the rejection {expected:?}, got {:?} and {:?}", self.answer, self.events)
            }
        }
        self
    }

    /// Expects the answer "not done, try again after this time".
    pub fn then_not_done(self, retry_after: Duration) -> Self {
        match &self.answer {
            Answered::NotDone(why) => assert_eq!(why.retry_after(), retry_after, "when to try again: {why}"),
            Answered::Rejected(_) | Answered::Asks(_) | Answered::Reply(_) => {
                panic!("expected `not done`, got {:?}", self.answer)
            }
        }
        self
    }

    /// Expects that `command` is asked of the existing `to`, and that `resume` asks the same.
    pub fn then_asks<T: Entity, C: Command<T> + PartialEq + fmt::Debug>(self, to: &T::Id, command: C) -> Self {
        self.then_asks_at::<T, C>(Some(&to.address()), &command)
    }

    /// Expects that `command` is asked of a new `T`, and that `resume` asks the same.
    pub fn then_creates<T: Entity, C: Command<T> + PartialEq + fmt::Debug>(self, command: C) -> Self {
        self.then_asks_at::<T, C>(None, &command)
    }

    fn then_asks_at<T: Entity, C: Command<T> + PartialEq + fmt::Debug>(
        self,
        to: Option<&Address>,
        command: &C,
    ) -> Self {
        let Answered::Asks(asked) = &self.answer else { panic!("expected an ask, got {:?}", self.answer) };
        assert_asks::<E, T, C>(asked, to, command);
        let resumed = self.state.resume();
        let again = resumed
            .iter()
            .find(|resumed| resumed.step() == asked.step())
            .unwrap_or_else(|| panic!("resume must ask {} again, but asks {resumed:?}", asked.step()));
        assert_asks::<E, T, C>(again, to, command);
        assert_eq!(again.within(), asked.within(), "how long resume waits");
        self
    }

    /// Expects that the ask belongs to `step`.
    pub fn then_step(self, step: Step) -> Self {
        let Answered::Asks(asked) = &self.answer else { panic!("expected an ask, got {:?}", self.answer) };
        assert_eq!(asked.step(), step, "the step");
        self
    }

    /// Expects that the ask waits this long.
    pub fn then_waits(self, within: Duration) -> Self {
        let Answered::Asks(asked) = &self.answer else { panic!("expected an ask, got {:?}", self.answer) };
        assert_eq!(asked.within(), within, "how long the ask waits");
        self
    }

    /// Expects that a recovery of this entity would ask nothing.
    pub fn then_resumes_nothing(self) -> Self {
        let resumed = self.state.resume();
        assert!(resumed.is_empty(), "resume must ask nothing, but asks {resumed:?}");
        self
    }

    /// Answers the ask and goes on with the decision of its follow-up. `C` is the command that was asked.
    pub fn answered<T: Entity, C: Command<T>>(self, answer: Result<C::Reply, AskError<T::Rejection>>) -> Self {
        let Answered::Asks(asked) = self.answer else { panic!("nothing was asked: {:?}", self.answer) };
        assert!(asked.command::<C>().is_some(), "{} was not asked, but {asked:?}", C::NAME);
        let ctx = CommandContext { answers: Some(asked.step()), ..self.ctx.clone() };
        let follow_up = asked.answer(match answer {
            Ok(reply) => Ok(ReplyValue::Fresh(Box::new(reply))),
            Err(error) => Err(error.map(|rejection| Box::new(rejection) as Box<dyn Any + Send>)),
        });
        Self::decide(self.state, ctx, follow_up)
    }

    /// Goes on with another command to the same entity.
    pub fn when<C: Command<E>>(self, command: C) -> Then<E, C::Reply> {
        let ctx = CommandContext { answers: None, ..self.ctx.clone() };
        Then::decide(self.state, ctx, Box::new(command))
    }

    /// The state after the events.
    pub fn state(&self) -> &E {
        &self.state
    }

    /// The events that were written.
    pub fn events(&self) -> &[E::Event] {
        &self.events
    }
}

fn assert_asks<E: Entity, T: Entity, C: Command<T> + PartialEq + fmt::Debug>(
    asked: &AnyContinuation<E>,
    to: Option<&Address>,
    command: &C,
) {
    assert_eq!(asked.kind(), T::KIND, "the kind that is asked");
    assert_eq!(asked.address(), to, "who is asked; `None` is the entity that the step creates");
    match asked.command::<C>() {
        Some(asked) => assert_eq!(asked, command, "what is asked"),
        None => panic!("{} must be asked, not {asked:?}", C::NAME),
    }
}

impl<E: Entity, R> fmt::Debug for Answered<E, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(rejection) => f.debug_tuple("Rejected").field(rejection).finish(),
            Self::Reply(_) => f.write_str("Reply(..)"),
            Self::Asks(asked) => f.debug_tuple("Asks").field(asked).finish(),
            Self::NotDone(why) => f.debug_tuple("NotDone").field(why).finish(),
        }
    }
}

impl<E: Entity> fmt::Debug for Given<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Given").field("kind", &E::KIND).field("ctx", &self.ctx).finish_non_exhaustive()
    }
}

impl<E: Entity, R> fmt::Debug for Then<E, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Then").field("events", &self.events).field("answer", &self.answer).finish_non_exhaustive()
    }
}
