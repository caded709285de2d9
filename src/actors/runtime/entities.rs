//! The address that the outside holds: entities of a kind, and requests to them.

use std::{
    fmt,
    future::{Future, IntoFuture},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use tokio::{sync::oneshot, time::Instant};

use super::{
    host::Host,
    mailbox::{Body, Claim, Meta, TurnResult},
};
use crate::{
    actors::entity::{Address, AskError, Command, CommandId, Entity, EntityId, Key, Number, Unavailable},
    digits,
    persistence::{Causation, Origin},
};

/// How long an asker whose command was decided in time waits for its append beyond the deadline. The disk
/// answers within milliseconds, or the storage supervisor has given the store up by then.
const APPEND_GRACE: Duration = Duration::from_secs(10);

/// A cheap, cloneable address of all entities of one kind.
pub struct Entities<E: Entity>(pub(crate) Arc<Host<E>>);

/// A durable state with what is known around it.
#[derive(Debug, Clone)]
pub struct Current<E> {
    /// The state.
    pub state: E,
    /// The entity's public number, [`Number::NONE`] for kinds without.
    pub number: Number,
    /// Sequence of its last event.
    pub sequence: u64,
    /// The stream's key.
    pub key: Key,
}

/// A reply with what is known around it.
#[derive(Debug, Clone)]
pub struct Answered<R> {
    /// The reply.
    pub reply: R,
    /// Whether it repeats the answer of an earlier ask with the same command id.
    pub replayed: bool,
    /// The entity's public number, [`Number::NONE`] for kinds without.
    pub number: Number,
    /// Sequence of the entity's last event when the reply was made.
    pub sequence: u64,
}

impl<E: Entity> Entities<E> {
    /// A request to the entity `id`; nothing is sent until it is awaited.
    pub fn ask<C: Command<E>>(&self, id: &E::Id, command: C) -> AskRequest<E, C> {
        AskRequest {
            within: self.0.config.deadline,
            host: self.0.clone(),
            to: id.address(),
            command,
            id: None,
            repeatable: false,
            patient: false,
            fingerprint: 0,
            correlation: None,
            expecting: None,
        }
    }

    /// The entity's state once everything decided before is durable; `None` for an id without events.
    /// Creates nothing.
    ///
    /// # Errors
    /// `Unavailable`, `Overloaded` or `Expired`, as for an ask.
    ///
    /// # Cancel safety
    /// Reads only.
    pub async fn get(&self, id: &E::Id) -> Result<Option<Current<E>>, AskError<E::Rejection>> {
        let deadline = Instant::now() + self.0.config.deadline;
        self.0.service.admits(deadline).await?;
        let key = match self.0.resolve(&id.address()) {
            Ok(key) => key,
            Err(AskError::NotFound { .. }) => return Ok(None),
            Err(other) => return Err(other),
        };
        self.0.read(&key, deadline).await
    }
}

/// A request to one entity. Does nothing until it is awaited.
///
/// # Cancel safety
/// Dropping it before it is awaited sends nothing. Dropping it later gives up the reply, and the command as well if it was
/// not begun.
#[must_use = "nothing is sent until awaited"]
pub struct AskRequest<E: Entity, C> {
    host: Arc<Host<E>>,
    to: Address,
    command: C,
    within: Duration,
    id: Option<CommandId>,
    repeatable: bool,
    patient: bool,
    fingerprint: u128,
    correlation: Option<Arc<str>>,
    expecting: Option<u64>,
}

impl<E: Entity, C: Command<E>> AskRequest<E, C> {
    /// How long to wait. A command that is not decided by then is withdrawn.
    pub fn within(mut self, deadline: Duration) -> Self {
        self.within = deadline;
        self
    }

    /// An id that the asker may repeat, from an `Idempotency-Key` for instance: within 24 hours the same id gets the
    /// first answer, and nothing is done again.
    pub fn command_id(mut self, id: CommandId) -> Self {
        (self.id, self.repeatable) = (Some(id), true);
        self
    }

    /// An id that nobody repeats, by which the outcome can be asked for: see [`Entities::outcome`].
    pub fn known_as(mut self, id: CommandId) -> Self {
        (self.id, self.repeatable) = (Some(id), false);
        self
    }

    /// The asker does not wait for another entity that has to agree and is not available: it gets
    /// [`AskError::Accepted`], and the runtime asks that entity until it says yes or no, also after a restart. Without
    /// this, what was begun is taken back.
    ///
    /// At most 10,000 such commands of a service wait at a time; beyond, this has no effect.
    pub fn patient(mut self) -> Self {
        self.patient = true;
        self
    }

    /// A hash of the request: the same command id with another one is [`AskError::Reused`].
    pub fn fingerprint(mut self, of: u128) -> Self {
        self.fingerprint = of;
        self
    }

    /// The request that this belongs to, at most 128 bytes of which are kept; made up when none is given.
    pub fn correlation(mut self, id: impl Into<Arc<str>>) -> Self {
        self.correlation = Some(bounded(id.into()));
        self
    }

    /// Only when the entity is at this sequence, else [`AskError::Moved`].
    pub fn expecting(mut self, sequence: u64) -> Self {
        self.expecting = Some(sequence);
        self
    }

    /// Sends the command and waits for the reply and what is known around it.
    ///
    /// # Errors
    /// [`AskError::outcome`] says what the asker may assume.
    ///
    /// # Cancel safety
    /// Dropping the future gives up the reply, and the command as well if it was not begun.
    pub async fn answered(self) -> Result<Answered<C::Reply>, AskError<E::Rejection>> {
        // First, so that a stopped service tells nothing: not even that something is not there.
        let deadline = Instant::now() + self.within;
        self.host.service.admits(deadline).await?;
        let key = self.host.resolve(&self.to)?;
        let origin = if self.repeatable { Origin::Repeatable { fingerprint: self.fingerprint } } else { Origin::Fresh };
        let command = self.id.unwrap_or_else(|| CommandId::from_bits(fresh_bits()));
        let correlation = self.correlation.unwrap_or_else(|| made_up(command));
        let (causation, patient) = (Causation::Request, self.patient);
        let meta = Meta { command, origin, correlation, causation, patient, is_inside: false, ahead: None };
        let body = Body::Command(Box::new(self.command));
        let reply = self.host.ask(&key, body, meta, deadline, self.expecting).await?;
        let (replayed, number, sequence) = (reply.replayed, reply.number, reply.sequence);
        Ok(Answered { reply: reply.value.read()?, replayed, number, sequence })
    }
}

impl<E: Entity, C: Command<E>> IntoFuture for AskRequest<E, C> {
    type Output = Result<C::Reply, AskError<E::Rejection>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;
    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.answered().await.map(|answered| answered.reply) })
    }
}

/// Waits for an answer. Past the deadline a message that was not taken is withdrawn; one that was decided
/// is waited for, because its append is on its way; one that began a step has an unknown outcome.
pub(crate) async fn wait<E: Entity>(
    mut answer: oneshot::Receiver<TurnResult<E>>,
    claim: &Claim,
    asked: Instant,
    deadline: Instant,
) -> TurnResult<E> {
    if let Ok(answered) = tokio::time::timeout_at(deadline, &mut answer).await {
        return answered.unwrap_or_else(|_| Err(lost()));
    }
    let within = deadline.duration_since(asked);
    if claim.withdraw() {
        return Err(AskError::Expired(within));
    }
    if claim.is_accepted() {
        return Err(AskError::Accepted);
    }
    if !claim.has_begun()
        && let Ok(answered) = tokio::time::timeout(APPEND_GRACE, answer).await
    {
        return answered.unwrap_or_else(|_| Err(lost()));
    }
    Err(AskError::TimedOut(within))
}

/// What an asker is told whose message was dropped without an answer.
pub(crate) fn lost<R>() -> AskError<R> {
    AskError::Unsettled { reason: "the entity's runtime ended before it answered".to_owned() }
}

/// Random bits for ids that nobody repeats. Not a secret.
pub(crate) fn fresh_bits() -> u128 {
    fastrand::u128(..)
}

/// The command's id as text: every ask that names no correlation has one.
fn made_up(command: CommandId) -> Arc<str> {
    std::str::from_utf8(&digits::hex::<32>(command.to_bits())).unwrap_or_default().into()
}

fn bounded(text: Arc<str>) -> Arc<str> {
    const MAX: usize = 128;
    if text.len() <= MAX {
        return text;
    }
    let mut end = MAX;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().into()
}

/// What a stopped or stopping service answers.
pub(crate) fn stopped(service: &str) -> Unavailable {
    Unavailable::ServiceStopped { service: service.to_owned() }
}

impl<E: Entity> Clone for Entities<E> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<E: Entity> fmt::Debug for Entities<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entities").field("kind", &E::KIND).finish_non_exhaustive()
    }
}

impl<E: Entity, C> fmt::Debug for AskRequest<E, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AskRequest").field("kind", &E::KIND).field("to", &self.to).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_made_up_correlation_is_the_command_id_as_it_prints() {
        for bits in [0, 1, 0x0123_4567_89ab_cdef_fedc_ba98_7654_3210, u128::MAX] {
            let command = CommandId::from_bits(bits);
            assert_eq!(made_up(command).as_ref(), command.to_string());
        }
    }
}
