//! The root of a supervision tree and the handle to it.

use std::{fmt, sync::Arc, time::Duration};

use ractor::{Actor, ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::{
    sync::{Semaphore, mpsc, oneshot, watch},
    time::Instant,
};

use crate::actors::entity::Timestamp;

use super::{
    control::{Control, ControlError, Operation},
    process::Failure,
    spec::SupervisorSpec,
    supervisor::{self, Message, Supervisor},
    tree::{Killed, Kind, Node, NodeState, Tree, TreeNode},
};

/// Control requests that may be under way at a time: operators make few, and each waits for a child.
pub(super) const CONTROLS: usize = 16;

/// A running supervision tree. Clones are handles to the same tree; it runs until it is shut down or gives
/// up, also when all handles are dropped.
#[derive(Clone)]
pub struct Guardian {
    inner: Arc<Inner>,
}

struct Inner {
    root: ActorRef<Message>,
    node: Arc<Node>,
    tree: Arc<Tree>,
    life: watch::Receiver<Life>,
    controls: Semaphore,
}

/// The tree ended by itself: its root had to restart its children too often.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the supervision tree gave up: {reason}")]
pub struct GaveUp {
    /// Which limit was passed, and which child failed last, with its words.
    pub reason: String,
}

/// Why a tree does not run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StartFailure {
    /// A child has no name of its own. Nothing was started.
    #[error("the name of the child `{0}` is empty or taken by a sibling")]
    BadName(String),
    /// A child failed to start too often. Everything that had been started was stopped again.
    #[error(transparent)]
    GaveUp(#[from] GaveUp),
    /// The root actor could not be spawned. Nothing was started.
    #[error("the root of the supervision tree could not be spawned: {0}")]
    NotSpawned(Failure),
}

/// How an orderly end went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use = "a killed child may have left its work half done"]
pub struct ShutdownReport {
    /// The children that did not end in time, in the order in which they were killed.
    pub killed: Vec<Killed>,
}

impl Guardian {
    /// Starts the tree of `spec` and returns when every child has been started once. `now` is the clock of
    /// [`TreeNode::since`].
    ///
    /// A child whose start fails is retried with backoff, as after any failure, before this gives up.
    ///
    /// # Errors
    /// [`StartFailure`]: nothing runs.
    ///
    /// # Cancel safety
    /// Not safe: dropped before it returns, it leaves a tree that nobody holds.
    pub async fn start(
        spec: SupervisorSpec,
        now: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> Result<Self, StartFailure> {
        let tree = Arc::new(Tree::new(now));
        let node = Node::root(spec, &tree).map_err(|path| StartFailure::BadName(path.join("/")))?;
        let (life, mut watched) = watch::channel(Life::Starting);
        let root = Root { node: Arc::clone(&node), tree: Arc::clone(&tree), life: life.clone() };
        let root = spawn(root).await.map_err(StartFailure::NotSpawned)?;

        // The channel closes only when the root actor is gone; then its last word is in it.
        let begun = watched.wait_for(|life| *life != Life::Starting).await.map(|life| life.clone());
        if let Ok(Life::GaveUp(reason)) = begun {
            return Err(GaveUp { reason }.into());
        }
        let controls = Semaphore::new(CONTROLS);
        Ok(Self { inner: Arc::new(Inner { root, node, tree, life: watched, controls }) })
    }

    /// Stops all children, last first and each within its own limit, everything within `limit`; what has
    /// not ended then is killed. Returns when the tree is down; again the same when it already was.
    pub async fn shutdown(&self, limit: Duration) -> ShutdownReport {
        self.inner.tree.begin_end();
        let deadline = Some(Instant::now() + limit);
        // A root that cannot be told has ended.
        self.inner.root.send_message(Message::Close { deadline }).ok();
        self.ended().await;
        ShutdownReport { killed: self.inner.tree.killed() }
    }

    /// Waits until the tree gives up. Never returns when it is shut down instead.
    ///
    /// # Cancel safety
    /// Safe: call it again.
    pub async fn gave_up(&self) -> GaveUp {
        match self.ended().await {
            Life::GaveUp(reason) => GaveUp { reason },
            Life::Starting | Life::Running | Life::Stopped => std::future::pending().await,
        }
    }

    /// The tree as it stands.
    pub fn tree(&self) -> TreeNode {
        self.inner.node.describe()
    }

    /// Waits until every supervisor of the tree has taken a message from its queue, or is not there.
    ///
    /// # Cancel safety
    /// Safe: a dropped wait changes nothing.
    pub async fn responds(&self) {
        let (asked, mut all) = mpsc::channel::<()>(1);
        // A root that cannot be told has ended, and drops the message.
        self.inner.root.send_message(Message::Respond(asked)).ok();
        // It closes when the last of them has dropped its sender.
        while all.recv().await.is_some() {}
    }

    /// The place at `path` (names from below the root) as it stands; `None` when there is none.
    pub fn node(&self, path: &[&str]) -> Option<TreeNode> {
        let mut node = &self.inner.node;
        for name in path {
            let Kind::Supervisor(family) = &node.kind else { return None };
            node = family.children.iter().find(|child| child.name == *name)?;
        }
        Some(node.describe())
    }

    /// Stops the child at `path` (names from below the root) and returns when it is down. That is no failure;
    /// it stays down, also when its supervisor is restarted, until it is started again.
    ///
    /// # Errors
    /// See [`ControlError`].
    pub async fn stop_child(&self, path: &[&str]) -> Result<(), ControlError> {
        self.control(Operation::Stop, path).await
    }

    /// Starts the child at `path` and returns when it runs; at once when it does already. One that waits for
    /// its backoff is started now.
    ///
    /// # Errors
    /// See [`ControlError`].
    pub async fn start_child(&self, path: &[&str]) -> Result<(), ControlError> {
        self.control(Operation::Start, path).await
    }

    /// Stops the child at `path` and those that its supervisor's strategy restarts with it, and starts them
    /// again. Returns when the child runs. That is no failure.
    ///
    /// # Errors
    /// See [`ControlError`].
    pub async fn restart_child(&self, path: &[&str]) -> Result<(), ControlError> {
        self.control(Operation::Restart, path).await
    }

    async fn control(&self, operation: Operation, path: &[&str]) -> Result<(), ControlError> {
        let _permit = self.inner.controls.try_acquire().map_err(|_| ControlError::Busy)?;
        let (reply, answer) = oneshot::channel();
        let names = path.iter().map(ToString::to_string).collect();
        let request = Message::Control(Control { operation, path: names, reply });
        self.inner.root.send_message(request).map_err(|_| ControlError::Ended)?;
        let answer = answer.await.unwrap_or(Err(ControlError::Ended));
        // Further down only the rest of the path is known.
        let unknown = matches!(answer, Err(ControlError::NoSuchChild(_)));
        if unknown { Err(ControlError::NoSuchChild(path.join("/"))) } else { answer }
    }

    async fn ended(&self) -> Life {
        let mut life = self.inner.life.clone();
        let ended = life.wait_for(|life| matches!(life, Life::GaveUp(_) | Life::Stopped)).await;
        ended.map_or(Life::Stopped, |life| life.clone())
    }
}

impl fmt::Debug for Guardian {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guardian").field("root", &self.inner.node.name).finish_non_exhaustive()
    }
}

/// Where the tree as a whole is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Life {
    /// 1. Not every child was started yet.
    Starting,
    /// 2. Every child was.
    Running,
    /// 3. It ended by itself.
    GaveUp(String),
    /// 3. It was shut down.
    Stopped,
}

/// The actor above the root supervisor: it turns the root's exit, a panic of ours included, into [`Life`].
struct Watcher;

#[derive(Clone)]
struct Root {
    node: Arc<Node>,
    tree: Arc<Tree>,
    life: watch::Sender<Life>,
}

impl Root {
    fn enter(&self, life: Life) {
        match &life {
            Life::Starting => self.tree.set(&self.node, NodeState::Starting),
            Life::Running => self.tree.set(&self.node, NodeState::Running),
            Life::GaveUp(reason) => self.tree.set_because(&self.node, NodeState::Failed, reason),
            Life::Stopped => self.tree.set(&self.node, NodeState::Stopped),
        }
        self.life.send_replace(life);
    }
}

/// Spawns the watcher and, linked to it, the root supervisor.
async fn spawn(root: Root) -> Result<ActorRef<Message>, Failure> {
    let Kind::Supervisor(family) = &root.node.kind else {
        return Err(Failure::new("the root is not a supervisor"));
    };
    let (family, tree) = (Arc::clone(family), Arc::clone(&root.tree));
    root.enter(Life::Starting);
    let (watcher, _) = Actor::spawn(None, Watcher, root.clone()).await.map_err(Failure::new)?;
    let on_started = Box::new(move || root.enter(Life::Running));
    let arguments = supervisor::Arguments { family, tree, on_started };
    let (actor, _) =
        Actor::spawn_linked(None, Supervisor, arguments, watcher.get_cell()).await.map_err(Failure::new)?;
    Ok(actor)
}

impl Actor for Watcher {
    type Msg = ();
    type State = Root;
    type Arguments = Root;

    async fn pre_start(&self, _: ActorRef<()>, root: Root) -> Result<Root, ActorProcessingErr> {
        Ok(root)
    }

    async fn handle_supervisor_evt(
        &self,
        me: ActorRef<()>,
        event: SupervisionEvent,
        root: &mut Root,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorFailed(_, error) => root.enter(Life::GaveUp(error.to_string())),
            SupervisionEvent::ActorTerminated(..) => root.enter(Life::Stopped),
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => return Ok(()),
        }
        me.stop(None);
        Ok(())
    }
}
