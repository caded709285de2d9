//! Storage units with backends of their own, and services that are configured away from their data.

use serde_json::json;

use crate::{
    common::{Server, Setup},
    shop::{buy, messages, place, product, quiet, rows},
};

const ALARM_IN: &str = "[storage.unit.alarm]\nservices = [\"store/alarm\"]\njournal = ";

fn alarm_in(journal: &str) -> String {
    format!("{ALARM_IN}\"{journal}\"\n")
}

fn trade(server: &Server) -> Vec<String> {
    let client = server.client();
    let goods = product(&client, 10);
    place(&client, goods, 3).is(201);
    buy(&client, goods, 1).is(201);
    quiet(server);
    let told = messages(&client);
    assert!(told.len() >= 4, "{told:?}");
    told
}

#[test]
fn a_shop_in_sled_survives_kills_and_repeats() {
    let mut server = Setup::default().flag("--journal").flag("sled").start();
    let told = trade(&server);
    for _ in 0..2 {
        server.restart();
        quiet(&server);
        assert_eq!(messages(&server.client()), told);
        assert_eq!(rows(&server.client(), "orders").len(), 1);
    }
    place(&server.client(), 1, 1).is(201);
    assert!(server.data().join("main/journal-sled/sled/db").exists());
    assert!(!server.data().join("main/journal").exists());
}

#[test]
fn a_unit_keeps_its_journal_in_a_backend_of_its_own() {
    let mut server = Setup::default().config(&alarm_in("sled")).start();
    let told = trade(&server);
    let data = server.data();
    assert!(data.join("alarm/journal-sled").exists() && !data.join("alarm/journal").exists());
    assert!(data.join("main/journal").exists() && !data.join("main/journal-sled").exists());
    server.restart();
    quiet(&server);
    assert_eq!(messages(&server.client()), told);
}

#[test]
fn what_a_forgetful_unit_had_is_made_again_from_what_is_kept() {
    let mut server = Setup::default().config(&alarm_in("memory")).start();
    let mut told = trade(&server);
    assert!(!server.data().join("alarm").exists());
    server.restart();
    quiet(&server);
    let mut again = messages(&server.client());
    told.sort();
    again.sort();
    assert_eq!(again, told);
}

#[test]
fn a_policy_that_is_kept_does_not_follow_what_is_not() {
    let config = "[storage.unit.shelf]\nservices = [\"store/product\"]\njournal = \"memory\"\n";
    let mut server = Setup::default().config(config).prepare();
    let ended = server.run();
    assert_eq!(ended.status.code(), Some(2), "{}", ended.stderr);
    let said = ended.stderr.lines().last().unwrap();
    assert!(said.contains("storage unit shelf") && said.contains("in memory only"), "{said}");
}

#[test]
fn a_service_that_is_configured_away_from_its_data_does_not_start_empty() {
    let mut server = Setup::default().start();
    let told = trade(&server);
    assert!(server.terminate().status.success());
    let refused = |server: &mut Server, config: &str, says: &[&str]| {
        server.reconfigure(config);
        let ended = server.run();
        let said = ended.stderr.lines().last().unwrap_or_default().to_owned();
        assert_eq!(ended.status.code(), Some(2), "{said}");
        assert!(says.iter().all(|part| said.contains(part)), "{said}");
    };
    // To a unit of another name, with its old one not open; with its old one open for others; to the common one.
    let elsewhere = "[storage.unit.bells]\nservices = [\"store/alarm\"]\n";
    refused(&mut server, elsewhere, &["store/alarm", "the storage unit bells", "in the unit alarm"]);
    let swapped = "[storage.unit.alarm]\nservices = [\"store/payment\"]\n";
    refused(&mut server, swapped, &["the unit"]);
    let common = "[storage.unit.bells]\nservices = [\"store/payment\"]\n";
    refused(&mut server, common, &["in the unit"]);
    // To another backend, where nothing is.
    refused(&mut server, &alarm_in("sled"), &["alarm", "keeps its journal in segments", "sled is configured"]);
    refused(&mut server, &alarm_in("memory"), &["alarm", "keeps its journal in segments", "memory is configured"]);
    // As it was.
    server.reconfigure("");
    server.start();
    quiet(&server);
    assert_eq!(messages(&server.client()), told);
    assert_eq!(rows(&server.client(), "payments")[0]["id"], json!(1));
}
