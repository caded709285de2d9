//! How far each policy has come, and what it could not deliver: an entity like any other, so that it is
//! journaled, recovered and read through the same machinery, and so that other policies can react to it.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Address, Command, CommandContext, Decision, DomainEvent, Effects, Entity, EntityId, Key, Number, persist};

/// Progress of one policy over one partition of one storage unit.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct PolicyProgress {
    cursor: u64,
    letters: Vec<DeadLetter>,
    /// Letters above the cursor that are settled: a dispatcher that starts again must not touch them.
    settled: Vec<DeadLetterId>,
}

impl PolicyProgress {
    /// At most this many letters wait in one partition of one policy; then the policy waits there, rather
    /// than forget one. A letter is some hundred bytes, so this is a few MiB.
    pub const MAX_LETTERS: usize = 10_000;

    /// Every event up to here has been dealt with.
    pub fn cursor(&self) -> u64 {
        self.cursor
    }

    /// The dispatches that could not be delivered and wait for an operator, oldest first.
    pub fn letters(&self) -> &[DeadLetter] {
        &self.letters
    }

    /// Whether this dispatch is waiting as a letter, or was settled as one: it is not dispatched again.
    pub fn knows(&self, id: DeadLetterId) -> bool {
        self.letter(id).is_some() || self.settled.contains(&id)
    }

    fn letter(&self, id: DeadLetterId) -> Option<&DeadLetter> {
        self.letters.iter().find(|letter| letter.id == id)
    }
}

/// The stream of one policy over one partition: `<policy>/<unit>/<partition>`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProgressId {
    /// [`Policy::NAME`](super::Policy::NAME).
    pub policy: String,
    /// The storage unit that it reads.
    pub unit: String,
    /// The partition of that unit.
    pub partition: u16,
}

impl ProgressId {
    fn key(&self) -> Key {
        Key::new(self.to_string()).expect("policy and unit names are checked at start")
    }
}

impl fmt::Display for ProgressId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.policy, self.unit, self.partition)
    }
}

impl EntityId for ProgressId {
    type Row = Key;
    fn row(&self, _: Number) -> Key {
        self.key()
    }
    fn address(&self) -> Address {
        Address::Key(self.key())
    }
    fn from_key(key: &Key) -> Option<Self> {
        let mut parts = key.as_str().rsplitn(3, '/');
        let (partition, unit, policy) = (parts.next()?.parse().ok()?, parts.next()?, parts.next()?);
        Some(Self { policy: policy.to_owned(), unit: unit.to_owned(), partition })
    }
}

/// A dispatch that was refused, or failed too often.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DeadLetter {
    /// Which dispatch of this policy and partition.
    pub id: DeadLetterId,
    /// Kind of the entity it was for.
    pub kind: String,
    /// That entity's key or number, as text.
    pub address: String,
    /// That entity's number, when it was addressed by one.
    pub number: Number,
    /// Name of the command.
    pub command: String,
    /// The command.
    pub body: Value,
    /// Why it was not delivered, for people.
    pub reason: String,
    /// Whether no entity has the address it was for.
    pub not_found: bool,
    /// The entity's rejection, when that is what it was.
    pub rejection: Option<Value>,
    /// How often it was tried.
    pub attempts: u32,
    /// The request that all of this goes back to.
    pub correlation: String,
}

/// A dispatch of one policy and partition: the event's position and the dispatch's index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct DeadLetterId {
    /// Position of the event within the partition.
    pub offset: u64,
    /// Index among the dispatches that the event led to.
    pub index: u16,
}

/// What happens to a policy's progress.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum PolicyProgressEvent {
    /// Every event up to `cursor` has been dealt with.
    Advanced {
        /// The new cursor.
        cursor: u64,
    },
    /// A dispatch could not be delivered.
    PutAside(Box<DeadLetter>),
    /// A letter was delivered after all.
    Delivered {
        /// Which.
        id: DeadLetterId,
    },
    /// An operator gave a letter up.
    Discarded {
        /// Which.
        id: DeadLetterId,
    },
}

impl DomainEvent for PolicyProgressEvent {
    const PUBLIC: &'static [&'static str] = &[];

    fn name(&self) -> &'static str {
        match self {
            Self::Advanced { .. } => "Advanced",
            Self::PutAside(_) => "PutAside",
            Self::Delivered { .. } => "Delivered",
            Self::Discarded { .. } => "Discarded",
        }
    }
    fn on_bus(&self, _: Number) -> Map<String, Value> {
        Map::new()
    }
}

/// No letter with this id waits here.
#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
pub enum UnknownDeadLetter {
    /// It was delivered, discarded, or never existed.
    #[error("no such dead letter")]
    Unknown,
    /// [`PolicyProgress::MAX_LETTERS`] wait already.
    #[error("no room for another dead letter")]
    Full,
}

impl Entity for PolicyProgress {
    const KIND: &'static str = "steadfast.policy";
    const SNAPSHOT: u32 = 1;
    type Id = ProgressId;
    type Event = PolicyProgressEvent;
    type Rejection = UnknownDeadLetter;
    const COMMANDS: &'static [&'static str] = &[Advance::NAME, PutAside::NAME, Deliver::NAME, Discard::NAME];

    fn evolve(&mut self, event: &PolicyProgressEvent) {
        match event {
            PolicyProgressEvent::Advanced { cursor } => {
                self.cursor = self.cursor.max(*cursor);
                self.settled.retain(|id| id.offset > self.cursor);
            }
            PolicyProgressEvent::PutAside(letter) => self.letters.push(letter.as_ref().clone()),
            PolicyProgressEvent::Delivered { id } | PolicyProgressEvent::Discarded { id } => {
                self.letters.retain(|letter| letter.id != *id);
                if id.offset > self.cursor {
                    self.settled.push(*id);
                }
            }
        }
    }
}

/// Remembers that everything up to `cursor` has been dealt with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Advance {
    /// The new cursor; a smaller one than the known changes nothing.
    pub cursor: u64,
}

impl Command<PolicyProgress> for Advance {
    const NAME: &'static str = "advance";
    type Reply = ();
    fn decide(self, progress: &PolicyProgress, _: &CommandContext) -> Decision<PolicyProgress, ()> {
        if self.cursor <= progress.cursor {
            return Ok(Effects::reply(()));
        }
        Ok(persist([PolicyProgressEvent::Advanced { cursor: self.cursor }]).reply(()))
    }
}

/// Puts a dispatch aside that cannot be delivered. Repeating it changes nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PutAside {
    /// The dispatch and what became of it.
    pub letter: DeadLetter,
}

impl Command<PolicyProgress> for PutAside {
    const NAME: &'static str = "put-aside";
    type Reply = ();
    fn decide(self, progress: &PolicyProgress, _: &CommandContext) -> Decision<PolicyProgress, ()> {
        if self.letter.id.offset <= progress.cursor || progress.knows(self.letter.id) {
            return Ok(Effects::reply(()));
        }
        if progress.letters.len() >= PolicyProgress::MAX_LETTERS {
            return Err(UnknownDeadLetter::Full);
        }
        Ok(persist([PolicyProgressEvent::PutAside(Box::new(self.letter))]).reply(()))
    }
}

/// Takes a letter out because it was delivered after all.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deliver {
    /// Which.
    pub id: DeadLetterId,
}

impl Command<PolicyProgress> for Deliver {
    const NAME: &'static str = "deliver";
    type Reply = ();
    fn decide(self, progress: &PolicyProgress, _: &CommandContext) -> Decision<PolicyProgress, ()> {
        progress.letter(self.id).ok_or(UnknownDeadLetter::Unknown)?;
        Ok(persist([PolicyProgressEvent::Delivered { id: self.id }]).reply(()))
    }
}

/// Gives a letter up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Discard {
    /// Which.
    pub id: DeadLetterId,
}

impl Command<PolicyProgress> for Discard {
    const NAME: &'static str = "discard";
    type Reply = ();
    fn decide(self, progress: &PolicyProgress, _: &CommandContext) -> Decision<PolicyProgress, ()> {
        progress.letter(self.id).ok_or(UnknownDeadLetter::Unknown)?;
        Ok(persist([PolicyProgressEvent::Discarded { id: self.id }]).reply(()))
    }
}
