//! What can be said instead of a good answer, once for all operations.

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{Answer, reference};

/// What any request may be refused with.
pub(crate) const EVERY: [u16; 5] = [408, 413, 414, 431, 503];
/// What any command may be refused with besides, or be left open with.
pub(crate) const COMMAND: [u16; 6] = [400, 404, 409, 415, 422, 504];

/// What a request demands of an item's version.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Condition {
    /// `If-Match`: else 412.
    Match,
    /// `If-None-Match`: else 304.
    NoneMatch,
}

const STATUSES: [(u16, &str); 16] = [
    (400, "The request is wrong: it cannot be read, or a value is not what it has to be. `field` names it."),
    (401, "Nobody here is known by what was sent. `WWW-Authenticate` says what to send."),
    (403, "Not for whoever asks: `roles` has the roles that it takes."),
    (404, "Nothing has this address."),
    (408, "The body did not arrive in time."),
    (409, "The business says no, or the first request with this `Idempotency-Key` is still being worked on."),
    (410, "It was there, and its history was deleted since."),
    (412, "The item is at another version than `If-Match` says."),
    (413, "The body is too long."),
    (414, "Path and query are too long."),
    (415, "The body's media type is none that is read here."),
    (422, "This `Idempotency-Key` was used for another request."),
    (429, "Too many requests of this client."),
    (431, "The headers are too long."),
    (503, "Not done, and nothing remains of it: something is stopped, full, or too slow."),
    (504, "Not known yet: it may have been done. The link tells."),
];

/// The refusal with this status.
pub(super) fn reference_to(status: u16) -> Value {
    reference("responses", &status.to_string())
}

/// Every refusal that there is.
pub(super) fn responses() -> Map<String, Value> {
    STATUSES.into_iter().map(|(status, what)| (status.to_string(), refusal(status, what))).collect()
}

fn refusal(status: u16, what: &'static str) -> Value {
    let answer = Answer::empty(what).or("application/problem+json", reference("schemas", "problem"));
    let answer = match StatusCode::from_u16(status) {
        Ok(StatusCode::UNAUTHORIZED) => answer.with("WWW-Authenticate"),
        Ok(StatusCode::FORBIDDEN) => answer.may_have("WWW-Authenticate"),
        Ok(StatusCode::TOO_MANY_REQUESTS) => answer.with("Retry-After").with("RateLimit").with("RateLimit-Policy"),
        Ok(StatusCode::SERVICE_UNAVAILABLE) => answer.with("Retry-After"),
        Ok(StatusCode::CONFLICT | StatusCode::GATEWAY_TIMEOUT) => answer.may_have("Retry-After").may_have("Link"),
        _ => answer,
    };
    answer.written()
}

pub(super) fn schemas() -> Map<String, Value> {
    let link = json!({
        "type": "object",
        "properties": { "href": { "type": "string" }, "templated": { "type": "boolean" } },
        "required": ["href"],
    });
    let links = json!({ "type": "object", "additionalProperties": reference("schemas", "link") });
    let schemas = [("problem", problem()), ("command", command()), ("link", link), ("links", links)];
    schemas.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()
}

/// RFC 9457 and the old fields in one object.
fn problem() -> Value {
    let text = |about: &str| json!({ "type": "string", "description": about });
    json!({
        "type": "object",
        "description": "Why there is no good answer: RFC 9457, and the fields that the old systems had.",
        "properties": {
            "type": text("Always `about:blank`: the status and the code say it all."),
            "title": text("The status in words."),
            "status": { "type": "integer", "minimum": 400, "maximum": 599 },
            "detail": text("For people."),
            "instance": text("The path of the request."),
            "timestamp": text("When, as `2021-07-08T05:26:34.123+0000`."),
            "error": text("As `title`."),
            "message": text("As `detail`."),
            "path": text("As `instance`."),
            "code": { "type": "string", "description": "For programs: stable.", "pattern": "^[A-Za-z_]+$" },
            "correlationId": text("As `X-Request-Id`."),
            "field": text("The field or parameter to blame."),
            "outcome": { "type": "string", "enum": ["refused", "not done", "unknown"] },
            "roles": { "type": "array", "items": { "type": "string" }, "description": "The roles that may do it." },
            "available": { "type": "array", "items": { "type": "string" }, "description": "What there is instead." },
            "_links": reference("schemas", "links"),
        },
        "required": [
            "type", "title", "status", "detail", "instance", "timestamp", "error", "message", "path", "code", "correlationId",
        ],
    })
}

/// What a status link tells.
fn command() -> Value {
    let answer = json!({
        "type": "object",
        "description": "The answer that the request would have been given.",
        "properties": {
            "status": { "type": "integer" },
            "headers": { "type": "object", "additionalProperties": { "type": "string" } },
            "body": {},
        },
        "required": ["status", "headers"],
    });
    json!({
        "type": "object",
        "properties": {
            "status": { "type": "string", "enum": ["pending", "done", "refused", "not_done", "unknown"] },
            "detail": { "type": "string" },
            "answer": answer,
            "_links": reference("schemas", "links"),
        },
        "required": ["status", "_links"],
    })
}
