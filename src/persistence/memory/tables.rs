//! Snapshots and rows in memory.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound,
};

use bytes::Bytes;

use crate::persistence::{
    MAX_ROWS, MAX_SNAPSHOTS, RowChange, StoreError, StoredSnapshot, StreamId, ViewName, ViewProgress,
};

#[derive(Default)]
pub(super) struct Tables {
    /// Newest first, at most two.
    snapshots: HashMap<StreamId, Vec<StoredSnapshot>>,
    views: HashMap<ViewName, ViewTable>,
    /// By view and version, when it is not 0.
    generations: HashMap<(&'static str, u16), u16>,
}

#[derive(Default)]
struct ViewTable {
    rows: BTreeMap<Vec<u8>, Bytes>,
    progress: Option<ViewProgress>,
}

impl Tables {
    pub(super) fn save(&mut self, batch: Vec<(StreamId, StoredSnapshot)>) -> Result<(), StoreError> {
        if batch.len() > MAX_SNAPSHOTS {
            return Err(too_many("saving snapshots", batch.len()));
        }
        for (stream, snapshot) in batch {
            let kept = self.snapshots.entry(stream).or_default();
            kept.retain(|other| other.sequence != snapshot.sequence);
            kept.push(snapshot);
            kept.sort_by_key(|snapshot| std::cmp::Reverse(snapshot.sequence));
            kept.truncate(2);
        }
        Ok(())
    }

    pub(super) fn load(&self, stream: &StreamId) -> Vec<StoredSnapshot> {
        self.snapshots.get(stream).cloned().unwrap_or_default()
    }

    pub(super) fn progress(&self, view: ViewName) -> Option<ViewProgress> {
        self.views.get(&view)?.progress.clone()
    }

    pub(super) fn commit(
        &mut self,
        view: ViewName,
        rows: Vec<RowChange>,
        progress: &ViewProgress,
    ) -> Result<(), StoreError> {
        self.write("committing rows", view, rows)?.progress = Some(progress.clone());
        Ok(())
    }

    fn write(
        &mut self,
        doing: &'static str,
        view: ViewName,
        rows: Vec<RowChange>,
    ) -> Result<&mut ViewTable, StoreError> {
        if rows.len() > MAX_ROWS {
            return Err(too_many(doing, rows.len()));
        }
        let table = self.views.entry(view).or_default();
        for (key, row) in rows {
            match row {
                Some(row) => table.rows.insert(key, row),
                None => table.rows.remove(&key),
            };
        }
        Ok(table)
    }

    pub(super) fn generation(&self, view: ViewName) -> u16 {
        self.generations.get(&(view.name, view.version)).copied().unwrap_or_default()
    }

    pub(super) fn stage(&mut self, view: ViewName, rows: Vec<RowChange>) -> Result<(), StoreError> {
        self.write("writing rows beside those in use", view, rows).map(drop)
    }

    pub(super) fn switch(&mut self, view: ViewName) {
        self.generations.insert((view.name, view.version), view.generation);
    }

    pub(super) fn clear_others(&mut self, view: ViewName) {
        let used = ViewName { generation: self.generation(view), ..view };
        self.views.retain(|other, _| other.name != view.name || *other == used);
    }

    pub(super) fn get(&self, view: ViewName, key: &[u8]) -> Option<Bytes> {
        self.views.get(&view)?.rows.get(key).cloned()
    }

    pub(super) fn last(&self, view: ViewName) -> Option<Vec<u8>> {
        Some(self.views.get(&view)?.rows.last_key_value()?.0.clone())
    }

    pub(super) fn scan(
        &self,
        view: ViewName,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Vec<(Vec<u8>, Bytes)> {
        let Some(table) = self.views.get(&view) else { return Vec::new() };
        let from = match after {
            Some(after) if after >= prefix => Bound::Excluded(after),
            Some(_) | None => Bound::Included(prefix),
        };
        table
            .rows
            .range::<[u8], _>((from, Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(prefix))
            .take(limit)
            .map(|(key, row)| (key.clone(), row.clone()))
            .collect()
    }

    pub(super) fn clear(&mut self, view: ViewName) {
        self.views.retain(|other, _| other.name != view.name);
        self.generations.retain(|(name, _), _| *name != view.name);
    }
}

pub(super) fn too_many(doing: &'static str, count: usize) -> StoreError {
    StoreError { doing, reason: format!("{count} entries are more than one batch may have") }
}
