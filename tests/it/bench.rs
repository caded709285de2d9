//! `steadfast bench` in its short form: the loads of the old systems' demonstrations on a real server, and its books. How
//! fast it is stays out of it, for that is the machine's.

use std::{env, fs, io::Write as _, process::Command, time::Duration};

use serde_json::Value;

use crate::common::{Request, Server, Setup, until};

/// Exit code, the reports, and what was complained about.
fn bench(arguments: &[&str]) -> (i32, Vec<Value>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_steadfast")).arg("bench").args(arguments).arg("--json").output();
    let output = output.unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let complained = String::from_utf8(output.stderr).unwrap();
    let reports = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}{complained}"));
    (output.status.code().unwrap(), reports, complained)
}

/// The report of one scenario that broke nothing.
#[track_caller]
fn kept(arguments: &[&str]) -> Value {
    let (code, mut reports, complained) = bench(arguments);
    assert_eq!((code, complained.as_str()), (0, ""), "{reports:#?}");
    assert_eq!(reports.len(), 1);
    let report = reports.remove(0);
    assert_eq!(report["audit"]["violations"], Value::Array(Vec::new()), "{report:#}");
    report
}

#[track_caller]
fn count(of: &Value, name: &str) -> u64 {
    of[name].as_u64().unwrap_or_else(|| panic!("no {name}: {of:#}"))
}

/// What was told is what there is, once at each partner.
#[track_caller]
fn agrees(report: &Value, partners: &[&str]) {
    let audit = &report["audit"];
    let (told, standing) = (count(audit, "acknowledged"), count(audit, "standing"));
    // A busy machine may leave some answers open, which stand or do not.
    assert!((told..=told + count(audit, "unknown")).contains(&standing), "{report:#}");
    let of: Vec<&str> = audit["effects"].as_array().unwrap().iter().map(|of| of["of"].as_str().unwrap()).collect();
    assert_eq!(of, partners);
    for effects in audit["effects"].as_array().unwrap() {
        assert!(count(effects, "done") >= count(audit, "standing"), "{report:#}");
    }
}

#[test]
fn what_two_hundred_users_order_at_a_station_is_shipped_and_expected_once() {
    let report = kept(&["station", "--seconds", "2"]);
    let load = &report["loads"][0];
    assert_eq!((count(load, "users"), count(load, "refused"), count(load, "failed")), (200, 0, 0), "{load:#}");
    assert_eq!(count(load, "ok"), count(&report["audit"], "acknowledged"));
    assert!(count(load, "ok") >= 200, "{load:#}");
    agrees(&report, &["shipments", "stockFlows"]);
}

#[test]
fn store_n6_beyond_one_delivery_at_a_time_orders_are_refused_and_leave_nothing_and_afterwards_none_is() {
    let report = kept(&["store", "--seconds", "2"]);
    let (load, after) = (&report["loads"][0], &report["loads"][1]);
    assert!(count(load, "ok") > 0 && count(load, "refused") > 0, "{load:#}");
    assert_eq!(count(load, "failed"), 0, "{load:#}");
    assert_eq!((count(after, "users"), count(after, "refused"), count(after, "failed")), (1, 0, 0), "{after:#}");
    agrees(&report, &["deliveries"]);
}

#[test]
fn a_load_on_a_server_that_runs_already_is_audited_without_what_was_there_before() {
    let server = Setup::default().system("station").start();
    let client = server.client();
    let order = Request::new("POST", "/orders/placeOrder");
    client.send(&order.form(&[("productId", "CD1001"), ("qty", "1"), ("destAddr", "Imme")])).is(200);
    let (url, admin) = addresses(&server);
    let report = kept(&["station", "--users", "3", "--seconds", "1", "--url", &url, "--admin", &admin]);
    let told = count(&report["audit"], "acknowledged");
    assert_eq!(count(&report["audit"], "standing"), told);
    assert_eq!(client.json("/orders?size=1")["page"]["totalElements"], told + 1);
    assert_eq!(report["peak_memory"], Value::Null);
}

#[test]
fn a_load_on_a_server_that_asks_who_is_there_shows_its_tokens() {
    const OPERATOR: &str = "operator-0123456789abcdef";
    let config = "[auth]\nsecret_file = \"secret\"\n[admin]\ntoken_file = \"operators\"\n";
    let mut server = Setup::default().system("station").config(config).prepare();
    let file = |name: &str| server.directory().join(name).to_str().unwrap().to_owned();
    let (secret, operators, token) = (file("secret"), file("operators"), file("token"));
    fs::write(&secret, "0123456789abcdef0123456789abcdef").unwrap();
    fs::write(&operators, format!("# the night shift\nanna {OPERATOR}\n")).unwrap();
    let issued = Command::new(env!("CARGO_BIN_EXE_steadfast"))
        .args(["token", "--role", "station/operator", "--secret-file", &secret])
        .output()
        .unwrap();
    fs::write(&token, issued.stdout).unwrap();
    server.start();
    let (url, admin) = addresses(&server);
    let asked = ["station", "--users", "2", "--seconds", "1", "--url", &url, "--admin", &admin];
    let report = kept(&[&asked[..], &["--token-file", &token, "--admin-token-file", &operators]].concat());
    assert!(count(&report["audit"], "acknowledged") > 0, "{report:#}");
    for (tokens, status) in [(vec!["--admin-token-file", &operators], "401"), (vec!["--token-file", &token], "401")] {
        let output =
            Command::new(env!("CARGO_BIN_EXE_steadfast")).arg("bench").args(asked).args(tokens).output().unwrap();
        let complained = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && complained.contains(status), "{complained}");
        assert!(!complained.contains(OPERATOR), "{complained}");
    }
}

#[test]
fn books_that_do_not_agree_are_told_and_the_exit_code_is_one() {
    let server = Setup::default().start();
    let (url, admin) = addresses(&server);
    let load = std::thread::spawn(move || {
        bench(&["store", "--users", "2", "--seconds", "2", "--url", &url, "--admin", &admin])
    });
    // Somebody else cancels what a user of the load was told is ordered.
    let client = server.client();
    let canceled = until(Duration::from_secs(20), || {
        let orders = client.json("/orders?size=1");
        let order = orders["_embedded"]["orders"][0]["id"].as_u64().ok_or(())?;
        let canceled = client.send(&Request::new("DELETE", &format!("/orders/{order}")));
        if canceled.status == 204 { Ok(order) } else { Err(()) }
    });
    let (code, reports, complained) = load.join().unwrap();
    assert_eq!(code, 1, "{reports:#?}");
    assert!(complained.contains("what must always hold does not: store"), "{complained}");
    let violation = &reports[0]["audit"]["violations"][0];
    assert_eq!(violation["what"], "acknowledged, and not there");
    assert_eq!(violation["examples"][0].as_u64(), canceled.ok());
}

#[test]
fn a_load_that_cannot_be_put_on_says_why() {
    let output = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_steadfast")).arg("bench").args(arguments).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let nowhere = ["station", "--url", "http://127.0.0.1:1", "--admin", "http://127.0.0.1:1"];
    let (code, complained) = output(&nowhere);
    assert_eq!(code, 1);
    assert!(complained.contains("the load station broke off") && complained.contains("cannot connect"), "{complained}");
    let (code, complained) = output(&["all", "--url", "http://127.0.0.1:1", "--admin", "http://127.0.0.1:1"]);
    assert_eq!(code, 2, "{complained}");
    assert_eq!(output(&["moon"]).0, 2);
    assert_eq!(output(&["station", "--users", "0"]).0, 2);
}

fn addresses(server: &Server) -> (String, String) {
    (format!("http://{}", server.listen()), format!("http://{}", server.admin_listen()))
}

/// How often a service was slow in the load.
#[track_caller]
fn slow(report: &Value) -> u64 {
    let slow = report["slow"].as_array().unwrap();
    assert_eq!(slow.len(), 1, "{report:#}");
    count(&slow[0], "times")
}

#[test]
fn stay_n5_d12_every_booking_is_paid_once_and_what_pay_was_too_late_for_leaves_nothing() {
    let report = kept(&["stay", "--users", "25", "--seconds", "3"]);
    let load = &report["loads"][0];
    assert!(slow(&report) >= 25, "every first booking asks pay: {report:#}");
    assert!(count(load, "ok") > 0, "{load:#}");
    agrees(&report, &["payments"]);
    assert_eq!(count(&report["loads"][1], "refused") + count(&report["loads"][1], "failed"), 0, "{report:#}");
}

#[test]
fn with_few_places_for_payments_that_become_more_every_booking_is_still_paid_once() {
    let report = kept(&["stay-autoscale", "--seconds", "3"]);
    let load = &report["loads"][0];
    assert!(slow(&report) > 0 && count(load, "refused") > 0, "there are fewer places than users: {report:#}");
    assert!(count(load, "ok") > 0, "{load:#}");
    agrees(&report, &["payments"]);
}

#[test]
fn library_n6_a_request_that_rent_was_too_late_for_leaves_nothing() {
    let report = kept(&["library", "--users", "10", "--seconds", "3"]);
    assert!(slow(&report) >= 10, "{report:#}");
    agrees(&report, &["rents"]);
}

#[test]
fn procurement_n6_a_result_that_was_told_is_announced_also_while_some_announcements_take_five_seconds() {
    let report = kept(&["procurement", "--seconds", "3"]);
    let load = &report["loads"][0];
    assert!(slow(&report) > 0 && count(load, "refused") > 0, "15 % of 100 are slow: {report:#}");
    assert!(count(load, "ok") > 100, "the same result again changes nothing: {load:#}");
    assert_eq!(report["audit"]["effects"][0]["done"], report["audit"]["standing"], "{report:#}");
}

#[test]
fn at_four_times_what_it_can_do_a_service_refuses_before_it_writes_and_does_what_it_can() {
    let report = kept(&["overload", "--seconds", "3"]);
    let [before, beyond, after, few] = report["loads"].as_array().unwrap().as_slice() else { panic!("{report:#}") };
    assert!(count(beyond, "refused") > count(beyond, "ok") && count(beyond, "ok") > 0, "{beyond:#}");
    assert!(count(before, "ok") > 0 && count(after, "ok") > 0 && count(few, "ok") > 0, "{report:#}");
    assert_eq!(count(few, "refused") + count(few, "failed"), 0, "{few:#}");
    assert!(slow(&report) >= count(beyond, "ok"), "{report:#}");
    let memory = report["peak_memory"].as_u64().expect("of a server of our own");
    assert!(memory < 400 << 20, "four times too much to do is not four times as much memory: {memory} bytes");
    agrees(&report, &["rents"]);
}

/// Exit code, what was said, and what was complained about.
fn report(arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_steadfast")).args(["bench", "report"]).args(arguments).output();
    let output = output.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_pages_of_measurements_show_what_the_raw_results_say() {
    for (results, page) in
        [("benches/results", "docs/performance.md"), ("benches/results/slow-disk", "docs/slow-disk.md")]
    {
        let arguments = ["--results", results, "--page", page, "--check"];
        assert_eq!(report(&arguments), (0, String::new(), String::new()));
    }
}

#[test]
fn the_raw_results_are_printed_as_tables_and_where_there_are_none_that_is_said() {
    let (code, said, complained) = report(&["--results", "benches/results"]);
    assert_eq!((code, complained.as_str()), (0, ""));
    assert!(said.contains("| 64 | steadfast |") && said.contains("steadfast, divided by it"), "{said}");
    let empty = tempfile::tempdir().unwrap();
    let (code, _, complained) = report(&["--results", empty.path().to_str().unwrap()]);
    assert_eq!(code, 2);
    assert!(complained.contains("has no results of a load that is shown"), "{complained}");
    assert_eq!(report(&["--check"]).0, 2, "of which page?");
}

#[test]
fn a_slow_disk_holds_syncs_back_whoever_calls_them() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "x").unwrap();
    // Three syncs, of a program and of what another one starts.
    let syncs = format!("sync -d {0}; sh -c 'sync {0}; sync -d {0}; exit 7'", file.display());
    let output = Command::new("benches/slow-disk.sh").args(["1", "sh", "-c", &syncs]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let no_compiler = said.contains("no C compiler");
    if no_compiler || said.contains("filtering calls") {
        assert!(!(no_compiler && env::var_os("CI").is_some()), "there is no C compiler on the PATH, and CI is set");
        writeln!(std::io::stderr(), "skipped: syncs held back: {said}").unwrap();
        return;
    }
    assert_eq!((output.status.code(), said.as_str()), (Some(7), "slow-sync: 1000 us more for each of 3 syncs\n"));
    let refused = Command::new("benches/slow-disk.sh").args(["fast", "true"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8(refused.stderr).unwrap().contains("slow-disk.sh MILLISECONDS COMMAND"));
}
