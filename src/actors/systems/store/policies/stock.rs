//! What moves the stock, and what a shortage leads to.

use crate::actors::{
    entity::{Dispatch, NumberedId, Policy, Recorded, send},
    systems::store::{
        delivery::{Delivery, DeliveryEvent},
        payment::{Payment, PaymentEvent, RefundShortage},
        product::{GiveBackGoods, Product, ProductEvent, ReceiveGoods, ReturnGoods, SellGoods},
    },
};

/// Delivered goods enter the stock, and leave it when the delivery is canceled (service product).
#[derive(Debug)]
pub struct MoveStockOnDeliveries;

impl Policy for MoveStockOnDeliveries {
    const NAME: &'static str = "store.move-stock-on-deliveries";
    type Source = Delivery;
    type Target = Product;
    fn react(&self, event: &Recorded<Delivery>) -> Vec<Dispatch<Product>> {
        match event.event {
            DeliveryEvent::DeliveryStarted { product_id, quantity, .. } => {
                vec![send(&NumberedId::number(product_id), ReceiveGoods { quantity })]
            }
            DeliveryEvent::DeliveryCanceled { product_id, quantity, .. } => {
                vec![send(&NumberedId::number(product_id), GiveBackGoods { quantity })]
            }
            DeliveryEvent::CreationVoided => Vec::new(),
        }
    }
}

/// Sold goods leave the stock, and enter it again when the purchase is canceled (service product).
#[derive(Debug)]
pub struct MoveStockOnPayments;

impl Policy for MoveStockOnPayments {
    const NAME: &'static str = "store.move-stock-on-payments";
    type Source = Payment;
    type Target = Product;
    fn react(&self, event: &Recorded<Payment>) -> Vec<Dispatch<Product>> {
        let payment = event.number.get();
        match event.event {
            PaymentEvent::PayApproved { product_id, quantity, .. } => {
                vec![send(&NumberedId::number(product_id), SellGoods { payment, quantity })]
            }
            PaymentEvent::PayCanceled { product_id, quantity, .. } => {
                vec![send(&NumberedId::number(product_id), ReturnGoods { payment, quantity })]
            }
        }
    }
}

/// Who bought what is not there gets the money back (service payment, D-8).
#[derive(Debug)]
pub struct RefundOnShortage;

impl Policy for RefundOnShortage {
    const NAME: &'static str = "store.refund-on-shortage";
    type Source = Product;
    type Target = Payment;
    fn react(&self, event: &Recorded<Product>) -> Vec<Dispatch<Payment>> {
        match event.event {
            ProductEvent::StockShortage { payment, .. } => {
                vec![send(&NumberedId::number(payment), RefundShortage)]
            }
            ProductEvent::ProductRegistered { .. }
            | ProductEvent::StockModified { .. }
            | ProductEvent::ShortageClosed { .. }
            | ProductEvent::ProductRemoved => Vec::new(),
        }
    }
}
