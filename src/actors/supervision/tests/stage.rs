//! Scripted workers, and the log of what they went through: `a+` started, `a!` failed to start, `a-` stopped.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    sync::{mpsc, watch},
    time::{Instant, timeout},
};

use crate::actors::{
    entity::Timestamp,
    supervision::{
        Backoff, ChildSpec, Failure, Guardian, Intensity, NodeState, Process, StartFailure, Strategy, SupervisorSpec,
        TreeNode, process,
    },
};

pub(super) const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// Longer than any test takes; time is paused, so it costs nothing.
const EVER: Duration = Duration::from_hours(1);

#[derive(Debug)]
pub(super) enum Order {
    Fail(&'static str),
    Panic(&'static str),
    End,
}

#[derive(Clone)]
pub(super) struct Stage(Arc<Inner>);

struct Inner {
    log: watch::Sender<Vec<String>>,
    running: Mutex<HashMap<String, mpsc::UnboundedSender<Order>>>,
    failing_starts: Mutex<HashMap<String, u32>>,
    origin: Instant,
}

impl Stage {
    pub(super) fn new() -> Self {
        Self(Arc::new(Inner {
            log: watch::channel(vec![]).0,
            running: Mutex::default(),
            failing_starts: Mutex::default(),
            origin: Instant::now(),
        }))
    }

    /// Ends when asked to, or as ordered.
    pub(super) fn worker(&self, name: &'static str) -> ChildSpec {
        let stage = self.clone();
        ChildSpec::worker(
            name,
            process(move |stop| {
                let stage = stage.clone();
                async move {
                    let mut orders = stage.begin(name)?;
                    Ok(async move {
                        tokio::select! {
                            () = stop.requested() => stage.note(format!("{name}-")),
                            order = orders.recv() => match order {
                                Some(Order::Fail(why)) => return Err(Failure::new(why)),
                                Some(Order::Panic(why)) => panic!("{why}"),
                                Some(Order::End) | None => {}
                            },
                        }
                        Ok(())
                    })
                }
            }),
        )
    }

    /// Never ends by itself.
    pub(super) fn stubborn(&self, name: &'static str) -> ChildSpec {
        let stage = self.clone();
        ChildSpec::worker(
            name,
            process(move |_| {
                let stage = stage.clone();
                async move {
                    stage.begin(name)?;
                    Ok(std::future::pending())
                }
            }),
        )
    }

    /// Panics before it returns a future.
    pub(super) fn broken(name: &'static str) -> ChildSpec {
        struct Broken;
        impl Process for Broken {
            fn start(
                &self,
                _: crate::actors::supervision::Stop,
            ) -> futures::future::BoxFuture<'static, Result<crate::actors::supervision::Running, Failure>> {
                panic!("no such luck")
            }
        }
        ChildSpec::worker(name, Arc::new(Broken))
    }

    fn begin(&self, name: &str) -> Result<mpsc::UnboundedReceiver<Order>, Failure> {
        if let Some(left @ 1..) = self.0.failing_starts.lock().unwrap().get_mut(name) {
            *left -= 1;
            self.note(format!("{name}!"));
            return Err(Failure::new("address in use"));
        }
        let (orders, ordered) = mpsc::unbounded_channel();
        self.0.running.lock().unwrap().insert(name.to_owned(), orders);
        self.note(format!("{name}+"));
        Ok(ordered)
    }

    pub(super) fn fail_starts(&self, name: &str, times: u32) {
        self.0.failing_starts.lock().unwrap().insert(name.to_owned(), times);
    }

    pub(super) fn order(&self, name: &str, order: Order) {
        self.0.running.lock().unwrap()[name].send(order).expect("it runs");
    }

    pub(super) fn note(&self, line: String) {
        self.0.log.send_modify(|log| log.push(line));
    }

    /// Takes the log when it has as many lines as `expected` has words, and compares.
    pub(super) async fn saw(&self, expected: &str) {
        let expected: Vec<_> = expected.split_whitespace().collect();
        let mut log = self.0.log.subscribe();
        let waited = timeout(EVER, log.wait_for(|log| log.len() >= expected.len())).await;
        assert!(waited.is_ok(), "waited for {expected:?}, saw {:?}", self.0.log.borrow());
        drop(waited);
        assert_eq!(self.0.log.send_replace(vec![]), expected);
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.0.origin.elapsed()
    }

    pub(super) async fn start(&self, spec: SupervisorSpec) -> Result<Guardian, StartFailure> {
        let origin = self.0.origin;
        let now = move || Timestamp::from_millis(u64::try_from(origin.elapsed().as_millis()).unwrap());
        timeout(EVER, Guardian::start(spec, now)).await.expect("it starts or fails")
    }
}

pub(super) fn supervisor<const N: usize>(
    name: &str,
    strategy: Strategy,
    at_most: u32,
    children: [ChildSpec; N],
) -> SupervisorSpec {
    SupervisorSpec {
        name: name.to_owned(),
        strategy,
        intensity: Intensity { at_most, within: ms(60_000) },
        backoff: Backoff { min: ms(100), max: ms(800), jitter: 0.0, reset_after: ms(10_000) },
        shutdown: ms(5_000),
        children: children.into(),
    }
}

pub(super) fn find<'a>(tree: &'a TreeNode, path: &[&str]) -> &'a TreeNode {
    path.iter().fold(tree, |node, name| node.children.iter().find(|c| c.name == *name).expect("it has this child"))
}

/// Waits until the child is in this state.
pub(super) async fn until(guardian: &Guardian, path: &[&str], state: NodeState) -> TreeNode {
    let reached = async {
        loop {
            let tree = guardian.tree();
            if find(&tree, path).state == state {
                return find(&tree, path).clone();
            }
            tokio::time::advance(ms(1)).await;
        }
    };
    timeout(EVER, reached).await.expect("the state is reached")
}
