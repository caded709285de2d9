//! Where a process listens: the sockets, bound before anything is opened, and how they are told.

use std::{
    collections::BTreeMap,
    io::Write,
    net::{SocketAddr, TcpListener},
    path::Path,
};

use anyhow::Context;
use serde_json::json;
use steadfast::{ServerConfig, ServicePorts, SupervisionConfig, http::Listener};

use super::{
    Exit,
    fleet::{Fleet, Known},
    inherited::{ADMIN, Inherited, PUBLIC},
};

/// The sockets of a process.
pub(super) struct Listeners {
    pub(super) public: Listener,
    pub(super) admin: Listener,
    pub(super) services: Vec<ServiceListener>,
    /// Of the gRPC adapter, when it is asked for.
    pub(super) grpc: Option<Listener>,
}

/// The socket of one service.
pub(super) struct ServiceListener {
    pub(super) system: &'static Known,
    pub(super) service: &'static str,
    pub(super) listener: Listener,
}

impl Listeners {
    /// Takes over what was inherited, and binds what the configuration asks for beside it.
    ///
    /// # Errors
    /// An address that is in use, or that cannot be bound; an inherited socket that nobody here serves.
    pub(super) fn bind(fleet: Fleet, config: &ServerConfig, mut inherited: Inherited) -> Result<Self, Exit> {
        let mut listener = |name: &str, address, flag| match inherited.take(name) {
            Some(socket) => take_over(name, socket, address),
            None => bind(address, flag),
        };
        let public = listener(PUBLIC, config.listen.unwrap_or_else(|| fleet.address()), "--listen")?;
        let admin = listener(ADMIN, config.admin_listen, "--admin-listen")?;
        let grpc = config.grpc_listen.map(|address| grpc(fleet, address)).transpose()?;
        let services = match config.service_ports {
            ServicePorts::Off => Vec::new(),
            ports @ (ServicePorts::Fixed | ServicePorts::Free) => {
                let host = public.address().ip();
                let bound = |(system, service, fixed): (&'static Known, _, _)| {
                    let port = if ports == ServicePorts::Fixed { fixed } else { 0 };
                    let name = format!("{}/{service}", system.name);
                    let listener = listener(&name, SocketAddr::new(host, port), "--service-ports=free")?;
                    Ok(ServiceListener { system, service, listener })
                };
                fleet.service_ports().map(bound).collect::<Result<_, _>>()?
            }
        };
        let of_services = services.iter().map(ServiceListener::name);
        inherited.finish(of_services)?;
        Ok(Self { public, admin, services, grpc })
    }

    /// Whether everything that other machines can reach asks them who they are.
    ///
    /// # Errors
    /// What is open, and what to do about it.
    pub(super) fn are_guarded(&self, config: &SupervisionConfig) -> Result<(), Exit> {
        let services = self.services.iter().map(|port| port.listener.address());
        let grpc = self.grpc.iter().map(Listener::address);
        let public: Vec<SocketAddr> = std::iter::once(self.public.address()).chain(services).chain(grpc).collect();
        guarded(&public, self.admin.address(), config)
    }

    /// Where they listen; `secure` says whether the public ones speak TLS.
    pub(super) fn addresses(&self, secure: bool) -> Addresses {
        let services = self.services.iter().map(|port| (port.name(), port.listener.address().to_string()));
        let (listen, admin, grpc) =
            (self.public.address(), self.admin.address(), self.grpc.as_ref().map(Listener::address));
        Addresses { listen, admin, services: services.collect(), grpc, secure }
    }
}

/// Whether everything that other machines can reach asks them who they are.
///
/// # Errors
/// What is open, and what to do about it.
pub(super) fn guarded(public: &[SocketAddr], admin: SocketAddr, config: &SupervisionConfig) -> Result<(), Exit> {
    let refused = |why: String| Err(Exit::Usage(anyhow::anyhow!(why)));
    if !admin.ip().is_loopback() && config.admin.token_file.is_none() {
        return refused(format!(
            "other machines can reach the operators' address {admin}, and [admin] token_file is not set: set it, or \
             choose a loopback address with --admin-listen"
        ));
    }
    let open = public.iter().filter(|address| !address.ip().is_loopback()).map(SocketAddr::to_string);
    let open: Vec<String> = open.collect();
    if !open.is_empty() && !config.auth.is_on() && !config.auth.open {
        return refused(format!(
            "other machines can reach {}, and nobody is asked who he is: configure [auth] (docs/security.md), or say that \
             this is what you want with --open or [auth] open = true",
            open.join(", ")
        ));
    }
    Ok(())
}

impl ServiceListener {
    /// `<system>/<service>`.
    fn name(&self) -> String {
        format!("{}/{}", self.system.name, self.service)
    }
}

/// An inherited socket is where it is, whatever the configuration says.
fn take_over(name: &str, socket: TcpListener, configured: SocketAddr) -> Result<Listener, Exit> {
    let listener = Listener::inherited(socket)
        .with_context(|| format!("the inherited socket `{name}` cannot be used"))
        .map_err(Exit::Usage)?;
    tracing::info!(name, address = %listener.address(), %configured, "listening on an inherited socket");
    Ok(listener)
}

/// Whether these systems can be called over gRPC: a listener that nobody serves would be worse than none.
///
/// # Errors
/// Why not.
pub(super) fn grpc_is_served(fleet: Fleet) -> Result<(), Exit> {
    let refused = |why| Err(Exit::Usage(anyhow::anyhow!("server.grpc_listen is set, and {why}")));
    if cfg!(not(feature = "grpc")) {
        return refused("this program was built without the feature `grpc`");
    }
    if fleet.iter().all(|known| known.name != steadfast::store::NAME) {
        return refused("the store is not run here");
    }
    Ok(())
}

/// The socket of the gRPC adapter.
fn grpc(fleet: Fleet, address: SocketAddr) -> Result<Listener, Exit> {
    grpc_is_served(fleet)?;
    bind(address, "server.grpc_listen")
}

fn bind(address: SocketAddr, flag: &str) -> Result<Listener, Exit> {
    Listener::bind(address).map_err(|error| {
        if error.source.kind() == std::io::ErrorKind::AddrInUse {
            return Exit::InUse(anyhow::anyhow!("the address {address} is in use; choose another with {flag}"));
        }
        Exit::Usage(anyhow::Error::new(error))
    })
}

/// Where the process listens.
pub(super) struct Addresses {
    listen: SocketAddr,
    admin: SocketAddr,
    /// By `<system>/<service>`.
    services: BTreeMap<String, String>,
    grpc: Option<SocketAddr>,
    secure: bool,
}

impl Addresses {
    /// For the person at the terminal.
    pub(super) fn line(&self) -> String {
        let Self { listen, admin, services, grpc, secure } = self;
        let scheme = if *secure { "https" } else { "http" };
        let own = services.iter().map(|(name, address)| format!("{name} on {scheme}://{address}"));
        let all = [format!("listening on {scheme}://{listen}"), format!("operators on http://{admin}")]
            .into_iter()
            .chain(own);
        let all = all.chain(grpc.iter().map(|grpc| format!("gRPC on {scheme}://{grpc}")));
        all.collect::<Vec<_>>().join(", ")
    }

    /// Whole or not at all: whoever waits for the file reads it as soon as it is there.
    pub(super) fn announce(&self, file: &Path) -> anyhow::Result<()> {
        let mut text = json!({
            "listen": self.listen.to_string(),
            "admin": self.admin.to_string(),
            "services": self.services,
            "pid": std::process::id(),
        });
        if let (Some(grpc), Some(text)) = (self.grpc, text.as_object_mut()) {
            text.insert("grpc".into(), grpc.to_string().into());
        }
        let temporary = file.with_extension("tmp");
        let write = || -> std::io::Result<()> {
            let mut out = std::fs::File::create(&temporary)?;
            out.write_all(text.to_string().as_bytes())?;
            std::fs::rename(&temporary, file)
        };
        write().with_context(|| format!("cannot write {}", file.display()))
    }
}
