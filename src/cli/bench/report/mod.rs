//! `steadfast bench report`: the tables and plots of docs/performance.md, drawn from the raw results that the benches
//! keep in the repository. The same results are always drawn the same way.

mod page;
mod results;
mod shown;
mod svg;
mod tables;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, anyhow};
use clap::Args;

use self::{
    results::Results,
    shown::{Plot, Shown},
    svg::{Picture, Point, Series},
};
use crate::cli::{Exit, say};

#[derive(Debug, Clone, Args)]
pub(super) struct Report {
    /// The directory of the raw results; of each suite, the latest are taken.
    #[arg(long, default_value = "benches/results")]
    results: PathBuf,
    /// A page in markdown that shows them: its drawn parts are written anew, and the plots beside it, in a directory
    /// of its name. Without it, the tables are printed.
    #[arg(long, value_name = "FILE")]
    page: Option<PathBuf>,
    /// Writes nothing; complains about what would be written differently.
    #[arg(long, requires = "page")]
    check: bool,
}

/// One load as it is shown.
struct Drawn {
    name: &'static str,
    title: &'static str,
    /// `None` when it was not measured.
    measured: Option<Measured>,
}

/// What is shown of a load that was measured.
struct Measured {
    origin: String,
    table: String,
    plot: String,
}

impl Report {
    pub(super) fn run(&self) -> Result<(), Exit> {
        let all = Results::latest(&self.results).map_err(Exit::Usage)?;
        let one = |shown: &'static Shown| Drawn { name: shown.load, title: shown.title, measured: draw(&all, shown) };
        let drawn: Vec<Drawn> = shown::ALL.iter().map(one).collect();
        if drawn.iter().all(|drawn| drawn.measured.is_none()) {
            return Err(Exit::Usage(anyhow!("{} has no results of a load that is shown", self.results.display())));
        }
        let Some(page) = &self.page else {
            for Drawn { name, title, measured } in drawn {
                match measured {
                    Some(Measured { origin, table, .. }) => say(&format!("{title}\n\n{table}\n{origin}\n")),
                    None => say(&format!("{title}\n\n{}\n", not_measured(name))),
                }
            }
            return Ok(());
        };
        let files = files(page, &drawn).map_err(Exit::Usage)?;
        let mut differ = Vec::new();
        for (file, content) in files {
            if fs::read_to_string(&file).is_ok_and(|is| is == content) {
                continue;
            }
            if self.check {
                differ.push(file.display().to_string());
            } else {
                write(&file, &content).map_err(Exit::Other)?;
                say(&format!("drawn: {}", file.display()));
            }
        }
        if differ.is_empty() {
            return Ok(());
        }
        Err(Exit::Other(anyhow!("not drawn from {}: {}", self.results.display(), differ.join(", "))))
    }
}

/// The page and its plots as they should be.
fn files(page: &Path, drawn: &[Drawn]) -> anyhow::Result<Vec<(PathBuf, String)>> {
    let mut text = fs::read_to_string(page).with_context(|| format!("cannot read {}", page.display()))?;
    let plots = page.with_extension("");
    let beside = plots.file_name().with_context(|| format!("{} has no name", page.display()))?;
    let mut files = Vec::new();
    for Drawn { name, title, measured } in drawn {
        let Some(Measured { origin, table, plot }) = measured else {
            // A page need not have a place for what nobody has measured.
            if page::has(&text, name) {
                text = page::replace(&text, name, &not_measured(name))?;
            }
            continue;
        };
        let image = format!("![{title}]({}/{name}.svg)", beside.display());
        text = page::replace(&text, name, &format!("{image}\n\n{table}\n{origin}\n"))
            .with_context(|| format!("cannot show {name} in {}", page.display()))?;
        files.push((plots.join(format!("{name}.svg")), plot.clone()));
    }
    files.push((page.to_owned(), text));
    Ok(files)
}

fn not_measured(name: &str) -> String {
    format!("*{name}: no raw results yet.*\n")
}

fn write(file: &Path, content: &str) -> anyhow::Result<()> {
    if let Some(directory) = file.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    }
    fs::write(file, content).with_context(|| format!("cannot write {}", file.display()))
}

/// A load with its table and its plot; `None` when it was not measured.
fn draw(all: &[Results], shown: &'static Shown) -> Option<Measured> {
    let results = all.iter().find(|results| results.what == shown.what)?;
    let table = tables::summary(results, shown).unwrap_or_else(|| tables::markdown(results, shown));
    let mut series: Vec<Series> = Vec::new();
    for one in results.under(shown.load) {
        let Some(values) = one.figure(shown.by.name) else { continue };
        let point = Point { at: one.at, values: values.to_vec() };
        match series.iter_mut().find(|series| series.name == one.subject) {
            Some(series) => series.points.push(point),
            None => series.push(Series { name: one.subject.clone(), points: vec![point] }),
        }
    }
    if series.is_empty() {
        return None;
    }
    for series in &mut series {
        series.points.sort_by_key(|point| point.at);
    }
    let picture = Picture { title: shown.title.to_owned(), varies: shown.varies.to_owned(), series };
    let plot = match shown.plot {
        Plot::Bars => svg::bars(&picture),
        Plot::Decades => svg::lines(&picture, true),
        Plot::Time => svg::lines(&picture, false),
    };
    Some(Measured { origin: results.origin(), table, plot })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A directory with results and a page for them.
    fn prepared() -> (tempfile::TempDir, Report) {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::create_dir(at("results")).unwrap();
        let results = serde_json::json!({
            "what": "compare", "begun": "2026-11-21T20:00:00Z", "quick": false, "versions": {"steadfast": "0.1.0"},
            "machine": {"cores": 2, "processor": "P", "memory_gib": 23, "file_system": "ext4", "kernel": "6.18",
                        "load_before": 0.0},
            "measured": [
                {"load": "reads", "subject": "steadfast", "at": 64, "rounds": {"rate": [70.0]}},
                {"load": "reads", "subject": "bare warp handler", "at": 64, "rounds": {"rate": [100.0]}},
            ],
        });
        fs::write(at("results/2026-11-21-compare.json"), results.to_string()).unwrap();
        fs::write(at("page.md"), "# P\n\n<!-- drawn: reads -->\n<!-- end of reads -->\n").unwrap();
        let report = Report { results: at("results"), page: Some(at("page.md")), check: false };
        (directory, report)
    }

    #[test]
    fn a_page_is_drawn_from_the_results_and_then_is_as_it_should_be() {
        let (directory, report) = prepared();
        let check = Report { check: true, ..report.clone() };
        let complaint = check.run().unwrap_err().reason().to_string();
        assert!(complaint.contains("reads.svg") && complaint.contains("page.md"), "{complaint}");
        report.run().unwrap();
        let page = fs::read_to_string(directory.path().join("page.md")).unwrap();
        assert!(page.contains("![Reads a second](page/reads.svg)"), "{page}");
        assert!(page.contains("| 64 | bare warp handler | 100 | 100 to 100 | **0.70** (aim at least 0.6) |"), "{page}");
        assert!(fs::read_to_string(directory.path().join("page/reads.svg")).unwrap().contains("bare warp handler"));
        check.run().unwrap();
    }

    #[test]
    fn results_that_the_page_has_no_place_for_and_no_results_at_all_are_wrong_usage() {
        let (directory, report) = prepared();
        fs::write(directory.path().join("page.md"), "# P\n").unwrap();
        let error = report.run().unwrap_err();
        assert!(matches!(error, Exit::Usage(_)), "{error:?}");
        fs::remove_file(directory.path().join("results/2026-11-21-compare.json")).unwrap();
        let error = report.run().unwrap_err().reason().to_string();
        assert!(error.ends_with("has no results of a load that is shown"), "{error}");
    }

    #[test]
    fn a_place_for_what_was_not_measured_says_so() {
        let (directory, report) = prepared();
        let page = directory.path().join("page.md");
        let old = fs::read_to_string(&page).unwrap() + "<!-- drawn: memory -->\n\nold\n\n<!-- end of memory -->\n";
        fs::write(&page, old).unwrap();
        report.run().unwrap();
        let text = fs::read_to_string(&page).unwrap();
        assert!(
            text.ends_with("drawn: memory -->\n\n*memory: no raw results yet.*\n\n<!-- end of memory -->\n"),
            "{text}"
        );
        assert!(!directory.path().join("page/memory.svg").exists());
    }

    #[test]
    fn the_loads_that_are_shown_have_names_of_their_own() {
        let mut names: Vec<&str> = shown::ALL.iter().map(|shown| shown.load).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
