//! The figures of a load, and a table of them.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

use super::tally::Tally;

/// One load's figures.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    pub(super) scenario: String,
    pub(super) users: u32,
    pub(super) seconds: f64,
    pub(super) ok: u64,
    pub(super) refused: u64,
    pub(super) failed: u64,
    /// Percent.
    pub(super) availability: f64,
    /// Requests done per second.
    pub(super) tps: f64,
    /// Of the requests that were done, as all times in milliseconds.
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) longest_ms: f64,
    /// Of the refusals.
    pub(super) refused_p99_ms: f64,
    /// The old system's availability under the same load.
    pub(super) source: String,
    /// How often each refusal and failure was.
    pub(super) why: BTreeMap<String, u64>,
}

impl Row {
    pub(super) fn of(scenario: String, source: &str, users: u32, took: Duration, tally: &Tally) -> Self {
        Self {
            scenario,
            users,
            seconds: took.as_secs_f64(),
            ok: tally.ok,
            refused: tally.refused,
            failed: tally.failed,
            availability: tally.availability(),
            tps: tally.rate(took),
            p50_ms: millis(tally.took.quantile(0.5)),
            p99_ms: millis(tally.took.quantile(0.99)),
            longest_ms: millis(tally.took.longest()),
            refused_p99_ms: millis(tally.refusing.quantile(0.99)),
            source: source.to_owned(),
            why: tally.why.clone(),
        }
    }

    fn cells(&self) -> [String; 13] {
        let refusing = if self.refused == 0 { String::new() } else { format!("{:.1}", self.refused_p99_ms) };
        [
            self.scenario.clone(),
            self.users.to_string(),
            format!("{:.1}", self.seconds),
            self.ok.to_string(),
            self.refused.to_string(),
            self.failed.to_string(),
            format!("{:.2} %", self.availability),
            format!("{:.1}", self.tps),
            format!("{:.1}", self.p50_ms),
            format!("{:.1}", self.p99_ms),
            format!("{:.1}", self.longest_ms),
            refusing,
            self.source.clone(),
        ]
    }
}

/// What became of a load beyond what the system can do.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Overload {
    /// What it can do in a second.
    pub(super) capacity: u32,
    /// What was done of it under the load, in percent.
    pub(super) goodput: f64,
    /// How many times as long as under half the load the slowest hundredth took that was done.
    pub(super) p99_ratio: f64,
    /// Of the refusals, in milliseconds.
    pub(super) refused_p99_ms: f64,
}

impl Overload {
    /// Of a load of half the capacity, and one beyond it.
    pub(super) fn of(capacity: u32, rows: &[Row]) -> Option<Self> {
        let [half, beyond, ..] = rows else { return None };
        let goodput = beyond.tps * 100.0 / f64::from(capacity.max(1));
        let p99_ratio = beyond.p99_ms / half.p99_ms.max(0.001);
        Some(Self { capacity, goodput, p99_ratio, refused_p99_ms: beyond.refused_p99_ms })
    }

    /// For the person at the terminal.
    pub(super) fn line(&self) -> String {
        let Self { capacity, goodput, p99_ratio, refused_p99_ms } = self;
        format!(
            "{goodput:.1} % of {capacity} a second were done, p99 is {p99_ratio:.2} times that of half the load, and of \
             the refusals {refused_p99_ms:.1} ms"
        )
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

const HEAD: [&str; 13] = [
    "scenario",
    "users",
    "s",
    "ok",
    "refused",
    "failed",
    "available",
    "tps",
    "p50 ms",
    "p99 ms",
    "longest",
    "refused p99",
    "source",
];

/// The rows as lines of text; the first column to the left, numbers to the right.
pub(super) fn lines(rows: &[Row]) -> Vec<String> {
    let rows = rows.iter().map(Row::cells);
    let all: Vec<[String; 13]> = [HEAD.map(str::to_owned)].into_iter().chain(rows).collect();
    let widths: Vec<usize> = (0..HEAD.len())
        .map(|column| all.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0))
        .collect();
    let line = |row: &[String; 13]| {
        let cells = row.iter().zip(&widths).enumerate();
        let cells = cells.map(|(column, (cell, width))| match column {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    all.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::{super::tally::Verdict, *};

    #[test]
    fn an_overload_is_measured_by_what_can_be_done_and_by_half_of_it() {
        let row = |done: u32, millis| {
            let mut tally = Tally::default();
            for _ in 0..done {
                tally.count(Verdict::Ok, Duration::from_millis(millis));
            }
            Row::of(String::new(), "", 1, Duration::from_secs(2), &tally)
        };
        let overload = Overload::of(200, &[row(200, 20), row(380, 50)]).unwrap();
        assert!((overload.goodput - 95.0).abs() < 0.01 && (overload.p99_ratio - 2.5).abs() < 0.1, "{overload:?}");
        assert!(Overload::of(200, &[row(1, 1)]).is_none());
    }

    #[test]
    fn the_columns_of_a_table_are_aligned() {
        let mut tally = Tally::default();
        for _ in 0..3 {
            tally.count(Verdict::Ok, Duration::from_millis(2));
        }
        tally.count(Verdict::Refused("503 OVERLOADED".into()), Duration::from_micros(300));
        let row = |name: &str, tally: &Tally| Row::of(name.to_owned(), "63.55 %", 100, Duration::from_secs(2), tally);
        let lines = lines(&[row("stay", &tally), row("procurement", &Tally::default())]);
        assert_eq!(
            lines,
            [
                "scenario     users    s  ok  refused  failed  available  tps  p50 ms  p99 ms  longest  refused p99   source",
                "stay           100  2.0   3        1       0    75.00 %  1.5     2.0     2.0      2.0          0.3  63.55 %",
                "procurement    100  2.0   0        0       0   100.00 %  0.0     0.0     0.0      0.0               63.55 %",
            ]
        );
    }
}
