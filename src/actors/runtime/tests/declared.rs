//! What a service declares beside entities and followers: seeds, switches, lists of natural keys.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    super::{Service, StartError, System},
    fixture::{Add, Tally, key, memory, settled},
};
use crate::actors::entity::{
    AnySettings, Command, CommandContext, Decision, DomainEvent, Effects, Entity, Key, Listed, Number, Presence,
    ServiceDeclaration, Settings, persist,
};

/// A gauge, known by its name; its unit is a switch of the system.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Gauge {
    unit: Option<String>,
    installed: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum GaugeEvent {
    Installed { unit: String },
}

#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
#[error("refused")]
struct Refused;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct GaugeSettings {
    unit: String,
}

impl Default for GaugeSettings {
    fn default() -> Self {
        Self { unit: "litre".to_owned() }
    }
}

impl Settings for GaugeSettings {
    const SYSTEM: &'static str = "g";
}

impl DomainEvent for GaugeEvent {
    const PUBLIC: &'static [&'static str] = &["Installed"];
    fn name(&self) -> &'static str {
        "Installed"
    }
    fn on_bus(&self, _: Number) -> Map<String, Value> {
        Map::new()
    }
}

impl Entity for Gauge {
    const KIND: &'static str = "g.gauge";
    const SNAPSHOT: u32 = 1;
    type Id = Key;
    type Event = GaugeEvent;
    type Rejection = Refused;
    const COMMANDS: &'static [&'static str] = &[Install::NAME];
    fn evolve(&mut self, event: &GaugeEvent) {
        let GaugeEvent::Installed { unit } = event;
        *self = Self { unit: Some(unit.clone()), installed: self.installed + 1 };
    }
}

impl Listed for Gauge {
    const LIST: &'static str = "g.gauges";
    fn presence(&self) -> Presence {
        Presence::Listed
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Install;

impl Command<Gauge> for Install {
    const NAME: &'static str = "install";
    type Reply = u32;
    fn decide(self, gauge: &Gauge, ctx: &CommandContext) -> Decision<Gauge, u32> {
        if gauge.installed > 0 {
            return Ok(Effects::reply(gauge.installed));
        }
        let unit = ctx.settings::<GaugeSettings>().unit.clone();
        Ok(persist([GaugeEvent::Installed { unit }]).reply_with(|gauge| gauge.installed))
    }
}

fn name(text: &str) -> Key {
    Key::new(text).expect("a key")
}

fn gauges() -> Service {
    Service::new("gauge").listed::<Gauge>().seed::<Gauge, _>(name("b"), Install).seed::<Gauge, _>(name("a"), Install)
}

#[tokio::test]
async fn a_seed_is_there_when_the_service_is_and_only_once() {
    let storage = memory();
    let system = System::builder(storage.clone()).service("g", gauges()).start().await.expect("starts");
    let gauge = system.entities::<Gauge>().get(&name("a")).await.expect("running").expect("seeded");
    assert_eq!((gauge.state.installed, gauge.sequence), (1, 1));
    system.stop_service("g/gauge").await.expect("stopped");
    system.start_service("g/gauge").await.expect("started");
    let again = storage.reopen_memory().expect("memory");
    drop(system);
    let system = System::builder(again).service("g", gauges()).start().await.expect("starts");
    let gauge = system.entities::<Gauge>().get(&name("a")).await.expect("running").expect("seeded");
    assert_eq!(gauge.sequence, 1);
}

#[tokio::test]
async fn a_seed_of_another_service_is_refused() {
    let thief = Service::new("thief").seed::<Gauge, _>(name("x"), Install);
    let system = System::builder(memory()).service("g", gauges()).service("g", thief).start().await;
    assert!(matches!(system, Err(StartError::ForeignTarget { policy: "install", .. })), "{system:?}");
}

#[tokio::test]
async fn natural_keys_are_listed_in_their_order() {
    let system = System::builder(memory()).service("g", gauges()).start().await.expect("starts");
    settled(&system).await;
    let rows = system.list::<Gauge>().scan(&[], None, 10).await.expect("rows");
    let names: Vec<_> = rows.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
}

#[tokio::test]
async fn a_decision_sees_the_switches_as_they_stand() {
    let settings = |unit: &str| AnySettings::of(GaugeSettings { unit: unit.to_owned() });
    let builder = System::builder(memory()).service("g", gauges()).settings(settings("barrel"));
    let system = builder.service("t", Service::new("tally").entity::<Tally>()).start().await.expect("starts");
    let gauges = system.entities::<Gauge>();
    let unit = |gauge: &str| {
        let (gauges, gauge) = (gauges.clone(), name(gauge));
        async move { gauges.get(&gauge).await.expect("running").expect("installed").state.unit.expect("known") }
    };
    assert_eq!(unit("a").await, "barrel");
    system.change_settings(settings("gallon"));
    gauges.ask(&name("c"), Install).await.expect("installed");
    assert_eq!((unit("c").await, unit("a").await), ("gallon".to_owned(), "barrel".to_owned()));
    // another system has none
    assert_eq!(system.entities::<Tally>().ask(&key("t"), Add { n: 1 }).await, Ok(1));
}
