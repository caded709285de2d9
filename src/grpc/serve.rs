//! The listener: HTTP/2 only, in clear, for this machine.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use futures::{FutureExt, future::BoxFuture};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{StoreService, v1::store_server::StoreServer};
use crate::{
    Failure, Process, Running, Stop,
    http::{HttpLimits, Listener},
};

/// After an accept that failed for want of descriptors or memory: long enough not to spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// There is no authentication here, so other machines are not served.
#[derive(Debug, thiserror::Error)]
#[error("server.grpc_listen is {0}, which other machines can reach; gRPC is served on a loopback address only")]
pub struct NotLoopback(pub SocketAddr);

/// The store over gRPC, as a supervised process.
#[derive(Clone, Debug)]
pub struct GrpcServer {
    listener: Arc<Listener>,
    service: StoreService,
    limits: HttpLimits,
}

impl GrpcServer {
    /// Checks an address before anything is bound to it.
    ///
    /// # Errors
    /// It is no loopback address.
    pub fn check(address: SocketAddr) -> Result<(), NotLoopback> {
        if address.ip().is_loopback() { Ok(()) } else { Err(NotLoopback(address)) }
    }

    /// Serves the calls of `service`. Of the limits hold those of bodies, headers, streams, connections, the first byte
    /// and the drain.
    pub fn new(listener: Listener, service: StoreService, limits: HttpLimits) -> Self {
        Self { listener: Arc::new(listener), service, limits }
    }

    async fn run(self, socket: TcpListener, stop: Stop) {
        let (tasks, graceful, kill) = (TaskTracker::new(), GracefulShutdown::new(), CancellationToken::new());
        let _outlives_nobody = kill.clone().drop_guard();
        let slots = Arc::new(Semaphore::new(self.limits.connections));
        let (server, builder) = (self.server(), self.builder());
        tracing::info!(address = %self.listener.address(), "listening for gRPC");
        loop {
            let slot = tokio::select! {
                () = stop.requested() => break,
                slot = slots.clone().acquire_owned() => slot.expect("the semaphore is never closed"),
            };
            let stream = tokio::select! {
                () = stop.requested() => break,
                accepted = socket.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept");
                        sleep(ACCEPT_PAUSE).await;
                        continue;
                    }
                },
            };
            let (server, builder, watcher) = (server.clone(), builder.clone(), graceful.watcher());
            let (kill, first) = (kill.clone(), self.limits.header_read);
            tasks.spawn(async move {
                let _slot = slot;
                let begins = tokio::select! {
                    () = kill.cancelled() => return,
                    begins = timeout(first, crate::http::begins_http2(&stream)) => begins,
                };
                if !matches!(begins, Ok(Some(true))) {
                    return tracing::debug!("no HTTP/2");
                }
                let connection = converse(&builder, stream, server);
                tokio::select! {
                    () = kill.cancelled() => tracing::warn!("closed with a call in flight"),
                    ended = watcher.watch(connection) => if let Err(error) = ended {
                        tracing::debug!(%error, "a connection ended early");
                    }
                }
            });
        }
        drop(socket);
        self.listener.close();
        tasks.close();
        if timeout(self.limits.drain, graceful.shutdown()).await.is_err() {
            kill.cancel();
        }
        tasks.wait().await;
    }

    fn server(&self) -> StoreServer<StoreService> {
        StoreServer::new(self.service.clone()).max_decoding_message_size(self.limits.body)
    }

    fn builder(&self) -> auto::Builder<TokioExecutor> {
        let mut builder = auto::Builder::new(TokioExecutor::new()).http2_only();
        builder
            .http2()
            .timer(TokioTimer::new())
            .max_concurrent_streams(self.limits.streams)
            .max_header_list_size(u32::try_from(self.limits.headers).unwrap_or(u32::MAX))
            .keep_alive_interval(Duration::from_secs(20))
            .keep_alive_timeout(Duration::from_secs(10));
        builder
    }
}

/// One connection.
fn converse(
    builder: &auto::Builder<TokioExecutor>,
    stream: TcpStream,
    server: StoreServer<StoreService>,
) -> auto::Connection<'static, TokioIo<TcpStream>, TowerToHyperService<StoreServer<StoreService>>, TokioExecutor> {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "no TCP_NODELAY");
    }
    builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(server)).into_owned()
}

impl Process for GrpcServer {
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
