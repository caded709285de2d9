//! The testkit against a lamp with a meter: what it accepts, and that each check can fail.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::*;
use crate::actors::entity::*;

const SECOND: Duration = Duration::from_secs(1);

/// A lamp; switching it on has to be counted by a meter first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Lamp {
    counting: bool,
    lit: bool,
    forgetful: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum LampEvent {
    CountingStarted,
    Lit,
    Darkened { broken: bool },
    Forgot,
}

#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
enum LampRejection {
    #[error("it is on")]
    On,
}

impl DomainEvent for LampEvent {
    const PUBLIC: &'static [&'static str] = &["CountingStarted", "Lit", "Darkened", "Broken", "Forgot"];

    fn name(&self) -> &'static str {
        match self {
            Self::CountingStarted => "CountingStarted",
            Self::Lit => "Lit",
            Self::Darkened { broken: false } => "Darkened",
            Self::Darkened { broken: true } => "Broken",
            Self::Forgot => "Forgot",
        }
    }
    fn on_bus(&self, number: Number) -> Map<String, Value> {
        Map::from_iter([("id".to_owned(), number.get().into())])
    }
}

impl Entity for Lamp {
    const KIND: &'static str = "test.lamp";
    const SNAPSHOT: u32 = 1;
    type Id = NumberedId;
    type Event = LampEvent;
    type Rejection = LampRejection;
    const COMMANDS: &'static [&'static str] = &[SwitchOn::NAME, SwitchOff::NAME, FinishSwitching::NAME, Forget::NAME];
    const ASKS: &'static [&'static str] = &[Lamp::KIND];
    fn evolve(&mut self, event: &LampEvent) {
        match event {
            LampEvent::CountingStarted => self.counting = true,
            LampEvent::Lit => (self.counting, self.lit) = (false, true),
            LampEvent::Darkened { .. } => (self.counting, self.lit) = (false, false),
            LampEvent::Forgot => self.forgetful = true,
        }
    }
    fn resume(&self) -> Vec<AnyContinuation<Self>> {
        if self.counting && !self.forgetful { vec![self.count().erase()] } else { Vec::new() }
    }
}

impl Lamp {
    fn count(&self) -> Continuation<Self, bool> {
        Ask::<Lamp, _>::once(Step("count", u32::from(self.counting)), NumberedId::number(9), SwitchOff, SECOND)
            .then(|outcome| FinishSwitching { outcome })
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct SwitchOn;
impl Command<Lamp> for SwitchOn {
    const NAME: &'static str = "switch-on";
    type Reply = bool;
    fn decide(self, lamp: &Lamp, _: &CommandContext) -> Decision<Lamp, bool> {
        if lamp.lit {
            return Err(LampRejection::On);
        }
        Ok(persist([LampEvent::CountingStarted]).then(Lamp::count))
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct SwitchOff;
impl Command<Lamp> for SwitchOff {
    const NAME: &'static str = "switch-off";
    type Reply = ();
    fn decide(self, _: &Lamp, _: &CommandContext) -> Decision<Lamp, ()> {
        Ok(Effects::reply(()))
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct FinishSwitching {
    outcome: Result<(), AskError<LampRejection>>,
}
impl Command<Lamp> for FinishSwitching {
    const NAME: &'static str = "finish-switching";
    type Reply = bool;
    fn decide(self, _: &Lamp, ctx: &CommandContext) -> Decision<Lamp, bool> {
        assert_eq!(ctx.answers, Some(Step("count", 1)));
        match self.outcome {
            Ok(()) => Ok(persist([LampEvent::Lit]).reply_with(|lamp| lamp.lit)),
            Err(_) => Ok(persist([LampEvent::Darkened { broken: false }]).not_done(Unavailable::ShuttingDown)),
        }
    }
}

fn fails(check: impl FnOnce()) {
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(check)).is_err(), "the check must fail");
}

#[test]
fn a_decision_is_followed_through_its_ask_to_the_reply() {
    given::<Lamp>([])
        .when(SwitchOn)
        .then_events([LampEvent::CountingStarted])
        .then_asks::<Lamp, _>(&NumberedId::number(9), SwitchOff)
        .then_step(Step("count", 1))
        .then_waits(SECOND)
        .answered::<Lamp, SwitchOff>(Ok(()))
        .then_events([LampEvent::Lit])
        .then_reply(true)
        .then_resumes_nothing()
        .when(SwitchOn)
        .then_rejected(LampRejection::On)
        .then_nothing_written();
}

#[test]
fn an_answer_may_be_an_error_and_the_reply_not_done() {
    given::<Lamp>([])
        .when(SwitchOn)
        .answered::<Lamp, SwitchOff>(Err(AskError::Rejected(LampRejection::On)))
        .then_events([LampEvent::Darkened { broken: false }])
        .then_not_done(SECOND);
}

#[test]
fn every_expectation_can_fail() {
    let asking = || given::<Lamp>([]).when(SwitchOn);
    let rejected = || given::<Lamp>([LampEvent::Lit]).when(SwitchOn);
    fails(|| drop(asking().then_nothing_written()));
    fails(|| drop(asking().then_reply(true)));
    fails(|| drop(asking().then_not_done(SECOND)));
    fails(|| drop(asking().then_resumes_nothing()));
    fails(|| drop(asking().then_rejected(LampRejection::On)));
    fails(|| drop(asking().then_asks::<Lamp, _>(&NumberedId::number(8), SwitchOff)));
    fails(|| drop(asking().then_asks::<Lamp, _>(&NumberedId::number(9), SwitchOn)));
    fails(|| drop(asking().then_creates::<Lamp, _>(SwitchOff)));
    fails(|| drop(asking().then_step(Step("count", 2))));
    fails(|| drop(asking().then_waits(2 * SECOND)));
    fails(|| drop(rejected().then_asks::<Lamp, _>(&NumberedId::number(9), SwitchOff)));
    fails(|| drop(rejected().answered::<Lamp, SwitchOff>(Ok(()))));
}

#[test]
fn an_ask_that_resume_forgets_is_found() {
    let forgetful = given::<Lamp>([LampEvent::Forgot]).when(SwitchOn);
    fails(|| drop(forgetful.then_asks::<Lamp, _>(&NumberedId::number(9), SwitchOff)));
}

#[test]
fn the_laws_hold_for_the_lamp_and_find_a_wrong_name() {
    laws::<Lamp>([vec![LampEvent::CountingStarted, LampEvent::Lit], vec![LampEvent::Darkened { broken: false }]]);
    fails(|| laws::<Lamp>([vec![LampEvent::Darkened { broken: true }]]));
    fails(|| laws::<Lamp>([]));
}

/// Switches lamp 5 off whenever another lamp is lit.
struct SaveEnergy;
impl Policy for SaveEnergy {
    const NAME: &'static str = "test.save-energy";
    type Source = Lamp;
    type Target = Lamp;
    fn react(&self, event: &Recorded<Lamp>) -> Vec<Dispatch<Lamp>> {
        match event.event {
            LampEvent::Lit => vec![send::<Lamp, _>(&NumberedId::number(5), SwitchOff), create(SwitchOn)],
            LampEvent::CountingStarted | LampEvent::Darkened { .. } | LampEvent::Forgot => Vec::new(),
        }
    }
}

fn lamp(n: u64, events: impl IntoIterator<Item = LampEvent>) -> Vec<Recorded<Lamp>> {
    let number = |(sequence, event)| recorded(NumberedId::number(n), n, sequence, event);
    (1..).zip(events).map(number).collect()
}

#[test]
fn a_reaction_is_compared_dispatch_by_dispatch() {
    let lit = || reacts(&SaveEnergy, &recorded(NumberedId::number(1), 1, 1, LampEvent::Lit));
    lit().then_sends(&NumberedId::number(5), SwitchOff).then_creates(SwitchOn).then_nothing();
    fails(|| lit().then_nothing());
    fails(|| drop(lit().then_sends(&NumberedId::number(6), SwitchOff)));
    fails(|| drop(lit().then_sends(&NumberedId::number(5), SwitchOn)));
    fails(|| drop(lit().then_creates(SwitchOff)));
}

/// How many lamps are lit, and, against the law, which was the last.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Lights {
    lit: u32,
    last: Option<u64>,
}

impl View for Lights {
    const NAME: &'static str = "test.lights";
    const VERSION: u32 = 1;
    type Key = u64;
    fn sources() -> Sources<Self> {
        Sources::of::<Lamp>()
    }
}

impl Follows<Lamp> for Lights {
    fn key(_: &Recorded<Lamp>) -> Option<u64> {
        Some(0)
    }
    fn apply(row: &mut Option<Self>, event: &Recorded<Lamp>) {
        let lights = row.get_or_insert(Self { lit: 0, last: None });
        match event.event {
            LampEvent::Lit => lights.lit += 1,
            LampEvent::Forgot => lights.last = Some(event.number.get()),
            LampEvent::CountingStarted | LampEvent::Darkened { .. } => {}
        }
    }
}

#[test]
fn a_view_is_folded_in_every_order_or_in_many() {
    let few = history::<Lights>().entity(lamp(1, [LampEvent::Lit])).entity(lamp(2, [LampEvent::Lit]));
    assert_eq!(few.then_order_does_not_matter().get(&0).map(|lights| lights.lit), Some(2));
    let ten = || vec![LampEvent::Lit; 10];
    let many = history::<Lights>().entity(lamp(1, ten())).entity(lamp(2, ten())).entity(lamp(3, ten()));
    assert_eq!(many.then_order_does_not_matter().get(&0).map(|lights| lights.lit), Some(30));
}

#[test]
fn a_view_that_depends_on_the_order_is_found() {
    for length in [1, 12] {
        let forgot = || vec![LampEvent::Forgot; length];
        fails(|| {
            history::<Lights>().entity(lamp(1, forgot())).entity(lamp(2, forgot())).then_order_does_not_matter();
        });
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Forget;
impl Command<Lamp> for Forget {
    const NAME: &'static str = "forget";
    type Reply = ();
    fn decide(self, _: &Lamp, _: &CommandContext) -> Decision<Lamp, ()> {
        Ok(persist([LampEvent::Forgot]).reply(()))
    }
}

/// A hall with eight lamps in the dark and a ninth that is lit: it counts, itself included.
fn hall() -> World {
    let mut world = World::of(vec![Cast::service("hall").entity::<Lamp>()]);
    let lit: Vec<_> = (1..=9).filter(|_| world.create::<Lamp, _>(SwitchOn, &[]).is_ok()).collect();
    assert_eq!(lit, [9], "before there is a lamp 9, nobody counts");
    world
}

fn is_lit(world: &World, number: u64) -> bool {
    world.kind::<Lamp>().numbered(Number::new(number)).is_some_and(|lamp| lamp.state.lit)
}

#[test]
fn a_world_follows_asks_and_each_of_them_meets_its_fault() {
    for fault in Fault::ALL {
        let mut world = hall();
        let told = world.ask::<Lamp, _>(&NumberedId::number(1), SwitchOn, &[fault]);
        let came_through = matches!(fault, Fault::None | Fault::CrashBefore | Fault::CrashAfter);
        assert_eq!(told.is_ok(), came_through, "{fault:?}");
        assert_eq!(is_lit(&world, 1), came_through, "{fault:?}");
        assert_eq!(world.arrive_late(), fault == Fault::Late);
        assert_eq!(world.rows::<Lights>().get(&0).map(|lights| lights.lit), Some(1 + u32::from(came_through)));
    }
}

#[test]
fn a_world_that_crashes_asks_again_what_was_open_and_finds_what_resume_forgets() {
    let lamp = NumberedId::number(1);
    let mut world = hall();
    assert!(world.begin::<Lamp, _>(&lamp, SwitchOn).is_none(), "it asks");
    world.crash();
    world.settle();
    assert!(is_lit(&world, 1));
    assert_eq!(world.begin::<Lamp, _>(&lamp, SwitchOn), Some(Err(AskError::Rejected(LampRejection::On))));

    let mut world = hall();
    assert!(world.begin::<Lamp, _>(&lamp, SwitchOn).is_none(), "it asks");
    assert!(world.ask::<Lamp, _>(&lamp, Forget, &[]).is_ok());
    fails(|| world.crash());
}

#[test]
fn a_stopped_service_is_asked_in_vain_and_its_policies_wait() {
    let mut world = World::of(vec![
        Cast::service("hall").entity::<Lamp>(),
        Cast::service("office").entity::<Meter>().policy(CountLight),
    ]);
    assert!(world.create::<Lamp, _>(Forget, &[]).is_ok());
    world.stop("office");
    assert!(!world.react(0));
    let key = Key::new("meter").unwrap();
    assert!(matches!(world.ask::<Meter, _>(&key, Count, &[]), Err(AskError::Unavailable(_))));
    world.start("office");
    assert!(world.react(3), "whatever is picked, there is one");
    assert!(!world.react(0));
    assert_eq!(world.kind::<Meter>().keyed(&key).map(|meter| meter.state.0), Some(1));
    assert_eq!(world.dead_letters().len(), 1, "the second count was refused");
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Meter(u32);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum MeterEvent {
    Counted,
}

impl DomainEvent for MeterEvent {
    const PUBLIC: &'static [&'static str] = &["Counted"];
    fn name(&self) -> &'static str {
        "Counted"
    }
    fn on_bus(&self, _: Number) -> Map<String, Value> {
        Map::new()
    }
}

impl Entity for Meter {
    const KIND: &'static str = "test.meter";
    const SNAPSHOT: u32 = 1;
    type Id = Key;
    type Event = MeterEvent;
    type Rejection = LampRejection;
    const COMMANDS: &'static [&'static str] = &[Count::NAME];
    fn evolve(&mut self, _: &MeterEvent) {
        self.0 += 1;
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Count;
impl Command<Meter> for Count {
    const NAME: &'static str = "count";
    type Reply = ();
    fn decide(self, meter: &Meter, _: &CommandContext) -> Decision<Meter, ()> {
        if meter.0 > 0 {
            return Err(LampRejection::On);
        }
        Ok(persist([MeterEvent::Counted]).reply(()))
    }
}

/// Counts twice whatever happens to a lamp; the meter refuses the second time.
struct CountLight;
impl Policy for CountLight {
    const NAME: &'static str = "test.count-light";
    type Source = Lamp;
    type Target = Meter;
    fn react(&self, _: &Recorded<Lamp>) -> Vec<Dispatch<Meter>> {
        let meter = Key::new("meter").unwrap();
        vec![send(&meter, Count), send(&meter, Count)]
    }
}
