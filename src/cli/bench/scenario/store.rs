//! Store: an order needs its delivery, and only so many deliveries are begun at a time.

use serde_json::json;

use super::{Call, Items, Pace, Part, Partner, Scenario, created, number};

/// `siege -c10 -t10S` with the breaker's limits on (store.md, N6): at most one delivery under way, the rest is refused.
pub(in crate::cli::bench) static STORE: Scenario = Scenario {
    name: "store",
    about: "10 users order where one delivery may be begun at a time; the excess is refused at once",
    system: "store",
    source: "75.24 %",
    users: 10,
    seconds: 10,
    pace: Pace::Answers,
    capacity: None,
    config: "[link.store.order.delivery]\nin_flight = 1\n",
    faults: &[],
    afterwards: 1,
    prepare: |_| vec![Call::post("/products").json(&json!({"quantity": 10, "price": 1000}))],
    call: |turn| {
        let product = turn.run.created.first();
        Call::post("/orders").json(&json!({"productId": product, "quantity": 3, "status": "order"}))
    },
    told: created,
    items: Items { collection: "orders", number: |order, _| number(order, "id") },
    partners: &[Partner {
        collection: "deliveries",
        part: |delivery, _| number(delivery, "orderId").map(Part::Done),
        void_is_a_row: false,
    }],
};
