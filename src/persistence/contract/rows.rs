//! A view's rows against a map, whatever changes with what, and while others read.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use bytes::Bytes;
use proptest::{prelude::*, test_runner::TestRunner};

use super::Reopen;
use crate::persistence::{Projections, RowChange, ViewName, ViewProgress};

const VIEW: ViewName = ViewName { name: "orders", version: 1, generation: 0 };

/// So that a view of a name that goes on where this one's ends is there as well.
const NEIGHBOUR: ViewName = ViewName { name: "orders-late", ..VIEW };

fn key(n: u16) -> Vec<u8> {
    u64::from(n).to_be_bytes().to_vec()
}

fn row(n: u16, length: usize) -> RowChange {
    (key(n), Some(vec![n.to_be_bytes()[1]; length].into()))
}

#[derive(Clone, Debug)]
enum Op {
    Commit(Vec<RowChange>),
    Stage(Vec<RowChange>),
    Reopen,
}

/// Rows here and there, neighbours, new ones behind all others; short, longer and in chunks; some of them removed.
fn changes() -> impl Strategy<Value = Vec<RowChange>> {
    let length = prop_oneof![6 => 0..150usize, 2 => 400..600usize, 1 => 5_000..9_000usize];
    let own = |n: u16, length: Option<usize>| length.map_or_else(|| (key(n), None), |length| row(n, length));
    let scattered = prop::collection::vec((0..600u16, prop::option::weighted(0.8, length.clone())), 0..12)
        .prop_map(move |rows| rows.into_iter().map(|(n, length)| own(n, length)).collect());
    let near = (0..600u16, prop::collection::vec(prop::option::weighted(0.9, length), 1..80))
        .prop_map(move |(from, lengths)| (from..).zip(lengths).map(|(n, length)| own(n, length)).collect::<Vec<_>>());
    let gone = (0..600u16, 1..200u16).prop_map(|(from, count)| (from..from + count).map(|n| (key(n), None)).collect());
    prop_oneof![3 => scattered, 3 => near, 1 => gone]
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op =
        prop_oneof![8 => changes().prop_map(Op::Commit), 1 => changes().prop_map(Op::Stage), 1 => Just(Op::Reopen)];
    prop::collection::vec(op, 1..25)
}

fn check(store: &dyn Projections, model: &BTreeMap<Vec<u8>, Bytes>) {
    let rows: Vec<_> = model.iter().map(|(key, row)| (key.clone(), row.clone())).collect();
    assert_eq!(store.scan(VIEW, b"", None, usize::MAX).unwrap(), rows);
    assert_eq!(store.last(VIEW).unwrap().as_ref(), model.keys().next_back());
    let mut paged: Vec<(Vec<u8>, Bytes)> = Vec::new();
    loop {
        let after = paged.last().map(|(key, _)| key.clone());
        let page = store.scan(VIEW, b"", after.as_deref(), 37).unwrap();
        if page.is_empty() {
            break;
        }
        paged.extend(page);
    }
    assert_eq!(paged, rows);
    for n in (0..700).step_by(7) {
        assert_eq!(store.get(VIEW, &key(n)).unwrap().as_ref(), model.get(&key(n)));
    }
    // Keys that begin with the same seven bytes.
    let prefix = &key(256)[..7];
    let of_prefix: Vec<_> = rows.into_iter().filter(|(key, _)| key.starts_with(prefix)).collect();
    assert_eq!(store.scan(VIEW, prefix, None, usize::MAX).unwrap(), of_prefix);
}

pub(super) fn rows_are_what_the_changes_made_them(open: impl Fn() -> Reopen<dyn Projections>) {
    let mut runner =
        TestRunner::new(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() });
    let outcome = runner.run(&ops(), |ops| {
        let mut open = open();
        let mut store = open();
        store.commit(NEIGHBOUR, (0..600).map(|n| row(n, 9)).collect(), &ViewProgress::default()).unwrap();
        let mut model = BTreeMap::new();
        for op in ops {
            match op {
                Op::Commit(changes) => {
                    store.commit(VIEW, changes.clone(), &ViewProgress::default()).unwrap();
                    apply(&mut model, changes);
                }
                Op::Stage(changes) => {
                    store.stage(VIEW, changes.clone()).unwrap();
                    apply(&mut model, changes);
                }
                Op::Reopen => {
                    store.sync().unwrap();
                    drop(store);
                    store = open();
                }
            }
            check(&*store, &model);
        }
        assert_eq!(store.scan(NEIGHBOUR, b"", None, 1000).unwrap().len(), 600);
        store.clear(VIEW).unwrap();
        check(&*store, &BTreeMap::new());
        Ok(())
    });
    outcome.unwrap();
}

fn apply(model: &mut BTreeMap<Vec<u8>, Bytes>, changes: Vec<RowChange>) {
    for (key, row) in changes {
        match row {
            Some(row) => drop(model.insert(key, row)),
            None => drop(model.remove(&key)),
        }
    }
}

/// Rows that are there all the time are seen all the time, wherever a commit has them stand from then on.
pub(super) fn readers_miss_no_row_while_others_are_written(mut open: Reopen<dyn Projections>) {
    const ROWS: u16 = 300;
    const ROUNDS: u16 = 150;
    let store = open();
    let all = |length: usize| (0..ROWS).map(|n| row(n, length)).collect::<Vec<_>>();
    let progress = ViewProgress::default();
    store.commit(VIEW, all(100), &progress).unwrap();
    let done = Arc::new(AtomicBool::new(false));
    thread::scope(|scope| {
        let readers: Vec<_> = (0..2u16)
            .map(|reader| {
                let (store, done) = (Arc::clone(&store), Arc::clone(&done));
                scope.spawn(move || {
                    let mut looks = 0u32;
                    while !done.load(Ordering::Acquire) || looks < 10 {
                        assert_eq!(store.scan(VIEW, b"", None, 1000).unwrap().len(), usize::from(ROWS));
                        for n in (reader..ROWS).step_by(11) {
                            assert!(store.get(VIEW, &key(n)).unwrap().is_some(), "row {n}");
                        }
                        looks += 1;
                    }
                })
            })
            .collect();
        for round in 0..ROUNDS {
            // One at a time, many together, some of them long; and others that come and go between them.
            let some = (0..3).map(|n| row((round * 37 + n * 101) % ROWS, 90 + usize::from(round % 20))).collect();
            store.commit(VIEW, some, &progress).unwrap();
            let many = (0..60).map(|n| row((round * 13 + n) % ROWS, if n == 30 { 700 } else { 80 })).collect();
            store.commit(VIEW, many, &progress).unwrap();
        }
        done.store(true, Ordering::Release);
        for reader in readers {
            reader.join().unwrap();
        }
    });
}
