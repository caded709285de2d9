//! Asks that go ahead of the journal: what begins a step, what the partner writes, and what comes of its answer are handed
//! over one behind the other, and nobody waits until the one before is durable.
//!
//! ```text
//! asker     begun ---ask--+              +--> settled ---> whoever asked first, once that is durable
//! partner                 +--> written --+ early answer
//! line      begun             written         settled
//! ```
//! All go in one [`Line`], so what a failure or a crash leaves is a beginning of it, the same as if each had waited: a step
//! that is open, and resumed. An answer is early only when the partner has written behind what began the ask. What stands on
//! it and is written goes into the line; what stands on it and writes nothing waits ([`Ahead::when_settled`]).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::{
    cell::Cell,
    gate::Effect,
    host::Host,
    mailbox::{Claim, ReplyPort, TurnResult, Work},
    turn::Asker,
};
use crate::{
    actors::entity::{AskError, Entity, Step},
    persistence::{Begun, Line},
};

/// One ask that goes ahead.
pub(crate) struct Ahead {
    /// Where what began it was handed over, and what it leads to goes.
    pub(crate) line: Line,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    is_early: bool,
    /// Whether what the partner wrote is durable, once that is known.
    settled: Option<bool>,
    then: Option<Then>,
}

type Then = Box<dyn FnOnce(bool) + Send>;

/// Told when what began an ask is durable; never, when it is not, or nobody knows.
pub(crate) type IsBegun = oneshot::Receiver<()>;

/// Who is told what becomes of that.
pub(crate) struct TellBegun {
    carrier: oneshot::Sender<()>,
    /// Of the command, when this is the first step that it began.
    claim: Option<Arc<Claim>>,
}

impl TellBegun {
    pub(crate) fn new(claim: Option<Arc<Claim>>) -> (Self, IsBegun) {
        let (carrier, is_begun) = oneshot::channel();
        (Self { carrier, claim }, is_begun)
    }

    pub(crate) fn durable(self) {
        let _gone = self.carrier.send(()).is_err(); // with its service, when that was stopped
    }

    /// It was not written, for sure; so nothing is that it led to.
    pub(crate) fn not_written(self) {
        if let Some(claim) = self.claim {
            claim.unset_under_way();
        }
    }
}

impl Ahead {
    pub(crate) fn new(line: Line) -> Arc<Self> {
        Arc::new(Self { line, state: Mutex::default() })
    }

    /// Whether the partner's answer came before what it wrote was durable.
    pub(crate) fn is_early(&self) -> bool {
        self.state().is_early
    }

    /// Does this once it is known whether what the partner wrote is durable. For the one who has the early answer, once.
    pub(crate) fn when_settled(&self, then: impl FnOnce(bool) + Send + 'static) {
        let mut state = self.state();
        let Some(is_durable) = state.settled else {
            state.then = Some(Box::new(then));
            return;
        };
        drop(state);
        then(is_durable);
    }

    fn settle(&self, is_durable: bool) {
        let then = {
            let mut state = self.state();
            state.settled = Some(is_durable);
            state.then.take()
        };
        if let Some(then) = then {
            then(is_durable);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Ahead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ahead").field("line", &self.line).finish_non_exhaustive()
    }
}

/// The partner's answer on its way: told early, or once what it wrote is durable, whichever comes first.
pub(crate) struct EarlyAnswer<E: Entity> {
    ahead: Arc<Ahead>,
    stands: Mutex<Stands<E>>,
}

enum Stands<E: Entity> {
    Waits(ReplyPort<E>, TurnResult<E>),
    /// The message keeps its place and its share of the budget until what it wrote is answered.
    Told {
        _work: Work,
    },
    Over,
}

impl<E: Entity> EarlyAnswer<E> {
    /// To an ask that goes ahead.
    fn new(ahead: Arc<Ahead>, port: ReplyPort<E>, result: TurnResult<E>) -> Arc<Self> {
        Arc::new(Self { ahead, stands: Mutex::new(Stands::Waits(port, result)) })
    }

    fn tell_early(&self) {
        let mut stands = self.stands();
        match std::mem::replace(&mut *stands, Stands::Over) {
            Stands::Waits(port, result) => {
                self.ahead.state().is_early = true;
                *stands = Stands::Told { _work: port.send_early(result) };
            }
            before @ (Stands::Told { .. } | Stands::Over) => *stands = before,
        }
    }

    /// What the answer stands on is durable.
    pub(crate) fn durable(&self) {
        if let Stands::Waits(port, result) = self.over() {
            port.send(result);
        }
        self.ahead.settle(true);
    }

    /// What the answer stands on was not written, or nobody knows.
    pub(crate) fn failed(&self, why: impl FnOnce(&TurnResult<E>) -> AskError<E::Rejection>) {
        if let Stands::Waits(port, result) = self.over() {
            let why = why(&result);
            port.fail(why);
        }
        self.ahead.settle(false);
    }

    fn over(&self) -> Stands<E> {
        std::mem::replace(&mut *self.stands(), Stands::Over)
    }

    fn stands(&self) -> MutexGuard<'_, Stands<E>> {
        self.stands.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the append of a turn goes, and what of that it leads to does not wait for it.
pub(super) struct Way<E: Entity> {
    pub(super) line: Option<Line>,
    /// For the ask that the turn begins, if that may go ahead; with the command's claim, when it is its first.
    begins: Option<(Arc<Ahead>, Option<Arc<Claim>>)>,
    /// The ask that the turn answers, if that goes ahead.
    answers: Option<Arc<Ahead>>,
    asks: Option<(Step, Arc<Ahead>, IsBegun)>,
    early: Option<Arc<EarlyAnswer<E>>>,
}

impl<E: Entity> Way<E> {
    /// Of a turn that was asked for by this one, and begins this.
    pub(super) fn of(asker: &Asker<E>, begun: Option<&Begun>) -> Self {
        let port = asker.port.as_ref();
        let in_series = port.and_then(ReplyPort::nth).map(|nth| nth.line());
        // A patient asker must not be told that it is accepted before that is so, and a series ends with a step.
        let goes_ahead = in_series.is_none() && begun.is_some_and(|begun| !begun.patient);
        let answers = port.and_then(|port| port.ahead.clone()).filter(|of| !of.line.is_cut());
        let behind = asker.stands_on.as_ref().or(answers.as_ref()).map(|ahead| ahead.line.clone());
        let line = in_series.or(behind).or_else(|| goes_ahead.then(Line::default));
        let begins = line.as_ref().filter(|_| goes_ahead).map(|line| {
            let first = port.filter(|_| asker.closes.is_none()).map(|port| port.claim.clone());
            (Ahead::new(line.clone()), first)
        });
        let answers = answers.filter(|of| line.as_ref().is_some_and(|line| line.is_same(&of.line)));
        Self { line, begins, answers, asks: None, early: None }
    }

    /// What is left to wait for the append, of all that the turn leads to.
    pub(super) fn take_ahead(&mut self, effects: Vec<Effect<E>>) -> Vec<Effect<E>> {
        effects.into_iter().map(|effect| self.take_one(effect)).collect()
    }

    fn take_one(&mut self, effect: Effect<E>) -> Effect<E> {
        match effect {
            Effect::Begin(step) => {
                let Some((ahead, first)) = self.begins.take() else { return Effect::Begin(step) };
                let (tell, is_begun) = TellBegun::new(first);
                self.asks = Some((step, ahead, is_begun));
                Effect::Begun(step, tell)
            }
            Effect::Answer(port, Ok(reply)) => {
                let Some(of) = self.answers.take() else { return Effect::Answer(port, Ok(reply)) };
                let early = EarlyAnswer::new(of, port, Ok(reply));
                self.early = Some(early.clone());
                Effect::Early(early)
            }
            waits @ (Effect::Answer(_, Err(_))
            | Effect::Show(..)
            | Effect::Begun(..)
            | Effect::Save(_)
            | Effect::Forget(_)
            | Effect::Early(_)
            | Effect::Open(_)) => waits,
        }
    }
}

impl<E: Entity> Host<E> {
    /// Does what does not wait, once the append was handed over and nothing of its line has failed so far.
    pub(super) fn go_ahead(self: &Arc<Self>, cell: &Arc<Cell<E>>, way: Way<E>) {
        let Way { line, asks, early, .. } = way;
        if line.is_none_or(|line| line.is_cut()) {
            return;
        }
        if let Some((step, ahead, is_begun)) = asks {
            self.begin(cell, step, Some((ahead, is_begun)));
        }
        if let Some(early) = early {
            early.tell_early();
        }
    }
}
