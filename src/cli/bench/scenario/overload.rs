//! Overload: a service that can do so much in a second, and four times as much is wanted.

use super::{Call, Fault, LIBRARY, Pace, Scenario};
use serde_json::json;

/// What rent can do in a second: four places, each held for 20 ms.
const CAPACITY: u32 = 200;

/// Rent has four places and takes 20 ms, so that the machine is not what is measured.
pub(in crate::cli::bench) static OVERLOAD: Scenario = Scenario {
    name: "overload",
    about: "rent can do 200 in a second: 4 places of 20 ms; first half of that is asked of it, then four times as much",
    source: "",
    users: 200,
    seconds: 30,
    pace: Pace::PerSecond(4 * CAPACITY),
    capacity: Some(CAPACITY),
    config: "[admin]\nfaults = true\n\n[bulkhead.library.rent]\nmax = 4\nqueue = 256\n",
    faults: &[Fault { target: "library/rent", base_ms: 20, spread_ms: 0, probability: 1.0 }],
    afterwards: 1,
    call: |_| Call::post("/orders").json(&json!({"item": "COSMOS", "status": "Ordered"})),
    ..LIBRARY
};
