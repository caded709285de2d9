//! A resource is declared: how it looks, where its rows come from, and which command each method is.

mod handle;
mod source;
mod typed;

use std::{fmt, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use tokio::sync::Semaphore;

use super::{Field, Fields, Item, Problem, hal::Shape, idempotency::Origin, list::LARGE_SCANS};
pub(crate) use handle::Target;
pub use source::{Keep, RowPage, Source};
pub use typed::{Address, EntitySource, ViewSource, by_number, by_stream, command, numeric, shown, unchanged};

/// What a command needs to know of its request.
#[derive(Debug)]
pub struct Call {
    /// The key of the item in the path; `None` for a creation.
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
    /// It is gone: 204.
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

/// A command behind a method.
pub type Action = Arc<dyn Fn(Call) -> BoxFuture<'static, Result<Done, Problem>> + Send + Sync>;

/// A named question with one parameter, under `/search/<name>`.
#[derive(Clone)]
pub struct Finder {
    /// The last segment of its path.
    pub name: &'static str,
    /// Its parameter, in every accepted spelling.
    pub parameter: &'static [&'static str],
    /// Whether it answers one item, or 404.
    pub single: bool,
    /// Finds the items with this value.
    pub find: Find,
}

/// The items for the value of a parameter.
pub type Find = Arc<dyn Fn(String) -> BoxFuture<'static, Result<Found, Problem>> + Send + Sync>;

/// What a finder found.
#[derive(Debug)]
pub struct Found {
    /// The items, by key.
    pub items: Vec<Item>,
    /// Whether what was durable when the request came has been looked at.
    pub caught_up: bool,
}

/// One collection of a system and its items.
#[derive(Clone)]
pub struct Resource {
    pub(crate) system: &'static str,
    pub(crate) shape: Shape,
    source: Arc<dyn Source>,
    create: Option<Action>,
    replace: Option<Action>,
    merge: Option<Action>,
    remove: Option<Action>,
    finders: Vec<Finder>,
    single: Option<Finder>,
    scans: Arc<Semaphore>,
}

impl Resource {
    /// How long a list waits for its view to reach what was durable when the request came.
    pub const CATCH_UP: Duration = Duration::from_millis(250);

    /// A collection that can be read, in pages. `relation` is the entity's name with a small first
    /// letter; `fields` come in the order in which they are shown, without the key.
    pub fn new(
        system: &'static str,
        collection: &'static str,
        relation: &'static str,
        key: Field,
        fields: Vec<Field>,
        source: Arc<dyn Source>,
    ) -> Self {
        let shape = Shape { collection, relation, key, fields, paged: true };
        let (create, replace, merge, remove) = (None, None, None, None);
        Self {
            system,
            shape,
            source,
            create,
            replace,
            merge,
            remove,
            finders: Vec::new(),
            single: None,
            scans: Arc::new(Semaphore::new(LARGE_SCANS)),
        }
    }

    /// Lists all rows unless a page is asked for, as the old read models do.
    #[must_use]
    pub fn unpaged(mut self) -> Self {
        self.shape.paged = false;
        self
    }

    /// `POST /<collection>`.
    #[must_use]
    pub fn create(mut self, action: Action) -> Self {
        self.create = Some(action);
        self
    }

    /// `PUT /<collection>/<key>`; absent fields are null or 0.
    #[must_use]
    pub fn replace(mut self, action: Action) -> Self {
        self.replace = Some(action);
        self
    }

    /// `PATCH /<collection>/<key>`; absent fields stay.
    #[must_use]
    pub fn merge(mut self, action: Action) -> Self {
        self.merge = Some(action);
        self
    }

    /// `DELETE /<collection>/<key>`.
    #[must_use]
    pub fn remove(mut self, action: Action) -> Self {
        self.remove = Some(action);
        self
    }

    /// `GET /<collection>/search/<name>?<parameter>=`.
    #[must_use]
    pub fn finder(mut self, finder: Finder) -> Self {
        self.finders.push(finder);
        self
    }

    /// `GET /<collection>?<parameter>=` answers one item or 404 instead of a list.
    #[must_use]
    pub fn single_by(mut self, finder: Finder) -> Self {
        self.single = Some(finder);
        self
    }
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resource").field("system", &self.system).field("shape", &self.shape).finish_non_exhaustive()
    }
}

impl fmt::Debug for Finder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Finder").field("name", &self.name).field("parameter", &self.parameter).finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod tests;
