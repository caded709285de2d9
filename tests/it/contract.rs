//! The HTTP contract of a running store: representations, methods, media types, coercions, lists, conditions.

use serde_json::{Value, json};

use crate::{
    common::{Client, Request, Server},
    shop::{event_types, operate, place, product, quiet, rows},
};

/// What every refusal looks like: RFC 9457 and the old fields in one object.
#[track_caller]
fn is_problem(client: &Client, request: &Request, status: u16) -> Value {
    let answer = client.send(request).is(status);
    assert_eq!(answer.header("content-type"), Some("application/problem+json;charset=UTF-8"), "{answer}");
    let body = answer.json();
    assert_eq!(body["status"], json!(status), "{answer}");
    for field in ["type", "title", "detail", "instance", "timestamp", "error", "message", "path", "code"] {
        assert!(body[field].is_string(), "{field}: {answer}");
    }
    assert_eq!(answer.header("retry-after").is_some(), matches!(status, 429 | 503), "{answer}");
    body
}

fn post(target: &str, body: &Value) -> Request {
    Request::new("POST", target).json(body)
}

#[test]
fn an_item_has_its_key_first_and_its_links_last() {
    let server = Server::store();
    let client = server.client();
    let created = client.http("POST :8088/products quantity=10 price=1000").is(201);
    let base = format!("http://{}", server.listen());
    let own = format!("{base}/products/1");
    let links = format!(r#""_links":{{"self":{{"href":"{own}"}},"product":{{"href":"{own}"}}}}"#);
    let text = format!(r#"{{"id":1,"quantity":10,"price":1000,"status":"register",{links}}}"#);
    assert_eq!(created.text(), text);
    assert_eq!(created.header("location"), Some(own.as_str()));
    assert_eq!(created.header("content-type"), Some("application/hal+json;charset=UTF-8"));
    assert_eq!(client.get("/products/1").is(200).text(), text);
    let head = client.send(&Request::new("HEAD", "/products/1")).is(200);
    assert_eq!(head.header("content-length"), Some(text.len().to_string().as_str()));

    // Behind a gateway, links lead to the gateway; under the system's name, to what was asked.
    let forwarded = Request::new("GET", "/products/1")
        .header("X-Forwarded-Host", "shop.example")
        .header("X-Forwarded-Proto", "https");
    let seen = client.send(&forwarded).is(200).json();
    assert_eq!(seen["_links"]["self"]["href"], "https://shop.example/products/1");
    let seen = client.json("/store/products/1");
    assert_eq!(seen["_links"]["self"]["href"], json!(format!("{base}/store/products/1")));
}

#[test]
fn what_does_not_exist_is_404() {
    let server = Server::store();
    let client = server.client();
    product(&client, 1);
    for target in ["/orders/1", "/products/2", "/products/abc", "/products/-1", "/products/0", "/products/1.0"] {
        is_problem(&client, &Request::new("GET", target), 404);
    }
    for target in ["/orders/99999999999999999999999", "/products/1/2", "/orders/search", "/productPages/7"] {
        is_problem(&client, &Request::new("GET", target), 404);
    }
    for method in ["PUT", "PATCH", "DELETE"] {
        let mut request = Request::new(method, "/products/77");
        if method != "DELETE" {
            request = request.json(&json!({"quantity": 1, "price": 1}));
        }
        is_problem(&client, &request, 404);
    }
    let lost = is_problem(&client, &Request::new("GET", "/kitchens"), 404);
    assert!(lost["available"].as_array().unwrap().contains(&json!("/orders")), "{lost}");
}

#[test]
fn the_root_and_the_profile_lead_to_the_collections() {
    let server = Server::store();
    let client = server.client();
    let links = client.json("/")["_links"].clone();
    for collection in ["orders", "deliveries", "products", "payments", "messages", "orderStatuses", "productPages"] {
        let href = links[collection]["href"].as_str().unwrap_or_else(|| panic!("{collection}: {links}"));
        assert!(href.starts_with(&format!("http://{}/{collection}", server.listen())), "{href}");
        client.get(&format!("/profile/{collection}")).is(200).json();
    }
    assert_eq!(links["orders"]["templated"], json!(true));
    assert!(links["profile"]["href"].is_string());
    client.get("/profile").is(200).json();
}

#[test]
fn a_method_that_is_not_offered_is_405_with_what_is() {
    let server = Server::store();
    let client = server.client();
    product(&client, 1);
    for (method, target, allow) in [
        ("DELETE", "/orders", "GET, HEAD, POST, OPTIONS"),
        ("PUT", "/products", "GET, HEAD, POST, OPTIONS"),
        ("POST", "/products/1", "GET, HEAD, PUT, PATCH, DELETE, OPTIONS"),
        ("POST", "/productPages", "GET, HEAD, OPTIONS"),
        ("DELETE", "/orderStatuses/1", "GET, HEAD, OPTIONS"),
        ("TRACE", "/products/1", "GET, HEAD, PUT, PATCH, DELETE, OPTIONS"),
        ("POST", "/", "GET, HEAD, OPTIONS"),
    ] {
        let request = Request::new(method, target);
        is_problem(&client, &request, 405);
        assert_eq!(client.send(&request).header("allow"), Some(allow), "{method} {target}");
        let options = client.send(&Request::new("OPTIONS", target)).is(200);
        assert_eq!(options.header("allow"), Some(allow), "{target}");
    }
}

#[test]
fn bodies_are_read_in_the_media_types_that_clients_send() {
    let server = Server::store();
    let client = server.client();
    let json = r#"{"quantity": "4", "price": 5}"#;
    for media in ["application/json", "application/json;charset=utf-8", "application/hal+json", "APPLICATION/JSON"] {
        let request = Request::new("POST", "/products").body(json.as_bytes()).header("Content-Type", media);
        client.send(&request).is(201);
    }
    client.send(&Request::new("POST", "/products").body(json.as_bytes())).is(201);
    client.http("-f POST :8088/products quantity=4 price=5").is(201);
    assert_eq!(rows(&client, "products").iter().filter(|row| row["quantity"] == json!(4)).count(), 6);
    let merge = Request::new("PATCH", "/products/1")
        .body(br#"{"price": 6}"#)
        .header("Content-Type", "application/merge-patch+json");
    assert_eq!(client.send(&merge).is(200).json()["price"], json!(6));

    for media in ["text/plain", "application/xml", "multipart/form-data; boundary=x"] {
        let request = Request::new("POST", "/products").body(json.as_bytes()).header("Content-Type", media);
        is_problem(&client, &request, 415);
    }
    let patch = Request::new("PATCH", "/products/1").json(&json!([{"op": "replace", "path": "/price", "value": 7}]));
    is_problem(&client, &patch, 415);
    for body in ["", "{", "[]", "1", "null", "\"text\"", "{\"quantity\": 4,}", "quantity=4"] {
        let request =
            Request::new("POST", "/products").body(body.as_bytes()).header("Content-Type", "application/json");
        is_problem(&client, &request, 400);
    }
    is_problem(&client, &Request::new("POST", "/products").body(b"{\"quantity\": \"\xff\"}"), 400);
    assert_eq!(rows(&client, "products").len(), 6, "what was refused left nothing");
}

#[test]
fn values_are_coerced_as_the_old_services_did() {
    let server = Server::store();
    let client = server.client();
    let quantity = |value: Value| {
        let created = client.send(&post("/products", &json!({"quantity": value, "price": "1"}))).is(201).json();
        created["quantity"].clone()
    };
    for zero in [json!(null), json!(""), json!("0"), json!(0)] {
        assert_eq!(quantity(zero.clone()), json!(0), "{zero}");
    }
    for one in [json!("1"), json!(" 1 "), json!(1), json!(1.0)] {
        assert_eq!(quantity(one.clone()), json!(1), "{one}");
    }
    assert_eq!(quantity(json!(2_147_483_647)), json!(2_147_483_647));
    let absent = client.send(&post("/products", &json!({"price": 1}))).is(201).json();
    assert_eq!(absent["quantity"], json!(0));

    for wrong in [
        json!("abc"),
        json!("1.5"),
        json!(1.5),
        json!("1.0"),
        json!(true),
        json!([1]),
        json!({"a": 1}),
        json!(2_147_483_648_i64),
        json!("2147483648"),
        json!(1e30),
    ] {
        let refused = is_problem(&client, &post("/products", &json!({"quantity": wrong, "price": 1})), 400);
        assert_eq!(refused["field"], "quantity", "{refused}");
    }
    // Required: a number that names something.
    for wrong in [json!(null), json!(""), json!("abc"), json!(1.5), json!(true), json!(0), json!(-1)] {
        is_problem(&client, &post("/orders", &json!({"productId": wrong, "quantity": 1})), 400);
    }
    let refused = is_problem(&client, &post("/orders", &json!({"quantity": 1})), 400);
    assert!(refused["message"].as_str().unwrap().contains("productId"), "{refused}");
    // Text: numbers and booleans become their text.
    for (value, text) in [(json!("호텔 🏨"), "호텔 🏨"), (json!(20_201_010), "20201010"), (json!(true), "true")]
    {
        let message = client.send(&post("/messages", &json!({"content": value}))).is(201);
        assert_eq!(message.json()["content"], json!(text));
        assert_eq!(client.json(&format!("/messages/{}", message.created()))["content"], json!(text));
    }
    is_problem(&client, &post("/messages", &json!({"content": ["a"]})), 400);
}

#[test]
fn korean_text_survives_a_crash_a_filter_and_a_view() {
    let mut server = Server::store();
    let id = server.client().http("POST :8088/messages content='배트맨 호텔'").created();
    server.restart();
    let client = server.client();
    assert_eq!(client.json(&format!("/messages/{id}"))["content"], "배트맨 호텔");
    let found = client.http("http GET ':8088/messages?content=배트맨 호텔'").is(200).json();
    assert_eq!(found["page"]["totalElements"], json!(1));
    let none = client.http("http GET ':8088/messages?content=배트맨'").is(200).json();
    assert_eq!((none["page"]["totalElements"].clone(), none["_embedded"]["messages"].clone()), (json!(0), json!([])));
}

#[test]
fn a_page_that_puts_back_what_it_got_changes_nothing() {
    let server = Server::store();
    let client = server.client();
    let product = product(&client, 10);
    place(&client, product, 3).created();
    client.http("POST :8088/payments productId=1 quantity=1 price=9").created();
    quiet(&server);
    let before = event_types(&server, "");
    for target in ["/products/1", "/orders/1", "/payments/1", "/deliveries/1", "/messages/1"] {
        let seen = client.get(target).is(200);
        for method in ["PUT", "PATCH"] {
            let again = client.send(&Request::new(method, target).json(&seen.json())).is(200);
            assert_eq!(again.json(), seen.json(), "{method} {target}");
            assert_eq!(again.header("etag"), seen.header("etag"), "{method} {target}");
        }
    }
    client.http("PATCH :8088/products/1 unknown=1 id=7").is(200);
    quiet(&server);
    assert_eq!(event_types(&server, ""), before);
    // A whole object without a field clears it.
    assert_eq!(client.http("PUT :8088/products/1 price=5").is(200).json()["quantity"], json!(0));
    assert_eq!(client.http("PATCH :8088/products/1 quantity=8").is(200).json()["price"], json!(5));
}

#[test]
fn d1_d2_d4_d5_what_clients_may_not_write_is_refused() {
    let server = Server::store();
    let client = server.client();
    let product = product(&client, 10);
    let order = client.http("POST :8088/orders productId=1 quantity=3 status=''").is(201).json();
    assert_eq!(order["status"], "order");
    client.http("POST :8088/payments productId=1 quantity=1 price=9").created();
    quiet(&server);
    for line in [
        "POST :8088/orders productId=1 quantity=3 status=delivery",
        "POST :8088/deliveries orderId=1 productId=1 quantity=3 status=lost",
        "POST :8088/deliveries productId=1 quantity=3 status=delivery",
        "POST :8088/deliveries orderId=1 productId=1 quantity=0 status=delivery",
        "POST :8088/payments productId=1 quantity=0 price=1",
        "POST :8088/payments productId=1 quantity=1 price=-1",
        "POST :8088/payments quantity=1 price=1",
        "POST :8088/products quantity=1 price=-1",
        "PATCH :8088/products/1 quantity:=-1",
        "PATCH :8088/products/1 price:=-1",
    ] {
        is_problem(&client, &Request::of_httpie(line), 400);
    }
    for line in [
        "PATCH :8088/orders/1 quantity=4",
        "PATCH :8088/orders/1 productId=2",
        "PATCH :8088/orders/1 status=order",
        "PUT :8088/orders/1 quantity=3",
        "PATCH :8088/payments/1 price=1",
        "PUT :8088/payments/1 productId=1 quantity=2 price=9",
    ] {
        is_problem(&client, &Request::of_httpie(line), 409);
    }
    assert_eq!(rows(&client, "orders").len() + rows(&client, "payments").len() + rows(&client, "products").len(), 3);
    assert_eq!(client.json(&format!("/products/{product}"))["quantity"], json!(12));
}

#[test]
fn conditions_are_about_the_version_that_the_client_has_seen() {
    let server = Server::store();
    let client = server.client();
    product(&client, 10);
    let seen = client.get("/products/1").is(200);
    let tag = seen.header("etag").unwrap().to_owned();
    let with = |method: &str, name: &str, tag: &str| Request::new(method, "/products/1").header(name, tag);
    for known in [tag.clone(), format!("W/{tag}"), format!("\"99\", {tag}"), "*".to_owned()] {
        let same = client.send(&with("GET", "If-None-Match", &known)).is(304);
        assert_eq!((same.header("etag"), same.body.len()), (Some(tag.as_str()), 0), "{known}");
    }
    client.send(&with("GET", "If-None-Match", "\"99\"")).is(200);

    let price = |price: i32| json!({"price": price});
    let changed = client.send(&with("PATCH", "If-Match", &tag).json(&price(1))).is(200);
    let next = changed.header("etag").unwrap().to_owned();
    assert_ne!(next, tag);
    for (method, stale) in
        [("PATCH", tag.as_str()), ("PUT", "\"99\""), ("PATCH", "nonsense"), ("PATCH", &format!("W/{next}"))]
    {
        is_problem(&client, &with(method, "If-Match", stale).json(&price(2)), 412);
    }
    is_problem(&client, &with("DELETE", "If-Match", &tag), 412);
    client.send(&with("GET", "If-None-Match", &tag)).is(200);
    assert_eq!(client.json("/products/1")["price"], json!(1));
    client.send(&with("PATCH", "If-Match", &format!("\"99\", {next}")).json(&price(3))).is(200);
    client.send(&with("PATCH", "If-Match", "*").json(&price(4))).is(200);
    let now = client.get("/products/1").header("etag").unwrap().to_owned();
    client.send(&with("DELETE", "If-Match", &now)).is(204);
    is_problem(&client, &with("PATCH", "If-Match", "*").json(&price(5)), 404);
}

#[test]
fn pages_of_other_origins_may_use_the_public_address() {
    let server = Server::store();
    let client = server.client();
    let from = |method: &str, target: &str| Request::new(method, target).header("Origin", "http://localhost:8080");
    let preflight = from("OPTIONS", "/orders")
        .header("Access-Control-Request-Method", "PATCH")
        .header("Access-Control-Request-Headers", "content-type,idempotency-key");
    let allowed = client.send(&preflight).is(200);
    for (name, value) in [
        ("access-control-allow-origin", "http://localhost:8080"),
        ("access-control-allow-credentials", "true"),
        ("access-control-allow-methods", "GET,HEAD,POST,PUT,PATCH,DELETE,OPTIONS"),
        ("access-control-allow-headers", "content-type,idempotency-key"),
        ("access-control-max-age", "1800"),
        ("vary", "Origin"),
    ] {
        assert_eq!(allowed.header(name), Some(value), "{name}");
    }
    operate(&server, "payment", "stop");
    // The page must be able to read refusals as well.
    for (request, status) in
        [(from("GET", "/orders"), 200), (from("GET", "/orders/9"), 404), (from("GET", "/payments"), 503)]
    {
        let answer = client.send(&request).is(status);
        assert_eq!(answer.header("access-control-allow-origin"), Some("http://localhost:8080"), "{status}");
        let exposed = answer.header("access-control-expose-headers").unwrap_or_default();
        assert!(exposed.starts_with("Location, Retry-After, "), "{status}: {exposed}");
        assert_eq!(answer.header("vary"), Some("Origin"), "{status}");
    }
    assert_eq!(client.get("/orders").header("access-control-allow-origin"), None);
}

#[test]
fn a_request_is_found_again_by_its_id_or_its_trace() {
    let server = Server::store();
    let client = server.client();
    product(&client, 10);
    let order = post("/orders", &json!({"productId": 1, "quantity": 3}));
    let named = client.send(&order.clone().header("X-Request-Id", "till-7/42")).is(201);
    assert_eq!(named.header("x-request-id"), Some("till-7/42"));
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let traced = client.send(&order.clone().header("traceparent", parent)).is(201);
    assert_eq!(traced.header("traceparent").map(|given| &given[..35]), Some(&parent[..35]));
    let trace = traced.header("x-request-id").unwrap().to_owned();
    let neither = client.send(&order).is(201).header("x-request-id").unwrap().to_owned();
    quiet(&server);
    for correlation in ["till-7%2F42", trace.as_str(), neither.as_str()] {
        let mut types = event_types(&server, &format!("correlation={correlation}"));
        types.sort();
        assert_eq!(types, ["DeliveryStarted", "Ordered", "StockModified"], "{correlation}");
    }
    let refused = client.send(&Request::new("GET", "/orders/99").header("X-Request-Id", "lost-1")).is(404);
    assert_eq!((refused.header("x-request-id"), &refused.json()["correlationId"]), (Some("lost-1"), &json!("lost-1")));
}
