//! Rebuilds of views beside the rows in use.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::{
    super::{RebuildError, RebuildState, RebuildStatus, System},
    fixture::*,
};
use crate::persistence::{Fault, Faults, Projections, RowChange, Storage, ViewName, ViewProgress};

const VIEW: ViewName = ViewName { name: "t.add-counts", version: 1, generation: 0 };

/// More than a rebuild under test holds in memory, and more than one piece of a comparison.
const ROWS: u64 = 700;

fn projections(storage: &Storage) -> Arc<dyn Projections> {
    storage.unit("main").expect("main").projections.clone()
}

fn row(number: u64, adds: u64) -> RowChange {
    (number.to_be_bytes().to_vec(), Some(serde_json::to_vec(&AddCount { adds }).expect("json").into()))
}

/// Waits for a value; a machine that is busy gets its time.
async fn becomes<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let waiting = async {
        loop {
            if let Some(found) = look() {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), waiting).await.unwrap_or_else(|_| panic!("not in time: {what}"))
}

async fn ended(system: &System) -> RebuildStatus {
    let last = || system.view_rebuild("t", "add-counts").expect("known").filter(|status| !status.is_running());
    becomes("the rebuild ends", last).await
}

async fn rebuilt(system: &System) -> RebuildStatus {
    // A view that was just started again is not to be found stopped.
    let asked = || system.rebuild_view("t", "add-counts").ok();
    becomes("the rebuild begins", asked).await;
    ended(system).await
}

/// A store with tallies 1 to `rows`, each added to once, that is not running.
async fn prepared(rows: u64) -> Storage {
    let storage = memory();
    let system = start(&storage).await;
    for n in 1..=rows {
        system.entities::<Tally>().ask(&key(&format!("t{n}")), Add { n: 1 }).await.expect("added");
    }
    settled(&system).await;
    drop(system.shutdown(Duration::from_secs(20)).await);
    storage.reopen_memory().expect("memory")
}

fn damage(storage: &Storage, rows: Vec<RowChange>) {
    let projections = projections(storage);
    let progress = projections.progress(VIEW).expect("readable").expect("stored");
    projections.commit(VIEW, rows, &progress).expect("stored");
}

async fn all_rows(system: &System) -> BTreeMap<u64, u64> {
    let rows = system.views::<AddCount>().scan(&[], None, usize::MAX >> 1).await.expect("readable");
    rows.into_iter().map(|(number, row)| (number, row.adds)).collect()
}

fn once_each(rows: u64) -> BTreeMap<u64, u64> {
    (1..=rows).map(|number| (number, 1)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_rows_are_found_and_repaired_while_the_old_ones_are_read() {
    let storage = prepared(ROWS).await;
    damage(&storage, vec![row(5, 99), (6u64.to_be_bytes().to_vec(), None), row(9999, 1)]);
    let system = start(&storage).await;
    let counts = system.views::<AddCount>();
    assert!(counts.catch_up(Duration::from_secs(20)).await.expect("running"));
    assert_eq!(system.view_rebuild("t", "add-counts").expect("known"), None);
    // It is not its turn, as if another view were being rebuilt.
    let (_, rebuild) = &system.inner.rebuilds[1];
    let turn = rebuild.turn.clone().acquire_owned().await.expect("open");
    let asked = system.rebuild_view("T", "t.add-counts").expect("asked");
    assert_eq!((asked.state, asked.view.as_str(), asked.system.as_str()), (RebuildState::Waiting, "t.add-counts", "t"));
    let again = system.rebuild_view("t", "add-counts");
    assert!(matches!(again, Err(RebuildError::Running(_))), "{again:?}");
    assert_eq!(counts.get(&5).await.expect("readable"), Some(AddCount { adds: 99 }), "old rows are served");
    assert_eq!(counts.get(&9999).await.expect("readable"), Some(AddCount { adds: 1 }));
    drop(turn);
    let status = ended(&system).await;
    assert_eq!((status.state, status.error.clone()), (RebuildState::Done, None));
    assert_eq!((status.missing, status.superfluous, status.changed, status.unreadable), (1, 1, 1, 0), "{status:?}");
    // The policy's progress is among the events that are passed.
    assert!(status.rows == ROWS && status.events >= status.of && status.of >= ROWS, "{status:?}");
    assert_eq!(status.examples, ["5", "6", "9999"]);
    assert_eq!(all_rows(&system).await, once_each(ROWS));
    assert_eq!(counts.count().await.expect("readable"), ROWS);
    // It goes on from there, and comes back as it is.
    system.entities::<Tally>().ask(&key("t6"), Add { n: 1 }).await.expect("added");
    assert!(counts.catch_up(Duration::from_secs(20)).await.expect("running"));
    assert_eq!(counts.get(&6).await.expect("readable"), Some(AddCount { adds: 2 }));
    let stored = projections(&storage);
    assert_eq!(stored.generation(VIEW).expect("readable"), 1);
    becomes("the old rows are gone", || stored.progress(VIEW).expect("readable").is_none().then_some(())).await;
    assert_eq!(stored.scan(VIEW, &[], None, 9).expect("readable"), []);
    let (_storage, system) = crash_and_restart(storage, system).await;
    assert!(system.views::<AddCount>().catch_up(Duration::from_secs(20)).await.expect("running"));
    assert_eq!(system.views::<AddCount>().get(&6).await.expect("readable"), Some(AddCount { adds: 2 }));
    assert_eq!(rebuilt(&system).await.differences(), 0);
    assert_eq!(all_rows(&system).await.len() as u64, ROWS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_cannot_be_read_are_counted_and_repaired() {
    let storage = prepared(20).await;
    let broken = |number: u64| (number.to_be_bytes().to_vec(), Some("no row".into()));
    damage(&storage, vec![broken(3), broken(4), row(5, 7)]);
    let system = start(&storage).await;
    assert!(system.views::<AddCount>().get(&3).await.is_err());
    let status = rebuilt(&system).await;
    assert_eq!((status.unreadable, status.changed, status.missing), (2, 1, 0), "{status:?}");
    assert_eq!(all_rows(&system).await, once_each(20));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_that_come_meanwhile_are_in_the_rows() {
    let system = start(&memory()).await;
    let done = Arc::new(AtomicBool::new(false));
    let adding = {
        let (tallies, done) = (system.entities::<Tally>(), done.clone());
        async move {
            let mut added = BTreeMap::new();
            for n in (1..=40u64).cycle() {
                let answer = tallies.ask(&key(&format!("t{n}")), Add { n: 1 }).answered().await.expect("added");
                *added.entry(answer.number.get()).or_insert(0) += 1;
                if done.load(Ordering::Relaxed) {
                    return added;
                }
                // In memory an append is answered at once: nobody else would have a turn.
                tokio::task::yield_now().await;
            }
            added
        }
    };
    let rebuilding = async {
        for _ in 0..8 {
            let status = rebuilt(&system).await;
            assert_eq!((status.state, status.differences()), (RebuildState::Done, 0), "{status:?}");
        }
        done.store(true, Ordering::Relaxed);
    };
    let (added, ()) = futures::future::join(adding, rebuilding).await;
    assert!(system.views::<AddCount>().catch_up(Duration::from_secs(20)).await.expect("running"));
    assert_eq!(all_rows(&system).await, added);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_crash_left_of_a_rebuild_is_thrown_away() {
    let storage = prepared(20).await;
    let (half, stored) = (ViewName { generation: 1, ..VIEW }, projections(&storage));
    stored.commit(half, Vec::new(), &ViewProgress::default()).expect("stored");
    stored.stage(half, (1..=10).map(|number| row(number, 42)).collect()).expect("staged");
    let system = start(&storage).await;
    assert!(system.views::<AddCount>().catch_up(Duration::from_secs(20)).await.expect("running"));
    assert_eq!(all_rows(&system).await, once_each(20));
    becomes("what was half built is gone", || stored.progress(half).expect("readable").is_none().then_some(())).await;
    assert_eq!(stored.scan(half, &[], None, 9).expect("readable"), []);
    let status = rebuilt(&system).await;
    assert_eq!((status.state, status.differences()), (RebuildState::Done, 0));
}

/// Whatever fails, readers see the old rows or the new ones, and the next rebuild brings the new ones.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuild_may_fail_at_any_read_or_write() {
    const TALLIES: u64 = 70;
    let mut failed = 0;
    for nth in 1.. {
        for fault in [Fault::Fail, Fault::Lose] {
            let storage = prepared(TALLIES).await;
            damage(&storage, vec![row(5, 99)]);
            let faults = Faults::nth(nth, fault);
            let system = start(&storage.with_faults(&faults)).await;
            let status = rebuilt(&system).await;
            failed += u32::from(status.state == RebuildState::Failed);
            let Some(_) = faults.fired() else {
                // All that it does has been failed once.
                assert_eq!(status.state, RebuildState::Done);
                assert!(failed > 3, "{failed}");
                return;
            };
            let rows = all_rows(&system).await;
            let old =
                once_each(TALLIES).into_iter().map(|(number, adds)| (number, if number == 5 { 99 } else { adds }));
            let is_old = rows == old.collect();
            assert!(rows == once_each(TALLIES) || (is_old && status.state == RebuildState::Failed), "{nth}: {rows:?}");
            faults.disarm();
            let status = rebuilt(&system).await;
            assert_eq!(status.state, RebuildState::Done, "{nth}: {status:?}");
            assert_eq!(all_rows(&system).await, once_each(TALLIES), "{nth} {fault:?}");
            drop(system);
            let system = start(&storage.reopen_memory().expect("memory")).await;
            assert_eq!(all_rows(&system).await, once_each(TALLIES), "{nth} {fault:?}, after a crash");
        }
    }
}

#[tokio::test]
async fn a_view_of_a_stopped_service_is_not_rebuilt_and_an_unknown_one_neither() {
    let system = start(&memory()).await;
    assert_eq!(system.view_names(), ["t/t.tallies", "t/t.add-counts"]);
    for (of, view) in [("t", "nothing"), ("x", "add-counts"), ("t", "")] {
        assert!(matches!(system.rebuild_view(of, view), Err(RebuildError::Unknown(_))), "{of}/{view}");
        assert!(matches!(system.view_rebuild(of, view), Err(RebuildError::Unknown(_))), "{of}/{view}");
    }
    system.stop_service("t/tally").await.expect("stopped");
    assert!(matches!(system.rebuild_view("t", "add-counts"), Err(RebuildError::Unavailable(_))));
    assert_eq!(system.view_rebuild("t", "add-counts").expect("known"), None);
}
