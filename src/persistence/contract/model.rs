//! Random histories against a model of a few lines.

use std::collections::HashMap;

use proptest::{prelude::*, test_runner::TestRunner};

use super::{Reopen, next, truncation, wait};
use crate::persistence::{
    Append, AppendError, Appended, Journal, PartitionId, ReadError, Record, StreamId, TruncateError,
    sample::{event, stream},
};

#[derive(Clone, Debug)]
enum Op {
    /// An append to stream `stream`, expecting `off` more than is there, by a writer that is `late` or not.
    Append {
        stream: u8,
        off: i8,
        late: bool,
        events: usize,
    },
    /// The stream's last append once more.
    Again {
        stream: u8,
    },
    Reopen,
    /// Everything that is older than this append and that is dealt with up to so many percent.
    Truncate {
        before: u64,
        dealt_with: u64,
    },
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let append = (0..5u8, prop_oneof![8 => Just(0i8), 1 => -2..3i8], prop::bool::weighted(0.1), 1..4usize)
        .prop_map(|(stream, off, late, events)| Op::Append { stream, off, late, events });
    let op = prop_oneof![
        12 => append, 2 => (0..5u8).prop_map(|stream| Op::Again { stream }), 1 => Just(Op::Reopen),
        1 => (0..80u64, 0..=100u64).prop_map(|(before, dealt_with)| Op::Truncate { before, dealt_with }),
    ];
    prop::collection::vec(op, 0..80)
}

/// All records in commit order; everything else is read off them.
#[derive(Default)]
struct Model(Vec<Record>);

impl Model {
    fn of(&self, stream: &StreamId) -> Vec<Record> {
        self.0.iter().filter(|record| record.append.stream == *stream).cloned().collect()
    }
    fn at(&self, partition: PartitionId) -> Vec<Record> {
        self.0.iter().filter(|record| record.append.lease.partition == partition).cloned().collect()
    }
    fn append(&mut self, append: &Append) -> Result<Appended, AppendError> {
        let last = self.of(&append.stream).pop();
        let sequence = last.as_ref().map_or(0, Record::last_sequence);
        if let Some(last) = last {
            let newest = (last.append.lease.epoch, last.append.incarnation);
            if (append.lease.epoch, append.incarnation) < newest {
                return Err(AppendError::Fenced { stream: append.stream.clone() });
            }
            if last.append.command == append.command && last.append.expected == append.expected {
                return Err(AppendError::Duplicate(Appended { offset: last.offset, sequence }));
            }
        }
        if append.expected != sequence {
            let (stream, expected) = (append.stream.clone(), append.expected);
            return Err(AppendError::Conflict { stream, expected, actual: sequence });
        }
        let offset = self.at(append.lease.partition).last().map_or(0, Record::last_offset) + 1;
        let record = Record { append: append.clone(), offset };
        self.0.push(record.clone());
        Ok(Appended { offset, sequence: record.last_sequence() })
    }
    fn assert_equals(&self, journal: &dyn Journal) {
        let mut heads = HashMap::new();
        journal.heads(&mut |stream, head| {
            heads.insert(stream.clone(), head.sequence);
        });
        for key in 0..5u8 {
            let stream = stream(&key.to_string());
            let records = self.of(&stream);
            let first = journal.first(stream.partition(journal.partitions()));
            let (deleted, left) = records.split_at(records.partition_point(|record| record.offset < first));
            let deleted = deleted.last().map_or(0, Record::last_sequence);
            assert_eq!(journal.read_stream(&stream, deleted, usize::MAX).unwrap(), left);
            match journal.base(&stream).unwrap() {
                None => assert_eq!(deleted, 0),
                Some(base) => {
                    assert!(deleted > 0 && base.sequence >= deleted);
                    assert_eq!(base, truncation::state(&stream, base.sequence));
                    assert!(matches!(journal.read_stream(&stream, 0, 1), Err(ReadError::Deleted { .. })));
                }
            }
            let last = records.last().map(Record::last_sequence);
            assert_eq!(journal.head(&stream).map(|head| head.sequence), last);
            assert_eq!(heads.remove(&stream), last);
        }
        assert!(heads.is_empty());
        for partition in (0..journal.partitions()).map(PartitionId) {
            let records = self.at(partition);
            assert_eq!(journal.durable(partition), records.last().map_or(0, Record::last_offset));
            let first = journal.first(partition);
            let left: Vec<_> = records.into_iter().filter(|record| record.offset >= first).collect();
            assert_eq!(journal.read_feed(partition, first - 1, usize::MAX).unwrap(), left);
        }
    }
}

pub(super) fn every_history_is_as_the_model_says(backend: fn() -> Reopen<dyn Journal>) {
    // Each case opens files and syncs; more cases find no more and take minutes.
    let mut runner = TestRunner::new(ProptestConfig { cases: 24, ..ProptestConfig::default() });
    let run = runner.run(&ops(), |ops| {
        let mut open = backend();
        let mut journal = open();
        let mut model = Model::default();
        for (index, op) in ops.into_iter().enumerate() {
            let append = match op {
                Op::Append { stream: key, off, late, events } => {
                    let stream = stream(&key.to_string());
                    let sequence = model.of(&stream).last().map_or(0, Record::last_sequence);
                    let expected = sequence.saturating_add_signed(i64::from(off));
                    let incarnation = u64::from(!late);
                    let events = vec![event(index.to_string().repeat(400)); events];
                    // Big enough that a few of them fill a segment.
                    let at_millis = index as u64;
                    Append { incarnation, at_millis, events, ..next(&*journal, &stream, expected, index as u128) }
                }
                Op::Again { stream: key } => match model.of(&stream(&key.to_string())).pop() {
                    Some(record) => record.append,
                    None => continue,
                },
                Op::Truncate { before, dealt_with } => {
                    let partitions = || (0..journal.partitions()).map(PartitionId);
                    let upto: Vec<_> =
                        partitions().map(|partition| journal.durable(partition) * dealt_with / 100).collect();
                    let before_it: Vec<_> = partitions().map(|partition| journal.first(partition)).collect();
                    match truncation::truncate(&*journal, before, &upto) {
                        Ok(_) | Err(TruncateError::Behind { .. } | TruncateError::NotSupported) => {}
                        Err(error) => return Err(TestCaseError::fail(error.to_string())),
                    }
                    for ((partition, upto), from) in partitions().zip(upto).zip(before_it) {
                        let deleted = model.at(partition);
                        let gone = from..journal.first(partition);
                        let deleted = deleted.iter().filter(|record| gone.contains(&record.offset));
                        prop_assert!(deleted.clone().all(|record| record.last_offset() <= upto));
                        prop_assert!(deleted.clone().all(|record| record.append.at_millis < before));
                    }
                    model.assert_equals(&*journal);
                    continue;
                }
                Op::Reopen => {
                    journal.close();
                    drop(journal);
                    journal = open();
                    model.assert_equals(&*journal);
                    continue;
                }
            };
            let current = journal.lease(append.lease.partition);
            let expected = if append.lease == current {
                model.append(&append)
            } else {
                Err(AppendError::Fenced { stream: append.stream.clone() })
            };
            prop_assert_eq!(wait(&*journal, append), expected);
        }
        model.assert_equals(&*journal);
        Ok(())
    });
    run.unwrap();
}
