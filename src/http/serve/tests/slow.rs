//! Clients that take their time, in every way there is, beside one that does not.

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use tokio::time::Instant;

use super::*;

/// Long enough for a good client on a loaded machine, short enough to wait for.
const DEADLINE: Duration = Duration::from_millis(400);
/// The time in which everything here is over.
const PATIENCE: Duration = Duration::from_secs(20);

fn strict() -> HttpLimits {
    HttpLimits {
        header_read: DEADLINE,
        body_read: DEADLINE,
        idle: DEADLINE,
        response: DEADLINE,
        ..HttpLimits::default()
    }
}

/// That a good client is served again and again until the bad one is closed, and how long that took.
async fn served_until<T>(running: &Running, closed: impl Future<Output = T>) -> (Duration, T) {
    let begun = Instant::now();
    let mut closed = std::pin::pin!(timeout(PATIENCE, closed));
    loop {
        let mut good = running.connect().await;
        send(&mut good, get("/good")).await;
        tokio::select! {
            ended = &mut closed => return (begun.elapsed(), ended.expect("a bad client is closed")),
            answered = answer(&mut good, "/good") => assert!(answered.starts_with("HTTP/1.1 200")),
        }
    }
}

fn within_the_deadlines(passed: Duration) {
    assert!(passed >= DEADLINE / 2, "the deadline decided, not a failure: {passed:?}");
    assert!(passed < DEADLINE * 12, "{passed:?}");
}

#[tokio::test]
async fn a_head_drop_by_drop_is_closed() {
    let running = serving(strict()).await;
    let bad = running.connect().await;
    let (mut read, mut write) = bad.into_split();
    let drops = async {
        for byte in get("/slow-head").into_bytes().into_iter().cycle() {
            if write.write_all(&[byte]).await.is_err() {
                return;
            }
            sleep(DEADLINE / 10).await;
        }
    };
    let closed = async {
        let mut all = Vec::new();
        tokio::select! {
            _ = read.read_to_end(&mut all) => all,
            () = drops => all,
        }
    };
    let (passed, all) = served_until(&running, closed).await;
    within_the_deadlines(passed);
    assert!(!String::from_utf8_lossy(&all).contains(" 200 "));
}

#[tokio::test]
async fn a_body_drop_by_drop_is_refused() {
    let running = serving(strict()).await;
    let bad = running.connect().await;
    let (mut read, mut write) = bad.into_split();
    let drops = async {
        write.write_all(b"POST /slow-body HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n").await.unwrap();
        while write.write_all(b"x").await.is_ok() {
            sleep(DEADLINE / 10).await;
        }
        std::future::pending::<()>().await;
    };
    let closed = async {
        let mut all = Vec::new();
        tokio::select! {
            _ = read.read_to_end(&mut all) => {}
            () = drops => {}
        }
        all
    };
    let (passed, all) = served_until(&running, closed).await;
    within_the_deadlines(passed);
    let text = String::from_utf8_lossy(&all).into_owned();
    assert!(text.starts_with("HTTP/1.1 408 ") || text.is_empty(), "{text}");
}

#[tokio::test]
async fn an_answer_that_is_not_taken_is_broken_off() {
    let running = serving(strict()).await;
    let mut bad = running.connect().await;
    send(&mut bad, get("/large")).await;
    // It reads nothing until the server has given up: then what is left in between ends too early.
    let closed = async {
        running.large_dropped.notified().await;
        rest(&mut bad).await.len()
    };
    let (passed, length) = served_until(&running, closed).await;
    within_the_deadlines(passed);
    assert!(length < LARGE, "all {length} of {LARGE} bytes were sent");
}

#[tokio::test]
async fn a_connection_without_a_request_is_closed() {
    let running = serving(strict()).await;
    for first in ["", &get("/a")] {
        let mut bad = running.connect().await;
        send(&mut bad, first).await;
        if !first.is_empty() {
            answer(&mut bad, "/a").await;
        }
        let (passed, _) = served_until(&running, rest(&mut bad)).await;
        within_the_deadlines(passed);
    }
}

/// A client of HTTP/2 that allows `window` bytes of answers; its connection runs until it is closed.
async fn http2(running: &Running, window: u32) -> (SendRequest<Bytes>, impl Future<Output = ()>) {
    let stream = running.connect().await;
    // Else every window that it opens waits for the acknowledgement of the one before, some 40 ms.
    stream.set_nodelay(true).unwrap();
    let (sender, connection) = Builder::new().initial_window_size(window).handshake::<_, Bytes>(stream).await.unwrap();
    (sender, async { drop(connection.await) })
}

fn asking(path: &str) -> http::Request<()> {
    http::Request::get(format!("http://x{path}")).body(()).unwrap()
}

#[tokio::test]
async fn an_http2_connection_without_requests_is_told_to_go() {
    let running = serving(strict()).await;
    let (sender, connection) = http2(&running, 65_535).await;
    // it answers every ping, and asks for nothing
    let (passed, ()) = served_until(&running, connection).await;
    within_the_deadlines(passed);
    drop(sender);
}

#[tokio::test]
async fn an_http2_preface_without_an_end_is_closed() {
    let running = serving(strict()).await;
    // SETTINGS, then HEADERS whose block never ends: PADDED with END_HEADERS unset
    let settings: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
    let headers: &[u8] = &[0, 0, 1, 1, 0, 0, 0, 0, 1, 0x82];
    for beginning in [settings, &[settings, headers].concat()] {
        let mut bad = running.connect().await;
        send(&mut bad, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        send(&mut bad, beginning).await;
        let (passed, _) = served_until(&running, rest(&mut bad)).await;
        within_the_deadlines(passed);
    }
}

#[tokio::test]
async fn an_http2_answer_for_which_no_window_opens_is_broken_off() {
    for window in [0, 1] {
        let running = serving(strict()).await;
        let (mut sender, connection) = http2(&running, window).await;
        let asked = async {
            sender = sender.ready().await.unwrap();
            let (answer, _) = sender.send_request(asking("/large"), true).unwrap();
            let _unread = answer.await;
            std::future::pending::<()>().await;
        };
        let closed = async {
            tokio::select! {
                () = connection => {}
                () = asked => unreachable!("it never ends"),
            }
        };
        let (passed, ()) = served_until(&running, closed).await;
        within_the_deadlines(passed);
        running.large_dropped.notified().await;
    }
}

#[tokio::test]
async fn a_slow_http2_client_that_takes_its_answers_gets_all_of_them() {
    let running = serving(HttpLimits { response: PATIENCE, idle: PATIENCE, ..HttpLimits::default() }).await;
    let (mut sender, connection) = http2(&running, 20_000).await;
    let asked = async {
        sender = sender.ready().await.unwrap();
        let (answer, _) = sender.send_request(asking("/large"), true).unwrap();
        let mut body = answer.await.unwrap().into_body();
        let mut length = 0;
        while let Some(data) = body.data().await {
            let data = data.unwrap();
            length += data.len();
            body.flow_control().release_capacity(data.len()).unwrap();
        }
        length
    };
    tokio::select! {
        length = asked => assert_eq!(length, LARGE),
        () = connection => unreachable!("it stays open"),
    }
}

#[tokio::test]
async fn one_address_has_only_its_connections() {
    let running = serving(HttpLimits { connections_per_address: Some(2), ..HttpLimits::default() }).await;
    let (mut first, mut second) = (running.connect().await, running.connect().await);
    for stream in [&mut first, &mut second] {
        send(stream, get("/a")).await;
        answer(stream, "/a").await;
    }
    let mut third = running.connect().await;
    send(&mut third, get("/a")).await;
    assert!(rest(&mut third).await.is_empty(), "it is closed");
    drop(first);
    // the place is free once the server has seen that
    let mut fourth = running.connect().await;
    let served = async {
        loop {
            send(&mut fourth, get("/a")).await;
            let mut begin = [0; 12];
            if fourth.read_exact(&mut begin).await.is_ok() {
                return begin;
            }
            fourth = running.connect().await;
        }
    };
    assert_eq!(&timeout(PATIENCE, served).await.unwrap(), b"HTTP/1.1 200");
    send(&mut second, get("/b")).await;
    answer(&mut second, "/b").await;
}

#[tokio::test]
async fn this_machine_and_proxies_have_all_connections_and_others_a_quarter() {
    let of = |limits: HttpLimits, proxies: &[&str]| {
        let proxies = proxies.iter().map(|range| range.parse().unwrap()).collect();
        let mut config = crate::SupervisionConfig::default();
        config.server.trusted_proxies = proxies;
        let guard = Guard::of(&config).unwrap();
        let routes = Paths::default();
        let edge = edge(routes, limits.clone()).behind(&guard, true);
        let leaving = Leaving { readiness: Readiness::default(), stop: Stop::new() };
        let connections = Connections::new(edge, leaving);
        move |address: &str| connections.most_of(address.parse().unwrap())
    };
    let most = of(HttpLimits { connections: 100, ..HttpLimits::default() }, &["10.0.0.0/8"]);
    assert_eq!([most("127.0.0.1"), most("::1"), most("10.1.2.3"), most("9.9.9.9")], [100, 100, 100, 25]);
    let few = of(HttpLimits { connections: 100, connections_per_address: Some(3), ..HttpLimits::default() }, &[]);
    assert_eq!([few("127.0.0.1"), few("9.9.9.9")], [3, 3]);
}
