//! What a monitoring system sees: `GET /metrics`, taken apart.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    io::Write,
    process::{Command, Output, Stdio},
};

use crate::common::Server;

/// The figures of one moment.
#[derive(Debug)]
pub(crate) struct Scrape {
    pub(crate) text: String,
    /// Type by family.
    pub(crate) families: BTreeMap<String, String>,
    /// Value by name and labels, as `name{a="b"}`.
    pub(crate) series: BTreeMap<String, f64>,
}

impl Scrape {
    #[track_caller]
    pub(crate) fn of(server: &Server) -> Self {
        let response = server.admin().get("/metrics").is(200);
        assert_eq!(response.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
        let text = response.text();
        let (mut families, mut series) = (BTreeMap::new(), BTreeMap::new());
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').expect("a name and a type");
                assert_eq!(families.insert(name.to_owned(), kind.to_owned()), None, "{name} is there twice");
            } else if !line.starts_with('#') {
                let (name, value) = line.rsplit_once(' ').expect("a name and a value");
                let value = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
                assert_eq!(series.insert(name.to_owned(), value), None, "{name} is there twice");
            }
        }
        Self { text, families, series }
    }

    /// The sum of all series of this name that have all these labels.
    #[track_caller]
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let found: Vec<f64> = self.matching(name, labels).map(|(_, value)| *value).collect();
        assert!(!found.is_empty(), "no series {name} with {labels:?} in\n{}", self.text);
        found.iter().sum()
    }

    /// The same, where a series that was never counted is not there.
    pub(crate) fn counted(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.matching(name, labels).map(|(_, value)| *value).sum()
    }

    fn matching<'a>(
        &'a self,
        name: &'a str,
        labels: &'a [(&str, &str)],
    ) -> impl Iterator<Item = (&'a String, &'a f64)> {
        self.series.iter().filter(move |(series, _)| {
            let (own, given) = series.split_once('{').unwrap_or((series, ""));
            own == name && labels.iter().all(|(label, value)| given.contains(&format!("{label}=\"{value}\"")))
        })
    }

    /// The names of all series.
    pub(crate) fn names(&self) -> BTreeSet<&str> {
        self.series.keys().map(|series| series.split('{').next().unwrap_or_default()).collect()
    }
}

/// Runs `promtool` with this on its standard input. `None`, and a line that says so, where it is not installed; in CI
/// that is an error.
pub(crate) fn promtool(arguments: &[&str], input: &str, what: &str) -> Option<Output> {
    let spawned = Command::new("promtool")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = spawned else {
        assert!(env::var_os("CI").is_none(), "promtool is not on the PATH, and CI is set");
        // not eprintln: the test runner would keep the line to itself
        writeln!(std::io::stderr(), "skipped: {what}: no `promtool` on the PATH").unwrap();
        return None;
    };
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    Some(child.wait_with_output().unwrap())
}

/// What a process said.
pub(crate) fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
