//! Reads of one entity: one that rests in memory is copied where it lies, every other is asked by way of its mailbox. There
//! a read waits, like every answer, until what was decided before it is durable; if that fails, it is read again.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use tokio::time::Instant;

use super::{
    cell::{Active, Cell, Phase},
    entities::{Current, stopped},
    gate::Effect,
    host::Host,
    mailbox::{Body, Envelope, Meta},
    outcome::panic_text,
    turn::{Panicked, reply},
};
use crate::actors::entity::{AskError, Entity, Key, Number, ReplyValue, Unavailable};

impl<E: Entity> Host<E> {
    /// The durable state; `None` for a key without events.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub(super) async fn read(
        self: &Arc<Self>,
        key: &Key,
        deadline: Instant,
    ) -> Result<Option<Current<E>>, AskError<E::Rejection>> {
        let cell = self.cell(key);
        // An entity whose first event is still on its way has no reader yet who could know of it. One in memory is
        // asked without a look at the journal's index; when it has no events it says so.
        if cell.is_none() && self.unit.journal.head(&self.stream(key)).is_none() {
            return Ok(None);
        }
        if let Some(current) = cell.and_then(|cell| self.at_rest(&cell)) {
            // It never waited; a reader in a loop gives way to others all the same.
            tokio::task::consume_budget().await;
            return Ok(Some(current).filter(has_events));
        }
        let reply = self.ask(key, Body::Read, Meta::fresh(""), deadline, None).await?;
        match reply.value {
            ReplyValue::Fresh(current) => {
                Ok(current.downcast::<Current<E>>().ok().map(|current| *current).filter(has_events))
            }
            ReplyValue::Recorded(_) => Ok(None), // a read is never kept
        }
    }

    /// Answers what changes nothing, once everything before it is durable.
    ///
    /// # Errors
    /// [`Panicked`] when the state cannot be copied; the asker has been told.
    pub(super) fn show(
        self: &Arc<Self>,
        cell: &Arc<Cell<E>>,
        active: &mut Active<E>,
        looking: Envelope<E>,
    ) -> Result<(), Panicked> {
        let seen: Box<dyn Any + Send> = match &looking.body {
            Body::Read => match catch_unwind(AssertUnwindSafe(|| active.state.clone())) {
                Ok(state) => Box::new(Current {
                    state,
                    number: Number::new(active.book.number),
                    sequence: active.book.sequence,
                    key: cell.key.clone(),
                }),
                Err(panic) => {
                    looking.port.send(Err(AskError::Unavailable(Unavailable::Panicked)));
                    return Err(Panicked::without_command(panic_text(panic.as_ref())));
                }
            },
            Body::Outcome(command) => Box::new(self.told(cell, active, *command)),
            Body::Probe | Body::Command(_) | Body::Kill => Box::new(()),
        };
        let reply = reply(active, ReplyValue::Fresh(seen), false);
        self.effect(cell, active, Effect::Show(Box::new(looking), reply));
        Ok(())
    }

    /// What it saw was not written, or nobody knows: it waits until the entity has recovered.
    pub(super) fn look_again(&self, cell: &Cell<E>, looking: Envelope<E>) {
        let mut inner = cell.lock();
        let why = match (&inner.phase, self.service.intake()) {
            (Phase::Gone, _) => stopped(&self.service.full_name),
            (Phase::Quarantined(reason), _) => Unavailable::Quarantined { reason: reason.to_string() },
            // A service that is being stopped empties each queue once.
            (_, Err(why)) => why,
            (Phase::Idle | Phase::Running | Phase::Backoff | Phase::Draining, Ok(())) => {
                looking.port.claim.put_back();
                return inner.queue.push_back(looking);
            }
        };
        drop(inner);
        looking.port.send(Err(AskError::Unavailable(why)));
    }

    /// The state of an entity that is in memory with nothing under way: everything that it decided is durable. `None` for
    /// any other, and for one whose state cannot be copied: whoever asks it the long way sees to that.
    fn at_rest(&self, cell: &Cell<E>) -> Option<Current<E>> {
        let mut inner = cell.lock();
        if inner.phase != Phase::Idle || inner.lost || inner.in_flight > 0 || self.service.intake().is_err() {
            return None;
        }
        let active = inner.active.as_ref()?;
        if active.gate.is_some() || active.epoch != self.unit.epoch() {
            return None;
        }
        let current = Current {
            state: catch_unwind(AssertUnwindSafe(|| active.state.clone())).ok()?,
            number: Number::new(active.book.number),
            sequence: active.book.sequence,
            key: cell.key.clone(),
        };
        inner.touched = self.service.second();
        Some(current)
    }
}

/// Whoever has none is not there.
fn has_events<E>(current: &Current<E>) -> bool {
    current.sequence > 0
}
