//! What must hold of a shop at rest, whatever happened to its process.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::{
    books::{Books, Event, Events},
    load::{Act, Done, UNKNOWN_PRODUCT},
};

/// Checks all laws. `done` is every command that was ever sent: none is open.
pub(crate) fn check(events: &Events, books: &Books, done: &[&Done]) {
    places_are_in_order(events);
    every_answer_is_an_event_and_the_other_way_round(events, done);
    collections_are_what_the_events_say(events, books);
    orders_and_deliveries_stand_together(events, books);
    stock_is_conserved(events, books, done);
    every_event_has_its_message(events, books);
}

/// No position twice; positions rise within a partition, sequences within an entity.
fn places_are_in_order(events: &Events) {
    let mut positions: BTreeMap<(&str, u64), u64> = BTreeMap::new();
    let mut sequences: BTreeMap<(&str, u64), u64> = BTreeMap::new();
    for event in &events.all {
        let (unit, partition, position) = &event.at;
        let last = positions.insert((unit, *partition), *position).unwrap_or(0);
        assert!(last < *position, "after position {last} came {event:?}");
        let last = sequences.insert((&event.kind, event.number), event.sequence).unwrap_or(0);
        assert!(last < event.sequence, "after sequence {last} came {event:?}");
    }
}

/// Numbers of the commands that were answered with this status, all different.
fn told(done: &[&Done], status: u16, number: impl Fn(&Done) -> Option<u64>) -> BTreeSet<u64> {
    let mut numbers = BTreeSet::new();
    for done in done.iter().filter(|done| done.answer.status == status) {
        if let Some(number) = number(done) {
            assert!(numbers.insert(number), "{number} was told twice, now to {:?}", done.command);
        }
    }
    numbers
}

/// What was acknowledged happened once, and nothing happened that nobody asked for.
fn every_answer_is_an_event_and_the_other_way_round(events: &Events, done: &[&Done]) {
    let created = |wanted: fn(&Act) -> bool| told(done, 201, |done| wanted(&done.command.act).then(|| done.id()));
    let registered = created(|act| matches!(act, Act::Register { .. }));
    assert_eq!(events.numbers("ProductRegistered"), registered, "products");
    let placed = created(|act| matches!(act, Act::Place { .. }));
    assert_eq!(events.numbers("Ordered"), placed, "orders");
    let paid = created(|act| matches!(act, Act::Pay { .. }));
    assert_eq!(events.numbers("PayApproved"), paid, "payments");

    let canceled =
        told(done, 204, |done| if let Act::CancelOrder { order } = done.command.act { Some(order) } else { None });
    assert_eq!(events.numbers("OrderCanceled"), canceled, "canceled orders");

    let canceled =
        told(
            done,
            204,
            |done| {
                if let Act::CancelPayment { payment } = done.command.act { Some(payment) } else { None }
            },
        );
    let short: BTreeSet<u64> = events.named("StockShortage").map(|event| event.id("paymentId")).collect();
    assert_eq!(events.named("StockShortage").count(), short.len(), "a payment was short twice");
    events.numbers("PayCanceled");
    let (refunded, wished): (Vec<&Event>, Vec<&Event>) =
        events.named("PayCanceled").partition(|event| event.fields.get("reason").is_some());
    assert_eq!(wished.iter().map(|event| event.number).collect::<BTreeSet<_>>(), canceled, "canceled payments");
    let refunded: BTreeSet<u64> = refunded.iter().map(|event| event.number).collect();
    assert!(refunded.is_subset(&short), "refunded without a shortage: {refunded:?}, short: {short:?}");
    let unpaid: BTreeSet<u64> = canceled.union(&refunded).copied().collect();
    assert!(short.is_subset(&unpaid), "short, and the money not returned: {short:?}, returned: {unpaid:?}");

    for done in done {
        let (name, product, quantity) = match done.command.act {
            Act::Place { product, quantity } => ("Ordered", product, quantity),
            Act::Pay { product, quantity } => ("PayApproved", product, quantity),
            Act::Register { .. }
            | Act::CancelOrder { .. }
            | Act::CancelDelivery { .. }
            | Act::CancelPayment { .. }
            | Act::Price { .. } => continue,
        };
        let answer = done.answer.json();
        assert_eq!((answer["productId"].as_u64(), answer["quantity"].as_i64()), (Some(product), Some(quantity)));
        let id = done.id();
        let event = events.named(name).find(|event| event.number == id).unwrap();
        assert_eq!((event.id("productId"), event.int("quantity")), (product, quantity), "{name} {id}");
    }
}

/// What was created and not canceled is there, with its values; nothing else is.
fn collections_are_what_the_events_say(events: &Events, books: &Books) {
    for (collection, born, gone) in [
        ("orders", "Ordered", "OrderCanceled"),
        ("deliveries", "DeliveryStarted", "DeliveryCanceled"),
        ("payments", "PayApproved", "PayCanceled"),
        ("products", "ProductRegistered", "ProductRemoved"),
    ] {
        let standing: BTreeSet<u64> = &events.numbers(born) - &events.numbers(gone);
        let shown = books.by_id(collection);
        assert_eq!(shown.keys().copied().collect::<BTreeSet<_>>(), standing, "{collection}");
        for event in events.named(born).filter(|event| standing.contains(&event.number)) {
            for name in ["productId", "orderId"] {
                assert_eq!(shown[&event.number].get(name), event.fields.get(name), "{collection} {}", event.number);
            }
        }
    }
    let pages = books.by_id("productPages");
    for (id, product) in books.by_id("products") {
        let last = events
            .all
            .iter()
            .rfind(|event| event.number == id && matches!(event.name.as_str(), "ProductRegistered" | "StockModified"));
        let last = &last.unwrap().fields;
        for name in ["quantity", "price", "status"] {
            assert_eq!(product[name], last[name], "{name} of product {id}");
            assert_eq!(pages[&id][name], product[name], "{name} of page {id}");
        }
    }
    assert_eq!(pages.len(), books.items("products").len());
}

/// A standing order has its delivery, unless headquarters canceled that; no other delivery stands.
fn orders_and_deliveries_stand_together(events: &Events, books: &Books) {
    let mut of_order: BTreeMap<u64, Vec<&Event>> = BTreeMap::new();
    for event in events.named("DeliveryStarted") {
        of_order.entry(event.id("orderId")).or_default().push(event);
    }
    let standing = books.by_id("deliveries");
    let orders = books.by_id("orders");
    for (id, order) in &orders {
        let own = &of_order[id];
        let stand = own.iter().filter(|event| standing.contains_key(&event.number)).count();
        match order["status"].as_str().unwrap() {
            "delivery" => assert_eq!(stand, 1, "deliveries of {order}: {own:?}"),
            "cancel delivery" => assert_eq!(stand, 0, "deliveries of {order}: {own:?}"),
            other => panic!("an order at rest is {other}: {order}"),
        }
        let kept = own.iter().filter(|event| {
            (event.id("productId"), event.int("quantity"))
                == (order["productId"].as_u64().unwrap(), order["quantity"].as_i64().unwrap())
        });
        assert_eq!(kept.count(), own.len(), "a delivery of something else: {order}, {own:?}");
    }
    for delivery in standing.values() {
        let order = delivery["orderId"].as_u64().unwrap();
        assert!(orders.contains_key(&order), "a delivery without its order: {delivery}");
    }
    let statuses = books.by_id("orderStatuses");
    assert_eq!(statuses.keys().copied().collect::<BTreeSet<_>>(), of_order.keys().copied().collect(), "order views");
    for (order, own) in of_order {
        let latest = own.iter().map(|event| event.number).max().unwrap();
        let status = if standing.contains_key(&latest) { "delivery" } else { "cancel delivery" };
        assert_eq!(statuses[&order]["status"], status, "view of order {order}");
    }
}

/// Stock = registered + deliveries that stand - purchases that stand, and as many movements as reasons.
fn stock_is_conserved(events: &Events, books: &Books, done: &[&Done]) {
    let mut expected: BTreeMap<u64, i64> = BTreeMap::new();
    for event in events.named("ProductRegistered") {
        expected.insert(event.number, event.int("quantity"));
    }
    for (collection, sign) in [("deliveries", 1), ("payments", -1)] {
        for item in books.items(collection) {
            if let Some(stock) = expected.get_mut(&item["productId"].as_u64().unwrap()) {
                *stock += sign * item["quantity"].as_i64().unwrap();
            }
        }
    }
    for (id, product) in books.by_id("products") {
        assert_eq!(product["quantity"].as_i64(), Some(expected[&id]), "stock of product {id}");
    }

    let (mut moves, mut prices) = (0, BTreeSet::new());
    for (change, before) in stock_changes(events) {
        let (quantity, price) = (change.int("quantity"), change.int("price"));
        if quantity == before.int("quantity") {
            assert!(prices.insert((change.number, price)), "a price was set twice: {change:?}");
        } else {
            assert_eq!(price, before.int("price"), "a movement changed the price: {change:?}");
            moves += 1;
        }
    }
    let asked: BTreeSet<(u64, i64)> = done
        .iter()
        .filter_map(
            |done| if let Act::Price { product, price } = done.command.act { Some((product, price)) } else { None },
        )
        .collect();
    assert_eq!(prices, asked, "prices");

    let short: BTreeSet<u64> = events.named("StockShortage").map(|event| event.id("paymentId")).collect();
    let reasons = movements(events).filter(|event| event.id("productId") < UNKNOWN_PRODUCT);
    let reasons = reasons.filter(|event| event.kind != "store.payment" || !short.contains(&event.number)).count();
    assert_eq!(moves, reasons, "movements of stock");
}

/// What moves the stock of a product, if it is known.
fn movements(events: &Events) -> impl Iterator<Item = &Event> {
    let moves = ["DeliveryStarted", "DeliveryCanceled", "PayApproved", "PayCanceled"];
    events.all.iter().filter(move |event| moves.contains(&event.name.as_str()))
}

/// Each change of a product's stock or price, with the event of that product before it.
fn stock_changes(events: &Events) -> Vec<(&Event, &Event)> {
    let mut last: BTreeMap<u64, &Event> = BTreeMap::new();
    let mut changes = Vec::new();
    for event in &events.all {
        if matches!(event.name.as_str(), "ProductRegistered" | "StockModified")
            && let Some(before) = last.insert(event.number, event)
        {
            changes.push((event, before));
        }
    }
    changes
}

/// One message per business event, in the words of the domain; one more where a canceled delivery made the stock
/// negative (D-8b), and one for each dead letter about a product that is not there (D-10).
fn every_event_has_its_message(events: &Events, books: &Books) {
    let mut expected: Vec<String> = Vec::new();
    for event in &events.all {
        let text = |name: &str| event.fields[name].to_string();
        let of_product = |what: &str, name: &str, end: &str| {
            format!("상품 ID : {}, {what} : {} {end}", text("productId"), text(name))
        };
        match event.name.as_str() {
            "Ordered" => expected.push(of_product("수량", "quantity", "발주 신청됨")),
            "OrderCanceled" => expected.push(of_product("수량", "quantity", "발주 취소됨")),
            "DeliveryStarted" => expected.push(of_product("수량", "quantity", "배송됨")),
            "DeliveryCanceled" => expected.push(of_product("수량", "quantity", "배송 취소됨")),
            "PayApproved" => expected.push(of_product("금액", "price", "결제됨")),
            "PayCanceled" => expected.push(of_product("금액", "price", "결제 취소됨")),
            "StockModified" => {
                let status = event.fields["status"].as_str().unwrap();
                expected.push(format!("{status} 상품 ID : {}, 총 수량 : {}", event.number, text("quantity")));
            }
            "ProductRegistered" | "ProductRemoved" | "StockShortage" => {}
            other => panic!("an event that the domain does not have: {other}"),
        }
    }
    for (change, before) in stock_changes(events) {
        let quantity = change.int("quantity");
        if quantity < before.int("quantity") && quantity < 0 {
            expected.push(format!("재고 부족 상품 ID : {}, 총 수량 : {quantity}", change.number));
        }
    }
    let unknown: Vec<u64> =
        movements(events).map(|event| event.id("productId")).filter(|product| *product >= UNKNOWN_PRODUCT).collect();
    assert_eq!(books.letters, unknown.len(), "dead letters");
    expected.extend(unknown.iter().map(|product| format!("상품 ID : {product} 없음")));

    let content = |message: &Value| message["content"].as_str().unwrap().to_owned();
    let mut messages: Vec<String> = books.by_id("messages").into_values().map(content).collect();
    expected.sort();
    messages.sort();
    let (lost, extra) = (without(&expected, &messages), without(&messages, &expected));
    assert!(lost.is_empty() && extra.is_empty(), "messages that are missing: {lost:?}; too many: {extra:?}");
}

/// What is in `some` and not in `others`, counting how often.
fn without(some: &[String], others: &[String]) -> Vec<String> {
    let mut left: BTreeMap<&str, usize> = BTreeMap::new();
    for other in others {
        *left.entry(other).or_default() += 1;
    }
    let mut extra = Vec::new();
    for text in some {
        match left.get_mut(text.as_str()) {
            Some(count) if *count > 0 => *count -= 1,
            _ => extra.push(text.clone()),
        }
    }
    extra
}
