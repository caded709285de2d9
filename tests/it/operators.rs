//! What operators see and do: services, tree, consumers, events, dead letters, one entity, probes.

use serde_json::{Value, json};

use crate::{
    common::{AT_ONCE, Request, SOON, Server, Watch, eventually},
    shop::{becomes, buy, event_types, events, messages, operate, place, product, quiet, rows, stock},
};

#[test]
fn services_are_listed_stopped_and_started_in_any_case() {
    let server = Server::store();
    let (client, admin) = (server.client(), server.admin());
    let state = |name: &str| {
        let services = admin.json("/admin/services");
        let found = services.as_array().unwrap().iter().find(|service| service["service"] == name).cloned();
        found.unwrap_or_else(|| panic!("{name} in {services}"))
    };
    for name in ["order", "delivery", "product", "payment", "alarm"] {
        assert_eq!((&state(name)["system"], &state(name)["state"]), (&json!("store"), &json!("running")), "{name}");
    }
    assert_eq!(admin.post("/admin/services/Store/DELIVERY/stop").is(200).json()["state"], "stopped");
    assert_eq!(state("delivery")["state"], "stopped");
    admin.post("/admin/services/store/delivery/stop").is(200);
    for (method, target) in [("GET", "/deliveries"), ("GET", "/deliveries/1"), ("DELETE", "/deliveries/1")] {
        let watch = Watch::start();
        let refused = client.send(&Request::new(method, target)).is(503);
        assert!(watch.passed() < AT_ONCE, "{method} {target}: {:?}", watch.passed());
        assert_eq!(refused.header("retry-after"), Some("1"), "{method} {target}");
        assert_eq!(refused.json()["status"], json!(503));
    }
    client.http("POST :8088/deliveries orderId=1 productId=1 quantity=1").is(503);
    assert_eq!(admin.post("/ADMIN/services/STORE/Delivery/START").is(200).json()["state"], "running");
    client.get("/deliveries").is(200);
    admin.post("/admin/services/store/delivery/start").is(200);
    assert_eq!(operate(&server, "delivery", "restart")["state"], "running");
    client.get("/deliveries").is(200);

    let lost = admin.post("/admin/services/store/kitchen/stop").is(404).json();
    assert!(lost["available"].as_array().unwrap().contains(&json!("store/order")), "{lost}");
    assert_eq!(admin.get("/admin/services/store/order/stop").is(405).header("allow"), Some("POST, OPTIONS"));
    // Another site's page in an operator's browser may send a POST anywhere.
    let page = Request::new("POST", "/admin/services/store/order/stop").header("Origin", "http://evil.example");
    admin.send(&page).is(403);
    // Operators' paths do not exist for the public.
    client.post("/admin/services/store/order/stop").is(404);
}

#[test]
fn links_are_listed_with_their_breakers_and_what_their_calls_came_to() {
    let server = Server::store();
    let (client, admin) = (server.client(), server.admin());
    let link = || admin.json("/admin/breakers").as_array().unwrap().first().cloned().expect("one link");
    let is = |expected: Value| assert_eq!(link()["calls"], expected, "{}", link());
    assert_eq!((&link()["link"], &link()["state"]), (&json!("store.order.delivery"), &json!("closed")));
    is(json!(0));
    let product = product(&client, 10);
    let order = place(&client, product, 1).created();
    is(json!(1));
    quiet(&server);
    client.send(&Request::new("DELETE", &format!("/orders/{order}"))).is(204);
    is(json!(2));
    // A delivery that is stopped answers at once: nothing for a breaker.
    let order = place(&client, product, 1).created();
    quiet(&server);
    operate(&server, "delivery", "stop");
    client.send(&Request::new("DELETE", &format!("/orders/{order}"))).is(503);
    is(json!(4));
    assert_eq!(json!([link()["state"], link()["failed"], link()["in_flight"]]), json!(["closed", 0, 0]));
}

/// The node of this name, wherever it is.
fn node<'a>(tree: &'a Value, name: &str) -> Option<&'a Value> {
    if tree["name"] == name {
        return Some(tree);
    }
    tree["children"].as_array()?.iter().find_map(|child| node(child, name))
}

#[test]
fn the_tree_shows_who_runs_below_whom() {
    let server = Server::store();
    let tree = server.admin().json("/admin/tree");
    assert_eq!(
        (&tree["name"], &tree["strategy"], &tree["state"]),
        (&json!("guardian"), &json!("rest_for_one"), &json!("running"))
    );
    let names =
        |of: &Value| of["children"].as_array().unwrap().iter().map(|child| child["name"].clone()).collect::<Vec<_>>();
    assert_eq!(names(&tree), ["storage", "services", "bulkheads", "edge"]);
    for name in ["journal:main", "journal:alarm", "store/order", "store/alarm", "http", "admin"] {
        let node = node(&tree, name).unwrap_or_else(|| panic!("{name} in {tree}"));
        assert_eq!((&node["state"], &node["restarts"]), (&json!("running"), &json!(0)), "{name}");
        assert!(node["since"].is_number() && node["last_reason"].is_null(), "{node}");
    }
    operate(&server, "payment", "stop");
    let tree = server.admin().json("/admin/tree");
    assert_eq!(node(&tree, "store/payment").unwrap()["state"], "stopped");
    assert_eq!(node(&tree, "store/order").unwrap()["state"], "running");
}

#[test]
fn consumers_tell_their_cursors_and_lags() {
    let server = Server::store();
    let client = server.client();
    let product = product(&client, 10);
    place(&client, product, 3).created();
    quiet(&server);
    let consumers = || server.admin().json("/admin/consumers").as_array().unwrap().clone();
    for consumer in consumers() {
        assert_eq!((&consumer["lag"], &consumer["state"]), (&json!(0), &json!("running")), "{consumer}");
        let texts = ["name", "system", "service"].map(|name| consumer[name].is_string());
        assert!(texts == [true; 3] && consumer["cursor"].is_u64() && consumer["partition"].is_u64(), "{consumer}");
    }
    operate(&server, "product", "stop");
    buy(&client, product, 1).created();
    eventually(SOON, "all but product's consumers have caught up", || {
        consumers().iter().all(|consumer| consumer["service"] == "product" || consumer["lag"] == json!(0)).then_some(())
    });
    let behind: Vec<Value> = consumers().into_iter().filter(|consumer| consumer["lag"] != json!(0)).collect();
    assert!(!behind.is_empty());
    assert!(behind.iter().all(|consumer| consumer["state"] == "stopped"), "{behind:?}");
    let lagging = server.admin().get("/admin/quiesce?within=50ms").is(503);
    assert!(lagging.header("retry-after").is_some());
    assert!(lagging.text().contains("(stopped)"), "{lagging}");
    operate(&server, "product", "start");
    quiet(&server);
    assert_eq!(stock(&client, product), 12);
    for wrong in ["within=5", "within=2m", "within=-1s", "within=61s"] {
        server.admin().get(&format!("/admin/quiesce?{wrong}")).is(400);
    }
}

#[test]
fn events_have_the_envelope_of_the_bus() {
    let server = Server::store();
    let client = server.client();
    let product = product(&client, 10);
    let place = Request::new("POST", "/orders")
        .json(&json!({"productId": product, "quantity": 3}))
        .header("X-Request-Id", "my-order");
    client.send(&place).created();
    quiet(&server);

    let all = events(&server, "");
    let ordered = all.iter().find(|event| event["eventType"] == "Ordered").unwrap();
    assert_eq!(
        json!([ordered["id"], ordered["productId"], ordered["quantity"], ordered["status"]]),
        json!([1, product, 3, "order"])
    );
    assert_eq!(ordered["correlationId"], "my-order");
    let timestamp = ordered["timestamp"].as_str().unwrap();
    assert!(timestamp.len() == 14 && timestamp.bytes().all(|digit| digit.is_ascii_digit()), "{timestamp}");
    assert!(
        ordered["eventId"].is_string() && ordered["sequence"].is_u64() && ordered["position"].is_u64(),
        "{ordered}"
    );
    let mut ids: Vec<&str> = all.iter().map(|event| event["eventId"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all.len(), "an event has an id of its own");

    // The correlation is kept from the request to the last policy.
    let mut types = event_types(&server, "correlation=my-order");
    types.retain(|name| ["Ordered", "DeliveryStarted", "StockModified"].contains(&name.as_str()));
    types.sort();
    assert_eq!(types, ["DeliveryStarted", "Ordered", "StockModified"]);
    assert!(events(&server, "correlation=nobody").is_empty());
    let started = all.iter().find(|event| event["eventType"] == "DeliveryStarted").unwrap();
    assert_eq!(
        json!([started["id"], started["orderId"], started["productId"], started["quantity"], started["status"]]),
        json!([1, 1, product, 3, "delivery"])
    );

    for kind in ["product", "store.product"] {
        assert_eq!(event_types(&server, &format!("kind={kind}")), ["ProductRegistered", "StockModified"], "{kind}");
    }
    assert_eq!(events(&server, "system=store").len(), all.len());
    assert!(events(&server, "system=stay").is_empty());
}

#[test]
fn events_are_paged_by_their_link() {
    let server = Server::store();
    let client = server.client();
    for quantity in 1..=7 {
        product(&client, quantity);
    }
    quiet(&server);
    let admin = server.admin();
    let (mut seen, mut next) = (Vec::new(), "/admin/events?kind=product&limit=3".to_owned());
    for _ in 0..10 {
        let page = admin.get(&next).is(200);
        let events = page.json().as_array().unwrap().clone();
        assert!(events.len() <= 3);
        if events.is_empty() {
            break;
        }
        seen.extend(events.iter().map(|event| event["quantity"].as_i64().unwrap()));
        let link = page.header("link").unwrap();
        next = link.strip_prefix('<').and_then(|rest| rest.split_once(">; rel=\"next\"")).unwrap().0.to_owned();
    }
    seen.sort_unstable();
    assert_eq!(seen, [1, 2, 3, 4, 5, 6, 7]);
    // The last link leads to what comes later.
    product(&client, 8);
    quiet(&server);
    let later = admin.json(&next);
    assert_eq!(later.as_array().unwrap().len(), 1, "{later}");
    for wrong in ["limit=0", "limit=1001", "limit=x", "after=x"] {
        admin.get(&format!("/admin/events?{wrong}")).is(400);
    }
}

#[test]
fn a_purchase_of_nothing_is_a_dead_letter_that_can_be_retried_or_discarded() {
    let server = Server::store();
    let (client, admin) = (server.client(), server.admin());
    buy(&client, 7, 2).created();
    buy(&client, 7, 1).created();
    let letters = || admin.json("/admin/dead-letters").as_array().unwrap().clone();
    eventually(SOON, "two dead letters", || (letters().len() == 2).then_some(()));
    eventually(SOON, "its message", || messages(&client).contains(&"상품 ID : 7 없음".to_owned()).then_some(()));
    quiet(&server);
    let others = messages(&client);
    assert_eq!(others.iter().filter(|text| text.as_str() == "상품 ID : 7 없음").count(), 2, "one for each: {others:?}");

    let id = |letter: &Value| letter["id"].as_str().unwrap().replace(':', "%3A");
    let (first, second) = (letters()[0].clone(), letters()[1].clone());
    let refused = admin.post(&format!("/admin/dead-letters/{}/retry", id(&first))).is(409);
    assert!(refused.json()["message"].is_string());
    assert_eq!(letters().len(), 2);
    // Other events of that consumer go on.
    while product(&client, 10) < 7 {}
    place(&client, 3, 5).created();
    becomes(&client, "/products/3", "quantity", &json!(15));

    admin.post(&format!("/admin/dead-letters/{}/retry", id(&first))).is(200);
    admin.post(&format!("/admin/dead-letters/{}/discard", id(&second))).is(200);
    quiet(&server);
    let sold = 10 - stock(&client, 7);
    assert!(sold == 2 || sold == 1, "one of the two was delivered: {sold}");
    assert!(letters().is_empty());
    for verb in ["retry", "discard"] {
        for gone in [id(&first), id(&second), "nothing".to_owned()] {
            admin.post(&format!("/admin/dead-letters/{gone}/{verb}")).is(404);
        }
    }
    quiet(&server);
    assert_eq!(10 - stock(&client, 7), sold);
}

#[test]
fn a_dead_letter_survives_a_crash() {
    let mut server = Server::store();
    buy(&server.client(), 7, 2).created();
    let letters = |server: &Server| server.admin().json("/admin/dead-letters").as_array().unwrap().clone();
    let before = eventually(SOON, "a dead letter", || Some(letters(&server)).filter(|letters| letters.len() == 1));
    quiet(&server);
    server.restart();
    quiet(&server);
    assert_eq!(letters(&server), before);
    assert_eq!(messages(&server.client()).len(), 2, "neither message was written again");
}

#[test]
fn an_entity_that_is_killed_heals_itself_and_loses_nothing() {
    let server = Server::store();
    let (client, admin) = (server.client(), server.admin());
    let product = product(&client, 10);
    place(&client, product, 3).created();
    quiet(&server);
    let before = client.json("/orders/1");
    for kind in ["order", "store.order"] {
        admin.post(&format!("/admin/entities/{kind}/1/kill")).is(200);
        assert_eq!(client.json("/orders/1"), before);
        let seen = admin.json(&format!("/admin/entities/{kind}/1"));
        assert!(seen["sequence"].is_u64() || seen["state"].is_object(), "{seen}");
    }
    client.http("DELETE :8088/orders/1").is(204);
    quiet(&server);
    assert_eq!((stock(&client, product), rows(&client, "orders").len()), (10, 0));
    // Under load the one that is killed costs at most an answer each time.
    for round in 0..4 {
        admin.post("/admin/entities/product/1/kill").is(200);
        buy(&client, product, 1).created();
        assert!(round < 5, "restarts are limited to 5 within 60 s");
    }
    quiet(&server);
    assert_eq!(stock(&client, product), 6);
    for unknown in ["order/999", "kitchen/1"] {
        admin.get(&format!("/admin/entities/{unknown}")).is(404);
        admin.post(&format!("/admin/entities/{unknown}/kill")).is(404);
    }
}

#[test]
fn an_entity_that_fails_too_often_is_quarantined_alone_until_its_service_is_restarted() {
    let server = Server::store();
    let (client, admin) = (server.client(), server.admin());
    let (poisoned, healthy) = (product(&client, 10), product(&client, 10));
    eventually(SOON, "quarantine", || {
        admin.post("/admin/entities/product/1/kill");
        (client.get("/products/1").status == 503).then_some(())
    });
    let refused = eventually(SOON, "not only backoff", || {
        let refused = client.http("PATCH :8088/products/1 price=1").is(503);
        refused.text().contains("quarantined").then_some(refused)
    });
    assert!(refused.header("retry-after").is_some(), "{refused}");
    // What is dispatched to it waits; what is dispatched to others does not.
    place(&client, poisoned, 3).created();
    place(&client, healthy, 4).created();
    becomes(&client, "/products/2", "quantity", &json!(14));
    client.get("/products").is(200);
    assert_eq!(client.get("/products/1").status, 503);
    operate(&server, "product", "restart");
    becomes(&client, "/products/1", "quantity", &json!(13));
    quiet(&server);
    assert_eq!((stock(&client, poisoned), stock(&client, healthy)), (13, 14));
}

#[test]
fn probes_answer_on_both_addresses() {
    let server = Server::store();
    for client in [server.client(), server.admin()] {
        for path in [
            "/livez",
            "/readyz",
            "/startupz",
            "/actuator/health",
            "/actuator/health/liveness",
            "/actuator/health/readiness",
        ] {
            assert_eq!(client.json(path), json!({"status": "UP"}), "{path}");
        }
        client.post("/readyz").is(405);
    }
    // An operator's stop of one service takes no other traffic away.
    operate(&server, "delivery", "stop");
    client_is_up(&server);
}

fn client_is_up(server: &Server) {
    assert_eq!(server.client().get("/livez").status, 200);
    assert_eq!(server.client().get("/readyz").status, 200);
}
