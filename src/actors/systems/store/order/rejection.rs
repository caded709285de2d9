use serde::{Deserialize, Serialize};

use crate::actors::systems::{Refusal, RefusalClass, store::values::InvalidValue};

/// Why an order does not do what it was asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
pub enum OrderRejection {
    /// The request has a value that no order can have.
    #[error(transparent)]
    Invalid(#[from] InvalidValue),
    /// The order was canceled, or there never was one.
    #[error("there is no such order (any more)")]
    Gone,
    /// The same order is being placed by another request.
    #[error("the order is being placed")]
    Placing,
    /// The same order was placed before.
    #[error("the order exists already")]
    AlreadyPlaced,
    /// Another request cancels the order; wait for how that ends.
    #[error("the order is being canceled")]
    Canceling,
    /// The request changes what is fixed when an order is placed (D-4).
    #[error("an order cannot be changed, only canceled")]
    Immutable,
}

impl Refusal for OrderRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::Invalid(value) => value.code(),
            Self::Gone => "NO_SUCH_ORDER",
            Self::Placing => "PLACING_IN_PROGRESS",
            Self::AlreadyPlaced => "ALREADY_PLACED",
            Self::Canceling => "CANCELLATION_IN_PROGRESS",
            Self::Immutable => "IMMUTABLE",
        }
    }
    fn class(&self) -> RefusalClass {
        match self {
            Self::Invalid(value) => value.class(),
            Self::Gone => RefusalClass::Gone,
            Self::Placing | Self::AlreadyPlaced | Self::Canceling | Self::Immutable => RefusalClass::Conflict,
        }
    }
    fn field(&self) -> Option<&'static str> {
        match self {
            Self::Invalid(value) => value.field(),
            Self::Gone | Self::Placing | Self::AlreadyPlaced | Self::Canceling | Self::Immutable => None,
        }
    }
}
