//! What happens when the journal answers: the feed shows the events, then whoever waited is told.

use std::sync::Arc;

use super::{
    ahead::Ahead,
    cell::{Active, Cell, Phase},
    gate::{Behind, Effect, Gate, append_failure, failure_before},
    host::Host,
    mailbox::{TurnReply, TurnResult, about},
    service::AnsweredAtLast,
};
use crate::{
    actors::entity::{
        AskError, DomainEvent, Entity, EntityId, Key, Number, Outcome, Position, Recorded, Step, Timestamp,
    },
    persistence::{Append, AppendError, Appended, Line},
};

use super::feed::FeedItem;

/// What goes with an append and is needed when it is durable.
pub(crate) struct Commit<E: Entity> {
    pub(crate) events: Vec<E::Event>,
    pub(crate) effects: Vec<Effect<E>>,
    pub(crate) gate: Arc<Gate<E>>,
    /// The line that it goes in.
    pub(crate) line: Option<Line>,
}

/// What of an append is needed after it was handed over.
struct Facts {
    partition: u16,
    expected: u64,
    at: Timestamp,
    number: u64,
    correlation: Arc<str>,
}

impl Facts {
    /// Whether this append gives the stream its number.
    const fn is_first_of_number(&self) -> bool {
        self.expected == 0 && self.number != 0
    }
}

impl<E: Entity> Host<E> {
    /// Hands an append over. Its answer may come on any thread, also before this returns.
    pub(crate) fn commit(self: &Arc<Self>, cell: Arc<Cell<E>>, append: Append, commit: Commit<E>) {
        let facts = Facts {
            partition: append.lease.partition.0,
            expected: append.expected,
            at: Timestamp::from_millis(append.at_millis),
            number: append.number,
            correlation: append.correlation.clone(),
        };
        if facts.is_first_of_number() {
            self.directory.enter(facts.number, cell.key.clone());
        }
        self.service.append_begun();
        let (host, line) = (self.clone(), commit.line.clone());
        let cuts = line.clone();
        let done = move |result: Result<Appended, AppendError>| {
            if let Some(line) = cuts.filter(|_| result.is_err()) {
                line.cut(); // before anybody can hand over what comes behind it
            }
            let answers = host.unit.answers.clone();
            answers.bring(move || {
                let _answered = AnsweredAtLast(&host.service);
                host.answered(&cell, &facts, commit, result);
            });
        };
        self.unit.hand_over(append, line, Box::new(done));
    }

    fn answered(
        self: &Arc<Self>,
        cell: &Arc<Cell<E>>,
        facts: &Facts,
        commit: Commit<E>,
        result: Result<Appended, AppendError>,
    ) {
        match result {
            Ok(appended) => {
                self.publish(&cell.key, facts, commit.events, appended);
                for effect in commit.effects.into_iter().chain(commit.gate.settle(Ok(()))) {
                    self.perform(cell, effect);
                }
            }
            // Also of one that is there already: it was decided on a state without it, and its events may be others.
            Err(error) => {
                about(&facts.correlation)
                    .in_scope(|| tracing::warn!(kind = E::KIND, key = %cell.key, %error, "append failed"));
                if facts.is_first_of_number() {
                    let is_known = !matches!(error, AppendError::Unknown(_));
                    let is_written = || !is_known && self.unit.journal.head(&self.stream(&cell.key)).is_some();
                    self.directory.withdraw(facts.number, is_written);
                    if is_known {
                        self.service.numbers.give_back(facts.number);
                    }
                }
                cell.lock().lost = true;
                let told = append_failure(&error);
                for effect in commit.effects {
                    self.cancel(cell, effect, &told);
                }
                self.break_gate(cell, &commit.gate, error);
            }
        }
        self.after_append(cell);
    }

    fn break_gate(self: &Arc<Self>, cell: &Arc<Cell<E>>, gate: &Gate<E>, error: AppendError) {
        let told = failure_before(&error);
        for effect in gate.settle(Err(error)) {
            self.cancel(cell, effect, &told);
        }
    }

    /// What this turn leads to waits until what it stands on is durable, since it has written nothing itself.
    pub(crate) fn stand_on(self: &Arc<Self>, cell: &Arc<Cell<E>>, active: &mut Active<E>, ahead: &Ahead) {
        let gate = Arc::new(Gate::new());
        let before = active.gate.replace(gate.clone());
        cell.lock().in_flight += 1;
        self.service.append_begun();
        let (host, cell) = (self.clone(), cell.clone());
        ahead.when_settled(move |is_durable| {
            let _answered = AnsweredAtLast(&host.service);
            if is_durable {
                let behind =
                    before.map_or(Behind::Now(Effect::Open(gate.clone())), |before| before.hold(Effect::Open(gate)));
                host.let_happen(&cell, behind);
            } else {
                cell.lock().lost = true;
                let reason = "what the answer of another entity stands on was not written, or nobody knows";
                host.break_gate(&cell, &gate, AppendError::Unknown(reason.into()));
            }
            host.after_append(&cell);
        });
    }

    /// The last answer of a cell whose state was lost lets it recover.
    fn after_append(self: &Arc<Self>, cell: &Arc<Cell<E>>) {
        let mut inner = cell.lock();
        inner.in_flight -= 1;
        if inner.in_flight > 0 {
            return;
        }
        match inner.phase {
            Phase::Draining => {}
            // Parked before the failure was known: its state is not the truth.
            Phase::Idle if inner.lost => inner.active = None,
            Phase::Idle => {
                // Nothing waits behind the last append any more.
                if let Some(active) = &mut inner.active {
                    active.gate = None;
                }
                return;
            }
            Phase::Running | Phase::Backoff | Phase::Quarantined(_) | Phase::Gone => return,
        }
        inner.lost = false;
        if inner.phase == Phase::Idle && inner.queue.is_empty() && inner.follow_ups.is_empty() && inner.asks.is_empty()
        {
            return; // the next message recovers it
        }
        inner.phase = Phase::Running;
        drop(inner);
        self.spawn_run(cell.clone());
    }

    /// Does what waited for durability.
    pub(crate) fn perform(self: &Arc<Self>, cell: &Arc<Cell<E>>, effect: Effect<E>) {
        match effect {
            Effect::Answer(port, result) => port.send(result),
            Effect::Show(looked, reply) => looked.port.send(Ok(reply)),
            Effect::Begin(step) => self.begin(cell, step, None),
            Effect::Begun(step, ahead) => {
                cell.lock().set_under_way(step);
                ahead.durable();
            }
            Effect::Save(snapshot) => self.unit.save_later(self.stream(&cell.key), snapshot),
            Effect::Early(answer) => answer.durable(),
            Effect::Open(gate) => {
                for effect in gate.settle(Ok(())) {
                    self.perform(cell, effect);
                }
            }
            Effect::Forget(asked) => {
                if let Some(target) = self.kinds.find(asked.kind) {
                    target.forget(&asked.address, asked.command);
                }
            }
        }
    }

    /// Undoes what waited for an append that failed.
    pub(crate) fn cancel(&self, cell: &Arc<Cell<E>>, effect: Effect<E>, why: &AskError<E::Rejection>) {
        match effect {
            Effect::Answer(port, held) => port.fail(instead_of::<E>(&held, why)),
            Effect::Show(looked, _) => self.look_again(cell, *looked),
            Effect::Begin(step) => self.give_up_ask(cell, step, why),
            Effect::Begun(step, ahead) => {
                if why.outcome() != Outcome::Unknown {
                    ahead.not_written();
                }
                self.give_up_ask(cell, step, why);
            }
            Effect::Early(answer) => answer.failed(|held| instead_of::<E>(held, why)),
            Effect::Open(gate) => {
                let error = AppendError::Unknown("what is before it was not written, or nobody knows".into());
                for effect in gate.settle(Err(error)) {
                    self.cancel(cell, effect, why);
                }
            }
            Effect::Save(_) | Effect::Forget(_) => {}
        }
    }

    /// What was to begin it is not durable: it is over, and its asker told so.
    fn give_up_ask(&self, cell: &Cell<E>, step: Step, why: &AskError<E::Rejection>) {
        let ask = cell.lock().close(step);
        if let Some(ask) = ask {
            self.service.ask_closed();
            if let Some(port) = ask.port {
                port.fail(why.clone());
            }
        }
    }

    fn publish(&self, key: &Key, facts: &Facts, events: Vec<E::Event>, appended: Appended) {
        let id = E::Id::from_key(key);
        let items = events.into_iter().enumerate().map(|(index, event)| {
            let index = index as u64;
            let offset = appended.offset + index;
            let public = event.is_public();
            let event = id.clone().map(|id| {
                let position = Position { unit: self.unit.name.clone(), partition: facts.partition, offset };
                let (number, at, correlation) = (Number::new(facts.number), facts.at, facts.correlation.clone());
                let sequence = facts.expected + 1 + index;
                let event = Recorded::<E> { id, number, sequence, position, at, correlation, event };
                Arc::new(event) as Arc<dyn std::any::Any + Send + Sync>
            });
            FeedItem { kind: self.kind.clone(), offset, public, event }
        });
        self.unit.feed.publish(facts.partition, items);
    }
}

/// What an asker is told whose answer waited for an append that failed. An answer about an earlier ask of the same command
/// says nothing of this one's: that command may be durable, or under way.
fn instead_of<E: Entity>(held: &TurnResult<E>, why: &AskError<E::Rejection>) -> AskError<E::Rejection> {
    match held {
        Ok(TurnReply { replayed: true, .. }) | Err(AskError::InProgress { .. }) => {
            AskError::Unsettled { reason: format!("{why}; what was asked before may be done") }
        }
        Ok(_) | Err(_) => why.clone(),
    }
}
