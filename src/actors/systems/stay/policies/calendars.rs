//! What reaches a room's calendar (service booking).

use crate::actors::{
    entity::{Dispatch, Policy, Recorded, send},
    systems::stay::{
        booking::{Booking, BookingEvent},
        calendar::{Calendar, FreeDate, NoteRoom, NoteRoomDeleted},
        room::{Room, RoomEvent},
    },
};

/// The booking service knows the rooms that are offered (D-2), without ever asking the room service (N4).
#[derive(Debug)]
pub struct KnowRooms;

impl Policy for KnowRooms {
    const NAME: &'static str = "stay.know-rooms";
    type Source = Room;
    type Target = Calendar;
    fn react(&self, event: &Recorded<Room>) -> Vec<Dispatch<Calendar>> {
        let calendar = Calendar::of(event.number.get());
        vec![match &event.event {
            RoomEvent::RoomRegistered(facts) | RoomEvent::RoomChanged(facts) => {
                send(&calendar, NoteRoom(facts.clone()))
            }
            RoomEvent::RoomDeleted(_) => send(&calendar, NoteRoomDeleted),
        }]
    }
}

/// The date of a canceled booking is free. The booking has asked for that itself; this is for the case that
/// the calendar did not answer it.
#[derive(Debug)]
pub struct FreeDates;

impl Policy for FreeDates {
    const NAME: &'static str = "stay.free-dates";
    type Source = Booking;
    type Target = Calendar;
    fn react(&self, event: &Recorded<Booking>) -> Vec<Dispatch<Calendar>> {
        let BookingEvent::BookCanceled { details, claim: Some(claim), .. } = &event.event else { return Vec::new() };
        let (Some(room), Some(usedate)) = (details.room_id, details.usedate) else { return Vec::new() };
        vec![send(&Calendar::of(room), FreeDate { usedate, claim: *claim })]
    }
}
