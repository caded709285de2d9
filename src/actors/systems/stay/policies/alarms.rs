//! Who is told of what (service alarm): guest and host of each payment, booking, cancellation and refund
//! (F6, F7, F11), in the words of section 8.
//!
//! A payment is approved before its booking is made, and may turn out to be for a booking that nobody will
//! ever see (D-10). A policy has no memory, so both alarms of such a payment are written when the booking is
//! made, which always follows; of a voided one nothing is written at all.

use crate::actors::{
    entity::{Dispatch, DispatchOrder, DomainEvent, Policy, Recorded, create},
    systems::stay::{
        alarm::{Alarm, Role, WriteAlarm},
        booking::{Booking, BookingEvent},
        payment::{Cause, Payment, PaymentEvent, PaymentStatus},
        review::{Review, ReviewEvent},
        values::StayDetails,
    },
};

/// Both are told of `message`.
fn both<'d>(message: &'d str, details: &'d StayDetails) -> impl Iterator<Item = Dispatch<Alarm>> + 'd {
    let StayDetails { name, host, guest, usedate, .. } = details;
    [(Role::Guest, guest), (Role::Host, host)].into_iter().map(move |(role, receiver)| {
        let (receiver, room, message) = (receiver.clone(), name.clone(), message.to_owned());
        create(WriteAlarm { receiver, role, message, room, usedate: *usedate })
    })
}

/// Tells of bookings, their payment and their cancellation.
#[derive(Debug)]
pub struct AlarmOnBookings;

impl Policy for AlarmOnBookings {
    const NAME: &'static str = "stay.alarm-on-bookings";
    type Source = Booking;
    type Target = Alarm;
    const ORDER: DispatchOrder = DispatchOrder::PerSource;
    fn react(&self, event: &Recorded<Booking>) -> Vec<Dispatch<Alarm>> {
        let name = event.event.name();
        match &event.event {
            BookingEvent::Booked { details } => {
                both(PaymentStatus::PayApproved.as_str(), details).chain(both(name, details)).collect()
            }
            BookingEvent::BookCanceled { details, .. } => both(name, details).collect(),
            BookingEvent::PayingStarted { .. }
            | BookingEvent::PayingGivenUp { .. }
            | BookingEvent::PaymentVoidRequested { .. }
            | BookingEvent::CancellationDone => Vec::new(),
        }
    }
}

/// Tells of refunds, and of payments that clients record.
#[derive(Debug)]
pub struct AlarmOnPayments;

impl Policy for AlarmOnPayments {
    const NAME: &'static str = "stay.alarm-on-payments";
    type Source = Payment;
    type Target = Alarm;
    const ORDER: DispatchOrder = DispatchOrder::PerSource;
    fn react(&self, event: &Recorded<Payment>) -> Vec<Dispatch<Alarm>> {
        let name = event.event.name();
        match &event.event {
            PaymentEvent::PayApproved { details, cause: Cause::Client, .. }
            | PaymentEvent::PayCanceled { details, cause: Cause::Client | Cause::Booking, .. } => {
                both(name, details).collect()
            }
            PaymentEvent::PayApproved { cause: Cause::Booking | Cause::Void, .. }
            | PaymentEvent::PayCanceled { cause: Cause::Void, .. }
            | PaymentEvent::RefundDue { .. }
            | PaymentEvent::ApprovalVoided => Vec::new(),
        }
    }
}

/// Tells the host of a review.
#[derive(Debug)]
pub struct AlarmOnReviews;

impl Policy for AlarmOnReviews {
    const NAME: &'static str = "stay.alarm-on-reviews";
    type Source = Review;
    type Target = Alarm;
    const ORDER: DispatchOrder = DispatchOrder::PerSource;
    fn react(&self, event: &Recorded<Review>) -> Vec<Dispatch<Alarm>> {
        let ReviewEvent::ReviewRegistered(text) = &event.event;
        let (receiver, room, message) = (text.host.clone(), text.name.clone(), event.event.name().to_owned());
        vec![create(WriteAlarm { receiver, role: Role::Host, message, room, usedate: text.usedate })]
    }
}
