use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

/// Why an ask has no reply.
#[derive(Debug, Clone, PartialEq, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum AskError<R> {
    /// The entity said no. Nothing was written; asking again gets a new decision.
    #[error("{0}")]
    Rejected(R),
    /// No entity has this number. Nothing was written.
    #[error("there is no {kind} {address}")]
    NotFound {
        /// The kind that was asked.
        kind: String,
        /// The number that nothing has.
        address: String,
    },
    /// This command id was used before, for something else. Choose another id.
    #[error("this command id was used before with a different request")]
    Reused,
    /// An operator has refused this very command, because its entity failed on it. Nothing was written.
    #[error("refused by an operator: {reason}")]
    RefusedByOperator {
        /// What it had done.
        reason: String,
    },
    /// The entity is not at the sequence that the asker expected. Nothing was written; read it again.
    #[error("the entity is at {sequence}, not where the request expects it")]
    Moved {
        /// Where it is.
        sequence: u64,
    },
    /// A queue on the way is full. Nothing was taken; come back after `retry_after`.
    #[error("too busy, try again in {retry_after:?}")]
    Overloaded {
        /// When a new try has a chance.
        retry_after: Duration,
    },
    /// Someone on the way does not take commands now. Nothing was written.
    #[error("{0}")]
    Unavailable(Unavailable),
    /// The deadline passed before the command was decided. It was withdrawn: nothing was written.
    #[error("not begun within {0:?}, and withdrawn")]
    Expired(Duration),
    /// The first ask with this command id is still being worked on. Ask again with the same id.
    #[error("the first ask with this command id is still in progress")]
    InProgress {
        /// When it may be done.
        retry_after: Duration,
    },
    /// It was begun, another entity that has to agree is not available, and the asker said that it does not wait for
    /// that. The runtime goes on until the other entity has said yes or no; ask for the outcome.
    #[error("begun; it is finished when another entity is available")]
    Accepted,
    /// No answer within the deadline, and the command was already begun.
    #[error("no answer within {0:?}; the outcome is not known yet")]
    TimedOut(Duration),
    /// The runtime stopped, or the storage failed, before the outcome was known.
    #[error("the outcome is not known: {reason}")]
    Unsettled {
        /// What happened.
        reason: String,
    },
    /// It was done, and its kept reply is not readable as this type.
    #[error("done before, but the kept reply cannot be read: {reason}")]
    Unreadable {
        /// What serde says.
        reason: String,
    },
}

/// Who does not take commands, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Unavailable {
    /// An operator stopped the service, or its supervisor is restarting it.
    #[error("the service {service} is stopped")]
    ServiceStopped {
        /// `<system>/<service>`.
        service: String,
    },
    /// The whole system is stopping.
    #[error("shutting down")]
    ShuttingDown,
    /// The decision panicked; nothing was written. Counts as a failure of the command.
    #[error("the decision failed; nothing was written")]
    Panicked,
    /// The entity failed too often, or cannot be recovered; an operator has to look at it.
    #[error("the entity is quarantined: {reason}")]
    Quarantined {
        /// What failed.
        reason: String,
    },
    /// The entity's events could not be read just now.
    #[error("the entity could not be recovered: {reason}")]
    NotRecovered {
        /// What failed.
        reason: String,
    },
    /// The storage takes no writes now; this one was not written.
    #[error("the storage refused: {reason}")]
    Storage {
        /// What the storage said.
        reason: String,
        /// When to try again.
        retry_after: Duration,
    },
    /// Another entity that had to agree was not available; what was begun was taken back.
    #[error("{partner} is not available: {reason}")]
    Partner {
        /// The partner, as people call it.
        partner: String,
        /// Why not.
        reason: String,
        /// When to try again.
        retry_after: Duration,
    },
    /// A fault that was injected on purpose acted on it; nothing was written.
    #[error("{what} by the injected fault {fault}; nothing was written")]
    Injected {
        /// The fault.
        fault: String,
        /// What it did.
        what: Injected,
    },
}

/// What an injected fault did to a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Injected {
    /// It waited until its deadline had passed, and was withdrawn.
    Delayed,
    /// It was refused; for this reason, when there is one.
    Refused(String),
    /// Its entity failed as it does when a decision panics. Counts as a failure of the command.
    Panicked,
}

impl fmt::Display for Injected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delayed => f.write_str("delayed beyond its deadline"),
            Self::Refused(reason) if reason.is_empty() => f.write_str("refused"),
            Self::Refused(reason) => write!(f, "refused ({reason})"),
            Self::Panicked => f.write_str("made to fail as in a panic"),
        }
    }
}

/// What the asker may assume. Status codes, retries and logs follow from this alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Settled: the answer is no.
    Refused,
    /// Nothing was done: safe to repeat.
    NotDone,
    /// It may have been done: repeat only with the same command id.
    Unknown,
}

impl Unavailable {
    /// When a new try has a chance.
    pub fn retry_after(&self) -> Duration {
        match self {
            Self::Partner { retry_after, .. } | Self::Storage { retry_after, .. } => *retry_after,
            Self::Quarantined { .. } => Duration::from_secs(30),
            Self::ServiceStopped { .. }
            | Self::ShuttingDown
            | Self::Panicked
            | Self::NotRecovered { .. }
            | Self::Injected { .. } => Duration::from_secs(1),
        }
    }

    /// What a step's asker is told when the step is over and an answer to it comes all the same.
    pub fn given_up_before(partner: &str, retry_after: Duration) -> Self {
        Self::Partner { partner: partner.to_owned(), reason: "this try was given up before".to_owned(), retry_after }
    }

    /// Whether the entity failed: the same command may do that to it again.
    pub fn is_panic(&self) -> bool {
        matches!(self, Self::Panicked | Self::Injected { what: Injected::Panicked, .. })
    }
}

impl<R: fmt::Display> AskError<R> {
    /// This answer of `partner` as whoever asked for the step is told it: who is to blame, and when a new try has a chance,
    /// which is `otherwise` where neither the link nor the partner has said it.
    pub fn of_partner(&self, partner: &str, otherwise: Duration) -> Unavailable {
        if let Self::Unavailable(why @ Unavailable::Partner { partner: known, .. }) = self
            && known == partner
        {
            return why.clone();
        }
        let retry_after = if let Self::Overloaded { retry_after }
        | Self::Unavailable(
            Unavailable::Partner { retry_after, .. } | Unavailable::Storage { retry_after, .. },
        ) = self
        {
            *retry_after
        } else {
            otherwise
        };
        Unavailable::Partner { partner: partner.to_owned(), reason: self.to_string(), retry_after }
    }
}

impl AskError<serde_json::Value> {
    /// With the rejection that its JSON stands for; [`Unreadable`](Self::Unreadable) when it stands for none.
    pub(crate) fn read<R: serde::de::DeserializeOwned>(self) -> AskError<R> {
        if let Self::Rejected(no) = self {
            let unreadable = |error: serde_json::Error| AskError::Unreadable { reason: error.to_string() };
            return serde_json::from_value(no).map_or_else(unreadable, AskError::Rejected);
        }
        self.map(|_| unreachable!("a rejection is treated above"))
    }
}

impl<R> AskError<R> {
    /// What the asker may assume.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Rejected(_)
            | Self::NotFound { .. }
            | Self::Reused
            | Self::RefusedByOperator { .. }
            | Self::Moved { .. } => Outcome::Refused,
            Self::Overloaded { .. } | Self::Unavailable(_) | Self::Expired(_) => Outcome::NotDone,
            Self::InProgress { .. }
            | Self::Accepted
            | Self::TimedOut(_)
            | Self::Unsettled { .. }
            | Self::Unreadable { .. } => Outcome::Unknown,
        }
    }

    /// When a new try has a chance; `None` where repeating is not the answer.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Overloaded { retry_after } | Self::InProgress { retry_after } => Some(*retry_after),
            Self::Unavailable(why) => Some(why.retry_after()),
            Self::Expired(_) => Some(Duration::from_secs(1)),
            Self::Rejected(_)
            | Self::NotFound { .. }
            | Self::Reused
            | Self::RefusedByOperator { .. }
            | Self::Moved { .. }
            | Self::Accepted
            | Self::TimedOut(_)
            | Self::Unsettled { .. }
            | Self::Unreadable { .. } => None,
        }
    }

    /// The same error with another rejection type.
    pub fn map<S>(self, with: impl FnOnce(R) -> S) -> AskError<S> {
        match self {
            Self::Rejected(rejection) => AskError::Rejected(with(rejection)),
            Self::NotFound { kind, address } => AskError::NotFound { kind, address },
            Self::Reused => AskError::Reused,
            Self::RefusedByOperator { reason } => AskError::RefusedByOperator { reason },
            Self::Moved { sequence } => AskError::Moved { sequence },
            Self::Overloaded { retry_after } => AskError::Overloaded { retry_after },
            Self::Unavailable(why) => AskError::Unavailable(why),
            Self::Expired(after) => AskError::Expired(after),
            Self::InProgress { retry_after } => AskError::InProgress { retry_after },
            Self::Accepted => AskError::Accepted,
            Self::TimedOut(after) => AskError::TimedOut(after),
            Self::Unsettled { reason } => AskError::Unsettled { reason },
            Self::Unreadable { reason } => AskError::Unreadable { reason },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_partner_said_is_told_once_and_with_the_time_that_it_or_the_link_gave() {
        let (second, otherwise) = (Duration::from_secs(1), Duration::from_secs(5));
        let partner = |reason: &str, retry_after| {
            let (partner, reason) = ("stay/pay".to_owned(), reason.to_owned());
            Unavailable::Partner { partner, reason, retry_after }
        };
        let of = |error: AskError<String>| error.of_partner("stay/pay", otherwise);
        let open = partner("its breaker is open", 3 * second);
        assert_eq!(of(AskError::Unavailable(open.clone())), open, "not told twice");
        assert_eq!(of(AskError::Overloaded { retry_after: second }), partner("too busy, try again in 1s", second));
        assert_eq!(of(AskError::Rejected("no".to_owned())), partner("no", otherwise));
        let stopped = Unavailable::ServiceStopped { service: "stay/pay".to_owned() };
        assert_eq!(of(AskError::Unavailable(stopped.clone())), partner(&stopped.to_string(), otherwise));
        let own = Unavailable::Partner { partner: "bank".to_owned(), reason: "away".to_owned(), retry_after: second };
        assert_eq!(of(AskError::Unavailable(own)), partner("bank is not available: away", second));
    }
}
