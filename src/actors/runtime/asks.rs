//! Asks outside the turn: a task of its own carries the question and brings the answer back as a follow-up.

use std::sync::Arc;

use tokio::time::Instant;

use super::{
    cell::{Cell, FollowUp, Phase},
    host::Host,
    mailbox::Meta,
    turn::{panic_text, step_command},
};
use crate::{
    actors::entity::{Address, AskError, Entity, Step, Unavailable},
    persistence::{Causation, Origin},
};

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
                Some((continuation.take_up(), ask.opened.correlation.clone(), ask.opened.origin))
            })
        };
        let Some((asked, correlation, origin)) = taken else { return };
        let stream = Self::stream_name(&cell.key);
        let address = asked.address.unwrap_or_else(|| Address::Key(asked.step.creates(E::KIND, &cell.key)));
        let meta = Meta {
            command: step_command(&stream, step, "ask"),
            origin: Origin::Repeatable { fingerprint: 0 },
            correlation,
            causation: Causation::Command(origin),
        };
        let (host, cell) = (self.clone(), cell.clone());
        self.service.spawn(async move {
            let deadline = Instant::now() + asked.within;
            let answer = match host.kinds.find(asked.kind) {
                Some(target) => target.ask_any(address, asked.command, meta, deadline).await,
                None => Err(AskError::Unavailable(Unavailable::ServiceStopped { service: asked.kind.to_owned() })),
            };
            // The constructor of the follow-up is the author's code.
            let next = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || (asked.next)(answer)));
            // A panic fails the entity in its own turn, not here beside one that may be running.
            let command = next.map_err(|panic| format!("the follow-up of {step} {}", panic_text(panic.as_ref())).into());
            host.follow_up(&cell, FollowUp { step, command });
        });
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
