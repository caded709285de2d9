//! Durable appends a second, through the runtime and by the journal alone, against the floor that the disk and tokio set,
//! and against stores.

use std::{fs, path::Path, sync::Arc, time::Instant};

use anyhow::Result;

use crate::{
    counter::{Add, Counters, keys, pick},
    floor::{BareFile, Grouped},
    journal::Alone,
    machine::processor_seconds,
    results::Results,
    rounds::{Figures, Times, drive},
    stores::{Fjall, Redb, SledAlone},
};

/// Entities that the appends go to.
const ENTITIES: usize = 10_000;

/// Callers that wait at a time.
const CALLERS: [usize; 4] = [1, 16, 64, 256];

/// What else makes records durable, the bare loop first.
const OTHERS: [&str; 4] = ["bare loop", "sled", "fjall", "redb"];

pub(crate) fn measure(dir: &Path, times: Times, results: &mut Results) -> Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let data = tempfile::tempdir_in(dir)?;
        let runtime = Runtime::start(&data.path().join("runtime")).await?;
        let record = runtime.warm_up().await?;
        for callers in CALLERS {
            let place = tempfile::tempdir_in(dir)?;
            let journal = Arc::new(Alone::new(&place.path().join("journal"), ENTITIES)?);
            let others = others(place.path(), record)?;
            for _ in 0..times.rounds {
                results.round("appends", "steadfast", callers, &runtime.round(callers, record, times).await?);
                let rate = drive(callers, times.round / 2, {
                    let journal = journal.clone();
                    move |random| {
                        let journal = journal.clone();
                        async move { journal.append(random).await }
                    }
                });
                results.round("appends", "steadfast, journal alone", callers, &[("rate", rate.await?)]);
                for (name, other) in OTHERS.iter().zip(&others) {
                    let other = other.clone();
                    let append = move |_| {
                        let other = other.clone();
                        async move { other.append().await }
                    };
                    let rate = drive(callers, times.round / 2, append).await?;
                    results.round("appends", name, callers, &[("rate", rate)]);
                }
            }
            if let Some(journal) = Arc::into_inner(journal) {
                journal.close();
            }
            for other in others {
                Arc::into_inner(other).map(Grouped::close).transpose()?;
            }
        }
        runtime.counters.stop().await;
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

    /// Appends a second, and what one takes of the processor and on the disk.
    async fn round(&self, callers: usize, record: usize, times: Times) -> Result<Figures> {
        let (entities, keys) = (self.counters.entities.clone(), self.keys.clone());
        let append = move |random| {
            let (entities, keys) = (entities.clone(), keys.clone());
            async move {
                entities.ask(pick(&keys, random)?, Add { amount: 1 }).await?;
                Ok(())
            }
        };
        let (before, begun) = (processor_seconds(), Instant::now());
        let rate = drive(callers, times.round / 2, append).await?;
        let cpu_us = (processor_seconds() - before) * 1e6 / (rate * begun.elapsed().as_secs_f64());
        Ok(vec![("rate", rate), ("cpu_us", cpu_us), ("bytes", record as f64)])
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
