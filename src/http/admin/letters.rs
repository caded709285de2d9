use std::time::Duration;

use futures::{FutureExt, future::BoxFuture};
use http::StatusCode;

use super::{done, ok};
use crate::{
    LetterError, System,
    http::{Problem, request::Response, table::Vars},
};

type Answer = BoxFuture<'static, Result<Response, Problem>>;

pub(super) fn list(system: System, _: Vars) -> Answer {
    async move { Ok(ok(&system.dead_letters().await?)) }.boxed()
}

pub(super) fn retry(system: System, vars: Vars) -> Answer {
    async move { told(system.retry_dead_letter(vars.segment(0)).await, "delivered") }.boxed()
}

pub(super) fn discard(system: System, vars: Vars) -> Answer {
    async move { told(system.discard_dead_letter(vars.segment(0)).await, "discarded") }.boxed()
}

fn told(result: Result<(), LetterError>, what: &str) -> Result<Response, Problem> {
    result.map(|()| done(what)).map_err(|error| {
        let message = error.to_string();
        match error {
            LetterError::Unknown => Problem::not_found(message),
            LetterError::StillRefused(_) => Problem::new(StatusCode::CONFLICT, "STILL_REFUSED", message),
            LetterError::Unavailable(_) => Problem::unavailable("UNAVAILABLE", message, Duration::from_secs(1)),
        }
    })
}
