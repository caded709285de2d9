//! The entities of one kind, and one kind with its type forgotten.

use std::{any::Any, collections::HashMap, fmt};

use serde_json::Value;

use super::links::Flight;
use crate::actors::{
    entity::{
        Address, AnyAnswer, AnyCommand, AnySettings, CommandContext, CommandId, Entity, EntityId, Key, Number,
        Recorded, Step, Timestamp, Unavailable,
    },
    testkit::recorded,
};

/// The entities of one kind, in the order of their creation.
pub struct Kind<E: Entity> {
    streams: Vec<Stream<E>>,
    by_key: HashMap<Key, usize>,
}

/// One entity with its history.
#[derive(Debug)]
#[non_exhaustive]
pub struct Stream<E: Entity> {
    /// Its key.
    pub key: Key,
    /// Its number; none for kinds without.
    pub number: Number,
    /// What its events come to.
    pub state: E,
    /// All of them.
    pub events: Vec<Recorded<E>>,
}

/// What is the same for every kind that decides.
pub(super) struct Circumstances {
    pub(super) now: Timestamp,
    pub(super) command: u128,
    pub(super) answers: Option<Step>,
    pub(super) settings: Option<AnySettings>,
}

/// What one turn led to.
pub(super) struct Turn {
    /// Stream and index of each event.
    pub(super) written: Vec<(usize, usize)>,
    pub(super) came: Came,
}

/// What came of a command.
pub(super) enum Came {
    /// The reply, and as it is kept.
    Reply(Box<dyn Any + Send>, Vec<u8>),
    Asks(Box<Flight>),
    NotDone(Unavailable),
    /// The rejection, and as JSON.
    Rejected(Box<dyn Any + Send>, Value),
    NotFound,
}

/// A [`Kind`] whose type is forgotten.
pub(super) trait AnyKind {
    /// Decides a `Box<dyn AnyCommand<E>>` and applies what it says. `last` is the last number given.
    fn turn(&mut self, to: &Address, command: Box<dyn Any + Send>, now: Circumstances, last: &mut u64) -> Turn;
    /// Folds every entity again from its events and says what they resume.
    fn recover(&self) -> Vec<Flight>;
    /// How many events each stream has, with its key.
    fn lengths(&self) -> Box<dyn Iterator<Item = (&Key, usize)> + '_>;
    /// A `Recorded<E>`.
    fn event(&self, stream: usize, event: usize) -> &dyn Any;
    fn as_any(&self) -> &dyn Any;
    fn as_any_mut(&mut self) -> &mut dyn Any;
}

impl<E: Entity> Kind<E> {
    pub(super) fn new() -> Self {
        Self { streams: Vec::new(), by_key: HashMap::new() }
    }

    /// All of them, in the order of their creation.
    pub fn streams(&self) -> &[Stream<E>] {
        &self.streams
    }

    /// The entity with this key.
    pub fn keyed(&self, key: &Key) -> Option<&Stream<E>> {
        self.streams.get(*self.by_key.get(key)?)
    }

    /// The entity with this number.
    pub fn numbered(&self, number: Number) -> Option<&Stream<E>> {
        self.streams.get(self.position(&Address::Number(number))?)
    }

    /// The events of all entities, entity by entity.
    pub fn events(&self) -> impl Iterator<Item = &E::Event> {
        self.streams.iter().flat_map(|stream| &stream.events).map(|recorded| &recorded.event)
    }

    fn position(&self, at: &Address) -> Option<usize> {
        match at {
            Address::Key(key) => self.by_key.get(key).copied(),
            Address::Number(number) if number.is_none() => None,
            Address::Number(number) => self.streams.iter().position(|stream| stream.number == *number),
        }
    }

    /// Writes an event; gives stream and index.
    pub(super) fn write(&mut self, key: &Key, number: Number, event: E::Event) -> (usize, usize) {
        let at = self.by_key.get(key).copied().unwrap_or_else(|| {
            self.by_key.insert(key.clone(), self.streams.len());
            self.streams.push(Stream { key: key.clone(), number, state: E::default(), events: Vec::new() });
            self.streams.len() - 1
        });
        let stream = self.streams.get_mut(at).expect("it was found or made above");
        let id = E::Id::from_key(key).expect("a stream has the key of an id of its kind");
        let index = stream.events.len();
        stream.state.evolve(&event);
        stream.events.push(recorded(id, stream.number.get(), index as u64 + 1, event));
        (at, index)
    }
}

impl<E: Entity> AnyKind for Kind<E> {
    fn turn(&mut self, to: &Address, command: Box<dyn Any + Send>, now: Circumstances, last: &mut u64) -> Turn {
        let command = *command.downcast::<Box<dyn AnyCommand<E>>>().expect("a command for this kind");
        command.encode().expect("every command can be shown as JSON");
        assert!(E::COMMANDS.contains(&command.name()), "{} is missing in the COMMANDS of {}", command.name(), E::KIND);
        let found = self.position(to).and_then(|at| self.streams.get(at));
        let (key, number, state) = match (found, to) {
            (Some(stream), _) => (stream.key.clone(), stream.number, stream.state.clone()),
            (None, Address::Key(key)) => {
                let number = if E::Id::NUMBERED { Number::new(*last + 1) } else { Number::NONE };
                (key.clone(), number, E::default())
            }
            (None, Address::Number(_)) => return Turn { written: Vec::new(), came: Came::NotFound },
        };
        let (is_new, command_id) = (found.is_none(), CommandId::from_bits(now.command));
        let ctx = CommandContext { now: now.now, command_id, number, answers: now.answers, settings: now.settings };
        let effects = match command.decide_any(&state, &ctx) {
            Ok(effects) => effects,
            Err(rejection) => {
                let json = serde_json::to_value(&rejection).expect("a rejection can be written");
                return Turn { written: Vec::new(), came: Came::Rejected(Box::new(rejection), json) };
            }
        };
        if is_new && E::Id::NUMBERED && !effects.events.is_empty() {
            *last += 1;
        }
        let written = effects.events.into_iter().map(|event| self.write(&key, number, event)).collect();
        let state = self.keyed(&key).map_or(&state, |stream| &stream.state);
        let came = match effects.answer {
            AnyAnswer::Reply(from) => {
                let reply = from(state);
                let kept = reply.encode().expect("every reply can be kept as JSON");
                Came::Reply(reply.into_any(), kept)
            }
            AnyAnswer::Then(next) => Came::Asks(Box::new(Flight::of::<E>(key, next(state)))),
            AnyAnswer::NotDone(why) => Came::NotDone(why),
            AnyAnswer::Rejected(rejection) => {
                let json = serde_json::to_value(&rejection).expect("a rejection can be written");
                Came::Rejected(Box::new(rejection), json)
            }
        };
        Turn { written, came }
    }

    fn recover(&self) -> Vec<Flight> {
        let recovered = self.streams.iter().flat_map(|stream| {
            let mut state = E::default();
            stream.events.iter().for_each(|recorded| state.evolve(&recorded.event));
            let json = |state: &E| serde_json::to_value(state).expect("a state can be written");
            assert_eq!(json(&state), json(&stream.state), "replay equals live");
            state.resume().into_iter().map(|resumed| Flight::of::<E>(stream.key.clone(), resumed)).collect::<Vec<_>>()
        });
        recovered.collect()
    }

    fn lengths(&self) -> Box<dyn Iterator<Item = (&Key, usize)> + '_> {
        Box::new(self.streams.iter().map(|stream| (&stream.key, stream.events.len())))
    }

    fn event(&self, stream: usize, event: usize) -> &dyn Any {
        self.streams.get(stream).and_then(|stream| stream.events.get(event)).expect("an event that was written")
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

impl<E: Entity> fmt::Debug for Kind<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kind").field("kind", &E::KIND).field("entities", &self.streams.len()).finish_non_exhaustive()
    }
}
