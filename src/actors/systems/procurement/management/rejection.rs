use serde::{Deserialize, Serialize};

use crate::actors::systems::{Refusal, RefusalClass, procurement::values::InvalidValue};

/// Why a delivery order does not do what it was asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
pub enum ManagementRejection {
    /// The request has a value that cannot be stored.
    #[error(transparent)]
    Invalid(#[from] InvalidValue),
    /// There is no such order, not yet or at all.
    #[error("there is no such delivery order")]
    Unknown,
    /// The order is gone.
    #[error("there is no such delivery order any more")]
    Gone,
    /// The same order was posted before.
    #[error("the delivery order exists already")]
    AlreadyPosted,
    /// The request names another procurement number than the one that the order has.
    #[error("the procurement number cannot be changed")]
    OtherProcNo,
    /// The inspection was passed: company and goods are what was inspected.
    #[error("the inspection is passed, the delivery order cannot be changed any more")]
    Passed,
    /// The agency is the procurement service itself (D-10).
    #[error("results of this agency are refused")]
    AgencyRefused,
    /// The announcement was given up before it arrived.
    #[error("this announcement was given up")]
    Voided,
}

impl Refusal for ManagementRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::Invalid(value) => value.code(),
            Self::Unknown | Self::Gone => "NO_SUCH_DELIVERY_ORDER",
            Self::AlreadyPosted => "ALREADY_POSTED",
            Self::OtherProcNo => "IMMUTABLE",
            Self::Passed => "INSPECTION_PASSED",
            Self::AgencyRefused => "AGENCY_REFUSED",
            Self::Voided => "ANNOUNCEMENT_VOIDED",
        }
    }
    fn class(&self) -> RefusalClass {
        match self {
            Self::Invalid(value) => value.class(),
            Self::Unknown | Self::Gone => RefusalClass::Gone,
            Self::AlreadyPosted | Self::OtherProcNo | Self::Passed | Self::AgencyRefused | Self::Voided => {
                RefusalClass::Conflict
            }
        }
    }
    fn field(&self) -> Option<&'static str> {
        match self {
            Self::Invalid(value) => value.field(),
            Self::Unknown
            | Self::Gone
            | Self::AlreadyPosted
            | Self::OtherProcNo
            | Self::Passed
            | Self::AgencyRefused
            | Self::Voided => None,
        }
    }
}
