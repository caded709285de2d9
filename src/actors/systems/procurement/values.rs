//! Which values a client may send (D-3), and the groups of fields that travel together.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::actors::{
    entity::Key,
    systems::{Refusal, RefusalClass},
};

/// Most characters of a text. The columns of the source take 255; a description may be longer, an event
/// stays at some kilobytes.
pub const MAX_CHARACTERS: usize = 4096;

/// A field of a request, as clients write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Field {
    /// `procNo`
    ProcNo,
    /// `procTitle`
    ProcTitle,
    /// `procContents`
    ProcContents,
    /// `procPrice`
    ProcPrice,
    /// `procAgency`
    ProcAgency,
    /// `procQty`
    ProcQty,
    /// `companyNo`
    CompanyNo,
    /// `companyNm`
    CompanyNm,
    /// `companyPhoneNo`
    CompanyPhoneNo,
    /// `inspectionContents`
    InspectionContents,
    /// `phoneNo`
    PhoneNo,
    /// `contents`
    Contents,
}

impl Field {
    /// The field's name in a body.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ProcNo => "procNo",
            Self::ProcTitle => "procTitle",
            Self::ProcContents => "procContents",
            Self::ProcPrice => "procPrice",
            Self::ProcAgency => "procAgency",
            Self::ProcQty => "procQty",
            Self::CompanyNo => "companyNo",
            Self::CompanyNm => "companyNm",
            Self::CompanyPhoneNo => "companyPhoneNo",
            Self::InspectionContents => "inspectionContents",
            Self::PhoneNo => "phoneNo",
            Self::Contents => "contents",
        }
    }
}

/// A value that no state accepts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum InvalidValue {
    /// There is no procurement number.
    #[error("{} is required", .0.name())]
    Missing(Field),
    /// The procurement number cannot name anything.
    #[error("{} is no procurement number: {reason}", .field.name())]
    NoKey {
        /// Which.
        field: Field,
        /// What is wrong with it.
        reason: String,
    },
    /// The number is below 0.
    #[error("{} must not be negative", .0.name())]
    Negative(Field),
    /// The number is not above 0.
    #[error("{} must be above 0", .0.name())]
    NotPositive(Field),
    /// The text is longer than what is kept.
    #[error("{} must have at most {MAX_CHARACTERS} characters", .0.name())]
    TooLong(Field),
}

impl Refusal for InvalidValue {
    fn code(&self) -> &'static str {
        match self {
            Self::Missing(_) => "MISSING_VALUE",
            Self::NoKey { .. } | Self::Negative(_) | Self::NotPositive(_) | Self::TooLong(_) => "INVALID_VALUE",
        }
    }
    fn class(&self) -> RefusalClass {
        RefusalClass::Invalid
    }
    fn field(&self) -> Option<&'static str> {
        Some(match self {
            Self::Missing(field)
            | Self::NoKey { field, .. }
            | Self::Negative(field)
            | Self::NotPositive(field)
            | Self::TooLong(field) => field.name(),
        })
    }
}

/// The procurement number that a request names.
///
/// # Errors
/// There is none, or it is too long or has control characters.
pub fn proc_no(given: Option<&str>) -> Result<Key, InvalidValue> {
    let field = Field::ProcNo;
    let text = given.filter(|text| !text.is_empty()).ok_or(InvalidValue::Missing(field))?;
    Key::new(text).map_err(|error| InvalidValue::NoKey { field, reason: error.to_string() })
}

pub(super) fn text(field: Field, text: Option<&str>) -> Result<(), InvalidValue> {
    match text {
        Some(text) if text.chars().count() > MAX_CHARACTERS => Err(InvalidValue::TooLong(field)),
        Some(_) | None => Ok(()),
    }
}

/// What an agency demands. Everything may be missing.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Demand {
    /// What it is called.
    pub proc_title: Option<String>,
    /// What it is.
    pub proc_contents: Option<String>,
    /// For how much, at least 0.
    pub proc_price: Option<i32>,
    /// Who demands it.
    pub proc_agency: Option<String>,
    /// How much of it, above 0.
    pub proc_qty: Option<f64>,
}

impl Demand {
    /// Whether these values can be stored.
    ///
    /// # Errors
    /// Names the first that cannot.
    pub fn check(&self) -> Result<(), InvalidValue> {
        text(Field::ProcTitle, self.proc_title.as_deref())?;
        text(Field::ProcContents, self.proc_contents.as_deref())?;
        text(Field::ProcAgency, self.proc_agency.as_deref())?;
        if self.proc_price.is_some_and(|price| price < 0) {
            return Err(InvalidValue::Negative(Field::ProcPrice));
        }
        match self.proc_qty {
            Some(quantity) if quantity > 0.0 && quantity.is_finite() => Ok(()),
            Some(_) => Err(InvalidValue::NotPositive(Field::ProcQty)),
            None => Ok(()),
        }
    }
}

/// What a client wants of one field.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub enum Set<T> {
    /// To stay as it is.
    #[default]
    Keep,
    /// To become this; `None` clears it.
    To(Option<T>),
}

impl<T: Clone> Set<T> {
    /// What a field becomes that has `stored`.
    pub(super) fn over(&self, stored: Option<&T>) -> Option<T> {
        match self {
            Self::Keep => stored.cloned(),
            Self::To(value) => value.clone(),
        }
    }
}

/// A change of a [`Demand`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DemandChange {
    /// Of `procTitle`.
    pub proc_title: Set<String>,
    /// Of `procContents`.
    pub proc_contents: Set<String>,
    /// Of `procPrice`.
    pub proc_price: Set<i32>,
    /// Of `procAgency`.
    pub proc_agency: Set<String>,
    /// Of `procQty`.
    pub proc_qty: Set<f64>,
}

impl DemandChange {
    /// What `stored` becomes.
    ///
    /// # Errors
    /// It would have a value that cannot be stored.
    pub fn over(&self, stored: &Demand) -> Result<Demand, InvalidValue> {
        let demand = Demand {
            proc_title: self.proc_title.over(stored.proc_title.as_ref()),
            proc_contents: self.proc_contents.over(stored.proc_contents.as_ref()),
            proc_price: self.proc_price.over(stored.proc_price.as_ref()),
            proc_agency: self.proc_agency.over(stored.proc_agency.as_ref()),
            proc_qty: self.proc_qty.over(stored.proc_qty.as_ref()),
        };
        demand.check().map(|()| demand)
    }
}

/// The company that delivers. As a change, `None` keeps what is stored (D-7).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Company {
    /// Its number.
    pub company_no: Option<String>,
    /// Its name.
    pub company_nm: Option<String>,
}

impl Company {
    /// Whether it is any.
    pub fn is_named(&self) -> bool {
        self.company_no.is_some() || self.company_nm.is_some()
    }

    /// What `stored` becomes: null never overwrites (D-7).
    #[must_use]
    pub fn over(&self, stored: &Self) -> Self {
        Self {
            company_no: self.company_no.as_ref().or(stored.company_no.as_ref()).cloned(),
            company_nm: self.company_nm.as_ref().or(stored.company_nm.as_ref()).cloned(),
        }
    }

    /// Whether these values can be stored.
    ///
    /// # Errors
    /// Names the first that cannot.
    pub fn check(&self) -> Result<(), InvalidValue> {
        text(Field::CompanyNo, self.company_no.as_deref())?;
        text(Field::CompanyNm, self.company_nm.as_deref())
    }
}

/// What a company files for inspection. As a change, `None` keeps what is stored (D-7).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Filing {
    /// The company's number.
    pub company_no: Option<String>,
    /// Its name.
    pub company_nm: Option<String>,
    /// Where it is told the result.
    pub company_phone_no: Option<String>,
    /// What is to be inspected.
    pub inspection_contents: Option<String>,
}

impl Filing {
    /// What `stored` becomes: null never overwrites (D-7).
    #[must_use]
    pub fn over(&self, stored: &Self) -> Self {
        let company = self.company().over(&stored.company());
        Self {
            company_no: company.company_no,
            company_nm: company.company_nm,
            company_phone_no: self.company_phone_no.as_ref().or(stored.company_phone_no.as_ref()).cloned(),
            inspection_contents: self.inspection_contents.as_ref().or(stored.inspection_contents.as_ref()).cloned(),
        }
    }

    /// Who files it.
    #[must_use]
    pub fn company(&self) -> Company {
        Company { company_no: self.company_no.clone(), company_nm: self.company_nm.clone() }
    }

    /// A filing that says no more than who files it.
    #[must_use]
    pub fn of(company: &Company) -> Self {
        let Company { company_no, company_nm } = company.clone();
        Self { company_no, company_nm, ..Self::default() }
    }

    /// Whether these values can be stored.
    ///
    /// # Errors
    /// Names the first that cannot.
    pub fn check(&self) -> Result<(), InvalidValue> {
        self.company().check()?;
        text(Field::CompanyPhoneNo, self.company_phone_no.as_deref())?;
        text(Field::InspectionContents, self.inspection_contents.as_deref())
    }
}

/// The fields of an event on the bus: `id`, `procNo`, and those of `rest` in the order of its declaration.
pub(super) fn on_bus(id: u64, proc_no: &Key, rest: &impl Serialize) -> Map<String, Value> {
    let mut fields = Map::new();
    fields.insert("id".to_owned(), id.into());
    fields.insert("procNo".to_owned(), proc_no.as_str().into());
    if let Value::Object(rest) = json!(rest) {
        fields.extend(rest);
    }
    fields
}
