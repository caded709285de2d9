//! Station: headquarters takes orders, and logistics and the station follow by events.

use serde_json::Value;

use super::{Call, Items, Pace, Part, Partner, Scenario, Turn, number};
use crate::cli::bench::client::Answer;

/// `siege -c 200` on `placeOrder` (station.md, N5). Not for a minute as the old one: the audit reads lists, which show
/// 100 000 rows, and some 9 000 orders come in a second.
pub(in crate::cli::bench) static STATION: Scenario = Scenario {
    name: "station",
    about: "200 users order; logistics ships and the station expects what was ordered, by events",
    system: "station",
    source: "100 %",
    users: 200,
    seconds: 10,
    pace: Pace::Answers,
    capacity: None,
    config: "",
    faults: &[],
    afterwards: 0,
    prepare: |_| Vec::new(),
    call: |_| Call::post("/orders/placeOrder").form("productId=CD1001&qty=20000&destAddr=SK_Imme_Station"),
    told: placed,
    items: Items { collection: "orders", number: |order, _| number(order, "orderId") },
    partners: &[
        Partner {
            collection: "shipments",
            part: |shipment, _| number(shipment, "orderId").map(Part::Done),
            void_is_a_row: false,
        },
        Partner {
            collection: "stockFlows",
            part: |flow, _| number(flow, "orderId").map(Part::Done),
            void_is_a_row: false,
        },
    ],
};

/// The bare `true`; the number of the order is in `Location`.
fn placed(answer: &Answer, _: &Turn) -> Option<u64> {
    (answer.status == 200 && answer.json() == Value::Bool(true)).then(|| answer.located()).flatten()
}
