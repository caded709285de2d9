//! The library's rules, each named by the requirement (F), decision (D) or scenario (N) of its document.

use super::*;
use crate::actors::{
    entity::*,
    systems::{Refusal, RefusalClass},
    testkit::{Fault, World, given, history, laws, reacts, recorded},
};

mod conservation;
mod deliveries;
mod mypages;
mod orders;
mod policies;
mod rents;
mod story;

/// D-15.
const LINK: Duration = RENT_WITHIN;

/// What a client is told when the rent service does not answer.
const RETRY_AFTER: Duration = Duration::from_secs(5);

#[expect(clippy::unnecessary_wraps, reason = "what commands take")]
fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn of(order: u64) -> NumberedId {
    NumberedId::Key(key_of(order))
}

fn client(text: &str) -> NumberedId {
    NumberedId::Key(Key::new(text).unwrap())
}

fn rented(order_id: u64, round: u32) -> RentEvent {
    RentEvent::Rented { order_id, round }
}

fn rent_canceled(order_id: u64) -> RentEvent {
    RentEvent::RentCanceled { order_id }
}

fn shipped(order_id: u64, status: DeliveryStatus) -> DeliveryEvent {
    DeliveryEvent::Shipped { order_id, status }
}

fn delivery_canceled(order_id: u64) -> DeliveryEvent {
    DeliveryEvent::DeliveryCanceled { order_id }
}

fn placing(round: u32) -> OrderEvent {
    OrderEvent::PlacingStarted { number: Number::new(1), item: "COSMOS".to_owned(), round, within: LINK }
}

fn ordered() -> OrderEvent {
    OrderEvent::Ordered { item: "COSMOS".to_owned() }
}

fn order_cancelled() -> OrderEvent {
    OrderEvent::OrderCancelled { item: "COSMOS".to_owned() }
}

fn given_up(reason: &str, for_good: bool) -> OrderEvent {
    OrderEvent::PlacingGivenUp { reason: reason.to_owned(), for_good }
}

fn void(round: u32) -> OrderEvent {
    OrderEvent::RentVoidRequested { order_id: 1, round }
}

/// A refusal's class, code and field, as the edge tells them.
fn told(refusal: &dyn Refusal) -> (RefusalClass, &'static str, Option<&'static str>) {
    (refusal.class(), refusal.code(), refusal.field())
}

/// An event as subscribers get it, with its number 9.
fn on_bus(event: &impl DomainEvent) -> (bool, &'static str, String) {
    let fields = serde_json::to_string(&event.on_bus(Number::new(9))).unwrap();
    (event.is_public(), event.name(), fields)
}

/// A library in which a test decides what happens next.
fn library() -> World {
    World::of(services())
}

fn request(item: &str) -> PlaceOrder {
    PlaceOrder { item: text(item), status: None, within: LINK }
}

fn order_of(world: &World, number: u64) -> Option<OrderStatus> {
    world.kind::<Order>().item(number, |order, _| order.item()).map(|item| item.status)
}

fn rent_of(world: &World, order: u64) -> Option<RentStatus> {
    let rent = world.kind::<Rent>().keyed(&key_of(order))?;
    rent.state.item(rent.number).map(|item| item.status)
}

fn delivery_of(world: &World, order: u64) -> Option<DeliveryStatus> {
    let delivery = world.kind::<Delivery>().keyed(&key_of(order))?;
    delivery.state.item(delivery.number).map(|item| item.status)
}

/// What the my-page shows of an order.
fn page_of(world: &World, order: u64) -> Option<String> {
    world.rows::<Mypage>().get(&order).filter(|row| row.is_listed()).and_then(Mypage::item).map(|item| item.status)
}

fn key_of(order: u64) -> Key {
    Key::new(format!("order-{order}")).unwrap()
}
