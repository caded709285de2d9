use super::*;

fn place(qty: i64) -> PlaceOrder {
    let OrderSlip { product_id, qty, dest_addr, order_date, .. } = slip(qty);
    PlaceOrder { product_id, product: Some(gas()), qty, dest_addr, today: order_date }
}

fn started(round: u32) -> OrderEvent {
    OrderEvent::CancellationStarted { round, within: LINK }
}

const CANCEL: CancelOrder = CancelOrder { within: LINK };

#[test]
fn f1_an_order_is_placed_and_waits_for_nobody() {
    let placed = given::<Order>([]).when(place(20_000)).then_events([ordered(1, 20_000)]);
    let item = placed.state().item(Number::new(1));
    assert_eq!(
        text(&item),
        r#"{"orderId":1,"productId":"CD1001","productName":"GAS","qty":20000.0,"destAddr":"SK Imme Station","orderDate":"2021-06-01"}"#
    );
    placed.then_reply(item.unwrap()).then_resumes_nothing().when(place(1)).then_rejected(OrderRejection::AlreadyPlaced);
}

#[test]
fn d13_nothing_and_less_than_nothing_is_not_ordered() {
    for qty in [0, -1] {
        given::<Order>([]).when(place(qty)).then_rejected(InvalidValue::NotPositive(Field::Qty).into());
    }
}

#[test]
fn f1_an_unknown_product_is_not_ordered() {
    let unknown = OrderRejection::UnknownProduct { product_id: "XX".to_owned() };
    given::<Order>([])
        .when(PlaceOrder { product_id: "XX".to_owned(), product: None, ..place(1) })
        .then_rejected(unknown.clone());
    assert_eq!(told(&unknown), (RefusalClass::Conflict, "UNKNOWN_PRODUCT", None));
}

#[test]
fn d15_an_order_is_canceled_once_its_receipt_is_called_off() {
    let canceled = given::<Order>([ordered(1, 5)])
        .when(CANCEL)
        .then_events([started(1)])
        .then_asks::<StockFlow, _>(&key("order-1"), CallOffReceipt)
        .then_waits(LINK)
        .answered::<StockFlow, CallOffReceipt>(Ok(()))
        .then_events([OrderEvent::OrderCanceled(slip(5))])
        .then_reply(());
    assert_eq!((canceled.state().item(Number::new(1)), canceled.state().presence()), (None, Presence::Removed));
    canceled.when(CANCEL).then_rejected(OrderRejection::Gone);
    given::<Order>([]).when(CANCEL).then_rejected(OrderRejection::Gone);
    given::<Order>([ordered(1, 5), started(1)]).when(CANCEL).then_rejected(OrderRejection::Canceling);
}

#[test]
fn d15_what_is_confirmed_stays() {
    for why in [StockFlowRejection::AlreadyConfirmed, StockFlowRejection::Confirming] {
        let stays = given::<Order>([ordered(1, 5)])
            .when(CANCEL)
            .answered::<StockFlow, CallOffReceipt>(Err(AskError::Rejected(why)))
            .then_rejected(OrderRejection::Confirmed)
            .then_resumes_nothing();
        assert_eq!(stays.state().presence(), Presence::Listed);
    }
    assert_eq!(told(&OrderRejection::Confirmed).0, RefusalClass::Conflict);
}

#[test]
fn d15_n2_without_the_station_no_order_is_canceled_and_an_unknown_answer_is_asked_again() {
    let stopped = Unavailable::ServiceStopped { service: "station/Station".to_owned() };
    given::<Order>([ordered(1, 5)])
        .when(CANCEL)
        .answered::<StockFlow, CallOffReceipt>(Err(AskError::Unavailable(stopped)))
        .then_not_done(Duration::from_secs(1))
        .then_resumes_nothing()
        .when(CANCEL)
        .then_events([started(2)])
        .answered::<StockFlow, CallOffReceipt>(Err(AskError::TimedOut(LINK)))
        .then_nothing_written()
        .then_asks::<StockFlow, _>(&key("order-1"), CallOffReceipt)
        .then_step(Step(CALL_OFF_RECEIPT, 2))
        .answered::<StockFlow, CallOffReceipt>(Ok(()))
        .then_events([OrderEvent::OrderCanceled(slip(5))]);
}

#[test]
fn a_late_second_answer_changes_nothing() {
    let finish = |events: Vec<OrderEvent>| {
        let given = given::<Order>(events).answering(Step(CALL_OFF_RECEIPT, 1));
        given.when(FinishCancellation { outcome: Ok(()) }).then_nothing_written()
    };
    finish(vec![ordered(1, 5), started(1), OrderEvent::OrderCanceled(slip(5))]).then_reply(());
    let given_up = OrderEvent::CancellationGivenUp { reason: String::new() };
    finish(vec![ordered(1, 5), started(1), given_up, started(2)]).then_not_done(Duration::from_secs(1));
}

#[test]
fn the_bus_sees_orders_as_the_topic_has_them() {
    let bus = |event: OrderEvent| text(event.on_bus(Number::new(1)));
    let fields = r#"{"orderId":1,"orderDate":"2021-06-01","productId":"CD1001","productName":"GAS","destAddr":"SK Imme Station","qty":20000.0}"#;
    assert_eq!(bus(ordered(1, 20_000)), fields);
    assert_eq!(bus(OrderEvent::OrderCanceled(slip(20_000))), fields);
    assert!(!started(1).is_public());
}

#[test]
fn orders_keep_the_laws() {
    let given_up = OrderEvent::CancellationGivenUp { reason: "x".to_owned() };
    laws::<Order>([vec![ordered(1, 5), started(1), given_up, started(2), OrderEvent::OrderCanceled(slip(5))]]);
}
