//! What a declaration says to programs: every path and method of a resource, with all that it takes and answers.

use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::{Action, Change, Finder, Procedure, Resource};
use crate::http::{
    Field,
    openapi::{
        Access, Answer, COMMAND, Condition, Document, EVERY, Entry, asked, in_path, reference, sent, shown, with,
    },
};

/// What the body of a creation or a replacement may be written in.
const BODY: [&str; 2] = ["application/json", "application/hal+json"];
/// And that of a merge.
const MERGE: [&str; 3] = ["application/json", "application/merge-patch+json", "application/hal+json"];
/// Everything may be written as a form, too.
const FORM: &str = "application/x-www-form-urlencoded";

impl Resource {
    /// Adds all that there is below `prefix`.
    pub(crate) fn describe(&self, prefix: &str, document: &mut Document) {
        let own = format!("{prefix}/{}", self.shape.collection);
        if self.has_items() {
            document.schema(self.schema_name(), self.schema());
            self.describe_reads(&own, document);
        }
        self.describe_commands(&own, document);
        for procedure in &self.procedures {
            let path = if procedure.name.is_empty() { own.clone() } else { format!("{own}/{}", procedure.name) };
            document.add(path, &procedure.method, self.calling(procedure));
        }
    }

    /// The service, as operators name it.
    pub(crate) fn place(&self) -> String {
        if self.service.is_empty() { self.system.to_owned() } else { format!("{}/{}", self.system, self.service) }
    }

    fn describe_reads(&self, own: &str, document: &mut Document) {
        let item = format!("{own}/{{{}}}", self.shape.key.name);
        document.add(own, &Method::GET, self.listing());
        let one = self.entry("get", format!("One {}", self.shape.relation)).parameter(in_path(&self.shape.key));
        let shown = self.item("the item", self.is_versioned());
        let shown = if self.is_versioned() { shown } else { shown.may_have("X-View-Lag") };
        let one = one.answer(StatusCode::OK, shown).refused(&[404]);
        let one = if self.is_versioned() { one.condition(Condition::NoneMatch) } else { one };
        document.add(item, &Method::GET, one);
        if !self.finders.is_empty() {
            let links = json!({ "type": "object", "properties": { "_links": reference("schemas", "links") }, "required": ["_links"] });
            let entry = self.entry("searches", format!("The searches of {}", self.shape.collection));
            document.add(
                format!("{own}/search"),
                &Method::GET,
                entry.answer(StatusCode::OK, Answer::hal("links to each", links)),
            );
        }
        for finder in &self.finders {
            document.add(format!("{own}/search/{}", finder.name), &Method::GET, self.finding(finder));
        }
    }

    fn describe_commands(&self, own: &str, document: &mut Document) {
        let item = format!("{own}/{{{}}}", self.shape.key.name);
        let relation = self.shape.relation;
        if let Some(action) = &self.create {
            let entry = self.command_entry("create", format!("A new {relation}"), action, Change::Created);
            document.add(own, &Method::POST, self.taking(entry, &BODY, Whole::Creation));
        }
        let on_item = |entry: Entry| entry.parameter(in_path(&self.shape.key)).condition(Condition::Match);
        if let Some(action) = &self.replace {
            let entry = self.command_entry("replace", format!("Replaces the {relation}"), action, Change::Changed);
            let entry = on_item(entry).about("What is not sent becomes null, or 0.");
            document.add(item.clone(), &Method::PUT, self.taking(entry, &BODY, Whole::Replacement));
        }
        if let Some(action) = &self.merge {
            let entry = self.command_entry("change", format!("Changes the {relation}"), action, Change::Changed);
            let entry = on_item(entry).about("What is not sent stays; null clears.");
            document.add(item.clone(), &Method::PATCH, self.taking(entry, &MERGE, Whole::Merge));
        }
        if let Some(action) = &self.remove {
            let entry =
                self.command_entry("remove", format!("Removes or cancels the {relation}"), action, Change::Removed);
            document.add(item, &Method::DELETE, on_item(entry));
        }
    }

    fn listing(&self) -> Entry {
        let number = |about: &str, first: u32, most: u32| {
            let ways = json!([{ "type": "integer", "minimum": first, "maximum": most }, { "type": "string" }]);
            json!({ "description": about, "anyOf": ways })
        };
        let mut entry = self
            .entry("list", format!("The {}", self.shape.collection))
            .query("page", &number("From 0; what is no such number counts as 0.", 0, u32::MAX))
            .query("size", &number("Of a page, at most 1000; what is no such number counts as 20.", 1, 1000))
            .query("sort", &json!({ "type": "array", "items": { "type": "string" }, "description": "`property,asc` or `property,desc`; what is no property is ignored." }));
        // A parameter with a meaning of its own goes before the field of the same name.
        let mut taken = vec!["page", "size", "sort"];
        for filter in &self.filters {
            taken.push(filter.parameter.name);
            entry = entry.query(filter.parameter.name, &filter.schema());
        }
        for field in std::iter::once(&self.shape.key).chain(&self.shape.fields) {
            if !taken.contains(&field.name) {
                entry = entry.query(field.name, &asked(field));
            }
        }
        let (mut schema, mut refusals) = (self.collection(self.shape.paged), vec![400]);
        if let Some(single) = &self.single {
            let name = single.parameter.name;
            schema =
                json!({ "anyOf": [schema, self.reference()], "description": format!("With `{name}` the one item.") });
            refusals.push(404);
        }
        let answer = Answer::hal("items", schema).may_have("X-View-Lag").may_have("ETag");
        entry.answer(StatusCode::OK, answer).refused(&refusals)
    }

    fn finding(&self, finder: &Finder) -> Entry {
        let parameter = json!({ "name": finder.parameter.name, "in": "query", "required": true, "schema": asked(&finder.parameter) });
        let entry =
            self.entry(finder.name, format!("{} of the {}", finder.name, self.shape.collection)).parameter(parameter);
        let (answer, refusals) = if finder.single {
            (self.item("the one that was found", false), vec![400, 404])
        } else {
            (Answer::hal("what was found", self.collection(false)), vec![400])
        };
        entry.answer(StatusCode::OK, answer.may_have("X-View-Lag")).refused(&refusals)
    }

    fn calling(&self, procedure: &Procedure) -> Entry {
        let name = if procedure.name.is_empty() { "call" } else { procedure.name };
        let answer = if procedure.tells_text {
            Answer::empty("a text").or("text/plain", json!({ "type": "string" }))
        } else {
            Answer::json("`true`, or `false` with the reason in `X-Reason`", json!({ "type": "boolean" }))
                .may_have("X-Reason")
                .may_have("Location")
        };
        let mut entry = later(self.entry(name, format!("{} of the {}", name, self.shape.collection)))
            .access(Access::Roles(self.commanders_by(procedure)))
            .answer(StatusCode::OK, answer.may_have("Idempotency-Replayed"))
            .refused(&[400, 409, 415, 422, 504]);
        if procedure.method == Method::GET {
            for field in procedure.parameters.iter().filter(|field| !field.read_only) {
                let schema = if field.required { sent(field) } else { asked(field) };
                entry = entry.parameter(
                    json!({ "name": field.name, "in": "query", "required": field.required, "schema": schema }),
                );
            }
            return entry;
        }
        let taken: Vec<Field> = procedure.parameters.iter().filter(|field| !field.read_only).copied().collect();
        if taken.is_empty() {
            return entry;
        }
        let required: Vec<&str> = taken.iter().filter(|field| field.required).map(|field| field.name).collect();
        entry
            .about("Parameters may be in the query instead, where they go before those of the body.")
            .body(&[FORM], &form(&taken, &required))
            .body(&BODY, &object(&taken, &required))
    }

    fn entry(&self, what: &str, summary: String) -> Entry {
        let id = format!("{}.{}.{what}", self.system, self.shape.collection);
        Entry::new(self.place(), id, summary).refused(&EVERY)
    }

    fn command_entry(&self, what: &str, summary: String, action: &Action, usual: Change) -> Entry {
        let entry = later(self.entry(what, summary)).access(Access::Roles(self.commanders)).refused(&COMMAND);
        let changes = if action.changes().is_empty() { &[usual][..] } else { action.changes() };
        changes.iter().fold(entry, |entry, change| {
            let (status, answer) = match change {
                Change::Created => (StatusCode::CREATED, self.item("it is new", false).with("Location")),
                Change::Changed => (StatusCode::OK, self.item("it is as shown", false)),
                Change::Removed => (StatusCode::NO_CONTENT, Answer::empty("it is gone, or canceled")),
            };
            entry.answer(status, answer.may_have("Idempotency-Replayed"))
        })
    }

    fn item(&self, what: &'static str, always_tagged: bool) -> Answer {
        let answer = Answer::hal(what, self.reference());
        if always_tagged { answer.with("ETag") } else { answer.may_have("ETag") }
    }

    fn is_versioned(&self) -> bool {
        self.source.as_ref().is_some_and(|source| source.is_versioned())
    }

    fn schema_name(&self) -> String {
        format!("{}.{}", self.system, self.shape.relation)
    }

    fn reference(&self) -> Value {
        reference("schemas", &self.schema_name())
    }

    fn schema(&self) -> Value {
        let all: Vec<&Field> = std::iter::once(&self.shape.key).chain(&self.shape.fields).collect();
        let mut properties: Map<String, Value> =
            all.iter().map(|field| (field.name.to_owned(), shown(field))).collect();
        let mut required: Vec<&str> = all.iter().map(|field| field.name).collect();
        properties.insert("_links".into(), reference("schemas", "links"));
        required.push("_links");
        json!({ "type": "object", "properties": properties, "required": required })
    }

    /// A body as JSON or as a form.
    fn taking(&self, entry: Entry, media: &[&str], whole: Whole) -> Entry {
        let own_key = (self.natural_key && whole == Whole::Creation).then_some(self.shape.key.required());
        let fields = self.shape.fields.iter().filter(|field| !field.read_only).copied();
        let taken: Vec<Field> = own_key.into_iter().chain(fields).collect();
        let is_needed = |field: &&Field| field.required && whole != Whole::Merge;
        let required: Vec<&str> = taken.iter().filter(is_needed).map(|field| field.name).collect();
        entry.body(media, &object(&taken, &required)).body(&[FORM], &form(&taken, &required))
    }

    fn collection(&self, paged: bool) -> Value {
        let mut embedded = Map::new();
        embedded.insert(self.shape.collection.to_owned(), json!({ "type": "array", "items": self.reference() }));
        let embedded = json!({ "type": "object", "properties": embedded, "required": [self.shape.collection] });
        let count = || json!({ "type": "integer", "minimum": 0 });
        let names = ["size", "totalElements", "totalPages", "number"];
        let counts: Map<String, Value> = names.iter().map(|name| ((*name).to_owned(), count())).collect();
        let page = json!({ "type": "object", "properties": counts, "required": names });
        let mut required = vec!["_embedded", "_links"];
        if paged {
            required.push("page");
        }
        let properties = json!({ "_embedded": embedded, "_links": reference("schemas", "links"), "page": page });
        json!({ "type": "object", "properties": properties, "required": required })
    }
}

/// What a body names.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whole {
    Creation,
    Replacement,
    Merge,
}

/// Whatever else is in it is ignored, as the old front ends need it.
fn object(fields: &[Field], required: &[&str]) -> Value {
    written(fields, required, sent)
}

/// A form knows no null, and one without fields is no body.
fn form(fields: &[Field], required: &[&str]) -> Value {
    let value = |field: &Field| if field.required { sent(field) } else { asked(field) };
    with(written(fields, required, value), "minProperties", 1.into())
}

fn written(fields: &[Field], required: &[&str], value: impl Fn(&Field) -> Value) -> Value {
    let properties: Map<String, Value> = fields.iter().map(|field| (field.name.to_owned(), value(field))).collect();
    let schema = json!({ "type": "object", "properties": properties });
    if required.is_empty() { schema } else { with(schema, "required", json!(required)) }
}

/// A command: it may come again, and may be finished later.
fn later(entry: Entry) -> Entry {
    let accepted =
        Answer::hal("it is finished later; the link leads to what becomes of it", reference("schemas", "command"));
    let accepted = accepted.with("Location").with("Retry-After").with("Preference-Applied");
    entry.takes("Idempotency-Key").takes("Prefer").answer(StatusCode::ACCEPTED, accepted)
}
