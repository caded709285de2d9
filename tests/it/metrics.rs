//! The figures of a real process: all that were promised, moving by what was done, and not more for more clients.

use std::collections::BTreeSet;

use serde_json::json;

use crate::{
    common::{Client, Request, SOON, Server, Setup, eventually},
    scrape::{Scrape, promtool, said},
    shop::{buy, operate, place, product, quiet},
};

/// The names that users and checks rely on.
const PROMISED: [&str; 23] = [
    "commands_total",
    "command_seconds",
    "mailbox_depth",
    "mailbox_refused_total",
    "entities_live",
    "restarts_total",
    "quarantined",
    "journal_append_seconds",
    "journal_group_size",
    "journal_durable_offset",
    "journal_bytes",
    "snapshot_total",
    "recovery_seconds",
    "consumer_lag",
    "dead_letters",
    "breaker_state",
    "breaker_transitions_total",
    "bulkhead_in_flight",
    "bulkhead_refused_total",
    "pool_workers",
    "link_seconds",
    "http_requests_total",
    "http_request_seconds",
];

#[test]
fn a_scrape_has_every_promised_name_and_passes_promtool() {
    let server = Server::store();
    let client = server.client();
    let product = product(&client, 10);
    place(&client, product, 1).created();
    buy(&client, product, 1).created();
    quiet(&server);
    Scrape::of(&server); // so that the operators' own route is counted in the next one
    let scrape = Scrape::of(&server);
    let missing: Vec<&str> =
        PROMISED.into_iter().filter(|name| !scrape.families.contains_key(&format!("steadfast_{name}"))).collect();
    assert!(missing.is_empty(), "{missing:?} in\n{}", scrape.text);
    assert!(scrape.names().iter().all(|name| name.starts_with("steadfast_")), "{:?}", scrape.names());
    for (name, labels) in [
        ("steadfast_commands_total", [("system", "store"), ("kind", "order"), ("outcome", "done")].as_slice()),
        ("steadfast_http_requests_total", &[("route", "/orders"), ("method", "POST"), ("status", "201")]),
        ("steadfast_http_request_seconds_count", &[("route", "/orders"), ("service", "order")]),
        ("steadfast_http_requests_total", &[("route", "/metrics"), ("status", "200")]),
        ("steadfast_link_seconds_count", &[("link", "store.order.delivery")]),
        ("steadfast_journal_append_seconds_count", &[("unit", "main")]),
        ("steadfast_journal_bytes", &[("unit", "main")]),
        ("steadfast_service_state", &[("service", "alarm"), ("state", "running")]),
        ("steadfast_ready", &[]),
    ] {
        assert!(scrape.sum(name, labels) >= 1.0, "{name} {labels:?}:\n{}", scrape.text);
    }
    if let Some(output) = promtool(&["check", "metrics"], &scrape.text, "the figures as Prometheus reads them") {
        assert!(output.status.success(), "{}", said(&output));
        let wrong = scrape.text.replace("# TYPE steadfast_commands_total counter", "# TYPE steadfast_commands_total x");
        let output = promtool(&["check", "metrics"], &wrong, "").expect("it was there before");
        assert!(!output.status.success(), "and it would have said so");
    }
}

#[test]
fn figures_move_by_exactly_what_was_done() {
    let config = "[admin]\nfaults = true\n[link.breaker]\nconsecutive_failures = 1\nopen_for = \"10m\"\n";
    let server = Setup::default().config(config).start();
    let client = server.client();
    let before = Scrape::of(&server);
    let moved = |after: &Scrape, name: &str, labels: &[(&str, &str)]| {
        after.counted(name, labels) - before.counted(name, labels)
    };
    let register = |key: &str, price: u64| {
        let body = json!({"quantity": 5, "price": price});
        client.send(&Request::new("POST", "/products").json(&body).header("Idempotency-Key", key))
    };
    let first = register("a", 1).created();
    register("b", 1).created();
    register("b", 1).is(201);
    register("b", 2).is(422);
    place(&client, first, 1).created();
    client.get("/orders/77").is(404);
    quiet(&server);

    let after = Scrape::of(&server);
    let commands = |kind, outcome| {
        moved(&after, "steadfast_commands_total", &[("system", "store"), ("kind", kind), ("outcome", outcome)])
    };
    // A product is registered twice, and its stock is moved once by the order's delivery.
    for (kind, outcome, count) in [
        ("product", "done", 3.0),
        ("product", "replayed", 1.0),
        ("product", "refused", 1.0),
        ("order", "done", 2.0),
        ("delivery", "done", 1.0),
        ("payment", "done", 0.0),
        ("order", "unknown", 0.0),
        ("order", "abandoned", 0.0),
    ] {
        assert!((commands(kind, outcome) - count).abs() < 0.1, "{kind} {outcome}:\n{}", after.text);
    }
    let is = |name: &str, labels: &[(&str, &str)], count: f64| {
        assert!((moved(&after, name, labels) - count).abs() < 0.1, "{name} {labels:?} by {count}:\n{}", after.text);
    };
    is("steadfast_command_seconds_count", &[("kind", "product")], 5.0);
    is("steadfast_http_requests_total", &[("route", "/products"), ("method", "POST"), ("status", "201")], 3.0);
    is("steadfast_http_requests_total", &[("route", "/products"), ("method", "POST"), ("status", "422")], 1.0);
    is("steadfast_http_requests_total", &[("route", "/orders/{id}"), ("method", "GET"), ("status", "404")], 1.0);
    is("steadfast_http_request_seconds_count", &[("route", "/products")], 4.0);
    is("steadfast_entities_live", &[("kind", "product")], 2.0);
    is("steadfast_link_seconds_count", &[("link", "store.order.delivery")], 1.0);
    is("steadfast_consumer_lag", &[], 0.0);

    // Somebody buys what is not there: a delivery of the policy is put aside.
    buy(&client, 99, 1).created();
    quiet(&server);
    // The delivery fails once, and the link's breaker opens.
    let fault = json!({"target": "store/delivery", "fault": {"panic": true}, "for": "30s"});
    let fault = server.admin().send(&Request::new("POST", "/admin/faults").json(&fault)).is(201).json();
    let active = Scrape::of(&server);
    assert!((active.sum("steadfast_faults_active", &[]) - 1.0).abs() < 0.1, "{}", active.text);
    assert_eq!(place(&client, first, 1).status, 503);
    let id = fault["id"].as_str().unwrap();
    server.admin().send(&Request::new("DELETE", &format!("/admin/faults/{id}"))).is(200);
    operate(&server, "payment", "stop");
    operate(&server, "alarm", "restart");
    let after = Scrape::of(&server);
    let is = |name: &str, labels: &[(&str, &str)], count: f64| {
        assert!((after.sum(name, labels) - count).abs() < 0.1, "{name} {labels:?} is {count}:\n{}", after.text);
    };
    is("steadfast_dead_letters", &[("system", "store")], 1.0);
    is("steadfast_breaker_state", &[("state", "open")], 1.0);
    is("steadfast_breaker_state", &[("state", "closed")], 0.0);
    is("steadfast_breaker_transitions_total", &[("to", "open")], 1.0);
    is("steadfast_service_state", &[("service", "payment"), ("state", "stopped")], 1.0);
    is("steadfast_service_state", &[("service", "payment"), ("state", "running")], 0.0);
    is("steadfast_faults_active", &[], 0.0);
}

#[test]
fn more_clients_and_more_things_make_no_more_series() {
    let server = Server::store();
    let client = server.client();
    let visit = |client: &Client, n: u64| {
        let id = product(client, 5);
        client.get(&format!("/products/{id}")).is(200);
        client.get(&format!("/orders/{}", 1000 + n)).is(404);
        client.get(&format!("/nothing/like/{n}")).is(404);
        client.get(&format!("/nothing{n}")).is(404);
        client.get(&format!("/orders/search/findBy{n}")).is(404);
        server.admin().get(&format!("/admin/entities/product/{id}")).is(200);
        server.admin().get(&format!("/admin/nowhere/{n}")).is(404);
        let odd = Request::new(&format!("BREW{n}"), &format!("/orders/{n}")).header("X-Request-Id", &n.to_string());
        client.send(&odd).is(405);
    };
    visit(&client, 0);
    Scrape::of(&server);
    let series = |scrape: &Scrape| scrape.series.keys().cloned().collect::<BTreeSet<_>>();
    let before = series(&Scrape::of(&server));
    (1..=40).for_each(|n| visit(&client, n));
    quiet(&server);
    let after = Scrape::of(&server);
    let new: Vec<String> = series(&after).difference(&before).cloned().collect();
    // The figures were asked for once more, and for quiet.
    let expected = |series: &String| series.contains("/admin/quiesce");
    assert!(new.iter().all(expected), "{new:#?}");
    assert!(
        (after.sum("steadfast_http_requests_total", &[("route", "unmatched"), ("status", "404")]) - 164.0).abs() < 0.1,
        "{}",
        after.text
    );
    assert!(after.series.len() < 1500, "{} series of one system", after.series.len());
}

#[test]
fn recoveries_snapshots_and_restarts_are_counted() {
    let mut server = Setup::default().config("[entity]\nsnapshot_every = 2\n").start();
    let id = product(&server.client(), 5);
    for price in 1..=4 {
        let patch = Request::new("PATCH", &format!("/products/{id}")).json(&json!({"price": price}));
        server.client().send(&patch).is(200);
    }
    eventually(SOON, "two snapshots are saved", || {
        let scrape = Scrape::of(&server);
        (scrape.sum("steadfast_snapshot_total", &[("unit", "main"), ("outcome", "saved")]) >= 2.0).then_some(())
    });
    server.restart();
    let recovered = |server: &Server| {
        Scrape::of(server).sum("steadfast_recovery_seconds_count", &[("service", "product"), ("kind", "product")])
    };
    assert!(recovered(&server).abs() < 0.1, "nothing was asked yet");
    server.client().get(&format!("/products/{id}")).is(200);
    assert!((recovered(&server) - 1.0).abs() < 0.1);
}
