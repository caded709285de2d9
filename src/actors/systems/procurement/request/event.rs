use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Wanted;
use crate::actors::{
    entity::{DomainEvent, Key, Number, NumberedId},
    systems::procurement::values::{Demand, Filing, on_bus},
};

/// What happens under a procurement number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum DeliveryRequestEvent {
    /// Internal: an agency demands something; the request's number is drawn.
    PostingStarted {
        /// Of this step.
        round: u32,
        /// The stream of the number.
        ticket: Key,
        /// The procurement number.
        proc_no: Key,
        /// What is demanded.
        demand: Demand,
    },
    /// Internal: there will be no such request.
    PostingGivenUp {
        /// Why.
        reason: String,
    },
    /// The request stands.
    ProcurementRequestPosted {
        /// Its number.
        id: u64,
        /// Its procurement number.
        proc_no: Key,
        /// What is demanded.
        demand: Demand,
    },
    /// Something else is demanded (D-1).
    ProcurementRequestChanged {
        /// The request's number.
        id: u64,
        /// Its procurement number.
        proc_no: Key,
        /// What is demanded now.
        demand: Demand,
    },
    /// Internal: a company is assigned, what is demanded is fixed from now on.
    RequestAssigned {
        /// The request's number.
        id: u64,
    },
    /// The request is gone, and its inspection result with it (D-9).
    ProcurementRequestCanceled {
        /// The request's number.
        id: u64,
        /// Its procurement number.
        proc_no: Key,
        /// The result's number. Not on the bus.
        result: Option<u64>,
    },
    /// Internal: the agency passes the inspection; a delivery order is told first.
    AnnouncementStarted {
        /// Of this step; it names the announcement.
        round: u32,
        /// The delivery order that is told.
        order: NumberedId,
        /// What becomes of the result.
        wanted: Wanted,
        /// How long the delivery management has to answer.
        within: Duration,
    },
    /// Internal: the request's own delivery order is gone; which one acts now is asked.
    OrderSought {
        /// Of this step.
        round: u32,
        /// What becomes of the result.
        wanted: Wanted,
        /// How long the delivery management has to answer.
        within: Duration,
    },
    /// Internal: the result stays as it is.
    AnnouncementGivenUp {
        /// Why.
        reason: String,
    },
    /// Internal: whether the delivery order has heard of this announcement is not known; it must forget it.
    ResultVoidRequested {
        /// Round of the announcement.
        announcement: u32,
        /// The delivery order that was told.
        order: NumberedId,
    },
    /// Internal: there will be a result; its number is drawn.
    NumberWanted {
        /// Of this step.
        round: u32,
        /// What the result will be.
        wanted: Wanted,
    },
    /// Internal: the result has this filing now.
    InspectionFiled {
        /// The result's number.
        id: u64,
        /// The request's number.
        request: u64,
        /// What is filed.
        filing: Filing,
        /// The result that stays; a failed one is open again.
        passed: Option<bool>,
    },
    /// The result is recorded.
    InspectionResultPatched {
        /// The result's number.
        id: u64,
        /// The request's number. Not on the bus.
        request: u64,
        /// The procurement number.
        proc_no: Key,
        /// What was inspected.
        filing: Filing,
        /// How it went.
        passed: bool,
        /// Results and announcements of later rounds are later ones. Not on the bus.
        round: u32,
    },
}

impl DomainEvent for DeliveryRequestEvent {
    const PUBLIC: &'static [&'static str] = &[
        "ProcurementRequestPosted",
        "ProcurementRequestChanged",
        "ProcurementRequestCanceled",
        "InspectionResultPatched",
    ];

    fn name(&self) -> &'static str {
        match self {
            Self::PostingStarted { .. } => "PostingStarted",
            Self::PostingGivenUp { .. } => "PostingGivenUp",
            Self::ProcurementRequestPosted { .. } => "ProcurementRequestPosted",
            Self::ProcurementRequestChanged { .. } => "ProcurementRequestChanged",
            Self::RequestAssigned { .. } => "RequestAssigned",
            Self::ProcurementRequestCanceled { .. } => "ProcurementRequestCanceled",
            Self::AnnouncementStarted { .. } => "AnnouncementStarted",
            Self::OrderSought { .. } => "OrderSought",
            Self::AnnouncementGivenUp { .. } => "AnnouncementGivenUp",
            Self::ResultVoidRequested { .. } => "ResultVoidRequested",
            Self::NumberWanted { .. } => "NumberWanted",
            Self::InspectionFiled { .. } => "InspectionFiled",
            Self::InspectionResultPatched { .. } => "InspectionResultPatched",
        }
    }

    fn on_bus(&self, _: Number) -> Map<String, Value> {
        match self {
            Self::ProcurementRequestPosted { id, proc_no, demand }
            | Self::ProcurementRequestChanged { id, proc_no, demand } => on_bus(*id, proc_no, demand),
            Self::ProcurementRequestCanceled { id, proc_no, .. } => on_bus(*id, proc_no, &()),
            Self::InspectionResultPatched { id, proc_no, filing, passed, .. } => {
                let Filing { company_no, company_nm, company_phone_no, .. } = filing;
                let told = json!({
                    "companyNo": company_no,
                    "companyNm": company_nm,
                    "companyPhoneNo": company_phone_no,
                    "inspectionSuccFlag": passed,
                });
                on_bus(*id, proc_no, &told)
            }
            Self::PostingStarted { .. }
            | Self::PostingGivenUp { .. }
            | Self::RequestAssigned { .. }
            | Self::AnnouncementStarted { .. }
            | Self::OrderSought { .. }
            | Self::AnnouncementGivenUp { .. }
            | Self::ResultVoidRequested { .. }
            | Self::NumberWanted { .. }
            | Self::InspectionFiled { .. } => Map::new(),
        }
    }
}

impl DeliveryRequestEvent {
    /// The request that clients see changed by it.
    pub(in crate::actors::systems::procurement) fn request(&self) -> Option<u64> {
        match self {
            Self::ProcurementRequestPosted { id, .. }
            | Self::ProcurementRequestChanged { id, .. }
            | Self::ProcurementRequestCanceled { id, .. } => Some(*id),
            Self::InspectionFiled { request, .. } | Self::InspectionResultPatched { request, .. } => Some(*request),
            Self::PostingStarted { .. }
            | Self::PostingGivenUp { .. }
            | Self::RequestAssigned { .. }
            | Self::AnnouncementStarted { .. }
            | Self::OrderSought { .. }
            | Self::AnnouncementGivenUp { .. }
            | Self::ResultVoidRequested { .. }
            | Self::NumberWanted { .. } => None,
        }
    }

    /// The inspection result that clients see changed by it.
    pub(in crate::actors::systems::procurement) fn result(&self) -> Option<u64> {
        match self {
            Self::InspectionFiled { id, .. } | Self::InspectionResultPatched { id, .. } => Some(*id),
            Self::ProcurementRequestCanceled { result, .. } => *result,
            Self::ProcurementRequestPosted { .. }
            | Self::ProcurementRequestChanged { .. }
            | Self::PostingStarted { .. }
            | Self::PostingGivenUp { .. }
            | Self::RequestAssigned { .. }
            | Self::AnnouncementStarted { .. }
            | Self::OrderSought { .. }
            | Self::AnnouncementGivenUp { .. }
            | Self::ResultVoidRequested { .. }
            | Self::NumberWanted { .. } => None,
        }
    }
}
