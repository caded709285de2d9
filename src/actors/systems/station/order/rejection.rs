use serde::{Deserialize, Serialize};

use crate::actors::systems::{Refusal, RefusalClass, station::values::InvalidValue};

/// Why an order does not do what it was asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
pub enum OrderRejection {
    /// The request has a value that no order can have.
    #[error(transparent)]
    Invalid(#[from] InvalidValue),
    /// Headquarters does not have the product.
    #[error("there is no product {product_id}")]
    UnknownProduct {
        /// Which.
        product_id: String,
    },
    /// The same order was placed before.
    #[error("the order exists already")]
    AlreadyPlaced,
    /// The order was canceled, or there never was one.
    #[error("there is no such order (any more)")]
    Gone,
    /// Another request cancels the order; wait for how that ends.
    #[error("the order is being canceled")]
    Canceling,
    /// The receipt is confirmed, or just being confirmed: what has come cannot be canceled (D-15).
    #[error("the receipt of the order is confirmed")]
    Confirmed,
}

impl Refusal for OrderRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::Invalid(value) => value.code(),
            Self::UnknownProduct { .. } => "UNKNOWN_PRODUCT",
            Self::AlreadyPlaced => "ALREADY_PLACED",
            Self::Gone => "NO_SUCH_ORDER",
            Self::Canceling => "CANCELLATION_IN_PROGRESS",
            Self::Confirmed => "ALREADY_CONFIRMED",
        }
    }
    fn class(&self) -> RefusalClass {
        match self {
            Self::Invalid(value) => value.class(),
            Self::Gone => RefusalClass::Gone,
            Self::UnknownProduct { .. } | Self::AlreadyPlaced | Self::Canceling | Self::Confirmed => {
                RefusalClass::Conflict
            }
        }
    }
    fn field(&self) -> Option<&'static str> {
        match self {
            Self::Invalid(value) => value.field(),
            Self::UnknownProduct { .. } | Self::AlreadyPlaced | Self::Gone | Self::Canceling | Self::Confirmed => None,
        }
    }
}
