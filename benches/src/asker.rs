//! An entity that asks a counter and adds up what it answers: what `Asker` is of Restate (benches/peers/restate).

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use steadfast::{
    AnyContinuation, Ask, AskError, Command, CommandContext, Continuation, Decision, DomainEvent, Entity, Key, Listed,
    Number, Presence, Refusal, RefusalClass, Step, Unavailable, persist,
};

use crate::counter::{Add, Counter, NeverRefused};

/// How long the counter has to answer.
pub(crate) const WITHIN: Duration = Duration::from_secs(1);
/// Whoever was refused may come back then.
const RETRY_AFTER: Duration = Duration::from_secs(1);
const PARTNER: &str = "bench/counter";

/// What it has asked for, and the sum of the answers. Several of its questions may be open.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Asker {
    key: String,
    rounds: u32,
    open: BTreeMap<u32, i64>,
    sum: i64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum AskerEvent {
    Begun { key: String, amount: i64 },
    Answered { round: u32, answer: i64 },
    GivenUp { round: u32 },
}

impl DomainEvent for AskerEvent {
    const PUBLIC: &'static [&'static str] = &["Answered"];

    fn name(&self) -> &'static str {
        match self {
            Self::Begun { .. } => "Begun",
            Self::Answered { .. } => "Answered",
            Self::GivenUp { .. } => "GivenUp",
        }
    }
    fn on_bus(&self, _: Number) -> Map<String, Value> {
        Map::new()
    }
}

impl Refusal for NeverRefused {
    fn code(&self) -> &'static str {
        "NEVER"
    }
    fn class(&self) -> RefusalClass {
        RefusalClass::Conflict
    }
}

impl Entity for Asker {
    const KIND: &'static str = "bench.asker";
    const SNAPSHOT: u32 = 1;
    type Id = Key;
    type Event = AskerEvent;
    type Rejection = NeverRefused;
    const COMMANDS: &'static [&'static str] = &[AskCounter::NAME, FinishAsking::NAME];
    const ASKS: &'static [&'static str] = &[Counter::KIND];

    fn evolve(&mut self, event: &AskerEvent) {
        match event {
            AskerEvent::Begun { key, amount } => {
                self.key.clone_from(key);
                self.rounds += 1;
                self.open.insert(self.rounds, *amount);
            }
            AskerEvent::Answered { round, answer } => {
                self.open.remove(round);
                self.sum = self.sum.wrapping_add(*answer);
            }
            AskerEvent::GivenUp { round } => drop(self.open.remove(round)),
        }
    }

    fn resume(&self) -> Vec<AnyContinuation<Self>> {
        self.open.iter().map(|(round, amount)| self.ask(*round, *amount).erase()).collect()
    }
}

impl Listed for Asker {
    const LIST: &'static str = "bench.askers";
    fn presence(&self) -> Presence {
        if self.rounds == 0 { Presence::Hidden } else { Presence::Listed }
    }
}

impl Asker {
    /// As clients see it.
    pub(crate) fn item(&self) -> AskerItem {
        AskerItem { sum: self.sum }
    }

    fn ask(&self, round: u32, amount: i64) -> Continuation<Self, AskerItem> {
        let counter = Key::new(self.key.as_str()).expect("it is the asker's own");
        let ask = Ask::<Counter, _>::once(Step("add", round), counter, Add { amount }, WITHIN);
        ask.then(move |outcome| FinishAsking { round, outcome })
    }

    fn ask_last(&self) -> Continuation<Self, AskerItem> {
        self.ask(self.rounds, self.open.get(&self.rounds).copied().unwrap_or_default())
    }
}

/// What clients see of an asker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct AskerItem {
    sum: i64,
}

/// Asks the counter `key` to add `amount`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct AskCounter {
    pub(crate) key: String,
    pub(crate) amount: i64,
}

impl Command<Asker> for AskCounter {
    const NAME: &'static str = "ask-counter";
    type Reply = AskerItem;
    fn decide(self, _: &Asker, _: &CommandContext) -> Decision<Asker, AskerItem> {
        let Self { key, amount } = self;
        Ok(persist([AskerEvent::Begun { key, amount }]).then(Asker::ask_last))
    }
}

/// What the counter has answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct FinishAsking {
    round: u32,
    outcome: Result<i64, AskError<NeverRefused>>,
}

impl Command<Asker> for FinishAsking {
    const NAME: &'static str = "finish-asking";
    type Reply = AskerItem;
    fn decide(self, asker: &Asker, _: &CommandContext) -> Decision<Asker, AskerItem> {
        let Self { round, outcome } = self;
        if !asker.open.contains_key(&round) {
            return Ok(persist([]).not_done(Unavailable::given_up_before(PARTNER, RETRY_AFTER)));
        }
        match outcome {
            Ok(answer) => Ok(persist([AskerEvent::Answered { round, answer }]).reply_with(Asker::item)),
            Err(error) => Ok(persist([AskerEvent::GivenUp { round }]).not_done(error.of_partner(PARTNER, RETRY_AFTER))),
        }
    }
}

#[cfg(test)]
mod tests {
    use steadfast::{
        Service, ServiceDeclaration, System,
        persistence::{StorageConfig, open},
    };

    use super::*;

    #[tokio::test]
    async fn what_the_counter_answers_is_added_up() {
        let services =
            vec![Service::service("counter").entity::<Counter>(), Service::service("asker").listed::<Asker>()];
        let storage = open(&StorageConfig::memory()).expect("in memory");
        let system = System::builder(storage).system("bench", services).start().await.expect("it starts");
        let (askers, key) = (system.entities::<Asker>(), Key::new("7").expect("a key"));
        let ask = |amount| askers.ask(&key, AskCounter { key: "7".to_owned(), amount });
        assert_eq!(ask(2).await.expect("an answer"), AskerItem { sum: 2 });
        assert_eq!(ask(3).await.expect("an answer"), AskerItem { sum: 2 + 5 });
        let counter = system.entities::<Counter>().get(&key).await.expect("readable").expect("there");
        assert_eq!(counter.state.total(), 5);
        system.shutdown(WITHIN).await;
    }
}
