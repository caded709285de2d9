//! One turn: a message is decided, its events are applied and handed over. Never waits.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use bytes::Bytes;

use super::{
    book::{OpenStep, save},
    cell::{Active, Cell, Earlier, FollowUp, OpenAsk, Phase},
    commit::Commit,
    dedup::Seen,
    gate::{Behind, Effect, Gate, append_failure},
    host::Host,
    mailbox::{Body, Envelope, Meta, ReplyPort, TurnReply, TurnResult},
};
use crate::{
    actors::entity::{
        AnyAnswer, AnyCommand, AnyContinuation, AnyEffects, AskError, CommandContext, CommandId, DomainEvent, Entity,
        EntityId, Number, ReplyValue, Step, Timestamp, Unavailable,
    },
    persistence::{Append, Begun, Causation, NewEvent, Origin, Settled, StoredSnapshot},
};

/// When a command whose first ask is still open is worth another look.
const IN_PROGRESS_RETRY: std::time::Duration = std::time::Duration::from_secs(1);

/// The turn panicked: the state cannot be trusted any more.
#[derive(Debug)]
pub(crate) struct Panicked(pub(crate) Arc<str>);

/// What a turn works on.
pub(crate) enum Work<E: Entity> {
    Message(Envelope<E>),
    FollowUp(FollowUp<E>),
}

/// Who asked, in the end: for a follow-up, the asker of the command that began the step.
struct Asker<E: Entity> {
    port: Option<ReplyPort<E>>,
    meta: Meta,
    /// The step that is closed by this turn.
    closes: Option<OpenStep>,
    /// Whether the answer to that step leaves open what the other entity did.
    in_doubt: bool,
}

impl<E: Entity> Asker<E> {
    fn answer(self, result: TurnResult<E>) -> Option<Effect<E>> {
        self.port.map(|port| Effect::Answer(port, result))
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
            Work::Message(envelope) => self.message(cell, active, envelope),
            Work::FollowUp(follow_up) => {
                // An answer to a step that is not open changes nothing.
                let Some(ask) = cell.lock().close(follow_up.step) else { return Ok(()) };
                let meta = Meta {
                    command: step_command(&Self::stream_name(&cell.key), follow_up.step, "follow-up"),
                    origin: Origin::Fresh,
                    correlation: ask.opened.correlation.clone(),
                    causation: Causation::Command(ask.opened.origin),
                };
                let asker = Asker { port: ask.port, meta, closes: Some(ask.opened), in_doubt: follow_up.in_doubt };
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
    ) -> Result<(), Panicked> {
        let Envelope { body, meta, port, deadline, expecting, permit } = envelope;
        // Given back when the turn is over, so that there is no moment at which nothing seems to be under way.
        let _room = permit;
        if !port.claim.take() || port.tx.is_closed() {
            return Ok(()); // withdrawn, or nobody waits: it was never begun
        }
        if tokio::time::Instant::now() > deadline {
            self.effect(cell, active, Effect::Answer(port, Err(AskError::Expired(self.config.deadline))));
            return Ok(());
        }
        let command = match body {
            Body::Command(command) => command,
            Body::Read => {
                let copied = catch_unwind(AssertUnwindSafe(|| active.state.clone()));
                let state = match copied {
                    Ok(state) => state,
                    Err(panic) => {
                        port.send(Err(AskError::Unavailable(Unavailable::Panicked)));
                        return Err(Panicked(panic_text(panic.as_ref())));
                    }
                };
                let current = super::entities::Current {
                    state,
                    number: Number::new(active.book.number),
                    sequence: active.book.sequence,
                    key: cell.key.clone(),
                };
                let reply = reply(active, ReplyValue::Fresh(Box::new(current)), false);
                self.effect(cell, active, Effect::Answer(port, Ok(reply)));
                return Ok(());
            }
            Body::Kill => {
                port.send(Err(AskError::Unavailable(Unavailable::Panicked)));
                return Err(Panicked("killed by an operator".into()));
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
        let answer = match seen {
            Seen::New if matches!(meta.origin, Origin::Repeatable { .. }) && !self.service.keys.has_room() => {
                Err(AskError::Overloaded { retry_after: IN_PROGRESS_RETRY })
            }
            // A repeat gets its first answer also when the entity has moved since.
            Seen::New if expecting.is_some_and(|expected| expected != active.book.sequence) => {
                Err(AskError::Moved { sequence: active.book.sequence })
            }
            Seen::New => {
                let asker = Asker { port: Some(port), meta, closes: None, in_doubt: false };
                return self.command(cell, active, command, asker, None);
            }
            Seen::Done(bytes) => Ok(reply(active, ReplyValue::Recorded(bytes.to_vec()), true)),
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
        let ctx = CommandContext { now, command_id: asker.meta.command, number: Number::new(number), answers };
        let name = command.name();

        // Everything that can panic happens before the hand-over, so that a panic has written nothing.
        let decided = catch_unwind(AssertUnwindSafe(|| {
            let effects = match command.decide_any(&active.state, &ctx) {
                Ok(effects) => effects,
                Err(rejection) => return Ok(Err(rejection)),
            };
            evolve(&mut active.state, effects).map(Ok)
        }));
        let (events, outcome) = match decided {
            Ok(Ok(Ok(decided))) => decided,
            Ok(Ok(Err(rejection))) => {
                self.unused(drawn);
                active.book.close(asker.closes.as_ref());
                if let Some(effect) = asker.answer(Err(AskError::Rejected(rejection))) {
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
                (closed, Outcome::Reply { .. } | Outcome::NotDone(_)) => active.book.close(closed.as_ref()),
                (None, Outcome::Then(_)) => {}
            }
            for effect in self.effects(cell, active, asker, outcome, None) {
                self.effect(cell, active, effect);
            }
            return Ok(());
        }
        self.hand_over(cell, active, events, asker, outcome, number, now);
        Ok(())
    }

    /// Builds the append, takes it over in memory, and gives it to the journal.
    #[expect(clippy::too_many_arguments, reason = "the parts of one decision")]
    fn hand_over(
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
                Some(Begun { origin, how: how.clone(), step: step.into(), round })
            }
            Outcome::Then(_) | Outcome::Reply { .. } | Outcome::NotDone(_) => None,
        };
        let bytes = match &outcome {
            Outcome::Reply { bytes, .. } => Some(bytes.clone()),
            Outcome::Then(_) | Outcome::NotDone(_) => None,
        };
        let settled = (is_follow_up && begun.is_none()).then(|| Settled { origin, how, reply: bytes.clone() });
        let (events, new_events): (Vec<_>, Vec<_>) = events.into_iter().unzip();
        let mut append = Append {
            stream: self.stream(&cell.key),
            lease: self.unit.journal.lease(cell.partition),
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

        let mut effects = self.effects(cell, active, asker, outcome, Some(&append));
        if active.book.tail.is_due(self.config.snapshot_every, self.config.snapshot_bytes) {
            effects.extend(Self::snapshot(active).map(Effect::Save));
        }
        let gate = Arc::new(Gate::new());
        active.gate = Some(gate.clone());
        cell.lock().in_flight += 1;
        self.commit(cell.clone(), append, Commit { events, effects, gate });
    }

    /// What the outcome of a decision leads to, besides its events. Opens the ask of a step.
    fn effects(
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
            Outcome::NotDone(why) => asker.answer(Err(AskError::Unavailable(why))).into_iter().collect(),
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
                let ask = OpenAsk { step, opened, port: asker.port, earlier, continuation: Some(continuation) };
                inner.asks.push(ask);
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
        match behind {
            Behind::Waits => {}
            Behind::Now(effect) => self.perform(cell, effect),
            Behind::Never(effect, error) => self.cancel(cell, effect, &append_failure(&error)),
        }
    }

    /// The state as a snapshot, as of the book's sequence; resets the tail.
    pub(crate) fn snapshot(active: &mut Active<E>) -> Option<StoredSnapshot> {
        let saved = catch_unwind(AssertUnwindSafe(|| save(&active.state, &active.book)));
        match saved {
            Ok(Ok(bytes)) => {
                active.book.tail = super::book::Tail { snapshot: bytes.len(), ..super::book::Tail::default() };
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

    fn unused(&self, drawn: Option<u64>) {
        if let Some(number) = drawn {
            self.service.numbers.give_back(number);
        }
    }

    fn panicked(&self, drawn: Option<u64>, asker: Asker<E>, name: &str, reason: &str) -> Result<(), Panicked> {
        self.unused(drawn);
        if let Some(port) = asker.port {
            port.fail(AskError::Unavailable(Unavailable::Panicked));
        }
        Err(Panicked(format!("{name}: {reason}").into()))
    }
}

/// What a decision comes to, once its events are applied.
enum Outcome<E: Entity> {
    Reply { value: Box<dyn std::any::Any + Send>, bytes: Bytes },
    Then(AnyContinuation<E>),
    NotDone(Unavailable),
}

type Evolved<E> = (Vec<(<E as Entity>::Event, NewEvent)>, Outcome<E>);

/// Encodes the events, applies them, and makes the answer of the state after them. An error is one of
/// the author's `Serialize`, and as bad as a panic.
fn evolve<E: Entity>(state: &mut E, effects: AnyEffects<E>) -> Result<Evolved<E>, Arc<str>> {
    let mut events = Vec::with_capacity(effects.events.len());
    for event in effects.events {
        let payload = serde_json::to_vec(&event).map_err(|error| format!("event {}: {error}", event.name()))?;
        let new = NewEvent {
            name: event.name().into(),
            version: event.version(),
            public: event.is_public(),
            payload: payload.into(),
        };
        events.push((event, new));
    }
    for (event, _) in &events {
        state.evolve(event);
    }
    let outcome = match effects.answer {
        AnyAnswer::Reply(make) => {
            let reply = make(state);
            // A reply that nobody can ask for again need not be written.
            let bytes = if events.is_empty() { Bytes::new() } else { encode(reply.as_ref())? };
            Outcome::Reply { bytes, value: reply.into_any() }
        }
        AnyAnswer::Then(next) => Outcome::Then(next(state)),
        AnyAnswer::NotDone(why) => Outcome::NotDone(why),
    };
    Ok((events, outcome))
}

fn encode(reply: &dyn crate::actors::entity::AnyReply) -> Result<Bytes, Arc<str>> {
    reply.encode().map(Bytes::from).map_err(|error| {
        let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        format!("{error}: {cause}").into()
    })
}

fn reply<E: Entity>(active: &Active<E>, value: ReplyValue, replayed: bool) -> TurnReply {
    TurnReply { value, replayed, number: Number::new(active.book.number), sequence: active.book.sequence }
}

/// The id of a command that a step of a stream leads to: the same after a crash.
pub(crate) fn step_command(stream: &str, step: Step, purpose: &str) -> CommandId {
    CommandId::derived(purpose, &[stream.as_bytes(), step.0.as_bytes(), &step.1.to_le_bytes()])
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> Arc<str> {
    let text = panic.downcast_ref::<&'static str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    format!("panicked: {}", text.unwrap_or("no text")).into()
}
