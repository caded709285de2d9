use std::time::Duration;

use futures::{FutureExt, future::BoxFuture};

use http::{HeaderName, StatusCode};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Done, done, ok};
use crate::{
    InspectError, QuarantinedEntity, RefusedCommand, SkipError, System,
    http::{
        Problem,
        openapi::{Told, reference},
        request::{Response, set},
        table::Vars,
    },
};

/// How many there are, where a list has not all of them.
const TOTAL_COUNT: HeaderName = HeaderName::from_static("x-total-count");

/// What there is to say of a command to an entity.
pub(super) fn told(summary: &'static str) -> Told {
    Told::with::<Done>(summary, "done").refused(&[404])
}

pub(super) fn told_of_one() -> Told {
    Told::json("One entity", "as it is now", reference("schemas", "Entity")).refused(&[404])
}

/// What is seen of an entity.
pub(super) fn schema() -> Value {
    let (text, number) = (|| json!({ "type": "string" }), || json!({ "type": "integer", "minimum": 0 }));
    json!({
        "type": "object",
        "properties": {
            "kind": text(), "key": text(), "number": number(), "sequence": number(), "phase": text(),
            "openAsks": { "type": "array", "items": text() },
            "state": { "description": "As its kind keeps it." },
            "unreadable": { "type": "string", "description": "Why it has no state." },
            "trouble": { "type": "object", "description": "Its failures, since it was last well." },
        },
        "required": ["kind", "key", "number", "sequence", "phase"],
    })
}

pub(super) fn told_of_quarantine() -> Told {
    Told::with::<Vec<QuarantinedEntity>>("Entities in quarantine", "those that have been in it longest")
        .header("X-Total-Count")
}

#[derive(Debug, Serialize, JsonSchema)]
struct Skipped {
    /// `skipped`.
    status: &'static str,
    /// The command that is refused from now on.
    skipped: RefusedCommand,
}

pub(super) fn told_of_skipping() -> Told {
    Told::with::<Skipped>(
        "Takes an entity out of quarantine, without the command that it failed on",
        "without this command",
    )
    .refused(&[404, 409])
}

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
        Ok(ok(&Skipped { status: "skipped", skipped }))
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
