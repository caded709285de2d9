//! The store beside other servers: durable commands, one hot entity, commands that ask another entity, and reads.
//!
//! Rounds of all subjects take turns. Before a round of the store everything that the last one led to has been done, and
//! how long that took is a figure of that round.

use std::{net::SocketAddr, path::Path, time::Duration};

use anyhow::{Context, Result, bail};

use super::{
    askers::Askers,
    load::{Load, Requests},
    peers::{Peers, Postgres, Restate, Script},
    process::{Process, peak_mib, processor_seconds},
    server::{self, Store},
    store, warp_alone,
};
use crate::{
    results::Results,
    rounds::{Figures, Times},
};

/// Connections, or clients, at a time.
const CONNECTIONS: [usize; 2] = [64, 256];
/// What is measured.
const LOADS: [&str; 4] = ["commands", "hot", "reads", "asks"];

/// Who is measured.
const STEADFAST: &str = "steadfast";
pub(super) const ALONE: &str = "steadfast, nothing follows";
const WARP: &str = "bare warp handler";

/// One subject under one load.
struct Subject<'a> {
    name: &'a str,
    round: Box<dyn Fn(usize, Duration) -> Result<Figures> + 'a>,
}

impl<'a> Subject<'a> {
    fn new(name: &'a str, round: impl Fn(usize, Duration) -> Result<Figures> + 'a) -> Self {
        Self { name, round: Box::new(round) }
    }

    /// The store, which comes to rest afterwards.
    fn store(name: &'a str, store: &'a Store, requests: impl Requests) -> Self {
        Self::new(name, move |connections, lasting| {
            let mut figures = over_http(store.public, &[store.id()], connections, lasting, &requests)?;
            figures.push(("rest_s", store.rest()?.as_secs_f64()));
            figures.push(("peak_mib", peak_mib(store.id()).unwrap_or(f64::NAN)));
            Ok(figures)
        })
    }

    fn askers(askers: &'a Askers, requests: impl Requests) -> Self {
        Self::new(ALONE, move |connections, lasting| {
            over_http(askers.public, &[askers.id()], connections, lasting, &requests)
        })
    }

    fn restate(restate: &'a Restate, requests: impl Requests) -> Self {
        Self::new(&restate.name, move |connections, lasting| {
            over_http(restate.ingress, &restate.processes, connections, lasting, &requests)
        })
    }

    fn postgres(postgres: &'a Postgres, script: Script) -> Self {
        Self::new(postgres.name, move |clients, lasting| postgres.round(script, clients, lasting))
    }

    fn warp(address: SocketAddr, process: &'a Process, requests: impl Requests) -> Self {
        Self::new(WARP, move |connections, lasting| {
            over_http(address, &[process.id()], connections, lasting, &requests)
        })
    }
}

/// Measures everything, or one load, with the peers that the environment names.
pub(crate) fn measure(dir: &Path, times: Times, only: Option<&str>, to: Option<&Path>) -> Result<()> {
    let mut results = Results::begin("compare", times.quick, dir);
    let peers = Peers::of_the_environment()?;
    for (of, is) in Peers::versions() {
        results.version(of, is);
    }
    println!("{}; peers: {}", server::program()?.display(), peers.names());
    let is_wanted = |load: &str| only.is_none_or(|only| only == load);
    if let Some(only) = only.filter(|only| !LOADS.contains(only)) {
        bail!("{only} is none of {LOADS:?}");
    }

    if is_wanted("commands") || is_wanted("hot") {
        let (products, messages) = (Store::with_products(dir)?, Store::with_messages(dir)?);
        for (load, keys, script) in [("commands", store::KEYS, Script::Rows), ("hot", 1, Script::HotRow)] {
            let mut subjects = vec![
                Subject::store(STEADFAST, &products, store::change_product(keys)),
                Subject::store(ALONE, &messages, store::rewrite_message(keys)),
            ];
            subjects.extend(peers.postgres.iter().map(|postgres| Subject::postgres(postgres, script)));
            subjects.extend(peers.restates.iter().map(|one| Subject::restate(one, store::add_to_counter(keys))));
            if is_wanted(load) {
                rounds(&mut results, load, times, &subjects)?;
            }
        }
        products.stop()?;
        messages.stop()?;
    }
    if is_wanted("reads") {
        let (store, (warp, address)) = (Store::with_products(dir)?, warp_alone::start(dir)?);
        let subjects = vec![
            Subject::store(STEADFAST, &store, store::read_product),
            Subject::warp(address, &warp, store::read_product),
        ];
        rounds(&mut results, "reads", times, &subjects)?;
        drop(subjects);
        store.stop()?;
    }
    if is_wanted("asks") {
        let (store, askers) = (Store::with_products(dir)?, Askers::start(dir)?);
        let mut subjects =
            vec![Subject::store(STEADFAST, &store, store::place_order), Subject::askers(&askers, store::ask_alone)];
        subjects.extend(peers.restates.iter().map(|one| Subject::restate(one, store::ask_counter)));
        rounds(&mut results, "asks", times, &subjects)?;
        drop(subjects);
        store.stop()?;
    }
    results.end(to)
}

/// The rounds of one load, of all subjects in turn.
fn rounds(results: &mut Results, load: &str, times: Times, subjects: &[Subject<'_>]) -> Result<()> {
    for subject in subjects {
        (subject.round)(CONNECTIONS[0], times.warm_up).with_context(|| format!("{load}: {}", subject.name))?;
    }
    for connections in CONNECTIONS {
        for _ in 0..times.rounds {
            for subject in subjects {
                let figures = (subject.round)(connections, times.round);
                let figures = figures.with_context(|| format!("{load}: {}", subject.name))?;
                results.round(load, subject.name, connections, &figures);
            }
        }
    }
    Ok(())
}

/// The figures of a load on a server that speaks HTTP; `processes` are what it consists of.
pub(super) fn over_http(
    to: SocketAddr,
    processes: &[u32],
    connections: usize,
    lasting: Duration,
    requests: &impl Requests,
) -> Result<Figures> {
    let used = || processes.iter().map(|id| processor_seconds(*id)).sum::<Result<f64>>();
    let before = used()?;
    let heard = Load { to, connections, lasting, pace: None }.run(requests)?;
    let used = used()? - before;
    Ok(vec![
        ("rate", heard.rate()),
        ("p50_ms", heard.millis(0.5)),
        ("p99_ms", heard.millis(0.99)),
        ("refused", heard.refused as f64 / heard.lasted.as_secs_f64()),
        ("cpu_us", used * 1e6 / heard.done.max(1) as f64),
    ])
}
