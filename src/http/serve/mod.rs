//! The accept loop: what a socket needs before a request is one, and how it ends.
//!
//! Starting takes the bound socket over; running accepts until stopped; then the socket closes, what was just
//! accepted gets [`SETTLE`] to send its request, and requests in flight get the drain limit. From the moment when
//! readiness is lowered, each answer tells its HTTP/1 connection to end, so that a client leaves by itself between
//! two requests; an HTTP/2 connection is told by GOAWAY.

mod listener;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use futures::{FutureExt, future::BoxFuture};
use http::{HeaderValue, Request, Version, header};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{
        conn::auto,
        graceful::{GracefulShutdown, Watcher},
    },
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
use tower::Service;

pub use self::listener::{BindError, Listener};
use super::{AccessLog, Edge, HttpLimits, Readiness};
use crate::{Failure, Process, Running, Stop};

/// A connection accepted a moment ago may have its first request on the wire, and hyper would close it as
/// idle: measured, 250 ms loses none.
const SETTLE: Duration = Duration::from_millis(250);
/// After an accept that failed for want of descriptors or memory: long enough not to spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// Between two looks at a beginning that may become an HTTP/2 preface.
const PEEK_PAUSE: Duration = Duration::from_millis(20);

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
    tasks: TaskTracker,
    graceful: GracefulShutdown,
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
        let (tasks, graceful) = (TaskTracker::new(), GracefulShutdown::new());
        let (closing, kill) = (CancellationToken::new(), CancellationToken::new().drop_guard());
        Self { edge, limits, leaving, builder, slots, tasks, graceful, closing, kill }
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

    fn serve(&self, Accepted { stream, peer, slot }: Accepted) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, %peer, "no TCP_NODELAY");
        }
        let (edge, builder, watcher) = (self.edge.clone(), self.builder.clone(), self.graceful.watcher());
        let (closing, kill, first) = (self.closing.clone(), self.kill.token().clone(), self.limits.header_read);
        let leaving = self.leaving.clone();
        self.tasks.spawn(async move {
            let _slot = slot;
            let http2 = tokio::select! {
                () = closing.cancelled() => return,
                () = kill.cancelled() => return,
                http2 = timeout(first, begins_http2(&stream)) => http2,
            };
            let builder = match http2 {
                Ok(Some(true)) => builder.http2_only(),
                Ok(Some(false)) => builder.http1_only(),
                Ok(None) | Err(_) => return tracing::debug!(%peer, "no request"),
            };
            tokio::select! {
                () = kill.cancelled() => tracing::warn!(%peer, "closed with a request in flight"),
                () = converse(builder, stream, edge, watcher, leaving) => {}
            }
        });
    }

    /// Ends every connection: those without a request at once, the others within `limit`.
    async fn drain(self, limit: Duration) {
        self.tasks.close();
        sleep(SETTLE).await;
        self.closing.cancel();
        if timeout(limit, self.graceful.shutdown()).await.is_err() {
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

/// Whether the client speaks HTTP/2 with prior knowledge; `None` when it went away. hyper-util's own
/// detection waits without a deadline, so we peek.
pub(crate) async fn begins_http2(stream: &TcpStream) -> Option<bool> {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let mut begin = [0_u8; PREFACE.len()];
    loop {
        let read = stream.peek(&mut begin).await.ok()?;
        let seen = begin.get(..read).filter(|seen| !seen.is_empty())?;
        if !PREFACE.starts_with(seen) {
            return Some(false);
        }
        if seen.len() == PREFACE.len() {
            return Some(true);
        }
        sleep(PEEK_PAUSE).await; // a part of the preface: peek does not wait for more
    }
}

async fn converse(
    builder: auto::Builder<TokioExecutor>,
    stream: TcpStream,
    edge: Edge,
    watcher: Watcher,
    leaving: Leaving,
) {
    let service = edge.service::<Incoming>();
    let service = hyper::service::service_fn(move |request: Request<Incoming>| {
        let (leaving, is_http1) = (leaving.clone(), request.version() < Version::HTTP_2);
        let answer = service.clone().call(with_host(request));
        async move {
            let mut answer = answer.await;
            if let Ok(answer) = &mut answer
                && is_http1
                && leaving.is_wanted()
            {
                answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            answer
        }
    });
    let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// HTTP/2 has an authority instead of a Host; routes know only the latter.
fn with_host(mut request: Request<Incoming>) -> Request<Incoming> {
    if !request.headers().contains_key(header::HOST) {
        let authority = request.uri().authority().and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
        if let Some(authority) = authority {
            request.headers_mut().insert(header::HOST, authority);
        }
    }
    request
}

#[cfg(test)]
mod tests;
