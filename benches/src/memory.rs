//! Bytes of memory per idle entity, each subject in a process of its own.

use std::{path::Path, sync::Arc};

use anyhow::{Result, bail};
use steadfast::persistence::{StorageConfig, open};

use crate::{
    counter::{Counter, Counters, keys},
    machine::{resident, said_by},
    peers::{kameos, ractors},
    results::Results,
};

/// What is counted.
const ENTITIES: usize = 100_000;

/// Made before the counting begins, so that threads, caches and the feed's rings of newest events are there.
const BEFORE: usize = 20_000;

/// One round of each, from one process per subject. The state is no part of it.
pub(crate) fn measure_all(dir: &Path, results: &mut Results) -> Result<()> {
    let data = tempfile::tempdir_in(dir)?;
    let of = |name: &str| said_by(name, data.path());
    let (all, index) = (of("entities")?, of("index")?);
    let mut round = |subject: &str, bytes: f64| results.round("memory", subject, ENTITIES, &[("bytes", bytes)]);
    round("steadfast", all - index - size_of::<Counter>() as f64);
    round("steadfast, what the journal knows of it", index);
    round("ractor", of("ractor")? - size_of::<i64>() as f64);
    round("kameo", of("kameo")? - size_of::<i64>() as f64);
    Ok(())
}

/// Measures one subject and prints its bytes per entity. `index` reads the journal that `entities` wrote.
pub(crate) fn alone(name: &str, dir: &Path) -> Result<()> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let journal = dir.join("entities");
        let before;
        match name {
            "entities" => {
                let counters = Counters::on_disk(&journal).await?;
                counters.add_to_all(&Arc::new(keys(0..BEFORE)?)).await?;
                before = resident();
                // Their text is counted, with the journal's index; the table of them is gone again by then.
                let counted = Arc::new(keys(BEFORE..BEFORE + ENTITIES)?);
                counters.add_to_all(&counted).await?;
                drop(counted);
                report(before, resident());
                counters.stop().await;
            }
            "index" => {
                // What opening costs besides the streams is measured with an empty journal.
                let empty = open(&StorageConfig::new(dir.join("empty")))?;
                before = resident();
                let full = open(&StorageConfig::new(&journal))?;
                let opened = resident();
                let same = open(&StorageConfig::new(dir.join("empty-too")))?;
                // The journal has the streams that were made before the counting, too.
                let streams = (ENTITIES + BEFORE) as f64;
                let without = resident().saturating_sub(opened);
                println!("{}", opened.saturating_sub(before + without) as f64 / streams);
                drop((empty, full, same));
            }
            "ractor" => {
                let earlier = ractors(BEFORE).await?;
                before = resident();
                let actors = ractors(ENTITIES).await?;
                report(before, resident());
                drop((earlier, actors));
            }
            "kameo" => {
                let earlier = kameos(BEFORE).await?;
                before = resident();
                let actors = kameos(ENTITIES).await?;
                report(before, resident());
                drop((earlier, actors));
            }
            other => bail!("{other} is not measured"),
        }
        Ok(())
    })
}

fn report(before: u64, after: u64) {
    println!("{}", after.saturating_sub(before) as f64 / ENTITIES as f64);
}
