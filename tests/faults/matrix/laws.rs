//! What must hold of each system at rest, as clients see it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::inside::Inside;

/// Checks the laws of a system at rest.
pub(super) fn check(name: &str, system: &Inside) {
    let shown = Shown { system };
    shown.nothing_happened_twice();
    assert!(system.wait(system.system.dead_letters()).unwrap().is_empty(), "no notice and no command was given up");
    match name {
        "store" => store(&shown),
        "stay" => stay(&shown),
        "library" => library(&shown),
        "station" => station(&shown),
        "procurement" => procurement(&shown),
        other => panic!("no laws of {other}"),
    }
}

struct Shown<'a> {
    system: &'a Inside,
}

impl Shown<'_> {
    fn rows(&self, collection: &str) -> Vec<Value> {
        let list = self.system.client.json(&format!("/{collection}?size=1000"));
        list["_embedded"][collection].as_array().unwrap().clone()
    }

    fn events(&self) -> Vec<Value> {
        self.system.admin.json("/admin/events?limit=1000").as_array().unwrap().clone()
    }

    /// What begins or ends something happens to it at most once.
    fn nothing_happened_twice(&self) {
        const ONCE: [&str; 13] = [
            "Ordered",
            "OrderCanceled",
            "OrderCancelled",
            "OrderShipped",
            "DeliveryStarted",
            "DeliveryCanceled",
            "PayApproved",
            "PayCanceled",
            "Booked",
            "BookCanceled",
            "Rented",
            "RentCanceled",
            "Sold",
        ];
        let mut seen = BTreeSet::new();
        for event in self.events() {
            let name = event["eventType"].as_str().unwrap().to_owned();
            let what = (event["kind"].to_string(), event["number"].to_string(), name);
            assert!(!ONCE.contains(&what.2.as_str()) || seen.insert(what), "twice: {event}");
        }
    }
}

#[track_caller]
fn number(row: &Value, field: &str) -> u64 {
    row[field].as_u64().unwrap_or_else(|| panic!("no {field} in {row}"))
}

#[track_caller]
fn amount(row: &Value, field: &str) -> f64 {
    row[field].as_f64().unwrap_or_else(|| panic!("no {field} in {row}"))
}

/// The numbers that a field has, each at most once.
#[track_caller]
fn numbers(rows: &[Value], field: &str) -> BTreeSet<u64> {
    let numbers: BTreeSet<u64> = rows.iter().map(|row| number(row, field)).collect();
    assert_eq!(numbers.len(), rows.len(), "a {field} is there twice: {rows:?}");
    numbers
}

/// Stock is what was registered, and deliveries, without purchases; a standing order has one delivery.
fn store(shown: &Shown<'_>) {
    let (deliveries, payments) = (shown.rows("deliveries"), shown.rows("payments"));
    let registered = shown.events().into_iter().filter(|event| event["eventType"] == "ProductRegistered");
    let registered: BTreeMap<u64, f64> =
        registered.map(|event| (number(&event, "number"), amount(&event, "quantity"))).collect();
    for product in shown.rows("products") {
        let id = number(&product, "id");
        let sum = |rows: &[Value]| -> f64 {
            rows.iter().filter(|row| number(row, "productId") == id).map(|row| amount(row, "quantity")).sum()
        };
        let expected = registered[&id] + sum(&deliveries) - sum(&payments);
        assert!((amount(&product, "quantity") - expected).abs() < 1e-9, "stock of {product}");
    }
    let delivered = numbers(&deliveries, "orderId");
    for order in shown.rows("orders") {
        assert_eq!(order["status"] == "delivery", delivered.contains(&number(&order, "id")), "{order}");
    }
    let orders = numbers(&shown.rows("orders"), "id");
    assert!(delivered.is_subset(&orders), "deliveries without orders: {delivered:?} {orders:?}");
}

/// A booking stands exactly when one approval for it does that is not refunded, and a date has one guest.
fn stay(shown: &Shown<'_>) {
    let mut paid: BTreeMap<u64, i32> = BTreeMap::new();
    for payment in shown.rows("payments") {
        let sign = match payment["status"].as_str() {
            Some("PayApproved") => 1,
            Some("PayCanceled") => -1,
            _ => panic!("an odd payment: {payment}"),
        };
        *paid.entry(number(&payment, "bookId")).or_default() += sign;
    }
    paid.retain(|_, approvals| *approvals != 0);
    let bookings = shown.rows("bookings");
    let standing: BTreeMap<u64, i32> = numbers(&bookings, "id").into_iter().map(|booking| (booking, 1)).collect();
    assert_eq!(paid, standing, "bookings and what was paid");
    let dates: BTreeSet<String> =
        bookings.iter().map(|booking| format!("{} {}", booking["roomId"], booking["usedate"])).collect();
    assert_eq!(dates.len(), bookings.len(), "a room has two guests on a date: {bookings:?}");
}

/// Each order has one rent, each rent one delivery, and an order that stands one that was not canceled for it.
fn library(shown: &Shown<'_>) {
    let (orders, rents) = (shown.rows("orders"), shown.rows("rents"));
    let rented = numbers(&rents, "orderId");
    assert_eq!(numbers(&orders, "id"), rented, "a rent for each order");
    assert_eq!(numbers(&shown.rows("deliveries"), "orderId"), rented, "a delivery for each rent");
    assert_eq!(numbers(&shown.rows("mypages"), "orderId"), rented, "a page for each order");
    for order in &orders {
        let rent = rents.iter().find(|rent| rent["orderId"] == order["id"]).unwrap();
        let is_off = order["status"].as_str().is_some_and(|status| status.to_lowercase().contains("cancel"));
        assert!(!is_off || rent["status"] == "Rent Canceled", "{order} {rent}");
    }
}

/// Stock is the sum of its flows; a standing order has one shipment and one receipt; a sale has one row.
fn station(shown: &Shown<'_>) {
    let flows = shown.rows("stockFlows");
    for stock in shown.rows("stockSummaries") {
        let own = flows.iter().filter(|flow| flow["productId"] == stock["productId"]);
        let sum: f64 = own.map(|flow| amount(flow, "qty")).sum();
        assert!((amount(&stock, "qty") - sum).abs() < 1e-9, "{stock} is not the sum of {flows:?}");
    }
    let orders = numbers(&shown.rows("orders"), "orderId");
    assert_eq!(numbers(&shown.rows("shipments"), "orderId"), orders, "one shipment each");
    let receipts: Vec<Value> = flows.iter().filter(|flow| flow["orderId"].is_u64()).cloned().collect();
    assert_eq!(numbers(&receipts, "orderId"), orders, "one receipt each");
    let sold: Vec<Value> =
        flows.iter().filter(|flow| flow["saleId"].is_u64() && amount(flow, "qty") < 0.0).cloned().collect();
    let sales = shown.events().into_iter().filter(|event| event["eventType"] == "Sold").count();
    assert_eq!(numbers(&sold, "saleId").len(), sales, "one row for each sale");
}

/// A request that passed has an order that passed; each result is one SMS; a number has one delivery at most.
fn procurement(shown: &Shown<'_>) {
    let orders = shown.rows("deliverymanagements");
    for request in shown.rows("deliveryrequests").iter().filter(|request| request["inspectionSuccFlag"] == true) {
        let own = orders.iter().find(|order| order["procNo"] == request["procNo"]);
        let own = own.unwrap_or_else(|| panic!("{request} has no order in {orders:?}"));
        assert_eq!(own["inspectionSuccFlag"], true, "{request} {own}");
    }
    let results = shown.events().into_iter().filter(|event| event["eventType"] == "InspectionResultPatched").count();
    assert_eq!(shown.rows("smsHistories").len(), results, "one SMS for each result");
    let goods = shown.rows("goodsdeliveries");
    let own: BTreeSet<String> = goods.iter().map(|goods| goods["procNo"].to_string()).collect();
    assert_eq!(own.len(), goods.len(), "a number has two deliveries: {goods:?}");
}
