//! Cells from within, where no public call can stop the clock.

use std::sync::Arc;

use super::{
    super::{cell::Phase, kinds::KindHost, turn::Panicked},
    fixture::*,
};
use crate::{
    actors::entity::Key,
    persistence::{Cursor, PartitionId, ViewName, ViewProgress},
};

fn at(name: &str) -> Key {
    Key::new(name).expect("a key")
}

/// A stop by force drops cells that still run; such a run used to put state and phase back, and a failure
/// brought the cell to life again beside its successor.
#[tokio::test(start_paused = true)]
async fn a_dropped_cell_stays_dropped() {
    let system = start(&memory()).await;
    let tallies = system.entities::<Tally>();
    tallies.ask(&key("a"), Add { n: 1 }).await.expect("added");
    let (host, cell) = (tallies.0.clone(), tallies.0.cell(&at("a")).expect("live"));
    let kind: &dyn KindHost = host.as_ref();
    kind.drop_cells();
    host.clone().run(cell.clone()).await;
    host.failed(&cell, Panicked::without_command(Arc::from("late")));
    host.quarantine(&cell, "late".into());
    assert!(cell.lock().phase == Phase::Gone && cell.lock().active.is_none());
    tokio::time::sleep(std::time::Duration::from_secs(10)).await;
    assert_eq!(cell.lock().phase, Phase::Gone);
    assert_eq!(tallies.ask(&key("a"), Add { n: 1 }).await, Ok(2), "its successor");
}

/// A state that the journal does not have must not become a snapshot: once the journal has grown to its
/// sequence, it would be believed.
#[tokio::test]
async fn a_cell_whose_state_was_lost_is_not_at_rest() {
    let system = start(&memory()).await;
    let tallies = system.entities::<Tally>();
    tallies.ask(&key("a"), Add { n: 1 }).await.expect("added");
    settled(&system).await;
    let cell = tallies.0.cell(&at("a")).expect("live");
    assert!(cell.lock().is_at_rest());
    cell.lock().lost = true;
    assert!(!cell.lock().is_at_rest());
}

/// Rows that know a storage unit which is not open now would stay, and its events would be applied again
/// when it is back.
#[tokio::test]
async fn rows_that_know_a_unit_which_is_gone_are_built_again() {
    let storage = memory();
    let system = start(&storage).await;
    system.entities::<Tally>().ask(&key("a"), Add { n: 1 }).await.expect("added");
    settled(&system).await;
    drop(system.shutdown(std::time::Duration::from_secs(5)).await);
    let storage = storage.reopen_memory().expect("memory");
    let (view, unit) =
        (ViewName { name: "t.add-counts", version: 1, generation: 0 }, storage.unit("main").expect("main"));
    let mut progress: ViewProgress = unit.projections.progress(view).expect("readable").expect("stored");
    progress.cursors.push(Cursor { unit: "gone".into(), partition: PartitionId(0), offset: 3 });
    let of_gone = (5u64.to_be_bytes().to_vec(), Some(serde_json::to_vec(&AddCount { adds: 9 }).expect("json").into()));
    unit.projections.commit(view, vec![of_gone], &progress).expect("stored");
    let system = start(&storage).await;
    let counts = system.views::<AddCount>();
    assert!(counts.catch_up(std::time::Duration::from_secs(5)).await.expect("running"));
    assert_eq!(counts.get(&1).await.expect("readable"), Some(AddCount { adds: 1 }));
    assert_eq!(counts.get(&5).await.expect("readable"), None, "the unit that it came from is not there");
}
