//! The store's rules, each named by the requirement (F), decision (D) or scenario (N) of its document.

use std::time::Duration;

use super::*;
use crate::actors::{
    entity::*,
    systems::{Refusal, RefusalClass},
    testkit::{given, history, laws, reacts, recorded},
};

mod conservation;
mod deliveries;
mod messages;
mod orders;
mod payments;
mod policies;
mod products;
mod story;
mod views;
mod world;

/// D-13.
const LINK: Duration = Duration::from_secs(1);

/// Section 6: what a client is told when the delivery service does not answer.
const RETRY_AFTER: Duration = Duration::from_secs(5);

fn key(text: &str) -> NumberedId {
    NumberedId::Key(Key::new(text).unwrap())
}

fn json(value: impl serde::Serialize) -> serde_json::Value {
    serde_json::to_value(value).unwrap()
}

fn started(order_id: u64, quantity: i32) -> DeliveryEvent {
    DeliveryEvent::DeliveryStarted { order_id, product_id: 1, quantity }
}

fn canceled(order_id: u64, quantity: i32) -> DeliveryEvent {
    DeliveryEvent::DeliveryCanceled { order_id, product_id: 1, quantity }
}

fn approved(quantity: i32) -> PaymentEvent {
    PaymentEvent::PayApproved { product_id: 1, quantity, price: 2000 }
}

fn refunded(quantity: i32, reason: Option<CancelReason>) -> PaymentEvent {
    PaymentEvent::PayCanceled { product_id: 1, quantity, price: 2000, reason }
}

fn registered(quantity: i32) -> ProductEvent {
    ProductEvent::ProductRegistered { quantity, price: 1000 }
}

fn moved(quantity: i32, status: StockStatus, cause: StockCause) -> ProductEvent {
    ProductEvent::StockModified { quantity, price: 1000, status, cause }
}

/// A refusal's class, code and field, as the edge tells them.
fn told(refusal: &dyn Refusal) -> (RefusalClass, &'static str, Option<&'static str>) {
    (refusal.class(), refusal.code(), refusal.field())
}
