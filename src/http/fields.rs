//! The fields of a request, as its resource declares them.

use serde_json::{Map, Value};

use super::{Field, Problem};

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
