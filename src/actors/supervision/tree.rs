//! The tree as it stands: laid out once from the spec, kept up to date by the supervisors, read by anyone.
//!
//! What an operator stopped is remembered here and not in the supervisor, so that it also stays stopped when
//! its supervisor is restarted.

use std::{
    collections::{BTreeSet, VecDeque},
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::actors::entity::Timestamp;

use super::{
    backoff::Backoff,
    intensity::Intensity,
    process::Process,
    spec::{ChildSpec, Role, SupervisorSpec},
    strategy::{Restart, Strategy},
};

/// One place of the supervision tree, as operators see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TreeNode {
    /// Its name among its siblings.
    pub name: String,
    /// What it is.
    pub kind: NodeKind,
    /// Who is restarted with whom; only of a supervisor.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub strategy: Option<Strategy>,
    /// What it does.
    pub state: NodeState,
    /// How often its supervisor started it again, for its own sake or for a sibling's.
    pub restarts: u64,
    /// When it came into this state.
    pub since: Timestamp,
    /// Why it last went down.
    pub last_reason: Option<String>,
    /// Its last failures, oldest first, and what was done about each; at most [`TreeNode::FAILURES`].
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub failures: Vec<PastFailure>,
    /// Its children, in the order in which they are started.
    pub children: Vec<TreeNode>,
}

impl TreeNode {
    /// Failures of one place that are kept.
    pub const FAILURES: usize = 8;
}

/// A failure of one place of the tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PastFailure {
    /// When.
    pub at: Timestamp,
    /// What failed, in its own words.
    pub reason: String,
    /// What its supervisor did about it.
    pub then: String,
}

/// What a place of the tree is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NodeKind {
    /// It starts, restarts and stops its children.
    Supervisor,
    /// It runs a process.
    Worker,
}

/// What a place of the tree does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NodeState {
    /// It is being started.
    Starting,
    /// It runs, or was asked to stop and has not ended yet.
    Running,
    /// It failed, or a sibling that it goes up and down with did, and waits to be started again.
    Backoff,
    /// It was stopped, it finished, or it was not started yet.
    Stopped,
    /// It failed and is not started again by its supervisor.
    Failed,
}

/// A child that did not end in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Killed {
    /// Where it is in the tree, below the root.
    pub path: Vec<String>,
    /// It did not end when it was killed either: its code blocks a thread, and may still run.
    pub abandoned: bool,
}

/// What all supervisors of one tree share.
pub(super) struct Tree {
    now: Box<dyn Fn() -> Timestamp + Send + Sync>,
    /// The origin of the moments in restart windows.
    pub(super) started: Instant,
    ending: AtomicBool,
    /// Filled only during the end of the tree, once for each worker at most.
    killed: Mutex<Vec<Killed>>,
}

/// One place of the tree: what it is, and how it stands.
pub(super) struct Node {
    pub(super) name: String,
    pub(super) path: Vec<String>,
    pub(super) restart: Restart,
    pub(super) shutdown: Option<Duration>,
    pub(super) significant: bool,
    pub(super) alone: bool,
    pub(super) kind: Kind,
    status: Mutex<Status>,
}

pub(super) enum Kind {
    Worker(Arc<dyn Process>),
    Supervisor(Arc<Family>),
}

/// A supervisor's part of a [`SupervisorSpec`].
pub(super) struct Family {
    pub(super) strategy: Strategy,
    pub(super) intensity: Intensity,
    pub(super) backoff: Backoff,
    pub(super) shutdown: Duration,
    pub(super) children: Vec<Arc<Node>>,
}

struct Status {
    state: NodeState,
    since: Timestamp,
    restarts: u64,
    reason: Option<String>,
    failures: VecDeque<PastFailure>,
    held: bool,
}

impl Tree {
    pub(super) fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self {
            now: Box::new(now),
            started: Instant::now(),
            ending: AtomicBool::new(false),
            killed: Mutex::new(Vec::new()),
        }
    }

    /// From now on, what has to be killed is kept for the report.
    pub(super) fn begin_end(&self) {
        self.ending.store(true, Ordering::Release);
    }

    pub(super) fn record_kill(&self, path: &[String], abandoned: bool) {
        if self.ending.load(Ordering::Acquire) {
            let mut killed = lock(&self.killed);
            match killed.iter_mut().find(|k| k.path == path) {
                Some(known) => known.abandoned |= abandoned,
                None => killed.push(Killed { path: path.to_vec(), abandoned }),
            }
        }
    }

    pub(super) fn killed(&self) -> Vec<Killed> {
        lock(&self.killed).clone()
    }

    pub(super) fn set(&self, node: &Node, state: NodeState) {
        let mut status = lock(&node.status);
        if status.state != state {
            status.state = state;
            status.since = (self.now)();
        }
    }

    /// What waited to be started again is stopped: that will not happen.
    pub(super) fn call_off(&self, node: &Node) {
        if lock(&node.status).state == NodeState::Backoff {
            self.set(node, NodeState::Stopped);
        }
    }

    pub(super) fn set_because(&self, node: &Node, state: NodeState, reason: impl Into<String>) {
        self.set(node, state);
        lock(&node.status).reason = Some(reason.into());
    }

    /// Keeps a failure and what is done about it.
    pub(super) fn failed(&self, node: &Node, state: NodeState, reason: &str, then: String) {
        self.set_because(node, state, reason);
        let mut status = lock(&node.status);
        if status.failures.len() >= TreeNode::FAILURES {
            status.failures.pop_front();
        }
        status.failures.push_back(PastFailure { at: (self.now)(), reason: reason.to_owned(), then });
    }
}

impl Node {
    /// Lays out the tree of `spec`; its root has the empty path.
    ///
    /// # Errors
    /// The path of a child whose name is empty or taken by a sibling.
    pub(super) fn root(spec: SupervisorSpec, tree: &Tree) -> Result<Arc<Self>, Vec<String>> {
        Self::lay_out(ChildSpec::supervisor(spec), vec![], tree)
    }

    fn lay_out(spec: ChildSpec, path: Vec<String>, tree: &Tree) -> Result<Arc<Self>, Vec<String>> {
        let kind = match spec.role {
            Role::Worker(process) => Kind::Worker(process),
            Role::Supervisor(family) => {
                let mut names = BTreeSet::new();
                let mut children = Vec::with_capacity(family.children.len());
                for child in family.children {
                    let mut below = path.clone();
                    below.push(child.name.clone());
                    if child.name.is_empty() || !names.insert(child.name.clone()) {
                        return Err(below);
                    }
                    children.push(Self::lay_out(child, below, tree)?);
                }
                Kind::Supervisor(Arc::new(Family {
                    strategy: family.strategy,
                    intensity: family.intensity,
                    backoff: family.backoff,
                    shutdown: family.shutdown,
                    children,
                }))
            }
        };
        let (state, since) = (NodeState::Stopped, (tree.now)());
        let status = Status { state, since, restarts: 0, reason: None, failures: VecDeque::new(), held: false };
        Ok(Arc::new(Self {
            name: spec.name,
            path,
            restart: spec.restart,
            shutdown: spec.shutdown,
            significant: spec.significant,
            alone: spec.alone,
            kind,
            status: Mutex::new(status),
        }))
    }

    pub(super) fn count_restart(&self) {
        let mut status = lock(&self.status);
        status.restarts = status.restarts.saturating_add(1);
    }

    /// Whether an operator stopped it.
    pub(super) fn is_held(&self) -> bool {
        lock(&self.status).held
    }

    pub(super) fn hold(&self, held: bool) {
        lock(&self.status).held = held;
    }

    pub(super) fn describe(&self) -> TreeNode {
        let (kind, strategy, children) = match &self.kind {
            Kind::Worker(_) => (NodeKind::Worker, None, vec![]),
            Kind::Supervisor(family) => {
                let children = family.children.iter().map(|child| child.describe()).collect();
                (NodeKind::Supervisor, Some(family.strategy), children)
            }
        };
        let status = lock(&self.status);
        TreeNode {
            name: self.name.clone(),
            kind,
            strategy,
            state: status.state,
            restarts: status.restarts,
            since: status.since,
            last_reason: status.reason.clone(),
            failures: status.failures.iter().cloned().collect(),
            children,
        }
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Node").field(&self.path).finish()
    }
}

/// No code under these locks can panic half-way through a change, so a poisoned one is still whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
