//! What an operator may ask of one place of the tree, and what a supervisor makes of it.

use tokio::sync::oneshot;

use super::{
    child::Incarnation,
    intensity::OwnWindow,
    order::Phase,
    strategy,
    supervisor::{Message, State},
    tree::{Kind, NodeState},
};

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

impl State {
    /// Carries a request out, or hands it down the tree.
    pub(super) fn control(&mut self, mut control: Control) {
        let named = |name: &String| self.children.iter().position(|child| child.node.name == *name);
        let Some(index) = control.path.first().and_then(named) else {
            let unknown = ControlError::NoSuchChild(control.path.join("/"));
            return drop(control.reply.send(Err(unknown)));
        };
        if control.path.len() == 1 {
            return self.operate(index, control);
        }
        let name = control.path.remove(0);
        let Some(child) = self.children.get(index) else { return };
        match (&child.node.kind, child.live.as_ref().and_then(Incarnation::supervisor)) {
            (Kind::Worker(_), _) => drop(control.reply.send(Err(ControlError::NoSuchChild(control.path.join("/"))))),
            (Kind::Supervisor(_), None) => drop(control.reply.send(Err(ControlError::SupervisorDown(name)))),
            // When it ends meanwhile, the reply is dropped with the message, which says so.
            (Kind::Supervisor(_), Some(supervisor)) => drop(supervisor.send_message(Message::Control(control))),
        }
    }

    fn operate(&mut self, index: usize, Control { operation, reply, .. }: Control) {
        if self.closing.is_some() {
            return drop(reply.send(Err(ControlError::Ended)));
        }
        let group = strategy::restart(self.family.strategy, &self.restart_kinds(), index);
        let Some(child) = self.children.get_mut(index) else { return };
        match operation {
            Operation::Stop => {
                child.answer(true, &Err(ControlError::Superseded));
                child.node.hold(true);
                child.wanted = false;
                child.comes_back = false;
                child.wait(false, reply);
                child.leave();
                if child.phase == Phase::Down {
                    self.tree.set(&child.node, NodeState::Stopped);
                    child.answer(false, &Ok(()));
                }
            }
            Operation::Start => {
                child.node.hold(false);
                child.wait(true, reply);
                self.want(index);
            }
            Operation::Restart => {
                child.node.hold(false);
                child.wait(true, reply);
                child.leave();
                self.turn_over(&group, false);
                self.want(index);
            }
        }
    }

    /// Lets a child come up without waiting for its backoff; says so when it is up already.
    fn want(&mut self, index: usize) {
        let intensity = self.family.intensity;
        let Some(child) = self.children.get_mut(index) else { return };
        child.wanted = true;
        child.failures = 0;
        if let Some(own) = &mut child.own {
            *own = OwnWindow::new(intensity); // what was before the operator does not count against it
        }
        match child.phase {
            Phase::Waiting => child.down(),
            Phase::Running if !child.leaving => child.answer(true, &Ok(())),
            Phase::Down | Phase::Starting | Phase::Running | Phase::Stopping => {}
        }
    }
}
