use super::*;

fn of_order(event: OrderEvent) -> Recorded<Order> {
    recorded(client("any"), 5, 2, event)
}

#[test]
fn library_f5_d12_a_cancelled_order_cancels_the_rent_of_that_order() {
    reacts(&CancelRents, &of_order(order_cancelled())).then_sends(&of(5), CancelRent).then_nothing();
    let void = OrderEvent::RentVoidRequested { order_id: 5, round: 3 };
    reacts(&CancelRents, &of_order(void)).then_sends(&of(5), VoidRent { order_id: 5, round: 3 }).then_nothing();
    for other in [placing(1), given_up("", false), ordered(), OrderEvent::OrderShipped] {
        reacts(&CancelRents, &of_order(other)).then_nothing();
    }
}

#[test]
fn library_f3_f6_a_rent_is_delivered_by_its_order_and_a_canceled_one_is_not() {
    let of_rent = |event| recorded(of(5), 9, 1, event);
    reacts(&DeliverRents, &of_rent(rented(5, 1))).then_sends(&of(5), RequestDelivery { order_id: 5 }).then_nothing();
    let canceled = reacts(&DeliverRents, &of_rent(rent_canceled(5)));
    canceled.then_sends(&of(5), CancelDelivery { order_id: 5 }).then_nothing();
    for internal in [RentEvent::RentTakenOver { round: 2 }, RentEvent::RentVoided { order_id: 5, round: 1 }] {
        reacts(&DeliverRents, &of_rent(internal)).then_nothing();
    }
}

#[test]
fn library_d8_only_what_the_courier_shipped_reaches_the_order() {
    let of_delivery = |event| recorded(of(5), 9, 1, event);
    reacts(&MarkShippedOrders, &of_delivery(shipped(5, DeliveryStatus::Shipped)))
        .then_sends(&NumberedId::number(5), MarkShipped)
        .then_nothing();
    for other in [shipped(5, DeliveryStatus::Requested), delivery_canceled(5)] {
        reacts(&MarkShippedOrders, &of_delivery(other)).then_nothing();
    }
}

#[test]
fn library_d5_nothing_reacts_to_an_ordered_order_but_the_mypage() {
    // The source creates the rent a second time there, and with it a second delivery.
    reacts(&CancelRents, &of_order(ordered())).then_nothing();
    assert_eq!(Rent::COMMANDS.iter().filter(|name| **name == CreateRent::NAME).count(), 1);
    assert_eq!((Order::ASKS, Rent::ASKS, Delivery::ASKS), (&[Rent::KIND][..], &[][..], &[][..]));
}
