use super::*;

fn create(quantity: i32) -> CreateDelivery {
    CreateDelivery { order_id: 1, product_id: 1, quantity, status: Some("delivery".to_owned()) }
}

fn item() -> DeliveryItem {
    DeliveryItem { id: 4, order_id: 1, product_id: 1, quantity: 3, status: DeliveryStatus::Started }
}

#[test]
fn f2_headquarters_delivers() {
    given::<Delivery>([]).numbered(4).when(create(3)).then_events([started(1, 3)]).then_reply(item());
}

#[test]
fn d6_a_delivery_is_a_whole_resource() {
    let standing = given::<Delivery>([started(1, 3)]);
    let shape = serde_json::to_string(&standing.state().item(Number::new(4))).unwrap();
    assert_eq!(shape, r#"{"id":4,"orderId":1,"productId":1,"quantity":3,"status":"delivery"}"#);
    assert_eq!(standing.state().presence(), Presence::Listed);
    let same = || ChangeDelivery {
        order_id: Some(1),
        product_id: Some(1),
        quantity: Some(3),
        status: Some("delivery".to_owned()),
    };
    let change = |change| given::<Delivery>([started(1, 3)]).numbered(4).when(change);
    change(same()).then_nothing_written().then_reply(item());
    for other in [
        ChangeDelivery { order_id: Some(2), ..same() },
        ChangeDelivery { product_id: Some(2), ..same() },
        ChangeDelivery { quantity: Some(4), ..same() },
        ChangeDelivery { status: Some("done".to_owned()), ..same() },
    ] {
        change(other).then_rejected(DeliveryRejection::Immutable);
    }
    given::<Delivery>([]).when(same()).then_rejected(DeliveryRejection::Gone);
}

#[test]
fn d2_a_delivery_begins_with_the_status_delivery_only() {
    for status in [None, Some(String::new())] {
        given::<Delivery>([]).when(CreateDelivery { status, ..create(3) }).then_events([started(1, 3)]);
    }
    given::<Delivery>([])
        .when(CreateDelivery { status: Some("done".to_owned()), ..create(3) })
        .then_rejected(InvalidValue::WrongStatus { expected: "delivery".to_owned(), given: "done".to_owned() }.into());
}

#[test]
fn d5_a_delivery_names_order_and_product_and_at_least_one() {
    let few = InvalidValue::TooSmall { field: Field::Quantity, least: 1 };
    given::<Delivery>([]).when(create(0)).then_rejected(few.into());
    given::<Delivery>([])
        .when(CreateDelivery { order_id: 0, ..create(1) })
        .then_rejected(InvalidValue::NoId(Field::OrderId).into());
    given::<Delivery>([])
        .when(CreateDelivery { product_id: 0, ..create(1) })
        .then_rejected(InvalidValue::NoId(Field::ProductId).into());
}

#[test]
fn f6_a_delivery_is_canceled_once() {
    given::<Delivery>([started(1, 3)])
        .when(CancelDelivery)
        .then_events([canceled(1, 3)])
        .then_reply(())
        .when(CancelDelivery)
        .then_rejected(DeliveryRejection::Gone);
    given::<Delivery>([]).when(CancelDelivery).then_rejected(DeliveryRejection::Gone);
    let gone = given::<Delivery>([started(1, 3), canceled(1, 3)]);
    assert_eq!((gone.state().item(Number::new(4)), gone.state().presence()), (None, Presence::Removed));
}

#[test]
fn d15_a_called_off_delivery_never_stands_whichever_comes_first() {
    given::<Delivery>([])
        .when(VoidDelivery)
        .then_events([DeliveryEvent::CreationVoided])
        .then_reply(())
        .when(create(3))
        .then_rejected(DeliveryRejection::Voided)
        .when(VoidDelivery)
        .then_nothing_written();
    given::<Delivery>([])
        .when(create(3))
        .when(VoidDelivery)
        .then_events([canceled(1, 3)])
        .when(VoidDelivery)
        .then_nothing_written()
        .then_reply(());
}

#[test]
fn a_delivery_is_created_once() {
    for past in [vec![started(1, 3)], vec![started(1, 3), canceled(1, 3)]] {
        given::<Delivery>(past).when(create(3)).then_rejected(DeliveryRejection::AlreadyCreated);
    }
    assert_eq!(told(&DeliveryRejection::AlreadyCreated).0, RefusalClass::Conflict);
    assert_eq!(told(&DeliveryRejection::Voided).0, RefusalClass::Conflict);
    assert_eq!(told(&DeliveryRejection::Gone).0, RefusalClass::Gone);
}

#[test]
fn the_bus_sees_deliveries_as_the_topic_has_them() {
    let bus = |event: DeliveryEvent| serde_json::to_string(&event.on_bus(Number::new(4))).unwrap();
    assert_eq!(bus(started(1, 3)), r#"{"id":4,"orderId":1,"productId":1,"quantity":3,"status":"delivery"}"#);
    assert_eq!(bus(canceled(1, 3)), r#"{"id":4,"orderId":1,"productId":1,"quantity":3,"status":"cancel delivery"}"#);
    assert!(!DeliveryEvent::CreationVoided.is_public());
}

#[test]
fn deliveries_keep_the_laws() {
    laws::<Delivery>([vec![started(1, 3), canceled(1, 3)], vec![DeliveryEvent::CreationVoided]]);
}
