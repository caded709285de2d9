use futures::{FutureExt, future::BoxFuture};
use serde_json::{Map, Value, json};

use super::ok;
use crate::{
    CommandOutcome, OutcomeError, System,
    http::{Problem, openapi::Told, request::Response, status, table::Vars},
};

pub(super) fn told() -> Told {
    let text = || json!({ "type": "string" });
    let outcome = json!({
        "type": "object",
        "properties": {
            "status": { "type": "string", "enum": ["pending", "done", "refused", "not_done", "unknown"] },
            "reply": {}, "number": {}, "sequence": { "type": "integer" }, "rejection": {},
            "detail": { "type": ["string", "null"] },
            "kind": text(), "key": text(), "command": text(),
        },
        "required": ["status", "kind", "key", "command"],
    });
    Told::json("What became of a command", "as its entity keeps it", outcome)
        .about("The id is that of a status link: a command's bare id does not say which entity keeps it.")
        .refused(&[400, 404])
}

/// What became of a command, as its entity keeps it. It takes the id of a status link: a command's bare id, or an
/// `Idempotency-Key`, does not say which entity keeps it, and there is no index of all of them.
pub(super) fn show(system: System, vars: Vars) -> BoxFuture<'static, Result<Response, Problem>> {
    async move {
        let address = status::parse(vars.segment(0))?.address;
        let outcome = system.outcome(&address).await.map_err(problem)?;
        let mut body = Map::new();
        let status = match outcome {
            CommandOutcome::Done { reply, number, sequence } => {
                body.insert("reply".into(), reply);
                body.insert("number".into(), json!(number));
                body.insert("sequence".into(), sequence.into());
                "done"
            }
            CommandOutcome::Refused { rejection, message } => {
                body.insert("rejection".into(), rejection);
                body.insert("detail".into(), message.into());
                "refused"
            }
            CommandOutcome::NotDone(why) => {
                body.insert("detail".into(), why.map_or(Value::Null, |why| why.to_string().into()));
                "not_done"
            }
            CommandOutcome::Pending => "pending",
            CommandOutcome::Ended => "unknown",
            CommandOutcome::Unknown => return Err(Problem::not_found(status::UNKNOWN)),
        };
        body.insert("status".into(), status.into());
        body.insert("kind".into(), address.kind.as_ref().into());
        body.insert("key".into(), address.key.as_str().into());
        body.insert("command".into(), address.command.to_string().into());
        Ok(ok(&body))
    }
    .boxed()
}

fn problem(error: OutcomeError) -> Problem {
    match error {
        OutcomeError::UnknownKind(_) => Problem::not_found(error.to_string()),
        OutcomeError::Unavailable { reason, retry_after } => Problem::unavailable("UNAVAILABLE", reason, retry_after),
    }
}
