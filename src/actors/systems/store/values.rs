//! Which values a client may send (D-1, D-2, D-5).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::actors::systems::{Refusal, RefusalClass};

/// A field of a request, as clients write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Field {
    /// `orderId`
    OrderId,
    /// `productId`
    ProductId,
    /// `quantity`
    Quantity,
    /// `price`
    Price,
    /// `status`
    Status,
    /// `content`
    Content,
}

impl Field {
    /// The field's name in a body.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OrderId => "orderId",
            Self::ProductId => "productId",
            Self::Quantity => "quantity",
            Self::Price => "price",
            Self::Status => "status",
            Self::Content => "content",
        }
    }
}

/// A value that no state of the store accepts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum InvalidValue {
    /// The request names no order or product, or one with a number below 1.
    #[error("{} is required and is a positive number", .0.name())]
    NoId(Field),
    /// The number is too small.
    #[error("{} must be at least {least}", .field.name())]
    TooSmall {
        /// Which.
        field: Field,
        /// The smallest that is accepted.
        least: i32,
    },
    /// The status is not the one with which a thing begins.
    #[error("a new one has the status \"{expected}\", not \"{given}\"")]
    WrongStatus {
        /// What it would have to be.
        expected: String,
        /// What was sent.
        given: String,
    },
    /// The text is longer than the store keeps.
    #[error("{} must have at most {most} characters", .field.name())]
    TooLong {
        /// Which.
        field: Field,
        /// The most characters that are accepted.
        most: usize,
    },
}

impl Refusal for InvalidValue {
    fn code(&self) -> &'static str {
        match self {
            Self::NoId(_) => "MISSING_VALUE",
            Self::TooSmall { .. } | Self::TooLong { .. } => "INVALID_VALUE",
            Self::WrongStatus { .. } => "INVALID_STATUS",
        }
    }
    fn class(&self) -> RefusalClass {
        RefusalClass::Invalid
    }
    fn field(&self) -> Option<&'static str> {
        Some(match self {
            Self::NoId(field) | Self::TooSmall { field, .. } | Self::TooLong { field, .. } => field.name(),
            Self::WrongStatus { .. } => Field::Status.name(),
        })
    }
}

/// The id that a client's `Long` names: 0, which no order and no product has, when it names none.
pub fn named(id: Option<i64>) -> u64 {
    id.and_then(|id| u64::try_from(id).ok()).unwrap_or(0)
}

pub(super) fn id(field: Field, id: u64) -> Result<(), InvalidValue> {
    if id == 0 { Err(InvalidValue::NoId(field)) } else { Ok(()) }
}

pub(super) fn at_least(least: i32, field: Field, value: i32) -> Result<(), InvalidValue> {
    if value < least { Err(InvalidValue::TooSmall { field, least }) } else { Ok(()) }
}

/// D-1: a missing or empty status means the first one.
pub(super) fn first_status(expected: &str, given: Option<&str>) -> Result<(), InvalidValue> {
    match given {
        Some(given) if !given.is_empty() && given != expected => {
            Err(InvalidValue::WrongStatus { expected: expected.to_owned(), given: given.to_owned() })
        }
        Some(_) | None => Ok(()),
    }
}

/// Whether a change leaves a value as it is; `None` does not touch it.
pub(super) fn keeps<T: PartialEq>(stored: &T, given: Option<&T>) -> bool {
    given.is_none_or(|given| given == stored)
}

/// The fields of an event on the bus, in this order.
pub(super) fn fields<const N: usize>(fields: [(&str, Value); N]) -> Map<String, Value> {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
