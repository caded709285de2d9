//! `Idempotency-Key`: whatever happens in between, the same request is done once and answered once more.

use std::thread;

use serde_json::{Value, json};

use crate::{
    common::{Client, Request, Response, Server},
    shop::{becomes, operate, place, product, quiet, rows, stock},
};

fn keyed(method: &str, target: &str, key: &str, body: Option<&Value>) -> Request {
    let request = Request::new(method, target).header("Idempotency-Key", key);
    match body {
        Some(body) => request.json(body),
        None => request,
    }
}

fn is_replay(answer: &Response) -> bool {
    answer.header("idempotency-replayed") == Some("true")
}

/// The four kinds of commands, each with a key of its own, and another body for the same key.
fn commands() -> Vec<(Request, Option<Request>)> {
    let pair = |method: &str, target: &str, key: &str, one: Value, other: Value| {
        (keyed(method, target, key, Some(&one)), Some(keyed(method, target, key, Some(&other))))
    };
    vec![
        pair("POST", "/orders", "k1", json!({"productId": 1, "quantity": "3"}), json!({"productId": 1, "quantity": 4})),
        pair("PUT", "/products/1", "k2", json!({"quantity": 20, "price": 7}), json!({"quantity": 20, "price": 8})),
        pair("PATCH", "/products/1", "k3", json!({"price": 9}), json!({"price": 8})),
        (keyed("DELETE", "/payments/1", "k4", None), None),
    ]
}

fn send_all(client: &Client) -> Vec<Response> {
    commands().iter().map(|(request, _)| client.send(request)).collect()
}

#[test]
fn a_command_that_is_sent_again_gets_its_first_answer_and_is_done_once() {
    let mut server = Server::store();
    let client = server.client();
    product(&client, 10);
    place(&client, 1, 1).created();
    client.http("POST :8088/payments productId=1 quantity=2 price=4").created();
    quiet(&server);

    let first = send_all(&client);
    assert_eq!(first.iter().map(|answer| answer.status).collect::<Vec<_>>(), [201, 200, 200, 204]);
    assert!(!first.iter().any(is_replay));
    quiet(&server);
    let world = |client: &Client| (rows(client, "orders"), rows(client, "products"), rows(client, "messages").len());
    // without the addresses, which differ from run to run
    let own = |(orders, products, messages): (Vec<Value>, Vec<Value>, usize)| {
        let strip = |rows: Vec<Value>| -> Vec<Value> {
            rows.into_iter().map(|row| json!([row["id"], row["quantity"], row["price"], row["status"]])).collect()
        };
        (strip(orders), strip(products), messages)
    };
    let before = own(world(&client));
    for restarted in [false, true] {
        if restarted {
            server.restart();
        }
        let client = server.client();
        for (n, (again, first)) in send_all(&client).iter().zip(&first).enumerate() {
            assert_eq!((again.status, is_replay(again)), (first.status, true), "{n}: {again}");
            if again.status != 204 {
                assert_eq!(again.json()["id"], first.json()["id"], "{n}");
                // it was changed since: what the first answer showed must not be taken for what is there
                assert!(first.header("etag").is_some() && again.header("etag").is_none(), "{n}: {again}");
            }
        }
        for (other, n) in commands().iter().filter_map(|(_, other)| other.as_ref()).zip(1..) {
            let refused = client.send(other).is(422);
            assert!(refused.json()["code"].is_string() && !is_replay(&refused), "k{n}: {refused}");
        }
        quiet(&server);
        assert_eq!(own(world(&client)), before, "restarted: {restarted}");
    }
    // Another spelling of the same request is the same request; the same key elsewhere is another one.
    let client = server.client();
    let spelled = keyed("POST", "/store/Orders", "k1", Some(&json!({"quantity": 3, "productId": "1"})));
    assert!(is_replay(&client.send(&spelled).is(201)));
    let elsewhere = keyed("POST", "/payments", "k1", Some(&json!({"productId": 1, "quantity": 1, "price": 1})));
    assert!(!is_replay(&client.send(&elsewhere).is(201)));
}

#[test]
fn a_command_that_was_not_done_is_done_once_when_it_is_sent_again() {
    let server = Server::store();
    let client = server.client();
    product(&client, 10);
    let order = keyed("POST", "/orders", "later", Some(&json!({"productId": 1, "quantity": 3})));
    operate(&server, "delivery", "stop");
    for _ in 0..2 {
        let refused = client.send(&order).is(503);
        assert!(!is_replay(&refused));
    }
    operate(&server, "delivery", "start");
    let id = client.send(&order).created();
    let again = client.send(&order);
    assert!(is_replay(&again), "{again}");
    assert_eq!(again.created(), id);
    quiet(&server);
    assert_eq!((rows(&client, "orders").len(), rows(&client, "deliveries").len(), stock(&client, 1)), (1, 1, 13));

    let cancel = keyed("DELETE", &format!("/orders/{id}"), "cancel", None);
    operate(&server, "delivery", "stop");
    client.send(&cancel).is(503);
    operate(&server, "delivery", "start");
    client.send(&cancel).is(204);
    assert!(is_replay(&client.send(&cancel).is(204)));
    client.send(&Request::new("DELETE", &format!("/orders/{id}"))).is(404);
    becomes(&client, "/products/1", "quantity", &json!(10));
}

#[test]
fn a_refusal_is_decided_again() {
    let server = Server::store();
    let client = server.client();
    let change = keyed("PATCH", "/products/1", "early", Some(&json!({"price": 7})));
    client.send(&change).is(404);
    product(&client, 10);
    let done = client.send(&change).is(200);
    assert!(!is_replay(&done));
    let invalid = keyed("POST", "/orders", "typo", Some(&json!({"productId": 1, "quantity": 0})));
    client.send(&invalid).is(400);
    let right = keyed("POST", "/orders", "typo", Some(&json!({"productId": 1, "quantity": 1})));
    assert_eq!(client.send(&right).created(), 1);
}

#[test]
fn many_at_once_with_one_key_are_one() {
    let server = Server::store();
    let client = server.client();
    product(&client, 10);
    let order = keyed("POST", "/orders", "burst", Some(&json!({"productId": 1, "quantity": 3})));
    let answers: Vec<Response> = thread::scope(|scope| {
        let senders: Vec<_> = (0..12).map(|_| scope.spawn(|| client.send(&order))).collect();
        senders.into_iter().map(|sender| sender.join().unwrap()).collect()
    });
    for answer in &answers {
        match answer.status {
            201 => assert_eq!(answer.json()["id"], json!(1)),
            409 | 503 => assert!(answer.header("retry-after").is_some(), "{answer}"),
            _ => panic!("{answer}"),
        }
    }
    let fresh = answers.iter().filter(|answer| answer.status == 201 && !is_replay(answer)).count();
    assert!(fresh <= 1, "{fresh} were told that they were the first");
    assert!(is_replay(&client.send(&order).is(201)));
    quiet(&server);
    assert_eq!((rows(&client, "orders").len(), rows(&client, "deliveries").len(), stock(&client, 1)), (1, 1, 13));
}

#[test]
fn a_key_that_is_none_is_refused() {
    let server = Server::store();
    let client = server.client();
    product(&client, 10);
    for key in ["", "two words", &"x".repeat(256), "열쇠"] {
        let body = json!({"productId": 1, "quantity": 3});
        let refused = client.send(&keyed("POST", "/orders", key, Some(&body))).is(400);
        assert_eq!(refused.json()["code"], "INVALID_IDEMPOTENCY_KEY", "{key}");
    }
    assert_eq!(rows(&client, "orders").len(), 0);
}

#[test]
fn a_replay_does_not_ask_for_the_old_version_again() {
    let server = Server::store();
    let client = server.client();
    product(&client, 10);
    let tag = client.get("/products/1").header("etag").unwrap().to_owned();
    for (key, condition) in [("one", tag.clone()), ("several", format!("\"98\", \"99\", {tag}"))] {
        let tag = client.get("/products/1").header("etag").unwrap().to_owned();
        let condition = condition.replace(condition.rsplit(", ").next().unwrap(), &tag);
        let body = json!({"quantity": key.len()});
        let change = keyed("PATCH", "/products/1", key, Some(&body)).header("If-Match", &condition);
        client.send(&change).is(200);
        assert!(is_replay(&client.send(&change).is(200)), "{key}");
    }
    let tag = client.get("/products/1").header("etag").unwrap().to_owned();
    let remove = keyed("DELETE", "/products/1", "gone", None).header("If-Match", &format!("\"99\", {tag}"));
    client.send(&remove).is(204);
    assert!(is_replay(&client.send(&remove).is(204)));
}
