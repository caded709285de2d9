//! Whoever cannot start says why in one sentence, with the exit code that tells the reason.

use std::{net::TcpListener, path::PathBuf, process::Command};

use serde_json::json;

use crate::{
    common::{Server, Setup},
    shop::Shop,
};

/// Exit code and what was said.
fn ended(server: &mut Server) -> (i32, String) {
    let ended = server.run();
    (ended.status.code().unwrap_or_else(|| panic!("{ended:?}")), ended.stderr)
}

/// The same of any command.
fn steadfast(arguments: &[&str]) -> (i32, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_steadfast")).args(arguments).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8(said).unwrap())
}

fn one_sentence(said: &str) -> &str {
    let said = said.trim_end();
    assert!(!said.contains('\n'), "more than one line:\n{said}");
    said.strip_prefix("steadfast: ").unwrap_or_else(|| panic!("who says this? {said}"))
}

fn config_of(server: &Server) -> PathBuf {
    server.data().with_file_name("supervision.toml")
}

#[test]
fn an_occupied_address_ends_it_with_4_and_names_address_and_flag() {
    let occupied = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = occupied.local_addr().unwrap().to_string();
    for flag in ["--listen", "--admin-listen"] {
        let mut server = Setup::default().flag(flag).flag(&address).prepare();
        let (code, said) = ended(&mut server);
        assert_eq!(code, 4, "{said}");
        assert_eq!(one_sentence(&said), format!("the address {address} is in use; choose another with {flag}"));
        assert!(!server.data().exists(), "it opened the data first");
    }
}

#[test]
fn a_data_directory_in_use_ends_it_with_4_and_disturbs_nobody() {
    let mut shop = Shop::open();
    let data = shop.data().display().to_string();
    let free = ["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--config", "/nowhere/at/all.toml"];
    let arguments = [&["serve", "--system", "store", "--data", &data], free.as_slice()].concat();
    let (code, said) = steadfast(&arguments);
    assert_eq!(code, 4, "{said}");
    let said = one_sentence(&said);
    assert!(said.contains(&data) && said.contains("in use") && said.contains("--data"), "{said}");
    let body = json!({"quantity": 1, "price": 1});
    assert_eq!(shop.send("POST", "/products", "k", Some(&body)).status, 201);
    shop.restart();
    assert_eq!(shop.get("/products/1").status, 200);
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
        let mut server = Setup::default().config(text).prepare();
        let (code, said) = ended(&mut server);
        assert_eq!(code, 2, "{text}{said}");
        assert!(said.contains(&format!("{}:{line}:", config_of(&server).display())), "{text}{said}");
        for rule in rules {
            assert!(said.contains(rule), "{text}does not tell {rule}: {said}");
        }
        assert!(!server.data().exists(), "{text}it opened the data first");
    }
}

/// They ended with 70, as if the supervision tree had failed; a storage unit for a service that does not exist was
/// made and never used.
#[test]
fn a_section_about_what_does_not_exist_ends_it_with_2_and_is_named() {
    for (text, named) in [
        ("[entity.odrer]\nmailbox = 3\n", "[entity.odrer]"),
        ("[service.store.odrer]\nrecoveries = 3\n", "[service.store.odrer]"),
        ("[link.store.order.nobody]\ntimeout = \"2s\"\n", "[link.store.order.nobody]"),
        ("[storage.unit.extra]\nservices = [\"store/nobody\"]\n", "[storage.unit.extra] is for store/nobody"),
    ] {
        let (code, said) = ended(&mut Setup::default().config(text).prepare());
        assert_eq!(code, 2, "{text}{said}");
        assert!(one_sentence(&said).contains(named), "{text}{said}");
    }
}

#[test]
fn a_bad_variable_or_flag_ends_it_with_2() {
    let bad_variable = Setup::default().environment("STEADFAST__STORAGE__PARTITIONS", "many");
    let bad_flag = Setup::default().flag("--lisen").flag("127.0.0.1:0");
    let bad_value = Setup::default().flag("--journal").flag("paper");
    for (setup, named) in
        [(bad_variable, "STEADFAST__STORAGE__PARTITIONS"), (bad_flag, "--lisen"), (bad_value, "paper")]
    {
        let mut server = setup.prepare();
        let (code, said) = ended(&mut server);
        assert_eq!(code, 2, "{said}");
        assert!(said.contains(named), "{said}");
        assert!(!server.data().exists());
    }
}

#[test]
fn config_check_tells_without_running_anything() {
    let mut server = Setup::default().prepare();
    let mut check = |text: &str| {
        server.reconfigure(text);
        let file = config_of(&server).display().to_string();
        let (code, said) = steadfast(&["config", "check", &file]);
        (code, said, file)
    };
    let (code, said, file) = check("[server]\ndrain = \"3s\"\n");
    assert_eq!((code, said.trim_end()), (0, format!("{file} is valid").as_str()));
    let (code, said, file) = check("[server]\ndrain = \"3 fortnights\"\n");
    assert_eq!(code, 2, "{said}");
    assert!(said.contains(&format!("{file}:2:")) && said.contains("server.drain"), "{said}");
    for (text, named) in [
        ("[bulkhead.store.nope]\nmax = 3\n", "[bulkhead.store.nope]"),
        ("[entity.nope]\nmailbox = 9\n", "[entity.nope]"),
        ("[link.store.order.nope]\nattempts = 2\n", "[link.store.order.nope]"),
        ("[storage.unit.alarm]\nservices = [\"store/nope\"]\n", "store/nope"),
        ("[systems.store]\nx = 1\n", "`systems.store`"),
    ] {
        let (code, said, _) = check(text);
        assert_eq!(code, 2, "a server would not start: {text}{said}");
        assert!(one_sentence(&said).contains(named), "{text}{said}");
    }
    let (code, said) = steadfast(&["config", "check", "/nowhere/at/all.toml"]);
    assert_eq!(code, 2, "{said}");
    assert!(one_sentence(&said).contains("/nowhere/at/all.toml"));
    let delivered = concat!(env!("CARGO_MANIFEST_DIR"), "/supervision.toml");
    assert_eq!(steadfast(&["config", "check", delivered]).0, 0);
}
