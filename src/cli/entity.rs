//! `steadfast entity`: one entity as the journal has it, also while a process runs.

use std::ops::ControlFlow;

use anyhow::anyhow;
use clap::{Args, Subcommand};
use steadfast::{
    EntityEvent, KindCode, Number, PastState, Timestamp,
    persistence::{BaseGlance, Glance, Look, Record, Spot},
};

use super::{
    Exit,
    data::{self, Data, bar, moment, not_read, say_json},
    journal::is_kind,
    say,
};

#[derive(Debug, Subcommand)]
pub(super) enum Entity {
    /// Its state after its last event.
    Show(Which),
    /// Its events.
    History(Which),
    /// Its state after the event with a sequence.
    At(At),
}

#[derive(Debug, Args)]
pub(super) struct Which {
    /// Its kind, as `store.order`, or `order` when only one system has that.
    kind: String,
    /// Its public number, or its key.
    id: String,
    #[command(flatten)]
    data: Data,
}

#[derive(Debug, Args)]
pub(super) struct At {
    #[command(flatten)]
    which: Which,
    /// The sequence of the event, counted from 1.
    #[arg(long)]
    sequence: u64,
}

impl Entity {
    pub(super) fn run(self) -> Result<(), Exit> {
        match self {
            Self::Show(which) => {
                let (code, found) = which.find()?;
                found.whole()?;
                let last = found.records.last().map_or(0, Record::last_sequence);
                state(&which, code, &found, last)
            }
            Self::At(At { which, sequence }) => {
                let (code, found) = which.find()?;
                found.whole()?;
                let last = found.records.last().map_or(0, Record::last_sequence);
                if !(1..=last).contains(&sequence) {
                    return Err(Exit::Usage(anyhow!("its events have the sequences 1 to {last}, not {sequence}")));
                }
                state(&which, code, &found, sequence)
            }
            Self::History(which) => {
                let (_, found) = which.find()?;
                history(&which, &found)
            }
        }
    }
}

/// All records of one stream.
struct Found {
    kind: &'static str,
    key: String,
    unit: String,
    /// Sequence of its last deleted event; 0 when none was deleted.
    deleted: u64,
    records: Vec<Record>,
}

impl Found {
    /// Whether all of its events are there.
    fn whole(&self) -> Result<(), Exit> {
        if self.deleted == 0 {
            return Ok(());
        }
        let (kind, key, deleted) = (self.kind, &self.key, self.deleted);
        Err(Exit::Other(anyhow!(
            "the events of {kind}/{key} up to {deleted} were deleted, so that its state cannot be folded from the rest: \
             ask a running system (GET /admin/entities/{{kind}}/{{id}})"
        )))
    }
}

/// Looks for streams with this id.
struct Search<'a> {
    id: &'a str,
    number: Option<u64>,
    kinds: Vec<&'static str>,
    unit: String,
    found: Vec<Found>,
    damage: Option<String>,
}

impl Look for Search<'_> {
    fn record(&mut self, _: Spot<'_>, record: &Glance<'_>) -> ControlFlow<()> {
        let Some(kind) = self.kinds.iter().find(|kind| **kind == record.kind) else {
            return ControlFlow::Continue(());
        };
        let known = self.found.iter_mut().find(|found| found.kind == *kind && found.key == record.key);
        if let Some(found) = known {
            found.records.push(record.record());
        } else if record.key == self.id || (record.number != 0 && self.number == Some(record.number)) {
            let (key, unit) = (record.key.to_owned(), self.unit.clone());
            self.found.push(Found { kind, key, unit, deleted: 0, records: vec![record.record()] });
        }
        ControlFlow::Continue(())
    }

    fn base(&mut self, base: BaseGlance<'_>) {
        let Some(kind) = self.kinds.iter().find(|kind| **kind == base.kind) else { return };
        if base.key == self.id || (base.number != 0 && self.number == Some(base.number)) {
            let (key, unit) = (base.key.to_owned(), self.unit.clone());
            self.found.push(Found { kind, key, unit, deleted: base.deleted, records: Vec::new() });
        }
    }

    fn damage(&mut self, spot: Spot<'_>, _: Option<(u16, u64)>, what: &str) {
        self.damage.get_or_insert_with(|| format!("{} is damaged at byte {}: {what}", spot.file.display(), spot.at));
    }
}

impl Which {
    fn find(&self) -> Result<(KindCode, Found), Exit> {
        let directory = self.data.find()?;
        let codes = data::codes();
        let named: Vec<_> = codes.into_iter().filter(|code| is_kind(code.kind(), &self.kind)).collect();
        if named.is_empty() {
            return Err(Exit::Usage(anyhow!("there is no kind {}", self.kind)));
        }
        let mut search = Search {
            id: &self.id,
            number: self.id.parse().ok(),
            kinds: named.iter().map(KindCode::kind).collect(),
            unit: String::new(),
            found: Vec::new(),
            damage: None,
        };
        for (unit, _) in &directory.units {
            let progress = bar(unit.clone(), directory.bytes(unit));
            search.unit.clone_from(unit);
            directory.look(unit, &mut search).map_err(not_read)?;
            progress.finish_and_clear();
        }
        if let Some(damage) = &search.damage {
            return Err(Exit::Damaged(anyhow!("what is left does not tell all of it: {damage}")));
        }
        let kinds = search.kinds.join(" or ");
        let mut found = search.found.into_iter();
        match (found.next(), found.next()) {
            (None, _) => Err(Exit::Usage(anyhow!("there is no {kinds} {} in {}", self.id, directory.data.display()))),
            (Some(one), None) => {
                let code = named.into_iter().find(|code| code.kind() == one.kind).expect("found by its kind");
                Ok((code, one))
            }
            (Some(one), Some(other)) => Err(Exit::Usage(anyhow!(
                "{} {} is {}/{} or {}/{}: say which",
                self.kind,
                self.id,
                one.kind,
                one.key,
                other.kind,
                other.key
            ))),
        }
    }
}

fn state(which: &Which, code: KindCode, found: &Found, sequence: u64) -> Result<(), Exit> {
    let state = code.state(&found.records, sequence).map_err(|what| Exit::Other(anyhow!("{what}")))?;
    let number = Number::new(found.records.last().map_or(0, |record| record.append.number));
    let of = |record: &&Record| record.last_sequence() >= sequence;
    let at = found.records.iter().find(of).map(|record| Timestamp::from_millis(record.append.at_millis));
    let Found { kind, key, unit, .. } = found;
    if which.data.json {
        return say_json(&PastState { kind, key: key.clone(), number, unit: unit.clone(), sequence, at, state });
    }
    let at = moment(at.unwrap_or_default().as_millis());
    say(&format!("{kind} {number} ({key}) in {unit}, after event {sequence} of {at}"));
    say_json(&state)
}

fn history(which: &Which, found: &Found) -> Result<(), Exit> {
    let events = found.records.iter().flat_map(|record| EntityEvent::of(&found.unit, record));
    if which.data.json {
        return say_json(&events.collect::<Vec<_>>());
    }
    if found.deleted > 0 {
        say(&format!("  the events up to {} were deleted", found.deleted));
    }
    for EntityEvent { sequence, at, event, version, fields, .. } in events {
        say(&format!("{sequence:>6}  {}  {event} v{version}  {fields}", moment(at.as_millis())));
    }
    Ok(())
}
