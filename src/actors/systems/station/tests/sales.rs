use super::*;

fn sell(qty: i64) -> MakeSale {
    MakeSale { product_id: gas().product_id, product: Some(gas()), qty: whole(qty), within: LINK }
}

fn begun_sale(qty: i64, round: u32) -> SaleEvent {
    SaleEvent::SaleBegun { number: Number::new(1), ticket: ticket(qty), round, within: LINK }
}

fn record(qty: i64) -> RecordFlow {
    RecordFlow { entry: sale_row(1, qty) }
}

fn item(qty: i64) -> SaleItem {
    given::<Sale>([SaleEvent::Sold(ticket(qty))]).state().item(Number::new(1)).unwrap()
}

fn row(qty: i64) -> StockFlowItem {
    given::<StockFlow>([receive(sale_row(1, qty))]).state().item(Number::new(9)).unwrap()
}

#[test]
fn f6_f7_d7_a_sale_is_made_when_the_stock_is_less() {
    let selling = given::<Sale>([])
        .when(sell(30))
        .then_events([begun_sale(30, 1)])
        .then_asks::<StockFlow, _>(&key("sale-1"), record(30))
        .then_waits(LINK);
    assert_eq!((selling.state().presence(), selling.state().item(Number::new(1))), (Presence::Hidden, None));
    let sold = selling
        .answered::<StockFlow, RecordFlow>(Ok(row(30)))
        .then_events([SaleEvent::Sold(ticket(30))])
        .then_reply(item(30))
        .then_resumes_nothing();
    assert_eq!(
        text(sold.state().item(Number::new(1))),
        r#"{"saleId":1,"productId":"CD1001","productName":"GAS","price":2000,"qty":30.0,"amount":60000.0,"accountId":1,"accountName":null}"#
    );
    sold.when(sell(30)).then_rejected(SaleRejection::AlreadySold);
}

#[test]
fn d13_nothing_and_less_than_nothing_is_not_sold() {
    for qty in [0, -5] {
        given::<Sale>([]).when(sell(qty)).then_rejected(InvalidValue::NotPositive(Field::Qty).into());
    }
}

#[test]
fn f6_what_is_not_on_the_menu_is_not_sold() {
    let product_id = "XX".to_owned();
    let unknown = SaleRejection::UnknownProduct { product_id: product_id.clone() };
    given::<Sale>([])
        .when(MakeSale { product_id, product: None, ..sell(1) })
        .then_nothing_written()
        .then_rejected(unknown.clone());
    assert_eq!(told(&unknown), (RefusalClass::Conflict, "UNKNOWN_PRODUCT", None));
}

#[test]
fn d11_an_amount_beyond_counting_is_refused() {
    let dear = ProductItem { price: MAX_PRICE, ..gas() };
    given::<Sale>([])
        .when(MakeSale { product: Some(dear), ..sell(1_000_000) })
        .then_rejected(InvalidValue::TooLarge(Field::Qty).into());
}

#[test]
fn d8_d12_what_the_station_refuses_is_not_sold_and_may_be_tried_again() {
    let short = StockFlowRejection::from(insufficient(1, 30));
    let refused = given::<Sale>([])
        .when(sell(30))
        .answered::<StockFlow, RecordFlow>(Err(AskError::Rejected(short.clone())))
        .then_rejected(SaleRejection::Refused(short.clone()));
    assert!(matches!(refused.events(), [SaleEvent::SaleGivenUp { .. }]), "{:?}", refused.events());
    assert_eq!(refused.state().presence(), Presence::Hidden);
    refused.when(sell(30)).then_events([begun_sale(30, 2)]).then_asks::<StockFlow, _>(&key("sale-1-2"), record(30));
    assert_eq!(told(&SaleRejection::Refused(short)).1, "INSUFFICIENT_STOCK");
}

#[test]
fn d8_n2_without_the_station_nothing_is_sold_and_nothing_is_voided() {
    let stopped = Unavailable::ServiceStopped { service: "station/Station".to_owned() };
    let not_done = given::<Sale>([])
        .when(sell(30))
        .answered::<StockFlow, RecordFlow>(Err(AskError::Unavailable(stopped)))
        .then_not_done(Duration::from_secs(1));
    assert!(matches!(not_done.events(), [SaleEvent::SaleGivenUp { .. }]), "{:?}", not_done.events());
    not_done.then_resumes_nothing();
}

#[test]
fn d8_an_unknown_outcome_is_given_up_and_voided() {
    let unknown = given::<Sale>([])
        .when(sell(30))
        .answered::<StockFlow, RecordFlow>(Err(AskError::TimedOut(LINK)))
        .then_not_done(Duration::from_secs(1));
    let [SaleEvent::SaleGivenUp { .. }, void] = unknown.events() else { panic!("{:?}", unknown.events()) };
    let product_id = gas().product_id;
    assert_eq!(*void, SaleEvent::SaleVoidRequested { product_id, qty: whole(30), round: 1 });
    reacts(&VoidUnknownSales, &recorded(key("s"), 1, 3, void.clone()))
        .then_sends(&key("sale-1"), VoidSale)
        .then_nothing();
    let second = SaleEvent::SaleVoidRequested { product_id: gas().product_id, qty: whole(30), round: 2 };
    reacts(&VoidUnknownSales, &recorded(key("s"), 1, 5, second)).then_sends(&key("sale-1-2"), VoidSale).then_nothing();
    reacts(&VoidUnknownSales, &recorded(key("s"), 1, 2, SaleEvent::Sold(ticket(30)))).then_nothing();
    unknown.when(sell(30)).then_asks::<StockFlow, _>(&key("sale-1-2"), record(30));
}

#[test]
fn a_late_second_answer_changes_nothing() {
    let finish = |events: Vec<SaleEvent>| {
        given::<Sale>(events)
            .answering(Step(TAKE_STOCK, 1))
            .when(FinishSale { outcome: Ok(row(30)) })
            .then_nothing_written()
    };
    finish(vec![begun_sale(30, 1), SaleEvent::Sold(ticket(30))]).then_reply(item(30));
    let given_up = SaleEvent::SaleGivenUp { reason: String::new() };
    finish(vec![begun_sale(30, 1), given_up.clone()]).then_not_done(Duration::from_secs(1));
    finish(vec![begun_sale(30, 1), given_up, begun_sale(30, 2)]).then_not_done(Duration::from_secs(1));
    given::<Sale>([begun_sale(30, 1)]).when(sell(30)).then_rejected(SaleRejection::Selling);
}

#[test]
fn f8_a_sale_is_canceled_once_and_gives_the_stock_back() {
    let canceled = given::<Sale>([SaleEvent::Sold(ticket(30))])
        .when(CancelSale)
        .then_events([SaleEvent::CanceledSold(ticket(30))])
        .then_reply(());
    assert_eq!(canceled.state().presence(), Presence::Removed);
    canceled.when(CancelSale).then_rejected(SaleRejection::Gone);
    for past in [vec![], vec![begun_sale(30, 1)]] {
        given::<Sale>(past).when(CancelSale).then_rejected(SaleRejection::Gone);
    }
    let ProductItem { product_id, product_name, .. } = gas();
    let entry = FlowEntry::canceled_sale(5, product_id, product_name, whole(30));
    assert_eq!((entry.qty, entry.sale_id, entry.order_id), (whole(30), Some(5), None));
    reacts(&ReturnCanceledSales, &recorded(key("s"), 5, 3, SaleEvent::CanceledSold(ticket(30))))
        .then_sends(&key("canceled-sale-5"), RecordFlow { entry })
        .then_nothing();
    reacts(&ReturnCanceledSales, &recorded(key("s"), 5, 2, SaleEvent::Sold(ticket(30)))).then_nothing();
    assert_eq!(told(&SaleRejection::Gone), (RefusalClass::Gone, "NO_SUCH_SALE", None));
}

#[test]
fn a_sale_is_fixed_but_may_be_sent_back_as_it_is() {
    let change = |wanted: serde_json::Value| {
        let wanted = wanted.as_object().unwrap().clone();
        given::<Sale>([SaleEvent::Sold(ticket(30))]).when(ChangeSale { wanted })
    };
    change(json(item(30))).then_nothing_written().then_reply(item(30));
    change(serde_json::json!({})).then_reply(item(30));
    change(serde_json::json!({"qty": 31.0})).then_rejected(SaleRejection::Immutable);
    change(serde_json::json!({"productName": null})).then_rejected(SaleRejection::Immutable);
    let nothing = ChangeSale { wanted: serde_json::Map::new() };
    given::<Sale>([]).when(nothing).then_rejected(SaleRejection::Gone);
}

#[test]
fn the_bus_sees_sales_as_the_topic_has_them_with_their_number() {
    let bus = |event: SaleEvent| text(event.on_bus(Number::new(3)));
    let sold = r#"{"saleId":3,"productId":"CD1001","productName":"GAS","price":2000,"qty":30.0,"amount":60000.0,"accountId":1,"accountName":null}"#;
    assert_eq!(bus(SaleEvent::Sold(ticket(30))), sold);
    assert_eq!(bus(SaleEvent::CanceledSold(ticket(30))), sold);
    let void = SaleEvent::SaleVoidRequested { product_id: gas().product_id, qty: whole(30), round: 1 };
    assert_eq!(bus(void), r#"{"saleId":3,"productId":"CD1001","qty":30.0}"#);
    assert!(!begun_sale(30, 1).is_public());
}

#[test]
fn sales_keep_the_laws() {
    let void = SaleEvent::SaleVoidRequested { product_id: gas().product_id, qty: whole(30), round: 1 };
    laws::<Sale>([
        vec![begun_sale(30, 1), SaleEvent::SaleGivenUp { reason: "x".to_owned() }, void],
        vec![begun_sale(30, 1), SaleEvent::Sold(ticket(30)), SaleEvent::CanceledSold(ticket(30))],
    ]);
}
