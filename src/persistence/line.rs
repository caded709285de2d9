//! Appends that go in a line: none is written once one before it was not.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use super::{AppendDone, AppendError, Refusal};

/// A line of appends, of any streams of one journal: each is handed over after the one before it, without waiting for what
/// becomes of that. What is written of it is a beginning of the line, whatever happens, also if the process ends.
///
/// The clones of a line are the same line.
#[derive(Clone, Debug, Default)]
pub struct Line(Arc<AtomicBool>);

impl Line {
    /// Nothing more of it is written: what was handed over first was not, or is not known to be.
    pub fn cut(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether both are the same line.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Whether nothing more of it is written.
    pub fn is_cut(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// Tells `done`, and cuts the line before when there is nothing good to tell.
pub(super) fn cutting(line: Option<&Line>, done: AppendDone) -> AppendDone {
    let Some(line) = line.cloned() else { return done };
    Box::new(move |outcome| {
        if outcome.is_err() {
            line.cut();
        }
        done(outcome);
    })
}

/// Gives an append its place, unless its line is cut; without a place it cuts its line. For a journal, of one append after
/// the other as they came.
pub(super) fn in_line<T>(
    line: Option<&Line>,
    place: impl FnOnce() -> Result<T, AppendError>,
) -> Result<T, AppendError> {
    let Some(line) = line else { return place() };
    if line.is_cut() {
        return Err(AppendError::Refused(Refusal::LineCut));
    }
    place().inspect_err(|_| line.cut())
}
