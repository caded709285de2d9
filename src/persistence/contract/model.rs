//! Random histories against a model of a few lines.

use std::collections::HashMap;

use proptest::{prelude::*, test_runner::TestRunner};

use super::{Reopen, next, wait};
use crate::persistence::{
    Append, AppendError, Appended, Journal, PartitionId, Record, StreamId,
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
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let append = (0..5u8, prop_oneof![8 => Just(0i8), 1 => -2..3i8], prop::bool::weighted(0.1), 1..4usize)
        .prop_map(|(stream, off, late, events)| Op::Append { stream, off, late, events });
    let op = prop_oneof![12 => append, 2 => (0..5u8).prop_map(|stream| Op::Again { stream }), 1 => Just(Op::Reopen)];
    prop::collection::vec(op, 0..60)
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
            assert_eq!(journal.read_stream(&stream, 0, usize::MAX).unwrap(), records);
            let last = records.last().map(Record::last_sequence);
            assert_eq!(journal.head(&stream).map(|head| head.sequence), last);
            assert_eq!(heads.remove(&stream), last);
        }
        assert!(heads.is_empty());
        for partition in (0..journal.partitions()).map(PartitionId) {
            let records = self.at(partition);
            assert_eq!(journal.durable(partition), records.last().map_or(0, Record::last_offset));
            assert_eq!(journal.read_feed(partition, 0, usize::MAX).unwrap(), records);
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
                    let events = vec![event(index.to_string()); events];
                    Append { incarnation, events, ..next(&*journal, &stream, expected, index as u128) }
                }
                Op::Again { stream: key } => match model.of(&stream(&key.to_string())).pop() {
                    Some(record) => record.append,
                    None => continue,
                },
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
