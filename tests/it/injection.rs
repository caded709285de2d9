//! Faults that operators inject: through the admin API of the real process, as its clients and its log show them.

use std::{thread, time::Duration};

use serde_json::{Value, json};

use crate::{
    common::{Client, Request, Response, SOON, Server, Setup, Watch, eventually},
    shop::{buy, place, product, quiet, stock},
};

/// A store in which faults may be injected.
#[track_caller]
fn store() -> Server {
    Setup::default().config("[admin]\nfaults = true\n").start()
}

fn post(admin: &Client, body: &Value) -> Response {
    admin.send(&Request::new("POST", "/admin/faults").json(body))
}

/// Injects a fault for half a minute; its id.
#[track_caller]
pub(crate) fn inject(server: &Server, target: &str, fault: &Value) -> String {
    let answer = post(&server.admin(), &json!({"target": target, "fault": fault, "for": "30s"})).is(201);
    answer.json()["id"].as_str().unwrap().to_owned()
}

#[track_caller]
pub(crate) fn end(server: &Server, id: &str) -> Value {
    server.admin().send(&Request::new("DELETE", &format!("/admin/faults/{id}"))).is(200).json()
}

#[track_caller]
fn fault(server: &Server, id: &str) -> Value {
    server.admin().json(&format!("/admin/faults/{id}"))
}

/// What a client is told of a fault, in people's words.
#[track_caller]
fn told_by(answer: &Response, id: &str) {
    let body = answer.json();
    let detail = body["detail"].as_str().unwrap();
    assert!(detail.contains(&format!("injected fault {id}")), "{answer}");
    assert!(answer.header("retry-after").is_some(), "{answer}");
}

#[test]
fn faults_are_off_until_the_configuration_says_otherwise() {
    let server = Server::store();
    let admin = server.admin();
    let body = json!({"target": "store/order", "fault": {"panic": true}, "for": "5s"});
    let refused =
        [post(&admin, &body), admin.get("/admin/faults"), admin.send(&Request::new("DELETE", "/admin/faults/f1"))];
    for refused in refused {
        assert_eq!(refused.status, 403, "{refused}");
        let detail = refused.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains("[admin]") && detail.contains("faults = true"), "{detail}");
    }
    let environment = Setup::default().environment("STEADFAST__ADMIN__FAULTS", "true").start();
    assert_eq!(environment.admin().json("/admin/faults"), json!([]));
}

#[test]
fn a_latency_slows_its_service_down_and_nobody_else_until_it_is_ended() {
    let server = store();
    let (client, admin) = (server.client(), server.admin());
    let product = product(&client, 10);
    let body = json!({"target": "Store/Delivery", "fault": {"latency": {"base": "300ms", "spread": "100ms"}}, "for": "30s",
        "probability": 1, "seed": 5});
    let answer = post(&admin, &body).is(201);
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(answer.header("location"), Some(format!("/admin/faults/{id}").as_str()));
    let shown = answer.json();
    assert_eq!(json!([shown["target"], shown["state"], shown["fired"]]), json!(["store/delivery", "active", 0]));
    assert_eq!(shown["fault"], json!({"latency": {"base": "300ms", "spread": "100ms"}}));

    let watch = Watch::start();
    place(&client, product, 3).created();
    assert!(watch.passed() >= Duration::from_millis(300), "{:?}", watch.passed());
    buy(&client, product, 1).created();
    client.http(&format!("PATCH :8088/products/{product} price=1200")).is(200);
    assert_eq!(fault(&server, &id)["fired"], json!(1), "it fires for each command of its service and for no other's");

    let ended = end(&server, &id);
    assert_eq!(json!([ended["state"], ended["ended"], ended["fired"]]), json!(["ended", "removed", 1]));
    place(&client, product, 3).created();
    let gone = admin.send(&Request::new("DELETE", &format!("/admin/faults/{id}"))).is(404);
    assert!(gone.text().contains("has ended"), "{gone}");
    let log = server.stderr();
    for part in ["a fault was injected", "injected: latency", "an injected fault has ended"] {
        let told = log.lines().filter(|line| line.contains(part) && line.contains(&id)).count();
        assert_eq!(told, 1, "{part} of {id}, once: others and who came after its end met no latency\n{log}");
    }
}

#[test]
fn whoever_waits_in_a_latency_goes_on_when_it_is_ended() {
    let server = store();
    let product = product(&server.client(), 10);
    let id = inject(&server, "store/payment", &json!({"latency": "2500ms"}));
    let client = server.client();
    let watch = Watch::start();
    let buyer = thread::spawn(move || buy(&client, product, 1));
    eventually(SOON, "somebody waits", || (fault(&server, &id)["waiting"] == json!(1)).then_some(()));
    assert_eq!(end(&server, &id)["fired"], json!(1));
    buyer.join().unwrap().created();
    assert!(watch.passed() < Duration::from_millis(2500), "{:?}", watch.passed());
}

#[test]
fn a_slow_disk_slows_writers_down_and_no_readers_until_it_is_ended() {
    let server = store();
    let (client, admin) = (server.client(), server.admin());
    let (product, other) = (product(&client, 10), product(&client, 20));
    quiet(&server);
    let id = inject(&server, "storage/main", &json!({"latency": "300ms"}));
    let watch = Watch::start();
    client.http(&format!("PATCH :8088/products/{product} price=1200")).is(200);
    assert!(watch.passed() >= Duration::from_millis(300), "{:?}", watch.passed());
    assert_eq!(client.json(&format!("/products/{product}"))["price"], 1200);
    quiet(&server);
    let (fired, waiting) = (fault(&server, &id)["fired"].as_u64().unwrap(), fault(&server, &id)["waiting"].clone());
    assert!(fired >= 1 && waiting == json!(0), "{}", fault(&server, &id));
    end(&server, &id);

    // Longer than anybody waits, and ended before that.
    let id = inject(&server, "storage", &json!({"latency": "10m"}));
    let change = format!("PATCH :8088/products/{product} price=1300");
    let writer = thread::spawn({
        let client = client.clone();
        move || client.http(&change)
    });
    eventually(SOON, "it waits", || (fault(&server, &id)["waiting"] == json!(1)).then_some(()));
    assert_eq!(stock(&client, other), 20, "who does not write is read");
    let reader = thread::spawn({
        let client = client.clone();
        move || client.json(&format!("/products/{product}"))
    });
    end(&server, &id);
    assert_eq!(reader.join().unwrap()["price"], 1300, "nothing is shown before it is durable");
    writer.join().unwrap().is(200);
    assert_eq!(client.json(&format!("/products/{product}"))["price"], 1300);
    quiet(&server);
    let wrong = json!({"target": "storage", "fault": {"panic": true}, "for": "5s"});
    assert!(post(&admin, &wrong).is(400).text().contains("storage takes latency and append"));
}

#[test]
fn an_error_is_refused_with_503_and_says_that_it_was_injected() {
    let server = store();
    let client = server.client();
    let product = product(&client, 10);
    let id = inject(&server, "store/delivery", &json!({"error": "no drivers"}));
    let refused = place(&client, product, 3).is(503);
    told_by(&refused, &id);
    assert!(refused.text().contains("no drivers"), "{refused}");
    end(&server, &id);
    let id = inject(&server, "product/1", &json!({"error": true}));
    let refused = client.http("PATCH :8088/products/1 price=1200").is(503);
    told_by(&refused, &id);
    assert_eq!(refused.json()["fault"], json!(id), "programs find it, too: {refused}");
    place(&client, product, 3).created();
    let lagging = server.admin().get("/admin/quiesce?within=300ms").is(503);
    assert!(lagging.text().contains("on their way"), "what a policy sends waits: {lagging}");
    end(&server, &id);
    quiet(&server);
    assert_eq!(stock(&client, product), 13);
}

#[test]
fn a_panic_costs_an_answer_and_too_many_of_them_the_entity() {
    let server = store();
    let (client, admin) = (server.client(), server.admin());
    let (hit, spared) = (product(&client, 10), product(&client, 10));
    let body = json!({"target": format!("store.product/{hit}"), "fault": {"panic": true}, "for": "30s", "count": 1});
    let id = post(&admin, &body).is(201).json()["id"].as_str().unwrap().to_owned();
    told_by(&client.http("PATCH :8088/products/1 price=1200").is(503), &id);
    client.http("PATCH :8088/products/1 price=1200").is(200);
    assert_eq!(json!([fault(&server, &id)["ended"], fault(&server, &id)["fired"]]), json!(["used_up", 1]));

    let id = inject(&server, "product/1", &json!({"panic": true}));
    let quarantined = eventually(SOON, "quarantine", || {
        let refused = client.http("PATCH :8088/products/1 price=1300").is(503);
        refused.text().contains("quarantined").then_some(refused)
    });
    told_by(&quarantined, &id);
    let phase = admin.json("/admin/entities/product/1")["phase"].as_str().unwrap().to_owned();
    assert!(phase.contains(&format!("injected fault {id}")), "{phase}");
    client.http(&format!("PATCH :8088/products/{spared} price=1300")).is(200);
}

#[test]
fn a_journal_that_fails_on_purpose_is_opened_again_in_the_running_process() {
    let mut server = store();
    let (client, admin) = (server.client(), server.admin());
    let product = product(&client, 10);
    let body = json!({"target": "storage/main", "fault": {"append": "fail"}, "for": "30s", "count": 1});
    let id = post(&admin, &body).is(201).json()["id"].as_str().unwrap().to_owned();
    let key = |request: Request| request.header("Idempotency-Key", "mine");
    let patch = || client.send(&key(Request::new("PATCH", "/products/1")).json(&json!({"price": 7})));
    let unknown = patch().is(504);
    assert!(unknown.text().contains(&format!("injected fault {id}")), "{unknown}");
    assert_eq!(fault(&server, &id)["fired"], json!(1));
    eventually(SOON, "ready again", || (client.get("/readyz").status == 200).then_some(()));
    let done = eventually(SOON, "done after all", || Some(patch()).filter(|answer| answer.status == 200));
    assert_eq!(done.json()["price"], json!(7));
    assert_eq!(server.exited(), None);
    quiet(&server);
    let tree = admin.get("/admin/tree").text();
    assert!(tree.contains(&format!("injected fault {id}")), "{tree}");

    let body = json!({"target": "storage", "fault": {"append": "full"}, "for": "30s"});
    let id = post(&admin, &body).is(201).json()["id"].as_str().unwrap().to_owned();
    let refused = buy(&client, product, 1).is(503);
    told_by(&refused, &id);
    assert_eq!(refused.header("retry-after"), Some("5"));
    client.get("/products/1").is(200);
    end(&server, &id);
    buy(&client, product, 1).created();
}

#[test]
fn a_service_that_is_not_well_is_not_ready() {
    let server = store();
    let (client, admin) = (server.client(), server.admin());
    let id = inject(&server, "store/delivery", &json!({"health": "down"}));
    for answer in [client.get("/readyz"), admin.get("/actuator/health")] {
        assert_eq!(answer.status, 503, "{answer}");
        assert!(answer.text().contains(&format!("store/delivery: not well by the injected fault {id}")), "{answer}");
    }
    client.get("/livez").is(200);
    end(&server, &id);
    client.get("/readyz").is(200);
}

#[test]
fn a_body_that_is_wrong_is_refused_with_what_there_is() {
    let server = store();
    let admin = server.admin();
    let good = json!({"target": "store/delivery", "fault": {"panic": true}, "for": "5s"});
    let with = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        body
    };
    for (body, field, part) in [
        (with("target", json!("store/kitchen")), "target", "no service"),
        (with("target", json!("kitchen/1")), "target", "no kind"),
        (with("target", json!("store.product/1")), "target", "no entity"),
        (with("target", json!("link/store.order.kitchen")), "target", "no link"),
        (with("target", json!("storage/kitchen")), "target", "no storage unit"),
        (with("target", json!("link/store.order.delivery")), "fault", "a link takes latency and error"),
        (with("fault", json!({"append": "full"})), "fault", "a service takes"),
        (with("for", json!("25h")), "for", "24h"),
        (with("probability", json!(2)), "probability", "at most 1"),
    ] {
        let refused = post(&admin, &body);
        assert_eq!(refused.status, 400, "{body}: {refused}");
        let told = refused.json();
        assert_eq!(told["field"], json!(field), "{body}: {refused}");
        assert!(told["detail"].as_str().unwrap().contains(part), "{body}: {refused}");
    }
    let unknown = post(&admin, &with("target", json!("store/kitchen"))).json();
    assert!(unknown["available"].as_array().unwrap().contains(&json!("store/delivery")), "{unknown}");
    let poisons = json!({"target": "storage", "fault": {"append": "fail"}, "for": "5s"});
    assert_eq!(post(&admin, &poisons).is(400).json()["field"], json!("count"));
    for empty in ["", "[]", "{"] {
        let request = Request::new("POST", "/admin/faults").body(empty.as_bytes());
        assert_eq!(admin.send(&request).status, 400, "{empty:?}");
    }
    admin.get("/admin/faults/f1").is(404);
    assert_eq!(admin.json("/admin/faults"), json!([]), "none of them was injected");

    for _ in 0..32 {
        post(&admin, &good).is(201);
    }
    let refused = post(&admin, &good).is(409);
    assert!(refused.text().contains("32"), "{refused}");
    assert_eq!(admin.json("/admin/faults").as_array().unwrap().len(), 32);
    eventually(SOON, "their time is over", || {
        let all = admin.json("/admin/faults");
        all.as_array().unwrap().iter().all(|fault| fault["ended"] == json!("time_over")).then_some(())
    });
    post(&admin, &good).is(201);
}
