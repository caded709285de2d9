//! Deleting old records in memory: record by record, the newest of each partition stays.

use std::{collections::HashMap, sync::Arc};

use super::{Image, MemoryStore};
use crate::persistence::{BaseOf, PartitionId, Record, StreamId, TruncateError, Truncated, Truncation, sync::lock};

impl MemoryStore {
    /// See `Journal::truncate`.
    pub(super) fn delete(&self, what: Truncation<'_>, base: &mut BaseOf<'_>) -> Result<Truncated, TruncateError> {
        let _one = lock(&self.truncating);
        let (counts, sequences) = lock(&self.durable).deletable(what)?;
        // Not under the lock: whoever makes a base record reads here.
        let mut bases = HashMap::new();
        for (stream, sequence) in sequences {
            let known = lock(&self.durable).bases.get(&stream).cloned();
            if known.is_none_or(|known| known.sequence < sequence) {
                let made = base(&stream, sequence);
                let durable = lock(&self.durable).streams.get(&stream).map_or(0, |stream| stream.head.sequence);
                let made = TruncateError::unless_of_use(&stream, sequence, durable, made)?;
                bases.insert(stream, made);
            }
        }
        let mut image = lock(&self.durable);
        let mut truncated = Truncated { bases: bases.len() as u64, ..Truncated::default() };
        image.bases.extend(bases);
        for (partition, count) in (0..).zip(counts) {
            let deleted = image.delete_first(PartitionId(partition), count);
            truncated.pieces += count as u64;
            truncated.events += deleted;
        }
        Ok(truncated)
    }
}

/// How many records of each partition, and the last sequence that each stream loses.
type Deletable = (Vec<usize>, Vec<(StreamId, u64)>);

impl Image {
    fn deletable(&self, what: Truncation<'_>) -> Result<Deletable, TruncateError> {
        let (mut counts, mut sequences) = (Vec::new(), HashMap::new());
        let mut behind = None;
        for (records, partition) in self.partitions.iter().zip(0..) {
            let dealt_with = what.dealt_with.get(usize::from(partition)).copied().unwrap_or(0);
            let kept = records.split_last().map_or(&[][..], |(_, kept)| kept);
            let old = kept.iter().take_while(|record| record.append.at_millis < what.before_millis);
            let deleted: Vec<&Arc<Record>> =
                old.clone().take_while(|record| record.last_offset() <= dealt_with).collect();
            if let Some(next) = old.clone().next().filter(|_| deleted.is_empty()) {
                let needed = next.last_offset();
                behind.get_or_insert(TruncateError::Behind { partition, needed, dealt_with });
            }
            counts.push(deleted.len());
            for record in deleted {
                sequences.insert(record.append.stream.clone(), record.last_sequence());
            }
        }
        match behind {
            Some(behind) if sequences.is_empty() => Err(behind),
            _ => Ok((counts, sequences.into_iter().collect())),
        }
    }

    /// Returns how many events they had.
    fn delete_first(&mut self, partition: PartitionId, count: usize) -> u64 {
        let Some(records) = self.partitions.get_mut(usize::from(partition.0)) else { return 0 };
        let deleted: Vec<_> = records.drain(..count).collect();
        for record in &deleted {
            if let Some(stream) = self.streams.get_mut(&record.append.stream) {
                stream.records.retain(|kept| kept.offset != record.offset);
            }
        }
        if let (Some(last), Some(known)) = (deleted.last(), self.deleted.get_mut(usize::from(partition.0))) {
            *known = last.last_offset();
        }
        deleted.iter().map(|record| record.append.events.len() as u64).sum()
    }
}
