//! Tables in markdown.

/// Prints a table; the first column is text, the others are numbers.
pub(crate) fn print(title: &str, head: &[&str], rows: &[Vec<String>]) {
    println!("\n### {title}\n");
    println!("| {} |", head.join(" | "));
    let numbers = vec!["---:"; head.len().saturating_sub(1)];
    println!("|---|{}|", numbers.join("|"));
    for row in rows {
        println!("| {} |", row.join(" | "));
    }
}

/// A whole number with its thousands apart.
pub(crate) fn whole(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// A ratio.
pub(crate) fn ratio(value: f64) -> String {
    format!("**{value:.2}**")
}

/// The least and the greatest.
pub(crate) fn range(values: &[f64]) -> String {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    format!("{} to {}", whole(least), whole(greatest))
}

/// The least and the greatest, in seconds.
pub(crate) fn seconds(values: &[f64]) -> String {
    format!("{} s", tenths(values))
}

/// The least and the greatest of small numbers.
pub(crate) fn tenths(values: &[f64]) -> String {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let greatest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    format!("{least:.2} to {greatest:.2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_apart() {
        assert_eq!(whole(1_234_567.4), "1 234 567");
        assert_eq!(whole(999.6), "1 000");
        assert_eq!(whole(12.0), "12");
    }
}
