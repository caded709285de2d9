//! The accept loop: what a socket needs before a request is one, and how it ends.
//!
//! Starting takes the bound socket over; running accepts until stopped; then the socket closes, what was just
//! accepted gets [`SETTLE`] to send its request, and requests in flight get the drain limit. From the moment when
//! readiness is lowered, each answer tells its HTTP/1 connection to end, so that a client leaves by itself between
//! two requests; an HTTP/2 connection is told by GOAWAY.

mod activity;
mod connection;
mod crowd;
mod listener;
mod pace;

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use futures::{FutureExt, future::BoxFuture};
use hyper_util::{
    rt::{TokioExecutor, TokioTimer},
    server::conn::auto,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

#[cfg(feature = "grpc")]
pub(crate) use self::connection::begins_http2;
pub use self::listener::{BindError, Listener};
use self::{
    activity::Times,
    connection::{Connection, open},
    crowd::Crowd,
};
use super::{AccessLog, Edge, Guard, HttpLimits, Readiness};
use crate::{Failure, Process, Running, Stop};

/// A connection accepted a moment ago may have its first request on the wire, and hyper would close it as
/// idle: measured, 250 ms loses none.
const SETTLE: Duration = Duration::from_millis(250);
/// After an accept that failed for want of descriptors or memory: long enough not to spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// One listener as a supervised process.
#[derive(Clone, Debug)]
pub struct HttpServer {
    listener: Arc<Listener>,
    edge: Edge,
    readiness: Readiness,
}

impl HttpServer {
    pub(crate) fn new(listener: Listener, edge: Edge, readiness: Readiness) -> Self {
        Self { listener: Arc::new(listener), edge, readiness }
    }

    /// The same behind a guard: who is let in, how often, and whose web pages.
    #[must_use]
    pub fn behind(mut self, guard: &Guard) -> Self {
        self.edge = self.edge.behind(guard, self.listener.is_loopback());
        self
    }

    /// With a line for each of its requests in `access`.
    #[must_use]
    pub fn logging(mut self, access: Option<AccessLog>) -> Self {
        if let Some(access) = access {
            self.edge = self.edge.logging(access);
        }
        self
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.listener.address()
    }

    /// Its routes, to be called without a socket.
    pub fn edge(&self) -> &Edge {
        &self.edge
    }

    async fn run(self, socket: TcpListener, stop: Stop) {
        let limits = self.edge.limits().clone();
        let leaving = Leaving { readiness: self.readiness.clone(), stop: stop.clone() };
        let connections = Connections::new(self.edge.clone(), limits.clone(), leaving);
        tracing::info!(address = %self.address(), "listening");
        while let Some(accepted) = connections.accept(&socket, &stop).await {
            connections.serve(accepted);
        }
        drop(socket);
        self.listener.close();
        connections.drain(limits.drain).await;
    }
}

impl Process for HttpServer {
    fn start(&self, stop: Stop) -> BoxFuture<'static, Result<Running, Failure>> {
        let this = self.clone();
        async move {
            let socket =
                this.listener.open().map_err(|error| Failure::new(format_args!("{error}: {}", error.source)))?;
            let run: Running = async move {
                this.run(socket, stop).await;
                Ok(())
            }
            .boxed();
            Ok(run)
        }
        .boxed()
    }
}

/// Whether connections are to end after their next answer.
#[derive(Clone)]
struct Leaving {
    readiness: Readiness,
    stop: Stop,
}

impl Leaving {
    fn is_wanted(&self) -> bool {
        self.readiness.is_lowered() || self.stop.is_requested()
    }
}

/// The open connections of one run, and how new ones are served.
struct Connections {
    edge: Edge,
    limits: HttpLimits,
    leaving: Leaving,
    builder: auto::Builder<TokioExecutor>,
    slots: Arc<Semaphore>,
    crowd: Crowd,
    tasks: TaskTracker,
    /// Cancelled when connections are to end after the requests that are under way.
    graceful: CancellationToken,
    /// Cancelled when no request may begin any more.
    closing: CancellationToken,
    /// Cancelled when the drain limit has passed, and when a run ends without a drain: no connection
    /// outlives its server.
    kill: DropGuard,
}

struct Accepted {
    stream: TcpStream,
    peer: SocketAddr,
    slot: OwnedSemaphorePermit,
}

impl Connections {
    fn new(edge: Edge, limits: HttpLimits, leaving: Leaving) -> Self {
        let mut builder = auto::Builder::new(TokioExecutor::new());
        // room above our own limits, so that it is usually we who refuse, with a problem document
        let head = limits.headers.saturating_add(limits.url).saturating_mul(2).max(16 * 1024);
        builder.http1().timer(TokioTimer::new()).header_read_timeout(limits.header_read).max_buf_size(head);
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.streams)
            .max_header_list_size(u32::try_from(head).unwrap_or(u32::MAX))
            .keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(10));
        let slots = Arc::new(Semaphore::new(limits.connections));
        let (tasks, crowd, graceful) = (TaskTracker::new(), Crowd::default(), CancellationToken::new());
        let (closing, kill) = (CancellationToken::new(), CancellationToken::new().drop_guard());
        Self { edge, limits, leaving, builder, slots, crowd, tasks, graceful, closing, kill }
    }

    /// The next connection; `None` when stopped.
    async fn accept(&self, socket: &TcpListener, stop: &Stop) -> Option<Accepted> {
        loop {
            let slot = tokio::select! {
                () = stop.requested() => return None,
                slot = self.slots.clone().acquire_owned() => slot.expect("the semaphore is never closed"),
            };
            let accepted = tokio::select! {
                () = stop.requested() => return None,
                accepted = socket.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => return Some(Accepted { stream, peer, slot }),
                Err(error) if is_about_one_connection(&error) => {}
                Err(error) => {
                    tracing::error!(%error, "cannot accept");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// How many connections an address may have. Proxies come for many, and this machine is our own.
    fn most_of(&self, address: IpAddr) -> usize {
        let HttpLimits { connections, connections_per_address, .. } = self.limits;
        match connections_per_address {
            _ if self.edge.guard().trusts(address) => connections,
            Some(most) => most,
            None if address.to_canonical().is_loopback() => connections,
            None => (connections / 4).max(1),
        }
    }

    fn serve(&self, Accepted { stream, peer, slot }: Accepted) {
        let Some(guest) = self.crowd.enter(peer.ip(), self.most_of(peer.ip())) else {
            return tracing::debug!(%peer, "closed: it has as many connections as it may have");
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, %peer, "no TCP_NODELAY");
        }
        let HttpLimits { idle, response, header_read, .. } = self.limits;
        let connection = Connection {
            peer,
            edge: self.edge.clone(),
            builder: self.builder.clone(),
            leaving: self.leaving.clone(),
            times: Times { idle, response },
            graceful: self.graceful.clone(),
        };
        let (closing, kill, acceptor) = (self.closing.clone(), self.kill.token().clone(), self.edge.guard().acceptor());
        self.tasks.spawn(async move {
            let _held = (slot, guest);
            let opened = tokio::select! {
                () = closing.cancelled() => return,
                () = kill.cancelled() => return,
                opened = timeout(header_read, open(stream, acceptor, response)) => opened,
            };
            let Ok(Some((opened, http2))) = opened else { return tracing::debug!(%peer, "no request") };
            tokio::select! {
                () = kill.cancelled() => tracing::warn!(%peer, "closed with a request in flight"),
                () = connection.converse(opened, http2) => {}
            }
        });
    }

    /// Ends every connection: those without a request at once, the others within `limit`.
    async fn drain(self, limit: Duration) {
        self.tasks.close();
        sleep(SETTLE).await;
        self.closing.cancel();
        self.graceful.cancel();
        if timeout(limit, self.tasks.wait()).await.is_err() {
            self.kill.disarm().cancel();
        }
        self.tasks.wait().await;
    }
}

fn is_about_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}

#[cfg(test)]
mod tests;
