//! What the room service says of a room.

use serde::{Deserialize, Serialize};

use super::{Calendar, CalendarEvent, Known};
use crate::actors::{
    entity::{Command, CommandContext, Decision, Effects, persist},
    systems::stay::room::RoomFacts,
};

/// The room is offered, or something else is said of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NoteRoom(pub RoomFacts);

impl Command<Calendar> for NoteRoom {
    const NAME: &'static str = "note-room";
    type Reply = ();
    fn decide(self, calendar: &Calendar, _: &CommandContext) -> Decision<Calendar, ()> {
        match &calendar.room {
            Known::Offered(known) if *known == self.0 => Ok(Effects::reply(())),
            Known::Nothing | Known::Offered(_) | Known::Deleted => {
                Ok(persist([CalendarEvent::RoomNoted(self.0)]).reply(()))
            }
        }
    }
}

/// The room is offered no more: no new booking of it (D-2). Those that stand, stay.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NoteRoomDeleted;

impl Command<Calendar> for NoteRoomDeleted {
    const NAME: &'static str = "note-room-deleted";
    type Reply = ();
    fn decide(self, calendar: &Calendar, _: &CommandContext) -> Decision<Calendar, ()> {
        match calendar.room {
            Known::Deleted => Ok(Effects::reply(())),
            Known::Nothing | Known::Offered(_) => Ok(persist([CalendarEvent::RoomDeletionNoted]).reply(())),
        }
    }
}
