//! Whether a journal is whole, and what is in it: every checksum, every position, every sequence.

use std::{collections::HashMap, ops::ControlFlow, path::PathBuf};

use serde::Serialize;

use super::{BaseGlance, Look, Spot};
use crate::persistence::{
    TornTail,
    glance::{EventGlance, Glance},
};

/// Something that is not what was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Damage {
    /// The file.
    pub file: PathBuf,
    /// Byte within it.
    pub offset: u64,
    /// Partition and position of the record, when it can still be named.
    pub record: Option<(u16, u64)>,
    /// What is wrong.
    pub what: String,
}

/// Events of one kind, name and version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EventCount {
    /// The entity's kind.
    pub kind: String,
    /// Name of the event.
    pub event: String,
    /// Version of its fields.
    pub version: u16,
    /// How many there are.
    pub count: u64,
    /// Bytes of their payloads.
    pub bytes: u64,
    /// The first of them.
    #[serde(skip)]
    pub first: Vec<u8>,
    /// Where the first of them stands: file, byte of its record, partition, position.
    pub first_at: (PathBuf, u64, u16, u64),
}

/// How much of something there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// Appends.
    pub records: u64,
    /// Events.
    pub events: u64,
    /// Entities with events.
    pub streams: u64,
    /// Streams with open asks.
    pub open_asks: u64,
    /// Bytes of the records.
    pub bytes: u64,
}

/// What a unit's journal is like.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnitReport {
    /// The unit.
    pub unit: String,
    /// How much there is.
    pub counted: Counted,
    /// The last deleted position of each partition; all zero when nothing was deleted.
    pub deleted: Vec<u64>,
    /// Entities with a base record, which have lost events.
    pub bases: u64,
    /// The last position of each partition.
    pub positions: Vec<u64>,
    /// The greatest epoch of any record.
    pub epoch: u64,
    /// The first and the last decision's time, milliseconds since 1970.
    pub times: Option<(u64, u64)>,
    /// Events by kind, name and version.
    pub events: Vec<EventCount>,
    /// What is not what was written; the first [`Verifier::MAX_DAMAGE`].
    pub damage: Vec<Damage>,
    /// How often something was not what was written.
    pub damaged: u64,
    /// Bytes at the end that are no frame: file, byte, how many. Being written just now, or never acknowledged.
    pub tail: Option<(PathBuf, u64, u64)>,
}

/// All units.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// Each of them.
    pub units: Vec<UnitReport>,
}

impl Verified {
    /// Whether nothing is damaged.
    pub fn is_whole(&self) -> bool {
        self.units.iter().all(|unit| unit.damaged == 0)
    }
}

/// Checks what it is shown.
pub struct Verifier<'a> {
    report: UnitReport,
    partitions: u16,
    /// By the hash of a stream: the last sequence, and whether it has open asks.
    streams: HashMap<u64, (u64, bool)>,
    /// Index in `report.events` by kind, then name and version.
    known: HashMap<String, HashMap<String, Vec<(u16, usize)>>>,
    /// Where the event before was counted.
    newest: usize,
    /// Behind damage something is missing, which need not be said again for each stream and partition.
    broken: bool,
    passed: &'a mut dyn FnMut(u64),
}

impl<'a> Verifier<'a> {
    /// More damage than this is counted and not listed.
    pub const MAX_DAMAGE: usize = 1000;

    /// A verifier of one unit; `passed` is told of bytes as they are read.
    pub fn new(unit: &str, partitions: u16, passed: &'a mut dyn FnMut(u64)) -> Self {
        let report = UnitReport {
            unit: unit.to_owned(),
            counted: Counted::default(),
            deleted: vec![0; usize::from(partitions)],
            bases: 0,
            positions: vec![0; usize::from(partitions)],
            epoch: 0,
            times: None,
            events: Vec::new(),
            damage: Vec::new(),
            damaged: 0,
            tail: None,
        };
        Self { report, partitions, streams: HashMap::new(), known: HashMap::new(), newest: 0, broken: false, passed }
    }

    /// What was found.
    pub fn report(mut self) -> UnitReport {
        self.report.counted.streams = self.streams.len() as u64;
        self.report.counted.open_asks = self.streams.values().filter(|(_, open)| *open).count() as u64;
        self.report.events.sort_by(|a, b| (&a.kind, &a.event, a.version).cmp(&(&b.kind, &b.event, b.version)));
        self.report
    }

    /// Whether it continues its partition and its stream.
    fn continues(&mut self, spot: Spot<'_>, record: &Glance<'_>) {
        let hash = record.hash();
        let place = Some((record.partition, record.position));
        if hash % u64::from(self.partitions) != u64::from(record.partition) {
            self.damage(spot, place, "the record is in another partition than its stream");
        }
        let last = self.report.positions.get(usize::from(record.partition)).copied().unwrap_or(0);
        if record.position != last + 1 && !self.broken {
            let what = format!("position {} of partition {} belongs here", last + 1, record.partition);
            self.damage(spot, place, &what);
        }
        if let Some(position) = self.report.positions.get_mut(usize::from(record.partition)) {
            *position = record.last_position();
        }
        let before = self.streams.insert(hash, (record.last_sequence(), record.open_asks)).map_or(0, |(last, _)| last);
        if record.expected != before && !self.broken {
            let what =
                format!("{}/{} is at {before}, and its next record says {}", record.kind, record.key, record.expected);
            self.damage(spot, place, &what);
        }
    }

    /// Where events like this one are counted. One often follows another of its kind, and comparing them is
    /// faster than looking for it.
    fn index_of(&self, kind: &str, event: &EventGlance<'_>) -> Option<usize> {
        let like =
            |known: &EventCount| (&*known.kind, &*known.event, known.version) == (kind, event.name, event.version);
        if self.report.events.get(self.newest).is_some_and(like) {
            return Some(self.newest);
        }
        let versions = self.known.get(kind)?.get(event.name)?;
        versions.iter().find(|(version, _)| *version == event.version).map(|(_, index)| *index)
    }

    fn count(&mut self, spot: Spot<'_>, record: &Glance<'_>) {
        let counted = &mut self.report.counted;
        counted.records += 1;
        counted.events += u64::from(record.count);
        counted.bytes += record.len() as u64;
        self.report.epoch = self.report.epoch.max(record.epoch);
        let (first, last) = self.report.times.unwrap_or((record.at_millis, record.at_millis));
        self.report.times = Some((first.min(record.at_millis), last.max(record.at_millis)));
        for (position, event) in (record.position..).zip(record.events()) {
            let index = self.index_of(record.kind, &event).unwrap_or(self.report.events.len());
            self.newest = index;
            if index == self.report.events.len() {
                let names = self.known.entry(record.kind.to_owned()).or_default();
                names.entry(event.name.to_owned()).or_default().push((event.version, index));
                self.report.events.push(EventCount {
                    kind: record.kind.to_owned(),
                    event: event.name.to_owned(),
                    version: event.version,
                    count: 0,
                    bytes: 0,
                    first: event.payload.to_vec(),
                    first_at: (spot.file.to_owned(), spot.at, record.partition, position),
                });
            }
            if let Some(counted) = self.report.events.get_mut(index) {
                counted.count += 1;
                counted.bytes += event.payload.len() as u64;
            }
        }
    }
}

impl Look for Verifier<'_> {
    fn record(&mut self, spot: Spot<'_>, record: &Glance<'_>) -> ControlFlow<()> {
        self.continues(spot, record);
        self.count(spot, record);
        ControlFlow::Continue(())
    }

    fn damage(&mut self, spot: Spot<'_>, record: Option<(u16, u64)>, what: &str) {
        self.broken = true;
        self.report.damaged += 1;
        if self.report.damage.len() < Self::MAX_DAMAGE {
            let (file, offset, what) = (spot.file.to_owned(), spot.at, what.to_owned());
            self.report.damage.push(Damage { file, offset, record, what });
        }
    }

    fn deleted(&mut self, positions: &[u64]) {
        for (partition, position) in positions.iter().enumerate() {
            for known in [&mut self.report.positions, &mut self.report.deleted] {
                if let Some(last) = known.get_mut(partition) {
                    *last = *position;
                }
            }
        }
    }

    fn base(&mut self, base: BaseGlance<'_>) {
        let hash = crate::persistence::journal::hash_of(base.kind, base.key);
        self.streams.insert(hash, (base.deleted, base.open_asks));
        self.report.bases += 1;
        self.report.epoch = self.report.epoch.max(base.epoch);
    }

    fn tail(&mut self, tail: TornTail) {
        self.report.tail = Some((tail.file, tail.at, tail.bytes));
    }

    fn passed(&mut self, bytes: u64) {
        (self.passed)(bytes);
    }
}

impl std::fmt::Debug for Verifier<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier").field("unit", &self.report.unit).finish_non_exhaustive()
    }
}
