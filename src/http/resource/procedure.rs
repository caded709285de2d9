//! Calls that are no methods of an item: `POST /orders/placeOrder`, `true` or `false`.

use std::{borrow::Cow, fmt, future::Future};

use http::Method;
use serde_json::Value;

use super::{Call, Operation};
use crate::http::{Field, Problem};

/// A call by name with parameters, as the gas station's clients make it.
///
/// Its parameters come from the query, from a form or from a JSON object; the query wins.
#[derive(Clone)]
pub struct Procedure {
    /// The segment behind the collection; empty for the collection itself.
    pub name: &'static str,
    /// `POST`, or `GET` for an old client that changes state by it.
    pub method: Method,
    /// What it takes; [`Field::required`] ones must be there.
    pub parameters: Vec<Field>,
    /// Whether it says a text instead of `true` or `false`.
    pub tells_text: bool,
    /// Whether only services of the old system called it, so that it is for no client.
    pub internal: bool,
    /// What it does.
    pub perform: Perform,
}

/// What a procedure does.
pub type Perform = Operation<Said>;

/// What a procedure says, always with 200.
#[derive(Clone, Debug, PartialEq)]
pub struct Said {
    pub(crate) answer: Answer,
    pub(crate) reason: Option<Cow<'static, str>>,
    pub(crate) item: Option<Value>,
    pub(crate) replayed: bool,
}

/// The body of an answer.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Answer {
    /// A bare JSON boolean.
    Truth(bool),
    /// Text as it is, not quoted.
    Text(String),
}

impl Procedure {
    /// `POST /<collection>/<name>`; an empty name is the collection itself.
    pub fn post(name: &'static str, parameters: Vec<Field>, perform: Perform) -> Self {
        Self { name, method: Method::POST, parameters, tells_text: false, internal: false, perform }
    }

    /// `GET /<collection>/<name>`, though it changes something.
    pub fn get(name: &'static str, parameters: Vec<Field>, perform: Perform) -> Self {
        Self { name, method: Method::GET, parameters, tells_text: false, internal: false, perform }
    }

    /// Only services of the old system called it. Where callers are asked who they are, it is for operators.
    #[must_use]
    pub fn internal(mut self) -> Self {
        self.internal = true;
        self
    }

    /// It says a text: [`Said::text`].
    #[must_use]
    pub fn telling_text(mut self) -> Self {
        self.tells_text = true;
        self
    }
}

/// What a procedure does that no constructor of this module makes.
pub fn perform<F>(perform: impl Fn(Call) -> F + Send + Sync + 'static) -> Perform
where
    F: Future<Output = Result<Said, Problem>> + Send + 'static,
{
    Operation::new(perform)
}

impl Said {
    /// `true`.
    pub fn yes() -> Self {
        Self { answer: Answer::Truth(true), reason: None, item: None, replayed: false }
    }

    /// `false`, with the code of the refusal in the header `X-Reason`.
    pub fn no(reason: impl Into<Cow<'static, str>>) -> Self {
        Self { answer: Answer::Truth(false), reason: Some(reason.into()), ..Self::yes() }
    }

    /// A text, as it is.
    pub fn text(text: impl Into<String>) -> Self {
        Self { answer: Answer::Text(text.into()), ..Self::yes() }
    }

    /// With the address of the collection's item that was made: `Location`.
    #[must_use]
    pub fn made(mut self, key: impl Into<Value>) -> Self {
        self.item = Some(key.into());
        self
    }
}

impl fmt::Debug for Procedure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Procedure").field("method", &self.method).field("name", &self.name).finish_non_exhaustive()
    }
}
