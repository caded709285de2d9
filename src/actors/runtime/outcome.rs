//! What a decision comes to: its events as bytes, applied to the state, and the answer of the state after them.

use std::{any::Any, sync::Arc};

use bytes::Bytes;

use crate::{
    actors::entity::{AnyAnswer, AnyContinuation, AnyEffects, AnyReply, AskError, DomainEvent, Entity, Unavailable},
    persistence::NewEvent,
};

/// What a decision comes to, once its events are applied.
pub(super) enum Outcome<E: Entity> {
    Reply {
        value: Box<dyn Any + Send>,
        bytes: Bytes,
    },
    Then(AnyContinuation<E>),
    /// With what the asker is told, as the bytes that are kept.
    NotDone(Unavailable, Bytes),
    Rejected(E::Rejection, Bytes),
}

pub(super) type Evolved<E> = (Vec<(<E as Entity>::Event, NewEvent)>, Outcome<E>);

/// Encodes the events, applies them, and makes the answer of the state after them. An error is one of
/// the author's `Serialize`, and as bad as a panic.
pub(super) fn evolve<E: Entity>(state: &mut E, effects: AnyEffects<E>) -> Result<Evolved<E>, Arc<str>> {
    let mut events = Vec::with_capacity(effects.events.len());
    for event in effects.events {
        let payload = serde_json::to_vec(&event).map_err(|error| format!("event {}: {error}", event.name()))?;
        let new = NewEvent {
            name: event.name().into(),
            version: event.version(),
            public: event.is_public(),
            payload: payload.into(),
        };
        events.push((event, new));
    }
    for (event, _) in &events {
        state.evolve(event);
    }
    let outcome = match effects.answer {
        AnyAnswer::Reply(make) => {
            let reply = make(state);
            // A reply that nobody can ask for again need not be written.
            let bytes = if events.is_empty() { Bytes::new() } else { encode(reply.as_ref())? };
            Outcome::Reply { bytes, value: reply.into_any() }
        }
        AnyAnswer::Then(next) => Outcome::Then(next(state)),
        AnyAnswer::NotDone(why) => {
            let bytes = keep::<E>(&AskError::Unavailable(why.clone()), events.is_empty())?;
            Outcome::NotDone(why, bytes)
        }
        AnyAnswer::Rejected(rejection) => {
            let bytes = keep::<E>(&AskError::Rejected(rejection.clone()), events.is_empty())?;
            Outcome::Rejected(rejection, bytes)
        }
    };
    Ok((events, outcome))
}

/// What the asker is told instead of a reply, as JSON. On disk, so the names of [`AskError`] and [`Unavailable`] are.
fn keep<E: Entity>(why: &AskError<E::Rejection>, writes_nothing: bool) -> Result<Bytes, Arc<str>> {
    if writes_nothing {
        return Ok(Bytes::new());
    }
    serde_json::to_vec(why).map(Bytes::from).map_err(|error| format!("a refusal: {error}").into())
}

fn encode(reply: &dyn AnyReply) -> Result<Bytes, Arc<str>> {
    reply.encode().map(Bytes::from).map_err(|error| {
        let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        format!("{error}: {cause}").into()
    })
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> Arc<str> {
    let text = panic.downcast_ref::<&'static str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panicked: {}", text.unwrap_or("no text")).into()
}
