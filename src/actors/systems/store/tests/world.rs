//! The store on stage, in the words of its own tests.

use super::*;
pub(super) use crate::actors::testkit::Fault;
use crate::actors::testkit::{Kind, World as Stage};

/// How a request ended for its client.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    Done,
    NotDone,
    Refused,
}

/// A store in which a test decides what happens next.
pub(super) struct World(Stage);

impl World {
    pub(super) fn new() -> Self {
        Self(Stage::of(services()))
    }

    pub(super) fn register(&mut self, quantity: i32) {
        assert!(self.0.create::<Product, _>(RegisterProduct { quantity, price: 1000 }, &[]).is_ok());
    }

    pub(super) fn change_product(&mut self, product: u64, command: ChangeProduct) -> Told {
        told_of(&self.0.ask::<Product, _>(&NumberedId::number(product), command, &[]))
    }

    pub(super) fn remove_product(&mut self, product: u64) -> Told {
        told_of(&self.0.ask::<Product, _>(&NumberedId::number(product), RemoveProduct, &[]))
    }

    pub(super) fn start_delivery(&mut self, order_id: u64, product_id: u64, quantity: i32) {
        let create = CreateDelivery { order_id, product_id, quantity, status: None };
        assert!(self.0.create::<Delivery, _>(create, &[]).is_ok());
    }

    pub(super) fn cancel_delivery(&mut self, delivery: u64) -> Told {
        told_of(&self.0.ask::<Delivery, _>(&NumberedId::number(delivery), CancelDelivery, &[]))
    }

    pub(super) fn pay(&mut self, product_id: u64, quantity: i32, price: i32) -> Told {
        told_of(&self.0.create::<Payment, _>(Pay { product_id, quantity, price }, &[]))
    }

    pub(super) fn cancel_payment(&mut self, payment: u64) -> Told {
        told_of(&self.0.ask::<Payment, _>(&NumberedId::number(payment), CancelPayment, &[]))
    }

    pub(super) fn place(&mut self, product_id: u64, quantity: i32, faults: &[Fault]) -> Told {
        let place = PlaceOrder { product_id, quantity, status: None, within: LINK };
        told_of(&self.0.create::<Order, _>(place, faults))
    }

    pub(super) fn cancel_order(&mut self, order: u64, faults: &[Fault]) -> Told {
        told_of(&self.0.ask::<Order, _>(&NumberedId::number(order), CancelOrder { within: LINK }, faults))
    }

    pub(super) fn arrive_late(&mut self) {
        self.0.arrive_late();
    }

    /// Lets a policy see an event; `pick` chooses which. False when there is none to see.
    pub(super) fn react(&mut self, pick: usize) -> bool {
        self.0.react(pick)
    }

    /// Lets everything happen that still has to.
    pub(super) fn settle(&mut self) {
        self.0.settle();
    }

    /// Lets everything happen but what these services do.
    pub(super) fn settle_without(&mut self, stopped: &[&'static str]) {
        for service in stopped {
            self.0.stop(service);
        }
        self.0.settle();
        for service in stopped {
            self.0.start(service);
        }
    }

    pub(super) fn kind<E: Entity>(&self) -> &Kind<E> {
        self.0.kind()
    }

    pub(super) fn order(&self, number: u64) -> Option<OrderItem> {
        self.kind::<Order>().item(number, |order, _| order.item())
    }

    pub(super) fn delivery(&self, number: u64) -> Option<DeliveryItem> {
        self.kind().item(number, Delivery::item)
    }

    pub(super) fn product(&self, number: u64) -> Option<ProductItem> {
        self.kind().item(number, Product::item)
    }

    pub(super) fn payment(&self, number: u64) -> Option<PaymentItem> {
        self.kind().item(number, Payment::item)
    }

    pub(super) fn texts(&self) -> Vec<String> {
        self.kind().items(Message::item).into_iter().filter_map(|item| item.content).collect()
    }

    pub(super) fn dead_letters(&self) -> usize {
        self.0.dead_letters().len()
    }
}

fn told_of<R, X>(came: &Result<R, AskError<X>>) -> Told {
    match came.as_ref().map_err(AskError::outcome) {
        Ok(_) => Told::Done,
        Err(Outcome::NotDone) => Told::NotDone,
        Err(Outcome::Refused) => Told::Refused,
        Err(Outcome::Unknown) => unreachable!("no outcome of a client is unknown here"),
    }
}
