//! An operator has a dead letter delivered again, or gives it up.

use futures::future::{BoxFuture, FutureExt};

use super::{super::feed::Followed, Dispatcher, carrier::Fact, progress_id};
use crate::actors::entity::{AskError, DeadLetter, DeadLetterId, Deliver, Discard};

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
    /// It was refused again; the letter stays.
    #[error("refused again: {0}")]
    StillRefused(String),
    /// It could not be tried now; the letter stays.
    #[error("not available: {0}")]
    Unavailable(String),
}

/// The dead letters of one policy or connector, without its types.
pub(crate) trait Retry: Send + Sync {
    fn letters(&self) -> BoxFuture<'_, Result<Vec<(LetterPlace, DeadLetter)>, String>>;
    fn deliver(&self, place: LetterPlace) -> BoxFuture<'_, Result<(), LetterError>>;
    fn discard(&self, place: LetterPlace) -> BoxFuture<'_, Result<(), LetterError>>;
}

impl Retry for Dispatcher {
    fn letters(&self) -> BoxFuture<'_, Result<Vec<(LetterPlace, DeadLetter)>, String>> {
        async move {
            let mut letters = Vec::new();
            for lane in &self.consumer.lanes {
                let id = progress_id(self.carrier.name(), &lane.unit.name, lane.partition);
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
            let id = progress_id(self.carrier.name(), &place.unit, place.partition);
            let unavailable = |error: &dyn std::fmt::Display| LetterError::Unavailable(error.to_string());
            let progress = self.progress.get(&id).await.map_err(|error| unavailable(&error))?;
            let waits = progress.is_some_and(|current| current.state.letters().iter().any(|l| l.id == place.id));
            if !waits {
                return Err(LetterError::Unknown);
            }
            let fact = self.fact(&place).await?;
            self.carrier.retry(&fact, place.id.index).await?;
            self.progress.ask(&id, Deliver { id: place.id }).await.map_err(|error| unavailable(&error))
        }
        .boxed()
    }

    fn discard(&self, place: LetterPlace) -> BoxFuture<'_, Result<(), LetterError>> {
        async move {
            let id = progress_id(self.carrier.name(), &place.unit, place.partition);
            match self.progress.ask(&id, Discard { id: place.id }).await {
                Ok(()) => Ok(()),
                Err(AskError::Rejected(_)) => Err(LetterError::Unknown),
                Err(error) => Err(LetterError::Unavailable(error.to_string())),
            }
        }
        .boxed()
    }
}

impl Dispatcher {
    /// The event that a letter goes back to.
    async fn fact(&self, place: &LetterPlace) -> Result<Fact, LetterError> {
        let has = |lane: &&super::super::consumer::Lane| {
            lane.unit.name.as_ref() == place.unit && lane.partition == place.partition
        };
        let lane = self.consumer.lanes.iter().find(has).ok_or(LetterError::Unknown)?;
        let read = lane.read(&self.kinds, &Followed::All, place.id.offset - 1, 1).await;
        let batch = read.map_err(|error| LetterError::Unavailable(error.to_string()))?;
        let item = batch.items.into_iter().find(|item| item.offset == place.id.offset);
        let fact = item.and_then(|item| self.carrier.fact(item));
        fact.ok_or_else(|| LetterError::Unavailable("its event cannot be read".to_owned()))
    }
}
