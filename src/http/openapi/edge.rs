//! What there is besides resources and operators' routes: probes, roots, the status of commands, the document itself.

use http::{Method, StatusCode};
use serde_json::json;

use super::{super::asks::ASKS, Access, Answer, Document, EVERY, Entry, OPENAPI, reference};

const PROBES: &str = "probes";

/// Adds the probes. `started` and `ready` may answer 503, which is no refusal but what they are for.
pub(crate) fn probes(document: &mut Document) {
    document.tag(PROBES, "Alive, started, ready");
    let texts = || json!({ "type": "array", "items": { "type": "string" } });
    let well = json!({
        "type": "object",
        "properties": { "status": { "const": "UP" }, "degraded": texts() },
        "required": ["status"],
    });
    let ill = json!({
        "type": "object",
        "properties": { "status": { "const": "DOWN" }, "reasons": texts() },
        "required": ["status", "reasons"],
    });
    for (path, summary, fails) in [
        ("/livez", "Whether the process answers", false),
        ("/startupz", "Whether it has been ready once", true),
        ("/readyz", "Whether it wants traffic", true),
        ("/actuator/health", "Whether it wants traffic", true),
        ("/actuator/health/liveness", "Whether the process answers", false),
        ("/actuator/health/readiness", "Whether it wants traffic", true),
    ] {
        let id = path.trim_start_matches('/').replace('/', ".");
        let mut entry = Entry::new(PROBES, id, summary)
            .access(Access::Open)
            .refused(&EVERY)
            .answer(StatusCode::OK, Answer::json("it is", well.clone()));
        if fails {
            entry = entry.answer(StatusCode::SERVICE_UNAVAILABLE, Answer::json("it is not", ill.clone()));
        }
        document.add(path, &Method::GET, entry);
    }
}

/// Adds where it is told what became of a command, below `prefix`.
pub(crate) fn commands(prefix: &str, tag: &str, document: &mut Document) {
    let id = format!("{}commands.get", if prefix.is_empty() { String::new() } else { format!("{tag}.") });
    let answer = Answer::json("what became of it", reference("schemas", "command"))
        .with("Cache-Control")
        .may_have("Retry-After");
    let entry = Entry::new("commands", id, "What became of a command")
        .about("The link in a 202, a 504, and a 409 while the first request is worked on.")
        .parameter(
            json!({ "name": "id", "in": "path", "required": true, "schema": { "type": "string", "minLength": 1 } }),
        )
        .answer(StatusCode::OK, answer)
        .refused(&EVERY)
        .refused(&[400, 404]);
    document.add(format!("{prefix}/commands/{{id}}"), &Method::GET, entry);
}

/// Adds the links that a root has, below `prefix`, and what is said of collections there.
pub(crate) fn roots(prefix: &str, system: &str, document: &mut Document) {
    let id = |what: &str| format!("{system}.{what}");
    let links =
        json!({ "type": "object", "properties": { "_links": reference("schemas", "links") }, "required": ["_links"] });
    let profile = json!({
        "type": "object",
        "properties": { "collection": { "type": "string" }, "_links": reference("schemas", "links") },
        "required": ["collection", "_links"],
    });
    let reading = |id: String, summary: &str, answer: Answer| {
        Entry::new("links", id, summary).refused(&EVERY).answer(StatusCode::OK, answer)
    };
    let own = if prefix.is_empty() { "/" } else { prefix };
    document.add(
        own,
        &Method::GET,
        reading(id("root"), "The collections", Answer::hal("links to each", links.clone())),
    );
    let path = format!("{prefix}/profile");
    document.add(
        path.clone(),
        &Method::GET,
        reading(id("profiles"), "What is said of collections", Answer::hal("links to each", links)),
    );
    let name =
        json!({ "name": "collection", "in": "path", "required": true, "schema": { "type": "string", "minLength": 1 } });
    let one = reading(id("profile"), "The fields of a collection", Answer::hal("fields and calls", profile));
    document.add(format!("{path}/{{collection}}"), &Method::GET, one.parameter(name).refused(&[404]));
    itself(prefix, system, Access::Open, document);
}

/// Adds the document; `access` says who may read it.
pub(crate) fn itself(prefix: &str, system: &str, access: Access, document: &mut Document) {
    let answer = Answer::json("the document", json!({ "type": "object" }));
    let id = if system.is_empty() { "openapi".to_owned() } else { format!("{system}.openapi") };
    let entry = Entry::new("links", id, "This document").access(access).refused(&EVERY).answer(StatusCode::OK, answer);
    document.add(format!("{prefix}/{OPENAPI}"), &Method::GET, entry);
}

/// Adds where other processes ask, as a link with a `target` does.
pub(crate) fn asks(document: &mut Document) {
    let text = |about: &str| json!({ "type": "string", "description": about });
    let hexadecimal = json!({ "type": "string", "pattern": "^[0-9a-f]{32}$", "description": "The command's id: the same again gets the first answer." });
    let named = |name: &str, schema: serde_json::Value| json!({ "type": "object", "properties": { name: schema }, "required": [name], "additionalProperties": false });
    let to = json!({ "oneOf": [named("key", json!({ "type": "string", "minLength": 1, "maxLength": 200 })), named("number", json!({ "type": "integer", "minimum": 1, "maximum": i64::MAX }))] });
    let ask = json!({
        "type": "object",
        "properties": {
            "kind": text("The kind of the entity: `stay.payment`."),
            "to": to,
            "command": text("The name of the command."),
            "body": { "description": "The command." },
            "id": hexadecimal,
            "correlation": text("The request that this belongs to."),
            "withinMs": { "type": "integer", "minimum": 0, "maximum": i64::MAX, "description": "What is not begun by then is not begun." },
        },
        "required": ["kind", "to", "command", "body", "id", "correlation", "withinMs"],
        "additionalProperties": false,
    });
    let answer = json!({ "oneOf": [named("reply", json!({})), named("error", json!({}))] });
    let entry = Entry::new("asks", "ask", "Asks an entity for another process")
        .about("For links between processes of one release; see docs/links.md.")
        .access(Access::Asks)
        .body(&["application/json"], &ask)
        .answer(StatusCode::OK, Answer::json("what the entity answered: its reply, or why there is none", answer))
        .refused(&EVERY)
        .refused(&[400, 404]);
    document.add(format!("/{ASKS}"), &Method::POST, entry);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Address, CommandId, Number, RemoteAsk, http::openapi::Offers};

    #[test]
    fn the_contract_of_asks_has_what_an_ask_has() {
        let mut document = Document::of_clients("x", "", Offers::default());
        asks(&mut document);
        let whole = document.finish();
        let schema = &whole["paths"]["/asks"]["post"]["requestBody"]["content"]["application/json"]["schema"];
        let ask = RemoteAsk {
            kind: "stay.payment".into(),
            to: Address::Number(Number::new(1)),
            command: "Pay".into(),
            body: json!({}),
            id: CommandId::from_bits(7),
            correlation: "c".into(),
            within_ms: 1,
        };
        let ask = serde_json::to_value(ask).unwrap();
        let names = |object: &serde_json::Value| object.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&ask), names(&schema["properties"]));
        assert_eq!(json!(names(&ask)), schema["required"]);
        assert_eq!(ask["to"], json!({ "number": 1 }));
        assert!(ask["id"].as_str().is_some_and(|id| id.len() == 32));
    }
}
