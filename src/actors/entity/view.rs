use std::{any::Any, fmt};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{Entity, EntityId, Key, Number, Recorded};

/// A read model: rows made of events. Disposable: rebuilt from the journal when `VERSION` changes.
///
/// Law: any interleaving of events that keeps each entity's own order gives the same rows.
pub trait View: Clone + Send + Sync + Serialize + DeserializeOwned + 'static {
    /// Name of its rows and cursors. On disk: never reuse.
    const NAME: &'static str;
    /// Raised with every change of a row's shape or of what `apply` does.
    const VERSION: u32;
    /// What a row is found by.
    type Key: ViewKey;

    /// The kinds of entities whose events make the rows.
    fn sources() -> Sources<Self>;

    /// Whether readers see this row; a row can be kept back until it is complete.
    fn is_listed(&self) -> bool {
        true
    }
}

/// How the events of one kind of entity move a view.
pub trait Follows<E: Entity>: View {
    /// The row that this event is about: the correlation key.
    fn key(event: &Recorded<E>) -> Option<Self::Key>;
    /// Moves the row; `None` before means there is none, `None` after deletes it.
    fn apply(row: &mut Option<Self>, event: &Recorded<E>);
}

/// The key of a row, as bytes that sort like the key.
pub trait ViewKey: Clone + Eq + std::hash::Hash + fmt::Debug + Send + Sync + 'static {
    /// Bytes that compare as the keys do.
    fn to_bytes(&self) -> Vec<u8>;
    /// The key with these bytes; `None` when there is none.
    fn from_bytes(bytes: &[u8]) -> Option<Self>;
}

impl ViewKey for u64 {
    fn to_bytes(&self) -> Vec<u8> {
        self.to_be_bytes().to_vec()
    }
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self::from_be_bytes)
    }
}

impl ViewKey for (u64, u64) {
    fn to_bytes(&self) -> Vec<u8> {
        [self.0.to_be_bytes(), self.1.to_be_bytes()].concat()
    }
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (first, second) = bytes.split_at_checked(8)?;
        Some((u64::from_bytes(first)?, u64::from_bytes(second)?))
    }
}

impl ViewKey for Key {
    fn to_bytes(&self) -> Vec<u8> {
        self.as_str().as_bytes().to_vec()
    }
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Self::new(std::str::from_utf8(bytes).ok()?).ok()
    }
}

impl ViewKey for String {
    fn to_bytes(&self) -> Vec<u8> {
        self.as_bytes().to_vec()
    }
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        String::from_utf8(bytes.to_vec()).ok()
    }
}

/// The kinds that a view follows, in the order given.
pub struct Sources<V: View>(Vec<Source<V>>);

/// One kind that a view follows, with the event's type forgotten.
pub struct Source<V: View> {
    kind: &'static str,
    key: fn(&dyn Any) -> Option<V::Key>,
    apply: fn(&mut Option<V>, &dyn Any),
}

impl<V: View> Sources<V> {
    /// A view that follows `E`; [`Sources::and`] adds more.
    pub fn of<E: Entity>() -> Self
    where
        V: Follows<E>,
    {
        Self(Vec::new()).and::<E>()
    }

    /// Follows `E` too.
    #[must_use]
    pub fn and<E: Entity>(mut self) -> Self
    where
        V: Follows<E>,
    {
        self.0.push(Source {
            kind: E::KIND,
            key: |event| V::key(recorded::<E>(event)),
            apply: |row, event| V::apply(row, recorded::<E>(event)),
        });
        self
    }

    /// How events of `kind` move the view; `None` when it does not follow them.
    pub fn get(&self, kind: &str) -> Option<&Source<V>> {
        self.0.iter().find(|source| source.kind == kind)
    }

    /// The kinds followed.
    pub fn kinds(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|source| source.kind)
    }
}

impl<V: View> Source<V> {
    /// [`Follows::key`]; `event` is a `Recorded` of this source's kind.
    pub fn key(&self, event: &dyn Any) -> Option<V::Key> {
        (self.key)(event)
    }

    /// [`Follows::apply`]; `event` is a `Recorded` of this source's kind.
    pub fn apply(&self, row: &mut Option<V>, event: &dyn Any) {
        (self.apply)(row, event);
    }
}

fn recorded<E: Entity>(event: &dyn Any) -> &Recorded<E> {
    event.downcast_ref().expect("the feed routes events by kind")
}

impl<V: View> fmt::Debug for Sources<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.kinds()).finish()
    }
}

impl<V: View> fmt::Debug for Source<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// An entity that can be listed: `GET /orders`.
pub trait Listed: Entity {
    /// Name of the list's rows and cursors. On disk: never reuse.
    const LIST: &'static str;
    /// Whether the list shows it.
    fn presence(&self) -> Presence;
}

/// Whether a list shows an entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Not (yet): it exists only as an intent.
    Hidden,
    /// It is there.
    Listed,
    /// It is gone for good; its row is deleted.
    Removed,
}

/// The list of all entities of a kind: each row is the entity's own state, folded again from its events.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound(serialize = "E: Entity", deserialize = "E: Entity"))]
pub struct Listing<E: Entity> {
    /// The entity's public number.
    pub number: Number,
    /// Sequence of its last event.
    pub sequence: u64,
    /// Its state.
    pub state: E,
}

impl<E: Listed> View for Listing<E> {
    const NAME: &'static str = E::LIST;
    const VERSION: u32 = E::SNAPSHOT;
    type Key = <E::Id as EntityId>::Row;
    fn sources() -> Sources<Self> {
        Sources::of::<E>()
    }
    fn is_listed(&self) -> bool {
        self.state.presence() == Presence::Listed
    }
}

impl<E: Listed> Follows<E> for Listing<E> {
    fn key(event: &Recorded<E>) -> Option<Self::Key> {
        Some(event.id.row(event.number))
    }
    fn apply(row: &mut Option<Self>, event: &Recorded<E>) {
        if row.is_none() && event.sequence > 1 {
            return; // removed before: what still happens to it is nobody's business here
        }
        let listing = row.get_or_insert_with(|| Self { number: event.number, sequence: 0, state: E::default() });
        listing.state.evolve(&event.event);
        listing.sequence = event.sequence;
        if listing.state.presence() == Presence::Removed {
            *row = None;
        }
    }
}
