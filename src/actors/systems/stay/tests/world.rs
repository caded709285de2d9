//! Stay on stage, in the words of its own tests.

use super::*;
pub(super) use crate::actors::testkit::Fault;
use crate::actors::testkit::{Kind, World as Stage};

/// How a request ended for its client.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    Done,
    NotDone,
    Refused(&'static str),
}

/// A stay in which a test decides what happens next.
pub(super) struct World(pub(super) Stage);

impl World {
    /// With the two rooms of the document.
    pub(super) fn new() -> Self {
        let mut world = Self(Stage::of(services()));
        for (name, address) in [("호텔", "서울"), ("펜션", "양평")] {
            let (name, address, host) = (text(name), text(address), text("Superman"));
            assert!(world.0.create::<Room, _>(RegisterRoom { name, price: Some(1000), address, host }, &[]).is_ok());
        }
        world
    }

    fn order(&mut self, room_id: u64, guest: &str, usedate: &str) -> BookRoom {
        let NumberedId::Key(booking) = self.0.fresh() else { unreachable!("a fresh id is a key") };
        let wish = StayWish { room_id, guest: text(guest), usedate: text(usedate), price: Some(1000), ..wish() };
        BookRoom { booking, wish, within: LINK }
    }

    pub(super) fn book(&mut self, room: u64, guest: &str, usedate: &str, faults: &[Fault]) -> Told {
        let order = self.order(room, guest, usedate);
        told_of(self.0.ask::<Calendar, _>(&Calendar::of(room), order, faults))
    }

    /// Books, and leaves everything that follows for later.
    pub(super) fn begin_to_book(&mut self, room: u64, guest: &str, usedate: &str) -> Option<Told> {
        let order = self.order(room, guest, usedate);
        self.0.begin::<Calendar, _>(&Calendar::of(room), order).map(told_of)
    }

    pub(super) fn cancel(&mut self, booking: u64, faults: &[Fault]) -> Told {
        told_of(self.0.ask::<Booking, _>(&NumberedId::number(booking), CancelBooking, faults))
    }

    pub(super) fn begin_to_cancel(&mut self, booking: u64) -> Option<Told> {
        self.0.begin::<Booking, _>(&NumberedId::number(booking), CancelBooking).map(told_of)
    }

    pub(super) fn delete_room(&mut self, room: u64) -> Told {
        told_of(self.0.ask::<Room, _>(&NumberedId::number(room), DeleteRoom, &[]))
    }

    pub(super) fn review(&mut self, book_id: u64, score: i64) -> Told {
        let review = RegisterReview { book_id, score: Some(score), ..RegisterReview::default() };
        told_of(self.0.ask::<Visit, _>(&Visit::of(book_id), review, &[]))
    }

    pub(super) fn settle(&mut self) {
        self.0.settle();
    }

    pub(super) fn kind<E: Entity>(&self) -> &Kind<E> {
        self.0.kind()
    }

    pub(super) fn booking(&self, number: u64) -> Option<BookingItem> {
        self.kind::<Booking>().item(number, |booking, _| booking.item())
    }

    /// The payment history: booking and status of each row.
    pub(super) fn payments(&self) -> Vec<(u64, PaymentStatus)> {
        self.kind().items(Payment::item).into_iter().map(|row| (row.book_id, row.status)).collect()
    }

    /// Receiver and message of each alarm.
    pub(super) fn alarms(&self) -> Vec<(String, String)> {
        let told = |row: AlarmItem| (row.text.receiver.unwrap_or_default(), row.text.message);
        self.kind().items(Alarm::item).into_iter().map(told).collect()
    }

    pub(super) fn alarms_of(&self, receiver: &str) -> Vec<String> {
        self.alarms().into_iter().filter(|(name, _)| name == receiver).map(|(_, message)| message).collect()
    }

    pub(super) fn page(&self, booking: u64) -> Option<MypageItem> {
        self.0.rows::<Mypage>().get(&booking).and_then(|row| row.item(booking))
    }
}

pub(super) fn told_of<R, X: Refusal>(came: Result<R, AskError<X>>) -> Told {
    match came {
        Ok(_) => Told::Done,
        Err(AskError::Rejected(refusal)) => Told::Refused(refusal.code()),
        Err(error) => match error.outcome() {
            Outcome::NotDone => Told::NotDone,
            Outcome::Refused => Told::Refused("NOT_FOUND"),
            Outcome::Unknown => unreachable!("no outcome of a client is unknown here"),
        },
    }
}
