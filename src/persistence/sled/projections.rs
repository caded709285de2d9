use std::sync::Arc;

use ::sled::{Batch, Tree};
use bytes::Bytes;

use super::{
    SledStore, failed, keys, packs,
    values::{self, ValueError},
};
use crate::persistence::{
    Cursor, MAX_CLEARED, MAX_ROWS, PartitionId, Projections, RowChange, StoreError, ViewName, ViewProgress,
    codec::{Decoder, Encoder, Malformed},
};

impl Projections for SledStore {
    fn broken(&self) -> Option<Arc<str>> {
        self.broken.get().cloned()
    }

    fn progress(&self, view: ViewName) -> Result<Option<ViewProgress>, StoreError> {
        self.with("reading a view's progress", |tree| {
            let value = values::get(tree, &keys::progress(view))?;
            Ok(value.map(decode).transpose()?)
        })
    }

    fn commit(&self, view: ViewName, rows: Vec<RowChange>, progress: &ViewProgress) -> Result<(), StoreError> {
        const DOING: &str = "committing rows";
        check_count(DOING, &rows)?;
        self.change(DOING, |opened| {
            let mut batch = Batch::default();
            packs::change(&opened.db, &mut batch, view, &rows)?;
            values::insert(&opened.db, &mut batch, &keys::progress(view), &encode(progress))?;
            Ok(opened.db.apply_batch(batch)?)
        })
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.write("syncing rows", |_| Ok(()))
    }

    fn get(&self, view: ViewName, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.with("reading a row", |tree| packs::get(tree, view, key))
    }

    fn last(&self, view: ViewName) -> Result<Option<Vec<u8>>, StoreError> {
        self.with("looking for the last row", |tree| packs::last(tree, view))
    }

    fn scan(
        &self,
        view: ViewName,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Bytes)>, StoreError> {
        self.with("scanning rows", |tree| packs::scan(tree, view, prefix, after, limit))
    }

    fn clear(&self, view: ViewName) -> Result<(), StoreError> {
        for prefix in keys::all_of_view(view) {
            self.write("clearing a view", |tree| values::remove_all(tree, &prefix))?;
        }
        Ok(())
    }

    fn generation(&self, view: ViewName) -> Result<u16, StoreError> {
        self.with("reading which rows are in use", |tree| generation(tree, view))
    }

    fn stage(&self, view: ViewName, rows: Vec<RowChange>) -> Result<(), StoreError> {
        const DOING: &str = "writing rows beside those in use";
        check_count(DOING, &rows)?;
        self.with(DOING, |tree| {
            let mut batch = Batch::default();
            packs::change(tree, &mut batch, view, &rows)?;
            Ok(tree.apply_batch(batch)?)
        })
    }

    fn switch(&self, view: ViewName) -> Result<(), StoreError> {
        self.write("switching to other rows", |tree| {
            let mut batch = Batch::default();
            values::insert(tree, &mut batch, &keys::generation(view), &view.generation.to_le_bytes())?;
            Ok(tree.apply_batch(batch)?)
        })
    }

    fn clear_others(&self, view: ViewName) -> Result<bool, StoreError> {
        let mut more = false;
        self.write("clearing rows that are not in use", |tree| {
            let used = keys::progress(ViewName { generation: generation(tree, view)?, ..view });
            let mut left = MAX_CLEARED;
            for progress in tree.scan_prefix(keys::all_progress(view)).keys() {
                let progress = progress?;
                if progress == used {
                    continue;
                }
                for prefix in keys::rows_beside(&progress) {
                    loop {
                        if left == 0 {
                            more = true;
                            return Ok(());
                        }
                        match values::remove_some(tree, &prefix)? {
                            0 => break,
                            removed => left = left.saturating_sub(removed),
                        }
                    }
                }
                // Last: it tells that there are rows.
                let mut batch = Batch::default();
                values::remove(tree, &mut batch, &progress)?;
                tree.apply_batch(batch)?;
            }
            Ok(())
        })?;
        Ok(more)
    }
}

fn check_count(doing: &'static str, rows: &[RowChange]) -> Result<(), StoreError> {
    if rows.len() > MAX_ROWS {
        return Err(failed(doing, format!("{} rows are more than one batch may have", rows.len())));
    }
    Ok(())
}

fn generation(tree: &Tree, view: ViewName) -> Result<u16, ValueError> {
    let Some(value) = values::get(tree, &keys::generation(view))? else { return Ok(0) };
    let bytes = value.as_ref().try_into().map_err(|_| Malformed("is no generation"))?;
    Ok(u16::from_le_bytes(bytes))
}

fn encode(progress: &ViewProgress) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut to = Encoder(&mut bytes);
    to.u64(progress.listed);
    to.u32(u32::try_from(progress.cursors.len()).expect("a cursor per partition of each unit"));
    for cursor in &progress.cursors {
        to.text(&cursor.unit);
        to.u16(cursor.partition.0);
        to.u64(cursor.offset);
    }
    bytes
}

fn decode(bytes: Bytes) -> Result<ViewProgress, Malformed> {
    let mut from = Decoder::new(bytes);
    let listed = from.u64()?;
    let count = from.u32()?;
    let cursors = (0..count)
        .map(|_| Ok(Cursor { unit: from.own_text()?, partition: PartitionId(from.u16()?), offset: from.u64()? }))
        .collect::<Result<_, Malformed>>()?;
    from.end()?;
    Ok(ViewProgress { cursors, listed })
}
