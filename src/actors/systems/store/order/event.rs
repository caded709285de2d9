use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::OrderProgress;
use crate::actors::{
    entity::{DomainEvent, Number},
    systems::store::{delivery::DeliveryStatus, values::fields},
};

/// What happens to an order. Only `Ordered` and `OrderCanceled` are the business's; the others keep what
/// is intended and what is known of deliveries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum OrderEvent {
    /// Internal: the owner wants goods; the delivery is asked for.
    PlacingStarted {
        /// The order's number.
        number: Number,
        /// What is ordered.
        product_id: u64,
        /// How many.
        quantity: i32,
        /// Counted from 1 with every try.
        round: u32,
        /// How long the delivery service has to answer.
        within: Duration,
    },
    /// Internal: there will be no such order, for the delivery service did not agree.
    PlacingGivenUp {
        /// Why.
        reason: String,
    },
    /// Internal: whether the delivery of this round exists is not known; it must not.
    DeliveryVoidRequested {
        /// The round that asked for it.
        round: u32,
    },
    /// The order is placed, and its delivery exists.
    Ordered {
        /// What was ordered.
        product_id: u64,
        /// How many.
        quantity: i32,
        /// Its delivery. Not on the bus.
        delivery: u64,
    },
    /// Internal: a delivery of this order went on.
    DeliveryMarked {
        /// Which.
        delivery: u64,
        /// How far it is.
        status: DeliveryStatus,
    },
    /// Internal: the owner wants the order canceled; the delivery is asked to go first.
    CancellationStarted {
        /// The delivery that is asked.
        delivery: u64,
        /// Counted from 1 with every ask.
        round: u32,
        /// How long the delivery service has to answer.
        within: Duration,
    },
    /// Internal: the delivery that was asked is gone already.
    DeliveryFoundGone {
        /// Which.
        delivery: u64,
    },
    /// Internal: a delivery is asked once more, or another one is.
    CancellationContinued {
        /// The delivery that is asked.
        delivery: u64,
        /// The round of this ask.
        round: u32,
    },
    /// Internal: the order stays, for the delivery service did not agree.
    CancellationGivenUp {
        /// Why.
        reason: String,
    },
    /// The order is canceled, and so is its delivery.
    OrderCanceled {
        /// What was ordered.
        product_id: u64,
        /// How many.
        quantity: i32,
    },
}

impl DomainEvent for OrderEvent {
    const PUBLIC: &'static [&'static str] = &["Ordered", "OrderCanceled"];

    fn name(&self) -> &'static str {
        match self {
            Self::PlacingStarted { .. } => "PlacingStarted",
            Self::PlacingGivenUp { .. } => "PlacingGivenUp",
            Self::DeliveryVoidRequested { .. } => "DeliveryVoidRequested",
            Self::Ordered { .. } => "Ordered",
            Self::DeliveryMarked { .. } => "DeliveryMarked",
            Self::CancellationStarted { .. } => "CancellationStarted",
            Self::DeliveryFoundGone { .. } => "DeliveryFoundGone",
            Self::CancellationContinued { .. } => "CancellationContinued",
            Self::CancellationGivenUp { .. } => "CancellationGivenUp",
            Self::OrderCanceled { .. } => "OrderCanceled",
        }
    }

    fn on_bus(&self, number: Number) -> Map<String, Value> {
        let Some((product_id, quantity, status)) = self.goods() else { return Map::new() };
        fields([
            ("id", number.get().into()),
            ("productId", product_id.into()),
            ("quantity", quantity.into()),
            ("status", status.into()),
        ])
    }
}

impl OrderEvent {
    /// What a public event is about, and its status on the bus.
    fn goods(&self) -> Option<(u64, i32, &'static str)> {
        match *self {
            Self::Ordered { product_id, quantity, .. } => Some((product_id, quantity, OrderProgress::Ordered.as_str())),
            Self::OrderCanceled { product_id, quantity } => Some((product_id, quantity, "cancel")),
            Self::PlacingStarted { .. }
            | Self::PlacingGivenUp { .. }
            | Self::DeliveryVoidRequested { .. }
            | Self::DeliveryMarked { .. }
            | Self::CancellationStarted { .. }
            | Self::DeliveryFoundGone { .. }
            | Self::CancellationContinued { .. }
            | Self::CancellationGivenUp { .. } => None,
        }
    }
}
