//! Asks a second over many resident entities, against one actor per entity on ractor and kameo.

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use steadfast::Key;

use crate::{
    counter::{Counters, Look, keys, pick},
    peers::{kameos, look_at_kameo, look_at_ractor, ractors},
    results::Results,
    rounds::{Times, drive},
};

/// Resident entities, and actors of each peer.
const ENTITIES: usize = 100_000;

/// Who asks.
const CALLERS: usize = 64;

/// The rounds of the peers are beside those of commands and beside those of reads.
pub(crate) fn measure(times: Times, results: &mut Results) -> Result<()> {
    let time = times.round * 3 / 10;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let ours = Resident::new(Counters::in_memory().await?).await?;
        let (ractors, kameos) = (Arc::new(ractors(ENTITIES).await?), Arc::new(kameos(ENTITIES).await?));
        for _ in 0..times.rounds {
            results.round("messages", "steadfast", ENTITIES, &[("rate", ours.look(time).await?)]);
            results.round("gets", "steadfast", ENTITIES, &[("rate", ours.get(time).await?)]);
            let actors = ractors.clone();
            let calling = move |random| {
                let actors = actors.clone();
                async move { look_at_ractor(pick(&actors, random)?).await.map(drop) }
            };
            let ractor = drive(CALLERS, time, calling).await?;
            let actors = kameos.clone();
            let calling = move |random| {
                let actors = actors.clone();
                async move { look_at_kameo(pick(&actors, random)?).await.map(drop) }
            };
            let kameo = drive(CALLERS, time, calling).await?;
            for load in ["messages", "gets"] {
                results.round(load, "ractor", ENTITIES, &[("rate", ractor)]);
                results.round(load, "kameo", ENTITIES, &[("rate", kameo)]);
            }
        }
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
