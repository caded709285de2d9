//! The entities of a kind, page by page.

use schemars::JsonSchema;
use serde::Serialize;

use super::super::kinds::KindHost;
use crate::{
    actors::entity::{Key, Number},
    persistence::{StreamHead, StreamId},
};

/// Rows of one page, at most.
pub const ENTITY_PAGE: usize = 1_000;

/// A page of the entities of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntityPage {
    /// By number, then by key.
    pub rows: Vec<EntityRow>,
    /// How many entities the kind has.
    pub count: usize,
}

/// One entity, as far as it is known without reading it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct EntityRow {
    /// Its kind.
    pub kind: &'static str,
    /// Its key.
    pub key: String,
    /// Its public number; 0 for none.
    pub number: Number,
    /// The sequence of its last event.
    pub sequence: u64,
    /// `passive`: not in memory; `idle`, `running`, `draining`, `backoff`; `quarantined: ` and why.
    pub phase: String,
    /// Whether it has asked another entity and has no answer yet.
    pub asking: bool,
}

/// Looks at every stream of the unit once, in memory, and keeps those of the kind until they are in order.
pub(super) fn page(host: &dyn KindHost, page: usize, size: usize) -> EntityPage {
    let mut found: Vec<(StreamId, StreamHead)> = Vec::new();
    host.unit().journal.heads(&mut |stream, head| {
        if *stream.kind == *host.kind() {
            found.push((stream.clone(), *head));
        }
    });
    found.sort_unstable_by(|(a, one), (b, other)| (one.number, &a.key).cmp(&(other.number, &b.key)));
    let count = found.len();
    let rows = found.into_iter().skip(page.saturating_mul(size)).take(size);
    let rows = rows.map(|(StreamId { key, .. }, StreamHead { sequence, number, open_asks })| EntityRow {
        kind: host.kind(),
        phase: Key::new(key.as_ref()).map(|key| host.phase(&key)).unwrap_or_default(),
        key: key.to_string(),
        number: Number::new(number),
        sequence,
        asking: open_asks,
    });
    EntityPage { rows: rows.collect(), count }
}
