//! An entity that has others run errands: who is asked asks in turn.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    super::{Service, System},
    fixture::{Errand, ErrandRejection, RunErrand, Tally},
};
use crate::{
    actors::{
        entity::{
            AnyContinuation, Ask, AskError, Command, CommandContext, Continuation, Decision, DomainEvent, Effects,
            Entity, Number, NumberedId, Outcome, ServiceDeclaration, Step, Unavailable, persist,
        },
        supervision::SupervisionConfig,
    },
    persistence::Storage,
};

/// Waits for an errand to tally 1, and knows what came of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Boss {
    rounds: u32,
    waits: bool,
    heard: Option<i64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum BossEvent {
    Sent,
    NotDone,
    Heard { total: i64 },
}

impl DomainEvent for BossEvent {
    const PUBLIC: &'static [&'static str] = &[];

    fn name(&self) -> &'static str {
        match self {
            Self::Sent => "Sent",
            Self::NotDone => "NotDone",
            Self::Heard { .. } => "Heard",
        }
    }
    fn on_bus(&self, _: Number) -> Map<String, Value> {
        Map::new()
    }
}

impl Entity for Boss {
    const KIND: &'static str = "t.boss";
    const SNAPSHOT: u32 = 1;
    type Id = NumberedId;
    type Event = BossEvent;
    type Rejection = ErrandRejection;
    const COMMANDS: &'static [&'static str] = &[Have::NAME, Hear::NAME];
    const ASKS: &'static [&'static str] = &[Errand::KIND];
    fn evolve(&mut self, event: &BossEvent) {
        self.waits = *event == BossEvent::Sent;
        match event {
            BossEvent::Sent => self.rounds += 1,
            BossEvent::NotDone => {}
            BossEvent::Heard { total } => self.heard = Some(*total),
        }
    }
    fn resume(&self) -> Vec<AnyContinuation<Self>> {
        if self.waits { vec![self.send().erase()] } else { Vec::new() }
    }
}

impl Boss {
    fn send(&self) -> Continuation<Self, i64> {
        let to = NumberedId::Key(crate::actors::entity::Key::new("e").expect("a key"));
        Ask::<Errand, _>::once(Step("send", self.rounds), to, RunErrand { to: 1, n: 4 }, Duration::from_secs(2))
            .then(|result| Hear { result })
    }
}

/// Has errand `e` add 4 to tally 1.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Have;

impl Command<Boss> for Have {
    const NAME: &'static str = "have";
    type Reply = i64;
    fn decide(self, boss: &Boss, _: &CommandContext) -> Decision<Boss, i64> {
        match boss {
            Boss { waits: true, .. } => Err(ErrandRejection::UnderWay),
            Boss { heard: Some(total), .. } => Ok(Effects::reply(*total)),
            Boss { .. } => Ok(persist([BossEvent::Sent]).then(Boss::send)),
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Hear {
    result: Result<i64, AskError<ErrandRejection>>,
}

impl Command<Boss> for Hear {
    const NAME: &'static str = "hear";
    type Reply = i64;
    fn decide(self, _: &Boss, _: &CommandContext) -> Decision<Boss, i64> {
        match self.result {
            Ok(total) => Ok(persist([BossEvent::Heard { total }]).reply(total)),
            Err(error) if error.outcome() == Outcome::Unknown => Ok(persist([]).then(Boss::send)),
            Err(error) => {
                let (partner, reason, retry_after) = ("errand".into(), error.to_string(), Duration::from_secs(5));
                let why = Unavailable::Partner { partner, reason, retry_after };
                Ok(persist([BossEvent::NotDone]).not_done(why))
            }
        }
    }
}

/// Bosses, errands and tallies, one journal, nobody who follows.
pub(super) async fn offices(storage: &Storage) -> System {
    let config = SupervisionConfig::parse("", "test").expect("a configuration");
    let builder = System::builder(storage.clone()).supervision(config);
    let builder = builder.service("t", Service::service("tally").entity::<Tally>());
    let builder = builder.service("t", Service::service("errand").entity::<Errand>());
    builder.service("t", Service::service("boss").entity::<Boss>()).start().await.expect("starts")
}
