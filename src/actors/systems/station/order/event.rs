use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::OrderItem;
use crate::actors::{
    entity::{DomainEvent, Number},
    systems::station::values::{Milli, fields},
};

/// What is ordered, where to and when.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct OrderSlip {
    /// The product.
    pub product_id: String,
    /// Its name.
    pub product_name: String,
    /// How many litres.
    pub qty: Milli,
    /// Where to.
    pub dest_addr: String,
    /// On which day, `yyyy-MM-dd`.
    pub order_date: String,
}

impl OrderSlip {
    pub(super) fn item(&self, number: Number) -> OrderItem {
        let Self { product_id, product_name, qty, dest_addr, order_date } = self.clone();
        OrderItem { order_id: number.get(), product_id, product_name, qty: qty.as_f64(), dest_addr, order_date }
    }

    fn on_bus(&self, number: Number) -> Map<String, Value> {
        fields([
            ("orderId", number.get().into()),
            ("orderDate", self.order_date.clone().into()),
            ("productId", self.product_id.clone().into()),
            ("productName", self.product_name.clone().into()),
            ("destAddr", self.dest_addr.clone().into()),
            ("qty", self.qty.as_f64().into()),
        ])
    }
}

/// What happens to an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum OrderEvent {
    /// It is placed.
    Ordered {
        /// The order's number.
        number: Number,
        /// What is ordered.
        slip: OrderSlip,
    },
    /// Internal: the clerk wants no such order; the station is asked to expect nothing of it.
    CancellationStarted {
        /// Counted from 1 with every try.
        round: u32,
        /// How long the station has to answer.
        within: Duration,
    },
    /// Internal: the order stays, for the station did not agree.
    CancellationGivenUp {
        /// Why.
        reason: String,
    },
    /// The order is canceled, and nothing of it will be received (D-15).
    OrderCanceled(OrderSlip),
}

impl DomainEvent for OrderEvent {
    const PUBLIC: &'static [&'static str] = &["Ordered", "OrderCanceled"];

    fn name(&self) -> &'static str {
        match self {
            Self::Ordered { .. } => "Ordered",
            Self::CancellationStarted { .. } => "CancellationStarted",
            Self::CancellationGivenUp { .. } => "CancellationGivenUp",
            Self::OrderCanceled(_) => "OrderCanceled",
        }
    }

    fn on_bus(&self, number: Number) -> Map<String, Value> {
        match self {
            Self::Ordered { slip, .. } | Self::OrderCanceled(slip) => slip.on_bus(number),
            Self::CancellationStarted { .. } | Self::CancellationGivenUp { .. } => Map::new(),
        }
    }
}
