//! A journal's heads, in a tree of their own.

use ::sled::Batch;
use bytes::Bytes;

use super::{SledStore, failed, keys, values};
use crate::persistence::{
    StoreError, StreamId,
    codec::{Decoder, Encoder, Malformed, Names},
    heads::{Checkpoint, HeadStore, MAX_HEADS, Tip, VERSION, check_version},
    record::Location,
};

impl HeadStore for SledStore {
    fn checkpoint(&self) -> Result<Option<Checkpoint>, StoreError> {
        self.access("reading the heads' checkpoint", |opened| {
            let value = values::get(&opened.heads, keys::CHECKPOINT)?;
            Ok(value.map(decode_checkpoint).transpose()?)
        })
    }

    fn heads(&self, names: &Names, visit: &mut dyn FnMut(StreamId, Tip)) -> Result<(), StoreError> {
        self.access("reading heads", |opened| {
            for row in opened.heads.scan_prefix(keys::HEADS) {
                let (key, value) = row?;
                let content = Bytes::copy_from_slice(values::unseal(&key, &value)?);
                visit(keys::stream(&key, names)?, Tip::decode(content)?);
            }
            Ok(())
        })
    }

    fn save_heads(&self, rows: &[(StreamId, Tip)], checkpoint: Option<&Checkpoint>) -> Result<(), StoreError> {
        const DOING: &str = "saving heads";
        if rows.len() > MAX_HEADS {
            return Err(failed(DOING, format!("{} heads are more than one batch may have", rows.len())));
        }
        let mut batch = Batch::default();
        for (stream, tip) in rows {
            let key = keys::head(stream);
            let sealed = values::seal(&key, &tip.encode());
            batch.insert(key, sealed);
        }
        match checkpoint {
            None => self.access(DOING, |opened| Ok(opened.heads.apply_batch(batch)?)),
            Some(checkpoint) => self.write_in(DOING, |opened| {
                values::insert(&opened.heads, &mut batch, keys::CHECKPOINT, &encode_checkpoint(checkpoint))?;
                Ok(opened.heads.apply_batch(batch)?)
            }),
        }
    }

    fn clear_heads(&self) -> Result<(), StoreError> {
        const DOING: &str = "clearing heads";
        self.write_in(DOING, |opened| {
            let mut batch = Batch::default();
            values::remove(&opened.heads, &mut batch, keys::CHECKPOINT)?;
            Ok(opened.heads.apply_batch(batch)?)
        })?;
        self.write_in(DOING, |opened| values::remove_all(&opened.heads, b""))
    }
}

fn encode_checkpoint(checkpoint: &Checkpoint) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut to = Encoder(&mut bytes);
    to.u8(VERSION);
    to.u128(checkpoint.journal);
    to.u64(checkpoint.frame);
    to.u32(checkpoint.end.segment);
    to.u32(checkpoint.end.byte);
    to.u64(checkpoint.chain);
    to.u16(u16::try_from(checkpoint.positions.len()).expect("partitions are counted by a u16"));
    checkpoint.positions.iter().for_each(|position| to.u64(*position));
    bytes
}

fn decode_checkpoint(bytes: Bytes) -> Result<Checkpoint, Malformed> {
    let mut from = Decoder::new(bytes);
    check_version(&mut from)?;
    let (journal, frame) = (from.u128()?, from.u64()?);
    let end = Location { segment: from.u32()?, byte: from.u32()? };
    let chain = from.u64()?;
    let partitions = from.u16()?;
    let positions = (0..partitions).map(|_| from.u64()).collect::<Result<_, _>>()?;
    from.end()?;
    Ok(Checkpoint { journal, frame, end, chain, positions })
}
