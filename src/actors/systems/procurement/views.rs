//! What everybody reads, and the lists of what is kept under its procurement number.

use serde::{Deserialize, Serialize};

use super::{
    goods::{GoodsDelivery, GoodsDeliveryItem, GoodsEvent},
    management::{DeliveryManagement, ManagementEvent},
    request::{DeliveryRequest, DeliveryRequestEvent, DeliveryRequestItem, InspectionResultItem},
};
use crate::actors::entity::{Follows, Key, Recorded, Sources, View, ViewKey};

/// How a delivery is going, found by the request's number. Goes with the request (D-14).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryStatusInquiry {
    /// The request's number, once more.
    pub id: u64,
    /// Its procurement number.
    pub proc_no: Key,
    /// What it is called.
    pub proc_title: Option<String>,
    /// Who delivered.
    pub company_nm: Option<String>,
    /// How the inspection went.
    pub inspection_succ_flag: Option<bool>,
}

impl View for DeliveryStatusInquiry {
    const NAME: &'static str = "procurement.delivery-status-inquiry";
    const VERSION: u32 = 1;
    type Key = u64;
    fn sources() -> Sources<Self> {
        Sources::of::<DeliveryRequest>()
    }
}

impl Follows<DeliveryRequest> for DeliveryStatusInquiry {
    fn key(event: &Recorded<DeliveryRequest>) -> Option<u64> {
        event.event.request()
    }
    fn apply(row: &mut Option<Self>, event: &Recorded<DeliveryRequest>) {
        use DeliveryRequestEvent as Event;
        match (&event.event, row) {
            (Event::ProcurementRequestPosted { id, proc_no, demand }, row) => {
                let (proc_no, proc_title) = (proc_no.clone(), demand.proc_title.clone());
                *row = Some(Self { id: *id, proc_no, proc_title, company_nm: None, inspection_succ_flag: None });
            }
            (Event::ProcurementRequestChanged { demand, .. }, Some(row)) => {
                row.proc_title.clone_from(&demand.proc_title);
            }
            (Event::InspectionResultPatched { filing, passed, .. }, Some(row)) => {
                row.inspection_succ_flag = Some(*passed);
                if filing.company_nm.is_some() {
                    row.company_nm.clone_from(&filing.company_nm);
                }
            }
            (Event::ProcurementRequestCanceled { .. }, row) => *row = None,
            _ => {}
        }
    }
}

/// The live requests, found by their number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Requests(DeliveryRequestItem);

impl Requests {
    /// The request as clients see it.
    pub fn item(&self) -> &DeliveryRequestItem {
        &self.0
    }
}

impl View for Requests {
    const NAME: &'static str = "procurement.requests";
    const VERSION: u32 = 1;
    type Key = u64;
    fn sources() -> Sources<Self> {
        Sources::of::<DeliveryRequest>()
    }
}

impl Follows<DeliveryRequest> for Requests {
    fn key(event: &Recorded<DeliveryRequest>) -> Option<u64> {
        event.event.request()
    }
    fn apply(row: &mut Option<Self>, event: &Recorded<DeliveryRequest>) {
        use DeliveryRequestEvent as Event;
        match (&event.event, row) {
            (Event::ProcurementRequestPosted { id, proc_no, demand }, row) => {
                let (proc_no, demand) = (proc_no.clone(), demand.clone());
                let (filing, inspection_succ_flag) = Default::default();
                *row = Some(Self(DeliveryRequestItem { id: *id, proc_no, demand, filing, inspection_succ_flag }));
            }
            (Event::ProcurementRequestChanged { demand, .. }, Some(Self(item))) => item.demand.clone_from(demand),
            (Event::InspectionFiled { filing, passed, .. }, Some(Self(item))) => {
                item.filing.clone_from(filing);
                item.inspection_succ_flag = *passed;
            }
            (Event::InspectionResultPatched { filing, passed, .. }, Some(Self(item))) => {
                item.filing.clone_from(filing);
                item.inspection_succ_flag = Some(*passed);
            }
            (Event::ProcurementRequestCanceled { .. }, row) => *row = None,
            _ => {}
        }
    }
}

/// The inspection results, found by their number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Results(InspectionResultItem);

impl Results {
    /// The result as clients see it.
    pub fn item(&self) -> &InspectionResultItem {
        &self.0
    }
}

impl View for Results {
    const NAME: &'static str = "procurement.results";
    const VERSION: u32 = 1;
    type Key = u64;
    fn sources() -> Sources<Self> {
        Sources::of::<DeliveryRequest>()
    }
}

impl Follows<DeliveryRequest> for Results {
    fn key(event: &Recorded<DeliveryRequest>) -> Option<u64> {
        event.event.result()
    }
    fn apply(row: &mut Option<Self>, event: &Recorded<DeliveryRequest>) {
        use DeliveryRequestEvent as Event;
        let now = match (&event.event, event.event.result()) {
            (Event::InspectionFiled { filing, passed, .. }, Some(id)) => Some((id, filing, *passed)),
            (Event::InspectionResultPatched { filing, passed, .. }, Some(id)) => Some((id, filing, Some(*passed))),
            _ => None,
        };
        *row = now.map(|(id, filing, inspection_succ_flag)| {
            let (proc_no, filing) = (event.id.clone(), filing.clone());
            Self(InspectionResultItem { id, proc_no, filing, inspection_succ_flag })
        });
    }
}

/// The goods deliveries, found by their number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct GoodsDeliveries(GoodsDeliveryItem);

impl GoodsDeliveries {
    /// The delivery as clients see it.
    pub fn item(&self) -> &GoodsDeliveryItem {
        &self.0
    }
}

impl View for GoodsDeliveries {
    const NAME: &'static str = "procurement.goods-deliveries";
    const VERSION: u32 = 1;
    type Key = u64;
    fn sources() -> Sources<Self> {
        Sources::of::<GoodsDelivery>()
    }
}

impl Follows<GoodsDelivery> for GoodsDeliveries {
    fn key(event: &Recorded<GoodsDelivery>) -> Option<u64> {
        match &event.event {
            GoodsEvent::GoodsDeliveryOpened { id, .. }
            | GoodsEvent::CompanyTakenOver { id, .. }
            | GoodsEvent::InspectionRequestPatched { id, .. }
            | GoodsEvent::GoodsDeliveryRemoved { id } => Some(*id),
            GoodsEvent::GoodsNumberWanted { .. } => None,
        }
    }
    fn apply(row: &mut Option<Self>, event: &Recorded<GoodsDelivery>) {
        match &event.event {
            GoodsEvent::GoodsDeliveryOpened { id, proc_no, filing, .. } => {
                *row = Some(Self(GoodsDeliveryItem { id: *id, proc_no: proc_no.clone(), filing: filing.clone() }));
            }
            GoodsEvent::CompanyTakenOver { filing, .. } | GoodsEvent::InspectionRequestPatched { filing, .. } => {
                if let Some(Self(item)) = row {
                    item.filing.clone_from(filing);
                }
            }
            GoodsEvent::GoodsDeliveryRemoved { .. } => *row = None,
            GoodsEvent::GoodsNumberWanted { .. } => {}
        }
    }
}

/// The standing delivery orders of each procurement number, the one that acts first: one that is born from a
/// request, else the newest (D-2). What the announcement by procurement number (section 6) and the finder ask.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrdersOfProcNo {
    /// The order's number.
    pub order: u64,
}

/// Where a delivery order stands among those of its procurement number.
///
/// As bytes, orders of one procurement number are together, those that are born from a request before those
/// that were posted, and the newest first. A procurement number has no control characters, so it ends at the
/// zero.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OrderPlace {
    /// The procurement number.
    pub proc_no: Key,
    /// Whether the procurement service posted it.
    pub posted: bool,
    /// The order's number.
    pub order: u64,
}

impl OrderPlace {
    /// The bytes with which the places of `proc_no` begin.
    pub fn prefix(proc_no: &Key) -> Vec<u8> {
        let mut bytes = proc_no.as_str().as_bytes().to_vec();
        bytes.push(0);
        bytes
    }
}

impl ViewKey for OrderPlace {
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Self::prefix(&self.proc_no);
        bytes.push(u8::from(self.posted));
        bytes.extend((u64::MAX - self.order).to_be_bytes());
        bytes
    }
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (text, rest) = bytes.split_at_checked(bytes.iter().position(|byte| *byte == 0)?)?;
        let [0, posted @ (0 | 1), order @ ..] = rest else { return None };
        let order = u64::MAX - u64::from_be_bytes(order.try_into().ok()?);
        Some(Self { proc_no: Key::from_bytes(text)?, posted: *posted == 1, order })
    }
}

impl View for OrdersOfProcNo {
    const NAME: &'static str = "procurement.orders-of-proc-no";
    const VERSION: u32 = 1;
    type Key = OrderPlace;
    fn sources() -> Sources<Self> {
        Sources::of::<DeliveryManagement>()
    }
}

impl Follows<DeliveryManagement> for OrdersOfProcNo {
    fn key(event: &Recorded<DeliveryManagement>) -> Option<OrderPlace> {
        match &event.event {
            ManagementEvent::DeliveryOrderReceived { proc_no, request, .. }
            | ManagementEvent::ProcurementNoticeCanceled { proc_no, request } => {
                let (proc_no, posted, order) = (proc_no.clone(), request.is_none(), event.number.get());
                Some(OrderPlace { proc_no, posted, order })
            }
            ManagementEvent::DeliveryOrderRevised { .. }
            | ManagementEvent::DeliveryRequestPatched { .. }
            | ManagementEvent::ResultAnnounced { .. }
            | ManagementEvent::AnnouncementVoided { .. }
            | ManagementEvent::ErrandPassedOn { .. } => None,
        }
    }
    fn apply(row: &mut Option<Self>, event: &Recorded<DeliveryManagement>) {
        *row = match &event.event {
            ManagementEvent::DeliveryOrderReceived { .. } => Some(Self { order: event.number.get() }),
            ManagementEvent::DeliveryOrderRevised { .. }
            | ManagementEvent::DeliveryRequestPatched { .. }
            | ManagementEvent::ResultAnnounced { .. }
            | ManagementEvent::AnnouncementVoided { .. }
            | ManagementEvent::ProcurementNoticeCanceled { .. }
            | ManagementEvent::ErrandPassedOn { .. } => None,
        };
    }
}
