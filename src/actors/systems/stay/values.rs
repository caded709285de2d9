//! Which values a client may send (D-1), and what a booking and its payments say alike.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::actors::systems::{Refusal, RefusalClass};

/// A field of a request, as clients write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Field {
    /// `bookId`
    BookId,
    /// `roomId`
    RoomId,
    /// `name`
    Name,
    /// `price`
    Price,
    /// `address`
    Address,
    /// `host`
    Host,
    /// `guest`
    Guest,
    /// `usedate`
    Usedate,
    /// `status`
    Status,
    /// `score`
    Score,
    /// `content`
    Content,
}

impl Field {
    /// The field's name in a body.
    pub const fn name(self) -> &'static str {
        match self {
            Self::BookId => "bookId",
            Self::RoomId => "roomId",
            Self::Name => "name",
            Self::Price => "price",
            Self::Address => "address",
            Self::Host => "host",
            Self::Guest => "guest",
            Self::Usedate => "usedate",
            Self::Status => "status",
            Self::Score => "score",
            Self::Content => "content",
        }
    }
}

/// A value that nothing in stay accepts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum InvalidValue {
    /// The request does not say it.
    #[error("{} is required", .0.name())]
    Missing(Field),
    /// The number is too small or too great.
    #[error("{} must be {least} to {most}", .field.name())]
    OutOfRange {
        /// Which.
        field: Field,
        /// The smallest that is accepted.
        least: i64,
        /// The greatest that is accepted.
        most: i64,
    },
    /// The date of use is none.
    #[error("usedate must be a date as yyyyMMdd, not \"{0}\"")]
    NoDate(String),
    /// The status of a payment is neither of the two.
    #[error("status must be PayApproved or PayCanceled, not \"{0}\"")]
    WrongStatus(String),
    /// The text is longer than stay keeps.
    #[error("{} must have at most {most} characters", .field.name())]
    TooLong {
        /// Which.
        field: Field,
        /// The most characters that are accepted.
        most: usize,
    },
}

impl Refusal for InvalidValue {
    fn code(&self) -> &'static str {
        match self {
            Self::Missing(_) => "MISSING_VALUE",
            Self::OutOfRange { .. } | Self::NoDate(_) | Self::TooLong { .. } => "INVALID_VALUE",
            Self::WrongStatus(_) => "INVALID_STATUS",
        }
    }
    fn class(&self) -> RefusalClass {
        RefusalClass::Invalid
    }
    fn field(&self) -> Option<&'static str> {
        Some(match self {
            Self::Missing(field) | Self::OutOfRange { field, .. } | Self::TooLong { field, .. } => field.name(),
            Self::NoDate(_) => Field::Usedate.name(),
            Self::WrongStatus(_) => Field::Status.name(),
        })
    }
}

/// The columns of the source are `varchar(255)`.
pub const MAX_CHARACTERS: usize = 255;

/// A date of use: `yyyyMMdd`, a real date of the Gregorian calendar. Past ones too (D-14).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UseDate(u32);

impl UseDate {
    /// The date that `text` names.
    ///
    /// # Errors
    /// [`InvalidValue::NoDate`] when it has not eight digits, or there is no such day.
    pub fn parse(text: &str) -> Result<Self, InvalidValue> {
        let none = || InvalidValue::NoDate(text.chars().take(MAX_CHARACTERS).collect());
        let is_digits = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit());
        let number: u32 = text.parse().ok().filter(|_| is_digits).ok_or_else(none)?;
        let (year, month, day) = (number / 10_000, number / 100 % 100, number % 100);
        let is_leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
        let days = match month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 if is_leap => 29,
            2 => 28,
            _ => 0,
        };
        if year >= 1 && (1..=days).contains(&day) { Ok(Self(number)) } else { Err(none()) }
    }

    /// The date as a number that sorts like dates.
    pub const fn number(self) -> u64 {
        self.0 as u64
    }
}

impl fmt::Display for UseDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08}", self.0)
    }
}

impl TryFrom<String> for UseDate {
    type Error = InvalidValue;
    fn try_from(text: String) -> Result<Self, InvalidValue> {
        Self::parse(&text)
    }
}

impl From<UseDate> for String {
    fn from(date: UseDate) -> Self {
        date.to_string()
    }
}

/// Which room, for whom, on which date, for how much. Null where a client of the payments left it out; a
/// booking has room, guest, date and price.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StayDetails {
    /// The room's number.
    pub room_id: Option<u64>,
    /// The room's name.
    pub name: Option<String>,
    /// What it costs.
    pub price: Option<i64>,
    /// Where it is.
    pub address: Option<String>,
    /// Whose it is.
    pub host: Option<String>,
    /// Who stays there.
    pub guest: Option<String>,
    /// When.
    pub usedate: Option<UseDate>,
}

impl StayDetails {
    /// The fields on the bus, in this order, between those that come first and the status.
    pub(super) fn on_bus<const N: usize>(&self, ids: [(&str, u64); N], status: &str) -> Map<String, Value> {
        let mut fields: Map<_, _> = ids.into_iter().map(|(name, id)| (name.to_owned(), id.into())).collect();
        if let Ok(Value::Object(own)) = serde_json::to_value(self) {
            fields.extend(own);
        }
        fields.insert("status".to_owned(), status.into());
        fields
    }
}

/// What a client sends of it, unchecked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StayWish {
    /// The room's number; 0 when the client names none.
    pub room_id: u64,
    /// The room's name.
    pub name: Option<String>,
    /// What it costs.
    pub price: Option<i64>,
    /// Where it is.
    pub address: Option<String>,
    /// Whose it is.
    pub host: Option<String>,
    /// Who stays there.
    pub guest: Option<String>,
    /// When.
    pub usedate: Option<String>,
}

impl StayWish {
    /// What of it is there, checked value by value. Empty texts are none.
    ///
    /// # Errors
    /// A value that no booking and no payment can have.
    pub fn checked(self) -> Result<StayDetails, InvalidValue> {
        let usedate = self.usedate.filter(|text| !text.is_empty());
        Ok(StayDetails {
            room_id: Some(self.room_id).filter(|id| *id > 0),
            name: text(Field::Name, self.name)?,
            price: self.price.map(price).transpose()?,
            address: text(Field::Address, self.address)?,
            host: text(Field::Host, self.host)?,
            guest: text(Field::Guest, self.guest)?,
            usedate: usedate.map(|date| UseDate::parse(&date)).transpose()?,
        })
    }
}

/// The id that a client's `Long` names: 0, which nothing has, when it names none.
pub fn named(id: Option<i64>) -> u64 {
    id.and_then(|id| u64::try_from(id).ok()).unwrap_or(0)
}

/// A change of one value: what a PATCH says of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Patch<T> {
    /// It is not mentioned.
    #[default]
    Keep,
    /// It is null.
    Clear,
    /// It has a new value.
    Set(T),
}

impl<T> Patch<T> {
    /// What a PUT says: null when it is not there.
    pub fn of(value: Option<T>) -> Self {
        value.map_or(Self::Clear, Self::Set)
    }

    /// The value after the change.
    pub fn over(self, old: Option<T>) -> Option<T> {
        match self {
            Self::Keep => old,
            Self::Clear => None,
            Self::Set(value) => Some(value),
        }
    }
}

pub(super) fn required<T>(field: Field, value: Option<T>) -> Result<T, InvalidValue> {
    value.ok_or(InvalidValue::Missing(field))
}

pub(super) fn id(field: Field, id: u64) -> Result<u64, InvalidValue> {
    required(field, Some(id).filter(|id| *id > 0))
}

pub(super) fn within(field: Field, least: i64, most: i64, value: i64) -> Result<i64, InvalidValue> {
    if (least..=most).contains(&value) { Ok(value) } else { Err(InvalidValue::OutOfRange { field, least, most }) }
}

pub(super) fn price(value: i64) -> Result<i64, InvalidValue> {
    within(Field::Price, 0, i64::MAX, value)
}

/// A text that has to say something where it is wanted: an empty one is none.
pub(super) fn text(field: Field, value: Option<String>) -> Result<Option<String>, InvalidValue> {
    note(field, value.filter(|text| !text.is_empty()))
}

/// A text that may be empty, and short enough.
pub(super) fn note(field: Field, value: Option<String>) -> Result<Option<String>, InvalidValue> {
    match value {
        Some(text) if text.chars().count() > MAX_CHARACTERS => {
            Err(InvalidValue::TooLong { field, most: MAX_CHARACTERS })
        }
        value => Ok(value),
    }
}
