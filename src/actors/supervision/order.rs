//! What may be stopped and started now: the order between siblings, as a pure function.
//!
//! Stops go last first, one at a time; starts go first first, one at a time, after the stops. Children of a
//! one-for-one supervisor do not need each other, so there only the first start and the end are in order:
//! afterwards nobody waits for a sibling that stops slowly, starts slowly or waits for its backoff.

use super::strategy::Strategy;

/// Where one child is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// 1. Nothing of it exists.
    Down,
    /// 2. Down after a failure, until its backoff has passed.
    Waiting,
    /// 3. Its process is being started.
    Starting,
    /// 4. Its process runs.
    Running,
    /// 5. It was asked to stop and has not ended.
    Stopping,
}

/// What the order depends on, for one child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) phase: Phase,
    /// It is meant to run.
    pub(super) wanted: bool,
    /// It has to go down before anything else happens to it.
    pub(super) leaving: bool,
    /// Its first start is neither done nor failed.
    pub(super) fresh: bool,
}

impl Standing {
    fn is_live(self) -> bool {
        match self.phase {
            Phase::Starting | Phase::Running | Phase::Stopping => true,
            Phase::Down | Phase::Waiting => false,
        }
    }
}

/// What may be done now.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) stop: Vec<usize>,
    pub(super) start: Vec<usize>,
}

/// Says which children to stop and to start now, in this order.
pub(super) fn due(strategy: Strategy, closing: bool, children: &[Standing]) -> Due {
    let leaving = |(_, c): &(usize, &Standing)| c.leaving && c.is_live();
    let not_asked = |(_, c): &(usize, &Standing)| c.phase != Phase::Stopping;
    let indexed = || children.iter().enumerate();
    let index = |(i, _): (usize, &Standing)| i;

    if closing {
        return Due {
            stop: indexed().rfind(leaving).filter(not_asked).map(index).into_iter().collect(),
            start: vec![],
        };
    }
    if strategy == Strategy::OneForOne {
        // Up to and with the first child whose first start is under way; those behind it wait.
        let first_starts = indexed().find(|(_, c)| c.fresh && c.wanted).map_or(children.len(), |(i, _)| i + 1);
        return Due {
            stop: indexed().rev().filter(leaving).filter(not_asked).map(index).collect(),
            start: indexed()
                .take(first_starts)
                .filter(|(_, c)| c.wanted && c.phase == Phase::Down)
                .map(index)
                .collect(),
        };
    }
    if let Some(last) = indexed().rfind(leaving) {
        return Due { stop: Some(last).filter(not_asked).map(index).into_iter().collect(), start: vec![] };
    }
    let held_up = strategy == Strategy::OneForAll && children.iter().any(|c| c.phase == Phase::Waiting);
    let next = indexed().find(|(_, c)| c.wanted && c.phase != Phase::Running);
    Due {
        stop: vec![],
        start: next.filter(|(_, c)| c.phase == Phase::Down && !held_up).map(index).into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        Due,
        Phase::{Down, Running, Starting, Stopping, Waiting},
        Standing, Strategy,
        Strategy::{OneForAll, OneForOne, RestForOne},
        due,
    };

    const NEW: Standing = Standing { phase: Down, wanted: true, leaving: false, fresh: true };
    const UP: Standing = Standing { phase: Running, wanted: true, leaving: false, fresh: false };
    const FRESH: Standing = Standing { phase: Starting, fresh: true, ..UP };
    const SLOW: Standing = Standing { phase: Starting, ..UP };
    const AGAIN: Standing = Standing { phase: Down, ..UP };
    const WAIT: Standing = Standing { phase: Waiting, ..UP };
    const LEAVE: Standing = Standing { leaving: true, ..UP };
    const GOING: Standing = Standing { phase: Stopping, ..LEAVE };
    const HELD: Standing = Standing { phase: Down, wanted: false, ..UP };

    #[test]
    fn siblings_are_started_first_to_last_and_stopped_last_to_first() {
        type Row<'a> = (&'a str, Strategy, bool, &'a [Standing], &'a [usize], &'a [usize]);
        let table: &[Row<'_>] = &[
            ("first start, one at a time", OneForOne, false, &[NEW, NEW], &[], &[0]),
            ("the next waits for it", OneForOne, false, &[FRESH, NEW], &[], &[]),
            ("then it is next", OneForOne, false, &[UP, NEW], &[], &[1]),
            ("a failed first start holds nobody up", OneForOne, false, &[WAIT, NEW], &[], &[1]),
            ("a slow restart holds nobody up", OneForOne, false, &[SLOW, AGAIN], &[], &[1]),
            ("nor does a slow stop", OneForOne, false, &[AGAIN, GOING, LEAVE], &[2], &[0]),
            ("what an operator stopped is not started", OneForOne, false, &[HELD, AGAIN], &[], &[1]),
            ("each relies on those before", RestForOne, false, &[UP, SLOW, AGAIN], &[], &[]),
            ("first in line is next", RestForOne, false, &[UP, AGAIN, AGAIN], &[], &[1]),
            ("a backoff holds up those behind", RestForOne, false, &[UP, WAIT, AGAIN], &[], &[]),
            ("but not those before", RestForOne, false, &[AGAIN, WAIT], &[], &[0]),
            ("an operator's stop holds nobody up", RestForOne, false, &[HELD, AGAIN], &[], &[1]),
            ("last goes first", RestForOne, false, &[UP, LEAVE, LEAVE], &[2], &[]),
            ("one at a time", RestForOne, false, &[UP, LEAVE, GOING], &[], &[]),
            ("nothing starts before all are down", OneForAll, false, &[AGAIN, LEAVE, AGAIN], &[1], &[]),
            ("all wait for the backoff of one", OneForAll, false, &[AGAIN, WAIT], &[], &[]),
            ("then all start in order", OneForAll, false, &[AGAIN, AGAIN], &[], &[0]),
            ("the end is in order too", OneForOne, true, &[LEAVE, LEAVE, HELD], &[1], &[]),
            ("one at a time, too", OneForOne, true, &[LEAVE, GOING], &[], &[]),
            ("and starts nothing", OneForAll, true, &[AGAIN, WAIT], &[], &[]),
        ];
        for (story, strategy, closing, children, stop, start) in table {
            let expected = Due { stop: stop.to_vec(), start: start.to_vec() };
            assert_eq!(due(*strategy, *closing, children), expected, "{story}");
        }
    }
}
