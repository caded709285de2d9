//! A cell's run: recover if needed, take what waits, one turn after the other, and end when nothing waits.

use std::sync::Arc;

use super::{
    bulkhead::{BulkheadError, Permit},
    cell::{Active, Cell, Earlier, Inner, OpenAsk, Phase},
    entities::stopped,
    give_way::give_way,
    host::Host,
    lane::Queue,
    mailbox::{Envelope, MAILBOX_RETRY, Watch},
    recovery::NotRecovered,
    turn::{Panicked, Work},
};
use crate::actors::entity::{AskError, Entity, Step, Unavailable};

/// Turns between two yields, so that one busy entity does not keep a thread to itself.
const TURNS_PER_YIELD: u32 = 64;

/// What a run does next.
#[expect(clippy::large_enum_variant, reason = "one at a time, on the stack")]
enum Next<E: Entity> {
    Work(Box<Active<E>>, Work<E>),
    /// The state is not the truth any more; recover.
    Recover,
    /// Parked, draining, or stopped.
    End,
}

impl<E: Entity> Host<E> {
    pub(crate) async fn run(self: Arc<Self>, cell: Arc<Cell<E>>) {
        let mut turns = 0u32;
        let mut active = None;
        loop {
            let current = match active.take() {
                Some(current) => current,
                None => match self.activate(&cell).await {
                    Some(current) => current,
                    None => return,
                },
            };
            match self.next(&cell, current) {
                Next::Work(current, Work::Message(envelope)) if envelope.watch == Watch::Arrived => {
                    self.delay(&cell, envelope).await;
                    active = Some(current);
                }
                Next::Work(mut current, work) => match self.turn(&cell, &mut current, work) {
                    Ok(()) => active = Some(current),
                    Err(panicked) => {
                        drop(current);
                        self.failed(&cell, panicked);
                        return;
                    }
                },
                Next::Recover => {}
                Next::End => return,
            }
            turns += 1;
            if turns.is_multiple_of(TURNS_PER_YIELD) {
                give_way().await;
            }
        }
    }

    /// Decides one message on the asker's own task: an idle entity in memory needs neither a task nor a wake-up for
    /// it, since a turn never waits. What has come meanwhile gets a run.
    pub(crate) fn run_at_once(
        self: &Arc<Self>,
        cell: &Arc<Cell<E>>,
        mut active: Box<Active<E>>,
        envelope: Envelope<E>,
    ) {
        if let Err(panicked) = self.turn(cell, &mut active, Work::AtOnce(envelope)) {
            drop(active);
            self.failed(cell, panicked);
            return;
        }
        let mut inner = cell.lock();
        if inner.queue.is_empty() && inner.follow_ups.is_empty() && !inner.lost {
            self.park(&mut inner, active);
            return;
        }
        inner.active = Some(active);
        drop(inner);
        self.spawn_run(cell.clone());
    }

    /// The state in memory, or the one recovered from storage; `None` when that failed and was dealt with.
    async fn activate(self: &Arc<Self>, cell: &Arc<Cell<E>>) -> Option<Box<Active<E>>> {
        if let Some(active) = cell.lock().active.take() {
            return Some(active);
        }
        let permit = self.may_recover(cell).await?;
        let recovered = self.recover(&cell.key).await;
        drop(permit);
        match recovered {
            Ok(mut active) => match self.resume(cell, &mut active) {
                Ok(()) => Some(active),
                Err(panicked) => {
                    self.failed(cell, panicked);
                    None
                }
            },
            Err(NotRecovered::ForNow(reason)) => {
                Self::refuse_queue(cell, &Unavailable::NotRecovered { reason: reason.to_string() });
                self.failed(cell, Panicked::without_command(reason));
                None
            }
            Err(NotRecovered::Ever(reason)) => {
                self.quarantine(cell, reason);
                None
            }
        }
    }

    /// Waits for being allowed to recover; `None` when too many wait already, and what waited here was refused. An
    /// entity with open steps waits in any case: nobody else brings their answers home.
    async fn may_recover(&self, cell: &Arc<Cell<E>>) -> Option<Permit> {
        loop {
            let has_steps = |inner: &Inner<E>| !inner.follow_ups.is_empty() || !inner.asks.is_empty();
            let anyway = has_steps(&cell.lock());
            let retry_after = match self.service.recoveries.enter_patiently(anyway).await {
                Ok(permit) => return Some(permit),
                Err(BulkheadError::Overloaded { retry_after, .. }) => retry_after,
                Err(_) => MAILBOX_RETRY, // it is never closed
            };
            let refused = {
                let mut inner = cell.lock();
                if inner.phase == Phase::Gone {
                    return None;
                }
                if has_steps(&inner) {
                    continue; // one was answered meanwhile
                }
                (inner.phase, inner.touched) = (Phase::Idle, self.service.second());
                inner.queue.take()
            };
            for envelope in refused {
                envelope.port.send(Err(AskError::Overloaded { retry_after }));
            }
            return None;
        }
    }

    /// Takes up the steps that the recovered state shows begun: an ask that still runs is joined. A step that
    /// the state does not show (its follow-up wrote nothing) is over, whatever the journal says of it;
    /// otherwise a repeat of its command would be told to wait for ever.
    fn resume(self: &Arc<Self>, cell: &Arc<Cell<E>>, active: &mut Active<E>) -> Result<(), Panicked> {
        let wanted = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| active.state.resume()))
            .map_err(|panic| Panicked::without_command(super::outcome::panic_text(panic.as_ref())))?;
        active.book.open.retain(|open| wanted.iter().any(|continuation| open.is(continuation.step())));
        let mut begin: Vec<Step> = Vec::new();
        let mut inner = cell.lock();
        if inner.phase == Phase::Gone {
            return Ok(());
        }
        for continuation in wanted {
            let step = continuation.step();
            if inner.is_asking(step) {
                continue;
            }
            let Some(opened) = active.book.open.iter().find(|open| open.is(step)).cloned() else {
                tracing::warn!(kind = E::KIND, key = %cell.key, %step, "resumed a step that no event began; ignored");
                continue;
            };
            self.service.ask_opened();
            // It may have been asked before the crash.
            let (earlier, continuation) = (Earlier::InDoubt, Some(continuation));
            let patience = opened.patient.then(|| self.service.patience.clone().take());
            let (port, ahead, asked) = (None, None, None);
            inner.asks.push(OpenAsk { step, opened, port, earlier, ahead, continuation, asked, patience });
            begin.push(step);
        }
        drop(inner);
        for step in begin {
            self.begin(cell, step, None);
        }
        Ok(())
    }

    fn next(&self, cell: &Cell<E>, mut active: Box<Active<E>>) -> Next<E> {
        let mut inner = cell.lock();
        inner.forget_in(&mut active);
        if inner.phase == Phase::Gone {
            return Next::End; // dropped while it ran: whoever needs the entity has another cell by now
        }
        if inner.lost || active.epoch != self.unit.epoch() {
            drop(active);
            if inner.in_flight > 0 {
                inner.phase = Phase::Draining;
                return Next::End;
            }
            inner.lost = false;
            return Next::Recover;
        }
        if let Some(follow_up) = inner.follow_ups.pop_front() {
            return Next::Work(active, Work::FollowUp(follow_up));
        }
        if let Some(envelope) = inner.queue.pop_front() {
            return Next::Work(active, Work::Message(envelope));
        }
        self.park(&mut inner, active);
        Next::End
    }

    /// Lets a message wait for what is injected, and puts it back in front: meanwhile the state may have been lost. Others
    /// of this entity wait behind it, nobody else does.
    async fn delay(&self, cell: &Cell<E>, mut envelope: Envelope<E>) {
        let (stop, deadline) = (self.service.stop_token(), envelope.deadline);
        let (correlation, claim) = (envelope.meta.correlation.clone(), envelope.port.claim.clone());
        let subject = self.subject(&cell.key);
        let delays = self.unit.faults.delay(&subject, &correlation, deadline, |fault| claim.delay(fault));
        let is_stopped = tokio::select! {
            biased;
            () = envelope.port.tx.closed() => return, // nobody waits: it was never begun
            _ = delays => false,
            () = stop.cancelled() => true,
        };
        envelope.watch = Watch::Delayed;
        if !is_stopped {
            let mut inner = cell.lock();
            if inner.phase != Phase::Gone {
                return inner.queue.push_front(envelope);
            }
        }
        envelope.port.send(Err(AskError::Unavailable(stopped(&self.service.full_name))));
    }

    fn park(&self, inner: &mut Inner<E>, mut active: Box<Active<E>>) {
        if inner.in_flight == 0 {
            active.gate = None;
        }
        inner.forget_in(&mut active);
        inner.active = Some(active);
        inner.phase = Phase::Idle;
        inner.touched = self.service.second();
        // An idle entity keeps no empty queue: most messages find it idle and need none.
        inner.queue = Queue::new();
    }

    /// Answers everything that waits: it was not done.
    pub(crate) fn refuse_queue(cell: &Cell<E>, why: &Unavailable) {
        let waiting = cell.lock().queue.take();
        for envelope in waiting {
            envelope.port.send(Err(AskError::Unavailable(why.clone())));
        }
    }
}
