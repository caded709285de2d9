use std::fmt;

use serde::Serialize;

use super::{AnyAnswer, AnyEffects, Continuation, Entity, Unavailable};

/// What a decision wants done, in this order: write, evolve, then answer or go on.
#[must_use = "effects do nothing until they are returned from `decide`"]
pub struct Effects<E: Entity, R> {
    pub(crate) events: Vec<E::Event>,
    pub(crate) answer: Answer<E, R>,
}

pub(crate) enum Answer<E: Entity, R> {
    Now(R),
    FromState(fn(&E) -> R),
    Then(fn(&E) -> Continuation<E, R>),
    NotDone(Unavailable),
    Rejected(E::Rejection),
}

/// Events without an answer yet: only its methods make [`Effects`], so that no reply is forgotten.
#[must_use = "events alone are no effects: say what the asker gets"]
pub struct Persist<E: Entity>(Vec<E::Event>);

/// Writes these events, all or none. What follows says what the asker gets.
pub fn persist<E: Entity>(events: impl IntoIterator<Item = E::Event>) -> Persist<E> {
    Persist(events.into_iter().collect())
}

impl<E: Entity> Persist<E> {
    /// Answers `reply` once the events are durable.
    pub fn reply<R>(self, reply: R) -> Effects<E, R> {
        self.with(Answer::Now(reply))
    }

    /// Answers what the state after these events says, once they are durable.
    pub fn reply_with<R>(self, from: fn(&E) -> R) -> Effects<E, R> {
        self.with(Answer::FromState(from))
    }

    /// Goes on with what the state *after* these events says. The asker's answer is the answer of the
    /// follow-up that the continuation leads to.
    pub fn then<R>(self, next: fn(&E) -> Continuation<E, R>) -> Effects<E, R> {
        self.with(Answer::Then(next))
    }

    /// Answers that the command was *not done* although events were written (a step was begun and
    /// taken back). Unlike a reply it is not kept: the same command id is decided again.
    pub fn not_done<R>(self, why: Unavailable) -> Effects<E, R> {
        self.with(Answer::NotDone(why))
    }

    /// Answers with the entity's own "no" although events were written: a step was begun, and what came
    /// of it makes this a refusal. Nothing may remain of the step. Like every refusal it is not kept: the
    /// same command id is decided again.
    pub fn rejected<R>(self, rejection: E::Rejection) -> Effects<E, R> {
        self.with(Answer::Rejected(rejection))
    }

    fn with<R>(self, answer: Answer<E, R>) -> Effects<E, R> {
        Effects { events: self.0, answer }
    }
}

impl<E: Entity, R> Effects<E, R> {
    /// Writes nothing and answers `reply`.
    pub fn reply(reply: R) -> Self {
        persist([]).reply(reply)
    }
}

impl<E: Entity, R: Serialize + Send + 'static> Effects<E, R> {
    pub(crate) fn erase(self) -> AnyEffects<E> {
        let answer = match self.answer {
            Answer::Now(reply) => AnyAnswer::Reply(Box::new(move |_| Box::new(reply))),
            Answer::FromState(from) => AnyAnswer::Reply(Box::new(move |state| Box::new(from(state)))),
            Answer::Then(next) => AnyAnswer::Then(Box::new(move |state| next(state).erase())),
            Answer::NotDone(why) => AnyAnswer::NotDone(why),
            Answer::Rejected(rejection) => AnyAnswer::Rejected(rejection),
        };
        AnyEffects { events: self.events, answer }
    }
}

impl<E: Entity, R> fmt::Debug for Effects<E, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Effects").field("events", &self.events).finish_non_exhaustive()
    }
}

impl<E: Entity> fmt::Debug for Persist<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Persist").field(&self.0).finish()
    }
}
