use std::{
    fmt, io,
    path::{Path, PathBuf},
};

/// A file that guards the edge is missing or not as it has to be. Nothing was started or changed for it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GuardError {
    /// It cannot be read, or written.
    #[error("cannot use {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// What stands in it is not usable. What was read is not part of the message: it may be secret.
    #[error("{}: {why}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        why: String,
    },
}

impl GuardError {
    pub(crate) fn unreadable(path: &Path, source: io::Error) -> Self {
        Self::Unreadable { path: path.to_owned(), source }
    }

    pub(crate) fn wrong(path: &Path, why: impl fmt::Display) -> Self {
        Self::Wrong { path: path.to_owned(), why: why.to_string() }
    }
}

/// The largest file of keys: far above the bounds on their number.
const MOST_BYTES: u64 = 1024 * 1024;

/// The text of a file of keys.
pub(crate) fn read(path: &Path) -> Result<String, GuardError> {
    use io::Read;
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(|error| GuardError::unreadable(path, error))?;
    file.take(MOST_BYTES + 1).read_to_string(&mut text).map_err(|error| GuardError::unreadable(path, error))?;
    if text.len() as u64 > MOST_BYTES {
        return Err(GuardError::wrong(path, format_args!("it is larger than {MOST_BYTES} bytes")));
    }
    Ok(text)
}

/// The lines of a file of keys that say something, with their numbers from 1.
pub(crate) fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().zip(1..).map(|(line, number)| (number, line.trim()));
    lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}
