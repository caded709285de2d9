//! Durable appends a second through the runtime, against the floor that the disk and tokio set.

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Result;

use crate::{
    counter::{Add, Counters, keys, pick},
    floor::Floor,
    machine::processor_seconds,
    rounds::{ROUNDS, drive, median},
    table,
};

/// Entities that the appends go to.
const ENTITIES: usize = 10_000;

pub(crate) fn print(dir: &Path, quick: bool) -> Result<()> {
    let time = Duration::from_millis(if quick { 700 } else { 2_500 });
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let data = tempfile::tempdir_in(dir)?;
        let runtime = Runtime::start(&data.path().join("runtime")).await?;
        let record = runtime.warm_up().await?;
        let mut rows = Vec::new();
        for callers in [64, 256] {
            let floor = Arc::new(Floor::new(&data.path().join(format!("floor-{callers}")), record)?);
            let (mut ours, mut theirs, mut spent) = (Vec::new(), Vec::new(), Vec::new());
            for _ in 0..ROUNDS {
                let (before, begun) = (processor_seconds(), Instant::now());
                let rate = runtime.round(callers, time).await?;
                spent.push((processor_seconds() - before) * 1e6 / (rate * begun.elapsed().as_secs_f64()));
                ours.push(rate);
                let appender = floor.clone();
                let append = move |_| {
                    let floor = appender.clone();
                    async move { floor.append().await }
                };
                theirs.push(drive(callers, time, append).await?);
            }
            Arc::into_inner(floor).map(Floor::close).transpose()?;
            rows.push(vec![
                format!("{callers}"),
                table::ratio(median(ours.clone()) / median(theirs.clone())),
                table::whole(median(ours.clone())),
                table::range(&ours),
                format!("{:.1}", median(spent)),
                table::whole(median(theirs.clone())),
                table::range(&theirs),
            ]);
        }
        runtime.counters.stop().await;
        let title = format!("Durable appends, {record} bytes each, {ENTITIES} entities");
        let head =
            ["callers", "ratio", "runtime, appends/s", "its rounds", "write + fdatasync, appends/s", "its rounds"];
        table::print(&title, &head, &rows);
        Ok(())
    })
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
