use std::{fmt, sync::Arc, time::Duration};

use futures::future::BoxFuture;

use crate::http::{Item, Problem};

/// Where the items of a resource come from.
pub trait Source: Send + Sync + 'static {
    /// Whether an item that is read alone has a sequence, and so an entity tag.
    fn is_versioned(&self) -> bool {
        true
    }

    /// The item with this key, strongly consistent where the source is an entity; `None` when there is
    /// none, also for a text that can be no key.
    fn item(&self, key: &str) -> BoxFuture<'static, Result<Seen, Problem>>;

    /// Waits until the rows show what was durable when this was called; false when `within` passed first.
    fn catch_up(&self, within: Duration) -> BoxFuture<'static, Result<bool, Problem>>;

    /// How many rows are listed.
    fn count(&self) -> BoxFuture<'static, Result<u64, Problem>>;

    /// Looks at up to `limit` rows whose key is greater than `after`, by key.
    fn scan(&self, after: Option<Vec<u8>>, limit: usize, keep: Keep) -> BoxFuture<'static, Result<RowPage, Problem>>;
}

/// An item, or none, and whether what was durable when it was asked for has been looked at.
pub type Seen = (Option<Item>, bool);

/// Which of the rows looked at are wanted.
#[derive(Clone)]
pub enum Keep {
    /// None: they are skipped.
    Nothing,
    /// Every row.
    All,
    /// Those for which this is true.
    Matching(Arc<dyn Fn(&Item) -> bool + Send + Sync>),
}

impl Keep {
    /// Of `rows`, the wanted ones as items, in the same order. May take a while for many rows.
    pub fn of<R>(&self, rows: impl IntoIterator<Item = R>, item: impl Fn(R) -> Item) -> Vec<Item> {
        match self {
            Self::Nothing => Vec::new(),
            Self::All => rows.into_iter().map(item).collect(),
            Self::Matching(wanted) => rows.into_iter().map(item).filter(|item| wanted(item)).collect(),
        }
    }
}

impl fmt::Debug for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "Nothing",
            Self::All => "All",
            Self::Matching(_) => "Matching(..)",
        })
    }
}

/// What a scan found.
#[derive(Debug)]
pub struct RowPage {
    /// The wanted rows.
    pub items: Vec<Item>,
    /// How many rows were looked at; fewer than the limit when there are no more.
    pub seen: usize,
    /// Key of the last row looked at.
    pub last: Option<Vec<u8>>,
}
