//! The shape of the tree: guardian / storage / services / edge.

use std::{sync::Arc, time::Duration};

use super::{clock::Clock, declare::Named, limits::SupervisionConfig, system::StartError};
use crate::actors::supervision::{
    Backoff, ChildSpec, ControlError, Guardian, Intensity, Process, Strategy, SupervisorSpec, TreeNode,
};

/// The processes of a system by the part of the tree that they belong to.
#[derive(Default)]
pub(crate) struct Parts {
    storage: Vec<Named>,
    services: Vec<(String, Vec<Named>)>,
    edge: Vec<Named>,
}

impl Parts {
    pub(crate) fn storage(&mut self, name: String, process: Arc<dyn Process>) {
        self.storage.push((name, process));
    }

    pub(crate) fn service(&mut self, name: &str, children: Vec<Named>) {
        self.services.push((name.to_owned(), children));
    }

    pub(crate) fn edge(&mut self, name: String, process: Arc<dyn Process>) {
        self.edge.push((name, process));
    }

    /// Starts the tree.
    ///
    /// # Errors
    /// [`StartError::Supervision`] names what could not be started.
    pub(crate) async fn start(self, config: &SupervisionConfig, clock: Clock) -> Result<Guardian, StartError> {
        let spec = self.spec(config);
        let guardian = Guardian::start(spec, move || clock.now()).await;
        guardian.map_err(|failure| StartError::Supervision(failure.to_string()))
    }

    /// What lies above stops with what it stands on: without a journal no service, without services no edge.
    fn spec(self, config: &SupervisionConfig) -> SupervisorSpec {
        let services = self.services.into_iter().map(|(name, children)| {
            let children = workers(children);
            ChildSpec::supervisor(supervisor(config, "service", name, children))
        });
        let services = services.collect();
        let children = vec![
            ChildSpec::supervisor(supervisor(config, "storage", "storage".to_owned(), workers(self.storage))),
            ChildSpec::supervisor(supervisor(config, "services", "services".to_owned(), services)),
            ChildSpec::supervisor(supervisor(config, "edge", "edge".to_owned(), workers(self.edge))),
        ];
        supervisor(config, "guardian", "guardian".to_owned(), children)
    }
}

fn workers(processes: Vec<Named>) -> Vec<ChildSpec> {
    processes.into_iter().map(|(name, process)| ChildSpec::worker(name, process)).collect()
}

fn supervisor(_: &SupervisionConfig, role: &str, name: String, children: Vec<ChildSpec>) -> SupervisorSpec {
    SupervisorSpec {
        name,
        strategy: if role == "guardian" { Strategy::RestForOne } else { Strategy::OneForOne },
        intensity: Intensity { at_most: 5, within: Duration::from_secs(30) },
        backoff: Backoff {
            min: Duration::from_millis(100),
            max: Duration::from_secs(10),
            jitter: 0.2,
            reset_after: Duration::from_secs(30),
        },
        shutdown: Duration::from_secs(10),
        children,
    }
}

/// The running tree, as the rest of the runtime uses it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tree<'a>(pub(crate) &'a Guardian);

impl Tree<'_> {
    pub(crate) fn tree(self) -> TreeNode {
        self.0.tree()
    }

    pub(crate) async fn stop_child(self, path: &[&str]) -> Result<(), ControlError> {
        self.0.stop_child(path).await
    }

    pub(crate) async fn start_child(self, path: &[&str]) -> Result<(), ControlError> {
        self.0.start_child(path).await
    }

    pub(crate) async fn restart_child(self, path: &[&str]) -> Result<(), ControlError> {
        self.0.restart_child(path).await
    }

    /// What had to be killed, by its path.
    pub(crate) async fn shutdown(self, limit: Duration) -> Vec<String> {
        let report = self.0.shutdown(limit).await;
        report.killed.into_iter().map(|killed| killed.path.join("/")).collect()
    }

    pub(crate) async fn gave_up(self) -> String {
        self.0.gave_up().await.reason
    }
}
