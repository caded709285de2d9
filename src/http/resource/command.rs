//! What a command behind a method is given, and what it answers.

use std::{future::Future, sync::Arc};

use futures::{FutureExt, future::BoxFuture};
use http::StatusCode;
use serde::Serialize;

use super::{Source, shown};
use crate::{
    Answered, EntityId,
    http::{Fields, Item, Problem, idempotency::Origin},
};

/// What a command needs to know of its request.
#[derive(Clone, Debug)]
pub struct Call {
    /// The key of the item: in the path, or for the creation of a natural key in the body; `None` for the
    /// creation of a generated one and for a procedure.
    pub key: Option<String>,
    /// The coerced fields. A replacement has all, a merge only what the client sent.
    pub fields: Fields,
    /// Command id, stream of a creation, fingerprint, correlation.
    pub(crate) origin: Origin,
    /// `If-Match`: only when the entity is at this sequence.
    pub(crate) expecting: Option<u64>,
}

/// What became of the item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is new: 201 with its address.
    Created,
    /// It is as the answer shows it: 200.
    Changed,
    /// It is gone, or cancelled and still readable: 204.
    Removed,
}

/// A command's good answer.
#[derive(Debug)]
pub struct Done {
    /// What became of the item.
    pub change: Change,
    /// The item; not used for a removal.
    pub item: Item,
    /// It is the first answer to this `Idempotency-Key`, again.
    pub replayed: bool,
}

impl Done {
    /// The item of the entity `id` as its reply shows it.
    pub fn of<I: EntityId, R: Serialize>(change: Change, id: &I, answered: &Answered<R>) -> Self {
        let key = if I::NUMBERED { answered.number.get().into() } else { id.to_string().into() };
        let item = Item { key, sequence: Some(answered.sequence), fields: shown(&answered.reply) };
        Self { change, item, replayed: answered.replayed }
    }
}

/// A command behind a method.
pub type Action = Arc<dyn Fn(Call) -> BoxFuture<'static, Result<Done, Problem>> + Send + Sync>;

/// An action that no constructor of this module makes.
pub fn action<F>(perform: impl Fn(Call) -> F + Send + Sync + 'static) -> Action
where
    F: Future<Output = Result<Done, Problem>> + Send + 'static,
{
    Arc::new(move |call| perform(call).boxed())
}

/// `then` when the client sent the field, else `otherwise`.
pub fn when_sent(field: &'static str, then: Action, otherwise: Action) -> Action {
    Arc::new(move |call: Call| if call.fields.has(field) { then(call) } else { otherwise(call) })
}

/// Answers with the item as it is: a merge that names nothing to change.
pub fn unchanged(source: Arc<dyn Source>) -> Action {
    action(move |call: Call| {
        let source = source.clone();
        async move {
            let item = expected(&source, &call).await?;
            Ok(Done { change: Change::Changed, item, replayed: false })
        }
    })
}

/// A command to another entity than the one in the path: `perform` is done, and the answer shows the item
/// of `source` that the path names, as it is then. `If-Match` is about that item, so it is compared before.
pub fn shows(source: Arc<dyn Source>, perform: Action) -> Action {
    action(move |mut call: Call| {
        let (source, perform) = (source.clone(), perform.clone());
        async move {
            expected(&source, &call).await?;
            call.expecting = None;
            let asked = Call { key: call.key.clone(), ..call.clone() };
            let done = perform(call).await?;
            Ok(Done { item: expected(&source, &asked).await?, ..done })
        }
    })
}

/// The item is another than the entity that is asked: its key is this field of the reply, and the sequence that
/// was answered is no tag of it.
pub fn keyed(field: &'static str, perform: Action) -> Action {
    action(move |call: Call| {
        let done = perform(call);
        async move {
            let Done { change, item, replayed } = done.await?;
            let key = item.fields.get(field).cloned().unwrap_or_default();
            Ok(Done { change, item: Item { key, sequence: None, fields: item.fields }, replayed })
        }
    })
}

/// The item in the path, at the sequence that the client expects.
async fn expected(source: &Arc<dyn Source>, call: &Call) -> Result<Item, Problem> {
    let key = call.key.as_deref().unwrap_or_default();
    let item = source.item(key).await?.ok_or_else(|| Problem::not_found(format!("there is no item {key}")))?;
    if call.expecting.is_some_and(|expected| Some(expected) != item.sequence) {
        let message = "the item has moved on";
        return Err(Problem::new(StatusCode::PRECONDITION_FAILED, "PRECONDITION_FAILED", message));
    }
    Ok(item)
}
