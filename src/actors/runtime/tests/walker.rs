//! An entity that does what authors should not: its follow-ups reject, say nothing, or panic. And policies
//! that address one tally in different ways.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    super::{Clock, Service, System},
    fixture::{Add, AddCount, Tally, TallyRejection},
};
use crate::{
    actors::{
        entity::{
            AnyContinuation, Ask, AskError, Command, CommandContext, Continuation, Decision, Dispatch, DispatchOrder,
            DomainEvent, Effects, Entity, Key, Number, NumberedId, Policy, Recorded, ServiceDeclaration, Step,
            Timestamp, persist, send,
        },
        supervision::SupervisionConfig,
    },
    persistence::Storage,
};

/// How a walk comes home.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) enum How {
    #[default]
    Well,
    Rejecting,
    Silently,
    PanickingAtOnce,
    PanickingWhenDeciding,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Walker {
    away: bool,
    how: How,
    walks: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum WalkerEvent {
    Left { how: How },
    Home,
    Waved { to: u64, by: By },
}

/// How a policy addresses the tally that is waved to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum By {
    Number,
    Key,
    /// By number, in the order of its source.
    Source,
}

impl DomainEvent for WalkerEvent {
    const PUBLIC: &'static [&'static str] = &["Left", "Home", "Waved"];

    fn name(&self) -> &'static str {
        match self {
            Self::Left { .. } => "Left",
            Self::Home => "Home",
            Self::Waved { .. } => "Waved",
        }
    }
    fn on_bus(&self, _: Number) -> Map<String, Value> {
        Map::new()
    }
}

#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
#[error("away")]
pub(super) struct Away;

impl Entity for Walker {
    const KIND: &'static str = "t.walker";
    const SNAPSHOT: u32 = 1;
    type Id = NumberedId;
    type Event = WalkerEvent;
    type Rejection = Away;
    const COMMANDS: &'static [&'static str] = &[Walk::NAME, Follow::NAME, ComeHome::NAME, Wave::NAME];
    const ASKS: &'static [&'static str] = &[Tally::KIND];
    fn evolve(&mut self, event: &WalkerEvent) {
        match event {
            WalkerEvent::Left { how } => {
                (self.away, self.how) = (true, *how);
                self.walks += 1;
            }
            WalkerEvent::Home => self.away = false,
            WalkerEvent::Waved { .. } => {}
        }
    }
    fn resume(&self) -> Vec<AnyContinuation<Self>> {
        if self.away && self.how != How::Silently { vec![self.walk().erase()] } else { Vec::new() }
    }
}

impl Walker {
    fn walk(&self) -> Continuation<Self, u32> {
        let how = self.how;
        let step = Step("walk", self.walks);
        Ask::<Tally, _>::once(step, NumberedId::number(1), Add { n: 1 }, Duration::from_secs(1)).then(
            move |result: Result<i64, AskError<TallyRejection>>| {
                assert!(how != How::PanickingAtOnce, "no follow-up");
                ComeHome { how, well: result.is_ok() }
            },
        )
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Walk(pub(super) How);

impl Command<Walker> for Walk {
    const NAME: &'static str = "walk";
    type Reply = u32;
    fn decide(self, walker: &Walker, _: &CommandContext) -> Decision<Walker, u32> {
        if walker.away {
            return Err(Away);
        }
        Ok(persist([WalkerEvent::Left { how: self.0 }]).then(Walker::walk))
    }
}

/// Waits for the same step as the walk that is under way.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Follow;

impl Command<Walker> for Follow {
    const NAME: &'static str = "follow";
    type Reply = u32;
    fn decide(self, _: &Walker, _: &CommandContext) -> Decision<Walker, u32> {
        Ok(persist([]).then(Walker::walk))
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct ComeHome {
    how: How,
    well: bool,
}

impl Command<Walker> for ComeHome {
    const NAME: &'static str = "come-home";
    type Reply = u32;
    fn decide(self, walker: &Walker, _: &CommandContext) -> Decision<Walker, u32> {
        match self.how {
            How::Well | How::PanickingAtOnce => Ok(persist([WalkerEvent::Home]).reply(walker.walks)),
            How::Rejecting => Err(Away),
            How::Silently => Ok(Effects::reply(walker.walks)),
            How::PanickingWhenDeciding => panic!("no way home"),
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Wave {
    pub(super) to: u64,
    pub(super) by: By,
}

impl Command<Walker> for Wave {
    const NAME: &'static str = "wave";
    type Reply = ();
    fn decide(self, _: &Walker, _: &CommandContext) -> Decision<Walker, ()> {
        Ok(persist([WalkerEvent::Waved { to: self.to, by: self.by }]).reply(()))
    }
}

/// Adds 10 to whom is waved to, by number or by the key `t<number>`.
pub(super) struct CountWaves;

impl Policy for CountWaves {
    const NAME: &'static str = "t.count-waves";
    type Source = Walker;
    type Target = Tally;
    fn react(&self, event: &Recorded<Walker>) -> Vec<Dispatch<Tally>> {
        match event.event {
            WalkerEvent::Waved { to, by: By::Number } => vec![send(&NumberedId::number(to), Add { n: 10 })],
            WalkerEvent::Waved { to, by: By::Key } => {
                vec![send(&NumberedId::Key(Key::new(format!("t{to}")).expect("a key")), Add { n: 10 })]
            }
            WalkerEvent::Waved { by: By::Source, .. } | WalkerEvent::Left { .. } | WalkerEvent::Home => Vec::new(),
        }
    }
}

/// The same in the order of the sources.
struct CountWavesInOrder;

impl Policy for CountWavesInOrder {
    const NAME: &'static str = "t.count-waves-in-order";
    type Source = Walker;
    type Target = Tally;
    const ORDER: DispatchOrder = DispatchOrder::PerSource;
    fn react(&self, event: &Recorded<Walker>) -> Vec<Dispatch<Tally>> {
        match event.event {
            WalkerEvent::Waved { to, by: By::Source } => vec![send(&NumberedId::number(to), Add { n: 10 })],
            WalkerEvent::Waved { .. } | WalkerEvent::Left { .. } | WalkerEvent::Home => Vec::new(),
        }
    }
}

/// Walkers start before the tallies that they ask.
pub(super) async fn walkers(storage: &Storage) -> System {
    walkers_with(storage, "").await
}

pub(super) async fn walkers_with(storage: &Storage, config: &str) -> System {
    let walker = Service::new("walker").entity::<Walker>();
    let tally = Service::new("tally").listed::<Tally>().view::<AddCount>();
    let tally = tally.policy(CountWaves).policy(CountWavesInOrder);
    let config = SupervisionConfig::parse(config, "test.toml").expect("a configuration");
    let clock = Clock::starting_at(Timestamp::from_millis(1_000_000));
    let builder = System::builder(storage.clone()).clock(clock).supervision(config);
    builder.service("t", walker).service("t", tally).start().await.expect("starts")
}
