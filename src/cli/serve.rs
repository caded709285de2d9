//! `steadfast serve`: runs the systems until a signal, or until the supervision tree gives up.

use std::{
    io::ErrorKind::{AlreadyExists, NotADirectory},
    path::PathBuf,
    pin::pin,
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use clap::Args;
use steadfast::{
    Clock, Configuration, ConfigurationSource, JournalKind, Process, ReadBy, StartError, SupervisionConfig, System,
    http::{self, AccessLog, Audit, Guard, GuardError, HttpLimits, Readiness},
    outbound,
    persistence::{self, OpenError, Storage},
};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{
    Exit, complain,
    fleet::Fleet,
    inherited::Inherited,
    layers::Layers,
    listeners::{Listeners, ServiceListener},
    log::{self, LogFormat},
    notify::Manager,
    say,
    watch::Watch,
};

/// What a shutdown may take beyond the edge's drain: services drain within theirs, the journal syncs.
const SHUTDOWN_MARGIN: Duration = Duration::from_secs(20);

/// Tasks that a busy thread polls before it looks for what the network and the timers have brought. A poll of ours takes
/// tens of microseconds, for which tokio's 61 are too many: requests would wait for milliseconds in their sockets.
const POLLS_PER_LOOK: u32 = 16;

#[derive(Debug, Clone, Args)]
pub(super) struct Serve {
    #[command(flatten)]
    layers: Layers,
    /// How log lines look; `RUST_LOG` says what is logged.
    #[arg(long, value_enum, default_value = "text")]
    log_format: LogFormat,
}

/// What stands between the sockets and the system.
struct Door {
    guard: Guard,
    audit: Audit,
}

impl Serve {
    pub(super) fn run(self) -> Result<(), Exit> {
        let fleet = self.layers.fleet();
        let inherited = Inherited::of_environment()?;
        let watch = Watch::new(self.layers.file());
        let layers = self.layers;
        let source = ConfigurationSource::new(move || layers.read());
        let configuration = source.read().map_err(|error| Exit::Usage(error.into()))?;
        let config = &configuration.supervision;
        // Until the end, so that what happens in it is traced as well.
        let _traces = log::start(self.log_format)?;
        let guard = Guard::of(config).map_err(not_guarded)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .event_interval(POLLS_PER_LOOK)
            .build()
            .context("cannot start the async runtime")
            .map_err(Exit::Other)?;
        let _guard = runtime.enter();
        // Addresses first: an occupied one is said before anything is opened.
        let listeners = Listeners::bind(fleet, &config.server, inherited)?;
        listeners.are_guarded(config)?;
        let storage = open(fleet, config)?;
        let audit = Audit::open(&config.admin, &config.storage.data).map_err(not_guarded)?;
        runtime.block_on(serve(fleet, configuration, (source, watch), storage, listeners, Door { guard, audit }))
    }
}

fn open(fleet: Fleet, config: &SupervisionConfig) -> Result<Storage, Exit> {
    persistence::open(&storage_config(fleet, &config.storage)).map_err(|error| match &error {
        OpenError::InUse { .. } => Exit::InUse(anyhow::Error::new(error).context("choose another with --data")),
        OpenError::Damaged { .. } => Exit::Damaged(error.into()),
        OpenError::Format(_) => Exit::Usage(error.into()),
        OpenError::Io { file, source }
            if *file == config.storage.data && matches!(source.kind(), NotADirectory | AlreadyExists) =>
        {
            Exit::Usage(anyhow::Error::new(error).context("there is a file: choose a directory with --data"))
        }
        OpenError::Io { .. } | _ => Exit::Other(error.into()),
    })
}

/// A key file that is wrong is a mistake of whoever wrote it.
fn not_guarded(error: GuardError) -> Exit {
    Exit::Usage(error.into())
}

pub(super) fn storage_config(fleet: Fleet, config: &steadfast::StorageConfig) -> persistence::StorageConfig {
    let bytes = |count: steadfast::ByteCount| count.get();
    persistence::StorageConfig {
        data: config.data.clone(),
        journal: backend(config.journal),
        backends: config.unit_journals.iter().map(|(unit, kind)| (unit.clone(), backend(*kind))).collect(),
        partitions: u16::try_from(config.partitions).unwrap_or(u16::MAX),
        // only those that somebody here keeps something in
        units: config
            .units
            .iter()
            .filter(|(_, services)| fleet.has_any(services))
            .map(|(unit, _)| unit.clone())
            .collect(),
        segment_bytes: bytes(config.segment_bytes),
        queue: usize::try_from(config.queue).unwrap_or(usize::MAX),
        sled_cache_bytes: bytes(config.sled_cache),
        deletes_history: config.history.is_some(),
        low_space_bytes: bytes(config.low_space),
        ballast_bytes: bytes(config.ballast),
    }
}

fn backend(kind: JournalKind) -> persistence::Backend {
    match kind {
        JournalKind::Memory => persistence::Backend::Memory,
        JournalKind::Sled => persistence::Backend::Sled,
        JournalKind::Segments | _ => persistence::Backend::Segments,
    }
}

async fn serve(
    fleet: Fleet,
    configuration: Configuration,
    (source, mut watch): (ConfigurationSource, Watch),
    storage: Storage,
    listeners: Listeners,
    Door { guard, audit }: Door,
) -> Result<(), Exit> {
    let Configuration { supervision: config, settings, shown } = configuration;
    let addresses = listeners.addresses(config.server.tls.is_some());
    let Listeners { public, admin, services, grpc } = listeners;
    let readiness = Readiness::default();
    let limits = HttpLimits::of(&config);
    let access = access_log(&config)?;
    let (ready_down, drain) = (config.server.ready_down, config.server.drain);
    let ready_file = config.server.ready_file.clone();
    watch.begin(config.server.watch_config);
    // Before it serves a reload waits; it is not the end of the process.
    let mut hang_up = listen_for(SignalKind::hangup())?;

    let mut builder =
        System::builder(storage).supervision(config).source(source).shown(shown).connectors(outbound::connector);
    builder = builder.reloading(Arc::new(guard.clone()));
    builder = builder.remote(Arc::new(outbound::HttpAsks::default()));
    for known in fleet.iter() {
        builder = builder.system(known.name, (known.services)());
    }
    for settings in settings {
        builder = builder.settings(settings);
    }
    let operators = (limits.clone(), readiness.clone(), guard.clone(), access.clone());
    let (audited, clock) = (audit.clone(), Clock::system());
    builder = builder.edge("admin", move |system| -> Arc<dyn Process> {
        let (limits, readiness, guard, access) = operators;
        Arc::new(http::admin(admin, &system, limits, readiness, &guard, audit).logging(access))
    });
    let keys = guard.watch(audited.clone(), clock.clone());
    builder = builder.edge("keys", move |_| -> Arc<dyn Process> { Arc::new(keys) });
    for ServiceListener { system: known, service, listener } in services {
        let (limits, readiness) = (limits.clone(), readiness.clone());
        let (guard, access) = (guard.clone(), access.clone());
        builder = builder.edge(format!("http:{}/{service}", known.name), move |system| -> Arc<dyn Process> {
            let resources = (known.resources)(&system);
            let port = http::service_port(listener, &system, known.name, service, resources, limits, readiness);
            Arc::new(port.behind(&guard).logging(access))
        });
    }
    #[cfg(feature = "grpc")]
    if let Some(listener) = grpc {
        use steadfast::grpc::{GrpcServer, StoreService};
        let (limits, readiness, guard, access) = (limits.clone(), readiness.clone(), guard.clone(), access.clone());
        builder = builder.edge("grpc", move |system| -> Arc<dyn Process> {
            let service = StoreService::of(&system);
            Arc::new(GrpcServer::new(listener, service, limits, readiness, &guard).logging(access))
        });
    }
    #[cfg(not(feature = "grpc"))]
    drop(grpc);
    let edge = (limits, readiness.clone());
    let system = builder
        .edge("http", move |system| -> Arc<dyn Process> {
            let resources = fleet.resources(&system);
            let public = http::public(public, &system, resources, fleet.is_single(), edge.0, edge.1);
            Arc::new(public.behind(&guard).logging(access))
        })
        .start()
        .await
        .map_err(not_started)?;

    let mut terminate = listen_for(SignalKind::terminate())?;
    let mut interrupt = listen_for(SignalKind::interrupt())?;
    let manager = Manager::of(|name| std::env::var_os(name))
        .context("NOTIFY_SOCKET names a service manager that cannot be told anything")
        .map_err(Exit::Usage)?;
    let mut watching = pin!(manager.watch(|| system.responds()));
    say(&addresses.line());
    if let Some(file) = &ready_file {
        addresses.announce(file).map_err(Exit::Other)?;
    }
    manager.ready(&addresses.line());
    loop {
        tokio::select! {
            () = &mut watching => {}
            _ = terminate.recv() => break tracing::info!("SIGTERM"),
            _ = interrupt.recv() => break tracing::info!("SIGINT"),
            _ = hang_up.recv() => reload(&system, &audited, ReadBy::Signal).await,
            () = watch.changed() => reload(&system, &audited, ReadBy::File).await,
            () = system.drain_wanted() => break tracing::info!("POST /admin/drain"),
            reason = system.gave_up() => {
                return Err(Exit::GaveUp(anyhow::anyhow!("the supervision tree gave up: {reason}")));
            }
        }
    }
    readiness.lower();
    manager.stopping();
    tokio::select! {
        () = tokio::time::sleep(ready_down) => {}
        _ = terminate.recv() => tracing::info!("SIGTERM again: no more waiting for balancers"),
        _ = interrupt.recv() => tracing::info!("SIGINT again: no more waiting for balancers"),
        () = &mut watching => {}
    }
    let report = tokio::select! {
        report = system.shutdown(drain + SHUTDOWN_MARGIN) => report,
        () = watching => unreachable!("it never ends"),
    };
    if !report.killed.is_empty() {
        complain(&format!("steadfast: did not end in time and was killed: {}", report.killed.join(", ")));
    }
    Ok(())
}

/// Reads the configuration again without an operator's request. A refused one is in the log, and in GET /admin/config.
async fn reload(system: &System, audit: &Audit, by: ReadBy) {
    drop(audit.around(by, "configuration", &system.clock(), system.reload_by(by)).await);
}

/// The access log, where one is wanted. It is the program's and not the system's: a reload does not touch it.
fn access_log(config: &SupervisionConfig) -> Result<Option<AccessLog>, Exit> {
    let open = |path: &PathBuf| AccessLog::open(path, config.log.access_one_in.into());
    config.log.access.as_ref().map(open).transpose().map_err(|error| Exit::Usage(error.into()))
}

/// A configuration that names what is not here is a mistake of whoever wrote it; all else is the tree's.
fn not_started(error: StartError) -> Exit {
    use StartError::{Elsewhere, Forgetful, NoUnit, UnknownService, Unused};
    let is_ours = !matches!(
        error,
        Unused { .. }
            | UnknownService { .. }
            | NoUnit { .. }
            | Forgetful { .. }
            | Elsewhere(persistence::Elsewhere::Moved { .. })
    );
    if is_ours { Exit::GaveUp(error.into()) } else { Exit::Usage(error.into()) }
}

fn listen_for(kind: SignalKind) -> Result<Signal, Exit> {
    signal(kind).context("cannot listen for signals").map_err(Exit::Other)
}
