//! Asks a second over many resident entities, against one actor per entity on ractor and kameo.

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use steadfast::Key;

use crate::{
    counter::{Counters, Look, keys, pick},
    peers::{kameos, look_at_kameo, look_at_ractor, ractors},
    rounds::{ROUNDS, drive, median},
    table,
};

/// Resident entities, and actors of each peer.
const ENTITIES: usize = 100_000;

/// Who asks.
const CALLERS: usize = 64;

pub(crate) fn print(quick: bool) -> Result<()> {
    let time = Duration::from_millis(if quick { 500 } else { 1_500 });
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let ours = Resident::new(Counters::in_memory().await?).await?;
        let (ractors, kameos) = (Arc::new(ractors(ENTITIES).await?), Arc::new(kameos(ENTITIES).await?));

        let mut rates: [Vec<f64>; 4] = Default::default();
        for _ in 0..ROUNDS {
            let [command, read, ractor, kameo] = &mut rates;
            command.push(ours.look(time).await?);
            read.push(ours.get(time).await?);
            let actors = ractors.clone();
            let calling = move |random| {
                let actors = actors.clone();
                async move { look_at_ractor(pick(&actors, random)?).await.map(drop) }
            };
            ractor.push(drive(CALLERS, time, calling).await?);
            let actors = kameos.clone();
            let calling = move |random| {
                let actors = actors.clone();
                async move { look_at_kameo(pick(&actors, random)?).await.map(drop) }
            };
            kameo.push(drive(CALLERS, time, calling).await?);
        }

        let [command, read, ractor, kameo] = rates;
        let (by_ractor, by_kameo) = (median(ractor.clone()), median(kameo.clone()));
        let row = |name: &str, rates: Vec<f64>| {
            let rate = median(rates.clone());
            let ratios = [table::ratio(rate / by_ractor), table::ratio(rate / by_kameo)];
            [vec![name.to_owned()], ratios.to_vec(), vec![table::whole(rate), table::range(&rates)]].concat()
        };
        let rows = [
            row("steadfast, a command without events", command),
            row("steadfast, `get`", read),
            row("ractor, `call` with a timeout", ractor),
            row("kameo, `ask` with a timeout", kameo),
        ];
        let title = format!("Asks, {ENTITIES} resident entities, {CALLERS} callers, at random");
        table::print(&title, &["", "to ractor", "to kameo", "asks/s", "its rounds"], &rows);
        ours.counters.stop().await;
        Ok(())
    })
}

/// Counters that are in memory.
pub(crate) struct Resident {
    counters: Counters,
    keys: Arc<Vec<Key>>,
}

impl Resident {
    /// Brings them there by an event each.
    pub(crate) async fn new(counters: Counters) -> Result<Self> {
        let keys = Arc::new(keys(0..ENTITIES)?);
        counters.add_to_all(&keys).await?;
        Ok(Self { counters, keys })
    }

    /// Commands without events, a second.
    pub(crate) async fn look(&self, time: Duration) -> Result<f64> {
        let (to, ids) = (self.counters.entities.clone(), self.keys.clone());
        let looking = move |random| {
            let (to, ids) = (to.clone(), ids.clone());
            async move { to.ask(pick(&ids, random)?, Look { plus: 1 }).await.map(drop).map_err(Into::into) }
        };
        drive(CALLERS, time, looking).await
    }

    /// Reads, a second.
    pub(crate) async fn get(&self, time: Duration) -> Result<f64> {
        let (to, ids) = (self.counters.entities.clone(), self.keys.clone());
        let reading = move |random| {
            let (to, ids) = (to.clone(), ids.clone());
            async move { to.get(pick(&ids, random)?).await.map(drop).map_err(Into::into) }
        };
        drive(CALLERS, time, reading).await
    }
}
