use std::ops::Bound;

use ::sled::Batch;
use bytes::Bytes;

use super::{SledStore, failed, keys, values};
use crate::persistence::{
    Cursor, MAX_ROWS, PartitionId, Projections, RowChange, StoreError, ViewName, ViewProgress,
    codec::{Decoder, Encoder, Malformed},
};

impl Projections for SledStore {
    fn progress(&self, view: ViewName) -> Result<Option<ViewProgress>, StoreError> {
        self.with("reading a view's progress", |tree| {
            let value = values::get(tree, &keys::progress(view))?;
            Ok(value.map(decode).transpose()?)
        })
    }

    fn commit(&self, view: ViewName, rows: Vec<RowChange>, progress: &ViewProgress) -> Result<(), StoreError> {
        const DOING: &str = "committing rows";
        if rows.len() > MAX_ROWS {
            return Err(failed(DOING, format!("{} rows are more than one batch may have", rows.len())));
        }
        self.write(DOING, |tree| {
            let mut batch = Batch::default();
            for (key, row) in &rows {
                let key = keys::row(view, key);
                if let Some(row) = row {
                    values::insert(tree, &mut batch, &key, row)?;
                } else {
                    values::remove(tree, &mut batch, &key)?;
                }
            }
            values::insert(tree, &mut batch, &keys::progress(view), &encode(progress))?;
            Ok(tree.apply_batch(batch)?)
        })
    }

    fn get(&self, view: ViewName, key: &[u8]) -> Result<Option<Bytes>, StoreError> {
        self.with("reading a row", |tree| values::get(tree, &keys::row(view, key)))
    }

    fn scan(
        &self,
        view: ViewName,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Bytes)>, StoreError> {
        self.with("scanning rows", |tree| {
            let rows = keys::rows(view);
            let begin = keys::row(view, prefix);
            let from = match after {
                Some(after) if after >= prefix => Bound::Excluded(keys::row(view, after)),
                Some(_) | None => Bound::Included(begin.clone()),
            };
            let mut found = Vec::new();
            for key in tree.range((from, Bound::Unbounded)).keys() {
                let key = key?;
                if found.len() >= limit || !key.starts_with(&begin) {
                    break;
                }
                // It may have been deleted just now.
                if let (Some(row), Some(name)) = (values::get(tree, &key)?, key.get(rows.len()..)) {
                    found.push((name.to_vec(), row));
                }
            }
            Ok(found)
        })
    }

    fn clear(&self, view: ViewName) -> Result<(), StoreError> {
        for prefix in keys::all_of_view(view) {
            self.write("clearing a view", |tree| values::remove_all(tree, &prefix))?;
        }
        Ok(())
    }
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
