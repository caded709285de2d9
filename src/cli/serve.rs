//! `steadfast serve`: runs the systems until a signal, or until the supervision tree gives up.

use std::{
    io::{IsTerminal, Write},
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::Context;
use clap::{Args, ValueEnum};
use serde_json::json;
use steadfast::{
    JournalKind, Process, StartError, SupervisionConfig, System,
    http::{self, HttpLimits, Listener, Readiness},
    outbound,
    persistence::{self, OpenError, Storage},
    store,
};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Exit, complain, say};

/// What a shutdown may take beyond the edge's drain: services drain within theirs, the journal syncs.
const SHUTDOWN_MARGIN: Duration = Duration::from_secs(20);

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Which system; its resources are then at the root as well.
    #[arg(long, value_enum, default_value = "all")]
    system: Which,
    /// The public address; port 0 takes a free one [default: 127.0.0.1 and the system's gateway port, 8088 for all].
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// The operators' address [default: 127.0.0.1:9900].
    #[arg(long)]
    admin_listen: Option<SocketAddr>,
    /// The data directory [default: ./data].
    #[arg(long)]
    data: Option<PathBuf>,
    /// The configuration; an absent file is an empty one.
    #[arg(long, default_value = "supervision.toml")]
    config: PathBuf,
    /// What keeps the journal [default: segments].
    #[arg(long, value_enum)]
    journal: Option<Journal>,
    /// How log lines look; `RUST_LOG` says what is logged.
    #[arg(long, value_enum, default_value = "text")]
    log_format: LogFormat,
    /// Writes the bound addresses and the process id here, as JSON, once it serves.
    #[arg(long)]
    ready_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Which {
    Store,
    All,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Journal {
    Segments,
    Memory,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

impl Which {
    /// The gateway port of the old system.
    fn port(self) -> u16 {
        match self {
            Self::Store | Self::All => 8088,
        }
    }
}

impl Serve {
    pub(super) fn run(self) -> Result<(), Exit> {
        let config = self.configuration()?;
        start_log(self.log_format);
        let listen = config.server.listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], self.system.port())));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .context("cannot start the async runtime")
            .map_err(Exit::Other)?;
        let _guard = runtime.enter();
        // Addresses first: an occupied one is said before anything is opened.
        let public = bind(listen, "--listen")?;
        let admin = bind(config.server.admin_listen, "--admin-listen")?;
        let storage = open(&config)?;
        runtime.block_on(serve(config, storage, public, admin, self.system != Which::All))
    }

    /// Defaults, file, environment, flags; later wins.
    fn configuration(&self) -> Result<SupervisionConfig, Exit> {
        let loaded = SupervisionConfig::load_with(&self.config, std::env::vars());
        let mut config = loaded.map_err(|error| Exit::Usage(error.into()))?;
        if let Some(listen) = self.listen {
            config.server.listen = Some(listen);
        }
        if let Some(admin) = self.admin_listen {
            config.server.admin_listen = admin;
        }
        if let Some(data) = &self.data {
            config.storage.data.clone_from(data);
        }
        if let Some(file) = &self.ready_file {
            config.server.ready_file = Some(file.clone());
        }
        match self.journal {
            Some(Journal::Segments) => config.storage.journal = JournalKind::Segments,
            Some(Journal::Memory) => config.storage.journal = JournalKind::Memory,
            None => {}
        }
        Ok(config)
    }
}

fn bind(address: SocketAddr, flag: &str) -> Result<Listener, Exit> {
    Listener::bind(address).map_err(|error| {
        if error.source.kind() == std::io::ErrorKind::AddrInUse {
            return Exit::InUse(anyhow::anyhow!("the address {address} is in use; choose another with {flag}"));
        }
        Exit::Usage(anyhow::Error::new(error))
    })
}

fn open(config: &SupervisionConfig) -> Result<Storage, Exit> {
    persistence::open(&storage_config(&config.storage)).map_err(|error| match &error {
        OpenError::InUse { .. } => Exit::InUse(anyhow::Error::new(error).context("choose another with --data")),
        OpenError::Damaged { .. } => Exit::Damaged(error.into()),
        OpenError::Format(_) => Exit::Usage(error.into()),
        OpenError::Io { .. } | _ => Exit::Other(error.into()),
    })
}

fn storage_config(config: &steadfast::StorageConfig) -> persistence::StorageConfig {
    let bytes = |count: steadfast::ByteCount| count.get();
    persistence::StorageConfig {
        data: config.data.clone(),
        journal: match config.journal {
            JournalKind::Memory => persistence::Backend::Memory,
            JournalKind::Segments | _ => persistence::Backend::Segments,
        },
        partitions: u16::try_from(config.partitions).unwrap_or(u16::MAX),
        units: config.units.keys().cloned().collect(),
        segment_bytes: bytes(config.segment_bytes),
        queue: usize::try_from(config.queue).unwrap_or(usize::MAX),
        sled_cache_bytes: bytes(config.sled_cache),
    }
}

async fn serve(
    config: SupervisionConfig,
    storage: Storage,
    public: Listener,
    admin: Listener,
    rooted: bool,
) -> Result<(), Exit> {
    let readiness = Readiness::default();
    let limits = HttpLimits::of(&config);
    let (drain, ready_file) = (config.server.drain, config.server.ready_file.clone());
    let delivery = config.link("store", "order", "delivery").timeout;
    let (listen, admin_listen) = (public.address(), admin.address());

    let edge = (limits.clone(), readiness.clone());
    let operators = (limits, readiness.clone());
    let system = System::builder(storage)
        .supervision(config)
        .system(store::NAME, store::services())
        .connectors(outbound::connector)
        .edge("admin", move |system| -> Arc<dyn Process> {
            Arc::new(http::admin(admin, &system, operators.0, operators.1))
        })
        .edge("http", move |system| -> Arc<dyn Process> {
            let resources = http::store(&system, delivery);
            Arc::new(http::public(public, &system, resources, rooted, edge.0, edge.1))
        })
        .start()
        .await
        .map_err(not_started)?;

    let mut terminate = listen_for(SignalKind::terminate())?;
    let mut interrupt = listen_for(SignalKind::interrupt())?;
    say(&format!("listening on http://{listen}, operators on http://{admin_listen}"));
    if let Some(file) = &ready_file {
        announce(file, listen, admin_listen).map_err(Exit::Other)?;
    }
    tokio::select! {
        _ = terminate.recv() => tracing::info!("SIGTERM"),
        _ = interrupt.recv() => tracing::info!("SIGINT"),
        reason = system.gave_up() => {
            return Err(Exit::GaveUp(anyhow::anyhow!("the supervision tree gave up: {reason}")));
        }
    }
    readiness.lower();
    let report = system.shutdown(drain + SHUTDOWN_MARGIN).await;
    if !report.killed.is_empty() {
        complain(&format!("steadfast: did not end in time and was killed: {}", report.killed.join(", ")));
    }
    Ok(())
}

/// A configuration that names what is not here is a mistake of whoever wrote it; all else is the tree's.
fn not_started(error: StartError) -> Exit {
    use StartError::{NoUnit, UnknownService, Unused};
    let is_ours = !matches!(error, Unused { .. } | UnknownService { .. } | NoUnit { .. });
    if is_ours { Exit::GaveUp(error.into()) } else { Exit::Usage(error.into()) }
}

fn listen_for(kind: SignalKind) -> Result<Signal, Exit> {
    signal(kind).context("cannot listen for signals").map_err(Exit::Other)
}

/// Whole or not at all: whoever waits for the file reads it as soon as it is there.
fn announce(file: &Path, listen: SocketAddr, admin: SocketAddr) -> anyhow::Result<()> {
    let text = json!({ "listen": listen.to_string(), "admin": admin.to_string(), "pid": std::process::id() });
    let temporary = file.with_extension("tmp");
    let write = || -> std::io::Result<()> {
        let mut out = std::fs::File::create(&temporary)?;
        out.write_all(text.to_string().as_bytes())?;
        std::fs::rename(&temporary, file)
    };
    write().with_context(|| format!("cannot write {}", file.display()))
}

fn start_log(format: LogFormat) {
    use tracing_subscriber::EnvFilter;
    // ractor logs each actor's life at info; the tree says it better.
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,ractor=warn"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().init(),
    }
}
