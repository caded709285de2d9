//! Deleting old records behind base records, which stand in the file `bases` beside sled, as those of segments do.
//!
//! Renaming that file is the deletion. The records are removed afterwards, batch by batch; the next opening removes what a
//! crash has left of them.

use std::{collections::HashMap, sync::Arc};

use ::sled::Batch;

use super::{
    SledJournal, keys,
    store::{Failure, Store},
};
use crate::persistence::{
    BaseOf, PartitionId, StreamId, TruncateError, Truncated, Truncation, record,
    rules::Head,
    segments::bases::{Bases, Before, Renewal, Start, failed},
    sled::values,
    sync::{lock, read, write},
    tip::Tip,
};

/// Records removed in one batch: sled's memory follows the size of a batch.
const MAX_REMOVED: usize = 256;

/// What is old enough and dealt with.
#[derive(Default)]
struct Deletable {
    tips: HashMap<StreamId, Tip>,
    positions: Vec<u64>,
    epoch: u64,
    records: u64,
    bytes: u64,
    behind: Option<TruncateError>,
}

impl SledJournal {
    /// See `Journal::truncate`.
    pub(super) fn delete(
        &self,
        what: Truncation<'_>,
        base: &mut BaseOf<'_>,
        before: &mut Before<'_>,
    ) -> Result<Truncated, TruncateError> {
        let _one = lock(&self.truncating);
        let (shared, dir) = (&self.shared, self.dir.as_path());
        let old = read(&shared.bases).clone();
        let mut found = Deletable::default();
        if let Some(old) = &old {
            let beginning = old.beginning(&shared.names)?;
            (found.tips, found.epoch) = (beginning.tips.into_iter().collect(), beginning.start.epoch);
        }
        for partition in (0..self.partitions).map(PartitionId) {
            let deleted = read(&shared.index).deleted(partition);
            let upto = self.deletable(partition, deleted, what, &mut found)?;
            found.positions.push(upto);
        }
        let deleted: u64 = old.as_ref().map_or(0, |old| old.start.positions.iter().sum());
        let events = found.positions.iter().sum::<u64>() - deleted;
        match found.behind.take() {
            Some(behind) if events == 0 => return Err(behind),
            _ => {}
        }
        // All base records are written anew, so that each deletes at least as much as it writes.
        if events == 0 || old.as_ref().is_some_and(|old| found.bytes < old.bytes) {
            return Ok(Truncated::default());
        }
        let start = Start {
            id: 0,
            segment: old.as_ref().map_or(0, |old| old.start.segment) + 1,
            next_frame: 1,
            chain: 0,
            epoch: found.epoch,
            positions: found.positions.clone(),
        };
        let durable = |stream: &StreamId| read(&shared.index).streams.get(stream).map_or(0, |head| head.sequence);
        let renewal = Renewal { dir, names: &shared.names, old: old.as_deref(), durable: &durable };
        let (new, bases) = renewal.make(&start, found.tips.into_iter(), base, before)?;
        {
            let mut index = write(&shared.index);
            index.deleted.clone_from(&found.positions);
            *write(&shared.bases) = Some(Arc::new(new));
        }
        {
            let mut counted = lock(&self.counted);
            *counted = (counted.0 + 1, counted.1 + events);
        }
        before("remove").map_err(failed)?;
        remove_upto(&shared.store, &found.positions).map_err(|failure| shared.store.not_read(failure))?;
        Ok(Truncated { pieces: found.records, events, bases })
    }

    /// The last position of a partition that may be deleted. The record behind it stays, whatever it is.
    fn deletable(
        &self,
        partition: PartitionId,
        deleted: u64,
        what: Truncation<'_>,
        found: &mut Deletable,
    ) -> Result<u64, TruncateError> {
        let store = &self.shared.store;
        let durable = read(&self.shared.index).last(partition);
        let dealt_with = what.dealt_with.get(usize::from(partition.0)).copied().unwrap_or(0);
        let mut upto = deleted;
        let mut wrong = None;
        let scanned = store.access(|db| {
            for entry in db.range(keys::record(partition, deleted + 1)..=keys::record(partition, durable)) {
                let (key, sealed) = entry?;
                let bytes = values::open(db, &key, &sealed)?;
                let record = match record::decode(&bytes, &self.shared.names) {
                    Ok(linked) => linked.record,
                    Err(error) => {
                        wrong = Some(format!("partition {}: position {}: {error}", partition.0, upto + 1));
                        break;
                    }
                };
                let last = record.last_offset();
                if record.append.at_millis >= what.before_millis || last >= durable {
                    break;
                }
                if last > dealt_with {
                    let is_first = upto == deleted && found.behind.is_none();
                    let behind = TruncateError::Behind { partition: partition.0, needed: last, dealt_with };
                    found.behind = if is_first { Some(behind) } else { found.behind.take() };
                    break;
                }
                upto = last;
                found.records += 1;
                found.bytes += bytes.len() as u64;
                found.epoch = found.epoch.max(record.append.lease.epoch);
                let tip =
                    Tip { head: Head::after(&record.append, record.offset), location: keys::location(record.offset) };
                found.tips.insert(record.append.stream, tip);
            }
            Ok(())
        });
        scanned.map_err(|failure| store.not_read(failure))?;
        match wrong {
            Some(what) => Err(store.not_read(Failure::Damaged(what)).into()),
            None => Ok(upto),
        }
    }
}

/// Removes what is void: the records up to these positions, one for each partition.
pub(super) fn remove_upto(store: &Store, positions: &[u64]) -> Result<(), Failure> {
    let mut removed = false;
    for (partition, upto) in (0..).map(PartitionId).zip(positions).filter(|(_, upto)| **upto > 0) {
        loop {
            let mut batch = Batch::default();
            let mut count = 0;
            store.access(|db| {
                let range = keys::record(partition, 0)..=keys::record(partition, *upto);
                for entry in db.range(range).take(MAX_REMOVED) {
                    let (key, _) = entry?;
                    values::remove(db, &mut batch, &key)?;
                    count += 1;
                }
                Ok(())
            })?;
            if count == 0 {
                break;
            }
            store.apply(batch)?;
            removed = true;
        }
    }
    if removed { store.sync() } else { Ok(()) }
}

/// How often history was deleted, and how many events.
pub(super) type Counted = (u64, u64);

impl SledJournal {
    /// What stands for deleted records.
    pub(super) fn bases(&self) -> Option<Arc<Bases>> {
        read(&self.shared.bases).clone()
    }
}
