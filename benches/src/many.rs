//! One entity that everybody asks, a million that nobody does, and those that come back from the disk.

use std::{path::Path, sync::Arc, time::Instant};

use anyhow::{Context, Result, bail};
use tokio::task::JoinSet;

use crate::{
    counter::{Add, Counters, keys, pick},
    machine::{resident, said_by},
    results::Results,
    rounds::{Times, drive},
};

/// Entities beside the one that everybody asks.
const SOME: usize = 10_000;
/// Callers that ask for it.
const CROWDS: [usize; 2] = [64, 256];
/// Entities in memory at a time.
const MILLION: usize = 1_000_000;
/// How many of them are asked for after a start, each once.
const COLD: usize = 100_000;
/// Callers that ask for those.
const CALLERS: usize = 64;

/// The processes of this program that measure one thing each.
pub(crate) const FILLS: &str = "many-fill";
pub(crate) const WAKES: &str = "many-wake";

pub(crate) fn measure(dir: &Path, times: Times, results: &mut Results) -> Result<()> {
    runtime()?.block_on(crowd(dir, times, results))?;
    let data = tempfile::tempdir_in(dir)?;
    let bytes = said_by(FILLS, data.path())?;
    results.round("million", "steadfast", MILLION, &[("mib", bytes / f64::from(1 << 20))]);
    for _ in 0..times.rounds {
        results.round("cold", "steadfast", COLD, &[("rate", said_by(WAKES, data.path())?)]);
    }
    Ok(())
}

/// Durable commands a second to many entities at random, and all to one of them.
async fn crowd(dir: &Path, times: Times, results: &mut Results) -> Result<()> {
    let data = tempfile::tempdir_in(dir)?;
    let counters = Counters::on_disk(data.path()).await?;
    let all = Arc::new(keys(0..SOME)?);
    counters.add_to_all(&all).await?;
    let one = Arc::new(keys(0..1)?);
    for callers in CROWDS {
        for _ in 0..times.rounds {
            for (subject, keys) in [("steadfast", &all), ("steadfast, one entity", &one)] {
                let (entities, keys) = (counters.entities.clone(), keys.clone());
                let append = move |random| {
                    let (entities, keys) = (entities.clone(), keys.clone());
                    async move {
                        entities.ask(pick(&keys, random)?, Add { amount: 1 }).await?;
                        Ok(())
                    }
                };
                let rate = drive(callers, times.round / 2, append).await?;
                results.round("crowd", subject, callers, &[("rate", rate)]);
            }
        }
    }
    counters.stop().await;
    Ok(())
}

/// The child: makes them all, each with one event, and says the bytes of memory that the whole process has then.
pub(crate) fn fill(dir: &Path) -> Result<()> {
    runtime()?.block_on(async {
        let counters = Counters::on_disk(dir).await?;
        let all = Arc::new(keys(0..MILLION)?);
        counters.add_to_all(&all).await?;
        drop(all);
        println!("{}", resident());
        counters.stop().await;
        Ok(())
    })
}

/// The child: opens what `fill` has closed, has some of them answer for the first time, and says how many a second did.
pub(crate) fn wake(dir: &Path) -> Result<()> {
    runtime()?.block_on(async {
        let counters = Counters::on_disk(dir).await?;
        // Far from each other, as those that come back are.
        let asked: Vec<usize> = (0..COLD).map(|nth| nth * (MILLION / COLD)).collect();
        let keys = asked.iter().map(|number| keys(*number..number + 1)).collect::<Result<Vec<_>>>()?;
        let keys = Arc::new(keys.concat());
        let begun = Instant::now();
        let mut tasks = JoinSet::new();
        for caller in 0..CALLERS {
            let (entities, keys) = (counters.entities.clone(), keys.clone());
            tasks.spawn(async move {
                for key in keys.iter().skip(caller).step_by(CALLERS) {
                    let found = entities.get(key).await?.context("it was written")?;
                    if found.state.total() != 1 {
                        bail!("{key} has {} and not 1", found.state.total());
                    }
                }
                anyhow::Ok(())
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended??;
        }
        println!("{}", COLD as f64 / begun.elapsed().as_secs_f64());
        counters.stop().await;
        Ok(())
    })
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}
