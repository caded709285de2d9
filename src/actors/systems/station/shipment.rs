//! A shipment (service Logistics): one per order, sent by whichever car is at hand.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::values::{Milli, fields};
use crate::actors::{
    entity::{
        Command, CommandContext, CommandId, Decision, DomainEvent, Effects, Entity, Key, Listed, Number, NumberedId,
        Presence, persist,
    },
    systems::{Refusal, RefusalClass},
};

/// One shipment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Shipment {
    phase: Phase,
    load: ShipmentLoad,
    car_number: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
enum Phase {
    #[default]
    New,
    Shipped,
    CalledOff,
}

/// What is shipped, for which order and where to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ShipmentLoad {
    /// The order.
    pub order_id: u64,
    /// The product.
    pub product_id: String,
    /// Its name.
    pub product_name: String,
    /// How many litres.
    pub qty: Milli,
    /// Where to.
    pub dest_addr: String,
}

/// What happens to a shipment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ShipmentEvent {
    /// It is on its way.
    Shipped {
        /// What is shipped.
        load: ShipmentLoad,
        /// By which car.
        car_number: String,
    },
    /// Internal: its order is canceled; it comes back, or never leaves (D-15).
    ShipmentCalledOff,
}

impl DomainEvent for ShipmentEvent {
    const PUBLIC: &'static [&'static str] = &["Shipped"];

    fn name(&self) -> &'static str {
        match self {
            Self::Shipped { .. } => "Shipped",
            Self::ShipmentCalledOff => "ShipmentCalledOff",
        }
    }
    fn on_bus(&self, number: Number) -> Map<String, Value> {
        let Self::Shipped { load, car_number } = self else { return Map::new() };
        fields([
            ("shipId", number.get().into()),
            ("orderId", load.order_id.into()),
            ("carNumber", car_number.clone().into()),
            ("destAddr", load.dest_addr.clone().into()),
            ("productId", load.product_id.clone().into()),
            ("productName", load.product_name.clone().into()),
            ("qty", load.qty.as_f64().into()),
        ])
    }
}

/// A shipment refuses nothing: only policies write it (D-3).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum ShipmentRejection {}

impl Refusal for ShipmentRejection {
    fn code(&self) -> &'static str {
        match *self {}
    }
    fn class(&self) -> RefusalClass {
        match *self {}
    }
}

impl Entity for Shipment {
    const KIND: &'static str = "station.shipment";
    const SNAPSHOT: u32 = 1;
    type Id = NumberedId;
    type Event = ShipmentEvent;
    type Rejection = ShipmentRejection;
    const COMMANDS: &'static [&'static str] = &[ShipOrder::NAME, CallOffShipment::NAME];

    fn evolve(&mut self, event: &ShipmentEvent) {
        match event {
            ShipmentEvent::Shipped { load, car_number } => {
                *self = Self { phase: Phase::Shipped, load: load.clone(), car_number: car_number.clone() };
            }
            ShipmentEvent::ShipmentCalledOff => self.phase = Phase::CalledOff,
        }
    }
}

impl Listed for Shipment {
    const LIST: &'static str = "station.shipments";
    fn presence(&self) -> Presence {
        match self.phase {
            Phase::New => Presence::Hidden,
            Phase::Shipped => Presence::Listed,
            Phase::CalledOff => Presence::Removed,
        }
    }
}

/// A shipment as clients see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ShipmentItem {
    /// The shipment's number.
    pub ship_id: u64,
    /// The order.
    pub order_id: u64,
    /// The car.
    pub car_number: String,
    /// Where to.
    pub dest_addr: String,
    /// What is shipped.
    pub product_id: String,
    /// Its name.
    pub product_name: String,
    /// How many litres.
    pub qty: f64,
}

impl Shipment {
    /// The stream of the shipment of this order.
    pub fn key_of(order: u64) -> NumberedId {
        NumberedId::Key(Key::new(format!("order-{order}")).expect("a word and a number are a key"))
    }

    /// The shipment as clients see it; `None` when there is none (any more).
    pub fn item(&self, number: Number) -> Option<ShipmentItem> {
        let Self { phase: Phase::Shipped, load, car_number } = self.clone() else { return None };
        let ShipmentLoad { order_id, product_id, product_name, qty, dest_addr } = load;
        let (ship_id, qty) = (number.get(), qty.as_f64());
        Some(ShipmentItem { ship_id, order_id, car_number, dest_addr, product_id, product_name, qty })
    }
}

/// Ships an order, once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ShipOrder {
    /// What, and where to.
    pub load: ShipmentLoad,
}

impl Command<Shipment> for ShipOrder {
    const NAME: &'static str = "ship-order";
    type Reply = ();
    fn decide(self, shipment: &Shipment, ctx: &CommandContext) -> Decision<Shipment, ()> {
        match shipment.phase {
            Phase::New => {
                let car_number = car(ctx.command_id);
                Ok(persist([ShipmentEvent::Shipped { load: self.load, car_number }]).reply(()))
            }
            Phase::Shipped | Phase::CalledOff => Ok(Effects::reply(())),
        }
    }
}

/// One of the cars 0 to 1000. Which one is as good as drawn by lot: a command's id is a hash.
fn car(command: CommandId) -> String {
    format!("CAR#{}", command.to_bits() % 1001)
}

/// Makes sure that a canceled order is not shipped, whether it was before, would be later, or never (D-15).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallOffShipment;

impl Command<Shipment> for CallOffShipment {
    const NAME: &'static str = "call-off-shipment";
    type Reply = ();
    fn decide(self, shipment: &Shipment, _: &CommandContext) -> Decision<Shipment, ()> {
        match shipment.phase {
            Phase::New | Phase::Shipped => Ok(persist([ShipmentEvent::ShipmentCalledOff]).reply(())),
            Phase::CalledOff => Ok(Effects::reply(())),
        }
    }
}
