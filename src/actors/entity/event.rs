use std::{fmt, sync::Arc};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::{Entity, Number, Timestamp, Upcast};

/// A fact about an entity, in the past tense of the business.
///
/// Written as the JSON that serde makes of it, so the name of a variant and of a field is on disk.
pub trait DomainEvent: Serialize + DeserializeOwned + Clone + PartialEq + fmt::Debug + Send + Sync + 'static {
    /// The names of the events that others may see. The rest are intents and bookkeeping: no bus or REST
    /// reply shows a half-done step.
    const PUBLIC: &'static [&'static str];

    /// The variant's name. On disk: never rename. A law checks that serde writes the same.
    fn name(&self) -> &'static str;

    /// How events of earlier versions are read.
    const UPCASTS: &'static [Upcast] = &[];

    /// The version of this event's fields, raised when one changes its meaning; an [`Upcast`] then reads the version
    /// before.
    fn version(&self) -> u16 {
        1
    }

    /// Whether others may see it: [`DomainEvent::PUBLIC`] has its name.
    fn is_public(&self) -> bool {
        Self::PUBLIC.contains(&self.name())
    }

    /// Its fields on the bus, in the words of the old topics; `number` is the entity's own.
    fn on_bus(&self, number: Number) -> Map<String, Value>;
}

/// Where an event stands in the journal. Dense and ordered within one partition of one storage unit;
/// two partitions have no order between them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// The storage unit.
    pub unit: Arc<str>,
    /// The partition of that unit.
    pub partition: u16,
    /// Counted from 1 within the partition.
    pub offset: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.unit, self.partition, self.offset)
    }
}

/// An event that survived, with what the journal knows about it.
#[derive(Clone, Debug)]
pub struct Recorded<E: Entity> {
    /// The entity that it happened to.
    pub id: E::Id,
    /// That entity's public number, [`Number::NONE`] for kinds without.
    pub number: Number,
    /// Counted from 1 within the entity.
    pub sequence: u64,
    /// Where it stands in the journal.
    pub position: Position,
    /// When it was decided.
    pub at: Timestamp,
    /// The request that all of this goes back to.
    pub correlation: Arc<str>,
    /// The fact.
    pub event: E::Event,
}
