//! A message to the store's owner (service alarm). Policies write them; clients may do with them what
//! they like, for nothing else in the store depends on them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::values::{Field, InvalidValue};
use crate::actors::{
    entity::{
        Command, CommandContext, Decision, DomainEvent, Effects, Entity, Listed, Number, NumberedId, Presence, persist,
    },
    systems::{Refusal, RefusalClass},
};

/// One message.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Message {
    phase: Phase,
    content: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
enum Phase {
    #[default]
    New,
    Written,
    Removed,
}

/// What happens to a message. All of it is internal: the bus carries what the messages are about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum MessageEvent {
    /// It is there.
    MessageWritten {
        /// Its text.
        content: Option<String>,
    },
    /// A client gave it another text.
    MessageRewritten {
        /// Its text.
        content: Option<String>,
    },
    /// A client deleted it.
    MessageRemoved,
}

impl DomainEvent for MessageEvent {
    const PUBLIC: &'static [&'static str] = &[];

    fn name(&self) -> &'static str {
        match self {
            Self::MessageWritten { .. } => "MessageWritten",
            Self::MessageRewritten { .. } => "MessageRewritten",
            Self::MessageRemoved => "MessageRemoved",
        }
    }
    fn on_bus(&self, _: Number) -> Map<String, Value> {
        Map::new()
    }
}

/// Why a message does not do what it was asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
pub enum MessageRejection {
    /// The text is too long.
    #[error(transparent)]
    Invalid(#[from] InvalidValue),
    /// The message was deleted, or there never was one.
    #[error("there is no such message (any more)")]
    Gone,
    /// The same message was written before.
    #[error("the message exists already")]
    AlreadyWritten,
}

impl Refusal for MessageRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::Invalid(value) => value.code(),
            Self::Gone => "NO_SUCH_MESSAGE",
            Self::AlreadyWritten => "ALREADY_WRITTEN",
        }
    }
    fn class(&self) -> RefusalClass {
        match self {
            Self::Invalid(value) => value.class(),
            Self::Gone => RefusalClass::Gone,
            Self::AlreadyWritten => RefusalClass::Conflict,
        }
    }
    fn field(&self) -> Option<&'static str> {
        match self {
            Self::Invalid(value) => value.field(),
            Self::Gone | Self::AlreadyWritten => None,
        }
    }
}

impl Entity for Message {
    const KIND: &'static str = "store.message";
    const SNAPSHOT: u32 = 1;
    type Id = NumberedId;
    type Event = MessageEvent;
    type Rejection = MessageRejection;
    const COMMANDS: &'static [&'static str] = &[WriteMessage::NAME, RewriteMessage::NAME, RemoveMessage::NAME];

    fn evolve(&mut self, event: &MessageEvent) {
        match event {
            MessageEvent::MessageWritten { content } | MessageEvent::MessageRewritten { content } => {
                *self = Self { phase: Phase::Written, content: content.clone() };
            }
            MessageEvent::MessageRemoved => *self = Self { phase: Phase::Removed, content: None },
        }
    }
}

impl Listed for Message {
    const LIST: &'static str = "store.messages";
    fn presence(&self) -> Presence {
        match self.phase {
            Phase::New => Presence::Hidden,
            Phase::Written => Presence::Listed,
            Phase::Removed => Presence::Removed,
        }
    }
}

/// A message as clients see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MessageItem {
    /// The message's number.
    pub id: u64,
    /// Its text; a client may have written none.
    pub content: Option<String>,
}

impl Message {
    /// The column of the source is a `varchar(255)`. Our own messages stay below 100.
    pub const MAX_CHARACTERS: usize = 255;

    /// The message as clients see it; `None` when there is none (any more).
    pub fn item(&self, number: Number) -> Option<MessageItem> {
        let item = MessageItem { id: number.get(), content: self.content.clone() };
        (self.phase == Phase::Written).then_some(item)
    }
}

fn checked(content: Option<String>) -> Result<Option<String>, InvalidValue> {
    let most = Message::MAX_CHARACTERS;
    match &content {
        Some(text) if text.chars().count() > most => Err(InvalidValue::TooLong { field: Field::Content, most }),
        Some(_) | None => Ok(content),
    }
}

/// Writes a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WriteMessage {
    /// Its text, at most [`Message::MAX_CHARACTERS`].
    pub content: Option<String>,
}

impl Command<Message> for WriteMessage {
    const NAME: &'static str = "write-message";
    type Reply = MessageItem;
    fn decide(self, message: &Message, ctx: &CommandContext) -> Decision<Message, MessageItem> {
        if message.phase != Phase::New {
            return Err(MessageRejection::AlreadyWritten);
        }
        let content = checked(self.content)?;
        let item = MessageItem { id: ctx.number.get(), content: content.clone() };
        Ok(persist([MessageEvent::MessageWritten { content }]).reply(item))
    }
}

/// Gives a message another text; the source offers it, and no rule hangs on the text. Writes nothing
/// when the text is what it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RewriteMessage {
    /// The new text, at most [`Message::MAX_CHARACTERS`]. A PATCH without one does not ask this at all.
    pub content: Option<String>,
}

impl Command<Message> for RewriteMessage {
    const NAME: &'static str = "rewrite-message";
    type Reply = MessageItem;
    fn decide(self, message: &Message, ctx: &CommandContext) -> Decision<Message, MessageItem> {
        let item = message.item(ctx.number).ok_or(MessageRejection::Gone)?;
        if self.content == item.content {
            return Ok(Effects::reply(item));
        }
        let content = checked(self.content)?;
        let item = MessageItem { content: content.clone(), ..item };
        Ok(persist([MessageEvent::MessageRewritten { content }]).reply(item))
    }
}

/// Deletes a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RemoveMessage;

impl Command<Message> for RemoveMessage {
    const NAME: &'static str = "remove-message";
    type Reply = ();
    fn decide(self, message: &Message, _: &CommandContext) -> Decision<Message, ()> {
        match message.phase {
            Phase::Written => Ok(persist([MessageEvent::MessageRemoved]).reply(())),
            Phase::New | Phase::Removed => Err(MessageRejection::Gone),
        }
    }
}
