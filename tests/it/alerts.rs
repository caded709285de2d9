//! What watches us: alert rules and the dashboard ask for figures that exist, and somebody said what to do.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::{
    common::Server,
    scrape::{Scrape, promtool, said},
    shop::{buy, place, product, quiet},
};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn text(name: &str) -> String {
    fs::read_to_string(file(name)).unwrap()
}

/// The names of figures in a text.
fn figures(text: &str) -> BTreeSet<String> {
    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let names = text.match_indices("steadfast_").map(|(at, _)| {
        let rest = &text[at..];
        rest[..rest.find(|c| !is_part(c)).unwrap_or(rest.len())].to_owned()
    });
    names.collect()
}

/// The names behind `alert:` or the like.
fn named(text: &str, key: &str) -> BTreeSet<String> {
    text.lines().filter_map(|line| line.split_once(key)).map(|(_, name)| name.trim().to_owned()).collect()
}

#[test]
fn alerts_and_dashboard_ask_for_figures_that_exist_and_all_of_them_are_explained() {
    let server = Server::store();
    let client = server.client();
    let product = product(&client, 10);
    place(&client, product, 1).created();
    buy(&client, product, 1).created();
    quiet(&server);
    Scrape::of(&server);
    let scrape = Scrape::of(&server);
    let exist = scrape.names();
    for (what, at_least) in [
        ("deploy/prometheus/alerts.yml", 12),
        ("deploy/prometheus/alerts.test.yml", 12),
        ("deploy/grafana/steadfast.json", 25),
    ] {
        let asked = figures(&text(what));
        assert!(asked.len() >= at_least, "{what}: {asked:?}");
        let missing: Vec<_> = asked.iter().filter(|name| !exist.contains(name.as_str())).collect();
        assert!(missing.is_empty(), "{what} asks for {missing:?}");
    }
    let explained = figures(&text("docs/observability.md"));
    let unexplained: Vec<_> = scrape.families.keys().filter(|name| !explained.contains(*name)).collect();
    assert!(unexplained.is_empty(), "docs/observability.md does not say what these are: {unexplained:?}");
    let unknown: Vec<_> = explained
        .iter()
        .filter(|name| !exist.contains(name.as_str()) && !scrape.families.contains_key(*name))
        .collect();
    assert!(unknown.is_empty(), "docs/observability.md explains what is not there: {unknown:?}");
}

#[test]
fn every_alert_has_a_test_and_says_what_to_do() {
    let (rules, tests, docs) = (
        text("deploy/prometheus/alerts.yml"),
        text("deploy/prometheus/alerts.test.yml"),
        text("docs/observability.md"),
    );
    let alerts = named(&rules, "- alert: ");
    assert!(alerts.len() >= 12, "{alerts:?}");
    for alert in &alerts {
        let fires = format!("alertname: {alert}\n        exp_alerts:\n");
        assert!(tests.contains(&fires), "no test has {alert} fire");
    }
    let runbooks = named(&rules, "runbook: docs/observability.md#");
    for runbook in runbooks {
        let is_heading = |line: &str| line.strip_prefix("### ").is_some_and(|name| name.to_lowercase() == runbook);
        assert!(docs.lines().any(is_heading), "docs/observability.md has no heading for {runbook}");
    }
}

#[test]
fn the_rules_pass_their_tests() {
    let what = "the alert rules";
    let (config, rules) = (file("deploy/prometheus/prometheus.yml"), file("deploy/prometheus/alerts.test.yml"));
    let Some(output) = promtool(&["check", "config", config.to_str().unwrap()], "", what) else { return };
    assert!(output.status.success(), "{}", said(&output));
    let output = promtool(&["test", "rules", rules.to_str().unwrap()], "", what).expect("it was there before");
    assert!(output.status.success(), "{}", said(&output));
    // And they would have said so.
    let scratch = tempfile::tempdir().unwrap();
    let broken =
        text("deploy/prometheus/alerts.yml").replace("steadfast_dead_letters > 0", "steadfast_dead_letters > 9");
    fs::write(scratch.path().join("alerts.yml"), broken).unwrap();
    fs::copy(&rules, scratch.path().join("alerts.test.yml")).unwrap();
    let tests = scratch.path().join("alerts.test.yml");
    let output = promtool(&["test", "rules", tests.to_str().unwrap()], "", what).expect("it was there before");
    assert!(!output.status.success() && said(&output).contains("SteadfastDeadLetters"), "{}", said(&output));
}

#[test]
fn the_dashboard_is_one_that_grafana_reads() {
    let dashboard: Value = serde_json::from_str(&text("deploy/grafana/steadfast.json")).unwrap();
    assert_eq!(dashboard["uid"], "steadfast");
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "an id for each");
    for panel in panels {
        let title = panel["title"].as_str().unwrap();
        let place = &panel["gridPos"];
        assert!(place["x"].as_u64().unwrap() + place["w"].as_u64().unwrap() <= 24, "{title} is beyond the grid");
        if panel["type"] != "row" {
            let targets = panel["targets"].as_array().unwrap();
            assert!(!targets.is_empty() && targets.iter().all(|target| target["expr"].is_string()), "{title}");
        }
    }
}
