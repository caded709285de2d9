use serde::{Deserialize, Serialize};

use crate::actors::systems::{Refusal, RefusalClass, procurement::values::InvalidValue};

/// Why a procurement number does not do what it was asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
pub enum DeliveryRequestRejection {
    /// The request has a value that cannot be stored.
    #[error(transparent)]
    Invalid(#[from] InvalidValue),
    /// The request was canceled, or there never was one.
    #[error("there is no such request (any more)")]
    Gone,
    /// There is no inspection result yet, or no longer.
    #[error("there is no such inspection result")]
    NoResult,
    /// A live request has this procurement number (D-2).
    #[error("this procurement number is in use")]
    Duplicate,
    /// The `Idempotency-Key` was used for another request.
    #[error("this request's number was drawn for another request")]
    KeyReused,
    /// A step is in progress; its end is near.
    #[error("another request for this procurement number is being worked on")]
    Busy,
    /// The request names another procurement number than the one that the item has.
    #[error("the procurement number cannot be changed")]
    OtherProcNo,
    /// A company is assigned: what is demanded is fixed.
    #[error("a company is assigned, what is demanded cannot be changed any more")]
    Assigned,
    /// The inspection was passed: its result is final, and the request stays (D-5).
    #[error("the inspection is passed, which is final")]
    Passed,
    /// The delivery management refuses results of this agency (D-10).
    #[error("results of this agency are refused")]
    AgencyRefused,
    /// No delivery order has this procurement number, so nobody can be told of the result.
    #[error("no delivery order has this procurement number")]
    NoOrder,
}

impl Refusal for DeliveryRequestRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::Invalid(value) => value.code(),
            Self::Gone => "NO_SUCH_REQUEST",
            Self::NoResult => "NO_SUCH_RESULT",
            Self::Duplicate => "DUPLICATE_PROC_NO",
            Self::KeyReused => "IDEMPOTENCY_KEY_REUSED",
            Self::Busy => "IN_PROGRESS",
            Self::OtherProcNo => "IMMUTABLE",
            Self::Assigned => "ALREADY_ASSIGNED",
            Self::Passed => "INSPECTION_PASSED",
            Self::AgencyRefused => "AGENCY_REFUSED",
            Self::NoOrder => "NO_DELIVERY_ORDER",
        }
    }
    fn class(&self) -> RefusalClass {
        match self {
            Self::Invalid(value) => value.class(),
            Self::Gone | Self::NoResult => RefusalClass::Gone,
            Self::Duplicate
            | Self::KeyReused
            | Self::Busy
            | Self::OtherProcNo
            | Self::Assigned
            | Self::Passed
            | Self::AgencyRefused
            | Self::NoOrder => RefusalClass::Conflict,
        }
    }
    fn field(&self) -> Option<&'static str> {
        match self {
            Self::Invalid(value) => value.field(),
            Self::Gone
            | Self::NoResult
            | Self::Duplicate
            | Self::KeyReused
            | Self::Busy
            | Self::OtherProcNo
            | Self::Assigned
            | Self::Passed
            | Self::AgencyRefused
            | Self::NoOrder => None,
        }
    }
}
