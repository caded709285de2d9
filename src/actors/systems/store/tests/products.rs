use StockCause::{GivenBack, Received, Returned, Set, Sold};
use StockStatus::{Add, Register, Subtract};

use super::*;

fn item(quantity: i32, price: i32, status: StockStatus) -> ProductItem {
    ProductItem { id: 1, quantity, price, status }
}

fn shortage(payment: u64, requested: i32, available: i32) -> ProductEvent {
    ProductEvent::StockShortage { payment, requested, available }
}

#[test]
fn d7_a_product_is_known_from_its_registration() {
    given::<Product>([])
        .when(RegisterProduct { quantity: 10, price: 1000 })
        .then_events([registered(10)])
        .then_reply(item(10, 1000, Register))
        .when(RegisterProduct { quantity: 10, price: 1000 })
        .then_rejected(ProductRejection::AlreadyRegistered);
    let shape = serde_json::to_string(&item(10, 1000, Register)).unwrap();
    assert_eq!(shape, r#"{"id":1,"quantity":10,"price":1000,"status":"register"}"#);
}

#[test]
fn d5_stock_and_price_are_not_set_below_zero() {
    let negative = |field| ProductRejection::Invalid(InvalidValue::TooSmall { field, least: 0 });
    given::<Product>([])
        .when(RegisterProduct { quantity: -1, price: 0 })
        .then_rejected(negative(Field::Quantity))
        .when(RegisterProduct { quantity: 0, price: -1 })
        .then_rejected(negative(Field::Price))
        .when(RegisterProduct { quantity: 0, price: 0 })
        .then_events([ProductEvent::ProductRegistered { quantity: 0, price: 0 }])
        .when(ChangeProduct { quantity: Some(-1), price: None })
        .then_rejected(negative(Field::Quantity))
        .when(ChangeProduct { quantity: None, price: Some(-1) })
        .then_rejected(negative(Field::Price));
}

#[test]
fn a_change_is_published_once() {
    given::<Product>([registered(10)])
        .when(ChangeProduct { quantity: Some(10), price: Some(1200) })
        .then_events([ProductEvent::StockModified { quantity: 10, price: 1200, status: Register, cause: Set }])
        .then_reply(item(10, 1200, Register))
        .when(ChangeProduct { quantity: None, price: Some(1200) })
        .then_nothing_written()
        .then_reply(item(10, 1200, Register));
}

#[test]
fn d8b_a_negative_stock_may_be_sent_back_as_it_is() {
    given::<Product>([registered(0), moved(-3, Subtract, GivenBack)])
        .when(ChangeProduct { quantity: Some(-3), price: Some(5) })
        .then_reply(item(-3, 5, Subtract))
        .when(ChangeProduct { quantity: Some(-2), price: Some(5) })
        .then_rejected(InvalidValue::TooSmall { field: Field::Quantity, least: 0 }.into());
}

#[test]
fn f3_delivered_goods_enter_the_stock() {
    given::<Product>([registered(10)]).when(ReceiveGoods { quantity: 3 }).then_events([moved(13, Add, Received)]);
}

#[test]
fn f5_f7_a_purchase_lowers_the_stock_and_its_cancellation_raises_it() {
    given::<Product>([registered(10)])
        .when(SellGoods { payment: 1, quantity: 2 })
        .then_events([moved(8, Subtract, Sold)])
        .when(ReturnGoods { payment: 1, quantity: 2 })
        .then_events([moved(10, Add, Returned)]);
    given::<Product>([registered(2)])
        .when(SellGoods { payment: 1, quantity: 2 })
        .then_events([moved(0, Subtract, Sold)]);
}

#[test]
fn d8_a_purchase_beyond_stock_takes_nothing_and_returns_nothing() {
    let short = given::<Product>([registered(10)])
        .when(SellGoods { payment: 5, quantity: 99 })
        .then_events([shortage(5, 99, 10)])
        .then_reply(());
    assert_eq!(short.state().item(Number::new(1)), Some(item(10, 1000, Register)));
    short
        .when(ReturnGoods { payment: 5, quantity: 99 })
        .then_events([ProductEvent::ShortageClosed { payment: 5 }])
        .when(ReturnGoods { payment: 6, quantity: 1 })
        .then_events([moved(11, Add, Returned)]);
}

#[test]
fn d8_a_shortage_ends_after_a_limited_number_waits_for_refunds() {
    let most = u64::try_from(Product::MAX_SHORTAGES).unwrap();
    let full = || (1..=most).map(|payment| shortage(payment, 1, 0));
    let product = || given::<Product>([registered(0)].into_iter().chain(full()));
    let next = SellGoods { payment: most + 1, quantity: 1 };
    product().when(next.clone()).then_rejected(ProductRejection::TooManyShortages);
    product().when(ReturnGoods { payment: 1, quantity: 1 }).when(next).then_events([shortage(most + 1, 1, 0)]);
    let bytes = serde_json::to_vec(product().state()).unwrap().len();
    assert!(bytes < 64 * 1024, "a snapshot of {bytes} bytes");
}

#[test]
fn d8b_a_canceled_delivery_may_make_the_stock_negative_and_purchases_then_fall_short() {
    given::<Product>([registered(1)])
        .when(GiveBackGoods { quantity: 3 })
        .then_events([moved(-2, Subtract, GivenBack)])
        .when(SellGoods { payment: 1, quantity: 1 })
        .then_events([shortage(1, 1, -2)])
        .when(ReceiveGoods { quantity: 3 })
        .then_events([moved(1, Add, Received)])
        .when(SellGoods { payment: 2, quantity: 1 })
        .then_events([moved(0, Subtract, Sold)]);
}

#[test]
fn the_stock_stays_within_its_range() {
    let rejected = |quantity, by| ProductRejection::OutOfRange { quantity, by };
    given::<Product>([registered(i32::MAX)])
        .when(ReceiveGoods { quantity: 1 })
        .then_rejected(rejected(i32::MAX, 1))
        .when(ReturnGoods { payment: 1, quantity: i32::MAX })
        .then_rejected(rejected(i32::MAX, i64::from(i32::MAX)));
    given::<Product>([registered(0), moved(i32::MIN, Subtract, GivenBack)])
        .when(GiveBackGoods { quantity: 1 })
        .then_rejected(rejected(i32::MIN, -1))
        .when(SellGoods { payment: 1, quantity: i32::MAX })
        .then_events([shortage(1, i32::MAX, i32::MIN)]);
    assert_eq!(told(&rejected(0, 1)), (RefusalClass::Conflict, "STOCK_OUT_OF_RANGE", None));
}

#[test]
fn d9_a_removed_product_takes_nothing_more() {
    given::<Product>([registered(10)]).when(RemoveProduct).then_events([ProductEvent::ProductRemoved]).then_reply(());
    let gone = || given::<Product>([registered(10), ProductEvent::ProductRemoved]);
    gone().when(RemoveProduct).then_rejected(ProductRejection::Gone);
    gone().when(ReceiveGoods { quantity: 1 }).then_rejected(ProductRejection::Gone);
    gone().when(GiveBackGoods { quantity: 1 }).then_rejected(ProductRejection::Gone);
    gone().when(SellGoods { payment: 1, quantity: 1 }).then_rejected(ProductRejection::Gone);
    gone().when(ReturnGoods { payment: 1, quantity: 1 }).then_rejected(ProductRejection::Gone);
    gone().when(ChangeProduct { quantity: None, price: None }).then_rejected(ProductRejection::Gone);
    assert_eq!((gone().state().item(Number::new(1)), gone().state().presence()), (None, Presence::Removed));
    assert_eq!(told(&ProductRejection::Gone), (RefusalClass::Gone, "NO_SUCH_PRODUCT", None));
}

#[test]
fn the_bus_sees_products_as_the_topic_has_them() {
    let bus = |event: ProductEvent| serde_json::to_string(&event.on_bus(Number::new(1))).unwrap();
    assert_eq!(bus(registered(10)), r#"{"id":1,"quantity":10,"price":1000,"status":"register"}"#);
    assert_eq!(bus(moved(13, Add, Received)), r#"{"id":1,"quantity":13,"price":1000,"status":"add"}"#);
    assert_eq!(bus(shortage(5, 99, 10)), r#"{"id":1,"paymentId":5,"requested":99,"available":10}"#);
    assert_eq!(bus(ProductEvent::ProductRemoved), r#"{"id":1}"#);
    assert!(!ProductEvent::ShortageClosed { payment: 5 }.is_public());
}

#[test]
fn products_keep_the_laws() {
    let sold = moved(1, Subtract, Sold);
    laws::<Product>([vec![
        registered(3),
        sold,
        shortage(5, 99, 1),
        ProductEvent::ShortageClosed { payment: 5 },
        ProductEvent::ProductRemoved,
    ]]);
}
