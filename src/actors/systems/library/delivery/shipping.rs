use serde::{Deserialize, Serialize};

use super::{Delivery, DeliveryEvent, DeliveryItem, DeliveryRejection, DeliveryStatus};
use crate::actors::{
    entity::{Command, CommandContext, Decision, Effects, persist},
    systems::library::values::InvalidValue,
};

/// Asks the delivery team for the book of an order, once (F3). A request that is called off before it
/// arrives stays called off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RequestDelivery {
    /// The order.
    pub order_id: u64,
}

impl Command<Delivery> for RequestDelivery {
    const NAME: &'static str = "request-delivery";
    type Reply = ();
    fn decide(self, delivery: &Delivery, _: &CommandContext) -> Decision<Delivery, ()> {
        if delivery.status.is_some() {
            return Ok(Effects::reply(()));
        }
        let requested = DeliveryEvent::Shipped { order_id: self.order_id, status: DeliveryStatus::Requested };
        Ok(persist([requested]).reply(()))
    }
}

/// Calls a delivery off, also one that there is none of yet, and recalls a shipped book (F6).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CancelDelivery {
    /// The order.
    pub order_id: u64,
}

impl Command<Delivery> for CancelDelivery {
    const NAME: &'static str = "cancel-delivery";
    type Reply = ();
    fn decide(self, delivery: &Delivery, _: &CommandContext) -> Decision<Delivery, ()> {
        if delivery.status == Some(DeliveryStatus::Canceled) {
            return Ok(Effects::reply(()));
        }
        Ok(persist([DeliveryEvent::DeliveryCanceled { order_id: self.order_id }]).reply(()))
    }
}

/// What the courier tells (F4): the book is shipped, or will not be. What changes nothing is accepted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChangeDelivery {
    /// A new order; `None` keeps it, for it is not the client's to clear.
    pub order_id: Option<u64>,
    /// A new status; `None` keeps it, as above.
    pub status: Option<String>,
}

impl Command<Delivery> for ChangeDelivery {
    const NAME: &'static str = "change-delivery";
    type Reply = DeliveryItem;
    fn decide(self, delivery: &Delivery, ctx: &CommandContext) -> Decision<Delivery, DeliveryItem> {
        let item = delivery.item(ctx.number).ok_or(DeliveryRejection::Gone)?;
        let order_id = item.order_id;
        if self.order_id.is_some_and(|order| order != order_id) {
            return Err(DeliveryRejection::Immutable);
        }
        let Some(status) = self.status.filter(|status| status != item.status.as_str()) else {
            return Ok(Effects::reply(item));
        };
        if item.status != DeliveryStatus::Requested {
            return Err(DeliveryRejection::Final(item.status));
        }
        let told = [DeliveryStatus::Shipped, DeliveryStatus::Canceled];
        let wrong = || InvalidValue::status(&told.map(DeliveryStatus::as_str), &status);
        let status = told.into_iter().find(|known| known.as_str() == status).ok_or_else(wrong)?;
        let event = match status {
            DeliveryStatus::Requested | DeliveryStatus::Shipped => DeliveryEvent::Shipped { order_id, status },
            DeliveryStatus::Canceled => DeliveryEvent::DeliveryCanceled { order_id },
        };
        Ok(persist([event]).reply(DeliveryItem { status, ..item }))
    }
}
