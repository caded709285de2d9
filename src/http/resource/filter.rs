//! Parameters of a list that ask more than equality of a field.

use std::{cmp::Ordering, fmt, sync::Arc};

use futures::{FutureExt, future::BoxFuture};
use serde_json::{Value, json};

use crate::http::{Field, Item, Problem, openapi::asked, query::compare};

/// A parameter of `GET /<collection>` that says which items are wanted.
///
/// A value that its field cannot have is a 400; an empty one asks for nothing.
#[derive(Clone)]
pub struct Filter {
    /// The parameter.
    pub parameter: Field,
    check: fn(&Value) -> Result<(), Problem>,
    /// What `check` lets pass, as a regular expression.
    written: Option<&'static str>,
    prepare: Prepare,
}

/// Which items are wanted.
pub type Wanted = Arc<dyn Fn(&Item) -> bool + Send + Sync>;

/// Fetches what has to be known before items can be judged, and tells whether what was durable when it was asked has been
/// looked at.
pub type Prepare = Arc<dyn Fn(Value) -> BoxFuture<'static, Result<(Wanted, bool), Problem>> + Send + Sync>;

impl Filter {
    /// Items whose `field` is the value or more; never those where it is null.
    pub fn at_least(parameter: Field, field: &'static str) -> Self {
        Self::comparing(parameter, field, Ordering::is_ge)
    }

    /// Items whose `field` is the value or less; never those where it is null.
    pub fn at_most(parameter: Field, field: &'static str) -> Self {
        Self::comparing(parameter, field, Ordering::is_le)
    }

    fn comparing(parameter: Field, field: &'static str, is: fn(Ordering) -> bool) -> Self {
        Self::by(parameter, move |item, value| {
            item.fields.get(field).is_some_and(|known| !known.is_null() && is(compare(known, value)))
        })
    }

    /// Items for which `wanted` is true.
    pub fn by(parameter: Field, wanted: impl Fn(&Item, &Value) -> bool + Send + Sync + 'static) -> Self {
        let wanted = Arc::new(wanted);
        Self::prepared(
            parameter,
            Arc::new(move |value| {
                let wanted = wanted.clone();
                let of_value: Wanted = Arc::new(move |item| wanted(item, &value));
                async move { Ok((of_value, true)) }.boxed()
            }),
        )
    }

    /// Items as `prepare` has it for the value, once for each request.
    pub fn prepared(parameter: Field, prepare: Prepare) -> Self {
        Self { parameter, check: |_| Ok(()), written: None, prepare }
    }

    /// Refuses values that the parameter's type allows and its meaning does not. `written` is the regular expression of
    /// the texts that pass, for the contract.
    #[must_use]
    pub fn checked(mut self, written: &'static str, check: fn(&Value) -> Result<(), Problem>) -> Self {
        (self.written, self.check) = (Some(written), check);
        self
    }

    /// What the parameter may be, for the contract.
    pub(crate) fn schema(&self) -> Value {
        match self.written {
            Some(written) => json!({ "type": "string", "pattern": format!("^\\s*$|^({written})$") }),
            None => asked(&self.parameter),
        }
    }

    /// What the client wrote, understood; `None` for nothing.
    ///
    /// # Errors
    /// A 400 that names the parameter.
    pub(crate) fn value(&self, text: &str) -> Result<Option<Value>, Problem> {
        if text.trim().is_empty() {
            return Ok(None);
        }
        let value = self.parameter.coerce(&Value::from(text))?;
        (self.check)(&value)?;
        Ok(Some(value))
    }

    pub(crate) async fn wanted(&self, value: Value) -> Result<(Wanted, bool), Problem> {
        (self.prepare)(value).await
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Filter").field("parameter", &self.parameter).finish_non_exhaustive()
    }
}
