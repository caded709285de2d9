//! Answers that go on until one of both ends goes: events as they come, as Server-Sent Events (WHATWG HTML, 9.2).
//!
//! A route answers with [`live`]; the frame around the routes sends it, and the connection ends it when it is to go itself.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use futures::{
    Stream,
    stream::{BoxStream, StreamExt, TryStreamExt},
};
use http::{HeaderValue, StatusCode, header};
use warp::{Reply, sse};

use super::request::{Response, empty};

/// A sign of life is sent this often where nothing happens; more often where answers must be taken sooner.
const BEAT: Duration = Duration::from_secs(15);

/// What follows the head of an answer, which carries it as an extension.
#[derive(Clone)]
struct Live(Arc<Mutex<Option<BoxStream<'static, sse::Event>>>>);

/// Marks an answer that does not end by itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct GoesOn;

/// An answer that sends these events, and ends with them.
pub(crate) fn live(events: impl Stream<Item = sse::Event> + Send + 'static) -> Response {
    let mut head = empty(StatusCode::OK);
    head.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    head.extensions_mut().insert(Live(Arc::new(Mutex::new(Some(events.boxed())))));
    head
}

/// Leaves only the head of an answer; false when there is nothing else to send anyway.
pub(super) fn behead(response: &mut Response) -> bool {
    response.extensions_mut().remove::<Live>().is_some()
}

/// An answer as warp sends it. One that goes on gives a sign of life several times within `taken`, the time in which a client
/// has to take something.
pub(super) fn reply(mut response: Response, taken: Duration) -> warp::reply::Response {
    let live = response.extensions_mut().remove::<Live>();
    let events = live.and_then(|Live(events)| events.lock().unwrap_or_else(PoisonError::into_inner).take());
    let Some(events) = events else { return response.into_response() };
    let beat = sse::keep_alive().interval(BEAT.min(taken / 3));
    let events = beat.stream(events.map(Ok::<_, Infallible>)).into_stream();
    let mut sent = sse::reply(Alone(Mutex::new(events.boxed()))).into_response();
    sent.headers_mut().extend(response.into_parts().0.headers);
    sent.extensions_mut().insert(GoesOn);
    sent
}

/// A stream that only its owner polls, so that it may be shared without being looked at.
struct Alone<S>(Mutex<S>);

impl<S: Stream + Unpin> Stream for Alone<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<S::Item>> {
        Pin::new(self.0.get_mut().unwrap_or_else(PoisonError::into_inner)).poll_next(context)
    }
}
