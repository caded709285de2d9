//! What the declarations say, as `OpenAPI` 3.1: nothing of it is written by hand.

use http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::{Finder, Procedure, Resource};
use crate::http::{Field, FieldType, status::COMMANDS};

/// The document of these resources, each under its prefix.
pub(crate) fn document<'a>(resources: impl IntoIterator<Item = (&'a Resource, String)>) -> Value {
    let (mut paths, mut schemas) = (Map::new(), Map::new());
    for (resource, prefix) in resources {
        paths.entry(format!("{prefix}/{COMMANDS}/{{id}}")).or_insert_with(|| json!({ "get": status() }));
        resource.describe(&prefix, &mut paths);
        if resource.has_items() {
            schemas.insert(resource.schema_name(), resource.schema());
        }
    }
    schemas.insert("problem".into(), problem());
    schemas.insert("command".into(), command());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "steadfast",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Numbers and booleans may be sent as texts, as the old clients do. Unknown properties are \
                            ignored.",
        },
        "paths": paths,
        "components": { "schemas": schemas },
    })
}

impl Resource {
    fn schema_name(&self) -> String {
        format!("{}.{}", self.system, self.shape.relation)
    }

    fn schema(&self) -> Value {
        let shown = std::iter::once(&self.shape.key).chain(&self.shape.fields);
        let mut properties: Map<String, Value> = shown.map(|field| (field.name.to_owned(), shown_as(field))).collect();
        properties.insert("_links".into(), json!({ "type": "object" }));
        json!({ "type": "object", "properties": properties })
    }

    fn describe(&self, prefix: &str, paths: &mut Map<String, Value>) {
        let own = format!("{prefix}/{}", self.shape.collection);
        let tags = json!([if self.service.is_empty() { self.system } else { self.service }]);
        let mut add = |path: String, method: &str, mut operation: Value| {
            if let Some(operation) = operation.as_object_mut() {
                operation.insert("tags".into(), tags.clone());
                if method != "get" {
                    later(operation);
                }
            }
            if let Some(of_path) = paths.entry(path).or_insert_with(|| json!({})).as_object_mut() {
                of_path.insert(method.to_owned(), operation);
            }
        };
        if self.source.is_some() {
            let item = format!("{own}/{{{}}}", self.shape.key.name);
            add(own.clone(), "get", self.listing());
            add(item.clone(), "get", self.answering("the item", StatusCode::OK, &[path_key(&self.shape.key)], false));
            for (method, action) in [("put", &self.replace), ("patch", &self.merge)] {
                if action.is_some() {
                    let operation =
                        self.answering("the item as it is now", StatusCode::OK, &[path_key(&self.shape.key)], true);
                    add(item.clone(), method, operation);
                }
            }
            if self.remove.is_some() {
                let gone = json!({ "parameters": [path_key(&self.shape.key)], "responses": responses(StatusCode::NO_CONTENT, "it is gone", None) });
                add(item, "delete", gone);
            }
            for finder in &self.finders {
                add(format!("{own}/search/{}", finder.name), "get", self.finding(finder));
            }
        }
        if self.create.is_some() {
            add(own.clone(), "post", self.answering("it is new", StatusCode::CREATED, &[], true));
        }
        for procedure in &self.procedures {
            let path = if procedure.name.is_empty() { own.clone() } else { format!("{own}/{}", procedure.name) };
            add(path, &procedure.method.as_str().to_lowercase(), calling(procedure));
        }
    }

    fn listing(&self) -> Value {
        let paging = ["page", "size"].map(|name| query(name, &json!({ "type": "integer", "minimum": 0 })));
        let sort = query("sort", &json!({ "type": "string" }));
        let equality = self.shape.fields.iter().map(|field| query(field.name, &value(field)));
        let declared = self.filters.iter().map(|filter| query(filter.parameter.name, &value(&filter.parameter)));
        let parameters: Vec<Value> = paging.into_iter().chain([sort]).chain(equality).chain(declared).collect();
        json!({ "parameters": parameters, "responses": responses(StatusCode::OK, "a page of items", Some(self.collection())) })
    }

    fn finding(&self, finder: &Finder) -> Value {
        let found = if finder.single { self.reference() } else { self.collection() };
        let parameters = [query(finder.parameter.name, &value(&finder.parameter))];
        json!({ "parameters": parameters, "responses": responses(StatusCode::OK, "what was found", Some(found)) })
    }

    fn answering(&self, what: &str, status: StatusCode, parameters: &[Value], takes_body: bool) -> Value {
        let mut operation =
            json!({ "parameters": parameters, "responses": responses(status, what, Some(self.reference())) });
        if takes_body && let Some(operation) = operation.as_object_mut() {
            operation.insert("requestBody".into(), self.request());
        }
        operation
    }

    fn request(&self) -> Value {
        let own_key = self.natural_key.then_some(&self.shape.key);
        let taken = own_key.into_iter().chain(self.shape.fields.iter().filter(|field| !field.read_only));
        let properties: Map<String, Value> = taken.map(|field| (field.name.to_owned(), value(field))).collect();
        let schema = json!({ "type": "object", "properties": properties });
        json!({ "content": { "application/json": { "schema": schema } } })
    }

    fn reference(&self) -> Value {
        json!({ "$ref": format!("#/components/schemas/{}", self.schema_name()) })
    }

    fn collection(&self) -> Value {
        let items = json!({ "type": "array", "items": self.reference() });
        let mut embedded = Map::new();
        embedded.insert(self.shape.collection.to_owned(), items);
        let embedded = json!({ "type": "object", "properties": embedded });
        json!({ "type": "object", "properties": { "_embedded": embedded, "_links": { "type": "object" } } })
    }
}

fn calling(procedure: &Procedure) -> Value {
    let answer = json!({ "type": ["boolean", "string"] });
    let responses = responses(StatusCode::OK, "true, or false with the reason in X-Reason", Some(answer));
    let in_query: Vec<Value> = procedure.parameters.iter().map(|field| query(field.name, &value(field))).collect();
    let mut operation = json!({ "parameters": in_query, "responses": responses });
    if procedure.method == Method::POST
        && let Some(operation) = operation.as_object_mut()
    {
        let properties: Map<String, Value> =
            procedure.parameters.iter().map(|field| (field.name.to_owned(), value(field))).collect();
        let schema = json!({ "schema": { "type": "object", "properties": properties } });
        let content = json!({ "application/x-www-form-urlencoded": schema, "application/json": schema });
        operation.insert("requestBody".into(), json!({ "content": content }));
    }
    operation
}

fn responses(status: StatusCode, what: &str, schema: Option<Value>) -> Value {
    let mut good = json!({ "description": what });
    if let (Some(schema), Some(good)) = (schema, good.as_object_mut()) {
        good.insert("content".into(), json!({ "application/hal+json": { "schema": schema } }));
    }
    let refused = json!({ "schema": { "$ref": "#/components/schemas/problem" } });
    json!({
        (status.as_str()): good,
        "default": { "description": "a refusal", "content": { "application/problem+json": refused } },
    })
}

/// What became of a command whose answer left that open, or that is finished later.
fn status() -> Value {
    let id = json!({ "name": "id", "in": "path", "required": true, "schema": { "type": "string" } });
    let told = json!({ "schema": { "$ref": "#/components/schemas/command" } });
    let refused = json!({ "schema": { "$ref": "#/components/schemas/problem" } });
    json!({
        "tags": ["commands"],
        "parameters": [id],
        "responses": {
            "200": { "description": "what became of it", "content": { "application/json": told } },
            "default": { "description": "a refusal", "content": { "application/problem+json": refused } },
        },
    })
}

fn command() -> Value {
    let answer = json!({
        "type": "object",
        "description": "the answer that the request would have been given",
        "properties": { "status": { "type": "integer" }, "headers": { "type": "object" }, "body": {} },
    });
    let statuses = ["pending", "done", "refused", "not_done", "unknown"];
    json!({
        "type": "object",
        "properties": {
            "status": { "type": "string", "enum": statuses },
            "detail": { "type": "string" },
            "answer": answer,
            "_links": { "type": "object" },
        },
    })
}

/// `Prefer: respond-async`, and what that leads to when another service is not available.
fn later(operation: &mut Map<String, Value>) {
    let prefer = json!({
        "name": "Prefer",
        "in": "header",
        "description": "respond-async: what another service is needed for is finished when that is available",
        "schema": { "type": "string" },
    });
    if let Some(parameters) = operation.entry("parameters").or_insert_with(|| json!([])).as_array_mut() {
        parameters.push(prefer);
    }
    if let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) {
        let told = json!({ "schema": { "$ref": "#/components/schemas/command" } });
        let accepted = json!({
            "description": "it is finished later; the link leads to what becomes of it",
            "content": { "application/hal+json": told },
        });
        responses.insert("202".into(), accepted);
    }
}

fn path_key(key: &Field) -> Value {
    json!({ "name": key.name, "in": "path", "required": true, "schema": value(key) })
}

fn query(name: &str, schema: &Value) -> Value {
    json!({ "name": name, "in": "query", "schema": schema })
}

/// A value that a client sends.
fn value(field: &Field) -> Value {
    match field.kind {
        FieldType::Long => json!({ "type": "integer", "format": "int64" }),
        FieldType::Int => json!({ "type": "integer", "format": "int32" }),
        FieldType::Double => json!({ "type": "number", "format": "double" }),
        FieldType::Boolean => json!({ "type": "boolean" }),
        FieldType::Text => json!({ "type": "string" }),
    }
}

/// A value that an item shows: null when it has none.
fn shown_as(field: &Field) -> Value {
    let mut schema = value(field);
    if !field.primitive
        && let Some(kind) = schema.get_mut("type")
    {
        *kind = json!([kind.take(), "null"]);
    }
    schema
}

fn problem() -> Value {
    let text = || json!({ "type": "string" });
    json!({
        "type": "object",
        "properties": {
            "type": text(), "title": text(), "status": { "type": "integer" }, "detail": text(), "instance": text(),
            "timestamp": text(), "error": text(), "message": text(), "path": text(), "code": text(),
        },
    })
}
