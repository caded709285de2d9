//! The frame around every call: who is let in, how often, how long its message may take, and what is kept of it. Nothing
//! that is refused here has reached a mailbox.

use std::{convert::Infallible, fmt, sync::Arc};

use bytes::{Buf, Bytes};
use http::{Request, Response, request::Parts};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use tokio::time::Instant;
use tonic::{Code, Status};
use tower::Service;

use super::{
    StoreService,
    status::{in_http, not_done, of_problem},
    v1::store_server::{SERVICE_NAME, StoreServer},
};
use crate::{
    Clock, RequestMeters, RouteMeter, Timestamp,
    http::{
        AccessLog, Answered, Answers, Bounds, Class, Correlation, Guard, HttpLimits, Peer, Place, Room, Sender, Spent,
        Unread, read_body,
    },
    spans, store,
};

/// What stands before each message: whether it is compressed, and its length.
const PREFIX: usize = 5;

/// The calls, and the service whose entities each is about; that may be any.
const CALLS: [(&str, &str); 6] = [
    ("PlaceOrder", "order"),
    ("CancelOrder", "order"),
    ("GetOrder", "order"),
    ("ListOrders", "order"),
    ("Pay", "payment"),
    ("GetCommand", ""),
];

/// The store's calls behind a guard. All clones are one.
#[derive(Clone)]
pub(super) struct Door {
    calls: StoreServer<StoreService>,
    guard: Guard,
    limits: HttpLimits,
    room: Room,
    clock: Clock,
    meters: RequestMeters,
    /// Of each call, by its path as a route.
    routes: Arc<[Arc<RouteMeter>]>,
    /// Of what is no call.
    unmatched: Arc<RouteMeter>,
    access: Option<AccessLog>,
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Door {
    pub(super) fn new(service: StoreService, guard: Guard, limits: HttpLimits) -> Self {
        let (clock, meters) = (service.system().clock(), service.system().requests());
        let route = |(call, about): (&str, &'static str)| meters.route(store::NAME, about, route(call));
        let (routes, unmatched) = (CALLS.map(route).into(), meters.route("", "", RequestMeters::UNMATCHED));
        let calls = StoreServer::new(service).max_decoding_message_size(limits.body);
        let room = Room::new(limits.requests, meters.clone());
        Self { calls, guard, limits, room, clock, meters, routes, unmatched, access: None }
    }

    /// With a line for each call in `access`.
    pub(super) fn logging(self, access: Option<AccessLog>) -> Self {
        Self { access, ..self }
    }

    async fn answer(mut self, request: Request<Incoming>, peer: Peer) -> Response<tonic::body::Body> {
        let (begun, at) = (Instant::now(), self.clock.now());
        let (mut head, message) = request.into_parts();
        let correlation = Correlation::of(&head.headers);
        let traced = spans::request(&correlation.id, correlation.traceparent(), head.method.as_str());
        let (method, path) = (head.method.clone(), head.uri.path().to_owned());
        head.extensions.insert(correlation.clone());
        let mut spent = Vec::new();
        let answered = self.call(head, message, peer, at, &mut spent).await;
        let mut response = answered.unwrap_or_else(Status::into_http);
        let code = Status::from_header_map(response.headers()).map_or(Code::Ok, |status| status.code());
        let answered = Answered {
            at,
            method: &method,
            path: &path,
            route: self.routes.iter().find(|route| route.route() == path).unwrap_or(&self.unmatched),
            status: in_http(code).as_u16(),
            took: begun.elapsed(),
            bytes: None,
            correlation: &correlation.id,
        };
        answered.keep(&self.meters, &traced, self.access.as_ref());
        correlation.write(response.headers_mut());
        Spent::write(&spent, response.headers_mut());
        response
    }

    /// The answer; refused with what it left on accounts in `spent`.
    async fn call(
        &mut self,
        mut parts: Parts,
        body: Incoming,
        peer: Peer,
        at: Timestamp,
        spent: &mut Vec<Spent>,
    ) -> Result<Response<tonic::body::Body>, Status> {
        let refused = |problem| of_problem(&problem);
        let mut place = self.room.enter(class(parts.uri.path())).map_err(refused)?;
        let client = self.guard.client(peer.address.to_canonical(), &mut parts.headers);
        let caller = self.guard.admit(Some(client), &parts.headers, at, spent).map_err(refused)?;
        if let Some(caller) = caller {
            parts.extensions.insert(caller);
        }
        let sender = Sender { client: Some(client), guard: &self.guard };
        let message = read(body, &mut place, sender, &self.limits).await?;
        let answered = self.calls.call(Request::from_parts(parts, Full::new(message))).await;
        Ok(answered.unwrap_or_else(|never| match never {}))
    }
}

fn route(call: &str) -> String {
    format!("/{SERVICE_NAME}/{call}")
}

/// The message, which is all that a call of the store sends.
async fn read<B>(body: B, place: &mut Place, sender: Sender<'_>, limits: &HttpLimits) -> Result<Bytes, Status>
where
    B: Body<Data: Buf, Error: fmt::Display>,
{
    let bounds = Bounds { length: limits.body.saturating_add(PREFIX), discarded: 0, within: limits.body_read };
    read_body(body.into_data_stream(), place, sender, bounds).await.map_err(|unread| match unread {
        Unread::TooLong => {
            let message = format!("the message is longer than {} bytes", limits.body);
            not_done(Code::OutOfRange, "BODY_TOO_LARGE", message, None)
        }
        Unread::Late => {
            let message = format!("the message did not arrive within {:?}", limits.body_read);
            not_done(Code::Unavailable, "BODY_TIMEOUT", message, None)
        }
        Unread::Broken(why) => {
            not_done(Code::Cancelled, "BODY_UNREADABLE", format!("the message broke off: {why}"), None)
        }
        Unread::NoRoom(problem) => of_problem(&problem),
    })
}

/// What a call is about, by its name.
fn class(path: &str) -> Class {
    let name = path.rsplit('/').next().unwrap_or_default();
    if name.starts_with("Get") || name.starts_with("List") { Class::Read } else { Class::Work }
}

impl Answers for Door {
    const HTTP1: bool = false;

    fn limits(&self) -> &HttpLimits {
        &self.limits
    }

    fn guard(&self) -> &Guard {
        &self.guard
    }

    fn service(
        &self,
        peer: Peer,
    ) -> impl Service<
        Request<Incoming>,
        Response = Response<impl Body<Data = Bytes, Error: std::error::Error + Send + Sync> + Unpin + Send + 'static>,
        Error = Infallible,
        Future: Send,
    > + Clone
    + Send
    + Sync
    + 'static {
        let door = self.clone();
        tower::service_fn(move |request| {
            let door = door.clone();
            async move { Ok(door.answer(request, peer).await) }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::stream;
    use http_body_util::StreamBody;
    use hyper::body::Frame;
    use tokio::time::sleep;

    use super::*;

    /// What comes of a message in `pieces` of so many bytes, each after a second.
    async fn piece_by_piece(pieces: Vec<usize>, limits: &HttpLimits) -> Result<usize, Code> {
        let body = stream::unfold(pieces.into_iter(), |mut pieces| async move {
            let length = pieces.next()?;
            sleep(Duration::from_secs(1)).await;
            Some((Ok::<_, Infallible>(Frame::data(Bytes::from(vec![0; length]))), pieces))
        });
        let mut place = Room::new(9, RequestMeters::default()).enter(Class::Work).unwrap();
        let sender = Sender { client: None, guard: &Guard::default() };
        let message = read(StreamBody::new(Box::pin(body)), &mut place, sender, limits).await;
        message.map(|message| message.len()).map_err(|status| status.code())
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_has_its_time_and_its_size() {
        let limits = HttpLimits { body: 95, body_read: Duration::from_secs(10), ..HttpLimits::default() };
        assert_eq!(piece_by_piece(vec![50, 50], &limits).await, Ok(100), "with what stands before it");
        assert_eq!(piece_by_piece(vec![50, 51], &limits).await, Err(Code::OutOfRange));
        assert_eq!(piece_by_piece(vec![1; 9], &limits).await, Ok(9));
        assert_eq!(piece_by_piece(vec![1; 11], &limits).await, Err(Code::Unavailable));
    }

    #[test]
    fn every_call_is_counted_on_a_route_of_its_own() {
        let proto = include_str!("../../proto/store.proto");
        let calls = proto.lines().filter_map(|line| line.trim().strip_prefix("rpc ")?.split('(').next());
        assert_eq!(CALLS.map(|(call, _)| call).as_slice(), calls.collect::<Vec<_>>());
        assert_eq!(route("Pay"), "/steadfast.store.v1.Store/Pay");
    }

    #[test]
    fn what_a_call_is_about_is_in_its_name() {
        let of = |name: &str| class(&format!("/steadfast.store.v1.Store/{name}"));
        assert_eq!([of("GetOrder"), of("ListOrders"), of("GetCommand")], [Class::Read; 3]);
        assert_eq!([of("PlaceOrder"), of("CancelOrder"), of("Pay"), of("")], [Class::Work; 4]);
    }
}
