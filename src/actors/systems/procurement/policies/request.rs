//! Service procurementrequest.

use crate::actors::{
    entity::{Dispatch, Policy, Recorded, send},
    systems::procurement::{
        goods::{GoodsDelivery, GoodsEvent},
        management::{DeliveryManagement, ManagementEvent},
        request::{DeliveryRequest, FileInspection, MarkAssigned},
    },
};

/// What a company files for inspection begins an inspection result (F6).
#[derive(Debug)]
pub struct FileInspections;

impl Policy for FileInspections {
    const NAME: &'static str = "procurement.file-inspections";
    type Source = GoodsDelivery;
    type Target = DeliveryRequest;
    fn react(&self, event: &Recorded<GoodsDelivery>) -> Vec<Dispatch<DeliveryRequest>> {
        match event.event.clone() {
            GoodsEvent::InspectionRequestPatched { proc_no, request, filing, .. } => {
                vec![send(&proc_no, FileInspection { request, filing })]
            }
            GoodsEvent::GoodsNumberWanted { .. }
            | GoodsEvent::GoodsDeliveryOpened { .. }
            | GoodsEvent::CompanyTakenOver { .. }
            | GoodsEvent::GoodsDeliveryRemoved { .. } => Vec::new(),
        }
    }
}

/// What is demanded is fixed as soon as a company is assigned.
#[derive(Debug)]
pub struct MarkAssignments;

impl Policy for MarkAssignments {
    const NAME: &'static str = "procurement.mark-assignments";
    type Source = DeliveryManagement;
    type Target = DeliveryRequest;
    fn react(&self, event: &Recorded<DeliveryManagement>) -> Vec<Dispatch<DeliveryRequest>> {
        match event.event.clone() {
            ManagementEvent::DeliveryRequestPatched { proc_no, request, company, .. } if company.is_named() => {
                vec![send(&proc_no, MarkAssigned { request })]
            }
            ManagementEvent::DeliveryRequestPatched { .. }
            | ManagementEvent::DeliveryOrderReceived { .. }
            | ManagementEvent::DeliveryOrderRevised { .. }
            | ManagementEvent::ResultAnnounced { .. }
            | ManagementEvent::AnnouncementVoided { .. }
            | ManagementEvent::ProcurementNoticeCanceled { .. }
            | ManagementEvent::ErrandPassedOn { .. } => Vec::new(),
        }
    }
}
