//! What can be injected.

use std::{fmt, time::Duration};

/// What goes wrong on purpose.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// Each command, each call of a link, or each append waits for `base` and a uniform part of `spread` before it is
    /// handled.
    Latency {
        /// At least so long.
        base: Duration,
        /// At most so much longer.
        spread: Duration,
    },
    /// Each command, or each call of a link, is refused; nothing is written, and trying again is safe.
    Error {
        /// For people; may be empty.
        reason: String,
    },
    /// Each command fails as it does when the entity's code panics.
    Panic,
    /// Appends to the journal go wrong.
    Append(AppendFault),
    /// The service says that it is not well; it goes on working.
    HealthDown,
}

/// How an append goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AppendFault {
    /// It is refused, and nothing is written.
    Reject,
    /// Its outcome is not known: it is not there, and the journal takes no more until it was opened again.
    Fail,
    /// As [`Fail`](Self::Fail), in the middle of writing: what was written of it is cut off.
    Tear,
    /// It is refused as by a full disk, and nothing is written.
    Full,
}

/// Names an injected fault, from 1 up, unique within the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FaultId(pub(crate) u64);

/// What a fault is about, so that it is told apart from others: see [`Fault::kind`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FaultKind {
    Latency,
    Error,
    Panic,
    Append,
    Health,
}

impl Fault {
    /// A latency between `base` and `base + spread`.
    pub fn latency(base: Duration, spread: Duration) -> Self {
        Self::Latency { base, spread }
    }

    /// An error with a reason for people.
    pub fn error(reason: impl Into<String>) -> Self {
        Self::Error { reason: reason.into() }
    }

    pub(crate) fn kind(&self) -> FaultKind {
        match self {
            Self::Latency { .. } => FaultKind::Latency,
            Self::Error { .. } => FaultKind::Error,
            Self::Panic => FaultKind::Panic,
            Self::Append(_) => FaultKind::Append,
            Self::HealthDown => FaultKind::Health,
        }
    }
}

impl AppendFault {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Reject, Self::Fail, Self::Tear, Self::Full];

    /// `reject`, `fail`, `tear` or `full`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reject => "reject",
            Self::Fail => "fail",
            Self::Tear => "tear",
            Self::Full => "full",
        }
    }

    /// Whether the journal has to be opened again after it.
    pub(crate) fn poisons(self) -> bool {
        match self {
            Self::Fail | Self::Tear => true,
            Self::Reject | Self::Full => false,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latency { base, spread } if spread.is_zero() => write!(f, "latency {base:?}"),
            Self::Latency { base, spread } => write!(f, "latency {base:?} to {:?}", base.saturating_add(*spread)),
            Self::Error { reason } if reason.is_empty() => f.write_str("error"),
            Self::Error { reason } => write!(f, "error ({reason})"),
            Self::Panic => f.write_str("panic"),
            Self::Append(how) => write!(f, "append {}", how.name()),
            Self::HealthDown => f.write_str("health down"),
        }
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Latency => "latency",
            Self::Error => "error",
            Self::Panic => "panic",
            Self::Append => "append",
            Self::Health => "health",
        })
    }
}

impl fmt::Display for FaultId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "f{}", self.0)
    }
}

impl std::str::FromStr for FaultId {
    type Err = UnknownFault;

    fn from_str(text: &str) -> Result<Self, UnknownFault> {
        let number = text.strip_prefix('f').filter(|digits| !digits.starts_with(['0', '+']));
        number.and_then(|digits| digits.parse().ok()).map(Self).ok_or_else(|| UnknownFault(text.to_owned()))
    }
}

/// No fault has this id: it never had, or it ended so long ago that it is forgotten.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no fault is called {0:?}")]
pub struct UnknownFault(pub(crate) String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_and_nothing_else_reads_as_one() {
        assert_eq!("f12".parse(), Ok(FaultId(12)));
        assert_eq!(FaultId(12).to_string(), "f12");
        for bad in ["", "f", "f0", "f01", "f+1", "12", "f-1", "f1x", "F1"] {
            assert_eq!(bad.parse::<FaultId>(), Err(UnknownFault(bad.to_owned())), "{bad}");
        }
    }
}
