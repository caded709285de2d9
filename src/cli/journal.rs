//! `steadfast journal`: is the data whole, what is in it, and copies of it.

use std::{
    io::{self, BufWriter, Write},
    ops::ControlFlow,
    path::PathBuf,
};

use anyhow::anyhow;
use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::{Value, json};
use steadfast::{
    KindCode,
    persistence::{Backed, BackupError, DataDirectory, EventCount, Glance, Look, Spot, UnitReport, Verified, Verifier},
};

use super::{
    Exit,
    data::{self, Data, bar, moment, not_read, say_json},
    say,
};

#[derive(Debug, Subcommand)]
pub(super) enum Journal {
    /// Reads every checksum, and says file, offset and record of any damage. Ends with 3 when something is damaged, with
    /// 1 when there are events that this program cannot read.
    Verify(Whole),
    /// Counts what is there.
    Stats(Whole),
    /// Writes every event as a line of JSON, in the order of the journal.
    Dump(Dump),
    /// Copies all journals, also while a process runs on them.
    Backup(Backup),
    /// Brings a copy back, into a directory that is not there or empty.
    Restore(Restore),
}

#[derive(Debug, Args)]
pub(super) struct Whole {
    #[command(flatten)]
    data: Data,
}

#[derive(Debug, Args)]
pub(super) struct Dump {
    #[command(flatten)]
    data: Data,
    /// Only this storage unit.
    #[arg(long)]
    unit: Option<String>,
    /// Only entities of this kind.
    #[arg(long)]
    kind: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Backup {
    #[command(flatten)]
    data: Data,
    /// Where the copy goes: a directory that is not there or empty.
    to: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct Restore {
    /// The copy.
    from: PathBuf,
    #[command(flatten)]
    data: Data,
}

impl Journal {
    pub(super) fn run(self) -> Result<(), Exit> {
        match self {
            Self::Verify(whole) => verify(&whole.data),
            Self::Stats(whole) => stats(&whole.data),
            Self::Dump(which) => dump(&which),
            Self::Backup(Backup { data, to }) => {
                let found = data.find()?;
                let total = found.units.iter().map(|(unit, _)| found.bytes(unit)).sum();
                let progress = bar("copying".to_owned(), total);
                let backed = found.back_up(&to, &mut |bytes| progress.inc(bytes)).map_err(not_copied)?;
                progress.finish_and_clear();
                copied(&data, &backed, &format!("copied to {}", to.display()))
            }
            Self::Restore(Restore { from, data }) => {
                let progress = bar("restoring".to_owned(), 0);
                let restored = DataDirectory::restore(&from, &data.data, &mut |bytes| progress.inc(bytes));
                let restored = restored.map_err(not_copied)?;
                progress.finish_and_clear();
                copied(&data, &restored, &format!("restored to {}", data.data.display()))
            }
        }
    }
}

fn copied(data: &Data, backed: &Backed, what: &str) -> Result<(), Exit> {
    if data.json {
        return say_json(&json!({"files": backed.files(), "bytes": backed.bytes()}));
    }
    say(&format!("{} files, {} bytes {what}", backed.files(), backed.bytes()));
    Ok(())
}

fn not_copied(error: BackupError) -> Exit {
    match error {
        BackupError::NotEmpty { .. } | BackupError::NoBackup { .. } => Exit::Usage(error.into()),
        BackupError::Damaged { .. } => Exit::Damaged(error.into()),
        BackupError::Survey(error) => not_read(error),
        BackupError::Io { .. } | _ => Exit::Other(error.into()),
    }
}

/// Reads all units to their end.
fn read_all(data: &Data) -> Result<Verified, Exit> {
    let found = data.find()?;
    let mut units = Vec::new();
    for (unit, _) in &found.units {
        let progress = bar(unit.clone(), found.bytes(unit));
        let mut passed = |bytes| progress.inc(bytes);
        let mut verifier = Verifier::new(unit, found.partitions, &mut passed);
        found.look(unit, &mut verifier).map_err(not_read)?;
        units.push(verifier.report());
        progress.finish_and_clear();
    }
    Ok(Verified { units })
}

/// Events that no code here can read.
#[derive(Debug, Serialize)]
struct Unknown<'a> {
    unit: &'a str,
    #[serde(flatten)]
    events: &'a EventCount,
    why: String,
}

fn unknown<'a>(unit: &'a UnitReport, codes: &[KindCode]) -> Vec<Unknown<'a>> {
    let why = |events: &EventCount| match codes.iter().find(|code| code.kind() == events.kind) {
        None => Some(format!("no code here knows the kind {}", events.kind)),
        Some(code) => code.knows(&events.event, events.version, &events.first).err().map(|error| error.to_string()),
    };
    unit.events.iter().filter_map(|events| Some(Unknown { unit: &unit.unit, events, why: why(events)? })).collect()
}

fn verify(data: &Data) -> Result<(), Exit> {
    let verified = read_all(data)?;
    let codes = data::codes();
    let unknown: Vec<_> = verified.units.iter().flat_map(|unit| unknown(unit, &codes)).collect();
    if data.json {
        say_json(&json!({"whole": verified.is_whole(), "units": verified.units, "unknown": unknown}))?;
    } else {
        verified.units.iter().for_each(say_whole);
        for Unknown { unit, events, why } in &unknown {
            let (file, offset, partition, position) = &events.first_at;
            say(&format!(
                "{unit}: {} events that no code knows: {why}; the first: {} at byte {offset}, partition {partition}, position {position}",
                events.count,
                file.display()
            ));
        }
    }
    if let Some(first) = verified.units.iter().find_map(|unit| unit.damage.first()) {
        let (file, count) = (first.file.display(), verified.units.iter().map(|unit| unit.damaged).sum::<u64>());
        return Err(Exit::Damaged(anyhow!("{count} places are damaged; the first: {file} at byte {}", first.offset)));
    }
    match unknown.iter().map(|unknown| unknown.events.count).sum::<u64>() {
        0 => Ok(()),
        count => Err(Exit::Other(anyhow!("nothing is damaged, and this program cannot read {count} events"))),
    }
}

fn say_whole(unit: &UnitReport) {
    let counted = unit.counted;
    let state = if unit.damaged == 0 { "whole" } else { "DAMAGED" };
    say(&format!(
        "{}: {state}; {} events in {} records of {} entities, {} bytes",
        unit.unit, counted.events, counted.records, counted.streams, counted.bytes
    ));
    if unit.bases > 0 {
        let events: u64 = unit.deleted.iter().sum();
        say(&format!("  before them {events} events were deleted; {} entities have base records instead", unit.bases));
    }
    for damage in &unit.damage {
        let record = damage.record.map_or(String::new(), |(partition, position)| {
            format!(" (record at partition {partition}, position {position})")
        });
        say(&format!("  {} at byte {}{record}: {}", damage.file.display(), damage.offset, damage.what));
    }
    if let Some((file, at, bytes)) = &unit.tail {
        let file = file.display();
        say(&format!(
            "  {file} ends at byte {at}; {bytes} bytes behind it are no frame: being written, or never acknowledged"
        ));
    }
}

fn stats(data: &Data) -> Result<(), Exit> {
    let verified = read_all(data)?;
    if data.json {
        return say_json(&verified.units);
    }
    for unit in &verified.units {
        say_whole(unit);
        if let Some((first, last)) = unit.times {
            say(&format!("  from {} to {}, epoch {}", moment(first), moment(last), unit.epoch));
        }
        let positions: Vec<_> = unit.positions.iter().map(ToString::to_string).collect();
        say(&format!("  positions {}, {} entities with open asks", positions.join(" "), unit.counted.open_asks));
        for events in &unit.events {
            let EventCount { kind, event, version, count, bytes, .. } = events;
            say(&format!("  {count:>12} {bytes:>14} bytes  {kind} {event} v{version}"));
        }
    }
    Ok(())
}

fn dump(which: &Dump) -> Result<(), Exit> {
    let found = which.data.find()?;
    if let Some(unit) = which.unit.as_ref().filter(|unit| !found.units.iter().any(|(name, _)| name == *unit)) {
        return Err(Exit::Usage(anyhow!("there is no storage unit {unit} in {}", found.data.display())));
    }
    let mut lines = Lines {
        out: BufWriter::new(io::stdout().lock()),
        unit: String::new(),
        kind: which.kind.clone(),
        failed: None,
        damage: None,
    };
    for (unit, _) in found.units.iter().filter(|(unit, _)| which.unit.as_ref().is_none_or(|wanted| wanted == unit)) {
        lines.unit.clone_from(unit);
        found.look(unit, &mut lines).map_err(not_read)?;
    }
    let failed = lines.failed.or(lines.out.flush().err());
    match (failed, lines.damage) {
        // Whoever reads has seen enough.
        (Some(error), _) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        (Some(error), _) => Err(Exit::Other(error.into())),
        (None, Some(damage)) => Err(Exit::Damaged(anyhow!("what could be read was written; {damage}"))),
        (None, None) => Ok(()),
    }
}

/// Writes a line for each event.
struct Lines<W> {
    out: W,
    unit: String,
    kind: Option<String>,
    failed: Option<io::Error>,
    damage: Option<String>,
}

impl<W: Write> Look for Lines<W> {
    fn record(&mut self, _: Spot<'_>, record: &Glance<'_>) -> ControlFlow<()> {
        if self.kind.as_ref().is_some_and(|kind| !is_kind(record.kind, kind)) {
            return ControlFlow::Continue(());
        }
        for (index, event) in (0u64..).zip(record.events()) {
            let line = json!({
                "unit": self.unit, "partition": record.partition, "position": record.position + index,
                "kind": record.kind, "key": record.key, "number": record.number,
                "sequence": record.expected + 1 + index, "at": record.at_millis, "event": event.name,
                "version": event.version, "public": event.public, "command": format!("{:032x}", record.command),
                "fields": fields(event.payload),
            });
            if let Err(error) = writeln!(self.out, "{line}") {
                self.failed = Some(error);
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }

    fn damage(&mut self, spot: Spot<'_>, _: Option<(u16, u64)>, what: &str) {
        self.damage.get_or_insert_with(|| format!("{} is damaged at byte {}: {what}", spot.file.display(), spot.at));
    }
}

/// Whether `wanted` names this kind, in full or short.
pub(super) fn is_kind(kind: &str, wanted: &str) -> bool {
    kind == wanted || kind.split_once('.').is_some_and(|(_, short)| short == wanted)
}

/// An event's bytes as JSON; as text when they are none.
pub(super) fn fields(payload: &[u8]) -> Value {
    serde_json::from_slice(payload).unwrap_or_else(|_| String::from_utf8_lossy(payload).into_owned().into())
}
