//! The decisions of store.md section 11 that a client can see and the acceptance script does not show.

use serde_json::{Value, json};

use crate::{
    common::{Request, SOON, Server, eventually},
    shop::{becomes, buy, events, messages, operate, place, product, quiet, rows, stock},
};

#[test]
fn d6_deliveries_are_resources_and_only_the_question_for_an_order_gives_one() {
    let server = Server::store();
    let client = server.client();
    let product = product(&client, 10);
    let made = client.http("POST :8088/deliveries orderId=7 productId=1 quantity=3 status=delivery").is(201);
    assert!(made.header("location").unwrap().ends_with("/deliveries/1"), "{made}");
    let body = made.json();
    let shown: Vec<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(shown, ["id", "orderId", "productId", "quantity", "status", "_links"]);
    client.http("POST :8088/deliveries orderId=7 productId=1 quantity=4").created();
    assert_eq!(rows(&client, "deliveries").len(), 2);
    // The earliest standing one.
    assert_eq!(client.json("/deliveries?orderId=7")["id"], json!(1));
    client.http("DELETE :8088/deliveries/1").is(204);
    assert_eq!(client.json("/deliveries?orderId=7")["id"], json!(2));
    client.http("DELETE :8088/deliveries/2").is(204);
    client.get("/deliveries?orderId=7").is(404);
    client.get("/deliveries?orderId=abc").is(400);
    client.http("DELETE :8088/deliveries/2").is(404);
    becomes(&client, &format!("/products/{product}"), "status", &json!("subtract"));
    quiet(&server);
    assert_eq!(stock(&client, product), 10);
    assert_eq!(client.json("/deliveries?productId=1")["_embedded"]["deliveries"], json!([]), "other fields filter");
}

#[test]
fn d8_a_purchase_beyond_the_stock_is_taken_back_and_stock_is_never_negative_by_purchases() {
    let server = Server::store();
    let client = server.client();
    let product = product(&client, 3);
    let payments: Vec<u64> = (0..5).map(|_| buy(&client, product, 2).created()).collect();
    quiet(&server);
    let left: Vec<u64> =
        payments.iter().copied().filter(|id| client.get(&format!("/payments/{id}")).status == 200).collect();
    assert_eq!((left.len(), stock(&client, product)), (1, 1));
    let canceled: Vec<Value> =
        events(&server, "kind=payment").into_iter().filter(|event| event["eventType"] == "PayCanceled").collect();
    assert_eq!(canceled.len(), 4);
    assert!(canceled.iter().all(|event| event["reason"] == "STOCK_SHORTAGE"), "{canceled:?}");
    let shortages = events(&server, "kind=product").into_iter().filter(|event| event["eventType"] == "StockShortage");
    assert!(shortages.clone().all(|event| event["requested"] == json!(2) && event["available"] == json!(1)));
    assert_eq!(shortages.count(), 4);
    let told = messages(&client);
    let count = |text: &str| told.iter().filter(|told| told.as_str() == text).count();
    assert_eq!(count("상품 ID : 1, 금액 : 5 결제됨"), 5);
    assert_eq!(count("상품 ID : 1, 금액 : 5 결제 취소됨"), 4);
    assert_eq!(told.len(), 5 + 4 + 1, "{told:?}");
    client.http(&format!("DELETE :8088/payments/{}", left[0])).is(204);
    becomes(&client, "/products/1", "quantity", &json!(3));
}

#[test]
fn d8b_goods_that_are_sold_already_do_not_keep_an_order_from_being_cancelled() {
    let server = Server::store();
    let client = server.client();
    let product = product(&client, 0);
    let order = place(&client, product, 5).created();
    becomes(&client, "/products/1", "quantity", &json!(5));
    buy(&client, product, 4).created();
    becomes(&client, "/products/1", "quantity", &json!(1));
    client.http(&format!("DELETE :8088/orders/{order}")).is(204);
    becomes(&client, "/products/1", "quantity", &json!(-4));
    assert_eq!(client.json("/products/1")["status"], "subtract");
    let text = "재고 부족 상품 ID : 1, 총 수량 : -4".to_owned();
    eventually(SOON, &text, || messages(&client).contains(&text).then_some(()));
    // Nothing can be bought until there is something again.
    let refused = buy(&client, product, 1).created();
    quiet(&server);
    client.get(&format!("/payments/{refused}")).is(404);
    assert_eq!(stock(&client, product), -4);
    place(&client, product, 6).created();
    quiet(&server);
    buy(&client, product, 1).created();
    quiet(&server);
    assert_eq!(stock(&client, product), 1);
}

#[test]
fn d9_a_removed_product_keeps_its_page_and_later_sales_of_it_are_dead_letters() {
    let server = Server::store();
    let client = server.client();
    let product = product(&client, 5);
    client.http(&format!("DELETE :8088/products/{product}")).is(204);
    client.http(&format!("DELETE :8088/products/{product}")).is(404);
    client.get(&format!("/products/{product}")).is(404);
    becomes(&client, &format!("/productPages/{product}"), "status", &json!("delete"));
    assert_eq!(rows(&client, "products").len(), 0);
    buy(&client, product, 1).created();
    let letters = || server.admin().json("/admin/dead-letters").as_array().unwrap().len();
    eventually(SOON, "a dead letter", || (letters() == 1).then_some(()));
    eventually(SOON, "a message", || messages(&client).contains(&"상품 ID : 1 없음".to_owned()).then_some(()));
    assert_eq!(client.http("POST :8088/products quantity=1 price=1").created(), 2, "ids are not used again");
}

#[test]
fn d12_an_order_whose_delivery_headquarters_cancelled_can_be_cancelled() {
    let server = Server::store();
    let client = server.client();
    let product = product(&client, 10);
    let order = place(&client, product, 3).created();
    let delivery = client.json(&format!("/deliveries?orderId={order}"))["id"].as_u64().unwrap();
    client.http(&format!("DELETE :8088/deliveries/{delivery}")).is(204);
    becomes(&client, &format!("/orders/{order}"), "status", &json!("cancel delivery"));
    client.http(&format!("DELETE :8088/orders/{order}")).is(204);
    quiet(&server);
    assert_eq!(stock(&client, product), 10, "taken out once");
    assert_eq!(client.json(&format!("/orderStatuses/{order}"))["status"], "cancel delivery");
    let types: Vec<Value> = events(&server, "kind=delivery").iter().map(|event| event["eventType"].clone()).collect();
    assert_eq!(types, ["DeliveryStarted", "DeliveryCanceled"]);
}

#[test]
fn d14_the_row_of_an_order_is_found_by_the_order_also_when_deliveries_are_counted_otherwise() {
    let server = Server::store();
    let client = server.client();
    let product = product(&client, 10);
    for _ in 0..3 {
        client.http("POST :8088/deliveries orderId=99 productId=1 quantity=1 status=delivery").created();
    }
    let order = place(&client, product, 3).created();
    becomes(&client, &format!("/orderStatuses/{order}"), "status", &json!("delivery"));
    let row = client.json(&format!("/orderStatuses/{order}"));
    assert_eq!(json!([row["id"], row["orderId"], row["quantity"]]), json!([order, order, 3]));
}

#[test]
fn d16_n5_the_same_delivery_again_and_again_moves_stock_each_time() {
    let server = Server::store();
    let client = server.client();
    let product = product(&client, 0);
    let mut connection = client.connect().unwrap();
    let again = Request::new("POST", "/deliveries")
        .json(&json!({"orderId": 1, "productId": product, "quantity": 3, "status": "delivery"}));
    for _ in 0..40 {
        connection.try_send(&again).unwrap().is(201);
    }
    quiet(&server);
    assert_eq!(stock(&client, product), 120);
    assert_eq!(client.json("/deliveries")["page"]["totalElements"], json!(40));
}

#[test]
fn d17_f9_each_step_has_its_messages_and_registering_has_none() {
    let server = Server::store();
    let client = server.client();
    let product = product(&client, 10);
    let told = |expected: usize| {
        quiet(&server);
        assert_eq!(messages(&client).len(), expected);
    };
    told(0);
    let order = place(&client, product, 3).created();
    told(3);
    client.http(&format!("DELETE :8088/orders/{order}")).is(204);
    told(6);
    let payment = buy(&client, product, 2).created();
    told(8);
    client.http(&format!("DELETE :8088/payments/{payment}")).is(204);
    told(10);
    client.http("PATCH :8088/products/1 price=1200").is(200);
    told(11);
    operate(&server, "alarm", "restart");
    told(11);
}
