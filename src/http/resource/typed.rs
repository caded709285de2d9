//! From commands of some type to actions and procedures without.

use std::time::Duration;

use http::StatusCode;
use serde::Serialize;

use super::{Action, Call, Change, Done, Perform, Recalled, Said, Segment, action, perform};
use crate::{
    Answered, AskError, Command, Entities, Entity, Key, NumberedId, Refusal, RefusalClass,
    http::{Fields, Members, Problem},
};

/// Makes an entity's id of a request; a text that can be no id is a 404.
pub type Address<Id> = fn(&Call) -> Result<Id, Problem>;

/// The entity with the number in the path.
///
/// # Errors
/// 404 when that is no number.
pub fn by_number(call: &Call) -> Result<NumberedId, Problem> {
    segment(call).map(NumberedId::number)
}

/// The entity with this natural key: in the path, and in the body when it is created.
///
/// # Errors
/// 404 when that can be no key.
pub fn by_key(call: &Call) -> Result<Key, Problem> {
    segment(call)
}

fn segment<S: Segment>(call: &Call) -> Result<S, Problem> {
    let key = call.key.as_deref().unwrap_or_default();
    S::of_segment(key).ok_or_else(|| Problem::not_found(format!("there is no item {key}")))
}

/// A new entity; a retry with the same `Idempotency-Key` meets the same one.
///
/// # Errors
/// None; the type is that of [`Address`].
pub fn by_stream(call: &Call) -> Result<NumberedId, Problem> {
    Ok(NumberedId::Key(call.origin.stream.clone()))
}

/// The entity with the number that a field has.
///
/// # Errors
/// 404 when it is no positive number: nothing has it.
pub fn number_in(call: &Call, field: &str) -> Result<NumberedId, Problem> {
    let number = call.fields.id(field);
    number.map(NumberedId::number).ok_or_else(|| Problem::not_found(format!("there is no such {field}")))
}

/// The entity with the natural key that a field has.
///
/// # Errors
/// 404 when it can be no key: nothing has it.
pub fn key_in(call: &Call, field: &str) -> Result<Key, Problem> {
    let key = call.fields.text(field).and_then(Key::of_segment);
    key.ok_or_else(|| Problem::not_found(format!("there is no such {field}")))
}

/// What a reply says about its item: a [`Change`] that is always the same, or a function of the answer that tells
/// whether the item is new.
pub trait Tells<R>: Send + Sync + 'static {
    /// What became of the item.
    fn change(&self, answered: &Answered<R>) -> Change;
    /// All that may become of it.
    fn changes(&self) -> &'static [Change];
}

impl<R> Tells<R> for Change {
    fn change(&self, _: &Answered<R>) -> Change {
        *self
    }
    fn changes(&self) -> &'static [Change] {
        match self {
            Self::Created => &[Self::Created],
            Self::Changed => &[Self::Changed],
            Self::Removed => &[Self::Removed],
        }
    }
}

impl<R, F: Fn(&Answered<R>) -> Change + Send + Sync + 'static> Tells<R> for F {
    fn change(&self, answered: &Answered<R>) -> Change {
        self(answered)
    }
    fn changes(&self) -> &'static [Change] {
        &[Change::Created, Change::Changed]
    }
}

/// A command behind a method.
///
/// `within` is the deadline of the whole: for a command that asks a partner, the link's timeout and 400 ms.
/// `make` reads the fields. The reply is the item (nothing, for a removal), so that a repeat shows the
/// first answer again. What the reply has beyond the declared fields is not shown, so it may also tell
/// `change` whether the item is new.
pub fn command<E, C>(
    entities: Entities<E>,
    within: Duration,
    change: impl Tells<C::Reply>,
    address: Address<E::Id>,
    make: impl Fn(&Fields) -> Result<C, Problem> + Send + Sync + 'static,
) -> Action
where
    E: Entity<Rejection: Refusal>,
    C: Command<E>,
{
    let (changes, change) = (change.changes(), std::sync::Arc::new(change));
    let recall = recalled::<E, C>(change.clone());
    action(move |call: Call| {
        let prepared = address(&call).and_then(|id| Ok((id, make(&call.fields)?)));
        let (entities, change) = (entities.clone(), change.clone());
        async move {
            let (id, command) = prepared?;
            let answered = ask(&entities, &call, &id, command, within).await.map_err(Problem::of_ask)?;
            Ok(Done::of(change.change(&answered), &id, &answered))
        }
    })
    .recalled_by(recall)
    .leading_to(changes)
}

/// Shows the kept reply of a command as its first answer did.
pub(super) fn recalled<E, C>(
    change: std::sync::Arc<impl Tells<C::Reply>>,
) -> impl Fn(&Recalled) -> Result<Done, Problem> + Send + Sync + 'static
where
    E: Entity<Rejection: Refusal>,
    C: Command<E>,
{
    move |recalled| {
        let answered = recalled.answered::<E, C>().map_err(Problem::of_ask)?;
        Ok(Done::of(change.change(&answered), &recalled.id::<E>()?, &answered))
    }
}

/// A command behind a procedure, which answers `true` or `false` where a method has statuses.
///
/// What is refused as [`RefusalClass::Invalid`] has to be mended and is a 400. Every other refusal, and an
/// id that nothing has, is `false` with the code as its reason. `say` makes the answer of the reply.
pub fn procedure<E, C>(
    entities: Entities<E>,
    within: Duration,
    address: Address<E::Id>,
    make: impl Fn(&Fields) -> Result<C, Problem> + Send + Sync + 'static,
    say: fn(&Answered<C::Reply>) -> Said,
) -> Perform
where
    E: Entity<Rejection: Refusal>,
    C: Command<E>,
{
    perform(move |call: Call| {
        let prepared = make(&call.fields).map(|command| (address(&call), command));
        let entities = entities.clone();
        async move {
            let (id, command) = prepared?;
            let id = match id {
                Err(problem) if problem.status() == StatusCode::NOT_FOUND => return Ok(Said::no(NOT_FOUND)),
                id => id?,
            };
            said(ask(&entities, &call, &id, command, within).await, say)
        }
    })
    .recalled_by(move |recalled| said(recalled.answered::<E, C>(), say))
}

/// What a procedure says to the answer of an entity, as [`procedure`] has it.
///
/// # Errors
/// What is neither an answer nor a `false`.
pub fn said<R, N: Refusal>(
    answered: Result<Answered<R>, AskError<N>>,
    say: impl FnOnce(&Answered<R>) -> Said,
) -> Result<Said, Problem> {
    match answered {
        Ok(answered) => Ok(Said { replayed: answered.replayed, ..say(&answered) }),
        Err(AskError::Rejected(refusal)) if refusal.class() != RefusalClass::Invalid => {
            tracing::info!(code = refusal.code(), %refusal, "refused");
            Ok(Said::no(refusal.code()))
        }
        Err(AskError::NotFound { .. }) => Ok(Said::no(NOT_FOUND)),
        Err(error) => Err(Problem::of_ask(error)),
    }
}

/// The reason when nothing has the id: the code of a 404.
const NOT_FOUND: &str = "NOT_FOUND";

/// Asks an entity what a request wants: under its command id, and with its condition and correlation.
///
/// One request must ask at most one command of a kind by this: they would have the same command id.
///
/// # Errors
/// As [`AskRequest::answered`](crate::AskRequest::answered).
///
/// # Cancel safety
/// As [`AskRequest::answered`](crate::AskRequest::answered).
pub async fn ask<E: Entity, C: Command<E>>(
    entities: &Entities<E>,
    call: &Call,
    id: &E::Id,
    command: C,
    within: Duration,
) -> Result<Answered<C::Reply>, AskError<E::Rejection>> {
    let command_id = call.origin.command_id;
    call.asked.set(entities.address_of(id, command_id));
    let mut ask = entities.ask(id, command).within(within).correlation(call.origin.correlation.clone());
    ask = if call.origin.repeatable {
        ask.command_id(command_id).fingerprint(call.origin.fingerprint)
    } else {
        ask.known_as(command_id)
    };
    if call.patient {
        ask = ask.patient();
    }
    if let Some(sequence) = call.expecting {
        ask = ask.expecting(sequence);
    }
    ask.answered().await
}

/// The fields that serde makes of a representation; none of what is no object.
pub fn shown(representation: &impl Serialize) -> Members {
    Members::of(representation).unwrap_or_else(|error| {
        tracing::error!(%error, "a representation cannot be written as an object");
        Members::default()
    })
}
