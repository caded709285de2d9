use super::*;

fn pay(quantity: i32) -> Pay {
    Pay { product_id: 1, quantity, price: 2000 }
}

fn item() -> PaymentItem {
    PaymentItem { id: 1, product_id: 1, quantity: 2, price: 2000 }
}

#[test]
fn f4_d3_a_customer_buys_for_a_total_amount() {
    let bought = given::<Payment>([]).when(pay(2)).then_events([approved(2)]).then_reply(item());
    let shape = serde_json::to_string(&bought.state().item(Number::new(1))).unwrap();
    assert_eq!(shape, r#"{"id":1,"productId":1,"quantity":2,"price":2000}"#);
    bought.when(pay(2)).then_rejected(PaymentRejection::AlreadyApproved);
}

#[test]
fn d5_a_purchase_names_a_product_at_least_one_of_it_and_no_negative_price() {
    given::<Payment>([])
        .when(pay(0))
        .then_rejected(InvalidValue::TooSmall { field: Field::Quantity, least: 1 }.into())
        .when(Pay { price: -1, ..pay(1) })
        .then_rejected(InvalidValue::TooSmall { field: Field::Price, least: 0 }.into())
        .when(Pay { product_id: 0, ..pay(1) })
        .then_rejected(InvalidValue::NoId(Field::ProductId).into())
        .when(Pay { price: 0, ..pay(1) })
        .then_reply(PaymentItem { quantity: 1, price: 0, ..item() });
}

#[test]
fn f7_a_purchase_is_canceled_once() {
    given::<Payment>([approved(2)])
        .when(CancelPayment)
        .then_events([refunded(2, None)])
        .then_reply(())
        .when(CancelPayment)
        .then_rejected(PaymentRejection::Gone);
    given::<Payment>([]).when(CancelPayment).then_rejected(PaymentRejection::Gone);
    let gone = given::<Payment>([approved(2), refunded(2, None)]);
    assert_eq!((gone.state().item(Number::new(1)), gone.state().presence()), (None, Presence::Removed));
}

#[test]
fn d8_a_shortage_is_refunded_with_its_reason_unless_the_customer_was_faster() {
    let reason = Some(CancelReason::StockShortage);
    given::<Payment>([approved(99)])
        .when(RefundShortage)
        .then_events([refunded(99, reason)])
        .when(CancelPayment)
        .then_rejected(PaymentRejection::Gone);
    given::<Payment>([approved(99), refunded(99, None)]).when(RefundShortage).then_nothing_written().then_reply(());
    given::<Payment>([]).when(RefundShortage).then_rejected(PaymentRejection::Gone);
}

#[test]
fn d4_a_payment_is_fixed_but_may_be_sent_back_as_it_is() {
    let same = || ChangePayment { product_id: Some(1), quantity: Some(2), price: Some(2000) };
    let change = |change| given::<Payment>([approved(2)]).when(change);
    change(same()).then_nothing_written().then_reply(item());
    change(ChangePayment { product_id: None, quantity: None, price: None }).then_reply(item());
    change(ChangePayment { product_id: Some(2), ..same() }).then_rejected(PaymentRejection::Immutable);
    change(ChangePayment { quantity: Some(3), ..same() }).then_rejected(PaymentRejection::Immutable);
    change(ChangePayment { price: Some(0), ..same() }).then_rejected(PaymentRejection::Immutable);
    given::<Payment>([]).when(same()).then_rejected(PaymentRejection::Gone);
    assert_eq!(told(&PaymentRejection::Immutable), (RefusalClass::Conflict, "IMMUTABLE", None));
}

#[test]
fn the_bus_sees_payments_as_the_topic_has_them() {
    let bus = |event: PaymentEvent| serde_json::to_string(&event.on_bus(Number::new(1))).unwrap();
    assert_eq!(bus(approved(2)), r#"{"id":1,"productId":1,"quantity":2,"price":2000}"#);
    assert_eq!(bus(refunded(2, None)), bus(approved(2)));
    assert_eq!(
        bus(refunded(2, Some(CancelReason::StockShortage))),
        r#"{"id":1,"productId":1,"quantity":2,"price":2000,"reason":"STOCK_SHORTAGE"}"#
    );
}

#[test]
fn payments_keep_the_laws() {
    let reason = Some(CancelReason::StockShortage);
    laws::<Payment>([vec![approved(2), refunded(2, None)], vec![approved(2), refunded(2, reason)]]);
}
