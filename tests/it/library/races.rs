//! Who races for one order is decided by one writer.

use std::{sync::Barrier, thread};

use super::*;

/// As many as the issue asks for.
const CLIENTS: usize = 64;

/// What `CLIENTS` clients get that all begin at once.
fn all_at_once(client: &Client, request: &(dyn Fn(usize) -> Request + Sync)) -> Vec<Response> {
    let barrier = Barrier::new(CLIENTS);
    thread::scope(|scope| {
        let racers: Vec<_> = (0..CLIENTS)
            .map(|nth| {
                let (barrier, client) = (&barrier, client.clone());
                scope.spawn(move || {
                    barrier.wait();
                    client.send(&request(nth))
                })
            })
            .collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    })
}

#[test]
fn library_d5_of_many_who_ask_for_the_rent_of_one_order_one_creates_it() {
    let server = library();
    let client = server.client();
    let rent = |_| Request::new("POST", "/rents").json(&json!({"orderId": "7", "status": "Rent"}));
    let answers = all_at_once(&client, &rent);
    let created = answers.iter().filter(|answer| answer.status == 201).count();
    let existing = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!((created, existing), (1, CLIENTS - 1));
    assert!(answers.iter().all(|answer| answer.json()["id"] == json!(1)));
    quiet(&server);
    assert_eq!((rows(&client, "rents").len(), rows(&client, "deliveries").len()), (1, 1));
    assert_eq!(event_types(&server, ""), ["Rented", "Shipped"]);
}

#[test]
fn library_d5_the_order_and_whoever_else_asks_for_its_rent_share_one() {
    let server = library();
    let client = server.client();
    // Every request draws the next number; half of the clients ask for the rents of just those numbers.
    let mixed = |nth: usize| {
        if nth.is_multiple_of(2) {
            return Request::new("POST", "/orders").json(&json!({"item": "COSMOS"}));
        }
        Request::new("POST", "/rents").json(&json!({"orderId": nth.div_ceil(2), "status": "Rent"}))
    };
    let answers = all_at_once(&client, &mixed);
    assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 201)), "{answers:?}");
    quiet(&server);
    let orders = rows(&client, "orders");
    assert_eq!(orders.len(), CLIENTS / 2);
    for order in orders {
        let order = order["id"].as_u64().unwrap();
        assert_eq!(shown(&client, order), json!(["Ordered", "Rent", "Ship", "Ship"]));
    }
    assert_eq!((rows(&client, "rents").len(), rows(&client, "deliveries").len()), (CLIENTS / 2, CLIENTS / 2));
}

#[test]
fn library_d2_d8_cancelling_races_with_shipping_and_the_end_is_whole() {
    let server = library();
    let client = server.client();
    let orders: Vec<u64> = (0..16).map(|_| request(&client, "COSMOS").created()).collect();
    quiet(&server);
    let deliveries: Vec<u64> =
        orders.iter().map(|order| of_order(&client, "deliveries", *order).unwrap()["id"].as_u64().unwrap()).collect();
    // Each order is cancelled by two and shipped by two at once.
    let race = |nth: usize| match nth % 4 {
        0 => Request::of_httpie(&format!("PATCH :8088/orders/{} status='Order Cancel'", orders[nth / 4])),
        1 => Request::new("DELETE", &format!("/orders/{}", orders[nth / 4])),
        _ => Request::of_httpie(&format!("PATCH :8088/deliveries/{} status=Shipped", deliveries[nth / 4])),
    };
    let answers = all_at_once(&client, &race);
    assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 204 | 409)), "{answers:?}");
    quiet(&server);
    for (at, order) in orders.iter().enumerate() {
        let cancelled = answers[at * 4].status == 200 || answers[at * 4 + 1].status == 204;
        let expected = if cancelled {
            json!(["Order Cancel", "Rent Canceled", "Ship Canceled", "Ship Canceled"])
        } else {
            json!(["Shipped", "Rent", "Shipped", "Shipped"])
        };
        assert_eq!(shown(&client, *order), expected, "order {order}");
    }
    let told = event_types(&server, "kind=order");
    let cancelled = told.iter().filter(|name| *name == "OrderCancelled").count();
    let recalled = event_types(&server, "kind=delivery").iter().filter(|name| *name == "DeliveryCanceled").count();
    assert_eq!(cancelled, recalled, "each cancellation once");
}

#[test]
fn library_d5_a_request_that_is_repeated_under_one_key_is_one_order() {
    let server = library();
    let client = server.client();
    let repeated = |_| {
        let request = Request::new("POST", "/orders").json(&json!({"item": "COSMOS", "status": "Ordered"}));
        request.header("Idempotency-Key", "one")
    };
    let answers = all_at_once(&client, &repeated);
    let created = answers.iter().filter(|answer| answer.status == 201);
    // Who comes while the first is under way is told to come again.
    assert!(created.clone().all(|answer| answer.json()["id"] == json!(1)));
    assert!(answers.iter().all(|answer| matches!(answer.status, 201 | 409)), "{answers:?}");
    assert!(created.count() >= 1);
    assert_eq!(client.send(&repeated(0)).is(201).header("idempotency-replayed"), Some("true"));
    quiet(&server);
    assert_eq!((rows(&client, "orders").len(), rows(&client, "rents").len()), (1, 1));
}
