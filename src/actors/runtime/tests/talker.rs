//! One that says much at once, and those who hear it in the order in which it was said.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    super::{Clock, Service, System},
    fixture::{Tally, key},
    walker::{How, Walk, Walker},
};
use crate::{
    actors::{
        entity::{
            Command, CommandContext, Decision, Dispatch, DispatchOrder, DomainEvent, Entity, Key, Number, NumberedId,
            Policy, Recorded, ServiceDeclaration, Timestamp, create, persist, send,
        },
        supervision::SupervisionConfig,
    },
    persistence::Storage,
};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Talker;

/// `n` was said; `to` says who does something about it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Said {
    pub(super) n: u64,
    to: To,
}

/// Who is to do something about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum To {
    Ear,
    Walker,
    /// A new ear for each.
    Ears,
}

impl DomainEvent for Said {
    const PUBLIC: &'static [&'static str] = &[];

    fn name(&self) -> &'static str {
        "Said"
    }
    fn on_bus(&self, _: Number) -> Map<String, Value> {
        Map::new()
    }
}

#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
#[error("nothing of the sort")]
pub(super) struct No;

impl Entity for Talker {
    const KIND: &'static str = "t.talker";
    const SNAPSHOT: u32 = 1;
    type Id = Key;
    type Event = Said;
    type Rejection = No;
    const COMMANDS: &'static [&'static str] = &[Talk::NAME];
    fn evolve(&mut self, _: &Said) {}
}

/// Says these numbers, all in one append.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Talk {
    pub(super) to: To,
    pub(super) numbers: Vec<u64>,
}

impl Command<Talker> for Talk {
    const NAME: &'static str = "talk";
    type Reply = ();
    fn decide(self, _: &Talker, _: &CommandContext) -> Decision<Talker, ()> {
        Ok(persist(self.numbers.into_iter().map(|n| Said { n, to: self.to })).reply(()))
    }
}

/// What was heard, in order.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Ear {
    pub(super) heard: Vec<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Heard {
    n: u64,
}

impl DomainEvent for Heard {
    const PUBLIC: &'static [&'static str] = &[];

    fn name(&self) -> &'static str {
        "Heard"
    }
    fn on_bus(&self, _: Number) -> Map<String, Value> {
        Map::new()
    }
}

impl Entity for Ear {
    const KIND: &'static str = "t.ear";
    const SNAPSHOT: u32 = 1;
    type Id = NumberedId;
    type Event = Heard;
    type Rejection = No;
    const COMMANDS: &'static [&'static str] = &[Hear::NAME];
    fn evolve(&mut self, event: &Heard) {
        self.heard.push(event.n);
    }
}

/// Refused from here on.
pub(super) const REFUSED: u64 = 1_000;
/// A panic, the first time, from here on. Each test has numbers of its own.
pub(super) const PANICS: u64 = 2_000;

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Hear {
    n: u64,
}

impl Command<Ear> for Hear {
    const NAME: &'static str = "hear";
    type Reply = usize;
    fn decide(self, _: &Ear, _: &CommandContext) -> Decision<Ear, usize> {
        static PANICKED: Mutex<Option<HashSet<u64>>> = Mutex::new(None);
        match self.n {
            0..REFUSED => {}
            REFUSED..PANICS => return Err(No),
            n => {
                let mut panicked = PANICKED.lock().unwrap_or_else(PoisonError::into_inner);
                let is_first = panicked.get_or_insert_default().insert(n);
                drop(panicked);
                assert!(!is_first, "at {n}, once");
            }
        }
        Ok(persist([Heard { n: self.n }]).reply_with(|ear| ear.heard.len()))
    }
}

/// All to one ear.
struct PassOn;

impl Policy for PassOn {
    const NAME: &'static str = "t.pass-on";
    type Source = Talker;
    type Target = Ear;
    fn react(&self, said: &Recorded<Talker>) -> Vec<Dispatch<Ear>> {
        let n = said.event.n;
        if said.event.to == To::Ear { vec![send(&key("ear"), Hear { n })] } else { Vec::new() }
    }
}

/// One walker walks for each.
struct SendOff;

impl Policy for SendOff {
    const NAME: &'static str = "t.send-off";
    type Source = Talker;
    type Target = Walker;
    fn react(&self, said: &Recorded<Talker>) -> Vec<Dispatch<Walker>> {
        if said.event.to == To::Walker { vec![send(&key("w"), Walk(How::Well))] } else { Vec::new() }
    }
}

/// Each to an ear of its own, created in this order.
struct WriteDown;

impl Policy for WriteDown {
    const NAME: &'static str = "t.write-down";
    type Source = Talker;
    type Target = Ear;
    const ORDER: DispatchOrder = DispatchOrder::PerSource;
    fn react(&self, said: &Recorded<Talker>) -> Vec<Dispatch<Ear>> {
        if said.event.to == To::Ears { vec![create(Hear { n: said.event.n })] } else { Vec::new() }
    }
}

pub(super) async fn talkers(storage: &Storage) -> System {
    let talker = Service::new("talker").entity::<Talker>();
    let ear = Service::new("ear").entity::<Ear>().policy(PassOn).policy(WriteDown);
    let walker = Service::new("walker").entity::<Walker>().policy(SendOff);
    let tally = Service::new("tally").entity::<Tally>();
    let config = SupervisionConfig::parse("", "test.toml").expect("a configuration");
    let clock = Clock::starting_at(Timestamp::from_millis(1_000_000));
    let builder = System::builder(storage.clone()).clock(clock).supervision(config).service("t", talker);
    builder.service("t", ear).service("t", walker).service("t", tally).start().await.expect("starts")
}

pub(super) async fn talk(system: &System, talker: &str, to: To, numbers: impl IntoIterator<Item = u64>) {
    let talk = Talk { to, numbers: numbers.into_iter().collect() };
    let talker = Key::new(talker).expect("a key");
    system.entities::<Talker>().ask(&talker, talk).await.expect("said");
}

/// What was heard: by the one ear, or by those of their own in the order of their numbers, at most 400.
pub(super) async fn heard(system: &System, by: To) -> Vec<u64> {
    let ears = match by {
        To::Ear => vec![key("ear")],
        To::Ears => (1..=400).map(NumberedId::number).collect(),
        To::Walker => Vec::new(),
    };
    let mut heard = Vec::new();
    for ear in ears {
        // A number is left out when nobody knows whether it was used.
        let ear = system.entities::<Ear>().get(&ear).await.expect("readable");
        heard.extend(ear.into_iter().flat_map(|ear| ear.state.heard));
    }
    heard
}
