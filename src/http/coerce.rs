//! What a client may write for a field of some type. The old clients send every value as a string.

use serde_json::Value;

use super::Problem;

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldType {
    /// A 64-bit integer.
    Long,
    /// A 32-bit integer.
    Int,
    /// A finite floating-point number, always printed with a fraction.
    Double,
    /// True or false.
    Boolean,
    /// Text.
    Text,
}

/// A property of a resource.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name on the wire.
    pub name: &'static str,
    /// What it holds.
    pub kind: FieldType,
    /// A Java primitive of the old system: absent, null and empty mean 0, not null.
    pub primitive: bool,
    /// A creation or replacement without it is refused, and so is a procedure; a merge must not clear it.
    pub required: bool,
    /// The system's: shown, and ignored in what clients send.
    pub read_only: bool,
}

impl Field {
    const fn of(name: &'static str, kind: FieldType) -> Self {
        Self { name, kind, primitive: false, required: false, read_only: false }
    }
    /// A 64-bit integer or null.
    pub const fn long(name: &'static str) -> Self {
        Self::of(name, FieldType::Long)
    }
    /// A 32-bit integer; null means 0.
    pub const fn int(name: &'static str) -> Self {
        let mut field = Self::of(name, FieldType::Int);
        field.primitive = true;
        field
    }
    /// A floating-point number or null.
    pub const fn double(name: &'static str) -> Self {
        Self::of(name, FieldType::Double)
    }
    /// True, false or null.
    pub const fn boolean(name: &'static str) -> Self {
        Self::of(name, FieldType::Boolean)
    }
    /// Text or null.
    pub const fn text(name: &'static str) -> Self {
        Self::of(name, FieldType::Text)
    }

    /// Null stays null: a 32-bit integer that was an `Integer`, not an `int`.
    #[must_use]
    pub const fn nullable(mut self) -> Self {
        self.primitive = false;
        self
    }
    /// Absent, null and blank are refused with a 400 that names it.
    #[must_use]
    pub const fn required(mut self) -> Self {
        (self.primitive, self.required) = (false, true);
        self
    }
    /// Shown and never taken from a client.
    #[must_use]
    pub const fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// What absence and null mean.
    pub(super) fn nothing(self) -> Value {
        if self.primitive { Value::from(0) } else { Value::Null }
    }

    /// What `value` means for this field.
    ///
    /// # Errors
    /// A 400 that names the field.
    pub fn coerce(self, value: &Value) -> Result<Value, Problem> {
        let blank = value.as_str().is_some_and(|text| text.trim().is_empty());
        if value.is_null() || (blank && self.kind != FieldType::Text) {
            return Ok(self.nothing());
        }
        let (coerced, expected) = match self.kind {
            FieldType::Long => (integer(value).map(Value::from), "must be an integer"),
            FieldType::Int => {
                let int = integer(value).and_then(|number| i32::try_from(number).ok());
                (int.map(Value::from), "must be an integer of at most 32 bits")
            }
            FieldType::Double => (double(value).map(Value::from), "must be a finite number"),
            FieldType::Boolean => (boolean(value).map(Value::from), "must be true or false"),
            FieldType::Text => (text(value).map(Value::from), "must be a text"),
        };
        coerced.ok_or_else(|| Problem::field(self.name, expected))
    }
}

fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| whole(number.as_f64()?)),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// `3.0` is an integer for JSON Schema and for many writers of JSON; beyond 2^53 nobody knows which.
fn whole(number: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let is_whole = number.fract() == 0.0 && number.abs() <= EXACT;
    #[expect(clippy::cast_possible_truncation, reason = "it is whole, and within 53 bits")]
    is_whole.then_some(number as i64)
}

fn double(value: &Value) -> Option<f64> {
    let number: f64 = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => return None,
    };
    number.is_finite().then_some(number)
}

fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(bool) => Some(*bool),
        Value::String(text) => match text.as_str() {
            "true" | "True" | "TRUE" => Some(true),
            "false" | "False" | "FALSE" => Some(false),
            _ => None,
        },
        Value::Null | Value::Number(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(bool) => Some(bool.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(field: Field, accepted: &[(Value, Value)], refused: &[Value]) {
        for (given, expected) in accepted {
            assert_eq!(&field.coerce(given).unwrap(), expected, "{:?} of {given}", field.kind);
        }
        for given in refused {
            assert_eq!(field.coerce(given).unwrap_err().status(), 400, "{:?} of {given}", field.kind);
        }
    }

    #[test]
    fn integers() {
        let accepted =
            [(json!(1), json!(1)), (json!(" 1 "), json!(1)), (json!("-3"), json!(-3)), (json!(4.0), json!(4))];
        let refused =
            [json!("abc"), json!("1.5"), json!("1.0"), json!(1.5), json!(true), json!([1]), json!({}), json!(1e30)];
        check(Field::long("f"), &accepted, &refused);
        check(Field::int("f"), &accepted, &refused);
        let nothing = [json!(null), json!(""), json!(" ")];
        check(Field::long("f"), &nothing.clone().map(|given| (given, json!(null))), &[json!("9223372036854775808")]);
        check(Field::int("f"), &nothing.map(|given| (given, json!(0))), &[json!(2_147_483_648_i64)]);
    }

    #[test]
    fn doubles() {
        let accepted = [(json!(1), json!(1.0)), (json!("1.5"), json!(1.5)), (json!(""), json!(null))];
        let refused = [json!("x"), json!("NaN"), json!("Infinity"), json!("-inf"), json!("1e999"), json!(true)];
        check(Field::double("f"), &accepted, &refused);
    }

    #[test]
    fn booleans() {
        let accepted = [
            (json!(true), json!(true)),
            (json!("True"), json!(true)),
            (json!("FALSE"), json!(false)),
            (json!(""), json!(null)),
            (json!(null), json!(null)),
        ];
        check(Field::boolean("f"), &accepted, &[json!("yes"), json!("tRUE"), json!(1), json!(0), json!([])]);
    }

    #[test]
    fn texts() {
        let accepted = [
            (json!("호텔"), json!("호텔")),
            (json!(20_201_010), json!("20201010")),
            (json!(false), json!("false")),
            (json!(""), json!("")),
            (json!(null), json!(null)),
        ];
        check(Field::text("f"), &accepted, &[json!([]), json!({})]);
    }
}
