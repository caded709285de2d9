//! A system in this process: in memory, behind its real HTTP edge.

use std::{sync::Arc, time::Duration};

use steadfast::{
    Process, Service, SupervisionConfig, System,
    http::{self, Audit, Guard, HttpLimits, Listener, Readiness, Resource},
    library,
    persistence::{StorageConfig, open},
    procurement, station, stay, store,
};
use tokio::runtime::Runtime;

use crate::common::Client;

/// Deadlines that a fault can pass without everybody waiting for seconds.
const CONFIG: &str = "[link]\ntimeout = \"300ms\"\n[entity]\ndeadline = \"600ms\"\n";

/// One system, until it is dropped.
pub(super) struct Inside {
    pub(super) system: System,
    pub(super) client: Client,
    pub(super) admin: Client,
    runtime: Runtime,
}

type Parts = (fn() -> Vec<Service>, fn(&System) -> Vec<Resource>);

fn parts(name: &str) -> Parts {
    match name {
        store::NAME => (store::services, http::store),
        stay::NAME => (stay::services, http::stay),
        library::NAME => (library::services, http::library),
        station::NAME => (station::services, http::station),
        procurement::NAME => (procurement::services, http::procurement),
        other => panic!("no system is called {other}"),
    }
}

impl Inside {
    pub(super) fn start(name: &'static str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (services, resources) = parts(name);
        let config = SupervisionConfig::parse(CONFIG, "the matrix").unwrap();
        let limits = HttpLimits::of(&config);
        let units = config.storage.units.keys().cloned().collect();
        let storage = open(&StorageConfig { units, partitions: 4, ..StorageConfig::memory() }).unwrap();
        let listen = || Listener::bind(([127, 0, 0, 1], 0).into()).unwrap();
        let (public, admin) = (listen(), listen());
        let client = |listener: &Listener| Client::new(&listener.address().to_string());
        let clients = (client(&public), client(&admin));
        let (for_admin, for_public) = (limits.clone(), limits);
        let builder = System::builder(storage).supervision(config).system(name, services());
        let builder = builder.edge("admin", move |system| -> Arc<dyn Process> {
            Arc::new(http::admin(admin, &system, for_admin, Readiness::default(), &Guard::default(), Audit::none()))
        });
        let builder = builder.edge("http", move |system| -> Arc<dyn Process> {
            let resources = resources(&system);
            Arc::new(http::public(public, &system, resources, true, for_public, Readiness::default()))
        });
        let system = runtime.block_on(builder.start()).unwrap();
        Self { system, client: clients.0, admin: clients.1, runtime }
    }

    /// Waits until everything that follows has happened.
    pub(super) fn quiet(&self) {
        let late = self.runtime.block_on(self.system.quiesce(Duration::from_secs(20)));
        assert_eq!(late, Ok(()), "it does not come to rest");
    }

    /// What this gives, in the system's runtime.
    pub(super) fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime.block_on(future)
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let report = self.runtime.block_on(self.system.shutdown(Duration::from_secs(10)));
        if !std::thread::panicking() {
            assert_eq!(report.killed, Vec::<String>::new());
        }
    }
}
