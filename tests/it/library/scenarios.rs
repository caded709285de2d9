//! The non-functional scenarios of the library that one process can show: N1 to N5 and N11.

use super::*;
use crate::common::{AT_ONCE, Watch};

#[test]
fn library_n1_d9_without_rent_nothing_is_requested_and_nothing_announced() {
    let server = library();
    let client = server.client();
    let first = request(&client, "COSMOS").created();
    quiet(&server);
    operate(&server, "rent", "stop");
    let before = events(&server, "");

    let watch = Watch::start();
    let refused = request(&client, "SAPIENS").is(503);
    assert!(watch.passed() < AT_ONCE, "{:?}", watch.passed());
    assert_eq!(refused.header("retry-after"), Some("5"), "{refused}");
    assert_eq!(events(&server, ""), before, "no event of a request that failed");
    assert_eq!(rows(&client, "orders").len(), 1);
    assert_eq!(rows(&client, "mypages").len(), 1);
    client.get("/rents").is(503);

    operate(&server, "rent", "start");
    let second = request(&client, "SAPIENS").created();
    quiet(&server);
    assert_eq!(shown(&client, first), json!(["Ordered", "Rent", "Ship", "Ship"]));
    assert_eq!(shown(&client, second), json!(["Ordered", "Rent", "Ship", "Ship"]));
    assert_eq!(rows(&client, "rents").len(), 2, "the refused request has none");
}

#[test]
fn library_n1_a_refused_request_stays_refused_across_a_crash() {
    let mut server = library();
    operate(&server, "rent", "stop");
    request(&server.client(), "COSMOS").is(503);
    server.restart();
    quiet(&server);
    let client = server.client();
    for collection in ["orders", "rents", "deliveries", "mypages"] {
        assert_eq!(rows(&client, collection), [Value::Null; 0], "{collection}");
    }
}

#[test]
fn library_n2_without_delivery_requests_go_on_and_are_delivered_after_the_restart() {
    let server = library();
    let client = server.client();
    operate(&server, "delivery", "stop");
    let order = request(&client, "COSMOS").created();
    assert_eq!(of_order(&client, "rents", order).unwrap()["status"], "Rent");
    becomes(&client, &format!("/mypages/{order}"), "status", &json!("Rent"));
    for (method, target) in [("GET", "/deliveries"), ("GET", "/deliveries/1"), ("PATCH", "/deliveries/1")] {
        let watch = Watch::start();
        let refused = client.send(&Request::new(method, target).json(&json!({"status": "Shipped"}))).is(503);
        assert!(watch.passed() < AT_ONCE, "{method} {target}: {:?}", watch.passed());
        assert_eq!(refused.header("retry-after"), Some("1"), "{method} {target}");
    }
    operate(&server, "delivery", "start");
    becomes(&client, &format!("/mypages/{order}"), "status", &json!("Ship"));
    assert_eq!(shown(&client, order), json!(["Ordered", "Rent", "Ship", "Ship"]));
}

#[test]
fn library_n2_what_delivery_missed_survives_a_crash_before_it_is_started_again() {
    let mut server = library();
    operate(&server, "delivery", "stop");
    let order = request(&server.client(), "COSMOS").created();
    let cancelled = request(&server.client(), "SAPIENS").created();
    cancel(&server.client(), cancelled).is(200);
    server.restart();
    quiet(&server);
    assert_eq!(shown(&server.client(), order), json!(["Ordered", "Rent", "Ship", "Ship"]));
    let gone = json!(["Order Cancel", "Rent Canceled", "Ship Canceled", "Ship Canceled"]);
    assert_eq!(shown(&server.client(), cancelled), gone);
}

#[test]
fn library_n3_without_delivery_a_cancellation_is_accepted_and_goes_on_after_the_restart() {
    let server = library();
    let client = server.client();
    let order = request(&client, "COSMOS").created();
    quiet(&server);
    operate(&server, "delivery", "stop");
    cancel(&client, order).is(200);
    becomes(&client, &format!("/mypages/{order}"), "status", &json!("Rent Canceled"));
    operate(&server, "delivery", "start");
    becomes(&client, &format!("/mypages/{order}"), "status", &json!("Ship Canceled"));
    quiet(&server);
    let chain = event_types(&server, &format!("correlation={}", correlation(&server, order)));
    assert_eq!(chain.iter().filter(|name| *name == "DeliveryCanceled").count(), 1, "{chain:?}");
}

/// The correlation of the request that cancelled the order.
#[track_caller]
fn correlation(server: &Server, order: u64) -> String {
    let events = events(server, "kind=order");
    let cancelled = events.iter().find(|event| event["eventType"] == "OrderCancelled" && event["id"] == json!(order));
    cancelled.unwrap()["correlationId"].as_str().unwrap().to_owned()
}

#[test]
fn library_n4_without_rent_a_cancellation_is_accepted_and_goes_on_after_the_restart() {
    let server = library();
    let client = server.client();
    let order = request(&client, "COSMOS").created();
    quiet(&server);
    operate(&server, "rent", "stop");
    assert_eq!(cancel(&client, order).is(200).json()["status"], "Order Cancel");
    becomes(&client, &format!("/mypages/{order}"), "status", &json!("Order Canceled"));
    assert_eq!(of_order(&client, "deliveries", order).unwrap()["status"], "Ship");
    operate(&server, "rent", "start");
    becomes(&client, &format!("/mypages/{order}"), "status", &json!("Ship Canceled"));
    quiet(&server);
    let gone = json!(["Order Cancel", "Rent Canceled", "Ship Canceled", "Ship Canceled"]);
    assert_eq!(shown(&client, order), gone);
}

#[test]
fn library_n5_without_mypage_everything_works_and_the_view_is_complete_after_the_restart() {
    let mut server = library();
    let client = server.client();
    operate(&server, "mypage", "stop");
    client.get("/mypages").is(503);
    let orders: Vec<u64> = (0..3).map(|_| request(&client, "COSMOS").created()).collect();
    cancel(&client, orders[1]).is(200);
    let delivery = eventually(SOON, "a delivery", || of_order(&client, "deliveries", orders[2]));
    ship(&client, delivery["id"].as_u64().unwrap()).is(200);
    becomes(&client, &format!("/orders/{}", orders[2]), "status", &json!("Shipped"));
    server.restart(); // a crash forgets that it was stopped, and nothing else
    quiet(&server);
    let client = server.client();
    let pages: Vec<Value> = rows(&client, "mypages").iter().map(|row| row["status"].clone()).collect();
    assert_eq!(pages, [json!("Ship"), json!("Ship Canceled"), json!("Shipped")]);
}

#[test]
fn library_n11_the_gateway_routes_by_prefix_and_says_what_there_is() {
    let server = Setup::default().system("library").flag("--service-ports=free").start();
    let client = server.client();
    request(&client, "COSMOS").created();
    quiet(&server);
    for (service, own, foreign) in [
        ("order", "/orders", "/rents"),
        ("rent", "/rents", "/deliveries"),
        ("delivery", "/deliveries", "/mypages"),
        ("mypage", "/mypages", "/orders"),
    ] {
        let port = Client::new(server.service_address(&format!("library/{service}")));
        assert_eq!(rows(&port, own.trim_start_matches('/')).len(), 1, "{service}");
        port.get(foreign).is(404);
        port.get("/actuator/health").is(200);
        assert_eq!(rows(&client, own.trim_start_matches('/')).len(), 1, "the gateway has all");
        client.get(&format!("/library{own}/1")).is(200);
    }
    client.get("/books").is(404);
    let asked = client.send(&Request::new("OPTIONS", "/orders").header("Origin", "http://shop.example"));
    assert_eq!(asked.is(200).header("access-control-allow-origin"), Some("http://shop.example"));
}
