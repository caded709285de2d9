use std::time::Duration;

use futures::{FutureExt, future::BoxFuture};

use super::{done, ok};
use crate::{
    InspectError, System,
    http::{Problem, request::Response, table::Vars},
};

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

fn problem(error: &InspectError) -> Problem {
    let message = error.to_string();
    match error {
        InspectError::UnknownKind(_) | InspectError::NotFound => Problem::not_found(message),
        InspectError::Unavailable(_) => Problem::unavailable("UNAVAILABLE", message, Duration::from_secs(1)),
    }
}
