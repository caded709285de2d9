use tokio::time::Instant;

use futures::future::join_all;

use crate::actors::supervision::{
    ChildSpec, ControlError, NodeState,
    Strategy::{OneForAll, OneForOne, RestForOne},
    guardian::CONTROLS,
};

use super::stage::{Order, Stage, find, ms, supervisor, until};

const DELIVERY: &[&str] = &["services", "store/delivery"];

#[tokio::test(start_paused = true)]
async fn an_operators_stop_is_no_failure_and_holds_until_the_start() {
    let stage = Stage::new();
    let services = supervisor("services", OneForOne, 0, [stage.worker("store/order"), stage.worker("store/delivery")]);
    let guardian = stage.start(supervisor("guardian", RestForOne, 0, [ChildSpec::supervisor(services)])).await.unwrap();
    stage.saw("store/order+ store/delivery+").await;

    guardian.stop_child(DELIVERY).await.unwrap();
    stage.saw("store/delivery-").await;
    guardian.stop_child(DELIVERY).await.expect("it is stopped already");
    tokio::time::advance(ms(100_000)).await;
    let tree = guardian.tree();
    assert_eq!(find(&tree, DELIVERY).state, NodeState::Stopped);
    assert_eq!(find(&tree, &["services", "store/order"]).state, NodeState::Running);

    guardian.start_child(DELIVERY).await.unwrap();
    guardian.start_child(DELIVERY).await.expect("it runs already");
    guardian.restart_child(DELIVERY).await.unwrap();
    stage.saw("store/delivery+ store/delivery- store/delivery+").await;
    let tree = guardian.tree();
    assert_eq!((find(&tree, DELIVERY).state, find(&tree, DELIVERY).restarts), (NodeState::Running, 0));
}

#[tokio::test(start_paused = true)]
async fn what_was_stopped_stays_so_when_its_supervisor_is_restarted() {
    let stage = Stage::new();
    let services = supervisor("services", OneForAll, 3, [stage.worker("store/order"), stage.worker("store/delivery")]);
    let children = [stage.worker("storage"), ChildSpec::supervisor(services)];
    let guardian = stage.start(supervisor("guardian", RestForOne, 3, children)).await.unwrap();
    guardian.stop_child(DELIVERY).await.unwrap();
    stage.saw("storage+ store/order+ store/delivery+ store/delivery-").await;
    stage.order("store/order", Order::Fail("its sibling is not started with it"));
    stage.saw("store/order+").await;
    stage.order("storage", Order::Fail("poisoned"));
    stage.saw("store/order- storage+ store/order+").await;
    assert_eq!(find(&guardian.tree(), DELIVERY).state, NodeState::Stopped);
    guardian.start_child(DELIVERY).await.unwrap();
    stage.saw("store/delivery+").await;
}

#[tokio::test(start_paused = true)]
async fn an_operators_restart_takes_those_along_that_rely_on_the_child() {
    let stage = Stage::new();
    let children = [stage.worker("a"), stage.worker("b"), stage.worker("c")];
    let guardian = stage.start(supervisor("guardian", RestForOne, 0, children)).await.unwrap();
    guardian.restart_child(&["b"]).await.unwrap();
    until(&guardian, &["c"], NodeState::Running).await;
    stage.saw("a+ b+ c+ c- b- b+ c+").await;
}

#[tokio::test(start_paused = true)]
async fn a_stop_during_the_backoff_calls_the_restart_off() {
    let stage = Stage::new();
    let guardian = stage.start(supervisor("guardian", OneForOne, 3, [stage.worker("a")])).await.unwrap();
    stage.order("a", Order::Fail("once"));
    until(&guardian, &["a"], NodeState::Backoff).await;
    guardian.stop_child(&["a"]).await.unwrap();
    tokio::time::advance(ms(10_000)).await;
    assert_eq!(find(&guardian.tree(), &["a"]).state, NodeState::Stopped);
    guardian.start_child(&["a"]).await.unwrap();
    stage.saw("a+ a+").await;
}

#[tokio::test(start_paused = true)]
async fn a_start_during_the_backoff_does_not_wait_for_its_end() {
    let stage = Stage::new();
    let guardian = stage.start(supervisor("guardian", OneForOne, 3, [stage.worker("a")])).await.unwrap();
    stage.order("a", Order::Fail("once"));
    until(&guardian, &["a"], NodeState::Backoff).await;
    let asked_at = Instant::now();
    guardian.start_child(&["a"]).await.unwrap();
    assert!(asked_at.elapsed() < ms(50));
}

#[tokio::test(start_paused = true)]
async fn a_start_that_fails_says_why_and_is_tried_again() {
    let stage = Stage::new();
    let guardian = stage.start(supervisor("guardian", OneForOne, 3, [stage.worker("a")])).await.unwrap();
    guardian.stop_child(&["a"]).await.unwrap();
    stage.fail_starts("a", 1);
    assert_eq!(guardian.start_child(&["a"]).await, Err(ControlError::StartFailed("address in use".into())));
    stage.saw("a+ a- a! a+").await;
}

#[tokio::test(start_paused = true)]
async fn a_path_that_leads_nowhere_is_refused() {
    let stage = Stage::new();
    let services = supervisor("services", OneForOne, 3, [stage.worker("store/order")]);
    let guardian = stage.start(supervisor("guardian", OneForOne, 3, [ChildSpec::supervisor(services)])).await.unwrap();
    for path in [&[][..], &["nobody"], &["services", "nobody"], &["services", "store/order", "deeper"]] {
        let refused = guardian.stop_child(path).await;
        assert_eq!(refused, Err(ControlError::NoSuchChild(path.join("/"))));
    }
    guardian.stop_child(&["services"]).await.unwrap();
    let below = guardian.start_child(&["services", "store/order"]).await;
    assert_eq!(below, Err(ControlError::SupervisorDown("services".into())));
    assert_eq!(guardian.shutdown(ms(1000)).await.killed, []);
    assert_eq!(guardian.start_child(&["services"]).await, Err(ControlError::Ended));
}

#[tokio::test(start_paused = true)]
async fn more_control_requests_than_the_limit_are_refused_at_once() {
    let stage = Stage::new();
    let guardian = stage.start(supervisor("guardian", OneForOne, 3, [stage.stubborn("deaf")])).await.unwrap();
    let answers = join_all((0..=CONTROLS).map(|_| guardian.stop_child(&["deaf"]))).await;
    let refused = answers.iter().filter(|answer| **answer == Err(ControlError::Busy)).count();
    assert_eq!((refused, answers.len()), (1, CONTROLS + 1));
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), CONTROLS);
}

#[tokio::test(start_paused = true)]
async fn the_tree_is_told_in_the_names_of_the_admin_api() {
    let stage = Stage::new();
    let guardian = stage.start(supervisor("guardian", RestForOne, 3, [stage.worker("storage")])).await.unwrap();
    tokio::time::advance(ms(5000)).await;
    stage.order("storage", Order::Fail("poisoned"));
    until(&guardian, &["storage"], NodeState::Backoff).await;
    let tree = serde_json::to_value(guardian.tree()).unwrap();
    let storage = &tree["children"][0];
    assert_eq!((&tree["kind"], &tree["strategy"]), (&"supervisor".into(), &"rest_for_one".into()));
    assert_eq!((&tree["state"], &tree["since"]), (&"running".into(), &0.into()));
    assert_eq!((&storage["name"], &storage["kind"]), (&"storage".into(), &"worker".into()));
    assert_eq!((&storage["state"], &storage["restarts"]), (&"backoff".into(), &0.into()));
    assert_eq!(storage["last_reason"], "poisoned");
    assert!((5000..5100).contains(&storage["since"].as_u64().unwrap()), "{storage}");
}
