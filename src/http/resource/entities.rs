//! Entities as items: each is asked itself, lists are read from its listing.

use std::{fmt, sync::Arc, time::Duration};

use futures::{FutureExt, future::BoxFuture};
use serde::Serialize;
use serde_json::Value;

use super::{By, Call, Found, Keep, RowPage, Seen, Source, by_key, by_number, by_stream, shown, views::scan};
use crate::{
    Current, Entities, EntityId, Key, Listed, Listing, Number, NumberedId, Refusal, System, Views,
    http::{Item, Members, Problem},
};

/// A key as clients write it: the last segment of a path, and a property of the item.
pub trait Segment: Sized {
    /// The key that this segment names; `None` when it can name none.
    fn of_segment(segment: &str) -> Option<Self>;
    /// The key as a property.
    fn to_value(&self) -> Value;
}

/// Positive, in its one canonical spelling.
impl Segment for u64 {
    fn of_segment(segment: &str) -> Option<Self> {
        numeric(segment)
    }
    fn to_value(&self) -> Value {
        (*self).into()
    }
}

impl Segment for Key {
    fn of_segment(segment: &str) -> Option<Self> {
        Self::new(segment).ok()
    }
    fn to_value(&self) -> Value {
        self.as_str().into()
    }
}

impl Segment for String {
    fn of_segment(segment: &str) -> Option<Self> {
        Some(segment.to_owned())
    }
    fn to_value(&self) -> Value {
        self.as_str().into()
    }
}

/// Ids that clients know by a segment: a number, or a natural key.
pub trait ClientId: EntityId<Row: Segment> {
    /// The id of the entity with this row.
    fn of_row(row: Self::Row) -> Self;
    /// The entity that a creation makes: of the request, or with the natural key in the body.
    ///
    /// # Errors
    /// 404 when that can be no key.
    fn of_creation(call: &Call) -> Result<Self, Problem>;
    /// The entity in the path.
    ///
    /// # Errors
    /// 404 when nothing can have that key.
    fn of_item(call: &Call) -> Result<Self, Problem>;
}

impl ClientId for NumberedId {
    fn of_row(row: u64) -> Self {
        Self::number(row)
    }
    fn of_creation(call: &Call) -> Result<Self, Problem> {
        by_stream(call)
    }
    fn of_item(call: &Call) -> Result<Self, Problem> {
        by_number(call)
    }
}

impl ClientId for Key {
    fn of_row(row: Self) -> Self {
        row
    }
    fn of_creation(call: &Call) -> Result<Self, Problem> {
        by_key(call)
    }
    fn of_item(call: &Call) -> Result<Self, Problem> {
        by_key(call)
    }
}

/// The key as a positive number in its one canonical spelling; `None` for every other text.
pub fn numeric(key: &str) -> Option<u64> {
    let canonical = key.bytes().all(|byte| byte.is_ascii_digit()) && !key.starts_with('0');
    key.parse().ok().filter(|_| canonical)
}

/// The fields of an entity that clients can see, `None` for one that they cannot.
type Shown<E> = Arc<dyn Fn(&E, Number) -> Option<Members> + Send + Sync>;

/// Entities of one kind as items.
pub struct EntitySource<E: Listed> {
    entities: Entities<E>,
    list: Views<Listing<E>>,
    fields: Shown<E>,
}

impl<E: Listed<Id: ClientId, Rejection: Refusal>> EntitySource<E> {
    /// The entities of a kind; `item` is what clients see of one, `None` when they cannot see it. A kind with
    /// natural keys has no number.
    pub fn of<T: Serialize + 'static>(system: &System, item: fn(&E, Number) -> Option<T>) -> Arc<Self> {
        let fields: Shown<E> = Arc::new(move |entity, number| item(entity, number).as_ref().map(shown));
        Arc::new(Self { entities: system.entities(), list: system.list::<E>(), fields })
    }

    /// The same of its parts.
    pub fn new(entities: Entities<E>, list: Views<Listing<E>>, fields: fn(&E, Number) -> Option<Members>) -> Arc<Self> {
        Arc::new(Self { entities, list, fields: Arc::new(fields) })
    }

    /// Finds the one entity whose id follows from the value: asked itself, so never behind.
    pub fn by_id(&self, id: fn(&Value) -> Option<E::Id>) -> By {
        let (entities, fields) = (self.entities.clone(), self.fields.clone());
        By::Items(Arc::new(move |value, _| {
            let (entities, fields, id) = (entities.clone(), fields.clone(), id(&value));
            async move {
                let Some(id) = id else { return Ok(Found { items: Vec::new(), caught_up: true }) };
                let item = current(&entities, &id, &fields).await?;
                Ok(Found { items: item.into_iter().collect(), caught_up: true })
            }
            .boxed()
        }))
    }
}

async fn current<E: Listed<Id: ClientId, Rejection: Refusal>>(
    entities: &Entities<E>,
    id: &E::Id,
    fields: &Shown<E>,
) -> Result<Option<Item>, Problem> {
    let current = entities.get(id).await.map_err(Problem::of_ask)?;
    Ok(current.and_then(|Current { state, number, sequence, key }| {
        let key = E::Id::from_key(&key)?.row(number).to_value();
        fields(&state, number).map(|fields| Item { key, sequence: Some(sequence), fields })
    }))
}

impl<E: Listed<Id: ClientId, Rejection: Refusal>> Source for EntitySource<E> {
    fn item(&self, key: &str) -> BoxFuture<'static, Result<Seen, Problem>> {
        let (entities, fields) = (self.entities.clone(), self.fields.clone());
        let id = <E::Id as EntityId>::Row::of_segment(key).map(E::Id::of_row);
        async move {
            let Some(id) = id else { return Ok((None, true)) };
            Ok((current(&entities, &id, &fields).await?, true))
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
        let fields = self.fields.clone();
        let item = move |(row, listing): (<E::Id as EntityId>::Row, Listing<E>)| Item {
            key: row.to_value(),
            sequence: Some(listing.sequence),
            fields: fields(&listing.state, listing.number).unwrap_or_default(),
        };
        scan(self.list.clone(), after, limit, keep, item).boxed()
    }
}

impl<E: Listed> fmt::Debug for EntitySource<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EntitySource").field("entities", &self.entities).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_spelling() {
        assert_eq!(numeric("18446744073709551615"), Some(u64::MAX));
        for other in ["", "0", "01", "+1", "-1", " 1", "1.0", "x", "18446744073709551616"] {
            assert_eq!(numeric(other), None, "{other:?}");
        }
    }

    #[test]
    fn a_segment_that_is_no_key_names_nothing() {
        assert_eq!(Key::of_segment("CD1001").unwrap().to_value(), "CD1001");
        assert_eq!(Key::of_segment(&"x".repeat(201)), None);
        assert_eq!(Key::of_segment("a\nb"), None);
    }
}
