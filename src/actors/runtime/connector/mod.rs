//! Connectors: what a system's notices reach the outside by.
//!
//! ```text
//! history --feed--> dispatcher (cursor, retries, dead letters) --Carrying--> bulkhead --> Connector
//! ```
//!
//! The [`Connector`] is the port; adapters implement it. It runs on a thread of the channel's bulkhead, so it
//! may block, panic or hang: that costs an attempt of this notice and nobody else anything.

mod carrying;
mod channel;
#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc, time::Duration};

pub(crate) use self::{
    carrying::Carrying,
    channel::{Channel, Channels},
};
use crate::actors::{entity::Notification, supervision::ConnectorConfig};

/// Carries notices out of the house. An adapter's own business is one try; ids, order, retries and dead
/// letters are the runtime's.
pub trait Connector: Send + Sync + 'static {
    /// Delivers one notice, blocking. Ok: it is with whoever is responsible for it from now on.
    ///
    /// # Errors
    /// [`DeliveryError`].
    fn deliver(&self, notification: &Notification) -> Result<(), DeliveryError>;
}

/// Why a notice was not delivered, or may not have been.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeliveryError {
    /// The receiver said no, and would again: it becomes a dead letter at once.
    #[error("refused: {reason}")]
    Refused {
        /// In the receiver's words.
        reason: String,
    },
    /// It failed, or nobody knows: it is tried again under the same id.
    #[error("{reason}")]
    Failed {
        /// What happened.
        reason: String,
        /// When the receiver wants to be asked again. Held within [`RETRY_AFTER_LIMIT`].
        retry_after: Option<Duration>,
    },
}

/// The longest pause that a receiver may ask for: an answer must not put a notice off for ever.
pub const RETRY_AFTER_LIMIT: Duration = Duration::from_mins(5);

impl DeliveryError {
    /// A failure with the usual pause before the next try.
    pub fn failed(reason: impl fmt::Display) -> Self {
        Self::Failed { reason: reason.to_string(), retry_after: None }
    }

    /// A refusal.
    pub fn refused(reason: impl fmt::Display) -> Self {
        Self::Refused { reason: reason.to_string() }
    }
}

/// Makes the connector of a channel as its section of the configuration says.
pub(crate) type Connect = Box<dyn Fn(&ConnectorConfig) -> Arc<dyn Connector> + Send>;
