//! A whole system in memory, driven by hand.
//!
//! What a runtime does in whatever order it likes, a test does here in the order that it chooses: a policy
//! sees an event when [`World::react`] says so, an ask goes on when [`World::advance`] does, and every ask
//! may meet a [`Fault`]. A system is put on stage as it is declared: `World::of(store::services())`.
//!
//! Streams are kept as events and folded states; numbers count per service; first answers are kept by step,
//! as the runtime keeps them, so that a repeated ask is recognised. There is no time, no storage, no limit.

use std::{
    any::Any,
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fmt,
};

use super::Rows;
use crate::actors::entity::{
    Address, AnyCommand, AnySettings, AskError, Command, DeadLetter, Entity, EntityId, Key, Number, NumberedId,
    PolicyProgress, PolicyProgressEvent, ReplyValue, Settings, Step, Timestamp, Unavailable, View,
};

mod cast;
mod kind;
mod links;
mod policies;

pub use cast::Cast;
pub use kind::{Kind, Stream};
pub use links::Fault;

use kind::{AnyKind, Came, Circumstances};
use links::{Asked, Call, Flight, Landed};
use policies::Follower;

/// The kinds, policies and open asks of one system.
pub struct World {
    kinds: BTreeMap<&'static str, Hosted>,
    policies: Vec<Follower>,
    /// How many events of a source entity a policy has dealt with.
    cursors: HashMap<(&'static str, Key), usize>,
    /// The last number given, by service.
    numbers: HashMap<&'static str, u64>,
    stopped: BTreeSet<&'static str>,
    /// First answers of asks, by who asked: a repeat gets the same again.
    answered: HashMap<Asked, Vec<u8>>,
    /// Steps of which an earlier try may have been done.
    doubted: HashSet<Asked>,
    /// Asks that are open.
    flights: Vec<Flight>,
    /// Asks that were given up and arrive later.
    late: Vec<Call>,
    /// Every event in the order in which it was written: kind, stream, event.
    log: Vec<(&'static str, usize, usize)>,
    now: Timestamp,
    settings: Option<AnySettings>,
    commands: u128,
    keys: u64,
}

/// Asks that one command may lead to; a system that needs more asks in circles.
const MOST_ASKS: usize = 1000;

/// A kind and the service that it belongs to.
struct Hosted {
    service: &'static str,
    kind: Box<dyn AnyKind>,
}

impl World {
    /// The world of a system with these services.
    pub fn of(services: Vec<Cast>) -> Self {
        let mut world = Self {
            kinds: BTreeMap::new(),
            policies: Vec::new(),
            cursors: HashMap::new(),
            numbers: HashMap::new(),
            stopped: BTreeSet::new(),
            answered: HashMap::new(),
            doubted: HashSet::new(),
            flights: Vec::new(),
            late: Vec::new(),
            log: Vec::new(),
            now: Timestamp::from_millis(1_600_000_000_000),
            settings: None,
            commands: 0,
            keys: 0,
        };
        world.host::<PolicyProgress>("steadfast");
        let seeds: Vec<_> = services.into_iter().flat_map(|service| service.enter(&mut world)).collect();
        for seed in seeds {
            seed(&mut world);
        }
        world
    }

    fn host<E: Entity>(&mut self, service: &'static str) {
        let hosted = Hosted { service, kind: Box::new(Kind::<E>::new()) };
        assert!(self.kinds.insert(E::KIND, hosted).is_none(), "{} is declared twice", E::KIND);
    }

    /// Lets decisions happen at `now` from here on.
    pub fn at(&mut self, now: Timestamp) {
        self.now = now;
    }

    /// Lets decisions happen under these switches of the system from here on.
    pub fn under(&mut self, settings: impl Settings) {
        self.settings = Some(AnySettings::of(settings));
    }

    /// Asks `to`, and follows its asks, and those of whom it asks, to the end; the n-th of them meets the n-th
    /// fault.
    ///
    /// # Errors
    /// What the entity, or a stopped service, answers.
    pub fn ask<E: Entity, C: Command<E>>(
        &mut self,
        to: &E::Id,
        command: C,
        faults: &[Fault],
    ) -> Result<C::Reply, AskError<E::Rejection>> {
        let came = self.decide(E::KIND, &to.address(), boxed::<E, C>(command), None);
        typed::<E, C>(self.follow(came, faults), &to.address())
    }

    /// Asks a new entity; else like [`World::ask`].
    ///
    /// # Errors
    /// What the entity, or a stopped service, answers.
    pub fn create<E: Entity<Id = NumberedId>, C: Command<E>>(
        &mut self,
        command: C,
        faults: &[Fault],
    ) -> Result<C::Reply, AskError<E::Rejection>> {
        let to = self.fresh();
        self.ask::<E, C>(&to, command, faults)
    }

    /// Asks `to`, and leaves what it asks in turn to [`World::advance`]: then there is no answer yet.
    pub fn begin<E: Entity, C: Command<E>>(
        &mut self,
        to: &E::Id,
        command: C,
    ) -> Option<Result<C::Reply, AskError<E::Rejection>>> {
        let came = self.decide(E::KIND, &to.address(), boxed::<E, C>(command), None);
        if let Came::Asks(flight) = came {
            self.flights.push(*flight);
            return None;
        }
        Some(typed::<E, C>(came, &to.address()))
    }

    /// An id that nothing has yet.
    pub fn fresh(&mut self) -> NumberedId {
        self.keys += 1;
        NumberedId::Key(Key::new(format!("client-{}", self.keys)).expect("a short text without control characters"))
    }

    /// Stops a service: it is asked in vain, and its policies wait.
    pub fn stop(&mut self, service: &'static str) {
        self.stopped.insert(service);
    }

    /// Starts a service again.
    pub fn start(&mut self, service: &'static str) {
        self.stopped.remove(service);
    }

    /// Lets everything happen that still has to, as far as services run.
    pub fn settle(&mut self) {
        let mut turns = 0;
        while self.arrive_late() || self.advance(0, Fault::None) || self.react(0) {
            turns += 1;
            assert!(turns < 100_000, "the policies must come to rest");
        }
    }

    /// The entities of one kind.
    pub fn kind<E: Entity>(&self) -> &Kind<E> {
        let hosted = self.kinds.get(E::KIND).unwrap_or_else(|| panic!("{} is in no service", E::KIND));
        hosted.kind.as_any().downcast_ref().expect("a kind is hosted as its own type")
    }

    /// The rows of a view, of everything that has happened.
    pub fn rows<V: View>(&self) -> Rows<V> {
        let sources = V::sources();
        let events = self.log.iter().filter(|(kind, ..)| sources.get(kind).is_some());
        Rows::fold(events.map(|(kind, stream, event)| (*kind, self.hosted(kind).kind.event(*stream, *event))))
    }

    /// What policies could not deliver, by policy.
    pub fn dead_letters(&self) -> Vec<&DeadLetter> {
        let events = self.kind::<PolicyProgress>().events();
        let letters = events.filter_map(|event| match event {
            PolicyProgressEvent::PutAside(letter) => Some(letter.as_ref()),
            PolicyProgressEvent::Advanced { .. }
            | PolicyProgressEvent::Delivered { .. }
            | PolicyProgressEvent::Discarded { .. } => None,
        });
        letters.collect()
    }

    /// Follows the asks of a command, and those of whom it asks, to the end.
    fn follow(&mut self, came: Came, faults: &[Fault]) -> Came {
        let mut faults = faults.iter().copied();
        let mut landed = self.land(came, None);
        for _ in 0..MOST_ASKS {
            match landed {
                Landed::Home(came) => return came,
                Landed::Open(flight) => landed = self.fly(*flight, faults.next().unwrap_or_default()),
            }
            // Whoever is asked in vain may wait for something else that is under way.
            if faults.len() == 0 && matches!(landed, Landed::Open(_)) {
                self.advance(0, Fault::None);
            }
        }
        panic!("asks must come to an end")
    }

    fn hosted(&self, kind: &str) -> &Hosted {
        self.kinds.get(kind).unwrap_or_else(|| panic!("{kind} is in no service"))
    }

    /// One turn of one entity.
    fn decide(
        &mut self,
        kind: &'static str,
        to: &Address,
        command: Box<dyn Any + Send>,
        answers: Option<Step>,
    ) -> Came {
        let service = self.hosted(kind).service;
        if self.stopped.contains(service) && answers.is_none() {
            return Came::NotDone(Unavailable::ServiceStopped { service: service.to_owned() });
        }
        self.commands += 1;
        let (now, settings) = (self.now, self.settings.clone());
        let now = Circumstances { now, command: self.commands, answers, settings };
        let next = self.numbers.entry(service).or_default();
        let hosted = self.kinds.get_mut(kind).unwrap_or_else(|| panic!("{kind} is in no service"));
        let turn = hosted.kind.turn(to, command, now, next);
        self.log.extend(turn.written.into_iter().map(|(stream, event)| (kind, stream, event)));
        turn.came
    }
}

fn boxed<E: Entity, C: Command<E>>(command: C) -> Box<dyn Any + Send> {
    let command: Box<dyn AnyCommand<E>> = Box::new(command);
    Box::new(command)
}

fn typed<E: Entity, C: Command<E>>(came: Came, to: &Address) -> Result<C::Reply, AskError<E::Rejection>> {
    match came {
        Came::Reply(reply, _) => ReplyValue::Fresh(reply).read(),
        Came::NotDone(why) => Err(AskError::Unavailable(why)),
        Came::Rejected(rejection, _) => {
            Err(AskError::Rejected(*rejection.downcast().expect("an entity rejects with its own type")))
        }
        Came::NotFound => Err(AskError::NotFound { kind: E::KIND.to_owned(), address: to.to_string() }),
        Came::Asks(_) => unreachable!("asks are followed"),
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("kinds", &self.kinds.keys())
            .field("events", &self.log.len())
            .field("open", &self.flights.len())
            .finish_non_exhaustive()
    }
}

/// The number that an entity has, by which most tests name it.
impl<E: Entity> Kind<E> {
    /// What `item` says of the entity with this number; `None` also when nothing has it.
    pub fn item<I>(&self, number: u64, item: impl Fn(&E, Number) -> Option<I>) -> Option<I> {
        let number = Number::new(number);
        item(&self.numbered(number)?.state, number)
    }

    /// What `item` says of every entity, in the order of their creation.
    pub fn items<I>(&self, item: impl Fn(&E, Number) -> Option<I>) -> Vec<I> {
        self.streams().iter().filter_map(|stream| item(&stream.state, stream.number)).collect()
    }
}
