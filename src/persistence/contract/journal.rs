//! One writer at a time.

use std::sync::mpsc;

use super::{Reopen, next, wait};
use crate::persistence::{
    Append, AppendError, Appended, Journal, Lease, Origin, PartitionId, Record, Refusal, Settled, StreamHead, StreamId,
    sample::{event, stream},
};

fn all_of(journal: &dyn Journal, stream: &StreamId) -> Vec<Record> {
    journal.read_stream(stream, 0, usize::MAX).unwrap()
}

fn feed_of(journal: &dyn Journal, stream: &StreamId) -> Vec<Record> {
    journal.read_feed(stream.partition(journal.partitions()), 0, usize::MAX).unwrap()
}

pub(super) fn an_append_is_read_back_as_it_was(mut open: Reopen<dyn Journal>) {
    let journal = open();
    let stream = stream("1");
    let partition = stream.partition(journal.partitions());
    assert_eq!((journal.head(&stream), journal.durable(partition)), (None, 0));
    assert_eq!(all_of(&*journal, &stream), []);
    let append = Append { events: vec![event("a"), event("b")], open_asks: true, ..next(&*journal, &stream, 0, 1) };
    assert_eq!(wait(&*journal, append.clone()), Ok(Appended { offset: 1, sequence: 2 }));
    let record = Record { append, offset: 1 };
    assert_eq!(all_of(&*journal, &stream), std::slice::from_ref(&record));
    assert_eq!(feed_of(&*journal, &stream), [record]);
    assert_eq!(journal.durable(partition), 2);
    let head = StreamHead { sequence: 2, number: 7, open_asks: true };
    assert_eq!(journal.head(&stream), Some(head));
    let mut heads = Vec::new();
    journal.heads(&mut |stream, head| heads.push((stream.clone(), *head)));
    assert_eq!(heads, [(stream, head)]);
}

pub(super) fn a_wrong_sequence_is_a_conflict_and_writes_nothing(mut open: Reopen<dyn Journal>) {
    let journal = open();
    let stream = stream("1");
    wait(&*journal, next(&*journal, &stream, 0, 1)).unwrap();
    for expected in [0, 2, u64::MAX / 2] {
        let conflict = AppendError::Conflict { stream: stream.clone(), expected, actual: 1 };
        assert_eq!(wait(&*journal, next(&*journal, &stream, expected, 2)), Err(conflict));
    }
    assert_eq!(all_of(&*journal, &stream).len(), 1);
    assert_eq!(wait(&*journal, next(&*journal, &stream, 1, 2)), Ok(Appended { offset: 2, sequence: 2 }));
}

pub(super) fn the_last_append_again_is_a_duplicate(mut open: Reopen<dyn Journal>) {
    let journal = open();
    let stream = stream("1");
    wait(&*journal, next(&*journal, &stream, 0, 1)).unwrap();
    let append =
        |journal: &dyn Journal| Append { events: vec![event("a"), event("b")], ..next(journal, &stream, 1, 2) };
    let stood = wait(&*journal, append(&*journal)).unwrap();
    assert_eq!(wait(&*journal, append(&*journal)), Err(AppendError::Duplicate(stood)));
    journal.close();
    drop(journal);
    let journal = open();
    assert_eq!(wait(&*journal, append(&*journal)), Err(AppendError::Duplicate(stood)));
    // Not the last one any more: the sequence says so.
    wait(&*journal, next(&*journal, &stream, 3, 3)).unwrap();
    assert!(matches!(wait(&*journal, append(&*journal)), Err(AppendError::Conflict { actual: 4, .. })));
}

pub(super) fn an_older_lease_is_fenced(mut open: Reopen<dyn Journal>) {
    let journal = open();
    let stream = stream("1");
    let before = next(&*journal, &stream, 0, 1);
    journal.close();
    drop(journal);
    let journal = open();
    let newer = journal.lease(before.lease.partition);
    assert!(newer.epoch > before.lease.epoch);
    let fenced = Err(AppendError::Fenced { stream: stream.clone() });
    assert_eq!(wait(&*journal, before.clone()), fenced);
    let future = Append { lease: Lease { epoch: newer.epoch + 1, ..newer }, ..before.clone() };
    assert_eq!(wait(&*journal, future), fenced);
    assert_eq!(journal.head(&stream), None);
    wait(&*journal, Append { lease: newer, ..before }).unwrap();
}

pub(super) fn an_older_incarnation_is_fenced(mut open: Reopen<dyn Journal>) {
    let journal = open();
    let stream = stream("1");
    wait(&*journal, Append { incarnation: 5, ..next(&*journal, &stream, 0, 1) }).unwrap();
    let late = Append { incarnation: 4, ..next(&*journal, &stream, 1, 2) };
    assert_eq!(wait(&*journal, late), Err(AppendError::Fenced { stream: stream.clone() }));
    wait(&*journal, Append { incarnation: 6, ..next(&*journal, &stream, 1, 3) }).unwrap();
}

pub(super) fn a_new_epoch_begins_its_incarnations_anew(mut open: Reopen<dyn Journal>) {
    let journal = open();
    let stream = stream("1");
    wait(&*journal, Append { incarnation: 5, ..next(&*journal, &stream, 0, 1) }).unwrap();
    journal.close();
    drop(journal);
    let journal = open();
    wait(&*journal, Append { incarnation: 1, ..next(&*journal, &stream, 1, 2) }).unwrap();
}

pub(super) fn a_lease_of_another_partition_is_fenced(mut open: Reopen<dyn Journal>) {
    let journal = open();
    let stream = stream("1");
    let append = next(&*journal, &stream, 0, 1);
    let other = journal.lease(PartitionId((append.lease.partition.0 + 1) % journal.partitions()));
    let fenced = Err(AppendError::Fenced { stream });
    assert_eq!(wait(&*journal, Append { lease: other, ..append }), fenced);
}

pub(super) fn what_no_record_can_hold_is_refused(mut open: Reopen<dyn Journal>) {
    let journal = open();
    let stream = stream("1");
    let with = |events| Append { events, reply: None, ..next(&*journal, &stream, 0, 1) };
    let too_large = |outcome| matches!(outcome, Err(AppendError::Refused(Refusal::TooLarge { .. })));
    assert!(too_large(wait(&*journal, with(Vec::new()))));
    assert!(too_large(wait(&*journal, with(vec![event(""); Append::MAX_EVENTS + 1]))));
    assert!(too_large(wait(&*journal, with(vec![event(vec![0; Append::MAX_BYTES + 1])]))));
    let long = Append { correlation: "x".repeat(1 << 16).into(), ..with(vec![event("")]) };
    assert!(too_large(wait(&*journal, long)));
    let half = || Some(vec![0; Append::MAX_BYTES / 2 + 1].into());
    let settled = Settled { origin: 1, how: Origin::Fresh, reply: half(), why: half() };
    assert!(too_large(wait(&*journal, Append { settled: Some(settled), ..with(vec![event("")]) })));
    assert_eq!(journal.head(&stream), None);
    wait(&*journal, with(vec![event(vec![0; Append::MAX_BYTES])])).unwrap();
    assert_eq!(all_of(&*journal, &stream).len(), 1);
    assert_eq!(feed_of(&*journal, &stream).len(), 1);
}

pub(super) fn an_append_is_read_whole_or_not_at_all(mut open: Reopen<dyn Journal>) {
    let journal = open();
    let stream = stream("1");
    for (expected, command) in [(0, 1), (3, 2), (6, 3)] {
        let append = Append { events: vec![event("x"); 3], ..next(&*journal, &stream, expected, command) };
        wait(&*journal, append).unwrap();
    }
    // From the middle of an append on, all of that append is shown.
    let firsts = |records: Vec<Record>| records.iter().map(Record::first_sequence).collect::<Vec<_>>();
    assert_eq!(firsts(journal.read_stream(&stream, 2, 9).unwrap()), [1, 4, 7]);
    assert_eq!(firsts(journal.read_stream(&stream, 3, 9).unwrap()), [4, 7]);
    assert_eq!(firsts(journal.read_stream(&stream, 3, 1).unwrap()), [4]);
    assert_eq!(firsts(journal.read_stream(&stream, 9, 9).unwrap()), Vec::<u64>::new());
    assert_eq!(firsts(journal.read_stream(&stream, 0, 0).unwrap()), Vec::<u64>::new());
    let partition = stream.partition(journal.partitions());
    assert_eq!(firsts(journal.read_feed(partition, 5, 9).unwrap()), [4, 7]);
    assert_eq!(firsts(journal.read_feed(partition, 6, 9).unwrap()), [7]);
    assert_eq!(firsts(journal.read_feed(partition, 9, 9).unwrap()), Vec::<u64>::new());
    assert_eq!(firsts(journal.read_feed(partition, u64::MAX, 9).unwrap()), Vec::<u64>::new());
    assert_eq!(firsts(journal.read_feed(partition, 0, 0).unwrap()), Vec::<u64>::new());
}

pub(super) fn reopening_shows_what_was_acknowledged(mut open: Reopen<dyn Journal>) {
    let mut written: Vec<Record> = Vec::new();
    for round in 0..4u64 {
        let journal = open();
        for n in 0..30u64 {
            let stream = stream(&(n % 7).to_string());
            let expected = journal.head(&stream).map_or(0, |head| head.sequence);
            let append = next(&*journal, &stream, expected, u128::from(round * 100 + n));
            let stood = wait(&*journal, append.clone()).unwrap();
            written.push(Record { append, offset: stood.offset });
        }
        journal.close();
        drop(journal);
        let journal = open();
        for key in 0..7 {
            let stream = stream(&key.to_string());
            let of_stream: Vec<_> = written.iter().filter(|record| record.append.stream == stream).cloned().collect();
            assert_eq!(all_of(&*journal, &stream), of_stream);
            assert_eq!(journal.head(&stream).unwrap().sequence, of_stream.last().unwrap().last_sequence());
        }
        for partition in (0..journal.partitions()).map(PartitionId) {
            let of_partition: Vec<_> =
                written.iter().filter(|record| record.append.lease.partition == partition).cloned().collect();
            assert_eq!(journal.read_feed(partition, 0, usize::MAX).unwrap(), of_partition);
            assert_eq!(journal.durable(partition), of_partition.last().map_or(0, Record::last_offset));
        }
    }
}

pub(super) fn pages_have_no_gap_and_no_double(mut open: Reopen<dyn Journal>) {
    let journal = open();
    for n in 0..300u64 {
        let stream = stream(&(n % 5).to_string());
        let expected = journal.head(&stream).map_or(0, |head| head.sequence);
        let events = vec![event("some payload"); 1 + (n % 3) as usize];
        wait(&*journal, Append { events, ..next(&*journal, &stream, expected, u128::from(n)) }).unwrap();
    }
    for partition in (0..journal.partitions()).map(PartitionId) {
        let whole = journal.read_feed(partition, 0, usize::MAX).unwrap();
        for page in [1, 2, 7, 1000] {
            let mut paged: Vec<Record> = Vec::new();
            while paged.last().map_or(0, Record::last_offset) < journal.durable(partition) {
                let after = paged.last().map_or(0, Record::last_offset);
                let more = journal.read_feed(partition, after, page).unwrap();
                assert!((1..=page).contains(&more.len()));
                paged.extend(more);
            }
            assert_eq!(paged, whole);
        }
    }
}

pub(super) fn closing_answers_everything_and_then_refuses(mut open: Reopen<dyn Journal>) {
    let journal = open();
    let (sender, receiver) = mpsc::channel();
    for n in 0..500u32 {
        let sender = sender.clone();
        let append = next(&*journal, &stream(&n.to_string()), 0, u128::from(n));
        journal.append(append, Box::new(move |outcome| sender.send(outcome).unwrap()));
    }
    drop(sender);
    journal.close();
    assert_eq!(receiver.iter().flatten().count(), 500);
    let late = wait(&*journal, next(&*journal, &stream("late"), 0, 1));
    assert_eq!(late, Err(AppendError::Refused(Refusal::Closed)));
    journal.close();
    assert_eq!(journal.head(&stream("7")).map(|head| head.sequence), Some(1));
}

pub(super) fn pipelined_appends_of_one_stream_build_on_each_other(mut open: Reopen<dyn Journal>) {
    let journal = open();
    let stream = stream("1");
    let (sender, receiver) = mpsc::channel();
    // The third is wrong; the ones after it expect it and conflict, and are told so after the ones before.
    for (index, expected) in [0, 1, 7, 3, 4, 2].into_iter().enumerate() {
        let sender = sender.clone();
        let append = next(&*journal, &stream, expected, index as u128);
        journal.append(append, Box::new(move |outcome| sender.send((index, outcome.is_ok())).unwrap()));
    }
    drop(sender);
    let told: Vec<_> = receiver.iter().collect();
    assert_eq!(told, [(0, true), (1, true), (2, false), (3, false), (4, false), (5, true)]);
}
