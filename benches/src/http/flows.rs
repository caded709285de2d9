//! Whole flows: a purchase is done when its payment, the stock, two messages and the rows of two views are.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use super::{
    load::{Load, Requests},
    server::Store,
    store,
};
use crate::{results::Results, rounds::Times};

/// Connections that buy.
const CONNECTIONS: usize = 64;
/// Between two looks at how far policies and views are.
const LOOK: Duration = Duration::from_millis(500);
/// The share of the flows a second that were measured until rest, at which the lag is watched.
const SUSTAINED: f64 = 0.8;

pub(crate) fn measure(dir: &Path, times: Times, to: Option<&Path>) -> Result<()> {
    let mut results = Results::begin("flows", times.quick, dir);
    let store = Store::with_products(dir)?;
    for _ in 0..times.rounds {
        round(&mut results, "steadfast", &store, times, &store::purchase)?;
        round(&mut results, "steadfast, one product", &store, times, &store::purchase_of_one)?;
    }
    let flows = results.median("flows", "steadfast", CONNECTIONS, "flows").context("flows were measured")?;
    sustained(&mut results, &store, times, flows * SUSTAINED)?;
    store.rest()?;
    store.stop()?;
    results.end(to)
}

/// Buys until the time is up, and waits until everything that follows is done.
fn round(results: &mut Results, who: &str, store: &Store, times: Times, purchase: &impl Requests) -> Result<()> {
    let (events, begun) = (store.events()?, Instant::now());
    let load = Load { to: store.public, connections: CONNECTIONS, lasting: times.round, pace: None };
    let heard = load.run(purchase)?;
    let behind = store.lag()?;
    let rest = store.rest()?;
    let all = begun.elapsed().as_secs_f64();
    let figures = [
        ("flows", heard.done as f64 / all),
        ("events", (store.events()? - events) as f64 / all),
        ("rate", heard.rate()),
        ("p99_ms", heard.millis(0.99)),
        ("lag", behind as f64),
        ("rest_s", rest.as_secs_f64()),
    ];
    results.round("flows", who, CONNECTIONS, &figures);
    Ok(())
}

/// Watches how far policies and views are behind while purchases come at a steady pace.
fn sustained(results: &mut Results, store: &Store, times: Times, pace: f64) -> Result<()> {
    let lasting = times.watch;
    let load = Load { to: store.public, connections: CONNECTIONS, lasting, pace: Some(pace) };
    let ended = AtomicBool::new(false);
    let (heard, lags) = thread::scope(|scope| {
        let watching = scope.spawn(|| {
            let (begun, mut lags) = (Instant::now(), Vec::new());
            while !ended.load(Ordering::Relaxed) {
                lags.push((begun.elapsed(), store.lag()?));
                thread::sleep(LOOK);
            }
            anyhow::Ok(lags)
        });
        let heard = load.run(&store::purchase);
        ended.store(true, Ordering::Relaxed);
        (heard, watching.join())
    });
    let (heard, lags) = (heard?, lags.ok().context("who watches the lag panicked")??);
    for (at, lag) in lags {
        let at = usize::try_from(at.as_secs())?;
        results.round("lag", "steadfast", at, &[("lag", lag as f64)]);
    }
    let figures =
        [("rate", heard.rate()), ("pace", pace), ("p50_ms", heard.millis(0.5)), ("p99_ms", heard.millis(0.99))];
    results.round("sustained", "steadfast", CONNECTIONS, &figures);
    Ok(())
}
