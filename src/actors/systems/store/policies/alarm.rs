//! The owner's mailbox (service alarm): one message per business event, in the words of section 8.
//!
//! D-8 wants "messages for both" of a purchase beyond the stock: these are the purchase's own, approved
//! and canceled. A shortage moves no stock, so it has no message of its own, and neither have
//! registering and removing a product (D-7, D-9).

use crate::actors::{
    entity::{
        DeadLetter, Dispatch, DispatchOrder, Entity, Policy, PolicyProgress, PolicyProgressEvent, Recorded, create,
    },
    systems::store::{
        delivery::{Delivery, DeliveryEvent},
        message::{Message, WriteMessage},
        order::{Order, OrderEvent},
        payment::{Payment, PaymentEvent},
        product::{Product, ProductEvent, ProductRejection, StockCause},
    },
};

fn message(content: String) -> Dispatch<Message> {
    create(WriteMessage { content: Some(content) })
}

/// Tells the owner of orders.
#[derive(Debug)]
pub struct AlarmOnOrders;

impl Policy for AlarmOnOrders {
    const NAME: &'static str = "store.alarm-on-orders";
    type Source = Order;
    type Target = Message;
    const ORDER: DispatchOrder = DispatchOrder::PerSource;
    fn react(&self, event: &Recorded<Order>) -> Vec<Dispatch<Message>> {
        match event.event {
            OrderEvent::Ordered { product_id, quantity, .. } => {
                vec![message(format!("상품 ID : {product_id}, 수량 : {quantity} 발주 신청됨"))]
            }
            OrderEvent::OrderCanceled { product_id, quantity } => {
                vec![message(format!("상품 ID : {product_id}, 수량 : {quantity} 발주 취소됨"))]
            }
            OrderEvent::PlacingStarted { .. }
            | OrderEvent::PlacingGivenUp { .. }
            | OrderEvent::DeliveryVoidRequested { .. }
            | OrderEvent::DeliveryMarked { .. }
            | OrderEvent::CancellationStarted { .. }
            | OrderEvent::DeliveryFoundGone { .. }
            | OrderEvent::CancellationContinued { .. }
            | OrderEvent::CancellationGivenUp { .. } => Vec::new(),
        }
    }
}

/// Tells the owner of deliveries.
#[derive(Debug)]
pub struct AlarmOnDeliveries;

impl Policy for AlarmOnDeliveries {
    const NAME: &'static str = "store.alarm-on-deliveries";
    type Source = Delivery;
    type Target = Message;
    const ORDER: DispatchOrder = DispatchOrder::PerSource;
    fn react(&self, event: &Recorded<Delivery>) -> Vec<Dispatch<Message>> {
        match event.event {
            DeliveryEvent::DeliveryStarted { product_id, quantity, .. } => {
                vec![message(format!("상품 ID : {product_id}, 수량 : {quantity} 배송됨"))]
            }
            DeliveryEvent::DeliveryCanceled { product_id, quantity, .. } => {
                vec![message(format!("상품 ID : {product_id}, 수량 : {quantity} 배송 취소됨"))]
            }
            DeliveryEvent::CreationVoided => Vec::new(),
        }
    }
}

/// Tells the owner of the stock; also that more was given back than there was (D-8b).
#[derive(Debug)]
pub struct AlarmOnStock;

impl Policy for AlarmOnStock {
    const NAME: &'static str = "store.alarm-on-stock";
    type Source = Product;
    type Target = Message;
    const ORDER: DispatchOrder = DispatchOrder::PerSource;
    fn react(&self, event: &Recorded<Product>) -> Vec<Dispatch<Message>> {
        let ProductEvent::StockModified { quantity, status, cause, .. } = event.event else { return Vec::new() };
        let (id, status) = (event.number, status.as_str());
        let mut messages = vec![message(format!("{status} 상품 ID : {id}, 총 수량 : {quantity}"))];
        if quantity < 0 && cause == StockCause::GivenBack {
            messages.push(message(format!("재고 부족 상품 ID : {id}, 총 수량 : {quantity}")));
        }
        messages
    }
}

/// Tells the owner of purchases.
#[derive(Debug)]
pub struct AlarmOnPayments;

impl Policy for AlarmOnPayments {
    const NAME: &'static str = "store.alarm-on-payments";
    type Source = Payment;
    type Target = Message;
    const ORDER: DispatchOrder = DispatchOrder::PerSource;
    fn react(&self, event: &Recorded<Payment>) -> Vec<Dispatch<Message>> {
        match event.event {
            PaymentEvent::PayApproved { product_id, price, .. } => {
                vec![message(format!("상품 ID : {product_id}, 금액 : {price} 결제됨"))]
            }
            PaymentEvent::PayCanceled { product_id, price, .. } => {
                vec![message(format!("상품 ID : {product_id}, 금액 : {price} 결제 취소됨"))]
            }
        }
    }
}

/// Tells the owner of orders and purchases of what the store does not sell (D-9, D-10).
#[derive(Debug)]
pub struct AlarmOnDeadLetters;

impl Policy for AlarmOnDeadLetters {
    const NAME: &'static str = "store.alarm-on-dead-letters";
    type Source = PolicyProgress;
    type Target = Message;
    const ORDER: DispatchOrder = DispatchOrder::PerSource;
    fn react(&self, event: &Recorded<PolicyProgress>) -> Vec<Dispatch<Message>> {
        match &event.event {
            PolicyProgressEvent::PutAside(letter) if is_for_no_product(letter) => {
                vec![message(format!("상품 ID : {} 없음", letter.number))]
            }
            PolicyProgressEvent::PutAside(_)
            | PolicyProgressEvent::Advanced { .. }
            | PolicyProgressEvent::Delivered { .. }
            | PolicyProgressEvent::Discarded { .. } => Vec::new(),
        }
    }
}

/// Whether a letter was for a product that is not there. Other refusals say nothing of that kind, and a
/// letter for another kind, such as an order that is not there, is none of the owner's business.
fn is_for_no_product(letter: &DeadLetter) -> bool {
    let gone = || {
        let rejection = letter.rejection.clone().and_then(|json| serde_json::from_value(json).ok());
        rejection == Some(ProductRejection::Gone)
    };
    letter.kind == Product::KIND && !letter.number.is_none() && (letter.not_found || gone())
}
