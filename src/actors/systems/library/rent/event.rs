use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::RentStatus;
use crate::actors::{
    entity::{DomainEvent, Number},
    systems::library::values::of_order,
};

/// What happens to a rent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum RentEvent {
    /// The rental is confirmed.
    Rented {
        /// The order that it is for.
        order_id: u64,
        /// The round of the order that asked for it; 0 for who asks outside of any. Not on the bus.
        round: u32,
    },
    /// Internal: a later round of the same order found it standing, and has it from now on.
    RentTakenOver {
        /// That round.
        round: u32,
    },
    /// The rental is canceled.
    RentCanceled {
        /// The order that it was for.
        order_id: u64,
    },
    /// Internal: there was no rent yet when its order gave this round up; the round will not get one.
    RentVoided {
        /// The order.
        order_id: u64,
        /// The round, and with it all before.
        round: u32,
    },
}

impl DomainEvent for RentEvent {
    const PUBLIC: &'static [&'static str] = &["Rented", "RentCanceled"];

    fn name(&self) -> &'static str {
        match self {
            Self::Rented { .. } => "Rented",
            Self::RentTakenOver { .. } => "RentTakenOver",
            Self::RentCanceled { .. } => "RentCanceled",
            Self::RentVoided { .. } => "RentVoided",
        }
    }

    fn on_bus(&self, number: Number) -> Map<String, Value> {
        match *self {
            Self::Rented { order_id, .. } => of_order(number, order_id, RentStatus::Rented.as_str()),
            Self::RentCanceled { order_id } => of_order(number, order_id, RentStatus::Canceled.as_str()),
            Self::RentTakenOver { .. } | Self::RentVoided { .. } => Map::new(),
        }
    }
}
