use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::OrderRef;
use crate::actors::{
    entity::{DomainEvent, Key, Number},
    systems::procurement::values::{Filing, on_bus},
};

/// What happens to a goods delivery.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum GoodsEvent {
    /// Internal: there will be a delivery; its number is drawn.
    GoodsNumberWanted {
        /// Of this step.
        round: u32,
        /// Its procurement number.
        proc_no: Key,
        /// The delivery order that it is for; none when a client made it.
        order: Option<OrderRef>,
        /// What it will be.
        filing: Filing,
    },
    /// Internal: the delivery is there.
    GoodsDeliveryOpened {
        /// Its number.
        id: u64,
        /// Its procurement number.
        proc_no: Key,
        /// The delivery order that it is for; none when a client made it.
        order: Option<OrderRef>,
        /// What it is.
        filing: Filing,
    },
    /// Internal: another company delivers, or another order is delivered.
    CompanyTakenOver {
        /// The delivery's number.
        id: u64,
        /// The delivery order that it is for.
        order: OrderRef,
        /// What it is now.
        filing: Filing,
    },
    /// The company files the delivery for inspection.
    InspectionRequestPatched {
        /// The delivery's number.
        id: u64,
        /// Its procurement number.
        proc_no: Key,
        /// The request that it is for, when that is known. Not on the bus.
        request: Option<u64>,
        /// What is filed.
        filing: Filing,
    },
    /// Internal: the delivery is gone.
    GoodsDeliveryRemoved {
        /// Its number.
        id: u64,
    },
}

impl DomainEvent for GoodsEvent {
    const PUBLIC: &'static [&'static str] = &["InspectionRequestPatched"];

    fn name(&self) -> &'static str {
        match self {
            Self::GoodsNumberWanted { .. } => "GoodsNumberWanted",
            Self::GoodsDeliveryOpened { .. } => "GoodsDeliveryOpened",
            Self::CompanyTakenOver { .. } => "CompanyTakenOver",
            Self::InspectionRequestPatched { .. } => "InspectionRequestPatched",
            Self::GoodsDeliveryRemoved { .. } => "GoodsDeliveryRemoved",
        }
    }

    fn on_bus(&self, _: Number) -> Map<String, Value> {
        match self {
            Self::InspectionRequestPatched { id, proc_no, filing, .. } => on_bus(*id, proc_no, filing),
            Self::GoodsNumberWanted { .. }
            | Self::GoodsDeliveryOpened { .. }
            | Self::CompanyTakenOver { .. }
            | Self::GoodsDeliveryRemoved { .. } => Map::new(),
        }
    }
}
