//! A load as a table in markdown.

use std::fmt::Write as _;

use super::{
    results::{Measured, Results, ratio},
    shown::{Figure, Plot, Shown},
};

/// The table of a load; empty when it was not measured.
pub(super) fn markdown(results: &Results, shown: &Shown) -> String {
    let mut rows = results.under(shown.load);
    rows.sort_by_key(|one| one.at);
    if rows.is_empty() {
        return String::new();
    }
    let also: Vec<&Figure> =
        shown.also.iter().filter(|figure| rows.iter().any(|row| row.figure(figure.name).is_some())).collect();
    let bases: Vec<&str> = std::iter::once(shown.base)
        .chain(shown.like)
        .filter(|base| rows.iter().any(|row| row.subject == *base) && rows.iter().any(|row| row.subject != *base))
        .collect();

    let mut head = vec![shown.varies.to_owned(), String::new(), shown.by.label.to_owned(), "its rounds".to_owned()];
    head.extend(bases.iter().map(|base| format!("{base}, divided by it")));
    head.extend(also.iter().map(|figure| figure.label.to_owned()));
    let mut text = line(&head);
    let _infallible = writeln!(text, "|---:|---|{}", "---:|".repeat(head.len() - 2));
    for row in &rows {
        let of = |base: &str| rows.iter().find(|one| one.subject == base && one.at == row.at).copied();
        let mut cells = vec![
            number(Some(precise(row.at))),
            row.subject.clone(),
            number(row.median(shown.by.name)),
            range(row.figure(shown.by.name)),
        ];
        cells.extend(bases.iter().map(|base| compared(shown, of(base), row)));
        cells.extend(also.iter().map(|figure| number(row.median(figure.name))));
        text += &line(&cells);
    }
    text
}

/// What is shown of a load over time: the least, the middle and the greatest.
pub(super) fn summary(results: &Results, shown: &Shown) -> Option<String> {
    let values: Vec<f64> =
        results.under(shown.load).iter().filter_map(|one| one.figure(shown.by.name)).flatten().copied().collect();
    let middle = super::results::median(&values)?;
    let of = results.under(shown.load).len();
    (shown.plot == Plot::Time).then(|| {
        format!(
            "{}: {} in the middle, {} in {of} {}s.\n",
            shown.by.label,
            number(Some(middle)),
            range(Some(&values)),
            shown.varies
        )
    })
}

/// A base's figure divided by the row's, beside what was aimed at.
fn compared(shown: &Shown, base: Option<&Measured>, row: &Measured) -> String {
    let Some(base) = base.filter(|base| base.subject != row.subject) else { return String::new() };
    let figures = base.figure(shown.by.name).zip(row.figure(shown.by.name));
    let Some(ratio) = figures.and_then(|(of, to)| ratio(of, to)) else { return String::new() };
    let is_it = |aim: &&(&str, _)| aim.0 == row.subject && row.at >= shown.aims_from;
    let aim = shown.aims.iter().find(is_it).map(|(_, aim)| *aim);
    match aim {
        None => format!("{ratio:.2}"),
        Some(aim) => {
            let (word, bound) = match aim {
                super::shown::Aim::Least(bound) => ("at least", bound),
                super::shown::Aim::Most(bound) => ("at most", bound),
            };
            let missed = if aim.is_held(ratio) { "" } else { ", **missed**" };
            format!("**{ratio:.2}** (aim {word} {bound}{missed})")
        }
    }
}

fn line(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

#[expect(clippy::cast_precision_loss, reason = "a number for people")]
fn precise(number: u64) -> f64 {
    number as f64
}

fn range(values: Option<&[f64]>) -> String {
    let Some(values) = values else { return String::new() };
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    format!("{} to {}", number(Some(least)), number(Some(greatest)))
}

/// A number for people: with its thousands apart, small ones with two decimals.
pub(super) fn number(value: Option<f64>) -> String {
    let Some(value) = value else { return String::new() };
    if value.fract() != 0.0 && value.abs() < 100.0 {
        return format!("{value:.2}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) && !text.ends_with('-') {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{
        super::{results::tests::some, shown::ALL},
        *,
    };

    #[test]
    fn a_table_has_a_row_of_each_subject_and_says_what_was_aimed_at() {
        let shown = ALL.iter().find(|shown| shown.load == "commands").unwrap();
        assert_eq!(
            markdown(&some(), shown),
            "| connections |  | a second | its rounds | steadfast, divided by it | p99 ms |\n\
             |---:|---|---:|---:|---:|---:|\n\
             | 64 | steadfast | 28 000 | 20 000 to 30 000 |  | 4.25 |\n\
             | 64 | PostgreSQL | 10 000 | 10 000 to 16 000 | **2.00** (aim at least 1) |  |\n\
             | 256 | steadfast | 40 000 | 40 000 to 40 000 |  |  |\n"
        );
    }

    #[test]
    fn who_does_no_more_than_the_peers_is_compared_with_them_as_well() {
        let shown = ALL.iter().find(|shown| shown.load == "asks").unwrap();
        let text = r#"[
            {"load": "asks", "subject": "steadfast", "at": 64, "rounds": {"rate": [90]}},
            {"load": "asks", "subject": "steadfast, nothing follows", "at": 64, "rounds": {"rate": [300]}},
            {"load": "asks", "subject": "Restate", "at": 64, "rounds": {"rate": [10]}}
        ]"#;
        let results = Results { measured: serde_json::from_str(text).unwrap(), ..some() };
        assert_eq!(
            markdown(&results, shown),
            "| connections |  | a second | its rounds | steadfast, divided by it | steadfast, nothing follows, divided by it |\n\
             |---:|---|---:|---:|---:|---:|\n\
             | 64 | steadfast | 90 | 90 to 90 |  | 3.33 |\n\
             | 64 | steadfast, nothing follows | 300 | 300 to 300 | 0.30 |  |\n\
             | 64 | Restate | 10 | 10 to 10 | **9.00** (aim at least 10, **missed**) | **30.00** (aim at least 10) |\n"
        );
    }

    #[test]
    fn an_aim_that_is_missed_is_told() {
        let shown = ALL.iter().find(|shown| shown.load == "commands").unwrap();
        let mut results = some();
        results.measured[1].rounds.insert("rate".into(), vec![40_000.0, 60_000.0, 56_000.0]);
        assert!(markdown(&results, shown).contains("**0.50** (aim at least 1, **missed**)"));
        results.measured.clear();
        assert_eq!(markdown(&results, shown), "");
    }

    #[test]
    fn what_is_aimed_at_from_some_number_on_is_not_missed_before() {
        let shown = ALL.iter().find(|shown| shown.load == "appends").unwrap();
        let text = r#"[
            {"load": "appends", "subject": "steadfast", "at": 16, "rounds": {"rate": [30], "cpu_us": [33.5]}},
            {"load": "appends", "subject": "bare loop", "at": 16, "rounds": {"rate": [60]}},
            {"load": "appends", "subject": "steadfast", "at": 64, "rounds": {"rate": [30]}},
            {"load": "appends", "subject": "bare loop", "at": 64, "rounds": {"rate": [60]}}
        ]"#;
        let results = Results { measured: serde_json::from_str(text).unwrap(), ..some() };
        let table = markdown(&results, shown);
        assert!(table.contains("| 16 | bare loop | 60 | 60 to 60 | 0.50 |"), "{table}");
        assert!(
            table.contains("| 64 | bare loop | 60 | 60 to 60 | **0.50** (aim at least 0.8, **missed**) |"),
            "{table}"
        );
    }

    #[test]
    fn numbers_are_as_precise_as_they_need_to_be() {
        let told = |value| number(Some(value));
        assert_eq!(
            [told(1_234_567.4), told(999.6), told(12.0), told(1.234), told(-1234.0), number(None)],
            ["1 234 567", "1 000", "12", "1.23", "-1 234", ""]
        );
    }
}
