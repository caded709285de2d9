//! Whoever cannot start says why in one sentence, with the exit code that tells the reason.

use std::{
    net::TcpListener,
    process::{Command, Stdio},
};

use crate::shop::Place;

fn one_sentence(said: &str) -> &str {
    let said = said.trim_end();
    assert!(!said.contains('\n'), "more than one line:\n{said}");
    said.strip_prefix("steadfast: ").unwrap_or_else(|| panic!("who says this? {said}"))
}

#[test]
fn an_occupied_address_ends_it_with_4_and_names_address_and_flag() {
    let occupied = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = occupied.local_addr().unwrap().to_string();
    for (flag, other) in [("--listen", "--admin-listen"), ("--admin-listen", "--listen")] {
        let place = Place::new();
        let (code, said) = place.run_with(&[other, "127.0.0.1:0", flag, &address]);
        assert_eq!(code, 4, "{said}");
        let said = one_sentence(&said);
        assert_eq!(said, format!("the address {address} is in use; choose another with {flag}"));
        assert!(!place.data().exists(), "it opened the data first");
    }
}

#[test]
fn a_data_directory_in_use_ends_it_with_4_and_disturbs_nobody() {
    let place = Place::new();
    let shop = place.open();
    let (code, said) = place.run();
    assert_eq!(code, 4, "{said}");
    let said = one_sentence(&said);
    assert!(said.contains(&place.data().display().to_string()) && said.contains("in use"), "{said}");
    let body = serde_json::json!({"quantity": 1, "price": 1});
    assert_eq!(shop.send("POST", "/products", "k", Some(&body)).status, 201);
    shop.kill();
    assert_eq!(place.open().get("/products/1").status, 200);
}

#[test]
fn a_bad_configuration_ends_it_with_2_and_names_file_line_and_rule() {
    for (text, line, rules) in [
        ("[storage]\npartitions = 0\n", 2, vec!["storage.partitions", "0", "1 to 1024"]),
        ("[storage]\n\nsegment_bytes = \"1 KiB\"\n", 3, vec!["storage.segment_bytes", "64 KiB"]),
        ("[storage]\npartitons = 4\n", 2, vec!["unknown key `storage.partitons`", "did you mean `partitions`"]),
        ("[nonsense]\nx = 1\n", 1, vec!["unknown key `nonsense`"]),
        ("[server\n", 1, vec![]),
        ("[[supervisor]]\nname = \"edge\"\nshutdown = \"1s\"\n", 3, vec!["shutdown", "server.drain"]),
    ] {
        let place = Place::new();
        place.configure(text);
        let (code, said) = place.run();
        assert_eq!(code, 2, "{text}{said}");
        let file = place.path().join("supervision.toml").display().to_string();
        assert!(said.contains(&format!("{file}:{line}:")), "{text}{said}");
        for rule in rules {
            assert!(said.contains(rule), "{text}does not tell {rule}: {said}");
        }
        assert!(!place.data().exists(), "{text}it opened the data first");
    }
}

#[test]
fn a_section_about_what_does_not_exist_ends_it_with_2_and_is_named() {
    for (text, named) in [
        ("[entity.odrer]\nmailbox = 3\n", "[entity.odrer]"),
        ("[service.store.odrer]\nrecoveries = 3\n", "[service.store/odrer]"),
        ("[link.store.order.nobody]\ntimeout = \"2s\"\n", "[link.store.order.nobody]"),
        ("[storage.unit.extra]\nservices = [\"store/nobody\"]\n", "[storage.unit.extra] is for store/nobody"),
    ] {
        let place = Place::new();
        place.configure(text);
        let (code, said) = place.run();
        assert_eq!(code, 2, "{text}{said}");
        assert!(said.contains(named), "{text}{said}");
    }
}

#[test]
fn a_bad_variable_or_flag_ends_it_with_2() {
    let place = Place::new();
    let mut command = place.command();
    command.env("STEADFAST__STORAGE__PARTITIONS", "many").stderr(Stdio::piped());
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("STEADFAST__STORAGE__PARTITIONS") && said.contains("many"), "{said}");

    let (code, said) = place.run_with(&["--lisen", "127.0.0.1:0"]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("--lisen"), "{said}");
    let (code, said) = place.run_with(&["--journal", "paper"]);
    assert_eq!(code, 2, "{said}");
    assert!(!place.data().exists());
}

#[test]
fn config_check_tells_without_running_anything() {
    let place = Place::new();
    let check = |text: &str| {
        place.configure(text);
        let file = place.path().join("supervision.toml");
        let output = steadfast(&["config", "check", &file.display().to_string()]);
        (output.0, output.1, file.display().to_string())
    };
    let (code, said, file) = check("[server]\ndrain = \"3s\"\n");
    assert_eq!((code, said.trim_end()), (0, format!("{file} is valid").as_str()));
    let (code, said, file) = check("[server]\ndrain = \"3 fortnights\"\n");
    assert_eq!(code, 2, "{said}");
    assert!(said.contains(&format!("{file}:2:")) && said.contains("server.drain"), "{said}");
    let (code, said) = steadfast(&["config", "check", "/nowhere/at/all.toml"]);
    assert_eq!(code, 2, "{said}");
    assert!(one_sentence(&said).contains("/nowhere/at/all.toml"));
    let delivered = concat!(env!("CARGO_MANIFEST_DIR"), "/supervision.toml");
    assert_eq!(steadfast(&["config", "check", delivered]).0, 0);
}

/// Exit code and everything that was said.
fn steadfast(arguments: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_steadfast")).args(arguments).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(said).unwrap())
}
