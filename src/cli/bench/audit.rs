//! Whether the books agree after a load: what clients were told, what there is, and what partners have done for it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

/// Numbers that are shown of each kind of violation.
const EXAMPLES: usize = 5;

/// The books after a load.
#[derive(Clone, Debug, Default)]
pub(super) struct Books {
    /// What clients were told is done.
    pub(super) acknowledged: BTreeSet<u64>,
    /// How many answers left open what was done.
    pub(super) unknown: u64,
    /// What there is.
    pub(super) standing: BTreeSet<u64>,
    /// What each partner has done.
    pub(super) effects: Vec<Effects>,
}

/// What one partner has done.
#[derive(Clone, Debug, Default)]
pub(super) struct Effects {
    /// The partner's collection.
    pub(super) name: &'static str,
    /// Rows that stand, by what they were done for.
    pub(super) done: BTreeMap<u64, u64>,
    /// Rows that take one back, or were taken back, by the same.
    pub(super) voided: BTreeMap<u64, u64>,
    /// Whether a void is a row of its own that takes one of the others back.
    pub(super) void_is_a_row: bool,
}

/// What an audit found.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Audit {
    pub(super) acknowledged: u64,
    pub(super) unknown: u64,
    pub(super) standing: u64,
    pub(super) effects: Vec<Counted>,
    /// Empty when the books agree.
    pub(super) violations: Vec<Violation>,
}

/// One partner's rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Counted {
    pub(super) of: &'static str,
    pub(super) done: u64,
    pub(super) voided: u64,
}

/// Something that must not be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Violation {
    pub(super) what: String,
    pub(super) count: u64,
    pub(super) examples: Vec<u64>,
}

impl Effects {
    /// How many of the partner's rows still count for `id`.
    fn live(&self, id: u64) -> u64 {
        let of = |rows: &BTreeMap<u64, u64>| rows.get(&id).copied().unwrap_or_default();
        if self.void_is_a_row { of(&self.done).saturating_sub(of(&self.voided)) } else { of(&self.done) }
    }
}

impl Books {
    /// These books without what was in them `before` the load.
    pub(super) fn since(mut self, before: &Self) -> Self {
        let known = |id: &u64| {
            before.standing.contains(id)
                || before.effects.iter().any(|effects| effects.done.contains_key(id) || effects.voided.contains_key(id))
        };
        self.standing.retain(|id| !known(id));
        for effects in &mut self.effects {
            effects.done.retain(|id, _| !known(id));
            effects.voided.retain(|id, _| !known(id));
        }
        self
    }

    /// Compares them: nothing acknowledged is missing, each thing has exactly one effect at each partner, no effect is
    /// without its thing, and there is no more than somebody may have asked for.
    pub(super) fn audit(&self) -> Audit {
        let mut found = Vec::new();
        let mut note = |what: String, ids: Vec<u64>| {
            if let Some(count) = u64::try_from(ids.len()).ok().filter(|count| *count > 0) {
                found.push(Violation { what, count, examples: ids.into_iter().take(EXAMPLES).collect() });
            }
        };
        note("acknowledged, and not there".into(), self.acknowledged.difference(&self.standing).copied().collect());
        let untold: Vec<u64> = self.standing.difference(&self.acknowledged).copied().collect();
        if untold.len() as u64 > self.unknown {
            note("there, and no answer left that open".into(), untold);
        }
        for effects in &self.effects {
            let name = effects.name;
            let with = |live: fn(u64) -> bool| {
                self.standing.iter().copied().filter(|id| live(effects.live(*id))).collect::<Vec<_>>()
            };
            note(format!("there, and nothing of it in {name}"), with(|live| live == 0));
            note(format!("there, and more than once in {name}"), with(|live| live > 1));
            let orphans = effects.done.keys().copied();
            let orphans = orphans.filter(|id| !self.standing.contains(id) && effects.live(*id) > 0).collect();
            note(format!("in {name}, not taken back, and nothing that it was done for"), orphans);
        }
        let sum = |rows: &BTreeMap<u64, u64>| rows.values().sum();
        let counted = |effects: &Effects| {
            let (done, voided) = (sum(&effects.done), sum(&effects.voided));
            Counted { of: effects.name, done, voided }
        };
        Audit {
            acknowledged: self.acknowledged.len() as u64,
            unknown: self.unknown,
            standing: self.standing.len() as u64,
            effects: self.effects.iter().map(counted).collect(),
            violations: found,
        }
    }
}

impl Audit {
    /// For the person at the terminal.
    pub(super) fn lines(&self) -> Vec<String> {
        let effects = self.effects.iter().map(|Counted { of, done, voided }| match voided {
            0 => format!(", {of} {done}"),
            _ => format!(", {of} {done} and {voided} void"),
        });
        let open = if self.unknown == 0 { String::new() } else { format!(", left open {}", self.unknown) };
        let counts =
            format!("told {}{open}, there {}{}", self.acknowledged, self.standing, effects.collect::<String>());
        if self.violations.is_empty() {
            return vec![format!("{counts}: the books agree")];
        }
        let violated =
            |violation: &Violation| format!("  {} {}: {:?}", violation.count, violation.what, violation.examples);
        let first = format!("{counts}: THE BOOKS DO NOT AGREE");
        [first].into_iter().chain(self.violations.iter().map(violated)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(of: &[u64]) -> BTreeMap<u64, u64> {
        let mut rows = BTreeMap::new();
        for id in of {
            *rows.entry(*id).or_default() += 1;
        }
        rows
    }

    fn books(acknowledged: &[u64], unknown: u64, standing: &[u64], done: &[u64], voided: &[u64]) -> Books {
        let effects = Effects { name: "payments", done: rows(done), voided: rows(voided), void_is_a_row: true };
        Books {
            acknowledged: acknowledged.iter().copied().collect(),
            unknown,
            standing: standing.iter().copied().collect(),
            effects: vec![effects],
        }
    }

    fn violations(books: &Books) -> Vec<(String, Vec<u64>)> {
        books.audit().violations.into_iter().map(|violation| (violation.what, violation.examples)).collect()
    }

    #[test]
    fn books_agree_when_each_thing_has_one_effect_and_each_effect_its_thing_or_a_void() {
        let good = books(&[1, 2], 0, &[1, 2], &[1, 2, 3], &[3]);
        assert_eq!(violations(&good), []);
        assert_eq!(good.audit().effects, [Counted { of: "payments", done: 3, voided: 1 }]);
        assert!(good.audit().lines().concat().ends_with("the books agree"));
    }

    #[test]
    fn what_was_acknowledged_and_is_missing_is_a_violation() {
        let lost = books(&[1, 2], 0, &[1], &[1], &[]);
        assert_eq!(violations(&lost), [("acknowledged, and not there".to_owned(), vec![2])]);
    }

    #[test]
    fn a_thing_that_nobody_was_told_of_needs_an_answer_that_left_it_open() {
        assert_eq!(violations(&books(&[1], 1, &[1, 2], &[1, 2], &[])), []);
        let what = "there, and no answer left that open".to_owned();
        assert_eq!(violations(&books(&[1], 1, &[1, 2, 3], &[1, 2, 3], &[])), [(what, vec![2, 3])]);
    }

    #[test]
    fn a_thing_without_its_effect_with_two_and_an_effect_without_its_thing_are_violations() {
        let without = books(&[1], 0, &[1], &[1], &[1]);
        assert_eq!(violations(&without), [("there, and nothing of it in payments".to_owned(), vec![1])]);
        let twice = books(&[1], 0, &[1], &[1, 1], &[]);
        assert_eq!(violations(&twice), [("there, and more than once in payments".to_owned(), vec![1])]);
        let orphan = books(&[1], 0, &[1], &[1, 2], &[]);
        let what = "in payments, not taken back, and nothing that it was done for".to_owned();
        assert_eq!(violations(&orphan), [(what, vec![2])]);
    }

    #[test]
    fn a_row_that_was_taken_back_in_place_counts_for_nothing() {
        let mut rents = books(&[1], 0, &[1], &[1], &[2]);
        for effects in &mut rents.effects {
            effects.void_is_a_row = false;
        }
        assert_eq!(violations(&rents), []);
    }

    #[test]
    fn what_was_there_before_the_load_is_not_its_doing() {
        let before = books(&[], 0, &[1, 2], &[1], &[]);
        let after = books(&[3], 0, &[1, 2, 3], &[1, 3], &[]).since(&before);
        assert_eq!(violations(&after), []);
        assert_eq!(after.audit().standing, 1);
    }

    #[test]
    fn a_violation_shows_a_few_examples_and_counts_all() {
        let ids: Vec<u64> = (1..=100).collect();
        let found = books(&ids, 0, &[], &[], &[]).audit().violations;
        assert_eq!(found[0].count, 100);
        assert_eq!(found[0].examples, [1, 2, 3, 4, 5]);
    }
}
