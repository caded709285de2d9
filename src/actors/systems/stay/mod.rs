//! Stay: hosts offer rooms; guests search, book with immediate payment, look at their bookings and cancel;
//! both are told.
//!
//! What it keeps true: a booking stands exactly when one approval for it does that is not refunded; a room
//! has one guest on a date (D-8); nobody hears of a booking that was not made (D-10); every payment, booking,
//! cancellation and refund is told to guest and host once.
//!
//! | service | entities | policies (what they read) | views |
//! |---|---|---|---|
//! | room | [`Room`] | | [`OccupiedDates`] |
//! | pay | [`Payment`] | [`SettlePayments`] ([`Booking`]), [`RecordRefunds`] ([`Payment`]) | |
//! | booking | [`Calendar`], [`Booking`] | [`KnowRooms`] ([`Room`]), [`FreeDates`] ([`Booking`]) | |
//! | mypage | | | [`Mypage`] |
//! | alarm | [`Alarm`] | [`AlarmOnBookings`], [`AlarmOnPayments`], [`AlarmOnReviews`] | |
//! | review | [`Visit`], [`Review`] | [`KnowBookings`] ([`Booking`]) | |
//!
//! Alarms leave the house through the channel `alarm` ([`AlarmOut`]).
//!
//! Entities that clients know by number are [`Listed`](crate::Listed) besides. The only synchronous link
//! between services is booking to pay.
//!
//! ```text
//!  Room --KnowRooms--> Calendar <==frees (asks)==== Booking <-- CancelBooking
//!                       ^    |                       ^ |  |
//!            BookRoom --+    +====opens (asks)=======+ |  +--SettlePayments-------------+
//!                                                      |                                v
//!                                                      +====approves (asks)========> Payment --RecordRefunds--+
//!                                                                                       ^                     |
//!  all of them ---> Alarm, Mypage, OccupiedDates                                        +---------------------+
//! ```

mod alarm;
mod booking;
mod calendar;
mod notices;
mod payment;
mod policies;
mod review;
mod room;
mod settings;
mod values;
mod views;

pub use alarm::{Alarm, AlarmEvent, AlarmItem, AlarmText, AlreadyWritten, Role, WriteAlarm};
pub use booking::{
    Booking, BookingEvent, BookingItem, BookingRejection, CancelBooking, ChangeBooking, FinishCancellation,
    FinishPaying, OpenBooking,
};
pub use calendar::{
    BookRoom, Calendar, CalendarEvent, CalendarRejection, FinishBooking, FreeDate, NoteRoom, NoteRoomDeleted,
};
pub use notices::AlarmOut;
pub use payment::{
    ApprovePayment, Cause, Payment, PaymentEvent, PaymentItem, PaymentRejection, PaymentStatus, RecordPayment,
    RecordRefund, RefundPayment, VoidPayment,
};
pub use policies::{
    AlarmOnBookings, AlarmOnPayments, AlarmOnReviews, FreeDates, KnowBookings, KnowRooms, RecordRefunds, SettlePayments,
};
pub use review::{
    FinishReview, NoteBooking, NoteCancellation, RegisterReview, Review, ReviewEvent, ReviewItem, ReviewRejection,
    ReviewText, Visit, VisitEvent, VisitRejection, WriteReview,
};
pub use room::{ChangeRoom, DeleteRoom, RegisterRoom, Room, RoomEvent, RoomFacts, RoomItem, RoomRejection};
pub use settings::{AlarmSettings, StaySettings};
pub use values::{Field, InvalidValue, MAX_CHARACTERS, Patch, StayDetails, StayWish, UseDate, named};
pub use views::{Mypage, MypageItem, MypageStatus, OccupiedDates};

use std::time::Duration;

use crate::actors::entity::ServiceDeclaration;

/// The system's name: in paths, in names of services, in configuration.
pub const NAME: &str = "stay";

/// How long a booking waits for pay unless the configuration says otherwise (section 6).
pub const PAY_WITHIN: Duration = Duration::from_millis(610);

/// Declares the services of stay, in the order in which they start.
pub fn services<S: ServiceDeclaration>() -> Vec<S> {
    vec![
        S::service("room").listed::<Room>().view::<OccupiedDates>(),
        S::service("pay")
            .listed::<Payment>()
            .asked::<Payment, ApprovePayment>()
            .asked::<Payment, RefundPayment>()
            .asked::<Payment, VoidPayment>()
            .policy(SettlePayments)
            .policy(RecordRefunds),
        S::service("booking").entity::<Calendar>().listed::<Booking>().policy(KnowRooms).policy(FreeDates),
        S::service("mypage").view::<Mypage>(),
        S::service("alarm")
            .listed::<Alarm>()
            .policy(AlarmOnBookings)
            .policy(AlarmOnPayments)
            .policy(AlarmOnReviews)
            .notifies(AlarmOut),
        S::service("review").entity::<Visit>().listed::<Review>().policy(KnowBookings),
    ]
}

#[cfg(test)]
mod tests;
