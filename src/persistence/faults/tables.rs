//! Snapshots and rows that a fault may happen to.

use std::sync::Arc;

use bytes::Bytes;

use super::{Fault, Faults, Operation, WHY};
use crate::persistence::{
    Projections, RowChange, Snapshots, StoreError, StoredSnapshot, StreamId, ViewName, ViewProgress,
};

/// Snapshots or projections.
pub(super) struct Faulty<T: ?Sized> {
    inner: Arc<T>,
    faults: Arc<Faults>,
}

fn failed(doing: &'static str) -> StoreError {
    StoreError { doing, reason: WHY.to_owned() }
}

impl<T: ?Sized> Faulty<T> {
    pub(super) fn new(inner: Arc<T>, faults: Arc<Faults>) -> Self {
        Self { inner, faults }
    }

    fn read<R>(&self, doing: &'static str, read: impl FnOnce(&T) -> Result<R, StoreError>) -> Result<R, StoreError> {
        match self.faults.meet(Operation::Read) {
            None => read(&self.inner),
            Some(_) => Err(failed(doing)),
        }
    }

    fn write(&self, doing: &'static str, write: impl FnOnce(&T) -> Result<(), StoreError>) -> Result<(), StoreError> {
        match self.faults.meet(Operation::CommitRows) {
            None => write(&self.inner),
            Some(fault) => {
                if fault == Fault::Lose {
                    write(&self.inner)?;
                }
                Err(failed(doing))
            }
        }
    }
}

impl Snapshots for Faulty<dyn Snapshots> {
    fn save(&self, mut batch: Vec<(StreamId, StoredSnapshot)>) -> Result<(), StoreError> {
        let met = self.faults.meet(Operation::SaveSnapshots);
        match met {
            Some(Fault::Fail) => return Err(failed("saving snapshots")),
            Some(Fault::Tear) => batch.truncate(batch.len() / 2),
            Some(Fault::Lose | Fault::Delay) | None => {}
        }
        self.inner.save(batch)?;
        if met.is_some() { Err(failed("saving snapshots")) } else { Ok(()) }
    }

    fn load(&self, stream: &StreamId) -> Result<Vec<StoredSnapshot>, StoreError> {
        self.read("loading snapshots", |inner| inner.load(stream))
    }
}

impl Projections for Faulty<dyn Projections> {
    fn broken(&self) -> Option<Arc<str>> {
        self.inner.broken()
    }

    fn progress(&self, view: ViewName) -> Result<Option<ViewProgress>, StoreError> {
        self.read("reading progress", |inner| inner.progress(view))
    }

    fn commit(&self, view: ViewName, rows: Vec<RowChange>, progress: &ViewProgress) -> Result<(), StoreError> {
        self.write("committing rows", |inner| inner.commit(view, rows, progress))
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.write("syncing rows", Projections::sync)
    }

    fn get(&self, view: ViewName, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.read("reading a row", |inner| inner.get(view, key))
    }

    fn last(&self, view: ViewName) -> Result<Option<Vec<u8>>, StoreError> {
        self.read("looking for the last row", |inner| inner.last(view))
    }

    fn scan(
        &self,
        view: ViewName,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Bytes)>, StoreError> {
        self.read("reading rows", |inner| inner.scan(view, prefix, after, limit))
    }

    fn clear(&self, view: ViewName) -> Result<(), StoreError> {
        self.write("clearing rows", |inner| inner.clear(view))
    }

    fn generation(&self, view: ViewName) -> Result<u16, StoreError> {
        self.read("reading which rows are in use", |inner| inner.generation(view))
    }

    fn stage(&self, view: ViewName, rows: Vec<RowChange>) -> Result<(), StoreError> {
        self.write("writing rows beside those in use", |inner| inner.stage(view, rows))
    }

    fn switch(&self, view: ViewName) -> Result<(), StoreError> {
        self.write("switching to other rows", |inner| inner.switch(view))
    }

    fn clear_others(&self, view: ViewName) -> Result<bool, StoreError> {
        // A read as faults count it: nobody ever sees what it drops.
        self.read("clearing rows that are not in use", |inner| inner.clear_others(view))
    }
}
