//! Canceling (F9): done at once, whatever pay does. The answer waits for the date.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Booking, BookingEvent, BookingRejection, Phase};
use crate::actors::{
    entity::{Ask, AskError, Command, CommandContext, Continuation, Decision, Effects, Step, persist},
    systems::stay::calendar::{Calendar, CalendarRejection, FreeDate},
};

/// The step in which the date is given back. Part of command ids: on disk, never rename.
const FREE_DATE: &str = "free-date";

/// How long the answer waits for the calendar, which is of the same service. A date that is not free then
/// is given back by the policy [`FreeDates`](super::super::FreeDates).
const FREES_WITHIN: Duration = Duration::from_secs(2);

/// Cancels a booking.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CancelBooking;

impl Command<Booking> for CancelBooking {
    const NAME: &'static str = "cancel-booking";
    type Reply = ();
    fn decide(self, booking: &Booking, _: &CommandContext) -> Decision<Booking, ()> {
        if booking.phase != Phase::Booked {
            return Err(BookingRejection::Gone);
        }
        let (details, attempt) = (booking.details.clone(), booking.attempt);
        let claim = booking.holds_a_date().then_some(booking.claim);
        let canceled = persist([BookingEvent::BookCanceled { details, claim, attempt }]);
        Ok(if booking.holds_a_date() { canceled.then(Booking::free_date) } else { canceled.reply(()) })
    }
}

/// The calendar's answer to [`CancelBooking`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FinishCancellation {
    /// Whether the date is free.
    pub outcome: Result<(), AskError<CalendarRejection>>,
}

impl Command<Booking> for FinishCancellation {
    const NAME: &'static str = "finish-cancellation";
    type Reply = ();
    fn decide(self, booking: &Booking, _: &CommandContext) -> Decision<Booking, ()> {
        match booking.phase {
            Phase::Freeing => Ok(persist([BookingEvent::CancellationDone]).reply(())),
            Phase::New | Phase::Paying | Phase::GivenUp | Phase::Booked | Phase::Canceled => Ok(Effects::reply(())),
        }
    }
}

impl Booking {
    /// Used by the decision and by recovery, so that they cannot differ.
    pub(super) fn free_date(&self) -> Continuation<Self, ()> {
        let calendar = Calendar::of(self.details.room_id.unwrap_or_default());
        let usedate = self.details.usedate.expect("only a booking that holds a date is freeing it");
        let free = FreeDate { usedate, claim: self.claim };
        Ask::<Calendar, _>::once(Step(FREE_DATE, 1), calendar, free, FREES_WITHIN)
            .then(|outcome| FinishCancellation { outcome })
    }
}
