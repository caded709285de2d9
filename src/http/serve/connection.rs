//! One connection: how it begins, what is said on it, and when it is over.

use std::{net::SocketAddr, pin::pin, time::Duration};

use futures::FutureExt;
use http::{HeaderValue, Request, Version, header};
use http_body_util::Either;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::{Instant, sleep, sleep_until},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;
use tower::Service;

use super::{
    Answers,
    activity::{Activity, Over, Times},
    connections::Leaving,
    ending::Ending,
    pace::Paced,
};
use crate::http::{live::GoesOn, routes::Peer};

/// Between two looks at a beginning that may become an HTTP/2 preface.
const PEEK_PAUSE: Duration = Duration::from_millis(20);

/// A connection whose client has begun to speak.
pub(super) enum Opened {
    Plain(Paced<TcpStream>),
    Tls(Box<TlsStream<Paced<TcpStream>>>),
}

/// Waits until the client has begun to speak, and whether that is HTTP/2; `None` when it went away or spoke something else.
pub(super) async fn open(
    stream: TcpStream,
    acceptor: Option<TlsAcceptor>,
    response: Duration,
) -> Option<(Opened, bool)> {
    let Some(acceptor) = acceptor else {
        let http2 = begins_http2(&stream).await?;
        return Some((Opened::Plain(Paced::new(stream, response)), http2));
    };
    match acceptor.accept(Paced::new(stream, response)).await {
        Ok(stream) => {
            let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            Some((Opened::Tls(Box::new(stream)), http2))
        }
        Err(error) => {
            tracing::debug!(%error, "no TLS");
            None
        }
    }
}

/// Whether the client speaks HTTP/2 with prior knowledge; `None` when it went away. hyper-util's own
/// detection waits without a deadline, so we peek.
async fn begins_http2(stream: &TcpStream) -> Option<bool> {
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

/// What is needed to serve a connection.
pub(super) struct Connection<A> {
    pub(super) peer: SocketAddr,
    pub(super) answers: A,
    pub(super) builder: auto::Builder<TokioExecutor>,
    pub(super) leaving: Leaving,
    pub(super) times: Times,
    /// Cancelled when it is to end after the requests that are under way.
    pub(super) graceful: CancellationToken,
}

impl<A: Answers> Connection<A> {
    /// Answers requests until the client goes, or it is over.
    pub(super) async fn converse(self, opened: Opened, http2: bool) {
        match opened {
            Opened::Plain(stream) => self.talk(stream, http2, false).await,
            Opened::Tls(stream) => self.talk(stream, http2, true).await,
        }
    }

    async fn talk<S>(self, stream: S, http2: bool, secure: bool)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self { peer, answers, builder, leaving, times, graceful } = self;
        let builder = if http2 { builder.http2_only() } else { builder.http1_only() };
        let activity = http2.then(Activity::new);
        let routes = answers.service(Peer { address: peer.ip(), secure });
        let requests = activity.clone();
        let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
            let under_way = requests.as_ref().map(Activity::begin);
            with_host(&mut request);
            let (leaving, is_http1) = (leaving.clone(), request.version() < Version::HTTP_2);
            let answer = routes.clone().call(request);
            async move {
                let mut answer = answer.await;
                if let Ok(answer) = &mut answer
                    && is_http1
                    && leaving.is_wanted()
                {
                    answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
                }
                answer.map(|answer| {
                    let ends = answer.extensions().get::<GoesOn>().map(|GoesOn| leaving.wanted().boxed());
                    answer.map(|body| {
                        let body = Ending::new(body, ends);
                        match under_way {
                            Some(under_way) => Either::Left(under_way.answered(body)),
                            None => Either::Right(body),
                        }
                    })
                })
            }
        });
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service).into_owned());
        let look = Activity::look(times);
        // told to go, by whomever; and by us, because it was over
        let (mut told, mut over_since) = (false, None);
        let mut next = Instant::now() + look;
        loop {
            tokio::select! {
                ended = connection.as_mut() => {
                    return if let Err(error) = ended {
                        tracing::debug!(%error, %peer, "a connection ended early");
                    };
                }
                () = graceful.cancelled(), if !told => {
                    connection.as_mut().graceful_shutdown();
                    told = true;
                }
                () = sleep_until(next), if activity.is_some() => {
                    let now = Instant::now();
                    next = now + look;
                    match activity.as_ref().and_then(|activity| activity.over(times, now)) {
                        Some(Over::Break(why)) => return tracing::debug!(%peer, why, "closed"),
                        Some(Over::Leave(why)) if over_since.is_none() => {
                            tracing::debug!(%peer, why, "told to go");
                            connection.as_mut().graceful_shutdown();
                            (told, over_since) = (true, Some(now));
                        }
                        Some(Over::Leave(_)) | None => {}
                    }
                    if over_since.is_some_and(|since| now.saturating_duration_since(since) >= times.response) {
                        return tracing::debug!(%peer, "closed: it was told to go and stayed");
                    }
                }
            }
        }
    }
}

/// HTTP/2 has an authority instead of a Host; routes know only the latter.
fn with_host(request: &mut Request<Incoming>) {
    if !request.headers().contains_key(header::HOST) {
        let authority = request.uri().authority().and_then(|authority| HeaderValue::from_str(authority.as_str()).ok());
        if let Some(authority) = authority {
            request.headers_mut().insert(header::HOST, authority);
        }
    }
}
