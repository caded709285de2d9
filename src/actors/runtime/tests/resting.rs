//! Entities that leave memory.

use std::time::Duration;

use super::{
    super::{Service, System},
    fixture::*,
};
use crate::{
    actors::{entity::ServiceDeclaration, supervision::SupervisionConfig},
    persistence::{Storage, StreamId},
};

async fn start_with(storage: &Storage, entity: &str) -> System {
    let config = SupervisionConfig::parse(&format!("[entity]\n{entity}"), "test").expect("valid");
    let tally = Service::new("tally").listed::<Tally>();
    System::builder(storage.clone()).supervision(config).service("t", tally).start().await.expect("starts")
}

fn live(system: &System) -> usize {
    system.services().iter().map(|service| service.live).sum()
}

async fn phase(system: &System, key: &str) -> String {
    system.inspect("tally", key).await.expect("there")["phase"].as_str().expect("text").to_owned()
}

#[tokio::test(start_paused = true)]
async fn an_idle_entity_leaves_memory_with_a_snapshot_and_comes_back_as_it_was() {
    let storage = memory();
    let system = start_with(&storage, "passivate_after = \"3s\"").await;
    let tallies = system.entities::<Tally>();
    for n in 1..=20 {
        assert_eq!(tallies.ask(&key("a"), Add { n: 1 }).await, Ok(n));
    }
    assert_eq!(live(&system), 1);
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!((live(&system), phase(&system, "a").await.as_str()), (0, "passive"));
    let stream = StreamId { kind: "t.tally".into(), key: "a".into() };
    let snapshots = storage.unit("main").expect("main").snapshots.load(&stream).expect("readable");
    assert_eq!(snapshots.first().map(|newest| newest.sequence), Some(20));
    assert_eq!(tallies.ask(&key("a"), Add { n: 1 }).await, Ok(21));
    assert_eq!(live(&system), 1);
}

#[tokio::test(start_paused = true)]
async fn above_the_limit_the_least_recently_used_leave() {
    let system = start_with(&memory(), "max_live = 2").await;
    let tallies = system.entities::<Tally>();
    for name in ["a", "b", "c"] {
        tallies.ask(&key(name), Add { n: 1 }).await.expect("added");
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(live(&system), 2);
    assert_eq!(phase(&system, "a").await, "passive");
    assert_eq!((phase(&system, "b").await, phase(&system, "c").await), ("idle".into(), "idle".into()));
    assert_eq!(tallies.ask(&key("a"), Add { n: 1 }).await, Ok(2));
}

#[tokio::test(start_paused = true)]
async fn whoever_is_used_stays_however_long_it_has_been_in_memory() {
    let system = start_with(&memory(), "passivate_after = \"3s\"").await;
    let tallies = system.entities::<Tally>();
    for _ in 0..10 {
        for name in ["a", "b"] {
            tallies.ask(&key(name), Add { n: 1 }).await.expect("added");
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(live(&system), 2);
    }
    for _ in 0..5 {
        tallies.ask(&key("b"), Add { n: 1 }).await.expect("added");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!((phase(&system, "a").await.as_str(), phase(&system, "b").await.as_str()), ("passive", "idle"));
}

#[tokio::test(start_paused = true)]
async fn very_many_leave_in_as_many_goes_as_it_takes_and_the_newest_stay() {
    let system = start_with(&memory(), "max_live = 50").await;
    let tallies = system.entities::<Tally>();
    for n in 0..500 {
        if n % 100 == 0 {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        tallies.ask(&key(&format!("n{n}")), Add { n: 1 }).await.expect("added");
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(live(&system), 50);
    for n in 0..400 {
        assert_eq!(phase(&system, &format!("n{n}")).await, "passive", "{n}");
    }
    for n in 0..500 {
        assert_eq!(tallies.ask(&key(&format!("n{n}")), Add { n: 1 }).await, Ok(2), "{n}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_started_again_begins_with_nobody() {
    let system = start_with(&memory(), "max_live = 2").await;
    let tallies = system.entities::<Tally>();
    for round in 1..=3 {
        for name in ["a", "b", "c", "d"] {
            assert_eq!(tallies.ask(&key(name), Add { n: 1 }).await, Ok(round), "{name}");
        }
        system.restart_service("t/tally").await.expect("restarted");
        assert_eq!(live(&system), 0);
    }
}
