//! The answering half: a command comes in by the names of its kind and its own, and its entity is asked.

use std::{collections::BTreeMap, fmt, marker::PhantomData, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use serde_json::Value;
use tokio::time::Instant;

use super::{RemoteAnswer, RemoteAsk};
use crate::{
    actors::{
        entity::{AskError, Command, Entity},
        runtime::{
            host::Host,
            mailbox::{Body, Meta},
            system::System,
        },
    },
    persistence::{Causation, Origin},
};

/// An ask gets at most so much time, whatever its asker says.
const LONGEST: Duration = Duration::from_mins(10);

/// Why an ask of another process was not even begun.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// No other process may ask this.
    #[error("`{kind}` is not asked for `{command}` from outside")]
    Unknown {
        /// The kind.
        kind: String,
        /// The command.
        command: String,
    },
    /// It is not such a command.
    #[error("this is no `{command}`: {reason}")]
    Unreadable {
        /// The command.
        command: String,
        /// What serde says.
        reason: String,
    },
}

/// One command that one kind may be asked for from outside.
pub(crate) trait Answering: Send + Sync + 'static {
    fn answer(&self, ask: RemoteAsk) -> BoxFuture<'static, Result<RemoteAnswer, AnswerError>>;
}

/// All of them, by kind and name.
pub(crate) type Askable = BTreeMap<(&'static str, &'static str), Arc<dyn Answering>>;

/// `C` for an `E`.
pub(crate) struct Answers<E: Entity, C> {
    host: Arc<Host<E>>,
    command: PhantomData<fn() -> C>,
}

impl<E: Entity, C: Command<E>> Answers<E, C> {
    pub(crate) fn of(host: Arc<Host<E>>) -> Self {
        Self { host, command: PhantomData }
    }
}

impl<E: Entity, C: Command<E>> Answering for Answers<E, C> {
    fn answer(&self, ask: RemoteAsk) -> BoxFuture<'static, Result<RemoteAnswer, AnswerError>> {
        let host = self.host.clone();
        Box::pin(async move {
            let command: C = serde_json::from_value(ask.body)
                .map_err(|error| AnswerError::Unreadable { command: C::NAME.to_owned(), reason: error.to_string() })?;
            let meta = Meta {
                command: ask.id,
                origin: Origin::Repeatable { fingerprint: 0 },
                correlation: ask.correlation.into(),
                causation: Causation::Request,
                patient: false,
                is_inside: false,
                ahead: None,
            };
            let deadline = Instant::now() + Duration::from_millis(ask.within_ms).min(LONGEST);
            let asked = async {
                let key = host.resolve(&ask.to)?;
                let reply = host.ask(&key, Body::Command(Box::new(command)), meta, deadline, None).await?;
                let reply: C::Reply = reply.value.read()?;
                let unwritable = |error: serde_json::Error| AskError::Unreadable { reason: error.to_string() };
                serde_json::to_value(reply).map_err(unwritable)
            };
            Ok(match asked.await {
                Ok(reply) => RemoteAnswer::Reply(reply),
                Err(AskError::Rejected(no)) => RemoteAnswer::Error(match serde_json::to_value(&no) {
                    Ok(no) => AskError::Rejected(no),
                    Err(error) => AskError::Unreadable { reason: error.to_string() },
                }),
                Err(error) => RemoteAnswer::Error(error.map(|_| Value::Null)),
            })
        })
    }
}

impl System {
    /// Asks an entity of this process for an entity of another one: what [`ServiceDeclaration::asked`] allows.
    ///
    /// [`ServiceDeclaration::asked`]: crate::ServiceDeclaration::asked
    ///
    /// # Errors
    /// [`AnswerError`]: nothing was begun. What the entity says is in the answer.
    ///
    /// # Cancel safety
    /// Dropping the future gives up the answer, not the command.
    pub async fn answer(&self, ask: RemoteAsk) -> Result<RemoteAnswer, AnswerError> {
        let wanted = (ask.kind.as_str(), ask.command.as_str());
        let found = self.inner.asked.iter().find(|((kind, command), _)| (*kind, *command) == wanted);
        match found {
            Some((_, answering)) => answering.answer(ask).await,
            None => Err(AnswerError::Unknown { kind: ask.kind, command: ask.command }),
        }
    }
}

impl fmt::Debug for dyn Answering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answering")
    }
}
