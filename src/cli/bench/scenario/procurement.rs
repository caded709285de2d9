//! Procurement: a passed inspection is announced to the management, which is sometimes very slow.

use serde_json::{Value, json};

use super::{Call, Fault, Items, Pace, Part, Partner, Run, Scenario, Turn, number};
use crate::cli::bench::client::Answer;

/// `siege -c100 -t10S` while 15 % of what the management is asked takes 5 s, and has one (procurement.md, N6). As there,
/// the first passed result of a request is announced, and the same again changes nothing; each user has a request of its
/// own, so that there are as many announcements as users.
pub(in crate::cli::bench) static PROCUREMENT: Scenario = Scenario {
    name: "procurement",
    about: "100 users record a passed result again and again while 15 % of the announcements take 5 s and have one",
    system: "procurement",
    source: "99.79 %",
    users: 100,
    seconds: 10,
    pace: Pace::Answers,
    capacity: None,
    config: "[admin]\nfaults = true\n",
    faults: &[Fault { target: "procurement/procurementmanagement", base_ms: 5000, spread_ms: 0, probability: 0.15 }],
    afterwards: 0,
    prepare: |run| (0..run.users).map(|user| request(run, user)).collect(),
    call: pass,
    told: passed,
    items: Items { collection: "deliveryrequests", number: |row, _| passes(row).then(|| number(row, "id")).flatten() },
    partners: &[Partner { collection: "deliverymanagements", part: announced, void_is_a_row: false }],
};

fn request(run: &Run, user: u32) -> Call {
    let demand = json!({"procNo": format!("bench-{}-{user}", run.tag), "procTitle": "chairs"});
    Call::post("/deliveryrequests").json(&demand)
}

fn pass(turn: &Turn) -> Call {
    let (run, user) = (&turn.run, turn.user);
    let number = run.created.get(user as usize).copied().unwrap_or_default();
    Call::patch(format!("/deliveryrequests/{number}")).json(&json!({
        "procNo": format!("bench-{}-{user}", run.tag), "companyNo": "c01", "companyNm": "hehheh99",
        "inspectionSuccFlag": "true",
    }))
}

fn passed(answer: &Answer, _: &Turn) -> Option<u64> {
    let item = if answer.status == 200 { answer.json() } else { Value::Null };
    passes(&item).then(|| number(&item, "id")).flatten()
}

fn passes(row: &Value) -> bool {
    row.get("inspectionSuccFlag") == Some(&Value::Bool(true))
}

/// The order of the management that has heard of the passed result, by the number of the request.
fn announced(row: &Value, run: &Run) -> Option<Part> {
    let user = row.get("procNo")?.as_str()?.strip_prefix(&format!("bench-{}-", run.tag))?;
    let request = run.created.get(user.parse::<usize>().ok()?)?;
    passes(row).then_some(Part::Done(*request))
}
