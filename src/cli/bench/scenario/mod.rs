//! The operators' demonstrations of the five systems, as data: which load, on which server, and which books have to agree
//! afterwards.

mod library;
mod overload;
mod procurement;
mod station;
mod stay;
mod store;

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};

pub(super) use self::{
    library::LIBRARY,
    overload::OVERLOAD,
    procurement::PROCUREMENT,
    station::STATION,
    stay::{STAY, STAY_AUTOSCALE},
    store::STORE,
};
use super::{
    client::{Answer, Call},
    load::Pace,
};

/// How long the load of a few users lasts that comes when the great one is over.
const AFTERWARDS: Duration = Duration::from_secs(2);

/// All of them, in the order in which `all` runs them.
pub(super) static ALL: &[&Scenario] = &[&STAY, &STAY_AUTOSCALE, &LIBRARY, &STORE, &PROCUREMENT, &STATION, &OVERLOAD];

/// A load on one system.
#[derive(Debug)]
pub(super) struct Scenario {
    pub(super) name: &'static str,
    /// One line for people.
    pub(super) about: &'static str,
    pub(super) system: &'static str,
    /// What the old system reached.
    pub(super) source: &'static str,
    pub(super) users: u32,
    pub(super) seconds: u32,
    pub(super) pace: Pace,
    /// What the system can do in a second, where that is known; then half of that comes before and after as well.
    pub(super) capacity: Option<u32>,
    /// The `supervision.toml` of a server of our own.
    pub(super) config: &'static str,
    /// What is slow while the load lasts.
    pub(super) faults: &'static [Fault],
    /// Users of a second, short load when the first is over: everything of it has to be done. 0 for none.
    pub(super) afterwards: u32,
    /// What has to be there before: each of these is created.
    pub(super) prepare: fn(&Run) -> Vec<Call>,
    pub(super) call: fn(&Turn) -> Call,
    /// The number of what an answer says is done; `None` when it says something else.
    pub(super) told: fn(&Answer, &Turn) -> Option<u64>,
    /// The collection of what is created.
    pub(super) items: Items,
    /// The collections of those who have to do their part of it.
    pub(super) partners: &'static [Partner],
}

/// A service that takes longer than it should: `base` and a uniform part of `spread`, in a share of what it is asked.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) target: &'static str,
    pub(super) base_ms: u32,
    pub(super) spread_ms: u32,
    pub(super) probability: f64,
}

/// A collection, and the numbers of those of its items that count.
#[derive(Clone, Copy, Debug)]
pub(super) struct Items {
    pub(super) collection: &'static str,
    pub(super) number: fn(&Value, &Run) -> Option<u64>,
}

/// A partner's collection, and what its rows were done for.
#[derive(Debug)]
pub(super) struct Partner {
    pub(super) collection: &'static str,
    pub(super) part: fn(&Value, &Run) -> Option<Part>,
    /// Whether a void is a row of its own, beside that which it takes back.
    pub(super) void_is_a_row: bool,
}

/// What a partner's row says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Done for this number.
    Done(u64),
    /// Taken back for this number.
    Void(u64),
}

/// One of the loads of a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Planned {
    pub(super) name: String,
    pub(super) source: &'static str,
    pub(super) users: u32,
    pub(super) pace: Pace,
    pub(super) lasting: Duration,
    /// Whether what is to be slow is slow.
    pub(super) slow: bool,
    /// Whether everything of it has to be done.
    pub(super) all: bool,
}

/// One run of a scenario.
#[derive(Debug, Default)]
pub(super) struct Run {
    /// Different for each run, so that natural keys are.
    pub(super) tag: String,
    /// Users of all its loads.
    pub(super) users: u32,
    /// Numbers of what was prepared, in that order.
    pub(super) created: Vec<u64>,
}

/// One request of one user.
#[derive(Clone, Debug)]
pub(super) struct Turn {
    /// No other load of this run has a user of this number.
    pub(super) user: u32,
    /// How many requests the user has sent before.
    pub(super) nth: u64,
    pub(super) run: Arc<Run>,
}

impl Fault {
    /// What `POST /admin/faults` takes; it ends by itself after `lasting`.
    pub(super) fn plan(&self, lasting: Duration) -> Value {
        let latency = json!({"base": format!("{}ms", self.base_ms), "spread": format!("{}ms", self.spread_ms)});
        json!({
            "target": self.target, "fault": {"latency": latency}, "probability": self.probability,
            "for": format!("{}s", lasting.as_secs()),
        })
    }
}

impl Scenario {
    /// Its loads, in order.
    pub(super) fn plan(&self, users: u32, lasting: Duration) -> Vec<Planned> {
        let named = |what: &str| format!("{}{what}", self.name);
        let great =
            Planned { name: named(""), source: self.source, users, pace: self.pace, lasting, slow: true, all: false };
        let half = |what| Planned {
            name: named(what),
            pace: Pace::PerSecond(self.capacity.unwrap_or_default() / 2),
            lasting: (lasting / 3).max(Duration::from_secs(1)),
            ..great.clone()
        };
        let few = Planned {
            name: named(", afterwards"),
            source: "100 %",
            users: self.afterwards,
            pace: Pace::Answers,
            lasting: AFTERWARDS,
            slow: false,
            all: true,
        };
        let around = self.capacity.is_some();
        let mut plan = Vec::new();
        plan.extend(around.then(|| half(", half before")));
        plan.push(great.clone());
        plan.extend(around.then(|| half(", half after")));
        plan.extend((self.afterwards > 0).then_some(few));
        plan
    }

    pub(super) fn named(name: &str) -> Option<&'static Self> {
        ALL.iter().copied().find(|scenario| scenario.name == name)
    }
}

/// A creation that was done: 201 with the number in `Location`.
fn created(answer: &Answer, _: &Turn) -> Option<u64> {
    (answer.status == 201).then(|| answer.located()).flatten()
}

fn number(item: &Value, field: &str) -> Option<u64> {
    item.get(field)?.as_u64()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_load_with_a_known_capacity_has_half_of_it_before_and_after() {
        let plan = OVERLOAD.plan(200, Duration::from_secs(30));
        let paces: Vec<Pace> = plan.iter().map(|planned| planned.pace).collect();
        assert_eq!(paces, [Pace::PerSecond(100), Pace::PerSecond(800), Pace::PerSecond(100), Pace::Answers]);
        assert_eq!(plan.iter().map(|planned| planned.slow).collect::<Vec<_>>(), [true, true, true, false]);
        assert_eq!(STATION.plan(7, Duration::from_secs(1)).len(), 1);
        assert_eq!(STORE.plan(7, Duration::from_secs(1))[1].users, 1);
    }

    #[test]
    fn scenarios_have_names_of_their_own_and_a_valid_configuration() {
        let names: BTreeSet<_> = ALL.iter().map(|scenario| scenario.name).collect();
        assert_eq!(names.len(), ALL.len());
        for scenario in ALL {
            let config = steadfast::SupervisionConfig::parse(scenario.config, scenario.name);
            assert!(config.is_ok(), "{}: {config:?}", scenario.name);
            assert!(scenario.users > 0 && scenario.seconds > 0 && !scenario.partners.is_empty());
        }
    }
}
