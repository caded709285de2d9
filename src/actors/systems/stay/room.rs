//! A room that a host offers (service room).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::values::{Field, InvalidValue, Patch, note, price, required, text};
use crate::actors::{
    entity::{
        Command, CommandContext, Decision, DomainEvent, Effects, Entity, Listed, Number, NumberedId, Presence, persist,
    },
    systems::{Refusal, RefusalClass},
};

/// One room. Bookings of it stay valid when it is deleted (D-2).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Room {
    /// Nobody registered it yet.
    #[default]
    New,
    /// It is offered.
    Offered(RoomFacts),
    /// It is offered no more.
    Deleted,
}

/// What a host says of a room.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoomFacts {
    /// What it is called.
    pub name: String,
    /// What a night costs.
    pub price: i64,
    /// Where it is.
    pub address: Option<String>,
    /// Whose it is.
    pub host: String,
}

impl RoomFacts {
    /// # Errors
    /// What a room needs and has not, or a value that no room can have (D-1).
    fn checked(
        name: Option<String>,
        cost: Option<i64>,
        address: Option<String>,
        host: Option<String>,
    ) -> Result<Self, InvalidValue> {
        Ok(Self {
            name: required(Field::Name, text(Field::Name, name)?)?,
            price: price(required(Field::Price, cost)?)?,
            address: note(Field::Address, address)?,
            host: required(Field::Host, text(Field::Host, host)?)?,
        })
    }
}

/// What happens to a room.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum RoomEvent {
    /// A host offers it.
    RoomRegistered(RoomFacts),
    /// The host says something else of it.
    RoomChanged(RoomFacts),
    /// The host offers it no more.
    RoomDeleted(RoomFacts),
}

impl DomainEvent for RoomEvent {
    const PUBLIC: &'static [&'static str] = &["RoomRegistered", "RoomChanged", "RoomDeleted"];

    fn name(&self) -> &'static str {
        match self {
            Self::RoomRegistered(_) => "RoomRegistered",
            Self::RoomChanged(_) => "RoomChanged",
            Self::RoomDeleted(_) => "RoomDeleted",
        }
    }
    fn on_bus(&self, number: Number) -> Map<String, Value> {
        let (Self::RoomRegistered(facts) | Self::RoomChanged(facts) | Self::RoomDeleted(facts)) = self;
        match serde_json::to_value(RoomItem { id: number.get(), facts: facts.clone() }) {
            Ok(Value::Object(fields)) => fields,
            Ok(_) | Err(_) => Map::new(),
        }
    }
}

/// Why a room does not do what it was asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
pub enum RoomRejection {
    /// The request has a value that no room can have.
    #[error(transparent)]
    Invalid(#[from] InvalidValue),
    /// The room was deleted, or there never was one.
    #[error("there is no such room (any more)")]
    Gone,
    /// The same room was registered before.
    #[error("the room exists already")]
    AlreadyRegistered,
}

impl Refusal for RoomRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::Invalid(value) => value.code(),
            Self::Gone => "NO_SUCH_ROOM",
            Self::AlreadyRegistered => "ALREADY_REGISTERED",
        }
    }
    fn class(&self) -> RefusalClass {
        match self {
            Self::Invalid(value) => value.class(),
            Self::Gone => RefusalClass::Gone,
            Self::AlreadyRegistered => RefusalClass::Conflict,
        }
    }
    fn field(&self) -> Option<&'static str> {
        match self {
            Self::Invalid(value) => value.field(),
            Self::Gone | Self::AlreadyRegistered => None,
        }
    }
}

impl Entity for Room {
    const KIND: &'static str = "stay.room";
    const SNAPSHOT: u32 = 1;
    type Id = NumberedId;
    type Event = RoomEvent;
    type Rejection = RoomRejection;
    const COMMANDS: &'static [&'static str] = &[RegisterRoom::NAME, ChangeRoom::NAME, DeleteRoom::NAME];

    fn evolve(&mut self, event: &RoomEvent) {
        *self = match event {
            RoomEvent::RoomRegistered(facts) | RoomEvent::RoomChanged(facts) => Self::Offered(facts.clone()),
            RoomEvent::RoomDeleted(_) => Self::Deleted,
        };
    }
}

impl Listed for Room {
    const LIST: &'static str = "stay.rooms";
    fn presence(&self) -> Presence {
        match self {
            Self::New => Presence::Hidden,
            Self::Offered(_) => Presence::Listed,
            Self::Deleted => Presence::Removed,
        }
    }
}

/// A room as clients see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoomItem {
    /// The room's number.
    pub id: u64,
    /// What the host says of it.
    #[serde(flatten)]
    pub facts: RoomFacts,
}

impl Room {
    /// The room as clients see it; `None` when there is none (any more).
    pub fn item(&self, number: Number) -> Option<RoomItem> {
        let Self::Offered(facts) = self else { return None };
        Some(RoomItem { id: number.get(), facts: facts.clone() })
    }

    fn facts(&self) -> Result<&RoomFacts, RoomRejection> {
        match self {
            Self::Offered(facts) => Ok(facts),
            Self::New | Self::Deleted => Err(RoomRejection::Gone),
        }
    }
}

/// Offers a room (F1).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RegisterRoom {
    /// Required.
    pub name: Option<String>,
    /// Required, not negative.
    pub price: Option<i64>,
    /// Where it is.
    pub address: Option<String>,
    /// Required.
    pub host: Option<String>,
}

impl Command<Room> for RegisterRoom {
    const NAME: &'static str = "register-room";
    type Reply = RoomItem;
    fn decide(self, room: &Room, ctx: &CommandContext) -> Decision<Room, RoomItem> {
        if *room != Room::New {
            return Err(RoomRejection::AlreadyRegistered);
        }
        let facts = RoomFacts::checked(self.name, self.price, self.address, self.host)?;
        let item = RoomItem { id: ctx.number.get(), facts: facts.clone() };
        Ok(persist([RoomEvent::RoomRegistered(facts)]).reply(item))
    }
}

/// Says something else of a room. Writes nothing when that is what was said before.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ChangeRoom {
    /// A new name.
    pub name: Patch<String>,
    /// A new price.
    pub price: Patch<i64>,
    /// A new address.
    pub address: Patch<String>,
    /// A new host.
    pub host: Patch<String>,
}

impl Command<Room> for ChangeRoom {
    const NAME: &'static str = "change-room";
    type Reply = RoomItem;
    fn decide(self, room: &Room, ctx: &CommandContext) -> Decision<Room, RoomItem> {
        let old = room.facts()?;
        let RoomFacts { name, price, address, host } = old.clone();
        let (name, price) = (self.name.over(Some(name)), self.price.over(Some(price)));
        let facts = RoomFacts::checked(name, price, self.address.over(address), self.host.over(Some(host)))?;
        let item = RoomItem { id: ctx.number.get(), facts: facts.clone() };
        if facts == *old {
            return Ok(Effects::reply(item));
        }
        Ok(persist([RoomEvent::RoomChanged(facts)]).reply(item))
    }
}

/// Offers a room no more (F2).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeleteRoom;

impl Command<Room> for DeleteRoom {
    const NAME: &'static str = "delete-room";
    type Reply = ();
    fn decide(self, room: &Room, _: &CommandContext) -> Decision<Room, ()> {
        Ok(persist([RoomEvent::RoomDeleted(room.facts()?.clone())]).reply(()))
    }
}
