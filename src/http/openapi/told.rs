//! What a route of the operators says of itself. Answers are described by their types.

use http::{Method, StatusCode};
use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Value, json};

use super::{Answer, Document, EVERY, Entry};

/// The contract of one route.
#[derive(Debug)]
pub(crate) struct Told {
    summary: &'static str,
    about: Option<&'static str>,
    answers: Vec<(StatusCode, &'static str, Says)>,
    /// Of good answers, and whether they always have it.
    headers: Vec<(&'static str, bool)>,
    query: Vec<(&'static str, Value)>,
    body: Option<Value>,
    refusals: Vec<u16>,
}

/// The body of an answer.
#[derive(Debug)]
enum Says {
    /// Of this type, as it is written.
    Type(fn(&mut SchemaGenerator) -> Schema),
    /// Of what is put together by hand.
    Json(Value),
    /// No JSON, but of this media type.
    Text(&'static str),
}

impl Told {
    /// 200 with a `T`.
    pub(crate) fn with<T: JsonSchema>(summary: &'static str, what: &'static str) -> Self {
        Self::new(summary).and::<T>(StatusCode::OK, what)
    }

    /// 200 with what is put together by hand.
    pub(crate) fn json(summary: &'static str, what: &'static str, schema: Value) -> Self {
        let mut told = Self::new(summary);
        told.answers.push((StatusCode::OK, what, Says::Json(schema)));
        told
    }

    /// 200 with a text.
    pub(crate) fn text(summary: &'static str, what: &'static str) -> Self {
        let mut told = Self::new(summary);
        told.answers.push((StatusCode::OK, what, Says::Text("text/plain")));
        told
    }

    /// 200 with events for as long as the client stays.
    pub(crate) fn live(summary: &'static str, what: &'static str) -> Self {
        let mut told = Self::new(summary);
        told.answers.push((StatusCode::OK, what, Says::Text("text/event-stream")));
        told
    }

    fn new(summary: &'static str) -> Self {
        let (answers, headers, query, refusals) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Self { summary, about: None, answers, headers, query, body: None, refusals }
    }

    /// This status with a `T` as well.
    pub(crate) fn and<T: JsonSchema>(mut self, status: StatusCode, what: &'static str) -> Self {
        self.answers.push((status, what, Says::Type(SchemaGenerator::subschema_for::<T>)));
        self
    }

    /// Another status than 200.
    pub(crate) fn status(mut self, status: StatusCode) -> Self {
        if let Some((known, ..)) = self.answers.last_mut() {
            *known = status;
        }
        self
    }

    pub(crate) fn about(mut self, about: &'static str) -> Self {
        self.about = Some(about);
        self
    }

    /// Good answers have this header.
    pub(crate) fn header(mut self, header: &'static str) -> Self {
        self.headers.push((header, true));
        self
    }

    /// Good answers have this header at times.
    pub(crate) fn may_have(mut self, header: &'static str) -> Self {
        self.headers.push((header, false));
        self
    }

    pub(crate) fn query(mut self, name: &'static str, schema: Value) -> Self {
        self.query.push((name, schema));
        self
    }

    pub(crate) fn body(mut self, schema: Value) -> Self {
        self.body = Some(schema);
        self
    }

    pub(crate) fn refused(mut self, statuses: &[u16]) -> Self {
        self.refusals.extend_from_slice(statuses);
        self
    }

    /// Adds it to a document; types that it names become schemas there.
    pub(crate) fn describe(&self, method: &Method, pattern: &str, document: &mut Document) {
        let settings = SchemaSettings::draft2020_12().for_serialize();
        let mut types =
            settings.with(|settings| settings.definitions_path = "/components/schemas".into()).into_generator();
        let id = format!("{}{}", method.as_str().to_lowercase(), pattern.replace('/', ".").replace(['{', '}'], ""));
        let tag = pattern.trim_start_matches('/').split('/').nth(1).unwrap_or("admin");
        let mut entry = Entry::new(tag, id, self.summary).refused(&EVERY).refused(&self.refusals);
        if let Some(about) = self.about {
            entry = entry.about(about);
        }
        for name in pattern.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}')) {
            let schema = json!({ "type": "string", "minLength": 1 });
            entry = entry.parameter(json!({ "name": name, "in": "path", "required": true, "schema": schema }));
        }
        for (name, schema) in &self.query {
            entry = entry.query(name, schema);
        }
        if let Some(body) = &self.body {
            entry = entry.body(&["application/json"], body);
        }
        for (status, what, says) in &self.answers {
            let answer = match says {
                Says::Type(of) => Answer::json(what, of(&mut types).into()),
                Says::Json(schema) => Answer::json(what, schema.clone()),
                Says::Text(media) => Answer::empty(what).or(media, json!({ "type": "string" })),
            };
            let answer =
                self.headers.iter().fold(
                    answer,
                    |answer, (header, always)| {
                        if *always { answer.with(header) } else { answer.may_have(header) }
                    },
                );
            entry = entry.answer(*status, answer);
        }
        document.add(pattern, method, entry);
        for (name, schema) in types.take_definitions(true) {
            document.schema(name, schema);
        }
    }
}
