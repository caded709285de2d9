//! Section 10 and the scenarios, as far as they are rules: what HTTP and stopped processes do to them is
//! tested with the real binary.

use super::{
    world::{Fault, Told, World},
    *,
};

fn stock(world: &World, product: u64) -> Option<(i32, StockStatus)> {
    world.product(product).map(|item| (item.quantity, item.status))
}

fn progress(world: &World, order: u64) -> Option<OrderProgress> {
    world.order(order).map(|item| item.status)
}

/// A store that sells ten of product 1.
fn store() -> World {
    let mut world = World::new();
    world.register(10);
    world.settle();
    world
}

#[test]
fn f1_to_f9_the_acceptance_script_as_rules() {
    let mut world = store();
    assert_eq!(world.texts(), [""; 0], "registering is no message");

    assert_eq!(world.place(1, 3, &[]), Told::Done);
    assert_eq!(world.delivery(1).map(|item| (item.order_id, item.quantity)), Some((1, 3)));
    assert_eq!(progress(&world, 1), Some(OrderProgress::Ordered));
    world.settle();
    assert_eq!(progress(&world, 1), Some(OrderProgress::Delivering));
    assert_eq!(stock(&world, 1), Some((13, StockStatus::Add)));
    let mut texts = world.texts();
    texts.sort();
    assert_eq!(
        texts,
        ["add 상품 ID : 1, 총 수량 : 13", "상품 ID : 1, 수량 : 3 발주 신청됨", "상품 ID : 1, 수량 : 3 배송됨"]
    );

    assert_eq!(world.cancel_order(1, &[]), Told::Done);
    assert_eq!(world.delivery(1), None);
    world.settle();
    assert_eq!(progress(&world, 1), None);
    assert_eq!(stock(&world, 1), Some((10, StockStatus::Subtract)));
    assert_eq!(world.cancel_order(1, &[]), Told::Refused, "cancel twice");
    assert_eq!(world.texts().len(), 3 + 3);

    assert_eq!(world.pay(1, 2, 2000), Told::Done);
    world.settle();
    assert_eq!(stock(&world, 1), Some((8, StockStatus::Subtract)));
    assert_eq!(world.texts().len(), 3 + 3 + 2);
    assert_eq!(world.cancel_payment(1), Told::Done);
    world.settle();
    assert_eq!(world.cancel_payment(1), Told::Refused, "cancel twice");
    assert_eq!(stock(&world, 1), Some((10, StockStatus::Add)));
    assert_eq!(world.texts().len(), 3 + 3 + 2 + 2);

    assert_eq!(world.pay(1, 99, 1), Told::Done);
    world.settle();
    assert_eq!(world.payment(2), None);
    assert_eq!(stock(&world, 1).map(|(quantity, _)| quantity), Some(10));
    let texts = world.texts();
    let paid = ["상품 ID : 1, 금액 : 1 결제됨", "상품 ID : 1, 금액 : 1 결제 취소됨"];
    assert_eq!(texts[10..], paid, "D-8: messages for both");

    assert_eq!(world.change_product(1, ChangeProduct { quantity: Some(10), price: Some(1200) }), Told::Done);
    world.settle();
    assert_eq!(world.product(1).map(|item| item.price), Some(1200));
    assert_eq!(world.cancel_order(999, &[]), Told::Refused);
}

#[test]
fn n1_without_the_delivery_service_nothing_is_ordered_or_canceled_and_later_it_is() {
    let mut world = store();
    assert_eq!(world.place(1, 3, &[Fault::Stopped]), Told::NotDone);
    assert_eq!(world.place(1, 3, &[]), Told::Done);
    world.settle();
    let (before, placed) = (world.texts(), 2);
    assert_eq!(world.cancel_order(placed, &[Fault::Stopped]), Told::NotDone);
    world.settle();
    assert_eq!(world.texts(), before, "nothing was published");
    assert_eq!(progress(&world, placed), Some(OrderProgress::Delivering));
    assert_eq!(world.cancel_order(placed, &[]), Told::Done);
    world.settle();
    assert_eq!(stock(&world, 1).map(|(quantity, _)| quantity), Some(10));
}

#[test]
fn n2_without_the_product_service_orders_and_purchases_go_on_and_are_made_up_for() {
    let mut world = store();
    assert_eq!(world.place(1, 3, &[]), Told::Done);
    assert_eq!(world.pay(1, 2, 2000), Told::Done);
    world.settle_without(&["product"]);
    assert_eq!(progress(&world, 1), Some(OrderProgress::Delivering));
    assert_eq!(stock(&world, 1), Some((10, StockStatus::Register)));
    world.settle();
    assert_eq!(stock(&world, 1).map(|(quantity, _)| quantity), Some(11));
}

#[test]
fn n3_without_the_alarm_service_all_else_works_and_no_message_is_missed() {
    let mut world = store();
    assert_eq!(world.place(1, 3, &[]), Told::Done);
    world.settle_without(&["alarm"]);
    assert_eq!(world.cancel_order(1, &[]), Told::Done);
    world.settle_without(&["alarm"]);
    assert_eq!((stock(&world, 1).map(|(quantity, _)| quantity), world.texts().len()), (Some(10), 0));
    world.settle();
    let texts = world.texts();
    let at = |text: &str| texts.iter().position(|message| message == text).unwrap();
    assert_eq!(texts.len(), 6);
    assert!(at("상품 ID : 1, 수량 : 3 발주 신청됨") < at("상품 ID : 1, 수량 : 3 발주 취소됨"));
    assert!(at("add 상품 ID : 1, 총 수량 : 13") < at("subtract 상품 ID : 1, 총 수량 : 10"));
}

#[test]
fn n4_without_the_payment_or_order_service_the_others_go_on() {
    let mut world = store();
    assert_eq!(world.pay(1, 99, 1), Told::Done);
    assert_eq!(world.place(1, 3, &[]), Told::Done);
    world.settle_without(&["payment", "order"]);
    assert!(world.payment(1).is_some(), "the refund waits for the payment service");
    assert_eq!(progress(&world, 1), Some(OrderProgress::Ordered), "the mark waits for the order service");
    assert_eq!(stock(&world, 1), Some((13, StockStatus::Add)));
    world.settle();
    assert_eq!(progress(&world, 1), Some(OrderProgress::Delivering));
}

#[test]
fn d8_a_purchase_beyond_stock_is_refunded_also_when_its_customer_cancels_first() {
    let mut world = store();
    assert_eq!(world.pay(1, 99, 1), Told::Done);
    world.settle_without(&["payment"]);
    assert_eq!(world.cancel_payment(1), Told::Done);
    world.settle();
    assert_eq!(stock(&world, 1), Some((10, StockStatus::Register)), "nothing was taken, nothing comes back");
    assert_eq!(world.kind::<Payment>().streams()[0].events.len(), 2, "approved and canceled once");
    assert_eq!(world.dead_letters(), 0);
}

#[test]
fn d8b_goods_that_are_sold_already_do_not_block_a_cancellation() {
    let mut world = World::new();
    world.register(0);
    assert_eq!(world.place(1, 3, &[]), Told::Done);
    world.settle();
    assert_eq!(world.pay(1, 2, 10), Told::Done);
    world.settle();
    assert_eq!(world.cancel_order(1, &[]), Told::Done);
    world.settle();
    assert_eq!(stock(&world, 1), Some((-2, StockStatus::Subtract)));
    assert_eq!(world.texts().iter().filter(|text| *text == "재고 부족 상품 ID : 1, 총 수량 : -2").count(), 1);
    assert_eq!(world.pay(1, 1, 10), Told::Done);
    world.settle();
    assert_eq!(world.payment(2), None, "purchases are refunded until the stock is positive");
    assert_eq!(stock(&world, 1).map(|(quantity, _)| quantity), Some(-2));
}

#[test]
fn d10_goods_unknown_to_the_store_are_accepted_put_aside_and_told() {
    let mut world = store();
    assert_eq!(world.place(9, 1, &[]), Told::Done);
    assert_eq!(world.pay(8, 1, 1), Told::Done);
    assert_eq!(world.pay(1, 1, 1), Told::Done);
    world.settle();
    assert_eq!(world.dead_letters(), 2);
    let texts = world.texts();
    for told in ["상품 ID : 9 없음", "상품 ID : 8 없음"] {
        assert_eq!(texts.iter().filter(|text| *text == told).count(), 1);
    }
    assert_eq!(stock(&world, 1).map(|(quantity, _)| quantity), Some(9), "other events go on");
}

#[test]
fn d9_what_is_still_done_with_a_removed_product_is_put_aside_and_told() {
    let mut world = store();
    assert_eq!(world.remove_product(1), Told::Done);
    assert_eq!(world.remove_product(1), Told::Refused);
    assert_eq!(world.pay(1, 1, 1), Told::Done);
    world.settle();
    assert_eq!(world.dead_letters(), 1);
    assert!(world.texts().contains(&"상품 ID : 1 없음".to_owned()));
}

#[test]
fn d12_headquarters_cancels_first_and_the_owner_still_can() {
    let mut world = store();
    assert_eq!(world.place(1, 3, &[]), Told::Done);
    world.settle();
    assert_eq!(world.cancel_delivery(1), Told::Done);
    world.settle();
    assert_eq!(progress(&world, 1), Some(OrderProgress::DeliveryCanceled));
    assert_eq!(world.cancel_order(1, &[]), Told::Done);
    assert_eq!(world.cancel_delivery(1), Told::Refused);
}

#[test]
fn d16_every_direct_delivery_of_one_order_moves_stock() {
    let mut world = store();
    for _ in 0..50 {
        world.start_delivery(1, 1, 3);
    }
    world.settle();
    assert_eq!(stock(&world, 1).map(|(quantity, _)| quantity), Some(10 + 50 * 3));
    assert_eq!(world.texts().len(), 2 * 50, "no message that an order is missing");
}
