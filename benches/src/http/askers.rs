//! Entities that ask counters, behind a resource as the five systems have them, and nothing else: what a peer's virtual object
//! that asks another does, to the last event.

use std::{io::Write, net::SocketAddr, path::Path, sync::Arc};

use anyhow::Result;
use steadfast::{
    Process as Supervised, Service, ServiceDeclaration, System,
    http::{self, Change, Commands, EntitySource, Field, HttpLimits, Listener, Readiness, Resource},
    persistence::{StorageConfig, open},
};
use tempfile::TempDir;

use super::process::Process;
use crate::{
    asker::{AskCounter, Asker, WITHIN},
    counter::Counter,
};

/// Names the process that is nothing else.
pub(crate) const ASKERS: &str = "serve-askers";

/// `PATCH /askers/{key}` asks the counter of the same key.
fn askers(system: &System) -> Resource {
    let ask = Commands::<Asker>::of(system).asking(WITHIN).prepared(Change::Changed, |call| async move {
        let key = http::by_key(&call)?;
        let ask = AskCounter { key: key.as_str().to_owned(), amount: call.fields.int("amount").into() };
        Ok((key, ask))
    });
    let fields = vec![Field::int("amount").required(), Field::long("sum").read_only()];
    let source = EntitySource::of(system, |asker: &Asker, _| Some(asker.item()));
    Resource::new("bench", "askers", "asker", Field::text("key"), fields, source).service("asker").merge(ask)
}

/// Serves until it is killed; prints its address. Its data is in `dir`.
pub(crate) fn serve(dir: &Path) -> Result<()> {
    let services = vec![Service::service("counter").entity::<Counter>(), Service::service("asker").listed::<Asker>()];
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let listener = Listener::bind(([127, 0, 0, 1], 0).into())?;
        let address = listener.address();
        let serving = System::builder(open(&StorageConfig::new(dir))?).system("bench", services);
        let serving = serving.edge("http", move |system| -> Arc<dyn Supervised> {
            let resources = vec![askers(&system)];
            Arc::new(http::public(listener, &system, resources, true, HttpLimits::default(), Readiness::default()))
        });
        let _system = serving.start().await?;
        println!("{address}");
        std::io::stdout().flush()?;
        std::future::pending().await
    })
}

/// They in a process of their own.
pub(crate) struct Askers {
    process: Process,
    pub(crate) public: SocketAddr,
    /// Removed when the process has ended.
    _directory: TempDir,
}

impl Askers {
    pub(crate) fn start(dir: &Path) -> Result<Self> {
        let directory = tempfile::tempdir_in(dir)?;
        let (process, public) = Process::serving(ASKERS, directory.path())?;
        Ok(Self { process, public, _directory: directory })
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }
}
