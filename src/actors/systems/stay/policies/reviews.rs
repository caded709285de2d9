//! What the review service hears of bookings.

use crate::actors::{
    entity::{Dispatch, Policy, Recorded, send},
    systems::stay::{
        booking::{Booking, BookingEvent},
        review::{NoteBooking, NoteCancellation, Visit},
    },
};

/// The review service knows which bookings stand.
#[derive(Debug)]
pub struct KnowBookings;

impl Policy for KnowBookings {
    const NAME: &'static str = "stay.know-bookings";
    type Source = Booking;
    type Target = Visit;
    fn react(&self, event: &Recorded<Booking>) -> Vec<Dispatch<Visit>> {
        let visit = Visit::of(event.number.get());
        match &event.event {
            BookingEvent::Booked { details } => vec![send(&visit, NoteBooking(details.clone()))],
            BookingEvent::BookCanceled { .. } => vec![send(&visit, NoteCancellation)],
            BookingEvent::PayingStarted { .. }
            | BookingEvent::PayingGivenUp { .. }
            | BookingEvent::PaymentVoidRequested { .. }
            | BookingEvent::CancellationDone => Vec::new(),
        }
    }
}
