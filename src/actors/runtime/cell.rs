//! One entity in memory: its queue, its state, its phase. No task, timer or channel while idle.
//!
//! ```text
//! 1 Idle --push--> 2 Running (in memory: on the asker's task) --queue empty--> 1 Idle
//! 2 Running --a panic--> 3 Backoff --timer--> 2 Running (recovers first)
//! 2 Running --an append failed--> 4 Draining --every append answered--> 2 Running (recovers first)
//! 3 Backoff --too often--> 5 Quarantined --an operator--> 2 Running (recovers first)
//! 1 Idle --passivated, service stopped--> 6 Gone
//! ```

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::time::Instant;

use super::{
    ahead::Ahead,
    book::{Book, OpenStep},
    gate::Gate,
    lane::Queue,
    mailbox::{OPEN_ASKS, ReplyPort},
    patience::CountedPatience,
    quarantine::Trouble,
};
use crate::{
    actors::entity::{Address, AnyCommand, AnyContinuation, CommandId, Entity, Key, Step},
    persistence::PartitionId,
};

/// Where an entity stands; see the picture above.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Phase {
    Idle,
    Running,
    Backoff,
    Draining,
    Quarantined(Arc<str>),
    Gone,
}

/// An entity's place in its shard.
pub(crate) struct Cell<E: Entity> {
    pub(crate) key: Key,
    pub(crate) partition: PartitionId,
    inner: Mutex<Inner<E>>,
}

/// What the cell's lock guards. Never held across an await or a decision.
pub(crate) struct Inner<E: Entity> {
    pub(crate) phase: Phase,
    pub(crate) queue: Queue<E>,
    /// Answers to open steps; one place each, so the mailbox's limit is not theirs.
    pub(crate) follow_ups: VecDeque<FollowUp<E>>,
    /// State and book while idle; taken out while a turn runs; `None` before recovery.
    pub(crate) active: Option<Box<Active<E>>>,
    /// The asks of this stream that have no answer yet.
    pub(crate) asks: Vec<OpenAsk<E>>,
    /// Appends handed over and not answered.
    pub(crate) in_flight: u32,
    /// An append of this incarnation failed: the state in memory is not the truth.
    pub(crate) lost: bool,
    /// Times of recent failures, for the restart intensity.
    pub(crate) failures: Vec<Instant>,
    /// What they were, and what was done about them.
    pub(crate) trouble: Option<Box<Trouble>>,
    /// Second of the last turn, for passivation.
    pub(crate) touched: u32,
    /// Commands that need not be remembered any more, at most [`OPEN_ASKS`]: until the state is at hand.
    forgettable: Vec<CommandId>,
}

/// State and book of an entity that has been recovered.
pub(crate) struct Active<E: Entity> {
    pub(crate) state: E,
    pub(crate) book: Book,
    /// The journal's epoch when it was recovered: in a later one the state may not be the truth, and its appends are
    /// fenced.
    pub(crate) epoch: u64,
    /// The last append handed over: what is decided after it waits behind it.
    pub(crate) gate: Option<Arc<Gate<E>>>,
}

/// The answer to a step, as a command; or what the author's code said when it panicked making it.
pub(crate) struct FollowUp<E: Entity> {
    pub(crate) step: Step,
    pub(crate) command: Result<Box<dyn AnyCommand<E>>, Arc<str>>,
    /// Whether the answer leaves open what the other entity did.
    pub(crate) in_doubt: bool,
    /// The answer came early: what it stands on may not be durable yet.
    pub(crate) stands_on: Option<Arc<Ahead>>,
}

/// What is known of earlier asks of the same step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Earlier {
    /// There was none.
    Nothing,
    /// One came to nothing, and this one was decided at once: it takes its time.
    Again,
    /// Nobody knows what one came to.
    InDoubt,
}

/// One ask of this stream.
pub(crate) struct OpenAsk<E: Entity> {
    pub(crate) step: Step,
    pub(crate) opened: OpenStep,
    /// The original asker; `None` when it went away in a crash.
    pub(crate) port: Option<ReplyPort<E>>,
    pub(crate) earlier: Earlier,
    /// It goes ahead of the journal.
    pub(crate) ahead: Option<Arc<Ahead>>,
    /// What to ask; taken when the asking begins.
    pub(crate) continuation: Option<AnyContinuation<E>>,
    /// Who is asked, once the asking began.
    pub(crate) asked: Option<Asked>,
    /// Its share of the service's patience, when it is asked for as long as it takes.
    #[expect(dead_code, reason = "it counts until it is dropped")]
    pub(crate) patience: Option<CountedPatience>,
}

/// A command that a step has asked of another entity.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) kind: &'static str,
    pub(crate) address: Address,
    pub(crate) command: CommandId,
}

impl<E: Entity> Cell<E> {
    pub(crate) fn new(key: Key, partition: PartitionId) -> Arc<Self> {
        Arc::new(Self {
            key,
            partition,
            inner: Mutex::new(Inner {
                phase: Phase::Idle,
                queue: Queue::new(),
                follow_ups: VecDeque::new(),
                active: None,
                asks: Vec::new(),
                in_flight: 0,
                lost: false,
                failures: Vec::new(),
                trouble: None,
                touched: 0,
                forgettable: Vec::new(),
            }),
        })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner<E>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<E: Entity> Inner<E> {
    /// Whether the cell can be dropped from its shard without losing anything. A lost state is not at rest: a
    /// snapshot of it would be a lie.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.phase == Phase::Idle
            && !self.lost
            && self.queue.is_empty()
            && self.follow_ups.is_empty()
            && self.asks.is_empty()
            && self.in_flight == 0
    }

    /// Whether this step is being asked, or will be once its append is durable.
    pub(crate) fn is_asking(&self, step: Step) -> bool {
        self.asks.iter().any(|ask| ask.step == step)
    }

    /// A command need not be remembered any more. Beyond the limit it is, for the time that all are.
    pub(crate) fn forget(&mut self, command: CommandId) {
        if let Some(active) = &mut self.active {
            active.book.dedup.forget(command.to_bits());
        } else if self.forgettable.len() < OPEN_ASKS {
            self.forgettable.push(command);
        }
    }

    /// Forgets what came while the state was not at hand.
    pub(crate) fn forget_in(&mut self, active: &mut Active<E>) {
        for command in std::mem::take(&mut self.forgettable) {
            active.book.dedup.forget(command.to_bits());
        }
    }

    /// What began the ask of this step is durable, and another entity is asked.
    pub(crate) fn set_under_way(&mut self, step: Step) {
        let ask = self.asks.iter_mut().find(|ask| ask.step == step);
        if let Some((port, opened)) = ask.and_then(|ask| Some((ask.port.as_mut()?, &ask.opened))) {
            port.leaves_its_place();
            port.claim.set_under_way(opened.patient);
        }
    }

    /// Takes the ask that this answers out of the table; `None` when it is not open. One with an early answer may be over
    /// because what began it was not written, and the same step open again.
    pub(crate) fn close_for(&mut self, answer: &FollowUp<E>) -> Option<OpenAsk<E>> {
        let is_it = |ask: &OpenAsk<E>| match (&ask.ahead, &answer.stands_on) {
            (Some(ahead), Some(stands_on)) => Arc::ptr_eq(ahead, stands_on),
            (None, Some(_)) => false,
            (_, None) => true,
        };
        self.asks.iter().find(|ask| ask.step == answer.step).filter(|ask| is_it(ask))?;
        self.close(answer.step)
    }

    /// Takes the ask of this step out of the table; `None` when the step is not open.
    pub(crate) fn close(&mut self, step: Step) -> Option<OpenAsk<E>> {
        let at = self.asks.iter().position(|ask| ask.step == step)?;
        Some(self.asks.swap_remove(at))
    }
}

impl<E: Entity> fmt::Debug for Cell<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cell").field("kind", &E::KIND).field("key", &self.key).finish_non_exhaustive()
    }
}
