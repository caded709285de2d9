//! What leaves the house: the history of alarms and short messages is entities like any other; a channel
//! carries what is written there to somebody outside.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{CommandId, Entity, Number, Position, Recorded, Timestamp};

/// "Whenever this is written, somebody outside is told." Stateless, like a [`Policy`](super::Policy).
///
/// It belongs to the service of its source, the history, so that a stopped service sends nothing and
/// misses nothing. How a channel reaches the outside is configured (`[connector.<system>.<channel>]`).
///
/// Every notice is delivered at least once, and never before its event is durable. Notices of one source
/// entity keep their order; between two there is none, so a history of one entity for each message sends
/// them in any order.
pub trait Outbound: Send + Sync + 'static {
    /// Name of its cursor, `<system>.<what it does>`. On disk: a new name tells all of the history again.
    const NAME: &'static str;
    /// The channel that carries it, as `alarm` or `sms`; named in the configuration.
    const CHANNEL: &'static str;
    /// The history.
    type Source: Entity;

    /// Pure. What is told of this event; `None` when nobody is told.
    fn notify(&self, event: &Recorded<Self::Source>) -> Option<Notice>;
}

/// What somebody outside is told.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "a notice goes nowhere until it is returned from `notify`"]
pub struct Notice {
    /// Whom it is for, in the channel's own words: a name, a telephone number.
    pub receiver: String,
    /// What is said.
    pub text: String,
    /// What a receiver that is a program may want to know besides.
    pub fields: Map<String, Value>,
}

impl Notice {
    /// Tells `receiver` this `text`.
    pub fn new(receiver: impl Into<String>, text: impl Into<String>) -> Self {
        Self { receiver: receiver.into(), text: text.into(), fields: Map::new() }
    }

    /// Adds a field.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(name.to_owned(), value.into());
        self
    }
}

/// A notice on its way out, as connectors get it. Written as JSON, this is the body of a webhook and the
/// standard input of a program, so the names of its fields are an interface.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notification {
    /// The same for every try, also after a crash: whoever has seen it has seen this notice.
    pub id: String,
    /// The system that tells.
    pub system: String,
    /// The channel that carries it.
    pub channel: String,
    /// [`Notice::receiver`].
    pub receiver: String,
    /// [`Notice::text`].
    pub text: String,
    /// [`Notice::fields`].
    pub fields: Map<String, Value>,
    /// The event that it tells of, by its name.
    pub event: String,
    /// The kind of the history.
    pub kind: String,
    /// Public number of the entry in the history; [`Number::NONE`] for kinds without.
    pub number: Number,
    /// When the event was decided, in milliseconds since 1970.
    pub at: Timestamp,
    /// The request that all of this goes back to.
    pub correlation_id: String,
}

impl Notification {
    /// The id that a notice of `outbound` about the event at `position` always has. On receivers' disks:
    /// never change.
    pub fn id_of(outbound: &str, position: &Position) -> String {
        let parts: [&[u8]; 4] = [
            outbound.as_bytes(),
            position.unit.as_bytes(),
            &position.partition.to_le_bytes(),
            &position.offset.to_le_bytes(),
        ];
        CommandId::derived("notification", &parts).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(partition: u16, offset: u64) -> Position {
        Position { unit: "main".into(), partition, offset }
    }

    #[test]
    fn the_id_is_fixed_because_receivers_remember_it() {
        let id = Notification::id_of("store.alarm-out", &position(3, 7));
        assert_eq!(id, "b43e7c16ad350c0be244c384fb76f706");
        assert_ne!(id, Notification::id_of("store.alarm-out", &position(7, 3)));
        assert_ne!(id, Notification::id_of("store.other-out", &position(3, 7)));
    }

    #[test]
    fn the_words_of_the_json_are_an_interface() {
        let notice = Notice::new("owner", "sold").with("messageId", 4);
        let notification = Notification {
            id: "0f".to_owned(),
            system: "store".to_owned(),
            channel: "alarm".to_owned(),
            receiver: notice.receiver,
            text: notice.text,
            fields: notice.fields,
            event: "MessageWritten".to_owned(),
            kind: "store.message".to_owned(),
            number: Number::new(4),
            at: Timestamp::from_millis(1000),
            correlation_id: "c".to_owned(),
        };
        let json = serde_json::to_value(&notification).unwrap();
        let expected = r#"{"id":"0f","system":"store","channel":"alarm","receiver":"owner","text":"sold","fields":{"messageId":4},"event":"MessageWritten","kind":"store.message","number":4,"at":1000,"correlationId":"c"}"#;
        assert_eq!(json.to_string(), expected);
        assert_eq!(serde_json::from_value::<Notification>(json).unwrap(), notification);
    }
}
