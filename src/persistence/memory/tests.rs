//! What only memory does: being slow, failing and losing at will.

use std::sync::mpsc::{Receiver, channel};

use super::*;
use crate::persistence::{Journal, PartitionId, Refusal, sample};

fn hand_over(store: &MemoryStore, key: &str) -> Receiver<Result<Appended, AppendError>> {
    let stream = sample::stream(key);
    let lease = store.lease(stream.partition(store.partitions()));
    let (sender, receiver) = channel();
    store.append(sample::append(&stream, lease, 0, 1), Box::new(move |outcome| sender.send(outcome).unwrap()));
    receiver
}

#[test]
fn what_is_held_is_shown_to_nobody_until_it_is_released() {
    let store = MemoryStore::new(1);
    store.hold();
    let told = hand_over(&store, "1");
    told.try_recv().unwrap_err();
    assert_eq!((store.head(&sample::stream("1")), store.durable(PartitionId(0)), store.waiting()), (None, 0, 1));
    store.release();
    assert_eq!(told.try_recv().unwrap(), Ok(Appended { offset: 1, sequence: 1 }));
    assert_eq!((store.durable(PartitionId(0)), store.waiting()), (1, 0));
}

#[test]
fn a_power_cut_loses_what_was_not_acknowledged() {
    let store = MemoryStore::new(1);
    let _told = hand_over(&store, "1");
    store.hold();
    let lost = hand_over(&store, "2");
    let again = store.reopen();
    assert_eq!(again.durable(PartitionId(0)), 1);
    assert_eq!(again.head(&sample::stream("2")), None);
    // The store before the cut can do no more harm, neither with what it held nor with what is new.
    store.release();
    assert!(matches!(lost.try_recv().unwrap(), Err(AppendError::Fenced { .. })));
    assert!(matches!(hand_over(&store, "3").try_recv().unwrap(), Err(AppendError::Fenced { .. })));
    assert_eq!(again.durable(PartitionId(0)), 1);
}

#[test]
fn more_held_appends_than_the_queue_takes_are_overload() {
    let store = MemoryStore::new(1).with_queue(2);
    store.hold();
    let _held = [hand_over(&store, "1"), hand_over(&store, "2")];
    let refused = hand_over(&store, "3").try_recv().unwrap();
    assert!(matches!(refused, Err(AppendError::Refused(Refusal::Overloaded { .. }))));
    store.release();
    hand_over(&store, "3").try_recv().unwrap().unwrap();
}

#[test]
fn after_poison_what_was_held_is_unknown_and_the_rest_refused() {
    let store = MemoryStore::new(1);
    store.hold();
    let held = [hand_over(&store, "1"), hand_over(&store, "1")];
    store.poison("the disk is gone");
    for held in held {
        assert_eq!(held.try_recv().unwrap(), Err(AppendError::Unknown("the disk is gone".into())));
    }
    store.release();
    let late = hand_over(&store, "2").try_recv().unwrap();
    assert_eq!(late, Err(AppendError::Refused(Refusal::Poisoned("the disk is gone".into()))));
    assert_eq!(store.poisoned().as_deref(), Some("the disk is gone"));
    assert_eq!(store.durable(PartitionId(0)), 0);
}

#[test]
fn a_done_may_append_and_ask() {
    let store = Arc::new(MemoryStore::new(1));
    let (sender, receiver) = channel();
    let stream = sample::stream("1");
    let again = Arc::clone(&store);
    let append =
        |expected| sample::append(&sample::stream("1"), store.lease(PartitionId(0)), expected, expected.into());
    let second = append(1);
    store.append(
        append(0),
        Box::new(move |_| {
            assert_eq!(again.head(&stream).map(|head| head.sequence), Some(1));
            again.append(second, Box::new(move |outcome| sender.send(outcome).unwrap()));
        }),
    );
    assert_eq!(receiver.try_recv().unwrap(), Ok(Appended { offset: 2, sequence: 2 }));
}
