use std::time::Duration;

use futures::{FutureExt, future::BoxFuture};
use http::StatusCode;

use super::{Done, done, ok};
use crate::{
    LetterError, System,
    http::{Problem, openapi::Told, request::Response, table::Vars},
};

/// What there is to say of a command to a dead letter.
pub(super) fn told(summary: &'static str) -> Told {
    Told::with::<Done>(summary, "done").refused(&[404, 409])
}

type Answer = BoxFuture<'static, Result<Response, Problem>>;

pub(super) fn list(system: System, _: Vars) -> Answer {
    async move { Ok(ok(&system.dead_letters().await?)) }.boxed()
}

pub(super) fn retry(system: System, vars: Vars) -> Answer {
    async move { answered(system.retry_dead_letter(vars.segment(0)).await, "delivered") }.boxed()
}

pub(super) fn discard(system: System, vars: Vars) -> Answer {
    async move { answered(system.discard_dead_letter(vars.segment(0)).await, "discarded") }.boxed()
}

fn answered(result: Result<(), LetterError>, what: &'static str) -> Result<Response, Problem> {
    result.map(|()| done(what)).map_err(|error| {
        let message = error.to_string();
        match error {
            LetterError::Unknown => Problem::not_found(message),
            LetterError::StillRefused(_) => Problem::new(StatusCode::CONFLICT, "STILL_REFUSED", message),
            LetterError::Unavailable(_) => Problem::unavailable("UNAVAILABLE", message, Duration::from_secs(1)),
        }
    })
}
