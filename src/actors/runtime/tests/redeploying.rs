//! Incarnations that are replaced while everybody goes on.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::task::JoinSet;

use super::{super::System, fixture::*};
use crate::actors::entity::{AskError, NumberedId, Unavailable};

/// What one client did: additions, errands.
async fn client(system: System, name: usize, stop: Arc<AtomicBool>) -> (i64, i64) {
    let (mut adds, mut errands) = (0_i64, 0_i64);
    let (tallies, all) = (system.entities::<Tally>(), system.entities::<Errand>());
    let first = NumberedId::number(1);
    while !stop.load(Ordering::Relaxed) {
        tallies.ask(&first, Add { n: 1 }).await.expect("nobody is refused");
        adds += 1;
        let seen = tallies.get(&first).await.expect("nor who reads").expect("there").state.adds;
        assert!(seen >= adds.unsigned_abs());
        all.ask(&key(&format!("{name}-{errands}")), RunErrand { to: 1, n: 1 }).await.expect("nor who asks another");
        errands += 1;
        let view = system.views::<AddCount>();
        view.catch_up(Duration::from_secs(3)).await.expect("views stay");
        assert!(view.get(&1).await.expect("readable").expect("there").adds > adds.unsigned_abs());
    }
    (adds, errands)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_are_replaced_under_load_without_a_failure_and_nothing_is_lost_or_doubled() {
    let system = start(&memory()).await;
    // Enough that no total is the one that the policy's target does not know.
    let begun = system.entities::<Tally>().ask(&key("one"), Add { n: 100 }).await;
    assert_eq!(begun, Ok(100));
    let stop = Arc::<AtomicBool>::default();
    let mut clients = JoinSet::new();
    for name in 0..8 {
        clients.spawn(client(system.clone(), name, stop.clone()));
    }
    for _ in 0..5 {
        for service in ["t/tally", "T/Errand"] {
            let replaced = system.redeploy_service(service).await.expect("replaced");
            assert_eq!(replaced.state, "running");
        }
    }
    stop.store(true, Ordering::Relaxed);
    let (mut adds, mut errands) = (0, 0);
    for (added, ran) in clients.join_all().await {
        (adds, errands) = (adds + added, errands + ran);
    }
    settled(&system).await;
    assert!(adds >= 8 && errands >= 8, "{adds} {errands}");
    let tally = system.entities::<Tally>().get(&NumberedId::number(1)).await.expect("readable").expect("there").state;
    // Each errand added once itself, and once by the policy that counts it.
    assert_eq!(tally.total, 100 + adds + errands + 1000 * errands);
    assert_eq!(tally.adds, (1 + adds + 2 * errands).unsigned_abs());
    let row = system.views::<AddCount>().get(&1).await.expect("readable").expect("there");
    assert_eq!(row.adds, tally.adds);
    assert!(system.dead_letters().await.expect("readable").is_empty());
}

#[tokio::test]
async fn what_does_not_run_is_not_replaced_and_what_waits_for_a_failed_replacement_is_refused() {
    let system = start(&memory()).await;
    assert!(system.redeploy_service("t/nobody").await.is_err());
    system.stop_service("t/tally").await.expect("stopped");
    let refused = system.redeploy_service("t/tally").await.expect_err("it does not run").to_string();
    assert!(refused.contains("start it"), "{refused}");
    let answer = system.entities::<Tally>().ask(&key("a"), Add { n: 1 }).await;
    assert!(matches!(answer, Err(AskError::Unavailable(Unavailable::ServiceStopped { .. }))), "{answer:?}");
    system.start_service("t/tally").await.expect("started");
    let (one, other) = tokio::join!(system.redeploy_service("t/tally"), system.redeploy_service("t/tally"));
    assert!(one.is_ok(), "{one:?}");
    assert!(other.expect_err("one at a time").to_string().contains("under way"));
    assert_eq!(system.entities::<Tally>().ask(&key("a"), Add { n: 1 }).await, Ok(1));
}

#[tokio::test(start_paused = true)]
async fn who_waits_longer_than_its_deadline_was_not_begun() {
    let system = start(&memory()).await;
    let service = system.inner.services.iter().find(|service| service.name == "tally").expect("there").clone();
    let held = service.door.hold().expect("open");
    let tallies = system.entities::<Tally>();
    let late = tallies.ask(&key("a"), Add { n: 1 }).within(Duration::from_millis(100)).await;
    assert_eq!(late, Err(AskError::Expired(Duration::from_millis(100))));
    let (waited, ()) = tokio::join!(tallies.ask(&key("a"), Add { n: 1 }), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        drop(held);
    });
    assert_eq!(waited, Ok(1), "the first came to nothing");
}

/// An operator who hung up while the old incarnation was drained left it as it was.
#[tokio::test(start_paused = true)]
async fn an_operator_who_hangs_up_changes_nothing() {
    let storage = memory();
    let system = start(&storage).await;
    let service = system.inner.services.iter().find(|service| service.name == "tally").expect("there").clone();
    let (disk, tallies) = (storage.memory_unit("main").expect("in memory"), system.entities::<Tally>());
    disk.hold();
    let mut clients = JoinSet::new();
    clients.spawn(tallies.ask(&key("a"), Add { n: 1 }).into_future());
    wait_for(|| async { disk.waiting() == 1 }).await;
    let old = service.stop_token();
    let hung_up = tokio::time::timeout(Duration::from_millis(10), system.redeploy_service("t/tally")).await;
    assert!(hung_up.is_err() && !old.is_cancelled(), "it is drained");
    clients.spawn(tallies.ask(&key("a"), Add { n: 2 }).into_future());
    wait_for(|| async { service.door.waiting() == 1 }).await;
    disk.release();
    tokio::time::timeout(Duration::from_secs(5), old.cancelled()).await.expect("it is replaced");
    assert_eq!(clients.join_all().await, [Ok(1), Ok(3)], "nobody was refused");
}
