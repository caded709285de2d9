//! A view rebuilt beside the rows in use, while these are read.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use steadfast::{
    Follows, Key, Recorded, Service, ServiceDeclaration, Sources, SupervisionConfig, System, View, Views,
    persistence::{StorageConfig, open},
};

use crate::{
    counter::{Counter, CounterEvent, keys},
    machine::resident,
    recovery,
    rounds::median,
    table,
};

const ROUNDS: usize = 3;

/// A row for each counter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Totals {
    total: i64,
    added: u64,
    last: String,
}

impl View for Totals {
    const NAME: &'static str = "bench.totals";
    const VERSION: u32 = 1;
    type Key = Key;
    fn sources() -> Sources<Self> {
        Sources::of::<Counter>()
    }
}

impl Follows<Counter> for Totals {
    fn key(event: &Recorded<Counter>) -> Option<Key> {
        Some(event.id.clone())
    }
    fn apply(row: &mut Option<Self>, event: &Recorded<Counter>) {
        let CounterEvent::Added { total, reason, .. } = &event.event;
        let row = row.get_or_insert_with(|| Self { total: 0, added: 0, last: String::new() });
        row.total = *total;
        row.added += 1;
        row.last.clone_from(reason);
    }
}

pub(crate) fn print(dir: &Path, events: usize) -> Result<()> {
    let data = tempfile::tempdir_in(dir)?;
    recovery::make(data.path(), events)?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let config = SupervisionConfig::parse("[storage.unit]\n", "bench")?;
        let service = Service::service("counter").entity::<Counter>().view::<Totals>();
        let storage = open(&StorageConfig::new(data.path()))?;
        let begun = Instant::now();
        let system = System::builder(storage).supervision(config).service("bench", service).start().await?;
        let views = system.views::<Totals>();
        while !views.catch_up(Duration::from_mins(1)).await? {}
        let first = begun.elapsed().as_secs_f64();
        let (mut building, mut whole, mut reads, mut slowest, mut memory) = (vec![], vec![], vec![], vec![], vec![]);
        let mut rows = 0;
        for _ in 0..ROUNDS {
            let before = resident();
            let rebuilt = rebuild(&system, &views, events).await?;
            building.push(events as f64 / rebuilt.building);
            whole.push(events as f64 / rebuilt.whole);
            reads.push(rebuilt.reads as f64 / rebuilt.whole);
            slowest.push(rebuilt.slowest);
            memory.push(rebuilt.memory.saturating_sub(before) as f64 / f64::from(1 << 20));
            rows = rebuilt.rows;
        }
        let row = |name: &str, rates: &[f64]| {
            vec![name.to_owned(), format!("**{}**", table::whole(median(rates.to_vec()))), table::range(rates)]
        };
        let table = [
            row("built: read, decoded, folded, written; events/s", &building),
            row("and compared and switched to; events/s", &whole),
            row("reads of the old rows meanwhile, one after the other; reads/s", &reads),
            row("the slowest of them; microseconds", &slowest),
            row("memory more than before; MiB", &memory),
            row("for comparison: followed as ever, from the first event on; events/s", &[events as f64 / first]),
        ];
        table::print(
            &format!("Rebuild of a view of {rows} rows from {events} events"),
            &["", "", "its rounds"],
            &table,
        );
        system.shutdown(Duration::from_secs(10)).await;
        Ok(())
    })
}

struct Rebuilt {
    /// Seconds.
    building: f64,
    whole: f64,
    rows: u64,
    reads: u64,
    /// Microseconds.
    slowest: f64,
    /// The most that was seen.
    memory: u64,
}

async fn rebuild(system: &System, views: &Views<Totals>, events: usize) -> Result<Rebuilt> {
    let done = Arc::new(AtomicBool::new(false));
    let reading = tokio::spawn(read(views.clone(), done.clone()));
    let begun = Instant::now();
    system.rebuild_view("bench", "totals")?;
    let (mut building, mut memory) = (None, 0);
    let status = loop {
        tokio::time::sleep(Duration::from_millis(5)).await;
        memory = memory.max(resident());
        let status = system.view_rebuild("bench", "totals")?.context("it was asked for")?;
        if status.state != steadfast::RebuildState::Building && status.state != steadfast::RebuildState::Waiting {
            building.get_or_insert(begun.elapsed().as_secs_f64());
        }
        if !status.is_running() {
            break status;
        }
    };
    let whole = begun.elapsed().as_secs_f64();
    done.store(true, Ordering::Relaxed);
    let (reads, slowest) = reading.await??;
    if let Some(why) = &status.error {
        bail!("{why}");
    }
    if status.differences() > 0 || status.events != events as u64 {
        bail!("{status:?}");
    }
    Ok(Rebuilt { building: building.unwrap_or(whole), whole, rows: status.rows, reads, slowest, memory })
}

/// Reads rows at random; how many, and the slowest in microseconds.
async fn read(views: Views<Totals>, done: Arc<AtomicBool>) -> Result<(u64, f64)> {
    let keys = keys(0..1_000)?;
    let mut random = fastrand::Rng::with_seed(1);
    let (mut reads, mut slowest) = (0, 0.0_f64);
    while !done.load(Ordering::Relaxed) {
        let key = keys.get(random.usize(..keys.len())).context("a key")?;
        let begun = Instant::now();
        let row = views.get(key).await?.context("its row")?;
        slowest = slowest.max(begun.elapsed().as_secs_f64() * 1e6);
        if row.added == 0 {
            bail!("{key} has a row that stands for nothing");
        }
        reads += 1;
    }
    Ok((reads, slowest))
}
