//! Asks between processes: what is on the wire, who carries it there, and what may be assumed of what comes back.
//!
//! ```text
//! entity --ask--> link --target is an address--> Remote ==> the other process: [`System::answer`] --> its entity
//! policy --command--^                                |
//!                                                    +-- not reached: not done;  lost on the way: unknown
//! ```
//!
//! A command keeps its id: the entity over there knows a repeat by it, so that an ask whose answer was lost is asked again
//! until its outcome is known, as within a process.

mod answering;
mod asking;

use std::{fmt, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::answering::AnswerError;
pub(crate) use self::answering::{Answers, Askable};
pub(crate) use self::asking::{Elsewhere, Encoded};
use crate::actors::{
    entity::{Address, AskError, CommandId},
    supervision::LinkConfig,
};

/// A command for an entity in another process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RemoteAsk {
    /// The kind of the entity, as on disk: `stay.payment`.
    pub kind: String,
    /// Which one.
    pub to: Address,
    /// The name of the command.
    pub command: String,
    /// The command.
    pub body: Value,
    /// Its id: the same again gets the first answer.
    pub id: CommandId,
    /// The request that this belongs to.
    pub correlation: String,
    /// So many milliseconds the entity has; what is not begun by then is not begun.
    pub within_ms: u64,
}

/// What the entity answered: its reply, or why there is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RemoteAnswer {
    /// Its reply.
    Reply(Value),
    /// Why not, with its rejection as JSON.
    Error(AskError<Value>),
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// Nothing was done over there: it was not reached, or takes no such asks.
    #[error("not reached: {0}")]
    NotReached(String),
    /// It may have been done: the answer did not come, or cannot be read.
    #[error("no answer: {0}")]
    Lost(String),
}

/// Carries asks to other processes. One try each: ids, repeats, deadlines of links and breakers are the runtime's.
pub trait Remote: fmt::Debug + Send + Sync + 'static {
    /// Asks, and waits for the answer at most `within`.
    ///
    /// # Errors
    /// [`RemoteError`] says what may be assumed.
    ///
    /// # Cancel safety
    /// Dropping the future gives up the answer; the ask may have arrived.
    fn ask(
        &self,
        target: &RemoteTarget,
        ask: RemoteAsk,
        within: Duration,
    ) -> BoxFuture<'static, Result<RemoteAnswer, RemoteError>>;
}

/// Where a link leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteTarget {
    /// `http://<host>[:<port>]`.
    pub url: String,
    /// The file with the token that is shown there.
    pub token_file: Option<std::path::PathBuf>,
}

impl RemoteTarget {
    /// Where a link leads, unless to this process.
    pub(crate) fn of(config: &LinkConfig) -> Option<Self> {
        match &config.target {
            crate::actors::supervision::LinkTarget::Local => None,
            crate::actors::supervision::LinkTarget::Elsewhere(url) => {
                Some(Self { url: url.clone(), token_file: config.token_file.clone() })
            }
        }
    }
}

/// What carries the asks of a system, if it has anything that can.
pub(crate) type Carrier = Option<Arc<dyn Remote>>;
