//! How long durable commands take at half of the greatest load, beside what a sync of the disk takes and beside a handler
//! that does nothing but append.

use std::path::Path;

use anyhow::{Context, Result};

use super::{
    compare::{ALONE, over_http},
    disk,
    load::Load,
    server::{self, Store},
    store, warp_alone,
};
use crate::{results::Results, rounds::Times};

const LOAD: &str = "half";
const CONNECTIONS: usize = 64;
const BARE: &str = "bare warp handler and loop";
const SYNC: &str = "fdatasync";

/// Measures it with rounds that take turns. Nobody else writes to the disk meanwhile.
pub(crate) fn measure(dir: &Path, times: Times, to: Option<&Path>) -> Result<()> {
    let mut results = Results::begin(LOAD, times.quick, dir);
    println!("{}", server::program()?.display());
    let (store, (bare, address)) = (Store::with_messages(dir)?, warp_alone::start(dir)?);
    let requests = store::rewrite_message(store::KEYS);
    for _ in 0..times.rounds {
        let figures = over_http(store.public, &[store.id()], CONNECTIONS, times.round, &requests)?;
        results.round("greatest", ALONE, CONNECTIONS, &figures);
    }
    let most = results.median("greatest", ALONE, CONNECTIONS, "rate").context("no round was measured")?;
    for _ in 0..times.rounds {
        for (subject, to) in [(ALONE, store.public), (BARE, address)] {
            let load = Load { to, connections: CONNECTIONS, lasting: times.round, pace: Some(most / 2.0) };
            let heard = load.run(&requests).context(subject)?;
            let figures = [("rate", heard.rate()), ("p50_ms", heard.millis(0.5)), ("p99_ms", heard.millis(0.99))];
            results.round(LOAD, subject, CONNECTIONS, &figures);
        }
        let syncs = disk::syncs(dir, times.round)?;
        let millis = |share| syncs.quantile(share).as_secs_f64() * 1000.0;
        results.round(LOAD, SYNC, CONNECTIONS, &[("p50_ms", millis(0.5)), ("p99_ms", millis(0.99))]);
    }
    store.stop()?;
    drop(bare);
    results.end(to)
}
