use super::*;

fn row(number: u64, entry: &FlowEntry) -> StockFlowItem {
    given::<StockFlow>([receive(entry.clone())]).state().item(Number::new(number)).unwrap()
}

/// The stock's key.
fn stock() -> Key {
    gas().key()
}

#[test]
fn f3_what_is_shipped_is_expected_once() {
    let expecting = given::<StockFlow>([]).when(ExpectReceipt { entry: expected(1, 20_000) });
    let expecting = expecting.then_events([receive(expected(1, 20_000))]).then_reply(());
    let shape = text(expecting.state().item(Number::new(1)));
    assert_eq!(
        shape,
        r#"{"stockId":1,"productId":"CD1001","productName":"GAS","qty":0.0,"qtyToBe":20000.0,"reason":null,"orderId":1,"saleId":null}"#
    );
    assert_eq!(expecting.state().presence(), Presence::Listed);
    expecting.when(ExpectReceipt { entry: expected(1, 20_000) }).then_nothing_written().then_reply(());
}

#[test]
fn f4_a_receipt_is_confirmed_once_and_raises_the_stock() {
    let confirming = given::<StockFlow>([receive(expected(1, 20_000))]).when(ConfirmReceipt { qty: None });
    confirming
        .then_events([begun(confirmed(1, 20_000), 1)])
        .then_asks::<Stock, _>(&stock(), moves(1, 20_000))
        .then_step(Step(MOVE_STOCK, 1))
        .answered::<Stock, MoveStock>(Ok(()))
        .then_events([receive(confirmed(1, 20_000))])
        .then_reply(row(1, &confirmed(1, 20_000)))
        .then_resumes_nothing()
        .when(ConfirmReceipt { qty: None })
        .then_rejected(StockFlowRejection::AlreadyConfirmed);
    let confirm = |events: Vec<StockFlowEvent>| given::<StockFlow>(events).when(ConfirmReceipt { qty: None });
    confirm(vec![]).then_rejected(StockFlowRejection::NoExpectedReceipt);
    confirm(vec![receive(expected(1, 5)), begun(confirmed(1, 5), 1)]).then_rejected(StockFlowRejection::Confirming);
    assert_eq!(told(&StockFlowRejection::AlreadyConfirmed).0, RefusalClass::Conflict);
}

#[test]
fn d14_part_of_a_receipt_may_be_confirmed() {
    let confirm = |qty| given::<StockFlow>([receive(expected(1, 100))]).when(ConfirmReceipt { qty: Some(qty) });
    let part = FlowEntry { qty: whole(40), ..expected(1, 100) };
    confirm(whole(40))
        .then_asks::<Stock, _>(&stock(), moves(1, 40))
        .answered::<Stock, MoveStock>(Ok(()))
        .then_events([receive(part)]);
    confirm(whole(100)).then_asks::<Stock, _>(&stock(), moves(1, 100));
    confirm(Milli::of(100_001).unwrap()).then_rejected(StockFlowRejection::MoreThanExpected);
    for nothing in [Milli::ZERO, whole(-1)] {
        confirm(nothing).then_rejected(InvalidValue::NotPositive(Field::Qty).into());
    }
}

#[test]
fn d15_a_receipt_that_is_called_off_is_never_confirmed_whichever_comes_first() {
    for past in [vec![], vec![receive(expected(1, 5))]] {
        let called_off = given::<StockFlow>(past).when(CallOffReceipt);
        let called_off = called_off.then_events([StockFlowEvent::ReceiptCalledOff]).then_reply(());
        assert_eq!(called_off.state().presence(), Presence::Removed);
        called_off
            .when(CallOffReceipt)
            .then_nothing_written()
            .then_reply(())
            .when(ExpectReceipt { entry: expected(1, 5) })
            .then_nothing_written()
            .when(ConfirmReceipt { qty: None })
            .then_rejected(StockFlowRejection::NoExpectedReceipt);
    }
    let call_off = |events: Vec<StockFlowEvent>| given::<StockFlow>(events).when(CallOffReceipt);
    call_off(vec![receive(confirmed(1, 5))]).then_rejected(StockFlowRejection::AlreadyConfirmed);
    call_off(vec![receive(expected(1, 5)), begun(confirmed(1, 5), 1)]).then_rejected(StockFlowRejection::Confirming);
}

#[test]
fn d2_a_sale_is_a_row_that_is_written_once() {
    let record = || RecordFlow { entry: sale_row(7, 30) };
    let sold = given::<StockFlow>([])
        .when(record())
        .then_events([begun(sale_row(7, 30), 1)])
        .then_asks::<Stock, _>(&stock(), moves(1, -30));
    assert_eq!(sold.state().presence(), Presence::Hidden, "nothing is shown before the stock has moved");
    sold.answered::<Stock, MoveStock>(Ok(()))
        .then_events([receive(sale_row(7, 30))])
        .then_reply(row(1, &sale_row(7, 30)))
        .when(record())
        .then_nothing_written()
        .then_reply(row(1, &sale_row(7, 30)))
        .when(RecordFlow { entry: sale_row(7, 31) })
        .then_rejected(StockFlowRejection::AlreadyRecorded);
    assert_eq!(
        text(row(2, &sale_row(7, 30))),
        r#"{"stockId":2,"productId":"CD1001","productName":"GAS","qty":-30.0,"qtyToBe":null,"reason":"SALE","orderId":null,"saleId":7}"#
    );
}

#[test]
fn d5_d12_a_row_that_the_stock_refuses_is_not_written_and_may_be_tried_again() {
    let refused = given::<StockFlow>([])
        .when(RecordFlow { entry: sale_row(7, 30) })
        .answered::<Stock, MoveStock>(Err(AskError::Rejected(insufficient(1, 30))))
        .then_rejected(insufficient(1, 30).into());
    assert_eq!(refused.events().len(), 1);
    refused
        .then_resumes_nothing()
        .when(RecordFlow { entry: sale_row(7, 30) })
        .then_events([begun(sale_row(7, 30), 2)])
        .then_step(Step(MOVE_STOCK, 2));
    let rejection = StockFlowRejection::from(insufficient(1, 30));
    assert_eq!(told(&rejection), (RefusalClass::Conflict, "INSUFFICIENT_STOCK", None));
    // a receipt is expected again
    given::<StockFlow>([receive(expected(1, 5)), begun(confirmed(1, 5), 1)])
        .answering(Step(MOVE_STOCK, 1))
        .when(FinishMovement { outcome: Err(AskError::Overloaded { retry_after: LINK }) })
        .then_not_done(LINK)
        .when(ConfirmReceipt { qty: None })
        .then_step(Step(MOVE_STOCK, 2));
}

#[test]
fn a_stock_whose_answer_is_lost_is_asked_the_same_step_again() {
    let asked = given::<StockFlow>([]).when(RecordFlow { entry: sale_row(7, 30) });
    asked
        .answered::<Stock, MoveStock>(Err(AskError::TimedOut(LINK)))
        .then_nothing_written()
        .then_asks::<Stock, _>(&stock(), moves(1, -30))
        .then_step(Step(MOVE_STOCK, 1))
        .answered::<Stock, MoveStock>(Ok(()))
        .then_events([receive(sale_row(7, 30))]);
}

#[test]
fn a_late_second_answer_changes_nothing() {
    let finish = |events: Vec<StockFlowEvent>, step| {
        given::<StockFlow>(events).answering(step).when(FinishMovement { outcome: Ok(()) }).then_nothing_written()
    };
    let first = Step(MOVE_STOCK, 1);
    finish(vec![begun(sale_row(7, 1), 1), receive(sale_row(7, 1))], first).then_reply(row(1, &sale_row(7, 1)));
    let given_up = StockFlowEvent::MovementGivenUp { reason: String::new() };
    finish(vec![begun(sale_row(7, 1), 1), given_up.clone(), begun(sale_row(7, 1), 2)], first)
        .then_not_done(Duration::from_millis(100));
    finish(vec![begun(sale_row(7, 1), 1), given_up], first).then_not_done(Duration::from_millis(100));
    given::<StockFlow>([StockFlowEvent::SaleVoided])
        .answering(Step(REVERSE_SALE, 1))
        .when(FinishReversal { outcome: Ok(()) })
        .then_nothing_written();
}

#[test]
fn d8_a_voided_sale_never_stands_whichever_comes_first() {
    given::<StockFlow>([])
        .when(VoidSale)
        .then_events([StockFlowEvent::SaleVoided])
        .then_reply(())
        .when(RecordFlow { entry: sale_row(7, 30) })
        .then_rejected(StockFlowRejection::Voided)
        .when(VoidSale)
        .then_nothing_written()
        .then_reply(());
    let reversal = StockFlowEvent::ReversalBegun { number: Number::new(1), round: 2 };
    let reversed = given::<StockFlow>([begun(sale_row(7, 30), 1), receive(sale_row(7, 30))])
        .when(VoidSale)
        .then_events([reversal])
        .then_asks::<Stock, _>(&stock(), moves(1, 30))
        .then_step(Step(REVERSE_SALE, 2))
        .answered::<Stock, MoveStock>(Err(AskError::TimedOut(LINK)))
        .then_asks::<Stock, _>(&stock(), moves(1, 30))
        .answered::<Stock, MoveStock>(Ok(()))
        .then_events([StockFlowEvent::SaleReversed(sale_row(7, 30))])
        .then_reply(());
    assert_eq!(reversed.state().presence(), Presence::Removed);
    reversed.when(RecordFlow { entry: sale_row(7, 30) }).then_rejected(StockFlowRejection::Voided);
}

#[test]
fn d8_voiding_waits_for_a_row_that_is_being_written() {
    let soon = Duration::from_millis(100);
    given::<StockFlow>([begun(sale_row(7, 30), 1)])
        .when(VoidSale)
        .then_nothing_written()
        .then_not_done(soon)
        .when(RecordFlow { entry: sale_row(7, 30) })
        .then_not_done(soon);
    let full = StockRejection::OutOfRange { total: Milli::MAX, by: whole(30) };
    given::<StockFlow>([receive(sale_row(7, 30))])
        .when(VoidSale)
        .answered::<Stock, MoveStock>(Err(AskError::Rejected(full.clone())))
        .then_rejected(full.into())
        .then_resumes_nothing()
        .when(VoidSale)
        .answered::<Stock, MoveStock>(Err(AskError::Overloaded { retry_after: LINK }))
        .then_not_done(LINK);
    given::<StockFlow>([receive(expected(1, 5))]).when(VoidSale).then_rejected(StockFlowRejection::AlreadyRecorded);
}

#[test]
fn the_bus_sees_rows_as_the_topic_has_them() {
    let bus = |event: StockFlowEvent| text(event.on_bus(Number::new(4)));
    assert_eq!(
        bus(receive(expected(1, 20_000))),
        r#"{"stockId":4,"orderId":1,"productId":"CD1001","productName":"GAS","qty":0.0,"qtyToBe":20000.0,"reason":null,"saleId":null}"#
    );
    assert_eq!(
        bus(StockFlowEvent::SaleReversed(sale_row(7, 30))),
        r#"{"stockId":4,"orderId":null,"productId":"CD1001","productName":"GAS","qty":-30.0,"qtyToBe":null,"reason":"SALE","saleId":7}"#
    );
    assert!(!begun(sale_row(7, 30), 1).is_public());
}

#[test]
fn rows_keep_the_laws() {
    let reversal = StockFlowEvent::ReversalBegun { number: Number::new(1), round: 2 };
    let reason = || "x".to_owned();
    laws::<StockFlow>([
        vec![
            receive(expected(1, 5)),
            begun(confirmed(1, 5), 1),
            StockFlowEvent::MovementGivenUp { reason: reason() },
            begun(confirmed(1, 5), 2),
            receive(confirmed(1, 5)),
        ],
        vec![
            begun(sale_row(7, 30), 1),
            receive(sale_row(7, 30)),
            reversal.clone(),
            StockFlowEvent::ReversalGivenUp { reason: reason() },
            reversal,
            StockFlowEvent::SaleReversed(sale_row(7, 30)),
        ],
        vec![StockFlowEvent::SaleVoided],
        vec![StockFlowEvent::ReceiptCalledOff],
    ]);
}
