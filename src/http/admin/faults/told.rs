//! What the contract has of faults.

use http::StatusCode;
use serde_json::{Value, json};

use super::FAULTS;
use crate::http::openapi::{Told, reference};

fn fault() -> Value {
    reference("schemas", "Fault")
}

/// What there is to say of one that is there.
pub(in super::super) fn told(summary: &'static str) -> Told {
    Told::json(summary, "as it is now", fault()).refused(&[404])
}

pub(in super::super) fn told_of_list() -> Told {
    Told::json("The faults", "the active ones, then those that ended", json!({ "type": "array", "items": fault() }))
}

pub(in super::super) fn told_of_injecting() -> Told {
    Told::json("Injects a fault", "as it is now active", fault())
        .status(StatusCode::CREATED)
        .about("Off unless `[admin] faults = true`.")
        .header("Location")
        .body(plan())
        .refused(&[400, 409, 415])
}

/// `400ms`, `2s`, `5m`.
fn duration() -> Value {
    json!({ "type": "string", "pattern": "^[0-9]{1,6}(ms|s|m)$" })
}

/// A number, or the text of one.
fn number(kind: &str, pattern: &str, most: u32) -> Value {
    json!({ "anyOf": [
        { "type": kind, "minimum": 0, "maximum": most },
        { "type": "string", "pattern": pattern },
    ] })
}

/// What is wrong: one of [`FAULTS`].
fn kinds(text_latency: bool) -> Value {
    let spread = json!({
        "type": "object",
        "properties": { "base": duration(), "spread": duration() },
        "required": ["base"],
        "additionalProperties": false,
    });
    let latency = if text_latency { json!({ "anyOf": [duration(), spread] }) } else { spread };
    let properties = json!({
        "latency": latency,
        "error": { "anyOf": [{ "const": true }, { "type": "string" }] },
        "panic": { "const": true },
        "append": { "enum": ["reject", "fail", "tear", "full"] },
        "health": { "const": "down" },
    });
    debug_assert!(FAULTS.iter().all(|fault| properties.get(fault).is_some()), "{properties}");
    json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
        "minProperties": 1,
        "maxProperties": 1,
    })
}

/// What a body is.
fn plan() -> Value {
    json!({
        "type": "object",
        "properties": {
            "target": { "type": "string", "description": "`store/delivery`, `store.order`, `store.order/17`, `link/...`, `storage`." },
            "fault": kinds(true),
            "for": { "description": "How long it lasts at most.", "type": "string", "pattern": "^[0-9]{1,6}(ms|s|m)$" },
            "count": number("integer", "^[0-9]{1,9}$", u32::MAX),
            "seed": number("integer", "^[0-9]{1,9}$", u32::MAX),
            "probability": number("number", "^(0(\\.[0-9]{1,9})?|1)$", 1),
            "share": number("number", "^(0(\\.[0-9]{1,9})?|1)$", 1),
            "stop_above": number("number", "^(0(\\.[0-9]{1,9})?|1)$", 1),
        },
        "required": ["target", "fault", "for"],
        "additionalProperties": false,
    })
}

/// A fault as it is shown.
pub(in super::super) fn schema() -> Value {
    let (count, part) =
        (json!({ "type": "integer", "minimum": 0 }), json!({ "type": "number", "minimum": 0, "maximum": 1 }));
    let text = || json!({ "type": ["string", "null"] });
    json!({
        "type": "object",
        "properties": {
            "id": { "type": "string" },
            "target": { "type": "string" },
            "fault": kinds(false),
            "state": { "enum": ["active", "ended"] },
            "fired": count, "waiting": count, "since": count,
            "count": { "type": ["integer", "null"] },
            "probability": part, "share": part,
            "for": text(),
            "stop_above": { "type": ["number", "null"] },
            "remaining": text(),
            "ended": { "type": "string" }, "ended_at": count, "why": { "type": "string" },
        },
        "required": ["id", "target", "fault", "state", "fired", "waiting", "since", "count", "probability", "share", "for", "stop_above"],
    })
}
