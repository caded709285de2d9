//! The end of a turn: the append goes to the journal, and what the turn leads to waits behind it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use super::{
    ahead::Way,
    book::{OpenStep, Tail, save},
    cell::{Active, Cell, Earlier, OpenAsk, Phase},
    commit::Commit,
    gate::{Behind, Effect, Gate, failure_before},
    host::Host,
    outcome::{Outcome, panic_text},
    series::Nth,
    turn::{Asker, IN_PROGRESS_RETRY, reply},
};
use crate::{
    actors::entity::{AskError, Entity, ReplyValue, Step, Timestamp},
    persistence::{Append, Begun, Lease, NewEvent, Settled, StoredSnapshot},
};

impl<E: Entity> Host<E> {
    /// Builds the append, takes it over in memory, and gives it to the journal.
    #[expect(clippy::too_many_arguments, reason = "the parts of one decision")]
    pub(super) fn hand_over(
        self: &Arc<Self>,
        cell: &Arc<Cell<E>>,
        active: &mut Active<E>,
        events: Vec<(E::Event, NewEvent)>,
        asker: Asker<E>,
        outcome: Outcome<E>,
        number: u64,
        now: Timestamp,
    ) {
        let (origin, how) = match &asker.closes {
            Some(closed) => (closed.origin, closed.how.clone()),
            None => (asker.meta.command.to_bits(), asker.meta.origin.clone()),
        };
        let is_follow_up = asker.closes.is_some();
        let begun = match &outcome {
            Outcome::Then(next) if !cell.lock().is_asking(next.step()) => {
                let Step(step, round) = next.step();
                let patient = asker.meta.patient;
                Some(Begun { origin, how: how.clone(), step: step.into(), round, patient })
            }
            Outcome::Then(_) | Outcome::Reply { .. } | Outcome::NotDone(..) | Outcome::Rejected(..) => None,
        };
        let (bytes, why) = match &outcome {
            Outcome::Reply { bytes, .. } => (Some(bytes.clone()), None),
            Outcome::NotDone(_, why) | Outcome::Rejected(_, why) => (None, Some(why.clone())),
            Outcome::Then(_) => (None, None),
        };
        let settles = why.is_some() || (is_follow_up && begun.is_none());
        let settled = settles.then(|| Settled { origin, how, reply: bytes.clone(), why });
        let closes = asker.asked.clone().zip(asker.closes.clone());
        let (events, new_events): (Vec<_>, Vec<_>) = events.into_iter().unzip();
        let mut append = Append {
            stream: self.stream(&cell.key),
            lease: Lease { partition: cell.partition, epoch: active.epoch },
            incarnation: active.book.incarnation,
            expected: active.book.sequence,
            at_millis: now.as_millis(),
            number,
            command: asker.meta.command.to_bits(),
            origin: asker.meta.origin.clone(),
            reply: bytes.filter(|_| !is_follow_up),
            begun,
            settled,
            open_asks: false,
            correlation: asker.meta.correlation.clone(),
            causation: asker.meta.causation.clone(),
            events: new_events,
        };
        active.book.apply(&append);
        append.open_asks = !active.book.open.is_empty();

        let done = asker.is_done_with(&outcome);
        let mut way = Way::of(&asker, append.begun.as_ref());
        let effects = self.effects(cell, active, asker, outcome, Some(&append));
        let mut effects = way.take_ahead(effects);
        // Once this is durable the step is never asked again, so whoever was asked need not remember it.
        let is_over = |closed: &OpenStep| !active.book.open.iter().any(|open| open.is_same(closed));
        let forgotten = closes.filter(|(_, closed)| is_over(closed)).map(|(of, _)| Effect::Forget(of));
        effects.splice(..0, forgotten);
        if active.book.tail.is_due(self.config.snapshot_every, self.config.snapshot_bytes) {
            effects.extend(Self::snapshot(active).map(Effect::Save));
        }
        let gate = Arc::new(Gate::new());
        active.gate = Some(gate.clone());
        cell.lock().in_flight += 1;
        let line = way.line.clone();
        self.commit(cell.clone(), append, Commit { events, effects, gate, line });
        done.inspect(Nth::done);
        self.go_ahead(cell, way);
    }

    /// What the outcome of a decision leads to, besides its events. Opens the ask of a step.
    pub(super) fn effects(
        &self,
        cell: &Cell<E>,
        active: &Active<E>,
        asker: Asker<E>,
        outcome: Outcome<E>,
        append: Option<&Append>,
    ) -> Vec<Effect<E>> {
        match outcome {
            Outcome::Reply { value, .. } => {
                let reply = reply(active, ReplyValue::Fresh(value), false);
                asker.answer(Ok(reply)).into_iter().collect()
            }
            Outcome::NotDone(why, _) => asker.answer(Err(AskError::Unavailable(why))).into_iter().collect(),
            Outcome::Rejected(rejection, _) => asker.answer(Err(AskError::Rejected(rejection))).into_iter().collect(),
            Outcome::Then(continuation) => {
                let step = continuation.step();
                let opened = match append {
                    Some(_) => active.book.open.iter().find(|open| open.is(step)).cloned(),
                    None => None,
                };
                let earlier = match &asker.closes {
                    Some(closed) if closed.is(step) && asker.in_doubt => Earlier::InDoubt,
                    Some(closed) if closed.is(step) => Earlier::Again,
                    Some(_) | None => Earlier::Nothing,
                };
                let opened = opened.unwrap_or_else(|| match asker.closes {
                    // The same asker waits on, for another round that nothing was written about.
                    Some(closed) => OpenStep { step: step.0.into(), round: step.1, ..closed },
                    None => OpenStep {
                        step: step.0.into(),
                        round: step.1,
                        origin: asker.meta.command.to_bits(),
                        how: asker.meta.origin,
                        correlation: asker.meta.correlation,
                        patient: asker.meta.patient,
                    },
                });
                let mut inner = cell.lock();
                if inner.phase == Phase::Gone {
                    // Nobody would bring the answer home; the journal has the step for the next activation.
                    let reason = "the service was stopped before another entity was asked".to_owned();
                    let unsettled = Err(AskError::Unsettled { reason });
                    return asker.port.map(|port| Effect::Answer(port, unsettled)).into_iter().collect();
                }
                if inner.is_asking(step) {
                    // One ask per step: who comes second hears how it ended by asking again.
                    let wait = Err(AskError::InProgress { retry_after: IN_PROGRESS_RETRY });
                    return asker.port.map(|port| Effect::Answer(port, wait)).into_iter().collect();
                }
                if let Some(port) = &asker.port {
                    port.claim.begin();
                }
                self.service.ask_opened();
                let patience = opened.patient.then(|| self.service.patience.clone().take());
                let (port, continuation) = (asker.port, Some(continuation));
                inner.asks.push(OpenAsk {
                    step,
                    opened,
                    port,
                    earlier,
                    ahead: None,
                    continuation,
                    asked: None,
                    patience,
                });
                vec![Effect::Begin(step)]
            }
        }
    }

    /// Lets an effect happen now, or once the last append is durable.
    pub(crate) fn effect(self: &Arc<Self>, cell: &Arc<Cell<E>>, active: &Active<E>, effect: Effect<E>) {
        let behind = match &active.gate {
            Some(gate) => gate.hold(effect),
            None => Behind::Now(effect),
        };
        self.let_happen(cell, behind);
    }

    pub(super) fn let_happen(self: &Arc<Self>, cell: &Arc<Cell<E>>, behind: Behind<E>) {
        match behind {
            Behind::Waits => {}
            Behind::Now(effect) => self.perform(cell, effect),
            Behind::Never(effect, error) => self.cancel(cell, effect, &failure_before(&error)),
        }
    }

    /// The state as a snapshot, as of the book's sequence; resets the tail.
    pub(crate) fn snapshot(active: &mut Active<E>) -> Option<StoredSnapshot> {
        let saved = catch_unwind(AssertUnwindSafe(|| save(&active.state, &active.book)));
        match saved {
            Ok(Ok(bytes)) => {
                active.book.tail = Tail { snapshot: bytes.len(), ..Tail::default() };
                Some(StoredSnapshot { sequence: active.book.sequence, shape: E::SNAPSHOT, bytes })
            }
            Ok(Err(error)) => {
                tracing::warn!(kind = E::KIND, %error, "no snapshot");
                None
            }
            Err(panic) => {
                tracing::warn!(kind = E::KIND, panic = panic_text(panic.as_ref()).as_ref(), "no snapshot");
                None
            }
        }
    }
}
