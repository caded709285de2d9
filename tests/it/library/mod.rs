//! The library, as its clients and operators meet it.

mod decisions;
mod races;
mod scenarios;

use serde_json::{Value, json};

use crate::{
    acceptance::Script,
    common::{Client, Request, Response, SOON, Server, Setup, eventually},
    shop::{becomes, event_types, events, quiet, rows},
};

const LIBRARY: Script = Script {
    system: "library",
    text: include_str!("../../fixtures/library-acceptance.http"),
    commands: 32,
    gateway: 8088,
    services: &[
        ("order", 8081, &["orders"]),
        ("rent", 8082, &["rents"]),
        ("delivery", 8083, &["deliveries"]),
        ("mypage", 8084, &["mypages"]),
    ],
};

#[test]
fn library_f1_to_f7_n11_the_acceptance_script() {
    LIBRARY.through_our_client();
}

#[test]
fn library_f1_to_f7_the_acceptance_script_through_httpie() {
    LIBRARY.through_httpie();
}

fn library() -> Server {
    Setup::default().system("library").start()
}

/// `stop`, `start` or `restart` of a service of the library.
#[track_caller]
fn operate(server: &Server, service: &str, verb: &str) {
    server.admin().post(&format!("/admin/services/library/{service}/{verb}")).is(200);
}

fn request(client: &Client, item: &str) -> Response {
    client.send(&Request::new("POST", "/orders").json(&json!({"item": item, "status": "Ordered"})))
}

fn cancel(client: &Client, order: u64) -> Response {
    client.http(&format!("PATCH :8088/orders/{order} status='Order Cancel'"))
}

fn ship(client: &Client, delivery: u64) -> Response {
    client.http(&format!("PATCH :8088/deliveries/{delivery} status=Shipped"))
}

/// The one rent or delivery of an order, as the finder has it.
#[track_caller]
fn of_order(client: &Client, collection: &str, order: u64) -> Option<Value> {
    let found = client.json(&format!("/{collection}/search/findByOrderId?orderId={order}"));
    let found = found["_embedded"][collection].as_array().unwrap().clone();
    assert!(found.len() <= 1, "{collection} of order {order}: {found:?}");
    found.into_iter().next()
}

/// What order, rent, delivery and my-page show of an order; null where there is none.
#[track_caller]
fn shown(client: &Client, order: u64) -> Value {
    let status = |item: Option<Value>| item.map_or(Value::Null, |item| item["status"].clone());
    let page = client.get(&format!("/mypages/{order}"));
    let own = client.get(&format!("/orders/{order}"));
    json!([
        status((own.status == 200).then(|| own.json())),
        status(of_order(client, "rents", order)),
        status(of_order(client, "deliveries", order)),
        status((page.status == 200).then(|| page.json())),
    ])
}
