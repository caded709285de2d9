//! What a supervision tree consists of, before it runs.

use std::{fmt, sync::Arc, time::Duration};

use super::{
    backoff::Backoff,
    intensity::Intensity,
    process::Process,
    strategy::{Restart, Strategy},
};

/// A supervisor and its children, in the order in which they are started.
#[derive(Debug, Clone)]
pub struct SupervisorSpec {
    /// Its name among its siblings.
    pub name: String,
    /// Who is restarted with whom.
    pub strategy: Strategy,
    /// How many restarts are too many.
    pub intensity: Intensity,
    /// The waits before restarts.
    pub backoff: Backoff,
    /// The time each worker has to end after it was asked to; past it, it is killed.
    pub shutdown: Duration,
    /// Started first to last, stopped last to first.
    pub children: Vec<ChildSpec>,
}

/// A child of a supervisor.
#[derive(Debug, Clone)]
pub struct ChildSpec {
    pub(super) name: String,
    pub(super) restart: Restart,
    pub(super) shutdown: Option<Duration>,
    pub(super) significant: bool,
    pub(super) alone: bool,
    pub(super) role: Role,
}

#[derive(Clone)]
pub(super) enum Role {
    Worker(Arc<dyn Process>),
    Supervisor(SupervisorSpec),
}

impl ChildSpec {
    /// A permanent child that runs `process`.
    pub fn worker(name: impl Into<String>, process: Arc<dyn Process>) -> Self {
        Self::of(name.into(), Role::Worker(process))
    }

    /// A permanent child that is a supervisor itself.
    ///
    /// It ends when its own children have, each within its own limit; [`within`](Self::within) caps them together.
    pub fn supervisor(spec: SupervisorSpec) -> Self {
        Self::of(spec.name.clone(), Role::Supervisor(spec))
    }

    fn of(name: String, role: Role) -> Self {
        Self { name, restart: Restart::Permanent, shutdown: None, significant: false, alone: false, role }
    }

    /// Sets whether it is started again after it ended.
    #[must_use]
    pub fn restarted(self, restart: Restart) -> Self {
        Self { restart, ..self }
    }

    /// Sets the time it has to end after it was asked to, instead of its supervisor's `shutdown`.
    #[must_use]
    pub fn within(self, shutdown: Duration) -> Self {
        Self { shutdown: Some(shutdown), ..self }
    }

    /// Makes its failure that of its supervisor, at once: it is there to tell whether its siblings are well.
    #[must_use]
    pub fn significant(self) -> Self {
        Self { significant: true, ..self }
    }

    /// Has its restarts counted by themselves, with its supervisor's intensity over the time in which it was well. When
    /// they are too many, it alone is given up, visibly, until an operator starts it; its siblings go on.
    #[must_use]
    pub fn alone(self) -> Self {
        Self { alone: true, ..self }
    }
}

impl fmt::Debug for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Worker(_) => f.write_str("Worker"),
            Self::Supervisor(spec) => f.debug_tuple("Supervisor").field(spec).finish(),
        }
    }
}
