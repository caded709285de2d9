//! Many writers and readers at once.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

use super::{Reopen, next, wait};
use crate::persistence::{
    Append, AppendError, Appended, Journal, PartitionId, Record,
    sample::{event, stream},
};

const WRITERS: usize = 64;
const EACH: u64 = 20;

/// 64 threads, each the single writer of its stream; some appends have more than one event.
fn write_all(journal: &Arc<dyn Journal>, appended: &(dyn Fn(&Record) + Sync)) {
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let journal = Arc::clone(journal);
            scope.spawn(move || {
                let stream = stream(&writer.to_string());
                let mut expected = 0;
                for n in 0..EACH {
                    let events = vec![event(n.to_string()); 1 + (usize::try_from(n).unwrap() + writer) % 3];
                    let append = Append { events, ..next(&*journal, &stream, expected, u128::from(n)) };
                    let stood = wait(&*journal, append.clone()).unwrap();
                    expected = stood.sequence;
                    appended(&Record { append, offset: stood.offset });
                }
            });
        }
    });
}

fn assert_dense(records: &[Record], last: u64) {
    let mut position = 0;
    let mut sequences = HashMap::new();
    for record in records {
        assert_eq!(record.offset, position + 1);
        position = record.last_offset();
        let sequence = sequences.entry(record.append.stream.clone()).or_insert(0);
        assert_eq!(record.append.expected, *sequence);
        *sequence = record.last_sequence();
    }
    assert_eq!(position, last);
}

pub(super) fn positions_are_dense_and_streams_in_order(mut open: Reopen<dyn Journal>) {
    let journal = open();
    let order: Mutex<HashMap<PartitionId, Vec<u64>>> = Mutex::default();
    write_all(&journal, &|record| {
        order.lock().unwrap().entry(record.append.lease.partition).or_default().push(record.offset);
    });
    let check = |journal: &dyn Journal| {
        let mut found = 0;
        for partition in (0..journal.partitions()).map(PartitionId) {
            let records = journal.read_feed(partition, 0, usize::MAX).unwrap();
            assert_dense(&records, journal.durable(partition));
            found += records.len();
        }
        assert_eq!(found as u64, WRITERS as u64 * EACH);
    };
    check(&*journal);
    for (partition, mut offsets) in order.into_inner().unwrap() {
        offsets.sort_unstable();
        let read = journal.read_feed(partition, 0, usize::MAX).unwrap();
        assert_eq!(read.iter().map(|record| record.offset).collect::<Vec<_>>(), offsets);
    }
    journal.close();
    drop(journal);
    check(&*open());
}

/// Whoever was told of an append finds it, and whatever a reader finds is below the durable head.
pub(super) fn nobody_reads_what_is_not_durable(mut open: Reopen<dyn Journal>) {
    let journal = open();
    let told = AtomicUsize::new(0);
    write_all(&journal, &|record| {
        let partition = record.append.lease.partition;
        assert!(journal.durable(partition) >= record.last_offset());
        assert!(journal.head(&record.append.stream).unwrap().sequence >= record.last_sequence());
        let found = journal.read_feed(partition, record.offset - 1, 1).unwrap();
        assert_eq!(found, std::slice::from_ref(record));
        let own = journal.read_stream(&record.append.stream, record.append.expected, 1).unwrap();
        assert_eq!(own, std::slice::from_ref(record));
        told.fetch_add(1, Ordering::Relaxed);
    });
    assert_eq!(told.into_inner() as u64, WRITERS as u64 * EACH);
}

/// A reader pages through each partition while it grows.
pub(super) fn a_reader_behind_the_writers_misses_nothing(mut open: Reopen<dyn Journal>) {
    let journal = open();
    let written = AtomicBool::new(false);
    thread::scope(|scope| {
        for partition in (0..journal.partitions()).map(PartitionId) {
            let (journal, written) = (&journal, &written);
            scope.spawn(move || {
                let mut seen: Vec<Record> = Vec::new();
                loop {
                    let over = written.load(Ordering::Acquire);
                    let after = seen.last().map_or(0, Record::last_offset);
                    let more = journal.read_feed(partition, after, 5).unwrap();
                    let durable = journal.durable(partition);
                    assert!(more.last().is_none_or(|record| record.last_offset() <= durable));
                    if over && more.is_empty() {
                        break;
                    }
                    seen.extend(more);
                    thread::yield_now();
                }
                assert_dense(&seen, journal.durable(partition));
            });
        }
        write_all(&journal, &|_| ());
        written.store(true, Ordering::Release);
    });
}

/// Whoever hands over what another has handed over is told where it stands; also after a reopening.
pub(super) fn the_same_append_from_many_threads_is_written_once(mut open: Reopen<dyn Journal>) {
    const ROUNDS: u64 = 10;
    let journal = open();
    let stream = stream("1");
    let mut last = Appended { offset: 0, sequence: 0 };
    for round in 0..ROUNDS {
        let append = Append { events: vec![event("x"); 2], ..next(&*journal, &stream, last.sequence, round.into()) };
        let told: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    let (journal, append) = (Arc::clone(&journal), append.clone());
                    scope.spawn(move || wait(&*journal, append))
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let written: Vec<_> = told.iter().filter_map(|told| told.as_ref().ok()).collect();
        assert_eq!(written.len(), 1, "{told:?}");
        last = *written[0];
        assert_eq!(told.iter().filter(|told| **told == Err(AppendError::Duplicate(last))).count(), 7, "{told:?}");
    }
    journal.close();
    drop(journal);
    let journal = open();
    let again = next(&*journal, &stream, last.sequence - 2, u128::from(ROUNDS - 1));
    assert_eq!(wait(&*journal, Append { events: vec![event("x"); 2], ..again }), Err(AppendError::Duplicate(last)));
    assert_eq!(journal.read_stream(&stream, 0, usize::MAX).unwrap().len() as u64, ROUNDS);
}

/// Whoever is told of appends and looks up in the journal what was before has each of them once, in order.
pub(super) fn the_tail_is_handed_over_without_a_gap_and_without_a_double(mut open: Reopen<dyn Journal>) {
    let journal = open();
    // What is told, in the order in which it is told.
    let live: Arc<Mutex<HashMap<PartitionId, Vec<u64>>>> = Arc::default();
    let mut read = HashMap::new();
    thread::scope(|scope| {
        for writer in 0..8u64 {
            let (journal, live) = (Arc::clone(&journal), Arc::clone(&live));
            scope.spawn(move || {
                let stream = stream(&writer.to_string());
                let mut waiting = Vec::new();
                for n in 0..60u64 {
                    let append = next(&*journal, &stream, n, n.into());
                    let (partition, live) = (append.lease.partition, Arc::clone(&live));
                    let (sender, receiver) = std::sync::mpsc::channel();
                    let told = move |outcome: Result<Appended, AppendError>| {
                        let offset = outcome.unwrap().offset;
                        live.lock().unwrap().entry(partition).or_default().push(offset);
                        sender.send(()).unwrap();
                    };
                    journal.append(append, Box::new(told));
                    waiting.push(receiver);
                }
                for told in waiting {
                    told.recv().unwrap();
                }
            });
        }
        // Somewhere in the middle.
        while (0..4).all(|partition| journal.durable(PartitionId(partition)) < 20) {
            thread::yield_now();
        }
        for partition in (0..journal.partitions()).map(PartitionId) {
            let durable = journal.durable(partition);
            let records = journal.read_feed(partition, 0, usize::MAX).unwrap();
            assert!(records.last().map_or(0, Record::last_offset) >= durable);
            read.insert(partition, records.iter().map(|record| record.offset).collect::<Vec<_>>());
        }
    });
    for (partition, mut all) in read {
        let live = live.lock().unwrap().remove(&partition).unwrap_or_default();
        assert!(live.is_sorted(), "told in another order than committed: {live:?}");
        let known = all.last().copied().unwrap_or(0);
        all.extend(live.iter().copied().filter(|offset| *offset > known));
        assert_eq!(all, (1..=journal.durable(partition)).collect::<Vec<_>>());
    }
}
