//! Deleting segments behind base records.
//!
//! ```text
//! which segments? --> read them --> base records --> bases.new: written, synced, read back --> renamed, directory synced
//!                                                                                               --> segments removed
//! ```
//! A crash before the renaming leaves everything as it was; one behind it leaves segments that are void, and that the
//! next opening removes.

use std::sync::Arc;

use super::{
    SegmentsJournal,
    bases::{Bases, Before, Beginning, Renewal, Start, failed, not_read},
    count,
    recovery::{self, Recovered},
    run::Run,
    segment,
};
use crate::persistence::{
    BaseOf, StreamId, TruncateError, Truncated, Truncation,
    sync::{lock, read, write},
};

impl SegmentsJournal {
    /// See `Journal::truncate`.
    pub(super) fn delete(
        &self,
        what: Truncation<'_>,
        base: &mut BaseOf<'_>,
        before: &mut Before<'_>,
    ) -> Result<Truncated, TruncateError> {
        let _no_reopening = lock(&self.reopening);
        let run = self.run();
        let dir = &self.config.dir;
        // What an earlier one has deleted and could not remove.
        let cut = read(&run.shared.index).cut();
        segment::remove_upto(dir, cut).map_err(failed)?;
        let old = read(&run.bases).clone();
        let Some(upto) = self.deletable(&run, what, old.as_deref())? else { return Ok(Truncated::default()) };

        let names = &run.reader.names;
        let beginning = old.as_ref().map(|old| old.beginning(names)).transpose()?;
        let segments = segment::list(dir).map_err(failed)?;
        let found = recovery::scan_until(dir, &segments, upto, self.config.partitions, names, beginning.as_ref());
        let found = found.map_err(not_read)?;
        let events = events(&found, beginning.as_ref());
        drop(beginning);

        let start = Start {
            id: found.id.0,
            segment: upto,
            next_frame: found.next_frame,
            chain: found.index.end.chain,
            epoch: found.epoch,
            positions: found.index.positions(),
        };
        let durable =
            |stream: &StreamId| read(&run.shared.index).streams.get(stream).map_or(0, |tip| tip.head.sequence);
        let tips = (0..).map_while(|part| found.index.streams.part(part)).flatten();
        let renewal = Renewal { dir, names, old: old.as_deref(), durable: &durable };
        // Whoever wants to open it again waits for this to end.
        let mut unless_poisoned = |stream: &StreamId, sequence| match run.shared.poisoned.get() {
            Some(reason) => Err(format!("the journal takes no writes: {reason}")),
            None => base(stream, sequence),
        };
        let (new, bases) = renewal.make(&start, tips, &mut unless_poisoned, before)?;
        {
            // Together: whoever finds something deleted finds the base record.
            let mut index = write(&run.shared.index);
            index.delete(upto, &new.start.positions);
            *write(&run.bases) = Some(Arc::new(new));
        }
        let counters = &run.shared.counters;
        count(&counters.truncations);
        counters.deleted.fetch_add(events, std::sync::atomic::Ordering::Relaxed);
        run.reader.forget(upto);
        lock(&self.newest).retain(|segment, _| *segment > upto);
        let pieces = u64::from(upto - found.deleted);
        before("remove").and_then(|()| segment::remove_upto(dir, upto)).map_err(failed)?;
        Ok(Truncated { pieces, events, bases })
    }

    /// The last segment that may be deleted and is worth it.
    fn deletable(&self, run: &Run, what: Truncation<'_>, old: Option<&Bases>) -> Result<Option<u32>, TruncateError> {
        let (mut upto, mut bytes) = (None, 0);
        // Not in the loop's head: a lock taken there is held all along, and a second one behind a waiting writer never comes.
        let first = read(&run.shared.index).cut() + 1;
        for segment in first.. {
            let (end, above) = {
                let index = read(&run.shared.index);
                // The last one with a frame always stays: the writer, or a reopening, may be at it.
                if segment >= index.end.place.segment {
                    break;
                }
                (index.end_of(segment), index.above(segment, what.dealt_with))
            };
            let known = lock(&self.newest).get(&segment).copied();
            let newest = known.map_or_else(|| run.reader.newest(segment, end), Ok)?;
            lock(&self.newest).insert(segment, newest);
            if newest >= what.before_millis {
                break;
            }
            match above {
                Some((partition, needed)) if upto.is_none() => {
                    let dealt_with = what.dealt_with.get(usize::from(partition)).copied().unwrap_or(0);
                    return Err(TruncateError::Behind { partition, needed, dealt_with });
                }
                Some(_) => break,
                None => (upto, bytes) = (Some(segment), bytes + u64::from(end)),
            }
        }
        // All base records are written anew, so that each deletes at least as much as it writes.
        Ok(upto.filter(|_| old.is_none_or(|old| bytes >= old.bytes)))
    }
}

/// How many events are deleted.
fn events(found: &Recovered, beginning: Option<&Beginning>) -> u64 {
    let before = beginning.map_or(0, |beginning| beginning.start.positions.iter().sum());
    found.index.positions().iter().sum::<u64>() - before
}
