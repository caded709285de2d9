//! The one table from what happened to a gRPC status.

use std::{fmt, time::Duration};

use http::StatusCode;
use tonic::{Code, Status};

use crate::{
    AskError, CommandAddress, CommandId, Key, Outcome, OutcomeError, Refusal, RefusalClass, ViewError, http::Problem,
};

/// Refuses a call as its ask was refused.
///
/// What is not known yet says so (`DeadlineExceeded`, `Unknown`, `Aborted`; `outcome: unknown`) and names the command at
/// `address`, so that nobody takes it for a failure.
pub(super) fn of_ask<R: Refusal>(error: AskError<R>, address: Option<CommandAddress>) -> Status {
    let (outcome, message, retry_after) = (error.outcome(), error.to_string(), error.retry_after());
    let (status, code) = match error {
        AskError::Rejected(refusal) => {
            let status = match refusal.class() {
                RefusalClass::Invalid => Code::InvalidArgument,
                RefusalClass::Gone => Code::NotFound,
                RefusalClass::Conflict => Code::FailedPrecondition,
            };
            (status, refusal.code())
        }
        AskError::NotFound { .. } => (Code::NotFound, "NOT_FOUND"),
        AskError::RefusedByOperator { .. } => (Code::FailedPrecondition, "REFUSED_BY_OPERATOR"),
        AskError::Reused => (Code::InvalidArgument, "IDEMPOTENCY_KEY_REUSED"),
        AskError::Moved { .. } => (Code::FailedPrecondition, "PRECONDITION_FAILED"),
        AskError::Overloaded { .. } => (Code::ResourceExhausted, "OVERLOADED"),
        AskError::Unavailable(_) => (Code::Unavailable, "UNAVAILABLE"),
        // withdrawn before it was begun, so it is no deadline that leaves anything open
        AskError::Expired(_) => (Code::Unavailable, "EXPIRED"),
        AskError::InProgress { .. } => (Code::Aborted, "IN_PROGRESS"),
        AskError::TimedOut(_) => (Code::DeadlineExceeded, "TIMED_OUT"),
        AskError::Accepted => (Code::Unknown, "ACCEPTED"),
        AskError::Unsettled { .. } => (Code::Unknown, "UNSETTLED"),
        AskError::Unreadable { .. } => (Code::Internal, "UNREADABLE_REPLY"),
    };
    let told = match outcome {
        Outcome::Refused => "refused",
        Outcome::NotDone => "not done",
        Outcome::Unknown => "unknown",
    };
    let command = address.filter(|_| outcome == Outcome::Unknown).map(|address| text(&address));
    let retry_after = retry_after.map(|after| whole_seconds(after).to_string());
    let told = [("code", Some(code.to_owned())), ("outcome", Some(told.to_owned()))];
    saying(
        Status::new(status, message),
        told.into_iter().chain([("retry-after", retry_after), ("command-id", command)]),
    )
}

/// Refuses a call before anything of it was done.
pub(super) fn not_done(status: Code, code: &str, message: impl Into<String>, retry_after: Option<Duration>) -> Status {
    let retry_after = retry_after.map(|after| whole_seconds(after).to_string());
    let told =
        [("code", Some(code.to_owned())), ("outcome", Some("not done".to_owned())), ("retry-after", retry_after)];
    saying(Status::new(status, message), told)
}

/// Refuses a call at the door as a request is refused there.
pub(super) fn of_problem(problem: &Problem) -> Status {
    let status = match problem.status() {
        StatusCode::UNAUTHORIZED => Code::Unauthenticated,
        StatusCode::FORBIDDEN => Code::PermissionDenied,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Code::ResourceExhausted,
        _ => Code::Internal, // nothing else is said there
    };
    not_done(status, problem.code(), problem.message(), problem.retry_after())
}

/// The status that HTTP has for a gRPC status, for figures and logs of both (`google.rpc.Code` says which).
pub(super) fn in_http(code: Code) -> StatusCode {
    match code {
        Code::Ok => StatusCode::OK,
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => StatusCode::BAD_REQUEST,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::AlreadyExists | Code::Aborted => StatusCode::CONFLICT,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        // 499, for which HTTP itself has no name: the client broke off
        Code::Cancelled => StatusCode::from_u16(499).expect("three digits"),
        Code::Unknown | Code::Internal | Code::DataLoss => StatusCode::INTERNAL_SERVER_ERROR,
        Code::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
    }
}

fn saying(mut status: Status, told: impl IntoIterator<Item = (&'static str, Option<String>)>) -> Status {
    for (name, value) in told {
        if let Some(value) = value.and_then(|value| value.parse().ok()) {
            status.metadata_mut().insert(name, value);
        }
    }
    status
}

/// A read of a view that cannot be answered.
pub(super) fn of_view(error: &ViewError) -> Status {
    Status::unavailable(error.to_string())
}

/// The outcome of a command that cannot be told.
pub(super) fn of_outcome(error: &OutcomeError) -> Status {
    match error {
        OutcomeError::UnknownKind(_) => Status::not_found(error.to_string()),
        OutcomeError::Unavailable { .. } => Status::unavailable(error.to_string()),
    }
}

fn whole_seconds(after: Duration) -> u64 {
    after.as_secs().saturating_add(u64::from(after.subsec_nanos() > 0)).max(1)
}

/// A command's address as clients have it. Opaque to them.
fn text(CommandAddress { kind, key, command }: &CommandAddress) -> String {
    format!("{kind}:{:032x}:{key}", command.to_bits())
}

/// Reads what [`text`] wrote.
///
/// # Errors
/// `InvalidArgument` for what it did not.
pub(super) fn address(text: &str) -> Result<CommandAddress, Status> {
    let wrong = |why: &dyn fmt::Display| Status::invalid_argument(format!("command_id: {why}"));
    let mut parts = text.splitn(3, ':');
    let (Some(kind), Some(command), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(wrong(&"this is none that was given out"));
    };
    let command = u128::from_str_radix(command, 16).map_err(|error| wrong(&error))?;
    let key = Key::new(key).map_err(|error| wrong(&error))?;
    Ok(CommandAddress { kind: kind.to_owned().into(), key, command: CommandId::from_bits(command) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("no")]
    struct No(RefusalClass);

    impl Refusal for No {
        fn code(&self) -> &'static str {
            "NO"
        }
        fn class(&self) -> RefusalClass {
            self.0
        }
    }

    fn at() -> CommandAddress {
        CommandAddress { kind: "store.order".into(), key: Key::new("a:b").unwrap(), command: CommandId::from_bits(7) }
    }

    #[test]
    fn every_failed_ask_has_its_status_and_only_what_is_open_names_its_command() {
        let second = Duration::from_secs(1);
        let stopped = crate::Unavailable::ServiceStopped { service: "store/order".into() };
        for (error, code, retry_after, is_open) in [
            (AskError::Rejected(No(RefusalClass::Invalid)), Code::InvalidArgument, None, false),
            (AskError::Rejected(No(RefusalClass::Gone)), Code::NotFound, None, false),
            (AskError::Rejected(No(RefusalClass::Conflict)), Code::FailedPrecondition, None, false),
            (AskError::NotFound { kind: "order".into(), address: "9".into() }, Code::NotFound, None, false),
            (AskError::Reused, Code::InvalidArgument, None, false),
            (AskError::Overloaded { retry_after: second * 3 / 2 }, Code::ResourceExhausted, Some("2"), false),
            (AskError::Unavailable(stopped), Code::Unavailable, Some("1"), false),
            (AskError::Expired(second), Code::Unavailable, Some("1"), false),
            (AskError::InProgress { retry_after: Duration::ZERO }, Code::Aborted, Some("1"), true),
            (AskError::TimedOut(second), Code::DeadlineExceeded, None, true),
            (AskError::Unsettled { reason: "x".into() }, Code::Unknown, None, true),
        ] {
            let text = format!("{error:?}");
            let status = of_ask(error, Some(at()));
            let metadata = |name: &str| status.metadata().get(name).map(|value| value.to_str().unwrap().to_owned());
            assert_eq!((status.code(), metadata("retry-after").as_deref()), (code, retry_after), "{text}");
            let open = metadata("command-id").map(|id| address(&id).unwrap());
            assert_eq!((open, metadata("outcome").unwrap() == "unknown"), (is_open.then(at), is_open), "{text}");
            assert!(metadata("code").is_some(), "{text}");
        }
    }

    #[test]
    fn what_is_refused_at_the_door_was_not_done_and_says_why() {
        let problem =
            |status: StatusCode| Problem::new(status, "WHY", "no").coming_back(Some(Duration::from_millis(1500)));
        for (status, code) in [
            (StatusCode::UNAUTHORIZED, Code::Unauthenticated),
            (StatusCode::FORBIDDEN, Code::PermissionDenied),
            (StatusCode::TOO_MANY_REQUESTS, Code::ResourceExhausted),
            (StatusCode::SERVICE_UNAVAILABLE, Code::ResourceExhausted),
        ] {
            let refused = of_problem(&problem(status));
            let told =
                ["code", "outcome", "retry-after"].map(|name| refused.metadata().get(name).unwrap().to_str().unwrap());
            assert_eq!((refused.code(), refused.message(), told), (code, "no", ["WHY", "not done", "2"]), "{status}");
        }
    }

    #[test]
    fn what_was_not_given_out_is_no_command() {
        for bad in ["", "store.order", "store.order:x:k", "store.order:7:", "store.order:7:a\nb"] {
            assert_eq!(address(bad).unwrap_err().code(), Code::InvalidArgument, "{bad:?}");
        }
    }
}
