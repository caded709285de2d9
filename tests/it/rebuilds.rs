//! Rebuilds of views, as operators ask for them.

use std::path::Path;

use serde_json::{Value, json};
use steadfast::persistence::{self, StorageConfig, ViewName};

use crate::{
    common::{SOON, Server, eventually},
    shop::{buy, operate, place, product, quiet, rows},
};

const ORDERS: ViewName = ViewName { name: "store.orders", version: 1, generation: 0 };

fn asked(server: &Server, view: &str) -> Value {
    server.admin().post(&format!("/admin/views/store/{view}/rebuild")).is(202).json()
}

/// What became of it.
fn ended(server: &Server, view: &str) -> Value {
    eventually(SOON, "the rebuild ends", || {
        let status = server.admin().json(&format!("/admin/views/store/{view}/rebuild"));
        ["done", "failed"].contains(&status["state"].as_str().unwrap()).then_some(status)
    })
}

fn numbers(server: &Server, collection: &str) -> Vec<Value> {
    let mut rows = rows(&server.client(), collection);
    for row in &mut rows {
        row.as_object_mut().unwrap().remove("_links");
    }
    rows
}

fn traded(server: &Server) {
    let client = server.client();
    let goods = product(&client, 100);
    for quantity in 1..=5 {
        place(&client, goods, quantity).is(201);
    }
    buy(&client, goods, 2).is(201);
    quiet(server);
}

/// Takes order 2 out of the rows that are stored, and puts one there that nobody placed.
fn damage(data: &Path) {
    let units = vec!["alarm".to_owned()];
    let storage = persistence::open(&StorageConfig { units, ..StorageConfig::new(data) }).unwrap();
    let projections = storage.unit("main").unwrap().projections.clone();
    let progress = projections.progress(ORDERS).unwrap().unwrap();
    let one = projections.get(ORDERS, &1u64.to_be_bytes()).unwrap().unwrap();
    let text = String::from_utf8(one.to_vec()).unwrap();
    assert!(text.contains("\"number\":1"), "{text}");
    let foreign = text.replace("\"number\":1", "\"number\":77");
    let rows = vec![(2u64.to_be_bytes().to_vec(), None), (77u64.to_be_bytes().to_vec(), Some(foreign.into()))];
    projections.commit(ORDERS, rows, &progress).unwrap();
    storage.close();
}

#[test]
fn a_view_is_rebuilt_and_what_differed_is_told_and_repaired() {
    let mut server = Server::store();
    traded(&server);
    let before = numbers(&server, "orders");
    assert_eq!(before.len(), 5);
    assert!(server.terminate().status.success());
    damage(&server.data());
    server.start();
    quiet(&server);
    assert_ne!(numbers(&server, "orders"), before, "the damage is seen");

    server.admin().get("/admin/views/store/orders/rebuild").is(404);
    let begun = asked(&server, "orders");
    assert_eq!((&begun["view"], &begun["system"]), (&json!("store.orders"), &json!("store")), "{begun}");
    let status = ended(&server, "store.orders");
    assert_eq!(
        json!([status["state"], status["missing"], status["superfluous"], status["changed"], status["rows"]]),
        json!(["done", 1, 1, 0, 5]),
        "{status}"
    );
    assert!(status["events"].as_u64() >= status["of"].as_u64(), "{status}");
    assert_eq!(status["examples"].as_array().unwrap().len(), 2, "{status}");
    assert_eq!(numbers(&server, "orders"), before);
    // Killed, it comes back with the rows that were built, and they go on.
    server.restart();
    quiet(&server);
    assert_eq!(numbers(&server, "orders"), before);
    place(&server.client(), 1, 1).is(201);
    assert_eq!(rows(&server.client(), "orders").len(), 6);
    asked(&server, "orders");
    let again = ended(&server, "orders");
    assert_eq!(json!([again["state"], again["missing"], again["superfluous"]]), json!(["done", 0, 0]), "{again}");
}

/// Wherever the kill meets it, the rows are those of before, and the next rebuild ends.
#[test]
fn a_kill_in_the_middle_of_a_rebuild_leaves_the_rows() {
    let mut server = Server::store();
    traded(&server);
    let before = ["orders", "messages", "products"].map(|collection| numbers(&server, collection));
    for _ in 0..4 {
        for view in ["orders", "messages", "products", "product-page"] {
            asked(&server, view);
        }
        server.restart();
        quiet(&server);
        assert_eq!(["orders", "messages", "products"].map(|collection| numbers(&server, collection)), before);
    }
    for view in ["orders", "messages", "products", "product-page"] {
        asked(&server, view);
        let status = ended(&server, view);
        assert_eq!(json!([status["state"], status["missing"], status["changed"]]), json!(["done", 0, 0]), "{status}");
    }
    assert_eq!(["orders", "messages", "products"].map(|collection| numbers(&server, collection)), before);
}

#[test]
fn a_rebuild_that_cannot_be_is_refused() {
    let server = Server::store();
    let lost = server.admin().post("/admin/views/store/kitchens/rebuild").is(404).json();
    assert!(lost["available"].as_array().unwrap().contains(&json!("store/store.orders")), "{lost}");
    operate(&server, "order", "stop");
    let refused = server.admin().post("/admin/views/store/orders/rebuild").is(503);
    assert!(refused.header("retry-after").is_some());
    server.client().post("/admin/views/store/orders/rebuild").is(404);
    assert_eq!(
        server.admin().send(&crate::common::Request::new("DELETE", "/admin/views/store/orders/rebuild")).status,
        405
    );
}
