//! What waits for an append: nothing is seen before the events behind it are durable.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use super::{
    ahead::{EarlyAnswer, TellBegun},
    cell::Asked,
    mailbox::{Envelope, ReplyPort, TurnReply, TurnResult},
};
use crate::{
    actors::entity::{AskError, Entity, Step, Unavailable},
    persistence::{AppendError, Refusal, StoredSnapshot},
};

/// What happens once the events behind it are durable.
pub(crate) enum Effect<E: Entity> {
    /// An asker gets its answer.
    Answer(ReplyPort<E>, TurnResult<E>),
    /// Who only looked is shown this. When the append fails, he looks again instead.
    Show(Box<Envelope<E>>, TurnReply),
    /// The ask of this step begins.
    Begin(Step),
    /// The ask of this step goes ahead: from now on what began it is durable.
    Begun(Step, TellBegun),
    /// The state is saved.
    Save(StoredSnapshot),
    /// An entity that was asked need not remember it any more.
    Forget(Asked),
    /// An asker that goes ahead gets its answer, if it did not get it early.
    Early(Arc<EarlyAnswer<E>>),
    /// What waits behind another gate as well may happen.
    Open(Arc<Gate<E>>),
}

/// Holds back effects until one append is answered.
pub(crate) struct Gate<E: Entity>(Mutex<State<E>>);

enum State<E: Entity> {
    Waiting(Vec<Effect<E>>),
    Durable,
    Failed(AppendError),
}

/// What became of an effect that was put behind a gate.
pub(crate) enum Behind<E: Entity> {
    /// It waits.
    Waits,
    /// The gate is open: it may happen now.
    Now(Effect<E>),
    /// The append failed: it must not happen.
    Never(Effect<E>, AppendError),
}

impl<E: Entity> Gate<E> {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(State::Waiting(Vec::new())))
    }

    /// Puts an effect behind this gate.
    pub(crate) fn hold(&self, effect: Effect<E>) -> Behind<E> {
        match &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            State::Waiting(held) => {
                held.push(effect);
                Behind::Waits
            }
            State::Durable => Behind::Now(effect),
            State::Failed(error) => Behind::Never(effect, error.clone()),
        }
    }

    /// Opens or breaks the gate and gives back what waited, in the order in which it came.
    pub(crate) fn settle(&self, outcome: Result<(), AppendError>) -> Vec<Effect<E>> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let after = match outcome {
            Ok(()) => State::Durable,
            Err(error) => State::Failed(error),
        };
        match std::mem::replace(&mut *state, after) {
            State::Waiting(held) => held,
            State::Durable | State::Failed(_) => Vec::new(),
        }
    }
}

/// A storage that takes no writes is opened again, or an entity recovered, within about this time.
const RETRY_AFTER: Duration = Duration::from_secs(1);

fn unavailable<R>(error: &AppendError, retry_after: Duration) -> AskError<R> {
    AskError::Unavailable(Unavailable::Storage { reason: error.to_string(), retry_after })
}

/// What an asker is told when the append behind its answer failed.
pub(crate) fn append_failure<R>(error: &AppendError) -> AskError<R> {
    match error {
        AppendError::Refused(Refusal::Overloaded { retry_after }) => AskError::Overloaded { retry_after: *retry_after },
        // The decision is to blame, and will be at every repeat.
        AppendError::Refused(Refusal::TooLarge { .. }) => AskError::Unavailable(Unavailable::Panicked),
        AppendError::Unknown(reason) => AskError::Unsettled { reason: reason.to_string() },
        // It is there, but what it led to was told by another activation.
        AppendError::Duplicate(_) => AskError::Unsettled { reason: error.to_string() },
        AppendError::Refused(Refusal::NoSpace { retry_after, .. } | Refusal::OnPurpose { retry_after, .. }) => {
            unavailable(error, *retry_after)
        }
        AppendError::Conflict { .. } | AppendError::Fenced { .. } | AppendError::Refused(_) => {
            unavailable(error, RETRY_AFTER)
        }
    }
}

/// What an asker is told whose answer waited behind an append of another command's: who is to blame for that is not the
/// asker.
pub(crate) fn failure_before<R>(error: &AppendError) -> AskError<R> {
    match error {
        AppendError::Refused(Refusal::TooLarge { .. }) => unavailable(error, RETRY_AFTER),
        AppendError::Refused(_)
        | AppendError::Conflict { .. }
        | AppendError::Fenced { .. }
        | AppendError::Duplicate(_)
        | AppendError::Unknown(_) => append_failure(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_command_that_is_too_large_is_told_that_it_is_to_blame() {
        let error = AppendError::Refused(Refusal::TooLarge { bytes: 1 << 30, events: 1 });
        assert_eq!(append_failure::<()>(&error), AskError::Unavailable(Unavailable::Panicked));
        assert!(matches!(failure_before::<()>(&error), AskError::Unavailable(Unavailable::Storage { .. })));
    }
}
