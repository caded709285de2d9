//! The tools that look at data: verify, stats, dump, backup, restore; show, history, at. With the real binary, beside a
//! running process and without one.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::Command,
    sync::mpsc,
};

use serde_json::{Value, json};
use steadfast::persistence::{self, Append, Causation, NewEvent, Origin, StorageConfig, StreamId};

use crate::{
    common::{Request, Server, Setup},
    shop::{buy, messages, place, product, quiet, rows},
};

/// Exit code, standard output and standard error of a tool.
fn tool(arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_steadfast")).args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

fn on(data: &Path, arguments: &[&str]) -> (i32, String, String) {
    let data = ["--data", data.to_str().unwrap()];
    tool(&[arguments, &data].concat())
}

#[track_caller]
fn json_of(data: &Path, arguments: &[&str]) -> Value {
    let (code, said, complained) = on(data, &[arguments, &["--json"]].concat());
    assert_eq!((code, complained.as_str()), (0, ""), "{said}");
    serde_json::from_str(&said).unwrap()
}

/// A store in which something has happened.
fn traded(setup: Setup) -> Server {
    let server = setup.start();
    let client = server.client();
    let goods = product(&client, 10);
    for quantity in 1..=3 {
        place(&client, goods, quantity).is(201);
    }
    buy(&client, goods, 2).is(201);
    client.send(&Request::new("DELETE", "/orders/2")).is(204);
    quiet(&server);
    server
}

/// All rows of a collection, without the address of the process that showed them.
fn facts(server: &Server, collection: &str) -> Vec<Value> {
    let mut rows = rows(&server.client(), collection);
    for row in &mut rows {
        row.as_object_mut().unwrap().remove("_links");
    }
    rows
}

fn events_of(report: &Value) -> u64 {
    report["units"].as_array().unwrap().iter().map(|unit| unit["counted"]["events"].as_u64().unwrap()).sum()
}

fn segment(data: &Path, unit: &str) -> PathBuf {
    data.join(unit).join("journal").join("0000000001.seg")
}

#[test]
fn data_is_looked_at_while_a_process_runs_on_it_and_afterwards() {
    let mut server = traded(Setup::default());
    let data = server.data();
    let running = json_of(&data, &["journal", "verify"]);
    assert_eq!((&running["whole"], &running["unknown"]), (&json!(true), &json!([])), "{running}");
    let names: Vec<_> = running["units"].as_array().unwrap().iter().map(|unit| unit["unit"].clone()).collect();
    assert_eq!(names, ["alarm", "main"]);
    let stats = json_of(&data, &["journal", "stats"]);
    let ordered = stats[1]["events"].as_array().unwrap().iter().find(|events| events["event"] == "Ordered").unwrap();
    assert_eq!(
        (&ordered["kind"], &ordered["count"], &ordered["version"]),
        (&json!("store.order"), &json!(3), &json!(1))
    );

    let (code, lines, _) = on(&data, &["journal", "dump", "--kind", "order"]);
    assert_eq!(code, 0);
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().all(|line| line["kind"] == "store.order"));
    let of_two: Vec<_> =
        lines.iter().filter(|line| line["number"] == 2).map(|line| line["sequence"].as_u64()).collect();
    assert_eq!(of_two, (1..=of_two.len() as u64).map(Some).collect::<Vec<_>>());

    assert!(server.terminate().status.success());
    let ended = json_of(&data, &["journal", "verify"]);
    assert!(events_of(&ended) >= events_of(&running));
    let (code, said, _) = on(&data, &["journal", "verify"]);
    assert_eq!(code, 0);
    assert!(said.starts_with("alarm: whole; ") && said.contains("\nmain: whole; "), "{said}");
}

#[test]
fn an_entity_is_shown_as_it_is_as_it_was_and_how_it_came_about() {
    let server = traded(Setup::default());
    let data = server.data();
    let now = json_of(&data, &["entity", "show", "order", "1"]);
    assert_eq!((&now["kind"], &now["number"], &now["unit"]), (&json!("store.order"), &json!(1), &json!("main")));
    let inspected = server.admin().json("/admin/entities/order/1");
    assert_eq!((&now["state"], &now["sequence"]), (&inspected["state"], &inspected["sequence"]));
    let by_key = json_of(&data, &["entity", "show", "store.order", now["key"].as_str().unwrap()]);
    assert_eq!(by_key, now);

    let history = json_of(&data, &["entity", "history", "order", "2"]);
    let history = history.as_array().unwrap();
    let named: Vec<_> = history.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert!(named.contains(&"Ordered") && named.contains(&"OrderCanceled"), "{named:?}");
    assert_eq!(history[0]["cause"], "request");
    let then = json_of(&data, &["entity", "at", "order", "2", "--sequence", "1"]);
    assert_eq!(then["sequence"], 1);
    assert_ne!(then["state"], json_of(&data, &["entity", "show", "order", "2"])["state"]);

    for (arguments, says) in [
        (["entity", "show", "store.order", "99"].as_slice(), "there is no store.order 99"),
        (&["entity", "show", "order", "99"], "store.order"),
        (&["entity", "show", "nothing", "1"], "there is no kind nothing"),
        (&["entity", "at", "order", "2", "--sequence", "999"], "not 999"),
    ] {
        let (code, _, complained) = on(&data, arguments);
        assert_eq!(code, 2, "{complained}");
        assert!(complained.contains(says), "{complained}");
    }
}

#[test]
fn a_copy_of_a_running_store_opens_to_what_it_had_and_overwrites_nothing() {
    let server = traded(Setup::default());
    let copy = server.data().with_file_name("copy");
    let (code, said, complained) = on(&server.data(), &["journal", "backup", copy.to_str().unwrap()]);
    assert_eq!(code, 0, "{said}{complained}");
    let copied: u64 =
        [segment(&copy, "main"), segment(&copy, "alarm")].map(|file| file.metadata().unwrap().len()).iter().sum();
    assert!(copied < 1 << 20, "{copied} bytes, with the space that segments take beforehand");
    let (orders, told) = (facts(&server, "orders"), messages(&server.client()));
    place(&server.client(), 1, 5).is(201); // not in the copy

    let mut again = Setup::default().prepare();
    let (code, _, complained) = on(&again.data(), &["journal", "restore", copy.to_str().unwrap()]);
    assert_eq!((code, complained.as_str()), (0, ""));
    assert_eq!(json_of(&again.data(), &["journal", "verify"])["whole"], true);
    again.start();
    quiet(&again);
    assert_eq!((facts(&again, "orders"), messages(&again.client())), (orders, told));
    place(&again.client(), 1, 5).is(201);

    for to in [again.data(), server.data()] {
        let (code, _, complained) = on(&to, &["journal", "restore", copy.to_str().unwrap()]);
        assert_eq!(code, 2, "{complained}");
        assert!(complained.contains("is not empty, and nothing is overwritten"), "{complained}");
    }
    let (code, _, complained) = on(&server.data(), &["journal", "backup", copy.to_str().unwrap()]);
    assert_eq!(code, 2, "{complained}");
    assert_eq!(facts(&again, "orders").len(), 3);
}

#[test]
fn a_damaged_or_unfinished_copy_is_not_restored() {
    let server = traded(Setup::default());
    let copy = server.data().with_file_name("copy");
    assert_eq!(on(&server.data(), &["journal", "backup", copy.to_str().unwrap()]).0, 0);
    let to = server.data().with_file_name("restored");
    let witness = segment(&copy, "main").with_file_name("witness");
    fs::rename(&witness, witness.with_file_name("away")).unwrap();
    let (code, _, complained) = on(&to, &["journal", "restore", copy.to_str().unwrap()]);
    assert!(code == 3 && complained.contains("it is missing"), "{complained}");
    fs::rename(witness.with_file_name("away"), &witness).unwrap();
    let file = File::options().write(true).open(segment(&copy, "main")).unwrap();
    file.write_all_at(b"!", 500).unwrap();
    let (code, _, complained) = on(&to, &["journal", "restore", copy.to_str().unwrap()]);
    assert_eq!(code, 3, "{complained}");
    assert!(complained.contains(segment(&copy, "main").to_str().unwrap()), "{complained}");
    fs::remove_file(copy.join("backup.json")).unwrap();
    let (code, _, complained) = on(&to, &["journal", "restore", copy.to_str().unwrap()]);
    assert_eq!(code, 2, "{complained}");
    let left: Vec<_> = fs::read_dir(to.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_str().unwrap().starts_with("restored")), "{left:?}");
}

#[test]
fn damage_is_named_by_file_offset_and_record_and_the_look_goes_on_behind_it() {
    let mut server = traded(Setup::default());
    assert!(server.terminate().status.success());
    let data = server.data();
    let whole = json_of(&data, &["journal", "verify"]);
    let file = segment(&data, "main");
    let bytes = fs::read(&file).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1;
    for at in [200, end / 3, end / 2, end * 3 / 4] {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x20;
        fs::write(&file, &damaged).unwrap();
        let (code, said, complained) = on(&data, &["journal", "verify", "--json"]);
        assert_eq!(code, 3, "byte {at}: {said}{complained}");
        let report: Value = serde_json::from_str(&said).unwrap();
        let damage = report["units"][1]["damage"].as_array().unwrap();
        assert_eq!(damage.len(), 1, "byte {at}: {damage:?}");
        let told = usize::try_from(damage[0]["offset"].as_u64().unwrap()).unwrap();
        assert_eq!(damage[0]["file"], file.to_str().unwrap());
        assert!(told <= at && at - told < 4096, "byte {at} is damaged, and it says {damage:?}");
        assert!(events_of(&report) > events_of(&whole) * 9 / 10, "the look ended at the damage");
        assert!(complained.contains(file.to_str().unwrap()), "{complained}");
        // Nothing was changed by looking.
        assert!(fs::read(&file).unwrap() == damaged);
    }
    // A tail that was acknowledged and is cut is damage.
    let mut cut = bytes.clone();
    cut[end - 5..end].fill(0);
    fs::write(&file, &cut).unwrap();
    let (code, said, _) = on(&data, &["journal", "verify"]);
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("was acknowledged") && said.contains("are no frame"), "{said}");
    // Bytes behind everything that was acknowledged are none: they may be a write that was cut short.
    let mut torn = bytes.clone();
    torn[end + 100..end + 105].fill(7);
    fs::write(&file, &torn).unwrap();
    let report = json_of(&data, &["journal", "verify"]);
    assert_eq!(report["whole"], true);
    assert_eq!(report["units"][1]["tail"][0], file.to_str().unwrap());
}

/// Appends one event to a journal that no process runs on.
fn append(data: &Path, kind: &str, event: &str, version: u16, payload: &'static [u8]) {
    let units = vec!["alarm".to_owned()];
    let storage = persistence::open(&StorageConfig { units, ..StorageConfig::new(data) }).unwrap();
    let journal = storage.unit("main").unwrap().journal.clone();
    let stream = StreamId { kind: kind.into(), key: event.into() };
    let (sender, receiver) = mpsc::channel();
    let append = Append {
        lease: journal.lease(stream.partition(journal.partitions())),
        stream,
        incarnation: 1,
        expected: 0,
        at_millis: 1,
        number: 0,
        command: 1,
        origin: Origin::Fresh,
        reply: None,
        begun: None,
        settled: None,
        open_asks: false,
        correlation: "test".into(),
        causation: Causation::Request,
        events: vec![NewEvent { name: event.into(), version, public: false, payload: payload.into() }],
    };
    journal.append(append, Box::new(move |outcome| sender.send(outcome).unwrap()));
    receiver.recv().unwrap().unwrap();
    storage.close();
}

#[test]
fn events_that_no_code_knows_are_reported_and_are_no_damage() {
    let mut server = traded(Setup::default());
    assert!(server.terminate().status.success());
    let data = server.data();
    append(&data, "store.order", "Sublet", 1, br#""Sublet""#);
    append(&data, "store.caravan", "Parked", 1, br#""Parked""#);
    append(&data, "store.product", "ProductRemoved", 9, br#""ProductRemoved""#);
    let (code, said, complained) = on(&data, &["journal", "verify", "--json"]);
    assert_eq!(code, 1, "{said}");
    assert!(complained.contains("nothing is damaged, and this program cannot read 3 events"), "{complained}");
    let report: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(report["whole"], true);
    let unknown = report["unknown"].as_array().unwrap();
    let names: Vec<_> =
        unknown.iter().map(|events| (events["kind"].as_str().unwrap(), events["event"].as_str().unwrap())).collect();
    assert_eq!(names, [("store.caravan", "Parked"), ("store.order", "Sublet"), ("store.product", "ProductRemoved")]);
    assert!(unknown[0]["why"].as_str().unwrap().contains("no code here knows the kind store.caravan"));
    assert!(unknown[1]["why"].as_str().unwrap().contains("unknown variant `Sublet`"));
    assert!(unknown[2]["why"].as_str().unwrap().contains("v9"), "{unknown:?}");
}

#[test]
fn what_is_no_data_or_in_use_says_so() {
    let nothing = tempfile::tempdir().unwrap();
    for tool in [
        ["journal", "verify"].as_slice(),
        &["journal", "stats"],
        &["journal", "dump"],
        &["entity", "show", "order", "1"],
    ] {
        let (code, _, complained) = on(nothing.path(), tool);
        assert_eq!(code, 2, "{complained}");
        assert!(complained.contains("is no data directory"), "{complained}");
    }
    assert_eq!(fs::read_dir(nothing.path()).unwrap().count(), 0, "looking makes nothing");

    let mut server = traded(Setup::default().flag("--journal").flag("sled"));
    let data = server.data();
    let (code, _, complained) = on(&data, &["journal", "verify"]);
    assert_eq!(code, 4, "{complained}");
    assert!(complained.contains("sled") && complained.contains("stop the other first"), "{complained}");
    let copy = data.with_file_name("copy");
    assert_eq!(on(&data, &["journal", "backup", copy.to_str().unwrap()]).0, 4);
    let orders = facts(&server, "orders");
    server.kill();
    assert_eq!(json_of(&data, &["journal", "verify"])["whole"], true);
    assert_eq!(json_of(&data, &["entity", "show", "order", "1"])["number"], 1);
    assert!(!copy.exists(), "a refused backup leaves nothing");
    let (code, _, complained) = on(&data, &["journal", "backup", copy.to_str().unwrap()]);
    assert_eq!((code, complained.as_str()), (0, ""));
    let mut again = Setup::default().flag("--journal").flag("sled").prepare();
    assert_eq!(on(&again.data(), &["journal", "restore", copy.to_str().unwrap()]).0, 0);
    again.start();
    quiet(&again);
    assert_eq!(facts(&again, "orders"), orders);
}

#[test]
fn what_the_first_release_wrote_is_whole_and_known() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/journal-v1/data");
    let report = json_of(&data, &["journal", "verify"]);
    assert_eq!((&report["whole"], &report["unknown"]), (&json!(true), &json!([])));
    assert!(events_of(&report) > 300, "{report}");
    let order = json_of(&data, &["entity", "show", "order", "2"]);
    assert_eq!((&order["state"]["product_id"], &order["state"]["quantity"]), (&json!(1), &json!(2)), "{order}");
}
