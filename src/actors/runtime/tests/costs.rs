//! What commands cost the disk: writes, syncs and bytes, counted at the journal's port.

use std::{path::Path, sync::Arc, time::Duration};

use futures::{future::join_all, join};

use super::{
    super::{Service, System},
    fixture::*,
};
use crate::{
    actors::{
        entity::{AskError, NumberedId, ServiceDeclaration},
        supervision::SupervisionConfig,
    },
    persistence::{Done, Meter, Storage},
};

const COMMANDS: u64 = 50;

const SOON: Duration = Duration::from_secs(5);

/// A frame's header and the record of one `Add`, whose stream, event and correlation have short names. More is more to
/// write, to replay and to keep: a new field of every record should be worth it.
const MAX_FRAME_BYTES: u64 = 210;

/// Tallies that nobody follows, and who asks them, on segments.
async fn prepared(dir: &Path) -> (Arc<Meter>, Storage, System) {
    let meter = Arc::<Meter>::default();
    let config = SupervisionConfig::parse("", "test").expect("a configuration");
    let tally = Service::service("tally").entity::<Tally>();
    let storage = meter.storage(dir);
    let errand = Service::service("errand").entity::<Errand>();
    let builder = System::builder(storage.clone()).supervision(config).service("t", tally).service("t", errand);
    let system = builder.start().await.expect("starts");
    for n in 0..COMMANDS {
        system.entities::<Tally>().ask(&key(&n.to_string()), Add { n: 1 }).await.expect("added");
    }
    meter.take();
    (meter, storage, system)
}

#[tokio::test]
async fn commands_one_after_another_cost_a_write_and_a_sync_each() {
    let dir = tempfile::tempdir().unwrap();
    let (meter, _storage, system) = prepared(dir.path()).await;
    let tallies = system.entities::<Tally>();
    for n in 0..COMMANDS {
        tallies.ask(&key(&n.to_string()), Add { n: 1 }).await.expect("added");
        let one = meter.take();
        assert_eq!((one.writes, one.syncs), (1, 1));
        assert!(one.bytes <= MAX_FRAME_BYTES, "{} bytes for one small event", one.bytes);
    }
    drop(system.shutdown(SOON).await);
}

#[tokio::test]
async fn commands_that_wait_together_cost_one_write_and_one_sync() {
    let others: Vec<_> = (1..COMMANDS).map(|n| key(&n.to_string())).collect();
    together_at(&others).await;
}

/// A hot entity does not wait for the disk between its commands.
#[tokio::test]
async fn commands_to_one_entity_that_wait_together_cost_one_write_and_one_sync() {
    let others: Vec<_> = (1..COMMANDS).map(|_| key("0")).collect();
    together_at(&others).await;
}

/// What begins an ask, what is asked, and what comes of the answer: none waits until the one before is synced.
#[tokio::test]
async fn what_an_ask_leads_to_waits_together_and_costs_one_write_and_one_sync() {
    together(3, async |system| {
        let asked = system.entities::<Errand>().ask(&key("e"), RunErrand { to: 7, n: 4 }).await;
        assert_eq!(asked, Ok(5));
    })
    .await;
}

async fn together_at(others: &[NumberedId]) {
    together(others.len() as u64, async |system| {
        let tallies = system.entities::<Tally>();
        let add = async |key: &NumberedId| tallies.ask(key, Add { n: 1 }).await;
        let all = join_all(others.iter().map(add)).await;
        assert!(all.iter().all(Result::is_ok), "{all:?}");
    })
    .await;
}

/// Asks tally 0 and, while that is synced, does all this, which hands so many appends over.
async fn together(appends: u64, others: impl AsyncFnOnce(&System)) {
    let dir = tempfile::tempdir().unwrap();
    let (meter, storage, system) = prepared(dir.path()).await;
    let tallies = system.entities::<Tally>();
    meter.hold();
    let zero = key("0");
    let first = tallies.ask(&zero, Add { n: 1 }).into_future();
    let rest = async {
        // The first was handed over when it was polled.
        meter.until_it_waits();
        others(&system).await;
    };
    let release = async {
        let unit = storage.unit("main").expect("there");
        wait_for(|| async { unit.journal.metrics().waiting == appends }).await;
        meter.release();
    };
    let (first, (), ()) = join!(first, rest, release);
    assert!(first.is_ok(), "{first:?}");
    let Done { writes, syncs, .. } = meter.take();
    assert_eq!((writes, syncs), (2, 2), "the first, and all that came while it was synced");
    drop(system.shutdown(SOON).await);
}

#[tokio::test]
async fn reads_and_refusals_cost_neither() {
    let dir = tempfile::tempdir().unwrap();
    let (meter, _storage, system) = prepared(dir.path()).await;
    let tallies = system.entities::<Tally>();
    for n in 0..COMMANDS {
        let key = key(&n.to_string());
        assert_eq!(tallies.get(&key).await.expect("readable").expect("there").state.total, 1);
        let refused = tallies.ask(&key, Add { n: 0 }).await;
        assert_eq!(refused, Err(AskError::Rejected(TallyRejection::Zero)));
    }
    assert_eq!(meter.take(), Done::default());
    drop(system.shutdown(SOON).await);
}
