//! The operators' demonstrations of the five systems, as data: which load, on which server, and which books have to agree
//! afterwards.

mod station;
mod store;

use std::sync::Arc;

use serde_json::Value;

pub(super) use self::{station::STATION, store::STORE};
use super::{
    client::{Answer, Call},
    load::Pace,
};

/// All of them, in the order in which `all` runs them.
pub(super) static ALL: &[&Scenario] = &[&STORE, &STATION];

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
    /// The `supervision.toml` of a server of our own.
    pub(super) config: &'static str,
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

/// A collection, and the numbers of those of its items that count.
#[derive(Debug)]
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
    #[expect(dead_code, reason = "the systems with voids come with fault injection")]
    Void(u64),
}

/// One run of a scenario.
#[derive(Debug, Default)]
pub(super) struct Run {
    /// Different for each run, so that natural keys are.
    #[expect(dead_code, reason = "read by the scenarios that come with fault injection")]
    pub(super) tag: String,
    /// Users of all its loads.
    #[expect(dead_code, reason = "read by the scenarios that come with fault injection")]
    pub(super) users: u32,
    /// Numbers of what was prepared, in that order.
    pub(super) created: Vec<u64>,
}

/// One request of one user.
#[derive(Clone, Debug)]
pub(super) struct Turn {
    /// No other load of this run has a user of this number.
    #[expect(dead_code, reason = "read by the scenarios that come with fault injection")]
    pub(super) user: u32,
    /// How many requests the user has sent before.
    pub(super) nth: u64,
    pub(super) run: Arc<Run>,
}

impl Scenario {
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
