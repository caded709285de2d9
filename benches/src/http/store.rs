//! What is asked of the store, of askers alone, and of Restate.

use std::net::SocketAddr;

use anyhow::Result;

use super::{
    load::{Requests, each},
    wire::request,
};

/// Products, messages and counters there are.
pub(crate) const KEYS: u64 = 10_000;

/// Registers products 1 to [`KEYS`], each with more of it in stock than all rounds can sell.
pub(crate) fn register_products(store: SocketAddr) -> Result<()> {
    let write = |_, bytes: &mut Vec<u8>| {
        request(bytes, "POST", "/products", Some(r#"{"quantity":1000000000,"price":1000}"#));
    };
    each(store, usize::try_from(KEYS)?, write)
}

/// Writes messages 1 to [`KEYS`].
pub(crate) fn write_messages(store: SocketAddr) -> Result<()> {
    let write = |_, bytes: &mut Vec<u8>| request(bytes, "POST", "/messages", Some(r#"{"content":"before"}"#));
    each(store, usize::try_from(KEYS)?, write)
}

/// `PATCH /products/{1 to keys}`: one event; a row of a view and a message follow.
pub(crate) fn change_product(keys: u64) -> impl Requests {
    move |bytes: &mut Vec<u8>, random: &mut fastrand::Rng| {
        let (id, price) = (random.u64(1..=keys), random.u32(1..1_000_000_000));
        request(bytes, "PATCH", &format!("/products/{id}"), Some(&format!("{{\"price\":{price}}}")));
    }
}

/// `PATCH /messages/{1 to keys}`: one event, and nothing follows.
pub(crate) fn rewrite_message(keys: u64) -> impl Requests {
    move |bytes: &mut Vec<u8>, random: &mut fastrand::Rng| {
        let (id, content) = (random.u64(1..=keys), random.u64(..));
        request(bytes, "PATCH", &format!("/messages/{id}"), Some(&format!("{{\"content\":\"{content}\"}}")));
    }
}

/// `POST /orders`: the order asks the delivery service and is there when that has answered; what follows is the stock,
/// the order's status, three messages and three rows.
pub(crate) fn place_order(bytes: &mut Vec<u8>, random: &mut fastrand::Rng) {
    let product = random.u64(1..=KEYS);
    request(bytes, "POST", "/orders", Some(&format!("{{\"productId\":{product},\"quantity\":1}}")));
}

/// `POST /payments`: a purchase; what follows is the stock, two messages and two rows.
pub(crate) fn purchase(bytes: &mut Vec<u8>, random: &mut fastrand::Rng) {
    buy(bytes, random.u64(1..=KEYS));
}

/// The same, always of one product.
pub(crate) fn purchase_of_one(bytes: &mut Vec<u8>, _: &mut fastrand::Rng) {
    buy(bytes, 1);
}

fn buy(bytes: &mut Vec<u8>, product: u64) {
    request(bytes, "POST", "/payments", Some(&format!("{{\"productId\":{product},\"quantity\":1,\"price\":1000}}")));
}

/// `GET /products/{id}`.
pub(crate) fn read_product(bytes: &mut Vec<u8>, random: &mut fastrand::Rng) {
    request(bytes, "GET", &format!("/products/{}", random.u64(1..=KEYS)), None);
}

/// `POST /Counter/{key}/add` of Restate.
pub(crate) fn add_to_counter(keys: u64) -> impl Requests {
    move |bytes: &mut Vec<u8>, random: &mut fastrand::Rng| {
        request(bytes, "POST", &format!("/Counter/{}/add", random.u64(1..=keys)), Some("1"));
    }
}

/// `PATCH /askers/{key}`: the asker asks the counter of its key and adds up what it answers.
pub(crate) fn ask_alone(bytes: &mut Vec<u8>, random: &mut fastrand::Rng) {
    request(bytes, "PATCH", &format!("/askers/{}", random.u64(1..=KEYS)), Some(r#"{"amount":1}"#));
}

/// `POST /Asker/{key}/ask` of Restate: the object asks the counter of its key and adds up what it answers.
pub(crate) fn ask_counter(bytes: &mut Vec<u8>, random: &mut fastrand::Rng) {
    request(bytes, "POST", &format!("/Asker/{}/ask", random.u64(1..=KEYS)), Some("1"));
}
