//! Who is meant: keys, public numbers, command ids.

use std::{borrow::Cow, fmt, hash::Hash, sync::Arc};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::ViewKey;

/// The key of a stream: natural where the domain has one, else derived from what caused its creation.
///
/// At most [`Key::MAX_BYTES`] bytes, not empty, no control characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key(Arc<str>);

impl Key {
    /// Fits a natural key of any of the five systems (a room and a date, a procurement number) with
    /// room to spare, and keeps a record's header small.
    pub const MAX_BYTES: usize = 200;

    /// A natural key.
    ///
    /// # Errors
    /// [`KeyError`] names what is wrong with the text.
    pub fn new(text: impl AsRef<str>) -> Result<Self, KeyError> {
        let text = text.as_ref();
        if text.is_empty() {
            return Err(KeyError::Empty);
        }
        if text.len() > Self::MAX_BYTES {
            return Err(KeyError::TooLong { bytes: text.len() });
        }
        if text.chars().any(char::is_control) {
            return Err(KeyError::ControlCharacter);
        }
        Ok(Self(text.into()))
    }

    /// The key that `parts` always lead to, so that a repeated creation meets the same stream.
    /// `purpose` keeps different kinds of derivation apart.
    pub fn derived(purpose: &str, parts: &[&[u8]]) -> Self {
        Self(format!("{:032x}", digest(purpose, parts)).into())
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The shared text, for tables that hold many keys.
    pub fn shared(&self) -> Arc<str> {
        self.0.clone()
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Key {
    type Error = KeyError;
    fn try_from(text: String) -> Result<Self, KeyError> {
        Self::new(text)
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.0.as_ref().to_owned()
    }
}

/// Why a text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// There is no text.
    #[error("a key must not be empty")]
    Empty,
    /// The text is longer than [`Key::MAX_BYTES`].
    #[error("a key of {bytes} bytes is longer than {}", Key::MAX_BYTES)]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Keys are printed in logs and links.
    #[error("a key must not contain control characters")]
    ControlCharacter,
}

/// The public number of an entity, as in `/orders/1`. Counted from 1 per service, never reused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Number(u64);

impl Number {
    /// What an entity of a kind without numbers has.
    pub const NONE: Self = Self(0);

    /// The number `n`; 0 is [`Number::NONE`].
    pub const fn new(n: u64) -> Self {
        Self(n)
    }

    /// The number as an integer.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// Whether there is none.
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Identifies one command for ever: the same id again gets the first answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct CommandId(u128);

impl CommandId {
    /// The id with these bits.
    pub const fn from_bits(bits: u128) -> Self {
        Self(bits)
    }

    /// The id as bits.
    pub const fn to_bits(self) -> u128 {
        self.0
    }

    /// The id that `parts` always lead to. `purpose` keeps different kinds of derivation apart.
    pub fn derived(purpose: &str, parts: &[&[u8]]) -> Self {
        Self(digest(purpose, parts))
    }
}

impl fmt::Display for CommandId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl From<CommandId> for String {
    fn from(id: CommandId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for CommandId {
    type Error = std::num::ParseIntError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl std::str::FromStr for CommandId {
    type Err = std::num::ParseIntError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u128::from_str_radix(text, 16).map(Self)
    }
}

/// Where what became of a command can be read: one stream, so that no index of commands is needed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CommandAddress {
    /// Kind of the entity that was asked.
    pub kind: Cow<'static, str>,
    /// Key of its stream.
    pub key: Key,
    /// The command.
    pub command: CommandId,
}

/// The first 128 bits of SHA-256 over length-prefixed parts: clients choose some of them, so neither
/// a collision nor a shift of bytes from one part to the next may be craftable.
fn digest(purpose: &str, parts: &[&[u8]]) -> u128 {
    let mut hash = Sha256::new();
    for part in std::iter::once(&purpose.as_bytes()).chain(parts) {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let bytes = hash.finalize();
    bytes.iter().take(16).fold(0, |bits, byte| bits << 8 | u128::from(*byte))
}

/// What an id stands for: a stream's key, or a number that the runtime looks up.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Address {
    /// The stream with this key, which a first command may create.
    Key(Key),
    /// The existing entity with this public number.
    Number(Number),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => key.fmt(f),
            Self::Number(number) => number.fmt(f),
        }
    }
}

/// How entities of one kind are addressed.
pub trait EntityId: Clone + Eq + Hash + fmt::Debug + fmt::Display + Send + Sync + 'static {
    /// Whether a first event takes a public number from the service's counter.
    const NUMBERED: bool = false;

    /// What a list of such entities is ordered by and its rows are found by.
    type Row: ViewKey;

    /// What this id stands for.
    fn address(&self) -> Address;

    /// The row of the entity with this id and this public number in the list of its kind.
    fn row(&self, number: Number) -> Self::Row;

    /// The id of the stream with this key; `None` when no id of this type has such a key.
    fn from_key(key: &Key) -> Option<Self>;
}

impl EntityId for Key {
    type Row = Self;
    fn row(&self, _: Number) -> Self {
        self.clone()
    }
    fn address(&self) -> Address {
        Address::Key(self.clone())
    }
    fn from_key(key: &Key) -> Option<Self> {
        Some(key.clone())
    }
}

/// The id of an entity that clients know by a number.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NumberedId {
    /// By its stream: how it is created, and how events name it.
    Key(Key),
    /// By its public number: how clients and other services name it.
    Number(Number),
}

impl NumberedId {
    /// The entity with the public number `n`.
    pub const fn number(n: u64) -> Self {
        Self::Number(Number::new(n))
    }
}

impl fmt::Display for NumberedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address().fmt(f)
    }
}

impl EntityId for NumberedId {
    const NUMBERED: bool = true;
    type Row = u64;
    fn row(&self, number: Number) -> u64 {
        number.get()
    }
    fn address(&self) -> Address {
        match self {
            Self::Key(key) => Address::Key(key.clone()),
            Self::Number(number) => Address::Number(*number),
        }
    }
    fn from_key(key: &Key) -> Option<Self> {
        Some(Self::Key(key.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_keys_depend_on_where_a_part_ends() {
        assert_ne!(Key::derived("p", &[b"ab", b"c"]), Key::derived("p", &[b"a", b"bc"]));
        assert_ne!(Key::derived("p", &[b"a"]), Key::derived("q", &[b"a"]));
        assert_eq!(Key::derived("p", &[b"a"]), Key::derived("p", &[b"a"]));
    }

    #[test]
    fn derivation_is_fixed_because_its_result_is_on_disk() {
        assert_eq!(Key::derived("ask", &[b"store.order/1", b"step"]).as_str(), "87dc5c6cfc4a6f2e8d2f357c5bcc4b2a");
    }

    #[test]
    fn a_key_is_refused_at_its_limits() {
        assert_eq!(Key::new(""), Err(KeyError::Empty));
        assert!(Key::new("x".repeat(Key::MAX_BYTES)).is_ok());
        assert_eq!(Key::new("x".repeat(201)), Err(KeyError::TooLong { bytes: 201 }));
        assert_eq!(Key::new("a\nb"), Err(KeyError::ControlCharacter));
    }
}
