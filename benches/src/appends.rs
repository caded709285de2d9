//! Durable appends a second through the runtime, against the floor that the disk and tokio set, and against stores.

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Result;

use crate::{
    counter::{Add, Counters, keys, pick},
    floor::{BareFile, Grouped},
    machine::processor_seconds,
    rounds::{ROUNDS, drive, median},
    stores::{Fjall, Redb, SledAlone},
    table,
};

/// Entities that the appends go to.
const ENTITIES: usize = 10_000;

/// Callers that wait at a time.
const CALLERS: [usize; 4] = [1, 16, 64, 256];

/// What else makes records durable, the bare loop first.
const OTHERS: [&str; 4] = ["bare loop", "sled", "fjall", "redb"];

pub(crate) fn print(dir: &Path, quick: bool) -> Result<()> {
    let time = Duration::from_millis(if quick { 700 } else { 2_500 });
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let data = tempfile::tempdir_in(dir)?;
        let runtime = Runtime::start(&data.path().join("runtime")).await?;
        let record = runtime.warm_up().await?;
        let mut rows = Vec::new();
        for callers in CALLERS {
            let place = tempfile::tempdir_in(dir)?;
            let others = others(place.path(), record)?;
            let (mut ours, mut theirs, mut spent) = (Vec::new(), vec![Vec::new(); others.len()], Vec::new());
            for _ in 0..ROUNDS {
                let (before, begun) = (processor_seconds(), Instant::now());
                let rate = runtime.round(callers, time).await?;
                spent.push((processor_seconds() - before) * 1e6 / (rate * begun.elapsed().as_secs_f64()));
                ours.push(rate);
                for (other, rates) in others.iter().zip(&mut theirs) {
                    let other = other.clone();
                    let append = move |_| {
                        let other = other.clone();
                        async move { other.append().await }
                    };
                    rates.push(drive(callers, time, append).await?);
                }
            }
            for other in others {
                Arc::into_inner(other).map(Grouped::close).transpose()?;
            }
            let rate = median(ours.clone());
            rows.push(vec![
                format!("{callers}"),
                "**steadfast**".to_owned(),
                String::new(),
                table::whole(rate),
                table::range(&ours),
                format!("{:.1}", median(spent)),
            ]);
            for (name, rates) in OTHERS.iter().zip(theirs) {
                let ratio = table::ratio(rate / median(rates.clone()));
                let (middle, range) = (table::whole(median(rates.clone())), table::range(&rates));
                rows.push(vec![format!("{callers}"), (*name).to_owned(), ratio, middle, range, String::new()]);
            }
        }
        runtime.counters.stop().await;
        let title = format!("Durable appends, {record} bytes each, {ENTITIES} entities");
        let head = ["callers", "", "steadfast to it", "appends/s", "its rounds", "CPU \u{b5}s/append"];
        table::print(&title, &head, &rows);
        Ok(())
    })
}

/// Each of [`OTHERS`], with a place of its own below `place`.
fn others(place: &Path, record: usize) -> Result<Vec<Arc<Grouped>>> {
    Ok(vec![
        Arc::new(Grouped::new(BareFile::new(&place.join("bare"))?, record)),
        Arc::new(Grouped::new(SledAlone::new(&place.join("sled"))?, record)),
        Arc::new(Grouped::new(Fjall::new(&place.join("fjall"))?, record)),
        Arc::new(Grouped::new(Redb::new(&place.join("redb"))?, record)),
    ])
}

/// The runtime on its segments.
struct Runtime {
    counters: Counters,
    keys: Arc<Vec<steadfast::Key>>,
    journal: std::path::PathBuf,
}

impl Runtime {
    async fn start(dir: &Path) -> Result<Self> {
        let counters = Counters::on_disk(dir).await?;
        Ok(Self { counters, keys: Arc::new(keys(0..ENTITIES)?), journal: dir.join("main").join("journal") })
    }

    /// Brings every entity into memory; bytes on disk per append, frames and all.
    async fn warm_up(&self) -> Result<usize> {
        self.counters.add_to_all(&self.keys).await?;
        Ok(written(&self.journal)? / ENTITIES)
    }

    async fn round(&self, callers: usize, time: Duration) -> Result<f64> {
        let (entities, keys) = (self.counters.entities.clone(), self.keys.clone());
        let append = move |random| {
            let (entities, keys) = (entities.clone(), keys.clone());
            async move {
                entities.ask(pick(&keys, random)?, Add { amount: 1 }).await?;
                Ok(())
            }
        };
        drive(callers, time, append).await
    }
}

/// Bytes of the segments up to the last that is not zero: what is after it was only taken beforehand.
fn written(journal: &Path) -> Result<usize> {
    let mut bytes = 0;
    for entry in fs::read_dir(journal)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "seg") {
            let content = fs::read(path)?;
            bytes += content.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        }
    }
    Ok(bytes)
}
