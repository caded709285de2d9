//! One command of a policy, from the event to done or put aside.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

use super::{
    super::{
        consumer::{Consumer, ConsumerState},
        entities::Entities,
        host::Host,
        mailbox::{Body, Meta},
        outcome::panic_text,
    },
    progress_id,
};
use crate::{
    actors::{
        entity::{
            Address, AskError, CommandId, DeadLetter, DeadLetterId, Dispatch, DispatchOrder, DispatchTarget, Entity,
            EntityId, Key, Number, Outcome, Policy, PolicyProgress, PutAside, Recorded, Unavailable,
        },
        supervision::Stop,
    },
    persistence::{Causation, DispatchMark, Origin, PartitionId},
};

/// Tries whose outcome is unknown, or that panicked, before the dispatch is put aside. Those that were
/// not done for want of a partner do not count.
const ATTEMPTS: u32 = 10;
/// The first pause between two tries; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How long one try may take.
const TRY_LIMIT: Duration = Duration::from_secs(30);

/// What the commands of one policy need on their way.
pub(super) struct Delivery<P: Policy> {
    pub(super) policy: Arc<P>,
    pub(super) target: Arc<Host<P::Target>>,
    pub(super) progress: Entities<PolicyProgress>,
    pub(super) consumer: Arc<Consumer>,
    pub(super) stop: Stop,
}

/// Commands of one lane wait for each other. Those of one partition for one existing target always do: the
/// target knows a repeat by the greatest position that it has applied, so an earlier one that came later
/// would be taken for a repeat, and lost.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Lane {
    /// By key, also when it is addressed by its number: one entity, one lane.
    Target(Address),
    Source(Address),
    /// Keeps the order of each source and of each target.
    Partition(usize),
    /// Nothing else can be for this one.
    Alone(u16, u64, u16),
}

/// A command on its way. Made of the event anew for every try, because a command is used up by one.
pub(super) struct Outgoing<P: Policy> {
    /// Index among the consumer's lanes.
    pub(super) partition: usize,
    pub(super) event: Arc<Recorded<P::Source>>,
    /// Index among the event's dispatches.
    pub(super) index: u16,
    pub(super) lane: Lane,
    /// Done or put aside; false when the stop came first.
    pub(super) is_settled: bool,
}

/// What one try came to.
enum Tried {
    Done,
    /// Never: the reason, whether nothing has the address, and the rejection.
    Refused {
        reason: String,
        not_found: bool,
        rejection: Option<serde_json::Value>,
    },
    /// Not now, and it does not count.
    Later {
        reason: String,
        pause: Option<Duration>,
    },
    /// Failed, and it counts.
    Failed(String),
}

impl<P: Policy> Delivery<P> {
    /// The commands that an event leads to. A policy that panics leads to one that fails.
    pub(super) fn react(&self, partition: usize, event: &Arc<Recorded<P::Source>>) -> Vec<Outgoing<P>> {
        let outgoing = |index: usize, lane: Lane| {
            let index = u16::try_from(index).expect("a policy leads to a handful of commands");
            Outgoing { partition, event: event.clone(), index, lane, is_settled: false }
        };
        let (unit_partition, offset) = (event.position.partition, event.position.offset);
        match self.dispatches(event) {
            Ok(dispatches) => {
                let lane = |index: usize, dispatch: &Dispatch<P::Target>| match (P::ORDER, dispatch.target()) {
                    (DispatchOrder::PerSource, DispatchTarget::Created) => Lane::Source(event.id.address()),
                    (DispatchOrder::PerSource, DispatchTarget::Existing(_)) => Lane::Partition(partition),
                    (DispatchOrder::PerTarget, DispatchTarget::Existing(address)) => {
                        Lane::Target(self.target.resolve(address).map_or_else(|_| address.clone(), Address::Key))
                    }
                    (DispatchOrder::PerTarget, DispatchTarget::Created) => {
                        Lane::Alone(unit_partition, offset, u16::try_from(index).unwrap_or(u16::MAX))
                    }
                };
                dispatches.iter().enumerate().map(|(index, d)| outgoing(index, lane(index, d))).collect()
            }
            Err(_) => vec![outgoing(0, Lane::Source(event.id.address()))],
        }
    }

    fn dispatches(&self, event: &Recorded<P::Source>) -> Result<Vec<Dispatch<P::Target>>, Arc<str>> {
        catch_unwind(AssertUnwindSafe(|| self.policy.react(event))).map_err(|panic| panic_text(panic.as_ref()))
    }

    /// Tries until the command is done or put aside, or the stop comes.
    pub(super) async fn see_through(self: Arc<Self>, mut outgoing: Outgoing<P>) -> Outgoing<P> {
        let (mut failures, mut pauses) = (0, 0u32);
        loop {
            let pause = match self.attempt(&outgoing).await {
                Tried::Done => break,
                Tried::Refused { reason, not_found, rejection } => {
                    let letter = self.letter(&outgoing, failures + 1, reason, not_found, rejection);
                    if self.put_aside(&outgoing, letter).await {
                        break;
                    }
                    return outgoing;
                }
                Tried::Failed(reason) => {
                    failures += 1;
                    tracing::warn!(policy = P::NAME, position = %outgoing.event.position, reason, failures, "dispatch failed");
                    if failures >= ATTEMPTS {
                        let letter = self.letter(&outgoing, failures, reason, false, None);
                        if self.put_aside(&outgoing, letter).await {
                            break;
                        }
                        return outgoing;
                    }
                    doubled(FIRST_PAUSE, failures - 1)
                }
                Tried::Later { reason, pause } => {
                    tracing::debug!(policy = P::NAME, position = %outgoing.event.position, reason, "dispatch waits");
                    self.consumer.set_state(ConsumerState::Waiting);
                    pauses += 1;
                    pause.unwrap_or_else(|| doubled(FIRST_PAUSE / 10, pauses - 1)).min(LONGEST_PAUSE)
                }
            };
            tokio::select! {
                () = self.stop.requested() => return outgoing,
                () = tokio::time::sleep(pause) => {}
            }
        }
        outgoing.is_settled = true;
        outgoing
    }

    async fn attempt(&self, outgoing: &Outgoing<P>) -> Tried {
        let dispatch = match self.dispatch(outgoing) {
            Ok(dispatch) => dispatch,
            Err(reason) => return Tried::Failed(reason.to_string()),
        };
        let key = match &dispatch.target {
            DispatchTarget::Existing(address) => match self.target.resolve(address) {
                Ok(key) => key,
                Err(AskError::NotFound { .. }) if dispatch.may_be_unknown => return Tried::Done,
                Err(error) => return classify::<P::Target>(error),
            },
            DispatchTarget::Created => outgoing.created_key(),
        };
        let meta = outgoing.meta(Origin::Dispatch(outgoing.mark()), "dispatch");
        let deadline = Instant::now() + TRY_LIMIT;
        match self.target.ask(&key, Body::Command(dispatch.command), meta, deadline, None).await {
            Ok(_) => Tried::Done,
            Err(error) => classify::<P::Target>(error),
        }
    }

    /// The command of this event and index, made anew.
    pub(super) fn dispatch(&self, outgoing: &Outgoing<P>) -> Result<Dispatch<P::Target>, Arc<str>> {
        let mut dispatches = self.dispatches(&outgoing.event)?;
        if usize::from(outgoing.index) < dispatches.len() {
            return Ok(dispatches.swap_remove(usize::from(outgoing.index)));
        }
        Err("the policy leads to fewer commands than it did: it is not pure, or was changed".into())
    }

    fn letter(
        &self,
        outgoing: &Outgoing<P>,
        attempts: u32,
        reason: String,
        not_found: bool,
        rejection: Option<serde_json::Value>,
    ) -> DeadLetter {
        let dispatch = self.dispatch(outgoing).ok();
        let (address, number) = match dispatch.as_ref().map(|dispatch| &dispatch.target) {
            Some(DispatchTarget::Existing(Address::Number(number))) => (number.to_string(), *number),
            Some(DispatchTarget::Existing(Address::Key(key))) => (key.to_string(), Number::NONE),
            Some(DispatchTarget::Created) => (outgoing.created_key().to_string(), Number::NONE),
            None => (String::new(), Number::NONE),
        };
        let command = dispatch.map(|dispatch| dispatch.command);
        DeadLetter {
            id: DeadLetterId { offset: outgoing.event.position.offset, index: outgoing.index },
            kind: P::Target::KIND.to_owned(),
            address,
            number,
            command: command.as_ref().map_or_else(String::new, |command| command.name().to_owned()),
            body: command.and_then(|command| command.encode().ok()).unwrap_or_default(),
            reason,
            not_found,
            rejection,
            attempts,
            correlation: outgoing.event.correlation.to_string(),
        }
    }

    /// Journals the letter before the cursor may pass it; false when the stop came first.
    async fn put_aside(&self, outgoing: &Outgoing<P>, letter: DeadLetter) -> bool {
        let position = &outgoing.event.position;
        tracing::warn!(policy = P::NAME, %position, reason = letter.reason, "dispatch put aside");
        let id = progress_id::<P>(&position.unit, position.partition);
        let mut pauses = 0;
        loop {
            let asked = self.progress.ask(&id, PutAside { letter: letter.clone() });
            match asked.correlation(outgoing.event.correlation.clone()).await {
                Ok(()) => return true,
                Err(error) => {
                    self.consumer.set_state(ConsumerState::Waiting);
                    tracing::warn!(policy = P::NAME, %error, "a dead letter cannot be journaled; trying again");
                }
            }
            pauses += 1;
            tokio::select! {
                () = self.stop.requested() => return false,
                () = tokio::time::sleep(doubled(FIRST_PAUSE, pauses - 1)) => {}
            }
        }
    }
}

impl<P: Policy> Outgoing<P> {
    fn mark(&self) -> DispatchMark {
        let position = &self.event.position;
        DispatchMark {
            policy: P::NAME.into(),
            unit: position.unit.clone(),
            partition: PartitionId(position.partition),
            offset: position.offset,
            index: self.index,
        }
    }

    /// The command's id is the same for every try of one `purpose`.
    pub(super) fn meta(&self, origin: Origin, purpose: &str) -> Meta {
        let position = &self.event.position;
        let causation = Causation::Event {
            unit: position.unit.clone(),
            partition: PartitionId(position.partition),
            offset: position.offset,
        };
        let command = self.with_identity(|parts| CommandId::derived(purpose, parts));
        Meta { command, origin, correlation: self.event.correlation.clone(), causation }
    }

    /// The key of the entity that this dispatch creates. On disk: never change.
    pub(super) fn created_key(&self) -> Key {
        self.with_identity(|parts| Key::derived("dispatch", parts))
    }

    /// Policy, position, index.
    fn with_identity<T>(&self, make: impl FnOnce(&[&[u8]]) -> T) -> T {
        let position = &self.event.position;
        make(&[
            P::NAME.as_bytes(),
            position.unit.as_bytes(),
            &position.partition.to_le_bytes(),
            &position.offset.to_le_bytes(),
            &self.index.to_le_bytes(),
        ])
    }
}

fn classify<T: Entity>(error: AskError<T::Rejection>) -> Tried {
    let reason = error.to_string();
    let pause = error.retry_after();
    match (error.outcome(), error) {
        (_, AskError::Rejected(rejection)) => {
            Tried::Refused { reason, not_found: false, rejection: serde_json::to_value(rejection).ok() }
        }
        (Outcome::Refused, error) => {
            let not_found = matches!(error, AskError::NotFound { .. });
            Tried::Refused { reason, not_found, rejection: None }
        }
        (_, AskError::Unavailable(Unavailable::Panicked)) => Tried::Failed(reason),
        (_, AskError::InProgress { .. } | AskError::Unavailable(Unavailable::Partner { .. })) => {
            Tried::Later { reason, pause }
        }
        (Outcome::NotDone, _) => Tried::Later { reason, pause: None },
        (Outcome::Unknown, _) => Tried::Failed(reason),
    }
}

fn doubled(first: Duration, times: u32) -> Duration {
    first.saturating_mul(1 << times.min(16)).min(LONGEST_PAUSE)
}
