use super::*;

fn delivery(number: u64, events: impl IntoIterator<Item = DeliveryEvent>) -> Vec<Recorded<Delivery>> {
    let nth = |(sequence, event)| recorded(key(&format!("d{number}")), number, sequence, event);
    (1..).zip(events).map(nth).collect()
}

fn product(events: impl IntoIterator<Item = ProductEvent>) -> Vec<Recorded<Product>> {
    (1..).zip(events).map(|(sequence, event)| recorded(key("p"), 1, sequence, event)).collect()
}

fn shape(row: impl serde::Serialize) -> String {
    serde_json::to_string(&row).unwrap()
}

#[test]
fn f8_d14_an_order_status_is_found_by_its_order_and_stays() {
    let rows = history::<OrderStatus>().entity(delivery(7, [started(3, 5)])).rows();
    assert_eq!(
        shape(rows.get(&3).map(OrderStatus::item)),
        r#"{"id":3,"orderId":3,"productId":1,"status":"delivery","quantity":5}"#
    );
    assert!(rows.get(&7).is_none(), "the delivery's number is not the key");
    let rows = history::<OrderStatus>().entity(delivery(7, [started(3, 5), canceled(3, 5)])).rows();
    assert_eq!(json(rows.get(&3).map(OrderStatus::item))["status"], "cancel delivery");
}

#[test]
fn d16_d17_an_order_status_shows_the_newest_delivery_in_whatever_order_they_come() {
    let rows = history::<OrderStatus>()
        .entity(delivery(1, [started(1, 3), canceled(1, 3)]))
        .entity(delivery(2, [started(1, 4)]))
        .entity(delivery(3, [DeliveryEvent::CreationVoided]))
        .entity(delivery(4, [started(2, 9), canceled(2, 9)]))
        .then_order_does_not_matter();
    let row = |order| rows.get(&order).map(OrderStatus::item).map(|row| (row.status, row.quantity));
    assert_eq!(row(1), Some((DeliveryStatus::Started, 4)));
    assert_eq!(row(2), Some((DeliveryStatus::Canceled, 9)));
}

#[test]
fn f8_d7_a_product_page_knows_price_and_stock_from_the_registration() {
    let page = |events: &[ProductEvent]| {
        let rows = history::<ProductPage>().entity(product(events.to_vec())).then_order_does_not_matter();
        shape(rows.get(&1))
    };
    assert_eq!(page(&[registered(10)]), r#"{"id":1,"quantity":10,"price":1000,"status":"register"}"#);
    let added = moved(13, StockStatus::Add, StockCause::Received);
    assert_eq!(page(&[registered(10), added]), r#"{"id":1,"quantity":13,"price":1000,"status":"add"}"#);
    let priced = ProductEvent::StockModified {
        quantity: 13,
        price: 1200,
        status: StockStatus::Subtract,
        cause: StockCause::Set,
    };
    assert_eq!(page(&[registered(10), priced.clone()]), r#"{"id":1,"quantity":13,"price":1200,"status":"subtract"}"#);
    assert_eq!(page(&[priced]), r#"{"id":1,"quantity":13,"price":1200,"status":"subtract"}"#);
}

#[test]
fn d9_a_product_page_stays_when_the_product_is_removed() {
    let rows = history::<ProductPage>().entity(product([registered(10), ProductEvent::ProductRemoved])).rows();
    assert_eq!(shape(rows.get(&1)), r#"{"id":1,"quantity":10,"price":1000,"status":"delete"}"#);
}

#[test]
fn d6_the_earliest_standing_delivery_of_an_order_is_the_first_row() {
    let deliveries = history::<DeliveriesOfOrder>()
        .entity(delivery(3, [started(1, 30)]))
        .entity(delivery(1, [started(1, 10), canceled(1, 10)]))
        .entity(delivery(2, [started(1, 20)]))
        .entity(delivery(4, [started(2, 40)]))
        .entity(delivery(5, [DeliveryEvent::CreationVoided]));
    let rows = deliveries.then_order_does_not_matter();
    let ids: Vec<_> = rows.listed().map(|row| (row.item().order_id, row.item().id)).collect();
    assert_eq!(ids, [(1, 2), (1, 3), (2, 4)]);
    assert_eq!(shape(rows.get(&(1, 2))), r#"{"id":2,"orderId":1,"productId":1,"quantity":20,"status":"delivery"}"#);
}

#[test]
fn f8_lists_show_what_stands_and_forget_what_is_gone() {
    let rows = history::<Listing<Delivery>>()
        .entity(delivery(1, [started(1, 3), canceled(1, 3)]))
        .entity(delivery(2, [started(1, 4)]))
        .entity(delivery(3, [DeliveryEvent::CreationVoided]))
        .then_order_does_not_matter();
    let items: Vec<_> = rows.listed().filter_map(|row| row.state.item(row.number)).map(|item| item.id).collect();
    assert_eq!(items, [2]);
}

#[test]
fn a_half_placed_order_is_in_no_list() {
    let placing =
        OrderEvent::PlacingStarted { number: Number::new(1), product_id: 1, quantity: 3, round: 1, within: LINK };
    let ordered = OrderEvent::Ordered { product_id: 1, quantity: 3, delivery: 1 };
    let listed = |events: &[OrderEvent]| {
        let events = (1..).zip(events.to_vec()).map(|(nth, event)| recorded(key("o"), 1, nth, event));
        history::<Listing<Order>>().entity(events).rows().listed().count()
    };
    assert_eq!(listed(std::slice::from_ref(&placing)), 0);
    assert_eq!(listed(&[placing, ordered]), 1);
}
