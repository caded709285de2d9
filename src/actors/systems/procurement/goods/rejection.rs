use serde::{Deserialize, Serialize};

use crate::actors::systems::{Refusal, RefusalClass, procurement::values::InvalidValue};

/// Why a goods delivery does not do what it was asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
pub enum GoodsRejection {
    /// The request has a value that cannot be stored.
    #[error(transparent)]
    Invalid(#[from] InvalidValue),
    /// The delivery is gone, or there never was one.
    #[error("there is no such goods delivery (any more)")]
    Gone,
    /// The procurement number has its one goods delivery.
    #[error("this procurement number has a goods delivery")]
    Duplicate,
    /// The delivery is being made; its end is near.
    #[error("the goods delivery of this procurement number is being made")]
    Busy,
    /// The request names another procurement number than the one that the delivery has.
    #[error("the procurement number cannot be changed")]
    OtherProcNo,
}

impl Refusal for GoodsRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::Invalid(value) => value.code(),
            Self::Gone => "NO_SUCH_GOODS_DELIVERY",
            Self::Duplicate => "DUPLICATE_PROC_NO",
            Self::Busy => "IN_PROGRESS",
            Self::OtherProcNo => "IMMUTABLE",
        }
    }
    fn class(&self) -> RefusalClass {
        match self {
            Self::Invalid(value) => value.class(),
            Self::Gone => RefusalClass::Gone,
            Self::Duplicate | Self::Busy | Self::OtherProcNo => RefusalClass::Conflict,
        }
    }
    fn field(&self) -> Option<&'static str> {
        match self {
            Self::Invalid(value) => value.field(),
            Self::Gone | Self::Duplicate | Self::Busy | Self::OtherProcNo => None,
        }
    }
}
