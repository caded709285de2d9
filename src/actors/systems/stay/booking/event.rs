use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::actors::{
    entity::{DomainEvent, Number},
    systems::stay::values::StayDetails,
};

pub(super) const BOOKED: &str = "Booked";

/// What happens to a booking.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum BookingEvent {
    /// Internal: pay is asked.
    PayingStarted {
        /// The booking's number.
        number: Number,
        /// What is booked.
        details: StayDetails,
        /// How the room's calendar knows it.
        claim: u32,
        /// Whether the calendar keeps a date for it.
        holds: bool,
        /// Counted from 1.
        attempt: u32,
        /// How long pay has to answer.
        within: Duration,
    },
    /// Internal: there is no such booking, for pay did not agree.
    PayingGivenUp {
        /// Why.
        reason: String,
    },
    /// Whether this try was paid for is not known; it must not be (D-10).
    PaymentVoidRequested {
        /// Which try.
        attempt: u32,
    },
    /// It is paid for, and stands.
    Booked {
        /// What is booked.
        details: StayDetails,
    },
    /// The guest does not come.
    BookCanceled {
        /// What was booked.
        details: StayDetails,
        /// The claim on the date that is free now; none when it held none. Not on the bus.
        claim: Option<u32>,
        /// The try that was paid for. Not on the bus.
        attempt: u32,
    },
    /// Internal: the calendar has the date back, or will be told again.
    CancellationDone,
}

impl DomainEvent for BookingEvent {
    const PUBLIC: &'static [&'static str] = &["PaymentVoidRequested", BOOKED, "BookCanceled"];

    fn name(&self) -> &'static str {
        match self {
            Self::PayingStarted { .. } => "PayingStarted",
            Self::PayingGivenUp { .. } => "PayingGivenUp",
            Self::PaymentVoidRequested { .. } => "PaymentVoidRequested",
            Self::Booked { .. } => BOOKED,
            Self::BookCanceled { .. } => "BookCanceled",
            Self::CancellationDone => "CancellationDone",
        }
    }

    fn on_bus(&self, number: Number) -> Map<String, Value> {
        match self {
            Self::Booked { details } | Self::BookCanceled { details, .. } => {
                details.on_bus([("id", number.get())], self.name())
            }
            Self::PaymentVoidRequested { .. } => Map::from_iter([("bookId".to_owned(), number.get().into())]),
            Self::PayingStarted { .. } | Self::PayingGivenUp { .. } | Self::CancellationDone => Map::new(),
        }
    }
}
