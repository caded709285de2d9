//! An operator has a dead letter delivered again, or gives it up.

use futures::future::{BoxFuture, FutureExt};
use std::sync::Arc;

use super::{
    super::mailbox::Body,
    Dispatcher,
    delivery::{Delivery, Lane, Outgoing},
    progress_id,
};
use crate::{
    actors::{
        entity::{
            Address, AskError, DeadLetter, DeadLetterId, Deliver, Discard, DispatchTarget, Outcome, Policy, Recorded,
        },
        supervision::Stop,
    },
    persistence::Origin,
};

/// Where a letter waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LetterPlace {
    pub(crate) unit: String,
    pub(crate) partition: u16,
    pub(crate) id: DeadLetterId,
}

/// Why a letter is still there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LetterError {
    /// No letter with this id waits.
    #[error("no such dead letter")]
    Unknown,
    /// The entity refused it again; the letter stays.
    #[error("refused again: {0}")]
    StillRefused(String),
    /// It could not be tried now; the letter stays.
    #[error("not available: {0}")]
    Unavailable(String),
}

/// The dead letters of one policy, without its types.
pub(crate) trait Retry: Send + Sync {
    fn letters(&self) -> BoxFuture<'_, Result<Vec<(LetterPlace, DeadLetter)>, String>>;
    fn deliver(&self, place: LetterPlace) -> BoxFuture<'_, Result<(), LetterError>>;
    fn discard(&self, place: LetterPlace) -> BoxFuture<'_, Result<(), LetterError>>;
}

impl<P: Policy> Retry for Dispatcher<P> {
    fn letters(&self) -> BoxFuture<'_, Result<Vec<(LetterPlace, DeadLetter)>, String>> {
        async move {
            let mut letters = Vec::new();
            for lane in &self.consumer.lanes {
                let id = progress_id::<P>(&lane.unit.name, lane.partition);
                let progress = self.progress.get(&id).await.map_err(|error| error.to_string())?;
                let known = progress.into_iter().flat_map(|current| current.state.letters().to_vec());
                letters.extend(known.map(|letter| {
                    let (unit, partition) = (lane.unit.name.to_string(), lane.partition);
                    (LetterPlace { unit, partition, id: letter.id }, letter)
                }));
            }
            Ok(letters)
        }
        .boxed()
    }

    fn deliver(&self, place: LetterPlace) -> BoxFuture<'_, Result<(), LetterError>> {
        async move {
            let id = progress_id::<P>(&place.unit, place.partition);
            let unavailable = |error: &dyn std::fmt::Display| LetterError::Unavailable(error.to_string());
            let progress = self.progress.get(&id).await.map_err(|error| unavailable(&error))?;
            let waits = progress.is_some_and(|current| current.state.letters().iter().any(|l| l.id == place.id));
            if !waits {
                return Err(LetterError::Unknown);
            }
            let outgoing = self.outgoing(&place).await?;
            let delivery = self.delivery();
            let dispatch = delivery.dispatch(&outgoing).map_err(|reason| unavailable(&reason))?;
            let key = match &dispatch.target {
                DispatchTarget::Existing(address) => {
                    self.target.resolve(address).map_err(|error| LetterError::StillRefused(error.to_string()))?
                }
                DispatchTarget::Created => outgoing.created_key(),
            };
            // Not as a dispatch: later ones for the same target may have been applied since.
            let meta = outgoing.meta(Origin::Repeatable { fingerprint: 0 }, "dead-letter");
            let deadline = tokio::time::Instant::now() + self.target.config.deadline;
            match self.target.ask(&key, Body::Command(dispatch.command), meta, deadline, None).await {
                Ok(_) => {}
                Err(AskError::Rejected(no)) => return Err(LetterError::StillRefused(no.to_string())),
                Err(error) if error.outcome() == Outcome::Refused => {
                    return Err(LetterError::StillRefused(error.to_string()));
                }
                Err(error) => return Err(unavailable(&error)),
            }
            self.progress.ask(&id, Deliver { id: place.id }).await.map_err(|error| unavailable(&error))
        }
        .boxed()
    }

    fn discard(&self, place: LetterPlace) -> BoxFuture<'_, Result<(), LetterError>> {
        async move {
            let id = progress_id::<P>(&place.unit, place.partition);
            match self.progress.ask(&id, Discard { id: place.id }).await {
                Ok(()) => Ok(()),
                Err(AskError::Rejected(_)) => Err(LetterError::Unknown),
                Err(error) => Err(LetterError::Unavailable(error.to_string())),
            }
        }
        .boxed()
    }
}

impl<P: Policy> Dispatcher<P> {
    fn delivery(&self) -> Delivery<P> {
        Delivery {
            policy: self.policy.clone(),
            target: self.target.clone(),
            progress: self.progress.clone(),
            consumer: self.consumer.clone(),
            stop: Stop::new(),
        }
    }

    /// The letter's command, made again of its event.
    async fn outgoing(&self, place: &LetterPlace) -> Result<Outgoing<P>, LetterError> {
        let lane = |unit: &str, partition: u16| {
            self.consumer.lanes.iter().position(|l| l.unit.name.as_ref() == unit && l.partition == partition)
        };
        let partition = lane(&place.unit, place.partition).ok_or(LetterError::Unknown)?;
        let lane = self.consumer.lanes.get(partition).ok_or(LetterError::Unknown)?;
        let read = lane.unit.feed.read(&self.kinds, place.partition, place.id.offset - 1, 1).await;
        let batch = read.map_err(|error| LetterError::Unavailable(error.to_string()))?;
        let item = batch.items.into_iter().find(|item| item.offset == place.id.offset);
        let event: Option<Arc<Recorded<P::Source>>> =
            item.and_then(|item| item.event).and_then(|event| event.downcast().ok());
        let event = event.ok_or_else(|| LetterError::Unavailable("its event cannot be read".to_owned()))?;
        let lane = Lane::Target(Address::Number(crate::actors::entity::Number::NONE));
        Ok(Outgoing { partition, event, index: place.id.index, lane, is_settled: false })
    }
}
