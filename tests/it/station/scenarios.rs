//! The non-functional scenarios of the station that one process can show.

use serde_json::json;

use super::{call, cancel, check_books, fill, number, operate, order, says, sell, started, stock};
use crate::{
    common::{AT_ONCE, Setup, Watch},
    shop::{becomes, quiet, rows},
};

#[test]
fn station_n1_without_logistics_orders_are_taken_and_shipped_later() {
    let server = started();
    let client = server.client();
    operate(&server, "Logistics", "stop");
    let placed = order(&client, "5");
    quiet_but(&server);
    assert_eq!(client.json(&format!("/orderStatuses/{placed}"))["status"], json!("Ordered"));
    client.get("/shipments").is(503);
    assert!(!says(&client, "/stocks/confirmStock", &[("orderId", &placed.to_string())]));
    operate(&server, "Logistics", "start");
    becomes(&client, &format!("/orderStatuses/{placed}"), "status", &json!("Received"));
}

/// Lets what can settle settle, while a service is stopped.
fn quiet_but(server: &crate::common::Server) {
    let answer = server.admin().get("/admin/quiesce?within=300ms");
    assert!(matches!(answer.status, 200 | 503), "{answer}");
}

#[test]
fn station_n2_without_the_station_nothing_is_sold_and_cancellations_are_caught_up() {
    let server = started();
    let client = server.client();
    fill(&server, "100");
    let sold = number(&sell(&client, "30").is(200));
    quiet(&server);
    operate(&server, "Station", "stop");

    let placed = order(&client, "5");
    becomes(&client, &format!("/orderStatuses/{placed}"), "status", &json!("Shipped"));
    let watch = Watch::start();
    let refused = sell(&client, "1").is(503);
    assert!(watch.passed() < AT_ONCE, "{:?}", watch.passed());
    assert!(refused.header("retry-after").is_some(), "{refused}");
    assert_eq!(rows(&client, "sales").len(), 1, "no sale");
    assert!(cancel(&client, sold).is(200).json() == json!(true));
    client.get("/stockSummaries").is(503);
    client.http(&format!("DELETE :8080/orders/{placed}")).is(503);

    operate(&server, "Station", "start");
    quiet(&server);
    assert_eq!(stock(&client), json!(100.0));
    assert_eq!(client.json("/salesSummaries/CD1001")["qty"], json!(0.0));
    assert_eq!(client.json(&format!("/orderStatuses/{placed}"))["status"], json!("Received"));
    let sold = crate::shop::event_types(&server, "system=station&kind=sale");
    assert_eq!(sold, ["Sold", "CanceledSold"], "the refused sale was announced to nobody");
    check_books(&server);
}

#[test]
fn station_n2_d8_a_refused_sale_stays_refused_across_a_crash() {
    let mut server = started();
    fill(&server, "100");
    operate(&server, "Station", "stop");
    sell(&server.client(), "30").is(503);
    server.restart();
    check_books(&server);
    assert_eq!(stock(&server.client()), json!(100.0));
    assert_eq!(rows(&server.client(), "sales").len(), 0);
}

#[test]
fn station_n3_without_headquarters_sales_and_receipts_go_on() {
    let server = started();
    let client = server.client();
    let placed = order(&client, "100");
    quiet(&server);
    operate(&server, "Order", "stop");
    assert!(says(&client, "/stocks/confirmStock", &[("orderId", &placed.to_string())]));
    let sold = number(&sell(&client, "30").is(200));
    assert!(cancel(&client, sold).is(200).json() == json!(true));
    for target in ["/orders", "/product", "/orderStatuses/1"] {
        client.get(target).is(503);
    }
    call(&client, "/products/sync", &[("productId", "CD1001")]).is(503);
    operate(&server, "Order", "start");
    becomes(&client, &format!("/orderStatuses/{placed}"), "status", &json!("confirmed"));
    assert!(says(&client, "/products/sync", &[("productId", "CD1001"), ("price", "2100")]));
    becomes(&client, "/productMenus/CD1001", "price", &json!(2100));
    check_books(&server);
}

#[test]
fn station_n3_a_point_of_sale_that_was_away_has_the_new_price() {
    let server = started();
    let client = server.client();
    quiet(&server);
    operate(&server, "POS", "stop");
    sell(&client, "1").is(503);
    assert!(says(&client, "/products/sync", &[("productId", "CD1001"), ("price", "2100")]));
    becomes(&client, "/productMasters/CD1001", "price", &json!(2100));
    operate(&server, "POS", "start");
    becomes(&client, "/productMenus/CD1001", "price", &json!(2100));
}

#[test]
fn station_n8_d10_code_and_name_come_from_the_environment_and_are_in_no_log() {
    let server = Setup::default()
        .system("station")
        .environment("station_nm", "  Geheim \r\n")
        .environment("station_cd", "ST0002 ")
        .config("[systems.station]\nname = \"from the file\"\ncode = \"X\"")
        .start();
    let answer = call(&server.client(), "/orders/station", &[]).is(200);
    assert_eq!(answer.text(), "Geheim, ST0002");
    assert!(answer.header("content-type").is_some_and(|kind| kind.starts_with("text/plain")), "{answer}");
    assert!(!server.stderr().contains("Geheim"));

    let configured = Setup::default().system("station").config("[systems.station]\nname = \"A\"\ncode = \"B\"").start();
    assert_eq!(call(&configured.client(), "/orders/station", &[]).is(200).text(), "A, B");
}

#[test]
fn station_n9_d18_products_may_lie_in_a_storage_of_their_own() {
    let mut server = Setup::default()
        .system("station")
        .config("[storage.unit.headquarters]\nservices = [\"station/Order\"]")
        .start();
    fill(&server, "100");
    let client = server.client();
    assert!(says(&client, "/products/sync", &[("productId", "CD1001"), ("price", "2100")]));
    becomes(&client, "/productMenus/CD1001", "price", &json!(2100));
    assert!(server.data().join("headquarters").is_dir());
    server.restart();
    let client = server.client();
    assert_eq!(client.json("/product/CD1001")["price"], json!(2100));
    number(&sell(&client, "1").is(200));
    check_books(&server);
}

#[test]
fn station_n12_totals_return_exactly_after_selling_and_canceling() {
    let server = started();
    let client = server.client();
    fill(&server, "100.1");
    let kept = number(&sell(&client, "0.3").is(200));
    quiet(&server);
    let before = (stock(&client), client.json("/salesSummaries/CD1001"));
    let sales: Vec<u64> =
        ["0.1", "0.2", "33.333", "1.001", "0.7"].iter().map(|litres| number(&sell(&client, litres).is(200))).collect();
    assert_eq!(client.json(&format!("/sales/{}", sales[2]))["amount"], json!(66666.0));
    for sale in sales {
        assert!(cancel(&client, sale).is(200).json() == json!(true));
    }
    quiet(&server);
    assert_eq!((stock(&client), client.json("/salesSummaries/CD1001")), before);
    assert_eq!(before.0, json!(99.8));
    assert_eq!(client.json(&format!("/sales/{kept}"))["amount"], json!(600.0));
    check_books(&server);
}
