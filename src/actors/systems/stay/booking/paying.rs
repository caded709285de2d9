//! Paying: no booking without an approved payment (F5).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Booking, BookingEvent, BookingItem, BookingRejection, Phase, given_up_before, is_late, no_payment};
use crate::actors::{
    entity::{Ask, AskError, Command, CommandContext, Continuation, Decision, Effects, Outcome, Step, persist},
    systems::stay::{
        payment::{ApprovePayment, Payment, PaymentRejection},
        values::StayDetails,
    },
};

/// The step in which pay is asked; its round is the attempt. Part of command ids: on disk, never rename.
const APPROVE_PAYMENT: &str = "approve-payment";

/// Makes a booking of a date that the room's calendar has given. Answered when it is paid for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OpenBooking {
    /// What is booked; the calendar has checked it.
    pub details: StayDetails,
    /// How the calendar knows it: greater with every booking of the room.
    pub claim: u32,
    /// Whether the calendar keeps a date for it.
    pub holds: bool,
    /// How long pay has to answer.
    pub within: Duration,
}

impl Command<Booking> for OpenBooking {
    const NAME: &'static str = "open-booking";
    type Reply = BookingItem;
    fn decide(self, booking: &Booking, ctx: &CommandContext) -> Decision<Booking, BookingItem> {
        let Self { details, claim, holds, within } = self;
        let is_same = booking.details == details && booking.claim == claim;
        match booking.phase {
            // Another room has claims of its own.
            Phase::GivenUp if claim <= booking.claim && booking.details.room_id == details.room_id => {
                return Err(BookingRejection::GivenUp);
            }
            Phase::New | Phase::GivenUp => {}
            Phase::Paying => return Err(BookingRejection::Paying),
            Phase::Booked | Phase::Freeing | Phase::Canceled if is_same => {
                return Ok(Effects::reply(booking.booked()));
            }
            Phase::Booked | Phase::Freeing | Phase::Canceled => return Err(BookingRejection::AlreadyBooked),
        }
        let attempt = booking.attempt.saturating_add(1);
        let started = BookingEvent::PayingStarted { number: ctx.number, details, claim, holds, attempt, within };
        Ok(persist([started]).then(Booking::approve_payment))
    }
}

/// Pay's answer to [`OpenBooking`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FinishPaying {
    /// Whether it is approved, or why not.
    pub outcome: Result<(), AskError<PaymentRejection>>,
}

impl Command<Booking> for FinishPaying {
    const NAME: &'static str = "finish-paying";
    type Reply = BookingItem;
    fn decide(self, booking: &Booking, ctx: &CommandContext) -> Decision<Booking, BookingItem> {
        match booking.phase {
            Phase::Paying if !is_late(ctx, booking.paying_step()) => {}
            Phase::Booked | Phase::Freeing | Phase::Canceled => return Ok(Effects::reply(booking.booked())),
            Phase::New | Phase::Paying | Phase::GivenUp => {
                return Ok(persist([]).not_done(given_up_before()));
            }
        }
        let error = match self.outcome {
            Ok(()) => {
                let details = booking.details.clone();
                return Ok(persist([BookingEvent::Booked { details }]).reply(booking.booked()));
            }
            Err(error) => error,
        };
        let given_up = BookingEvent::PayingGivenUp { reason: error.to_string() };
        let void = BookingEvent::PaymentVoidRequested { attempt: booking.attempt };
        let events = if may_stand(&error) { vec![given_up, void] } else { vec![given_up] };
        Ok(persist(events).not_done(no_payment(&error)))
    }
}

/// Whether the approval may exist after this answer, or come to exist.
fn may_stand(error: &AskError<PaymentRejection>) -> bool {
    matches!(error, AskError::Rejected(PaymentRejection::AlreadyRecorded)) || error.outcome() == Outcome::Unknown
}

impl Booking {
    fn paying_step(&self) -> Step {
        Step(APPROVE_PAYMENT, self.attempt)
    }

    /// Used by the decision and by recovery, so that they cannot differ.
    pub(super) fn approve_payment(&self) -> Continuation<Self, BookingItem> {
        let (book_id, attempt) = (self.number.get(), self.attempt);
        let approve = ApprovePayment { book_id, attempt, details: self.details.clone() };
        Ask::<Payment, _>::once(self.paying_step(), Payment::approval(book_id, attempt), approve, self.within)
            .then(|outcome| FinishPaying { outcome })
    }
}
