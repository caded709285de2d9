//! Answers that go on: signs of life keep them, and the end of the listener ends them. In paused time: who waits for a client
//! or a server waits for the next timer.

use h2::client::Builder;

use super::*;

/// More than any deadline of a default.
const SIGNS: usize = 60;

#[tokio::test(start_paused = true)]
async fn an_answer_without_events_lives_by_its_signs_of_life() {
    let running = serving(HttpLimits::default()).await;
    let begun = tokio::time::Instant::now();
    let mut stream = running.connect().await;
    send(&mut stream, get("/live")).await;
    let mut read = Vec::new();
    while read.windows(3).filter(|three| three == b":\n\n").count() < SIGNS {
        assert!(stream.read_buf(&mut read).await.unwrap() > 0, "closed after {}", String::from_utf8_lossy(&read));
    }
    assert!(begun.elapsed() > HttpLimits::default().response * 4, "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_events_lives_on_http2_as_well() {
    let running = serving(HttpLimits::default()).await;
    let begun = tokio::time::Instant::now();
    let (sender, connection) = Builder::new().handshake::<_, Bytes>(running.connect().await).await.unwrap();
    let asked = async {
        let request = http::Request::get("http://x/live").body(()).unwrap();
        let (answer, _) = sender.ready().await.unwrap().send_request(request, true).unwrap();
        let mut body = answer.await.unwrap().into_body();
        for sign in 0..SIGNS {
            let data = body.data().await.unwrap_or_else(|| panic!("ended after {sign}")).unwrap();
            assert_eq!(data, ":\n\n");
            body.flow_control().release_capacity(data.len()).unwrap();
        }
    };
    tokio::select! {
        () = asked => assert!(begun.elapsed() > HttpLimits::default().response * 4, "{:?}", begun.elapsed()),
        ended = connection => panic!("it ended: {ended:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_goes_on_ends_when_readiness_is_lowered_and_when_the_listener_stops() {
    for stops in [false, true] {
        let running = serving(HttpLimits::default()).await;
        let mut stream = running.connect().await;
        send(&mut stream, get("/live")).await;
        let mut read = Vec::new();
        while !read.ends_with(b":\n\n\r\n") {
            assert!(stream.read_buf(&mut read).await.unwrap() > 0);
        }
        if stops {
            running.stop.request();
        } else {
            running.server.readiness.lower();
        }
        while !read.ends_with(b"\r\n0\r\n\r\n") {
            assert!(stream.read_buf(&mut read).await.unwrap() > 0, "broken off: {}", String::from_utf8_lossy(&read));
        }
    }
}
