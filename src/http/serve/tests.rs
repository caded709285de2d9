use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::Notify,
    task::JoinHandle,
    time::{sleep, timeout},
};
use tokio_util::task::TaskTracker;

use super::*;

mod live;
mod slow;

use crate::{
    Timestamp,
    http::{
        Problem,
        live::live,
        request::{Request as Asked, Response},
        routes::Routes,
    },
};

/// Answers its path; `/slow` when released, `/left` at once with something that goes on until then, `/live` without an
/// end.
#[derive(Default)]
struct Paths {
    begun: Arc<Notify>,
    release: Arc<Notify>,
    /// Told when an answer to `/large` is gone, sent or not.
    large_dropped: Arc<Notify>,
    tasks: TaskTracker,
}

/// More than the kernel keeps of a connection.
const LARGE: usize = 32 * 1024 * 1024;

struct Large(Arc<Notify>, Vec<u8>);

impl AsRef<[u8]> for Large {
    fn as_ref(&self) -> &[u8] {
        &self.1
    }
}

impl Drop for Large {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

impl Routes for Paths {
    fn route<'a>(&'a self, request: &'a Asked) -> BoxFuture<'a, Result<Response, Problem>> {
        async move {
            if request.path == "/slow" {
                self.begun.notify_one();
                self.release.notified().await;
            }
            if request.path == "/left" {
                let release = self.release.clone();
                self.tasks.spawn(async move { release.notified().await });
            }
            if request.path == "/large" {
                let large = Large(self.large_dropped.clone(), vec![b'x'; LARGE]);
                return Ok(Response::new(Bytes::from_owner(large)));
            }
            if request.path == "/live" {
                return Ok(live(futures::stream::pending()));
            }
            Ok(Response::new(request.path.clone().into()))
        }
        .boxed()
    }

    fn is_control(&self, _: &str) -> bool {
        false
    }

    fn ended(&self) -> BoxFuture<'_, ()> {
        self.tasks.close();
        self.tasks.wait().boxed()
    }
}

struct Running {
    server: HttpServer,
    stop: Stop,
    ended: JoinHandle<Result<(), Failure>>,
    begun: Arc<Notify>,
    release: Arc<Notify>,
    large_dropped: Arc<Notify>,
}

async fn serving(limits: HttpLimits) -> Running {
    serving_on(Listener::bind(([127, 0, 0, 1], 0).into()).unwrap(), limits).await
}

#[expect(clippy::disallowed_methods, reason = "the test awaits it")]
async fn serving_on(listener: Listener, limits: HttpLimits) -> Running {
    let (begun, release) = (Arc::<Notify>::default(), Arc::<Notify>::default());
    let large_dropped = Arc::<Notify>::default();
    let large_tells = large_dropped.clone();
    let routes =
        Paths { begun: begun.clone(), release: release.clone(), large_dropped: large_tells, ..Paths::default() };
    let server = HttpServer::new(listener, edge(routes, limits), Readiness::default());
    let stop = Stop::new();
    let run = server.start(stop.clone()).await.unwrap();
    Running { server, stop, ended: tokio::spawn(run), begun, release, large_dropped }
}

fn edge(routes: Paths, limits: HttpLimits) -> Edge {
    Edge::new(routes, false, limits, Arc::new(Timestamp::default), crate::RequestMeters::default())
}

impl Running {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.server.address()).await.unwrap()
    }
}

async fn send(stream: &mut TcpStream, bytes: impl AsRef<[u8]>) {
    stream.write_all(bytes.as_ref()).await.unwrap();
}

/// Reads until the body that this path answers is there.
async fn answer(stream: &mut TcpStream, path: &str) -> String {
    let mut read = String::new();
    let mut buffer = [0; 4096];
    while !read.ends_with(&format!("\r\n\r\n{path}")) {
        let length = stream.read(&mut buffer).await.unwrap();
        assert!(length > 0, "closed after {read:?}");
        read.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
    }
    read
}

/// What is read until the server closes; a reset is a close too.
async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut read = Vec::new();
    let _closed = stream.read_to_end(&mut read).await;
    read
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")
}

#[tokio::test]
async fn one_connection_serves_many_requests() {
    let running = serving(HttpLimits::default()).await;
    let mut stream = running.connect().await;
    for path in ["/a", "/b", "/c"] {
        send(&mut stream, get(path)).await;
        assert!(answer(&mut stream, path).await.starts_with("HTTP/1.1 200"));
    }
}

#[tokio::test]
async fn a_head_that_does_not_come_is_closed_at_the_deadline() {
    let running = serving(HttpLimits { header_read: Duration::from_millis(50), ..HttpLimits::default() }).await;
    for beginning in ["", "GET /a HTTP/1.1\r\nhost", "PRI * HTTP/2.0\r\n"] {
        let mut stream = running.connect().await;
        send(&mut stream, beginning).await;
        assert!(!String::from_utf8_lossy(&rest(&mut stream).await).contains(" 200 "), "{beginning:?}");
    }
}

#[tokio::test]
async fn http2_with_prior_knowledge_is_spoken() {
    let running = serving(HttpLimits::default()).await;
    let mut stream = running.connect().await;
    send(&mut stream, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    send(&mut stream, [0, 0, 0, 4, 0, 0, 0, 0, 0]).await; // empty SETTINGS
    let mut head = [0; 9];
    stream.read_exact(&mut head).await.unwrap();
    assert_eq!(head[3], 4, "the server's SETTINGS");
}

#[tokio::test]
async fn a_bad_preface_ends_its_connection_and_no_other() {
    let running = serving(HttpLimits::default()).await;
    let mut other = running.connect().await;
    for garbage in [&b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n"[..], b"\x16\x03\x01\x02\x00\x01", b"\0\0\0\0\r\n\r\n"] {
        let mut stream = running.connect().await;
        send(&mut stream, garbage).await;
        assert!(!String::from_utf8_lossy(&rest(&mut stream).await).contains(" 200 "));
    }
    send(&mut other, get("/a")).await;
    answer(&mut other, "/a").await;
}

#[tokio::test]
async fn stopping_answers_what_is_in_flight_and_refuses_what_comes() {
    let running = serving(HttpLimits::default()).await;
    let (mut busy, mut idle) = (running.connect().await, running.connect().await);
    send(&mut idle, get("/a")).await;
    answer(&mut idle, "/a").await;
    send(&mut busy, get("/slow")).await;
    running.begun.notified().await;
    running.stop.request();
    assert!(rest(&mut idle).await.is_empty(), "an idle connection is closed");
    assert!(TcpStream::connect(running.server.address()).await.is_err(), "the socket is closed");
    running.release.notify_one();
    answer(&mut busy, "/slow").await;
    running.ended.await.unwrap().unwrap();
}

#[tokio::test]
async fn once_readiness_is_lowered_each_answer_ends_its_connection_and_new_ones_are_still_served() {
    let running = serving(HttpLimits::default()).await;
    let mut kept = running.connect().await;
    send(&mut kept, get("/a")).await;
    assert!(!answer(&mut kept, "/a").await.contains("connection: close"));
    running.server.readiness.lower();
    send(&mut kept, get("/b")).await;
    assert!(answer(&mut kept, "/b").await.contains("connection: close"));
    assert!(rest(&mut kept).await.is_empty(), "and it is closed");
    let mut fresh = running.connect().await;
    send(&mut fresh, get("/c")).await;
    assert!(answer(&mut fresh, "/c").await.contains("connection: close"));
}

#[tokio::test]
async fn who_connects_to_an_inherited_socket_while_nobody_serves_waits_for_who_comes_next() {
    let owner = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let inherit = || Listener::inherited(owner.try_clone().unwrap()).unwrap();
    let first = serving_on(inherit(), HttpLimits::default()).await;
    first.stop.request();
    first.ended.await.unwrap().unwrap();
    let mut waiting = TcpStream::connect(owner.local_addr().unwrap()).await.unwrap();
    send(&mut waiting, get("/a")).await;
    drop(first.server);
    let _second = serving_on(inherit(), HttpLimits::default()).await;
    assert!(answer(&mut waiting, "/a").await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn what_takes_longer_than_the_drain_limit_is_cut() {
    let running = serving(HttpLimits { drain: Duration::from_millis(50), ..HttpLimits::default() }).await;
    let mut busy = running.connect().await;
    send(&mut busy, get("/slow")).await;
    running.begun.notified().await;
    running.stop.request();
    running.ended.await.unwrap().unwrap();
    assert!(rest(&mut busy).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_outlives_its_request_is_waited_for_within_the_drain_limit() {
    for is_released in [true, false] {
        let mut running = serving(HttpLimits::default()).await;
        let mut stream = running.connect().await;
        send(&mut stream, get("/left")).await;
        answer(&mut stream, "/left").await;
        running.stop.request();
        let limit = HttpLimits::default().drain;
        assert!(timeout(limit / 2, &mut running.ended).await.is_err(), "it goes on");
        if is_released {
            running.release.notify_one();
        }
        timeout(limit, running.ended).await.unwrap().unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_connection_above_the_limit_waits_for_a_place() {
    let running = serving(HttpLimits { connections: 1, ..HttpLimits::default() }).await;
    let (mut first, mut second) = (running.connect().await, running.connect().await);
    send(&mut first, get("/slow")).await;
    running.begun.notified().await;
    send(&mut second, get("/slow")).await;
    running.release.notify_one();
    answer(&mut first, "/slow").await;
    assert!(running.begun.notified().now_or_never().is_none(), "the second is not served beside the first");
    drop(first);
    running.begun.notified().await;
    running.release.notify_one();
    answer(&mut second, "/slow").await;
}

#[tokio::test]
async fn an_occupied_address_is_told_by_its_kind() {
    let first = Listener::bind(([127, 0, 0, 1], 0).into()).unwrap();
    let refused = Listener::bind(first.address()).unwrap_err();
    assert_eq!(refused.source.kind(), std::io::ErrorKind::AddrInUse);
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the test awaits it")]
async fn a_server_that_failed_starts_again_on_the_same_socket() {
    let running = serving(HttpLimits::default()).await;
    let (mut idle, mut busy) = (running.connect().await, running.connect().await);
    send(&mut busy, get("/slow")).await;
    running.begun.notified().await;
    running.ended.abort();
    assert!(running.ended.await.unwrap_err().is_cancelled());
    assert!(rest(&mut idle).await.is_empty(), "no connection outlives its server");
    assert!(rest(&mut busy).await.is_empty());
    let mut waiting = TcpStream::connect(running.server.address()).await.unwrap();
    send(&mut waiting, get("/a")).await;
    let again = tokio::spawn(running.server.start(running.stop.clone()).await.unwrap());
    answer(&mut waiting, "/a").await;
    running.stop.request();
    again.await.unwrap().unwrap();
}
