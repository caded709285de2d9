//! What follows from what. One policy per kind of source and service, so that the events of one entity
//! reach each service in their order.

use super::{
    delivery::{CancelDelivery, Delivery, DeliveryEvent, DeliveryStatus, RequestDelivery},
    order::{MarkShipped, Order, OrderEvent},
    rent::{CancelRent, Rent, RentEvent, VoidRent},
    values::key_of_order,
};
use crate::actors::entity::{Dispatch, NumberedId, Policy, Recorded, send};

/// A rent does not outlive its order (service rent, F5), found by the order and not by the rent (D-12).
#[derive(Debug)]
pub struct CancelRents;

impl Policy for CancelRents {
    const NAME: &'static str = "library.cancel-rents";
    type Source = Order;
    type Target = Rent;
    fn react(&self, event: &Recorded<Order>) -> Vec<Dispatch<Rent>> {
        match event.event {
            OrderEvent::OrderCancelled { .. } => vec![send(&key_of_order(event.number.get()), CancelRent)],
            OrderEvent::RentVoidRequested { order_id, round } => {
                vec![send(&key_of_order(order_id), VoidRent { order_id, round })]
            }
            OrderEvent::PlacingStarted { .. }
            | OrderEvent::PlacingGivenUp { .. }
            | OrderEvent::Ordered { .. }
            | OrderEvent::OrderShipped => Vec::new(),
        }
    }
}

/// A rental is delivered, a canceled one is not (service delivery, F3 and F6).
#[derive(Debug)]
pub struct DeliverRents;

impl Policy for DeliverRents {
    const NAME: &'static str = "library.deliver-rents";
    type Source = Rent;
    type Target = Delivery;
    fn react(&self, event: &Recorded<Rent>) -> Vec<Dispatch<Delivery>> {
        match event.event {
            RentEvent::Rented { order_id, .. } => vec![send(&key_of_order(order_id), RequestDelivery { order_id })],
            RentEvent::RentCanceled { order_id } => vec![send(&key_of_order(order_id), CancelDelivery { order_id })],
            RentEvent::RentTakenOver { .. } | RentEvent::RentVoided { .. } => Vec::new(),
        }
    }
}

/// An order shows that the courier has shipped its book; that the delivery exists changes nothing
/// (service order, D-8).
#[derive(Debug)]
pub struct MarkShippedOrders;

impl Policy for MarkShippedOrders {
    const NAME: &'static str = "library.mark-shipped-orders";
    type Source = Delivery;
    type Target = Order;
    fn react(&self, event: &Recorded<Delivery>) -> Vec<Dispatch<Order>> {
        match event.event {
            DeliveryEvent::Shipped { order_id, status: DeliveryStatus::Shipped } => {
                // Somebody may have asked for a rent of an order that is not there.
                vec![send(&NumberedId::number(order_id), MarkShipped).if_known()]
            }
            DeliveryEvent::Shipped { .. } | DeliveryEvent::DeliveryCanceled { .. } => Vec::new(),
        }
    }
}
