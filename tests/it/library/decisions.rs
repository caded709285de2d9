//! The decisions of library.md section 11 that a client can see and the acceptance script does not show.

use super::*;

#[test]
fn library_d1_d3_a_request_names_a_book_and_begins_as_ordered() {
    let server = library();
    let client = server.client();
    let refused = |body: Value, field: &str| {
        let told = client.send(&Request::new("POST", "/orders").json(&body)).is(400).json();
        assert!(told["detail"].as_str().unwrap().contains(field), "{body}: {told}");
    };
    for body in [json!({}), json!({"item": null}), json!({"item": " "}), json!({"item": "", "status": "Ordered"})] {
        refused(body, "item");
    }
    for status in ["Foo", "Order Cancel", "Shipped"] {
        refused(json!({"item": "COSMOS", "status": status}), "status");
    }
    assert_eq!(rows(&client, "orders"), [Value::Null; 0]);
    for body in [json!({"item": "COSMOS"}), json!({"item": 1984, "status": ""}), json!({"item": "코스모스", "id": 77})]
    {
        client.send(&Request::new("POST", "/orders").json(&body)).created();
    }
    let items: Vec<Value> =
        rows(&client, "orders").iter().map(|row| json!([row["id"], row["item"], row["status"]])).collect();
    let expected = [json!([1, "COSMOS", "Ordered"]), json!([2, "1984", "Ordered"]), json!([3, "코스모스", "Ordered"])];
    assert_eq!(items, expected);
}

#[test]
fn library_d2_a_shipped_order_cannot_be_cancelled_by_patch_put_or_delete() {
    let server = library();
    let client = server.client();
    let order = request(&client, "COSMOS").created();
    quiet(&server);
    ship(&client, 1).is(200);
    becomes(&client, &format!("/orders/{order}"), "status", &json!("Shipped"));
    assert_eq!(cancel(&client, order).is(409).json()["code"], "ALREADY_SHIPPED");
    client.http(&format!("DELETE :8088/orders/{order}")).is(409);
    client.http(&format!("PUT :8088/orders/{order} item=COSMOS status='Order Cancel'")).is(409);
    quiet(&server);
    assert_eq!(shown(&client, order), json!(["Shipped", "Rent", "Shipped", "Shipped"]));
    // Again: nothing happens. Anything else is over.
    let before = events(&server, "").len();
    ship(&client, 1).is(200);
    client.http("PATCH :8088/deliveries/1 status='Ship Canceled'").is(409);
    assert_eq!(events(&server, "").len(), before);
}

#[test]
fn library_d4_delete_cancels_and_the_order_stays_readable() {
    let server = library();
    let client = server.client();
    let order = request(&client, "COSMOS").created();
    let delete = format!("DELETE :8088/orders/{order}");
    client.http(&delete).is(204);
    client.http(&delete).is(204);
    client.http("DELETE :8088/orders/999").is(404);
    quiet(&server);
    let gone = json!(["Order Cancel", "Rent Canceled", "Ship Canceled", "Ship Canceled"]);
    assert_eq!(shown(&client, order), gone);
    let told: Vec<Value> = events(&server, "kind=order").iter().map(|event| event["eventType"].clone()).collect();
    assert_eq!(told, ["Ordered", "OrderCancelled"]);
    // A front end sends the whole object that it has last received, links and all.
    let whole = client.json(&format!("/orders/{order}"));
    client.send(&Request::new("PUT", &format!("/orders/{order}")).json(&whole)).is(200);
    client.http(&format!("PATCH :8088/orders/{order} status=Ordered")).is(409);
    client.http(&format!("PATCH :8088/orders/{order} item=SAPIENS")).is(409);
    client.http(&format!("PUT :8088/orders/{order} status='Order Cancel'")).is(409);
    let second = request(&client, "SAPIENS").created();
    client.http(&format!("PATCH :8088/orders/{second} status=Foo")).is(400);
    let whole = client.json(&format!("/orders/{second}"));
    let same = client.send(&Request::new("PUT", &format!("/orders/{second}")).json(&whole)).is(200).json();
    assert_eq!((&same["item"], &same["status"]), (&json!("SAPIENS"), &json!("Ordered")));
    assert_eq!(events(&server, "kind=order").len(), 3);
}

#[test]
fn library_d5_d6_d8_one_request_leads_to_one_rent_and_one_delivery_which_waits_for_the_courier() {
    let server = library();
    let client = server.client();
    let order = request(&client, "COSMOS").created();
    quiet(&server);
    assert_eq!(shown(&client, order), json!(["Ordered", "Rent", "Ship", "Ship"]));
    let again = client.http(&format!("POST :8088/rents orderId={order} status=Rent")).is(200);
    assert_eq!((again.header("location"), again.json()["id"].clone()), (None, json!(1)));
    client.http(&format!("POST :8088/rents orderId={order} status=Foo")).is(400);
    client.http("POST :8088/rents status=Rent").is(400);
    quiet(&server);
    let told: Vec<Value> = events(&server, "")
        .iter()
        .map(|event| json!([event["eventType"], event["id"], event["orderId"], event["item"], event["status"]]))
        .collect();
    for expected in [
        json!(["Ordered", 1, null, "COSMOS", "Ordered"]),
        json!(["Rented", 1, 1, null, "Rent"]),
        json!(["Shipped", 1, 1, null, "Ship"]),
    ] {
        assert!(told.contains(&expected), "{expected} in {told:?}");
    }
    assert_eq!(told.len(), 3, "{told:?}");
}

#[test]
fn library_d7_customers_may_rent_the_same_title_at_once() {
    let server = library();
    let client = server.client();
    for _ in 0..3 {
        request(&client, "COSMOS").created();
    }
    quiet(&server);
    assert_eq!(client.json("/deliveries?status=Ship")["page"]["totalElements"], json!(3));
}

#[test]
fn library_d10_d14_events_are_told_once_in_the_words_of_the_old_topic() {
    let server = library();
    let client = server.client();
    let order = request(&client, "COSMOS").created();
    cancel(&client, order).is(200);
    quiet(&server);
    let mut told: Vec<String> = events(&server, "")
        .iter()
        .map(|event| format!("{} {}", event["eventType"].as_str().unwrap(), event["status"].as_str().unwrap()))
        .collect();
    told.sort();
    // One letter l here, two there: clients compare.
    let mut expected = [
        "Ordered Ordered",
        "OrderCancelled Order Canceled",
        "Rented Rent",
        "RentCanceled Rent Canceled",
        "Shipped Ship",
        "DeliveryCanceled Ship Canceled",
    ];
    expected.sort_unstable();
    assert_eq!(told, expected);
    assert_eq!(client.json(&format!("/mypages/{order}"))["status"], "Ship Canceled");
}

#[test]
fn library_d11_a_body_that_is_no_json_is_refused_and_the_corrected_one_is_not() {
    let server = library();
    let client = server.client();
    let siege = |body: &str| {
        let request = Request::new("POST", "/orders").body(body.as_bytes()).header("Content-Type", "application/json");
        client.send(&request)
    };
    siege(r#"item="COSMOS" status="Ordered""#).is(400);
    client.http("POST :8088/requests memberId=100 qty:=5").is(404);
    siege(r#"{"item":"COSMOS","status":"Ordered"}"#).created();
}

#[test]
fn library_d12_the_chain_goes_by_the_order_and_not_by_the_numbers_of_rents() {
    let server = library();
    let client = server.client();
    // Rents and orders are counted differently from here on.
    for order in [101, 102, 103] {
        client.http(&format!("POST :8088/rents orderId={order} status=Rent")).created();
    }
    let order = request(&client, "COSMOS").created();
    quiet(&server);
    let rent = of_order(&client, "rents", order).unwrap();
    assert_eq!((order, &rent["id"]), (1, &json!(4)));
    cancel(&client, order).is(200);
    quiet(&server);
    let gone = json!(["Order Cancel", "Rent Canceled", "Ship Canceled", "Ship Canceled"]);
    assert_eq!(shown(&client, order), gone);
    for other in [101, 102, 103] {
        assert_eq!(shown(&client, other), json!([null, "Rent", "Ship", null]), "rents of orders that nobody placed");
    }
    assert_eq!(rows(&client, "mypages").len(), 1);
}

#[test]
fn library_d13_a_rental_is_confirmed_by_itself_and_can_be_canceled_once() {
    let server = library();
    let client = server.client();
    let order = request(&client, "COSMOS").created();
    quiet(&server);
    let before = events(&server, "").len();
    client.http("PATCH :8088/rents/1 status=Rent").is(200);
    client.http("PATCH :8088/rents/1 status=Shipped").is(409);
    client.http("PATCH :8088/rents/1 orderId=9").is(409);
    client.http("PATCH :8088/rents/9 status='Rent Canceled'").is(404);
    assert_eq!(events(&server, "").len(), before);
    let canceled = client.http("PATCH :8088/rents/1 status='Rent Canceled'").is(200).json();
    assert_eq!(json!([canceled["id"], canceled["orderId"], canceled["status"]]), json!([1, order, "Rent Canceled"]));
    client.http("PATCH :8088/rents/1 status='Rent Canceled'").is(200);
    client.http("PATCH :8088/rents/1 status=Rent").is(409);
    quiet(&server);
    assert_eq!(shown(&client, order), json!(["Ordered", "Rent Canceled", "Ship Canceled", "Ship Canceled"]));
    assert_eq!(events(&server, "").len(), before + 2);
}

#[test]
fn library_d15_the_link_has_the_time_that_the_configuration_gives_it() {
    // The default is 1000 ms; a link to nowhere is none, so that a mistyped name is noticed.
    let mut server =
        Setup::default().system("library").config("[link.library.order.shelf]\ntimeout = \"1s\"\n").prepare();
    let refused = server.run();
    assert_eq!(refused.status.code(), Some(2), "{}", refused.stderr);
    assert!(refused.stderr.contains("shelf"), "{}", refused.stderr);
    server.reconfigure("[link.library.order.rent]\ntimeout = \"250ms\"\n");
    server.start();
    request(&server.client(), "COSMOS").created();
}

#[test]
fn library_f7_representations_have_the_shape_that_the_clients_read() {
    let server = library();
    let client = server.client();
    for collection in ["orders", "rents", "deliveries", "mypages"] {
        let list = client.json(&format!("/{collection}"));
        assert_eq!(list["_embedded"][collection], json!([]), "{list}");
        assert_eq!(list.get("page").is_some(), collection != "mypages", "{list}");
    }
    request(&client, "COSMOS").created();
    quiet(&server);
    for (collection, relation, fields) in [
        ("orders", "order", vec!["id", "item", "status", "_links"]),
        ("rents", "rent", vec!["id", "orderId", "status", "_links"]),
        ("deliveries", "delivery", vec!["id", "orderId", "status", "_links"]),
        ("mypages", "mypage", vec!["id", "orderId", "item", "status", "_links"]),
    ] {
        let item = client.json(&format!("/{collection}/1"));
        let names: Vec<&str> = item.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, fields, "{collection}");
        let own = format!("http://{}/{collection}/1", server.listen());
        assert_eq!(item["_links"], json!({"self": {"href": own}, relation: {"href": own}}));
    }
    for collection in ["rents", "deliveries", "mypages"] {
        assert_eq!(of_order(&client, collection, 1).unwrap()["orderId"], json!(1));
        assert_eq!(of_order(&client, collection, 2), None);
        let target = format!("/{collection}/search/findByOrderId");
        client.get(&target).is(400);
        client.get(&format!("{target}?orderId=abc")).is(400);
        assert_eq!(
            client.json(&format!("/{collection}?orderId=1"))["_embedded"][collection].as_array().unwrap().len(),
            1
        );
        assert_eq!(client.json(&format!("/{collection}?orderId=2"))["_embedded"][collection], json!([]));
    }
    client.get("/orders/search").is(404);
    client.http("POST :8088/deliveries orderId=1").is(405);
    client.http("POST :8088/mypages orderId=1").is(405);
}
