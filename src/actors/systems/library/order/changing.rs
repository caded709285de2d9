//! What happens to an order that stands.

use serde::{Deserialize, Serialize};

use super::{Order, OrderEvent, OrderItem, OrderRejection, OrderStatus, Phase};
use crate::actors::{
    entity::{Command, CommandContext, Decision, Effects, persist},
    systems::library::values::InvalidValue,
};

/// Cancels an order; one that is cancelled stays so. The rent follows later.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CancelOrder;

impl Command<Order> for CancelOrder {
    const NAME: &'static str = "cancel-order";
    type Reply = OrderItem;
    fn decide(self, order: &Order, _: &CommandContext) -> Decision<Order, OrderItem> {
        let item = order.item().ok_or(OrderRejection::Gone)?;
        match item.status {
            OrderStatus::Ordered => {
                let cancelled = OrderEvent::OrderCancelled { item: item.item };
                Ok(persist([cancelled]).reply(order.item_with(OrderStatus::Cancelled)))
            }
            OrderStatus::Shipped => Err(OrderRejection::AlreadyShipped),
            OrderStatus::Cancelled => Ok(Effects::reply(item)),
        }
    }
}

/// Changes an order: the one change that there is cancels it. What changes nothing is accepted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChangeOrder {
    /// A new title; `None` keeps it. A PUT without one sends an empty text.
    pub item: Option<String>,
    /// A new status; `None` keeps it, for it is not the client's to clear.
    pub status: Option<String>,
}

impl Command<Order> for ChangeOrder {
    const NAME: &'static str = "change-order";
    type Reply = OrderItem;
    fn decide(self, order: &Order, ctx: &CommandContext) -> Decision<Order, OrderItem> {
        let item = order.item().ok_or(OrderRejection::Gone)?;
        if self.item.is_some_and(|title| title != item.item) {
            return Err(OrderRejection::Immutable);
        }
        let cancelled = OrderStatus::Cancelled.as_str();
        let Some(status) = self.status.filter(|status| status != item.status.as_str()) else {
            return Ok(Effects::reply(item));
        };
        match item.status {
            OrderStatus::Ordered | OrderStatus::Shipped if status == cancelled => CancelOrder.decide(order, ctx),
            OrderStatus::Ordered => Err(InvalidValue::status(&[cancelled], &status).into()),
            OrderStatus::Shipped => Err(OrderRejection::AlreadyShipped),
            OrderStatus::Cancelled => Err(OrderRejection::AlreadyCancelled),
        }
    }
}

/// Tells an order that the courier has shipped its book. A cancelled order does not care (D-8); one that
/// is not placed yet keeps it in mind, for the delivery begins before the order hears of its rent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MarkShipped;

impl Command<Order> for MarkShipped {
    const NAME: &'static str = "mark-shipped";
    type Reply = ();
    fn decide(self, order: &Order, _: &CommandContext) -> Decision<Order, ()> {
        match order.phase {
            Phase::Placing | Phase::GivenUp | Phase::Placed if !order.shipped => {
                Ok(persist([OrderEvent::OrderShipped]).reply(()))
            }
            Phase::New | Phase::Placing | Phase::GivenUp | Phase::Spent | Phase::Placed | Phase::Cancelled => {
                Ok(Effects::reply(()))
            }
        }
    }
}
