//! What an operator may ask of one place of the tree.

use tokio::sync::oneshot;

/// What to do with a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Stop,
    Start,
    Restart,
}

/// A request on its way down the tree.
pub(super) struct Control {
    pub(super) operation: Operation,
    /// The names still to go, the child's own last.
    pub(super) path: Vec<String>,
    pub(super) reply: oneshot::Sender<Result<(), ControlError>>,
}

/// Why a control request was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// No child has this path. Nothing was done.
    #[error("the supervision tree has no child `{0}`")]
    NoSuchChild(String),
    /// A supervisor on the way does not run. Start it, or wait for it, and ask again; nothing was done.
    #[error("the supervisor `{0}` does not run")]
    SupervisorDown(String),
    /// The child could not be started; its supervisor goes on trying, as after any failure.
    #[error("it could not be started: {0}")]
    StartFailed(String),
    /// Another request said otherwise before this one was done.
    #[error("another request took its place")]
    Superseded,
    /// Too many control requests are under way. Nothing was done; ask again later.
    #[error("too many control requests are under way")]
    Busy,
    /// The tree, or the part of it that was asked, ended meanwhile.
    #[error("the supervisor ended")]
    Ended,
}
