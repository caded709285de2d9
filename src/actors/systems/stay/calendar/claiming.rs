//! Taking and giving back dates.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Calendar, CalendarEvent, CalendarRejection, Known, Opening};
use crate::actors::{
    entity::{
        Ask, AskError, Command, CommandContext, Continuation, Decision, Effects, Key, NumberedId, Outcome, Step,
        Unavailable, persist,
    },
    systems::stay::{
        booking::{Booking, BookingItem, BookingRejection, OpenBooking},
        settings::StaySettings,
        values::{Field, StayWish, UseDate, id, required},
    },
};

/// The step in which a booking is opened; its round is the claim. Part of command ids: on disk, never rename.
const OPEN_BOOKING: &str = "open-booking";

/// How long one ask waits for a booking, which takes what pay takes and two appends. What is not known
/// then is asked again.
const OPENS_WITHIN: Duration = Duration::from_secs(10);

/// Books the room (F4, F5). Answered when it is paid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BookRoom {
    /// Stream of the booking: a repeated request names the same.
    pub booking: Key,
    /// What the guest wants. What of the room is not said is filled from what is known of it (D-15).
    pub wish: StayWish,
    /// How long pay has to answer (610 ms).
    pub within: Duration,
}

impl Command<Calendar> for BookRoom {
    const NAME: &'static str = "book-room";
    type Reply = BookingItem;
    fn decide(self, calendar: &Calendar, ctx: &CommandContext) -> Decision<Calendar, BookingItem> {
        let settings = ctx.settings::<StaySettings>();
        let room_id = id(Field::RoomId, self.wish.room_id)?;
        let mut details = self.wish.checked()?;
        required(Field::Guest, details.guest.as_ref())?;
        let usedate = required(Field::Usedate, details.usedate)?;
        match &calendar.room {
            Known::Deleted => return Err(CalendarRejection::RoomDeleted { room_id }),
            Known::Nothing if settings.strict_rooms => return Err(CalendarRejection::RoomUnknown { room_id }),
            Known::Nothing => {}
            Known::Offered(room) => {
                details.name = details.name.or_else(|| Some(room.name.clone()));
                details.price = details.price.or(Some(room.price));
                details.address = details.address.or_else(|| room.address.clone());
                details.host = details.host.or_else(|| Some(room.host.clone()));
            }
        }
        required(Field::Price, details.price)?;
        if settings.exclusive && calendar.is_taken(usedate) {
            return Err(CalendarRejection::DoubleBooking { room_id, usedate });
        }
        if settings.exclusive && calendar.taken() >= Calendar::MAX_DATES {
            return Err(CalendarRejection::Full { room_id, taken: calendar.taken() });
        }
        let claim = calendar.last.saturating_add(1);
        let (booking, holds, within) = (self.booking, settings.exclusive, self.within);
        let started = CalendarEvent::BookingStarted { claim, booking, details, holds, within };
        Ok(persist([started]).then(Calendar::open_asked))
    }
}

/// The booking's answer to [`BookRoom`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FinishBooking {
    /// Which claim was asked for.
    pub claim: u32,
    /// The booking, or why there is none.
    pub outcome: Result<BookingItem, AskError<BookingRejection>>,
}

impl Command<Calendar> for FinishBooking {
    const NAME: &'static str = "finish-booking";
    type Reply = BookingItem;
    fn decide(self, calendar: &Calendar, _: &CommandContext) -> Decision<Calendar, BookingItem> {
        let claim = self.claim;
        if !calendar.open.contains_key(&claim) {
            return Ok(persist([]).not_done(unavailable("this claim was given up before".to_owned())));
        }
        let given_up = |reason| persist([CalendarEvent::BookingGivenUp { claim, reason }]);
        let again = || Ok(persist([CalendarEvent::BookingContinued { claim }]).then(Calendar::open_asked));
        match self.outcome {
            Ok(booking) => Ok(persist([CalendarEvent::BookingStood { claim }]).reply(booking)),
            Err(AskError::Rejected(BookingRejection::Paying)) => again(),
            Err(AskError::Rejected(refusal @ BookingRejection::GivenUp)) => {
                Ok(given_up(refusal.to_string()).not_done(unavailable(refusal.to_string())))
            }
            Err(AskError::Rejected(refusal)) => Ok(given_up(refusal.to_string()).rejected(refusal.into())),
            Err(error) if error.outcome() == Outcome::Unknown => again(),
            Err(AskError::Unavailable(why)) => Ok(given_up(why.to_string()).not_done(why)),
            Err(error) => Ok(given_up(error.to_string()).not_done(unavailable(error.to_string()))),
        }
    }
}

/// "Not done, come back later": nothing of the guest's wish remains.
fn unavailable(reason: String) -> Unavailable {
    let retry_after = Duration::from_secs(1);
    Unavailable::Partner { partner: "stay/booking".to_owned(), reason, retry_after }
}

/// Gives a date back whose booking was canceled. Does nothing when another booking has it by now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FreeDate {
    /// The date.
    pub usedate: UseDate,
    /// The claim of the booking that had it.
    pub claim: u32,
}

impl Command<Calendar> for FreeDate {
    const NAME: &'static str = "free-date";
    type Reply = ();
    fn decide(self, calendar: &Calendar, _: &CommandContext) -> Decision<Calendar, ()> {
        let Self { usedate, claim } = self;
        if calendar.dates.get(&usedate) != Some(&claim) {
            return Ok(Effects::reply(()));
        }
        Ok(persist([CalendarEvent::DateFreed { usedate }]).reply(()))
    }
}

impl Calendar {
    /// The ask of the claim that an event has just named.
    fn open_asked(&self) -> Continuation<Self, BookingItem> {
        let opening = self.open.get(&self.asked).expect("the event before named a claim that is open");
        Self::open_booking(self.asked, opening)
    }

    /// Used by the decision and by recovery, so that they cannot differ.
    pub(super) fn open_booking(claim: u32, opening: &Opening) -> Continuation<Self, BookingItem> {
        let Opening { booking, details, holds, within } = opening.clone();
        let open = OpenBooking { details, claim, holds, within };
        Ask::<Booking, _>::once(Step(OPEN_BOOKING, claim), NumberedId::Key(booking), open, OPENS_WITHIN)
            .then(move |outcome| FinishBooking { claim, outcome })
    }
}
