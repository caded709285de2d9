use std::time::Duration;

use futures::{FutureExt, future::BoxFuture};

use http::{HeaderName, StatusCode, header};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::{Done, done, ok};
use crate::{
    ENTITY_PAGE, EntityEvent, EntityHistory, EntityPage, EntityRow, HISTORY_PAGE, InspectError, PastState,
    QuarantinedEntity, RefusedCommand, SkipError, System,
    http::{
        Problem,
        openapi::{Told, reference},
        request::{Response, percent_encode, set},
        table::Vars,
    },
};

/// How many there are, where a list has not all of them.
const TOTAL_COUNT: HeaderName = HeaderName::from_static("x-total-count");

/// Rows of a page, and events of a history, when nobody says how many.
const ROWS: usize = 100;
/// No process holds more entities than there are on so many pages, and none has more events.
const LAST_PAGE: usize = 1_000_000_000;
const LAST_SEQUENCE: usize = u32::MAX as usize;

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

pub(super) fn told_of_list() -> Told {
    let page = json!({ "type": "integer", "minimum": 0, "maximum": LAST_PAGE, "default": 0 });
    Told::with::<Vec<EntityRow>>("The entities of a kind", "by number, then by key")
        .about("Those with events, in memory or not, also those that their clients removed.")
        .header("X-Total-Count")
        .may_have("Link")
        .query("page", page)
        .query("size", number(1, ENTITY_PAGE, ROWS))
        .refused(&[400, 404])
}

pub(super) fn told_of_history() -> Told {
    let after = json!({
        "type": "integer", "minimum": 0, "maximum": u32::MAX,
        "description": "Only events behind this sequence; without it from the oldest that is there.",
    });
    Told::with::<Vec<EntityEvent>>("The events of an entity", "oldest first")
        .about("At most `limit`, and fewer where they are large; `Link` leads on while there are more.")
        .may_have("Link")
        .query("after", after)
        .query("limit", number(1, HISTORY_PAGE, ROWS))
        .refused(&[400, 404, 409, 410])
}

pub(super) fn told_of_past() -> Told {
    Told::with::<PastState>("An entity as it was", "after the event with this sequence").refused(&[404, 409, 410])
}

pub(super) fn told_of_passivating() -> Told {
    told("Has an entity leave memory").refused(&[409])
}

fn number(least: usize, most: usize, default: usize) -> Value {
    json!({ "type": "integer", "minimum": least, "maximum": most, "default": default })
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

/// A page of the entities of a kind; how many there are stands in `X-Total-Count`.
pub(super) fn list(system: System, vars: Vars) -> BoxFuture<'static, Result<Response, Problem>> {
    async move {
        let page = vars.number("page", 0, 0..=LAST_PAGE)?;
        let size = vars.number("size", ROWS, 1..=ENTITY_PAGE)?;
        let kind = vars.segment(0);
        let EntityPage { rows, count } = system.entities_of(kind, page, size).await.map_err(|error| problem(&error))?;
        let mut response = ok(&rows);
        set(&mut response, TOTAL_COUNT, &count.to_string());
        if (page + 1).saturating_mul(size) < count {
            let kind = percent_encode(kind);
            leads_to(&mut response, &format!("/admin/entities/{kind}?page={}&size={size}", page + 1));
        }
        Ok(response)
    }
    .boxed()
}

/// The events of an entity; `Link` leads to those behind.
pub(super) fn history(system: System, vars: Vars) -> BoxFuture<'static, Result<Response, Problem>> {
    async move {
        let after = vars.query("after").map(|_| vars.number("after", 0, 0..=LAST_SEQUENCE)).transpose()?;
        let limit = vars.number("limit", ROWS, 1..=HISTORY_PAGE)?;
        let (kind, id) = (vars.segment(0), vars.segment(1));
        let history = system.entity_history(kind, id, after.map(|after| after as u64), limit).await;
        let EntityHistory { events, next } = history.map_err(|error| problem(&error))?;
        let mut response = ok(&events);
        if let Some(next) = next {
            let (kind, id) = (percent_encode(kind), percent_encode(id));
            leads_to(&mut response, &format!("/admin/entities/{kind}/{id}/history?after={next}&limit={limit}"));
        }
        Ok(response)
    }
    .boxed()
}

/// The entity as it was after an event.
pub(super) fn past(system: System, vars: Vars) -> BoxFuture<'static, Result<Response, Problem>> {
    async move {
        let text = vars.segment(2);
        let sequence = text
            .parse()
            .map_err(|_| Problem::not_found(format!("events are counted from 1: there is no event {text}")))?;
        let past = system.entity_at(vars.segment(0), vars.segment(1), sequence).await;
        Ok(ok(&past.map_err(|error| problem(&error))?))
    }
    .boxed()
}

/// Has the entity leave memory; it comes back when somebody asks it.
pub(super) fn passivate(system: System, vars: Vars) -> BoxFuture<'static, Result<Response, Problem>> {
    async move {
        system.passivate_entity(vars.segment(0), vars.segment(1)).map_err(|error| problem(&error))?;
        Ok(done("passivated"))
    }
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

fn leads_to(response: &mut Response, target: &str) {
    set(response, header::LINK, &format!("<{target}>; rel=\"next\""));
}

fn problem(error: &InspectError) -> Problem {
    let message = error.to_string();
    match error {
        InspectError::UnknownKind(_)
        | InspectError::AmbiguousKind { .. }
        | InspectError::NotFound
        | InspectError::NoSuchEvent { .. } => Problem::not_found(message),
        InspectError::NotQuarantined => Problem::new(StatusCode::CONFLICT, "NOT_IN_QUARANTINE", message),
        InspectError::Deleted { .. } => Problem::new(StatusCode::GONE, "HISTORY_DELETED", message),
        InspectError::NotAtRest(_) => Problem::new(StatusCode::CONFLICT, "NOT_AT_REST", message),
        InspectError::Unreadable(_) => Problem::new(StatusCode::CONFLICT, "UNREADABLE", message),
        InspectError::Unavailable(_) => Problem::unavailable("UNAVAILABLE", message, Duration::from_secs(1)),
    }
}
