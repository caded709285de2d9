use super::*;

fn delivery(event: DeliveryEvent) -> Recorded<Delivery> {
    recorded(key("d"), 4, 1, event)
}

fn product(event: ProductEvent) -> Recorded<Product> {
    recorded(key("p"), 1, 1, event)
}

fn payment(event: PaymentEvent) -> Recorded<Payment> {
    recorded(key("b"), 5, 1, event)
}

fn order(event: OrderEvent) -> Recorded<Order> {
    recorded(key("o"), 1, 1, event)
}

fn says(content: &str) -> WriteMessage {
    WriteMessage { content: Some(content.to_owned()) }
}

#[test]
fn d14_an_order_is_found_by_the_number_that_its_delivery_names() {
    let mark = |status| MarkDelivery { delivery: 4, status };
    let order = NumberedId::number(9);
    reacts(&MarkDelivering, &delivery(started(9, 3))).then_sends(&order, mark(DeliveryStatus::Started)).then_nothing();
    reacts(&MarkDelivering, &delivery(canceled(9, 3)))
        .then_sends(&order, mark(DeliveryStatus::Canceled))
        .then_nothing();
    reacts(&MarkDelivering, &delivery(DeliveryEvent::CreationVoided)).then_nothing();
}

#[test]
fn d11_the_delivery_that_is_called_off_is_the_one_that_the_step_creates() {
    let asked = given::<Order>([]).when(PlaceOrder { product_id: 1, quantity: 3, status: None, within: LINK });
    let step = asked.state().resume().remove(0).step();
    let creates = step.creates(Order::KIND, &Key::new("o").unwrap());
    reacts(&VoidUnwantedDeliveries, &order(OrderEvent::DeliveryVoidRequested { round: 1 }))
        .then_sends(&NumberedId::Key(creates), VoidDelivery)
        .then_nothing();
    let given_up = OrderEvent::PlacingGivenUp { reason: String::new() };
    reacts(&VoidUnwantedDeliveries, &order(given_up)).then_nothing();
}

#[test]
fn f3_f6_deliveries_move_the_stock() {
    let product = NumberedId::number(1);
    reacts(&MoveStockOnDeliveries, &delivery(started(1, 3)))
        .then_sends(&product, ReceiveGoods { quantity: 3 })
        .then_nothing();
    reacts(&MoveStockOnDeliveries, &delivery(canceled(1, 3)))
        .then_sends(&product, GiveBackGoods { quantity: 3 })
        .then_nothing();
    reacts(&MoveStockOnDeliveries, &delivery(DeliveryEvent::CreationVoided)).then_nothing();
}

#[test]
fn f5_f7_purchases_move_the_stock_whatever_their_end() {
    let product = NumberedId::number(1);
    reacts(&MoveStockOnPayments, &payment(approved(2)))
        .then_sends(&product, SellGoods { payment: 5, quantity: 2 })
        .then_nothing();
    for reason in [None, Some(CancelReason::StockShortage)] {
        reacts(&MoveStockOnPayments, &payment(refunded(2, reason)))
            .then_sends(&product, ReturnGoods { payment: 5, quantity: 2 })
            .then_nothing();
    }
}

#[test]
fn d8_a_shortage_refunds_its_payment_and_nothing_else_does() {
    let shortage = ProductEvent::StockShortage { payment: 5, requested: 99, available: 10 };
    reacts(&RefundOnShortage, &product(shortage)).then_sends(&NumberedId::number(5), RefundShortage).then_nothing();
    for event in [registered(1), moved(1, StockStatus::Add, StockCause::Set), ProductEvent::ProductRemoved] {
        reacts(&RefundOnShortage, &product(event)).then_nothing();
    }
}

#[test]
fn f9_every_business_event_is_one_message_in_the_words_of_the_source() {
    let ordered = OrderEvent::Ordered { product_id: 1, quantity: 3, delivery: 4 };
    reacts(&AlarmOnOrders, &order(ordered)).then_creates(says("상품 ID : 1, 수량 : 3 발주 신청됨")).then_nothing();
    let gone = OrderEvent::OrderCanceled { product_id: 1, quantity: 3 };
    reacts(&AlarmOnOrders, &order(gone)).then_creates(says("상품 ID : 1, 수량 : 3 발주 취소됨")).then_nothing();
    reacts(&AlarmOnDeliveries, &delivery(started(1, 3)))
        .then_creates(says("상품 ID : 1, 수량 : 3 배송됨"))
        .then_nothing();
    reacts(&AlarmOnDeliveries, &delivery(canceled(1, 3)))
        .then_creates(says("상품 ID : 1, 수량 : 3 배송 취소됨"))
        .then_nothing();
    reacts(&AlarmOnStock, &product(moved(13, StockStatus::Add, StockCause::Received)))
        .then_creates(says("add 상품 ID : 1, 총 수량 : 13"))
        .then_nothing();
    reacts(&AlarmOnStock, &product(moved(8, StockStatus::Register, StockCause::Set)))
        .then_creates(says("register 상품 ID : 1, 총 수량 : 8"))
        .then_nothing();
    reacts(&AlarmOnPayments, &payment(approved(2)))
        .then_creates(says("상품 ID : 1, 금액 : 2000 결제됨"))
        .then_nothing();
    reacts(&AlarmOnPayments, &payment(refunded(2, None)))
        .then_creates(says("상품 ID : 1, 금액 : 2000 결제 취소됨"))
        .then_nothing();
}

#[test]
fn d7_d8_d9_registering_removing_and_falling_short_are_no_messages() {
    let shortage = ProductEvent::StockShortage { payment: 5, requested: 99, available: 10 };
    let closed = ProductEvent::ShortageClosed { payment: 5 };
    for event in [registered(10), ProductEvent::ProductRemoved, shortage, closed] {
        reacts(&AlarmOnStock, &product(event)).then_nothing();
    }
    reacts(&AlarmOnOrders, &order(OrderEvent::DeliveryVoidRequested { round: 1 })).then_nothing();
    reacts(&AlarmOnDeliveries, &delivery(DeliveryEvent::CreationVoided)).then_nothing();
}

#[test]
fn d8b_giving_back_more_than_there_is_has_a_message_of_its_own() {
    reacts(&AlarmOnStock, &product(moved(-2, StockStatus::Subtract, StockCause::GivenBack)))
        .then_creates(says("subtract 상품 ID : 1, 총 수량 : -2"))
        .then_creates(says("재고 부족 상품 ID : 1, 총 수량 : -2"))
        .then_nothing();
    reacts(&AlarmOnStock, &product(moved(-2, StockStatus::Subtract, StockCause::Set)))
        .then_creates(says("subtract 상품 ID : 1, 총 수량 : -2"))
        .then_nothing();
}

fn letter(kind: &str, not_found: bool, rejection: Option<ProductRejection>) -> Recorded<PolicyProgress> {
    let id = ProgressId { policy: MoveStockOnPayments::NAME.to_owned(), unit: "store".to_owned(), partition: 0 };
    let letter = DeadLetter {
        id: DeadLetterId { offset: 1, index: 0 },
        kind: kind.to_owned(),
        address: "9".to_owned(),
        number: Number::new(9),
        command: SellGoods::NAME.to_owned(),
        body: json(SellGoods { payment: 1, quantity: 1 }),
        reason: "there is none".to_owned(),
        not_found,
        rejection: rejection.map(json),
        attempts: 1,
        correlation: "test".to_owned(),
    };
    recorded(id, 0, 1, PolicyProgressEvent::PutAside(Box::new(letter)))
}

#[test]
fn d10_goods_that_the_store_does_not_know_are_a_message() {
    reacts(&AlarmOnDeadLetters, &letter(Product::KIND, true, None))
        .then_creates(says("상품 ID : 9 없음"))
        .then_nothing();
}

#[test]
fn d9_goods_that_the_store_sells_no_more_are_a_message() {
    reacts(&AlarmOnDeadLetters, &letter(Product::KIND, false, Some(ProductRejection::Gone)))
        .then_creates(says("상품 ID : 9 없음"))
        .then_nothing();
}

#[test]
fn d10_other_dead_letters_are_no_message() {
    reacts(&AlarmOnDeadLetters, &letter(Product::KIND, false, Some(ProductRejection::TooManyShortages))).then_nothing();
    reacts(&AlarmOnDeadLetters, &letter(Product::KIND, false, None)).then_nothing();
    reacts(&AlarmOnDeadLetters, &letter(Order::KIND, true, None)).then_nothing();
    let mut delivered = letter(Product::KIND, true, None);
    delivered.event = PolicyProgressEvent::Delivered { id: DeadLetterId { offset: 1, index: 0 } };
    reacts(&AlarmOnDeadLetters, &delivered).then_nothing();
}

#[test]
fn n3_messages_of_one_source_wait_for_each_other() {
    let orders = [
        AlarmOnOrders::ORDER,
        AlarmOnDeliveries::ORDER,
        AlarmOnStock::ORDER,
        AlarmOnPayments::ORDER,
        AlarmOnDeadLetters::ORDER,
    ];
    assert!(orders.iter().all(|order| *order == DispatchOrder::PerSource));
    assert_eq!(MoveStockOnDeliveries::ORDER, DispatchOrder::PerTarget);
    assert_eq!(MoveStockOnPayments::ORDER, DispatchOrder::PerTarget);
}
