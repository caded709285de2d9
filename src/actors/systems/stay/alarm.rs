//! A notification to a guest or a host (service alarm), and by that its history. Policies write them; real
//! channels deliver them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{settings::StaySettings, values::UseDate};
use crate::actors::{
    entity::{Command, CommandContext, Decision, DomainEvent, Entity, Listed, Number, NumberedId, Presence, persist},
    systems::{Refusal, RefusalClass},
};

/// One notification.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Alarm(Option<AlarmText>);

/// Who is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Who stays.
    Guest,
    /// Whose room it is.
    Host,
}

/// What an alarm says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlarmText {
    /// The person's name; null when the booking names nobody.
    pub receiver: Option<String>,
    /// What that person is to the booking.
    pub role: Role,
    /// The name of the event.
    pub message: String,
    /// The event in a sentence (D-6).
    pub content: String,
}

/// What happens to an alarm. Internal: the bus carries what alarms are about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum AlarmEvent {
    /// Somebody is told.
    AlarmWritten(AlarmText),
}

impl DomainEvent for AlarmEvent {
    const PUBLIC: &'static [&'static str] = &[];

    fn name(&self) -> &'static str {
        match self {
            Self::AlarmWritten(_) => "AlarmWritten",
        }
    }
    fn on_bus(&self, _: Number) -> Map<String, Value> {
        Map::new()
    }
}

/// The same alarm was written before.
#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
#[error("the alarm exists already")]
pub struct AlreadyWritten;

impl Refusal for AlreadyWritten {
    fn code(&self) -> &'static str {
        "ALREADY_WRITTEN"
    }
    fn class(&self) -> RefusalClass {
        RefusalClass::Conflict
    }
}

impl Entity for Alarm {
    const KIND: &'static str = "stay.alarm";
    const SNAPSHOT: u32 = 1;
    type Id = NumberedId;
    type Event = AlarmEvent;
    type Rejection = AlreadyWritten;
    const COMMANDS: &'static [&'static str] = &[WriteAlarm::NAME];

    fn evolve(&mut self, event: &AlarmEvent) {
        let AlarmEvent::AlarmWritten(text) = event;
        self.0 = Some(text.clone());
    }
}

impl Listed for Alarm {
    const LIST: &'static str = "stay.alarms";
    fn presence(&self) -> Presence {
        if self.0.is_some() { Presence::Listed } else { Presence::Hidden }
    }
}

/// An alarm as clients see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AlarmItem {
    /// The alarm's number.
    pub id: u64,
    /// What it says.
    #[serde(flatten)]
    pub text: AlarmText,
}

impl Alarm {
    /// The alarm as clients see it; `None` when there is none.
    pub fn item(&self, number: Number) -> Option<AlarmItem> {
        Some(AlarmItem { id: number.get(), text: self.0.clone()? })
    }
}

/// Tells somebody of an event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WriteAlarm {
    /// The person's name.
    pub receiver: Option<String>,
    /// What that person is to the booking.
    pub role: Role,
    /// The name of the event.
    pub message: String,
    /// The room's name.
    pub room: Option<String>,
    /// The date of use.
    pub usedate: Option<UseDate>,
}

impl Command<Alarm> for WriteAlarm {
    const NAME: &'static str = "write-alarm";
    type Reply = ();
    fn decide(self, alarm: &Alarm, ctx: &CommandContext) -> Decision<Alarm, ()> {
        if alarm.0.is_some() {
            return Err(AlreadyWritten);
        }
        let content = self.content(&ctx.settings::<StaySettings>().alarm.prefix);
        let Self { receiver, role, message, .. } = self;
        Ok(persist([AlarmEvent::AlarmWritten(AlarmText { receiver, role, message, content })]).reply(()))
    }
}

impl WriteAlarm {
    /// `<prefix> <name>: <event> <room> <usedate>`; what there is not leaves no blank.
    fn content(&self, prefix: &str) -> String {
        let receiver = self.receiver.as_ref().map(|name| format!("{name}:")).unwrap_or_default();
        let usedate = self.usedate.map(String::from).unwrap_or_default();
        let parts = [prefix, &receiver, &self.message, self.room.as_deref().unwrap_or_default(), &usedate];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
    }
}
