//! Named questions about a collection.

use std::{fmt, sync::Arc};

use futures::future::BoxFuture;
use serde_json::Value;

use crate::http::{Field, Item, Problem};

/// A named question with one parameter, under `/search/<name>`.
#[derive(Clone, Debug)]
pub struct Finder {
    /// The last segment of its path.
    pub name: &'static str,
    /// Its parameter.
    pub parameter: Field,
    /// Other spellings of the parameter's name.
    pub spellings: &'static [&'static str],
    /// Whether it answers one item, or 404.
    pub single: bool,
    /// How it finds.
    pub by: By,
}

/// How items are found by a value.
#[derive(Clone)]
pub enum By {
    /// The value is the item's key.
    Key,
    /// The field of this name has the value. Looks at every row, within the bounds of a list.
    Field(&'static str),
    /// Something else knows the keys.
    Keys(FindKeys),
    /// Something else knows the items.
    Items(Find),
}

/// At most so many items for a value.
pub type Find = Arc<dyn Fn(Value, usize) -> BoxFuture<'static, Result<Found, Problem>> + Send + Sync>;

/// At most so many keys for a value, and whether what was durable when the request came has been looked at.
pub type FindKeys = Arc<dyn Fn(Value, usize) -> BoxFuture<'static, Result<(Vec<String>, bool), Problem>> + Send + Sync>;

/// What a finder found.
#[derive(Debug)]
pub struct Found {
    /// The items, by key.
    pub items: Vec<Item>,
    /// Whether what was durable when the request came has been looked at.
    pub caught_up: bool,
}

impl Finder {
    /// Items that one answer may hold: an order has a handful of deliveries. More are refused, not cut.
    pub const MAX_FOUND: usize = 1000;

    /// Answers one item, or 404.
    pub fn one(name: &'static str, parameter: Field, by: By) -> Self {
        Self { name, parameter, spellings: &[], single: true, by }
    }

    /// Answers a list, which may be empty.
    pub fn many(name: &'static str, parameter: Field, by: By) -> Self {
        Self { single: false, ..Self::one(name, parameter, by) }
    }

    /// Takes these names for the parameter as well.
    #[must_use]
    pub fn also_spelled(mut self, spellings: &'static [&'static str]) -> Self {
        self.spellings = spellings;
        self
    }

    /// Whether its parameter may be called so.
    pub(crate) fn takes(&self, name: &str) -> bool {
        self.parameter.name == name || self.spellings.contains(&name)
    }
}

impl fmt::Debug for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key => f.write_str("Key"),
            Self::Field(name) => f.debug_tuple("Field").field(name).finish(),
            Self::Keys(_) => f.write_str("Keys(..)"),
            Self::Items(_) => f.write_str("Items(..)"),
        }
    }
}
