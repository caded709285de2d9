use super::*;

#[expect(clippy::needless_pass_by_value, reason = "ids are made in place")]
fn told_by<E: Entity>(id: E::Id, number: u64, events: impl IntoIterator<Item = E::Event>) -> Vec<Recorded<E>> {
    (1..).zip(events).map(|(sequence, event)| recorded(id.clone(), number, sequence, event)).collect()
}

fn receipt(order: u64, entries: impl IntoIterator<Item = FlowEntry>) -> Vec<Recorded<StockFlow>> {
    told_by::<StockFlow>(FlowEntry::key_of_receipt(order), 9 + order, entries.into_iter().map(receive))
}

#[test]
fn f9_d9_an_order_goes_forward_in_whatever_order_its_events_come() {
    let rows = history::<OrderStatus>()
        .entity(told_by::<Order>(key("o1"), 1, [ordered(1, 20_000)]))
        .entity(told_by::<Shipment>(key("order-1"), 1, [shipped(1, 20_000)]))
        .entity(receipt(1, [expected(1, 20_000), confirmed(1, 20_000)]))
        .entity(told_by::<Order>(key("o2"), 2, [ordered(2, 5)]))
        .entity(told_by::<Shipment>(key("order-2"), 2, [shipped(2, 5)]))
        .then_order_does_not_matter();
    assert_eq!(
        text(rows.get(&1).and_then(|row| row.item(1))),
        r#"{"orderId":1,"productId":"CD1001","productName":"GAS","qty":20000.0,"destAddr":"SK Imme Station","orderDate":"2021-06-01","status":"confirmed"}"#
    );
    assert_eq!(json(rows.get(&2).and_then(|row| row.item(2)))["status"], "Shipped");
    let expecting = history::<OrderStatus>()
        .entity(told_by::<Order>(key("o1"), 1, [ordered(1, 5)]))
        .entity(receipt(1, [expected(1, 5)]))
        .rows();
    assert_eq!(json(expecting.get(&1).and_then(|row| row.item(1)))["status"], "Received");
}

#[test]
fn d15_a_canceled_order_stays_canceled() {
    let canceling = OrderEvent::CancellationStarted { round: 1, within: LINK };
    let rows = history::<OrderStatus>()
        .entity(told_by::<Order>(key("o1"), 1, [ordered(1, 5), canceling, OrderEvent::OrderCanceled(slip(5))]))
        .entity(told_by::<Shipment>(key("order-1"), 1, [shipped(1, 5), ShipmentEvent::ShipmentCalledOff]))
        .entity(told_by::<StockFlow>(
            FlowEntry::key_of_receipt(1),
            1,
            [receive(expected(1, 5)), StockFlowEvent::ReceiptCalledOff],
        ))
        .then_order_does_not_matter();
    assert_eq!(json(rows.get(&1).and_then(|row| row.item(1)))["status"], "canceled");
}

#[test]
fn f9_rows_of_sales_and_corrections_are_nobodys_progress() {
    let rows = history::<OrderStatus>()
        .entity(told_by::<StockFlow>(key("sale-1"), 1, [begun(sale_row(1, 5), 1), receive(sale_row(1, 5))]))
        .entity(told_by::<Shipment>(key("order-7"), 7, [shipped(7, 5)]))
        .rows();
    assert_eq!(rows.listed().count(), 0, "and an order that nobody has heard of is kept back");
}

#[test]
fn f10_n12_sales_add_up_and_return_exactly() {
    let sale = |number: u64, qty: &[i64], canceled: bool| {
        let events = qty.iter().flat_map(|qty| {
            let tail = canceled.then(|| SaleEvent::CanceledSold(ticket(*qty)));
            [SaleEvent::Sold(ticket(*qty))].into_iter().chain(tail)
        });
        told_by::<Sale>(key(&format!("s{number}")), number, events.collect::<Vec<_>>())
    };
    let rows = history::<SalesSummary>()
        .entity(sale(1, &[30], false))
        .entity(sale(2, &[10], true))
        .entity(sale(3, &[12], false))
        .then_order_does_not_matter();
    let row = |rows: &crate::actors::testkit::Rows<SalesSummary>| {
        text(rows.get(&gas().key()).map(|row| row.item(&gas().key())))
    };
    assert_eq!(row(&rows), r#"{"productId":"CD1001","productName":"GAS","qty":42.0,"amount":84000.0}"#);
    let rows = history::<SalesSummary>().entity(sale(1, &[30], true)).rows();
    assert_eq!(row(&rows), r#"{"productId":"CD1001","productName":"GAS","qty":0.0,"amount":0.0}"#);
    let void = SaleEvent::SaleVoidRequested { product_id: gas().product_id, qty: whole(1), round: 1 };
    assert_eq!(history::<SalesSummary>().entity(told_by::<Sale>(key("s"), 1, [void])).rows().listed().count(), 0);
}

#[test]
fn f10_a_product_is_called_what_its_newest_sale_calls_it() {
    let sale = |number: u64, name: &str| {
        let ticket = Ticket { product_name: name.to_owned(), ..ticket(1) };
        told_by::<Sale>(key(&format!("s{number}")), number, [SaleEvent::Sold(ticket)])
    };
    let rows = history::<SalesSummary>()
        .entity(sale(1, "GAS"))
        .entity(sale(3, "Gasoline"))
        .entity(sale(2, "Gas"))
        .then_order_does_not_matter();
    assert_eq!(rows.get(&gas().key()).map(|row| row.item(&gas().key()).product_name), Some("Gasoline".to_owned()));
}
