//! The gas station over HTTP, against the real binary.

mod commission;
mod decisions;
mod durability;
mod scenarios;

use serde_json::{Value, json};

use crate::{
    acceptance::Script,
    common::{Client, Request, Response, Server, Setup},
    shop::quiet,
};

const SCRIPT: Script = Script {
    system: "station",
    text: include_str!("../../fixtures/station-acceptance.http"),
    commands: 47,
    gateway: 8080,
    services: &[
        ("POS", 8081, &["sales", "cancelSales", "productMenus"]),
        ("Station", 8082, &["stocks", "stockFlows", "stockSummaries", "salesSummaries", "productMasters", "accounts"]),
        ("Order", 8083, &["orders", "product", "products", "orderStatuses"]),
        ("Logistics", 8084, &["shipments"]),
    ],
};

#[test]
fn station_f1_to_f10_d4_d16_the_station_does_what_its_acceptance_script_says() {
    SCRIPT.through_our_client();
}

#[test]
fn station_f1_to_f10_the_station_does_what_its_acceptance_script_says_through_httpie() {
    SCRIPT.through_httpie();
}

/// A station with every default.
#[track_caller]
fn started() -> Server {
    Setup::default().system("station").start()
}

/// `stop` or `start` of a service of the station.
#[track_caller]
fn operate(server: &Server, service: &str, verb: &str) {
    server.admin().post(&format!("/admin/services/station/{service}/{verb}")).is(200);
}

/// A call by name, with its parameters as a form.
fn call(client: &Client, target: &str, parameters: &[(&str, &str)]) -> Response {
    client.send(&Request::new("POST", target).form(parameters))
}

/// What such a call says.
#[track_caller]
fn says(client: &Client, target: &str, parameters: &[(&str, &str)]) -> bool {
    let answer = call(client, target, parameters).is(200);
    answer.json().as_bool().unwrap_or_else(|| panic!("no truth: {answer}"))
}

/// Orders so many litres of GAS, and has them confirmed.
#[track_caller]
fn fill(server: &Server, litres: &str) {
    let client = server.client();
    let placed = order(&client, litres);
    quiet(server);
    assert!(says(&client, "/stocks/confirmStock", &[("orderId", &placed.to_string())]));
}

/// Orders GAS; the order's number.
#[track_caller]
fn order(client: &Client, litres: &str) -> u64 {
    let placed = [("productId", "CD1001"), ("qty", litres), ("destAddr", "SK Imme Station")];
    number(&call(client, "/orders/placeOrder", &placed).is(200))
}

fn sell(client: &Client, litres: &str) -> Response {
    call(client, "/sales", &[("productId", "CD1001"), ("qty", litres)])
}

/// The number at the end of `Location`.
#[track_caller]
fn number(answer: &Response) -> u64 {
    let location = answer.header("location").and_then(|at| at.rsplit('/').next()?.parse().ok());
    location.unwrap_or_else(|| panic!("no Location: {answer}"))
}

fn cancel(client: &Client, sale: u64) -> Response {
    call(client, "/cancelSales", &[("saleId", &sale.to_string())])
}

/// What there is of GAS; 0 before the first movement.
#[track_caller]
fn stock(client: &Client) -> Value {
    let answer = client.get("/stockSummaries/CD1001");
    if answer.status == 404 { json!(0.0) } else { answer.is(200).json()["qty"].clone() }
}

/// The books as clients see them agree with each other.
#[track_caller]
fn check_books(server: &Server) {
    quiet(server);
    let client = server.client();
    let rows = crate::shop::rows(&client, "stockFlows");
    // thousandths, so that sums are exact
    #[expect(clippy::cast_possible_truncation, reason = "far below what a double holds")]
    let milli = |value: &Value| (value.as_f64().expect("a number") * 1000.0).round() as i64;
    let sum: i64 = rows.iter().map(|row| milli(&row["qty"])).sum();
    assert_eq!(milli(&stock(&client)), sum, "stock = sum of the rows: {rows:?}");
    let sales = crate::shop::rows(&client, "sales");
    let of_sale = |sale: &Value, sign: f64| {
        let of = rows.iter().filter(|row| row["saleId"] == *sale && row["qty"].as_f64().unwrap() * sign > 0.0);
        of.count()
    };
    for sale in &sales {
        assert_eq!((of_sale(&sale["saleId"], -1.0), of_sale(&sale["saleId"], 1.0)), (1, 0), "{sale}");
    }
    let ids: Vec<&Value> = sales.iter().map(|sale| &sale["saleId"]).collect();
    let others = rows.iter().map(|row| &row["saleId"]).filter(|sale| !sale.is_null() && !ids.contains(sale));
    for sale in others {
        assert_eq!((of_sale(sale, -1.0), of_sale(sale, 1.0)), (1, 1), "canceled sale {sale}: {rows:?}");
    }
    let summary = client.get("/salesSummaries/CD1001");
    let summed = |field: &str| if summary.status == 404 { 0 } else { milli(&summary.json()[field]) };
    for field in ["qty", "amount"] {
        assert_eq!(summed(field), sales.iter().map(|sale| milli(&sale[field])).sum::<i64>(), "{field}");
    }
}
