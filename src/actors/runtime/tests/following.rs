//! Policies and views.

use std::time::Duration;

use super::{
    super::{Service, System},
    fixture::*,
};
use crate::{
    actors::entity::{Entity, Listing, Number, ServiceDeclaration},
    persistence::{MAX_ROWS, PartitionId, StorageConfig, open},
};

async fn finish_errands(system: &System, names: &[&str]) {
    for name in names {
        system.entities::<Errand>().ask(&key(name), RunErrand { to: 2, n: 1 }).await.expect("done");
    }
}

async fn two_tallies(system: &System) {
    for name in ["counted", "worked"] {
        system.entities::<Tally>().ask(&key(name), Add { n: 1 }).await.expect("added");
    }
}

/// Adds one to each of these tallies, to so many at once.
async fn add_to(system: &System, names: &[String], at_once: usize) {
    let tallies = system.entities::<Tally>();
    for names in names.chunks(at_once) {
        let added = names.iter().map(|name| {
            let add = tallies.ask(&key(name), Add { n: 1 });
            async move { add.await.expect("added") }
        });
        futures::future::join_all(added).await;
    }
}

#[tokio::test]
async fn a_policy_reacts_to_every_event_once_also_across_crashes() {
    let mut storage = memory();
    let mut system = start(&storage).await;
    two_tallies(&system).await;
    for round in 0..4 {
        finish_errands(&system, &[&format!("e{round}a"), &format!("e{round}b")]).await;
        // The crash finds the dispatches anywhere.
        (storage, system) = crash_and_restart(storage, system).await;
    }
    settled(&system).await;
    let counted = system.entities::<Tally>().get(&key("counted")).await.expect("readable").expect("there");
    assert_eq!(counted.state.total, 1 + 8 * 1000);
    drop(storage);
}

#[tokio::test]
async fn a_stopped_service_misses_nothing() {
    let system = start(&memory()).await;
    two_tallies(&system).await;
    finish_errands(&system, &["a"]).await;
    settled(&system).await;
    system.stop_service("t/tally").await.expect("stopped");
    let refused = system.list::<Tally>().count().await;
    assert!(refused.is_err(), "reads of a stopped service are refused");
    system.start_service("t/tally").await.expect("started");
    finish_errands(&system, &["b"]).await;
    settled(&system).await;
    let counted = system.entities::<Tally>().get(&key("counted")).await.expect("readable").expect("there");
    assert_eq!(counted.state.total, 2001);
}

#[tokio::test]
async fn what_cannot_be_delivered_is_put_aside_and_can_be_delivered_later() {
    let storage = memory();
    let system = start(&storage).await;
    two_tallies(&system).await;
    let tallies = system.entities::<Tally>();
    // The errand's result is 13, for which the policy asks a tally that nobody has.
    system.entities::<Errand>().ask(&key("unlucky"), RunErrand { to: 2, n: 12 }).await.expect("done");
    settled(&system).await;
    let letters = system.dead_letters().await.expect("readable");
    let [letter] = letters.as_slice() else { panic!("one letter: {letters:?}") };
    assert!(letter.letter.not_found);
    assert_eq!((letter.letter.number, letter.letter.command.as_str()), (Number::new(999), "add"));
    assert!(system.retry_dead_letter(&letter.id).await.is_err(), "still nobody has it");
    let (storage, system) = crash_and_restart(storage, system).await;
    drop(tallies);
    settled(&system).await;
    let again = system.dead_letters().await.expect("readable");
    assert_eq!(again.len(), 1, "it is put aside once");
    for n in 3..=999 {
        let added = system.entities::<Tally>().ask(&key(&format!("t{n}")), Add { n: 1 }).answered().await;
        assert_eq!(added.expect("added").number.get(), n);
    }
    system.retry_dead_letter(&again[0].id).await.expect("delivered");
    assert!(system.dead_letters().await.expect("readable").is_empty());
    let late = system.entities::<Tally>().get(&key("t999")).await.expect("readable").expect("there");
    assert_eq!(late.state.total, 2);
    drop(storage);
}

#[tokio::test]
async fn a_view_shows_a_client_its_own_writes() {
    let system = start(&memory()).await;
    let (tallies, counts) = (system.entities::<Tally>(), system.views::<AddCount>());
    for n in 1..=20 {
        tallies.ask(&key("a"), Add { n: 1 }).await.expect("added");
        assert!(counts.catch_up(Duration::from_secs(5)).await.expect("running"));
        assert_eq!(counts.get(&1).await.expect("readable"), Some(AddCount { adds: n }));
    }
}

/// A store whose derived tables were deleted never came to rest again: the projector read until one commit was full,
/// and then waited for a commit that nobody had asked for. The same befell a view under load.
#[tokio::test]
async fn a_view_with_more_rows_than_a_commit_takes_is_built_from_the_beginning() {
    let rows = MAX_ROWS as u64 + 300;
    let storage = memory();
    let tally = Service::new("tally").entity::<Tally>();
    let without_view = System::builder(storage.clone()).service("t", tally).start().await.expect("starts");
    for n in 1..=rows {
        without_view.entities::<Tally>().ask(&key(&format!("t{n}")), Add { n: 1 }).await.expect("added");
    }
    let (_storage, system) = crash_and_restart(storage, without_view).await;
    let counts = system.views::<AddCount>();
    assert!(counts.catch_up(Duration::from_secs(20)).await.expect("running"), "the view stands still");
    assert_eq!(counts.count().await.expect("readable"), rows);
}

#[tokio::test]
async fn a_list_is_in_the_order_of_numbers_and_without_what_is_removed() {
    let storage = memory();
    let system = start(&storage).await;
    for n in 1..=600u64 {
        system.entities::<Tally>().ask(&key(&format!("t{n}")), Add { n: 1 }).await.expect("added");
    }
    for n in (1..=600u64).filter(|n| n % 3 == 0) {
        system.entities::<Tally>().ask(&key(&format!("t{n}")), Close).await.expect("closed");
    }
    let expected: Vec<u64> = (1..=600).filter(|n| n % 3 != 0).collect();
    check_list(&system, &expected).await;
    let (_storage, system) = crash_and_restart(storage, system).await;
    check_list(&system, &expected).await;
}

/// Rows that filled a commit before the pass came to its last partition once left the view standing.
#[tokio::test]
async fn a_view_goes_on_when_one_pass_is_more_than_one_commit_takes() {
    let system = start(&memory()).await;
    let names: Vec<String> = (1..=MAX_ROWS + 144).map(|n| format!("t{n}")).collect();
    // The view has a turn between at most.
    add_to(&system, &names, MAX_ROWS / 2).await;
    check_list(&system, &(1..=MAX_ROWS as u64 + 144).collect::<Vec<u64>>()).await;
}

/// Rows of the first partitions that filled one commit after the other once kept the last ones from being read.
#[tokio::test]
async fn a_partition_with_a_long_backlog_does_not_keep_a_view_from_the_others() {
    // A pass over so many has more rows than may wait for storage.
    const PARTITIONS: u16 = 64;
    const LONG: usize = 14 * MAX_ROWS;
    let storage = open(&StorageConfig { partitions: PARTITIONS, ..StorageConfig::memory() }).expect("memory opens");
    let tally = Service::new("tally").entity::<Tally>();
    let without_view = System::builder(storage.clone()).service("t", tally).start().await.expect("starts");
    let is_in_last = |name: &String| PartitionId::of(Tally::KIND, name, PARTITIONS).0 == PARTITIONS - 1;
    let names = || (0..).map(|n| format!("t{n}"));
    let before: Vec<String> = names().filter(|name| !is_in_last(name)).take(LONG).collect();
    let last = names().find(is_in_last).expect("one of them");
    add_to(&without_view, &before, 1024).await;
    add_to(&without_view, &[last], 1).await;
    let (_storage, system) = crash_and_restart(storage, without_view).await;
    let counts = system.views::<AddCount>();
    let all = LONG as u64;
    wait_for(|| async { counts.get(&(all + 1)).await.expect("readable").is_some() }).await;
    let behind = all - counts.count().await.expect("readable");
    // Read from the first partition on each time, it would come after nearly all of the three quarters that make a pass.
    assert!(behind > all / 2, "the only row of the last partition came when {behind} of {all} were left");
    assert!(counts.catch_up(Duration::from_secs(20)).await.expect("running"));
}

async fn check_list(system: &System, expected: &[u64]) {
    let list = system.list::<Tally>();
    assert!(list.catch_up(Duration::from_secs(10)).await.expect("running"));
    assert_eq!(list.count().await.expect("readable"), expected.len() as u64);
    let mut seen: Vec<u64> = Vec::new();
    loop {
        let page = list.scan(&[], seen.last(), 70).await.expect("readable");
        assert!(page.iter().all(|(number, Listing { number: own, .. })| *number == own.get()));
        if page.is_empty() {
            break;
        }
        seen.extend(page.into_iter().map(|(number, _)| number));
    }
    assert_eq!(seen, expected);
}
