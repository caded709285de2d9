//! The calendar of one room, as the booking service keeps it: who has which date, and what is known of the
//! room (service booking). It is found by the room's number, and every booking of the room begins here: one
//! writer decides whether the room is still offered (D-2) and whether the date is free (D-8), before a
//! booking gets a number and before pay is asked.
//!
//! Why the room and not each room and date is the writer: the date and what is known of the room have to be
//! looked at together, and so a refusal is one turn that writes nothing. A claim costs some twenty bytes.
//!
//! ```text
//!            BookingStarted                 BookingStood
//!   free ------------------> claimed, open ---------------> claimed ----+
//!    ^                        |    ^   |                                |
//!    |    BookingGivenUp      |    +---+ BookingContinued               |
//!    +------------------------+                                         |
//!    +------------------------------- DateFreed ------------------------+
//! ```
//!
//! Placing goes back when pay did not agree: then the date is free before the guest is told. Whether the
//! booking itself stands is never guessed: it is of the same service, and asked in the same step until it
//! answers. A booking takes each claim up once, so that an ask which arrives late finds it settled.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    booking::{Booking, BookingRejection},
    room::RoomFacts,
    values::{InvalidValue, StayDetails, UseDate},
};
use crate::actors::{
    entity::{AnyContinuation, Command, DomainEvent, Entity, Key, Number},
    systems::{Refusal, RefusalClass},
};

mod claiming;
mod knowing;

pub use claiming::{BookRoom, FinishBooking, FreeDate};
pub use knowing::{NoteRoom, NoteRoomDeleted};

/// One room's calendar. Its key is the room's number.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Calendar {
    room: Known,
    /// The claim on each date that is taken.
    dates: BTreeMap<UseDate, u32>,
    /// Claims whose booking has not answered yet. The runtime bounds how many an entity may have.
    open: BTreeMap<u32, Opening>,
    /// The last claim given.
    last: u32,
    /// The claim whose booking was asked last.
    asked: u32,
}

/// What the booking service has heard of a room.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
enum Known {
    #[default]
    Nothing,
    Offered(RoomFacts),
    Deleted,
}

/// A booking on its way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Opening {
    booking: Key,
    details: StayDetails,
    holds: bool,
    within: Duration,
}

/// What happens to a calendar. All of it is internal: the bus carries the bookings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum CalendarEvent {
    /// The room is offered, as the room service says.
    RoomNoted(RoomFacts),
    /// The room is offered no more.
    RoomDeletionNoted,
    /// A guest wants the room; its booking is asked.
    BookingStarted {
        /// Counted from 1; says which booking has the date.
        claim: u32,
        /// Stream of the booking.
        booking: Key,
        /// What is booked.
        details: StayDetails,
        /// Whether the date is taken by it.
        holds: bool,
        /// How long pay has to answer.
        within: Duration,
    },
    /// Whether the booking stands is not known yet; it is asked again.
    BookingContinued {
        /// Whose.
        claim: u32,
    },
    /// The booking stands.
    BookingStood {
        /// Whose.
        claim: u32,
    },
    /// There is no such booking; the date is free.
    BookingGivenUp {
        /// Whose.
        claim: u32,
        /// Why.
        reason: String,
    },
    /// The booking was canceled; the date is free.
    DateFreed {
        /// Which.
        usedate: UseDate,
    },
}

impl DomainEvent for CalendarEvent {
    const PUBLIC: &'static [&'static str] = &[];

    fn name(&self) -> &'static str {
        match self {
            Self::RoomNoted(_) => "RoomNoted",
            Self::RoomDeletionNoted => "RoomDeletionNoted",
            Self::BookingStarted { .. } => "BookingStarted",
            Self::BookingContinued { .. } => "BookingContinued",
            Self::BookingStood { .. } => "BookingStood",
            Self::BookingGivenUp { .. } => "BookingGivenUp",
            Self::DateFreed { .. } => "DateFreed",
        }
    }
    fn on_bus(&self, _: Number) -> Map<String, Value> {
        Map::new()
    }
}

/// Why a room is not booked.
#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
pub enum CalendarRejection {
    /// The request has a value that no booking can have.
    #[error(transparent)]
    Invalid(#[from] InvalidValue),
    /// Somebody has the room on that date (D-8).
    #[error("room {room_id} is already booked on {usedate}")]
    DoubleBooking {
        /// The room.
        room_id: u64,
        /// The date.
        usedate: UseDate,
    },
    /// The host offers the room no more (D-2).
    #[error("room {room_id} was deleted")]
    RoomDeleted {
        /// The room.
        room_id: u64,
    },
    /// Nobody registered the room, and unknown rooms are refused here (`strict_rooms`).
    #[error("room {room_id} is not known")]
    RoomUnknown {
        /// The room.
        room_id: u64,
    },
    /// More dates of the room are taken than a calendar keeps.
    #[error("room {room_id} is booked on {taken} dates already")]
    Full {
        /// The room.
        room_id: u64,
        /// How many are taken.
        taken: usize,
    },
    /// The booking itself refused.
    #[error(transparent)]
    Booking(#[from] BookingRejection),
}

impl Refusal for CalendarRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::Invalid(value) => value.code(),
            Self::DoubleBooking { .. } => "DOUBLE_BOOKING",
            Self::RoomDeleted { .. } => "ROOM_DELETED",
            Self::RoomUnknown { .. } => "ROOM_UNKNOWN",
            Self::Full { .. } => "CALENDAR_FULL",
            Self::Booking(booking) => booking.code(),
        }
    }
    fn class(&self) -> RefusalClass {
        match self {
            Self::Invalid(value) => value.class(),
            Self::Booking(booking) => booking.class(),
            Self::DoubleBooking { .. } | Self::RoomDeleted { .. } | Self::RoomUnknown { .. } | Self::Full { .. } => {
                RefusalClass::Conflict
            }
        }
    }
    fn field(&self) -> Option<&'static str> {
        match self {
            Self::Invalid(value) => value.field(),
            Self::DoubleBooking { .. }
            | Self::RoomDeleted { .. }
            | Self::RoomUnknown { .. }
            | Self::Full { .. }
            | Self::Booking(_) => None,
        }
    }
}

impl Entity for Calendar {
    const KIND: &'static str = "stay.calendar";
    const SNAPSHOT: u32 = 1;
    type Id = Key;
    type Event = CalendarEvent;
    type Rejection = CalendarRejection;
    const COMMANDS: &'static [&'static str] =
        &[BookRoom::NAME, FinishBooking::NAME, FreeDate::NAME, NoteRoom::NAME, NoteRoomDeleted::NAME];
    const ASKS: &'static [&'static str] = &[Booking::KIND];

    fn evolve(&mut self, event: &CalendarEvent) {
        match event {
            CalendarEvent::RoomNoted(facts) => self.room = Known::Offered(facts.clone()),
            CalendarEvent::RoomDeletionNoted => self.room = Known::Deleted,
            CalendarEvent::BookingStarted { claim, booking, details, holds, within } => {
                let (booking, details, holds, within) = (booking.clone(), details.clone(), *holds, *within);
                if let (true, Some(usedate)) = (holds, details.usedate) {
                    self.dates.insert(usedate, *claim);
                }
                self.open.insert(*claim, Opening { booking, details, holds, within });
                (self.last, self.asked) = (*claim, *claim);
            }
            CalendarEvent::BookingContinued { claim } => self.asked = *claim,
            CalendarEvent::BookingStood { claim } => drop(self.open.remove(claim)),
            CalendarEvent::BookingGivenUp { claim, reason: _ } => {
                self.open.remove(claim);
                self.dates.retain(|_, holder| holder != claim);
            }
            CalendarEvent::DateFreed { usedate } => drop(self.dates.remove(usedate)),
        }
    }

    fn resume(&self) -> Vec<AnyContinuation<Self>> {
        self.open.iter().map(|(claim, opening)| Self::open_booking(*claim, opening).erase()).collect()
    }
}

impl Calendar {
    /// A hundred years of nights: some hundred kilobytes of state.
    pub const MAX_DATES: usize = 36_600;

    /// The calendar of the room with this number.
    pub fn of(room: u64) -> Key {
        Key::new(room.to_string()).expect("digits are a key")
    }

    /// Whether the room is taken on this date.
    pub fn is_taken(&self, usedate: UseDate) -> bool {
        self.dates.contains_key(&usedate)
    }

    /// How many dates are taken.
    pub fn taken(&self) -> usize {
        self.dates.len()
    }
}
