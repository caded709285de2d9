//! Representations: items and collections with their links.

use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value, json};

use super::{
    coerce::{Field, FieldType},
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
    pub fields: Map<String, Value>,
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

    /// How the item is shown.
    pub(crate) fn item<'a>(&'a self, item: &'a Item, place: &'a Place) -> Shown<'a> {
        Shown { shape: self, item, place }
    }

    /// The items under the collection's name, and also under the name the client used.
    pub(crate) fn embedded(&self, items: &[Item], place: &Place) -> Value {
        let items: Value = items.iter().map(|item| json!(self.item(item, place))).collect();
        let mut embedded = Map::new();
        if place.asked != self.collection {
            embedded.insert(place.asked.clone(), items.clone());
        }
        embedded.insert(self.collection.to_owned(), items);
        Value::Object(embedded)
    }
}

/// An item with its links, written straight away: key first, then the fields in order of declaration, links last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown<'a> {
    shape: &'a Shape,
    item: &'a Item,
    place: &'a Place,
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { shape, item, place } = *self;
        let mut object = serializer.serialize_map(Some(shape.fields.len() + 2))?;
        object.serialize_entry(shape.key.name, &item.key)?;
        let mut next = item.fields.iter();
        for field in &shape.fields {
            // Mostly they come in the order of declaration; nothing is looked up then.
            let value = match next.next() {
                Some((name, value)) if name == field.name => value,
                _ => item.fields.get(field.name).unwrap_or(&Value::Null),
            };
            match (field.kind, value.as_f64()) {
                // It has a fraction, also when it was made of an integer.
                (FieldType::Double, Some(double)) => object.serialize_entry(field.name, &double)?,
                _ => object.serialize_entry(field.name, value)?,
            }
        }
        object
            .serialize_entry("_links", &OwnLinks { relation: shape.relation, href: &shape.href(&item.key, place) })?;
        object.end()
    }
}

/// The links of an item to itself.
struct OwnLinks<'a> {
    relation: &'static str,
    href: &'a str,
}

impl Serialize for OwnLinks<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Link<'a> {
            href: &'a str,
        }
        let mut links = serializer.serialize_map(Some(2))?;
        links.serialize_entry("self", &Link { href: self.href })?;
        links.serialize_entry(self.relation, &Link { href: self.href })?;
        links.end()
    }
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
        Item { key: id.into(), sequence: Some(2), fields: fields.as_object().unwrap().clone() }
    }

    pub(crate) fn place(asked: &str) -> Place {
        Place { base: "http://localhost:8088".into(), asked: asked.into() }
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
        assert_eq!(serde_json::to_string_pretty(&orders().item(&order(1), &place("orders"))).unwrap(), expected);
    }

    #[test]
    fn doubles_have_a_fraction_and_absent_fields_are_null() {
        let fields = vec![Field::double("price"), Field::text("name")];
        let shape =
            Shape { collection: "product", relation: "product", key: Field::text("productId"), fields, paged: true };
        let fields = json!({"price": 20000}).as_object().unwrap().clone();
        let item = Item { key: "CD 1".into(), sequence: None, fields };
        let text = json!(shape.item(&item, &place("product"))).to_string();
        assert!(text.starts_with(r#"{"productId":"CD 1","price":20000.0,"name":null,"_links""#), "{text}");
        assert!(text.contains(r#""href":"http://localhost:8088/product/CD%201""#), "{text}");
    }

    #[test]
    fn another_spelling_of_the_collection_gets_the_items_under_both() {
        let embedded = orders().embedded(&[order(1)], &place("ORDERS"));
        assert_eq!(embedded["ORDERS"], embedded["orders"]);
        assert_eq!(embedded.as_object().unwrap().len(), 2);
        assert_eq!(orders().embedded(&[], &place("orders")), json!({"orders": []}));
    }
}
