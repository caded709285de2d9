//! Service procurementmanagement.

use crate::actors::{
    entity::{Dispatch, NumberedId, Policy, Recorded, send},
    systems::procurement::{
        management::{
            DeliveryManagement, Errand, HearFailure, ManagementEvent, NoteOrder, OrderRegister, ReceiveOrder,
            RegisterEvent, ReviseOrder, RunErrand, StrikeOrder, VoidAnnouncement, WithdrawOrder,
        },
        request::{DeliveryRequest, DeliveryRequestEvent, order_of},
    },
};

/// A request's delivery order follows the request.
#[derive(Debug)]
pub struct FollowRequests;

impl Policy for FollowRequests {
    const NAME: &'static str = "procurement.follow-requests";
    type Source = DeliveryRequest;
    type Target = DeliveryManagement;
    fn react(&self, event: &Recorded<DeliveryRequest>) -> Vec<Dispatch<DeliveryManagement>> {
        use DeliveryRequestEvent as Event;
        match event.event.clone() {
            Event::ProcurementRequestPosted { id, proc_no, demand } => {
                vec![send(&order_of(id), ReceiveOrder { request: id, proc_no, demand })]
            }
            Event::ProcurementRequestChanged { id, demand, .. } => {
                vec![send(&order_of(id), ReviseOrder { demand })]
            }
            Event::InspectionResultPatched { request, passed: false, round, .. } => {
                vec![send(&order_of(request), HearFailure { round })]
            }
            // An order that was posted may be gone for good.
            Event::ResultVoidRequested { announcement, order } => {
                vec![send(&order, VoidAnnouncement { round: announcement })]
            }
            Event::ProcurementRequestCanceled { id, .. } => {
                vec![send(&order_of(id), WithdrawOrder { for_request: true })]
            }
            Event::PostingStarted { .. }
            | Event::PostingGivenUp { .. }
            | Event::RequestAssigned { .. }
            | Event::AnnouncementStarted { .. }
            | Event::OrderSought { .. }
            | Event::AnnouncementGivenUp { .. }
            | Event::NumberWanted { .. }
            | Event::InspectionFiled { .. }
            | Event::InspectionResultPatched { passed: true, .. } => Vec::new(),
        }
    }
}

/// The register knows the orders that the procurement service posted, and what is passed on to them.
#[derive(Debug)]
pub struct KeepRegister;

impl Policy for KeepRegister {
    const NAME: &'static str = "procurement.keep-register";
    type Source = DeliveryManagement;
    type Target = OrderRegister;
    fn react(&self, event: &Recorded<DeliveryManagement>) -> Vec<Dispatch<OrderRegister>> {
        let order = event.number.get();
        match event.event.clone() {
            ManagementEvent::DeliveryOrderReceived { proc_no, request: None, .. } => {
                vec![send(&proc_no, NoteOrder { order })]
            }
            ManagementEvent::ProcurementNoticeCanceled { proc_no, request: None } => {
                vec![send(&proc_no, StrikeOrder { order })]
            }
            ManagementEvent::ErrandPassedOn { proc_no, errand } => vec![send(&proc_no, RunErrand { errand })],
            ManagementEvent::DeliveryOrderReceived { request: Some(_), .. }
            | ManagementEvent::ProcurementNoticeCanceled { request: Some(_), .. }
            | ManagementEvent::DeliveryOrderRevised { .. }
            | ManagementEvent::DeliveryRequestPatched { .. }
            | ManagementEvent::ResultAnnounced { .. }
            | ManagementEvent::AnnouncementVoided { .. } => Vec::new(),
        }
    }
}

/// The newest order does what the request's own cannot do any more (D-2).
#[derive(Debug)]
pub struct RunErrands;

impl Policy for RunErrands {
    const NAME: &'static str = "procurement.run-errands";
    type Source = OrderRegister;
    type Target = DeliveryManagement;
    fn react(&self, event: &Recorded<OrderRegister>) -> Vec<Dispatch<DeliveryManagement>> {
        let RegisterEvent::ErrandGiven { order, errand } = event.event.clone() else { return Vec::new() };
        let order = NumberedId::number(order);
        vec![match errand {
            Errand::Revise(demand) => send(&order, ReviseOrder { demand }),
            Errand::Fail(round) => send(&order, HearFailure { round }),
            Errand::Withdraw => send(&order, WithdrawOrder { for_request: true }),
        }]
    }
}
