//! Which values a client may send (D-1, D-3), and what names an order from outside of it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::actors::{
    entity::{Key, Number, NumberedId},
    systems::{Refusal, RefusalClass},
};

/// A field of a request, as clients write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Field {
    /// `item`
    Item,
    /// `orderId`
    OrderId,
    /// `status`
    Status,
}

impl Field {
    /// The field's name in a body.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Item => "item",
            Self::OrderId => "orderId",
            Self::Status => "status",
        }
    }
}

/// A value that no state of the library accepts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum InvalidValue {
    /// The request does not say what it has to, or says it with blanks only.
    #[error("{} is required", .0.name())]
    Missing(Field),
    /// The status is not one that a client may ask for here.
    #[error("the status \"{given}\" cannot be asked for here, only {}", quoted(.expected))]
    WrongStatus {
        /// What it may be.
        expected: Vec<String>,
        /// What was sent.
        given: String,
    },
    /// The text is longer than the library keeps.
    #[error("{} must have at most {most} characters", .field.name())]
    TooLong {
        /// Which.
        field: Field,
        /// The most characters that are accepted.
        most: usize,
    },
}

fn quoted(texts: &[String]) -> String {
    texts.iter().map(|text| format!("\"{text}\"")).collect::<Vec<_>>().join(" or ")
}

impl InvalidValue {
    pub(super) fn status(expected: &[&str], given: &str) -> Self {
        let expected = expected.iter().map(|&text| text.to_owned()).collect();
        Self::WrongStatus { expected, given: given.to_owned() }
    }
}

impl Refusal for InvalidValue {
    fn code(&self) -> &'static str {
        match self {
            Self::Missing(_) => "MISSING_VALUE",
            Self::TooLong { .. } => "INVALID_VALUE",
            Self::WrongStatus { .. } => "INVALID_STATUS",
        }
    }
    fn class(&self) -> RefusalClass {
        RefusalClass::Invalid
    }
    fn field(&self) -> Option<&'static str> {
        Some(match self {
            Self::Missing(field) | Self::TooLong { field, .. } => field.name(),
            Self::WrongStatus { .. } => Field::Status.name(),
        })
    }
}

/// D-1: a missing or empty status means the first one.
pub(super) fn first_status(expected: &str, given: Option<&str>) -> Result<(), InvalidValue> {
    match given {
        Some(given) if !given.is_empty() && given != expected => Err(InvalidValue::status(&[expected], given)),
        Some(_) | None => Ok(()),
    }
}

/// The key of what belongs to the order with this number: there is one rent and one delivery for each, so
/// that whoever wants one meets the same stream, which decides alone (D-5). On disk: never change.
pub fn key_of_order(order: u64) -> NumberedId {
    NumberedId::Key(Key::new(format!("order-{order}")).expect("a short text without control characters"))
}

/// The order that a client's `Long` names: 0, which no order has, when it names none.
pub fn named_order(id: Option<i64>) -> u64 {
    id.and_then(|id| u64::try_from(id).ok()).unwrap_or(0)
}

/// What rents and deliveries tell the bus.
pub(super) fn of_order(number: Number, order_id: u64, status: &str) -> Map<String, Value> {
    fields([("id", number.get().into()), ("orderId", order_id.into()), ("status", status.into())])
}

/// The fields of an event on the bus, in this order.
pub(super) fn fields<const N: usize>(fields: [(&str, Value); N]) -> Map<String, Value> {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
