//! What waits in a mailbox, and where its answer goes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{sync::oneshot, time::Instant};
use tracing::Span;

use super::{
    ahead::Ahead, budget::Room, bulkhead::Permit as WorkPermit, entities::fresh_bits, faults::FaultId, series::Nth,
};
use crate::{
    actors::entity::{AnyCommand, AskError, CommandId, Entity, Number, Outcome, ReplyValue},
    persistence::{Causation, Origin},
    spans,
};

/// When a full mailbox is worth another try: a group commit takes some milliseconds.
pub(crate) const MAILBOX_RETRY: Duration = Duration::from_millis(250);

/// Asks that one entity may have open. Beyond, it takes no commands; what it had queued may still open a
/// mailbox full more.
pub(crate) const OPEN_ASKS: usize = 1024;

/// A message for an entity.
pub(crate) struct Envelope<E: Entity> {
    pub(crate) body: Body<E>,
    pub(crate) meta: Meta,
    pub(crate) port: ReplyPort<E>,
    pub(crate) deadline: Instant,
    /// `If-Match`: only when the entity is at this sequence.
    pub(crate) expecting: Option<u64>,
    pub(crate) watch: Watch,
}

/// Whether a message can meet an injected fault. Only one that comes while something is injected can.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Watch {
    #[default]
    No,
    /// It has not met any yet.
    Arrived,
    /// It is through with latencies.
    Delayed,
}

/// What is asked.
pub(crate) enum Body<E: Entity> {
    /// A command to decide.
    Command(Box<dyn AnyCommand<E>>),
    /// The state, once everything before it is durable.
    Read,
    /// What is known of a command, once everything before it is durable.
    Outcome(CommandId),
    /// Nothing but an answer: whether messages come through.
    Probe,
    /// Fail as a panic in a decision would; an operator's or a test's doing.
    Kill,
}

/// What is known of a command besides its content.
#[derive(Clone, Debug)]
pub(crate) struct Meta {
    pub(crate) command: CommandId,
    pub(crate) origin: Origin,
    pub(crate) correlation: Arc<str>,
    pub(crate) causation: Causation,
    /// Whether the asker wants it finished, however long another entity is away, and does not wait for that.
    pub(crate) patient: bool,
    /// Whether an entity of the same service asks: that finishes first what it has begun, before it is replaced.
    pub(crate) is_inside: bool,
    /// The ask that it is of goes ahead of the journal.
    pub(crate) ahead: Option<Arc<Ahead>>,
}

impl Meta {
    /// What whoever collects traces sees of the command.
    pub(crate) fn span(&self, kind: &str) -> Span {
        let cause = || match (&self.causation, &self.origin) {
            (Causation::Command(command), _) => Some(*command),
            (Causation::Event { .. }, Origin::Dispatch(mark)) => {
                Some(spans::delivery_id(&mark.policy, &mark.unit, mark.partition.0, mark.offset, mark.index))
            }
            (Causation::Request | Causation::Event { .. }, _) => None,
        };
        spans::command(&self.correlation, kind, self.command.to_bits(), cause)
    }

    /// Of a message of the runtime's own, which nobody repeats.
    pub(crate) fn fresh(correlation: &str) -> Self {
        Self {
            command: CommandId::from_bits(fresh_bits()),
            origin: Origin::Fresh,
            correlation: correlation.into(),
            causation: Causation::Request,
            patient: false,
            is_inside: false,
            ahead: None,
        }
    }
}

/// A span for lines of the log that are about a request and written elsewhere: with its correlation id, at every level
/// that is logged. None for what belongs to no request.
pub(crate) fn about(correlation: &str) -> Span {
    if correlation.is_empty() { Span::none() } else { tracing::error_span!("about", correlation) }
}

/// A reply with what is known around it.
#[derive(Debug)]
pub(crate) struct TurnReply {
    pub(crate) value: ReplyValue,
    pub(crate) replayed: bool,
    pub(crate) number: Number,
    pub(crate) sequence: u64,
}

pub(crate) type TurnResult<E> = Result<TurnReply, AskError<<E as Entity>::Rejection>>;

/// Where a message stands, shared by the asker and the cell. It only moves forward; who only looks may have to wait again.
#[derive(Debug, Default)]
pub(crate) struct Claim {
    stands: AtomicU8,
    /// The injected fault that delayed it; 0 for none.
    delayed: AtomicU64,
}

impl Claim {
    const QUEUED: u8 = 0;
    const TAKEN: u8 = 1;
    const BEGUN: u8 = 2;
    const WITHDRAWN: u8 = 3;
    const UNDER_WAY: u8 = 4;
    const ACCEPTED: u8 = 5;

    /// The cell takes the message to decide it; false when the asker has withdrawn it.
    pub(crate) fn take(&self) -> bool {
        self.stands.compare_exchange(Self::QUEUED, Self::TAKEN, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// What was taken changed nothing and waits again.
    pub(crate) fn put_back(&self) {
        let taken = self.stands.compare_exchange(Self::TAKEN, Self::QUEUED, Ordering::AcqRel, Ordering::Acquire);
        debug_assert!(taken.is_ok(), "only what was taken is put back");
    }

    /// The decision began a step: the answer will come from another entity. A later step changes nothing: what an earlier
    /// one did is done, whatever becomes of this one.
    pub(crate) fn begin(&self) {
        let begun = self.stands.compare_exchange(Self::TAKEN, Self::BEGUN, Ordering::AcqRel, Ordering::Acquire);
        debug_assert!(begun.is_ok() || self.has_begun(), "only what was taken is decided");
    }

    /// The asker gives up; true when the message was not yet taken, so that nothing will be done.
    pub(crate) fn withdraw(&self) -> bool {
        self.stands.compare_exchange(Self::QUEUED, Self::WITHDRAWN, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// The begun step is durable and the other entity is being asked; a patient one, for as long as it takes.
    pub(crate) fn set_under_way(&self, patient: bool) {
        self.stands.store(if patient { Self::ACCEPTED } else { Self::UNDER_WAY }, Ordering::Release);
    }

    /// What was taken to be under way was not written.
    pub(crate) fn unset_under_way(&self) {
        let _as_it_was =
            self.stands.compare_exchange(Self::UNDER_WAY, Self::BEGUN, Ordering::AcqRel, Ordering::Acquire);
    }

    /// Whether a step was begun.
    pub(crate) fn has_begun(&self) -> bool {
        matches!(self.stands.load(Ordering::Acquire), Self::BEGUN | Self::UNDER_WAY | Self::ACCEPTED)
    }

    /// Whether what was begun will be finished, however long it takes.
    pub(crate) fn is_accepted(&self) -> bool {
        self.stands.load(Ordering::Acquire) == Self::ACCEPTED
    }

    /// An injected fault delays the message.
    pub(crate) fn delay(&self, fault: FaultId) {
        self.delayed.store(fault.0, Ordering::Relaxed);
    }

    /// The injected fault that delayed the message last.
    pub(crate) fn delayed_by(&self) -> Option<FaultId> {
        Some(self.delayed.load(Ordering::Relaxed)).filter(|id| *id > 0).map(FaultId)
    }

    /// Whether something was done for the message that its entity goes on with, whatever happens now.
    fn is_under_way(&self) -> bool {
        matches!(self.stands.load(Ordering::Acquire), Self::UNDER_WAY | Self::ACCEPTED)
    }
}

/// Where the answer goes. Dropping it tells the asker that the outcome is not known.
pub(crate) struct ReplyPort<E: Entity> {
    pub(crate) tx: oneshot::Sender<TurnResult<E>>,
    pub(crate) claim: Arc<Claim>,
    /// The message's place among those that its service handles: until its events are durable, or another entity is
    /// asked. What that takes is bounded by the link; whoever holds a place here meanwhile would keep out others that
    /// need no partner, and two services that ask each other would wait for ever.
    work: WorkPermit,
    /// Its share of the service's budget.
    pub(crate) room: Room,
    /// The message's place in a series, if it is of one.
    nth: Option<Nth>,
    /// The ask that it is of, if that goes ahead of the journal.
    pub(crate) ahead: Option<Arc<Ahead>>,
}

/// What a message holds of its service until what it wrote is answered.
pub(crate) struct Work {
    _place: WorkPermit,
    _room: Room,
}

impl<E: Entity> ReplyPort<E> {
    pub(crate) fn new(room: Room) -> (Self, oneshot::Receiver<TurnResult<E>>, Arc<Claim>) {
        let (tx, rx) = oneshot::channel();
        let (claim, work) = (Arc::new(Claim::default()), WorkPermit::default());
        (Self { tx, claim: claim.clone(), work, room, nth: None, ahead: None }, rx, claim)
    }

    /// Gives the message its place in a series.
    pub(crate) fn is_of(&mut self, nth: Option<Nth>) {
        self.nth = nth;
    }

    /// The cell takes the message to decide it; false when that was never begun: it was withdrawn, nobody waits, or one
    /// before it in its series was not done.
    pub(crate) fn take(&self) -> bool {
        self.claim.take() && !self.tx.is_closed() && self.nth.as_ref().is_none_or(Nth::begin)
    }

    /// The message's place in a series.
    pub(crate) fn nth(&self) -> Option<Nth> {
        self.nth.clone()
    }

    /// Takes the message's place over.
    pub(crate) fn holds(&mut self, work: WorkPermit) {
        self.work = work;
    }

    /// Another entity is asked: the message's place is somebody else's.
    pub(crate) fn leaves_its_place(&mut self) {
        drop(std::mem::take(&mut self.work));
    }

    /// Answers. An asker that has gone away needs no answer.
    pub(crate) fn send(self, result: TurnResult<E>) {
        if let Some(nth) = self.nth.filter(|_| result.is_err()) {
            nth.failed();
        }
        drop(self.tx.send(result));
    }

    /// Answers before what the message wrote is durable. An asker that has gone away needs no answer.
    pub(crate) fn send_early(self, result: TurnResult<E>) -> Work {
        let Self { tx, work, room, .. } = self;
        let _gone = tx.send(result).is_err();
        Work { _place: work, _room: room }
    }

    /// Answers that the turn came to nothing. Once a step is under way that does not mean that nothing was
    /// done: the entity takes the step up again, and it may well succeed.
    pub(crate) fn fail(self, why: AskError<E::Rejection>) {
        let why = match why.outcome() {
            Outcome::Refused | Outcome::NotDone if self.claim.is_under_way() => {
                AskError::Unsettled { reason: format!("{why}; what was begun is taken up again") }
            }
            Outcome::Refused | Outcome::NotDone | Outcome::Unknown => why,
        };
        self.send(Err(why));
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::fixture::Tally, *};
    use crate::actors::{entity::Unavailable, runtime::budget::Budget};

    #[test]
    fn a_message_is_either_taken_or_withdrawn() {
        let claim = Claim::default();
        assert!(claim.take());
        assert!(!claim.withdraw());
        let claim = Claim::default();
        assert!(claim.withdraw());
        assert!(!claim.take());
    }

    /// The first step is durable and was answered; the append of the second is refused. The asker was told that nothing
    /// was done.
    #[tokio::test]
    async fn a_later_step_does_not_take_back_that_an_earlier_one_is_under_way() {
        let budget = Budget::new(1, 1 << 20, 1);
        for (begun_again, outcome) in [(false, Outcome::NotDone), (true, Outcome::Unknown)] {
            let (port, answer, claim) = ReplyPort::<Tally>::new(budget.beside());
            assert!(claim.take());
            claim.begin();
            if begun_again {
                claim.set_under_way(false);
                claim.begin();
            }
            port.fail(AskError::Unavailable(Unavailable::ShuttingDown));
            assert_eq!(answer.await.expect("answered").map(drop).expect_err("failed").outcome(), outcome);
        }
    }
}
