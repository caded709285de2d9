use ::sled::{Batch, Tree};
use bytes::Bytes;

use super::{
    SledStore, failed, keys,
    values::{self, ValueError},
};
use crate::persistence::{MAX_SNAPSHOTS, Snapshots, StoreError, StoredSnapshot, StreamId};

/// Snapshots kept of each stream: should the newest be damaged, the other serves.
const KEPT: usize = 2;

impl Snapshots for SledStore {
    fn save(&self, batch: Vec<(StreamId, StoredSnapshot)>) -> Result<(), StoreError> {
        const DOING: &str = "saving snapshots";
        if batch.len() > MAX_SNAPSHOTS {
            return Err(failed(DOING, format!("{} snapshots are more than one batch may have", batch.len())));
        }
        // Each on its own: together they need not be atomic, and sled's memory follows the size of a batch.
        self.write(DOING, |tree| batch.iter().try_for_each(|(stream, snapshot)| save(tree, stream, snapshot)))
    }

    fn load(&self, stream: &StreamId) -> Result<Vec<StoredSnapshot>, StoreError> {
        self.with("loading snapshots", |tree| {
            let mut found = Vec::new();
            for key in stored(tree, stream)? {
                match load(tree, &key) {
                    Ok(snapshot) => found.extend(snapshot),
                    Err(ValueError::Damaged(what)) => {
                        tracing::warn!(%stream, %what, "a damaged snapshot is left out");
                    }
                    Err(error) => return Err(error),
                }
            }
            found.truncate(KEPT);
            Ok(found)
        })
    }
}

/// The keys of the stream's snapshots, newest first.
fn stored(tree: &Tree, stream: &StreamId) -> Result<Vec<::sled::IVec>, ValueError> {
    Ok(tree.scan_prefix(keys::snapshots(stream)).keys().collect::<Result<_, _>>()?)
}

fn save(tree: &Tree, stream: &StreamId, snapshot: &StoredSnapshot) -> Result<(), ValueError> {
    let key = keys::snapshot(stream, snapshot.sequence);
    let mut batch = Batch::default();
    let value = [&snapshot.shape.to_le_bytes(), snapshot.bytes.as_ref()].concat();
    values::insert(tree, &mut batch, &key, &value)?;
    let mut all = stored(tree, stream)?;
    if !all.iter().any(|other| *other == key) {
        all.push(key.into());
        all.sort();
    }
    for old in all.iter().skip(KEPT) {
        values::remove(tree, &mut batch, old)?;
    }
    Ok(tree.apply_batch(batch)?)
}

fn load(tree: &Tree, key: &[u8]) -> Result<Option<StoredSnapshot>, ValueError> {
    let Some(mut value) = values::get(tree, key)? else { return Ok(None) };
    let (Some(sequence), Some(shape)) = (keys::sequence(key), value.first_chunk::<4>().copied()) else {
        return Ok(None);
    };
    let bytes: Bytes = value.split_off(4);
    Ok(Some(StoredSnapshot { sequence, shape: u32::from_le_bytes(shape), bytes }))
}
