//! Who is let in, and how much of each.
//!
//! ```text
//! [admin] token_file --> Operators   who may use the operators' listener
//! ```
//!
//! Everything here holds secrets or hashes of them; none of it prints what it holds. All of it is read anew by a reload:
//! first everything is read and checked, then everything is replaced, so that a wrong file changes nothing.

mod digest;
mod error;
mod operators;
mod watch;

use std::sync::{Arc, PoisonError, RwLock};

use http::{HeaderMap, header};

use crate::{Prepared, Reloads, SupervisionConfig};
pub(crate) use digest::Digest;
pub use error::GuardError;
pub(crate) use operators::Operators;
use operators::Tokens;
pub use watch::KeyWatch;

/// What stands between the sockets and the routes of a process. All clones are one.
#[derive(Clone, Debug, Default)]
pub struct Guard(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    operators: Operators,
    /// The configuration that holds.
    config: RwLock<SupervisionConfig>,
}

/// Everything that the files say, read and checked.
struct Loaded {
    operators: Option<Tokens>,
}

impl Loaded {
    fn read(config: &SupervisionConfig) -> Result<Self, GuardError> {
        Ok(Self { operators: config.admin.token_file.as_deref().map(Tokens::read).transpose()? })
    }
}

impl Guard {
    /// The guard that `config` asks for.
    ///
    /// # Errors
    /// A file that cannot be read, or that is not as it has to be.
    pub fn of(config: &SupervisionConfig) -> Result<Self, GuardError> {
        let guard = Self::default();
        *guard.0.config.write().unwrap_or_else(PoisonError::into_inner) = config.clone();
        guard.apply(Loaded::read(config)?);
        Ok(guard)
    }

    /// A process that reads the files of keys again when they change.
    pub fn watch(&self) -> KeyWatch {
        KeyWatch::new(self.clone())
    }

    pub(crate) fn operators(&self) -> Operators {
        self.0.operators.clone()
    }

    /// What holds, of which only what differs is told.
    fn apply(&self, loaded: Loaded) -> Vec<String> {
        let operators = self.0.operators.replace(loaded.operators);
        [("operators", operators)].into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name.to_owned()).collect()
    }

    fn config(&self) -> SupervisionConfig {
        self.0.config.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Reloads for Guard {
    fn prepare(&self, config: &SupervisionConfig) -> Result<Prepared, String> {
        let mut config = config.clone();
        let held = self.config();
        // Whether somebody is asked at all does not change while clients are connected.
        if config.admin.token_file.is_some() != held.admin.token_file.is_some() {
            config.admin.token_file = held.admin.token_file;
        }
        let loaded = Loaded::read(&config).map_err(|error| match std::error::Error::source(&error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        })?;
        let guard = self.clone();
        Ok(Box::new(move || {
            *guard.0.config.write().unwrap_or_else(PoisonError::into_inner) = config;
            guard.apply(loaded)
        }))
    }
}

/// The present value of what a reload replaces.
fn reloaded<T>(value: &RwLock<Option<Arc<T>>>) -> Option<Arc<T>> {
    value.read().unwrap_or_else(PoisonError::into_inner).clone()
}

/// The token of `Authorization: Bearer TOKEN`.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    Some(token.trim()).filter(|token| scheme.eq_ignore_ascii_case("bearer") && !token.is_empty())
}
