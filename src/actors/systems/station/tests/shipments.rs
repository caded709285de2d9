use super::*;

#[test]
fn f2_an_order_is_shipped_once() {
    let sent = given::<Shipment>([]).when(ShipOrder { load: load(1, 20_000) });
    let [ShipmentEvent::Shipped { car_number, .. }] = sent.events() else { panic!("{:?}", sent.events()) };
    let car: u32 = car_number.strip_prefix("CAR#").unwrap().parse().unwrap();
    assert!(car <= 1000);
    sent.when(ShipOrder { load: load(1, 20_000) }).then_nothing_written().then_reply(());
    assert_eq!(
        text(given::<Shipment>([shipped(1, 20_000)]).state().item(Number::new(1))),
        r#"{"shipId":1,"orderId":1,"carNumber":"CAR#123","destAddr":"SK Imme Station","productId":"CD1001","productName":"GAS","qty":20000.0}"#
    );
    reacts(&ShipOrders, &recorded(key("o"), 1, 1, ordered(1, 20_000)))
        .then_sends(&key("order-1"), ShipOrder { load: load(1, 20_000) })
        .then_nothing();
}

#[test]
fn d15_a_canceled_order_is_called_back_whichever_comes_first() {
    let called_off = given::<Shipment>([shipped(1, 5)]).when(CallOffShipment);
    let called_off = called_off.then_events([ShipmentEvent::ShipmentCalledOff]);
    assert_eq!((called_off.state().presence(), called_off.state().item(Number::new(1))), (Presence::Removed, None));
    called_off.when(CallOffShipment).then_nothing_written();
    given::<Shipment>([])
        .when(CallOffShipment)
        .then_events([ShipmentEvent::ShipmentCalledOff])
        .when(ShipOrder { load: load(1, 5) })
        .then_nothing_written();
    reacts(&ShipOrders, &recorded(key("o"), 1, 3, OrderEvent::OrderCanceled(slip(5))))
        .then_sends(&key("order-1"), CallOffShipment)
        .then_nothing();
    let started = OrderEvent::CancellationStarted { round: 1, within: LINK };
    reacts(&ShipOrders, &recorded(key("o"), 1, 2, started)).then_nothing();
}

#[test]
fn f3_what_is_shipped_is_expected_by_the_station() {
    reacts(&ExpectShipments, &recorded(key("order-1"), 1, 1, shipped(1, 20_000)))
        .then_sends(&key("order-1"), ExpectReceipt { entry: expected(1, 20_000) })
        .then_nothing();
    reacts(&ExpectShipments, &recorded(key("order-1"), 1, 2, ShipmentEvent::ShipmentCalledOff)).then_nothing();
}

#[test]
fn the_bus_sees_shipments_as_the_topic_has_them() {
    assert_eq!(
        text(shipped(1, 20_000).on_bus(Number::new(2))),
        r#"{"shipId":2,"orderId":1,"carNumber":"CAR#123","destAddr":"SK Imme Station","productId":"CD1001","productName":"GAS","qty":20000.0}"#
    );
    assert!(!ShipmentEvent::ShipmentCalledOff.is_public());
}

#[test]
fn shipments_keep_the_laws() {
    laws::<Shipment>([vec![shipped(1, 5), ShipmentEvent::ShipmentCalledOff]]);
}

#[test]
fn an_account_is_opened_rewritten_and_closed_and_linked_to_nothing() {
    let contents = |name: &str, amount| AccountContents { account_name: Some(name.to_owned()), amount };
    let rewrite = |account_name, amount| RewriteAccount { account_name, amount };
    given::<Account>([])
        .when(OpenAccount { contents: contents("a", None) })
        .then_events([AccountEvent::AccountOpened(contents("a", None))])
        .when(rewrite(None, Some(Some(whole(5)))))
        .then_events([AccountEvent::AccountRewritten(contents("a", Some(whole(5))))])
        .then_reply(AccountItem { account_id: 1, account_name: Some("a".to_owned()), amount: Some(5.0) })
        .when(rewrite(Some(Some("a".to_owned())), None))
        .then_nothing_written()
        .when(CloseAccount)
        .then_events([AccountEvent::AccountClosed])
        .when(CloseAccount)
        .then_rejected(AccountRejection::Gone)
        .when(rewrite(None, None))
        .then_rejected(AccountRejection::Gone)
        .when(OpenAccount { contents: contents("a", None) })
        .then_rejected(AccountRejection::AlreadyOpen);
    laws::<Account>([vec![
        AccountEvent::AccountOpened(contents("a", None)),
        AccountEvent::AccountRewritten(contents("b", Some(whole(1)))),
        AccountEvent::AccountClosed,
    ]]);
}
