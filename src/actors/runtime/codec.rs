//! Events from the bytes that some release wrote: names, versions, upcasters.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::actors::entity::{DomainEvent, Upcast};

/// An event that this program cannot read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnreadableEvent {
    /// Its bytes are not an event of this kind.
    #[error("{name} v{version} cannot be decoded: {why}")]
    Undecodable {
        /// Name of the event.
        name: Arc<str>,
        /// Version of its fields.
        version: u16,
        /// What serde says.
        why: String,
    },
    /// A later release wrote it, or an earlier one whose version nothing reads any more.
    #[error("{name} v{version} cannot be read: this program writes v{own}")]
    OtherVersion {
        /// Name of the event.
        name: Arc<str>,
        /// Version of its fields.
        version: u16,
        /// The version that this program writes.
        own: u16,
    },
}

/// Reads an event. One of an earlier version goes through its upcasters first.
pub(crate) fn decode<V: DomainEvent>(name: &str, version: u16, payload: &[u8]) -> Result<V, UnreadableEvent> {
    let undecodable =
        |error: serde_json::Error| UnreadableEvent::Undecodable { name: name.into(), version, why: error.to_string() };
    let (event, reached): (V, u16) = if next(V::UPCASTS, name, version).is_some() {
        let value = serde_json::from_slice(payload).map_err(undecodable)?;
        let (value, reached) = upcast(V::UPCASTS, name, version, value);
        (serde_json::from_value(value).map_err(undecodable)?, reached)
    } else {
        (serde_json::from_slice(payload).map_err(undecodable)?, version)
    };
    if event.version() == reached {
        return Ok(event);
    }
    Err(UnreadableEvent::OtherVersion { name: name.into(), version, own: event.version() })
}

fn next<'a>(upcasts: &'a [Upcast], name: &str, version: u16) -> Option<&'a Upcast> {
    upcasts.iter().find(|upcast| upcast.event == name && upcast.from == version)
}

/// As the newest version that upcasters lead to.
fn upcast(upcasts: &[Upcast], name: &str, version: u16, value: Value) -> (Value, u16) {
    let (mut name, mut version) = (name, version);
    // serde writes a variant as its name, or as an object of its name and its fields.
    let mut fields = match value {
        Value::Object(mut tagged) => tagged.remove(name).unwrap_or(Value::Null),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => Value::Null,
    };
    while let Some(upcast) = next(upcasts, name, version) {
        fields = (upcast.fields)(fields);
        (name, version) = (upcast.into, version.saturating_add(1));
    }
    let value = if fields.is_null() {
        Value::String(name.to_owned())
    } else {
        Value::Object(Map::from_iter([(name.to_owned(), fields)]))
    };
    (value, version)
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};
    use serde_json::json;

    use super::*;
    use crate::actors::entity::Number;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    enum Parcel {
        /// v1 was `Sent` with a weight in kilograms, v2 `Posted` with kilograms, v3 has grams.
        Posted {
            grams: u64,
        },
        Lost,
    }

    impl DomainEvent for Parcel {
        const PUBLIC: &'static [&'static str] = &[];
        const UPCASTS: &'static [Upcast] = &[
            Upcast { event: "Sent", from: 1, into: "Posted", fields: |fields| fields },
            Upcast {
                event: "Posted",
                from: 2,
                into: "Posted",
                fields: |fields| json!({"grams": fields["kilograms"].as_u64().map(|kilograms| kilograms * 1000)}),
            },
        ];
        fn name(&self) -> &'static str {
            match self {
                Self::Posted { .. } => "Posted",
                Self::Lost => "Lost",
            }
        }
        fn version(&self) -> u16 {
            if matches!(self, Self::Posted { .. }) { 3 } else { 1 }
        }
        fn on_bus(&self, _: Number) -> Map<String, Value> {
            Map::new()
        }
    }

    #[test]
    fn an_event_of_every_earlier_version_and_name_is_read_as_the_newest() {
        let posted = Parcel::Posted { grams: 2000 };
        assert_eq!(decode("Posted", 3, br#"{"Posted":{"grams":2000}}"#), Ok(posted.clone()));
        assert_eq!(decode("Posted", 2, br#"{"Posted":{"kilograms":2}}"#), Ok(posted.clone()));
        assert_eq!(decode("Sent", 1, br#"{"Sent":{"kilograms":2}}"#), Ok(posted));
        assert_eq!(decode("Lost", 1, br#""Lost""#), Ok(Parcel::Lost));
    }

    #[test]
    fn a_later_version_an_unread_one_and_an_unknown_name_are_named() {
        let later = decode::<Parcel>("Posted", 4, br#"{"Posted":{"grams":2000}}"#).unwrap_err();
        assert_eq!(later.to_string(), "Posted v4 cannot be read: this program writes v3");
        let unread = decode::<Parcel>("Lost", 2, br#""Lost""#).unwrap_err();
        assert!(matches!(unread, UnreadableEvent::OtherVersion { own: 1, .. }));
        let unknown = decode::<Parcel>("Burnt", 1, br#""Burnt""#).unwrap_err();
        assert!(unknown.to_string().starts_with("Burnt v1 cannot be decoded: unknown variant `Burnt`"), "{unknown}");
    }
}
