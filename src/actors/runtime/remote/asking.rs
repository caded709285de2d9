//! The asking half: a command leaves, and its answer is made one of this process.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::{Carrier, RemoteAnswer, RemoteAsk, RemoteError, RemoteTarget};
use crate::actors::{
    entity::{Address, AskError, EncodeError, Unavailable},
    runtime::mailbox::Meta,
};

/// The callee tells that a command was not begun in time; its answer needs so much of the asker's time to come back.
const WAY_BACK: Duration = Duration::from_millis(50);

/// When another try has a chance while the other process is not reached.
const NOT_REACHED_RETRY: Duration = Duration::from_secs(1);

/// A service in another process, where one step of an entity is asked as often as it takes: a reload moves the steps that
/// are begun later.
#[derive(Debug, Clone)]
pub(crate) struct Elsewhere {
    pub(super) target: RemoteTarget,
    pub(super) carrier: Carrier,
    /// As people call it: `stay/pay`.
    pub(super) service: String,
}

/// A command without its type.
pub(crate) struct Encoded {
    pub(crate) kind: &'static str,
    pub(crate) name: &'static str,
    pub(crate) body: Result<Value, EncodeError>,
}

/// What came of one try.
pub(crate) struct Told {
    pub(crate) answer: Result<Value, AskError<Value>>,
    /// False when it does not come from the entity: it says nothing of an earlier try.
    pub(crate) is_reached: bool,
}

impl Elsewhere {
    pub(crate) fn new(target: RemoteTarget, carrier: Carrier, service: String) -> Self {
        Self { target, carrier, service }
    }

    /// Asks once, at most until `deadline`.
    pub(crate) async fn ask(&self, to: Address, command: Encoded, meta: &Meta, deadline: Instant) -> Told {
        let within = deadline.saturating_duration_since(Instant::now());
        let body = match command.body {
            Ok(body) => body,
            Err(error) => return self.not_reached(&error.to_string()),
        };
        let Some(carrier) = &self.carrier else {
            return self.not_reached("nothing here carries asks to other processes");
        };
        let ask = RemoteAsk {
            kind: command.kind.to_owned(),
            to,
            command: command.name.to_owned(),
            body,
            id: meta.command,
            correlation: meta.correlation.to_string(),
            within_ms: millis(within.saturating_sub(WAY_BACK.min(within / 4))),
        };
        let asked = carrier.ask(&self.target, ask, within);
        match tokio::time::timeout_at(deadline, asked).await {
            Err(_) => Told { answer: Err(AskError::TimedOut(within)), is_reached: true },
            Ok(Ok(RemoteAnswer::Reply(reply))) => Told { answer: Ok(reply), is_reached: true },
            Ok(Ok(RemoteAnswer::Error(error))) => Told { answer: Err(error), is_reached: true },
            Ok(Err(RemoteError::NotReached(reason))) => self.not_reached(&reason),
            Ok(Err(RemoteError::Lost(reason))) => {
                let reason = format!("{} at {}: {reason}", self.service, self.target.url);
                Told { answer: Err(AskError::Unsettled { reason }), is_reached: true }
            }
        }
    }

    fn not_reached(&self, reason: &str) -> Told {
        let (partner, reason) = (self.service.clone(), format!("{}: {reason}", self.target.url));
        let why = Unavailable::Partner { partner, reason, retry_after: NOT_REACHED_RETRY };
        Told { answer: Err(AskError::Unavailable(why)), is_reached: false }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
