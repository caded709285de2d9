//! The five systems in one process, and their switches while it runs.

use std::collections::BTreeSet;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::common::{Client, SOON, Server, Setup, eventually};

/// A system and one of its collections.
const COLLECTIONS: [(&str, &str); 5] = [
    ("store", "orders"),
    ("stay", "bookings"),
    ("library", "rents"),
    ("station", "stockFlows"),
    ("procurement", "deliveryrequests"),
];

#[track_caller]
fn soon(mut holds: impl FnMut() -> bool) {
    eventually(SOON, "what has to hold", || holds().then_some(()));
}

fn fleet() -> Server {
    Setup::default().system("all").flag("--service-ports=free").start()
}

#[test]
fn all_systems_live_in_one_process_each_under_its_name() {
    let server = fleet();
    let client = server.client();
    let root = client.json("/");
    for (system, collection) in COLLECTIONS {
        let path = format!("/{system}/{collection}");
        let list = client.json(&path);
        assert_eq!(list["_embedded"][collection], json!([]), "{path}");
        assert!(list["_links"]["self"]["href"].as_str().unwrap().contains(&path), "{list}");
        client.get(&format!("/{collection}")).is(404);
        let link = root["_links"][system]["href"].as_str().unwrap();
        assert!(link.ends_with(&format!("/{system}")), "{link}");
    }
    let systems: BTreeSet<String> = server
        .admin()
        .json("/admin/services")
        .as_array()
        .unwrap()
        .iter()
        .map(|service| service["system"].as_str().unwrap().to_owned())
        .collect();
    assert!(COLLECTIONS.iter().all(|(system, _)| systems.contains(*system)), "{systems:?}");
}

#[test]
fn what_is_declared_is_told_to_programs() {
    let server = fleet();
    let document = server.client().json("/openapi.json");
    let operation = |path: &str, method: &str| document["paths"][path][method].clone();
    for (system, collection) in COLLECTIONS {
        assert!(operation(&format!("/{system}/{collection}"), "get").is_object(), "{system}/{collection}");
    }
    assert!(operation("/stay/bookings", "post").is_object());
    assert!(operation("/stay/bookings/{id}", "delete")["responses"]["204"].is_object());
    assert!(operation("/station/orders/placeOrder", "post")["requestBody"].is_object());
    assert!(operation("/library/rents/search/findByOrderId", "get").is_object());
    let booking = &document["components"]["schemas"]["stay.booking"]["properties"];
    assert_eq!(booking["price"]["type"], json!(["integer", "null"]));
    let text = document.to_string();
    let references = text.split("\"#/components/schemas/").skip(1).map(|rest| rest.split('"').next().unwrap());
    for name in references {
        assert!(document["components"]["schemas"][name].is_object(), "{name} is referred to and not there");
    }
    let own = server.client().json("/stay/openapi.json");
    assert!(own["paths"].as_object().unwrap().keys().all(|path| path.starts_with("/stay")), "{own}");
}

#[test]
fn one_system_is_stopped_and_the_others_do_not_notice() {
    let server = fleet();
    let client = server.client();
    for service in ["order", "delivery", "product", "payment", "alarm"] {
        server.admin().post(&format!("/admin/services/store/{service}/stop")).is(200);
    }
    client.get("/store/orders").is(503);
    client.http("http POST :8088/library/orders item=COSMOS").is(201);
    client.http("http POST :8088/stay/rooms name=A price=1 address=B host=C").is(201);
    server.admin().get("/admin/quiesce?within=60s");
    assert_eq!(client.json("/library/rents")["page"]["totalElements"], 1);
}

#[test]
fn each_service_of_each_system_has_an_address_of_its_own() {
    let server = fleet();
    for (service, path) in [("store/order", "/orders"), ("stay/pay", "/payments"), ("library/rent", "/rents")] {
        Client::new(server.service_address(service)).get(path).is(200);
    }
    let (rent, pay) = (server.service_address("library/rent"), server.service_address("stay/pay"));
    assert_ne!(rent, pay);
    Client::new(rent).get("/payments").is(404);
}

#[test]
fn switches_are_read_again_by_a_signal_and_by_the_operators_call_and_a_bad_file_changes_nothing() {
    let mut server = Setup::default().system("stay").config("[systems.stay]\nalarm.prefix = \"Hello\"").start();
    let client = server.client();
    let book = |date: &str| {
        let booking = format!("http POST :8080/bookings roomId=1 name=A price=1 host=H guest=G usedate={date}");
        client.http(&booking)
    };
    let contents = || {
        let alarms = client.json("/alarms?size=1000");
        let alarms = alarms["_embedded"]["alarms"].as_array().unwrap().clone();
        alarms.iter().map(|alarm| alarm["content"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    book("20301224").is(201);
    book("20301224").is(409);
    soon(|| contents().len() == 4);
    assert!(contents().iter().all(|content| content.starts_with("Hello ")), "{:?}", contents());

    server.reconfigure("[systems.stay]\nexclusive = false\nalarm.prefix = \"Moin\"\n[server]\ndrain = \"7s\"");
    let told = server.admin().post("/admin/reload").is(200).json();
    assert_eq!((&told["applied"], &told["needs_restart"]), (&json!(["stay"]), &json!(["server"])));
    book("20301224").is(201);
    soon(|| contents().iter().filter(|content| content.starts_with("Moin ")).count() == 4);

    let limit = |server: &Server| server.admin().json("/admin/breakers")[0]["in_flight_limit"].clone();
    assert_eq!(limit(&server), json!(256));
    server.reconfigure(
        "[systems.stay]\nexclusive = false\nalarm.prefix = \"Moin\"\n[link.stay.booking.pay]\nin_flight = 9",
    );
    let told = server.admin().post("/admin/reload").is(200).json();
    assert_eq!((&told["links"], &told["needs_restart"]), (&json!(["stay.booking.pay"]), &json!([])));
    assert_eq!(limit(&server), json!(9));

    server.reconfigure("[systems.stay]\nexclusive = \"perhaps\"\nalarm.prefix = \"Nope\"");
    let refused = server.admin().post("/admin/reload").is(409).json();
    assert!(refused["detail"].as_str().unwrap().contains("supervision.toml:2:1"), "{refused}");
    book("20301224").is(201);
    soon(|| contents().len() == 12);
    assert!(!contents().iter().any(|content| content.starts_with("Nope")));

    server.reconfigure("[systems.stay]\nexclusive = true");
    kill_process(Pid::from_raw(i32::try_from(server.pid()).unwrap()).unwrap(), Signal::HUP).unwrap();
    soon(|| book("20301225").status == 409);
}

#[test]
fn a_switch_that_no_system_has_is_refused_at_the_start() {
    let exited = Setup::default().system("stay").config("[systems.stay]\nexclusiv = true").prepare().run();
    assert_eq!(exited.status.code(), Some(2));
    assert!(exited.stderr.contains("supervision.toml:2:1: `systems.stay.exclusiv`"), "{}", exited.stderr);
    let exited = Setup::default().config("[systems.hotel]\nexclusive = true").prepare().run();
    assert_eq!(exited.status.code(), Some(2));
    assert!(exited.stderr.contains("supervision.toml:1:10: unknown key `systems.hotel`"), "{}", exited.stderr);
}
