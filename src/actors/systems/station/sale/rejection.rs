use serde::{Deserialize, Serialize};

use crate::actors::systems::{
    Refusal, RefusalClass,
    station::{flow::StockFlowRejection, values::InvalidValue},
};

/// Why a sale does not do what it was asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
pub enum SaleRejection {
    /// The request has a value that no sale can have.
    #[error(transparent)]
    Invalid(#[from] InvalidValue),
    /// The product is not on the menu.
    #[error("{product_id} is not on the menu")]
    UnknownProduct {
        /// Which.
        product_id: String,
    },
    /// The station does not give the fuel away (D-12).
    #[error("the station refuses: {0}")]
    Refused(StockFlowRejection),
    /// The same sale is being made by another request.
    #[error("the sale is being made")]
    Selling,
    /// The same sale was made before.
    #[error("the sale exists already")]
    AlreadySold,
    /// The sale was canceled, or there never was one.
    #[error("there is no such sale (any more)")]
    Gone,
    /// The request changes what was sold.
    #[error("a sale cannot be changed, only canceled")]
    Immutable,
}

impl Refusal for SaleRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::Invalid(value) => value.code(),
            Self::UnknownProduct { .. } => "UNKNOWN_PRODUCT",
            Self::Refused(station) => station.code(),
            Self::Selling => "SALE_IN_PROGRESS",
            Self::AlreadySold => "ALREADY_SOLD",
            Self::Gone => "NO_SUCH_SALE",
            Self::Immutable => "IMMUTABLE",
        }
    }
    fn class(&self) -> RefusalClass {
        match self {
            Self::Invalid(value) => value.class(),
            Self::Gone => RefusalClass::Gone,
            Self::UnknownProduct { .. } | Self::Refused(_) | Self::Selling | Self::AlreadySold | Self::Immutable => {
                RefusalClass::Conflict
            }
        }
    }
    fn field(&self) -> Option<&'static str> {
        match self {
            Self::Invalid(value) => value.field(),
            Self::UnknownProduct { .. }
            | Self::Refused(_)
            | Self::Selling
            | Self::AlreadySold
            | Self::Gone
            | Self::Immutable => None,
        }
    }
}
