//! Asks outside the turn: a task of its own carries the question and brings the answer back as a follow-up.
//!
//! An answer "not done" of a partner is only about that try. Where an earlier try of the same step may have
//! been done (before a crash, or beyond a deadline), it says nothing: the entity would take back what its
//! partner has done. So from then on a step is asked, with the same command id, until the partner says what
//! became of it, or the time of the ask is up and the outcome stays unknown.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{
    cell::{Cell, Earlier, FollowUp, Phase},
    host::Host,
    mailbox::Meta,
    outcome::panic_text,
    turn::step_command,
};
use crate::{
    actors::entity::{Address, AskError, AskedAnswer, Entity, Outcome, Question, Step, Unavailable},
    persistence::{Causation, Origin},
};

/// The first pause before a step is asked again; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Pause before a step that its own follow-up begins again.
const AGAIN: Duration = Duration::from_millis(100);

/// One ask, as often as it takes.
struct Asking {
    kind: &'static str,
    address: Address,
    question: Question,
    meta: Meta,
    within: Duration,
    earlier: Earlier,
}

/// Whether the command did not get as far as the memory of what was done before.
fn is_only_of_this_try<R>(error: &AskError<R>) -> bool {
    match error {
        AskError::Overloaded { .. } | AskError::Expired(_) => true,
        AskError::Unavailable(why) => match why {
            Unavailable::ServiceStopped { .. }
            | Unavailable::ShuttingDown
            | Unavailable::Quarantined { .. }
            | Unavailable::NotRecovered { .. } => true,
            Unavailable::Panicked | Unavailable::Storage { .. } | Unavailable::Partner { .. } => false,
        },
        AskError::Rejected(_)
        | AskError::NotFound { .. }
        | AskError::Reused
        | AskError::Moved { .. }
        | AskError::InProgress { .. }
        | AskError::TimedOut(_)
        | AskError::Unsettled { .. }
        | AskError::Unreadable { .. } => false,
    }
}

impl<E: Entity> Host<E> {
    /// Begins the ask of an open step, once: whoever comes second joins it.
    pub(crate) fn begin(self: &Arc<Self>, cell: &Arc<Cell<E>>, step: Step) {
        let taken = {
            let mut inner = cell.lock();
            let ask = inner.asks.iter_mut().find(|ask| ask.step == step);
            ask.and_then(|ask| {
                let continuation = ask.continuation.take()?;
                if let Some(port) = &ask.port {
                    port.claim.set_under_way();
                }
                Some((continuation.take_up(), ask.opened.correlation.clone(), ask.opened.origin, ask.earlier))
            })
        };
        let Some((asked, correlation, origin, earlier)) = taken else { return };
        debug_assert!(E::ASKS.contains(&asked.kind), "{} is missing in the ASKS of {}", asked.kind, E::KIND);
        let stream = Self::stream_name(&cell.key);
        let address = asked.address.unwrap_or_else(|| Address::Key(asked.step.creates(E::KIND, &cell.key)));
        let meta = Meta {
            command: step_command(&stream, step, "ask"),
            origin: Origin::Repeatable { fingerprint: 0 },
            correlation,
            causation: Causation::Command(origin),
        };
        let (kind, question, within) = (asked.kind, asked.question, asked.within);
        let asking = Asking { kind, address, question, meta, within, earlier };
        let (host, cell, stopping) = (self.clone(), cell.clone(), self.service.stop_token());
        self.service.spawn(async move {
            // What is only being repeated does not hold a stop up: the step is resumed at the next start.
            let answer = tokio::select! {
                answer = host.until_known(asking) => answer,
                () = stopping.cancelled(), if earlier != Earlier::Nothing => return,
            };
            let in_doubt = answer.as_ref().is_err_and(|error| error.outcome() == Outcome::Unknown);
            // The constructor of the follow-up is the author's code.
            let next = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || (asked.next)(answer)));
            // A panic fails the entity in its own turn, not here beside one that may be running.
            let command =
                next.map_err(|panic| format!("the follow-up of {step} {}", panic_text(panic.as_ref())).into());
            host.follow_up(&cell, FollowUp { step, command, in_doubt });
        });
    }

    /// Asks until the outcome is known or the time is up. When it comes back without one, the time is up: an
    /// entity that then goes on asking does not keep a core busy.
    async fn until_known(&self, asking: Asking) -> AskedAnswer {
        let Asking { kind, address, question, meta, within, earlier } = asking;
        if earlier != Earlier::Nothing {
            tokio::time::sleep(AGAIN).await;
        }
        let deadline = Instant::now() + within;
        let mut in_doubt = earlier == Earlier::InDoubt;
        let mut pause = FIRST_PAUSE;
        loop {
            let answer = match self.kinds.find(kind) {
                Some(target) => target.ask_any(address.clone(), question.command(), meta.clone(), deadline).await,
                None => Err(AskError::Unavailable(Unavailable::ServiceStopped { service: kind.to_owned() })),
            };
            match &answer {
                Err(error) if error.outcome() == Outcome::Unknown => in_doubt = true,
                Err(error) if in_doubt && is_only_of_this_try(error) => {}
                Ok(_) | Err(_) => return answer,
            }
            let again = Instant::now() + pause;
            tokio::time::sleep_until(again.min(deadline)).await;
            if again >= deadline {
                return Err(AskError::TimedOut(within));
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Brings an answer home. It has a place of its own, also when the mailbox is full or the entity is
    /// away; a quarantined entity keeps it for later.
    fn follow_up(self: &Arc<Self>, cell: &Arc<Cell<E>>, follow_up: FollowUp<E>) {
        let mut inner = cell.lock();
        if inner.phase == Phase::Gone {
            return; // the service was stopped; the step is resumed at its next start
        }
        inner.follow_ups.push_back(follow_up);
        if inner.phase == Phase::Idle {
            inner.phase = Phase::Running;
            drop(inner);
            self.spawn_run(cell.clone());
        }
    }
}
