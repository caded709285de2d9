use serde::{Deserialize, Serialize};

use crate::actors::systems::{Refusal, RefusalClass, library::values::InvalidValue};

/// Why a rent does not do what it was asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
pub enum RentRejection {
    /// The request has a value that no rent can have.
    #[error(transparent)]
    Invalid(#[from] InvalidValue),
    /// There never was such a rent.
    #[error("there is no such rent")]
    Gone,
    /// The order has given up waiting for this rent.
    #[error("the rent was called off before it was created")]
    Voided,
    /// The request asks for something else than the one change that a rent knows, or asks it of a
    /// canceled rent.
    #[error("a rent cannot be changed, only canceled once")]
    Immutable,
}

impl Refusal for RentRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::Invalid(value) => value.code(),
            Self::Gone => "NO_SUCH_RENT",
            Self::Voided => "RENT_VOIDED",
            Self::Immutable => "IMMUTABLE",
        }
    }
    fn class(&self) -> RefusalClass {
        match self {
            Self::Invalid(value) => value.class(),
            Self::Gone => RefusalClass::Gone,
            Self::Voided | Self::Immutable => RefusalClass::Conflict,
        }
    }
    fn field(&self) -> Option<&'static str> {
        match self {
            Self::Invalid(value) => value.field(),
            Self::Gone | Self::Voided | Self::Immutable => None,
        }
    }
}
