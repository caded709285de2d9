//! An older release runs for a while on what a newer one has written: it cannot decode all of it, and loses nothing.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{super::System, fixture::*};
use crate::{
    Clock, ConsumerStatus, RebuildState, Service,
    actors::entity::{
        Command, CommandContext, Decision, Dispatch, DomainEvent, Entity, Follows, Number, NumberedId, Policy,
        Recorded, ServiceDeclaration, Sources, Timestamp, View, persist, send,
    },
    persistence::Storage,
};

/// A lamp of the newer release can be dimmed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Lamp<const NEWER: bool> {
    events: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum LampEvent<const NEWER: bool> {
    Lit,
    Dimmed(Level<NEWER>),
}

/// What the older release does not know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
struct Level<const NEWER: bool>(u8);

impl<const NEWER: bool> TryFrom<u8> for Level<NEWER> {
    type Error = &'static str;
    fn try_from(level: u8) -> Result<Self, &'static str> {
        if NEWER { Ok(Self(level)) } else { Err("unknown variant") }
    }
}

impl<const NEWER: bool> From<Level<NEWER>> for u8 {
    fn from(level: Level<NEWER>) -> Self {
        level.0
    }
}

impl<const NEWER: bool> DomainEvent for LampEvent<NEWER> {
    const PUBLIC: &'static [&'static str] = &[];
    fn name(&self) -> &'static str {
        match self {
            Self::Lit => "Lit",
            Self::Dimmed(_) => "Dimmed",
        }
    }
    fn on_bus(&self, _: Number) -> Map<String, Value> {
        Map::new()
    }
}

impl<const NEWER: bool> Entity for Lamp<NEWER> {
    const KIND: &'static str = "t.lamp";
    const SNAPSHOT: u32 = 1;
    type Id = NumberedId;
    type Event = LampEvent<NEWER>;
    type Rejection = TallyRejection;
    const COMMANDS: &'static [&'static str] = &["light", "dim"];
    fn evolve(&mut self, _: &LampEvent<NEWER>) {
        self.events += 1;
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Light;

impl<const NEWER: bool> Command<Lamp<NEWER>> for Light {
    const NAME: &'static str = "light";
    type Reply = ();
    fn decide(self, _: &Lamp<NEWER>, _: &CommandContext) -> Decision<Lamp<NEWER>, ()> {
        Ok(persist([LampEvent::Lit]).reply(()))
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Dim;

impl Command<Lamp<true>> for Dim {
    const NAME: &'static str = "dim";
    type Reply = ();
    fn decide(self, _: &Lamp<true>, _: &CommandContext) -> Decision<Lamp<true>, ()> {
        Ok(persist([LampEvent::Dimmed(Level(5))]).reply(()))
    }
}

/// Adds 1 for a light, and 10 for one that is dimmed.
struct CountLamps<const NEWER: bool>;

impl<const NEWER: bool> Policy for CountLamps<NEWER> {
    const NAME: &'static str = "t.count-lamps";
    type Source = Lamp<NEWER>;
    type Target = Tally;
    fn react(&self, event: &Recorded<Lamp<NEWER>>) -> Vec<Dispatch<Tally>> {
        let n = match event.event {
            LampEvent::Lit => 1,
            LampEvent::Dimmed(_) => 10,
        };
        vec![send(&NumberedId::number(1), Add { n })]
    }
}

/// What has happened to each lamp.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct LampRow<const NEWER: bool> {
    events: u64,
}

impl<const NEWER: bool> View for LampRow<NEWER> {
    const NAME: &'static str = "t.lamps";
    const VERSION: u32 = 1;
    type Key = u64;
    fn sources() -> Sources<Self> {
        Sources::of::<Lamp<NEWER>>()
    }
}

impl<const NEWER: bool> Follows<Lamp<NEWER>> for LampRow<NEWER> {
    fn key(event: &Recorded<Lamp<NEWER>>) -> Option<u64> {
        Some(event.number.get())
    }
    fn apply(row: &mut Option<Self>, _: &Recorded<Lamp<NEWER>>) {
        row.get_or_insert_default().events += 1;
    }
}

async fn release<const NEWER: bool>(storage: &Storage) -> System {
    let lamps = Service::new("lamp").entity::<Lamp<NEWER>>();
    let tally = Service::new("tally").listed::<Tally>().policy(CountLamps::<NEWER>).view::<LampRow<NEWER>>();
    let clock = Clock::starting_at(Timestamp::from_millis(1_000_000));
    let system = System::builder(storage.clone()).clock(clock).service("t", lamps).service("t", tally);
    system.start().await.expect("starts")
}

/// The newer release with a tally and a lamp.
async fn with_lamp(storage: &Storage) -> System {
    let newer = release::<true>(storage).await;
    newer.entities::<Tally>().ask(&key("a"), Add { n: 1 }).await.expect("added");
    newer.entities::<Lamp<true>>().ask(&key("l"), Light).await.expect("lit");
    settled(&newer).await;
    newer
}

async fn next<const NEWER: bool>(storage: Storage, system: System) -> (Storage, System) {
    drop(system.shutdown(Duration::from_secs(1)).await);
    let again = storage.reopen_memory().expect("memory");
    let system = release::<NEWER>(&again).await;
    (again, system)
}

async fn total(system: &System) -> i64 {
    let tally = system.entities::<Tally>().get(&NumberedId::number(1)).await;
    tally.expect("readable").expect("there").state.total
}

async fn row<const NEWER: bool>(system: &System) -> u64 {
    let row = system.views::<LampRow<NEWER>>().get(&1).await;
    row.expect("readable").expect("there").events
}

/// What an older release could not decode was none of its policies' and views' business, for good: it was not reacted to
/// when the newer one came back, and the rows stood for less than their cursors.
#[tokio::test(start_paused = true)]
async fn what_an_older_release_cannot_decode_waits_for_the_newer_one() {
    let storage = memory();
    let newer = with_lamp(&storage).await;
    newer.stop_service("t/tally").await.expect("stopped");
    newer.entities::<Lamp<true>>().ask(&key("l"), Dim).await.expect("dimmed");
    newer.entities::<Lamp<true>>().ask(&key("l"), Light).await.expect("lit");
    let (storage, older) = next::<false>(storage, newer).await;
    let unfinished = older.quiesce(Duration::from_secs(2)).await.expect_err("held");
    for consumer in ["t.count-lamps", "t.lamps"] {
        assert!(unfinished.iter().any(|what| what.starts_with(&format!("{consumer} (refused)"))), "{unfinished:?}");
        let mut held: Vec<ConsumerStatus> = older.consumers().await;
        held.retain(|known| known.name == consumer && known.refused.is_some());
        let [held] = held.as_slice() else { panic!("one partition is held: {held:?}") };
        let why = held.refused.as_deref().unwrap_or_default();
        assert!(why.contains("cannot decode that event of t.lamp"), "{why}");
        assert_eq!((held.state, held.cursor, held.lag), ("refused", 1, 2), "{consumer}");
    }
    assert_eq!((total(&older).await, row::<false>(&older).await), (2, 1), "neither it nor what comes after it");
    // Another start of the same release changes nothing, and what is none of their business is passed.
    older.restart_service("t/tally").await.expect("restarted");
    older.entities::<Tally>().ask(&key("a"), Add { n: 100 }).await.expect("added");
    older.quiesce(Duration::from_secs(2)).await.expect_err("held again");
    assert_eq!((total(&older).await, row::<false>(&older).await), (102, 1));
    let (_storage, newer) = next::<true>(storage, older).await;
    settled(&newer).await;
    assert_eq!((total(&newer).await, row::<true>(&newer).await), (113, 3));
}

#[tokio::test(start_paused = true)]
async fn an_older_release_builds_no_rows_of_what_it_cannot_decode() {
    let storage = memory();
    let newer = with_lamp(&storage).await;
    newer.entities::<Lamp<true>>().ask(&key("l"), Dim).await.expect("dimmed");
    settled(&newer).await;
    assert_eq!(row::<true>(&newer).await, 2);
    let (_storage, older) = next::<false>(storage, newer).await;
    settled(&older).await;
    older.rebuild_view("t", "t.lamps").expect("begins");
    let ended = async {
        loop {
            let status = older.view_rebuild("t", "t.lamps").expect("known").expect("asked for");
            if !status.is_running() {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let status = ended.await;
    assert_eq!(status.state, RebuildState::Failed);
    let why = status.error.expect("says why");
    assert!(why.contains("cannot decode that of t.lamp"), "{why}");
    assert_eq!(row::<false>(&older).await, 2, "as they were");
}
