//! The open connections of one run of a listener: how they are accepted, and how they end.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

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

use super::{
    Answers,
    activity::Times,
    connection::{Connection, open},
};
use crate::{
    Stop,
    http::{HttpLimits, Readiness, crowd::Crowd},
};

/// A connection accepted a moment ago may have its first request on the wire, and hyper would close it as
/// idle: measured, 250 ms loses none.
pub(super) const SETTLE: Duration = Duration::from_millis(250);
/// After an accept that failed for want of descriptors or memory: long enough not to spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Whether connections are to end after their next answer.
#[derive(Clone)]
pub(super) struct Leaving {
    pub(super) readiness: Readiness,
    pub(super) stop: Stop,
}

impl Leaving {
    pub(super) fn is_wanted(&self) -> bool {
        self.readiness.is_lowered() || self.stop.is_requested()
    }

    /// Waits until they are.
    pub(super) async fn wanted(self) {
        tokio::select! {
            () = self.readiness.lowered() => {}
            () = self.stop.requested() => {}
        }
    }
}

/// The open connections of one run, and how new ones are served.
pub(super) struct Connections<A> {
    answers: A,
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

pub(super) struct Accepted {
    stream: TcpStream,
    peer: SocketAddr,
    slot: OwnedSemaphorePermit,
}

impl<A: Answers> Connections<A> {
    pub(super) fn new(answers: A, leaving: Leaving) -> Self {
        let limits = answers.limits();
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
        Self { answers, leaving, builder, slots, crowd, tasks, graceful, closing, kill }
    }

    /// The next connection; `None` when stopped.
    pub(super) async fn accept(&self, socket: &TcpListener, stop: &Stop) -> Option<Accepted> {
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

    /// How many connections an address may have.
    pub(super) fn most_of(&self, address: IpAddr) -> usize {
        let HttpLimits { connections, connections_per_address, .. } = *self.answers.limits();
        match connections_per_address {
            Some(most) if !self.answers.guard().trusts(address) => most,
            Some(_) | None => self.answers.guard().share_of(address, connections),
        }
    }

    pub(super) fn serve(&self, Accepted { stream, peer, slot }: Accepted) {
        let (guest, all) = self.crowd.enter(peer.ip(), 1);
        if all > self.most_of(peer.ip()) {
            return tracing::debug!(%peer, "closed: it has as many connections as it may have");
        }
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, %peer, "no TCP_NODELAY");
        }
        let HttpLimits { idle, response, header_read, .. } = *self.answers.limits();
        let connection = Connection {
            peer,
            answers: self.answers.clone(),
            builder: self.builder.clone(),
            leaving: self.leaving.clone(),
            times: Times { idle, response },
            graceful: self.graceful.clone(),
        };
        let (closing, kill, acceptor) =
            (self.closing.clone(), self.kill.token().clone(), self.answers.guard().acceptor());
        self.tasks.spawn(async move {
            let _held = (slot, guest);
            let opened = tokio::select! {
                () = closing.cancelled() => return,
                () = kill.cancelled() => return,
                opened = timeout(header_read, open(stream, acceptor, response)) => opened,
            };
            let Ok(Some((opened, http2))) = opened else { return tracing::debug!(%peer, "no request") };
            if !http2 && !A::HTTP1 {
                return tracing::debug!(%peer, "closed: it does not speak HTTP/2");
            }
            tokio::select! {
                () = kill.cancelled() => tracing::warn!(%peer, "closed with a request in flight"),
                () = connection.converse(opened, http2) => {}
            }
        });
    }

    /// Ends every connection: those without a request at once, the others within the drain limit. Within it, what
    /// outlives its request is waited for as well.
    pub(super) async fn drain(self) {
        let limit = self.answers.limits().drain;
        self.tasks.close();
        sleep(SETTLE).await;
        self.closing.cancel();
        self.graceful.cancel();
        let ended = async {
            self.tasks.wait().await;
            self.answers.ended().await;
        };
        if timeout(limit, ended).await.is_err() {
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
