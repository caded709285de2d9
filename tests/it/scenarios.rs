//! The non-functional scenarios of the store that one process can show: N1 to N4 and N11.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::{
    common::{AT_ONCE, Server, Setup, Watch},
    shop::{becomes, buy, events, messages, operate, place, product, quiet, rows, stock},
};

/// What the store shows without its delivery service.
fn world(server: &Server) -> Vec<Vec<Value>> {
    let client = server.client();
    let mut world: Vec<Vec<Value>> = ["orders", "products", "payments", "messages", "orderStatuses", "productPages"]
        .iter()
        .map(|collection| rows(&client, collection))
        .collect();
    world.push(events(server, ""));
    world
}

#[test]
fn n1_without_delivery_nothing_is_ordered_or_cancelled_and_nothing_changes() {
    let server = Server::store();
    let client = server.client();
    let product = product(&client, 10);
    let order = place(&client, product, 3).created();
    quiet(&server);
    operate(&server, "delivery", "stop");
    let before = world(&server);

    let cancel = format!("DELETE :8088/orders/{order}");
    for command in [cancel.as_str(), "POST :8088/orders productId=1 quantity=3"] {
        let watch = Watch::start();
        let refused = client.http(command).is(503);
        assert!(watch.passed() < AT_ONCE, "{command}: {:?}", watch.passed());
        assert_eq!(refused.header("retry-after"), Some("5"), "{refused}");
        assert_eq!(world(&server), before, "{command}");
    }

    operate(&server, "delivery", "start");
    client.http(&cancel).is(204);
    let placed = place(&client, product, 3).created();
    quiet(&server);
    assert_eq!(stock(&client, product), 13);
    client.get(&format!("/orders/{order}")).is(404);
    assert_eq!(client.json(&format!("/orders/{placed}"))["status"], json!("delivery"));
    assert_eq!(rows(&client, "deliveries").len(), 1, "neither the refused nor the cancelled order has one");
}

#[test]
fn n1_a_refused_cancellation_stays_refused_across_a_crash() {
    let mut server = Server::store();
    let product = product(&server.client(), 10);
    let order = place(&server.client(), product, 3).created();
    quiet(&server);
    operate(&server, "delivery", "stop");
    server.client().http(&format!("DELETE :8088/orders/{order}")).is(503);
    place(&server.client(), product, 3).is(503);
    server.restart();
    quiet(&server);
    let client = server.client();
    assert_eq!(rows(&client, "orders").len(), 1);
    assert_eq!(rows(&client, "deliveries").len(), 1);
    assert_eq!(client.json(&format!("/orders/{order}"))["status"], json!("delivery"));
    assert_eq!(stock(&client, product), 13);
}

#[test]
fn n2_without_product_orders_and_purchases_go_on_and_stock_follows_after_the_restart() {
    let server = Server::store();
    let client = server.client();
    let product = product(&client, 10);
    quiet(&server);
    operate(&server, "product", "stop");
    let order = place(&client, product, 3).created();
    let payments: Vec<u64> = (0..4).map(|_| buy(&client, product, 2).created()).collect();
    assert_eq!(client.json(&format!("/deliveries?orderId={order}"))["quantity"], json!(3));
    becomes(&client, &format!("/orders/{order}"), "status", &json!("delivery"));
    for target in ["/products", "/products/1", "/productPages", "/productPages/1"] {
        let watch = Watch::start();
        let refused = client.get(target).is(503);
        assert!(watch.passed() < AT_ONCE, "{target}: {:?}", watch.passed());
        assert_eq!(refused.header("retry-after"), Some("1"), "{target}");
    }
    client.http("PATCH :8088/products/1 price:=1").is(503);

    operate(&server, "product", "start");
    let watch = Watch::start();
    becomes(&client, &format!("/products/{product}"), "quantity", &json!(10 + 3 - 8));
    becomes(&client, &format!("/productPages/{product}"), "quantity", &json!(10 + 3 - 8));
    assert!(watch.passed() < AT_ONCE, "{:?}", watch.passed());
    quiet(&server);
    assert_eq!(stock(&client, product), 5, "each was applied once");
    assert_eq!(rows(&client, "payments").len(), payments.len());
}

#[test]
fn n2_what_product_missed_survives_a_crash_before_it_is_started_again() {
    let mut server = Server::store();
    let product = product(&server.client(), 10);
    operate(&server, "product", "stop");
    place(&server.client(), product, 3).created();
    buy(&server.client(), product, 2).created();
    server.restart();
    quiet(&server);
    assert_eq!(stock(&server.client(), product), 11);
}

#[test]
fn n3_without_alarm_all_else_works_and_messages_follow_in_order() {
    let server = Server::store();
    let client = server.client();
    let product = product(&client, 10);
    quiet(&server);
    operate(&server, "alarm", "stop");
    client.get("/messages").is(503);
    // One product, one purchase after the other: the events of the stock have an order.
    for price in 1..=5 {
        client.http(&format!("PATCH :8088/products/{product} price:={price}")).is(200);
    }
    let order = place(&client, product, 3).created();
    becomes(&client, &format!("/products/{product}"), "quantity", &json!(13));
    client.http(&format!("DELETE :8088/orders/{order}")).is(204);
    becomes(&client, &format!("/products/{product}"), "quantity", &json!(10));

    operate(&server, "alarm", "start");
    quiet(&server);
    let told = messages(&client);
    let of = |part: &str| told.iter().filter(|text| text.contains(part)).cloned().collect::<Vec<_>>();
    let mut stock = vec!["register 상품 ID : 1, 총 수량 : 10".to_owned(); 5];
    stock.extend(["add 상품 ID : 1, 총 수량 : 13".to_owned(), "subtract 상품 ID : 1, 총 수량 : 10".to_owned()]);
    assert_eq!(of("총 수량"), stock);
    assert_eq!(of("발주"), ["상품 ID : 1, 수량 : 3 발주 신청됨", "상품 ID : 1, 수량 : 3 발주 취소됨"]);
    assert_eq!(of("배송"), ["상품 ID : 1, 수량 : 3 배송됨", "상품 ID : 1, 수량 : 3 배송 취소됨"]);
    assert_eq!(told.len(), 11);
}

#[test]
fn n4_without_payment_ordering_and_stock_go_on() {
    let server = Server::store();
    let client = server.client();
    let product = product(&client, 10);
    operate(&server, "payment", "stop");
    buy(&client, product, 1).is(503);
    client.get("/payments").is(503);
    let order = place(&client, product, 3).created();
    becomes(&client, &format!("/products/{product}"), "quantity", &json!(13));
    client.http(&format!("DELETE :8088/orders/{order}")).is(204);
    becomes(&client, &format!("/products/{product}"), "quantity", &json!(10));
    client.http(&format!("PATCH :8088/products/{product} quantity:=4")).is(200);
    operate(&server, "payment", "start");
    quiet(&server);
    assert_eq!((stock(&client, product), rows(&client, "payments").len()), (4, 0));
}

#[test]
fn n4_what_order_missed_of_deliveries_is_applied_when_it_is_back() {
    let server = Server::store();
    let client = server.client();
    let product = product(&client, 10);
    let order = place(&client, product, 3).created();
    becomes(&client, &format!("/orders/{order}"), "status", &json!("delivery"));
    let delivery = client.json(&format!("/deliveries?orderId={order}"))["id"].as_u64().unwrap();
    client.http(&format!("DELETE :8088/deliveries/{delivery}")).is(204);
    becomes(&client, &format!("/orders/{order}"), "status", &json!("cancel delivery"));
    quiet(&server);

    operate(&server, "order", "stop");
    for target in ["/orders", "/orders/1", "/orderStatuses", "/orderStatuses/1"] {
        client.get(target).is(503);
    }
    let again = format!("POST :8088/deliveries orderId={order} productId={product} quantity=4 status=delivery");
    client.http(&again).created();
    buy(&client, product, 2).created();
    becomes(&client, &format!("/products/{product}"), "quantity", &json!(10 + 4 - 2));
    operate(&server, "order", "start");
    becomes(&client, &format!("/orders/{order}"), "status", &json!("delivery"));
    becomes(&client, &format!("/orderStatuses/{order}"), "status", &json!("delivery"));
    quiet(&server);
    assert_eq!(stock(&client, product), 12);
    assert_eq!(rows(&client, "deliveries").len(), 1, "headquarters' own delivery stands");
}

/// Whether a file below `directory` contains `text`.
fn contains(directory: &Path, text: &str) -> bool {
    fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).any(|path| {
        if path.is_dir() {
            return contains(&path, text);
        }
        fs::read(&path).unwrap().windows(text.len()).any(|bytes| bytes == text.as_bytes())
    })
}

#[test]
fn n11_alarm_lies_in_a_storage_unit_of_its_own() {
    let mut server = Setup::default().config("[storage]\nsegment_bytes = \"64 KiB\"").start();
    let client = server.client();
    let product = product(&client, 10);
    for _ in 0..3 {
        place(&client, product, 3).created();
    }
    quiet(&server);
    let (told, orders) = (messages(&client), rows(&client, "orders"));
    assert_eq!(server.terminate().status.code(), Some(0));
    let (alarm, main) = (server.data().join("alarm"), server.data().join("main"));
    // The texts are written by the alarm service alone, in events and in rows; the names of events by all.
    assert!(contains(&alarm, "발주 신청됨") && !contains(&main, "발주 신청됨"));
    for other in ["ProductRegistered", "DeliveryStarted", "Ordered"] {
        assert!(contains(&main, other) && !contains(&alarm, other), "{other}");
    }

    // Whoever loses the one loses nothing of the other.
    fs::rename(&alarm, server.data().join("../lost")).unwrap();
    server.start();
    quiet(&server);
    let client = server.client();
    let self_less =
        |rows: Vec<Value>| rows.into_iter().map(|row| (row["id"].clone(), row["status"].clone())).collect::<Vec<_>>();
    assert_eq!(self_less(rows(&client, "orders")), self_less(orders));
    assert_eq!(stock(&client, product), 19);
    let mut again = messages(&client);
    let mut told = told;
    again.sort();
    told.sort();
    assert_eq!(again, told, "the alarm follows the others' events from the beginning");
    client.http(&format!("POST :8088/payments productId={product} quantity=1 price=1")).created();
    becomes(&client, &format!("/products/{product}"), "quantity", &json!(18));
}
