//! Opening: every record is decoded, and must continue its partition and its stream; no partition may end before what
//! the witnesses say.

use ::sled::Batch;
use bytes::Bytes;

use super::{
    Index, epoch, keys,
    store::{Failure, Store},
    truncate,
};
use crate::persistence::{
    OpenError, PartitionId,
    codec::{Decoder, Encoder, Malformed, Names},
    record,
    rules::Head,
    segments::bases::Beginning,
    sled::values,
};

/// What was found, all of it whole.
#[derive(Debug, Default)]
pub(super) struct Recovered {
    pub(super) index: Index,
    /// The greatest epoch of any record.
    pub(super) epoch: u64,
    /// Of each partition: the last position before its last batch.
    before: Vec<u64>,
}

/// Reads all of it.
pub(super) fn scan(
    store: &Store,
    partitions: u16,
    witness: Option<&epoch::Witness>,
    names: &Names,
    beginning: Option<Beginning>,
) -> Result<Recovered, OpenError> {
    let mut found = Recovered::default();
    if let Some(Beginning { start, tips }) = beginning {
        found.epoch = start.epoch;
        found.index.deleted = start.positions;
        found.index.streams = tips.into_iter().map(|(stream, tip)| (stream, tip.head)).collect();
    }
    for number in 0..partitions {
        let partition = PartitionId(number);
        let scanned = of_partition(store, partition, partitions, names, &mut found);
        let last = scanned.map_err(|failure| at(store, partition, failure))?;
        let kept = read_witness(store, partition).map_err(|failure| at(store, partition, failure))?;
        let apart = witness.and_then(|witness| witness.positions.get(usize::from(number))).copied().unwrap_or(0);
        let (before, acknowledged) = kept.unwrap_or((0, 0));
        if last != acknowledged || last < apart {
            let missing = acknowledged.max(apart);
            let what = format!("it ends at position {last}, and position {missing} was acknowledged");
            return Err(at(store, partition, Failure::Damaged(what)));
        }
        found.before.push(before);
        found.index.positions.push(last);
    }
    Ok(found)
}

fn at(store: &Store, partition: PartitionId, failure: Failure) -> OpenError {
    store.not_opened(match failure {
        Failure::Damaged(what) => Failure::Damaged(format!("partition {}: {what}", partition.0)),
        io @ Failure::Io(_) => io,
    })
}

/// The partition's last position.
fn of_partition(
    store: &Store,
    partition: PartitionId,
    partitions: u16,
    names: &Names,
    found: &mut Recovered,
) -> Result<u64, Failure> {
    let mut last = found.index.deleted(partition);
    // Within one guard: a record is looked at as it is met.
    let mut wrong = None;
    store.access(|db| {
        // What is deleted and was not yet removed is void.
        for entry in db.range(keys::record(partition, last + 1)..=keys::record(partition, u64::MAX)) {
            let (key, sealed) = entry?;
            let position = keys::position(&key).ok_or(Malformed("has a key that names no position"))?;
            let decoded = values::open(db, &key, &sealed)
                .map_err(|error| error.to_string())
                .and_then(|bytes| record::decode(&bytes, names).map_err(|what| what.to_string()));
            let taken = decoded.and_then(|linked| take(linked, partition, partitions, last, found));
            match taken {
                Ok(end) => last = end,
                Err(what) => {
                    wrong = Some(format!("position {position}: {what}"));
                    break;
                }
            }
        }
        Ok(())
    })?;
    wrong.map_or(Ok(last), |what| Err(Failure::Damaged(what)))
}

/// Takes a record into the index, if it is the next of its partition and its stream.
fn take(
    record::Linked { record, previous }: record::Linked,
    partition: PartitionId,
    partitions: u16,
    last: u64,
    found: &mut Recovered,
) -> Result<u64, String> {
    let append = &record.append;
    if append.lease.partition != partition || append.stream.partition(partitions) != partition {
        return Err(format!("a record of partition {} stands here", append.lease.partition.0));
    }
    if record.offset != last + 1 {
        return Err(format!("position {} belongs here, not {}", last + 1, record.offset));
    }
    let before = found.index.streams.get(&append.stream);
    let (sequence, link) = before.map_or((0, 0), |head| (head.sequence, head.offset));
    if append.expected != sequence || previous != keys::location(link) {
        return Err(format!("{} is at {sequence}, and its next record says {}", append.stream, append.expected));
    }
    let end = record.last_offset();
    found.epoch = found.epoch.max(append.lease.epoch);
    let head = Head::after(append, record.offset);
    found.index.streams.insert(record.append.stream, head);
    Ok(end)
}

fn read_witness(store: &Store, partition: PartitionId) -> Result<Option<(u64, u64)>, Failure> {
    store.access(|db| {
        let Some(bytes) = values::get(db, &keys::witness(partition))? else { return Ok(None) };
        let mut from = Decoder::new(bytes);
        let positions = (from.u64()?, from.u64()?);
        from.end()?;
        Ok(Some(positions))
    })
}

/// The bytes of a partition's witness.
pub(super) fn witness(before: u64, last: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(16);
    let mut to = Encoder(&mut bytes);
    to.u64(before);
    to.u64(last);
    bytes
}

/// Makes what was found durable: the records of each partition's last batch are written once more, and synced.
///
/// They were perhaps never synced, or their sync failed, after which the system takes their pages for clean: only
/// writing them again makes it sync them.
pub(super) fn settle(store: &Store, found: &Recovered, epoch: u64) -> Result<(), OpenError> {
    let failed = |failure| store.not_opened(failure);
    for (number, (before, last)) in (0..).zip(found.before.iter().zip(&found.index.positions)) {
        let partition = PartitionId(number);
        let before = before.max(&found.index.deleted(partition)).to_owned();
        let mut batch = Batch::default();
        let written = store.access(|db| {
            let range = keys::record(partition, before + 1)..=keys::record(partition, *last);
            for entry in db.range(range).filter(|_| *last > before) {
                let (key, sealed) = entry?;
                let bytes: Bytes = values::open(db, &key, &sealed)?;
                values::add(db, &mut batch, &key, &bytes)?;
            }
            Ok(())
        });
        written.and_then(|()| store.apply(batch)).map_err(failed)?;
    }
    store.sync().map_err(failed)?;
    truncate::remove_upto(store, &found.index.deleted).map_err(failed)?;
    tracing::debug!(epoch, streams = found.index.streams.len(), "journal opened");
    Ok(())
}
