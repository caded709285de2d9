use super::*;

fn place() -> PlaceOrder {
    PlaceOrder { item: text("COSMOS"), status: text("Ordered"), within: LINK }
}

fn placed() -> Vec<OrderEvent> {
    vec![placing(1), ordered()]
}

fn item(status: OrderStatus) -> OrderItem {
    OrderItem { id: 1, item: "COSMOS".to_owned(), status }
}

fn create(round: u32) -> CreateRent {
    CreateRent { order_id: 1, round, status: text("Rent") }
}

fn rental(status: RentStatus) -> Rental {
    Rental { rent: RentItem { id: 7, order_id: 1, status }, new: true }
}

fn change(status: &str) -> ChangeOrder {
    ChangeOrder { item: None, status: text(status) }
}

#[test]
fn library_f1_f2_d13_a_request_is_confirmed_by_its_rent_at_once() {
    given::<Order>([])
        .when(place())
        .then_events([placing(1)])
        .then_asks::<Rent, _>(&of(1), create(1))
        .then_step(Step("create-rent", 1))
        .answered::<Rent, CreateRent>(Ok(rental(RentStatus::Rented)))
        .then_events([ordered()])
        .then_reply(item(OrderStatus::Ordered))
        .then_resumes_nothing();
}

#[test]
fn library_d15_the_rent_has_the_time_that_the_link_allows() {
    assert_eq!(RENT_WITHIN, Duration::from_secs(1));
    let within = Duration::from_millis(700);
    given::<Order>([])
        .when(PlaceOrder { within, ..place() })
        .then_asks::<Rent, _>(&of(1), create(1))
        .then_waits(within);
}

#[test]
fn library_n1_d9_without_the_rent_service_nothing_is_ordered_and_nothing_announced() {
    let stopped = Unavailable::ServiceStopped { service: "library/rent".to_owned() };
    for error in [
        AskError::Unavailable(stopped),
        AskError::Overloaded { retry_after: LINK },
        AskError::Expired(LINK),
        AskError::Rejected(RentRejection::Voided),
    ] {
        let retry_after = if let AskError::Overloaded { retry_after } = error { retry_after } else { RETRY_AFTER };
        let reason = error.to_string();
        let gave_up = given_up(&reason, false);
        assert!(!gave_up.is_public());
        given::<Order>([])
            .when(place())
            .answered::<Rent, CreateRent>(Err(error))
            .then_events([gave_up])
            .then_not_done(retry_after)
            .then_resumes_nothing();
    }
}

#[test]
fn library_d9_a_rent_of_unknown_outcome_is_called_off_with_the_order() {
    for error in [AskError::TimedOut(LINK), AskError::Unsettled { reason: "storage".to_owned() }] {
        let reason = error.to_string();
        given::<Order>([])
            .when(place())
            .answered::<Rent, CreateRent>(Err(error))
            .then_events([given_up(&reason, false), void(1)])
            .then_not_done(RETRY_AFTER)
            .then_resumes_nothing();
    }
}

#[test]
fn library_d9_a_request_that_was_given_up_may_be_tried_again_in_a_new_round() {
    given::<Order>([placing(1), given_up("late", false), void(1)])
        .when(place())
        .then_events([placing(2)])
        .then_asks::<Rent, _>(&of(1), create(2))
        .then_step(Step("create-rent", 2))
        .answered::<Rent, CreateRent>(Ok(rental(RentStatus::Rented)))
        .then_events([ordered()])
        .then_reply(item(OrderStatus::Ordered));
}

#[test]
fn library_d5_a_rent_that_was_canceled_meanwhile_ends_the_request_for_good() {
    let reason = "the rent of this order is canceled";
    given::<Order>([placing(1), given_up("late", false), void(1)])
        .when(place())
        .answered::<Rent, CreateRent>(Ok(rental(RentStatus::Canceled)))
        .then_events([given_up(reason, true)])
        .then_rejected(OrderRejection::GivenUp)
        .then_resumes_nothing()
        .when(place())
        .then_nothing_written()
        .then_rejected(OrderRejection::GivenUp);
    assert_eq!(told(&OrderRejection::GivenUp), (RefusalClass::Conflict, "GIVEN_UP", None));
}

#[test]
fn library_d9_a_late_second_answer_changes_nothing() {
    let ok = || FinishPlacing { outcome: Ok(rental(RentStatus::Rented)) };
    given::<Order>(placed()).when(ok()).then_nothing_written().then_reply(item(OrderStatus::Ordered));
    given::<Order>([placing(1), given_up("", false)]).when(ok()).then_nothing_written().then_not_done(RETRY_AFTER);
    let second = || given::<Order>([placing(1), given_up("", false), placing(2)]);
    second().answering(Step("create-rent", 1)).when(ok()).then_nothing_written().then_not_done(RETRY_AFTER);
    second().answering(Step("create-rent", 2)).when(ok()).then_events([ordered()]);
}

#[test]
fn library_d9_an_order_in_placing_is_nobody_elses() {
    for hidden in
        [vec![], vec![placing(1)], vec![placing(1), given_up("", false)], vec![placing(1), given_up("", true)]]
    {
        let order = || given::<Order>(hidden.clone());
        assert_eq!((order().state().item(), order().state().presence()), (None, Presence::Hidden));
        order().when(CancelOrder).then_rejected(OrderRejection::Gone);
        order().when(change("Order Cancel")).then_rejected(OrderRejection::Gone);
    }
    given::<Order>([placing(1)]).when(place()).then_rejected(OrderRejection::Placing);
    given::<Order>(placed()).when(place()).then_rejected(OrderRejection::AlreadyPlaced);
}

#[test]
fn library_d1_a_missing_status_means_ordered_and_any_other_is_invalid() {
    for status in [None, text(""), text("Ordered")] {
        given::<Order>([]).when(PlaceOrder { status, ..place() }).then_events([placing(1)]);
    }
    for status in ["Foo", "Order Cancel", "Shipped", "ordered"] {
        let wrong = InvalidValue::WrongStatus { expected: vec!["Ordered".to_owned()], given: status.to_owned() };
        assert_eq!(told(&wrong), (RefusalClass::Invalid, "INVALID_STATUS", Some("status")));
        given::<Order>([])
            .when(PlaceOrder { status: text(status), ..place() })
            .then_rejected(OrderRejection::Invalid(wrong));
    }
}

#[test]
fn library_d3_a_request_names_its_book() {
    for item in [None, text(""), text(" \t")] {
        let missing = OrderRejection::Invalid(InvalidValue::Missing(Field::Item));
        assert_eq!(told(&missing), (RefusalClass::Invalid, "MISSING_VALUE", Some("item")));
        given::<Order>([]).when(PlaceOrder { item, ..place() }).then_rejected(missing);
    }
    let longest = "책".repeat(255);
    let started = OrderEvent::PlacingStarted { number: Number::new(1), item: longest.clone(), round: 1, within: LINK };
    given::<Order>([]).when(PlaceOrder { item: Some(longest.clone()), ..place() }).then_events([started]);
    let long = OrderRejection::Invalid(InvalidValue::TooLong { field: Field::Item, most: 255 });
    assert_eq!(told(&long), (RefusalClass::Invalid, "INVALID_VALUE", Some("item")));
    given::<Order>([]).when(PlaceOrder { item: Some(longest + "들"), ..place() }).then_rejected(long);
}

#[test]
fn library_f5_d4_a_cancelled_order_stays_readable_and_asks_nobody() {
    for cancel in [given::<Order>(placed()).when(CancelOrder), given::<Order>(placed()).when(change("Order Cancel"))] {
        let cancelled = item(OrderStatus::Cancelled);
        let after = cancel.then_events([order_cancelled()]).then_reply(cancelled.clone()).then_resumes_nothing();
        assert_eq!((after.state().item(), after.state().presence()), (Some(cancelled.clone()), Presence::Listed));
        // Again: no event.
        after
            .when(change("Order Cancel"))
            .then_nothing_written()
            .then_reply(cancelled.clone())
            .when(CancelOrder)
            .then_nothing_written()
            .then_reply(cancelled);
    }
}

#[test]
fn library_d2_a_shipped_order_cannot_be_cancelled() {
    let shipped = || given::<Order>([placed(), vec![OrderEvent::OrderShipped]].concat());
    assert_eq!(shipped().state().item(), Some(item(OrderStatus::Shipped)));
    assert_eq!(told(&OrderRejection::AlreadyShipped), (RefusalClass::Conflict, "ALREADY_SHIPPED", None));
    shipped().when(CancelOrder).then_rejected(OrderRejection::AlreadyShipped);
    for status in ["Order Cancel", "Ordered", "Foo"] {
        shipped().when(change(status)).then_rejected(OrderRejection::AlreadyShipped);
    }
    shipped().when(change("Shipped")).then_nothing_written().then_reply(item(OrderStatus::Shipped));
}

#[test]
fn library_d4_an_order_is_only_cancelled_and_a_change_of_nothing_is_accepted() {
    let order = || given::<Order>(placed());
    let same = [(None, None), (text("COSMOS"), None), (None, text("Ordered")), (text("COSMOS"), text("Ordered"))];
    for (title, status) in same {
        order().when(ChangeOrder { item: title, status }).then_nothing_written().then_reply(item(OrderStatus::Ordered));
    }
    for title in ["SAPIENS", ""] {
        for status in [None, text("Order Cancel")] {
            order().when(ChangeOrder { item: text(title), status }).then_rejected(OrderRejection::Immutable);
        }
    }
    for status in ["Foo", "", "Shipped", "Order Canceled"] {
        let expected = vec!["Order Cancel".to_owned()];
        let wrong = InvalidValue::WrongStatus { expected, given: status.to_owned() };
        order().when(change(status)).then_rejected(OrderRejection::Invalid(wrong));
    }
    let cancelled = || given::<Order>([placed(), vec![order_cancelled()]].concat());
    for status in ["Ordered", "Shipped", "Foo"] {
        cancelled().when(change(status)).then_rejected(OrderRejection::AlreadyCancelled);
    }
}

#[test]
fn library_d8_only_an_order_that_is_not_cancelled_is_marked_as_shipped() {
    given::<Order>(placed())
        .when(MarkShipped)
        .then_events([OrderEvent::OrderShipped])
        .then_reply(())
        .when(MarkShipped)
        .then_nothing_written();
    let cancelled = given::<Order>([placed(), vec![order_cancelled()]].concat());
    let after = cancelled.when(MarkShipped).then_nothing_written().then_reply(());
    assert_eq!(after.state().item(), Some(item(OrderStatus::Cancelled)));
    // The courier may be faster than the rent's answer.
    let early = given::<Order>([placing(1)]).when(MarkShipped).then_events([OrderEvent::OrderShipped]);
    assert_eq!(early.state().item(), None);
    let after = early.when(FinishPlacing { outcome: Ok(rental(RentStatus::Rented)) });
    assert_eq!(after.state().item(), Some(item(OrderStatus::Shipped)));
}

#[test]
fn library_f1_f5_what_the_bus_says_of_orders() {
    assert_eq!(on_bus(&ordered()), (true, "Ordered", r#"{"id":9,"item":"COSMOS","status":"Ordered"}"#.to_owned()));
    let cancelled = r#"{"id":9,"item":"COSMOS","status":"Order Canceled"}"#;
    assert_eq!(on_bus(&order_cancelled()), (true, "OrderCancelled", cancelled.to_owned()));
    assert_eq!(on_bus(&void(3)), (true, "RentVoidRequested", r#"{"orderId":1}"#.to_owned()));
    for internal in [placing(1), given_up("", false), OrderEvent::OrderShipped] {
        assert!(!internal.is_public());
    }
    let shown = serde_json::to_string(&item(OrderStatus::Cancelled)).unwrap();
    assert_eq!(shown, r#"{"id":1,"item":"COSMOS","status":"Order Cancel"}"#);
}

#[test]
fn library_d9_the_laws_hold_for_orders() {
    laws::<Order>([
        vec![placing(1), given_up("late", false), void(1), placing(2), ordered(), OrderEvent::OrderShipped],
        vec![placing(1), OrderEvent::OrderShipped, ordered(), order_cancelled()],
        vec![placing(1), given_up("canceled", true)],
    ]);
    let asks = given::<Order>([placing(1), given_up("", false), placing(2)]).state().resume();
    let asks: Vec<_> = asks.iter().map(|asked| (asked.step(), asked.address().cloned())).collect();
    assert_eq!(asks, [(Step("create-rent", 2), Some(of(1).address()))]);
}
