//! How the outside reads a view.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use super::{
    super::{consumer::Consumer, service::ServiceRuntime, unit::UnitRuntime},
    blocking,
    overlay::{Generation, Known, ViewRows, decode},
};
use crate::{
    actors::entity::{Unavailable, View, ViewKey},
    persistence::{Projections, StoreError},
};

/// Rows of one view, as its readers see them: listed rows only. Cheap to clone.
pub struct Views<V: View> {
    pub(crate) rows: Arc<ViewRows<V>>,
    pub(crate) unit: Arc<UnitRuntime>,
    pub(crate) service: Arc<ServiceRuntime>,
    pub(crate) consumer: Arc<Consumer>,
}

/// Why a view could not be read.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ViewError {
    /// Its service does not answer now.
    #[error("{0}")]
    Unavailable(Unavailable),
    /// Its rows cannot be read.
    #[error("{0}")]
    Store(String),
    /// It cannot be built any more, since history was deleted that it has not read.
    #[error("{0}")]
    Incomplete(String),
}

/// A page of rows, with their keys.
type Rows<V> = Vec<(<V as View>::Key, V)>;

impl<V: View> Views<V> {
    /// Waits until the rows stand for everything durable now, so that a client reads its own writes;
    /// false when `within` passed first.
    ///
    /// # Errors
    /// `Unavailable` when the service is stopped, `Incomplete` when the view cannot be built any more.
    ///
    /// # Cancel safety
    /// Waits only.
    pub async fn catch_up(&self, within: Duration) -> Result<bool, ViewError> {
        self.intake()?;
        let heads = self.consumer.heads();
        Ok(tokio::time::timeout(within, self.consumer.reached(&heads)).await.is_ok())
    }

    /// Whether its rows are worth reading.
    fn intake(&self) -> Result<(), ViewError> {
        self.service.is_there().map_err(ViewError::Unavailable)?;
        self.consumer.why_refused().map_or(Ok(()), |reason| Err(ViewError::Incomplete(reason.to_string())))
    }

    /// How many events the rows are behind now.
    pub fn lag(&self) -> u64 {
        self.consumer.lag()
    }

    /// One row; `None` when there is none or it is not listed.
    ///
    /// # Errors
    /// `Unavailable` when the service is stopped, `Incomplete` when the view cannot be built any more, `Store` when the rows
    /// cannot be read.
    ///
    /// # Cancel safety
    /// Reads only.
    pub async fn get(&self, key: &V::Key) -> Result<Option<V>, ViewError> {
        self.intake()?;
        let key = key.to_bytes();
        loop {
            let used = self.rows.used();
            let row = match used.get(&key) {
                Known::Row(row) => Ok(Some(row)),
                Known::Absent => Ok(None),
                Known::Elsewhere => {
                    let (projections, key, name) = (self.unit.projections.clone(), key.clone(), used.name);
                    let stored = blocking(move || projections.get(name, &key)).await;
                    stored.and_then(|bytes| bytes.map(|bytes| decode::<V>(&bytes)).transpose())
                }
            };
            // Rows that are no longer in use may be gone already.
            if Arc::ptr_eq(&used, &self.rows.used()) {
                return Ok(row.map_err(store)?.filter(V::is_listed));
            }
        }
    }

    /// How many rows are listed.
    ///
    /// # Errors
    /// `Unavailable` when the service is stopped, `Incomplete` when the view cannot be built any more.
    ///
    /// # Cancel safety
    /// Reads only.
    #[expect(clippy::unused_async, reason = "part of an async API whose other storages will have to wait")]
    pub async fn count(&self) -> Result<u64, ViewError> {
        self.intake()?;
        Ok(self.rows.used().listed())
    }

    /// At most `limit` listed rows after `after` whose key's bytes start with `prefix`, by key.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    ///
    /// # Cancel safety
    /// Reads only.
    pub async fn scan(&self, prefix: &[u8], after: Option<&V::Key>, limit: usize) -> Result<Rows<V>, ViewError> {
        self.intake()?;
        let (rows, projections) = (self.rows.clone(), self.unit.projections.clone());
        let (prefix, after) = (prefix.to_vec(), after.map(ViewKey::to_bytes));
        let scan = move || {
            loop {
                let used = rows.used();
                let found = scan(&used, projections.as_ref(), &prefix, after.clone(), limit);
                // Rows that are no longer in use may be gone already.
                if Arc::ptr_eq(&used, &rows.used()) {
                    return found;
                }
            }
        };
        blocking(scan).await.map_err(store)
    }
}

/// Some rows, by key, and the key up to which these are all; `None` when they are all that there are.
pub(super) struct Piece<V> {
    pub(super) rows: BTreeMap<Vec<u8>, Option<V>>,
    pub(super) end: Option<Vec<u8>>,
}

/// Merges the overlay with the storage; the overlay is newer. About `length` rows, deleted ones among them.
pub(super) fn piece<V: View>(
    rows: &Generation<V>,
    projections: &dyn Projections,
    prefix: &[u8],
    after: Option<&[u8]>,
    length: usize,
) -> Result<Piece<V>, StoreError> {
    // The overlay first: what leaves it meanwhile is then found in the storage.
    let newer = rows.range(prefix, after, length);
    let stored = projections.scan(rows.name, prefix, after, length)?;
    // Beyond the end of a full piece nothing is known of that side yet.
    let newer_end = (newer.len() == length).then(|| newer.last().map(|(key, _)| key.clone())).flatten();
    let stored_end = (stored.len() == length).then(|| stored.last().map(|(key, _)| key.clone())).flatten();
    let end = match (newer_end, stored_end) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (one, other) => one.or(other),
    };
    let within = |key: &[u8]| end.as_deref().is_none_or(|end| key <= end);
    let mut merged: BTreeMap<Vec<u8>, Option<V>> = BTreeMap::new();
    for (key, bytes) in stored.into_iter().filter(|(key, _)| within(key)) {
        merged.insert(key, Some(decode(&bytes)?));
    }
    merged.extend(newer.into_iter().filter(|(key, _)| within(key)));
    Ok(Piece { rows: merged, end })
}

fn scan<V: View>(
    rows: &Generation<V>,
    projections: &dyn Projections,
    prefix: &[u8],
    mut after: Option<Vec<u8>>,
    limit: usize,
) -> Result<Rows<V>, StoreError> {
    let mut found = Vec::new();
    while found.len() < limit {
        let length = (limit - found.len()).clamp(16, 1024);
        let Piece { rows: merged, end } = piece(rows, projections, prefix, after.as_deref(), length)?;
        for (key, row) in merged {
            let Some(row) = row.filter(V::is_listed) else { continue };
            let Some(key) = V::Key::from_bytes(&key) else { continue };
            if found.len() < limit {
                found.push((key, row));
            }
        }
        match end {
            Some(end) => after = Some(end),
            None => break,
        }
    }
    Ok(found)
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn store(error: StoreError) -> ViewError {
    ViewError::Store(error.to_string())
}

impl<V: View> Clone for Views<V> {
    fn clone(&self) -> Self {
        let (rows, unit) = (self.rows.clone(), self.unit.clone());
        Self { rows, unit, service: self.service.clone(), consumer: self.consumer.clone() }
    }
}

impl<V: View> fmt::Debug for Views<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Views").field("view", &V::NAME).finish_non_exhaustive()
    }
}
