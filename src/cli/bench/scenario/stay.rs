//! Stay: a booking needs its payment, and pay is slow.

use serde_json::{Value, json};

use super::{Call, Fault, Items, Pace, Part, Partner, Run, Scenario, Turn, created, number};

/// `siege -c100 -t60S` while pay takes 400 to 620 ms and booking waits 610 ms for it (stay.md, N5).
pub(in crate::cli::bench) static STAY: Scenario = Scenario {
    name: "stay",
    about: "100 users book while pay takes 400 to 620 ms and has 610 ms; what is late is taken back",
    system: "stay",
    source: "63.55 %",
    users: 100,
    seconds: 120,
    pace: Pace::Answers,
    capacity: None,
    config: "[admin]\nfaults = true\n",
    faults: &[SLOW_PAY],
    afterwards: 1,
    prepare: |_| Vec::new(),
    call: book,
    told: created,
    items: Items { collection: "bookings", number: |booking, _| number(booking, "id") },
    partners: &[PAYMENTS],
};

/// The same with few places for payments, which become more as they are needed (stay.md, N6).
pub(in crate::cli::bench) static STAY_AUTOSCALE: Scenario = Scenario {
    name: "stay-autoscale",
    about: "the same, where pay begins with 10 places and has up to 200 as they are needed",
    source: "92.45 %",
    config: "[admin]\nfaults = true\n\n[bulkhead.stay.pay]\n\
             autoscale = { min = 10, max = 200, busy_target = 60, idle = \"30s\" }\nqueue = 256\n",
    ..STAY
};

const SLOW_PAY: Fault = Fault { target: "stay/pay", base_ms: 400, spread_ms: 220, probability: 1.0 };

const PAYMENTS: Partner = Partner { collection: "payments", part: payment, void_is_a_row: true };

/// Each user books a room of its own, one day after the other, so that nobody takes a room from another.
fn book(turn: &Turn) -> Call {
    let first = jiff::civil::date(2030, 1, 1);
    let day = first.saturating_add(jiff::Span::new().days(i64::try_from(turn.nth).unwrap_or(0).min(100_000)));
    Call::post("/bookings").json(&json!({
        "roomId": turn.user + 1, "name": "호텔", "price": 1000, "address": "서울", "host": "Superman",
        "guest": format!("guest {} of {}", turn.user, turn.run.tag), "usedate": day.strftime("%Y%m%d").to_string(),
    }))
}

fn payment(row: &Value, _: &Run) -> Option<Part> {
    let booking = number(row, "bookId")?;
    match row.get("status")?.as_str()? {
        "PayApproved" => Some(Part::Done(booking)),
        "PayCanceled" => Some(Part::Void(booking)),
        _ => None,
    }
}
