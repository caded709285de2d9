//! Representations: items and collections with their links.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    coerce::{Field, FieldType},
    members::Members,
    request::percent_encode,
};

/// One item of a resource, before it has links.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Its key: the last segment of its address.
    pub key: Value,
    /// Sequence of its last event, its entity tag; `None` for rows that are no entity.
    pub sequence: Option<u64>,
    /// Its fields, in any order; what is not there is null.
    pub fields: Members,
}

/// How items of a resource look.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    /// Path segment and key in `_embedded`.
    pub(crate) collection: &'static str,
    /// The link of an item beside `self`.
    pub(crate) relation: &'static str,
    pub(crate) key: Field,
    /// In order of declaration, without the key.
    pub(crate) fields: Vec<Field>,
    /// Whether lists come in pages; else all rows come unless a page is asked for.
    pub(crate) paged: bool,
}

/// Where a representation is seen from.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Scheme, host and the system's prefix, without a slash at the end.
    pub(crate) base: String,
    /// The collection as the client spelled it.
    pub(crate) asked: String,
}

impl Shape {
    /// Address of the item with this key.
    pub(crate) fn href(&self, key: &Value, place: &Place) -> String {
        let key = key.as_str().map_or_else(|| key.to_string(), percent_encode);
        [&place.base, "/", self.collection, "/", &key].concat()
    }

    /// The item with its links: key first, then the fields in order of declaration, links last.
    pub(crate) fn item(&self, item: &Item, place: &Place) -> Vec<u8> {
        let mut to = Vec::with_capacity(WRITTEN);
        self.write(item, place, &mut to);
        to
    }

    /// The items under the collection's name, and also under the name the client used; `rest` behind them.
    pub(crate) fn list(&self, items: &[Item], place: &Place, rest: &Map<String, Value>) -> Vec<u8> {
        let mut list = Vec::with_capacity(WRITTEN * items.len());
        for item in items {
            list.push(if list.is_empty() { b'[' } else { b',' });
            self.write(item, place, &mut list);
        }
        let list = if list.is_empty() {
            &b"[]"[..]
        } else {
            list.push(b']');
            &list
        };
        let mut to = Vec::with_capacity(list.len() + WRITTEN);
        to.extend_from_slice(br#"{"_embedded":{"#);
        if place.asked != self.collection {
            write_name(&place.asked, &mut to);
            to.extend_from_slice(list);
            to.push(b',');
        }
        write_name(self.collection, &mut to);
        to.extend_from_slice(list);
        to.push(b'}');
        for (name, value) in rest {
            to.push(b',');
            write_name(name, &mut to);
            write_value(value, &mut to);
        }
        to.push(b'}');
        to
    }

    fn write(&self, item: &Item, place: &Place, to: &mut Vec<u8>) {
        to.push(b'{');
        write_name(self.key.name, to);
        write_value(&item.key, to);
        for field in &self.fields {
            to.push(b',');
            write_name(field.name, to);
            match item.fields.get(field.name) {
                None => to.extend_from_slice(b"null"),
                Some(value) => match (field.kind, value.as_f64()) {
                    // It has a fraction, also when it was made of an integer.
                    (FieldType::Double, Some(double)) => write_json(&double, to),
                    _ => write_value(value, to),
                },
            }
        }
        let href = self.href(&item.key, place);
        to.extend_from_slice(br#","_links":{"self":{"href":"#);
        write_text(&href, to);
        to.extend_from_slice(b"},");
        write_name(self.relation, to);
        to.extend_from_slice(br#"{"href":"#);
        write_text(&href, to);
        to.extend_from_slice(b"}}}");
    }
}

/// What most items take, written.
const WRITTEN: usize = 256;

fn write_name(name: &str, to: &mut Vec<u8>) {
    write_text(name, to);
    to.push(b':');
}

fn write_value(value: &Value, to: &mut Vec<u8>) {
    match value {
        Value::String(text) => write_text(text, to),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => write_json(value, to),
    }
}

/// A text as JSON has it. Nearly all are written as they are.
fn write_text(text: &str, to: &mut Vec<u8>) {
    if is_plain(text.as_bytes()) {
        to.reserve(text.len() + 2);
        to.push(b'"');
        to.extend_from_slice(text.as_bytes());
        to.push(b'"');
    } else {
        write_json(text, to);
    }
}

/// Whether no byte is a control character, a quote or a backslash; eight at a time, the last eight once more.
fn is_plain(text: &[u8]) -> bool {
    let (words, rest) = text.as_chunks::<8>();
    match text.last_chunk::<8>() {
        Some(last) => words.iter().chain([last]).all(|word| is_plain_word(u64::from_le_bytes(*word))),
        None => rest.iter().all(|byte| !matches!(byte, 0..b' ' | b'"' | b'\\')),
    }
}

/// The same of eight bytes: <https://graphics.stanford.edu/~seander/bithacks.html>, "a zero byte" and "a byte less than n".
fn is_plain_word(word: u64) -> bool {
    const ONES: u64 = u64::MAX / 255;
    const HIGHS: u64 = ONES << 7;
    let below = |word: u64, n: u8| word.wrapping_sub(ONES * u64::from(n)) & !word;
    let has = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    (below(word, b' ') | has(b'"') | has(b'\\')) & HIGHS == 0
}

fn write_json<T: Serialize + ?Sized>(value: &T, to: &mut Vec<u8>) {
    serde_json::to_writer(to, value).expect("texts are the names, and memory takes what is written");
}

/// A link that is no template.
pub(crate) fn link(href: impl Into<String>) -> Value {
    json!({ "href": href.into() })
}

/// A link that is a template.
pub(crate) fn template(href: impl Into<String>) -> Value {
    json!({ "href": href.into(), "templated": true })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The orders of http-conventions, section 4.
    pub(crate) fn orders() -> Shape {
        let fields = vec![Field::long("productId"), Field::int("quantity"), Field::text("status")];
        Shape { collection: "orders", relation: "order", key: Field::long("id"), fields, paged: true }
    }

    pub(crate) fn order(id: u64) -> Item {
        let fields = json!({"status": "order", "quantity": 3, "productId": 1, "hidden": true});
        Item { key: id.into(), sequence: Some(2), fields: Members::of(&fields).unwrap() }
    }

    pub(crate) fn place(asked: &str) -> Place {
        Place { base: "http://localhost:8088".into(), asked: asked.into() }
    }

    fn read(written: &[u8]) -> Value {
        serde_json::from_slice(written).unwrap()
    }

    #[test]
    fn an_item_is_written_as_the_conventions_show_it() {
        let expected = r#"{
  "id": 1,
  "productId": 1,
  "quantity": 3,
  "status": "order",
  "_links": {
    "self": {
      "href": "http://localhost:8088/orders/1"
    },
    "order": {
      "href": "http://localhost:8088/orders/1"
    }
  }
}"#;
        let written = orders().item(&order(1), &place("orders"));
        assert_eq!(serde_json::to_string_pretty(&read(&written)).unwrap(), expected);
        assert_eq!(written, read(&written).to_string().as_bytes(), "without a blank that JSON does not need");
    }

    #[test]
    fn doubles_have_a_fraction_and_absent_fields_are_null() {
        let fields = vec![Field::double("price"), Field::text("name")];
        let shape =
            Shape { collection: "product", relation: "product", key: Field::text("productId"), fields, paged: true };
        let fields = Members::of(&json!({"price": 20000})).unwrap();
        let item = Item { key: "CD 1".into(), sequence: None, fields };
        let text = String::from_utf8(shape.item(&item, &place("product"))).unwrap();
        assert!(text.starts_with(r#"{"productId":"CD 1","price":20000.0,"name":null,"_links""#), "{text}");
        assert!(text.contains(r#""href":"http://localhost:8088/product/CD%201""#), "{text}");
    }

    #[test]
    fn whatever_a_field_holds_is_read_as_it_was() {
        let names = ["a", "b", "c", "d", "e", "f", "g"];
        let fields: Vec<Field> = names.map(Field::text).into();
        let shape = Shape { collection: "rows", relation: "row", key: Field::text("key"), fields, paged: true };
        let held = json!({
            "a": "\"quoted\" \\ and\nbroken\u{0}", "b": "대한민국 \u{1f600}", "c": "", "d": true,
            "e": [1, {"x": "\""}], "f": -0.5, "g": "\u{7f}\u{2028}",
        });
        let item = Item { key: "\"x\"/é".into(), sequence: None, fields: Members::of(&held).unwrap() };
        let shown = read(&shape.item(&item, &place("rows")));
        assert_eq!(shown["key"], item.key);
        for name in names {
            assert_eq!(shown[name], held[name], "{name}");
        }
        assert_eq!(shown["_links"]["row"]["href"], "http://localhost:8088/rows/%22x%22%2F%C3%A9");
    }

    #[test]
    fn another_spelling_of_the_collection_gets_the_items_under_both() {
        let rest = json!({"page": {"size": 20}}).as_object().unwrap().clone();
        let list = |items: &[Item], asked: &str| read(&orders().list(items, &place(asked), &rest));
        let one = read(&orders().item(&order(1), &place("orders")));
        assert_eq!(
            list(&[order(1)], "ORDERS"),
            json!({"_embedded": {"ORDERS": [one], "orders": [one]}, "page": {"size": 20}})
        );
        assert_eq!(list(&[], "orders"), json!({"_embedded": {"orders": []}, "page": {"size": 20}}));
        let two = [one, read(&orders().item(&order(2), &place("orders")))];
        assert_eq!(list(&[order(1), order(2)], "orders")["_embedded"], json!({"orders": two}));
    }

    #[test]
    fn every_text_is_written_as_serde_writes_it_wherever_its_bytes_stand() {
        for length in 0..20 {
            for at in 0..length {
                for odd in (0..=0x7f).map(char::from).chain(['é', '漢', '\u{80}', '\u{7ff}', '🦀']) {
                    let text: String = (0..length).map(|n| if n == at { odd } else { 'x' }).collect();
                    let mut written = Vec::new();
                    write_text(&text, &mut written);
                    assert_eq!(written, serde_json::to_vec(&text).unwrap(), "{text:?}");
                }
            }
        }
    }
}
