//! One subject alone for some seconds, for a profiler to watch.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Result, bail};

use crate::{
    asks,
    counter::{Add, Counters, keys, pick},
    rounds::drive,
};

const TIME: Duration = Duration::from_secs(5);

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
