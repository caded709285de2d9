//! Faults on purpose: injected, listed, ended. Off unless the configuration allows it.

mod told;

use std::time::Duration;

use futures::{FutureExt, future::BoxFuture};
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::ok;
use crate::{
    AppendFault, Fault, FaultPlan, FaultStatus, Faults, InjectError, System,
    http::{
        Problem,
        request::{JSON, Response, json as json_response, set},
        table::Vars,
    },
    supervision::read_duration,
};

pub(super) use told::{schema, told, told_of_injecting, told_of_list};

type Answer = BoxFuture<'static, Result<Response, Problem>>;

/// What a body may have.
const MEMBERS: [&str; 8] = ["target", "fault", "for", "count", "probability", "share", "stop_above", "seed"];

/// What a fault may be.
const FAULTS: [&str; 5] = ["latency", "error", "panic", "append", "health"];

/// 201 with the fault as it is now active.
pub(super) fn inject(system: System, vars: Vars) -> Answer {
    async move {
        let faults = allowed(&system)?;
        let status = faults.inject(plan(vars.object()?)?).map_err(|error| problem(&error))?;
        let mut response = json_response(StatusCode::CREATED, JSON, &shown(&status));
        set(&mut response, http::header::LOCATION, &format!("/admin/faults/{}", status.id));
        Ok(response)
    }
    .boxed()
}

/// The active ones, then those that ended.
pub(super) fn list(system: System, _: Vars) -> Answer {
    async move {
        let faults = allowed(&system)?.list();
        Ok(ok(&faults.iter().map(shown).collect::<Vec<_>>()))
    }
    .boxed()
}

/// One fault, active or ended.
pub(super) fn show(system: System, vars: Vars) -> Answer {
    async move {
        let faults = allowed(&system)?;
        let found = faults.list().into_iter().find(|fault| fault.id.to_string() == vars.segment(0));
        found.map(|fault| ok(&shown(&fault))).ok_or_else(|| unknown(&faults, vars.segment(0)))
    }
    .boxed()
}

/// 200 with what it has come to. One that has ended already is 404.
pub(super) fn end(system: System, vars: Vars) -> Answer {
    async move {
        let faults = allowed(&system)?;
        let ended = vars.segment(0).parse().and_then(|id| faults.end(id));
        ended.map(|status| ok(&shown(&status))).map_err(|_| unknown(&faults, vars.segment(0)))
    }
    .boxed()
}

fn allowed(system: &System) -> Result<Faults, Problem> {
    if system.config().admin.faults {
        return Ok(system.faults());
    }
    let why = "faults are not injected here: set `faults = true` in [admin] of supervision.toml, or \
               STEADFAST__ADMIN__FAULTS=true, and start the process again";
    Err(Problem::new(StatusCode::FORBIDDEN, "FAULTS_OFF", why))
}

fn unknown(faults: &Faults, id: &str) -> Problem {
    let known = faults.list();
    if let Some((why, _)) = known.iter().find(|fault| fault.id.to_string() == id).and_then(|fault| fault.ended) {
        return Problem::not_found(format!("the fault {id} has ended: {why}"));
    }
    let active = known.iter().filter(|fault| fault.is_active()).map(|fault| fault.id.to_string());
    Problem::not_found(format!("there is no fault {id}")).with("available", active.collect())
}

fn problem(error: &InjectError) -> Problem {
    let message = error.to_string();
    match error {
        InjectError::NoTarget { there_are, .. } | InjectError::Ambiguous { there_are, .. } => {
            Problem::invalid("INVALID_FIELD", message)
                .with("field", "target".into())
                .with("available", json!(there_are))
        }
        InjectError::NotThere { .. } => Problem::invalid("INVALID_FIELD", message).with("field", "fault".into()),
        InjectError::OutOfBounds { key, .. } => Problem::invalid("INVALID_FIELD", message).with("field", (*key).into()),
        InjectError::CountNeeded { .. } => Problem::invalid("MISSING_FIELD", message).with("field", "count".into()),
        InjectError::TooMany { .. } => Problem::new(StatusCode::CONFLICT, "TOO_MANY_FAULTS", message),
    }
}

/// The plan that a body is.
fn plan(mut body: Map<String, Value>) -> Result<FaultPlan, Problem> {
    if let Some(unknown) = body.keys().find(|key| !MEMBERS.contains(&key.as_str())) {
        return Err(Problem::field(unknown, format!("is nothing of a fault; there are {}", MEMBERS.join(", "))));
    }
    let target = match body.remove("target") {
        Some(Value::String(target)) => target,
        Some(_) => return Err(Problem::field("target", "must be a text, as \"store/delivery\"")),
        None => return Err(Problem::missing("target")),
    };
    let fault = fault(body.remove("fault").ok_or_else(|| Problem::missing("fault"))?)?;
    let lasting = body.remove("for").ok_or_else(|| {
        Problem::invalid("MISSING_FIELD", "for is missing: say how long it lasts at most, as \"30s\"")
            .with("field", "for".into())
    })?;
    let mut plan = FaultPlan::new(target, fault).lasting(duration("for", &lasting)?);
    if let Some(count) = body.remove("count") {
        plan = plan.count(whole("count", &count)?);
    }
    if let Some(seed) = body.remove("seed") {
        plan = plan.seed(whole("seed", &seed)?);
    }
    for (name, set) in [
        ("probability", FaultPlan::probability as fn(FaultPlan, f64) -> FaultPlan),
        ("share", FaultPlan::share),
        ("stop_above", FaultPlan::stop_above),
    ] {
        if let Some(value) = body.remove(name) {
            plan = set(plan, part(name, &value)?);
        }
    }
    Ok(plan)
}

fn fault(value: Value) -> Result<Fault, Problem> {
    let one_of = || {
        let sorts = FAULTS.join(", ");
        Problem::field("fault", format!("must be an object with one of {sorts}, as {{\"panic\":true}}"))
    };
    let Value::Object(members) = value else { return Err(one_of()) };
    let mut members = members.into_iter();
    let (Some((name, value)), None) = (members.next(), members.next()) else { return Err(one_of()) };
    let bad = |why: &str| Problem::field(&format!("fault.{name}"), why);
    match (name.as_str(), value) {
        ("latency", value) => latency(&value),
        ("error", Value::Bool(true)) => Ok(Fault::error("")),
        ("error", Value::String(reason)) => Ok(Fault::error(reason)),
        ("error", _) => Err(bad("must be true, or a text that says why")),
        ("panic", Value::Bool(true)) => Ok(Fault::Panic),
        ("panic", _) => Err(bad("must be true")),
        ("append", Value::String(how)) => {
            let known = AppendFault::ALL.into_iter().find(|known| known.name() == how);
            known.map(Fault::Append).ok_or_else(|| bad("must be \"reject\", \"fail\", \"tear\" or \"full\""))
        }
        ("append", _) => Err(bad("must be \"reject\", \"fail\", \"tear\" or \"full\"")),
        ("health", Value::String(how)) if how == "down" => Ok(Fault::HealthDown),
        ("health", _) => Err(bad("must be \"down\"")),
        (_, _) => Err(one_of()),
    }
}

/// `"400ms"`, or base and spread.
fn latency(value: &Value) -> Result<Fault, Problem> {
    let Value::Object(members) = value else {
        return Ok(Fault::latency(duration("fault.latency", value)?, Duration::ZERO));
    };
    if let Some(unknown) = members.keys().find(|key| !["base", "spread"].contains(&key.as_str())) {
        return Err(Problem::field(
            &format!("fault.latency.{unknown}"),
            "is nothing of a latency; there are base, spread",
        ));
    }
    let base = members.get("base").ok_or_else(|| Problem::missing("fault.latency.base"))?;
    let spread = members.get("spread").map_or(Ok(Duration::ZERO), |spread| duration("fault.latency.spread", spread))?;
    Ok(Fault::latency(duration("fault.latency.base", base)?, spread))
}

fn duration(name: &str, value: &Value) -> Result<Duration, Problem> {
    let read = value.as_str().and_then(read_duration);
    read.ok_or_else(|| Problem::field(name, "must be a duration with its unit, as \"250ms\", \"2s\" or \"5m\""))
}

/// A number, also as the text that command lines and forms make of it.
fn whole(name: &str, value: &Value) -> Result<u64, Problem> {
    let read = value.as_u64().or_else(|| value.as_str()?.parse().ok());
    read.ok_or_else(|| Problem::field(name, "must be a whole number from 0"))
}

fn part(name: &str, value: &Value) -> Result<f64, Problem> {
    let read = value.as_f64().or_else(|| value.as_str()?.parse().ok());
    read.ok_or_else(|| Problem::field(name, "must be a number, as 0.15"))
}

/// A fault as it was asked for, and what has come of it.
fn shown(status: &FaultStatus) -> Value {
    let fault = match &status.fault {
        Fault::Latency { base, spread } => json!({ "latency": { "base": text(*base), "spread": text(*spread) } }),
        Fault::Error { reason } if reason.is_empty() => json!({ "error": true }),
        Fault::Error { reason } => json!({ "error": reason }),
        Fault::Panic => json!({ "panic": true }),
        Fault::Append(how) => json!({ "append": how.name() }),
        Fault::HealthDown => json!({ "health": "down" }),
    };
    let mut body = json!({
        "id": status.id.to_string(),
        "target": status.target,
        "fault": fault,
        "state": if status.is_active() { "active" } else { "ended" },
        "fired": status.fired,
        "waiting": status.waiting,
        "since": status.since,
        "count": status.count,
        "probability": status.probability,
        "share": status.share,
        "for": status.lasting.map(text),
        "stop_above": status.stop_above,
    });
    let more = match status.ended {
        Some((why, at)) => json!({ "ended": why.name(), "ended_at": at, "why": why.to_string() }),
        None => json!({ "remaining": status.remaining.map(text) }),
    };
    if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
        body.extend(more);
    }
    body
}

/// As it is read: whole seconds as such, all else in milliseconds.
fn text(duration: Duration) -> String {
    match (duration.as_secs(), duration.subsec_millis()) {
        (seconds, 0) => format!("{seconds}s"),
        _ => format!("{}ms", duration.as_millis()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: Value) -> Result<FaultPlan, (Value, String)> {
        let Value::Object(body) = body else { panic!("no object") };
        let request = crate::http::request::tests::request("POST", "/admin/faults", &[], "");
        plan(body).map_err(|problem| {
            let answer = problem.respond(&request);
            let body: Value = serde_json::from_slice(answer.body()).unwrap();
            assert_eq!(answer.status(), 400);
            (body["field"].clone(), body["detail"].as_str().unwrap().to_owned())
        })
    }

    #[test]
    fn a_body_becomes_the_plan_that_it_says() {
        let (ms, seconds) = (Duration::from_millis, Duration::from_secs);
        let new = |fault| FaultPlan::new("store/order", fault).lasting(seconds(30));
        for (body, expected) in [
            (json!({"latency": {"base": "400ms", "spread": "220ms"}}), new(Fault::latency(ms(400), ms(220)))),
            (json!({"latency": {"base": "2s"}}), new(Fault::latency(seconds(2), Duration::ZERO))),
            (json!({"latency": "5m"}), new(Fault::latency(seconds(300), Duration::ZERO))),
            (json!({"error": true}), new(Fault::error(""))),
            (json!({"error": "no money"}), new(Fault::error("no money"))),
            (json!({"panic": true}), new(Fault::Panic)),
            (json!({"append": "tear"}), new(Fault::Append(AppendFault::Tear))),
            (json!({"health": "down"}), new(Fault::HealthDown)),
        ] {
            assert_eq!(read(json!({"target": "store/order", "fault": body, "for": "30s"})), Ok(expected));
        }
        let all = json!({"target": "store/order", "fault": {"panic": true}, "for": "30s", "count": 3, "probability": 0.5,
            "share": "0.1", "stop_above": 0.2, "seed": "7"});
        let expected = new(Fault::Panic).count(3).probability(0.5).share(0.1).stop_above(0.2).seed(7);
        assert_eq!(read(all), Ok(expected));
    }

    #[test]
    fn a_body_that_is_wrong_is_told_where_and_what_to_do() {
        let whole = |change: Value| {
            let mut body = json!({"target": "store/order", "fault": {"panic": true}, "for": "30s"});
            for (name, value) in change.as_object().unwrap() {
                body[name] = value.clone();
            }
            body
        };
        let mut without_for = whole(json!({}));
        without_for.as_object_mut().unwrap().remove("for");
        for (body, field, part) in [
            (json!({"fault": {"panic": true}}), "target", "missing"),
            (json!({"target": "store/order"}), "fault", "missing"),
            (without_for, "for", "say how long"),
            (whole(json!({"for": 30})), "for", "\"250ms\""),
            (whole(json!({"for": "30"})), "for", "\"250ms\""),
            (whole(json!({"often": 3})), "often", "target, fault, for"),
            (whole(json!({"target": 3})), "target", "store/delivery"),
            (whole(json!({"fault": "panic"})), "fault", "latency, error, panic"),
            (whole(json!({"fault": {}})), "fault", "latency, error, panic"),
            (whole(json!({"fault": {"panic": true, "error": true}})), "fault", "one of"),
            (whole(json!({"fault": {"smoke": true}})), "fault", "one of"),
            (whole(json!({"fault": {"panic": 1}})), "fault.panic", "true"),
            (whole(json!({"fault": {"error": 1}})), "fault.error", "a text"),
            (whole(json!({"fault": {"append": "lose"}})), "fault.append", "\"tear\""),
            (whole(json!({"fault": {"append": 1}})), "fault.append", "\"tear\""),
            (whole(json!({"fault": {"health": "up"}})), "fault.health", "\"down\""),
            (whole(json!({"fault": {"latency": 400}})), "fault.latency", "unit"),
            (whole(json!({"fault": {"latency": {"spread": "1s"}}})), "fault.latency.base", "missing"),
            (whole(json!({"fault": {"latency": {"base": "1s", "spread": 1}}})), "fault.latency.spread", "unit"),
            (
                whole(json!({"fault": {"latency": {"base": "1s", "jitter": "1s"}}})),
                "fault.latency.jitter",
                "base, spread",
            ),
            (whole(json!({"count": -1})), "count", "whole"),
            (whole(json!({"count": 1.5})), "count", "whole"),
            (whole(json!({"probability": "often"})), "probability", "0.15"),
        ] {
            let (told, detail) = read(body.clone()).unwrap_err();
            assert_eq!(told, field, "{body}");
            assert!(detail.contains(part), "{body}: {detail}");
        }
    }

    #[test]
    fn what_is_shown_can_be_sent_again() {
        for text_of in ["400ms", "2s", "90s", "1500ms"] {
            assert_eq!(text(read_duration(text_of).unwrap()), text_of);
        }
    }
}
