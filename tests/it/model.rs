//! What the systems consist of, as the program tells it.

use std::{path::Path, process::Command};

use serde_json::Value;

fn model(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_steadfast")).arg("model").args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_document_of_the_domain_is_what_the_systems_declare() {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/domain.md");
    let written = std::fs::read_to_string(document).unwrap();
    assert_eq!(written, model(&[]), "write it again: cargo run -- model > docs/domain.md");
}

#[test]
fn the_model_is_there_for_programs_too() {
    let model: Value = serde_json::from_str(&model(&["--system", "store", "--json"])).unwrap();
    let order = model["store"].as_array().unwrap().iter().find(|service| service["name"] == "order").unwrap();
    assert_eq!(order["entities"][0]["asks"][0], "store.delivery");
    assert_eq!(order["policies"][0]["source"], "store.delivery");
    assert!(order["entities"][0]["events"].as_array().unwrap().contains(&"Ordered".into()));
}
