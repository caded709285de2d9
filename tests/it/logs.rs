//! Lines of the log and of the access log: by correlation id, off the way of requests.

use std::fs;

use serde_json::{Value, json};

use crate::{
    common::{Client, Request, SOON, Server, Setup, eventually},
    scrape::Scrape,
    shop::{operate, product, quiet},
};

fn order(client: &Client, product: u64, correlation: &str) -> u16 {
    let body = json!({"productId": product, "quantity": 1});
    client.send(&Request::new("POST", "/orders").json(&body).header("X-Request-Id", correlation)).status
}

/// The lines of standard error that are JSON, whatever else is there.
fn lines(server: &Server) -> Vec<Value> {
    server.stderr().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

#[test]
fn every_line_about_a_request_names_it_also_those_that_other_tasks_write() {
    let config = "[admin]\nfaults = true\n[entity]\nrestarts = { at_most = 1, within = \"60s\" }\n";
    let server =
        Setup::default().config(config).flag("--log-format").flag("json").environment("RUST_LOG", "warn").start();
    let (client, admin) = (server.client(), server.admin());
    let id = product(&client, 10);
    // What a policy cannot deliver, and an entity that fails.
    let buy = Request::new("POST", "/payments").json(&json!({"productId": 99, "quantity": 1, "price": 5}));
    client.send(&buy.header("X-Request-Id", "of-nothing")).is(201);
    quiet(&server);
    let fault = json!({"target": "store/order", "fault": {"panic": true}, "for": "30s", "count": 1});
    admin.send(&Request::new("POST", "/admin/faults").json(&fault)).is(201);
    assert_eq!(order(&client, id, "fails"), 503);
    let about = |message: &str, correlation: &str| {
        eventually(SOON, message, || {
            let found = lines(&server).into_iter().find(|line| line["fields"]["message"] == message)?;
            assert_eq!(found["span"]["correlation"], correlation, "{found}");
            Some(())
        });
    };
    about("put aside", "of-nothing");
    about("entity failed", "fails");
}

/// The lines of an access log.
fn access(server: &Server) -> Vec<Value> {
    let text = fs::read_to_string(server.directory().join("access.log")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_access_log_has_a_line_for_each_request_with_its_route_and_correlation() {
    let mut server = Setup::default().config("[log]\naccess = \"access.log\"\n").start();
    let client = server.client();
    let id = product(&client, 10);
    assert_eq!(order(&client, id, "first"), 201);
    client.get(&format!("/products/{id}?secret=1")).is(200);
    client.get("/nothing/here").is(404);
    let line = eventually(SOON, "four lines", || {
        let lines = access(&server);
        let own: Vec<_> = lines.iter().filter(|line| line["correlation"] == "first").cloned().collect();
        (lines.len() == 4 && own.len() == 1).then(|| own[0].clone())
    });
    assert_eq!(
        [&line["method"], &line["path"], &line["route"], &line["system"], &line["service"], &line["status"]],
        [&json!("POST"), &json!("/orders"), &json!("/orders"), &json!("store"), &json!("order"), &json!(201)]
    );
    assert!(line["micros"].as_u64().unwrap() > 0 && line["bytes"].as_u64().unwrap() > 10, "{line}");
    assert!(line["at"].as_str().unwrap().ends_with('Z'), "{line}");
    let routes: Vec<Value> = access(&server).iter().map(|line| line["route"].clone()).collect();
    assert_eq!(routes, ["/products", "/orders", "/products/{id}", "unmatched"]);
    assert!(access(&server).iter().all(|line| !line.to_string().contains("secret")), "a query is nobody's business");
    let scrape = Scrape::of(&server);
    assert!((scrape.sum("steadfast_access_log_lines_total", &[("outcome", "taken")]) - 4.0).abs() < 0.1);
    // What was taken is written before the process ends, and a new one goes on behind it.
    assert_eq!(order(&client, id, "last"), 201);
    assert!(server.terminate().status.success());
    assert!(access(&server).iter().any(|line| line["correlation"] == "last"));
    let before = access(&server).len();
    server.start();
    server.client().get("/products").is(200);
    eventually(SOON, "one more", || (access(&server).len() > before).then_some(()));
}

#[test]
fn a_sample_has_some_of_the_requests_and_all_errors_of_ours() {
    let config = "[log]\naccess = \"access.log\"\naccess_one_in = 50\n";
    let server = Setup::default().config(config).start();
    let client = server.client();
    let mut connection = client.connect().unwrap();
    for n in 0..400 {
        let request = Request::new("GET", "/products").header("X-Request-Id", &format!("n{n}"));
        assert_eq!(connection.try_send(&request).unwrap().status, 200);
    }
    operate(&server, "payment", "stop");
    for _ in 0..20 {
        client.get("/payments").is(503);
    }
    let of = |status: u64| access(&server).iter().filter(|line| line["status"] == status).count();
    eventually(SOON, "all errors", || (of(503) == 20).then_some(()));
    assert!((1..40).contains(&of(200)), "{} of 400, one in 50", of(200));
}

#[test]
fn an_access_log_that_cannot_be_opened_is_a_mistake_that_is_told() {
    let config = "[log]\naccess = \"no/such/directory/access.log\"\n";
    let exited = Setup::default().config(config).prepare().run();
    assert_eq!(exited.status.code(), Some(2), "{}", exited.stderr);
    assert!(exited.stderr.contains("no/such/directory/access.log"), "{}", exited.stderr);
}
