//! Raw results as the benches wrote them.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context, bail};
use serde::Deserialize;

/// Files that a directory of results may have.
const FILES: usize = 10_000;

/// What one run measured.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Results {
    /// Which suite.
    pub(super) what: String,
    /// When it began, in UTC.
    pub(super) begun: String,
    /// Short rounds, that show whether it works and not how fast it is.
    pub(super) quick: bool,
    pub(super) machine: Machine,
    pub(super) versions: BTreeMap<String, String>,
    pub(super) measured: Vec<Measured>,
}

/// What it was measured on.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Machine {
    cores: u32,
    processor: String,
    memory_gib: u64,
    file_system: String,
    kernel: String,
    load_before: f64,
}

/// The rounds of one subject under one load.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Measured {
    pub(super) load: String,
    pub(super) subject: String,
    /// How much of what the load varies.
    pub(super) at: u64,
    /// A value a round, by the figure's name.
    pub(super) rounds: BTreeMap<String, Vec<f64>>,
}

impl Results {
    /// The latest results of each suite in a directory, by the names of their files, which begin with the day.
    ///
    /// # Errors
    /// A file cannot be read, or is none of these.
    pub(super) fn latest(directory: &Path) -> anyhow::Result<Vec<Self>> {
        let entries = fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))?;
        let mut files = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
        files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
        if files.len() > FILES {
            bail!("{} has more than {FILES} results", directory.display());
        }
        files.sort();
        let mut latest = BTreeMap::new();
        for file in files {
            let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
            let results: Self =
                serde_json::from_str(&text).with_context(|| format!("{} has no results of a bench", file.display()))?;
            latest.insert(results.what.clone(), results);
        }
        Ok(latest.into_values().collect())
    }

    /// What was measured under one load.
    pub(super) fn under(&self, load: &str) -> Vec<&Measured> {
        self.measured.iter().filter(|one| one.load == load).collect()
    }

    /// When and on what, in one line.
    pub(super) fn origin(&self) -> String {
        let Machine { cores, processor, memory_gib, file_system, kernel, load_before } = &self.machine;
        let versions: Vec<String> = self.versions.iter().map(|(of, is)| named(of, is)).collect();
        let trial = if self.quick { "**A short trial: its figures say nothing.** " } else { "" };
        let day = self.begun.get(..10).unwrap_or(&self.begun);
        format!(
            "{trial}{day}, {cores} cores ({processor}), {memory_gib} GiB, {file_system}, Linux {kernel}, load before \
             {load_before:.1}; {}.",
            versions.join(", ")
        )
    }
}

/// A version, named once.
fn named(of: &str, is: &str) -> String {
    if is.starts_with(of) { is.to_owned() } else { format!("{of} {is}") }
}

impl Measured {
    pub(super) fn figure(&self, name: &str) -> Option<&[f64]> {
        self.rounds.get(name).map(Vec::as_slice).filter(|rounds| !rounds.is_empty())
    }

    /// The middle of its rounds.
    pub(super) fn median(&self, name: &str) -> Option<f64> {
        median(self.figure(name)?)
    }
}

/// The middle one; of two in the middle, the greater.
pub(super) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied()
}

/// The middle of the ratios of one figure's rounds to another's, round by round; `None` without common rounds.
pub(super) fn ratio(of: &[f64], to: &[f64]) -> Option<f64> {
    let ratios: Vec<f64> = of.iter().zip(to).map(|(of, to)| of / to).filter(|ratio| ratio.is_finite()).collect();
    median(&ratios)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Results of a store beside another server.
    pub(in super::super) fn some() -> Results {
        let text = r#"{
            "what": "compare", "begun": "2026-11-21T20:00:00Z", "quick": false,
            "machine": {"cores": 2, "processor": "P", "memory_gib": 23, "file_system": "ext4", "kernel": "6.18",
                        "load_before": 0.05},
            "versions": {"rustc": "rustc 1.95.0", "steadfast": "0.1.0"},
            "measured": [
                {"load": "commands", "subject": "steadfast", "at": 64,
                 "rounds": {"rate": [20000, 30000, 28000], "p99_ms": [4.25, 4, 5]}},
                {"load": "commands", "subject": "PostgreSQL", "at": 64, "rounds": {"rate": [10000, 10000, 16000]}},
                {"load": "commands", "subject": "steadfast", "at": 256, "rounds": {"rate": [40000]}}
            ]}"#;
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn the_latest_of_each_suite_is_read_and_what_is_no_result_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, what: &str, begun: &str| {
            let text = serde_json::json!({
                "what": what, "begun": begun, "quick": true, "versions": {}, "measured": [],
                "machine": {"cores": 1, "processor": "", "memory_gib": 1, "file_system": "", "kernel": "",
                            "load_before": 0.0},
            });
            fs::write(directory.path().join(name), text.to_string()).unwrap();
        };
        write("2026-01-02-compare.json", "compare", "second");
        write("2026-01-01-compare.json", "compare", "first");
        write("2026-01-01-flows.json", "flows", "only");
        fs::write(directory.path().join("README.md"), "none").unwrap();
        let latest = Results::latest(directory.path()).unwrap();
        let begun: Vec<&str> = latest.iter().map(|results| results.begun.as_str()).collect();
        assert_eq!(begun, ["second", "only"]);
        fs::write(directory.path().join("x.json"), "{}").unwrap();
        let error = Results::latest(directory.path()).unwrap_err().to_string();
        assert!(error.ends_with("x.json has no results of a bench"), "{error}");
    }

    #[test]
    fn a_ratio_is_that_of_rounds_that_took_turns() {
        assert_eq!(ratio(&[2.0, 9.0, 8.0], &[1.0, 3.0, 2.0]), Some(3.0));
        assert_eq!(ratio(&[1.0], &[]), None);
        assert_eq!(ratio(&[1.0, 1.0], &[0.0, 2.0]), Some(0.5));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn the_origin_names_machine_and_versions() {
        let mut some = some();
        assert_eq!(
            some.origin(),
            "2026-11-21, 2 cores (P), 23 GiB, ext4, Linux 6.18, load before 0.1; rustc 1.95.0, steadfast 0.1.0."
        );
        some.quick = true;
        assert!(some.origin().starts_with("**A short trial: its figures say nothing.** 2026"));
    }
}
