//! What an entity remembers of commands that wrote something, so that a repeat gets the first answer.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;

use crate::{
    actors::entity::Timestamp,
    maps::Map,
    persistence::{DispatchMark, Origin},
};

/// How long an explicit command id is remembered.
pub(crate) const KEPT_FOR: Duration = Duration::from_hours(24);

/// How many explicit ids a service may hold in memory at once.
#[derive(Debug)]
pub(crate) struct KeyBudget {
    held: AtomicUsize,
    max: usize,
}

impl KeyBudget {
    pub(crate) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { held: AtomicUsize::new(0), max })
    }

    /// Whether a command with a new explicit id may be taken. None that is held is dropped early for it.
    pub(crate) fn has_room(&self) -> bool {
        self.held() < self.max
    }

    /// How many are held.
    pub(crate) fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }
}

/// What a command id means to an entity.
#[derive(Debug, PartialEq)]
pub(crate) enum Seen {
    /// Not done before.
    New,
    /// Done before, with this answer.
    Done(Bytes),
    /// Used before for another request.
    Reused,
}

/// An explicit id and its first answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Kept {
    pub(crate) fingerprint: u128,
    pub(crate) at: Timestamp,
    pub(crate) reply: Bytes,
}

/// Explicit ids of the last [`KEPT_FOR`], and per (policy, unit, partition) the greatest dispatch applied.
#[derive(Debug)]
pub(crate) struct Dedup {
    keys: Map<u128, Kept>,
    /// Ids in the order in which they expire.
    order: VecDeque<u128>,
    /// One per policy and partition that ever reached this entity: never evicted.
    marks: Vec<DispatchMark>,
    budget: Arc<KeyBudget>,
}

impl Dedup {
    pub(crate) fn new(budget: Arc<KeyBudget>) -> Self {
        Self { keys: Map::default(), order: VecDeque::new(), marks: Vec::new(), budget }
    }

    /// What `command`, come here by `origin`, means now.
    pub(crate) fn look(&mut self, command: u128, origin: &Origin, now: Timestamp) -> Seen {
        match origin {
            Origin::Fresh => Seen::New,
            Origin::Repeatable { fingerprint } => {
                self.expire(now);
                match self.keys.get(&command) {
                    None => Seen::New,
                    Some(kept) if kept.fingerprint != *fingerprint => Seen::Reused,
                    Some(kept) => Seen::Done(kept.reply.clone()),
                }
            }
            Origin::Dispatch(mark) => {
                let applied = self
                    .marks
                    .iter()
                    .any(|known| same_source(known, mark) && (known.offset, known.index) >= (mark.offset, mark.index));
                if applied { Seen::Done(Bytes::from_static(b"null")) } else { Seen::New }
            }
        }
    }

    /// Remembers that `command` was done and answered `reply`.
    pub(crate) fn done(&mut self, command: u128, origin: &Origin, reply: &Bytes, at: Timestamp) {
        match origin {
            Origin::Fresh => {}
            Origin::Repeatable { fingerprint } => {
                let kept = Kept { fingerprint: *fingerprint, at, reply: reply.clone() };
                if self.keys.insert(command, kept).is_none() {
                    self.order.push_back(command);
                    self.budget.held.fetch_add(1, Ordering::Relaxed);
                }
            }
            Origin::Dispatch(mark) => match self.marks.iter_mut().find(|known| same_source(known, mark)) {
                Some(known) if (known.offset, known.index) < (mark.offset, mark.index) => *known = mark.clone(),
                Some(_) => {}
                None => self.marks.push(mark.clone()),
            },
        }
    }

    /// The first answer to an explicit id, whatever was asked under it.
    pub(crate) fn kept(&mut self, command: u128, now: Timestamp) -> Option<Bytes> {
        self.expire(now);
        self.keys.get(&command).map(|kept| kept.reply.clone())
    }

    /// Forgets an explicit id before its time: nobody will repeat it. Recent ones are found soonest.
    pub(crate) fn forget(&mut self, command: u128) {
        if self.keys.remove(&command).is_none() {
            return;
        }
        if let Some(at) = self.order.iter().rposition(|id| *id == command) {
            self.order.remove(at);
            self.budget.held.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Forgets the explicit ids that have had their time.
    pub(crate) fn expire(&mut self, now: Timestamp) {
        while let Some(oldest) = self.order.front() {
            if self.keys.get(oldest).is_some_and(|kept| now.since(kept.at) < KEPT_FOR) {
                break;
            }
            self.keys.remove(oldest);
            self.order.pop_front();
            self.budget.held.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// The explicit ids, oldest first.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (u128, &Kept)> {
        self.order.iter().filter_map(|id| self.keys.get(id).map(|kept| (*id, kept)))
    }

    /// The greatest dispatches applied.
    pub(crate) fn marks(&self) -> &[DispatchMark] {
        &self.marks
    }
}

impl Drop for Dedup {
    fn drop(&mut self) {
        self.budget.held.fetch_sub(self.order.len(), Ordering::Relaxed);
    }
}

fn same_source(a: &DispatchMark, b: &DispatchMark) -> bool {
    a.policy == b.policy && a.unit == b.unit && a.partition == b.partition
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::persistence::PartitionId;

    const KEY: Origin = Origin::Repeatable { fingerprint: 7 };

    fn dedup() -> Dedup {
        Dedup::new(KeyBudget::new(2))
    }
    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }
    fn mark(policy: &str, partition: u16, offset: u64, index: u16) -> Origin {
        let (policy, unit) = (policy.into(), "main".into());
        Origin::Dispatch(DispatchMark { policy, unit, partition: PartitionId(partition), offset, index })
    }

    #[test]
    fn a_repeat_gets_the_first_answer_for_24_hours() {
        let mut dedup = dedup();
        assert_eq!(dedup.look(1, &KEY, at(0)), Seen::New);
        dedup.done(1, &KEY, &Bytes::from_static(b"42"), at(0));
        let day = 24 * 60 * 60 * 1000;
        assert_eq!(dedup.look(1, &KEY, at(day - 1)), Seen::Done(Bytes::from_static(b"42")));
        assert_eq!(dedup.look(1, &KEY, at(day)), Seen::New);
    }

    #[test]
    fn the_same_id_with_another_request_is_told_apart() {
        let mut dedup = dedup();
        dedup.done(1, &KEY, &Bytes::new(), at(0));
        assert_eq!(dedup.look(1, &Origin::Repeatable { fingerprint: 8 }, at(1)), Seen::Reused);
    }

    #[test]
    fn dispatches_are_remembered_by_their_greatest_position() {
        let mut dedup = dedup();
        dedup.done(1, &mark("p", 3, 10, 1), &Bytes::new(), at(0));
        let done = Seen::Done(Bytes::from_static(b"null"));
        assert_eq!(dedup.look(2, &mark("p", 3, 10, 0), at(0)), done);
        assert_eq!(dedup.look(2, &mark("p", 3, 10, 1), at(0)), done);
        assert_eq!(dedup.look(2, &mark("p", 3, 10, 2), at(0)), Seen::New);
        assert_eq!(dedup.look(2, &mark("p", 4, 9, 0), at(0)), Seen::New, "another partition");
        assert_eq!(dedup.look(2, &mark("q", 3, 9, 0), at(0)), Seen::New, "another policy");
        dedup.done(1, &mark("p", 3, 9, 0), &Bytes::new(), at(0));
        assert_eq!(dedup.look(2, &mark("p", 3, 10, 1), at(0)), done, "a mark never goes back");
    }

    #[test]
    fn what_is_forgotten_is_new_again_and_makes_room() {
        let budget = KeyBudget::new(2);
        let mut dedup = Dedup::new(budget.clone());
        for id in [1, 2] {
            dedup.done(id, &KEY, &Bytes::new(), at(1));
        }
        assert!(!budget.has_room());
        dedup.forget(1);
        dedup.forget(1);
        dedup.forget(7);
        assert!(budget.has_room());
        assert_eq!((dedup.look(1, &KEY, at(3)), dedup.kept(1, at(3))), (Seen::New, None));
        assert_eq!(dedup.keys().map(|(id, _)| id).collect::<Vec<_>>(), [2]);
        assert_eq!(dedup.kept(2, at(3)), Some(Bytes::new()));
        drop(dedup);
        assert_eq!(budget.held.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn the_budget_counts_what_is_held_and_nothing_more() {
        let budget = KeyBudget::new(2);
        let mut dedup = Dedup::new(budget.clone());
        for id in [1, 2, 2] {
            dedup.done(id, &KEY, &Bytes::new(), at(0));
        }
        assert!(!budget.has_room());
        drop(dedup);
        assert!(budget.has_room());
    }
}
