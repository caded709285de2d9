use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::actors::{
    entity::{DomainEvent, Number},
    systems::stay::values::{InvalidValue, StayDetails},
};

/// What a row of the history says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PaymentStatus {
    /// The guest paid.
    PayApproved,
    /// The money went back.
    PayCanceled,
}

impl PaymentStatus {
    /// The status as clients and the bus see it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PayApproved => "PayApproved",
            Self::PayCanceled => "PayCanceled",
        }
    }

    /// # Errors
    /// A text that is neither of the two (D-5).
    pub(super) fn parse(text: &str) -> Result<Self, InvalidValue> {
        [Self::PayApproved, Self::PayCanceled]
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| InvalidValue::WrongStatus(text.chars().take(super::super::values::MAX_CHARACTERS).collect()))
    }
}

/// Whose doing a row is. Not on the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    /// A booking was made, or canceled.
    Booking,
    /// A booking was given up that nobody has seen (D-10).
    Void,
    /// A client recorded it.
    Client,
}

/// What happens to a row of the history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum PaymentEvent {
    /// The guest paid.
    PayApproved {
        /// The booking.
        book_id: u64,
        /// What of that booking.
        details: StayDetails,
        /// Whose doing it is.
        cause: Cause,
    },
    /// The money went back.
    PayCanceled {
        /// The booking.
        book_id: u64,
        /// What of that booking.
        details: StayDetails,
        /// Whose doing it is.
        cause: Cause,
    },
    /// Internal: the money of this approval goes back; a row of its own will say so.
    RefundDue {
        /// The booking.
        book_id: u64,
        /// Which try of it was paid for.
        attempt: u32,
        /// What of that booking.
        details: StayDetails,
        /// Whose doing it is.
        cause: Cause,
    },
    /// Internal: whoever wanted the approval gave up before it came.
    ApprovalVoided,
}

impl DomainEvent for PaymentEvent {
    const PUBLIC: &'static [&'static str] = &[PaymentStatus::PayApproved.as_str(), PaymentStatus::PayCanceled.as_str()];

    fn name(&self) -> &'static str {
        match self {
            Self::PayApproved { .. } => PaymentStatus::PayApproved.as_str(),
            Self::PayCanceled { .. } => PaymentStatus::PayCanceled.as_str(),
            Self::RefundDue { .. } => "RefundDue",
            Self::ApprovalVoided => "ApprovalVoided",
        }
    }
    fn on_bus(&self, number: Number) -> Map<String, Value> {
        match self {
            Self::PayApproved { book_id, details, .. } | Self::PayCanceled { book_id, details, .. } => {
                details.on_bus([("id", number.get()), ("bookId", *book_id)], self.name())
            }
            Self::RefundDue { .. } | Self::ApprovalVoided => Map::new(),
        }
    }
}
