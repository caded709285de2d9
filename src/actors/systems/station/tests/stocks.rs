use super::*;

fn moved(by: i64, total: i64) -> StockEvent {
    let MoveStock { flow, product_id, product_name, by } = moves(1, by);
    StockEvent::StockMoved { flow, product_id, product_name, by, total: whole(total) }
}

#[test]
fn f4_f7_f8_the_stock_moves_and_shows_its_total() {
    let stock =
        given::<Stock>([moved(20_000, 20_000)]).when(moves(1, -30)).then_events([moved(-30, 19_970)]).then_reply(());
    let shape = text(stock.state().item(Number::NONE));
    assert_eq!(shape, r#"{"productId":"CD1001","productName":"GAS","qty":19970.0}"#);
    assert_eq!(given::<Stock>([]).state().item(Number::NONE), None, "created at the first movement");
}

#[test]
fn d12_a_sale_takes_no_more_than_there_is_unless_the_station_is_told_to_let_it() {
    let few = || given::<Stock>([moved(10, 10)]);
    few().when(moves(1, -10)).then_events([moved(-10, 0)]);
    few().when(moves(1, -11)).then_rejected(insufficient(10, 11));
    let original = StationSettings { allow_negative_stock: true, ..StationSettings::default() };
    few().under(original).when(moves(1, -11)).then_events([moved(-11, -1)]);
    assert_eq!(told(&insufficient(10, 11)), (RefusalClass::Conflict, "INSUFFICIENT_STOCK", None));
}

#[test]
fn d12_what_comes_in_is_taken_however_much_is_missing() {
    given::<Stock>([moved(-11, -1)])
        .when(moves(1, 0))
        .then_events([moved(0, -1)])
        .when(moves(1, 1))
        .then_events([moved(1, 0)]);
}

#[test]
fn d11_a_stock_beyond_counting_is_refused() {
    let full = StockEvent::StockMoved {
        flow: 1,
        product_id: gas().product_id,
        product_name: None,
        by: Milli::MAX,
        total: Milli::MAX,
    };
    given::<Stock>([full])
        .when(moves(2, 1))
        .then_rejected(StockRejection::OutOfRange { total: Milli::MAX, by: whole(1) });
}

#[test]
fn a_movement_without_a_name_keeps_the_name() {
    let nameless = MoveStock { product_name: None, ..moves(1, 1) };
    let stock = given::<Stock>([moved(10, 10)]).when(nameless);
    assert_eq!(stock.state().item(Number::NONE).and_then(|item| item.product_name), Some("GAS".to_owned()));
}

#[test]
fn stocks_keep_the_laws() {
    laws::<Stock>([vec![moved(20_000, 20_000), moved(-30, 19_970)]]);
}
