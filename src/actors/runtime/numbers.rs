//! Public numbers: who has which, and which is next.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockWriteGuard},
};

use crate::{
    actors::entity::{Key, Number},
    maps::Map,
};

/// The counter of one service. Numbers start at 1 and are never given twice; one that was drawn and not
/// used is given next.
#[derive(Debug, Default)]
pub(crate) struct Numbers(Mutex<Counter>);

#[derive(Debug, Default)]
struct Counter {
    greatest: u64,
    /// Drawn and not used. At most one per turn that runs at the same time.
    returned: BTreeSet<u64>,
}

impl Numbers {
    /// The next number.
    pub(crate) fn draw(&self) -> u64 {
        let mut counter = self.lock();
        if let Some(number) = counter.returned.pop_first() {
            return number;
        }
        counter.greatest += 1;
        counter.greatest
    }

    /// Takes back a number that was surely not written.
    pub(crate) fn give_back(&self, number: u64) {
        self.lock().returned.insert(number);
    }

    /// Learns from the journal that `number` is taken.
    pub(crate) fn taken(&self, number: u64) {
        let mut counter = self.lock();
        counter.greatest = counter.greatest.max(number);
    }

    fn lock(&self) -> MutexGuard<'_, Counter> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which stream has which number, for one kind. Holds every numbered entity that was ever written, also
/// removed ones: two words and a shared key each.
///
/// A number stands here before its first append is handed over: whoever reads the journal may see the append, and follow
/// the number, before the journal has answered.
#[derive(Debug, Default)]
pub(crate) struct Directory(RwLock<Map<u64, Key>>);

impl Directory {
    /// The stream with this number.
    pub(crate) fn find(&self, number: Number) -> Option<Key> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&number.get()).cloned()
    }

    /// Remembers a number that is written, or about to be.
    pub(crate) fn enter(&self, number: u64, key: Key) {
        self.write().insert(number, key);
    }

    /// Forgets a number that was not written, as `is_written` says. That is asked while nothing is entered: who opens a
    /// journal again enters afterwards what it found there.
    pub(crate) fn withdraw(&self, number: u64, is_written: impl FnOnce() -> bool) {
        let mut numbers = self.write();
        if !is_written() {
            numbers.remove(&number);
        }
    }

    fn write(&self) -> RwLockWriteGuard<'_, Map<u64, Key>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count_from_one_and_an_unused_one_is_given_next() {
        let numbers = Numbers::default();
        assert_eq!((numbers.draw(), numbers.draw(), numbers.draw()), (1, 2, 3));
        numbers.give_back(2);
        assert_eq!((numbers.draw(), numbers.draw()), (2, 4));
    }

    #[test]
    fn what_the_journal_knows_is_not_given_again() {
        let numbers = Numbers::default();
        numbers.taken(7);
        numbers.taken(3);
        assert_eq!(numbers.draw(), 8);
    }

    #[test]
    fn a_number_that_was_not_written_is_forgotten_and_one_that_was_found_meanwhile_stays() {
        let (directory, key) = (Directory::default(), Key::new("a").expect("a key"));
        directory.enter(1, key.clone());
        directory.withdraw(1, || true);
        assert_eq!(directory.find(Number::new(1)), Some(key));
        directory.withdraw(1, || false);
        assert_eq!(directory.find(Number::new(1)), None);
    }
}
