//! How values are written: what clients may send, and what they are shown. The readers are in `coerce`.

use serde_json::{Map, Value, json};

use super::reference;
use crate::{
    Key,
    http::{Field, FieldType},
};

/// A value that an item shows: null when it has none.
pub(crate) fn shown(field: &Field) -> Value {
    let mut schema = plain(field.kind);
    if !field.primitive
        && !field.required
        && let Some(kind) = schema.get_mut("type")
    {
        *kind = json!([kind.take(), "null"]);
    }
    schema
}

/// A value that a body may have for a field.
pub(crate) fn sent(field: &Field) -> Value {
    let mut schema = reference("schemas", &name(field.kind, if field.required { "needed" } else { "sent" }));
    if field.primitive
        && let Some(schema) = schema.as_object_mut()
    {
        schema.insert("default".into(), 0.into());
    }
    schema
}

/// A value that a query parameter may have for a field.
pub(crate) fn asked(field: &Field) -> Value {
    reference("schemas", &name(field.kind, "asked"))
}

/// The key of an item, in its path.
pub(crate) fn in_path(key: &Field) -> Value {
    let schema = match key.kind {
        FieldType::Text => json!({ "type": "string", "minLength": 1, "maxLength": Key::MAX_BYTES }),
        FieldType::Long | FieldType::Int | FieldType::Double | FieldType::Boolean => {
            json!({ "type": "integer", "format": "int64", "minimum": 1, "maximum": i64::MAX })
        }
    };
    json!({ "name": key.name, "in": "path", "required": true, "schema": schema })
}

const KINDS: [FieldType; 5] = [FieldType::Long, FieldType::Int, FieldType::Double, FieldType::Boolean, FieldType::Text];

fn name(kind: FieldType, how: &str) -> String {
    format!("{}.{how}", format!("{kind:?}").to_lowercase())
}

/// Each way of writing, by name.
pub(super) fn components() -> Map<String, Value> {
    let of = |kind: FieldType| {
        let named = |how: &'static str, schema: Value| (name(kind, how), schema);
        [
            named(
                "sent",
                either(kind, "It, or its text as the old clients send it; null or empty for none.", true, true),
            ),
            named("needed", either(kind, "It, or its text as the old clients send it.", false, true)),
            named("asked", either(kind, "It; empty for none.", true, false)),
        ]
    };
    KINDS.into_iter().flat_map(of).collect()
}

/// What stands for a value of this kind: itself, and the texts that mean it.
fn either(kind: FieldType, about: &str, empty: bool, in_body: bool) -> Value {
    let mut ways = vec![plain(kind)];
    match text(kind) {
        Some(pattern) if empty => ways.push(json!({ "type": "string", "pattern": format!("^\\s*$|^({pattern})$") })),
        Some(pattern) => ways.push(json!({ "type": "string", "pattern": format!("^({pattern})$") })),
        // any text is one, and so are the texts of other values
        None if in_body => ways.push(json!({ "type": ["number", "boolean"] })),
        None => {}
    }
    if kind == FieldType::Text && !empty {
        ways = vec![json!({ "type": "string", "pattern": "\\S" }), json!({ "type": ["number", "boolean"] })];
    }
    if empty && in_body {
        ways.push(json!({ "type": "null" }));
    }
    if let [_] = ways.as_slice() {
        return ways.remove(0);
    }
    json!({ "description": about, "anyOf": ways })
}

fn plain(kind: FieldType) -> Value {
    match kind {
        FieldType::Long => json!({ "type": "integer", "format": "int64", "minimum": i64::MIN, "maximum": i64::MAX }),
        FieldType::Int => json!({ "type": "integer", "format": "int32", "minimum": i32::MIN, "maximum": i32::MAX }),
        FieldType::Double => json!({ "type": "number", "format": "double" }),
        FieldType::Boolean => json!({ "type": "boolean" }),
        FieldType::Text => json!({ "type": "string" }),
    }
}

/// The texts that are read as a value of this kind; of the numbers those that certainly fit.
fn text(kind: FieldType) -> Option<&'static str> {
    match kind {
        FieldType::Long => Some("\\s*[+-]?[0-9]{1,18}\\s*"),
        FieldType::Int => Some("\\s*[+-]?[0-9]{1,9}\\s*"),
        FieldType::Double => Some("\\s*[+-]?([0-9]{1,15}(\\.[0-9]{0,15})?|\\.[0-9]{1,15})([eE][+-]?[0-9]{1,2})?\\s*"),
        FieldType::Boolean => Some("true|True|TRUE|false|False|FALSE"),
        FieldType::Text => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the schema takes a value: as far as these schemas go.
    fn takes(schema: &Value, value: &Value) -> bool {
        if let Some(ways) = schema["anyOf"].as_array() {
            return ways.iter().any(|way| takes(way, value));
        }
        let is = |kind: &str| match kind {
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            "boolean" => value.is_boolean(),
            "string" => value.is_string(),
            _ => value.is_null(),
        };
        let types = schema["type"].as_array().cloned().unwrap_or_else(|| vec![schema["type"].clone()]);
        let in_bounds = |bound: &str, is: fn(i128, i128) -> bool| {
            let whole = |value: &Value| value.as_i64().map(i128::from).or(value.as_u64().map(i128::from));
            match (whole(value), whole(&schema[bound])) {
                (Some(value), Some(bound)) => is(value, bound),
                _ => true,
            }
        };
        types.iter().any(|kind| is(kind.as_str().unwrap()))
            && in_bounds("minimum", |value, bound| value >= bound)
            && in_bounds("maximum", |value, bound| value <= bound)
            && schema.get("pattern").is_none()
    }

    #[test]
    fn what_is_no_text_is_taken_exactly_when_the_contract_has_it() {
        let values = [
            json!(0),
            json!(1.5),
            json!(-3),
            json!(i64::MAX),
            json!(u64::MAX),
            json!(i32::MAX),
            json!(2_147_483_648_i64),
            json!(true),
            json!(null),
            json!([1]),
            json!({"a": 1}),
        ];
        let schemas = components();
        for (field, how) in [
            (Field::long("f"), "long.sent"),
            (Field::int("f"), "int.sent"),
            (Field::double("f"), "double.sent"),
            (Field::boolean("f"), "boolean.sent"),
            (Field::text("f"), "text.sent"),
        ] {
            for value in &values {
                assert_eq!(field.coerce(value).is_ok(), takes(&schemas[how], value), "{how} of {value}");
            }
        }
    }

    #[test]
    fn a_required_value_is_never_null() {
        let schemas = components();
        for kind in KINDS {
            assert!(takes(&schemas[&name(kind, "sent")], &Value::Null), "{kind:?}");
            assert!(!takes(&schemas[&name(kind, "needed")], &Value::Null), "{kind:?}");
        }
    }
}
