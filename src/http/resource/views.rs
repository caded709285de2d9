//! Rows of views: as items, and to find, filter and resolve by.

use std::{collections::HashSet, fmt, sync::Arc, time::Duration};

use futures::{FutureExt, future::BoxFuture};
use http::StatusCode;
use serde::Serialize;
use serde_json::Value;

use super::{By, Found, Keep, Prepare, Resolve, Resource, RowPage, Seen, Segment, Source, Wanted, shown};
use crate::{
    System, View, ViewKey, Views,
    http::{Item, Problem, list::MAX_SCANNED},
};

/// Rows up to here are made into items on the spot; more go to the threads for blocking work.
const INLINE_ROWS: usize = 100;

/// Rows of a view as items.
pub struct ViewSource<V: View> {
    rows: Views<V>,
    key: fn(&str) -> Option<V::Key>,
    item: ToItem<V>,
}

type ToItem<V> = Arc<dyn Fn(&<V as View>::Key, &V) -> Item + Send + Sync>;

impl<V: View> ViewSource<V> {
    /// The rows of a view whose keys are what clients write; `item` is what they see of one.
    pub fn of<T: Serialize + 'static>(system: &System, item: fn(&V::Key, &V) -> T) -> Arc<Self>
    where
        V::Key: Segment,
    {
        let item: ToItem<V> =
            Arc::new(move |key, row| Item { key: key.to_value(), sequence: None, fields: shown(&item(key, row)) });
        Arc::new(Self { rows: system.views(), key: Segment::of_segment, item })
    }

    /// The same with keys that clients write otherwise: `key` reads the last segment of an item's path.
    pub fn new(rows: Views<V>, key: fn(&str) -> Option<V::Key>, item: fn(&V::Key, &V) -> Item) -> Arc<Self> {
        Arc::new(Self { rows, key, item: Arc::new(item) })
    }
}

impl<V: View> Source for ViewSource<V> {
    fn is_versioned(&self) -> bool {
        false
    }

    fn item(&self, key: &str) -> BoxFuture<'static, Result<Seen, Problem>> {
        let (rows, item, key) = (self.rows.clone(), self.item.clone(), (self.key)(key));
        async move {
            let Some(key) = key else { return Ok((None, true)) };
            let caught_up = rows.catch_up(Resource::CATCH_UP).await?;
            let row = rows.get(&key).await?.filter(View::is_listed);
            Ok((row.map(|row| item(&key, &row)), caught_up))
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
        let item = self.item.clone();
        scan(self.rows.clone(), after, limit, keep, move |(key, row): (V::Key, V)| item(&key, &row)).boxed()
    }
}

pub(super) async fn scan<V: View>(
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

/// Rows of some view by a value: what a finder, a filter or an alternative key asks.
pub struct Lookup<V: View> {
    rows: Views<V>,
    by: Where<V>,
}

enum Where<V: View> {
    Row(fn(&Value) -> Option<V::Key>),
    Rows(fn(&Value) -> Option<Vec<u8>>),
}

#[expect(clippy::expl_impl_clone_on_copy, reason = "a derive would want the view to be Copy")]
impl<V: View> Clone for Where<V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V: View> Copy for Where<V> {}

impl<V: View> Lookup<V> {
    /// The row with the key that the value names; `None` when it can name none.
    pub fn row(rows: Views<V>, key: fn(&Value) -> Option<V::Key>) -> Self {
        Self { rows, by: Where::Row(key) }
    }

    /// The rows whose key's bytes begin with those that the value names.
    pub fn rows(rows: Views<V>, prefix: fn(&Value) -> Option<Vec<u8>>) -> Self {
        Self { rows, by: Where::Rows(prefix) }
    }

    /// A finder's way: each row has a whole item.
    pub fn items(self, item: fn(&V::Key, &V) -> Item) -> By {
        By::Items(Arc::new(move |value, limit| {
            let this = self.clone();
            async move {
                let (rows, caught_up) = this.read(&value, limit).await?;
                Ok(Found { items: rows.iter().map(|(key, row)| item(key, row)).collect(), caught_up })
            }
            .boxed()
        }))
    }

    /// A finder's way: each row has the key of an item.
    pub fn keys(self, item: fn(&V::Key, &V) -> String) -> By {
        By::Keys(Arc::new(move |value, limit| {
            let this = self.clone();
            async move {
                let (rows, caught_up) = this.read(&value, limit).await?;
                Ok((rows.iter().map(|(key, row)| item(key, row)).collect(), caught_up))
            }
            .boxed()
        }))
    }

    /// A filter's way: items that no row names.
    pub fn without(self, item: fn(&V::Key, &V) -> Value) -> Prepare {
        self.prepared(item, false)
    }

    /// A filter's way: items that some row names.
    pub fn within(self, item: fn(&V::Key, &V) -> Value) -> Prepare {
        self.prepared(item, true)
    }

    fn prepared(self, item: fn(&V::Key, &V) -> Value, named: bool) -> Prepare {
        Arc::new(move |value| {
            let this = self.clone();
            async move {
                let limit = usize::try_from(MAX_SCANNED).unwrap_or(usize::MAX);
                let (rows, caught_up) = this.read(&value, limit.saturating_add(1)).await?;
                if rows.len() > limit {
                    let message = format!("this filter would look at more than {limit} rows");
                    return Err(Problem::invalid("TOO_MANY_ROWS", message));
                }
                let keys: HashSet<Value> = rows.iter().map(|(key, row)| item(key, row)).collect();
                let wanted: Wanted = Arc::new(move |item: &Item| keys.contains(&item.key) == named);
                Ok((wanted, caught_up))
            }
            .boxed()
        })
    }

    /// An alternative key's way: the first row has the key of the item. The segment comes as a text.
    pub fn resolving(self, item: fn(&V::Key, &V) -> String) -> Resolve {
        Arc::new(move |segment| {
            let this = self.clone();
            async move {
                let (rows, _) = this.read(&Value::from(segment), 1).await?;
                Ok(rows.first().map(|(key, row)| item(key, row)))
            }
            .boxed()
        })
    }

    /// At most `limit` rows, and whether what was durable when this was called has been looked at.
    async fn read(&self, value: &Value, limit: usize) -> Result<(Vec<(V::Key, V)>, bool), Problem> {
        let caught_up = self.rows.catch_up(Resource::CATCH_UP).await?;
        let rows = match self.by {
            Where::Row(key) => match key(value) {
                Some(key) => self.rows.get(&key).await?.map(|row| (key, row)).into_iter().collect(),
                None => Vec::new(),
            },
            Where::Rows(prefix) => match prefix(value) {
                Some(prefix) => self.rows.scan(&prefix, None, limit).await?,
                None => Vec::new(),
            },
        };
        Ok((rows, caught_up))
    }
}

impl<V: View> Clone for Lookup<V> {
    fn clone(&self) -> Self {
        Self { rows: self.rows.clone(), by: self.by }
    }
}

impl<V: View> fmt::Debug for ViewSource<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ViewSource").field("rows", &self.rows).finish_non_exhaustive()
    }
}

impl<V: View> fmt::Debug for Lookup<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookup").field("rows", &self.rows).finish_non_exhaustive()
    }
}
