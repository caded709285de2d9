//! Who operators are, and what is written down of what they do.

use std::{fs, process::Command};

use serde_json::{Value, json};

use crate::common::{Client, Request, SOON, Server, Setup, eventually};

const ANNA: &str = "anna-0123456789abcdef";
const BERT: &str = "bert-0123456789abcdef";

/// A store whose operators have tokens.
fn guarded() -> Server {
    let mut server = Setup::default().config("[admin]\ntoken_file = \"operators\"\nfaults = true\n").prepare();
    fs::write(server.directory().join("operators"), format!("anna {ANNA}\n")).unwrap();
    server.start();
    server
}

fn with(token: &str, method: &str, target: &str) -> Request {
    Request::new(method, target).header("Authorization", &format!("Bearer {token}"))
}

fn audit(server: &Server) -> Vec<Value> {
    let text = fs::read_to_string(server.data().join("audit.log")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn an_operators_address_that_others_can_reach_needs_tokens() {
    let refused = Setup::default().flag("--admin-listen").flag("0.0.0.0:0").prepare().run();
    assert_eq!(refused.status.code(), Some(2), "{}", refused.stderr);
    assert!(refused.stderr.contains("[admin] token_file is not set"), "{}", refused.stderr);

    let config = "[admin]\ntoken_file = \"operators\"\n";
    let mut server = Setup::default().config(config).flag("--admin-listen").flag("0.0.0.0:0").prepare();
    let absent = server.run();
    assert_eq!(absent.status.code(), Some(2), "{}", absent.stderr);
    assert!(absent.stderr.contains("cannot use operators: No such file"), "{}", absent.stderr);
    fs::write(server.directory().join("operators"), "anna short\n").unwrap();
    let short = server.run();
    assert_eq!(short.status.code(), Some(2), "{}", short.stderr);
    assert!(short.stderr.contains("operators: the token in line 1 is shorter than 16"), "{}", short.stderr);
    fs::write(server.directory().join("operators"), ANNA).unwrap();
    server.start();
    let admin = Client::new(&server.admin_listen().replace("0.0.0.0", "127.0.0.1"));
    admin.get("/admin/tree").is(401);
    admin.send(&with(ANNA, "GET", "/admin/tree")).is(200);
}

#[test]
fn operators_are_known_by_their_tokens_and_what_they_change_is_written_down() {
    let server = guarded();
    let admin = server.admin();
    for probe in ["/livez", "/readyz", "/startupz"] {
        admin.get(probe).is(200);
    }
    let stop = "/admin/services/store/delivery/stop";
    for refused in [Request::new("POST", stop), with(BERT, "POST", stop), with("", "POST", stop)] {
        let refused = admin.send(&refused).is(401);
        assert_eq!(refused.header("www-authenticate"), Some("Bearer realm=\"steadfast operators\""));
        assert_eq!(refused.json()["code"], "UNAUTHORIZED");
    }
    admin.get("/admin/tree").is(401);
    assert!(audit(&server).is_empty(), "nothing was changed");
    admin.send(&with(ANNA, "GET", "/admin/services")).is(200);
    assert!(audit(&server).is_empty(), "reading changes nothing");

    admin.send(&with(ANNA, "POST", stop).header("X-Request-Id", "night-1")).is(200);
    admin.send(&with(ANNA, "POST", "/admin/services/store/kitchen/stop")).is(404);
    let fault = json!({"target": "store/order", "fault": {"latency": {"base": "1ms"}}, "for": "1s"});
    admin.send(&with(ANNA, "POST", "/admin/faults").json(&fault)).is(201);
    let lines = audit(&server);
    assert_eq!(lines.len(), 6, "{lines:?}");
    let (asked, answered) = (&lines[0], &lines[1]);
    assert_eq!(json!([asked["who"], asked["from"], asked["path"]]), json!(["anna", "127.0.0.1", stop]));
    assert_eq!(json!([asked["correlation"], asked["outcome"]]), json!(["night-1", "asked"]));
    assert_eq!(json!([answered["correlation"], answered["outcome"]]), json!(["night-1", "done"]));
    assert_eq!(json!([lines[3]["outcome"], lines[3]["status"]]), json!(["refused", 404]));
    assert!(lines[4]["body"].as_str().unwrap().contains("latency"), "{}", lines[4]);
    assert!(!fs::read_to_string(server.data().join("audit.log")).unwrap().contains(ANNA));
}

#[test]
fn a_new_file_of_tokens_holds_without_a_restart_and_a_bad_one_changes_nothing() {
    let server = guarded();
    let (admin, file) = (server.admin(), server.directory().join("operators"));
    let status = |token: &str| admin.send(&with(token, "GET", "/admin/services")).status;
    fs::write(&file, "anna short\n").unwrap();
    let refused = admin.send(&with(ANNA, "POST", "/admin/reload")).is(409).json();
    assert!(refused["message"].as_str().unwrap().contains("the token in line 1 is shorter"), "{refused}");
    assert_eq!((status(ANNA), status(BERT)), (200, 401));
    fs::write(&file, format!("bert {BERT}\n")).unwrap();
    let told = admin.send(&with(ANNA, "POST", "/admin/reload"));
    // the watch may have been quicker
    if told.status == 200 {
        assert!(told.json()["needs_restart"].as_array().unwrap().is_empty(), "{told}");
    }
    assert_eq!((status(ANNA), status(BERT)), (401, 200));
    // Nobody has to say so.
    fs::write(&file, format!("anna {ANNA}\n# both\nbert {BERT}\n")).unwrap();
    eventually(SOON, "both are operators", || (status(ANNA) == 200).then_some(()));
    assert_eq!(status(BERT), 200);
    let noted = |line: &Value| line["who"] == "file" && line["what"] == "keys" && line["outcome"] == "done";
    eventually(SOON, "it is written down", || audit(&server).iter().any(noted).then_some(()));
}

#[test]
fn the_tree_is_shown_to_whoever_has_a_token() {
    let server = guarded();
    let url = format!("http://{}", server.admin_listen());
    let tree = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_steadfast"));
        command.args(["tree", "--admin", &url]).args(arguments).env_remove("STEADFAST_TOKEN_FILE");
        command.current_dir(server.directory()).output().unwrap()
    };
    let shown = tree(&["--token-file", "operators"]);
    let text = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
    assert!(text.starts_with("guardian (rest_for_one): running\n"), "{text}");
    assert!(text.contains("\n    store/order ("), "{text}");
    let whole = tree(&["--token-file", "operators", "--json"]);
    assert_eq!(serde_json::from_slice::<Value>(&whole.stdout).unwrap()["name"], "guardian");
    let refused = tree(&[]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(1) && said.contains("401"), "{said}");
}
