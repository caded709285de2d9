//! What the configuration is, where each value comes from, and what happens when its file is another one.

use std::{fs, process::Command};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::common::{SOON, Server, Setup, eventually};

/// The value and origin of one key.
fn of<'a>(values: &'a Value, key: &str) -> (&'a str, &'a str) {
    let values = values.as_array().unwrap();
    let found = values.iter().find(|shown| shown["key"] == key).unwrap_or_else(|| panic!("{key} is not shown"));
    (found["value"].as_str().unwrap(), found["origin"].as_str().unwrap())
}

fn show(directory: &std::path::Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_steadfast"))
        .args(["config", "show"])
        .args(arguments)
        .env("STEADFAST__ENTITY__MAILBOX", "32")
        .env("station_nm", "Imme")
        .current_dir(directory)
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn every_value_is_shown_with_its_origin_and_a_secret_is_not() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("supervision.toml");
    let text = "[server]\ndrain = \"5s\"\n[systems.station]\ncode_file = \"code\"\n[connector.store.alarm]\nkind = \"webhook\"\n\
                url = \"https://example.org/in?token=s3cret\"\n[[supervisor]]\nname = \"edge\"\nat_most = 9\n";
    fs::write(&file, text).unwrap();
    fs::write(directory.path().join("code"), "s3cret\n").unwrap();
    let (code, said) = show(directory.path(), &["--system", "station", "--data", "/somewhere", "--json"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(!said.contains("s3cret"), "{said}");
    let values: Value = serde_json::from_str(&said).unwrap();
    for (key, value, origin) in [
        ("server.drain", "\"5s\"", "supervision.toml:2"),
        ("server.listen", "\"127.0.0.1:8080\"", "default"),
        ("server.admin_listen", "\"127.0.0.1:9900\"", "default"),
        ("entity.mailbox", "32", "STEADFAST__ENTITY__MAILBOX"),
        ("storage.data", "\"/somewhere\"", "--data"),
        ("supervisor.edge.at_most", "9", "supervision.toml:10"),
        ("supervisor.edge.within", "\"60s\"", "default"),
        ("systems.station.code", "\"***\"", "supervision.toml:4"),
        ("systems.station.name", "\"Imme\"", "station_nm"),
        ("systems.station.allow_negative_stock", "false", "default"),
        ("connector.store.alarm.url", "\"https://example.org/in?***\"", "supervision.toml:7"),
    ] {
        assert_eq!(of(&values, key), (value, origin), "{key}");
    }
    let (_, said) = show(directory.path(), &["--system", "station", "--data", "/somewhere"]);
    let line = said.lines().find(|line| line.starts_with("storage.data = ")).unwrap();
    assert!(line.ends_with("# --data"), "{line}");
    for (arguments, wrong) in [
        (["--listen", "127.0.0.1:9900"], "--listen: `server.admin_listen` and `server.listen` are both"),
        (["--data", ""], "--data: `storage.data` is \"\"; it takes a path"),
    ] {
        let (code, said) = show(directory.path(), &arguments);
        assert!(code == Some(2) && said.contains(wrong), "{arguments:?}: {said}");
    }
    fs::write(&file, "[connector.store.alarm]\nkind = \"webhook\"\nurl = \"https://me:s3cret@example.org\"\n").unwrap();
    let (code, said) = show(directory.path(), &[]);
    assert!(code == Some(2) && said.contains("https://***@example.org") && !said.contains("s3cret"), "{said}");
    fs::write(&file, "\n[systems.hotel]\nexclusive = true\n").unwrap();
    let (code, said) = show(directory.path(), &[]);
    assert!(code == Some(2) && said.contains("supervision.toml:2:10: unknown key `systems.hotel`"), "{said}");
}

#[test]
fn a_file_that_is_replaced_is_read_again_and_a_bad_one_changes_nothing_and_says_why() {
    // Another name of the same variable wins: the last one that the process is given.
    let mut server = Setup::default().environment("STEADFAST__SERVER__WATCH_CONFIG", "20ms").start();
    let admin = server.admin();
    let config = || admin.json("/admin/config");
    let began = config();
    assert_eq!((&began["read_by"], &began["reloads"], &began["refused"]), (&json!("start"), &json!(0), &Value::Null));
    assert_eq!(of(&began["values"], "service.in_flight"), ("16384", "default"));

    // By a rename, as editors and tools do it.
    let replace = |server: &Server, text: &str| {
        let (whole, file) = (server.directory().join("next.toml"), server.directory().join("supervision.toml"));
        fs::write(&whole, text).unwrap();
        fs::rename(whole, file).unwrap();
    };
    replace(&server, "[service]\nin_flight = 99\n[server]\ndrain = \"7s\"\n");
    let taken = eventually(SOON, "it is read again", || Some(config()).filter(|config| config["reloads"] == 1));
    assert_eq!((&taken["read_by"], &taken["needs_restart"]), (&json!("file"), &json!(["server.drain"])));
    assert_eq!(of(&taken["values"], "service.in_flight").0, "99");
    assert_eq!(of(&taken["values"], "server.drain"), ("\"10s\"", "default"), "it holds until the next start");
    let limit = || admin.json("/admin/services")[0]["budget"]["in_flight_limit"].clone();
    assert_eq!(limit(), json!(99));

    replace(&server, "[service]\nin_flight = 0\n");
    let refused = eventually(SOON, "it is refused", || Some(config()).filter(|config| config["refusals"] == 1));
    let why = refused["refused"]["why"].as_str().unwrap();
    assert!(why.contains("supervision.toml:2:1") && why.contains("in_flight"), "{why}");
    assert_eq!((&refused["refused"]["by"], &refused["reloads"], limit()), (&json!("file"), &json!(1), json!(99)));
    assert_eq!(of(&refused["values"], "service.in_flight").0, "99");
    assert!(server.stderr().contains("the configuration was not taken"), "{}", server.stderr());

    // Written in place, as an editor does; an absent file changes nothing.
    fs::remove_file(server.directory().join("supervision.toml")).unwrap();
    server.reconfigure("[service]\nin_flight = 98\n");
    let taken = eventually(SOON, "it is read again", || Some(config()).filter(|config| config["reloads"] == 2));
    assert_eq!((&taken["refused"], &taken["needs_restart"], limit()), (&Value::Null, &json!([]), json!(98)));
    let told = admin.post("/admin/reload").is(200).json();
    assert_eq!(told["needs_restart_keys"], json!([]));
    assert_eq!((&config()["read_by"], &config()["reloads"]), (&json!("api"), &json!(3)));

    kill_process(Pid::from_raw(i32::try_from(server.pid()).unwrap()).unwrap(), Signal::HUP).unwrap();
    eventually(SOON, "it is read again", || (config()["reloads"] == 4).then_some(()));
    // Who had it read is in the operators' audit log, whoever it was; the last line is written after the count.
    let audit = || {
        let text = fs::read_to_string(server.data().join("audit.log")).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.map(|line| json!([line["who"], line["what"], line["outcome"]])).collect::<Vec<_>>()
    };
    let lines = eventually(SOON, "both lines of each", || Some(audit()).filter(|lines| lines.len() == 10));
    let both = |who: &str, what: Value, outcome: &str| [json!([who, what, "asked"]), json!([who, what, outcome])];
    let configuration = || json!("configuration");
    let expected = [
        both("file", configuration(), "done"),
        both("file", configuration(), "refused"),
        both("file", configuration(), "done"),
        both("local", Value::Null, "done"),
        both("signal", configuration(), "done"),
    ];
    assert_eq!(lines, expected.concat());
}
