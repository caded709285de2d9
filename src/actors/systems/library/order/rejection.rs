use serde::{Deserialize, Serialize};

use crate::actors::systems::{Refusal, RefusalClass, library::values::InvalidValue};

/// Why an order does not do what it was asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
pub enum OrderRejection {
    /// The request has a value that no order can have.
    #[error(transparent)]
    Invalid(#[from] InvalidValue),
    /// There never was such an order.
    #[error("there is no such order")]
    Gone,
    /// The same order is being placed by another request.
    #[error("the order is being placed")]
    Placing,
    /// The same order was placed before.
    #[error("the order exists already")]
    AlreadyPlaced,
    /// An earlier try of the same order was given up so late that its rent existed and was canceled.
    #[error("this order was given up and its rent canceled; send it as a new one")]
    GivenUp,
    /// The book is on its way (D-2).
    #[error("the book is shipped already")]
    AlreadyShipped,
    /// The order is cancelled, for good.
    #[error("the order is cancelled")]
    AlreadyCancelled,
    /// The request changes what is fixed when an order is placed.
    #[error("an order cannot be changed, only cancelled")]
    Immutable,
}

impl Refusal for OrderRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::Invalid(value) => value.code(),
            Self::Gone => "NO_SUCH_ORDER",
            Self::Placing => "PLACING_IN_PROGRESS",
            Self::AlreadyPlaced => "ALREADY_PLACED",
            Self::GivenUp => "GIVEN_UP",
            Self::AlreadyShipped => "ALREADY_SHIPPED",
            Self::AlreadyCancelled => "ALREADY_CANCELLED",
            Self::Immutable => "IMMUTABLE",
        }
    }
    fn class(&self) -> RefusalClass {
        match self {
            Self::Invalid(value) => value.class(),
            Self::Gone => RefusalClass::Gone,
            Self::Placing
            | Self::AlreadyPlaced
            | Self::GivenUp
            | Self::AlreadyShipped
            | Self::AlreadyCancelled
            | Self::Immutable => RefusalClass::Conflict,
        }
    }
    fn field(&self) -> Option<&'static str> {
        match self {
            Self::Invalid(value) => value.field(),
            Self::Gone
            | Self::Placing
            | Self::AlreadyPlaced
            | Self::GivenUp
            | Self::AlreadyShipped
            | Self::AlreadyCancelled
            | Self::Immutable => None,
        }
    }
}
