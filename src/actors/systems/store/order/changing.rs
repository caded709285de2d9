//! What neither places nor cancels an order.

use serde::{Deserialize, Serialize};

use super::{Order, OrderEvent, OrderItem, OrderRejection, Phase};
use crate::actors::{
    entity::{Command, CommandContext, Decision, Effects, persist},
    systems::store::{delivery::DeliveryStatus, values::keeps},
};

/// Changes an order: accepted only when it changes nothing (D-4).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChangeOrder {
    /// A new product; `None` keeps it. A PUT without one sends `Some(0)`, here and below.
    pub product_id: Option<u64>,
    /// A new quantity.
    pub quantity: Option<i32>,
    /// A new status; a PUT without one keeps it, for it is not the client's.
    pub status: Option<String>,
}

impl Command<Order> for ChangeOrder {
    const NAME: &'static str = "change-order";
    type Reply = OrderItem;
    fn decide(self, order: &Order, _: &CommandContext) -> Decision<Order, OrderItem> {
        let item = order.item().ok_or(OrderRejection::Gone)?;
        let same = keeps(&item.product_id, self.product_id.as_ref())
            && keeps(&item.quantity, self.quantity.as_ref())
            && keeps(&item.status.as_str(), self.status.as_deref().as_ref());
        if same { Ok(Effects::reply(item)) } else { Err(OrderRejection::Immutable) }
    }
}

/// Tells an order what its deliveries do. An order that is gone or given up does not care (section 5).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MarkDelivery {
    /// The delivery.
    pub delivery: u64,
    /// How far it is.
    pub status: DeliveryStatus,
}

impl Command<Order> for MarkDelivery {
    const NAME: &'static str = "mark-delivery";
    type Reply = ();
    fn decide(self, order: &Order, _: &CommandContext) -> Decision<Order, ()> {
        match order.phase {
            Phase::Placing | Phase::Placed | Phase::Canceling => {}
            Phase::New | Phase::GivenUp | Phase::Canceled => return Ok(Effects::reply(())),
        }
        let Self { delivery, status } = self;
        let mut marked = order.clone();
        marked.mark(delivery, status);
        if marked == *order {
            return Ok(Effects::reply(()));
        }
        Ok(persist([OrderEvent::DeliveryMarked { delivery, status }]).reply(()))
    }
}
