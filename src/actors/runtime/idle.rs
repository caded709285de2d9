//! Entities that leave memory: those that were idle for long, and the least recently used above the limit.
//!
//! Whoever looks for them touches what is due and not every entity: each cell lies in one bucket, that of the second in
//! which it was last known to be in use, and is only looked at when its bucket is due. Using an entity changes nothing here;
//! one that was used since is put into the bucket of that second when its own comes up.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use super::{
    cell::{Active, Cell, Phase},
    host::Host,
};
use crate::actors::entity::{Entity, Key};

/// Cells that are looked at in one go, some microseconds each at most where no snapshot is made.
const AT_ONCE: usize = 64;

/// Shorter tails of events are read back: that is cheaper than a snapshot of everything that ever idled.
const WORTH_A_SNAPSHOT: u32 = 10;

/// Cells by the second in which they were last known to be in use.
pub(super) struct ByAge<T>(Mutex<BTreeMap<u32, Vec<T>>>);

/// What becomes of a cell that was looked at.
enum Looked<E: Entity> {
    /// It is in use, or was in this second.
    Used(u32),
    /// It has left memory; with what it had there.
    Left(Option<Box<Active<E>>>),
    /// It had left already.
    Gone,
}

impl<T> Default for ByAge<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> ByAge<T> {
    /// A new one, which is looked at as soon as anybody looks: many are gone again by then.
    pub(super) fn enter(&self, item: T) {
        self.push(0, item);
    }

    fn push(&self, second: u32, item: T) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(second).or_default().push(item);
    }

    /// One of the oldest before this second, and its own second.
    fn take(&self, before: u32) -> Option<(u32, T)> {
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut oldest = buckets.first_entry().filter(|oldest| *oldest.key() < before)?;
        let (second, item) = (*oldest.key(), oldest.get_mut().pop());
        if oldest.get().is_empty() {
            oldest.remove();
        }
        item.map(|item| (second, item))
    }

    pub(super) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl<E: Entity> Host<E> {
    /// Lets some idle entities leave memory; whether more may be due. `now` is the service's second.
    pub(super) fn sweep_some(&self, now: u32) -> bool {
        let now = now.max(1); // the bucket of new ones is due in every second
        let idle_for = u32::try_from(self.config.passivate_after.as_secs()).unwrap_or(u32::MAX);
        let due = now.saturating_add(1).saturating_sub(idle_for).clamp(1, now);
        let mut excess = self.in_memory().saturating_sub(self.config.max_live);
        let (mut is_done, mut to_save) = (false, Vec::new());
        for _ in 0..AT_ONCE {
            // While there are too many, whoever was not used in this very second is due.
            let Some((since, cell)) = self.by_age.take(if excess > 0 { now } else { due }) else {
                is_done = true;
                break;
            };
            let may_go = excess > 0 || now - since >= idle_for;
            match self.look(&cell, since, now, may_go) {
                Looked::Used(second) => self.by_age.push(second, cell),
                Looked::Left(active) => {
                    excess = excess.saturating_sub(1);
                    to_save.extend(active.map(|active| (cell, active)));
                }
                Looked::Gone => {}
            }
        }
        // Under no lock: a state may be large.
        for (cell, active) in to_save {
            self.save(&cell, active);
        }
        if is_done {
            self.shrink();
        }
        !is_done
    }

    /// Has one entity leave memory now; why not. Does nothing when it is not there.
    pub(super) fn leave(&self, key: &Key) -> Result<(), String> {
        let Some(cell) = self.cell(key) else { return Ok(()) };
        match self.look(&cell, u32::MAX, u32::MAX, true) {
            Looked::Used(_) => match self.phase_of(key).as_str() {
                "idle" => Err("it waits for the disk, or for another entity".to_owned()),
                phase => Err(phase.to_owned()),
            },
            Looked::Left(active) => {
                if let Some(active) = active {
                    self.save(&cell, active);
                }
                Ok(())
            }
            Looked::Gone => Ok(()),
        }
    }

    /// Saves what an entity was that has left, when that is worth it.
    fn save(&self, cell: &Cell<E>, mut active: Box<Active<E>>) {
        if active.book.tail.events >= WORTH_A_SNAPSHOT
            && let Some(snapshot) = Self::snapshot(&mut active)
        {
            self.unit.save_later(self.stream(&cell.key), snapshot);
        }
    }

    /// Lets the cell leave memory, when it may, is at rest, and was not used after `since`.
    fn look(&self, cell: &Cell<E>, since: u32, now: u32, may_go: bool) -> Looked<E> {
        let mut cells = self.shard(cell.partition);
        let mut inner = cell.lock();
        if inner.phase == Phase::Gone {
            return Looked::Gone;
        }
        if !inner.is_at_rest() {
            return Looked::Used(now);
        }
        if inner.touched > since || !may_go {
            return Looked::Used(inner.touched.max(1));
        }
        inner.phase = Phase::Gone;
        let active = inner.active.take();
        drop(inner);
        cells.remove(&cell.key);
        Looked::Left(active)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(by_age: &ByAge<&'static str>, before: u32) -> Vec<(u32, &'static str)> {
        std::iter::from_fn(|| by_age.take(before)).collect()
    }

    #[test]
    fn the_oldest_come_first_and_the_present_second_not_at_all() {
        let by_age = ByAge::default();
        for (second, item) in [(7, "c"), (3, "a"), (9, "d"), (5, "b")] {
            by_age.push(second, item);
        }
        assert_eq!(all(&by_age, 9), [(3, "a"), (5, "b"), (7, "c")]);
        assert_eq!(all(&by_age, 10), [(9, "d")]);
        assert_eq!(all(&by_age, u32::MAX), []);
    }

    #[test]
    fn whoever_is_new_is_looked_at_next() {
        let by_age = ByAge::default();
        by_age.push(2, "used");
        by_age.enter("new");
        assert_eq!(all(&by_age, 1), [(0, "new")]);
        by_age.enter("another");
        by_age.clear();
        assert_eq!(all(&by_age, u32::MAX), []);
    }
}
