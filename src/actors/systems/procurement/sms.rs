//! An SMS to a company (service notification). Policies write them; clients may do with the history what they
//! like, for nothing else depends on it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::values::{Field, InvalidValue, Set, text};
use crate::actors::{
    entity::{
        Command, CommandContext, Decision, DomainEvent, Effects, Entity, Listed, Number, NumberedId, Presence, persist,
    },
    systems::{Refusal, RefusalClass},
};

/// One SMS.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SmsHistory {
    phase: Phase,
    sms: Sms,
}

/// What is told, and where.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sms {
    /// Where; without a number it is kept and not sent.
    pub phone_no: Option<String>,
    /// What.
    pub contents: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
enum Phase {
    #[default]
    New,
    Written,
    Removed,
}

/// What happens to an SMS. All of it is internal: the bus carries what it is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum SmsEvent {
    /// It is there.
    SmsWritten {
        /// What is told, and where.
        sms: Sms,
    },
    /// A client changed the history.
    SmsRewritten {
        /// What the history says now.
        sms: Sms,
    },
    /// A client deleted it.
    SmsRemoved,
}

impl DomainEvent for SmsEvent {
    const PUBLIC: &'static [&'static str] = &[];

    fn name(&self) -> &'static str {
        match self {
            Self::SmsWritten { .. } => "SmsWritten",
            Self::SmsRewritten { .. } => "SmsRewritten",
            Self::SmsRemoved => "SmsRemoved",
        }
    }
    fn on_bus(&self, _: Number) -> Map<String, Value> {
        Map::new()
    }
}

/// Why an SMS does not do what it was asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
pub enum SmsRejection {
    /// A text is too long.
    #[error(transparent)]
    Invalid(#[from] InvalidValue),
    /// The SMS was deleted, or there never was one.
    #[error("there is no such SMS (any more)")]
    Gone,
    /// The same SMS was written before.
    #[error("the SMS exists already")]
    AlreadyWritten,
}

impl Refusal for SmsRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::Invalid(value) => value.code(),
            Self::Gone => "NO_SUCH_SMS",
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

impl Entity for SmsHistory {
    const KIND: &'static str = "procurement.smshistory";
    const SNAPSHOT: u32 = 1;
    type Id = NumberedId;
    type Event = SmsEvent;
    type Rejection = SmsRejection;
    const COMMANDS: &'static [&'static str] = &[WriteSms::NAME, RewriteSms::NAME, RemoveSms::NAME];

    fn evolve(&mut self, event: &SmsEvent) {
        match event {
            SmsEvent::SmsWritten { sms } | SmsEvent::SmsRewritten { sms } => {
                *self = Self { phase: Phase::Written, sms: sms.clone() };
            }
            SmsEvent::SmsRemoved => *self = Self { phase: Phase::Removed, sms: Sms::default() },
        }
    }
}

impl Listed for SmsHistory {
    const LIST: &'static str = "procurement.smshistories";
    fn presence(&self) -> Presence {
        match self.phase {
            Phase::New => Presence::Hidden,
            Phase::Written => Presence::Listed,
            Phase::Removed => Presence::Removed,
        }
    }
}

/// An SMS as clients see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SmsHistoryItem {
    /// Its number.
    pub id: u64,
    /// What is told, and where.
    #[serde(flatten)]
    pub sms: Sms,
}

impl SmsHistory {
    /// The SMS as clients see it; `None` when there is none (any more).
    pub fn item(&self, number: Number) -> Option<SmsHistoryItem> {
        let item = SmsHistoryItem { id: number.get(), sms: self.sms.clone() };
        (self.phase == Phase::Written).then_some(item)
    }
}

impl Sms {
    fn check(&self) -> Result<(), InvalidValue> {
        text(Field::PhoneNo, self.phone_no.as_deref())?;
        text(Field::Contents, self.contents.as_deref())
    }
}

/// Writes an SMS.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WriteSms {
    /// What to tell, and where.
    pub sms: Sms,
}

impl Command<SmsHistory> for WriteSms {
    const NAME: &'static str = "write-sms";
    type Reply = SmsHistoryItem;
    fn decide(self, history: &SmsHistory, ctx: &CommandContext) -> Decision<SmsHistory, SmsHistoryItem> {
        if history.phase != Phase::New {
            return Err(SmsRejection::AlreadyWritten);
        }
        let sms = self.sms;
        sms.check()?;
        let item = SmsHistoryItem { id: ctx.number.get(), sms: sms.clone() };
        Ok(persist([SmsEvent::SmsWritten { sms }]).reply(item))
    }
}

/// Changes the history of an SMS; the source offers it, and no rule hangs on it. Nothing is sent. Writes
/// nothing when it is what it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RewriteSms {
    /// Where it was sent.
    pub phone_no: Set<String>,
    /// What it said.
    pub contents: Set<String>,
}

impl Command<SmsHistory> for RewriteSms {
    const NAME: &'static str = "rewrite-sms";
    type Reply = SmsHistoryItem;
    fn decide(self, history: &SmsHistory, ctx: &CommandContext) -> Decision<SmsHistory, SmsHistoryItem> {
        let item = history.item(ctx.number).ok_or(SmsRejection::Gone)?;
        let (phone_no, contents) =
            (self.phone_no.over(item.sms.phone_no.as_ref()), self.contents.over(item.sms.contents.as_ref()));
        let sms = Sms { phone_no, contents };
        if sms == item.sms {
            return Ok(Effects::reply(item));
        }
        sms.check()?;
        let item = SmsHistoryItem { sms: sms.clone(), ..item };
        Ok(persist([SmsEvent::SmsRewritten { sms }]).reply(item))
    }
}

/// Deletes the history of an SMS.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RemoveSms;

impl Command<SmsHistory> for RemoveSms {
    const NAME: &'static str = "remove-sms";
    type Reply = ();
    fn decide(self, history: &SmsHistory, _: &CommandContext) -> Decision<SmsHistory, ()> {
        match history.phase {
            Phase::Written => Ok(persist([SmsEvent::SmsRemoved]).reply(())),
            Phase::New | Phase::Removed => Err(SmsRejection::Gone),
        }
    }
}
