//! From the start of a process that was killed to the first answer, and one entity from warm cache.
//!
//! The journal is written by a process that is killed by SIGKILL when all is acknowledged; each opening is a process of
//! its own, killed likewise. So nothing was ever closed, and what is saved of stream heads is what a kill leaves.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Instant,
};

use anyhow::{Context, Result, bail};
use steadfast::{
    Key,
    persistence::{StorageConfig, open},
};
use tokio::task::JoinSet;

use crate::{
    counter::{Add, Counters, keys, long_keys},
    machine::{processor_seconds, resident},
    rounds::median,
    table,
};

/// Openings of each kind.
const ROUNDS: usize = 3;

/// Events of most entities.
const EACH: usize = 10;

/// Entities whose recovery is timed, and their events: one less than what makes a snapshot, so that all are replayed.
const LONG: usize = 100;
const LONG_EVENTS: usize = 99;

/// Callers that write the journal.
const WRITERS: usize = 256;

/// Writes a journal of `events` events to `data`, and kills the writer.
pub(crate) fn make(data: &Path, events: usize) -> Result<()> {
    let filled = alone("fill", data, events)?;
    eprintln!("filled: {}", filled.join(" "));
    Ok(())
}

pub(crate) fn print(dir: &Path, events: usize) -> Result<()> {
    let data = tempfile::tempdir_in(dir)?;
    make(data.path(), events)?;
    let mut rows = Vec::new();
    for (name, with_heads) in [("saved heads as the kill left them", true), ("no saved heads, no snapshots", false)] {
        let mut measured: Vec<Vec<f64>> = Vec::new();
        for _ in 0..ROUNDS {
            if !with_heads {
                let unit = data.path().join("main");
                let heads = unit.join("journal").join("heads");
                if heads.try_exists()? {
                    std::fs::remove_file(heads)?;
                }
                std::fs::remove_dir_all(unit.join("sled"))?;
            }
            let words = alone("start", data.path(), events)?;
            measured.push(words.iter().map(|word| word.parse().context("a number")).collect::<Result<_>>()?);
        }
        let column = |at: usize| measured.iter().filter_map(|row| row.get(at).copied()).collect::<Vec<_>>();
        let [ready, opened, processor, memory, middle, slowest] = [0, 1, 2, 3, 4, 5].map(|at| median(column(at)));
        rows.push(vec![
            name.to_owned(),
            format!("**{ready:.2} s**"),
            table::seconds(&column(0)),
            format!("{opened:.2} s"),
            format!("{processor:.2} s"),
            format!("{:.0} MiB", memory / f64::from(1 << 20)),
            format!("{middle:.3} ms"),
            format!("{slowest:.3} ms"),
        ]);
    }
    let title = format!("Ready after kill -9, {events} events, files cached");
    let long = format!("one entity of {LONG_EVENTS} events, middle of {LONG}");
    let head =
        ["", "ready", "its rounds", "of which storage", "processor time", "memory", long.as_str(), "the slowest"];
    table::print(&title, &head, &rows);
    Ok(())
}

/// What a process of its own says before it is killed.
pub(crate) fn alone(what: &str, data: &Path, events: usize) -> Result<Vec<String>> {
    let mut child = Killed(
        Command::new(std::env::current_exe()?)
            .args(["--of", what, "--events", &events.to_string(), "--dir"])
            .arg(data)
            .stdout(Stdio::piped())
            .spawn()?,
    );
    let mut line = String::new();
    BufReader::new(child.0.stdout.take().context("its output is piped")?).read_line(&mut line)?;
    if line.is_empty() {
        bail!("{what} said nothing and ended with {}", child.0.wait()?);
    }
    Ok(line.split_whitespace().map(ToOwned::to_owned).collect())
}

/// A process that ends by SIGKILL.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// The child: writes `events` events, says so, and waits to be killed.
pub(crate) fn fill(data: &Path, events: usize) -> Result<()> {
    runtime()?.block_on(async {
        let counters = Counters::on_disk(data).await?;
        let begun = Instant::now();
        let streams = Arc::new(keys(0..(events - LONG * LONG_EVENTS) / EACH)?);
        let long = Arc::new(long_keys(LONG)?);
        // Long entities in between, so that their events lie far from each other.
        let mut tasks = JoinSet::new();
        for writer in 0..WRITERS {
            let (counters, streams, long) = (counters.entities.clone(), streams.clone(), long.clone());
            tasks.spawn(async move {
                let own = |keys: &[Key], at: usize| keys.iter().skip(at).step_by(WRITERS).cloned().collect::<Vec<_>>();
                let (short, long) = (own(&streams, writer), own(&long, writer));
                let steps = EACH * short.len();
                let every = (steps / LONG_EVENTS).max(1);
                let mut left = LONG_EVENTS;
                for step in 0..steps {
                    let Some(key) = short.get(step % short.len()) else { break };
                    counters.ask(key, Add { amount: 1 }).await?;
                    if step % every == 0 && left > 0 {
                        left -= 1;
                        for key in &long {
                            counters.ask(key, Add { amount: 1 }).await?;
                        }
                    }
                }
                anyhow::Ok(())
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended??;
        }
        println!("{events} events in {:.1} s", begun.elapsed().as_secs_f64());
        wait_for_the_kill()
    })
}

/// The child: opens and starts, recovers some entities, says how long it took, and waits to be killed.
pub(crate) fn start(data: &Path) -> Result<()> {
    runtime()?.block_on(async {
        let begun = Instant::now();
        let storage = open(&StorageConfig::new(data))?;
        let opened = begun.elapsed().as_secs_f64();
        let counters = Counters::start(storage).await?;
        let ready = begun.elapsed().as_secs_f64();
        let (memory, processor) = (resident(), processor_seconds());
        let mut recoveries = Vec::new();
        for key in long_keys(LONG)? {
            let asked = Instant::now();
            let found = counters.entities.get(&key).await?.context("it was written")?;
            recoveries.push(asked.elapsed().as_secs_f64() * 1e3);
            if found.state.total() != i64::try_from(LONG_EVENTS)? {
                bail!("{key} has {} and not {LONG_EVENTS}", found.state.total());
            }
        }
        let slowest = recoveries.iter().copied().fold(0.0, f64::max);
        println!("{ready} {opened} {processor} {memory} {} {slowest}", median(recoveries));
        wait_for_the_kill()
    })
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

fn wait_for_the_kill() -> ! {
    loop {
        std::thread::park();
    }
}
