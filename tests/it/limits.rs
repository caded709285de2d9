//! Every limit is met with a typed refusal, and the server goes on.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use serde_json::json;

use crate::{
    common::{AT_ONCE, Connection, Request, Response, SOON, Server, Setup, Watch, eventually},
    injection::{end, inject},
    shop::{buy, events, product, quiet, stock},
};

#[test]
fn what_is_too_large_is_refused_by_its_kind() {
    let server = Server::store();
    let client = server.client();
    let body = |length: usize| {
        let text = format!(r#"{{"content":"a","other":"{}"}}"#, "x".repeat(length - 26));
        assert_eq!(text.len(), length);
        Request::new("POST", "/messages").body(text.as_bytes()).header("Content-Type", "application/json")
    };
    client.send(&body(1024 * 1024)).is(201);
    for length in [1024 * 1024 + 1, 3 * 1024 * 1024, 20 * 1024 * 1024] {
        let refused = client.send(&body(length)).is(413);
        assert_eq!(refused.json()["status"], json!(413));
    }
    let query = |length: usize| Request::new("GET", &format!("/messages?{}", "q".repeat(length)));
    client.send(&query(8 * 1024 - 9)).is(200);
    let refused = client.send(&query(8 * 1024)).is(414);
    assert_eq!(refused.json()["status"], json!(414));
    assert!(refused.body.len() < 2048, "it does not send the URL back");
    client.send(&query(60 * 1024)).is(414);
    let header = |length: usize| Request::new("GET", "/messages?size=1").header("X-Long", &"h".repeat(length));
    client.send(&header(30 * 1024)).is(200);
    client.send(&header(33 * 1024)).is(431);
    client.send(&header(300 * 1024)).is(431);
    assert_eq!(client.json("/messages")["page"]["totalElements"], json!(1));
}

#[test]
fn the_limits_are_those_of_the_configuration() {
    let config = "[limits]\nbody = \"1 KiB\"\nurl = \"256 B\"\nheaders = \"8 KiB\"\n\n[server]\nheader_deadline = \"100ms\"\nbody_deadline = \"100ms\"\n";
    let server = Setup::default().config(config).start();
    let client = server.client();
    let text = json!({"content": "x".repeat(1024)});
    client.send(&Request::new("POST", "/messages").json(&text)).is(413);
    client.get(&format!("/messages?{}", "q".repeat(256))).is(414);
    client.send(&Request::new("GET", "/messages").header("X-Long", &"h".repeat(9 * 1024))).is(431);

    // A client that sends its body, or its headers, drop by drop does not hold a connection for ever.
    let answer_to = |bytes: &[u8]| {
        let watch = Watch::start();
        let mut stream = TcpStream::connect(server.listen()).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        stream.write_all(bytes).unwrap();
        let mut text = Vec::new();
        stream.read_to_end(&mut text).unwrap();
        assert!(watch.passed() < AT_ONCE, "{:?}", watch.passed());
        String::from_utf8_lossy(&text).into_owned()
    };
    let slow_body = answer_to(b"POST /messages HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{");
    assert!(slow_body.starts_with("HTTP/1.1 408 "), "{slow_body}");
    let slow_head = answer_to(b"GET /messages HTTP/1.1\r\nHost:");
    assert!(slow_head.is_empty() || slow_head.starts_with("HTTP/1.1 408 "), "{slow_head}");
    client.get("/messages").is(200);
}

/// Sends and measures.
fn timed(connection: &mut Connection, request: &Request) -> (Response, Duration) {
    let watch = Watch::start();
    let answer = connection.try_send(request).unwrap();
    (answer, watch.passed())
}

#[test]
fn a_full_mailbox_is_503_at_once_and_what_was_accepted_is_done() {
    const SENDERS: i32 = 24;
    const ROUNDS: i32 = 10;
    let server = Setup::default().config("[entity]\nmailbox = 1\n\n[admin]\nfaults = true\n").start();
    let client = server.client();
    let product = product(&client, 1000);
    // Whoever comes first takes its time until somebody was refused, so that somebody is.
    let slow = inject(&server, "product/1", &json!({"latency": "1m"}));
    let refused = AtomicUsize::new(0);
    let together = Barrier::new(usize::try_from(SENDERS).unwrap());
    let answers: Vec<(i32, Response, Duration)> = thread::scope(|scope| {
        let send = |sender: i32| {
            let (client, together, refused) = (&client, &together, &refused);
            move || {
                let mut connection = client.connect().unwrap();
                let mut answers = Vec::new();
                for round in 0..ROUNDS {
                    let price = 1 + sender * ROUNDS + round;
                    let change = Request::new("PATCH", "/products/1").json(&json!({"price": price}));
                    together.wait();
                    let (answer, took) = timed(&mut connection, &change);
                    refused.fetch_add(usize::from(answer.status == 503), Ordering::Relaxed);
                    answers.push((price, answer, took));
                }
                answers
            }
        };
        let senders: Vec<_> = (0..SENDERS).map(|sender| scope.spawn(send(sender))).collect();
        eventually(SOON, "a full mailbox", || (refused.load(Ordering::Relaxed) > 0).then_some(()));
        end(&server, &slow);
        // Purchases go through the same mailbox, as dispatches, which wait instead of failing.
        for _ in 0..10 {
            buy(&client, product, 3).created();
        }
        senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect()
    });
    for (_, answer, took) in &answers {
        match answer.status {
            200 => {}
            503 => {
                assert!(answer.header("retry-after").is_some(), "{answer}");
                assert!(*took < AT_ONCE, "{took:?}");
            }
            _ => panic!("{answer}"),
        }
    }
    let refused = refused.into_inner();
    assert!(refused < answers.len(), "all {refused} were refused");
    quiet(&server);
    assert_eq!(stock(&client, product), 1000 - 30);
    // Each accepted change is an event, and no refused one is.
    let mut accepted: Vec<_> =
        answers.iter().filter(|(_, answer, _)| answer.status == 200).map(|(price, ..)| *price).collect();

    let mut written: Vec<i32> = Vec::new();
    let mut last = 1000;
    for event in events(&server, "kind=product") {
        let price = i32::try_from(event["price"].as_i64().unwrap()).unwrap();
        if event["eventType"] == "StockModified" && price != last {
            written.push(price);
        }
        assert!(
            event["eventType"] == "ProductRegistered" || event["status"] == "register" || event["status"] == "subtract"
        );
        last = price;
    }
    accepted.sort_unstable();
    written.sort_unstable();
    assert_eq!(written, accepted);
}
