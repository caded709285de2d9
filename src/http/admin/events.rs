use std::time::Duration;

use futures::{FutureExt, StreamExt, future::BoxFuture};
use http::header;
use serde_json::{Value, json};
use warp::sse;

use super::{Done, done, ok};
use crate::{
    EventQuery, EventsError, FollowedEvent, System,
    http::{
        Problem,
        live::live,
        openapi::{Told, reference},
        request::{Response, percent_encode, set},
        table::Vars,
    },
};

/// Events of a page when no limit is given, and at most.
const DEFAULT_LIMIT: usize = 100;
const MAX_LIMIT: usize = 1000;
/// Longest wait for quiet: a request is no subscription.
const MAX_WITHIN: Duration = Duration::from_mins(1);

pub(super) fn told() -> Told {
    let limit = json!({ "type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT });
    let page = json!({ "type": "array", "items": reference("schemas", "Event") });
    let told = Told::json("A page of business events", "by time; in order within each partition", page);
    filtered(told, "Only what comes after an earlier page: `Link` has it.").header("Link").query("limit", limit)
}

pub(super) fn told_of_stream() -> Told {
    let told = Told::live("Business events as they come", "Server-Sent Events, each with an envelope and its id");
    filtered(told, "Begins behind this; empty: at the beginning. `Last-Event-ID` comes before it. Without both: now.")
        .about(
            "As soon as they are durable, for as long as the client stays. A client that is broken off goes on behind the \
             last event that it got when it sends that event's id as `Last-Event-ID`, as browsers do. At most 64 clients.",
        )
}

fn filtered(told: Told, of_after: &str) -> Told {
    let text = |about: &str| json!({ "type": "string", "description": about });
    let after = json!({
        "type": "string",
        "pattern": "^([^._]+\\.[0-9]{1,4}\\.[0-9]{1,18}(_[^._]+\\.[0-9]{1,4}\\.[0-9]{1,18})*)?$",
        "description": of_after,
    });
    told.query("system", text("Only of this system."))
        .query("kind", text("Only of this kind, in full (`store.order`) or short (`order`)."))
        .query("correlation", text("Only of this correlation id."))
        .query("after", after)
        .refused(&[400, 404])
}

/// An event's envelope; beside this it has the fields of its type.
pub(super) fn schema() -> Value {
    let (text, number) = (|| json!({ "type": "string" }), || json!({ "type": "integer", "minimum": 0 }));
    json!({
        "type": "object",
        "description": "The envelope. Beside it an event has the fields of its type.",
        "properties": {
            "eventType": text(),
            "timestamp": { "type": "string", "pattern": "^[0-9]{14}$" },
            "eventId": text(), "correlationId": text(), "sequence": number(), "kind": text(), "number": number(),
            "unit": text(), "partition": number(), "position": number(),
        },
        "required": ["eventType", "timestamp", "eventId", "correlationId", "sequence", "kind", "unit", "partition", "position"],
    })
}

pub(super) fn told_of_quiet() -> Told {
    Told::with::<Done>("Waits until nothing is under way", "everybody is at the durable head, and nothing is open")
        .query("within", json!({ "type": "string", "pattern": "^([0-9]{1,4}ms|([1-5]?[0-9]|60)s)$", "default": "5s" }))
        .refused(&[400])
}

/// A page of business events, an array; `Link: <...>; rel="next"` leads to what comes after it.
pub(super) fn page(system: System, vars: Vars) -> BoxFuture<'static, Result<Response, Problem>> {
    async move {
        let limit = vars.number("limit", DEFAULT_LIMIT, 1..=MAX_LIMIT)?;
        let query = query(&vars, vars.query("after"), limit);
        let filters: String = ["system", "kind", "correlation"]
            .iter()
            .filter_map(|name| vars.query(name).map(|value| format!("{name}={}&", percent_encode(value))))
            .collect();
        let page = system.events(query).await.map_err(|error| problem(&error))?;
        let mut response = ok(&page.events);
        let next = percent_encode(&page.next);
        set(&mut response, header::LINK, &format!("</admin/events?{filters}after={next}&limit={limit}>; rel=\"next\""));
        Ok(response)
    }
    .boxed()
}

/// The events as they come, until one of both ends goes.
pub(super) fn stream(system: System, vars: Vars) -> BoxFuture<'static, Result<Response, Problem>> {
    async move {
        let after = vars.header("last-event-id").or_else(|| vars.query("after"));
        let events = system.follow(query(&vars, after, 0)).await.map_err(|error| problem(&error))?;
        Ok(live(events.map(|event| match event {
            Ok(FollowedEvent { cursor, envelope }) => sse::Event::default().id(cursor).data(envelope.to_string()),
            // The head is sent: what would have been its status comes as the last event.
            Err(error) => sse::Event::default().event("error").data(json!({ "detail": error.to_string() }).to_string()),
        })))
    }
    .boxed()
}

fn query(vars: &Vars, after: Option<&str>, limit: usize) -> EventQuery {
    let text = |name| vars.query(name).filter(|text| !text.is_empty()).map(str::to_owned);
    let (system, kind, correlation) = (text("system"), text("kind"), text("correlation"));
    EventQuery { system, kind, correlation, after: after.map(str::to_owned), limit }
}

fn problem(error: &EventsError) -> Problem {
    let message = error.to_string();
    match error {
        EventsError::NoCursor(_) | EventsError::Deleted { .. } => Problem::field("after", message),
        EventsError::Kind(_) => Problem::not_found(message),
        EventsError::TooManyFollowers => Problem::unavailable("TOO_MANY_FOLLOWERS", message, Duration::from_secs(10)),
        EventsError::Store(_) => Problem::unavailable("UNAVAILABLE", message, Duration::from_secs(1)),
    }
}

/// 200 when nothing is under way any more, 503 with what still is.
pub(super) fn quiesce(system: System, vars: Vars) -> BoxFuture<'static, Result<Response, Problem>> {
    async move {
        let within = vars.query("within").map_or(Some(Duration::from_secs(5)), duration);
        let within = within.filter(|within| *within <= MAX_WITHIN);
        let within =
            within.ok_or_else(|| Problem::field("within", "must be a duration like 500ms or 5s, at most 60s"))?;
        match system.quiesce(within).await {
            Ok(()) => Ok(done("quiet")),
            Err(lags) => {
                let problem =
                    Problem::unavailable("NOT_QUIET", format!("not quiet within {within:?}"), Duration::from_secs(1));

                Err(problem.with("lagging", lags.into()))
            }
        }
    }
    .boxed()
}

/// `500ms`, `5s`.
fn duration(text: &str) -> Option<Duration> {
    match text.strip_suffix("ms") {
        Some(millis) => millis.parse().ok().map(Duration::from_millis),
        None => text.strip_suffix('s')?.parse().ok().map(Duration::from_secs),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(duration("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(duration("5s"), Some(Duration::from_secs(5)));
        for bad in ["", "5", "s", "-1s", "5m", "1.5s"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }
}
