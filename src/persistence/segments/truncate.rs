//! Deleting segments behind base records.
//!
//! ```text
//! which segments? --> read them --> base records --> bases.new: written, synced, read back --> renamed, directory synced
//!                                                                                               --> segments removed
//! ```
//! A crash before the renaming leaves everything as it was; one behind it leaves segments that are void, and that the
//! next opening removes.

use std::{io, sync::Arc};

use super::{
    SegmentsJournal,
    bases::{Bases, Beginning, Entry, Making, Start},
    count,
    recovery::{self, Recovered},
    run::Run,
    segment,
};
use crate::persistence::{
    BaseOf, OpenError, ReadError, StoreError, TruncateError, Truncated, Truncation,
    sync::{lock, read, write},
};

/// Is asked before each step that changes something on the disk, so that a test can stop there.
pub(super) type Before<'a> = dyn FnMut(&'static str) -> io::Result<()> + 'a;

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
        segment::remove_upto(dir, read(&run.shared.index).cut()).map_err(failed)?;
        let old = read(&run.bases).clone();
        let Some(upto) = self.deletable(&run, what, old.as_deref())? else { return Ok(Truncated::default()) };

        let names = &run.reader.names;
        let beginning = old.as_ref().map(|old| old.beginning(names)).transpose()?;
        let segments = segment::list(dir).map_err(failed)?;
        let found = recovery::scan_until(dir, &segments, upto, self.config.partitions, names, beginning.as_ref());
        let found = found.map_err(not_read)?;
        let events = events(&found, beginning.as_ref());
        drop(beginning);

        let (new, bases) = self.write_bases(&run, old.as_deref(), upto, &found, base, before)?;
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
        for segment in read(&run.shared.index).cut() + 1.. {
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

    /// Makes the file that stands for everything up to `upto`, durably. Returns it, and how many base records are new.
    fn write_bases(
        &self,
        run: &Run,
        old: Option<&Bases>,
        upto: u32,
        found: &Recovered,
        base: &mut BaseOf<'_>,
        before: &mut Before<'_>,
    ) -> Result<(Bases, u64), TruncateError> {
        let (dir, names) = (&self.config.dir, &run.reader.names);
        let start = Start {
            id: found.id,
            segment: upto,
            next_frame: found.next_frame,
            chain: found.index.end.chain,
            epoch: found.epoch,
            positions: found.index.positions(),
        };
        before("create").map_err(failed)?;
        let mut making = Making::begin(dir, &start).map_err(failed)?;
        let mut made = 0;
        for number in 0.. {
            let Some(part) = found.index.streams.part(number) else { break };
            for (stream, tip) in part {
                let sequence = tip.head.sequence;
                let kept = old.map(|old| old.get(&stream, names)).transpose()?.flatten();
                let base = match kept.filter(|kept| kept.base.sequence >= sequence) {
                    Some(kept) => kept.base,
                    None => {
                        made += 1;
                        let durable = read(&run.shared.index).streams.get(&stream).map_or(0, |tip| tip.head.sequence);
                        TruncateError::unless_of_use(&stream, sequence, durable, base(&stream, sequence))?
                    }
                };
                making.add(&Entry { stream, tip, base }).map_err(failed)?;
            }
        }
        before("sync").map_err(failed)?;
        making.sync().map_err(failed)?;
        before("check").map_err(failed)?;
        let checked = making.check(&start, names).map_err(not_read)?;
        before("rename").map_err(failed)?;
        checked.replace().map_err(failed)?;
        before("settle").map_err(failed)?;
        Ok((checked.settle().map_err(failed)?, made))
    }
}

/// How many events are deleted.
fn events(found: &Recovered, beginning: Option<&Beginning>) -> u64 {
    let before = beginning.map_or(0, |beginning| beginning.start.positions.iter().sum());
    found.index.positions().iter().sum::<u64>() - before
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn failed(error: io::Error) -> TruncateError {
    TruncateError::Store(StoreError { doing: "deleting history", reason: error.to_string() })
}

fn not_read(error: OpenError) -> TruncateError {
    TruncateError::Read(match error {
        OpenError::Damaged { file, at, what } => ReadError::Damaged { file, at, what },
        OpenError::Io { file, source } => ReadError::Io { file, source },
        other => return failed(io::Error::other(other.to_string())),
    })
}
