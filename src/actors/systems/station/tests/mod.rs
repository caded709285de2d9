//! The station's rules, each named by the requirement (F), decision (D) or scenario (N) of its document.

use std::time::Duration;

use super::*;
use crate::actors::{
    entity::*,
    systems::{Refusal, RefusalClass},
    testkit::{Fault, World, given, history, laws, reacts, recorded},
};

mod conservation;
mod flows;
mod orders;
mod prices;
mod sales;
mod shipments;
mod stocks;
mod story;
mod values;
mod views;

/// D-8.
const LINK: Duration = Duration::from_secs(1);

fn json(value: impl serde::Serialize) -> serde_json::Value {
    serde_json::to_value(value).unwrap()
}

fn text(value: impl serde::Serialize) -> String {
    serde_json::to_string(&value).unwrap()
}

fn key(text: &str) -> NumberedId {
    NumberedId::Key(Key::new(text).unwrap())
}

/// Whole litres or won.
fn whole(units: i64) -> Milli {
    Milli::of(units * 1000).unwrap()
}

fn gas() -> ProductItem {
    ProductItem::gas()
}

/// A refusal's class, code and field, as the edge tells them.
fn told(refusal: &dyn Refusal) -> (RefusalClass, &'static str, Option<&'static str>) {
    (refusal.class(), refusal.code(), refusal.field())
}

fn slip(qty: i64) -> OrderSlip {
    OrderSlip {
        product_id: gas().product_id,
        product_name: gas().product_name,
        qty: whole(qty),
        dest_addr: "SK Imme Station".to_owned(),
        order_date: "2021-06-01".to_owned(),
    }
}

fn ordered(order: u64, qty: i64) -> OrderEvent {
    OrderEvent::Ordered { number: Number::new(order), slip: slip(qty) }
}

fn load(order_id: u64, qty: i64) -> ShipmentLoad {
    let OrderSlip { product_id, product_name, qty, dest_addr, .. } = slip(qty);
    ShipmentLoad { order_id, product_id, product_name, qty, dest_addr }
}

fn shipped(order_id: u64, qty: i64) -> ShipmentEvent {
    ShipmentEvent::Shipped { load: load(order_id, qty), car_number: "CAR#123".to_owned() }
}

/// The expected receipt of an order.
fn expected(order: u64, qty: i64) -> FlowEntry {
    FlowEntry::expected(order, gas().product_id, gas().product_name, whole(qty))
}

/// The same once it is confirmed.
fn confirmed(order: u64, qty: i64) -> FlowEntry {
    FlowEntry { qty: whole(qty), ..expected(order, qty) }
}

/// The row of a sale.
fn sale_row(sale: u64, qty: i64) -> FlowEntry {
    FlowEntry::sale(sale, gas().product_id, Some(gas().product_name), whole(qty))
}

fn ticket(qty: i64) -> Ticket {
    let ProductItem { product_id, product_name, price } = gas();
    Ticket { product_id, product_name, price, qty: whole(qty), amount: whole(qty * price) }
}

fn receive(entry: FlowEntry) -> StockFlowEvent {
    StockFlowEvent::Received(entry)
}

fn begun(entry: FlowEntry, round: u32) -> StockFlowEvent {
    StockFlowEvent::MovementBegun { number: Number::new(1), entry, round }
}

/// What a row asks of the stock of its product.
fn moves(flow: u64, by: i64) -> MoveStock {
    MoveStock { flow, product_id: gas().product_id, product_name: Some(gas().product_name), by: whole(by) }
}

fn insufficient(available: i64, wanted: i64) -> StockRejection {
    StockRejection::Insufficient { available: whole(available), wanted: whole(wanted) }
}
