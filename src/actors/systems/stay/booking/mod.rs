//! A guest's booking (service booking): opened by the room's calendar, paid before anybody sees it.
//!
//! ```text
//!                    PayingStarted            Booked              BookCanceled            CancellationDone
//!   new, given up ----------------> paying -----------> booked ---------------> freeing -----------------> canceled
//!        ^                            |                    |                                                  ^
//!        +----------------------------+                    +---- BookCanceled, when it holds no date ---------+
//!             PayingGivenUp (503), with PaymentVoidRequested when pay's answer is not known (D-10)
//! ```
//!
//! Paying goes back when pay does not agree or its answer stays unknown. Canceling is done with its first
//! event and never waits for pay (F10); the answer only waits for the date, so that whoever hears of it can
//! book that date. A try that follows one that was given up has a number of its own for pay, since what was
//! voided stays so.

use std::{fmt::Display, time::Duration};

use serde::{Deserialize, Serialize};

use super::{calendar::Calendar, payment::Payment, values::StayDetails};
use crate::actors::{
    entity::{
        AnyContinuation, AskError, Command, CommandContext, Entity, Listed, Number, NumberedId, Presence, Step,
        Unavailable,
    },
    systems::{Refusal, RefusalClass},
};

mod canceling;
mod changing;
mod event;
mod paying;

pub use canceling::{CancelBooking, FinishCancellation};
pub use changing::ChangeBooking;
pub use event::BookingEvent;
pub use paying::{FinishPaying, OpenBooking};

/// When a guest may repeat what pay kept from being done: "come back a little later".
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(5);

/// One booking.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Booking {
    phase: Phase,
    /// The booking's own number, which its payment has to name.
    number: Number,
    details: StayDetails,
    /// How the room's calendar knows it.
    claim: u32,
    /// Whether the calendar keeps a date for it.
    holds: bool,
    /// Counted from 1 with every try to pay.
    attempt: u32,
    /// How long pay has to answer.
    within: Duration,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
enum Phase {
    #[default]
    New,
    Paying,
    GivenUp,
    Booked,
    Freeing,
    Canceled,
}

/// Why a booking does not do what it was asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
pub enum BookingRejection {
    /// The booking was canceled, or there never was one.
    #[error("there is no such booking (any more)")]
    Gone,
    /// The same booking is being paid for.
    #[error("the booking is being paid for")]
    Paying,
    /// The booking was given up for this claim: a late ask finds nothing to do.
    #[error("the booking was given up")]
    GivenUp,
    /// The same booking was made before, of something else.
    #[error("the booking exists already")]
    AlreadyBooked,
    /// The request changes what was paid for (D-4).
    #[error("a booking cannot be changed, only canceled")]
    Immutable,
}

impl Refusal for BookingRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::Gone => "NO_SUCH_BOOKING",
            Self::Paying => "PAYMENT_IN_PROGRESS",
            Self::GivenUp => "GIVEN_UP",
            Self::AlreadyBooked => "ALREADY_BOOKED",
            Self::Immutable => "IMMUTABLE",
        }
    }
    fn class(&self) -> RefusalClass {
        match self {
            Self::Gone => RefusalClass::Gone,
            Self::Paying | Self::GivenUp | Self::AlreadyBooked | Self::Immutable => RefusalClass::Conflict,
        }
    }
}

/// A booking as clients see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BookingItem {
    /// The booking's number.
    pub id: u64,
    /// What is booked.
    #[serde(flatten)]
    pub details: StayDetails,
    /// `Booked` (D-3).
    pub status: String,
}

impl Entity for Booking {
    const KIND: &'static str = "stay.booking";
    const SNAPSHOT: u32 = 1;
    type Id = NumberedId;
    type Event = BookingEvent;
    type Rejection = BookingRejection;
    const COMMANDS: &'static [&'static str] =
        &[OpenBooking::NAME, FinishPaying::NAME, CancelBooking::NAME, FinishCancellation::NAME, ChangeBooking::NAME];
    const ASKS: &'static [&'static str] = &[Payment::KIND, Calendar::KIND];

    fn evolve(&mut self, event: &BookingEvent) {
        match event {
            BookingEvent::PayingStarted { number, details, claim, holds, attempt, within } => {
                let (number, claim, holds, attempt, within) = (*number, *claim, *holds, *attempt, *within);
                *self = Self { phase: Phase::Paying, number, details: details.clone(), claim, holds, attempt, within };
            }
            BookingEvent::PayingGivenUp { .. } => self.phase = Phase::GivenUp,
            BookingEvent::PaymentVoidRequested { .. } => {}
            BookingEvent::Booked { .. } => self.phase = Phase::Booked,
            BookingEvent::BookCanceled { details, claim, attempt } => {
                (self.details, self.holds, self.attempt) = (details.clone(), claim.is_some(), *attempt);
                self.phase = if self.holds_a_date() { Phase::Freeing } else { Phase::Canceled };
            }
            BookingEvent::CancellationDone => self.phase = Phase::Canceled,
        }
    }

    fn resume(&self) -> Vec<AnyContinuation<Self>> {
        match self.phase {
            Phase::Paying => vec![self.approve_payment().erase()],
            Phase::Freeing => vec![self.free_date().erase()],
            Phase::New | Phase::GivenUp | Phase::Booked | Phase::Canceled => Vec::new(),
        }
    }
}

impl Listed for Booking {
    const LIST: &'static str = "stay.bookings";
    fn presence(&self) -> Presence {
        match self.phase {
            Phase::New | Phase::Paying | Phase::GivenUp => Presence::Hidden,
            Phase::Booked => Presence::Listed,
            Phase::Freeing | Phase::Canceled => Presence::Removed,
        }
    }
}

impl Booking {
    /// The booking as clients see it; `None` when there is none, not yet or any more.
    pub fn item(&self) -> Option<BookingItem> {
        (self.phase == Phase::Booked).then(|| self.booked())
    }

    fn holds_a_date(&self) -> bool {
        self.holds && self.details.usedate.is_some()
    }

    fn booked(&self) -> BookingItem {
        let (id, details) = (self.number.get(), self.details.clone());
        BookingItem { id, details, status: event::BOOKED.to_owned() }
    }

    /// What is booked, or was; `None` before anything was.
    pub fn details(&self) -> Option<&StayDetails> {
        (self.phase != Phase::New).then_some(&self.details)
    }
}

/// Whether a follow-up answers a step that is over. The runtime drops such answers; a rule that moves
/// money does not rely on it.
fn is_late(ctx: &CommandContext, open: Step) -> bool {
    ctx.answers.is_some_and(|answered| answered != open)
}

/// "Not done, come back later": what guests get when pay is to blame.
fn no_payment(error: &AskError<impl Display>) -> Unavailable {
    error.of_partner("stay/pay", RETRY_AFTER)
}

/// What is told to whoever comes with an answer to a try that is over.
fn given_up_before() -> Unavailable {
    Unavailable::given_up_before("stay/pay", RETRY_AFTER)
}
