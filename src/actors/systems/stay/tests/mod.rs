//! The rules of stay, each named by the requirement (F), decision (D) or scenario (N) of its document.

use super::*;
use crate::actors::{
    entity::*,
    systems::{Refusal, RefusalClass},
    testkit::{given, history, laws, reacts, recorded},
};

mod alarms;
mod bookings;
mod calendars;
mod conservation;
mod payments;
mod policies;
mod reviews;
mod rooms;
mod story;
mod values;
mod views;
mod world;

const LINK: Duration = PAY_WITHIN;

/// What a guest is told when pay does not answer.
const RETRY_AFTER: Duration = Duration::from_secs(5);

fn key(text: &str) -> NumberedId {
    NumberedId::Key(Key::new(text).unwrap())
}

fn date(text: &str) -> UseDate {
    UseDate::parse(text).unwrap()
}

#[expect(clippy::unnecessary_wraps, reason = "requests have optional texts")]
fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// The hotel of the document.
fn hotel() -> RoomFacts {
    RoomFacts { name: "호텔".into(), price: 1000, address: text("서울"), host: "Superman".into() }
}

/// What the guest of the document wants.
fn wish() -> StayWish {
    StayWish {
        room_id: 1,
        name: text("호텔"),
        price: Some(1000),
        address: text("서울"),
        host: text("Superman"),
        guest: text("배트맨"),
        usedate: text("20201010"),
    }
}

/// And gets.
fn details() -> StayDetails {
    wish().checked().unwrap()
}

fn booked_item(id: u64) -> BookingItem {
    BookingItem { id, details: details(), status: "Booked".into() }
}

/// Pay is asked by booking 1.
fn paying(attempt: u32) -> BookingEvent {
    let (number, within) = (Number::new(1), LINK);
    BookingEvent::PayingStarted { number, details: details(), claim: 1, holds: true, attempt, within }
}

fn booked() -> BookingEvent {
    BookingEvent::Booked { details: details() }
}

fn book_canceled() -> BookingEvent {
    BookingEvent::BookCanceled { details: details(), claim: Some(1), attempt: 1 }
}

fn approved(cause: Cause) -> PaymentEvent {
    PaymentEvent::PayApproved { book_id: 1, details: details(), cause }
}

fn refunded(cause: Cause) -> PaymentEvent {
    PaymentEvent::PayCanceled { book_id: 1, details: details(), cause }
}

fn refund_due(cause: Cause) -> PaymentEvent {
    PaymentEvent::RefundDue { book_id: 1, attempt: 1, details: details(), cause }
}

/// A refusal's class, code and field, as the edge tells them.
fn told(refusal: &dyn Refusal) -> (RefusalClass, &'static str, Option<&'static str>) {
    (refusal.class(), refusal.code(), refusal.field())
}

/// An answer that is lost: what became of the question is not known.
fn lost<R>() -> AskError<R> {
    AskError::TimedOut(LINK)
}

/// An answer of a service that is stopped.
fn away<R>() -> AskError<R> {
    AskError::Unavailable(Unavailable::ServiceStopped { service: "stay/pay".into() })
}
