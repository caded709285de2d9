//! Library: a request needs its rent, and rent is slow.

use serde_json::{Value, json};

use super::{Call, Fault, Items, Pace, Part, Partner, Run, Scenario, created, number};

/// `siege -c1 -t10S` while rent takes 800 to 1100 ms and a request waits 1000 ms for it (library.md, N6).
pub(in crate::cli::bench) static LIBRARY: Scenario = Scenario {
    name: "library",
    about: "one user requests while rent takes 800 to 1100 ms and has 1000 ms; what is late leaves nothing",
    system: "library",
    source: "63 %",
    users: 1,
    seconds: 120,
    pace: Pace::Answers,
    capacity: None,
    config: "[admin]\nfaults = true\n",
    faults: &[Fault { target: "library/rent", base_ms: 800, spread_ms: 300, probability: 1.0 }],
    afterwards: 1,
    prepare: |_| Vec::new(),
    call: |_| Call::post("/orders").json(&json!({"item": "COSMOS", "status": "Ordered"})),
    told: created,
    items: Items { collection: "orders", number: |order, _| number(order, "id") },
    partners: &[Partner { collection: "rents", part: rent, void_is_a_row: false }],
};

fn rent(row: &Value, _: &Run) -> Option<Part> {
    let order = number(row, "orderId")?;
    match row.get("status")?.as_str()? {
        "Rent" => Some(Part::Done(order)),
        _ => Some(Part::Void(order)),
    }
}
