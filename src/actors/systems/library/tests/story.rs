//! The script of section 10 and the scenarios, as far as they are rules: what HTTP and stopped processes do to
//! them is tested with the real binary.

use super::*;

fn cancel(world: &mut World, order: u64) -> Result<OrderItem, AskError<OrderRejection>> {
    world.ask(&NumberedId::number(order), CancelOrder, &[])
}

fn courier(world: &mut World, delivery: u64, status: &str) -> Result<DeliveryItem, AskError<DeliveryRejection>> {
    world.ask(&NumberedId::number(delivery), ChangeDelivery { order_id: None, status: text(status) }, &[])
}

fn events(world: &World) -> usize {
    world.kind::<Order>().events().count()
        + world.kind::<Rent>().events().count()
        + world.kind::<Delivery>().events().count()
}

#[test]
fn library_f1_to_f7_the_acceptance_script_as_rules() {
    let mut world = library();
    let order = world.create::<Order, _>(request("COSMOS"), &[]).unwrap();
    assert_eq!((order.id, order.status), (1, OrderStatus::Ordered));
    assert_eq!(rent_of(&world, 1), Some(RentStatus::Rented), "at once");
    world.settle();
    assert_eq!(delivery_of(&world, 1), Some(DeliveryStatus::Requested));
    assert_eq!(order_of(&world, 1), Some(OrderStatus::Ordered), "the request for a delivery ships nothing (D-8)");
    assert_eq!(page_of(&world, 1).as_deref(), Some("Ship"));
    assert!(courier(&mut world, 1, "Shipped").is_ok());
    world.settle();
    assert_eq!((order_of(&world, 1), page_of(&world, 1).as_deref()), (Some(OrderStatus::Shipped), Some("Shipped")));
    assert_eq!(cancel(&mut world, 1), Err(AskError::Rejected(OrderRejection::AlreadyShipped)));

    assert_eq!(world.create::<Order, _>(request("SAPIENS"), &[]).unwrap().id, 2);
    assert_eq!(cancel(&mut world, 2).unwrap().status, OrderStatus::Cancelled);
    world.settle();
    assert_eq!(rent_of(&world, 2), Some(RentStatus::Canceled));
    assert_eq!(delivery_of(&world, 2), Some(DeliveryStatus::Canceled));
    assert_eq!(page_of(&world, 2).as_deref(), Some("Ship Canceled"));
    let before = events(&world);
    assert!(cancel(&mut world, 2).is_ok());
    assert!(courier(&mut world, 2, "Shipped").is_err());
    let again = CreateRent { order_id: 1, round: 0, status: text("Rent") };
    assert!(!world.ask::<Rent, _>(&of(1), again, &[]).unwrap().new);
    world.settle();
    assert_eq!(events(&world), before);
    assert_eq!(world.dead_letters().len(), 0);
}

#[test]
fn library_d7_two_customers_may_rent_the_same_title() {
    let mut world = library();
    for _ in 0..2 {
        assert!(world.create::<Order, _>(request("COSMOS"), &[]).is_ok());
    }
    world.settle();
    assert_eq!([1, 2].map(|order| delivery_of(&world, order)), [Some(DeliveryStatus::Requested); 2]);
}

#[test]
fn library_n1_without_the_rent_service_nothing_is_ordered_and_later_it_is() {
    let mut world = library();
    world.stop("rent");
    assert!(matches!(world.create::<Order, _>(request("COSMOS"), &[]), Err(AskError::Unavailable(_))));
    world.settle();
    assert_eq!((order_of(&world, 1), rent_of(&world, 1), page_of(&world, 1)), (None, None, None));
    world.start("rent");
    assert_eq!(world.create::<Order, _>(request("COSMOS"), &[]).unwrap().id, 2);
}

#[test]
fn library_n2_n3_without_the_delivery_service_requests_and_cancellations_go_on_and_are_made_up_for() {
    let mut world = library();
    world.stop("delivery");
    for _ in 0..2 {
        assert!(world.create::<Order, _>(request("COSMOS"), &[]).is_ok());
    }
    world.settle();
    assert_eq!((rent_of(&world, 1), page_of(&world, 1).as_deref()), (Some(RentStatus::Rented), Some("Rent")));
    assert!(cancel(&mut world, 2).is_ok());
    world.settle();
    assert_eq!(page_of(&world, 2).as_deref(), Some("Rent Canceled"));
    world.start("delivery");
    world.settle();
    let of = |order| (delivery_of(&world, order), page_of(&world, order));
    assert_eq!(of(1), (Some(DeliveryStatus::Requested), text("Ship")));
    assert_eq!(of(2), (Some(DeliveryStatus::Canceled), text("Ship Canceled")));
}

#[test]
fn library_n4_without_the_rent_service_a_cancellation_is_accepted_and_goes_on_later() {
    let mut world = library();
    assert!(world.create::<Order, _>(request("COSMOS"), &[]).is_ok());
    world.settle();
    world.stop("rent");
    assert!(cancel(&mut world, 1).is_ok());
    world.settle();
    assert_eq!(page_of(&world, 1).as_deref(), Some("Order Canceled"));
    world.start("rent");
    world.settle();
    assert_eq!(page_of(&world, 1).as_deref(), Some("Ship Canceled"));
}

#[test]
fn library_d9_a_request_that_was_given_up_can_be_repeated_whatever_became_of_its_rent() {
    for fault in [Fault::AnswerLost, Fault::Late] {
        for void_first in [false, true] {
            let mut world = library();
            let to = world.fresh();
            assert!(matches!(world.ask(&to, request("COSMOS"), &[fault]), Err(AskError::Unavailable(_))));
            while void_first && world.react(0) {}
            let again = world.ask(&to, request("COSMOS"), &[]);
            world.settle();
            let stood = (fault, void_first) == (Fault::AnswerLost, true);
            if stood {
                assert_eq!(again, Err(AskError::Rejected(OrderRejection::GivenUp)), "its rent is canceled for good");
                assert_eq!((rent_of(&world, 1), page_of(&world, 1)), (Some(RentStatus::Canceled), None));
            } else {
                assert!(again.is_ok(), "{fault:?}, void first: {void_first}: {again:?}");
                assert_eq!(rent_of(&world, 1), Some(RentStatus::Rented), "{fault:?}, void first: {void_first}");
                assert_eq!(page_of(&world, 1).as_deref(), Some("Ship"));
            }
        }
    }
}

#[test]
fn library_d8_cancelling_and_shipping_at_the_same_time_end_in_one_of_both() {
    for cancel_first in [true, false] {
        let mut world = library();
        assert!(world.create::<Order, _>(request("COSMOS"), &[]).is_ok());
        world.settle();
        // Neither has heard of the other yet.
        let (mut shipped, mut cancelled) = (false, false);
        for step in 0..2 {
            if (step == 0) == cancel_first {
                cancelled = cancel(&mut world, 1).is_ok();
            } else {
                shipped = courier(&mut world, 1, "Shipped").is_ok();
            }
        }
        assert!(shipped && cancelled, "both are decided by their own entity");
        world.settle();
        assert_eq!(order_of(&world, 1), Some(OrderStatus::Cancelled));
        assert_eq!(rent_of(&world, 1), Some(RentStatus::Canceled));
        assert_eq!(delivery_of(&world, 1), Some(DeliveryStatus::Canceled), "recalled");
        assert_eq!(page_of(&world, 1).as_deref(), Some("Ship Canceled"));
    }
}
