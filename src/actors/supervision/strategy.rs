//! Who is restarted when a child ends: a pure function of (strategy, children, exit).
//!
//! | the child | ends normally | fails |
//! |---|---|---|
//! | permanent | restart | restart |
//! | transient | done | restart |
//! | temporary | done | done |
//!
//! | strategy | stopped with it, last first | started after it is down, first first |
//! |---|---|---|
//! | one for one | nobody | itself |
//! | rest for one | those behind it | itself and those behind it |
//! | one for all | all others | all |
//!
//! A temporary child is stopped with the others and never started again.

use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which siblings go down and up with a child that has to be restarted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// Only the child itself: the children do not need each other.
    OneForOne,
    /// All children: none can go on without any other.
    OneForAll,
    /// The child and those started after it: each relies on those before it.
    RestForOne,
}

/// Whether a child that ended is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restart {
    /// Always: it is meant to run until it is asked to stop.
    Permanent,
    /// Only after a failure: it may finish its work.
    Transient,
    /// Never.
    Temporary,
}

/// How a child ended that nobody had asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// It returned without an error.
    Normal,
    /// It returned an error, panicked, or could not be started.
    Failed,
}

/// What a restart takes. Both lists are in the order in which they have to be performed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Actions {
    /// The siblings to stop first, last first.
    pub(super) stop: Vec<usize>,
    /// The children to start then, first first.
    pub(super) start: Vec<usize>,
}

/// Decides what follows when the child at `exited` ended. `None`: it is done and stays down.
pub(super) fn on_exit(strategy: Strategy, children: &[Restart], exited: usize, exit: Exit) -> Option<Actions> {
    match (children.get(exited)?, exit) {
        (Restart::Permanent, Exit::Normal | Exit::Failed) | (Restart::Transient, Exit::Failed) => {
            Some(restart(strategy, children, exited))
        }
        (Restart::Transient, Exit::Normal) | (Restart::Temporary, Exit::Normal | Exit::Failed) => None,
    }
}

/// What it takes to bring the child at `index` down and up again, whatever made it necessary.
pub(super) fn restart(strategy: Strategy, children: &[Restart], index: usize) -> Actions {
    let group: Range<usize> = match strategy {
        Strategy::OneForOne => index..index + 1,
        Strategy::OneForAll => 0..children.len(),
        Strategy::RestForOne => index..children.len(),
    };
    let comes_back = |i: &usize| *i == index || children.get(*i).is_some_and(|c| *c != Restart::Temporary);
    Actions { stop: group.clone().rev().filter(|i| *i != index).collect(), start: group.filter(comes_back).collect() }
}

#[cfg(test)]
mod tests {
    use super::{
        Actions,
        Exit::{Failed, Normal},
        Restart::{Permanent, Temporary, Transient},
        Strategy::{OneForAll, OneForOne, RestForOne},
        on_exit,
    };

    #[test]
    fn a_child_comes_back_as_its_kind_and_its_exit_say() {
        for (kind, exit, comes_back) in [
            (Permanent, Normal, true),
            (Permanent, Failed, true),
            (Transient, Normal, false),
            (Transient, Failed, true),
            (Temporary, Normal, false),
            (Temporary, Failed, false),
        ] {
            for strategy in [OneForOne, OneForAll, RestForOne] {
                let actions = on_exit(strategy, &[Permanent, kind, Permanent], 1, exit);
                assert_eq!(actions.is_some(), comes_back, "{strategy:?} {kind:?} {exit:?}");
            }
        }
    }

    #[test]
    fn the_strategy_says_who_goes_down_and_up_with_it() {
        let all = [Permanent, Transient, Permanent, Permanent];
        for (strategy, exited, stop, start) in [
            (OneForOne, 0, vec![], vec![0]),
            (OneForOne, 2, vec![], vec![2]),
            (OneForAll, 0, vec![3, 2, 1], vec![0, 1, 2, 3]),
            (OneForAll, 2, vec![3, 1, 0], vec![0, 1, 2, 3]),
            (RestForOne, 0, vec![3, 2, 1], vec![0, 1, 2, 3]),
            (RestForOne, 2, vec![3], vec![2, 3]),
            (RestForOne, 3, vec![], vec![3]),
        ] {
            assert_eq!(on_exit(strategy, &all, exited, Failed), Some(Actions { stop, start }), "{strategy:?} {exited}");
        }
    }

    #[test]
    fn a_temporary_sibling_is_stopped_and_not_started_again() {
        let children = [Permanent, Temporary, Permanent];
        assert_eq!(on_exit(OneForAll, &children, 0, Failed), Some(Actions { stop: vec![2, 1], start: vec![0, 2] }));
    }

    #[test]
    fn the_exit_of_an_unknown_child_asks_for_nothing() {
        assert_eq!(on_exit(OneForAll, &[Permanent], 1, Failed), None);
    }
}
