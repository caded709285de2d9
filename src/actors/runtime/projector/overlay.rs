//! A view's rows in memory: what is not yet in storage, and a cache of what is.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeSet, VecDeque},
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use bytes::Bytes;

use super::view_name;
use crate::{
    actors::entity::View,
    maps::Map,
    persistence::{RowChange, StoreError, ViewName},
};

/// Rows kept although storage has them: those that were stored last. A row is some hundred bytes.
const CACHED: usize = 16_384;

/// Rows that are seen to at once: who reads waits for no more.
const PIECE: usize = 256;

/// What is to be stored: a row's key, and the row unless it is to go.
pub(super) type Changed<V> = (Vec<u8>, Option<V>);

/// The rows of a view that are in use, and the fence around its storage.
#[derive(Debug)]
pub(crate) struct ViewRows<V> {
    /// Replaced as a whole when others are switched to; a reader that began before finds out and reads again.
    used: RwLock<Arc<Generation<V>>>,
    /// The run whose reads and writes of the storage count. One that failed or was killed may have left some
    /// on other threads.
    run: RwLock<u64>,
}

/// One generation of a view's rows: those in use, or those that are being built beside them.
#[derive(Debug)]
pub(super) struct Generation<V> {
    /// Where its rows are stored.
    pub(super) name: ViewName,
    overlay: Mutex<Overlay<V>>,
}

#[derive(Debug)]
struct Overlay<V> {
    /// By hash, since each change looks several times.
    rows: Map<Arc<[u8]>, Entry<V>>,
    /// Their keys, for those who read them in order.
    keys: BTreeSet<Arc<[u8]>>,
    /// The keys of rows that are neither in storage nor on their way there, each once.
    dirty: Vec<Arc<[u8]>>,
    /// The keys of rows that were taken and are not known to be stored, take by take.
    on_their_way: VecDeque<(u64, Vec<Arc<[u8]>>)>,
    /// What was stored, the first first: with which take, and the row's key. At most [`CACHED`]; some have been taken again
    /// since.
    stored: VecDeque<(u64, Arc<[u8]>)>,
    /// How often rows were taken.
    takes: u64,
    listed: u64,
    /// Of the rows with greater keys, all that there are are here; `None` when that is not known of any. Most new rows have
    /// a number that grows, so nobody need look for them in storage.
    whole_above: Option<Arc<[u8]>>,
}

#[derive(Debug)]
struct Entry<V> {
    /// `None`: there is no such row.
    row: Option<V>,
    state: EntryState,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum EntryState {
    /// With which take; with none when it came from there.
    Stored(Option<u64>),
    Dirty,
    /// With which take.
    OnItsWay(u64),
}

/// A row as the overlay knows it.
pub(super) enum Known<V> {
    Row(V),
    /// There is none.
    Absent,
    /// Ask the storage.
    Elsewhere,
}

impl<V: View> ViewRows<V> {
    pub(crate) fn new() -> Self {
        Self { used: RwLock::new(Arc::new(Generation::unknown())), run: RwLock::new(0) }
    }

    /// The rows in use.
    pub(super) fn used(&self) -> Arc<Generation<V>> {
        self.used.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Has readers see these rows from now on.
    pub(super) fn switch(&self, to: Arc<Generation<V>>) {
        *self.used.write().unwrap_or_else(PoisonError::into_inner) = to;
    }

    /// Begins a run and gives its number. What an earlier run has on its way to or from the storage ends
    /// before, or never happens: its rows must not get under this run's cursors. May block on the disk.
    pub(super) fn begin_run(&self) -> u64 {
        let mut run = self.run.write().unwrap_or_else(PoisonError::into_inner);
        *run += 1;
        *run
    }

    /// Works with the storage for `run`, unless a later one has begun.
    pub(super) fn during<T>(&self, run: u64, work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
        let current = self.run.read().unwrap_or_else(PoisonError::into_inner);
        if *current == run {
            return work();
        }
        Err(StoreError { doing: "keeping rows", reason: "the view has been started again".to_owned() })
    }
}

impl<V: View> Generation<V> {
    /// Nothing in memory: what there is, the storage has, with keys up to `last`.
    pub(super) fn new(name: ViewName, listed: u64, last: Option<Vec<u8>>) -> Self {
        // No key is less than the empty one.
        Self::with(name, listed, Some(last.unwrap_or_default().into()))
    }

    /// Those that there may be, before anybody has looked.
    pub(super) fn unknown() -> Self {
        Self::with(view_name::<V>(0), 0, None)
    }

    fn with(name: ViewName, listed: u64, whole_above: Option<Arc<[u8]>>) -> Self {
        let overlay = Overlay {
            rows: Map::default(),
            keys: BTreeSet::new(),
            dirty: Vec::new(),
            on_their_way: VecDeque::new(),
            stored: VecDeque::new(),
            takes: 0,
            listed,
            whole_above,
        };
        Self { name, overlay: Mutex::new(overlay) }
    }

    pub(super) fn dirty(&self) -> usize {
        self.lock().dirty.len()
    }

    pub(super) fn listed(&self) -> u64 {
        self.lock().listed
    }

    /// Whether nothing about this row need be read from storage.
    pub(super) fn knows(&self, key: &[u8]) -> bool {
        let overlay = self.lock();
        overlay.rows.contains_key(key) || overlay.is_whole_at(key)
    }

    /// Takes a row over from storage, unless something newer is known.
    pub(super) fn load(&self, key: Vec<u8>, row: Option<&[u8]>) -> Result<(), StoreError> {
        let row = row.map(decode).transpose()?;
        let mut overlay = self.lock();
        if !overlay.rows.contains_key(key.as_slice()) {
            overlay.insert(key.into(), row);
        }
        Ok(())
    }

    /// Moves a row.
    pub(super) fn change(&self, key: Vec<u8>, with: impl FnOnce(&mut Option<V>)) {
        let mut overlay = self.lock();
        let overlay = &mut *overlay;
        let key: Arc<[u8]> = key.into();
        if !overlay.rows.contains_key(&key) {
            overlay.insert(key.clone(), None);
        }
        let entry = overlay.rows.get_mut(&key).expect("it is there now");
        if entry.state != EntryState::Dirty {
            overlay.dirty.push(key);
        }
        entry.state = EntryState::Dirty;
        let listed = |row: &Option<V>| u64::from(row.as_ref().is_some_and(V::is_listed));
        let before = listed(&entry.row);
        with(&mut entry.row);
        overlay.listed = (overlay.listed + listed(&entry.row)).saturating_sub(before);
    }

    /// How many rows are in memory.
    pub(super) fn held(&self) -> usize {
        self.lock().rows.len()
    }

    /// What has to go to storage, by key.
    pub(super) fn take_changes(&self) -> Vec<Changed<V>> {
        let mut dirty = std::mem::take(&mut self.lock().dirty);
        dirty.sort_unstable();
        let mut changes = Vec::with_capacity(dirty.len());
        for keys in dirty.chunks(PIECE) {
            self.lock().take(keys, &mut changes);
        }
        let mut overlay = self.lock();
        let take = overlay.takes;
        overlay.takes += 1;
        overlay.on_their_way.push_back((take, dirty));
        changes
    }

    /// All changes that were taken are in storage, and no row need stay in memory.
    pub(super) fn drop_stored(&self) {
        let mut overlay = self.lock();
        overlay.on_their_way.clear();
        overlay.stored.clear();
        let Overlay { rows, keys, whole_above, .. } = &mut *overlay;
        rows.retain(|_, entry| entry.state == EntryState::Dirty);
        if let Some(last) = keys.iter().rfind(|key| !rows.contains_key(*key)) {
            raise(whole_above, last);
        }
        keys.retain(|key| rows.contains_key(key));
    }

    /// The changes of the first `takes` that were not yet known to be stored are. Others have their turn in between; all of it
    /// has to be seen through.
    pub(super) async fn changes_are_stored(&self, takes: usize) {
        for _ in 0..takes {
            let Some((take, keys)) = self.lock().on_their_way.pop_front() else { return };
            for keys in keys.chunks(PIECE) {
                self.lock().are_stored(take, keys);
                tokio::task::yield_now().await;
            }
        }
    }

    pub(super) fn get(&self, key: &[u8]) -> Known<V> {
        let overlay = self.lock();
        match overlay.rows.get(key) {
            Some(Entry { row: Some(row), .. }) => Known::Row(row.clone()),
            Some(Entry { row: None, .. }) => Known::Absent,
            None if overlay.is_whole_at(key) => Known::Absent,
            None => Known::Elsewhere,
        }
    }

    /// At most `limit` rows, deleted ones among them, with keys after `after` that start with `prefix`.
    pub(super) fn range(&self, prefix: &[u8], after: Option<&[u8]>, limit: usize) -> Vec<(Vec<u8>, Option<V>)> {
        let from = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            _ => Bound::Included(prefix),
        };
        let overlay = self.lock();
        let keys = overlay.keys.range::<[u8], _>((from, Bound::Unbounded));
        let keys = keys.take_while(|key| key.starts_with(prefix)).take(limit);
        keys.filter_map(|key| Some((key.to_vec(), overlay.rows.get(key)?.row.clone()))).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Overlay<V>> {
        self.overlay.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V> Overlay<V> {
    fn insert(&mut self, key: Arc<[u8]>, row: Option<V>) {
        self.keys.insert(key.clone());
        self.rows.insert(key, Entry { row, state: EntryState::Stored(None) });
    }

    /// Has these rows go to storage with the take that is being made.
    fn take(&mut self, keys: &[Arc<[u8]>], changes: &mut Vec<Changed<V>>)
    where
        V: Clone,
    {
        for key in keys {
            if let Some(entry) = self.rows.get_mut(key) {
                changes.push((key.to_vec(), entry.row.clone()));
                entry.state = EntryState::OnItsWay(self.takes);
            }
        }
    }

    /// These rows are in storage, as they were taken. Those that were stored first leave if there are too many.
    fn are_stored(&mut self, take: u64, keys: &[Arc<[u8]>]) {
        for key in keys {
            // A row that was taken again since is on its way once more.
            let own = |entry: &&mut Entry<V>| entry.state == EntryState::OnItsWay(take);
            if let Some(entry) = self.rows.get_mut(key).filter(own) {
                entry.state = EntryState::Stored(Some(take));
                self.stored.push_back((take, key.clone()));
            }
        }
        let beyond = self.stored.len().saturating_sub(CACHED);
        for (take, key) in self.stored.drain(..beyond) {
            if self.rows.get(&key).is_some_and(|entry| entry.state == EntryState::Stored(Some(take))) {
                self.rows.remove(&key);
                self.keys.remove(&key);
                raise(&mut self.whole_above, &key);
            }
        }
    }

    /// Whether a row with this key is here if there is one.
    fn is_whole_at(&self, key: &[u8]) -> bool {
        self.whole_above.as_deref().is_some_and(|above| key > above)
    }
}

/// A row with this key leaves; what is not known of any row stays so.
fn raise(whole_above: &mut Option<Arc<[u8]>>, key: &Arc<[u8]>) {
    if let Some(above) = whole_above.as_mut().filter(|above| **above < *key) {
        *above = key.clone();
    }
}

/// Rows as they are stored. May take milliseconds, and gives way to other threads meanwhile.
pub(super) fn encode<V: View>(changes: impl IntoIterator<Item = Changed<V>>) -> Result<Vec<RowChange>, StoreError> {
    let encode = |(nth, (key, row)): (usize, Changed<V>)| {
        if (nth + 1).is_multiple_of(PIECE) {
            std::thread::yield_now();
        }
        Ok((key, row.as_ref().map(serde_json::to_vec).transpose()?.map(Bytes::from)))
    };
    let rows = changes.into_iter().enumerate().map(encode).collect::<serde_json::Result<_>>();
    rows.map_err(|error| StoreError { doing: "writing a row", reason: error.to_string() })
}

pub(super) fn decode<V: View>(bytes: &[u8]) -> Result<V, StoreError> {
    serde_json::from_slice(bytes).map_err(|error| StoreError { doing: "reading a row", reason: error.to_string() })
}
