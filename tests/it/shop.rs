//! Words of the store that several tests use.

use serde_json::{Value, json};

use crate::common::{Client, Request, Response, SOON, Server, eventually};

/// Registers a product; its id.
#[track_caller]
pub(crate) fn product(client: &Client, quantity: i32) -> u64 {
    client.send(&Request::new("POST", "/products").json(&json!({"quantity": quantity, "price": 1000}))).created()
}

pub(crate) fn place(client: &Client, product: u64, quantity: i32) -> Response {
    client.send(&Request::new("POST", "/orders").json(&json!({"productId": product, "quantity": quantity})))
}

pub(crate) fn buy(client: &Client, product: u64, quantity: i32) -> Response {
    let body = json!({"productId": product, "quantity": quantity, "price": 5});
    client.send(&Request::new("POST", "/payments").json(&body))
}

/// `stop`, `start` or `restart` of a service of the store.
#[track_caller]
pub(crate) fn operate(server: &Server, service: &str, verb: &str) -> Value {
    server.admin().post(&format!("/admin/services/store/{service}/{verb}")).is(200).json()
}

/// Waits until every policy and view has caught up.
#[track_caller]
pub(crate) fn quiet(server: &Server) {
    server.admin().get("/admin/quiesce?within=60s").is(200);
}

#[track_caller]
pub(crate) fn stock(client: &Client, product: u64) -> i64 {
    client.json(&format!("/products/{product}"))["quantity"].as_i64().unwrap()
}

/// Waits for a field of an item.
#[track_caller]
pub(crate) fn becomes(client: &Client, target: &str, field: &str, value: &Value) {
    let what = format!("{target} {field} = {value}");
    eventually(SOON, &what, || {
        let answer = client.get(target);
        (answer.status == 200 && answer.json()[field] == *value).then_some(())
    });
}

/// All rows of a collection.
#[track_caller]
pub(crate) fn rows(client: &Client, collection: &str) -> Vec<Value> {
    client.json(&format!("/{collection}?size=1000"))["_embedded"][collection].as_array().unwrap().clone()
}

/// All messages, oldest first.
#[track_caller]
pub(crate) fn messages(client: &Client) -> Vec<String> {
    rows(client, "messages").iter().map(|row| row["content"].as_str().unwrap().to_owned()).collect()
}

/// All business events; more than a page of 1000 would be too many for a test.
#[track_caller]
pub(crate) fn events(server: &Server, filters: &str) -> Vec<Value> {
    server.admin().json(&format!("/admin/events?limit=1000&{filters}")).as_array().unwrap().clone()
}

/// The types of all events of a correlation.
#[track_caller]
pub(crate) fn event_types(server: &Server, filters: &str) -> Vec<String> {
    events(server, filters).iter().map(|event| event["eventType"].as_str().unwrap().to_owned()).collect()
}
