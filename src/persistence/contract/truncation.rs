//! Deleting old events.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use bytes::Bytes;

use super::{Reopen, next, wait};
use crate::persistence::{
    Append, AppendError, Journal, PartitionId, ReadError, Record, StoredSnapshot, StreamHead, StreamId, TruncateError,
    Truncated, Truncation,
    sample::{event, stream},
};

/// A state that says what it is of.
pub(super) fn state(stream: &StreamId, sequence: u64) -> StoredSnapshot {
    StoredSnapshot { sequence, shape: 3, bytes: Bytes::from(format!("{stream}@{sequence}")) }
}

/// Deletes with base records as of the streams' durable heads.
pub(super) fn truncate(
    journal: &dyn Journal,
    before_millis: u64,
    dealt_with: &[u64],
) -> Result<Truncated, TruncateError> {
    journal.truncate(Truncation { before_millis, dealt_with }, &mut |stream, _| {
        Ok(state(stream, journal.head(stream).unwrap().sequence))
    })
}

fn partitions(journal: &dyn Journal) -> Vec<PartitionId> {
    (0..journal.partitions()).map(PartitionId).collect()
}

fn durable(journal: &dyn Journal) -> Vec<u64> {
    partitions(journal).into_iter().map(|partition| journal.durable(partition)).collect()
}

/// Everything that was ever written, by partition and by stream, to be compared with what is left.
struct Written {
    feeds: Vec<Vec<Record>>,
    heads: Vec<(StreamId, StreamHead)>,
}

fn sorted_heads(journal: &dyn Journal) -> Vec<(StreamId, StreamHead)> {
    let mut heads = Vec::new();
    journal.heads(&mut |stream, head| heads.push((stream.clone(), *head)));
    heads.sort_by(|a, b| a.0.cmp(&b.0));
    heads
}

impl Written {
    fn all(journal: &dyn Journal) -> Self {
        let feed = |partition| journal.read_feed(partition, 0, usize::MAX).unwrap();
        Self { feeds: partitions(journal).into_iter().map(feed).collect(), heads: sorted_heads(journal) }
    }

    /// Nothing is missing but what stands before the first positions, and of that a base record remains.
    fn assert_left(&self, journal: &dyn Journal) {
        assert_eq!(sorted_heads(journal), self.heads);
        for (partition, all) in partitions(journal).into_iter().zip(&self.feeds) {
            let first = journal.first(partition);
            let left: Vec<_> = all.iter().filter(|record| record.offset >= first).cloned().collect();
            assert_eq!(journal.read_feed(partition, first - 1, usize::MAX).unwrap(), left);
            assert_eq!(journal.durable(partition), all.last().map_or(0, Record::last_offset));
            for after in (0..first - 1).rev().take(3).chain(first.checked_sub(2).map(|_| 0)) {
                let deleted = journal.read_feed(partition, after, 1);
                assert!(matches!(deleted, Err(ReadError::Deleted { first: told }) if told == first), "{deleted:?}");
            }
        }
        for (stream, head) in &self.heads {
            let partition = stream.partition(journal.partitions());
            let first = journal.first(partition);
            let all = self.feeds[usize::from(partition.0)].iter().filter(|record| record.append.stream == *stream);
            let lost = all.clone().filter(|record| record.offset < first).last().map_or(0, Record::last_sequence);
            let base = journal.base(stream).unwrap();
            assert_eq!(base.is_some(), lost > 0);
            if let Some(base) = base {
                assert!((lost..=head.sequence).contains(&base.sequence));
                assert_eq!(base, state(stream, base.sequence));
            }
            for after in lost..=head.sequence {
                let left: Vec<_> = all.clone().filter(|record| record.last_sequence() > after).cloned().collect();
                assert_eq!(journal.read_stream(stream, after, usize::MAX).unwrap(), left);
            }
            for after in (0..lost).rev().take(3).chain((lost > 0).then_some(0)) {
                for limit in [1, usize::MAX] {
                    let deleted = journal.read_stream(stream, after, limit);
                    let told = matches!(deleted, Err(ReadError::Deleted { first }) if first == lost + 1);
                    assert!(told, "{stream} after {after} of {lost}: {deleted:?}");
                }
            }
        }
    }
}

/// Appends `count` events, each a millisecond younger than the one before; stream 0 only in the beginning.
fn write(journal: &dyn Journal, from: u64, count: u64) {
    for n in from..from + count {
        let key = if n < 3 { 0 } else { 1 + n % 4 };
        let stream = stream(&key.to_string());
        let expected = journal.head(&stream).map_or(0, |head| head.sequence);
        let events = vec![event(vec![b'x'; 100]); 1 + usize::try_from(n % 2).unwrap()];
        let append = Append { at_millis: n, events, ..next(journal, &stream, expected, u128::from(n)) };
        wait(journal, append).unwrap();
    }
}

pub(super) fn what_is_old_is_deleted_and_all_else_goes_on(mut open: Reopen<dyn Journal>) {
    let mut journal = open();
    write(&*journal, 0, 300);
    let written = Written::all(&*journal);
    let nothing = Truncated::default();
    assert_eq!(truncate(&*journal, 0, &durable(&*journal)).unwrap(), nothing, "nothing is old");
    written.assert_left(&*journal);
    let truncated = truncate(&*journal, 200, &durable(&*journal)).unwrap();
    assert!(truncated.events > 50 && truncated.pieces > 0 && truncated.bases == 5, "{truncated:?}");
    let first = |journal: &dyn Journal| -> Vec<u64> {
        partitions(journal).into_iter().map(|partition| journal.first(partition)).collect()
    };
    let cut = first(&*journal);
    assert_eq!(cut.iter().map(|first| first - 1).sum::<u64>(), truncated.events);
    for (all, first) in written.feeds.iter().zip(&cut) {
        assert!(all.iter().all(|record| record.offset >= *first || record.append.at_millis < 200));
    }
    assert!(journal.base(&stream("0")).unwrap().is_some() && journal.head(&stream("0")).is_some());
    for round in 0..2 {
        written.assert_left(&*journal);
        journal.close();
        drop(journal);
        journal = open();
        assert_eq!(first(&*journal), cut, "after reopening {round}");
    }
    written.assert_left(&*journal);

    // Fences, repeats and positions are those of before.
    let head = journal.head(&stream("0")).unwrap();
    let conflict = next(&*journal, &stream("0"), 0, 77);
    assert!(matches!(wait(&*journal, conflict), Err(AppendError::Conflict { actual, .. }) if actual == head.sequence));
    let again = next(&*journal, &stream("0"), head.sequence - 1, 2);
    assert!(matches!(wait(&*journal, again), Err(AppendError::Duplicate(_))));
    write(&*journal, 300, 300);
    let mut more = Written { feeds: Vec::new(), heads: sorted_heads(&*journal) };
    for (partition, all) in partitions(&*journal).into_iter().zip(&written.feeds) {
        let known = all.last().map_or(0, Record::last_offset);
        let newer = journal.read_feed(partition, known.max(journal.first(partition) - 1), usize::MAX).unwrap();
        more.feeds.push(all.iter().cloned().chain(newer).collect());
    }
    more.assert_left(&*journal);

    // Once more, behind what is deleted already.
    let truncated = truncate(&*journal, u64::MAX, &durable(&*journal)).unwrap();
    assert!(truncated.events > 0, "{truncated:?}");
    assert!(first(&*journal).iter().zip(&cut).all(|(now, before)| now >= before));
    more.assert_left(&*journal);
    journal.close();
    drop(journal);
    more.assert_left(&*open());
}

pub(super) fn what_a_reader_has_not_dealt_with_is_kept(mut open: Reopen<dyn Journal>) {
    let journal = open();
    write(&*journal, 0, 300);
    let written = Written::all(&*journal);
    let durable = durable(&*journal);
    for slow in [vec![0; 4], Vec::new()] {
        let refused = truncate(&*journal, u64::MAX, &slow);
        assert!(matches!(refused, Err(TruncateError::Behind { dealt_with: 0, needed: 1.., .. })), "{refused:?}");
    }
    assert!(partitions(&*journal).into_iter().all(|partition| journal.first(partition) == 1));
    written.assert_left(&*journal);
    // Half way: never more than that.
    let upto =
        |all: &Vec<Record>| all.iter().filter(|record| record.append.at_millis < 150).map(Record::last_offset).max();
    let half: Vec<_> = written.feeds.iter().map(|all| upto(all).unwrap_or(0)).collect();
    assert!(half.iter().zip(&durable).any(|(half, last)| half < last));
    assert!(truncate(&*journal, u64::MAX, &half).unwrap().events > 0);
    for (partition, half) in partitions(&*journal).into_iter().zip(half) {
        assert!(journal.first(partition) <= half + 1);
    }
    written.assert_left(&*journal);
}

pub(super) fn nothing_is_deleted_without_base_records(mut open: Reopen<dyn Journal>) {
    let journal = open();
    write(&*journal, 0, 300);
    let written = Written::all(&*journal);
    let dealt_with = durable(&*journal);
    let what = Truncation { before_millis: u64::MAX, dealt_with: &dealt_with };
    let refused = |outcome: Result<Truncated, TruncateError>| {
        assert!(matches!(outcome, Err(TruncateError::NoBase { .. })), "{outcome:?}");
        written.assert_left(&*journal);
        assert!(partitions(&*journal).into_iter().all(|partition| journal.first(partition) == 1));
    };
    let mut asked = 0;
    refused(journal.truncate(what, &mut |stream, sequence| {
        asked += 1;
        if asked == 5 { Err("it is quarantined".to_owned()) } else { Ok(state(stream, sequence)) }
    }));
    assert_eq!(asked, 5, "every stream but one had a base record");
    refused(journal.truncate(what, &mut |stream, sequence| Ok(state(stream, sequence - 1))));
    refused(journal.truncate(what, &mut |stream, _| Ok(state(stream, journal.head(stream).unwrap().sequence + 1))));
    // As of the last deleted event is enough.
    assert!(journal.truncate(what, &mut |stream, sequence| Ok(state(stream, sequence))).unwrap().events > 0);
    written.assert_left(&*journal);
}

/// Tells others of the end, also of one by a panic: they would go on for ever.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Deleting holds up neither writers nor readers, who find everything or are told where it begins.
pub(super) fn others_write_and_read_meanwhile(mut open: Reopen<dyn Journal>) {
    let journal = open();
    let written = AtomicBool::new(false);
    let mut deleted = 0;
    thread::scope(|scope| {
        let writers: Vec<_> = (0..4u64)
            .map(|writer| {
                let journal = &journal;
                scope.spawn(move || {
                    let stream = stream(&writer.to_string());
                    for n in 0..150 {
                        let events = vec![event(vec![b'x'; 200])];
                        wait(&**journal, Append { events, ..next(&**journal, &stream, n, u128::from(n)) }).unwrap();
                    }
                })
            })
            .collect();
        for key in 0..2 {
            let (journal, written) = (&journal, &written);
            scope.spawn(move || {
                let stream = stream(&key.to_string());
                let partition = stream.partition(journal.partitions());
                while !written.load(Ordering::Acquire) {
                    let after = journal.base(&stream).unwrap().map_or(0, |base| base.sequence);
                    match journal.read_stream(&stream, after, 9) {
                        Ok(records) => {
                            assert!(records.first().is_none_or(|record| record.first_sequence() == after + 1));
                        }
                        Err(ReadError::Deleted { first }) => assert!(first > after + 1),
                        Err(error) => panic!("{error}"),
                    }
                    let first = journal.first(partition);
                    match journal.read_feed(partition, first - 1, 9) {
                        Ok(records) => assert!(records.first().is_none_or(|record| record.offset == first)),
                        Err(ReadError::Deleted { first: told }) => assert!(told > first),
                        Err(error) => panic!("{error}"),
                    }
                    thread::yield_now();
                }
            });
        }
        let _end = End(&written);
        // Once more when all is written, for a journal in memory may be done before the first look.
        let mut ended = false;
        while !ended {
            ended = writers.iter().all(thread::ScopedJoinHandle::is_finished);
            // As of the deleted events, so that a reader behind a base record has something to read.
            let dealt_with = durable(&*journal);
            let what = Truncation { before_millis: u64::MAX, dealt_with: &dealt_with };
            match journal.truncate(what, &mut |stream, sequence| Ok(state(stream, sequence))) {
                Ok(truncated) => deleted += truncated.events,
                // The oldest piece has events that came after the look at what is durable.
                Err(TruncateError::Behind { .. }) if !ended => {}
                Err(error) => panic!("{error}"),
            }
        }
    });
    assert!(deleted > 0);
    assert_eq!(durable(&*journal).iter().sum::<u64>(), 4 * 150);
}
