//! An order that stands has exactly one rent, and a rent exactly one delivery, in whatever order policies run,
//! whatever happens on the link, and wherever the process ends in between.

use std::collections::BTreeSet;

use proptest::{collection::vec, prelude::*};

use super::*;

#[derive(Clone, Debug)]
enum Act {
    /// A customer's request; what it asks goes on at once and meets these faults.
    Place {
        faults: Vec<Fault>,
    },
    /// A customer's request; what it asks goes on some time.
    Begin,
    /// An earlier request once more, under its own key.
    Repeat {
        nth: usize,
        faults: Vec<Fault>,
    },
    Advance {
        pick: usize,
        fault: Fault,
    },
    Cancel {
        order: u64,
    },
    /// Somebody asks the rent service itself.
    Rent {
        order: u64,
    },
    CancelRent {
        rent: u64,
    },
    Courier {
        delivery: u64,
        ships: bool,
    },
    ArriveLate,
    Crash,
    React {
        pick: usize,
    },
}

fn fault() -> impl Strategy<Value = Fault> {
    prop::sample::select(Fault::ALL.to_vec())
}

fn act() -> impl Strategy<Value = Act> {
    let number = 1..=8_u64;
    prop_oneof![
        4 => vec(fault(), 0..2).prop_map(|faults| Act::Place { faults }),
        2 => Just(Act::Begin),
        2 => (any::<usize>(), vec(fault(), 0..2)).prop_map(|(nth, faults)| Act::Repeat { nth, faults }),
        3 => (any::<usize>(), fault()).prop_map(|(pick, fault)| Act::Advance { pick, fault }),
        3 => number.clone().prop_map(|order| Act::Cancel { order }),
        1 => number.clone().prop_map(|order| Act::Rent { order }),
        1 => number.clone().prop_map(|rent| Act::CancelRent { rent }),
        3 => (number, any::<bool>()).prop_map(|(delivery, ships)| Act::Courier { delivery, ships }),
        1 => Just(Act::ArriveLate),
        1 => Just(Act::Crash),
        12 => any::<usize>().prop_map(|pick| Act::React { pick }),
    ]
}

/// What is known of a history besides the events: who did what the order service did not.
#[derive(Default)]
struct Outside {
    /// Orders whose rent somebody else asked for.
    rented: BTreeSet<u64>,
    /// Orders whose rent was canceled by its number.
    canceled: BTreeSet<u64>,
    /// Orders whose delivery the courier called off.
    called_off: BTreeSet<u64>,
    /// Requests, by their keys.
    requests: Vec<NumberedId>,
}

impl Outside {
    fn perform(&mut self, world: &mut World, act: &Act) {
        match act {
            Act::Place { faults } => {
                let to = self.request(world);
                drop(world.ask(&to, request("COSMOS"), faults));
            }
            Act::Begin => {
                let to = self.request(world);
                drop(world.begin(&to, request("COSMOS")));
            }
            Act::Repeat { nth, faults } => {
                if let Some(at) = nth.checked_rem(self.requests.len()) {
                    drop(world.ask(&self.requests[at].clone(), request("COSMOS"), faults));
                }
            }
            Act::Advance { pick, fault } => _ = world.advance(*pick, *fault),
            Act::Cancel { order } => drop(world.ask(&NumberedId::number(*order), CancelOrder, &[])),
            Act::Rent { order } => {
                let rent = CreateRent { order_id: *order, round: 0, status: None };
                if world.ask(&of(*order), rent, &[]).is_ok_and(|rental| rental.new) {
                    self.rented.insert(*order);
                }
            }
            Act::CancelRent { rent } => {
                let cancel = ChangeRent { order_id: None, status: text("Rent Canceled") };
                if let Ok(rent) = world.ask(&NumberedId::number(*rent), cancel, &[]) {
                    self.canceled.insert(rent.order_id);
                }
            }
            Act::Courier { delivery, ships } => {
                let status = if *ships { "Shipped" } else { "Ship Canceled" };
                let change = ChangeDelivery { order_id: None, status: text(status) };
                match world.ask(&NumberedId::number(*delivery), change, &[]) {
                    Ok(item) if !ships => _ = self.called_off.insert(item.order_id),
                    Ok(_) | Err(_) => {}
                }
            }
            Act::ArriveLate => _ = world.arrive_late(),
            Act::Crash => world.crash(),
            Act::React { pick } => _ = world.react(*pick),
        }
    }

    fn request(&mut self, world: &mut World) -> NumberedId {
        let to = world.fresh();
        self.requests.push(to.clone());
        to
    }

    /// What has to hold of the order with this number when everything is at rest.
    fn check(&self, world: &World, order: u64) {
        let (status, rent, delivery) = (order_of(world, order), rent_of(world, order), delivery_of(world, order));
        let what = format!("order {order}: {status:?}, {rent:?}, {delivery:?}");
        match status {
            Some(OrderStatus::Ordered | OrderStatus::Shipped) if !self.canceled.contains(&order) => {
                assert_eq!(rent, Some(RentStatus::Rented), "{what}");
            }
            Some(OrderStatus::Ordered | OrderStatus::Shipped | OrderStatus::Cancelled) => {
                assert_eq!(rent, Some(RentStatus::Canceled), "{what}");
            }
            None if self.rented.contains(&order) => {}
            None => assert_ne!(rent, Some(RentStatus::Rented), "a rent without its order: {what}"),
        }
        let expected: &[DeliveryStatus] = match rent {
            None => &[],
            Some(RentStatus::Canceled) => &[DeliveryStatus::Canceled],
            Some(RentStatus::Rented) if self.called_off.contains(&order) => &[DeliveryStatus::Canceled],
            Some(RentStatus::Rented) => &[DeliveryStatus::Requested, DeliveryStatus::Shipped],
        };
        assert_eq!(delivery.is_some(), rent.is_some(), "a delivery for each rent: {what}");
        assert!(delivery.is_none_or(|delivery| expected.contains(&delivery)), "{what}");
        // Whoever rents for an order that is not there yet has the courier's word lost on it.
        if delivery == Some(DeliveryStatus::Shipped) && status.is_some() && !self.rented.contains(&order) {
            assert_eq!(status, Some(OrderStatus::Shipped), "{what}");
        }
        // At rest the delivery has gone as far as anything of this order.
        let shown = delivery.filter(|_| status.is_some()).map(|delivery| delivery.as_str().to_owned());
        assert_eq!(page_of(world, order), shown, "{what}");
    }
}

/// No order is rented, delivered or canceled twice.
fn check_events(world: &World) {
    fn at_most_once<E: Entity>(world: &World, kinds: &[fn(&E::Event) -> bool]) {
        for stream in world.kind::<E>().streams() {
            for is in kinds {
                let times = stream.events.iter().filter(|event| is(&event.event)).count();
                assert!(
                    times <= 1,
                    "{times} times in {}: {:?}",
                    stream.key,
                    stream.events.last().map(|last| &last.event)
                );
            }
        }
    }
    at_most_once::<Order>(
        world,
        &[
            |event| matches!(event, OrderEvent::Ordered { .. }),
            |event| matches!(event, OrderEvent::OrderShipped),
            |event| matches!(event, OrderEvent::OrderCancelled { .. }),
        ],
    );
    at_most_once::<Rent>(
        world,
        &[|event| matches!(event, RentEvent::Rented { .. }), |event| matches!(event, RentEvent::RentCanceled { .. })],
    );
    at_most_once::<Delivery>(
        world,
        &[
            |event| matches!(event, DeliveryEvent::Shipped { status: DeliveryStatus::Requested, .. }),
            |event| matches!(event, DeliveryEvent::Shipped { status: DeliveryStatus::Shipped, .. }),
            |event| matches!(event, DeliveryEvent::DeliveryCanceled { .. }),
        ],
    );
}

proptest! {
    #[test]
    fn library_d5_d9_orders_rents_and_deliveries_stand_and_fall_together(acts in vec(act(), 1..80)) {
        let (mut world, mut outside) = (library(), Outside::default());
        for act in &acts {
            outside.perform(&mut world, act);
        }
        world.settle();
        let orders = world.kind::<Order>().streams().iter().map(|stream| stream.number.get());
        let last = orders.max().unwrap_or_default().max(8);
        for order in 1..=last {
            outside.check(&world, order);
        }
        check_events(&world);
        prop_assert_eq!(world.dead_letters().len(), 0);
        world.crash(); // nothing is open any more, and replay equals live
    }
}

#[test]
fn library_d9_a_lost_late_or_interrupted_answer_never_leaves_half_an_order() {
    for fault in Fault::ALL {
        for void_first in [false, true] {
            let mut world = library();
            let told = world.create::<Order, _>(request("COSMOS"), &[fault]);
            let stands = matches!(fault, Fault::None | Fault::CrashBefore | Fault::CrashAfter);
            assert_eq!(told.is_ok(), stands, "{fault:?}");
            while void_first && world.react(0) {}
            world.settle();
            Outside::default().check(&world, 1);
            assert_eq!(order_of(&world, 1).is_some(), stands, "{fault:?}, void first: {void_first}");
        }
    }
}
