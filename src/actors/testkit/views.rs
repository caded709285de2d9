use std::{any::Any, collections::BTreeMap, fmt, marker::PhantomData};

use serde_json::Value;

use crate::actors::entity::{Entity, Follows, Recorded, View, ViewKey};

/// Up to this many interleavings are tried all; a few milliseconds of folding.
const ALL: u128 = 5_000;

/// Of more interleavings, this many are tried, each made by its own number as seed.
const SOME: u64 = 500;

/// A history to fold into the rows of `V`, entity by entity.
pub fn history<V: View>() -> History<V> {
    History { entities: Vec::new(), view: PhantomData }
}

/// The events of some entities that a view follows. Only the order within each entity is given.
#[must_use = "a history tests nothing until its rows are looked at"]
pub struct History<V: View> {
    entities: Vec<Vec<Told>>,
    view: PhantomData<fn() -> V>,
}

/// One event with its type forgotten, as a projector gets it.
struct Told {
    kind: &'static str,
    event: Box<dyn Any>,
}

impl<V: View> History<V> {
    /// Adds one entity with its events, in its order.
    pub fn entity<E: Entity>(mut self, events: impl IntoIterator<Item = Recorded<E>>) -> Self
    where
        V: Follows<E>,
    {
        let told = |event| Told { kind: E::KIND, event: Box::new(event) };
        self.entities.push(events.into_iter().map(told).collect());
        self
    }

    /// The rows when one entity's events come after the other's, in the order added.
    pub fn rows(&self) -> Rows<V> {
        let order: Vec<_> = self.in_order();
        self.fold(&order)
    }

    /// Checks the law of views: every interleaving that keeps each entity's order gives the same rows.
    /// Tries all of them when there are few, else some hundred random ones. Returns the rows.
    pub fn then_order_does_not_matter(&self) -> Rows<V> {
        let expected = self.rows();
        if self.interleavings() <= ALL {
            let mut left: Vec<_> = self.entities.iter().map(Vec::len).collect();
            self.try_all(&mut left, &mut Vec::new(), &expected);
        } else {
            for seed in 0..SOME {
                let mut order = self.in_order();
                fastrand::Rng::with_seed(seed).shuffle(&mut order);
                self.check(&order, &expected);
            }
        }
        expected
    }

    /// Whose turn it is, event by event; which of its events follows from how often it had a turn.
    fn in_order(&self) -> Vec<usize> {
        self.entities.iter().enumerate().flat_map(|(entity, events)| vec![entity; events.len()]).collect()
    }

    fn try_all(&self, left: &mut [usize], order: &mut Vec<usize>, expected: &Rows<V>) {
        if left.iter().all(|left| *left == 0) {
            return self.check(order, expected);
        }
        for entity in 0..left.len() {
            let Some(turns) = left.get_mut(entity).filter(|turns| **turns > 0) else { continue };
            *turns -= 1;
            order.push(entity);
            self.try_all(left, order, expected);
            order.pop();
            if let Some(turns) = left.get_mut(entity) {
                *turns += 1;
            }
        }
    }

    fn check(&self, order: &[usize], expected: &Rows<V>) {
        let rows = self.fold(order);
        assert_eq!(rows.to_json(), expected.to_json(), "the rows of {} in the order {order:?}", V::NAME);
    }

    fn fold(&self, order: &[usize]) -> Rows<V> {
        let mut rest: Vec<_> = self.entities.iter().map(|events| events.iter()).collect();
        Rows::fold(order.iter().map(|entity| {
            let told = rest.get_mut(*entity).and_then(Iterator::next).expect("one turn per event");
            (told.kind, told.event.as_ref())
        }))
    }

    fn interleavings(&self) -> u128 {
        let mut count = 1_u128;
        let mut placed = 0_u128;
        for events in &self.entities {
            for nth in 1..=events.len() as u128 {
                placed += 1;
                count = count.saturating_mul(placed) / nth; // exact: a product of binomials, term by term
            }
        }
        count
    }
}

/// The rows of a view, in the order of their keys.
pub struct Rows<V: View>(BTreeMap<Vec<u8>, V>);

impl<V: View> Rows<V> {
    /// The rows that these events come to: kind and `Recorded` of that kind, each followed by the view.
    pub(super) fn fold<'e>(events: impl Iterator<Item = (&'static str, &'e dyn Any)>) -> Self {
        let sources = V::sources();
        let mut rows = BTreeMap::new();
        for (kind, event) in events {
            let source = sources.get(kind).expect("a view that follows a kind lists it in its sources");
            let Some(key) = source.key(event) else { continue };
            let bytes = key.to_bytes();
            assert_eq!(V::Key::from_bytes(&bytes).as_ref(), Some(&key), "a key survives its bytes");
            let mut row = rows.remove(&bytes);
            source.apply(&mut row, event);
            if let Some(row) = row {
                rows.insert(bytes, row);
            }
        }
        Self(rows)
    }

    /// The row with this key.
    pub fn get(&self, key: &V::Key) -> Option<&V> {
        self.0.get(&key.to_bytes())
    }

    /// The rows that readers see.
    pub fn listed(&self) -> impl Iterator<Item = &V> {
        self.0.values().filter(|row| row.is_listed())
    }

    fn to_json(&self) -> Vec<(&Vec<u8>, Value)> {
        let json = |row| serde_json::to_value(row).expect("a row can be stored as JSON");
        self.0.iter().map(|(key, row)| (key, json(row))).collect()
    }
}

impl<V: View> fmt::Debug for History<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("History").field("view", &V::NAME).field("entities", &self.entities.len()).finish()
    }
}

impl<V: View> fmt::Debug for Rows<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Rows").field(&self.to_json()).finish()
    }
}
