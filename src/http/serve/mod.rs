//! The accept loop: what a socket needs before a request is one, and how it ends.
//!
//! Starting takes the bound socket over; running accepts until stopped; then the socket closes, what was just
//! accepted gets [`SETTLE`](connections::SETTLE) to send its request, and requests in flight get the drain limit. From the
//! moment when readiness is lowered, each answer tells its HTTP/1 connection to end, so that a client leaves by itself
//! between two requests; an HTTP/2 connection is told by GOAWAY.

mod activity;
mod connection;
mod connections;
mod ending;
mod listener;
mod pace;

use std::{convert::Infallible, future::ready, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use futures::{FutureExt, future::BoxFuture};
use hyper::body::{Body, Incoming};
use tower::Service;

use self::connections::{Connections, Leaving};
pub use self::listener::{BindError, Listener};
use super::{AccessLog, Edge, Guard, HttpLimits, Readiness, routes::Peer};
use crate::{Failure, Process, Running, Stop};

/// What answers the requests that come in at a listener. Cheap to clone; all clones are one.
pub(crate) trait Answers: Clone + Send + Sync + 'static {
    /// Whether it speaks HTTP/1.1 as well as HTTP/2.
    const HTTP1: bool;

    /// The limits that it keeps.
    fn limits(&self) -> &HttpLimits;

    /// Who is let in.
    fn guard(&self) -> &Guard;

    /// Waits until nothing goes on that outlives its request.
    fn ended(&self) -> impl Future<Output = ()> + Send {
        ready(())
    }

    /// Answers the requests of one connection, whose other end is `peer`.
    fn service(
        &self,
        peer: Peer,
    ) -> impl Service<
        http::Request<Incoming>,
        Response = http::Response<
            impl Body<Data = Bytes, Error: std::error::Error + Send + Sync> + Unpin + Send + 'static,
        >,
        Error = Infallible,
        Future: Send,
    > + Clone
    + Send
    + Sync
    + 'static;
}

/// Takes the socket over, and answers at it until stopped: a supervised process of one listener.
pub(crate) fn serve<A: Answers>(
    listener: Arc<Listener>,
    answers: A,
    readiness: Readiness,
    stop: Stop,
) -> BoxFuture<'static, Result<Running, Failure>> {
    async move {
        let socket = listener.open().map_err(|error| Failure::new(format_args!("{error}: {}", error.source)))?;
        let run: Running = async move {
            let leaving = Leaving { readiness, stop: stop.clone() };
            let connections = Connections::new(answers, leaving);
            tracing::info!(address = %listener.address(), "listening");
            while let Some(accepted) = connections.accept(&socket, &stop).await {
                connections.serve(accepted);
            }
            drop(socket);
            listener.close();
            connections.drain().await;
            Ok(())
        }
        .boxed();
        Ok(run)
    }
    .boxed()
}

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
}

impl Process for HttpServer {
    fn start(&self, stop: Stop) -> BoxFuture<'static, Result<Running, Failure>> {
        serve(self.listener.clone(), self.edge.clone(), self.readiness.clone(), stop)
    }
}

#[cfg(test)]
mod tests;
