use std::time::Duration;

use crate::{ByteCount, SupervisionConfig};

/// What one listener accepts before it refuses. Every refusal is typed: 408, 413, 414, 431, or a closed
/// connection where no request could be read.
#[derive(Clone, Debug)]
pub struct HttpLimits {
    /// Bytes of a request body; more is 413. 1 MiB is far above any resource of the five systems.
    pub body: usize,
    /// Bytes of all header names and values; more is 431.
    pub headers: usize,
    /// Bytes of path and query; more is 414.
    pub url: usize,
    /// Time from the first byte of a connection, or from the previous answer, to a complete head.
    pub header_read: Duration,
    /// Time for a body to arrive; later is 408.
    pub body_read: Duration,
    /// Time that an HTTP/2 connection may have no request under way; then it is told to go, and closed.
    pub idle: Duration,
    /// Time in which a client has to take a noticeable part of an answer that waits for it; later its connection is closed.
    pub response: Duration,
    /// Open connections; further ones wait in the kernel's backlog.
    pub connections: usize,
    /// Open connections of one address; further ones are closed. `None`: all for this machine, a quarter for others.
    pub connections_per_address: Option<usize>,
    /// Requests under way, of all connections together, and one more for each further 128 KiB of a body; more are 503 at
    /// once, and a quarter is kept for reads. Probes and operators are always let in.
    pub requests: usize,
    /// Requests at a time on one HTTP/2 connection.
    pub streams: u32,
    /// How long requests in flight may take after a stop; then their connections are closed.
    pub drain: Duration,
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            body: 1024 * 1024,
            headers: 32 * 1024,
            url: 8 * 1024,
            header_read: Duration::from_secs(10),
            body_read: Duration::from_secs(30),
            idle: Duration::from_mins(1),
            response: Duration::from_secs(30),
            connections: 10_000,
            connections_per_address: None,
            requests: 10_000,
            streams: 200,
            drain: Duration::from_secs(10),
        }
    }
}

impl HttpLimits {
    /// The limits that a configuration gives.
    pub fn of(config: &SupervisionConfig) -> Self {
        let bytes = ByteCount::as_usize;
        Self {
            body: bytes(config.limits.body),
            headers: bytes(config.limits.headers),
            url: bytes(config.limits.url),
            header_read: config.server.header_deadline,
            body_read: config.server.body_deadline,
            connections: usize::try_from(config.server.max_connections).unwrap_or(usize::MAX),
            idle: config.server.idle_deadline,
            response: config.server.response_deadline,
            connections_per_address: config
                .server
                .max_connections_per_address
                .map(|most| usize::try_from(most).unwrap_or(usize::MAX)),
            requests: usize::try_from(config.limits.requests).unwrap_or(usize::MAX),
            drain: config.server.drain,
            ..Self::default()
        }
    }
}
