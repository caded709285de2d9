//! `[server]` and `[limits]`: the edge.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use super::{
    addresses::AddressRange,
    error::{ConfigError, Problem},
    rate::{RateConfig, rate},
    section::{Placed, Section},
    units::ByteCount,
};

/// `[server]`: where the process listens, and how long it waits for clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerConfig {
    /// The public address. `None`: 127.0.0.1 and the gateway port of the system that runs.
    pub listen: Option<SocketAddr>,
    /// The address of the gRPC adapter; needs a program with the feature `grpc`. Default: none.
    pub grpc_listen: Option<SocketAddr>,
    /// The address of the admin API. Default 127.0.0.1:9900.
    pub admin_listen: SocketAddr,
    /// Whether each service has a listener of its own beside the gateway. Default off.
    pub service_ports: ServicePorts,
    /// Where the bound addresses are written once the process serves. Default nowhere.
    pub ready_file: Option<PathBuf>,
    /// How often the configuration file is looked at, and read again when it is another one; 0 s for never. Default 1 s, at
    /// most 1 h.
    pub watch_config: Duration,
    /// How long it goes on serving after a signal to end while its readiness is down already, so that balancers notice.
    /// Default 0 s, at most 10 min.
    pub ready_down: Duration,
    /// The time that requests have to finish after the listener closed. Default 10 s, at most 10 min.
    pub drain: Duration,
    /// The time a client has to send its headers, from the first byte or the previous answer on. Default 10 s, from 100 ms to 10 min.
    pub header_deadline: Duration,
    /// The time a client has to send a body. Default 30 s, from 100 ms to 10 min.
    pub body_deadline: Duration,
    /// The time that an HTTP/2 connection may have no request under way; one of HTTP/1 has `header_deadline`. Default 1 min,
    /// from 100 ms to 1 h.
    pub idle_deadline: Duration,
    /// The time in which a client has to take a noticeable part of an answer that waits for it. Default 30 s, from 100 ms
    /// to 10 min.
    pub response_deadline: Duration,
    /// Whether other processes may ask the entities of this one, over a link that has it as its target. Default no.
    pub accept_asks: bool,
    /// The file with the token that they have to show; read anew for each call. Default none.
    pub asks_token_file: Option<PathBuf>,
    /// Connections at a time, per listener. Default 1024, from 1 to 100 000.
    pub max_connections: u32,
    /// Connections of one address at a time, per listener. `None`: as many as there are for this machine itself, and a
    /// quarter of them for each other one.
    pub max_connections_per_address: Option<u32>,
    /// Proxies that say truly in `X-Forwarded-For` whom they ask for. Default none.
    pub trusted_proxies: Vec<AddressRange>,
    /// Origins whose web pages may use the public address. `None`: all on a loopback address, none on others.
    pub cors_origins: Option<Vec<String>>,
    /// The certificate of the public listeners. Default none: they do not speak TLS.
    pub tls: Option<TlsConfig>,
}

/// `[server.tls]`: what the public listeners prove themselves with, both as PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsConfig {
    /// The certificate, and those that lead to one that clients know.
    pub cert_file: PathBuf,
    /// Its private key.
    pub key_file: PathBuf,
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: None,
            grpc_listen: None,
            admin_listen: SocketAddr::from(([127, 0, 0, 1], 9900)),
            service_ports: ServicePorts::Off,
            ready_file: None,
            watch_config: Duration::from_secs(1),
            ready_down: Duration::ZERO,
            drain: Duration::from_secs(10),
            header_deadline: Duration::from_secs(10),
            body_deadline: Duration::from_secs(30),
            idle_deadline: Duration::from_mins(1),
            response_deadline: Duration::from_secs(30),
            accept_asks: false,
            asks_token_file: None,
            max_connections: 1024,
            max_connections_per_address: None,
            trusted_proxies: Vec::new(),
            cors_origins: None,
            tls: None,
        }
    }
}

/// Whether each service has a listener of its own, on the host of the public address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServicePorts {
    /// None has.
    Off,
    /// On the ports of the old services; with several systems in the process, 1000 apart.
    Fixed,
    /// On free ports, which the ready file tells.
    Free,
}

/// `[limits]`: what is refused at the door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitsConfig {
    /// The largest body. Default 1 MiB, from 1 KiB to 64 MiB.
    pub body: ByteCount,
    /// The largest header block. Default 32 KiB, from 8 KiB to 1 MiB.
    pub headers: ByteCount,
    /// The longest URL. Default 8 KiB, from 256 B to 64 KiB, and not more than `headers`.
    pub url: ByteCount,
    /// Requests under way, per listener; more are refused at once, and a quarter is kept for reads. A body counts as one for
    /// each 128 KiB of it, begun. Default 2048, from 1 to 1 000 000.
    pub requests: u32,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self { body: ByteCount::mib(1), headers: ByteCount::kib(32), url: ByteCount::kib(8), requests: 2048 }
    }
}

impl ServerConfig {
    /// What of it holds until the next start: not which files have the certificate, but whether some have.
    pub(super) fn fixed(&self) -> Self {
        let nowhere = || TlsConfig { cert_file: PathBuf::new(), key_file: PathBuf::new() };
        Self { tls: self.tls.as_ref().map(|_| nowhere()), ..self.clone() }
    }
}

const SHORTEST: Duration = Duration::from_millis(100);
const HOUR: Duration = Duration::from_hours(1);
const TEN_MINUTES: Duration = Duration::from_mins(10);

/// Also gives `drain` with its place: the edge's supervisor has to be as patient.
pub(super) fn server(mut section: Section<'_>) -> Result<(ServerConfig, Placed<Duration>), ConfigError> {
    let default = ServerConfig::default();
    let listen = section.optional::<SocketAddr>("listen")?;
    let admin = section.or("admin_listen", default.admin_listen)?;
    if let Some(listen) = listen.as_ref().filter(|listen| listen.value == admin.value && admin.value.port() != 0)
        && let Some(place) = admin.place.as_ref().or(listen.place.as_ref())
    {
        let problem = Problem::Same { key: admin.key, other: listen.key.clone(), value: admin.value.to_string() };
        return Err(ConfigError::refused(place.clone(), problem));
    }
    let drain = section.bounded("drain", default.drain, Duration::ZERO..=TEN_MINUTES)?;
    let config = ServerConfig {
        listen: listen.map(|listen| listen.value),
        grpc_listen: section.optional("grpc_listen")?.map(|listen| listen.value),
        admin_listen: admin.value,
        service_ports: section.or("service_ports", default.service_ports)?.value,
        ready_file: section.optional("ready_file")?.map(|file| file.value),
        watch_config: section.bounded("watch_config", default.watch_config, Duration::ZERO..=HOUR)?.value,
        ready_down: section.bounded("ready_down", default.ready_down, Duration::ZERO..=TEN_MINUTES)?.value,
        drain: drain.value,
        header_deadline: section.bounded("header_deadline", default.header_deadline, SHORTEST..=TEN_MINUTES)?.value,
        body_deadline: section.bounded("body_deadline", default.body_deadline, SHORTEST..=TEN_MINUTES)?.value,
        idle_deadline: section.bounded("idle_deadline", default.idle_deadline, SHORTEST..=HOUR)?.value,
        response_deadline: section
            .bounded("response_deadline", default.response_deadline, SHORTEST..=TEN_MINUTES)?
            .value,
        accept_asks: section.or("accept_asks", default.accept_asks)?.value,
        asks_token_file: section.optional("asks_token_file")?.map(|file| file.value),
        max_connections: section.bounded("max_connections", default.max_connections, 1..=100_000)?.value,
        max_connections_per_address: section.optionally_bounded("max_connections_per_address", 1..=100_000)?,
        trusted_proxies: section.or("trusted_proxies", default.trusted_proxies)?.value,
        cors_origins: section.optional("cors_origins")?.map(|origins| origins.value),
        tls: tls(section.section("tls")?)?,
    };
    section.finish()?;
    Ok((config, drain))
}

fn tls(mut section: Section<'_>) -> Result<Option<TlsConfig>, ConfigError> {
    let cert = section.optional::<PathBuf>("cert_file")?;
    let key = section.optional::<PathBuf>("key_file")?;
    section.finish()?;
    let missing = |has: Placed<PathBuf>, key: &str| match has.place {
        Some(place) => Err(ConfigError::refused(place, Problem::Missing { key: key.into() })),
        None => Ok(None),
    };
    match (cert, key) {
        (Some(cert), Some(key)) => Ok(Some(TlsConfig { cert_file: cert.value, key_file: key.value })),
        (Some(cert), None) => missing(cert, "server.tls.key_file"),
        (None, Some(key)) => missing(key, "server.tls.cert_file"),
        (None, None) => Ok(None),
    }
}

pub(super) fn limits(mut section: Section<'_>) -> Result<(LimitsConfig, RateConfig), ConfigError> {
    let default = LimitsConfig::default();
    let headers = section.bounded("headers", default.headers, ByteCount::kib(8)..=ByteCount::mib(1))?;
    let url = section.bounded("url", default.url, ByteCount::bytes(256)..=ByteCount::kib(64))?;
    url.at_most(&headers)?;
    let body = section.bounded("body", default.body, ByteCount::kib(1)..=ByteCount::mib(64))?.value;
    let requests = section.bounded("requests", default.requests, 1..=1_000_000)?.value;
    let rate = rate(section.section("rate")?)?;
    section.finish()?;
    Ok((LimitsConfig { body, headers: headers.value, url: url.value, requests }, rate))
}
