use futures::executor::block_on;

use super::*;
use crate::actors::entity::Sources;

#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
struct Row;

impl View for Row {
    const NAME: &'static str = "t.rows";
    const VERSION: u32 = 1;
    type Key = u64;
    fn sources() -> Sources<Self> {
        unreachable!("nothing is followed here")
    }
}

#[test]
fn what_an_earlier_run_has_on_its_way_never_happens() {
    let rows = ViewRows::<Row>::new();
    let first = rows.begin_run();
    assert_eq!(rows.during(first, || Ok(1)).expect("current"), 1);
    let second = rows.begin_run();
    let late = rows.during::<()>(first, || unreachable!("it would write under the cursors of the second"));
    assert!(late.is_err());
    assert_eq!(rows.during(second, || Ok(2)).expect("current"), 2);
}

#[test]
fn of_the_rows_that_are_stored_those_stored_last_are_kept() {
    let rows = Generation::<Row>::new(view_name::<Row>(0), 0, None);
    let store = |number: usize| {
        rows.change(key(number), |row| *row = Some(Row));
        rows.take_changes();
        block_on(rows.changes_are_stored(1));
    };
    (0..CACHED).for_each(store);
    assert_eq!(rows.held(), CACHED);
    store(1);
    rows.change(key(3), |row| *row = None);
    assert_eq!(rows.take_changes().len(), 1);
    rows.change(key(CACHED), |row| *row = Some(Row));
    assert_eq!(rows.take_changes().len(), 1);
    let known = |number: usize| !matches!(rows.get(&key(number)), Known::Elsewhere);
    assert_eq!([0, 1, 2].map(known), [false, true, true]);
    block_on(rows.changes_are_stored(2));
    assert_eq!([0, 1, 2, 3, 4].map(known), [false, true, false, true, true]);
    assert_eq!([1, 2, CACHED + 9].map(|number| rows.knows(&key(number))), [true, false, true]);
    assert_eq!((rows.held(), rows.range(b"", None, usize::MAX).len()), (CACHED - 1, CACHED - 1));
    (0..2 * CACHED).for_each(|_| store(7));
    assert!(known(7), "what is stored again and again stays");
    assert_eq!((rows.held(), rows.range(b"", None, 9).len()), (1, 1));
}

#[test]
fn a_row_is_looked_for_in_storage_only_where_one_may_be_that_is_not_here() {
    let rows = Generation::<Row>::new(view_name::<Row>(0), 0, Some(key(10)));
    let change = |number: usize| rows.change(key(number), |row| *row = Some(Row));
    let known = |numbers: [usize; 4]| numbers.map(|number| rows.knows(&key(number)));
    assert_eq!(known([9, 10, 11, 12]), [false, false, true, true]);
    assert!(matches!((rows.get(&key(10)), rows.get(&key(11))), (Known::Elsewhere, Known::Absent)));
    change(20);
    change(5);
    assert_eq!(known([5, 10, 11, 20]), [true, false, true, true]);
    // One that came late leaves with those of its time, though greater ones are here.
    change(15);
    assert_eq!(rows.take_changes().len(), 3);
    change(20);
    block_on(rows.changes_are_stored(1));
    rows.drop_stored();
    assert_eq!(known([11, 15, 16, 20]), [false, false, true, true]);
    assert!(!Generation::<Row>::unknown().knows(&key(1)), "before anybody has looked");
}

fn key(number: usize) -> Vec<u8> {
    number.to_be_bytes().to_vec()
}

fn keys<V>(taken: Vec<Changed<V>>) -> Vec<Vec<u8>> {
    taken.into_iter().map(|(key, _)| key).collect()
}

#[test]
fn each_row_that_changed_goes_to_storage_once_and_one_that_changed_meanwhile_again() {
    let rows = Generation::<Row>::new(view_name::<Row>(0), 0, None);
    for key in [b"b", b"a", b"b"] {
        rows.change(key.to_vec(), |row| *row = Some(Row));
    }
    assert_eq!(rows.dirty(), 2);
    assert_eq!(keys(rows.take_changes()), [b"a".to_vec(), b"b".to_vec()]);
    rows.change(b"b".to_vec(), |row| *row = None);
    block_on(rows.changes_are_stored(1));
    rows.drop_stored();
    assert!(matches!(rows.get(b"b"), Known::Absent), "it is newer than what is in storage");
    assert_eq!((rows.held(), rows.dirty()), (1, 1));
    assert_eq!(keys(rows.take_changes()), [b"b".to_vec()]);
    assert!(rows.take_changes().is_empty());
}

#[test]
fn a_row_that_was_taken_twice_is_stored_with_the_second_take() {
    let rows = Generation::<Row>::new(view_name::<Row>(0), 0, None);
    let is_stored = |key: &[u8]| matches!(rows.lock().rows.get(key).unwrap().state, EntryState::Stored(Some(_)));
    let change = |key: &[u8]| rows.change(key.to_vec(), |row| *row = Some(Row));
    change(b"a");
    change(b"b");
    assert_eq!(rows.take_changes().len(), 2);
    change(b"a");
    assert_eq!(keys(rows.take_changes()), [b"a".to_vec()]);
    change(b"c");
    assert_eq!(rows.take_changes().len(), 1);
    block_on(rows.changes_are_stored(1));
    assert_eq!((is_stored(b"a"), is_stored(b"b"), is_stored(b"c")), (false, true, false));
    block_on(rows.changes_are_stored(2));
    assert_eq!((is_stored(b"a"), is_stored(b"c")), (true, true));
    change(b"c");
    assert_eq!(keys(rows.take_changes()), [b"c".to_vec()]);
    block_on(rows.changes_are_stored(1));
    assert!(is_stored(b"c"), "the takes are counted on");
}
