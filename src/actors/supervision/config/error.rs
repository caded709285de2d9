//! Why a configuration is refused, and where the reason stands.

use std::{fmt, io, path::PathBuf};

/// Why there is no configuration. Nothing of a refused one takes effect.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file is there and cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A rule is broken.
    #[error("{place}: {problem}")]
    Refused {
        /// Where the value stands that breaks it.
        place: Place,
        /// The rule and the values.
        problem: Box<Problem>,
    },
}

impl ConfigError {
    pub(super) fn refused(place: Place, problem: Problem) -> Self {
        Self::Refused { place, problem: Box::new(problem) }
    }
}

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A place in the file; line and column count from 1.
    File {
        /// The name of the file.
        name: String,
        /// The line of the key.
        line: usize,
        /// The column of the key, in characters.
        column: usize,
    },
    /// An environment variable.
    Variable(String),
    /// A flag of the command line.
    Flag(&'static str),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { name, line, column } => write!(f, "{name}:{line}:{column}"),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(name) => f.write_str(name),
        }
    }
}

/// A broken rule of the configuration. Keys are given with their sections: `storage.partitions`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// It is not TOML.
    #[error("{0}")]
    Syntax(String),
    /// No such key exists. It is refused because a mistyped key would silently do nothing.
    #[error("unknown key `{key}`{}", did_you_mean(suggestion.as_deref()))]
    UnknownKey {
        /// The key.
        key: String,
        /// A key that differs little.
        suggestion: Option<String>,
    },
    /// The table is of a system that reads no switches.
    #[error("unknown key `{key}`; there are switches of {}", known.join(", "))]
    UnknownSystem {
        /// The key.
        key: String,
        /// The systems that read some.
        known: Vec<&'static str>,
    },
    /// The value is not of the kind that the key takes.
    #[error("`{key}` is {value}; it takes {expected}")]
    Unreadable {
        /// The key.
        key: String,
        /// The value.
        value: String,
        /// What the key takes.
        expected: String,
    },
    /// The value is too small or too large.
    #[error("`{key}` is {value}; it takes {least} to {most}")]
    OutOfBounds {
        /// The key.
        key: String,
        /// The value.
        value: String,
        /// The least value.
        least: String,
        /// The largest value.
        most: String,
    },
    /// Two values do not go together.
    #[error("`{key}` is {value}, more than `{limit_key}`, which is {limit}")]
    MoreThan {
        /// The key that has to be at most the other.
        key: String,
        /// Its value.
        value: String,
        /// The other key.
        limit_key: String,
        /// Its value.
        limit: String,
    },
    /// Two keys have the same value, and must not.
    #[error("`{key}` and `{other}` are both {value}")]
    Same {
        /// The one key.
        key: String,
        /// The other key.
        other: String,
        /// Their value.
        value: String,
    },
    /// A switch of a system is not as the system reads it.
    #[error("`{key}`: {reason}")]
    Switch {
        /// The key.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A key is missing that has no default.
    #[error("`{key}` is missing")]
    Missing {
        /// The key.
        key: String,
    },
    /// A key belongs to another choice than the one that was made, so it would do nothing.
    #[error("`{key}` does nothing with this `{other}`")]
    NoEffect {
        /// The key.
        key: String,
        /// The key of the choice.
        other: String,
    },
    /// A secret stands in the file.
    #[error(
        "`{key}` does not belong in a file that others read: give it as an environment variable, or name its own file with `{file_key}`"
    )]
    SecretInFile {
        /// The key.
        key: String,
        /// The key that names a file.
        file_key: String,
    },
    /// Two keys say the same thing, and only one may.
    #[error("`{key}` and `{other}` are both given; one of them is enough")]
    Both {
        /// The one key.
        key: String,
        /// The other key.
        other: String,
    },
    /// A name in an environment variable has an empty part.
    #[error("the name has an empty part; it is STEADFAST__SECTION__KEY")]
    EmptyName,
}

fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion.map(|key| format!("; did you mean `{key}`?")).unwrap_or_default()
}
