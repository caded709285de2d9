//! One subject alone, for a profiler to watch: for some seconds, or for so many requests.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Result, bail};
use steadfast::{Entities, Key};

use crate::{
    asks,
    counter::{Add, Counter, Counters, Look, keys, pick},
    rounds::drive,
};

const TIME: Duration = Duration::from_secs(5);

/// Entities that requests are counted over: few, because all of them are brought into memory before.
const COUNTED: usize = 1_000;

/// Runs `what`: `look` and `get` over many entities with the journal in memory, `add` on segments in `dir`.
pub(crate) fn run(what: &str, dir: &Path) -> Result<()> {
    let rate = tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        match what {
            "look" | "get" => {
                let subject = asks::Resident::new(Counters::in_memory().await?).await?;
                if what == "look" { subject.look(TIME).await } else { subject.get(TIME).await }
            }
            "add" => {
                let data = tempfile::tempdir_in(dir)?;
                let counters = Counters::on_disk(data.path()).await?;
                let (to, ids) = (counters.entities.clone(), Arc::new(keys(0..10_000)?));
                let adding = move |random| {
                    let (to, ids) = (to.clone(), ids.clone());
                    async move { to.ask(pick(&ids, random)?, Add { amount: 1 }).await.map(drop).map_err(Into::into) }
                };
                let rate = drive(256, TIME, adding).await;
                counters.stop().await;
                rate
            }
            other => bail!("{other} is not profiled"),
        }
    })?;
    println!("{rate:.0} a second");
    Ok(())
}

/// `requests` of `what`, one after the other on one thread, for a profiler that counts instructions: two runs differ by
/// what their requests take, and by nothing else.
pub(crate) fn count(what: &str, dir: &Path, requests: usize) -> Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let (data, ids) = (tempfile::tempdir_in(dir)?, keys(0..COUNTED)?);
        let counters = match what {
            "look" | "get" => Counters::in_memory().await?,
            "add" => Counters::on_disk(data.path()).await?,
            other => bail!("{other} is not profiled"),
        };
        let to = counters.entities.clone();
        for key in &ids {
            to.ask(key, Add { amount: 1 }).await?;
        }
        each(&to, what, ids.iter().cycle().take(requests)).await?;
        counters.stop().await;
        Ok(())
    })
}

async fn each(to: &Entities<Counter>, what: &str, ids: impl Iterator<Item = &Key>) -> Result<()> {
    for key in ids {
        match what {
            "get" => drop(to.get(key).await?),
            "look" => drop(to.ask(key, Look { plus: 1 }).await?),
            _ => drop(to.ask(key, Add { amount: 1 }).await?),
        }
    }
    Ok(())
}
