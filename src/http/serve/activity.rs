//! What happens on one HTTP/2 connection: which requests are under way, and since when answers wait to be taken.
//!
//! HTTP/1 needs none of it: hyper's deadline for heads runs between requests as well, and an answer that is not taken is
//! noticed where it is written ([`Paced`](super::pace::Paced)). On HTTP/2 a client that answers pings could stay for ever,
//! and one that allows no data would keep answers waiting where no writing is tried.

use std::{
    collections::BTreeMap,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf, Bytes};
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::Instant;

/// After so long a connection is told to go, and clients make another one: whatever it has collected goes with it.
const AGE: Duration = Duration::from_hours(1);
/// What of an answer is handed over at a time: no more of it lies beyond what the client allows.
const PIECE: usize = 16 * 1024;

/// The times that a connection has.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// Without a request under way.
    pub(super) idle: Duration,
    /// For an answer that waits to be taken.
    pub(super) response: Duration,
}

/// Why a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    /// It is told to go: what is under way is answered first.
    Leave(&'static str),
    /// It is broken off.
    Break(&'static str),
}

/// All clones are one.
#[derive(Clone, Debug)]
pub(super) struct Activity(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    begun: Instant,
    /// Since when there is nothing under way.
    idle_since: Instant,
    under_way: usize,
    /// Answers that are not taken yet, by number, with the time at which they were there, or a piece of them was taken.
    waiting: BTreeMap<u64, Instant>,
    next: u64,
}

impl Activity {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        let inner = Inner { begun: now, idle_since: now, under_way: 0, waiting: BTreeMap::new(), next: 0 };
        Self(Arc::new(Mutex::new(inner)))
    }

    fn with<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A request begins; it is under way until the result is dropped.
    pub(super) fn begin(&self) -> UnderWay {
        self.with(|inner| inner.under_way += 1);
        UnderWay { activity: self.clone(), answer: None }
    }

    /// Whether it is time to end, at `now`.
    pub(super) fn over(&self, times: Times, now: Instant) -> Option<Over> {
        self.with(|inner| {
            let since = |then: Instant| now.saturating_duration_since(then);
            if inner.waiting.values().min().is_some_and(|then| since(*then) >= times.response) {
                return Some(Over::Break("an answer was not taken"));
            }
            if inner.under_way == 0 && since(inner.idle_since) >= times.idle {
                return Some(Over::Leave("no request came"));
            }
            (since(inner.begun) >= AGE).then_some(Over::Leave("it is old"))
        })
    }

    /// How often to look, so that no deadline is missed by more than a quarter.
    pub(super) fn look(times: Times) -> Duration {
        (times.idle.min(times.response) / 4).clamp(Duration::from_millis(20), Duration::from_secs(5))
    }
}

/// A request, from its head until its answer was handed over.
#[derive(Debug)]
pub(super) struct UnderWay {
    activity: Activity,
    answer: Option<u64>,
}

impl UnderWay {
    /// Another piece of its answer is taken: the rest has its time from now on.
    fn taken(&self) {
        if let Some(answer) = self.answer {
            self.activity.with(|inner| inner.waiting.insert(answer, Instant::now()));
        }
    }

    /// Its answer is there, and waits to be taken.
    pub(super) fn answered<B>(mut self, body: B) -> Taken<B> {
        self.answer = Some(self.activity.with(|inner| {
            inner.next += 1;
            inner.waiting.insert(inner.next, Instant::now());
            inner.next
        }));
        Taken { body, piece: Bytes::new(), under_way: self }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.activity.with(|inner| {
            inner.under_way -= 1;
            inner.idle_since = Instant::now();
            if let Some(answer) = self.answer {
                inner.waiting.remove(&answer);
            }
        });
    }
}

/// A body that is handed over in pieces, and is under way until the last of them.
#[derive(Debug)]
pub(super) struct Taken<B> {
    body: B,
    /// What of it was read and not handed over.
    piece: Bytes,
    under_way: UnderWay,
}

impl<B: Body<Data: Buf> + Unpin> Body for Taken<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        if self.piece.is_empty() {
            let frame = match std::task::ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => frame,
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            };
            match frame.into_data() {
                Ok(mut data) => self.piece = data.copy_to_bytes(data.remaining()),
                Err(other) => {
                    return Poll::Ready(other.into_trailers().ok().map(|trailers| Ok(Frame::trailers(trailers))));
                }
            }
        }
        let length = self.piece.len().min(PIECE);
        self.under_way.taken();
        Poll::Ready(Some(Ok(Frame::data(self.piece.split_to(length)))))
    }

    fn is_end_stream(&self) -> bool {
        self.piece.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = self.body.size_hint();
        let piece = self.piece.len() as u64;
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper.saturating_add(piece));
        }
        hint.set_lower(hint.lower().saturating_add(piece));
        hint
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Full};
    use tokio::time::advance;

    use super::*;

    const TIMES: Times = Times { idle: Duration::from_mins(1), response: Duration::from_secs(30) };

    fn over(activity: &Activity) -> Option<Over> {
        activity.over(TIMES, Instant::now())
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_without_a_request_is_told_to_go() {
        let activity = Activity::new();
        advance(Duration::from_secs(59)).await;
        let request = activity.begin();
        advance(Duration::from_mins(10)).await;
        assert_eq!(over(&activity), None, "a request is under way");
        drop(request);
        advance(Duration::from_secs(59)).await;
        assert_eq!(over(&activity), None);
        advance(Duration::from_secs(1)).await;
        assert_eq!(over(&activity), Some(Over::Leave("no request came")));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_not_taken_breaks_it_off_whatever_else_happens() {
        let activity = Activity::new();
        let stalled = activity.begin().answered(Full::new(Bytes::from_static(b"x")));
        for _ in 0..29 {
            advance(Duration::from_secs(1)).await;
            drop(activity.begin().answered(Full::new(Bytes::from_static(b"y"))));
            assert_eq!(over(&activity), None);
        }
        advance(Duration::from_secs(1)).await;
        assert_eq!(over(&activity), Some(Over::Break("an answer was not taken")));
        drop(stalled);
        assert_eq!(over(&activity), None);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_taken_piece_by_piece_has_its_time_for_each() {
        let activity = Activity::new();
        let mut body = activity.begin().answered(Full::new(Bytes::from(vec![0; PIECE * 4])));
        for _ in 0..4 {
            advance(Duration::from_secs(29)).await;
            assert_eq!(over(&activity), None);
            body.frame().await.unwrap().unwrap();
        }
        advance(Duration::from_secs(30)).await;
        assert_eq!(over(&activity), Some(Over::Break("an answer was not taken")));
    }

    #[tokio::test(start_paused = true)]
    async fn an_old_connection_is_told_to_go() {
        let activity = Activity::new();
        let _busy = activity.begin();
        advance(AGE).await;
        assert_eq!(over(&activity), Some(Over::Leave("it is old")));
    }

    #[tokio::test]
    async fn a_body_in_pieces_is_the_same_body() {
        let activity = Activity::new();
        let bytes: Bytes = (0..PIECE * 2 + 5).map(|n| n.to_le_bytes()[0]).collect();
        let mut body = activity.begin().answered(Full::new(bytes.clone()));
        assert_eq!(body.size_hint().exact(), Some(bytes.len() as u64));
        let (mut read, mut pieces) = (Vec::new(), 0);
        while let Some(frame) = body.frame().await {
            assert!(body.size_hint().exact().is_some());
            read.extend_from_slice(&frame.unwrap().into_data().unwrap());
            pieces += 1;
        }
        assert_eq!((read, pieces), (bytes.to_vec(), 3));
        assert!(body.is_end_stream());
        let empty = activity.begin().answered(Full::new(Bytes::new()));
        assert!(empty.is_end_stream(), "no answer becomes longer by this");
    }
}
