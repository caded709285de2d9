//! The token that a tool shows to a server.

use std::{fs, path::Path};

use anyhow::{Context, anyhow};
use steadfast::Secret;

/// The first token of a file: as [admin] `token_file` has them, after their owners' names, or alone.
///
/// # Errors
/// It cannot be read, or has none.
pub(super) fn read(file: &Path) -> anyhow::Result<Secret> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let token = lines.next().and_then(|line| line.split_whitespace().last());
    token.map(Secret::new).ok_or_else(|| anyhow!("{} has no token", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_token_of_a_file_counts_with_or_without_a_name() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("tokens");
        for (text, token) in [("# day\n\n anna  first\nbert second\n", "first"), ("alone\n", "alone")] {
            fs::write(&file, text).unwrap();
            assert_eq!(read(&file).unwrap().expose(), token);
        }
        fs::write(&file, "# nobody\n").unwrap();
        assert!(read(&file).unwrap_err().to_string().ends_with("tokens has no token"));
        assert!(read(&directory.path().join("absent")).is_err());
    }
}
