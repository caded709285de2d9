//! From the order to the expected receipt.

use crate::actors::{
    entity::{Dispatch, Policy, Recorded, send},
    systems::station::{
        flow::{ExpectReceipt, FlowEntry, StockFlow},
        order::{Order, OrderEvent, OrderSlip},
        shipment::{CallOffShipment, ShipOrder, Shipment, ShipmentEvent, ShipmentLoad},
    },
};

/// An order is shipped once, and called back when it is canceled (service Logistics; F2, D-15).
#[derive(Debug)]
pub struct ShipOrders;

impl Policy for ShipOrders {
    const NAME: &'static str = "station.ship-orders";
    type Source = Order;
    type Target = Shipment;
    fn react(&self, event: &Recorded<Order>) -> Vec<Dispatch<Shipment>> {
        let order_id = event.number.get();
        let shipment = Shipment::key_of(order_id);
        match &event.event {
            OrderEvent::Ordered { slip, .. } => {
                let OrderSlip { product_id, product_name, qty, dest_addr, order_date: _ } = slip.clone();
                let load = ShipmentLoad { order_id, product_id, product_name, qty, dest_addr };
                vec![send(&shipment, ShipOrder { load })]
            }
            OrderEvent::OrderCanceled(_) => vec![send(&shipment, CallOffShipment)],
            OrderEvent::CancellationStarted { .. } | OrderEvent::CancellationGivenUp { .. } => Vec::new(),
        }
    }
}

/// What is shipped is expected (service Station; F3).
#[derive(Debug)]
pub struct ExpectShipments;

impl Policy for ExpectShipments {
    const NAME: &'static str = "station.expect-shipments";
    type Source = Shipment;
    type Target = StockFlow;
    fn react(&self, event: &Recorded<Shipment>) -> Vec<Dispatch<StockFlow>> {
        let ShipmentEvent::Shipped { load, car_number: _ } = &event.event else { return Vec::new() };
        let ShipmentLoad { order_id, product_id, product_name, qty, dest_addr: _ } = load.clone();
        let entry = FlowEntry::expected(order_id, product_id, product_name, qty);
        vec![send(&FlowEntry::key_of_receipt(order_id), ExpectReceipt { entry })]
    }
}
