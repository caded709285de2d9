//! Which values a client may send, and how quantities and money are counted (D-11, D-13).
//!
//! Litres and won are integers of a thousandth inside and doubles on the wire, so that a sale and its
//! cancellation leave exactly what was there before (N12). A fourth decimal is refused and not rounded: what was
//! sold would not be what was asked for.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::actors::{
    entity::Key,
    systems::{Refusal, RefusalClass},
};

/// A quantity in thousandths of a litre, or an amount in thousandths of a won.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Milli(i64);

impl Milli {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The greatest magnitude: fifteen digits, which a double always gives back.
    pub const MAX: Self = Self(999_999_999_999_999);

    /// So many thousandths; `None` beyond [`Milli::MAX`].
    pub const fn of(thousandths: i64) -> Option<Self> {
        if thousandths.unsigned_abs() <= Self::MAX.0.unsigned_abs() { Some(Self(thousandths)) } else { None }
    }

    /// So many thousandths.
    pub const fn thousandths(self) -> i64 {
        self.0
    }

    /// The sum; `None` beyond [`Milli::MAX`].
    pub fn plus(self, other: Self) -> Option<Self> {
        Self::of(self.0.checked_add(other.0)?)
    }

    /// So many times as much; `None` beyond [`Milli::MAX`].
    pub fn times(self, factor: i64) -> Option<Self> {
        Self::of(self.0.checked_mul(factor)?)
    }

    /// The same in the other direction.
    #[must_use]
    pub const fn negated(self) -> Self {
        Self(-self.0) // the range is symmetric
    }

    /// Whether there is something.
    pub const fn is_positive(self) -> bool {
        self.0 > 0
    }

    /// As clients see it.
    pub fn as_f64(self) -> f64 {
        shown(self.0.into())
    }
}

/// Thousandths as clients see them. Exact up to [`Milli::MAX`].
#[expect(clippy::cast_precision_loss, reason = "a double is what the wire has")]
pub(super) fn shown(thousandths: i128) -> f64 {
    thousandths as f64 / 1000.0
}

impl TryFrom<f64> for Milli {
    type Error = InvalidValue;
    /// The thousandths that a client's double names.
    ///
    /// # Errors
    /// [`InvalidValue::NotExact`] when there is a fourth decimal, or none can be told apart any more.
    fn try_from(number: f64) -> Result<Self, InvalidValue> {
        let not_exact = InvalidValue::NotExact { field: Field::Qty };
        let thousandths = (number * 1000.0).round();
        if thousandths.is_nan() || thousandths.abs() > Self::MAX.as_f64() * 1000.0 {
            return Err(not_exact);
        }
        #[expect(clippy::cast_possible_truncation, reason = "a whole number within the range of an i64")]
        let exact = Self(thousandths as i64);
        // the nearest double of a number with three decimals is what this division gives
        #[expect(clippy::float_cmp, reason = "equal or not what the client wrote")]
        let is_exact = exact.as_f64() == number;
        if is_exact { Ok(exact) } else { Err(not_exact) }
    }
}

impl fmt::Display for Milli {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_f64().fmt(f)
    }
}

/// A field of a request, as clients write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Field {
    /// `productId`
    ProductId,
    /// `productName`
    ProductName,
    /// `price`
    Price,
    /// `qty`
    Qty,
    /// `amount`
    Amount,
    /// `destAddr`
    DestAddr,
    /// `orderId`
    OrderId,
    /// `saleId`
    SaleId,
    /// `reason`
    Reason,
    /// `accountName`
    AccountName,
}

impl Field {
    /// The field's name in a body.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ProductId => "productId",
            Self::ProductName => "productName",
            Self::Price => "price",
            Self::Qty => "qty",
            Self::Amount => "amount",
            Self::DestAddr => "destAddr",
            Self::OrderId => "orderId",
            Self::SaleId => "saleId",
            Self::Reason => "reason",
            Self::AccountName => "accountName",
        }
    }
}

/// A value that no state of the station accepts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum InvalidValue {
    /// The value is not there, or blank.
    #[error("{} is required", .0.name())]
    Missing(Field),
    /// The quantity is not above zero (D-13).
    #[error("{} must be more than 0", .0.name())]
    NotPositive(Field),
    /// The number is negative.
    #[error("{} must not be negative", .0.name())]
    Negative(Field),
    /// The number has more than three decimals, or is too large to have them.
    #[error("{} must have at most three decimals and stay below 1e12", field.name())]
    NotExact {
        /// Which.
        field: Field,
    },
    /// The number is beyond what the station counts.
    #[error("{} is too large", .0.name())]
    TooLarge(Field),
    /// The text is longer than the station keeps, or has characters that no line of text has.
    #[error("{} must be a text of at most {most} characters", field.name())]
    NoText {
        /// Which.
        field: Field,
        /// The most characters that are accepted.
        most: usize,
    },
}

impl InvalidValue {
    fn of(&self) -> Field {
        match self {
            Self::Missing(field)
            | Self::NotPositive(field)
            | Self::Negative(field)
            | Self::TooLarge(field)
            | Self::NotExact { field }
            | Self::NoText { field, .. } => *field,
        }
    }

    /// The same about another field.
    #[must_use]
    pub fn about(self, field: Field) -> Self {
        match self {
            Self::Missing(_) => Self::Missing(field),
            Self::NotPositive(_) => Self::NotPositive(field),
            Self::Negative(_) => Self::Negative(field),
            Self::TooLarge(_) => Self::TooLarge(field),
            Self::NotExact { .. } => Self::NotExact { field },
            Self::NoText { most, .. } => Self::NoText { field, most },
        }
    }
}

impl Refusal for InvalidValue {
    fn code(&self) -> &'static str {
        match self {
            Self::Missing(_) => "MISSING_VALUE",
            Self::NotPositive(_)
            | Self::Negative(_)
            | Self::NotExact { .. }
            | Self::TooLarge(_)
            | Self::NoText { .. } => "INVALID_VALUE",
        }
    }
    fn class(&self) -> RefusalClass {
        RefusalClass::Invalid
    }
    fn field(&self) -> Option<&'static str> {
        Some(self.of().name())
    }
}

/// The most characters of a text: the columns of the source are `varchar(255)`.
pub const MAX_CHARACTERS: usize = 255;

/// A text that a client has to give.
///
/// # Errors
/// [`InvalidValue::Missing`] when it is not there or blank, [`InvalidValue::NoText`] when it is too long.
pub fn required(field: Field, text: Option<&str>) -> Result<String, InvalidValue> {
    let text = text.filter(|text| !text.trim().is_empty()).ok_or(InvalidValue::Missing(field))?;
    Ok(short(field, text)?.to_owned())
}

/// A text that a client may give.
///
/// # Errors
/// [`InvalidValue::NoText`] when it is too long.
pub fn optional(field: Field, text: Option<&str>) -> Result<Option<String>, InvalidValue> {
    text.map(|text| short(field, text).map(str::to_owned)).transpose()
}

fn short(field: Field, text: &str) -> Result<&str, InvalidValue> {
    let most = MAX_CHARACTERS;
    if text.chars().count() > most { Err(InvalidValue::NoText { field, most }) } else { Ok(text) }
}

/// The key of the product that a client names.
///
/// # Errors
/// [`InvalidValue::Missing`] when none is named, [`InvalidValue::NoText`] when none can have such a name.
pub fn product_key(text: Option<&str>) -> Result<Key, InvalidValue> {
    let (field, most) = (Field::ProductId, Key::MAX_BYTES);
    let text = text.filter(|text| !text.trim().is_empty()).ok_or(InvalidValue::Missing(field))?;
    Key::new(text).map_err(|_| InvalidValue::NoText { field, most })
}

/// A quantity that a client has to give.
///
/// # Errors
/// [`InvalidValue::Missing`] when it is not there, [`InvalidValue::NotExact`] when it has a fourth decimal.
pub fn quantity(field: Field, number: Option<f64>) -> Result<Milli, InvalidValue> {
    let number = number.ok_or(InvalidValue::Missing(field))?;
    Milli::try_from(number).map_err(|error| error.about(field))
}

/// The number of an order or a sale; 0, which none has, for a negative one.
///
/// # Errors
/// [`InvalidValue::Missing`] when there is none.
pub fn number(field: Field, number: Option<i64>) -> Result<u64, InvalidValue> {
    number.map(|number| u64::try_from(number).unwrap_or(0)).ok_or(InvalidValue::Missing(field))
}

pub(super) fn positive(field: Field, value: Milli) -> Result<(), InvalidValue> {
    if value.is_positive() { Ok(()) } else { Err(InvalidValue::NotPositive(field)) }
}

/// The fields of an event on the bus, in this order.
pub(super) fn fields<const N: usize>(fields: [(&str, Value); N]) -> Map<String, Value> {
    fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
