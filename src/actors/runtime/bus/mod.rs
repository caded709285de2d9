//! The journal's business events as the old topics showed them: page by page, and followed as they come.

mod follow;

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    feed::{FeedItem, Followed},
    inspect::InspectError,
    kinds::Kinds,
    system::System,
    unit::UnitRuntime,
};
use crate::{actors::entity::Timestamp, persistence::PartitionId};
pub use follow::FollowedEvent;
pub(crate) use follow::MOST_FOLLOWERS;

/// Events looked at per partition for one page, so that a page over a long journal stays cheap.
const SCANNED: u64 = 4096;
/// Events on one page, at most.
const PAGE: usize = 1000;

/// Which events are wanted.
#[derive(Debug, Clone, Default)]
pub struct EventQuery {
    /// Only of this system.
    pub system: Option<String>,
    /// Only of this kind, in full (`store.order`) or short (`order`).
    pub kind: Option<String>,
    /// Only of this correlation id.
    pub correlation: Option<String>,
    /// Only after this cursor, an [`EventPage::next`] of before.
    pub after: Option<String>,
    /// How many on a page, at most 1000; 0 means 100.
    pub limit: usize,
}

/// A page of events.
#[derive(Debug, Clone, Serialize)]
pub struct EventPage {
    /// Envelopes, by time; in order within each partition.
    pub events: Vec<Value>,
    /// Where the next page begins. Opaque.
    pub next: String,
}

/// Why there is no page of events.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EventsError {
    /// `after` is nothing that a page gave. Begin without it.
    #[error("`{0}` is no cursor: take one that a page (its next) or an event of the stream (its id) gave")]
    NoCursor(String),
    /// What comes behind `after` was deleted. Begin without it, at the oldest that is there.
    #[error("{unit}/{partition} begins at position {first}: older events were deleted; begin without `after`")]
    Deleted {
        /// The storage unit.
        unit: String,
        /// The partition.
        partition: u16,
        /// The first position that is there.
        first: u64,
    },
    /// The kind that is wanted is none, or could be several.
    #[error(transparent)]
    Kind(InspectError),
    /// As many as may follow the events at the same time do so already.
    #[error("{MOST_FOLLOWERS} follow the events already, and no more can")]
    TooManyFollowers,
    /// The journal cannot be read now.
    #[error("{0}")]
    Store(String),
}

/// Positions by unit and partition.
type Cursors = BTreeMap<(String, u16), u64>;

/// An event that is wanted.
struct Found {
    at: Timestamp,
    lane: (String, u16),
    offset: u64,
    envelope: Value,
}

impl System {
    /// A page of the journal's public events.
    ///
    /// # Errors
    /// [`EventsError`].
    ///
    /// # Cancel safety
    /// Reads only.
    pub async fn events(&self, query: EventQuery) -> Result<EventPage, EventsError> {
        let query = self.telling_kinds(query)?;
        let cursors = query.after.as_deref().map(parse).transpose()?;
        let limit = if query.limit == 0 { 100 } else { query.limit.min(PAGE) };
        let Read { mut events, mut next, .. } =
            read(&self.inner.units, &self.inner.kinds, &query, cursors, limit).await?;
        for left_out in events.drain(limit.min(events.len())..).rev() {
            next.insert(left_out.lane, left_out.offset - 1);
        }
        Ok(EventPage { events: events.into_iter().map(|event| event.envelope).collect(), next: print(&next) })
    }

    /// The query with its kind in full. One in full that is none of ours may be of an earlier release, with events.
    fn telling_kinds(&self, mut query: EventQuery) -> Result<EventQuery, EventsError> {
        if let Some(kind) = query.kind.as_mut().filter(|kind| !kind.contains('.')) {
            *kind = self.kind(kind).map_err(EventsError::Kind)?.kind().to_owned();
        }
        Ok(query)
    }
}

/// Events with where each was found, and behind what was looked at.
struct Read {
    events: Vec<Found>,
    next: Cursors,
    /// Whether some partition may have more at once.
    has_more: bool,
}

/// Reads behind `cursors`, without them from the first that is there: at most `limit` events of each partition.
///
/// # Errors
/// [`EventsError`].
async fn read(
    units: &[Arc<UnitRuntime>],
    kinds: &Kinds,
    query: &EventQuery,
    cursors: Option<Cursors>,
    limit: usize,
) -> Result<Read, EventsError> {
    let is_first = cursors.is_none();
    let mut cursors = cursors.unwrap_or_default();
    let (mut found, mut has_more): (Vec<Found>, bool) = (Vec::new(), false);
    for unit in units {
        for partition in 0..unit.journal.partitions() {
            let lane = (unit.name.to_string(), partition);
            let first = unit.journal.first(PartitionId(partition));
            let begin = if is_first { first - 1 } else { 0 };
            let mut cursor = cursors.get(&lane).copied().unwrap_or(begin);
            if cursor + 1 < first {
                return Err(EventsError::Deleted { unit: lane.0, partition, first });
            }
            let (mut matches, mut scanned) = (0, 0u64);
            while matches < limit && scanned < SCANNED && cursor < unit.journal.durable(PartitionId(partition)) {
                let batch = unit.feed.read(kinds, &Followed::All, partition, cursor, 256).await;
                let batch = batch.map_err(|error| EventsError::Store(error.to_string()))?;
                if batch.upto <= cursor {
                    break; // nothing can be read now, whatever the head says
                }
                // Also what no kind of this process is: a page stays cheap.
                scanned += batch.upto - cursor;
                for item in &batch.items {
                    cursor = item.offset;
                    if let Some((at, envelope)) = envelope(kinds, unit, partition, item, query) {
                        found.push(Found { at, lane: lane.clone(), offset: item.offset, envelope });
                        matches += 1;
                        if matches >= limit {
                            break;
                        }
                    }
                }
                if matches < limit {
                    cursor = cursor.max(batch.upto);
                }
            }
            has_more |= matches >= limit || scanned >= SCANNED;
            cursors.insert(lane, cursor);
        }
    }
    Ok(Read { events: merged(found), next: cursors, has_more })
}

/// By time, but each partition in its own order: the time of a decision may be after that of a later event.
fn merged(mut found: Vec<Found>) -> Vec<Found> {
    let mut latest: BTreeMap<(String, u16), Timestamp> = BTreeMap::new();
    for event in &mut found {
        let latest = latest.entry(event.lane.clone()).or_insert(event.at);
        *latest = event.at.max(*latest);
        event.at = *latest;
    }
    found.sort_by(|a, b| (a.at, &a.lane, a.offset).cmp(&(b.at, &b.lane, b.offset)));
    found
}

fn envelope(
    kinds: &Kinds,
    unit: &UnitRuntime,
    partition: u16,
    item: &FeedItem,
    query: &EventQuery,
) -> Option<(Timestamp, Value)> {
    let (system, _) = item.kind.split_once('.').unwrap_or(("", &item.kind));
    let is_wanted = item.public
        && query.system.as_deref().is_none_or(|wanted| wanted.eq_ignore_ascii_case(system))
        && query.kind.as_deref().is_none_or(|kind| kind == item.kind.as_ref());
    if !is_wanted {
        return None;
    }
    let (name, recording) = kinds.find(&item.kind)?.on_bus(item.event.as_deref()?)?;
    if query.correlation.as_deref().is_some_and(|wanted| wanted != recording.correlation.as_ref()) {
        return None;
    }
    let mut fields = Map::new();
    fields.insert("eventType".to_owned(), json!(name));
    fields.insert("timestamp".to_owned(), json!(local_time(recording.at)));
    fields.extend(recording.fields);
    fields.insert("eventId".to_owned(), json!(format!("{}:{partition}:{}", unit.name, item.offset)));
    fields.insert("correlationId".to_owned(), json!(recording.correlation));
    fields.insert("sequence".to_owned(), json!(recording.sequence));
    fields.insert("kind".to_owned(), json!(item.kind));
    fields.insert("number".to_owned(), json!(recording.number));
    fields.insert("unit".to_owned(), json!(unit.name));
    fields.insert("partition".to_owned(), json!(partition));
    fields.insert("position".to_owned(), json!(item.offset));
    Some((recording.at, Value::Object(fields)))
}

/// `yyyyMMddHHmmss` in the machine's zone, as the old topics have it.
fn local_time(at: Timestamp) -> String {
    let millis = i64::try_from(at.as_millis()).unwrap_or(i64::MAX);
    match jiff::Timestamp::from_millisecond(millis) {
        Ok(moment) => moment.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y%m%d%H%M%S").to_string(),
        Err(_) => String::new(),
    }
}

fn print(cursors: &Cursors) -> String {
    let part = |((unit, partition), offset): (&(String, u16), &u64)| format!("{unit}.{partition}.{offset}");
    cursors.iter().filter(|(_, offset)| **offset > 0).map(part).collect::<Vec<_>>().join("_")
}

fn parse(text: &str) -> Result<Cursors, EventsError> {
    let unreadable = || EventsError::NoCursor(text.to_owned());
    let part = |part: &str| {
        let mut fields = part.rsplitn(3, '.');
        let offset = fields.next()?.parse().ok()?;
        let partition = fields.next()?.parse().ok()?;
        Some(((fields.next()?.to_owned(), partition), offset))
    };
    text.split('_').filter(|text| !text.is_empty()).map(|text| part(text).ok_or_else(unreadable)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two entities of one partition decided at 2 and 1 and were appended in this order: the page showed position 2
    /// before position 1.
    #[test]
    fn a_page_is_by_time_and_never_against_the_order_of_a_partition() {
        let event = |partition, offset, at| Found {
            at: Timestamp::from_millis(at),
            lane: ("main".to_owned(), partition),
            offset,
            envelope: Value::Null,
        };
        let found = vec![event(1, 1, 20), event(1, 2, 10), event(1, 3, 40), event(2, 1, 15), event(2, 2, 30)];
        let order: Vec<(u16, u64)> = merged(found).into_iter().map(|event| (event.lane.1, event.offset)).collect();
        assert_eq!(order, [(2, 1), (1, 1), (1, 2), (2, 2), (1, 3)]);
    }

    #[test]
    fn a_cursor_survives_being_printed() {
        let cursors: Cursors = [(("main".to_owned(), 3), 17), (("alarm".to_owned(), 0), 2)].into();
        assert_eq!(parse(&print(&cursors)).expect("readable"), cursors);
        assert!(parse("").expect("empty").is_empty());
        assert!(parse("nonsense").is_err());
    }
}
