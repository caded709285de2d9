//! Commands that an operator has refused, so that what repeats them does no harm again: an entity of the runtime, one
//! per storage unit, and what its services have of it in memory.
//!
//! It is not in the stream of the entity that was asked: that stream holds facts of the business, and a command that was
//! skipped is none.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::future::{BoxFuture, FutureExt};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{entities::Entities, unit::UnitRuntime};
use crate::actors::{
    entity::{
        Address, Command, CommandContext, Decision, DomainEvent, Effects, Entity, EntityId, Key, Number, Timestamp,
        persist,
    },
    supervision::{Failure, Process, Running, Stop},
};

/// As long as a command id is remembered: a policy has put the command aside by then, and a client has given it up.
pub(crate) const REFUSED_FOR: Duration = Duration::from_hours(24);

/// The commands of one storage unit that operators have refused within [`REFUSED_FOR`].
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct RefusedCommands {
    refused: Vec<RefusedCommand>,
}

impl RefusedCommands {
    /// So many are kept at most; then no further one can be refused until one has had its time. Each is a decision of a
    /// person, so this is far more than anybody makes in a day.
    pub(crate) const MAX: usize = 1_000;

    /// Those that are refused, oldest first; some may have had their time.
    pub(crate) fn all(&self) -> &[RefusedCommand] {
        &self.refused
    }
}

/// A command that an operator has refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RefusedCommand {
    /// The kind of the entity that it is for.
    pub kind: String,
    /// That entity's key.
    pub key: String,
    /// The command's id, 32 hexadecimal digits.
    pub command: String,
    /// The command's name.
    pub name: String,
    /// When it was refused.
    pub at: Timestamp,
    /// What it had done to the entity.
    pub reason: String,
}

impl RefusedCommand {
    fn is_same(&self, other: &Self) -> bool {
        (&self.kind, &self.key, &self.command) == (&other.kind, &other.key, &other.command)
    }
}

/// The one stream of this kind in each storage unit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RefusedCommandsId;

/// On disk: never rename.
const KEY: &str = "refused";

impl std::fmt::Display for RefusedCommandsId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(KEY)
    }
}

impl EntityId for RefusedCommandsId {
    type Row = Key;
    fn row(&self, _: Number) -> Key {
        Key::new(KEY).expect("a key")
    }
    fn address(&self) -> Address {
        Address::Key(self.row(Number::NONE))
    }
    fn from_key(key: &Key) -> Option<Self> {
        (key.as_str() == KEY).then_some(Self)
    }
}

/// What operators do to commands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum RefusedCommandsEvent {
    /// A command was refused.
    CommandRefused(Box<RefusedCommand>),
}

impl DomainEvent for RefusedCommandsEvent {
    const PUBLIC: &'static [&'static str] = &[];

    fn name(&self) -> &'static str {
        match self {
            Self::CommandRefused(_) => "CommandRefused",
        }
    }
    fn on_bus(&self, _: Number) -> Map<String, Value> {
        Map::new()
    }
}

/// Why a command cannot be refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
pub enum NotRefused {
    /// 1,000 are.
    #[error("operators have refused {} commands within 24 hours; no more can be kept", RefusedCommands::MAX)]
    Full,
}

impl Entity for RefusedCommands {
    const KIND: &'static str = "steadfast.refused";
    const SNAPSHOT: u32 = 1;
    type Id = RefusedCommandsId;
    type Event = RefusedCommandsEvent;
    type Rejection = NotRefused;
    const COMMANDS: &'static [&'static str] = &[RefuseCommand::NAME];

    fn evolve(&mut self, event: &RefusedCommandsEvent) {
        let RefusedCommandsEvent::CommandRefused(refused) = event;
        self.refused.retain(|known| is_kept(known, refused.at) && !known.is_same(refused));
        self.refused.push(refused.as_ref().clone());
    }
}

fn is_kept(refused: &RefusedCommand, now: Timestamp) -> bool {
    now.since(refused.at) < REFUSED_FOR
}

/// Refuses a command from now on. Repeating it changes nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct RefuseCommand {
    /// Which; `at` is set to the time of the decision.
    pub(crate) refused: RefusedCommand,
}

impl Command<RefusedCommands> for RefuseCommand {
    const NAME: &'static str = "refuse-command";
    type Reply = ();
    fn decide(self, known: &RefusedCommands, ctx: &CommandContext) -> Decision<RefusedCommands, ()> {
        let kept = || known.refused.iter().filter(|refused| is_kept(refused, ctx.now));
        if kept().any(|known| known.is_same(&self.refused)) {
            return Ok(Effects::reply(()));
        }
        if kept().count() >= RefusedCommands::MAX {
            return Err(NotRefused::Full);
        }
        let refused = RefusedCommand { at: ctx.now, ..self.refused };
        Ok(persist([RefusedCommandsEvent::CommandRefused(Box::new(refused))]).reply(()))
    }
}

/// Takes over, at each start, what operators have refused: before the services whose commands they are.
pub(crate) struct RefusedBefore {
    pub(crate) unit: Arc<UnitRuntime>,
    pub(crate) known: Entities<RefusedCommands>,
}

impl Process for RefusedBefore {
    fn start(&self, stop: Stop) -> BoxFuture<'static, Result<Running, Failure>> {
        let (unit, known) = (self.unit.clone(), self.known.clone());
        async move {
            unit.refusals.load(&known).await.map_err(Failure::new)?;
            let waiting: Running = async move {
                stop.requested().await;
                Ok(())
            }
            .boxed();
            Ok(waiting)
        }
        .boxed()
    }
}

/// Kind and key of an entity, and the command's id.
type Place = (String, String, u128);

/// The refused commands as turns look them up; at most [`RefusedCommands::MAX`].
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    /// How many there are, so that a turn need not take the lock while there is none.
    count: AtomicUsize,
    known: Mutex<HashMap<Place, (Timestamp, String)>>,
}

impl Refusals {
    /// Takes over what is durable.
    ///
    /// # Errors
    /// It cannot be read now; what was known goes on being known.
    pub(crate) async fn load(&self, known: &Entities<RefusedCommands>) -> Result<(), String> {
        let known = known.get(&RefusedCommandsId).await.map_err(|error| error.to_string())?;
        self.replace(known.as_ref().map_or(&[], |known| known.state.all()));
        Ok(())
    }

    fn replace(&self, refused: &[RefusedCommand]) {
        let entry = |refused: &RefusedCommand| {
            let command = u128::from_str_radix(&refused.command, 16).ok()?;
            let key = (refused.kind.clone(), refused.key.clone(), command);
            Some((key, (refused.at, refused.reason.clone())))
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        *known = refused.iter().filter_map(entry).collect();
        self.count.store(known.len(), Ordering::Release);
    }

    /// Why this command is refused; `None` when it is not.
    pub(crate) fn of(&self, kind: &str, key: &Key, command: u128, now: Timestamp) -> Option<String> {
        if self.count.load(Ordering::Acquire) == 0 {
            return None;
        }
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, reason) = known.get(&(kind.to_owned(), key.as_str().to_owned(), command))?;
        (now.since(*at) < REFUSED_FOR).then(|| reason.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actors::testkit::{given, laws};

    const NOW: Timestamp = Timestamp::from_millis(1_600_000_000_000);

    fn refused(command: u128, at: Timestamp) -> RefusedCommand {
        let (kind, key, name) = ("t.tally".to_owned(), "a".to_owned(), "boom".to_owned());
        RefusedCommand { kind, key, command: format!("{command:032x}"), name, at, reason: "panicked".to_owned() }
    }

    fn event(command: u128, at: Timestamp) -> RefusedCommandsEvent {
        RefusedCommandsEvent::CommandRefused(Box::new(refused(command, at)))
    }

    fn ago(hours: u64) -> Timestamp {
        Timestamp::from_millis(1_600_000_000_000 - hours * 60 * 60 * 1000)
    }

    #[test]
    fn the_laws_hold() {
        laws::<RefusedCommands>([vec![event(1, ago(25)), event(2, ago(1)), event(2, NOW)]]);
    }

    #[test]
    fn a_command_is_refused_once_and_again_when_it_has_had_its_time() {
        let ask = || RefuseCommand { refused: refused(1, Timestamp::default()) };
        given::<RefusedCommands>([]).at(NOW).when(ask()).then_events([event(1, NOW)]);
        given::<RefusedCommands>([event(1, ago(23))]).at(NOW).when(ask()).then_events([]);
        given::<RefusedCommands>([event(1, ago(24))]).at(NOW).when(ask()).then_events([event(1, NOW)]);
    }

    #[test]
    fn no_more_are_kept_than_there_is_room_for_and_there_is_room_again_after_a_day() {
        let full = |at| (0..RefusedCommands::MAX as u128).map(move |command| event(command, at));
        let ask = || RefuseCommand { refused: refused(u128::MAX, Timestamp::default()) };
        given::<RefusedCommands>(full(NOW)).at(NOW).when(ask()).then_rejected(NotRefused::Full);
        given::<RefusedCommands>(full(ago(24))).at(NOW).when(ask()).then_events([event(u128::MAX, NOW)]);
    }

    #[test]
    fn what_is_refused_is_found_by_kind_entity_and_command_for_a_day() {
        let refusals = Refusals::default();
        let key = |text: &str| Key::new(text).expect("a key");
        assert_eq!(refusals.of("t.tally", &key("a"), 1, NOW), None);
        refusals.replace(&[refused(1, NOW)]);
        assert_eq!(refusals.of("t.tally", &key("a"), 1, NOW).as_deref(), Some("panicked"));
        for (kind, entity, command, now) in [
            ("t.errand", "a", 1, NOW),
            ("t.tally", "b", 1, NOW),
            ("t.tally", "a", 2, NOW),
            ("t.tally", "a", 1, Timestamp::from_millis(1_600_000_000_000 + 24 * 60 * 60 * 1000)),
        ] {
            assert_eq!(refusals.of(kind, &key(entity), command, now), None, "{kind} {entity} {command}");
        }
    }
}
