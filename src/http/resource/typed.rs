//! From entities, views and commands of some type to sources and actions without.

use std::{sync::Arc, time::Duration};

use futures::{FutureExt, future::BoxFuture};
use http::StatusCode;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Action, Call, Change, Done, Keep, RowPage, Source};
use crate::{
    Command, Entities, Entity, EntityId, Listed, Listing, Number, NumberedId, Refusal, View, ViewKey, Views,
    http::{Fields, Item, Problem},
};

/// Rows up to here are made into items on the spot; more go to the threads for blocking work.
const INLINE_ROWS: usize = 100;

/// Entities that clients know by number: items are asked of the entity, lists of its listing.
#[derive(Debug)]
pub struct EntitySource<E: Listed> {
    entities: Entities<E>,
    list: Views<Listing<E>>,
    fields: fn(&E, Number) -> Option<Map<String, Value>>,
}

impl<E: Listed<Id = NumberedId>> EntitySource<E> {
    /// `fields` are those of an entity that clients can see, `None` for one that they cannot.
    pub fn new(
        entities: Entities<E>,
        list: Views<Listing<E>>,
        fields: fn(&E, Number) -> Option<Map<String, Value>>,
    ) -> Arc<Self> {
        Arc::new(Self { entities, list, fields })
    }
}

impl<E: Listed<Id = NumberedId>> Source for EntitySource<E>
where
    E::Rejection: Refusal,
{
    fn item(&self, key: &str) -> BoxFuture<'static, Result<Option<Item>, Problem>> {
        let (entities, fields, number) = (self.entities.clone(), self.fields, number(key));
        async move {
            let Some(number) = number else { return Ok(None) };
            let current = entities.get(&NumberedId::Number(number)).await;
            let current = current.map_err(Problem::of_ask)?;
            Ok(current.and_then(|current| {
                let (key, sequence) = (current.number.get().into(), Some(current.sequence));
                fields(&current.state, current.number).map(|fields| Item { key, sequence, fields })
            }))
        }
        .boxed()
    }

    fn catch_up(&self, within: Duration) -> BoxFuture<'static, Result<bool, Problem>> {
        let list = self.list.clone();
        async move { Ok(list.catch_up(within).await?) }.boxed()
    }

    fn count(&self) -> BoxFuture<'static, Result<u64, Problem>> {
        let list = self.list.clone();
        async move { Ok(list.count().await?) }.boxed()
    }

    fn scan(&self, after: Option<Vec<u8>>, limit: usize, keep: Keep) -> BoxFuture<'static, Result<RowPage, Problem>> {
        let fields = self.fields;
        let item = move |(_, row): (u64, Listing<E>)| Item {
            key: row.number.get().into(),
            sequence: Some(row.sequence),
            fields: fields(&row.state, row.number).unwrap_or_default(),
        };
        scan(self.list.clone(), after, limit, keep, item).boxed()
    }
}

/// Rows of a view.
#[derive(Debug)]
pub struct ViewSource<V: View> {
    rows: Views<V>,
    key: fn(&str) -> Option<V::Key>,
    item: fn(&V::Key, &V) -> Item,
}

impl<V: View> ViewSource<V> {
    /// `key` reads the last segment of an item's path.
    pub fn new(rows: Views<V>, key: fn(&str) -> Option<V::Key>, item: fn(&V::Key, &V) -> Item) -> Arc<Self> {
        Arc::new(Self { rows, key, item })
    }
}

impl<V: View> Source for ViewSource<V> {
    fn item(&self, key: &str) -> BoxFuture<'static, Result<Option<Item>, Problem>> {
        let (rows, item, key) = (self.rows.clone(), self.item, (self.key)(key));
        async move {
            let Some(key) = key else { return Ok(None) };
            rows.catch_up(super::Resource::CATCH_UP).await?;
            Ok(rows.get(&key).await?.filter(View::is_listed).map(|row| item(&key, &row)))
        }
        .boxed()
    }

    fn catch_up(&self, within: Duration) -> BoxFuture<'static, Result<bool, Problem>> {
        let rows = self.rows.clone();
        async move { Ok(rows.catch_up(within).await?) }.boxed()
    }

    fn count(&self) -> BoxFuture<'static, Result<u64, Problem>> {
        let rows = self.rows.clone();
        async move { Ok(rows.count().await?) }.boxed()
    }

    fn scan(&self, after: Option<Vec<u8>>, limit: usize, keep: Keep) -> BoxFuture<'static, Result<RowPage, Problem>> {
        let item = self.item;
        scan(self.rows.clone(), after, limit, keep, move |(key, row): (V::Key, V)| item(&key, &row)).boxed()
    }
}

async fn scan<V: View>(
    rows: Views<V>,
    after: Option<Vec<u8>>,
    limit: usize,
    keep: Keep,
    item: impl Fn((V::Key, V)) -> Item + Send + 'static,
) -> Result<RowPage, Problem> {
    let after = after.and_then(|bytes| V::Key::from_bytes(&bytes));
    let rows = rows.scan(&[], after.as_ref(), limit).await?;
    let (seen, last) = (rows.len(), rows.last().map(|(key, _)| key.to_bytes()));
    let items = if seen <= INLINE_ROWS {
        keep.of(rows, item)
    } else {
        let kept = tokio::task::spawn_blocking(move || keep.of(rows, item));
        kept.await
            .map_err(|_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", "a row could not be shown"))?
    };
    Ok(RowPage { items, seen, last })
}

/// Makes an entity's id of a request; a text that can be no id is a 404.
pub type Address<Id> = fn(&Call) -> Result<Id, Problem>;

/// The entity with the number in the path.
///
/// # Errors
/// 404 when that is no number.
pub fn by_number(call: &Call) -> Result<NumberedId, Problem> {
    let key = call.key.as_deref().unwrap_or_default();
    number(key).map(NumberedId::Number).ok_or_else(|| Problem::not_found(format!("there is no item {key}")))
}

/// A new entity; a retry with the same `Idempotency-Key` meets the same one.
///
/// # Errors
/// None; the type is that of [`Address`].
pub fn by_stream(call: &Call) -> Result<NumberedId, Problem> {
    Ok(NumberedId::Key(call.origin.stream.clone()))
}

/// The key as a positive number in its one canonical spelling; `None` for every other text.
pub fn numeric(key: &str) -> Option<u64> {
    let canonical = key.bytes().all(|byte| byte.is_ascii_digit()) && !key.starts_with('0');
    key.parse().ok().filter(|_| canonical)
}

fn number(key: &str) -> Option<Number> {
    numeric(key).map(Number::new)
}

/// A command behind a method.
///
/// `within` is the deadline of the whole: for a command that asks a partner, the link's timeout and 400 ms.
/// `make` reads the fields. The reply is the item (nothing, for a removal), so that a repeat shows the
/// first answer again.
pub fn command<E, C>(
    entities: Entities<E>,
    within: Duration,
    change: Change,
    address: Address<E::Id>,
    make: impl Fn(&Fields) -> Result<C, Problem> + Send + Sync + 'static,
) -> Action
where
    E: Entity<Rejection: Refusal>,
    C: Command<E>,
{
    Arc::new(move |call: Call| {
        let prepared = address(&call).and_then(|id| Ok((id, make(&call.fields)?)));
        let entities = entities.clone();
        async move {
            let (id, command) = prepared?;
            let mut ask = entities.ask(&id, command).within(within).correlation(call.origin.correlation);
            if let Some(command_id) = call.origin.command_id {
                ask = ask.command_id(command_id).fingerprint(call.origin.fingerprint);
            }
            if let Some(sequence) = call.expecting {
                ask = ask.expecting(sequence);
            }
            let answered = ask.answered().await.map_err(Problem::of_ask)?;
            let key = if E::Id::NUMBERED { answered.number.get().into() } else { id.to_string().into() };
            let item = Item { key, sequence: Some(answered.sequence), fields: shown(&answered.reply) };
            Ok(Done { change, item, replayed: answered.replayed })
        }
        .boxed()
    })
}

/// Answers with the item as it is: a merge that names nothing to change.
pub fn unchanged(source: Arc<dyn Source>) -> Action {
    Arc::new(move |call: Call| {
        let key = call.key.unwrap_or_default();
        let item = source.item(&key);
        async move {
            let item = item.await?.ok_or_else(|| Problem::not_found(format!("there is no item {key}")))?;
            if call.expecting.is_some_and(|expected| Some(expected) != item.sequence) {
                return Err(Problem::new(
                    StatusCode::PRECONDITION_FAILED,
                    "PRECONDITION_FAILED",
                    "the item has moved on",
                ));
            }
            Ok(Done { change: Change::Changed, item, replayed: false })
        }
        .boxed()
    })
}

/// The fields that serde makes of a representation; none of what is no object.
pub fn shown(representation: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(representation) {
        Ok(Value::Object(fields)) => fields,
        Ok(_) => Map::new(),
        Err(error) => {
            tracing::error!(%error, "a representation cannot be written as JSON");
            Map::new()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::numeric;

    #[test]
    fn a_number_has_one_spelling() {
        assert_eq!(numeric("18446744073709551615"), Some(u64::MAX));
        for other in ["", "0", "01", "+1", "-1", " 1", "1.0", "x", "18446744073709551616"] {
            assert_eq!(numeric(other), None, "{other:?}");
        }
    }
}
