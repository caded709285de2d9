//! What guests and hosts read, and what the search of rooms needs.

use serde::{Deserialize, Serialize};

use super::{
    booking::{Booking, BookingEvent},
    payment::{Cause, Payment, PaymentEvent},
    review::{Review, ReviewEvent},
    values::StayDetails,
};
use crate::actors::entity::{Follows, Recorded, Sources, View};

/// What became of a booking (F8), found by the booking's number, which is the row's as well. Rows stay.
///
/// A refund and a review are heard of in any order with what they are about. So the row says what the
/// booking said, shows the furthest status (D-11), and is kept back until the booking is heard of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mypage {
    details: Option<StayDetails>,
    score: Option<i64>,
    status: MypageStatus,
}

/// How far a booking is; a later status is greater (D-11).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum MypageStatus {
    /// It stands.
    Booked,
    /// The guest has reviewed it.
    ReviewRegistered,
    /// The guest does not come.
    BookCanceled,
    /// The money went back.
    PayCanceled,
}

/// A row as clients see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MypageItem {
    /// The booking's number, once more.
    pub id: u64,
    /// The booking's number.
    pub book_id: u64,
    /// What is booked.
    #[serde(flatten)]
    pub details: StayDetails,
    /// What the guest thought of it.
    pub score: Option<i64>,
    /// How far it is.
    pub status: MypageStatus,
}

impl Mypage {
    /// The row as clients see it; `None` before the booking is heard of.
    pub fn item(&self, booking: u64) -> Option<MypageItem> {
        let (details, score, status) = (self.details.clone()?, self.score, self.status);
        Some(MypageItem { id: booking, book_id: booking, details, score, status })
    }

    fn reaches(row: &mut Option<Self>, status: MypageStatus) -> &mut Self {
        let row = row.get_or_insert(Self { details: None, score: None, status });
        row.status = row.status.max(status);
        row
    }
}

impl View for Mypage {
    const NAME: &'static str = "stay.mypage";
    const VERSION: u32 = 1;
    type Key = u64;
    fn sources() -> Sources<Self> {
        Sources::of::<Booking>().and::<Payment>().and::<Review>()
    }
    fn is_listed(&self) -> bool {
        self.details.is_some()
    }
}

impl Follows<Booking> for Mypage {
    fn key(event: &Recorded<Booking>) -> Option<u64> {
        match event.event {
            BookingEvent::Booked { .. } | BookingEvent::BookCanceled { .. } => Some(event.number.get()),
            BookingEvent::PayingStarted { .. }
            | BookingEvent::PayingGivenUp { .. }
            | BookingEvent::PaymentVoidRequested { .. }
            | BookingEvent::CancellationDone => None,
        }
    }
    fn apply(row: &mut Option<Self>, event: &Recorded<Booking>) {
        let (details, status) = match &event.event {
            BookingEvent::Booked { details } => (details, MypageStatus::Booked),
            BookingEvent::BookCanceled { details, .. } => (details, MypageStatus::BookCanceled),
            BookingEvent::PayingStarted { .. }
            | BookingEvent::PayingGivenUp { .. }
            | BookingEvent::PaymentVoidRequested { .. }
            | BookingEvent::CancellationDone => return,
        };
        Self::reaches(row, status).details = Some(details.clone());
    }
}

impl Follows<Payment> for Mypage {
    fn key(event: &Recorded<Payment>) -> Option<u64> {
        match event.event {
            PaymentEvent::PayCanceled { book_id, cause: Cause::Booking | Cause::Client, .. } => Some(book_id),
            PaymentEvent::PayCanceled { cause: Cause::Void, .. }
            | PaymentEvent::PayApproved { .. }
            | PaymentEvent::RefundDue { .. }
            | PaymentEvent::ApprovalVoided => None,
        }
    }
    fn apply(row: &mut Option<Self>, _: &Recorded<Payment>) {
        Self::reaches(row, MypageStatus::PayCanceled);
    }
}

impl Follows<Review> for Mypage {
    fn key(event: &Recorded<Review>) -> Option<u64> {
        let ReviewEvent::ReviewRegistered(text) = &event.event;
        Some(text.book_id)
    }
    fn apply(row: &mut Option<Self>, event: &Recorded<Review>) {
        let ReviewEvent::ReviewRegistered(text) = &event.event;
        Self::reaches(row, MypageStatus::ReviewRegistered).score = Some(text.score);
    }
}

/// The dates on which rooms are booked (D-7), found by (date, booking): the rows of one date are next to
/// each other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OccupiedDates {
    /// The room.
    pub room_id: u64,
}

impl View for OccupiedDates {
    const NAME: &'static str = "stay.occupied-dates";
    const VERSION: u32 = 1;
    type Key = (u64, u64);
    fn sources() -> Sources<Self> {
        Sources::of::<Booking>()
    }
}

impl Follows<Booking> for OccupiedDates {
    fn key(event: &Recorded<Booking>) -> Option<(u64, u64)> {
        match &event.event {
            BookingEvent::Booked { details } | BookingEvent::BookCanceled { details, .. } => {
                Some((details.usedate?.number(), event.number.get()))
            }
            BookingEvent::PayingStarted { .. }
            | BookingEvent::PayingGivenUp { .. }
            | BookingEvent::PaymentVoidRequested { .. }
            | BookingEvent::CancellationDone => None,
        }
    }
    fn apply(row: &mut Option<Self>, event: &Recorded<Booking>) {
        *row = match &event.event {
            BookingEvent::Booked { details } => details.room_id.map(|room_id| Self { room_id }),
            BookingEvent::BookCanceled { .. } => None,
            BookingEvent::PayingStarted { .. }
            | BookingEvent::PayingGivenUp { .. }
            | BookingEvent::PaymentVoidRequested { .. }
            | BookingEvent::CancellationDone => return,
        };
    }
}
