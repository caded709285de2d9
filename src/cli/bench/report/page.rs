//! A page in markdown, parts of which are drawn from results.
//!
//! A part begins with the line `<!-- drawn: NAME -->` and ends with `<!-- end of NAME -->`. What is between is replaced.

use anyhow::{anyhow, bail};

/// Whether the page has a place for that part.
pub(super) fn has(page: &str, name: &str) -> bool {
    page.contains(&begin(name))
}

fn begin(name: &str) -> String {
    format!("<!-- drawn: {name} -->\n")
}

/// The page with a part replaced.
///
/// # Errors
/// The page has no such part, or it does not end.
pub(super) fn replace(page: &str, name: &str, part: &str) -> anyhow::Result<String> {
    let (begin, end) = (begin(name), format!("<!-- end of {name} -->"));
    let (before, rest) = page.split_once(&begin).ok_or_else(|| anyhow!("there is no line {}", begin.trim_end()))?;
    let (_, after) = rest.split_once(&end).ok_or_else(|| anyhow!("there is no line {end}"))?;
    if after.contains(&begin) {
        bail!("there are two lines {}", begin.trim_end());
    }
    Ok(format!("{before}{begin}\n{part}\n{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str =
        "# Page\n\n<!-- drawn: a -->\nold\n<!-- end of a -->\n\ntext\n\n<!-- drawn: b -->\n<!-- end of b -->\n";

    #[test]
    fn only_the_part_of_that_name_is_replaced_and_again_with_the_same_result() {
        let once = replace(PAGE, "a", "| new |\n").unwrap();
        assert_eq!(
            once,
            "# Page\n\n<!-- drawn: a -->\n\n| new |\n\n<!-- end of a -->\n\ntext\n\n<!-- drawn: b -->\n<!-- end of b -->\n"
        );
        assert_eq!(replace(&once, "a", "| new |\n").unwrap(), once);
    }

    #[test]
    fn a_part_that_is_not_there_or_does_not_end_is_an_error() {
        assert_eq!(replace(PAGE, "c", "").unwrap_err().to_string(), "there is no line <!-- drawn: c -->");
        let open = PAGE.replace("<!-- end of a -->", "");
        assert_eq!(replace(&open, "a", "").unwrap_err().to_string(), "there is no line <!-- end of a -->");
        assert!(replace(&PAGE.repeat(2), "a", "").is_err());
    }
}
