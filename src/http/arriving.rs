//! Bodies on their way: how long one may take, and how much of the listener's room it has meanwhile.

use std::{fmt, net::IpAddr, pin::pin, time::Duration};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use futures::{FutureExt, Stream, StreamExt};
use tokio::time::timeout;

use super::{Problem, guard::Guard, room::Place};

/// Why a body was not read.
#[derive(Debug)]
pub(crate) enum Unread {
    /// It is longer than it may be.
    TooLong,
    /// It was not there in time.
    Late,
    /// It broke off: why, for people.
    Broken(String),
    /// There is no room for it: 503.
    NoRoom(Problem),
}

/// Whose body it is: that of `client`, where that is known, with the share that `guard` gives it.
#[derive(Clone, Copy)]
pub(crate) struct Sender<'a> {
    pub(crate) client: Option<IpAddr>,
    pub(crate) guard: &'a Guard,
}

/// How long a body may be and may take.
#[derive(Clone, Copy)]
pub(crate) struct Bounds {
    /// Bytes; more is refused.
    pub(crate) length: usize,
    /// Up to so many bytes, what is refused is read on, without being kept.
    pub(crate) discarded: usize,
    pub(crate) within: Duration,
}

/// Reads a body into memory, for which `place` takes as much room as that needs. What is not there at once counts for its
/// sender while it is awaited: who sends heads without bodies takes the room of nobody else.
///
/// # Errors
/// See [`Unread`].
pub(crate) async fn read_body<B: Buf, E: fmt::Display>(
    body: impl Stream<Item = Result<B, E>>,
    place: &mut Place,
    sender: Sender<'_>,
    bounds: Bounds,
) -> Result<Bytes, Unread> {
    timeout(bounds.within, all(body, place, sender, bounds)).await.unwrap_or(Err(Unread::Late))
}

async fn all<B: Buf, E: fmt::Display>(
    body: impl Stream<Item = Result<B, E>>,
    place: &mut Place,
    Sender { client, guard }: Sender<'_>,
    bounds: Bounds,
) -> Result<Bytes, Unread> {
    let share = |places| client.map(|client| (client, guard.share_of(client, places)));
    let (mut read, mut length) = (BytesMut::new(), 0_usize);
    let mut body = pin!(body);
    loop {
        let next = if let Some(next) = body.next().now_or_never() {
            next
        } else {
            place.awaits(share).map_err(Unread::NoRoom)?;
            body.next().await
        };
        let Some(chunk) = next else { break };
        let chunk = chunk.map_err(|error| Unread::Broken(error.to_string()))?;
        length = length.saturating_add(chunk.remaining());
        if length > bounds.discarded.max(bounds.length) {
            return Err(Unread::TooLong);
        }
        if length <= bounds.length {
            place.hold(length).map_err(Unread::NoRoom)?;
            read.put(chunk);
        }
    }
    place.arrived();
    if length > bounds.length { Err(Unread::TooLong) } else { Ok(read.freeze()) }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures::{channel::mpsc, stream};
    use tokio::time::sleep;

    use super::*;
    use crate::{
        RequestMeters,
        http::room::{Class, Room},
    };

    const KIB: usize = 1024;
    const BOUNDS: Bounds = Bounds { length: 1024 * KIB, discarded: 0, within: Duration::from_secs(10) };

    /// What comes of a body for which there is `room`, from `client`.
    async fn body(room: &Room, client: &str, chunks: impl Stream<Item = Bytes>) -> Result<usize, Unread> {
        let mut place = room.enter(Class::Work).map_err(Unread::NoRoom)?;
        let (client, guard) = (Some(client.parse().unwrap()), &Guard::default());
        let chunks = chunks.map(Ok::<_, Infallible>);
        let read = read_body(chunks, &mut place, Sender { client, guard }, BOUNDS).await;
        read.map(|body| body.len())
    }

    fn of(bytes: usize) -> Bytes {
        Bytes::from(vec![0; bytes])
    }

    fn is_refused(read: Option<Result<usize, Unread>>) -> bool {
        matches!(read, Some(Err(Unread::NoRoom(problem))) if problem.status() == 503)
    }

    /// Polls it once; what is awaited then is a body.
    macro_rules! begun {
        ($reading:expr) => {{
            let mut reading = Box::pin($reading);
            let read = (&mut reading).now_or_never();
            (reading, read)
        }};
    }

    #[tokio::test]
    async fn who_sends_no_bodies_takes_a_quarter_of_the_room_beyond_its_half() {
        let room = Room::new(16, RequestMeters::default());
        let silent = || body(&room, "10.0.0.1", stream::pending());
        let mut waiting = Vec::new();
        for n in 1..=8 {
            let (reading, read) = begun!(silent());
            assert!(read.is_none(), "{n}: half of the room is free");
            waiting.push(reading);
        }
        for _ in 0..9 {
            assert!(is_refused(begun!(silent()).1));
        }
        for client in ["10.0.0.2", "127.0.0.1", "2001:db8::1"] {
            assert_eq!(body(&room, client, stream::iter([of(9)])).await.unwrap(), 9);
        }
        assert_eq!(body(&room, "10.0.0.1", stream::iter([of(9)])).await.unwrap(), 9, "it is there at once");
        waiting.pop();
        assert!(begun!(silent()).1.is_none(), "there is room again");
    }

    #[tokio::test]
    async fn this_machine_may_have_all_of_it() {
        let room = Room::new(16, RequestMeters::default());
        let silent = || body(&room, "127.0.0.1", stream::pending());
        let waiting: Vec<_> = (0..12).map(|_| begun!(silent())).collect();
        assert!(waiting.iter().all(|(_, read)| read.is_none()));
        assert!(is_refused(begun!(silent()).1), "but for what reads have");
    }

    #[tokio::test]
    async fn a_large_body_takes_more_places_and_alone_it_has_them() {
        let room = Room::new(4, RequestMeters::default());
        let large = |rest: mpsc::UnboundedReceiver<Bytes>| body(&room, "10.0.0.1", rest);
        let (send, rest) = mpsc::unbounded();
        send.unbounded_send(of(700 * KIB)).unwrap();
        let (first, read) = begun!(large(rest));
        assert!(read.is_none());
        assert!(is_refused(body(&room, "10.0.0.2", stream::iter([of(9)])).now_or_never()), "six of four places");
        send.unbounded_send(of(300 * KIB)).unwrap();
        drop(send);
        assert_eq!(first.await.unwrap(), 1000 * KIB);
        let (send, rest) = mpsc::unbounded();
        let (small, _) = begun!(body(&room, "10.0.0.2", stream::pending()));
        let (second, _) = begun!(large(rest));
        send.unbounded_send(of(400 * KIB)).unwrap();
        assert!(is_refused(Some(second.await)), "five of the three for work");
        drop(small);
        assert_eq!(
            body(&room, "10.0.0.1", stream::iter([of(400 * KIB)])).await.unwrap(),
            400 * KIB,
            "all is given back"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_has_its_time_and_its_length() {
        let piece_by_piece = |pieces: usize, bytes: usize| async move {
            let chunks = stream::unfold(pieces, move |left| async move {
                sleep(Duration::from_secs(1)).await;
                left.checked_sub(1).map(|left| (of(bytes), left))
            });
            body(&Room::new(16, RequestMeters::default()), "10.0.0.1", chunks).await
        };
        assert_eq!(piece_by_piece(8, 128 * KIB).await.unwrap(), 1024 * KIB);
        assert!(matches!(piece_by_piece(2, 513 * KIB).await, Err(Unread::TooLong)));
        assert!(matches!(piece_by_piece(11, 1).await, Err(Unread::Late)));
    }
}
