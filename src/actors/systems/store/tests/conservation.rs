//! Nothing is lost and nothing appears, in whatever order policies run and whatever happens on the link.

use proptest::{collection::vec, prelude::*};

use super::{
    world::{Fault, Told, World},
    *,
};

#[derive(Clone, Debug)]
enum Act {
    Place { product: u64, quantity: i32, faults: Vec<Fault> },
    CancelOrder { order: u64, faults: Vec<Fault> },
    StartDelivery { order: u64, product: u64, quantity: i32 },
    CancelDelivery { delivery: u64 },
    Pay { product: u64, quantity: i32 },
    CancelPayment { payment: u64 },
    ArriveLate,
    React { pick: usize },
}

fn faults() -> impl Strategy<Value = Vec<Fault>> {
    vec(prop::sample::select(Fault::ALL.to_vec()), 0..3)
}

fn act() -> impl Strategy<Value = Act> {
    let (product, quantity, number) = (1..=3_u64, 1..=6, 1..=8_u64);
    prop_oneof![
        3 => (product.clone(), quantity.clone(), faults())
            .prop_map(|(product, quantity, faults)| Act::Place { product, quantity, faults }),
        3 => (number.clone(), faults()).prop_map(|(order, faults)| Act::CancelOrder { order, faults }),
        1 => (number.clone(), product.clone(), quantity.clone())
            .prop_map(|(order, product, quantity)| Act::StartDelivery { order, product, quantity }),
        1 => number.clone().prop_map(|delivery| Act::CancelDelivery { delivery }),
        4 => (product, quantity).prop_map(|(product, quantity)| Act::Pay { product, quantity }),
        2 => number.prop_map(|payment| Act::CancelPayment { payment }),
        1 => Just(Act::ArriveLate),
        12 => any::<usize>().prop_map(|pick| Act::React { pick }),
    ]
}

fn perform(world: &mut World, act: &Act) -> Told {
    match act {
        Act::Place { product, quantity, faults } => world.place(*product, *quantity, faults),
        Act::CancelOrder { order, faults } => world.cancel_order(*order, faults),
        Act::StartDelivery { order, product, quantity } => {
            world.start_delivery(*order, *product, *quantity);
            Told::Done
        }
        Act::CancelDelivery { delivery } => world.cancel_delivery(*delivery),
        Act::Pay { product, quantity } => world.pay(*product, *quantity, 1),
        Act::CancelPayment { payment } => world.cancel_payment(*payment),
        Act::ArriveLate => {
            world.arrive_late();
            Told::Done
        }
        Act::React { pick } => {
            world.react(*pick);
            Told::Done
        }
    }
}

/// Stock = what was registered, plus deliveries that stand, minus purchases that stand.
fn check_stock(world: &World, registered: [i32; 2]) {
    let deliveries = world.kind().items(Delivery::item);
    let payments = world.kind().items(Payment::item);
    for (product, registered) in (1..).zip(registered) {
        let came: i32 = deliveries.iter().filter(|item| item.product_id == product).map(|item| item.quantity).sum();
        let went: i32 = payments.iter().filter(|item| item.product_id == product).map(|item| item.quantity).sum();
        let item = world.product(product).expect("nobody removes products here");
        assert_eq!(item.quantity, registered + came - went, "product {product}");
        let open = json(&world.kind::<Product>().streams()[usize::try_from(product).unwrap() - 1].state);
        assert_eq!(open["open_shortages"], json([0_u64; 0]), "every shortage is refunded");
    }
    for event in world.kind::<Product>().events() {
        if let ProductEvent::StockModified { quantity, cause: StockCause::Sold, .. } = event {
            assert!(*quantity >= 0, "a purchase made the stock negative: {event:?}");
        }
    }
}

/// An order stands with a delivery that was made for it; an order that does not has none that stands.
fn check_orders(world: &World) {
    for order in world.kind::<Order>().streams() {
        let rounds = order.events.iter().filter(|event| matches!(event.event, OrderEvent::PlacingStarted { .. }));
        for round in (1..).zip(rounds).map(|(round, _)| round) {
            let own = Step(CREATE_DELIVERY, round).creates(Order::KIND, &order.key);
            let own = world.kind::<Delivery>().keyed(&own);
            match order.state.item() {
                Some(item) => assert!(own.is_some(), "{item:?} was placed without a delivery"),
                None => assert_eq!(own.and_then(|own| own.state.item(Number::NONE)), None, "a delivery without order"),
            }
        }
        assert!(order.state.resume().is_empty(), "a step is still open");
    }
}

/// How many of these events have a message (section 8).
fn business<'e, V: DomainEvent>(events: impl Iterator<Item = &'e V>) -> usize {
    let has_none = ["ProductRegistered", "StockShortage", "ProductRemoved"];
    events.filter(|event| event.is_public() && !has_none.contains(&event.name())).count()
}

/// One message for each business event, one more for each stock that a give-back made negative, and one
/// for each movement of goods that the store does not know.
fn check_messages(world: &World) {
    let events = business(world.kind::<Order>().events())
        + business(world.kind::<Delivery>().events())
        + business(world.kind::<Product>().events())
        + business(world.kind::<Payment>().events());
    let negative = |event: &&ProductEvent| {
        matches!(event, ProductEvent::StockModified { quantity: ..0, cause: StockCause::GivenBack, .. })
    };
    let unknown = world.kind::<Delivery>().events().filter(|event| match event {
        DeliveryEvent::DeliveryStarted { product_id, .. } | DeliveryEvent::DeliveryCanceled { product_id, .. } => {
            *product_id == 3
        }
        DeliveryEvent::CreationVoided => false,
    });
    let unpaid = world.kind::<Payment>().events().filter(|event| match event {
        PaymentEvent::PayApproved { product_id, .. } | PaymentEvent::PayCanceled { product_id, .. } => *product_id == 3,
    });
    let expected =
        events + world.kind::<Product>().events().filter(negative).count() + unknown.count() + unpaid.count();
    assert_eq!(world.texts().len(), expected);
}

proptest! {
    #[test]
    fn stock_and_deliveries_are_conserved_over_random_histories(
        registered in [0..20, 0..20],
        acts in vec(act(), 1..80),
    ) {
        let mut world = World::new();
        for quantity in registered {
            world.register(quantity);
        }
        for act in &acts {
            let _ = perform(&mut world, act);
        }
        world.settle();
        check_stock(&world, registered);
        check_orders(&world);
        check_messages(&world);
    }
}

#[test]
fn a_lost_late_or_interrupted_answer_never_leaves_half_an_order() {
    use Fault::{AnswerLost, CrashAfter, CrashBefore, Late, Stopped};
    for fault in [Stopped, AnswerLost, Late, CrashBefore, CrashAfter] {
        for void_first in [false, true] {
            let mut world = World::new();
            world.register(0);
            world.register(0);
            let told = world.place(1, 3, &[fault]);
            let crash = matches!(fault, CrashBefore | CrashAfter);
            assert_eq!(told, if crash { Told::Done } else { Told::NotDone }, "{fault:?}");
            while void_first && world.react(0) {}
            world.settle();
            check_stock(&world, [0, 0]);
            check_orders(&world);
            let stock = world.product(1).map(|item| item.quantity);
            assert_eq!(stock, Some(if crash { 3 } else { 0 }), "{fault:?}, void first: {void_first}");
        }
    }
}
