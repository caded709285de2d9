//! A rebuild of a view as operators ask for it and see it.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use schemars::JsonSchema;
use serde::Serialize;
use tokio::{sync::Semaphore, time::Instant};

use crate::actors::entity::Unavailable;

/// Keys of rows that differed, kept for people to look at. More are only counted.
const EXAMPLES: usize = 10;

/// How far a rebuild is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RebuildState {
    /// Asked for; another view is being rebuilt, or this one has not turned to it yet.
    #[default]
    Waiting,
    /// Rows are made of events, beside those in use.
    Building,
    /// The rows are compared with those in use.
    Comparing,
    /// The rows that were built are in use.
    Done,
    /// Nothing was changed.
    Failed,
}

/// What is known of the last rebuild of a view.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[non_exhaustive]
pub struct RebuildStatus {
    /// The view's system.
    pub system: String,
    /// The view.
    pub view: String,
    /// How far it is.
    pub state: RebuildState,
    /// Events that were passed, also those that are none of the view's business.
    pub events: u64,
    /// Events that the view had dealt with when it began; more may have come.
    pub of: u64,
    /// Rows that were compared so far; once done, all that were built.
    pub rows: u64,
    /// Rows that were not in use and belong there.
    pub missing: u64,
    /// Rows that were in use and do not belong there.
    pub superfluous: u64,
    /// Rows that were not what they should be.
    pub changed: u64,
    /// Rows that could not be read.
    pub unreadable: u64,
    /// Keys of the first rows that differed.
    pub examples: Vec<String>,
    /// Milliseconds since it began to build; once it has ended, in all.
    pub millis: u64,
    /// Why it failed.
    pub error: Option<String>,
}

impl RebuildStatus {
    /// Rows that differed.
    pub fn differences(&self) -> u64 {
        self.missing + self.superfluous + self.changed + self.unreadable
    }

    /// Whether it neither is done nor failed.
    pub fn is_running(&self) -> bool {
        !matches!(self.state, RebuildState::Done | RebuildState::Failed)
    }

    pub(super) fn differs(&mut self, how: fn(&mut Self) -> &mut u64, key: impl FnOnce() -> String) {
        *how(self) += 1;
        if self.examples.len() < EXAMPLES {
            self.examples.push(key());
        }
    }
}

/// Why a view is not rebuilt.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum RebuildError {
    /// No view has this name.
    #[error("there is no view {0}")]
    Unknown(String),
    /// It is being rebuilt now.
    #[error("{} is being rebuilt already", .0.view)]
    Running(Box<RebuildStatus>),
    /// Its service is stopped.
    #[error("{0}")]
    Unavailable(Unavailable),
    /// Events from before these positions were deleted: rows that stand for them cannot be made again.
    #[error("{0}")]
    HistoryDeleted(String),
}

/// Where a rebuild is asked for and told of; one per view.
#[derive(Debug)]
pub(crate) struct Rebuild {
    slot: Mutex<Slot>,
    /// One of all views at a time has its rows in memory.
    pub(crate) turn: Arc<Semaphore>,
}

#[derive(Debug, Default)]
struct Slot {
    status: Option<RebuildStatus>,
    begun: Option<Instant>,
}

impl Rebuild {
    pub(crate) fn new(turn: Arc<Semaphore>) -> Arc<Self> {
        Arc::new(Self { slot: Mutex::default(), turn })
    }

    /// Asks for one, unless one is running.
    pub(crate) fn ask(&self, system: &str, view: &str) -> Result<RebuildStatus, RebuildError> {
        let mut slot = self.lock();
        if let Some(status) = slot.told().filter(RebuildStatus::is_running) {
            return Err(RebuildError::Running(Box::new(status)));
        }
        let status = RebuildStatus { system: system.to_owned(), view: view.to_owned(), ..RebuildStatus::default() };
        *slot = Slot { status: Some(status.clone()), begun: None };
        Ok(status)
    }

    /// The last one; `None` when there was none since the process started.
    pub(crate) fn status(&self) -> Option<RebuildStatus> {
        self.lock().told()
    }

    /// Whether one is asked for that nobody has begun.
    pub(super) fn is_asked(&self) -> bool {
        let slot = self.lock();
        slot.status.as_ref().is_some_and(|status| status.state == RebuildState::Waiting)
    }

    pub(super) fn begin(&self, events: u64) {
        let mut slot = self.lock();
        slot.begun = Some(Instant::now());
        if let Some(status) = &mut slot.status {
            (status.state, status.of) = (RebuildState::Building, events);
        }
    }

    pub(super) fn note(&self, change: impl FnOnce(&mut RebuildStatus)) {
        if let Some(status) = &mut self.lock().status {
            change(status);
        }
    }

    /// Ends the one that has begun, if any.
    pub(super) fn end(&self, outcome: Result<(), String>) {
        let mut slot = self.lock();
        let took = slot.took();
        let Some(status) = slot.status.as_mut().filter(|status| status.is_running()) else { return };
        status.millis = took;
        (status.state, status.error) = match outcome {
            Ok(()) => (RebuildState::Done, None),
            Err(why) => (RebuildState::Failed, Some(why)),
        };
        let (view, rows, differences, millis) = (&status.view, status.rows, status.differences(), status.millis);
        match &status.error {
            None => tracing::info!(view, rows, differences, millis, "view rebuilt"),
            Some(why) => tracing::warn!(view, why, "view not rebuilt; its rows are as they were"),
        }
        slot.begun = None;
    }

    /// One that had begun in a run of the view that is over: what it built is thrown away.
    pub(super) fn interrupted(&self) {
        if !self.is_asked() {
            self.end(Err("the view stopped before it was done".to_owned()));
        }
    }

    fn lock(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    fn took(&self) -> u64 {
        let took = self.begun.map_or(Duration::ZERO, |begun| begun.elapsed());
        u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
    }

    fn told(&self) -> Option<RebuildStatus> {
        let status = self.status.clone()?;
        Some(if self.begun.is_some() { RebuildStatus { millis: self.took(), ..status } } else { status })
    }
}
