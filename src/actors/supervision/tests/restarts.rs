use tokio::time::Instant;

use crate::actors::supervision::{
    ChildSpec, GaveUp, NodeKind, NodeState, Restart, StartFailure,
    Strategy::{OneForAll, OneForOne, RestForOne},
    TreeNode,
};

use super::stage::{Order, Stage, find, ms, supervisor, until};

#[tokio::test(start_paused = true)]
async fn each_strategy_restarts_its_group_in_order() {
    for (strategy, log) in [(OneForOne, "b+"), (OneForAll, "c- a- a+ b+ c+"), (RestForOne, "c- b+ c+")] {
        let stage = Stage::new();
        let children = [stage.worker("a"), stage.worker("b"), stage.worker("c")];
        let guardian = stage.start(supervisor("guardian", strategy, 3, children)).await.unwrap();
        stage.saw("a+ b+ c+").await;
        stage.order("b", Order::Fail("disk gone"));
        stage.saw(log).await;
        let node = until(&guardian, &["b"], NodeState::Running).await;
        assert_eq!((node.restarts, node.last_reason.as_deref()), (1, Some("disk gone")), "{strategy:?}");
        assert_eq!(guardian.shutdown(ms(1000)).await.killed, []);
        stage.saw("c- b- a-").await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_backoff_grows_and_is_short_again_after_health() {
    let stage = Stage::new();
    let guardian = stage.start(supervisor("guardian", OneForOne, 9, [stage.worker("a")])).await.unwrap();
    stage.saw("a+").await;
    for (healthy_for, wait) in [(0, 100), (0, 200), (0, 400), (0, 800), (0, 800), (10_000, 100), (0, 200)] {
        tokio::time::advance(ms(healthy_for)).await;
        let failed_at = Instant::now();
        stage.order("a", Order::Fail("again"));
        stage.saw("a+").await;
        let waited = failed_at.elapsed();
        assert!((ms(wait)..ms(wait + 10)).contains(&waited), "waited {waited:?} instead of {wait} ms");
        until(&guardian, &["a"], NodeState::Running).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_waiting_child_does_not_keep_its_siblings_from_restarting() {
    let stage = Stage::new();
    let children = [stage.worker("a"), stage.worker("b")];
    let guardian = stage.start(supervisor("guardian", OneForOne, 9, children)).await.unwrap();
    stage.fail_starts("a", 3);
    stage.order("a", Order::Fail("first"));
    stage.saw("a+ b+ a! a!").await;
    assert_eq!(find(&guardian.tree(), &["a"]).state, NodeState::Backoff);
    stage.order("b", Order::Fail("second"));
    stage.saw("b+ a! a+").await;
}

#[tokio::test(start_paused = true)]
async fn too_many_restarts_escalate_level_by_level_up_to_the_guardian() {
    let stage = Stage::new();
    let inner = supervisor("inner", OneForOne, 1, [stage.worker("a"), stage.worker("b")]);
    let middle = supervisor("middle", OneForOne, 1, [ChildSpec::supervisor(inner)]);
    let guardian = stage.start(supervisor("guardian", RestForOne, 0, [ChildSpec::supervisor(middle)])).await.unwrap();
    stage.saw("a+ b+").await;
    for log in ["b+", "a- a+ b+", "b+"] {
        until(&guardian, &["middle", "inner", "b"], NodeState::Running).await;
        stage.order("b", Order::Fail("poison"));
        stage.saw(log).await;
    }
    let inner = until(&guardian, &["middle", "inner"], NodeState::Running).await;
    assert_eq!((inner.restarts, inner.kind), (1, NodeKind::Supervisor));
    stage.order("b", Order::Fail("poison"));
    let GaveUp { reason } = guardian.gave_up().await;
    stage.saw("a-").await;
    assert_eq!(
        reason,
        "more than 0 restarts within 60s; the last to fail was `middle`: \
         more than 1 restarts within 60s; the last to fail was `inner`: \
         more than 1 restarts within 60s; the last to fail was `b`: poison"
    );
    assert_eq!(guardian.tree().state, NodeState::Failed);
    assert_eq!(guardian.shutdown(ms(1000)).await.killed, []);
}

#[tokio::test(start_paused = true)]
async fn a_failed_start_counts_as_a_failure_and_is_tried_again() {
    let stage = Stage::new();
    stage.fail_starts("b", 2);
    let children = [stage.worker("a"), stage.worker("b"), stage.worker("c")];
    let guardian = stage.start(supervisor("guardian", RestForOne, 2, children)).await.unwrap();
    stage.saw("a+ b! b! b+ c+").await;
    assert_eq!(stage.elapsed().as_millis() / 100, 3, "100 ms and 200 ms of backoff");
    let tree = guardian.tree();
    assert_eq!(find(&tree, &["b"]).last_reason.as_deref(), Some("address in use"));
    assert_eq!(tree.state, NodeState::Running);
}

#[tokio::test(start_paused = true)]
async fn a_start_that_keeps_failing_gives_up_and_leaves_nothing_running() {
    let stage = Stage::new();
    stage.fail_starts("b", 9);
    let started = stage.start(supervisor("guardian", RestForOne, 1, [stage.worker("a"), stage.worker("b")])).await;
    let Err(StartFailure::GaveUp(GaveUp { reason })) = started else { panic!("{started:?}") };
    assert_eq!(reason, "more than 1 restarts within 60s; the last to fail was `b`: address in use");
    stage.saw("a+ b! b! a-").await;
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failure_with_its_text() {
    let stage = Stage::new();
    let guardian = stage.start(supervisor("guardian", OneForOne, 3, [stage.worker("a")])).await.unwrap();
    stage.saw("a+").await;
    stage.order("a", Order::Panic("index out of range"));
    stage.saw("a+").await;
    let reason = find(&guardian.tree(), &["a"]).last_reason.clone();
    assert_eq!(reason.as_deref(), Some("panicked: index out of range"));

    let started = stage.start(supervisor("guardian", OneForOne, 0, [Stage::broken("x")])).await;
    let Err(StartFailure::GaveUp(GaveUp { reason })) = started else { panic!("{started:?}") };
    assert!(reason.ends_with("`x`: panicked: no such luck"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn who_may_finish_is_not_restarted() {
    let stage = Stage::new();
    let children = [
        stage.worker("permanent"),
        stage.worker("transient").restarted(Restart::Transient),
        stage.worker("temporary").restarted(Restart::Temporary),
    ];
    let guardian = stage.start(supervisor("guardian", OneForOne, 3, children)).await.unwrap();
    stage.saw("permanent+ transient+ temporary+").await;
    stage.order("transient", Order::End);
    until(&guardian, &["transient"], NodeState::Stopped).await;
    stage.order("temporary", Order::Fail("once"));
    let temporary = until(&guardian, &["temporary"], NodeState::Failed).await;
    assert_eq!(temporary.last_reason.as_deref(), Some("once"));
    stage.order("permanent", Order::End);
    stage.saw("permanent+").await;
}

#[tokio::test(start_paused = true)]
async fn siblings_without_a_name_of_their_own_are_refused() {
    let stage = Stage::new();
    for children in [[stage.worker("a"), stage.worker("a")], [stage.worker("b"), stage.worker("")]] {
        let nested = ChildSpec::supervisor(supervisor("edge", OneForOne, 1, children));
        let started = stage.start(supervisor("guardian", OneForOne, 1, [nested])).await;
        assert!(matches!(&started, Err(StartFailure::BadName(path)) if path.starts_with("edge/")), "{started:?}");
    }
    stage.saw("").await;
}

/// What relied on the child that failed often fails for the same reason. Counted as well, one incident would
/// use up the restarts that are meant for several.
#[tokio::test(start_paused = true)]
async fn a_sibling_that_fails_while_it_waits_to_be_stopped_is_no_second_failure() {
    let stage = Stage::new();
    let children = [stage.worker("a"), stage.worker("b"), stage.stubborn("c").within(ms(500))];
    let guardian = stage.start(supervisor("guardian", RestForOne, 1, children)).await.unwrap();
    stage.saw("a+ b+ c+").await;
    stage.order("a", Order::Fail("poisoned"));
    until(&guardian, &["a"], NodeState::Backoff).await;
    stage.order("b", Order::Fail("storage is gone"));
    stage.saw("a+ b+ c+").await;
    let b = until(&guardian, &["b"], NodeState::Running).await;
    assert_eq!((b.restarts, b.last_reason.as_deref()), (1, Some("storage is gone")));
    assert_eq!(guardian.tree().state, NodeState::Running);
}

#[tokio::test(start_paused = true)]
async fn a_child_that_is_counted_alone_is_given_up_alone_and_an_operator_brings_it_back() {
    let stage = Stage::new();
    let children = [stage.worker("a"), stage.worker("b").alone(), stage.worker("c").alone()];
    let guardian = stage.start(supervisor("guardian", OneForOne, 1, children)).await.unwrap();
    stage.saw("a+ b+ c+").await;
    stage.order("b", Order::Fail("poison"));
    stage.saw("b+").await;
    until(&guardian, &["b"], NodeState::Running).await;
    stage.order("b", Order::Fail("poison"));
    let b = until(&guardian, &["b"], NodeState::Failed).await;
    assert_eq!(b.last_reason.as_deref(), Some("given up after more than 1 restarts within 60s: poison"));
    let then: Vec<_> = b.failures.iter().map(|failure| failure.then.as_str()).collect();
    assert_eq!(then, ["started again after 100.0ms", "given up"]);
    // Its failures are not those of the others.
    stage.order("c", Order::Fail("once"));
    stage.saw("c+").await;
    stage.order("a", Order::Fail("once"));
    stage.saw("a+").await;
    assert_eq!(find(&guardian.tree(), &["b"]).state, NodeState::Failed);

    guardian.start_child(&["b"]).await.unwrap();
    stage.saw("b+").await;
    // What was before does not count any more.
    stage.order("b", Order::Fail("poison"));
    stage.saw("b+").await;
    assert_eq!(guardian.shutdown(ms(1000)).await.killed, []);
    stage.saw("c- b- a-").await;
}

#[tokio::test(start_paused = true)]
async fn a_child_that_is_given_up_at_its_first_start_does_not_keep_the_tree_from_starting() {
    let stage = Stage::new();
    stage.fail_starts("b", 9);
    let children = [stage.worker("a"), stage.worker("b").alone(), stage.worker("c")];
    let guardian = stage.start(supervisor("guardian", OneForOne, 1, children)).await.unwrap();
    assert_eq!(find(&guardian.tree(), &["b"]).state, NodeState::Failed);
    assert_eq!(find(&guardian.tree(), &["c"]).state, NodeState::Running);
}

#[tokio::test(start_paused = true)]
async fn the_failure_of_a_significant_child_is_that_of_its_supervisor() {
    let stage = Stage::new();
    let inner = supervisor("inner", OneForOne, 9, [stage.worker("a"), stage.worker("probe").significant()]);
    let guardian = stage.start(supervisor("guardian", OneForOne, 3, [ChildSpec::supervisor(inner)])).await.unwrap();
    stage.saw("a+ probe+").await;
    stage.order("probe", Order::Fail("ill"));
    stage.saw("a- a+ probe+").await;
    let inner = until(&guardian, &["inner"], NodeState::Running).await;
    assert_eq!((inner.restarts, inner.last_reason.as_deref()), (1, Some("ill")));
}

#[tokio::test(start_paused = true)]
async fn a_place_keeps_its_last_failures_and_no_more() {
    let stage = Stage::new();
    let guardian = stage.start(supervisor("guardian", OneForOne, 99, [stage.worker("a")])).await.unwrap();
    stage.saw("a+").await;
    for round in 0..TreeNode::FAILURES + 3 {
        stage.order("a", Order::Fail(if round == 0 { "first" } else { "later" }));
        stage.saw("a+").await;
        until(&guardian, &["a"], NodeState::Running).await;
    }
    let failures = find(&guardian.tree(), &["a"]).failures.clone();
    assert_eq!(failures.len(), TreeNode::FAILURES);
    assert!(failures.iter().all(|failure| failure.reason == "later" && failure.then.starts_with("started again")));
}
