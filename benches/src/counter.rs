//! The entity that is measured: its rules cost next to nothing, its events have the size of small business events.

use std::{ops::Range, path::Path, sync::Arc};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use steadfast::{
    Command, CommandContext, Decision, DomainEvent, Effects, Entities, Entity, Key, Number, Service,
    ServiceDeclaration, SupervisionConfig, System, persist,
    persistence::{Storage, StorageConfig, open},
};

/// Counts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Counter {
    total: i64,
}

impl Counter {
    pub(crate) fn total(&self) -> i64 {
        self.total
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum CounterEvent {
    Added { amount: i64, total: i64, reason: String },
}

#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
#[error("nothing is refused")]
pub(crate) struct NeverRefused;

impl DomainEvent for CounterEvent {
    const PUBLIC: &'static [&'static str] = &["Added"];

    fn name(&self) -> &'static str {
        "Added"
    }
    fn on_bus(&self, _: Number) -> Map<String, Value> {
        Map::new()
    }
}

impl Entity for Counter {
    const KIND: &'static str = "bench.counter";
    const SNAPSHOT: u32 = 1;
    type Id = Key;
    type Event = CounterEvent;
    type Rejection = NeverRefused;
    const COMMANDS: &'static [&'static str] = &[Add::NAME, Look::NAME];
    fn evolve(&mut self, event: &CounterEvent) {
        let CounterEvent::Added { total, .. } = event;
        self.total = *total;
    }
}

/// Adds and writes one event, whose payload has 150 bytes and some more for its digits.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Add {
    pub(crate) amount: i64,
}

impl Command<Counter> for Add {
    const NAME: &'static str = "add";
    type Reply = i64;
    fn decide(self, counter: &Counter, _: &CommandContext) -> Decision<Counter, i64> {
        let reason =
            "a hundred bytes of text, as an address, a name or the lines of a small order would be in it. ....";
        let total = counter.total.wrapping_add(self.amount);
        Ok(persist([CounterEvent::Added { amount: self.amount, total, reason: reason.to_owned() }]).reply(total))
    }
}

/// Answers the total plus a number; writes nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Look {
    pub(crate) plus: i64,
}

impl Command<Counter> for Look {
    const NAME: &'static str = "look";
    type Reply = i64;
    fn decide(self, counter: &Counter, _: &CommandContext) -> Decision<Counter, i64> {
        Ok(Effects::reply(counter.total.wrapping_add(self.plus)))
    }
}

/// A running system with nothing but counters.
pub(crate) struct Counters {
    system: System,
    pub(crate) entities: Entities<Counter>,
}

impl Counters {
    /// With its journal in segments in `dir`.
    pub(crate) async fn on_disk(dir: &Path) -> Result<Self> {
        Self::start(open(&StorageConfig::new(dir))?).await
    }

    /// With its journal in memory.
    pub(crate) async fn in_memory() -> Result<Self> {
        Self::start(open(&StorageConfig::memory())?).await
    }

    pub(crate) async fn start(storage: Storage) -> Result<Self> {
        // The defaults, but that no entity leaves memory during a run, and one has room for 256 callers.
        let config = "[storage.unit]\n[entity]\npassivate_after = \"1h\"\nmax_live = 1000000\nmailbox = 256\n";
        let config = SupervisionConfig::parse(config, "bench")?;
        let service = Service::service("counter").entity::<Counter>();
        let system = System::builder(storage).supervision(config).service("bench", service).start().await?;
        Ok(Self { entities: system.entities(), system })
    }

    /// One event for each of `keys`, 64 at a time.
    pub(crate) async fn add_to_all(&self, keys: &Arc<Vec<Key>>) -> Result<()> {
        let mut tasks = tokio::task::JoinSet::new();
        for part in 0..64 {
            let (entities, keys) = (self.entities.clone(), keys.clone());
            tasks.spawn(async move {
                for key in keys.iter().skip(part).step_by(64) {
                    entities.ask(key, Add { amount: 1 }).await?;
                }
                anyhow::Ok(())
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended??;
        }
        Ok(())
    }

    /// Closes the storage, so that its directory may go.
    pub(crate) async fn stop(self) {
        self.system.shutdown(std::time::Duration::from_secs(10)).await;
    }
}

/// The keys of these counters, made beforehand so that making them is not measured.
pub(crate) fn keys(numbers: Range<usize>) -> Result<Vec<Key>> {
    numbers.map(|number| Ok(Key::new(format!("counter-{number}"))?)).collect()
}

/// The keys of counters that get more events than the others.
pub(crate) fn long_keys(count: usize) -> Result<Vec<Key>> {
    (0..count).map(|number| Ok(Key::new(format!("long-{number}"))?)).collect()
}

/// One of `from`, by a random number.
pub(crate) fn pick<T>(from: &[T], random: u64) -> Result<&T> {
    let at = usize::try_from(random).unwrap_or(usize::MAX).checked_rem(from.len());
    at.and_then(|at| from.get(at)).context("nothing to pick from")
}
