//! What became of a command, for whoever was told that this is not known yet: `GET /commands/<id>`.
//!
//! ```text
//! 504, 409 (in progress), 202 --Link, _links.status--> /commands/<id> --> pending | done | refused | not_done | unknown
//! ```
//!
//! The first answer is made anew of the reply that the entity keeps, as a repeat with an `Idempotency-Key` is: the
//! status, the headers and the representation that the request would have been given.

mod id;

use std::sync::Arc;

use futures::future::BoxFuture;
use http::{HeaderName, StatusCode, header};
use serde_json::{Map, Value, json};

use super::{
    Problem, Recalled,
    request::{HAL, JSON, Request, Response, json as json_response, set},
    resource::Ending,
};
use crate::{CommandAddress, CommandOutcome, OutcomeError};
pub(crate) use id::{Route, StatusId};

/// The segment below which statuses are.
pub(crate) const COMMANDS: &str = "commands";

/// When a pending command is worth another look, in seconds.
const LOOK_AGAIN: &str = "1";

/// Tells that a preference was followed (RFC 7240).
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");

/// Knows what became of commands.
pub(crate) type Outcomes =
    Arc<dyn Fn(CommandAddress) -> BoxFuture<'static, Result<CommandOutcome, OutcomeError>> + Send + Sync>;

/// The answer to a command that is finished later, whatever the client does.
pub(crate) fn accepted(href: &str) -> Response {
    let body = json!({ "status": "pending", "_links": { "status": { "href": href } } });
    let mut response = json_response(StatusCode::ACCEPTED, HAL, &body);
    set(&mut response, header::LOCATION, href);
    set(&mut response, header::RETRY_AFTER, LOOK_AGAIN);
    set(&mut response, PREFERENCE_APPLIED, "respond-async");
    response
}

/// The id of a link.
///
/// # Errors
/// 400 that says what is wrong with it.
pub(crate) fn parse(text: &str) -> Result<StatusId, Problem> {
    StatusId::parse(text).map_err(|why| {
        let message = format!("this is no address that was given out for the status of a command: {why}");
        Problem::invalid("MALFORMED_STATUS_LINK", message)
    })
}

/// How a command ended, as far as its answer can be shown; else what is to be said of it.
///
/// # Errors
/// 404 for one that its entity has no record of, 503 while it cannot be told.
pub(crate) fn ended(
    id: &StatusId,
    outcome: Result<CommandOutcome, OutcomeError>,
) -> Result<Result<Recalled, Map<String, Value>>, Problem> {
    let recalled = |ending| Ok(Ok(Recalled { key: id.address.key.clone(), ending }));
    let say = |status: &str, detail: &str| {
        let mut said = Map::new();
        said.insert("status".into(), status.into());
        said.insert("detail".into(), detail.into());
        Ok(Err(said))
    };
    match outcome {
        Ok(CommandOutcome::Done { reply, number, sequence }) => recalled(Ending::Done { reply, number, sequence }),
        Ok(CommandOutcome::Refused { rejection, .. }) => recalled(Ending::Refused { rejection }),
        Ok(CommandOutcome::NotDone(Some(why))) => recalled(Ending::NotDone(why)),
        Ok(CommandOutcome::NotDone(None)) => say("not_done", NOT_DONE),
        Ok(CommandOutcome::Pending) => say("pending", "it is not finished yet"),
        Ok(CommandOutcome::Ended) => say("unknown", "it is over, and how it ended was not written: look at the item"),
        Ok(CommandOutcome::Unknown) | Err(OutcomeError::UnknownKind(_)) => Err(Problem::not_found(UNKNOWN)),
        Err(OutcomeError::Unavailable { reason, retry_after }) => {
            Err(Problem::unavailable("UNAVAILABLE", reason, retry_after))
        }
    }
}

const NOT_DONE: &str = "what was begun was taken back, and nothing remains: the same request may be sent again";
/// What is said of a command that its entity does not know.
pub(crate) const UNKNOWN: &str = "there is no record of this command: it was refused or not begun, wrote nothing and may be sent \
                       again with the same Idempotency-Key; or it is older than 24 hours";

/// The document at a status link. `answer` is the first answer, where the resource shows it.
pub(crate) fn document(
    request: &Request,
    own: &str,
    ended: Result<Recalled, Map<String, Value>>,
    answer: impl FnOnce(&Recalled) -> Option<Result<Response, Problem>>,
) -> Response {
    let mut pending = false;
    let mut body = match ended {
        Err(said) => {
            pending = said.get("status").is_some_and(|status| status == "pending");
            said
        }
        Ok(recalled) => {
            let (status, answered) = match &recalled.ending {
                Ending::Done { .. } => ("done", answer(&recalled)),
                Ending::Refused { .. } => ("refused", answer(&recalled)),
                // Nobody need be told of a refusal what it was refused with.
                Ending::NotDone(_) => ("not_done", answer(&recalled)),
            };
            let mut body = Map::new();
            body.insert("status".into(), status.into());
            if status == "not_done" {
                body.insert("detail".into(), NOT_DONE.into());
            }
            if let Some(answered) = answered {
                let response = answered.unwrap_or_else(|problem| problem.respond(request));
                body.insert("answer".into(), shown(&response));
            }
            body
        }
    };
    body.insert("_links".into(), json!({ "self": { "href": own } }));
    let mut response = json_response(StatusCode::OK, JSON, &Value::Object(body));
    set(&mut response, header::CACHE_CONTROL, "no-store");
    if pending {
        set(&mut response, header::RETRY_AFTER, LOOK_AGAIN);
    }
    response
}

/// An answer within an answer.
fn shown(response: &Response) -> Value {
    let mut shown = Map::new();
    shown.insert("status".into(), response.status().as_u16().into());
    let headers: Map<String, Value> = response
        .headers()
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.into())))
        .collect();
    shown.insert("headers".into(), headers.into());
    if !response.body().is_empty() {
        let text = || String::from_utf8_lossy(response.body()).into_owned().into();
        shown.insert("body".into(), serde_json::from_slice(response.body()).unwrap_or_else(|_| text()));
    }
    Value::Object(shown)
}
