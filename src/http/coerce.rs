//! What a client may write for a field of some type. The old clients send every value as a string.

use serde_json::{Map, Value};

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
    fn nothing(self) -> Value {
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
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
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

/// The coerced, declared fields of a request. What the client did not send is absent here, which a merge
/// needs to know; the readers below give what absence means.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fields {
    given: Map<String, Value>,
}

impl Fields {
    /// The declared fields of `body` that clients may send. Everything else (`_links`, the key, typing errors) is
    /// ignored.
    ///
    /// # Errors
    /// A 400 that names the first field that cannot be coerced.
    pub fn of(declared: &[Field], body: &Map<String, Value>) -> Result<Self, Problem> {
        let mut given = Map::new();
        for field in declared.iter().filter(|field| !field.read_only) {
            if let Some(value) = body.get(field.name) {
                given.insert(field.name.to_owned(), field.coerce(value)?);
            }
        }
        Ok(Self { given })
    }

    /// The same with every declared field: a replacement sets what it does not name to null or 0.
    #[must_use]
    pub fn or_nothing(mut self, declared: &[Field]) -> Self {
        let whole = declared.iter().filter(|field| !field.read_only).map(|field| {
            let value = self.given.remove(field.name).unwrap_or_else(|| field.nothing());
            (field.name.to_owned(), value)
        });
        self.given = whole.collect();
        self
    }

    /// Refuses a required field that is there and empty: absent counts only after [`Fields::or_nothing`].
    ///
    /// # Errors
    /// A 400 that names the first such field.
    pub(crate) fn require(&self, declared: &[Field]) -> Result<(), Problem> {
        self.first_empty(declared, |value| value.is_some_and(is_blank))
    }

    /// Refuses a required field that is not there, or empty.
    ///
    /// # Errors
    /// A 400 that names the first such field.
    pub(crate) fn require_all(&self, declared: &[Field]) -> Result<(), Problem> {
        self.first_empty(declared, |value| value.is_none_or(is_blank))
    }

    fn first_empty(&self, declared: &[Field], is_empty: fn(Option<&Value>) -> bool) -> Result<(), Problem> {
        let mut required = declared.iter().filter(|field| field.required && !field.read_only);
        required
            .find(|field| is_empty(self.given.get(field.name)))
            .map_or(Ok(()), |field| Err(Problem::missing(field.name)))
    }

    /// Everything that the client sent.
    pub fn given(&self) -> &Map<String, Value> {
        &self.given
    }

    /// Whether the client sent the field, null included.
    pub fn has(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    /// An integer; `None` when absent or null.
    pub fn integer(&self, name: &str) -> Option<i64> {
        self.given.get(name)?.as_i64()
    }

    /// A number; `None` when absent or null.
    pub fn double(&self, name: &str) -> Option<f64> {
        self.given.get(name)?.as_f64()
    }

    /// A truth value; `None` when absent or null.
    pub fn boolean(&self, name: &str) -> Option<bool> {
        self.given.get(name)?.as_bool()
    }

    /// A text; `None` when absent or null.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.given.get(name)?.as_str()
    }

    /// A text of its own; `None` when absent or null.
    pub fn string(&self, name: &str) -> Option<String> {
        self.text(name).map(str::to_owned)
    }

    /// A 32-bit integer; 0 when absent or null, as a Java primitive has it.
    pub fn int(&self, name: &str) -> i32 {
        self.small(name).unwrap_or(0)
    }

    /// A 32-bit integer; `None` when absent or null.
    pub fn small(&self, name: &str) -> Option<i32> {
        self.integer(name).and_then(|integer| i32::try_from(integer).ok())
    }

    /// The public number of some entity; `None` when absent, null or not positive.
    pub fn id(&self, name: &str) -> Option<u64> {
        self.integer(name).and_then(|integer| u64::try_from(integer).ok()).filter(|number| *number > 0)
    }

    /// What `read` makes of the field when the client sent it, null included; `None` when it keeps what it has.
    pub fn sent<T>(&self, name: &str, read: impl FnOnce(&Self, &str) -> T) -> Option<T> {
        self.has(name).then(|| read(self, name))
    }

    /// As JSON with the fields in order of their declaration: equal requests give equal texts, whatever
    /// the media type and order they came in.
    pub(crate) fn canonical(&self) -> String {
        serde_json::to_string(&self.given).expect("a map of JSON values is JSON")
    }
}

fn is_blank(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty())
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
        let accepted = [(json!(1), json!(1)), (json!(" 1 "), json!(1)), (json!("-3"), json!(-3))];
        let refused = [json!("abc"), json!("1.5"), json!(1.5), json!(true), json!([1]), json!({}), json!(1e30)];
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

    #[test]
    fn a_wrong_field_is_named_and_an_unknown_one_ignored() {
        let declared = [Field::long("productId"), Field::int("quantity")];
        let body = |value: Value| value.as_object().unwrap().clone();
        let wrong = Fields::of(&declared, &body(json!({"quantity": "abc"}))).unwrap_err();
        assert!(format!("{wrong:?}").contains("quantity must be"), "{wrong:?}");
        let fields = Fields::of(&declared, &body(json!({"_links": {}, "id": "x", "quantity": "2"}))).unwrap();
        assert_eq!(fields.canonical(), r#"{"quantity":2}"#);
        assert!(!fields.has("productId"));
    }

    #[test]
    fn a_replacement_sets_what_is_absent_to_nothing() {
        let declared = [Field::long("productId"), Field::int("quantity")];
        let fields = Fields::of(&declared, &Map::new()).unwrap().or_nothing(&declared);
        assert_eq!((fields.has("productId"), fields.integer("productId")), (true, None));
        assert_eq!(fields.integer("quantity"), Some(0));
    }

    #[test]
    fn null_stays_null_where_the_old_field_was_no_primitive() {
        let declared = [Field::int("procPrice").nullable(), Field::int("quantity")];
        let body = json!({"procPrice": "", "quantity": ""});
        let fields = Fields::of(&declared, body.as_object().unwrap()).unwrap();
        assert_eq!(fields.canonical(), r#"{"procPrice":null,"quantity":0}"#);
        assert_eq!((fields.small("procPrice"), fields.small("quantity")), (None, Some(0)));
        assert_eq!(fields.sent("procPrice", Fields::small), Some(None));
        assert_eq!(Fields::default().sent("procPrice", Fields::small), None);
    }

    #[test]
    fn what_is_the_systems_is_not_taken_from_a_client() {
        let declared = [Field::text("name"), Field::text("status").read_only()];
        let body = json!({"name": "호텔", "status": ["not even a text"]});
        let fields = Fields::of(&declared, body.as_object().unwrap()).unwrap().or_nothing(&declared);
        assert_eq!(fields.canonical(), r#"{"name":"호텔"}"#);
    }

    #[test]
    fn a_required_field_is_there_and_not_blank_and_a_merge_may_leave_it_out() {
        let declared = [Field::text("host").required(), Field::int("price").required(), Field::text("name")];
        let of = |body: Value| Fields::of(&declared, body.as_object().unwrap()).unwrap();
        for (body, named) in [
            (json!({"price": 1}), "host is missing"),
            (json!({"host": " ", "price": 1}), "host is missing"),
            (json!({"host": "x", "price": ""}), "price is missing"),
            (json!({"host": "x"}), "price is missing"),
        ] {
            let whole = of(body.clone()).or_nothing(&declared).require(&declared).unwrap_err();
            let call = of(body.clone()).require_all(&declared).unwrap_err();
            assert!(format!("{whole:?}").contains(named) && format!("{call:?}").contains(named), "{body}");
        }
        assert!(of(json!({"host": "x", "price": 0})).require_all(&declared).is_ok());
        assert!(of(json!({"name": null})).require(&declared).is_ok());
        assert_eq!(of(json!({"host": null})).require(&declared).unwrap_err().status(), 400);
    }

    #[test]
    fn only_a_positive_number_names_an_entity() {
        let declared = [Field::long("roomId")];
        for (given, expected) in [("7", Some(7)), ("0", None), ("-7", None), ("", None)] {
            let body = json!({"roomId": given});
            assert_eq!(Fields::of(&declared, body.as_object().unwrap()).unwrap().id("roomId"), expected);
        }
    }
}
