//! Traces as a collector gets them: real bytes over HTTP, and all that a request led to in the trace of its caller.
//! `cargo test --features otlp --test it otlp`.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use serde_json::json;

use crate::{
    common::{Request, SOON, Setup, eventually},
    shop::{product, quiet},
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

/// A span as it was sent.
#[derive(Debug, Clone, Default)]
struct Span {
    trace: String,
    id: String,
    parent: String,
    name: String,
    texts: BTreeMap<String, String>,
}

/// A collector that keeps what it is sent. Its thread ends with the test's process.
fn collector() -> (String, Arc<Mutex<Vec<Span>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let spans = Arc::new(Mutex::new(Vec::new()));
    let to = spans.clone();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let to = to.clone();
            thread::spawn(move || converse(stream, &to));
        }
    });
    (endpoint, spans)
}

fn converse(stream: TcpStream, to: &Mutex<Vec<Span>>) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if line.trim().is_empty() {
                break;
            }
            head.push(line.trim().to_ascii_lowercase());
        }
        assert!(head[0].starts_with("post /v1/traces "), "{head:?}");
        assert!(head.iter().any(|line| line == "content-type: application/x-protobuf"), "{head:?}");
        let length = head.iter().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
        let mut body = vec![0; length.parse().unwrap()];
        reader.read_exact(&mut body).unwrap();
        let found = fields(&body).filter(|(field, _)| *field == 1).flat_map(|(_, resource)| {
            let scopes = fields(resource).filter(|(field, _)| *field == 2);
            scopes.flat_map(|(_, scope)| fields(scope).filter(|(field, _)| *field == 2)).map(|(_, it)| span(it))
        });
        to.lock().unwrap().extend(found.collect::<Vec<_>>());
        let answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n";
        reader.get_mut().write_all(answer).unwrap();
    }
}

/// The length-delimited fields of a protobuf message, as `ExportTraceServiceRequest` has them; others are passed over.
fn fields(mut message: &[u8]) -> impl Iterator<Item = (u64, &[u8])> {
    std::iter::from_fn(move || {
        while !message.is_empty() {
            let key = varint(&mut message);
            match key & 7 {
                0 => _ = varint(&mut message),
                1 => message = &message[8..],
                5 => message = &message[4..],
                2 => {
                    let length = usize::try_from(varint(&mut message)).unwrap();
                    let (value, rest) = message.split_at(length);
                    message = rest;
                    return Some((key >> 3, value));
                }
                other => panic!("no protobuf: wire type {other}"),
            }
        }
        None
    })
}

fn varint(message: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let (byte, rest) = message.split_first().expect("a varint ends");
        *message = rest;
        value |= u64::from(byte & 127) << shift;
        if byte & 128 == 0 {
            break;
        }
    }
    value
}

fn span(message: &[u8]) -> Span {
    let hex = |bytes: &[u8]| {
        let digit = |half: u8| char::from_digit(half.into(), 16).expect("a half of a byte");
        bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect::<String>()
    };
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let mut span = Span::default();
    for (field, value) in fields(message) {
        match field {
            1 => span.trace = hex(value),
            2 => span.id = hex(value),
            4 => span.parent = hex(value),
            5 => span.name = text(value),
            9 => {
                let of = |wanted| fields(value).find(|(field, _)| *field == wanted).map(|(_, bytes)| bytes);
                let (key, value) = (of(1).map(text), of(2).and_then(|any| fields(any).next()).map(|(_, it)| text(it)));
                span.texts.extend(key.zip(value));
            }
            _ => {}
        }
    }
    span
}

#[test]
fn a_request_its_commands_and_what_policies_make_of_it_are_one_trace() {
    let (endpoint, spans) = collector();
    let setup = Setup::default().environment("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint);
    // Nothing but what callers ask for.
    let setup = setup.environment("OTEL_TRACES_SAMPLER_ARG", "0").environment("OTEL_BSP_SCHEDULE_DELAY", "50");
    let mut server = setup.start();
    let client = server.client();
    let id = product(&client, 10);
    // Its own id for all of it as well: the trace is that of the caller all the same.
    let order = Request::new("POST", "/orders").json(&json!({"productId": id, "quantity": 3}));
    let order = order.header("traceparent", &format!("00-{TRACE}-{CALLER}-01")).header("X-Request-Id", "buy-1");
    client.send(&order).created();
    quiet(&server);
    client.get("/readyz").is(200);
    let all = eventually(SOON, "the spans of the purchase", || {
        let all = spans.lock().unwrap().clone();
        let has = |name: &str, key: &str, value: &str| {
            all.iter().any(|span| span.name == name && span.texts.get(key).is_some_and(|own| own == value))
        };
        let whole = has("request", "http.route", "/orders")
            && has("command", "steadfast.kind", "store.product")
            && all
                .iter()
                .filter(|span| span.texts.get("steadfast.kind").is_some_and(|it| it == "store.message"))
                .count()
                >= 3;
        whole.then(|| all.clone())
    });
    assert!(all.iter().all(|span| span.trace == TRACE), "only what a caller asked for: {all:#?}");
    let find = |name: &str, key: &str, value: &str| {
        let found = all.iter().find(|span| span.name == name && span.texts.get(key).is_some_and(|own| own == value));
        found.unwrap_or_else(|| panic!("no {name} with {key}={value} in {all:#?}")).clone()
    };
    let request = find("request", "http.route", "/orders");
    assert_eq!((request.parent.as_str(), request.texts["steadfast.correlation"].as_str()), (CALLER, "buy-1"));
    let below: Vec<&Span> = all.iter().filter(|span| span.name == "command" && span.parent == request.id).collect();
    let [ordered] = below.as_slice() else { panic!("one command of the request's own: {below:#?}") };
    assert_eq!(
        (ordered.texts["steadfast.kind"].as_str(), ordered.texts["steadfast.outcome"].as_str()),
        ("store.order", "done")
    );
    let delivery = find("command", "steadfast.kind", "store.delivery");
    assert_eq!(delivery.parent, ordered.id, "the order asked for it");
    let policy = find("policy", "steadfast.consumer", "store.move-stock-on-deliveries");
    assert_eq!(policy.parent, request.id);
    let stock = find("command", "steadfast.kind", "store.product");
    assert_eq!(stock.parent, policy.id, "the policy asked for it");
    // A trace that no caller keeps and that is not in the sample is not sent.
    spans.lock().unwrap().clear();
    product(&client, 1);
    assert!(server.terminate().status.success());
    assert!(spans.lock().unwrap().iter().all(|span| span.trace == TRACE), "{:#?}", spans.lock().unwrap());
}

#[test]
fn a_collector_that_is_away_costs_no_request_anything() {
    // An address that nobody listens on.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let setup = Setup::default().environment("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint);
    let mut server = setup.environment("OTEL_BSP_SCHEDULE_DELAY", "20").start();
    for _ in 0..50 {
        product(&server.client(), 1);
    }
    assert!(server.terminate().status.success());
}

#[test]
fn a_share_that_is_none_is_refused() {
    let setup = Setup::default().environment("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9");
    let exited = setup.environment("OTEL_TRACES_SAMPLER_ARG", "half").prepare().run();
    assert_eq!(exited.status.code(), Some(2), "{}", exited.stderr);
    assert!(exited.stderr.contains("OTEL_TRACES_SAMPLER_ARG"), "{}", exited.stderr);
}
