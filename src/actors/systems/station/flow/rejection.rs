use serde::{Deserialize, Serialize};

use crate::actors::systems::{
    Refusal, RefusalClass,
    station::{stock::StockRejection, values::InvalidValue},
};

/// Why a row of the ledger does not do what it was asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
pub enum StockFlowRejection {
    /// The request has a value that no row can have.
    #[error(transparent)]
    Invalid(#[from] InvalidValue),
    /// The stock does not move.
    #[error(transparent)]
    Stock(#[from] StockRejection),
    /// No receipt is expected: there was no such order, nothing is shipped yet, or it was canceled.
    #[error("no receipt of this order is expected")]
    NoExpectedReceipt,
    /// The receipt was confirmed before.
    #[error("the receipt is confirmed already")]
    AlreadyConfirmed,
    /// Another request confirms the receipt; wait for how that ends.
    #[error("the receipt is being confirmed")]
    Confirming,
    /// More would come than is expected (D-14).
    #[error("more than the expected quantity cannot be confirmed")]
    MoreThanExpected,
    /// A row with this cause and other contents was written before.
    #[error("the row exists already")]
    AlreadyRecorded,
    /// POS has given up the sale that this row is for (D-8).
    #[error("the sale was given up before it came here")]
    Voided,
}

impl Refusal for StockFlowRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::Invalid(value) => value.code(),
            Self::Stock(stock) => stock.code(),
            Self::NoExpectedReceipt => "NO_EXPECTED_RECEIPT",
            Self::AlreadyConfirmed => "ALREADY_CONFIRMED",
            Self::Confirming => "CONFIRMATION_IN_PROGRESS",
            Self::MoreThanExpected => "MORE_THAN_EXPECTED",
            Self::AlreadyRecorded => "ALREADY_RECORDED",
            Self::Voided => "SALE_VOIDED",
        }
    }
    fn class(&self) -> RefusalClass {
        match self {
            Self::Invalid(value) => value.class(),
            Self::Stock(stock) => stock.class(),
            Self::NoExpectedReceipt => RefusalClass::Gone,
            Self::AlreadyConfirmed
            | Self::Confirming
            | Self::MoreThanExpected
            | Self::AlreadyRecorded
            | Self::Voided => RefusalClass::Conflict,
        }
    }
    fn field(&self) -> Option<&'static str> {
        match self {
            Self::Invalid(value) => value.field(),
            Self::Stock(_)
            | Self::NoExpectedReceipt
            | Self::AlreadyConfirmed
            | Self::Confirming
            | Self::MoreThanExpected
            | Self::AlreadyRecorded
            | Self::Voided => None,
        }
    }
}
