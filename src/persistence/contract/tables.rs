//! Snapshots and projections.

use bytes::Bytes;

use super::Reopen;
use crate::persistence::{
    Cursor, MAX_CLEARED, MAX_ROWS, MAX_SNAPSHOTS, PartitionId, Projections, RowChange, Snapshots, StoredSnapshot,
    ViewName, ViewProgress, sample::stream,
};

fn snapshot(sequence: u64, bytes: impl Into<Bytes>) -> StoredSnapshot {
    StoredSnapshot { sequence, shape: 3, bytes: bytes.into() }
}

pub(super) fn two_snapshots_are_kept_newest_first(mut open: Reopen<dyn Snapshots>) {
    let store = open();
    assert_eq!(store.load(&stream("1")).unwrap(), []);
    for sequence in [100, 200, 300] {
        store.save(vec![(stream("1"), snapshot(sequence, sequence.to_string()))]).unwrap();
    }
    // A neighbour whose key goes on where the other ends.
    store.save(vec![(stream("10"), snapshot(5, "neighbour"))]).unwrap();
    assert_eq!(store.load(&stream("1")).unwrap(), [snapshot(300, "300"), snapshot(200, "200")]);
    assert_eq!(store.load(&stream("10")).unwrap(), [snapshot(5, "neighbour")]);
    store.save(vec![(stream("1"), snapshot(300, "again"))]).unwrap();
    assert_eq!(store.load(&stream("1")).unwrap(), [snapshot(300, "again"), snapshot(200, "200")]);
}

pub(super) fn a_big_snapshot_comes_back(mut open: Reopen<dyn Snapshots>) {
    let store = open();
    let big: Vec<u8> = (0..1_000_000u32).map(|n| (n % 251) as u8).collect();
    store.save(vec![(stream("1"), snapshot(1, big.clone())), (stream("2"), snapshot(1, Bytes::new()))]).unwrap();
    store.save(vec![(stream("1"), snapshot(2, "small"))]).unwrap();
    assert_eq!(store.load(&stream("1")).unwrap(), [snapshot(2, "small"), snapshot(1, big)]);
    assert_eq!(store.load(&stream("2")).unwrap(), [snapshot(1, Bytes::new())]);
}

pub(super) fn a_snapshot_survives_reopening(mut open: Reopen<dyn Snapshots>) {
    let store = open();
    store.save(vec![(stream("1"), snapshot(1, "state"))]).unwrap();
    drop(store);
    assert_eq!(open().load(&stream("1")).unwrap(), [snapshot(1, "state")]);
}

pub(super) fn too_many_snapshots_are_refused(mut open: Reopen<dyn Snapshots>) {
    let store = open();
    store.save(vec![(stream("1"), snapshot(1, "state")); MAX_SNAPSHOTS]).unwrap();
    store.save(vec![(stream("2"), snapshot(1, "state")); MAX_SNAPSHOTS + 1]).unwrap_err();
    assert_eq!(store.load(&stream("2")).unwrap(), []);
}

const ORDERS: ViewName = ViewName { name: "orders", version: 1, generation: 0 };

fn progress(offset: u64, listed: u64) -> ViewProgress {
    let cursor = |unit: &str, partition| Cursor { unit: unit.into(), partition: PartitionId(partition), offset };
    ViewProgress { cursors: vec![cursor("main", 0), cursor("main", 3), cursor("alarms", 0)], listed }
}

fn row(key: &str, value: &str) -> RowChange {
    (key.as_bytes().to_vec(), Some(Bytes::copy_from_slice(value.as_bytes())))
}

fn keys(rows: &[(Vec<u8>, Bytes)]) -> Vec<&str> {
    rows.iter().map(|(key, _)| std::str::from_utf8(key).unwrap()).collect()
}

pub(super) fn rows_and_progress_come_back_together(mut open: Reopen<dyn Projections>) {
    let store = open();
    assert_eq!(store.progress(ORDERS).unwrap(), None);
    store.commit(ORDERS, vec![row("a", "1"), row("b", "2")], &progress(5, 2)).unwrap();
    store.commit(ORDERS, vec![row("a", "3")], &progress(6, 2)).unwrap();
    store.sync().unwrap();
    drop(store);
    let store = open();
    assert_eq!(store.progress(ORDERS).unwrap(), Some(progress(6, 2)));
    assert_eq!(store.get(ORDERS, b"a").unwrap().as_deref(), Some(&b"3"[..]));
    assert_eq!(store.get(ORDERS, b"b").unwrap().as_deref(), Some(&b"2"[..]));
    assert_eq!(store.get(ORDERS, b"c").unwrap(), None);
}

pub(super) fn a_scan_goes_by_key_prefix_and_page(mut open: Reopen<dyn Projections>) {
    let store = open();
    let rows = ["b1", "a2", "a", "b", "a1", "c"].map(|key| row(key, key)).to_vec();
    store.commit(ORDERS, rows, &progress(1, 6)).unwrap();
    assert_eq!(keys(&store.scan(ORDERS, b"", None, 99).unwrap()), ["a", "a1", "a2", "b", "b1", "c"]);
    assert_eq!(keys(&store.scan(ORDERS, b"a", None, 99).unwrap()), ["a", "a1", "a2"]);
    assert_eq!(keys(&store.scan(ORDERS, b"a", Some(b"a"), 99).unwrap()), ["a1", "a2"]);
    assert_eq!(keys(&store.scan(ORDERS, b"b", Some(b"a1"), 99).unwrap()), ["b", "b1"]);
    assert_eq!(keys(&store.scan(ORDERS, b"a", Some(b"b"), 99).unwrap()), Vec::<&str>::new());
    assert_eq!(keys(&store.scan(ORDERS, b"", Some(b"a1"), 2).unwrap()), ["a2", "b"]);
    assert_eq!(keys(&store.scan(ORDERS, b"", None, 0).unwrap()), Vec::<&str>::new());
}

pub(super) fn rows_of_another_version_are_not_seen(mut open: Reopen<dyn Projections>) {
    let store = open();
    let second = ViewName { version: 2, ..ORDERS };
    store.commit(ORDERS, vec![row("a", "1")], &progress(5, 1)).unwrap();
    assert_eq!(store.progress(second).unwrap(), None);
    assert_eq!(store.get(second, b"a").unwrap(), None);
    assert_eq!(store.scan(second, b"", None, 9).unwrap(), []);
}

pub(super) fn clearing_a_view_leaves_the_others(mut open: Reopen<dyn Projections>) {
    let store = open();
    let second = ViewName { version: 2, ..ORDERS };
    let neighbour = ViewName { name: "orders-late", version: 1, generation: 0 };
    for view in [ORDERS, second, neighbour] {
        for batch in 0..3 {
            let rows = (0..200).map(|n| row(&format!("{batch}-{n}"), "x")).collect();
            store.commit(view, rows, &progress(1, 1)).unwrap();
        }
    }
    store.clear(ORDERS).unwrap();
    for view in [ORDERS, second] {
        assert_eq!(store.progress(view).unwrap(), None);
        assert_eq!(store.scan(view, b"", None, 9).unwrap(), []);
    }
    assert_eq!(store.progress(neighbour).unwrap(), Some(progress(1, 1)));
    assert_eq!(store.scan(neighbour, b"", None, 999).unwrap().len(), 600);
}

pub(super) fn rows_are_built_beside_those_in_use(mut open: Reopen<dyn Projections>) {
    let store = open();
    let beside = ViewName { generation: 1, ..ORDERS };
    let neighbour = ViewName { name: "orders-late", ..beside };
    store.commit(ORDERS, vec![row("a", "old"), row("b", "old")], &progress(5, 2)).unwrap();
    for view in [beside, neighbour] {
        store.commit(view, Vec::new(), &ViewProgress::default()).unwrap();
        store.stage(view, vec![row("a", "new"), row("c", "gone")]).unwrap();
        store.stage(view, vec![(b"c".to_vec(), None)]).unwrap();
    }
    assert_eq!(store.generation(ORDERS).unwrap(), 0);
    assert_eq!(keys(&store.scan(ORDERS, b"", None, 9).unwrap()), ["a", "b"]);
    store.commit(beside, vec![row("d", "new")], &progress(5, 2)).unwrap();
    store.switch(beside).unwrap();
    drop(store);
    let store = open();
    assert_eq!(store.generation(ORDERS).unwrap(), 1);
    assert_eq!(store.generation(neighbour).unwrap(), 0);
    assert_eq!(store.generation(ViewName { version: 2, ..ORDERS }).unwrap(), 0);
    assert_eq!(store.progress(beside).unwrap(), Some(progress(5, 2)));
    assert_eq!(keys(&store.scan(beside, b"", None, 9).unwrap()), ["a", "d"]);
    assert_eq!(store.get(beside, b"a").unwrap().as_deref(), Some(&b"new"[..]));
    while store.clear_others(ORDERS).unwrap() {}
    assert_eq!(store.progress(ORDERS).unwrap(), None);
    assert_eq!(store.scan(ORDERS, b"", None, 9).unwrap(), []);
    assert_eq!(keys(&store.scan(beside, b"", None, 9).unwrap()), ["a", "d"]);
    assert_eq!(keys(&store.scan(neighbour, b"", None, 9).unwrap()), ["a"]);
    store.stage(beside, vec![row("x", "1"); MAX_ROWS + 1]).unwrap_err();
    store.clear(ORDERS).unwrap();
    assert_eq!((store.generation(ORDERS).unwrap(), store.progress(beside).unwrap()), (0, None));
}

pub(super) fn rows_that_are_not_in_use_are_cleared_piece_by_piece(mut open: Reopen<dyn Projections>) {
    let store = open();
    let (beside, second) = (ViewName { generation: 1, ..ORDERS }, ViewName { version: 2, ..ORDERS });
    let big = "0123456789".repeat(1000);
    store.commit(ORDERS, vec![row("a", "1")], &progress(1, 1)).unwrap();
    store.commit(second, vec![row("a", "1")], &progress(1, 1)).unwrap();
    store.commit(beside, vec![row("big", &big)], &progress(1, 1)).unwrap();
    for batch in 0..=MAX_CLEARED / MAX_ROWS {
        let rows = (0..MAX_ROWS).map(|n| row(&format!("{batch}-{n}"), "x")).collect();
        store.stage(beside, rows).unwrap();
    }
    let mut pieces = 1;
    while store.clear_others(ORDERS).unwrap() {
        // A crash in between leaves what is needed to go on.
        assert!(store.progress(beside).unwrap().is_some() || store.progress(second).unwrap().is_some());
        pieces += 1;
    }
    assert!(pieces <= 4, "{pieces} pieces");
    for gone in [beside, second] {
        assert_eq!(store.progress(gone).unwrap(), None);
        assert_eq!(store.scan(gone, b"", None, 9).unwrap(), []);
    }
    assert_eq!(store.progress(ORDERS).unwrap(), Some(progress(1, 1)));
    assert_eq!(keys(&store.scan(ORDERS, b"", None, 9).unwrap()), ["a"]);
}

pub(super) fn a_deleted_row_is_gone(mut open: Reopen<dyn Projections>) {
    let store = open();
    store.commit(ORDERS, vec![row("a", "1"), row("b", "1")], &progress(1, 2)).unwrap();
    store.commit(ORDERS, vec![(b"a".to_vec(), None), (b"z".to_vec(), None)], &progress(2, 1)).unwrap();
    assert_eq!(store.get(ORDERS, b"a").unwrap(), None);
    assert_eq!(keys(&store.scan(ORDERS, b"", None, 9).unwrap()), ["b"]);
    assert_eq!(store.progress(ORDERS).unwrap(), Some(progress(2, 1)));
}

pub(super) fn the_last_row_is_known(mut open: Reopen<dyn Projections>) {
    let before = ViewName { name: "order", ..ORDERS };
    let (beside, behind) = (ViewName { generation: 1, ..ORDERS }, ViewName { name: "orders-late", ..ORDERS });
    let mut store = open();
    for other in [before, beside, behind] {
        store.commit(other, vec![row("zz", "1")], &progress(1, 1)).unwrap();
    }
    assert_eq!(store.last(ORDERS).unwrap(), None);
    // Added here and there, then taken away from the end.
    let name = |n: u32| (n.wrapping_mul(0x9e37_79b1) >> 8).to_be_bytes().to_vec();
    let mut rows: Vec<Vec<u8>> = (0..1500).map(name).collect();
    for rows in rows.chunks(100) {
        let rows = rows.iter().map(|key| (key.clone(), Some(Bytes::from_static(b"1")))).collect();
        store.commit(ORDERS, rows, &progress(1, 1)).unwrap();
    }
    rows.sort_unstable();
    while !rows.is_empty() {
        assert_eq!(store.last(ORDERS).unwrap().as_ref(), rows.last());
        let gone = rows.split_off(rows.len().saturating_sub(70)).into_iter().map(|key| (key, None));
        store.commit(ORDERS, gone.collect(), &progress(1, 1)).unwrap();
        if rows.len().is_multiple_of(3) {
            drop(store);
            store = open();
        }
    }
    assert_eq!(store.last(ORDERS).unwrap(), None);
}

pub(super) fn big_rows_come_back(mut open: Reopen<dyn Projections>) {
    let store = open();
    let big = "0123456789".repeat(30_000);
    store.commit(ORDERS, vec![row("a", &big), row("b", "small")], &progress(1, 2)).unwrap();
    assert_eq!(store.get(ORDERS, b"a").unwrap().unwrap(), big.as_bytes());
    assert_eq!(keys(&store.scan(ORDERS, b"", None, 9).unwrap()), ["a", "b"]);
    assert_eq!(store.scan(ORDERS, b"", None, 1).unwrap()[0].1, big.as_bytes());
    store.commit(ORDERS, vec![row("a", "now small")], &progress(2, 2)).unwrap();
    assert_eq!(store.get(ORDERS, b"a").unwrap().unwrap(), "now small");
    store.commit(ORDERS, vec![(b"a".to_vec(), None)], &progress(3, 1)).unwrap();
    assert_eq!(store.get(ORDERS, b"a").unwrap(), None);
    assert_eq!(keys(&store.scan(ORDERS, b"", None, 9).unwrap()), ["b"]);
}

pub(super) fn too_many_rows_are_refused(mut open: Reopen<dyn Projections>) {
    let store = open();
    let rows = |count: usize| (0..count).map(|n| row(&n.to_string(), "x")).collect::<Vec<_>>();
    store.commit(ORDERS, rows(MAX_ROWS + 1), &progress(1, 1)).unwrap_err();
    assert_eq!(store.progress(ORDERS).unwrap(), None);
    store.commit(ORDERS, rows(MAX_ROWS), &progress(1, 1)).unwrap();
    assert_eq!(store.scan(ORDERS, b"", None, MAX_ROWS + 1).unwrap().len(), MAX_ROWS);
}
