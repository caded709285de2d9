//! A view's rows against a map, whatever changes with what, and while others read.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU16, Ordering},
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
    const ROUNDS: u16 = 200;
    const EACH: u16 = 12;
    let store = open();
    let commit = |rows: Vec<RowChange>| store.commit(VIEW, rows, &ViewProgress::default()).unwrap();
    // So many rows there are.
    let there = AtomicU16::new(0);
    let is_done = || there.load(Ordering::Acquire) == ROUNDS * EACH;
    thread::scope(|scope| {
        for reader in 0..2 {
            let (store, there, is_done) = (&store, &there, &is_done);
            scope.spawn(move || {
                loop {
                    let (ends, upto) = (is_done(), there.load(Ordering::Acquire));
                    let mut seen = store.scan(VIEW, b"", None, usize::MAX).unwrap();
                    seen.retain(|(name, _)| *name < key(upto));
                    assert_eq!(seen.len(), usize::from(upto));
                    for n in (reader..upto).rev().step_by(7).take(40) {
                        assert!(store.get(VIEW, &key(n)).unwrap().is_some(), "row {n} of {upto}");
                    }
                    if ends {
                        break;
                    }
                }
            });
        }
        for round in 0..ROUNDS {
            let own = |from: u16, count: u16| (from..from + count).map(|n| row(n, if n % 10 == 3 { 700 } else { 80 }));
            // A few at a time, then all of them again, and then many of those that were there before.
            (0..EACH).step_by(3).for_each(|n| commit(own(round * EACH + n, 3).collect()));
            there.store((round + 1) * EACH, Ordering::Release);
            commit(own(round * EACH, EACH).collect());
            commit(own(round / 2 * EACH, EACH * 2).collect());
        }
    });
}
