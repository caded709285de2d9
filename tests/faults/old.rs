//! Data that an earlier release has written.

use std::{fs, path::Path};

use serde_json::{Value, json};

use crate::{
    common::{Server, Setup},
    wire,
};

/// Written by the first release: two units of two segments each, three openings, without its sled directories.
const FIRST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/journal-v1");

/// Copies a directory with all that is in it.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (from, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if from.is_dir() { copy(&from, &to) } else { fs::copy(&from, &to).map(drop).unwrap() }
    }
}

fn items(server: &Server, collection: &str) -> Vec<Value> {
    let body = server.client().send(&wire::get(&format!("/{collection}?size=200"))).is(200).json();
    let items = body["_embedded"].as_object().and_then(|embedded| embedded.values().next()?.as_array().cloned());
    let mut items = items.unwrap_or_default();
    for item in &mut items {
        item.as_object_mut().unwrap().shift_remove("_links");
    }
    items
}

#[test]
fn what_the_first_release_wrote_is_read_and_goes_on() {
    let mut server = Setup::default().config("[storage]\npartitions = 4\nsegment_bytes = \"64 KiB\"\n").prepare();
    copy(&Path::new(FIRST).join("data"), &server.data());
    let expected = fs::read_to_string(Path::new(FIRST).join("expected.json")).unwrap();
    let expected: Value = serde_json::from_str(&expected).unwrap();
    for run in 1..=2 {
        server.start();
        let quiet = server.admin().send(&wire::get("/admin/quiesce?within=15s"));
        assert_eq!(quiet.status, 200, "{quiet}");
        for (collection, rows) in expected.as_object().unwrap() {
            assert_eq!(&Value::Array(items(&server, collection)), rows, "{collection} in run {run}");
        }
        assert!(server.terminate().status.success());
    }
    server.start();
    let order = json!({"productId": 1, "quantity": 1});
    let placed = server.client().send(&wire::command("POST", "/orders", "new", Some(&order))).is(201).json();
    assert_eq!(placed["id"], 35, "numbers go on behind those that were given");
}
