//! What heals by itself, what is quarantined, and what a service manager is told: with real processes.

use std::os::unix::net::UnixDatagram;

use serde_json::json;

use crate::{
    common::{Client, Request, SOON, Server, Setup, eventually},
    shop::{buy, place, product, quiet},
};

/// A service manager's socket, as systemd has it, and what came to it.
struct Manager {
    _directory: tempfile::TempDir,
    socket: UnixDatagram,
    path: String,
}

impl Manager {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("notify");
        let socket = UnixDatagram::bind(&path).expect("a socket");
        socket.set_read_timeout(Some(SOON)).expect("a limit");
        let path = path.to_str().expect("text").to_owned();
        Self { _directory: directory, socket, path }
    }

    /// The next thing that it is told.
    #[track_caller]
    fn told(&self) -> String {
        let mut buffer = [0; 1024];
        let length = self.socket.recv(&mut buffer).expect("it is told something");
        String::from_utf8(buffer.get(..length).expect("what was read").to_vec()).expect("text")
    }
}

#[test]
fn a_service_manager_is_told_that_it_serves_lives_and_stops() {
    let manager = Manager::new();
    let setup = Setup::default().environment("NOTIFY_SOCKET", &manager.path).environment("WATCHDOG_USEC", "1000000");
    let mut server = setup.start();
    let mut ready = manager.told();
    while ready == "WATCHDOG=1" {
        ready = manager.told(); // alive it may be before it serves
    }
    assert!(ready.starts_with("READY=1\nSTATUS=") && ready.contains(server.listen()), "{ready}");
    server.client().get("/orders").is(200);
    for _ in 0..3 {
        assert_eq!(manager.told(), "WATCHDOG=1");
    }
    server.signal_terminate();
    let mut last = manager.told();
    while last == "WATCHDOG=1" {
        last = manager.told();
    }
    assert!(last.starts_with("STOPPING=1"), "{last}");
    assert!(server.wait().status.success());
}

#[test]
fn an_entity_that_fails_too_often_is_shown_in_quarantine_and_resumed() {
    let server = Server::store();
    let (client, admin) = (server.client(), server.admin());
    let (bad, good) = (product(&client, 10), product(&client, 10));
    assert_eq!(admin.json("/admin/quarantine"), json!([]));
    for _ in 0..6 {
        admin.post(&format!("/admin/entities/product/{bad}/kill")).is(200);
    }
    let answer = admin.get("/admin/quarantine").is(200);
    assert_eq!(answer.header("x-total-count"), Some("1"));
    let listed = answer.json();
    assert_eq!(json!([listed[0]["kind"], listed[0]["number"]]), json!(["store.product", bad]));
    assert_eq!(json!([listed[0]["failures"], listed[0]["command"], listed[0]["can_skip"]]), json!([6, null, false]));
    assert_eq!(listed[0]["tried"].as_array().unwrap().len(), 6, "{listed}");
    let refused = client.get(&format!("/products/{bad}")).is(503);
    assert!(refused.header("retry-after").is_some());
    client.get(&format!("/products/{good}")).is(200);
    let page = admin.json(&format!("/admin/entities/product/{bad}"));
    assert!(page["phase"].as_str().unwrap().starts_with("quarantined: failed 6 times"), "{page}");
    assert_eq!(page["trouble"]["failures"], json!(6));

    admin.post(&format!("/admin/entities/product/{bad}/skip")).is(409);
    admin.post(&format!("/admin/entities/product/{bad}/resume")).is(200);
    let again = admin.post(&format!("/admin/entities/product/{bad}/resume")).is(409);
    assert_eq!(again.json()["code"], "NOT_IN_QUARANTINE");
    client.get(&format!("/products/{bad}")).is(200);
    assert_eq!(admin.json("/admin/quarantine"), json!([]));
}

/// The first demonstration of the originals: a health check that fails has a service restarted, and data is intact. Here
/// it goes on until the service is given up, and nobody else notices.
#[test]
fn a_service_that_is_ill_is_restarted_then_given_up_and_its_neighbours_sell_on() {
    let config = r#"
[admin]
faults = true
[probe.store.delivery]
delay = "50ms"
period = "50ms"
timeout = "2s"
threshold = 3
[[supervisor]]
name = "services"
at_most = 2
backoff = { min = "20ms", max = "50ms" }
"#;
    let server = Setup::default().config(config).flag("--service-ports=free").start();
    let (client, admin) = (server.client(), server.admin());
    let port = Client::new(server.service_address("store/delivery"));
    let delivery = || {
        let services = admin.json("/admin/services");
        services.as_array().unwrap().iter().find(|service| service["service"] == "delivery").unwrap().clone()
    };
    let product = product(&client, 10);
    let order = place(&client, product, 1).created();
    quiet(&server);
    eventually(SOON, "the delivery is well", || (delivery()["probe"]["state"] == "well").then_some(()));
    port.get("/actuator/health").is(200);

    let fault = json!({ "target": "store/delivery", "fault": { "health": "down" }, "for": "5m" });
    let fault = admin.send(&Request::new("POST", "/admin/faults").json(&fault)).is(201).json()["id"].clone();
    let given_up = eventually(SOON, "the delivery is given up", || {
        Some(delivery()).filter(|delivery| delivery["state"] == "failed")
    });
    assert_eq!(given_up["restarts"], json!(2), "{given_up}");
    let reason = given_up["last_reason"].as_str().unwrap();
    assert!(reason.starts_with("given up after more than 2 restarts within 60s: 3 probes failed in a row"), "{reason}");
    assert_eq!(given_up["failures"].as_array().unwrap().len(), 3, "{given_up}");
    let tree = admin.json("/admin/tree").to_string();
    assert!(tree.contains(r#""state":"failed""#), "{tree}");

    let refused = client.get("/deliveries").is(503);
    assert!(refused.header("retry-after").is_some());
    assert!(port.get("/actuator/health").is(503).text().contains("given up"));
    // What does not need it goes on; what does is refused, and nothing of it remains.
    buy(&client, product, 2).created();
    place(&client, product, 2).is(503);
    let pid = server.pid();

    let fault = fault.as_str().unwrap();
    admin.send(&Request::new("DELETE", &format!("/admin/faults/{fault}"))).is(200);
    assert!(client.get("/readyz").is(200).text().contains("store/delivery: failed: given up"));
    assert!(admin.get("/readyz").is(503).text().contains("store/delivery: failed: given up"));
    admin.post("/admin/services/store/delivery/start").is(200);
    let second = place(&client, product, 2).created();
    quiet(&server);
    assert_eq!(client.json("/deliveries")["_embedded"]["deliveries"].as_array().unwrap().len(), 2, "{order} {second}");
    eventually(SOON, "the delivery is well again", || (delivery()["probe"]["state"] == "well").then_some(()));
    assert_eq!(json!([delivery()["state"], server.pid()]), json!(["running", pid]), "the process is the same");
    assert!(!admin.get("/readyz").is(200).text().contains("degraded"));
}

/// A command that panics each time: a client repeats it with its key, until its entity is in quarantine.
#[test]
fn a_command_that_poisons_its_entity_is_skipped_and_stays_so_after_a_restart() {
    let mut server = Setup::default().config("[admin]\nfaults = true\n").start();
    let bad = product(&server.client(), 10);
    let fault = json!({ "target": format!("store.product/{bad}"), "fault": { "panic": true }, "for": "5m" });
    let inject = Request::new("POST", "/admin/faults").json(&fault);
    let fault = server.admin().send(&inject).is(201).json()["id"].as_str().unwrap().to_owned();
    let poison = Request::new("PATCH", &format!("/products/{bad}"))
        .json(&json!({ "quantity": 5 }))
        .header("Idempotency-Key", "poison");
    for _ in 0..6 {
        server.client().send(&poison).is(503);
    }
    let listed = server.admin().json("/admin/quarantine");
    assert_eq!(json!([listed[0]["number"], listed[0]["command"]["by"]]), json!([bad, "client"]), "{listed}");
    assert_eq!(listed[0]["can_skip"], json!(true));
    server.admin().send(&Request::new("DELETE", &format!("/admin/faults/{fault}"))).is(200);
    let skipped = server.admin().post(&format!("/admin/entities/product/{bad}/skip")).is(200).json();
    assert_eq!(skipped["skipped"]["command"], listed[0]["command"]["id"], "{skipped}");
    for _ in 0..2 {
        let refused = server.client().send(&poison).is(409).json();
        assert_eq!(refused["code"], json!("REFUSED_BY_OPERATOR"), "{refused}");
        assert_eq!(server.client().json(&format!("/products/{bad}"))["quantity"], json!(10));
        server.restart();
    }
    let other = Request::new("PATCH", &format!("/products/{bad}")).json(&json!({ "quantity": 5 }));
    server.client().send(&other).is(200);
    assert_eq!(server.admin().json("/admin/quarantine"), json!([]));
}
