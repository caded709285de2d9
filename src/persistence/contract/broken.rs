//! After an error of the medium.

use super::{Failing, next, wait};
use crate::persistence::{AppendError, Journal, PartitionId, Refusal, sample::stream};

/// Positions in all partitions.
fn durable(journal: &dyn Journal) -> u64 {
    (0..journal.partitions()).map(|partition| journal.durable(PartitionId(partition))).sum()
}

pub(super) fn it_is_poisoned_and_loses_nothing_that_it_acknowledged((journal, mut reopen): Failing) {
    let stream = stream("1");
    for sequence in 0..2 {
        wait(&*journal, next(&*journal, &stream, sequence, u128::from(sequence))).unwrap();
    }
    assert_eq!(journal.poisoned(), None);
    let unknown = next(&*journal, &stream, 2, 2);
    assert!(matches!(wait(&*journal, unknown), Err(AppendError::Unknown(_))));
    assert!(journal.poisoned().is_some());
    for key in ["1", "2"] {
        let late = next(&*journal, &crate::persistence::sample::stream(key), 2, 3);
        assert!(matches!(wait(&*journal, late), Err(AppendError::Refused(Refusal::Poisoned(_)))), "{key}");
    }
    // What was acknowledged can be read on.
    assert_eq!(journal.read_stream(&stream, 0, 2).unwrap().len(), 2);
    assert!(journal.read_feed(stream.partition(4), 0, 2).unwrap().len() == 2);
    journal.close();
    drop(journal);

    let journal = reopen();
    assert_eq!(journal.poisoned(), None);
    let there = journal.head(&stream).unwrap().sequence;
    assert!((2..=3).contains(&there), "two were acknowledged, a third is unknown, and there are {there}");
    assert_eq!(durable(&*journal), there);
    // The unknown one, once more: done now, or told that it was done.
    let again = wait(&*journal, next(&*journal, &stream, 2, 2));
    assert!(matches!(again, Ok(_) | Err(AppendError::Duplicate(_))), "{again:?}");
    assert_eq!(matches!(again, Err(AppendError::Duplicate(_))), there == 3);
    wait(&*journal, next(&*journal, &stream, 3, 3)).unwrap();
    assert_eq!(durable(&*journal), 4);
}
