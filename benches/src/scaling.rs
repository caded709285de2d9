//! What a command costs as there are more entities, as each has more events, and as its value is larger: in process, on
//! segments, with 64 callers.

use std::{path::Path, sync::Arc, time::Instant};

use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use steadfast::{
    Command, CommandContext, Decision, DomainEvent, Entities, Entity, Key, Number, Service, ServiceDeclaration,
    SupervisionConfig, System, persist,
    persistence::{StorageConfig, open},
};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::{
    counter::pick,
    machine::processor_seconds,
    results::Results,
    rounds::{Figures, Times, drive},
};

const CALLERS: usize = 64;
/// Bytes of a value where something else varies.
const VALUE: usize = 100;
const ENTITIES: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];
/// Events that each of [`LONG`] entities has.
const EVENTS: [usize; 4] = [10, 100, 1_000, 10_000];
/// Entities that have so many events.
const LONG: usize = 100;
/// All callers together stay far below the 64 MiB of commands that a service lets wait.
const VALUES: [usize; 4] = [100, 1_000, 10_000, 100_000];
/// Entities that large values are written to.
const FEW: usize = 1_000;

/// A note, of which an entity keeps how long it was.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Note {
    length: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum NoteEvent {
    Written { text: String },
}

#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
#[error("nothing is refused")]
struct NeverRefused;

impl DomainEvent for NoteEvent {
    const PUBLIC: &'static [&'static str] = &[];

    fn name(&self) -> &'static str {
        "Written"
    }
    fn on_bus(&self, _: Number) -> Map<String, Value> {
        Map::new()
    }
}

impl Entity for Note {
    const KIND: &'static str = "bench.note";
    const SNAPSHOT: u32 = 1;
    type Id = Key;
    type Event = NoteEvent;
    type Rejection = NeverRefused;
    const COMMANDS: &'static [&'static str] = &[Write::NAME];
    fn evolve(&mut self, NoteEvent::Written { text }: &NoteEvent) {
        self.length = text.len();
    }
}

/// Writes one event of that text.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Write {
    text: String,
}

impl Command<Note> for Write {
    const NAME: &'static str = "write";
    type Reply = usize;
    fn decide(self, _: &Note, _: &CommandContext) -> Decision<Note, usize> {
        Ok(persist([NoteEvent::Written { text: self.text }]).reply_with(|note: &Note| note.length))
    }
}

/// A running system with so many notes, in a directory of its own.
struct Notes {
    system: System,
    entities: Entities<Note>,
    keys: Arc<Vec<Key>>,
    directory: TempDir,
}

impl Notes {
    async fn start(directory: TempDir, count: usize) -> Result<Self> {
        // The defaults, but that no entity leaves memory during a run.
        let config = "[storage.unit]\n[entity]\npassivate_after = \"1h\"\nmax_live = 2000000\n";
        let service = Service::service("note").entity::<Note>();
        let storage = open(&StorageConfig::new(directory.path()))?;
        let config = SupervisionConfig::parse(config, "bench")?;
        let system = System::builder(storage).supervision(config).service("bench", service).start().await?;
        let keys = (0..count).map(|number| Ok(Key::new(format!("note-{number}"))?)).collect::<Result<Vec<_>>>()?;
        Ok(Self { entities: system.entities(), system, keys: Arc::new(keys), directory })
    }

    /// `events` of each.
    async fn fill(&self, events: usize) -> Result<()> {
        let mut tasks = JoinSet::new();
        for part in 0..CALLERS {
            let (entities, keys) = (self.entities.clone(), self.keys.clone());
            tasks.spawn(async move {
                for _ in 0..events {
                    for key in keys.iter().skip(part).step_by(CALLERS) {
                        entities.ask(key, Write { text: text(VALUE) }).await?;
                    }
                }
                anyhow::Ok(())
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended??;
        }
        Ok(())
    }

    /// Commands a second to all of them at random, and what one costs.
    async fn round(&self, value: usize, times: Times) -> Result<Figures> {
        let (entities, keys, written) = (self.entities.clone(), self.keys.clone(), Arc::new(text(value)));
        let writing = move |random| {
            let (entities, keys, text) = (entities.clone(), keys.clone(), written.to_string());
            async move { entities.ask(pick(&keys, random)?, Write { text }).await.map(drop).map_err(Into::into) }
        };
        let (before, begun) = (processor_seconds(), Instant::now());
        let rate = drive(CALLERS, times.round / 2, writing).await?;
        let commands = rate * begun.elapsed().as_secs_f64();
        let cpu_us = (processor_seconds() - before) * 1e6 / commands;
        Ok(vec![("rate", rate), ("cpu_us", cpu_us), ("mb_s", rate * value as f64 / 1e6)])
    }

    /// Ends it and starts it again on the same directory.
    async fn again(self) -> Result<Self> {
        let count = self.keys.len();
        let directory = self.stop().await;
        Self::start(directory, count).await
    }

    async fn stop(self) -> TempDir {
        self.system.shutdown(std::time::Duration::from_secs(30)).await;
        self.directory
    }
}

fn text(length: usize) -> String {
    "x".repeat(length)
}

/// The three curves.
pub(crate) fn measure(dir: &Path, times: Times, results: &mut Results) -> Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        // Quick ones leave out the last point, which takes long to prepare.
        let points = |all: &'static [usize]| all.get(..all.len() - usize::from(times.quick)).unwrap_or(all);
        entities(dir, times, points(&ENTITIES), results).await?;
        events(dir, times, points(&EVENTS), results).await?;
        values(dir, times, &VALUES, results).await
    })
}

async fn entities(dir: &Path, times: Times, points: &[usize], results: &mut Results) -> Result<()> {
    let mut systems = Vec::new();
    for count in points {
        let notes = Notes::start(tempfile::tempdir_in(dir)?, *count).await?;
        notes.fill(1).await?;
        systems.push(notes);
    }
    for _ in 0..times.rounds {
        for notes in &systems {
            results.round("entities", "steadfast", notes.keys.len(), &notes.round(VALUE, times).await?);
        }
    }
    for notes in systems {
        notes.stop().await;
    }
    Ok(())
}

async fn events(dir: &Path, times: Times, points: &[usize], results: &mut Results) -> Result<()> {
    for count in points {
        let mut notes = Notes::start(tempfile::tempdir_in(dir)?, LONG).await?;
        notes.fill(*count).await?;
        for _ in 0..times.rounds {
            // What an entity answers first after a start is replayed from its snapshot and the events since.
            notes = notes.again().await?;
            let begun = Instant::now();
            for key in notes.keys.iter() {
                notes.entities.get(key).await?;
            }
            let first_us = begun.elapsed().as_secs_f64() * 1e6 / LONG as f64;
            let mut figures = notes.round(VALUE, times).await?;
            figures.push(("first_us", first_us));
            results.round("events", "steadfast", *count, &figures);
        }
        notes.stop().await;
    }
    Ok(())
}

async fn values(dir: &Path, times: Times, points: &[usize], results: &mut Results) -> Result<()> {
    for value in points {
        let notes = Notes::start(tempfile::tempdir_in(dir)?, FEW).await?;
        notes.fill(1).await?;
        for _ in 0..times.rounds {
            results.round("values", "steadfast", *value, &notes.round(*value, times).await?);
        }
        notes.stop().await;
    }
    Ok(())
}
