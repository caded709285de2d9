//! Reading what is durable: never beyond what the index knows.

use std::collections::VecDeque;

use super::{Shared, keys, store::Failure};
use crate::persistence::{
    PartitionId, ReadError, Record, StreamId, record,
    sled::values::{self, ValueError},
    sync::read,
};

/// See `Journal::read_stream`. Walks back from the stream's head, record by record.
pub(super) fn stream(
    shared: &Shared,
    partitions: u16,
    stream: &StreamId,
    after: u64,
    limit: usize,
) -> Result<Vec<Record>, ReadError> {
    let partition = stream.partition(partitions);
    let (head, deleted) = {
        let index = read(&shared.index);
        (index.streams.get(stream).copied(), index.deleted(partition))
    };
    let Some(head) = head.filter(|head| head.sequence > after && limit > 0) else { return Ok(Vec::new()) };
    // The oldest `limit` records seen so far, oldest first: the newer ones go when there are too many.
    let mut kept: VecDeque<Record> = VecDeque::new();
    let mut position = head.offset;
    let mut next = head.sequence;
    loop {
        if position <= deleted {
            return Err(ReadError::Deleted { first: next + 1 });
        }
        let wrong = |what: &str| damaged(shared, partition, position, what);
        let key = keys::record(partition, position);
        let bytes =
            shared.store.access(|db| values::get(db, &key)).map_err(|failure| shared.store.not_read(failure))?;
        let bytes = bytes.ok_or_else(|| wrong("the record is missing"))?;
        let linked = record::decode(&bytes, &shared.names).map_err(|what| wrong(&what.to_string()))?;
        let before = linked.previous;
        let record = linked.record;
        if record.append.stream != *stream || record.last_sequence() != next || record.offset != position {
            return Err(wrong(&format!("the record does not continue {stream}")));
        }
        next = record.append.expected;
        kept.push_front(record);
        kept.truncate(limit);
        if next <= after {
            return Ok(kept.into());
        }
        let before = (u64::from(before.segment) << 32) | u64::from(before.byte);
        if before == 0 || before >= position {
            return Err(wrong("it does not say where its stream's record before it stands"));
        }
        position = before;
    }
}

/// See `Journal::read_feed`.
pub(super) fn feed(
    shared: &Shared,
    partition: PartitionId,
    after: u64,
    limit: usize,
) -> Result<Vec<Record>, ReadError> {
    let (durable, deleted) = {
        let index = read(&shared.index);
        (index.last(partition), index.deleted(partition))
    };
    if after < deleted {
        return Err(ReadError::Deleted { first: deleted + 1 });
    }
    if after >= durable || limit == 0 {
        return Ok(Vec::new());
    }
    let mut records: Vec<Record> = Vec::new();
    let mut wrong = None;
    let scanned = shared.store.access(|db| {
        // The first record of a page may begin before it.
        let upto = keys::record(partition, after + 1);
        let first = db.range(keys::partition(partition)..=upto).next_back().transpose()?;
        let Some((first, _)) = first else { return Ok(()) };
        for entry in db.range(first.to_vec()..=keys::record(partition, durable)) {
            let (key, sealed) = entry?;
            let next = records.last().map_or(after, Record::last_offset) + 1;
            let record = values::open(db, &key, &sealed)
                .map_err(|error: ValueError| error.to_string())
                .and_then(|bytes| record::decode(&bytes, &shared.names).map_err(|what| what.to_string()));
            match record.map(|linked| linked.record) {
                Ok(record) if record.offset == next || (records.is_empty() && record.offset < next) => {
                    records.push(record);
                }
                Ok(record) => wrong = Some((next, format!("position {next} belongs here, not {}", record.offset))),
                Err(what) => wrong = Some((next, what)),
            }
            if wrong.is_some() || records.len() >= limit {
                break;
            }
        }
        Ok(())
    });
    scanned.map_err(|failure| shared.store.not_read(failure))?;
    let last = records.last().map_or(after, Record::last_offset);
    match wrong {
        Some((position, what)) => Err(damaged(shared, partition, position, &what)),
        None if records.len() < limit && last < durable => {
            Err(damaged(shared, partition, last + 1, "the record is missing"))
        }
        None => Ok(records),
    }
}

fn damaged(shared: &Shared, partition: PartitionId, position: u64, what: &str) -> ReadError {
    let what = format!("partition {}: position {position}: {what}", partition.0);
    shared.store.not_read(Failure::Damaged(what))
}
