use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::actors::{
    entity::{DomainEvent, Key, Number},
    systems::procurement::values::{Company, Demand, on_bus},
};

/// What happens to a delivery order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ManagementEvent {
    /// Internal: there is something to deliver.
    DeliveryOrderReceived {
        /// Its procurement number.
        proc_no: Key,
        /// The request that it is born from; none when the procurement service posted it.
        request: Option<u64>,
        /// What is to be delivered.
        demand: Demand,
        /// Who delivers, when that was posted too.
        company: Company,
    },
    /// Internal: the agency demands something else (D-1).
    DeliveryOrderRevised {
        /// What is to be delivered now.
        demand: Demand,
    },
    /// The procurement service assigned a company, or changed the order.
    DeliveryRequestPatched {
        /// Its procurement number.
        proc_no: Key,
        /// The request that it is born from. Not on the bus.
        request: Option<u64>,
        /// What is to be delivered. Not on the bus.
        demand: Demand,
        /// Who delivers (D-7).
        company: Company,
    },
    /// Internal: the order has heard how the inspection went (D-11).
    ResultAnnounced {
        /// Which announcement; later ones are greater.
        round: u32,
        /// How it went.
        passed: bool,
        /// Who delivered.
        company: Company,
    },
    /// Internal: this announcement does not count, whether it arrived or arrives later.
    AnnouncementVoided {
        /// Which.
        round: u32,
    },
    /// The order is gone.
    ProcurementNoticeCanceled {
        /// Its procurement number.
        proc_no: Key,
        /// The request that it was born from. Not on the bus.
        request: Option<u64>,
    },
    /// Internal: it is gone, and whichever order acts now has to do this.
    ErrandPassedOn {
        /// Its procurement number.
        proc_no: Key,
        /// What.
        errand: Errand,
    },
}

/// What a request wants of the delivery order that acts for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Errand {
    /// To deliver this instead.
    Revise(Demand),
    /// To hear that the inspection failed, in this round.
    Fail(u32),
    /// To go.
    Withdraw,
}

impl DomainEvent for ManagementEvent {
    const PUBLIC: &'static [&'static str] = &["DeliveryRequestPatched", "ProcurementNoticeCanceled"];

    fn name(&self) -> &'static str {
        match self {
            Self::DeliveryOrderReceived { .. } => "DeliveryOrderReceived",
            Self::DeliveryOrderRevised { .. } => "DeliveryOrderRevised",
            Self::DeliveryRequestPatched { .. } => "DeliveryRequestPatched",
            Self::ResultAnnounced { .. } => "ResultAnnounced",
            Self::AnnouncementVoided { .. } => "AnnouncementVoided",
            Self::ProcurementNoticeCanceled { .. } => "ProcurementNoticeCanceled",
            Self::ErrandPassedOn { .. } => "ErrandPassedOn",
        }
    }

    fn on_bus(&self, number: Number) -> Map<String, Value> {
        match self {
            Self::DeliveryRequestPatched { proc_no, company, .. } => on_bus(number.get(), proc_no, company),
            Self::ProcurementNoticeCanceled { proc_no, .. } => on_bus(number.get(), proc_no, &()),
            Self::DeliveryOrderReceived { .. }
            | Self::DeliveryOrderRevised { .. }
            | Self::ResultAnnounced { .. }
            | Self::AnnouncementVoided { .. }
            | Self::ErrandPassedOn { .. } => Map::new(),
        }
    }
}
