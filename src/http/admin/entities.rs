use std::time::Duration;

use futures::{FutureExt, future::BoxFuture};

use http::{HeaderName, StatusCode};
use serde_json::json;

use super::{done, ok};
use crate::{
    InspectError, SkipError, System,
    http::{
        Problem,
        request::{Response, set},
        table::Vars,
    },
};

/// How many there are, where a list has not all of them.
const TOTAL_COUNT: HeaderName = HeaderName::from_static("x-total-count");

pub(super) fn show(system: System, vars: Vars) -> BoxFuture<'static, Result<Response, Problem>> {
    async move { Ok(ok(&system.inspect(vars.segment(0), vars.segment(1)).await.map_err(|error| problem(&error))?)) }
        .boxed()
}

/// Makes the entity fail as a panic would; it recovers as it would then.
pub(super) fn kill(system: System, vars: Vars) -> BoxFuture<'static, Result<Response, Problem>> {
    async move {
        system.kill_entity(vars.segment(0), vars.segment(1)).await.map_err(|error| problem(&error))?;
        Ok(done("killed"))
    }
    .boxed()
}

/// Those in quarantine, longest first; how many there are stands in `X-Total-Count`.
pub(super) fn quarantine(system: System, _: Vars) -> BoxFuture<'static, Result<Response, Problem>> {
    async move {
        let (listed, count) = system.quarantine();
        let mut response = ok(&listed);
        set(&mut response, TOTAL_COUNT, &count.to_string());
        Ok(response)
    }
    .boxed()
}

/// Takes the entity out of quarantine.
pub(super) fn resume(system: System, vars: Vars) -> BoxFuture<'static, Result<Response, Problem>> {
    async move {
        system.resume_entity(vars.segment(0), vars.segment(1)).map_err(|error| problem(&error))?;
        Ok(done("resumed"))
    }
    .boxed()
}

/// Takes the entity out of quarantine without the command that it failed on.
pub(super) fn skip(system: System, vars: Vars) -> BoxFuture<'static, Result<Response, Problem>> {
    async move {
        let skipped = system.skip_command(vars.segment(0), vars.segment(1)).await.map_err(|error| {
            let message = error.to_string();
            match &error {
                SkipError::Inspect(error) => problem(error),
                SkipError::Nothing(_) => Problem::new(StatusCode::CONFLICT, "NOTHING_TO_SKIP", message),
                SkipError::Full(_) => Problem::new(StatusCode::CONFLICT, "TOO_MANY_SKIPPED", message),
                SkipError::Unavailable(_) => Problem::unavailable("UNAVAILABLE", message, Duration::from_secs(1)),
            }
        })?;
        Ok(ok(&json!({ "status": "skipped", "skipped": skipped })))
    }
    .boxed()
}

fn problem(error: &InspectError) -> Problem {
    let message = error.to_string();
    match error {
        InspectError::UnknownKind(_) | InspectError::NotFound => Problem::not_found(message),
        InspectError::Unavailable(_) => Problem::unavailable("UNAVAILABLE", message, Duration::from_secs(1)),
    }
}
