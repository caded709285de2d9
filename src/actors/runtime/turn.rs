//! One turn: a message is decided, its events are applied and handed over. Never waits.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use super::{
    ahead::Ahead,
    book::OpenStep,
    cell::{Active, Asked, Cell, FollowUp},
    dedup::Seen,
    gate::{Effect, append_failure},
    host::Host,
    mailbox::{Body, Envelope, Meta, ReplyPort, TurnReply, TurnResult, Watch},
    outcome::{Outcome, evolve, panic_text},
    quarantine::FailedCommand,
    series::Nth,
};
use crate::{
    actors::entity::{
        AnyAnswer, AnyCommand, AskError, CommandContext, CommandId, Entity, EntityId, Number, ReplyValue, Step,
        Unavailable,
    },
    persistence::{AppendError, Causation, Origin},
};

/// When a command whose first ask is still open is worth another look.
pub(super) const IN_PROGRESS_RETRY: std::time::Duration = std::time::Duration::from_secs(1);

/// The turn panicked: the state cannot be trusted any more.
#[derive(Debug)]
pub(crate) struct Panicked {
    pub(crate) reason: Arc<str>,
    /// On which command.
    pub(crate) command: Option<FailedCommand>,
}

impl Panicked {
    pub(crate) fn without_command(reason: Arc<str>) -> Self {
        Self { reason, command: None }
    }
}

/// What a turn works on.
pub(crate) enum Work<E: Entity> {
    /// One that came this moment: it is in time.
    AtOnce(Envelope<E>),
    /// One that waited.
    Message(Envelope<E>),
    FollowUp(FollowUp<E>),
}

/// Who asked, in the end: for a follow-up, the asker of the command that began the step.
pub(super) struct Asker<E: Entity> {
    pub(super) port: Option<ReplyPort<E>>,
    pub(super) meta: Meta,
    /// The step that is closed by this turn.
    pub(super) closes: Option<OpenStep>,
    /// Who was asked in it.
    pub(super) asked: Option<Asked>,
    /// Whether the answer to that step leaves open what the other entity did.
    pub(super) in_doubt: bool,
    /// That answer came early: what it stands on may not be durable yet.
    pub(super) stands_on: Option<Arc<Ahead>>,
}

impl<E: Entity> Asker<E> {
    fn of_message(mut port: ReplyPort<E>, mut meta: Meta) -> Self {
        port.ahead = meta.ahead.take();
        Self { port: Some(port), meta, closes: None, asked: None, in_doubt: false, stands_on: None }
    }

    pub(super) fn answer(self, result: TurnResult<E>) -> Option<Effect<E>> {
        self.port.map(|port| Effect::Answer(port, result))
    }

    /// Its place in a series, when this outcome is all that it asked for.
    pub(super) fn is_done_with(&self, outcome: &Outcome<E>) -> Option<Nth> {
        let is_done = matches!(outcome, Outcome::Reply { .. });
        self.port.as_ref().filter(|_| is_done)?.nth()
    }
}

impl<E: Entity> Host<E> {
    /// Decides one message.
    ///
    /// # Errors
    /// [`Panicked`] when the entity's code panicked. Nothing was written, the asker has been told, and
    /// the state must be dropped.
    pub(crate) fn turn(
        self: &Arc<Self>,
        cell: &Arc<Cell<E>>,
        active: &mut Active<E>,
        work: Work<E>,
    ) -> Result<(), Panicked> {
        match work {
            Work::AtOnce(envelope) => self.message(cell, active, envelope, true),
            Work::Message(envelope) => {
                let is_in_time = tokio::time::Instant::now() <= envelope.deadline;
                self.message(cell, active, envelope, is_in_time)
            }
            Work::FollowUp(follow_up) => {
                // An answer to a step that is not open changes nothing.
                let Some(ask) = cell.lock().close_for(&follow_up) else { return Ok(()) };
                let meta = Meta {
                    command: step_command(&Self::stream_name(&cell.key), follow_up.step, "follow-up"),
                    origin: Origin::Fresh,
                    correlation: ask.opened.correlation.clone(),
                    causation: Causation::Command(ask.opened.origin),
                    patient: ask.opened.patient,
                    is_inside: true,
                    ahead: None,
                };
                let in_doubt = follow_up.in_doubt;
                let (closes, stands_on) = (Some(ask.opened), follow_up.stands_on);
                if let Some(port) = ask.port.as_ref().filter(|_| stands_on.is_some()) {
                    // From now on nobody knows what comes of it, until that is durable.
                    port.claim.set_under_way(false);
                }
                let asker = Asker { port: ask.port, meta, closes, asked: ask.asked, in_doubt, stands_on };
                let done = match follow_up.command {
                    Ok(command) => self.command(cell, active, command, asker, Some(follow_up.step)),
                    Err(reason) => self.panicked(None, asker, "follow-up", &reason),
                };
                // Only now, so that there is no moment at which nothing seems to be under way.
                self.service.ask_closed();
                done
            }
        }
    }

    fn message(
        self: &Arc<Self>,
        cell: &Arc<Cell<E>>,
        active: &mut Active<E>,
        envelope: Envelope<E>,
        is_in_time: bool,
    ) -> Result<(), Panicked> {
        let Envelope { body, mut meta, mut port, deadline, expecting, watch } = envelope;
        // Given back when the turn is over, so that there is no moment at which nothing seems to be under way.
        let _turn = port.room.turn(&self.service.budget);
        if !port.take() {
            return Ok(());
        }
        if !is_in_time {
            self.effect(cell, active, Effect::Answer(port, Err(AskError::Expired(self.config.deadline))));
            return Ok(());
        }
        let command = match body {
            Body::Command(command) => command,
            body @ (Body::Read | Body::Outcome(_) | Body::Probe) => {
                return self.show(cell, active, Envelope { body, meta, port, deadline, expecting, watch });
            }
            Body::Kill => {
                port.send(Err(AskError::Unavailable(Unavailable::Panicked)));
                return Err(Panicked::without_command("killed by an operator".into()));
            }
        };
        let id = meta.command.to_bits();
        if active.book.is_pending(id) {
            let retry_after = IN_PROGRESS_RETRY;
            self.effect(cell, active, Effect::Answer(port, Err(AskError::InProgress { retry_after })));
            return Ok(());
        }
        let seen = match &meta.origin {
            Origin::Fresh => Seen::New, // without a look at the clock
            origin @ (Origin::Repeatable { .. } | Origin::Dispatch(_)) => {
                active.book.dedup.look(id, origin, self.clock().now())
            }
        };
        let refused = || self.unit.refusals.of(E::KIND, &cell.key, id, self.clock().now());
        let answer = match seen {
            Seen::New
                if !matches!(meta.origin, Origin::Fresh)
                    && let Some(reason) = refused() =>
            {
                Err(AskError::RefusedByOperator { reason })
            }
            Seen::New if matches!(meta.origin, Origin::Repeatable { .. }) && !self.service.keys.has_room() => {
                Err(AskError::Overloaded { retry_after: IN_PROGRESS_RETRY })
            }
            // A repeat gets its first answer also when the entity has moved since.
            Seen::New if expecting.is_some_and(|expected| expected != active.book.sequence) => {
                Err(AskError::Moved { sequence: active.book.sequence })
            }
            Seen::New => {
                if watch != Watch::No
                    && let Some(why) = self.unit.faults.strike(&self.subject(&cell.key), &meta.correlation)
                {
                    let told = why.to_string();
                    let error = AskError::Unavailable(why.clone());
                    if why.is_panic() {
                        port.send(Err(error));
                        let failed = FailedCommand::of(&meta, command.name(), false);
                        return Err(Panicked {
                            reason: format!("{}: {told}", failed.name).into(),
                            command: Some(failed),
                        });
                    }
                    self.effect(cell, active, Effect::Answer(port, Err(error)));
                    return Ok(());
                }
                // What another entity asks goes with the request that it belongs to.
                let is_request = matches!(meta.causation, Causation::Request);
                meta.patient &= !is_request || self.service.patience.has_room();
                return self.command(cell, active, command, Asker::of_message(port, meta), None);
            }
            Seen::Done(bytes) => Ok(first_answer(active, &port, &bytes)),
            Seen::Reused => Err(AskError::Reused),
        };
        self.effect(cell, active, Effect::Answer(port, answer));
        Ok(())
    }

    /// Decides a command, applies what it decided and hands it over.
    fn command(
        self: &Arc<Self>,
        cell: &Arc<Cell<E>>,
        active: &mut Active<E>,
        command: Box<dyn AnyCommand<E>>,
        asker: Asker<E>,
        answers: Option<Step>,
    ) -> Result<(), Panicked> {
        let now = self.clock().now();
        let drawn = (E::Id::NUMBERED && active.book.number == 0).then(|| self.service.numbers.draw());
        let number = drawn.unwrap_or(active.book.number);
        let (command_id, settings) = (asker.meta.command, self.service.settings.current());
        let ctx = CommandContext { now, command_id, number: Number::new(number), answers, settings };
        let name = command.name();
        debug_assert!(E::COMMANDS.contains(&name), "{name} is missing in the COMMANDS of {}", E::KIND);

        // Everything that can panic happens before the hand-over, so that a panic has written nothing.
        let is_new = asker.closes.is_none() && !asker.meta.patient;
        let decided = catch_unwind(AssertUnwindSafe(|| {
            let effects = match command.decide_any(&active.state, &ctx) {
                Ok(effects) => effects,
                Err(rejection) => return Ok(Err(AskError::Rejected(rejection))),
            };
            // A step whose partner is not even asked would only be written to be taken back.
            let is_begun = is_new && matches!(effects.answer, AnyAnswer::Then(_));
            if let Some(why) = is_begun.then(|| self.kinds.links().refuse(E::KIND, E::ASKS)).flatten() {
                return Ok(Err(AskError::Unavailable(why)));
            }
            // A state that cannot be written would have to be recovered, and reads to wait for that. An answer to a step goes on: the
            // step is resumed when its append is refused.
            if asker.closes.is_none()
                && !effects.events.is_empty()
                && let Some(refusal) = self.unit.journal.refusal()
            {
                return Ok(Err(append_failure(&AppendError::Refused(refusal))));
            }
            evolve(&mut active.state, effects).map(Ok)
        }));
        let (events, outcome) = match decided {
            Ok(Ok(Ok(decided))) => decided,
            Ok(Ok(Err(why))) => {
                self.unused(drawn);
                active.book.close(asker.closes.as_ref());
                if let Some(ahead) = &asker.stands_on {
                    self.stand_on(cell, active, ahead);
                }
                if let Some(effect) = asker.answer(Err(why)) {
                    self.effect(cell, active, effect);
                }
                return Ok(());
            }
            Ok(Err(reason)) => return self.panicked(drawn, asker, name, &reason),
            Err(panic) => return self.panicked(drawn, asker, name, &panic_text(panic.as_ref())),
        };

        if events.is_empty() {
            self.unused(drawn);
            match (&asker.closes, &outcome) {
                // Another round that nothing was written about: the same asker waits on.
                (Some(closed), Outcome::Then(next)) => {
                    for open in active.book.open.iter_mut().filter(|open| open.origin == closed.origin) {
                        (open.step, open.round) = (next.step().0.into(), next.step().1);
                    }
                }
                (closed, Outcome::Reply { .. } | Outcome::NotDone(..) | Outcome::Rejected(..)) => {
                    active.book.close(closed.as_ref());
                }
                (None, Outcome::Then(_)) => {}
            }
            if let Some(ahead) = &asker.stands_on {
                self.stand_on(cell, active, ahead);
            }
            let done = asker.is_done_with(&outcome);
            for effect in self.effects(cell, active, asker, outcome, None) {
                self.effect(cell, active, effect);
            }
            done.inspect(Nth::done);
            return Ok(());
        }
        self.hand_over(cell, active, events, asker, outcome, number, now);
        Ok(())
    }

    fn unused(&self, drawn: Option<u64>) {
        if let Some(number) = drawn {
            self.service.numbers.give_back(number);
        }
    }

    fn panicked(&self, drawn: Option<u64>, asker: Asker<E>, name: &str, reason: &str) -> Result<(), Panicked> {
        self.unused(drawn);
        let command = Some(FailedCommand::of(&asker.meta, name, asker.closes.is_some()));
        if let Some(port) = asker.port {
            port.fail(AskError::Unavailable(Unavailable::Panicked));
        }
        Err(Panicked { reason: format!("{name}: {reason}").into(), command })
    }
}

pub(super) fn reply<E: Entity>(active: &Active<E>, value: ReplyValue, replayed: bool) -> TurnReply {
    TurnReply { value, replayed, number: Number::new(active.book.number), sequence: active.book.sequence }
}

/// The answer to a repeat. What is behind it in its series may be decided: it was done.
fn first_answer<E: Entity>(active: &Active<E>, port: &ReplyPort<E>, bytes: &[u8]) -> TurnReply {
    port.nth().inspect(Nth::done);
    reply(active, ReplyValue::Recorded(bytes.to_vec()), true)
}

/// The id of a command that a step of a stream leads to: the same after a crash.
pub(crate) fn step_command(stream: &str, step: Step, purpose: &str) -> CommandId {
    CommandId::derived(purpose, &[stream.as_bytes(), step.0.as_bytes(), &step.1.to_le_bytes()])
}
