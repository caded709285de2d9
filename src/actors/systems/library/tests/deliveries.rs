use super::*;
use DeliveryStatus::{Canceled, Requested, Shipped};

fn item(status: DeliveryStatus) -> DeliveryItem {
    DeliveryItem { id: 7, order_id: 1, status }
}

fn delivery(events: &[DeliveryEvent]) -> crate::actors::testkit::Given<Delivery> {
    given::<Delivery>(events.to_vec()).numbered(7)
}

fn change(status: &str) -> ChangeDelivery {
    ChangeDelivery { order_id: None, status: text(status) }
}

#[test]
fn library_f3_d6_a_delivery_is_requested_once_and_stored_as_ship() {
    let after = delivery(&[]).when(RequestDelivery { order_id: 1 }).then_events([shipped(1, Requested)]).then_reply(());
    assert_eq!(after.state().item(Number::new(7)), Some(item(Requested)));
    after.when(RequestDelivery { order_id: 1 }).then_nothing_written().then_reply(());
}

#[test]
fn library_f4_the_courier_ships_once() {
    delivery(&[shipped(1, Requested)])
        .when(change("Ship"))
        .then_nothing_written()
        .then_reply(item(Requested))
        .when(change("Shipped"))
        .then_events([shipped(1, Shipped)])
        .then_reply(item(Shipped))
        .when(change("Shipped"))
        .then_nothing_written()
        .then_reply(item(Shipped));
}

#[test]
fn library_f4_the_courier_may_call_a_delivery_off() {
    let off = delivery(&[shipped(1, Requested)]).when(change("Ship Canceled")).then_events([delivery_canceled(1)]);
    off.then_reply(item(Canceled)).when(change("Ship Canceled")).then_nothing_written().then_reply(item(Canceled));
}

#[test]
fn library_f4_what_is_shipped_or_canceled_is_final_for_the_courier() {
    for (past, status) in [(shipped(1, Shipped), Shipped), (delivery_canceled(1), Canceled)] {
        for wish in ["Ship", "Shipped", "Ship Canceled", "Foo"] {
            if wish != status.as_str() {
                delivery(std::slice::from_ref(&past))
                    .when(change(wish))
                    .then_rejected(DeliveryRejection::Final(status));
            }
        }
    }
    let told_of = |status| told(&DeliveryRejection::Final(status));
    assert_eq!(told_of(Shipped), (RefusalClass::Conflict, "ALREADY_SHIPPED", None));
    assert_eq!(told_of(Canceled), (RefusalClass::Conflict, "DELIVERY_CANCELED", None));
    let expected = vec!["Shipped".to_owned(), "Ship Canceled".to_owned()];
    for unknown in ["Foo", ""] {
        let wrong = InvalidValue::WrongStatus { expected: expected.clone(), given: unknown.to_owned() };
        assert_eq!(
            wrong.to_string(),
            format!(r#"the status "{unknown}" cannot be asked for here, only "Shipped" or "Ship Canceled""#)
        );
        delivery(&[shipped(1, Requested)]).when(change(unknown)).then_rejected(DeliveryRejection::Invalid(wrong));
    }
    delivery(&[]).when(change("Shipped")).then_rejected(DeliveryRejection::Gone);
    let other = ChangeDelivery { order_id: Some(2), status: None };
    delivery(&[shipped(1, Requested)]).when(other).then_rejected(DeliveryRejection::Immutable);
}

#[test]
fn library_f6_a_canceled_rent_calls_its_delivery_off_in_every_state() {
    for past in [vec![], vec![shipped(1, Requested)], vec![shipped(1, Requested), shipped(1, Shipped)]] {
        let after = delivery(&past).when(CancelDelivery { order_id: 1 }).then_events([delivery_canceled(1)]);
        assert_eq!(after.state().item(Number::new(7)), Some(item(Canceled)), "after {past:?}");
        after
            .when(CancelDelivery { order_id: 1 })
            .then_nothing_written()
            .when(RequestDelivery { order_id: 1 })
            .then_nothing_written();
    }
}

#[test]
fn library_f3_f6_what_the_bus_says_of_deliveries() {
    let told = |status: &str| format!(r#"{{"id":9,"orderId":1,"status":"{status}"}}"#);
    assert_eq!(on_bus(&shipped(1, Requested)), (true, "Shipped", told("Ship")));
    assert_eq!(on_bus(&shipped(1, Shipped)), (true, "Shipped", told("Shipped")));
    assert_eq!(on_bus(&delivery_canceled(1)), (true, "DeliveryCanceled", told("Ship Canceled")));
    assert_eq!(serde_json::to_string(&item(Requested)).unwrap(), r#"{"id":7,"orderId":1,"status":"Ship"}"#);
}

#[test]
fn library_f4_the_laws_hold_for_deliveries() {
    laws::<Delivery>([
        vec![shipped(1, Requested), shipped(1, Shipped), delivery_canceled(1)],
        vec![delivery_canceled(1)],
    ]);
}
