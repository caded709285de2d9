//! The contract for programs: whole, valid, the same wherever it is asked for, and kept.

use std::{
    collections::BTreeSet,
    env, fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use crate::common::{Request, Server, Setup};

/// What `steadfast openapi` prints.
#[track_caller]
pub(crate) fn printed(arguments: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_steadfast")).arg("openapi").args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Whether a tool can be started. Where it cannot, that is said; in CI it is an error.
pub(crate) fn is_there(tool: &str, what: &str) -> bool {
    let there = Command::new(tool).arg("--version").stdin(Stdio::null()).output().is_ok_and(|it| it.status.success());
    if !there {
        assert!(env::var_os("CI").is_none(), "{tool} is not on the PATH, and CI is set");
        // not eprintln: the test runner would keep the line to itself
        writeln!(std::io::stderr(), "skipped: {what}: no `{tool}` on the PATH").unwrap();
    }
    there
}

pub(crate) fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    let of_path = |(path, methods): (&String, &Value)| {
        let methods = methods.as_object().unwrap().clone();
        let path = path.clone();
        methods.into_iter().map(move |(method, operation)| (path.clone(), method, operation)).collect::<Vec<_>>()
    };
    paths.flat_map(of_path).collect()
}

#[test]
fn the_program_prints_what_it_serves() {
    let server = Setup::default().system("stay").start();
    let told = server.client().json("/openapi.json");
    assert_eq!(printed(&["--system", "stay"]), told);
    assert!(told["paths"]["/bookings"]["post"].is_object());
    assert_eq!(printed(&["--admin"]), server.admin().json("/openapi.json"));
    let all = Setup::default().system("all").start();
    let told = all.client().json("/openapi.json");
    assert_eq!(printed(&[]), told);
    assert!(told["paths"]["/stay/bookings"]["post"].is_object() && told["paths"].get("/bookings").is_none());
    // What is told of is there, and the other way round the root tells of it.
    for (path, _, _) in operations(&told).iter().filter(|(path, method, _)| method == "get" && !path.contains('{')) {
        let status = all.client().get(path).status;
        assert!([200, 400, 503].contains(&status), "{path}: {status}");
    }
}

#[test]
fn every_operation_says_all_that_it_takes_and_answers() {
    for arguments in [vec![], vec!["--admin"], vec!["--system", "store"]] {
        let document = printed(&arguments);
        let mut ids = BTreeSet::new();
        for (path, method, operation) in operations(&document) {
            let place = format!("{arguments:?} {method} {path}");
            assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{place}: its id is another's");
            assert!(!operation["summary"].as_str().unwrap().is_empty(), "{place}");
            let taken: BTreeSet<String> = operation["parameters"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|parameter| parameter["in"] == "path")
                .map(|parameter| parameter["name"].as_str().unwrap().to_owned())
                .collect();
            let named: BTreeSet<String> =
                path.split('{').skip(1).map(|rest| rest.split('}').next().unwrap().to_owned()).collect();
            assert_eq!(taken, named, "{place}");
            let statuses: BTreeSet<&str> =
                operation["responses"].as_object().unwrap().keys().map(String::as_str).collect();
            assert!(statuses.iter().any(|status| status.starts_with('2')), "{place}: {statuses:?}");
            assert!(statuses.contains("503") && !statuses.contains("500"), "{place}: {statuses:?}");
            // Who may call it is said, and with what he is refused; but for what everybody may.
            let is_open = operation["security"] == json!([]);
            let (operators, known) = (arguments == ["--admin"], !is_open);
            assert_eq!([statuses.contains("401"), statuses.contains("403")], [known, known], "{place}: {statuses:?}");
            assert_eq!(statuses.contains("429"), known && !operators, "{place}: {statuses:?}");
            let probes = ["/livez", "/readyz", "/startupz", "/actuator/"];
            let is_probe = probes.iter().any(|probe| path.starts_with(probe));
            assert_eq!(is_open, is_probe || (!operators && path.ends_with("/openapi.json")), "{place}");
        }
    }
    let store = printed(&["--system", "store"]);
    let place = &store["paths"]["/orders"]["post"];
    for header in ["Idempotency-Key", "Prefer", "X-Request-Id", "traceparent"] {
        let reference = json!({ "$ref": format!("#/components/parameters/{header}") });
        assert!(place["parameters"].as_array().unwrap().contains(&reference), "{header}");
        assert_eq!(store["components"]["parameters"][header]["in"], "header");
    }
    for status in ["201", "202", "400", "404", "409", "415", "422", "503", "504"] {
        assert!(place["responses"][status].is_object(), "{status}");
    }
    assert!(store["paths"]["/orders/{id}"]["delete"]["responses"]["412"].is_object());
    assert!(store["paths"]["/orders/{id}"]["get"]["responses"]["304"].is_object());
    // A rent may be there already; a product may be new.
    let statuses = |system: &str, path: &str, method: &str| {
        let responses = &printed(&["--system", system])["paths"][path][method]["responses"];
        [responses["200"].is_object(), responses["201"].is_object()]
    };
    assert_eq!(statuses("library", "/rents", "post"), [true, true]);
    assert_eq!(statuses("station", "/product/{productId}", "put"), [true, true]);
    assert_eq!(statuses("store", "/orders", "post"), [false, true]);
    let station = printed(&["--system", "station"]);
    let body = &station["paths"]["/product"]["post"]["requestBody"]["content"]["application/json"]["schema"];
    assert_eq!(body["required"], json!(["productId", "productName", "price"]));
}

#[test]
fn the_documents_match_the_specification() {
    if !is_there("openapi-spec-validator", "the OpenAPI documents against their specification") {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let check = |document: &Value| {
        let file = scratch.path().join("openapi.json");
        fs::write(&file, document.to_string()).unwrap();
        let output = Command::new("openapi-spec-validator").args(["--schema", "3.1"]).arg(file).output().unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        if output.status.success() { Ok(()) } else { Err(said) }
    };
    for arguments in [vec![], vec!["--system", "store"], vec!["--admin"]] {
        check(&printed(&arguments)).unwrap_or_else(|why| panic!("{arguments:?}: {why}"));
    }
    // And it would have said so.
    let mut wrong = printed(&["--admin"]);
    wrong["paths"]["/admin/tree"]["get"]["responses"]["200"].as_object_mut().unwrap().remove("description");
    assert!(check(&wrong).is_err());
}

fn contract(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contract").join(file)
}

/// Asks the running program what a document promises, good and bad: see tests/contract/schemathesis.toml. Whether it
/// found nothing, and what it says.
pub(crate) fn asked(server: &Server, what: &[&str]) -> (bool, String) {
    let output = Command::new("schemathesis")
        .arg("--config-file")
        .arg(contract("schemathesis.toml"))
        .arg("run")
        .args(what)
        .arg("--no-color")
        .env("SCHEMATHESIS_HOOKS", contract("hooks.py"))
        .current_dir(server.directory())
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.success(), said)
}

#[track_caller]
fn is_kept_by(server: &Server, address: &str) {
    let (kept, said) = asked(server, &[&format!("http://{address}/openapi.json")]);
    assert!(kept, "{said}");
    // It asked, and in each of its ways.
    let cases = said.lines().find_map(|line| line.trim().split_once(" generated, ")).expect(&said).0;
    assert!(cases.parse::<u32>().unwrap() > 300, "{said}");
    for phase in ["Coverage", "Fuzzing", "Stateful"] {
        assert!(said.contains(&format!("{phase} (in ")), "{said}");
    }
}

fn keeps_its_contract(system: &'static str) {
    if is_there("schemathesis", "whether the contract is kept") {
        let server = Setup::default().system(system).start();
        is_kept_by(&server, server.listen());
    }
}

#[test]
fn the_store_keeps_its_contract() {
    keeps_its_contract("store");
}

#[test]
fn stay_keeps_its_contract() {
    keeps_its_contract("stay");
}

#[test]
fn the_library_keeps_its_contract() {
    keeps_its_contract("library");
}

#[test]
fn the_station_keeps_its_contract() {
    keeps_its_contract("station");
}

#[test]
fn procurement_keeps_its_contract() {
    keeps_its_contract("procurement");
}

#[test]
fn operators_are_given_what_the_contract_says() {
    if is_there("schemathesis", "whether the operators' contract is kept") {
        let server = Setup::default().config("[admin]\nfaults = true\n").start();
        server.client().send(&Request::new("POST", "/products").json(&json!({"quantity": 1, "price": 1}))).is(201);
        is_kept_by(&server, server.admin_listen());
    }
}

/// Nothing was found: because nothing is wrong, and not because nobody looked.
#[test]
fn a_promise_that_is_not_kept_is_found() {
    if !is_there("schemathesis", "whether a broken contract is found") {
        return;
    }
    let server = Server::store();
    let mut document = server.client().json("/openapi.json");
    let item = document["paths"]["/products/{id}"].clone();
    document["paths"] = json!({ "/products/{id}": item });
    let asked = |document: &Value| {
        let file = server.directory().join("openapi.json");
        fs::write(&file, document.to_string()).unwrap();
        asked(&server, &[file.to_str().unwrap(), "--url", &format!("http://{}", server.listen())])
    };
    let (kept, said) = asked(&document);
    assert!(kept, "{said}");
    document["paths"]["/products/{id}"]["get"]["responses"].as_object_mut().unwrap().remove("404");
    let (kept, said) = asked(&document);
    assert!(!kept && said.contains("Undocumented status code"), "{said}");
}

/// What a browser makes of a page, which may ask nobody but this machine for anything.
#[track_caller]
fn in_a_browser(address: &str, path: &str, scratch: &Path) -> String {
    let output = Command::new(BROWSER)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--dump-dom"])
        // The page's own clock: as soon as nothing is to be loaded or drawn any more, this time is over.
        .arg("--virtual-time-budget=20000")
        .arg("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1")
        .arg(format!("--user-data-dir={}", scratch.join("profile").display()))
        .arg(format!("http://{address}{path}"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

const BROWSER: &str = "chromium-headless-shell";

#[test]
fn a_browser_shows_every_operation_without_the_internet() {
    if !is_there(BROWSER, "the page of the contract in a browser") {
        return;
    }
    let server = Server::store();
    let shown = |address: &str| in_a_browser(address, "/swagger-ui/", server.directory());
    for (client, address, methods) in [
        (server.client(), server.listen(), ["get", "post", "put", "patch", "delete"].as_slice()),
        (server.admin(), server.admin_listen(), ["get", "post", "delete"].as_slice()),
    ] {
        let page = shown(address);
        let operations = operations(&client.json("/openapi.json"));
        for method in methods {
            let declared = operations.iter().filter(|(_, of, _)| of == method).count();
            let drawn = page.matches(&format!("class=\"opblock opblock-{method}\"")).count();
            assert_eq!((drawn, declared > 0), (declared, true), "{method} at {address}");
        }
    }
}
