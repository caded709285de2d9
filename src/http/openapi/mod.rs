//! The contract for programs, `OpenAPI` 3.1: collected from what resources and operators' routes declare.
//!
//! ```text
//! Resource::describe, Table::describe, gateway --Entry--> Document --finish--> /openapi.json, `steadfast openapi`
//! ```
//!
//! What is the same everywhere (how values are written, headers, refusals, who somebody is) is said once, in `components`.

mod door;
mod edge;
mod entry;
mod page;
mod refusals;
mod told;
mod values;

use http::Method;
use serde_json::{Map, Value, json};

use door::Door;
pub(crate) use door::{Access, Offers};
pub(crate) use edge::{asks, commands, itself, probes, roots};
pub(crate) use entry::{Answer, Entry};
pub(crate) use page::{is_page, page};
pub(crate) use refusals::{COMMAND, Condition, EVERY};
pub(crate) use told::Told;
pub(crate) use values::{asked, in_path, sent, shown};

/// Where the document is: at the root, below each system, and on the operators' listener.
pub(crate) const OPENAPI: &str = "openapi.json";

/// A document that is being collected.
#[derive(Debug)]
pub(crate) struct Document {
    title: String,
    about: &'static str,
    paths: Map<String, Value>,
    schemas: Map<String, Value>,
    tags: Vec<(String, String)>,
    door: Door,
}

impl Document {
    fn new(title: impl Into<String>, about: &'static str, door: Door) -> Self {
        Self { title: title.into(), about, paths: Map::new(), schemas: Map::new(), tags: Vec::new(), door }
    }

    /// One method of one path. The first that is told of it stays.
    pub(crate) fn add(&mut self, path: impl Into<String>, method: &Method, entry: Entry) {
        if !self.tags.iter().any(|(known, _)| known == entry.tag()) {
            self.tags.push((entry.tag().to_owned(), String::new()));
        }
        let of_path = self.paths.entry(path).or_insert_with(|| json!({}));
        if let Some(of_path) = of_path.as_object_mut() {
            of_path.entry(method.as_str().to_lowercase()).or_insert_with(|| entry.written(self.door));
        }
    }

    /// What a tag stands for; tags come in the order in which they are told of.
    pub(crate) fn tag(&mut self, name: &str, about: impl Into<String>) {
        match self.tags.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = about.into(),
            None => self.tags.push((name.to_owned(), about.into())),
        }
    }

    /// A schema that answers refer to by `name`.
    pub(crate) fn schema(&mut self, name: impl Into<String>, schema: Value) {
        self.schemas.insert(name.into(), schema);
    }

    /// The whole.
    pub(crate) fn finish(self) -> Value {
        let mut schemas = self.schemas;
        schemas.extend(values::components());
        schemas.extend(refusals::schemas());
        let tags: Value =
            self.tags
                .into_iter()
                .map(|(name, about)| {
                    if about.is_empty() {
                        json!({ "name": name })
                    } else {
                        json!({ "name": name, "description": about })
                    }
                })
                .collect();
        let mut whole = json!({
            "openapi": "3.1.0",
            "info": {
                "title": self.title,
                "version": env!("CARGO_PKG_VERSION"),
                "description": self.about,
                "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
            },
            "tags": tags,
            "security": self.door.usual(),
            "paths": self.paths,
        });
        let mut components = json!({
            "schemas": schemas,
            "responses": refusals::responses(),
            "parameters": entry::parameters(),
            "headers": entry::headers(),
        });
        without_the_unused(&mut components, &whole);
        // referred to by name, not by $ref
        components = with(components, "securitySchemes", self.door.schemes());
        if let Some(whole) = whole.as_object_mut() {
            whole.insert("components".into(), components);
        }
        whole
    }
}

/// A reference to a component.
pub(crate) fn reference(section: &str, name: &str) -> Value {
    json!({ "$ref": format!("#/components/{section}/{name}") })
}

/// An object with this member as well.
pub(crate) fn with(mut object: Value, name: &str, member: Value) -> Value {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), member);
    }
    object
}

/// A document has no component that nothing in it refers to.
fn without_the_unused(components: &mut Value, whole: &Value) {
    loop {
        let mut used = Vec::new();
        references(whole, &mut used);
        references(components, &mut used);
        let mut dropped = false;
        for (section, members) in components.as_object_mut().into_iter().flatten() {
            let Some(members) = members.as_object_mut() else { continue };
            let before = members.len();
            members.retain(|name, _| used.iter().any(|used| *used == format!("#/components/{section}/{name}")));
            dropped |= members.len() < before;
        }
        if !dropped {
            return;
        }
    }
}

fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|member| references(member, found));
        }
        Value::Array(members) => members.iter().for_each(|member| references(member, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    #[test]
    fn only_what_is_referred_to_is_a_component() {
        let mut document = Document::of_clients("x", "", Offers::default());
        document.schema("seen", json!({ "items": reference("schemas", "within") }));
        document.schema("within", json!({}));
        document.schema("unseen", json!({ "items": reference("schemas", "with-it") }));
        document.schema("with-it", json!({}));
        let answer = Answer::json("it", reference("schemas", "seen"));
        let entry = Entry::new("t", "x", "X").access(Access::Open).answer(StatusCode::OK, answer);
        document.add("/x", &Method::GET, entry);
        let whole = document.finish();
        let names: Vec<&String> = whole["components"]["schemas"].as_object().unwrap().keys().collect();
        assert_eq!(names, ["seen", "within"]);
        assert_eq!(whole["tags"], json!([{ "name": "t" }]));
        assert_eq!(whole["paths"]["/x"]["get"]["operationId"], "x");
    }
}
