//! One child in the hands of its supervisor: its phase, its live incarnation, and who waits for it.

use std::{sync::Arc, time::Duration};

use futures::future::{BoxFuture, FutureExt};
use ractor::{Actor, ActorCell, ActorId, ActorRef, MessagingErr, SpawnErr};
use tokio::{sync::oneshot, task::JoinHandle, time::Instant};

use super::{
    control::ControlError,
    intensity::{Intensity, OwnWindow},
    order::{Phase, Standing},
    process::Stop,
    supervisor::{self, Message, Supervisor},
    tree::{Kind, Node, Tree},
    worker::{self, OnStarted, Worker},
};

#[expect(clippy::struct_excessive_bools, reason = "independent facts; the table in `order` has them all")]
pub(super) struct Child {
    pub(super) node: Arc<Node>,
    pub(super) phase: Phase,
    pub(super) wanted: bool,
    pub(super) leaving: bool,
    pub(super) fresh: bool,
    /// Its next start is a restart by its supervisor.
    pub(super) comes_back: bool,
    /// Failures in a row, for the backoff.
    pub(super) failures: u32,
    /// Its restarts, when they are counted by themselves.
    pub(super) own: Option<OwnWindow>,
    pub(super) live: Option<Incarnation>,
    /// The one moment it waits for: the end of its backoff, or of its time to stop.
    pub(super) timer: Option<Timer>,
    /// Bounded by the number of control requests a tree takes at a time.
    pub(super) waiting: Vec<Waiting>,
}

/// One run of a child. Whatever is reported of another run is stale.
pub(super) struct Incarnation {
    pub(super) number: u64,
    pub(super) id: ActorId,
    pub(super) running_since: Option<Instant>,
    pub(super) killed: bool,
    /// By when it has to have ended, once it was asked to.
    pub(super) deadline: Option<Instant>,
    handle: Handle,
}

enum Handle {
    Worker { actor: ActorCell, stop: Stop },
    Supervisor(ActorRef<Message>),
}

/// A control request that is answered when the child is up or down.
pub(super) struct Waiting {
    pub(super) up: bool,
    pub(super) reply: oneshot::Sender<Result<(), ControlError>>,
}

/// A message to come; dropped, it does not come.
pub(super) struct Timer(JoinHandle<Result<(), MessagingErr<Message>>>);

impl Timer {
    pub(super) fn after(wait: Duration, me: &ActorRef<Message>, message: Message) -> Self {
        Self(me.send_after(wait, move || message))
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Child {
    pub(super) fn new(node: Arc<Node>, intensity: Intensity) -> Self {
        let wanted = !node.is_held();
        let own = node.alone.then(|| OwnWindow::new(intensity));
        Self {
            node,
            phase: Phase::Down,
            wanted,
            leaving: false,
            fresh: true,
            comes_back: false,
            failures: 0,
            own,
            live: None,
            timer: None,
            waiting: Vec::new(),
        }
    }

    pub(super) fn standing(&self) -> Standing {
        Standing { phase: self.phase, wanted: self.wanted, leaving: self.leaving, fresh: self.fresh }
    }

    pub(super) fn is(&self, number: u64) -> bool {
        self.live.as_ref().is_some_and(|live| live.number == number)
    }

    /// Marks it to go down, at once when there is nothing to stop.
    pub(super) fn leave(&mut self) {
        match self.phase {
            Phase::Starting | Phase::Running | Phase::Stopping => self.leaving = true,
            Phase::Down | Phase::Waiting => self.down(),
        }
    }

    /// Forgets the incarnation: it has ended, or is given up.
    pub(super) fn down(&mut self) {
        self.phase = Phase::Down;
        self.leaving = false;
        self.fresh = false;
        self.live = None;
        self.timer = None;
    }

    /// Answers those who wait for it to be up, or down.
    pub(super) fn answer(&mut self, up: bool, answer: &Result<(), ControlError>) {
        for waiting in self.waiting.extract_if(.., |waiting| waiting.up == up) {
            // An asker that is gone does not need the answer.
            waiting.reply.send(answer.clone()).ok();
        }
    }

    pub(super) fn wait(&mut self, up: bool, reply: oneshot::Sender<Result<(), ControlError>>) {
        self.waiting.push(Waiting { up, reply });
    }
}

impl Incarnation {
    /// Asks it to end; a nested supervisor learns by when its own children have to.
    pub(super) fn ask_to_stop(&self, deadline: Option<Instant>) {
        match &self.handle {
            Handle::Worker { stop, .. } => stop.request(),
            // A supervisor that cannot be told has ended; its exit is on the way.
            Handle::Supervisor(actor) => drop(actor.send_message(Message::Close { deadline })),
        }
    }

    /// The nested supervisor, when it is one.
    pub(super) fn supervisor(&self) -> Option<&ActorRef<Message>> {
        match &self.handle {
            Handle::Supervisor(actor) => Some(actor),
            Handle::Worker { .. } => None,
        }
    }

    /// Kills a worker. A supervisor is never killed: each wait in it has a limit.
    pub(super) fn kill(&mut self) {
        if let Handle::Worker { actor, .. } = &self.handle {
            actor.kill();
            self.killed = true;
        }
    }
}

/// Spawns the actor of `node` below `parent`.
///
/// The boxed return type is what ends the recursion of supervisors that spawn supervisors.
pub(super) fn spawn(
    node: Arc<Node>,
    tree: Arc<Tree>,
    number: u64,
    on_started: OnStarted,
    parent: ActorCell,
) -> BoxFuture<'static, Result<Incarnation, SpawnErr>> {
    async move {
        let (id, handle) = match &node.kind {
            Kind::Worker(process) => {
                let stop = Stop::new();
                let run = worker::Arguments { process: Arc::clone(process), stop: stop.clone(), on_started };
                let (actor, _) = Actor::spawn_linked(None, Worker, run, parent).await?;
                (actor.get_id(), Handle::Worker { actor: actor.get_cell(), stop })
            }
            Kind::Supervisor(family) => {
                let arguments = supervisor::Arguments { family: Arc::clone(family), tree, on_started };
                let (actor, _) = Actor::spawn_linked(None, Supervisor, arguments, parent).await?;
                (actor.get_id(), Handle::Supervisor(actor))
            }
        };
        Ok(Incarnation { number, id, running_since: None, killed: false, deadline: None, handle })
    }
    .boxed()
}
