use tokio::{runtime::Handle, task::yield_now, time::Instant};

use std::sync::{Arc, Mutex, mpsc};

use crate::actors::supervision::{
    ChildSpec, Killed, NodeState,
    Strategy::{OneForOne, RestForOne},
    process,
};

use super::stage::{Order, Stage, find, ms, supervisor, until};

#[tokio::test(start_paused = true)]
async fn the_tree_stops_last_to_first_through_all_levels() {
    let stage = Stage::new();
    let services = supervisor("services", OneForOne, 3, [stage.worker("order"), stage.worker("delivery")]);
    let children = [stage.worker("storage"), ChildSpec::supervisor(services), stage.worker("edge")];
    let guardian = stage.start(supervisor("guardian", RestForOne, 3, children)).await.unwrap();
    stage.saw("storage+ order+ delivery+ edge+").await;
    let report = guardian.shutdown(ms(1000)).await;
    assert_eq!(report.killed, []);
    stage.saw("edge- delivery- order- storage-").await;
    let tree = guardian.tree();
    assert_eq!((tree.state, find(&tree, &["services", "order"]).state), (NodeState::Stopped, NodeState::Stopped));
    assert_eq!(guardian.shutdown(ms(1000)).await, report, "asking again gets the same report");
}

#[tokio::test(start_paused = true)]
async fn a_child_that_ignores_stop_is_killed_after_its_limit_and_reported() {
    let stage = Stage::new();
    let inner = supervisor("inner", OneForOne, 3, [stage.stubborn("deaf").within(ms(700)), stage.worker("b")]);
    let children = [stage.worker("a"), ChildSpec::supervisor(inner)];
    let guardian = stage.start(supervisor("guardian", OneForOne, 3, children)).await.unwrap();
    stage.saw("a+ deaf+ b+").await;
    let asked_at = Instant::now();
    let report = guardian.shutdown(ms(60_000)).await;
    assert_eq!(report.killed, [Killed { path: vec!["inner".into(), "deaf".into()], abandoned: false }]);
    let took = asked_at.elapsed();
    assert!((ms(700)..ms(750)).contains(&took), "{took:?}");
    stage.saw("b- a-").await;
}

/// It was given its whole time once more.
#[tokio::test(start_paused = true)]
async fn a_child_that_is_asked_to_stop_already_gets_no_more_time_when_the_tree_ends() {
    let stage = Stage::new();
    let children = [stage.stubborn("deaf").within(ms(700))];
    let guardian = stage.start(supervisor("guardian", OneForOne, 3, children)).await.unwrap();
    let asked_at = Instant::now();
    let ends = async {
        tokio::time::sleep(ms(500)).await;
        guardian.shutdown(ms(60_000)).await
    };
    let (_, report) = tokio::join!(guardian.stop_child(&["deaf"]), ends);
    assert_eq!(report.killed, [Killed { path: vec!["deaf".into()], abandoned: false }]);
    let took = asked_at.elapsed();
    assert!((ms(700)..ms(750)).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn the_limit_of_the_shutdown_caps_those_of_the_children() {
    let stage = Stage::new();
    let inner = supervisor("inner", OneForOne, 3, [stage.stubborn("x"), stage.stubborn("y"), stage.stubborn("z")]);
    let guardian = stage.start(supervisor("guardian", OneForOne, 3, [ChildSpec::supervisor(inner)])).await.unwrap();
    let asked_at = Instant::now();
    let report = guardian.shutdown(ms(1000)).await;
    let names: Vec<_> = report.killed.iter().map(|killed| killed.path.join("/")).collect();
    assert_eq!(names, ["inner/z", "inner/y", "inner/x"]);
    let took = asked_at.elapsed();
    assert!((ms(1000)..ms(1050)).contains(&took), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_during_a_backoff_starts_nothing_any_more() {
    let stage = Stage::new();
    let children = [stage.worker("a"), stage.worker("b")];
    let guardian = stage.start(supervisor("guardian", RestForOne, 3, children)).await.unwrap();
    stage.saw("a+ b+").await;
    stage.order("b", Order::Fail("once"));
    until(&guardian, &["b"], NodeState::Backoff).await;
    assert_eq!(guardian.shutdown(ms(1000)).await.killed, []);
    tokio::time::advance(ms(1000)).await;
    stage.saw("a-").await;
    assert_eq!(find(&guardian.tree(), &["b"]).state, NodeState::Stopped);
}

/// Real threads: a process that blocks its thread does not notice that it was killed. Its supervisor goes on
/// without it, and its exit, which comes much later, must not be taken for that of its successor.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_late_exit_of_an_abandoned_run_changes_nothing() {
    let (release, blocked) = mpsc::channel::<()>();
    let blocked = Arc::new(Mutex::new(Some(blocked)));
    let stuck = process(move |stop| {
        let blocked = blocked.lock().unwrap().take();
        async move {
            Ok(async move {
                stop.requested().await;
                if let Some(blocked) = blocked {
                    blocked.recv().ok();
                    panic!("too late");
                }
                Ok(())
            })
        }
    });
    let stage = Stage::new();
    let children = [ChildSpec::worker("a", stuck).within(ms(1)), stage.worker("b")];
    let guardian = stage.start(supervisor("guardian", RestForOne, 0, children)).await.unwrap();
    let tasks = || Handle::current().metrics().num_alive_tasks();
    let healthy = tasks();
    guardian.stop_child(&["a"]).await.unwrap();
    let stopped = find(&guardian.tree(), &["a"]).clone();
    assert_eq!(stopped.last_reason.as_deref(), Some("it did not end when it was killed, and was abandoned"));
    guardian.start_child(&["a"]).await.unwrap();
    release.send(()).unwrap();
    // The task of an actor ends when it has sent its exit. Handling the restart below, the supervisor has
    // handled that exit; had it counted, it would be one restart more than the guardian allows.
    while tasks() > healthy {
        yield_now().await;
    }
    guardian.restart_child(&["b"]).await.unwrap();
    let a = find(&guardian.tree(), &["a"]).clone();
    assert_eq!((a.state, a.restarts), (NodeState::Running, 0));
    assert_eq!(guardian.shutdown(ms(1000)).await.killed, []);
}
