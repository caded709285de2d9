//! What neither makes nor cancels a booking.

use serde::{Deserialize, Serialize};

use super::{Booking, BookingItem, BookingRejection};
use crate::actors::{
    entity::{Command, CommandContext, Decision, Effects},
    systems::stay::values::{Patch, StayDetails},
};

/// Changes a booking: accepted only when it changes nothing (D-4). The status is not the client's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ChangeBooking {
    /// A new room.
    pub room_id: Patch<u64>,
    /// A new name of the room.
    pub name: Patch<String>,
    /// A new price.
    pub price: Patch<i64>,
    /// A new address.
    pub address: Patch<String>,
    /// A new host.
    pub host: Patch<String>,
    /// A new guest.
    pub guest: Patch<String>,
    /// A new date.
    pub usedate: Patch<String>,
}

impl Command<Booking> for ChangeBooking {
    const NAME: &'static str = "change-booking";
    type Reply = BookingItem;
    fn decide(self, booking: &Booking, _: &CommandContext) -> Decision<Booking, BookingItem> {
        let item = booking.item().ok_or(BookingRejection::Gone)?;
        let StayDetails { room_id, name, price, address, host, guest, usedate } = item.details.clone();
        let usedate = usedate.map(String::from);
        let is_same = self.room_id.over(room_id) == room_id
            && self.name.over(name.clone()) == name
            && self.price.over(price) == price
            && self.address.over(address.clone()) == address
            && self.host.over(host.clone()) == host
            && self.guest.over(guest.clone()) == guest
            && self.usedate.over(usedate.clone()) == usedate;
        if is_same { Ok(Effects::reply(item)) } else { Err(BookingRejection::Immutable) }
    }
}
