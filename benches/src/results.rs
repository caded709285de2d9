//! Raw results: every figure of every round, as JSON, for `steadfast bench report` to draw from.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use serde::Serialize;

use crate::{machine::Machine, rounds::median, table};

/// What one run measured.
#[derive(Debug, Serialize)]
pub(crate) struct Results {
    what: &'static str,
    begun: String,
    /// Short rounds, that show whether it works and not how fast it is.
    quick: bool,
    machine: Machine,
    /// Of each program that was measured.
    versions: BTreeMap<String, String>,
    measured: Vec<Measured>,
}

/// The rounds of one subject under one load.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Measured {
    /// The load.
    load: String,
    subject: String,
    /// How much of what the load varies: connections, entities, bytes.
    at: u64,
    /// A value a round, by the figure's name with its unit.
    rounds: BTreeMap<String, Vec<f64>>,
}

impl Results {
    pub(crate) fn begin(what: &'static str, quick: bool, dir: &Path) -> Self {
        let begun = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let versions = BTreeMap::from([
            ("steadfast".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
            ("rustc".to_owned(), crate::machine::rustc()),
        ]);
        Self { what, begun, quick, machine: Machine::of(dir), versions, measured: Vec::new() }
    }

    pub(crate) fn version(&mut self, of: &str, is: String) {
        self.versions.insert(of.to_owned(), is);
    }

    /// Adds the figures of a round.
    pub(crate) fn round(&mut self, load: &str, subject: &str, at: usize, figures: &[(&str, f64)]) {
        let at = at as u64;
        let is_same = |one: &&mut Measured| one.load == load && one.subject == subject && one.at == at;
        // What cannot be measured is no number, and JSON has none for it.
        let figures = figures.iter().filter(|(_, value)| value.is_finite());
        if let Some(measured) = self.measured.iter_mut().find(is_same) {
            for (name, value) in figures {
                measured.rounds.entry((*name).to_owned()).or_default().push(*value);
            }
        } else {
            let rounds = figures.map(|(name, value)| ((*name).to_owned(), vec![*value])).collect();
            self.measured.push(Measured { load: load.to_owned(), subject: subject.to_owned(), at, rounds });
        }
    }

    /// The median of the rounds so far.
    pub(crate) fn median(&self, load: &str, subject: &str, at: usize, figure: &str) -> Option<f64> {
        let is_it = |one: &&Measured| one.load == load && one.subject == subject && one.at == at as u64;
        let rounds = self.measured.iter().find(is_it)?.rounds.get(figure)?;
        Some(median(rounds.clone()))
    }

    /// Prints the medians of each load, and writes everything to `<to>/<date>-<what>.json`.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn end(&self, to: Option<&Path>) -> Result<()> {
        let mut printed: Vec<&str> = Vec::new();
        for Measured { load, .. } in &self.measured {
            if !printed.contains(&load.as_str()) {
                self.print(load);
                printed.push(load);
            }
        }
        let Some(to) = to else { return Ok(()) };
        let file = self.file(to);
        let json = serde_json::to_string_pretty(self)? + "\n";
        fs::create_dir_all(to)?;
        fs::write(&file, json).with_context(|| format!("cannot write {}", file.display()))?;
        println!("\nraw results in {}", file.display());
        Ok(())
    }

    fn file(&self, dir: &Path) -> PathBuf {
        let date = self.begun.get(..10).unwrap_or(&self.begun);
        dir.join(format!("{date}-{}.json", self.what))
    }

    fn print(&self, load: &str) {
        let of: Vec<&Measured> = self.measured.iter().filter(|one| one.load == load).collect();
        let mut figures: Vec<&String> = of.iter().flat_map(|one| one.rounds.keys()).collect();
        figures.sort_unstable();
        figures.dedup();
        let head: Vec<&str> = ["", "at"].into_iter().chain(figures.iter().map(|name| name.as_str())).collect();
        let cell = |one: &Measured, figure: &String| {
            let value = one.rounds.get(figure).map(|rounds| median(rounds.clone()));
            value.map_or(String::new(), |value| if value < 100.0 { format!("{value:.2}") } else { table::whole(value) })
        };
        let rows = of.iter().map(|one| {
            let cells = figures.iter().map(|figure| cell(one, figure));
            [one.subject.clone(), table::whole(one.at as f64)].into_iter().chain(cells).collect()
        });
        table::print(load, &head, &rows.collect::<Vec<Vec<String>>>());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_of_the_same_subject_under_the_same_load_are_together() {
        let mut results = Results::begin("test", true, Path::new("."));
        for rate in [3.0, 1.0, 2.0] {
            results.round("reads", "steadfast", 64, &[("rate", rate), ("cpu_us", f64::NAN)]);
            results.round("reads", "warp", 64, &[("rate", 10.0)]);
        }
        assert_eq!(results.measured.len(), 2);
        assert_eq!(results.median("reads", "steadfast", 64, "rate"), Some(2.0));
        assert_eq!(results.median("reads", "steadfast", 64, "cpu_us"), None);
        assert_eq!(results.median("reads", "steadfast", 256, "rate"), None);
    }

    #[test]
    fn raw_results_have_every_round_and_are_named_after_their_day() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let mut results = Results::begin("test", false, Path::new("."));
        results.round("reads", "steadfast", 64, &[("rate", 3.5)]);
        results.round("reads", "steadfast", 64, &[("rate", 4.5)]);
        results.end(Some(dir.path()))?;
        let text = fs::read_to_string(results.file(dir.path()))?;
        let told: serde_json::Value = serde_json::from_str(&text)?;
        assert_eq!(told["measured"][0]["rounds"]["rate"], serde_json::json!([3.5, 4.5]));
        assert_eq!((told["what"].as_str(), told["quick"].as_bool()), (Some("test"), Some(false)));
        assert!(told["machine"]["cores"].as_u64() > Some(0));
        Ok(())
    }
}
