use super::*;
use DeliveryStatus::{Requested, Shipped};

fn order(number: u64, events: &[OrderEvent]) -> Vec<Recorded<Order>> {
    let nth = |(sequence, event)| recorded(client(&format!("client-{number}")), number, sequence, event);
    (1..).zip(events.to_vec()).map(nth).collect()
}

/// The rent of an order, with a number of its own.
fn rent(of_order: u64, events: &[RentEvent]) -> Vec<Recorded<Rent>> {
    (1..).zip(events.to_vec()).map(|(nth, event)| recorded(of(of_order), of_order + 100, nth, event)).collect()
}

fn delivery(of_order: u64, events: &[DeliveryEvent]) -> Vec<Recorded<Delivery>> {
    (1..).zip(events.to_vec()).map(|(nth, event)| recorded(of(of_order), of_order + 200, nth, event)).collect()
}

/// The status that order 1 shows after these events, in whatever order the three publishers are heard.
fn status(orders: &[OrderEvent], rents: &[RentEvent], deliveries: &[DeliveryEvent]) -> Option<String> {
    let history = history::<Mypage>().entity(order(1, orders)).entity(rent(1, rents)).entity(delivery(1, deliveries));
    let rows = history.then_order_does_not_matter();
    rows.get(&1).filter(|row| row.is_listed()).and_then(Mypage::item).map(|item| item.status)
}

#[test]
fn library_f7_d10_a_mypage_shows_the_furthest_status_in_whatever_order_it_is_told() {
    let placed = [placing(1), ordered()];
    let cancelled = [placing(1), ordered(), order_cancelled()];
    let (ship, gone) = (shipped(1, Requested), delivery_canceled(1));
    let told = |orders: &[OrderEvent], rents: &[RentEvent], deliveries: &[DeliveryEvent]| {
        status(orders, rents, deliveries).unwrap_or_default()
    };
    assert_eq!(told(&placed, &[], &[]), "Ordered");
    assert_eq!(told(&placed, &[rented(1, 1)], &[]), "Rent");
    assert_eq!(told(&placed, &[rented(1, 1)], std::slice::from_ref(&ship)), "Ship");
    assert_eq!(told(&placed, &[rented(1, 1)], &[ship.clone(), shipped(1, Shipped)]), "Shipped");
    assert_eq!(told(&cancelled, &[rented(1, 1)], std::slice::from_ref(&ship)), "Order Canceled");
    assert_eq!(told(&cancelled, &[rented(1, 1), rent_canceled(1)], std::slice::from_ref(&ship)), "Rent Canceled");
    assert_eq!(told(&cancelled, &[rented(1, 1), rent_canceled(1)], &[ship.clone(), gone.clone()]), "Ship Canceled");
    assert_eq!(told(&cancelled, &[rented(1, 1), rent_canceled(1)], std::slice::from_ref(&gone)), "Ship Canceled");
    // Recalled: the courier was faster than the cancellation.
    let recalled = [ship, shipped(1, Shipped), gone];
    assert_eq!(told(&cancelled, &[rented(1, 1), rent_canceled(1)], &recalled), "Ship Canceled");
}

#[test]
fn library_d10_d9_what_belongs_to_an_order_that_never_stood_is_not_shown() {
    let voided = [placing(1), given_up("late", false), void(1)];
    let chain = [shipped(1, Requested), delivery_canceled(1)];
    assert_eq!(status(&voided, &[rented(1, 1), rent_canceled(1)], &chain), None);
    assert_eq!(status(&[], &[rented(1, 0)], &chain[..1]), None, "a rent that no order asked for");
    let again = [voided.as_slice(), &[placing(2), ordered()]].concat();
    let taken_over = [rented(1, 1), RentEvent::RentTakenOver { round: 2 }];
    assert_eq!(status(&again, &taken_over, &chain[..1]), Some("Ship".to_owned()));
}

#[test]
fn library_d14_hearing_the_same_again_changes_nothing() {
    let twice = status(&[placing(1), ordered()], &[rented(1, 1), rented(1, 1)], &[]);
    assert_eq!(twice, Some("Rent".to_owned()));
}

#[test]
fn library_f7_d12_a_row_is_found_by_its_order_and_not_by_rent_or_delivery() {
    let rows = history::<Mypage>()
        .entity(order(1, &[placing(1), ordered()]))
        .entity(order(2, &[placing(1), OrderEvent::Ordered { item: "SAPIENS".to_owned() }]))
        .entity(rent(2, &[rented(2, 1)]))
        .entity(delivery(2, &[shipped(2, Requested)]))
        .then_order_does_not_matter();
    let shown: Vec<_> = rows.listed().map(|row| serde_json::to_string(&row.item()).unwrap()).collect();
    assert_eq!(
        shown,
        [
            r#"{"id":1,"orderId":1,"item":"COSMOS","status":"Ordered"}"#,
            r#"{"id":2,"orderId":2,"item":"SAPIENS","status":"Ship"}"#,
        ]
    );
}

#[test]
fn library_d4_d9_lists_show_what_stands_and_what_was_cancelled_but_no_tries() {
    let listed = |events: &[OrderEvent]| history::<Listing<Order>>().entity(order(1, events)).rows().listed().count();
    assert_eq!(listed(&[placing(1)]), 0);
    assert_eq!(listed(&[placing(1), given_up("", false)]), 0);
    assert_eq!(listed(&[placing(1), ordered()]), 1);
    assert_eq!(listed(&[placing(1), ordered(), order_cancelled()]), 1);
    let rents = |events: &[RentEvent]| history::<Listing<Rent>>().entity(rent(1, events)).rows().listed().count();
    assert_eq!(rents(&[RentEvent::RentVoided { order_id: 1, round: 1 }]), 0);
    assert_eq!(rents(&[rented(1, 1), rent_canceled(1)]), 1);
}
