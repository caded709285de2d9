//! Between orders and deliveries.

use crate::actors::{
    entity::{Dispatch, Entity, NumberedId, Policy, Recorded, Step, send},
    systems::store::{
        delivery::{Delivery, DeliveryEvent, DeliveryStatus, VoidDelivery},
        order::{CREATE_DELIVERY, MarkDelivery, Order, OrderEvent},
    },
};

/// An order shows what its deliveries do (service order).
#[derive(Debug)]
pub struct MarkDelivering;

impl Policy for MarkDelivering {
    const NAME: &'static str = "store.mark-delivering";
    type Source = Delivery;
    type Target = Order;
    fn react(&self, event: &Recorded<Delivery>) -> Vec<Dispatch<Order>> {
        let (order, status) = match event.event {
            DeliveryEvent::DeliveryStarted { order_id, .. } => (order_id, DeliveryStatus::Started),
            DeliveryEvent::DeliveryCanceled { order_id, .. } => (order_id, DeliveryStatus::Canceled),
            DeliveryEvent::CreationVoided => return Vec::new(),
        };
        // Headquarters may deliver for an order that nobody placed here.
        let mark = MarkDelivery { delivery: event.number.get(), status };
        vec![send(&NumberedId::number(order), mark).if_known()]
    }
}

/// A delivery whose order was given up must not stand (service delivery).
#[derive(Debug)]
pub struct VoidUnwantedDeliveries;

impl Policy for VoidUnwantedDeliveries {
    const NAME: &'static str = "store.void-unwanted-deliveries";
    type Source = Order;
    type Target = Delivery;
    fn react(&self, event: &Recorded<Order>) -> Vec<Dispatch<Delivery>> {
        let OrderEvent::DeliveryVoidRequested { round } = event.event else { return Vec::new() };
        // Events name their entity by its stream; by its number nobody can tell what it created.
        let NumberedId::Key(order) = &event.id else { return Vec::new() };
        let delivery = Step(CREATE_DELIVERY, round).creates(Order::KIND, order);
        vec![send(&NumberedId::Key(delivery), VoidDelivery)]
    }
}
