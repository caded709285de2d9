//! The shape of the tree: guardian / storage / services / bulkheads / edge.

use std::{sync::Arc, time::Duration};

use super::{
    builder::StartError,
    clock::Clock,
    declare::{Internal, Named, Place},
    kinds::KindHost,
    service::Cells,
    skips::RefusedBefore,
    system::System,
};
use crate::actors::supervision::{
    ChildSpec, ControlError, Guardian, Process, SupervisionConfig, SupervisorSpec, TreeNode,
};

/// The processes of a system by the part of the tree that they belong to.
#[derive(Default)]
pub(crate) struct Parts {
    storage: Vec<Named>,
    services: Vec<ServiceParts>,
    bulkheads: Vec<Named>,
    edge: Vec<Named>,
}

/// What runs below the supervisor of a service.
struct ServiceParts {
    name: String,
    children: Vec<Named>,
    /// None for the runtime's own.
    probe: Option<Arc<dyn Process>>,
}

impl Parts {
    pub(crate) fn storage(&mut self, name: String, process: Arc<dyn Process>) {
        self.storage.push((name, process));
    }

    /// One of the runtime's own, on which others stand: when it fails too often, they go with it.
    pub(crate) fn internal(&mut self, own: Internal) {
        let hosts = own.hosts();
        let Internal { place: Place { service, unit }, refused, .. } = own;
        let cells = Cells { service: service.clone(), unit: unit.clone(), hosts };
        let refused = RefusedBefore { unit, known: refused };
        let children: Vec<Named> =
            vec![("cells".to_owned(), Arc::new(cells)), ("refused".to_owned(), Arc::new(refused))];
        self.services.push(ServiceParts { name: service.full_name.clone(), children, probe: None });
    }

    /// One with its cells, what follows them, and its probe, whose failure is the service's. When it fails too often it
    /// is given up alone.
    pub(crate) fn service(&mut self, system: &System, place: Place, followers: Vec<Named>) {
        let own = |host: &&Arc<dyn KindHost>| Arc::ptr_eq(host.service(), &place.service);
        let hosts: Vec<_> = system.inner.hosts.iter().filter(own).cloned().collect();
        let probe = system.probe(&place, &hosts);
        let cells = Cells { service: place.service.clone(), unit: place.unit, hosts };
        let mut children: Vec<Named> = vec![("cells".to_owned(), Arc::new(cells))];
        children.extend(followers);
        let name = place.service.full_name.clone();
        self.services.push(ServiceParts { name, children, probe: Some(Arc::new(probe)) });
    }

    pub(crate) fn bulkhead(&mut self, name: String, process: Arc<dyn Process>) {
        self.bulkheads.push((name, process));
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
    /// Connectors wait while their bulkhead is away, so no service stands on one.
    fn spec(self, config: &SupervisionConfig) -> SupervisorSpec {
        let levels = &config.supervisors;
        let service = |ServiceParts { name, children, probe }: ServiceParts| {
            let mut children = workers(children);
            let is_alone = probe.is_some();
            children.extend(probe.map(|probe| ChildSpec::worker("probe", probe).significant()));
            let service = ChildSpec::supervisor(levels.service.spec(name, children));
            if is_alone { service.alone() } else { service }
        };
        let services = self.services.into_iter().map(service).collect();
        let children = vec![
            ChildSpec::supervisor(levels.storage.spec("storage", workers(self.storage))),
            ChildSpec::supervisor(levels.services.spec("services", services)),
            ChildSpec::supervisor(levels.bulkheads.spec("bulkheads", workers(self.bulkheads))),
            ChildSpec::supervisor(levels.edge.spec("edge", workers(self.edge))),
        ];
        levels.guardian.spec("guardian", children)
    }
}

fn workers(processes: Vec<Named>) -> Vec<ChildSpec> {
    processes.into_iter().map(|(name, process)| ChildSpec::worker(name, process)).collect()
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

    pub(crate) async fn responds(self) {
        self.0.responds().await;
    }

    pub(crate) async fn gave_up(self) -> String {
        self.0.gave_up().await.reason
    }
}
