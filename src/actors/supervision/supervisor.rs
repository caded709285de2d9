//! The actor that performs what the pure files decide.
//!
//! It never waits inside a handler: starting, stopping and backing off end with a message or an exit event,
//! so that it stays responsive while a child takes its time. Each event changes the standing of a child;
//! [`State::advance`] then does what is due. It keeps true:
//!
//! 1. An exit or a report of a run that is not the current one changes nothing.
//! 2. Every wait for a child to end has a limit: asked, then killed, then given up.
//! 3. It ends only when all its children are down (ractor's own `stop` would kill them).

use std::{sync::Arc, time::Duration};

use ractor::{Actor, ActorId, ActorProcessingErr, ActorRef, SupervisionEvent};
use tokio::{sync::mpsc, time::Instant};

use super::{
    child::{self, Child, Timer},
    control::{Control, ControlError},
    intensity::{Intensity, RestartWindow, Verdict},
    order::{self, Phase},
    process::Failure,
    strategy::{self, Actions, Exit, Restart},
    tree::{Family, Kind, NodeState, Tree},
    worker::OnStarted,
};

/// What a killed worker gets to be dropped. Dropping takes no time unless its code blocks the thread, and
/// then no time is enough.
const KILL_GRACE: Duration = Duration::from_millis(100);

pub(super) struct Supervisor;

pub(super) struct Arguments {
    pub(super) family: Arc<Family>,
    pub(super) tree: Arc<Tree>,
    /// Called when every child was started once.
    pub(super) on_started: OnStarted,
}

pub(super) enum Message {
    /// A child's first phase is done.
    Started { child: usize, number: u64 },
    /// A child's backoff has passed.
    Retry { child: usize },
    /// A child's time to stop, or to be dropped, has passed.
    Late { child: usize, number: u64 },
    /// An operator's request.
    Control(Control),
    /// Nothing but a sign of life: passed on to the supervisors below, and dropped.
    Respond(mpsc::Sender<()>),
    /// Stop the children, then end. All have to be down at the deadline, whatever their own limits say.
    Close { deadline: Option<Instant> },
}

pub(super) struct State {
    pub(super) family: Arc<Family>,
    pub(super) tree: Arc<Tree>,
    pub(super) children: Vec<Child>,
    window: RestartWindow,
    /// When it began, on the clock of its window.
    begun: Duration,
    pub(super) closing: Option<Closing>,
    on_started: Option<OnStarted>,
    last_number: u64,
}

#[derive(Default)]
pub(super) struct Closing {
    deadline: Option<Instant>,
    /// It gives up: its end is a failure.
    failure: Option<Failure>,
}

impl Actor for Supervisor {
    type Msg = Message;
    type State = State;
    type Arguments = Arguments;

    async fn pre_start(&self, _: ActorRef<Message>, arguments: Arguments) -> Result<State, ActorProcessingErr> {
        let Arguments { family, tree, on_started } = arguments;
        Ok(State {
            children: family.children.iter().map(|node| Child::new(node.clone(), family.intensity)).collect(),
            window: RestartWindow::new(family.intensity),
            begun: tree.started.elapsed(),
            family,
            tree,
            closing: None,
            on_started: Some(on_started),
            last_number: 0,
        })
    }

    /// Children are started only now, when ractor has linked us to our own supervisor.
    async fn post_start(&self, me: ActorRef<Message>, state: &mut State) -> Result<(), ActorProcessingErr> {
        state.advance(&me).await
    }

    async fn handle(
        &self,
        me: ActorRef<Message>,
        message: Message,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Started { child, number } => state.started(child, number),
            Message::Retry { child } => state.retry(child),
            Message::Late { child, number } => state.late(&me, child, number),
            Message::Control(control) => state.control(control),
            Message::Respond(asked) => {
                let below = state.children.iter().filter_map(|child| child.live.as_ref()?.supervisor());
                // One that cannot be told has ended, which is an answer.
                below.for_each(|below| drop(below.send_message(Message::Respond(asked.clone()))));
            }
            Message::Close { deadline } => state.close(&me, deadline),
        }
        state.advance(&me).await
    }

    async fn handle_supervisor_evt(
        &self,
        me: ActorRef<Message>,
        event: SupervisionEvent,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorFailed(actor, error) => {
                let failure = error.downcast_ref::<Failure>().cloned();
                let failure = failure.unwrap_or_else(|| Failure::new(error));
                state.exited(&me, actor.get_id(), Exit::Failed, failure);
            }
            SupervisionEvent::ActorTerminated(actor, _, _) => {
                let failure = Failure::new("it ended without being asked to");
                state.exited(&me, actor.get_id(), Exit::Normal, failure);
            }
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) => {}
        }
        state.advance(&me).await
    }
}

impl State {
    /// Stops and starts what is due, and ends when there is nothing left to stop.
    async fn advance(&mut self, me: &ActorRef<Message>) -> Result<(), ActorProcessingErr> {
        loop {
            let standings: Vec<_> = self.children.iter().map(Child::standing).collect();
            let due = order::due(self.family.strategy, self.closing.is_some(), &standings);
            if due.stop.is_empty() && due.start.is_empty() {
                break;
            }
            for index in due.stop {
                self.stop(me, index);
            }
            for index in due.start {
                self.start(me, index).await;
            }
        }
        if let Some(closing) = &mut self.closing {
            if self.children.iter().all(|child| child.phase == Phase::Down) {
                if let Some(failure) = closing.failure.take() {
                    return Err(failure.into());
                }
                me.stop(None);
            }
        } else if self.children.iter().all(|child| !child.wanted || child.phase == Phase::Running)
            && let Some(on_started) = self.on_started.take()
        {
            on_started();
        }
        Ok(())
    }

    async fn start(&mut self, me: &ActorRef<Message>, index: usize) {
        self.last_number += 1;
        let number = self.last_number;
        let Some(child) = self.children.get_mut(index) else { return };
        if std::mem::take(&mut child.comes_back) {
            child.node.count_restart();
        }
        child.phase = Phase::Starting;
        self.tree.set(&child.node, NodeState::Starting);
        let supervisor = me.clone();
        // A supervisor that is gone needs no report.
        let on_started = move || drop(supervisor.send_message(Message::Started { child: index, number }));
        let (node, tree) = (Arc::clone(&child.node), Arc::clone(&self.tree));
        match child::spawn(node, tree, number, Box::new(on_started), me.get_cell()).await {
            Ok(incarnation) => child.live = Some(incarnation),
            Err(error) => self.failed(me, index, Exit::Failed, Failure::new(error)),
        }
    }

    /// Asks a child to end and sets its limit. Asking again can only bring the limit nearer.
    fn stop(&mut self, me: &ActorRef<Message>, index: usize) {
        let now = Instant::now();
        let cap = self.closing.as_ref().and_then(|closing| closing.deadline);
        let Some(child) = self.children.get_mut(index) else { return };
        let Some(live) = &mut child.live else { return };
        let own = match child.node.kind {
            Kind::Worker(_) => Some(child.node.shutdown.unwrap_or(self.family.shutdown)),
            Kind::Supervisor(_) => child.node.shutdown,
        };
        let deadline = own.map(|limit| now + limit).into_iter().chain(cap).chain(live.deadline).min();
        live.deadline = deadline;
        child.phase = Phase::Stopping;
        live.ask_to_stop(deadline);
        if let (Kind::Worker(_), Some(deadline)) = (&child.node.kind, deadline) {
            let late = Message::Late { child: index, number: live.number };
            child.timer = Some(Timer::after(deadline.saturating_duration_since(now), me, late));
        }
    }

    fn started(&mut self, index: usize, number: u64) {
        let Some(child) = self.children.get_mut(index).filter(|child| child.is(number)) else { return };
        child.fresh = false;
        if child.phase != Phase::Starting {
            return;
        }
        child.phase = Phase::Running;
        if let Some(live) = &mut child.live {
            live.running_since = Some(Instant::now());
        }
        self.tree.set(&child.node, NodeState::Running);
        // One that has to go down again is not what the asker waits for.
        if !child.leaving {
            child.answer(true, &Ok(()));
        }
    }

    fn retry(&mut self, index: usize) {
        if let Some(child) = self.children.get_mut(index).filter(|child| child.phase == Phase::Waiting) {
            child.down();
        }
    }

    fn late(&mut self, me: &ActorRef<Message>, index: usize, number: u64) {
        let Some(child) = self.children.get_mut(index).filter(|child| child.is(number)) else { return };
        let Some(live) = &mut child.live else { return };
        if live.killed {
            tracing::error!(path = ?child.node.path, "killed, and still running: abandoned");
            self.tree.record_kill(&child.node.path, true);
            self.stopped(index, Some("it did not end when it was killed, and was abandoned"));
        } else {
            tracing::warn!(path = ?child.node.path, "did not stop in time: killed");
            self.tree.record_kill(&child.node.path, false);
            live.kill();
            child.timer = Some(Timer::after(KILL_GRACE, me, Message::Late { child: index, number }));
        }
    }

    fn exited(&mut self, me: &ActorRef<Message>, id: ActorId, exit: Exit, failure: Failure) {
        let current = |child: &Child| child.live.as_ref().is_some_and(|live| live.id == id);
        let Some(index) = self.children.iter().position(current) else { return };
        let Some(child) = self.children.get(index) else { return };
        // One that has to go down anyway is down; often it failed because a sibling that it needs did.
        let meant_to_run = child.wanted && !child.leaving && self.closing.is_none();
        if meant_to_run && child.phase != Phase::Stopping {
            return self.failed(me, index, exit, failure);
        }
        let killed = child.live.as_ref().is_some_and(|live| live.killed);
        let failure = failure.to_string();
        let reason = match exit {
            _ if killed => Some("it did not stop in time and was killed"),
            Exit::Failed => Some(failure.as_str()),
            Exit::Normal => None,
        };
        self.stopped(index, reason);
    }

    /// A child that was asked to stop is down.
    fn stopped(&mut self, index: usize, reason: Option<&str>) {
        let closing = self.closing.is_some();
        let Some(child) = self.children.get_mut(index) else { return };
        child.down();
        let state = if child.wanted && !closing { NodeState::Backoff } else { NodeState::Stopped };
        match reason {
            Some(reason) => self.tree.set_because(&child.node, state, reason),
            None => self.tree.set(&child.node, state),
        }
        child.answer(false, &Ok(()));
    }

    /// A child ended that nobody had asked to, or could not be started.
    fn failed(&mut self, me: &ActorRef<Message>, index: usize, exit: Exit, failure: Failure) {
        let kinds = self.restart_kinds();
        let (started, limit) = (self.tree.started, self.family.intensity);
        let reason = failure.to_string();
        let Some(child) = self.children.get_mut(index) else { return };
        let ran = child.live.as_ref().and_then(|live| live.running_since).map_or(Duration::ZERO, |at| at.elapsed());
        let well_for = failure.well_for().unwrap_or(ran);
        child.down();
        child.answer(true, &Err(ControlError::StartFailed(reason.clone())));
        let Some(actions) = strategy::on_exit(self.family.strategy, &kinds, index, exit) else {
            child.wanted = false;
            let state = if exit == Exit::Failed { NodeState::Failed } else { NodeState::Stopped };
            return self.tree.set_because(&child.node, state, reason);
        };
        tracing::warn!(path = ?child.node.path, reason, "ended");
        if child.node.significant {
            self.tree.failed(&child.node, NodeState::Failed, &reason, "its supervisor ends with it".to_owned());
            return self.end_with(failure);
        }
        if let Some(own) = &mut child.own {
            if own.record(well_for) == Verdict::GiveUp {
                child.wanted = false;
                tracing::error!(path = ?child.node.path, reason, ?limit, "given up; its neighbours go on");
                let text = format!("given up after more than {}: {reason}", told(limit));
                return self.tree.failed(&child.node, NodeState::Failed, &text, "given up".to_owned());
            }
        } else if self.window.record(started.elapsed()) == Verdict::GiveUp {
            self.tree.failed(&child.node, NodeState::Failed, &reason, "its supervisor gives up".to_owned());
            let text = format!("more than {}; the last to fail was `{}`: {reason}", told(limit), child.node.name);
            let well_for = self.window.first().unwrap_or_default().saturating_sub(self.begun);
            return self.end_with(Failure::new(text).after_being_well_for(well_for));
        }
        child.failures = self.family.backoff.failures_after(child.failures, well_for);
        let wait = self.family.backoff.delay(child.failures, fastrand::f64());
        child.failures = child.failures.saturating_add(1);
        let then = format!("started again after {wait:.1?}");
        self.tree.failed(&child.node, NodeState::Backoff, &reason, then);
        self.turn_over(&actions, true);
        if let Some(child) = self.children.get_mut(index) {
            child.phase = Phase::Waiting;
            child.timer = Some(Timer::after(wait, me, Message::Retry { child: index }));
        }
    }

    /// Marks who goes down and who comes back. What an operator stopped stays down.
    pub(super) fn turn_over(&mut self, actions: &Actions, by_supervisor: bool) {
        for index in &actions.stop {
            if let Some(child) = self.children.get_mut(*index) {
                child.leave();
                child.wanted = false;
            }
        }
        for index in &actions.start {
            if let Some(child) = self.children.get_mut(*index).filter(|child| !child.node.is_held()) {
                child.wanted = true;
                child.comes_back = by_supervisor;
            }
        }
    }

    /// Stops all children and ends with this failure.
    fn end_with(&mut self, failure: Failure) {
        self.closing.get_or_insert_default().failure = Some(failure);
        self.leave_all();
    }

    fn leave_all(&mut self) {
        for child in &mut self.children {
            self.tree.call_off(&child.node);
            child.leave();
        }
    }

    fn close(&mut self, me: &ActorRef<Message>, deadline: Option<Instant>) {
        let closing = self.closing.get_or_insert_default();
        closing.deadline = closing.deadline.into_iter().chain(deadline).min();
        self.leave_all();
        // Those that are stopping already have to meet the new deadline too.
        for index in 0..self.children.len() {
            let stopping = |child: &&Child| child.live.as_ref().is_some_and(|live| !live.killed);
            if self.children.get(index).filter(stopping).is_some_and(|child| child.phase == Phase::Stopping) {
                self.stop(me, index);
            }
        }
    }

    pub(super) fn restart_kinds(&self) -> Vec<Restart> {
        self.children.iter().map(|child| child.node.restart).collect()
    }
}

fn told(limit: Intensity) -> String {
    format!("{} restarts within {:?}", limit.at_most, limit.within)
}
