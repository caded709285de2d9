use super::*;

fn create(round: u32) -> CreateRent {
    CreateRent { order_id: 1, round, status: text("Rent") }
}

fn item(status: RentStatus) -> RentItem {
    RentItem { id: 7, order_id: 1, status }
}

fn rent(events: &[RentEvent]) -> crate::actors::testkit::Given<Rent> {
    given::<Rent>(events.to_vec()).numbered(7)
}

fn change(status: &str) -> ChangeRent {
    ChangeRent { order_id: None, status: text(status) }
}

fn voided(round: u32) -> RentEvent {
    RentEvent::RentVoided { order_id: 1, round }
}

#[test]
fn library_f2_d5_there_is_one_rent_for_an_order_however_often_it_is_asked_for() {
    rent(&[])
        .when(create(1))
        .then_events([rented(1, 1)])
        .then_reply(Rental { rent: item(RentStatus::Rented), new: true })
        .when(create(1))
        .then_nothing_written()
        .then_reply(Rental { rent: item(RentStatus::Rented), new: false })
        .when(create(0))
        .then_nothing_written()
        .then_reply(Rental { rent: item(RentStatus::Rented), new: false });
    rent(&[rented(1, 1), rent_canceled(1)])
        .when(create(2))
        .then_nothing_written()
        .then_reply(Rental { rent: item(RentStatus::Canceled), new: false });
}

#[test]
fn library_f2_a_rent_names_its_order_and_begins_as_rent() {
    for status in [None, text(""), text("Rent")] {
        rent(&[]).when(CreateRent { status, ..create(0) }).then_events([rented(1, 0)]);
    }
    let missing = RentRejection::Invalid(InvalidValue::Missing(Field::OrderId));
    assert_eq!(told(&missing), (RefusalClass::Invalid, "MISSING_VALUE", Some("orderId")));
    rent(&[]).when(CreateRent { order_id: 0, ..create(0) }).then_rejected(missing);
    for past in [vec![], vec![rented(1, 1)]] {
        let wrong = InvalidValue::WrongStatus { expected: vec!["Rent".to_owned()], given: "Rent Canceled".to_owned() };
        rent(&past)
            .when(CreateRent { status: text("Rent Canceled"), ..create(0) })
            .then_rejected(RentRejection::Invalid(wrong));
    }
}

#[test]
fn library_f5_a_cancelled_order_cancels_its_rent_once() {
    let canceled = [rented(1, 1), rent_canceled(1)];
    let after = rent(&canceled[..1]).when(CancelRent).then_events([rent_canceled(1)]).then_reply(());
    assert_eq!(after.state().item(Number::new(7)), Some(item(RentStatus::Canceled)));
    after.when(CancelRent).then_nothing_written().then_reply(());
    rent(&[]).when(CancelRent).then_nothing_written();
    rent(&[voided(1)]).when(CancelRent).then_nothing_written();
}

#[test]
fn library_d9_a_void_takes_back_the_rent_of_its_round_whenever_that_comes() {
    let void = |round| VoidRent { order_id: 1, round };
    // It came before.
    rent(&[rented(1, 1)]).when(void(1)).then_events([rent_canceled(1)]).when(void(1)).then_nothing_written();
    // It comes later: refused; what asks outside of any round has no order to stand for either.
    let late = rent(&[]).when(void(1)).then_events([voided(1)]);
    assert_eq!((late.state().item(Number::new(7)), late.state().presence()), (None, Presence::Hidden));
    late.when(create(1)).then_rejected(RentRejection::Voided).when(create(0)).then_rejected(RentRejection::Voided);
    assert_eq!(told(&RentRejection::Voided), (RefusalClass::Conflict, "RENT_VOIDED", None));
    // What somebody asked for outside of any round goes with the order.
    rent(&[rented(1, 0)]).when(void(1)).then_events([rent_canceled(1)]);
    // A later void covers more, an earlier one adds nothing.
    rent(&[voided(1)]).when(void(2)).then_events([voided(2)]).when(void(1)).then_nothing_written();
}

#[test]
fn library_d9_a_void_leaves_the_rent_of_a_later_round_alone() {
    let void = |round| VoidRent { order_id: 1, round };
    rent(&[voided(1)])
        .when(create(2))
        .then_events([rented(1, 2)])
        .then_reply(Rental { rent: item(RentStatus::Rented), new: true })
        .when(void(1))
        .then_nothing_written();
    // The second round found the rent of the first, before the void arrived.
    rent(&[rented(1, 1)])
        .when(create(2))
        .then_events([RentEvent::RentTakenOver { round: 2 }])
        .then_reply(Rental { rent: item(RentStatus::Rented), new: false })
        .when(void(1))
        .then_nothing_written()
        .when(void(2))
        .then_events([rent_canceled(1)]);
}

#[test]
fn library_d13_a_rent_is_confirmed_already_and_can_only_be_canceled_once() {
    let standing = || rent(&[rented(1, 1)]);
    standing().when(change("Rent")).then_nothing_written().then_reply(item(RentStatus::Rented));
    standing().when(ChangeRent { order_id: Some(1), status: None }).then_nothing_written();
    standing()
        .when(change("Rent Canceled"))
        .then_events([rent_canceled(1)])
        .then_reply(item(RentStatus::Canceled))
        .when(change("Rent Canceled"))
        .then_nothing_written()
        .then_reply(item(RentStatus::Canceled))
        .when(change("Rent"))
        .then_rejected(RentRejection::Immutable);
    assert_eq!(told(&RentRejection::Immutable), (RefusalClass::Conflict, "IMMUTABLE", None));
    for wrong in [change("Shipped"), change(""), ChangeRent { order_id: Some(2), status: text("Rent Canceled") }] {
        standing().when(wrong).then_rejected(RentRejection::Immutable);
    }
    for nothing in [vec![], vec![voided(1)]] {
        rent(&nothing).when(change("Rent Canceled")).then_rejected(RentRejection::Gone);
    }
}

#[test]
fn library_f2_f5_what_the_bus_says_of_rents() {
    assert_eq!(on_bus(&rented(1, 5)), (true, "Rented", r#"{"id":9,"orderId":1,"status":"Rent"}"#.to_owned()));
    let canceled = r#"{"id":9,"orderId":1,"status":"Rent Canceled"}"#;
    assert_eq!(on_bus(&rent_canceled(1)), (true, "RentCanceled", canceled.to_owned()));
    for internal in [voided(1), RentEvent::RentTakenOver { round: 2 }] {
        assert!(!internal.is_public());
    }
    assert_eq!(
        serde_json::to_string(&item(RentStatus::Canceled)).unwrap(),
        r#"{"id":7,"orderId":1,"status":"Rent Canceled"}"#
    );
}

#[test]
fn library_d5_the_laws_hold_for_rents() {
    laws::<Rent>([
        vec![voided(1), rented(1, 2), RentEvent::RentTakenOver { round: 3 }, rent_canceled(1)],
        vec![rented(1, 0), rent_canceled(1)],
    ]);
}
