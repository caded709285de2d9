//! The carrier of policies: events become commands for other entities.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

use super::{
    super::{
        asker::InSeries,
        host::Host,
        mailbox::{Body, Meta},
        outcome::panic_text,
        remote::{Elsewhere, Encoded},
    },
    LetterError,
    carrier::{Carrier, Lane, Patience, Tried, Undelivered},
};
use crate::{
    actors::entity::{
        Address, AskError, CommandId, DeadLetter, DeadLetterId, Dispatch, DispatchOrder, DispatchTarget, Entity,
        EntityId, Key, Number, Outcome, Policy, Recorded, Unavailable,
    },
    persistence::{Causation, DispatchMark, Origin, PartitionId},
};

/// Commands of one policy that are on their way at the same time. Those that wait behind one of them do not
/// count, so that one target that is away does not hold up the others; they are bounded by the windows.
const IN_FLIGHT: usize = 256;

/// Commands for one target that are sent together: so many share a sync, and their target has room for others.
const TOGETHER: usize = 64;

/// Commands that each create an entity, in the order of one source, and are sent together: as many as may be on their way,
/// since each has a mailbox of its own.
const CREATED_TOGETHER: usize = IN_FLIGHT;

/// How long one try may take.
const TRY_LIMIT: Duration = Duration::from_secs(30);

/// Asks entities for what a policy says.
pub(crate) struct Commands<P: Policy> {
    pub(crate) policy: Arc<P>,
    pub(crate) target: Arc<Host<P::Target>>,
}

impl<P: Policy> Carrier for Commands<P> {
    const NAME: &'static str = P::NAME;
    type Source = P::Source;

    fn patience(&self) -> Patience {
        Patience::DEFAULT
    }

    fn in_flight(&self) -> usize {
        IN_FLIGHT
    }

    /// Commands of one partition for one existing target always wait for each other: the target knows a
    /// repeat by the greatest position that it has applied, so an earlier one that came later would be taken
    /// for a repeat, and lost. A policy that panics leads to one command, which fails.
    fn plan(&self, partition: usize, event: &Recorded<P::Source>) -> Vec<Lane> {
        let (unit_partition, offset) = (event.position.partition, event.position.offset);
        let lane = |(index, dispatch): (usize, &Dispatch<P::Target>)| match (P::ORDER, dispatch.target()) {
            (DispatchOrder::PerSource, DispatchTarget::Created) => Lane::Source(event.id.address()),
            (DispatchOrder::PerSource, DispatchTarget::Existing(_)) => Lane::Partition(partition),
            (DispatchOrder::PerTarget, DispatchTarget::Existing(address)) => {
                Lane::Target(self.target.resolve(address).map_or_else(|_| address.clone(), Address::Key))
            }
            (DispatchOrder::PerTarget, DispatchTarget::Created) => {
                Lane::Alone(unit_partition, offset, u16::try_from(index).unwrap_or(u16::MAX))
            }
        };
        match self.dispatches(event) {
            Ok(dispatches) => dispatches.iter().enumerate().map(lane).collect(),
            Err(_) => vec![Lane::Source(event.id.address())],
        }
    }

    async fn attempt(&self, event: &Recorded<P::Source>, index: u16, lane: &Lane) -> Tried {
        let dispatch = match self.dispatch(event, index) {
            Ok(dispatch) => dispatch,
            Err(reason) => return Tried::Failed { reason: reason.to_string(), pause: None },
        };
        let meta = of_dispatch::<P>(event, index);
        let may_be_unknown = dispatch.may_be_unknown;
        match self.ask(event, index, Some(lane), dispatch, (meta, TRY_LIMIT)).await {
            Err(AskError::NotFound { .. }) if may_be_unknown => Tried::Done,
            answer => tried::<P::Target>(answer),
        }
    }

    fn together(&self, lane: &Lane) -> usize {
        match lane {
            // What would have no room in the mailbox is not sent in vain.
            Lane::Target(Address::Key(_)) => TOGETHER.min(self.target.config.mailbox),
            Lane::Source(_) => CREATED_TOGETHER,
            Lane::Target(Address::Number(_)) | Lane::Partition(_) | Lane::Alone(..) => 1,
        }
    }

    async fn attempt_together(&self, deliveries: &[(&Recorded<P::Source>, u16)], lane: &Lane) -> Vec<Tried> {
        let here = deliveries.iter().map_while(|(event, index)| self.for_here(event, *index, lane));
        let commands: Vec<_> = here.collect();
        if commands.len() > 1 {
            let answers = self.target.ask_in_series(commands, Instant::now() + TRY_LIMIT).await;
            return answers.into_iter().map(|answer| tried::<P::Target>(answer.map(drop))).collect();
        }
        match deliveries {
            [(event, index), ..] => vec![self.attempt(event, *index, lane).await],
            [] => Vec::new(),
        }
    }

    fn letter(&self, event: &Recorded<P::Source>, index: u16, why: Undelivered, attempts: u32) -> DeadLetter {
        let dispatch = self.dispatch(event, index).ok();
        let (address, number) = match dispatch.as_ref().map(|dispatch| &dispatch.target) {
            Some(DispatchTarget::Existing(Address::Number(number))) => (number.to_string(), *number),
            Some(DispatchTarget::Existing(Address::Key(key))) => (key.to_string(), Number::NONE),
            Some(DispatchTarget::Created) => (created_key::<P>(event, index).to_string(), Number::NONE),
            None => (String::new(), Number::NONE),
        };
        let command = dispatch.map(|dispatch| dispatch.command);
        DeadLetter {
            id: DeadLetterId { offset: event.position.offset, index },
            kind: P::Target::KIND.to_owned(),
            address,
            number,
            command: command.as_ref().map_or_else(String::new, |command| command.name().to_owned()),
            body: command.and_then(|command| command.encode().ok()).unwrap_or_default(),
            reason: why.reason,
            not_found: why.not_found,
            rejection: why.rejection,
            attempts,
            correlation: event.correlation.to_string(),
        }
    }

    async fn retry(&self, event: &Recorded<P::Source>, index: u16) -> Result<(), LetterError> {
        let unavailable = |reason: String| LetterError::Unavailable(reason);
        let dispatch = self.dispatch(event, index).map_err(|reason| unavailable(reason.to_string()))?;
        // Not as a dispatch: later ones for the same target may have been applied since.
        let meta = |purpose| meta::<P>(event, index, Origin::Repeatable { fingerprint: 0 }, purpose);
        let within = self.target.config.deadline;
        let answer = if self.elsewhere(dispatch.command.name()).is_some() {
            // Over there a command is known by its id alone: under the same one, what was done after all is not done twice.
            let again = self.ask(event, index, None, dispatch, (meta("dispatch"), within)).await;
            match again {
                // That id is refused whatever the cause, and nothing was done under it.
                Err(AskError::RefusedByOperator { .. }) => {
                    let dispatch = self.dispatch(event, index).map_err(|reason| unavailable(reason.to_string()))?;
                    self.ask(event, index, None, dispatch, (meta("dead-letter"), within)).await
                }
                again => again,
            }
        } else {
            self.ask(event, index, None, dispatch, (meta("dead-letter"), within)).await
        };
        match answer {
            Ok(()) => Ok(()),
            Err(AskError::Rejected(no)) => Err(LetterError::StillRefused(no.to_string())),
            Err(error) if error.outcome() == Outcome::Refused => Err(LetterError::StillRefused(error.to_string())),
            Err(error) => Err(unavailable(error.to_string())),
        }
    }
}

impl<P: Policy> Commands<P> {
    /// Asks the target, where it is: what a link leads to another process for is commanded there, too. A dispatch has a
    /// lane, which says who its target is here.
    async fn ask(
        &self,
        event: &Recorded<P::Source>,
        index: u16,
        lane: Option<&Lane>,
        dispatch: Dispatch<P::Target>,
        (meta, within): (Meta, Duration),
    ) -> Result<(), AskError<<P::Target as Entity>::Rejection>> {
        let deadline = Instant::now() + within;
        let address = match dispatch.target {
            DispatchTarget::Existing(address) => address,
            DispatchTarget::Created => Address::Key(created_key::<P>(event, index)),
        };
        if let Some(elsewhere) = self.elsewhere(dispatch.command.name()) {
            let (name, body) = (dispatch.command.name(), dispatch.command.encode());
            let command = Encoded { kind: P::Target::KIND, name, body };
            let told = elsewhere.ask(address, command, &meta, deadline).await;
            return told.answer.map(drop).map_err(AskError::read);
        }
        let key = match lane {
            // What was in no lane with the target's others may have been overtaken since, and be taken for a repeat.
            Some(Lane::Target(Address::Number(number))) => {
                let (kind, address) = (P::Target::KIND.to_owned(), number.to_string());
                return Err(AskError::NotFound { kind, address });
            }
            Some(Lane::Target(Address::Key(key))) => key.clone(),
            Some(Lane::Source(_) | Lane::Partition(_) | Lane::Alone(..)) | None => self.target.resolve(&address)?,
        };
        self.target.ask(&key, Body::Command(dispatch.command), meta, deadline, None).await.map(drop)
    }

    /// A command that can be sent with others of its lane; `None` for one that has to be seen through alone.
    fn for_here(&self, event: &Recorded<P::Source>, index: u16, lane: &Lane) -> Option<InSeries<P::Target>> {
        let Dispatch { target, command, .. } = self.dispatch(event, index).ok()?;
        let key = match (lane, target) {
            (Lane::Target(Address::Key(key)), DispatchTarget::Existing(_)) => key.clone(),
            (Lane::Source(_), DispatchTarget::Created) => created_key::<P>(event, index),
            _ => return None,
        };
        self.elsewhere(command.name()).is_none().then(|| (key, command, of_dispatch::<P>(event, index)))
    }

    /// Where a link leads these commands, unless to this process.
    fn elsewhere(&self, command: &'static str) -> Option<Elsewhere> {
        let link = self.target.kinds.links().for_command(P::Source::KIND, P::Target::KIND, command);
        link.and_then(|link| link.elsewhere())
    }

    fn dispatches(&self, event: &Recorded<P::Source>) -> Result<Vec<Dispatch<P::Target>>, Arc<str>> {
        catch_unwind(AssertUnwindSafe(|| self.policy.react(event))).map_err(|panic| panic_text(panic.as_ref()))
    }

    /// The command of this event and index, made anew for every try, because a command is used up by one.
    fn dispatch(&self, event: &Recorded<P::Source>, index: u16) -> Result<Dispatch<P::Target>, Arc<str>> {
        let mut dispatches = self.dispatches(event)?;
        if usize::from(index) < dispatches.len() {
            return Ok(dispatches.swap_remove(usize::from(index)));
        }
        Err("the policy leads to fewer commands than it did: it is not pure, or was changed".into())
    }
}

fn mark<P: Policy>(event: &Recorded<P::Source>, index: u16) -> DispatchMark {
    let position = &event.position;
    DispatchMark {
        policy: P::NAME.into(),
        unit: position.unit.clone(),
        partition: PartitionId(position.partition),
        offset: position.offset,
        index,
    }
}

fn of_dispatch<P: Policy>(event: &Recorded<P::Source>, index: u16) -> Meta {
    meta::<P>(event, index, Origin::Dispatch(mark::<P>(event, index)), "dispatch")
}

/// The command's id is the same for every try of one `purpose`.
fn meta<P: Policy>(event: &Recorded<P::Source>, index: u16, origin: Origin, purpose: &str) -> Meta {
    let position = &event.position;
    let causation = Causation::Event {
        unit: position.unit.clone(),
        partition: PartitionId(position.partition),
        offset: position.offset,
    };
    let command = with_identity::<P, _>(event, index, |parts| CommandId::derived(purpose, parts));
    let correlation = event.correlation.clone();
    Meta { command, origin, correlation, causation, patient: false, is_inside: false, ahead: None }
}

/// The key of the entity that this dispatch creates. On disk: never change.
fn created_key<P: Policy>(event: &Recorded<P::Source>, index: u16) -> Key {
    with_identity::<P, _>(event, index, |parts| Key::derived("dispatch", parts))
}

/// Policy, position, index.
fn with_identity<P: Policy, T>(event: &Recorded<P::Source>, index: u16, make: impl FnOnce(&[&[u8]]) -> T) -> T {
    let position = &event.position;
    make(&[
        P::NAME.as_bytes(),
        position.unit.as_bytes(),
        &position.partition.to_le_bytes(),
        &position.offset.to_le_bytes(),
        &index.to_le_bytes(),
    ])
}

fn tried<T: Entity>(answer: Result<(), AskError<T::Rejection>>) -> Tried {
    answer.map_or_else(classify::<T>, |()| Tried::Done)
}

pub(super) fn classify<T: Entity>(error: AskError<T::Rejection>) -> Tried {
    let reason = error.to_string();
    let pause = error.retry_after();
    match (error.outcome(), error) {
        (_, AskError::Rejected(rejection)) => {
            Tried::Refused(Undelivered { reason, not_found: false, rejection: serde_json::to_value(rejection).ok() })
        }
        (Outcome::Refused, error) => {
            let not_found = matches!(error, AskError::NotFound { .. });
            Tried::Refused(Undelivered { reason, not_found, rejection: None })
        }
        (_, AskError::Unavailable(why)) if why.is_panic() => Tried::Failed { reason, pause: None },
        // It is over, and a repeat is answered alike.
        (_, AskError::Unreadable { .. }) => Tried::Failed { reason, pause: None },
        (_, AskError::InProgress { .. } | AskError::Unavailable(Unavailable::Partner { .. })) => {
            Tried::Later { reason, pause }
        }
        // Not known yet is no failure: a repeat under the same id is recognised, one of a letter need not be.
        (Outcome::NotDone | Outcome::Unknown, _) => Tried::Later { reason, pause: None },
    }
}
