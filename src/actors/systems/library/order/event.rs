use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::OrderStatus;
use crate::actors::{
    entity::{DomainEvent, Number},
    systems::library::values::fields,
};

/// The status of [`OrderEvent::OrderCancelled`] on the bus and in the my-page; the order itself shows
/// another one.
pub(in crate::actors::systems::library) const ORDER_CANCELED: &str = "Order Canceled";

/// What happens to an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum OrderEvent {
    /// Internal: a customer wants a book; its rent is asked for.
    PlacingStarted {
        /// The order's number.
        number: Number,
        /// The book's title.
        item: String,
        /// Counted from 1 with every try.
        round: u32,
        /// How long the rent service has to answer.
        within: Duration,
    },
    /// Internal: this try leads to no order, for the rent service did not agree.
    PlacingGivenUp {
        /// Why.
        reason: String,
        /// No further try can succeed either.
        for_good: bool,
    },
    /// Whether the rent of this round exists is not known; it must not.
    RentVoidRequested {
        /// The order that will not be.
        order_id: u64,
        /// The round that asked for it. Not on the bus.
        round: u32,
    },
    /// The order stands, and so does its rent.
    Ordered {
        /// The book's title.
        item: String,
    },
    /// Internal: the courier has shipped the book. The bus knows it from the delivery.
    OrderShipped,
    /// The customer has cancelled the order.
    OrderCancelled {
        /// The book's title.
        item: String,
    },
}

impl DomainEvent for OrderEvent {
    const PUBLIC: &'static [&'static str] = &["Ordered", "OrderCancelled", "RentVoidRequested"];

    fn name(&self) -> &'static str {
        match self {
            Self::PlacingStarted { .. } => "PlacingStarted",
            Self::PlacingGivenUp { .. } => "PlacingGivenUp",
            Self::RentVoidRequested { .. } => "RentVoidRequested",
            Self::Ordered { .. } => "Ordered",
            Self::OrderShipped => "OrderShipped",
            Self::OrderCancelled { .. } => "OrderCancelled",
        }
    }

    fn on_bus(&self, number: Number) -> Map<String, Value> {
        let about = |item: &str, status: &str| {
            fields([("id", number.get().into()), ("item", item.into()), ("status", status.into())])
        };
        match self {
            Self::Ordered { item } => about(item, OrderStatus::Ordered.as_str()),
            Self::OrderCancelled { item } => about(item, ORDER_CANCELED),
            Self::RentVoidRequested { order_id, .. } => fields([("orderId", (*order_id).into())]),
            Self::PlacingStarted { .. } | Self::PlacingGivenUp { .. } | Self::OrderShipped => Map::new(),
        }
    }
}
