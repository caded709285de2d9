//! One operation: what it takes, and every answer that it gives.

use std::collections::BTreeMap;

use http::StatusCode;
use serde_json::{Map, Value, json};

use super::{
    Access,
    door::Door,
    reference,
    refusals::{self, Condition},
    with,
};

/// One method of one path.
#[derive(Debug)]
pub(crate) struct Entry {
    tag: String,
    id: String,
    summary: String,
    about: Option<String>,
    parameters: Vec<Value>,
    /// Schemas by media type; empty when it takes none.
    body: Map<String, Value>,
    responses: BTreeMap<u16, Value>,
    access: Access,
}

/// One good answer.
#[derive(Debug)]
pub(crate) struct Answer {
    what: &'static str,
    content: Map<String, Value>,
    headers: Vec<(&'static str, bool)>,
}

impl Answer {
    /// Without a body.
    pub(crate) fn empty(what: &'static str) -> Self {
        Self { what, content: Map::new(), headers: Vec::new() }
    }

    pub(crate) fn json(what: &'static str, schema: Value) -> Self {
        Self::empty(what).or("application/json", schema)
    }

    pub(crate) fn hal(what: &'static str, schema: Value) -> Self {
        Self::empty(what).or("application/hal+json", schema)
    }

    /// In this media type, beside those before.
    pub(crate) fn or(mut self, media: &'static str, schema: Value) -> Self {
        self.content.insert(media.into(), with(json!({}), "schema", schema));
        self
    }

    /// With this header always; it is one of [`headers`].
    pub(crate) fn with(mut self, header: &'static str) -> Self {
        self.headers.push((header, true));
        self
    }

    /// With this header at times.
    pub(crate) fn may_have(mut self, header: &'static str) -> Self {
        self.headers.push((header, false));
        self
    }

    pub(super) fn written(self) -> Value {
        let always = ["X-Request-Id", "traceparent"].map(|name| (name, true));
        let headers: Map<String, Value> = always
            .into_iter()
            .chain(self.headers)
            .map(|(name, always)| (name.to_owned(), header(name, always)))
            .collect();
        let mut answer = json!({ "description": self.what, "headers": headers });
        if !self.content.is_empty()
            && let Some(answer) = answer.as_object_mut()
        {
            answer.insert("content".into(), self.content.into());
        }
        answer
    }
}

impl Entry {
    /// `id` is what generated clients call it: unique in the document, and stable.
    pub(crate) fn new(tag: impl Into<String>, id: impl Into<String>, summary: impl Into<String>) -> Self {
        let (parameters, responses) =
            (vec![reference("parameters", "X-Request-Id"), reference("parameters", "traceparent")], BTreeMap::new());
        Self {
            tag: tag.into(),
            id: id.into(),
            summary: summary.into(),
            about: None,
            parameters,
            body: Map::new(),
            responses,
            access: Access::Known,
        }
    }

    pub(super) fn tag(&self) -> &str {
        &self.tag
    }

    pub(crate) fn about(mut self, about: impl Into<String>) -> Self {
        self.about = Some(about.into());
        self
    }

    pub(crate) fn parameter(mut self, parameter: Value) -> Self {
        self.parameters.push(parameter);
        self
    }

    /// Takes one of the headers that [`parameters`] has.
    pub(crate) fn takes(self, header: &str) -> Self {
        let header = reference("parameters", header);
        self.parameter(header)
    }

    pub(crate) fn query(self, name: &str, schema: &Value) -> Self {
        self.parameter(json!({ "name": name, "in": "query", "schema": schema }))
    }

    /// A body in any of these media types.
    pub(crate) fn body(mut self, media: &[&str], schema: &Value) -> Self {
        let written = media.iter().map(|media| ((*media).to_owned(), json!({ "schema": schema })));
        self.body.extend(written);
        self
    }

    pub(crate) fn answer(mut self, status: StatusCode, answer: Answer) -> Self {
        self.responses.insert(status.as_u16(), answer.written());
        self
    }

    /// What it may be refused with, beside what everything may be refused with.
    pub(crate) fn refused(mut self, statuses: &[u16]) -> Self {
        for status in statuses {
            self.responses.insert(*status, refusals::reference_to(*status));
        }
        self
    }

    /// Who may call it, where somebody is asked who he is.
    pub(crate) fn access(mut self, access: Access) -> Self {
        self.access = access;
        self
    }

    /// What may be demanded of the item's version.
    pub(crate) fn condition(self, condition: Condition) -> Self {
        match condition {
            Condition::Match => self.takes("If-Match").refused(&[412]),
            Condition::NoneMatch => self
                .takes("If-None-Match")
                .answer(StatusCode::NOT_MODIFIED, Answer::empty("the client has it already").with("ETag")),
        }
    }

    /// As a document of this door has it.
    pub(super) fn written(mut self, door: Door) -> Value {
        if self.access != Access::Open {
            self = self.refused(door.refusals());
            if let Door::Clients(_) = door {
                self.responses.values_mut().for_each(counted);
            }
        }
        let responses: Map<String, Value> =
            self.responses.into_iter().map(|(status, answer)| (status.to_string(), answer)).collect();
        let mut written = json!({
            "tags": [self.tag],
            "operationId": self.id,
            "summary": self.summary,
            "parameters": self.parameters,
            "responses": responses,
        });
        if let Some(members) = written.as_object_mut() {
            members.extend(self.about.map(|about| ("description".to_owned(), about.into())));
            members.extend(door.of(self.access).map(|security| ("security".to_owned(), security)));
            if !self.body.is_empty() {
                members.insert("requestBody".into(), json!({ "required": true, "content": self.body }));
            }
        }
        written
    }
}

/// What it left on an account may be told with a good answer; what refusals have is said once for all.
fn counted(answer: &mut Value) {
    if let Some(headers) = answer.get_mut("headers").and_then(Value::as_object_mut) {
        headers.extend(["RateLimit", "RateLimit-Policy"].map(|name| (name.to_owned(), header(name, false))));
    }
}

/// A header that an answer always has, or at times.
fn header(name: &str, always: bool) -> Value {
    if always { reference("headers", &format!("{name}{ALWAYS}")) } else { reference("headers", name) }
}

/// Behind the name of a header that is always there.
const ALWAYS: &str = ".always";

/// Headers of answers.
pub(super) fn headers() -> Map<String, Value> {
    let text = |about: &str| json!({ "description": about, "schema": { "type": "string" } });
    let mut headers = Map::new();
    for (name, about) in [
        ("X-Request-Id", "What every event, log line and refusal of this request is found by."),
        ("traceparent", "The W3C trace that it belongs to."),
        ("Location", "The item's address, or that of the command's status."),
        ("Link", "`rel=\"status\"`: where it is told what became of the command. `rel=\"next\"`: the next page."),
        ("ETag", "The item's version: the sequence of its last event."),
        ("Idempotency-Replayed", "`true`: this is the first answer to this key, again."),
        ("Preference-Applied", "`respond-async`: it is finished later."),
        ("X-Reason", "Why the answer is `false`: a stable code."),
        ("X-View-Lag", "`behind`: what was written last may be missing."),
        ("Allow", "The methods that there are."),
        ("WWW-Authenticate", "How to say who one is, or why that was not enough."),
        ("RateLimit", "What is left of each account, `r`, and the seconds until it is full again, `t`."),
        ("RateLimit-Policy", "How many requests, `q`, one client has within so many seconds, `w`."),
        ("Cache-Control", "`no-store`."),
    ] {
        headers.insert(name.into(), text(about));
    }
    for (name, about) in [
        ("Retry-After", "Seconds after which it is worth another try."),
        ("X-Total-Count", "How many there are, also beyond the list."),
    ] {
        headers.insert(name.into(), json!({ "description": about, "schema": { "type": "integer", "minimum": 0 } }));
    }
    for (name, header) in headers.clone() {
        headers.insert(format!("{name}{ALWAYS}"), with(header, "required", true.into()));
    }
    headers
}

/// Headers of requests.
pub(super) fn parameters() -> Map<String, Value> {
    let header = |name: &str, about: &str, schema: Value| {
        let header = json!({ "name": name, "in": "header", "description": about });
        (name.to_owned(), with(header, "schema", schema))
    };
    let text = || json!({ "type": "string" });
    let all = [
        header(
            "Idempotency-Key",
            "The same key with the same request gets the first answer for 24 hours.",
            json!({ "type": "string", "pattern": "^[!-~]{1,255}$" }),
        ),
        header("If-Match", "Only when the item is at this version: an `ETag` of before, several, or `*`.", text()),
        header("If-None-Match", "Only when the item is at another version.", text()),
        header(
            "Prefer",
            "`respond-async`: what another service is needed for is finished when that is available again.",
            text(),
        ),
        header("X-Request-Id", "1 to 128 visible ASCII characters; anything else is replaced.", text()),
        header("traceparent", "W3C trace context; anything else is replaced.", text()),
    ];
    all.into_iter().collect()
}
