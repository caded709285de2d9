//! What a command behind a method is given, and what it answers.

use std::{
    fmt,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
};

use futures::{FutureExt, future::BoxFuture};
use http::StatusCode;
use serde::Serialize;
use serde_json::Value;

use super::{Source, shown};
use crate::{
    Answered, AskError, Command, CommandAddress, Entity, EntityId, Key, Number, Unavailable,
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
    /// `Prefer: respond-async`: a partner that is away is waited for, but not by the client.
    pub(crate) patient: bool,
    /// The command that was asked last, for whoever has to link to its status.
    pub(crate) asked: LastAsked,
}

/// Where the outcome of a request's command is to be found.
#[derive(Clone, Debug, Default)]
pub(crate) struct LastAsked(Arc<Mutex<Option<CommandAddress>>>);

impl LastAsked {
    pub(crate) fn set(&self, address: Option<CommandAddress>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = address;
    }

    pub(crate) fn get(&self) -> Option<CommandAddress> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
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
        // the first answer again shows the item as it was then, which the entity tag of now must not vouch for
        let sequence = Some(answered.sequence).filter(|_| !answered.replayed);
        let item = Item { key, sequence, fields: shown(&answered.reply) };
        Self { change, item, replayed: answered.replayed }
    }
}

/// What a request leads to, and how what became of it is shown later.
pub struct Operation<T> {
    perform: Performing<T>,
    recall: Option<Recalling<T>>,
    /// What may become of the item; empty when nobody said.
    changes: &'static [Change],
}

type Performing<T> = Arc<dyn Fn(Call) -> BoxFuture<'static, Result<T, Problem>> + Send + Sync>;
type Recalling<T> = Arc<dyn Fn(&Recalled) -> Result<T, Problem> + Send + Sync>;

/// A command behind a method.
pub type Action = Operation<Done>;

impl<T> Operation<T> {
    pub(crate) fn new<F>(perform: impl Fn(Call) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<T, Problem>> + Send + 'static,
    {
        Self { perform: Arc::new(move |call| perform(call).boxed()), recall: None, changes: &[] }
    }

    /// With what shows the first answer again: of what was kept of it, without the request. It says what the request
    /// was told, or would have been.
    #[must_use]
    pub fn recalled_by(mut self, recall: impl Fn(&Recalled) -> Result<T, Problem> + Send + Sync + 'static) -> Self {
        self.recall = Some(Arc::new(recall));
        self
    }

    /// With what may become of the item, for the contract.
    #[must_use]
    pub(crate) fn leading_to(mut self, changes: &'static [Change]) -> Self {
        self.changes = changes;
        self
    }

    pub(crate) fn changes(&self) -> &'static [Change] {
        self.changes
    }

    pub(crate) fn can_recall(&self) -> bool {
        self.recall.is_some()
    }

    /// Does it.
    pub(crate) fn call(&self, call: Call) -> BoxFuture<'static, Result<T, Problem>> {
        (self.perform)(call)
    }

    /// Shows what was kept of it; `None` when nobody said how.
    pub(crate) fn recall(&self, recalled: &Recalled) -> Option<Result<T, Problem>> {
        self.recall.as_ref().map(|recall| recall(recalled))
    }
}

impl<T> Clone for Operation<T> {
    fn clone(&self) -> Self {
        Self { perform: self.perform.clone(), recall: self.recall.clone(), changes: self.changes }
    }
}

impl<T> fmt::Debug for Operation<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operation").field("can_recall", &self.can_recall()).finish_non_exhaustive()
    }
}

/// What was kept of a command.
#[derive(Clone, Debug)]
pub struct Recalled {
    pub(crate) key: Key,
    pub(crate) ending: Ending,
}

/// How it ended.
#[derive(Clone, Debug)]
pub(crate) enum Ending {
    Done { reply: Value, number: Number, sequence: u64 },
    Refused { rejection: Value },
    NotDone(Unavailable),
}

impl Recalled {
    /// What the entity answered to its `C`, as it would have been told then.
    ///
    /// # Errors
    /// What it was told instead; `Unreadable` when the kept answer is none of `C`.
    pub fn answered<E: Entity, C: Command<E>>(&self) -> Result<Answered<C::Reply>, AskError<E::Rejection>> {
        let unreadable = |error: serde_json::Error| AskError::Unreadable { reason: error.to_string() };
        match &self.ending {
            Ending::Done { reply, number, sequence } => {
                let reply = serde_json::from_value(reply.clone()).map_err(unreadable)?;
                Ok(Answered { reply, replayed: false, number: *number, sequence: *sequence })
            }
            Ending::Refused { rejection } => {
                Err(serde_json::from_value(rejection.clone()).map_or_else(unreadable, AskError::Rejected))
            }
            Ending::NotDone(why) => Err(AskError::Unavailable(why.clone())),
        }
    }

    /// The entity that was asked.
    ///
    /// # Errors
    /// 404 when `E` has no such id.
    pub fn id<E: Entity>(&self) -> Result<E::Id, Problem> {
        E::Id::from_key(&self.key).ok_or_else(|| Problem::not_found(format!("there is no {} {}", E::KIND, self.key)))
    }
}

/// An action that no constructor of this module makes.
pub fn action<F>(perform: impl Fn(Call) -> F + Send + Sync + 'static) -> Action
where
    F: Future<Output = Result<Done, Problem>> + Send + 'static,
{
    Operation::new(perform)
}

/// `then` when the client sent the field, else `otherwise`.
pub fn when_sent(field: &'static str, then: Action, otherwise: Action) -> Action {
    let (both, changes) = ([then.recall.clone(), otherwise.recall.clone()], then.changes);
    let mut either =
        Operation::new(move |call: Call| if call.fields.has(field) { then.call(call) } else { otherwise.call(call) });
    either.recall = match both {
        // Which of them it was is told by what was kept.
        [Some(then), Some(otherwise)] => Some(Arc::new(move |kept| then(kept).or_else(|_| otherwise(kept)))),
        [then, otherwise] => then.or(otherwise),
    };
    either.leading_to(changes)
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
            let done = perform.call(call).await?;
            Ok(Done { item: expected(&source, &asked).await?, ..done })
        }
    })
}

/// The item is another than the entity that is asked: its key is this field of the reply, and the sequence that
/// was answered is no tag of it.
pub fn keyed(field: &'static str, perform: Action) -> Action {
    let rekey = move |Done { change, item, replayed }: Done| {
        let key = item.fields.get(field).cloned().unwrap_or_default();
        Done { change, item: Item { key, sequence: None, fields: item.fields }, replayed }
    };
    let (recall, changes) = (perform.recall.clone(), perform.changes);
    let mut keyed = action(move |call: Call| {
        let done = perform.call(call);
        async move { done.await.map(rekey) }
    });
    keyed.recall = recall.map(|recall| -> Recalling<Done> { Arc::new(move |kept| recall(kept).map(rekey)) });
    keyed.leading_to(changes)
}

/// The item in the path, at the sequence that the client expects.
async fn expected(source: &Arc<dyn Source>, call: &Call) -> Result<Item, Problem> {
    let key = call.key.as_deref().unwrap_or_default();
    let (item, _) = source.item(key).await?;
    let item = item.ok_or_else(|| Problem::not_found(format!("there is no item {key}")))?;
    if call.expecting.is_some_and(|expected| Some(expected) != item.sequence) {
        let message = "the item has moved on";
        return Err(Problem::new(StatusCode::PRECONDITION_FAILED, "PRECONDITION_FAILED", message));
    }
    Ok(item)
}
