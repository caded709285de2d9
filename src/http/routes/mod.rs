//! The frame around every route: limits, correlation, CORS, panics. Inside it, routes only say yes or why not.

use std::{
    convert::Infallible,
    fmt,
    future::ready,
    net::IpAddr,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use bytes::{Buf, Bytes};
use futures::{FutureExt, Stream, future::BoxFuture};
use http::{Method, StatusCode, header, request::Parts};
use hyper::body::{Body, Incoming};
use tokio::time::Instant;
use tower::Service;
use warp::Filter;

use super::{
    AccessLog, HttpLimits, Problem,
    access::Answered,
    arriving::{Bounds, Sender, Unread, read_body},
    correlation::Correlation,
    cors::{self, Origins},
    guard::{Guard, Spent},
    live::{self, GoesOn},
    request::{Request, Response, set},
    room::{Class, Place, Room},
    serve::Answers,
};
use crate::{RequestMeters, RouteMeter, Timestamp, spans};

/// A body that is too long is read and dropped up to here, so that a client that is still writing gets to
/// read the refusal; then the connection is closed on it.
const MAX_DISCARDED: usize = 4 * 1024 * 1024;

/// What answers requests.
pub(crate) trait Routes: Send + Sync + 'static {
    /// Answers a request; a refusal becomes a problem document.
    fn route<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Response, Problem>>;

    /// Whether a path is a probe's or an operator's, which is answered however much there is to do.
    fn is_control(&self, path: &str) -> bool;

    /// Whether everybody may ask for a path, however often, that [is no control](Self::is_control): what describes the
    /// rest, and what asks by itself who somebody is.
    fn is_open(&self, _path: &str) -> bool {
        false
    }

    /// Waits until nothing goes on that outlives its request.
    fn ended(&self) -> BoxFuture<'_, ()> {
        ready(()).boxed()
    }
}

/// The other end of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer {
    pub(crate) address: IpAddr,
    /// Whether it speaks TLS with us.
    pub(crate) secure: bool,
}

/// The head of a request on its way through warp's filters: whole, because they would copy each part of it.
#[derive(Clone)]
struct Head(Arc<Mutex<Option<Parts>>>);

impl Head {
    fn new(head: Parts) -> Self {
        Self(Arc::new(Mutex::new(Some(head))))
    }

    fn take(&self) -> Parts {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take().expect("a request is answered once")
    }
}

/// Tells the time.
pub(crate) type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Routes with the frame around them: everything of a listener but the socket. Cheap to clone.
#[derive(Clone)]
pub struct Edge {
    inner: Arc<Inner>,
    guard: Guard,
    origins: Origins,
    access: Option<AccessLog>,
}

struct Inner {
    routes: Box<dyn Routes>,
    limits: HttpLimits,
    room: Room,
    now: Now,
    meters: RequestMeters,
    /// Of requests without a route.
    unmatched: Arc<RouteMeter>,
}

impl fmt::Debug for Edge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Edge").field("limits", &self.inner.limits).finish_non_exhaustive()
    }
}

impl Edge {
    /// Requests are counted in `meters`.
    pub(crate) fn new(
        routes: impl Routes,
        cross_origin: bool,
        limits: HttpLimits,
        now: Now,
        meters: RequestMeters,
    ) -> Self {
        let (room, unmatched) =
            (Room::new(limits.requests, meters.clone()), meters.route("", "", RequestMeters::UNMATCHED));
        let origins = if cross_origin { Origins::Everybody } else { Origins::Nobody };
        let inner = Inner { routes: Box::new(routes), limits, room, now, meters, unmatched };
        Self { inner: Arc::new(inner), guard: Guard::default(), origins, access: None }
    }

    /// The guard before it.
    pub(crate) fn guard(&self) -> &Guard {
        &self.guard
    }

    /// The same behind a guard; `loopback` says whether only this machine reaches it.
    pub(crate) fn behind(mut self, guard: &Guard, loopback: bool) -> Self {
        if self.origins != Origins::Nobody {
            self.origins = Origins::of(guard.origins(), loopback);
        }
        self.guard = guard.clone();
        self
    }

    /// With a line for each request in `access`.
    pub(crate) fn logging(mut self, access: AccessLog) -> Self {
        self.access = Some(access);
        self
    }

    /// The limits that it keeps.
    pub fn limits(&self) -> &HttpLimits {
        &self.inner.limits
    }

    /// One warp filter that takes every request of a connection and never rejects; no `peer` without a socket.
    pub(crate) fn service<B>(
        &self,
        peer: Option<Peer>,
    ) -> impl Service<http::Request<B>, Response = warp::reply::Response, Error = Infallible, Future: Send>
    + Clone
    + Send
    + Sync
    + 'static
    where
        B: Body + Send + Sync + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let edge = self.clone();
        let filter = warp::ext::get::<Head>().and(warp::body::stream()).then(move |head: Head, body| {
            let edge = edge.clone();
            // In a place of its own: whoever passes it on would copy some kilobytes, hyper and warp a dozen times.
            Box::pin(async move {
                let taken = edge.limits().response;
                live::reply(edge.answer(head.take(), peer, body).await, taken)
            })
        });
        let mut filter = warp::service(filter);
        tower::service_fn(move |request: http::Request<B>| {
            let (head, body) = request.into_parts();
            let mut request = http::Request::new(body);
            request.extensions_mut().insert(Head::new(head));
            filter.call(request)
        })
    }

    /// Answers a request without a socket, as the listener would; of an answer that goes on, the head.
    pub async fn call(&self, request: http::Request<Bytes>) -> http::Response<Bytes> {
        use http_body_util::{BodyExt, Full};
        let response = self.service(None).call(request.map(Full::new)).await.unwrap_or_else(|never| match never {});
        let (parts, body) = response.into_parts();
        if parts.extensions.get::<GoesOn>().is_some() {
            return Response::from_parts(parts, Bytes::new());
        }
        let body = body.collect().await.expect("a body in memory does not fail").to_bytes();
        Response::from_parts(parts, body)
    }

    async fn answer(
        self,
        head: Parts,
        peer: Option<Peer>,
        body: impl Stream<Item = Result<impl Buf, warp::Error>> + Send,
    ) -> Response {
        let Inner { routes, limits, room, now, meters, unmatched } = &*self.inner;
        let begun = Instant::now();
        let Parts { method, uri, headers, .. } = head;
        let (path, query) = (uri.path().to_owned(), uri.query().unwrap_or_default().to_owned());
        let is_control = routes.is_control(&path);
        let class = if is_control { Class::Control } else { Class::of(&method) };
        let correlation = Correlation::of(&headers);
        let traced = spans::request(&correlation.id, correlation.traceparent(), method.as_str());
        let secure = peer.is_some_and(|peer| peer.secure);
        let peer = peer.map(|peer| peer.address.to_canonical());
        let origin = headers.get(header::ORIGIN).filter(|origin| self.origins.have(origin)).cloned();
        let head = method == Method::HEAD;
        let mut spent = Vec::new();
        let mut request = Request {
            method,
            path,
            query,
            headers,
            body: Bytes::new(),
            correlation,
            at: now(),
            peer,
            secure,
            caller: None,
            route: OnceLock::new(),
        };
        let answered = async {
            let mut place = room.enter(class)?;
            // asks about a request that is not sent yet, and a browser says of nobody's who he is
            let preflight = origin.as_ref().and_then(|_| cors::preflight(&request));
            let open = preflight.is_some() || is_control || routes.is_open(&request.path);
            request.peer = request.peer.map(|peer| self.guard.client(peer, &mut request.headers));
            if !open {
                let (client, headers, at) = (request.peer, &request.headers, request.at);
                request.caller = self.guard.admit(client, headers, at, &mut spent)?;
            }
            check(&mut request, limits)?;
            let sender = Sender { client: request.peer, guard: &self.guard };
            request.body = read(body, &request, &mut place, sender, limits).await?;
            match preflight {
                Some(response) => Ok(response),
                None => guarded(routes.as_ref(), &request).await,
            }
        };
        let answered: Result<Response, Problem> = answered.await;
        let mut response = answered.unwrap_or_else(|problem| {
            let status = problem.status().as_u16();
            request.in_log(|| tracing::debug!(status, ?problem, "refused"));
            problem.respond(&request)
        });
        let (route, status, took) =
            (request.route.get().unwrap_or(unmatched), response.status().as_u16(), begun.elapsed());
        let answered = Answered {
            at: request.at,
            method: &request.method,
            path: &request.path,
            route,
            status,
            took,
            bytes: Some(response.body().len()),
            correlation: &request.correlation.id,
        };
        answered.keep(meters, &traced, self.access.as_ref());
        request.correlation.write(response.headers_mut());
        Spent::write(&spent, response.headers_mut());
        if let Some(origin) = origin {
            cors::allow(&origin, response.headers_mut());
        }
        if head {
            // the length is that of the GET, where that has one; what a HEAD carries is nothing
            if !live::behead(&mut response) {
                let length = response.body().len().to_string();
                set(&mut response, header::CONTENT_LENGTH, &length);
            }
            *response.body_mut() = Bytes::new();
        }
        response
    }
}

impl Answers for Edge {
    const HTTP1: bool = true;

    fn limits(&self) -> &HttpLimits {
        self.limits()
    }

    fn guard(&self) -> &Guard {
        self.guard()
    }

    async fn ended(&self) {
        self.inner.routes.ended().await;
    }

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
    + 'static {
        self.service::<Incoming>(Some(peer))
    }
}

/// Checks the limits of what stands before a body.
fn check(request: &mut Request, limits: &HttpLimits) -> Result<(), Problem> {
    if request.path.len() + request.query.len() > limits.url {
        let message = format!("path and query are longer than {} bytes", limits.url);
        request.path.truncate(request.path.floor_char_boundary(256));
        return Err(Problem::new(StatusCode::URI_TOO_LONG, "URL_TOO_LONG", message));
    }
    let headers: usize = request.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    if headers > limits.headers {
        let message = format!("the headers are longer than {} bytes", limits.headers);
        return Err(Problem::new(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "HEADERS_TOO_LARGE", message));
    }
    Ok(())
}

async fn read(
    body: impl Stream<Item = Result<impl Buf, warp::Error>> + Send,
    request: &Request,
    place: &mut Place,
    sender: Sender<'_>,
    limits: &HttpLimits,
) -> Result<Bytes, Problem> {
    let announced: usize =
        request.header(header::CONTENT_LENGTH).and_then(|length| length.parse().ok()).unwrap_or_default();
    let waits_for_leave = request.headers.contains_key(header::EXPECT);
    let is_worth_nothing = announced > limits.body && (waits_for_leave || announced > MAX_DISCARDED);
    let read = if is_worth_nothing {
        Err(Unread::TooLong)
    } else {
        let bounds = Bounds { length: limits.body, discarded: MAX_DISCARDED, within: limits.body_read };
        read_body(body, place, sender, bounds).await
    };
    read.map_err(|unread| match unread {
        Unread::TooLong => {
            let message = format!("the body is longer than {} bytes", limits.body);
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE", message)
        }
        Unread::Late => {
            let message = format!("the body did not arrive within {:?}", limits.body_read);
            Problem::new(StatusCode::REQUEST_TIMEOUT, "BODY_TIMEOUT", message)
        }
        Unread::Broken(why) => Problem::invalid("BODY_UNREADABLE", format!("the body broke off: {why}")),
        Unread::NoRoom(problem) => problem,
    })
}

/// A panic in a route is our own fault; the client gets an answer and the connection stays.
async fn guarded(routes: &dyn Routes, request: &Request) -> Result<Response, Problem> {
    let route = AssertUnwindSafe(async { routes.route(request).await });
    route.catch_unwind().await.unwrap_or_else(|panic| {
        let what = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let what = what.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        request.in_log(|| tracing::error!(panic = what, "a route panicked"));
        Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL", "this is a fault of ours; it was logged"))
    })
}

#[cfg(test)]
mod tests;
