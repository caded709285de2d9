//! What heals by itself, what is quarantined, and what a service manager is told: with real processes.

use std::os::unix::net::UnixDatagram;

use serde_json::json;

use crate::{
    common::{Server, Setup},
    shop::{SOON, product},
};

/// A service manager's socket, as systemd has it, and what came to it.
struct Manager {
    _directory: tempfile::TempDir,
    socket: UnixDatagram,
    path: String,
}

impl Manager {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(SOON)).unwrap();
        let path = path.to_str().unwrap().to_owned();
        Self { _directory: directory, socket, path }
    }

    /// The next thing that it is told.
    #[track_caller]
    fn told(&self) -> String {
        let mut buffer = [0; 1024];
        let length = self.socket.recv(&mut buffer).expect("it is told something");
        String::from_utf8(buffer[..length].to_vec()).unwrap()
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
    admin.post(&format!("/admin/entities/product/{bad}/resume")).is(404);
    client.get(&format!("/products/{bad}")).is(200);
    assert_eq!(admin.json("/admin/quarantine"), json!([]));
}
