//! A resource is declared: how it looks, where its rows come from, and which command each method is.
//!
//! ```text
//! const PRODUCT: [Field; 2] = [Field::text("productName"), Field::long("price")];       what an item shows, in order
//!
//! let (source, commands) = (EntitySource::of(system, Product::item), Commands::<Product>::of(system));
//! Resource::new(SYSTEM, "product", "product", Field::text("productId"), PRODUCT.to_vec(), source)
//!     .service("Order")                     the service whose state and port are the resource's
//!     .alias("products")                    /products is the same, with its items under that name too
//!     .natural_key()                        clients choose the key: POST takes it from the body
//!     .create(commands.create(register))    register: fn(&Fields) -> Result<RegisterProduct, Problem>
//!     .change(commands.change(change))      PUT and PATCH
//!     .remove(commands.remove(RemoveProduct))
//!     .finder(Finder::one("findByProductId", Field::text("product_id"), By::Key).also_spelled(&["productId"]))
//!     .filter(Filter::at_most(Field::long("maxPrice"), "price"))
//!     .procedure(Procedure::post("sync", vec![..], commands.procedure(by_name, sync, |_| Said::yes())))
//! ```
//!
//! Everything else follows: representation and links ([`Shape`]), coercion ([`Field`]), pages, order and
//! equality filters, both spellings, entity tags, idempotency, `OPTIONS` and 405. What is read of a request
//! and how each answer is written is in `read` and `perform`; what is typed (entities, views, commands) in
//! `entities`, `views`, `commands` and `typed`. A new entity is one such declaration in `src/http/api/<system>.rs`.

mod command;
mod commands;
mod describe;
mod entities;
mod filter;
mod finder;
mod handle;
mod perform;
mod procedure;
mod read;
mod route;
mod source;
mod typed;
mod views;

use std::{fmt, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use tokio::sync::Semaphore;

use super::{Field, Problem, hal::Shape, list::LARGE_SCANS};
pub(crate) use command::Ending;
pub use command::{Action, Call, Change, Done, Operation, Recalled, action, keyed, shows, unchanged, when_sent};
pub use commands::{Commands, Make};
pub use entities::{ClientId, EntitySource, Segment, numeric};
pub use filter::{Filter, Prepare, Wanted};
pub use finder::{By, Find, FindKeys, Finder, Found};
pub(crate) use handle::Target;
pub use procedure::{Perform, Procedure, Said, perform};
pub(crate) use route::ResourceRoutes;
pub use source::{Keep, RowPage, Seen, Source};
pub use typed::{
    Address, Tells, ask, by_key, by_number, by_stream, command, key_in, number_in, procedure, said, shown,
};
pub use views::{Lookup, ViewSource};

/// The key of the item that a segment means which is no key itself; `None` when it means none.
pub type Resolve = Arc<dyn Fn(String) -> BoxFuture<'static, Result<Option<String>, Problem>> + Send + Sync>;

/// One collection of a system, its items, and the procedures that are called through it.
#[derive(Clone)]
pub struct Resource {
    pub(crate) system: &'static str,
    /// The service that it belongs to; empty when none was declared.
    pub(crate) service: &'static str,
    pub(crate) shape: Shape,
    /// Other names of the collection in paths.
    pub(crate) aliases: Vec<&'static str>,
    pub(crate) procedures: Vec<Procedure>,
    /// The roles that may change something here, where callers are asked who they are; operators always may.
    pub(crate) commanders: &'static [&'static str],
    /// `None` for a collection without items.
    source: Option<Arc<dyn Source>>,
    create: Option<Action>,
    replace: Option<Action>,
    merge: Option<Action>,
    remove: Option<Action>,
    natural_key: bool,
    finders: Vec<Finder>,
    single: Option<Finder>,
    filters: Vec<Filter>,
    resolve: Option<Resolve>,
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
        Self { source: Some(source), ..Self::bare(system, shape) }
    }

    /// A collection that has procedures only.
    pub fn without_items(system: &'static str, collection: &'static str) -> Self {
        let (key, fields) = (Field::long("id"), Vec::new());
        Self::bare(system, Shape { collection, relation: collection, key, fields, paged: false })
    }

    fn bare(system: &'static str, shape: Shape) -> Self {
        Self {
            system,
            service: "",
            shape,
            aliases: Vec::new(),
            procedures: Vec::new(),
            commanders: &[],
            source: None,
            create: None,
            replace: None,
            merge: None,
            remove: None,
            natural_key: false,
            finders: Vec::new(),
            single: None,
            filters: Vec::new(),
            resolve: None,
            scans: Arc::new(Semaphore::new(LARGE_SCANS)),
        }
    }

    /// The service that answers for it: while that is stopped everything here is 503, and its port
    /// serves this.
    #[must_use]
    pub fn service(mut self, service: &'static str) -> Self {
        self.service = service;
        self
    }

    /// Who may change something here, where callers are asked who they are: roles of the system. Without any, operators
    /// only.
    #[must_use]
    pub fn commanded_by(mut self, roles: &'static [&'static str]) -> Self {
        self.commanders = roles;
        self
    }

    /// `<system>/<collection>`, and the roles that may change something there.
    pub fn authority(&self) -> (String, &'static [&'static str]) {
        (format!("{}/{}", self.system, self.shape.collection), self.commanders)
    }

    /// Answers under this name of the collection as well; a list has its items under it too. Links lead to
    /// the name that the resource was made with.
    #[must_use]
    pub fn alias(mut self, collection: &'static str) -> Self {
        self.aliases.push(collection);
        self
    }

    /// Lists all rows unless a page is asked for, as the old read models do.
    #[must_use]
    pub fn unpaged(mut self) -> Self {
        self.shape.paged = false;
        self
    }

    /// Clients choose the key: a creation has it in the body, where it is mandatory, and a replacement may
    /// create. For generated keys, which are the rule, a key in the body is ignored.
    #[must_use]
    pub fn natural_key(mut self) -> Self {
        self.natural_key = true;
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

    /// PUT and PATCH alike: absent fields are null or 0 in the one, and stay in the other.
    #[must_use]
    pub fn change(self, action: Action) -> Self {
        self.replace(action.clone()).merge(action)
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

    /// `GET /<collection>?<parameter>=`, beyond equality of a field, which every field has.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filters.push(filter);
        self
    }

    /// A call that is no method of an item. Its name is then no item's key; an empty name on a collection
    /// takes the place of [`Resource::create`].
    #[must_use]
    pub fn procedure(mut self, procedure: Procedure) -> Self {
        self.procedures.push(procedure);
        self
    }

    /// Items are also found under another segment, when none has that segment as its own key. Links lead
    /// to the own key.
    #[must_use]
    pub fn also_by(mut self, resolve: Resolve) -> Self {
        self.resolve = Some(resolve);
        self
    }

    /// The commands whose first answer the link to their status cannot show: those that were made without
    /// [`Operation::recalled_by`], and calls that are no commands.
    pub fn unrecalled(&self) -> Vec<String> {
        let own = format!("{}/{}", self.system, self.shape.collection);
        let methods =
            [("POST", &self.create), ("PUT", &self.replace), ("PATCH", &self.merge), ("DELETE", &self.remove)];
        let methods = methods.into_iter().filter(|(_, action)| action.as_ref().is_some_and(|it| !it.can_recall()));
        let procedures = self.procedures.iter().filter(|procedure| !procedure.perform.can_recall());
        let names = procedures.map(|procedure| format!("{own}/{}", procedure.name));
        methods.map(|(method, _)| format!("{method} {own}")).chain(names).collect()
    }

    /// Whether there are items to read.
    pub(crate) fn has_items(&self) -> bool {
        self.source.is_some()
    }
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resource")
            .field("system", &self.system)
            .field("service", &self.service)
            .field("shape", &self.shape)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod tests;
