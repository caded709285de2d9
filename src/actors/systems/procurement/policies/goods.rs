//! Service goodsdelivery.

use crate::actors::{
    entity::{Dispatch, Policy, Recorded, send},
    systems::procurement::{
        goods::{AssignCompany, EndDelivery, GoodsDelivery, OrderRef},
        management::{DeliveryManagement, ManagementEvent},
    },
};

/// A delivery order that has a company has a goods delivery, as long as it stands (F4, F10).
#[derive(Debug)]
pub struct DeliverGoods;

impl Policy for DeliverGoods {
    const NAME: &'static str = "procurement.deliver-goods";
    type Source = DeliveryManagement;
    type Target = GoodsDelivery;
    fn react(&self, event: &Recorded<DeliveryManagement>) -> Vec<Dispatch<GoodsDelivery>> {
        let order = event.number.get();
        match event.event.clone() {
            ManagementEvent::DeliveryRequestPatched { proc_no, request, company, .. } => {
                let command = AssignCompany { proc_no: proc_no.clone(), order: OrderRef { order, request }, company };
                vec![send(&proc_no, command)]
            }
            ManagementEvent::ProcurementNoticeCanceled { proc_no, request } => {
                vec![send(&proc_no, EndDelivery { order: OrderRef { order, request } })]
            }
            ManagementEvent::DeliveryOrderReceived { .. }
            | ManagementEvent::DeliveryOrderRevised { .. }
            | ManagementEvent::ResultAnnounced { .. }
            | ManagementEvent::AnnouncementVoided { .. }
            | ManagementEvent::ErrandPassedOn { .. } => Vec::new(),
        }
    }
}
