//! Decisions of the station that the script does not show.

use std::{sync::Barrier, thread};

use serde_json::{Value, json};

use super::{call, cancel, check_books, fill, number, operate, order, says, sell, started, stock};
use crate::{
    common::{Request, Setup},
    shop::{becomes, event_types, events, quiet, rows},
};

#[test]
fn station_d1_a_start_adds_what_is_missing_and_resets_no_price() {
    let mut server = started();
    let client = server.client();
    assert!(says(&client, "/products/sync", &[("productId", "CD1001"), ("price", "2100")]));
    quiet(&server);
    server.restart();
    quiet(&server);
    assert_eq!(server.client().json("/product/CD1001")["price"], json!(2100));
    assert_eq!(server.client().json("/product/CD1004")["price"], json!(1500));
    let changed = event_types(&server, "system=station&kind=product");
    assert_eq!(changed, ["ProductChanged"; 4], "two seeds, one change, one telling; nothing at the second start");
}

#[test]
fn station_d2_d5_d6_sales_cancellations_and_corrections_are_rows() {
    let server = started();
    let client = server.client();
    fill(&server, "100");
    let sold = number(&sell(&client, "30").is(200));
    assert!(cancel(&client, sold).is(200).json() == json!(true));
    // Its row follows; the corrections are to be behind it.
    quiet(&server);
    let correct = |body: Value| client.send(&Request::new("POST", "/stockFlows").json(&body));
    let leak = correct(json!({"productId": "CD1001", "productName": "GAS", "qty": -3, "reason": "leak"})).is(200);
    assert_eq!((leak.json(), leak.header("x-reason")), (json!(true), None));
    let much = correct(json!({"productId": "CD1001", "qty": "-98"})).is(200);
    assert_eq!((much.json(), much.header("x-reason")), (json!(false), Some("INSUFFICIENT_STOCK")));
    correct(json!({"productId": "CD1001"})).is(400);
    correct(json!({"qty": 1})).is(400);
    quiet(&server);
    let flows = rows(&client, "stockFlows");
    let told: Vec<_> =
        flows.iter().map(|row| (row["qty"].clone(), row["reason"].clone(), row["saleId"].clone())).collect();
    assert_eq!(
        told,
        [
            (json!(100.0), json!(null), json!(null)),
            (json!(-30.0), json!("SALE"), json!(sold)),
            (json!(30.0), json!("CANCELED_SALE"), json!(sold)),
            (json!(-3.0), json!("leak"), json!(null)),
        ]
    );
    let receipt = client.json("/stockFlows/search/findByOrderId?order_id=1");
    assert_eq!((&receipt["orderId"], &receipt["qty"]), (&json!(1), &json!(100.0)));
    assert_eq!(client.json("/stockFlows/search/findByOrderId?orderId=1"), receipt);
    client.get("/stockFlows/search/findByOrderId?order_id=2").is(404);
    assert_eq!(client.json("/sales")["page"]["totalElements"], json!(0));
    check_books(&server);
}

/// The call that a POS of the old fleet makes; asked again with the same number it is the same row.
#[test]
fn station_d2_d8_the_row_of_a_sale_is_written_once_however_often_it_is_asked_for() {
    let server = started();
    let client = server.client();
    fill(&server, "100");
    let row = |qty: i64| {
        let body = json!({"saleId": 77, "productId": "CD1001", "productName": "GAS", "qty": qty, "reason": "SALE"});
        client.send(&Request::new("POST", "/stockFlows").json(&body)).is(200).json()
    };
    assert_eq!([row(-30), row(-30), row(-31)], [json!(true), json!(true), json!(false)]);
    assert_eq!(stock(&client), json!(70.0));
}

#[test]
fn station_d3_replicas_and_shipments_are_written_by_nobody_but_the_station() {
    let client = started();
    let client = client.client();
    for collection in
        ["productMasters", "productMenus", "shipments", "stockSummaries", "salesSummaries", "orderStatuses"]
    {
        let body = json!({"productId": "CD1001", "productName": "x", "price": 1});
        let refused = client.send(&Request::new("POST", &format!("/{collection}")).json(&body)).is(405);
        assert!(refused.header("allow").is_some_and(|allow| allow.contains("GET")), "{refused}");
        for method in ["PUT", "PATCH", "DELETE"] {
            client.send(&Request::new(method, &format!("/{collection}/CD1001")).json(&body)).is(405);
        }
    }
    for method in ["PUT", "PATCH", "DELETE"] {
        client.send(&Request::new(method, "/stockFlows/1").json(&json!({"qty": 1}))).is(405);
    }
}

#[test]
fn station_d4_both_names_of_products_answer_and_misspelt_ones_do_not() {
    let server = started();
    let client = server.client();
    let product = client.json("/product/CD1001");
    assert_eq!(client.json("/products/CD1001"), product);
    assert_eq!(client.json("/product")["_embedded"]["product"].as_array().map(Vec::len), Some(2));
    assert_eq!(client.json("/products")["_embedded"]["products"].as_array().map(Vec::len), Some(2));
    assert_eq!(client.json("/product/search/findByProductId?product_id=CD1001"), product);
    for misspelt in ["/prodcutMenus", "/prodcuts", "/cancelSale", "/stock"] {
        client.get(misspelt).is(404);
    }
    let put = |key: &str, body: Value| client.send(&Request::new("PUT", &format!("/product/{key}")).json(&body));
    assert_eq!(put("CD9", json!({"productName": "LPG", "price": "900"})).is(201).json()["price"], json!(900));
    put("CD9", json!({"productName": "LPG", "price": 901})).is(200);
    put("CD9", json!({"productName": "LPG"})).is(400);
    becomes(&client, "/productMenus/CD9", "price", &json!(901));
    let post = |body: Value| client.send(&Request::new("POST", "/product").json(&body));
    post(json!({"productId": "CD8", "productName": "물", "price": 1})).is(201);
    post(json!({"productId": "CD8", "productName": "물", "price": 1})).is(409);
    post(json!({"productName": "x", "price": 1})).is(400);
    post(json!({"productId": "search", "productName": "x", "price": 1})).is(400);
    let replaced = |key: &str| {
        let put = Request::new("PUT", &format!("/product/{key}")).header("If-Match", "*");
        client.send(&put.json(&json!({"productName": "x", "price": 1})))
    };
    assert_eq!(replaced("CD10").is(412).json()["code"], "PRECONDITION_FAILED");
    client.get("/product/CD10").is(404);
    replaced("CD8").is(200);
    client.http("PATCH :8080/product/CD8 price=2").is(200);
    client.http("DELETE :8080/product/CD8").is(405);
    client.get("/product/XX").is(404);
}

#[test]
fn station_d7_the_cashier_learns_the_number_and_a_repeated_call_sells_once() {
    let server = started();
    let client = server.client();
    fill(&server, "100");
    let sell = || {
        let form = Request::new("POST", "/sales").form(&[("productId", "CD1001"), ("qty", "30")]);
        client.send(&form.header("Idempotency-Key", "till-1")).is(200)
    };
    let (first, second) = (sell(), sell());
    assert_eq!((number(&first), first.json()), (number(&second), second.json()));
    assert_eq!(second.header("idempotency-replayed"), Some("true"), "{second}");
    assert!(client.get(&format!("/sales/{}", number(&first))).status == 200);
    // siege sends parameters in the query
    number(&client.post("/sales?productId=CD1001&qty=1").is(200));
    number(&client.send(&Request::new("POST", "/sales").json(&json!({"productId": "CD1001", "qty": 1}))).is(200));
    assert_eq!((stock(&client), rows(&client, "sales").len()), (json!(68.0), 3));
    check_books(&server);
}

#[test]
fn station_a_sale_is_fixed_but_may_be_sent_back_as_it_is() {
    let server = started();
    let client = server.client();
    fill(&server, "100");
    let sale = format!("/sales/{}", number(&sell(&client, "30").is(200)));
    let whole = client.json(&sale);
    let put = |body: &Value| client.send(&Request::new("PUT", &sale).json(body));
    assert_eq!(put(&whole).is(200).json(), whole);
    put(&json!({"productId": "CD1001", "qty": 31})).is(409);
    client.send(&Request::new("PATCH", &sale).json(&json!({"price": 1}))).is(409);
    client.send(&Request::new("PATCH", &sale).json(&json!({"qty": "30"}))).is(200);
    client.send(&Request::new("DELETE", &sale)).is(204);
    client.send(&Request::new("DELETE", &sale)).is(404);
    quiet(&server);
    assert_eq!(stock(&client), json!(100.0));
}

#[test]
fn station_d9_an_order_never_goes_back() {
    let server = started();
    let client = server.client();
    fill(&server, "5");
    becomes(&client, "/orderStatuses/1", "status", &json!("confirmed"));
    server.admin().post("/admin/services/station/Logistics/restart").is(200);
    server.admin().post("/admin/services/station/Order/restart").is(200);
    quiet(&server);
    assert_eq!(client.json("/orderStatuses/1")["status"], json!("confirmed"));
}

#[test]
fn station_d11_d13_quantities_are_positive_and_have_three_decimals() {
    let server = started();
    let client = server.client();
    fill(&server, "100");
    for wrong in ["-5", "0", "abc", "", "NaN", "0.0001", "1e300"] {
        let refused = sell(&client, wrong).is(400);
        assert_eq!(refused.json()["field"], json!("qty"), "{wrong}: {refused}");
        let order = [("productId", "CD1001"), ("qty", wrong), ("destAddr", "a")];
        call(&client, "/orders/placeOrder", &order).is(400);
    }
    call(&client, "/orders/placeOrder", &[("productId", "CD1001"), ("qty", "1")]).is(400);
    call(&client, "/stocks/confirmStock", &[]).is(400);
    call(&client, "/stocks/confirmStock", &[("orderId", "x")]).is(400);
    call(&client, "/cancelSales", &[("saleId", "x")]).is(400);
    assert!(sell(&client, "0.001").is(200).text().contains("true"));
    assert_eq!(stock(&client), json!(99.999));
}

#[test]
fn station_d12_negative_stock_is_refused_until_the_station_is_told_to_allow_it() {
    let mut server = started();
    let client = server.client();
    quiet(&server);
    let refused = sell(&client, "1").is(200);
    assert_eq!((refused.json(), refused.header("x-reason")), (json!(false), Some("INSUFFICIENT_STOCK")));
    server.reconfigure("[systems.station]\nallow_negative_stock = true");
    server.admin().post("/admin/reload").is(200);
    assert_eq!(sell(&client, "1").is(200).json(), json!(true), "without a restart");
    assert_eq!(stock(&client), json!(-1.0));
    check_books(&server);
}

#[test]
fn station_d14_part_of_a_receipt_may_be_confirmed() {
    let server = started();
    let client = server.client();
    let placed = order(&client, "100").to_string();
    quiet(&server);
    let confirm = |qty: &str| call(&client, "/stocks/confirmStock", &[("orderId", &placed), ("qty", qty)]);
    for wrong in ["0", "-1"] {
        confirm(wrong).is(400);
    }
    let more = confirm("101").is(200);
    assert_eq!((more.json(), more.header("x-reason")), (json!(false), Some("MORE_THAN_EXPECTED")));
    assert_eq!(confirm("40").is(200).json(), json!(true));
    assert_eq!(confirm("40").is(200).header("x-reason"), Some("ALREADY_CONFIRMED"));
    let row = client.json("/stockFlows/1");
    assert_eq!((&row["qty"], &row["qtyToBe"]), (&json!(40.0), &json!(100.0)));
    becomes(&client, "/orderStatuses/1", "status", &json!("confirmed"));
    check_books(&server);
}

#[test]
fn station_d15_an_order_is_canceled_until_it_is_confirmed() {
    let server = started();
    let client = server.client();
    let placed = order(&client, "5");
    quiet(&server);
    client.http(&format!("DELETE :8080/orders/{placed}")).is(204);
    client.http(&format!("DELETE :8080/orders/{placed}")).is(404);
    client.get(&format!("/orders/{placed}")).is(404);
    quiet(&server);
    assert_eq!(client.json(&format!("/orderStatuses/{placed}"))["status"], json!("canceled"));
    assert_eq!((rows(&client, "shipments").len(), rows(&client, "stockFlows").len()), (0, 0));
    assert!(!says(&client, "/stocks/confirmStock", &[("orderId", &placed.to_string())]));
    let kept = order(&client, "7");
    quiet(&server);
    assert!(says(&client, "/stocks/confirmStock", &[("orderId", &kept.to_string())]));
    let confirmed = client.http(&format!("DELETE :8080/orders/{kept}")).is(409);
    assert_eq!(confirmed.json()["code"], json!("ALREADY_CONFIRMED"));
    client.get(&format!("/orders/{kept}")).is(200);
}

#[test]
fn station_d17_a_sync_is_one_change_and_one_telling() {
    let server = started();
    let client = server.client();
    quiet(&server);
    assert!(says(&client, "/products/sync", &[("productId", "CD1001"), ("price", "2100")]));
    assert!(says(&client, "/products/sync", &[("productId", "CD1001"), ("price", "2100")]));
    quiet(&server);
    let told = events(&server, "system=station&kind=product");
    let gas: Vec<_> = told
        .iter()
        .filter(|event| event["productId"] == json!("CD1001"))
        .map(|event| (event["price"].clone(), event["resend"].clone()))
        .collect();
    let (old, new) = (json!(2000), json!(2100));
    let expected = [(old, json!(false)), (new.clone(), json!(false)), (new.clone(), json!(true)), (new, json!(true))];
    assert_eq!(gas, expected);
}

#[test]
fn station_f4_of_many_clerks_who_confirm_one_receipt_one_does() {
    let server = started();
    let client = server.client();
    let placed = order(&client, "100").to_string();
    quiet(&server);
    let barrier = Barrier::new(32);
    let confirmed = thread::scope(|scope| {
        let clerks: Vec<_> = (0..32)
            .map(|_| {
                scope.spawn(|| {
                    barrier.wait();
                    says(&client, "/stocks/confirmStock", &[("orderId", &placed)])
                })
            })
            .collect();
        clerks.into_iter().map(|clerk| clerk.join().unwrap()).filter(|confirmed| *confirmed).count()
    });
    assert_eq!((confirmed, stock(&client)), (1, json!(100.0)));
}

#[test]
fn station_d12_of_many_cashiers_who_want_the_rest_as_many_get_some_as_there_is() {
    let server = started();
    let client = server.client();
    fill(&server, "100");
    let barrier = Barrier::new(32);
    let sold = thread::scope(|scope| {
        let cashiers: Vec<_> = (0..32)
            .map(|_| {
                scope.spawn(|| {
                    barrier.wait();
                    sell(&client, "7").is(200).json() == json!(true)
                })
            })
            .collect();
        cashiers.into_iter().map(|cashier| cashier.join().unwrap()).filter(|sold| *sold).count()
    });
    assert_eq!((sold, stock(&client)), (14, json!(2.0)));
    check_books(&server);
}

#[test]
fn station_accounts_are_kept_by_hand() {
    let server = started();
    let client = server.client();
    let opened = client.http("POST :8080/accounts accountName=외상 amount=1.5");
    let account = format!("/accounts/{}", opened.created());
    assert_eq!(client.json(&account)["amount"], json!(1.5));
    client.send(&Request::new("PATCH", &account).json(&json!({"amount": 2}))).is(200);
    assert_eq!(client.json(&account)["accountName"], json!("외상"));
    client.send(&Request::new("PUT", &account).json(&json!({"accountName": "b"}))).is(200);
    assert_eq!(client.json(&account)["amount"], json!(null));
    client.send(&Request::new("DELETE", &account)).is(204);
    client.get(&account).is(404);
}

#[test]
fn station_d16_each_of_the_four_services_has_its_port() {
    let server = Setup::default().system("station").flag("--service-ports=free").start();
    for (service, own, foreign) in [
        ("POS", "/productMenus", "/orders"),
        ("Station", "/stockFlows", "/sales"),
        ("Order", "/product", "/shipments"),
        ("Logistics", "/shipments", "/product"),
    ] {
        let client = crate::common::Client::new(server.service_address(&format!("station/{service}")));
        client.get(own).is(200);
        client.get(foreign).is(404);
        operate(&server, service, "stop");
        client.get(own).is(503);
        operate(&server, service, "start");
    }
}
