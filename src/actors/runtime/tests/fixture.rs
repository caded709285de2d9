//! Two small services: tallies that are added to, and errands that add to a tally of the other service.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::super::{Clock, Remote, Service, System, SystemBuilder};
use crate::{
    actors::entity::{
        Ask, AskError, Command, CommandContext, Continuation, Decision, Dispatch, DomainEvent, Effects, Entity,
        Follows, Key, Listed, Number, NumberedId, Outcome, Policy, Presence, Recorded, ServiceDeclaration, Sources,
        Step, Timestamp, Unavailable, View, persist, send,
    },
    actors::supervision::SupervisionConfig,
    persistence::{Storage, StorageConfig, open},
};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::actors::runtime) struct Tally {
    pub(super) total: i64,
    pub(super) adds: u64,
    closed: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::actors::runtime) enum TallyEvent {
    Added { n: i64 },
    Closed,
}

#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
pub(in crate::actors::runtime) enum TallyRejection {
    #[error("zero adds nothing")]
    Zero,
    #[error("closed")]
    Closed,
}

impl DomainEvent for TallyEvent {
    const PUBLIC: &'static [&'static str] = &["Added", "Closed"];

    fn name(&self) -> &'static str {
        match self {
            Self::Added { .. } => "Added",
            Self::Closed => "Closed",
        }
    }
    fn on_bus(&self, number: Number) -> Map<String, Value> {
        let mut fields = Map::new();
        fields.insert("id".to_owned(), json!(number));
        fields
    }
}

impl Entity for Tally {
    const KIND: &'static str = "t.tally";
    const SNAPSHOT: u32 = 1;
    type Id = NumberedId;
    type Event = TallyEvent;
    type Rejection = TallyRejection;
    const COMMANDS: &'static [&'static str] = &[Add::NAME, AddTwice::NAME, Close::NAME, Boom::NAME];
    /// Shape 0 called the total a sum.
    fn migrate(shape: u32, mut state: Value) -> Option<Value> {
        let fields = state.as_object_mut().filter(|_| shape == 0)?;
        let sum = fields.remove("sum")?;
        fields.insert("total".to_owned(), sum);
        Some(state)
    }
    fn evolve(&mut self, event: &TallyEvent) {
        match event {
            TallyEvent::Added { n } => {
                self.total += n;
                self.adds += 1;
            }
            TallyEvent::Closed => self.closed = true,
        }
    }
}

impl Listed for Tally {
    const LIST: &'static str = "t.tallies";
    fn presence(&self) -> Presence {
        if self.closed { Presence::Removed } else { Presence::Listed }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::actors::runtime) struct Add {
    pub(in crate::actors::runtime) n: i64,
}

impl Command<Tally> for Add {
    const NAME: &'static str = "add";
    type Reply = i64;
    fn decide(self, tally: &Tally, _: &CommandContext) -> Decision<Tally, i64> {
        match self.n {
            0 => Err(TallyRejection::Zero),
            i64::MIN => panic!("too little"),
            _ if tally.closed => Err(TallyRejection::Closed),
            n => Ok(persist([TallyEvent::Added { n }]).reply_with(|tally| tally.total)),
        }
    }
}

/// Two events of one command.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::actors::runtime) struct AddTwice {
    pub(super) n: i64,
}

impl Command<Tally> for AddTwice {
    const NAME: &'static str = "add-twice";
    type Reply = ();
    fn decide(self, _: &Tally, _: &CommandContext) -> Decision<Tally, ()> {
        Ok(persist([TallyEvent::Added { n: self.n }, TallyEvent::Added { n: self.n }]).reply(()))
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::actors::runtime) struct Close;

impl Command<Tally> for Close {
    const NAME: &'static str = "close";
    type Reply = ();
    fn decide(self, _: &Tally, _: &CommandContext) -> Decision<Tally, ()> {
        Ok(persist([TallyEvent::Closed]).reply(()))
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::actors::runtime) struct Boom;

impl Command<Tally> for Boom {
    const NAME: &'static str = "boom";
    type Reply = ();
    fn decide(self, _: &Tally, _: &CommandContext) -> Decision<Tally, ()> {
        panic!("boom")
    }
}

/// Adds to a tally, in two turns.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::actors::runtime) struct Errand {
    rounds: u32,
    asking: bool,
    to: u64,
    n: i64,
    pub(super) result: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::actors::runtime) enum ErrandEvent {
    Begun { to: u64, n: i64 },
    GivenUp,
    Finished { to: u64, total: i64 },
}

#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
pub(in crate::actors::runtime) enum ErrandRejection {
    #[error("under way")]
    UnderWay,
    #[error("the tally is closed")]
    TallyClosed,
}

impl DomainEvent for ErrandEvent {
    const PUBLIC: &'static [&'static str] = &["Finished"];

    fn name(&self) -> &'static str {
        match self {
            Self::Begun { .. } => "Begun",
            Self::GivenUp => "GivenUp",
            Self::Finished { .. } => "Finished",
        }
    }
    fn on_bus(&self, number: Number) -> Map<String, Value> {
        let mut fields = Map::new();
        fields.insert("id".to_owned(), json!(number));
        fields
    }
}

impl Entity for Errand {
    const KIND: &'static str = "t.errand";
    const SNAPSHOT: u32 = 1;
    type Id = NumberedId;
    type Event = ErrandEvent;
    type Rejection = ErrandRejection;
    const COMMANDS: &'static [&'static str] = &[RunErrand::NAME, Finish::NAME];
    const ASKS: &'static [&'static str] = &[Tally::KIND];
    fn evolve(&mut self, event: &ErrandEvent) {
        match event {
            ErrandEvent::Begun { to, n } => {
                (self.to, self.n, self.asking) = (*to, *n, true);
                self.rounds += 1;
            }
            ErrandEvent::GivenUp => self.asking = false,
            ErrandEvent::Finished { total, .. } => {
                self.asking = false;
                self.result = Some(*total);
            }
        }
    }
    fn resume(&self) -> Vec<crate::actors::entity::AnyContinuation<Self>> {
        if self.asking { vec![self.add().erase()] } else { Vec::new() }
    }
}

impl Errand {
    fn add(&self) -> Continuation<Self, i64> {
        Ask::<Tally, _>::once(
            Step("add", self.rounds),
            NumberedId::number(self.to),
            Add { n: self.n },
            Duration::from_secs(1),
        )
        .then(|result| Finish { result })
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::actors::runtime) struct RunErrand {
    pub(super) to: u64,
    pub(super) n: i64,
}

impl Command<Errand> for RunErrand {
    const NAME: &'static str = "run-errand";
    type Reply = i64;
    fn decide(self, errand: &Errand, _: &CommandContext) -> Decision<Errand, i64> {
        match errand {
            Errand { asking: true, .. } => Err(ErrandRejection::UnderWay),
            Errand { result: Some(total), .. } => Ok(Effects::reply(*total)),
            _ => Ok(persist([ErrandEvent::Begun { to: self.to, n: self.n }]).then(Errand::add)),
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Finish {
    result: Result<i64, AskError<TallyRejection>>,
}

impl Command<Errand> for Finish {
    const NAME: &'static str = "finish";
    type Reply = i64;
    fn decide(self, errand: &Errand, _: &CommandContext) -> Decision<Errand, i64> {
        match self.result {
            Ok(total) => Ok(persist([ErrandEvent::Finished { to: errand.to, total }]).reply(total)),
            Err(AskError::Rejected(TallyRejection::Closed)) => {
                Ok(persist([ErrandEvent::GivenUp]).rejected(ErrandRejection::TallyClosed))
            }
            Err(error) if error.outcome() == Outcome::Unknown => Ok(persist([]).then(Errand::add)),
            Err(error) => {
                let (partner, reason, retry_after) = ("tally".into(), error.to_string(), Duration::from_secs(5));
                let why = Unavailable::Partner { partner, reason, retry_after };
                Ok(persist([ErrandEvent::GivenUp]).not_done(why))
            }
        }
    }
}

/// Counts finished errands in the tally with the number that the errand went to plus 100, or in number 1.
pub(in crate::actors::runtime) struct CountErrands;

impl Policy for CountErrands {
    const NAME: &'static str = "t.count-errands";
    type Source = Errand;
    type Target = Tally;
    fn react(&self, event: &Recorded<Errand>) -> Vec<Dispatch<Tally>> {
        match event.event {
            ErrandEvent::Finished { total: 13, .. } => vec![send(&NumberedId::number(999), Add { n: 1 })],
            ErrandEvent::Finished { .. } => vec![send(&NumberedId::number(1), Add { n: 1000 })],
            ErrandEvent::Begun { .. } | ErrandEvent::GivenUp => Vec::new(),
        }
    }
}

/// How often each tally was added to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::actors::runtime) struct AddCount {
    pub(super) adds: u64,
}

impl View for AddCount {
    const NAME: &'static str = "t.add-counts";
    const VERSION: u32 = 1;
    type Key = u64;
    fn sources() -> Sources<Self> {
        Sources::of::<Tally>()
    }
}

impl Follows<Tally> for AddCount {
    fn key(event: &Recorded<Tally>) -> Option<u64> {
        Some(event.number.get())
    }
    fn apply(row: &mut Option<Self>, event: &Recorded<Tally>) {
        if let TallyEvent::Added { .. } = event.event {
            row.get_or_insert(Self { adds: 0 }).adds += 1;
        }
    }
}

pub(in crate::actors::runtime) fn memory() -> Storage {
    open(&StorageConfig::memory()).expect("memory opens")
}

pub(in crate::actors::runtime) async fn start(storage: &Storage) -> System {
    start_with(storage, "").await
}

/// With this configuration.
pub(in crate::actors::runtime) async fn start_with(storage: &Storage, config: &str) -> System {
    builder(storage, config).start().await.expect("starts")
}

/// With this configuration, and something that carries asks to other systems.
pub(in crate::actors::runtime) async fn start_beside(storage: &Storage, config: &str, wire: Arc<dyn Remote>) -> System {
    builder(storage, config).remote(wire).start().await.expect("starts")
}

fn builder(storage: &Storage, config: &str) -> SystemBuilder {
    let config = SupervisionConfig::parse(config, "test").expect("a configuration");
    let tally = Service::new("tally").listed::<Tally>().asked::<Tally, Add>().policy(CountErrands).view::<AddCount>();
    let errand = Service::new("errand").entity::<Errand>();
    let clock = Clock::starting_at(Timestamp::from_millis(1_000_000));
    System::builder(storage.clone()).supervision(config).clock(clock).service("t", tally).service("t", errand)
}

/// The same system as it comes back after `kill -9`.
pub(in crate::actors::runtime) async fn crash_and_restart(storage: Storage, system: System) -> (Storage, System) {
    let again = storage.reopen_memory().expect("memory");
    drop(system);
    let system = start(&again).await;
    (again, system)
}

pub(in crate::actors::runtime) fn key(text: &str) -> NumberedId {
    NumberedId::Key(Key::new(text).expect("a key"))
}

pub(in crate::actors::runtime) async fn settled(system: &System) {
    system.quiesce(Duration::from_secs(10)).await.expect("everything comes to rest");
}

/// Waits, giving the others the thread, until this holds.
pub(in crate::actors::runtime) async fn wait_for<F: Future<Output = bool>>(mut holds: impl FnMut() -> F) {
    for _ in 0..100_000 {
        if holds().await {
            return;
        }
        tokio::task::yield_now().await;
    }
    panic!("never came true");
}
