//! Refusals: one shape, and the one table from what happened to a status.

use std::{borrow::Cow, fmt, time::Duration};

use http::{HeaderName, HeaderValue, StatusCode, header};
use serde_json::{Map, Value, json};

use super::request::{Request, Response, set};
use crate::{AskError, Outcome, Refusal, RefusalClass, Timestamp, Unavailable, ViewError};

const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json;charset=UTF-8");

/// Why a request has no good answer: RFC 9457's members and the old Spring fields in one object.
#[derive(Clone, Debug)]
pub struct Problem(Box<Details>); // boxed: it is the error of nearly every function here

#[derive(Clone, Debug)]
struct Details {
    status: StatusCode,
    code: Cow<'static, str>,
    message: String,
    retry_after: Option<Duration>,
    allow: Option<String>,
    /// The command may have been done, or may come to be.
    unsettled: bool,
    /// Where what becomes of it is told.
    status_link: Option<String>,
    headers: Vec<(HeaderName, &'static str)>,
    extra: Map<String, Value>,
}

impl Problem {
    /// A problem with this status; `code` is stable and in upper case, `message` is for people.
    pub fn new(status: StatusCode, code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        let (code, message) = (code.into(), message.into());
        let (retry_after, allow, status_link, headers, extra) = (None, None, None, Vec::new(), Map::new());
        let details =
            Details { status, code, message, retry_after, allow, unsettled: false, status_link, headers, extra };
        Self(Box::new(details))
    }

    /// With another header in its answer.
    pub(crate) fn with_header(mut self, name: HeaderName, value: &'static str) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// With the time after which another try has a chance.
    pub(crate) fn coming_back(mut self, after: Option<Duration>) -> Self {
        self.0.retry_after = after;
        self
    }

    /// The request is wrong: 400.
    pub fn invalid(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// A field is wrong: 400 that names it.
    pub fn field(name: &str, why: impl fmt::Display) -> Self {
        Self::invalid("INVALID_FIELD", format!("{name} {why}")).with("field", name.into())
    }

    /// A required field is not there: 400 that names it.
    pub fn missing(name: &str) -> Self {
        Self::invalid("MISSING_FIELD", format!("{name} is missing")).with("field", name.into())
    }

    /// Nothing has this address: 404.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", message)
    }

    /// Not available now: 503, come back after `retry_after`.
    pub fn unavailable(code: &'static str, message: impl Into<String>, retry_after: Duration) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code, message).coming_back(Some(retry_after))
    }

    /// The path is known and the method is not offered: 405.
    pub(crate) fn method_not_allowed(method: &http::Method, allow: String) -> Self {
        let message = format!("{method} is not offered here, but {allow}");
        let mut problem = Self::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", message);
        problem.0.allow = Some(allow);
        problem
    }

    /// The business said no.
    pub fn refused(refusal: &impl Refusal) -> Self {
        let status = match refusal.class() {
            RefusalClass::Invalid => StatusCode::BAD_REQUEST,
            RefusalClass::Gone => StatusCode::NOT_FOUND,
            RefusalClass::Conflict => StatusCode::CONFLICT,
        };
        let problem = Self::new(status, refusal.code(), refusal.to_string());
        match refusal.field() {
            Some(field) => problem.with("field", field.into()),
            None => problem,
        }
    }

    /// Another member of the object.
    #[must_use]
    pub fn with(mut self, member: &str, value: Value) -> Self {
        self.0.extra.insert(member.to_owned(), value);
        self
    }

    /// The one table from a failed ask to a status.
    ///
    /// `503` says that nothing was done, `504` that the outcome is not known yet: it links to the command's status.
    pub fn of_ask<R: Refusal>(error: AskError<R>) -> Self {
        let (outcome, message, retry_after) = (error.outcome(), error.to_string(), error.retry_after());
        let injected = if let AskError::Unavailable(Unavailable::Injected { fault, .. }) = &error {
            Some(fault.clone())
        } else {
            None
        };
        let (status, code) = match error {
            AskError::Rejected(refusal) => return Self::refused(&refusal),
            AskError::NotFound { .. } => (StatusCode::NOT_FOUND, "NOT_FOUND"),
            AskError::RefusedByOperator { .. } => (StatusCode::CONFLICT, "REFUSED_BY_OPERATOR"),
            AskError::Reused => (StatusCode::UNPROCESSABLE_ENTITY, "IDEMPOTENCY_KEY_REUSED"),
            AskError::Moved { .. } => (StatusCode::PRECONDITION_FAILED, "PRECONDITION_FAILED"),
            AskError::Overloaded { .. } => (StatusCode::SERVICE_UNAVAILABLE, "OVERLOADED"),
            AskError::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE"),
            AskError::Expired(_) => (StatusCode::SERVICE_UNAVAILABLE, "EXPIRED"),
            AskError::InProgress { .. } => (StatusCode::CONFLICT, "IN_PROGRESS"),
            AskError::Accepted => (StatusCode::ACCEPTED, "ACCEPTED"),
            AskError::TimedOut(_) => (StatusCode::GATEWAY_TIMEOUT, "TIMED_OUT"),
            AskError::Unsettled { .. } => (StatusCode::GATEWAY_TIMEOUT, "UNSETTLED"),
            AskError::Unreadable { .. } => (StatusCode::INTERNAL_SERVER_ERROR, "UNREADABLE_REPLY"),
        };
        // One that was done and cannot be read will not become readable.
        let unsettled = outcome == Outcome::Unknown && status != StatusCode::INTERNAL_SERVER_ERROR;
        let outcome = match outcome {
            Outcome::Refused => "refused",
            Outcome::NotDone => "not done",
            Outcome::Unknown => "unknown",
        };
        let mut problem = Self::new(status, code, message).coming_back(retry_after).with("outcome", outcome.into());
        problem.0.unsettled = unsettled;
        match injected {
            Some(fault) => problem.with("fault", fault.into()),
            None => problem,
        }
    }

    /// Whether it says that the outcome is not known yet.
    pub(crate) fn is_unsettled(&self) -> bool {
        self.0.unsettled
    }

    /// With the address at which the outcome will be told.
    pub(crate) fn with_status(mut self, href: String) -> Self {
        self.0.extra.insert("_links".into(), json!({ "status": { "href": href } }));
        self.0.status_link = Some(href);
        self
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// What it is called, for programs.
    #[cfg(feature = "grpc")]
    pub(crate) fn code(&self) -> &str {
        &self.0.code
    }

    /// What it says, for people.
    #[cfg(feature = "grpc")]
    pub(crate) fn message(&self) -> &str {
        &self.0.message
    }

    /// When another try has a chance.
    #[cfg(feature = "grpc")]
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }

    /// The answer to `request`.
    pub(crate) fn respond(&self, request: &Request) -> Response {
        self.at(&request.path, &request.correlation.id, request.at)
    }

    /// The answer to a request of which no more is known.
    pub(crate) fn at(&self, path: &str, correlation: &str, now: Timestamp) -> Response {
        let phrase = self.0.status.canonical_reason().unwrap_or("Unknown");
        let mut body = json!({
            "type": "about:blank",
            "title": phrase,
            "status": self.0.status.as_u16(),
            "detail": self.0.message,
            "instance": path,
            "timestamp": old_timestamp(now),
            "error": phrase,
            "message": self.0.message,
            "path": path,
            "code": self.0.code,
            "correlationId": correlation,
        });
        if let Value::Object(members) = &mut body {
            members.extend(self.0.extra.clone());
        }
        let mut response = super::request::json(self.0.status, PROBLEM, &body);
        if let Some(after) = self.0.retry_after {
            set(&mut response, header::RETRY_AFTER, &whole_seconds(after).to_string());
        }
        for (name, value) in &self.0.headers {
            set(&mut response, name, value);
        }
        if let Some(allow) = &self.0.allow {
            set(&mut response, header::ALLOW, allow);
        }
        if let Some(href) = &self.0.status_link {
            set(&mut response, header::LINK, &format!("<{href}>; rel=\"status\""));
        }
        response
    }
}

/// The business said no: [`Problem::refused`].
impl<R: Refusal> From<R> for Problem {
    fn from(refusal: R) -> Self {
        Self::refused(&refusal)
    }
}

impl From<ViewError> for Problem {
    fn from(error: ViewError) -> Self {
        let message = error.to_string();
        match error {
            ViewError::Unavailable(why) => Self::unavailable("UNAVAILABLE", message, why.retry_after()),
            // Only an operator can help.
            ViewError::Incomplete(_) => Self::unavailable("VIEW_INCOMPLETE", message, Duration::from_mins(1)),
            ViewError::Store(_) => Self::unavailable("VIEW_UNAVAILABLE", message, Duration::from_secs(1)),
        }
    }
}

/// `Retry-After` knows whole seconds; 0 would be an invitation to hammer.
fn whole_seconds(after: Duration) -> u64 {
    after.as_secs().saturating_add(u64::from(after.subsec_nanos() > 0)).max(1)
}

/// Spring Boot 2.1's form, `2021-07-08T05:26:34.123+0000`.
fn old_timestamp(at: Timestamp) -> String {
    let millis = i64::try_from(at.as_millis()).unwrap_or(i64::MAX);
    let at = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX);
    at.strftime("%Y-%m-%dT%H:%M:%S%.3f+0000").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::request::tests::request;

    #[derive(Debug, thiserror::Error)]
    #[error("room 1 is already booked on 20201010")]
    struct No(RefusalClass, Option<&'static str>);

    impl Refusal for No {
        fn code(&self) -> &'static str {
            "DOUBLE_BOOKING"
        }
        fn class(&self) -> RefusalClass {
            self.0
        }
        fn field(&self) -> Option<&'static str> {
            self.1
        }
    }

    fn body(response: &Response) -> Value {
        serde_json::from_slice(response.body()).unwrap()
    }

    #[test]
    fn a_problem_has_the_new_members_and_the_old_fields() {
        let problem = Problem::refused(&No(RefusalClass::Conflict, None));
        let response = problem.respond(&request("POST", "/bookings", &[("x-request-id", "r-1")], ""));
        assert_eq!(response.status(), 409);
        assert_eq!(response.headers()["content-type"], "application/problem+json;charset=UTF-8");
        assert_eq!(
            body(&response),
            json!({
                "type": "about:blank", "title": "Conflict", "status": 409,
                "detail": "room 1 is already booked on 20201010", "instance": "/bookings",
                "timestamp": "2021-07-08T05:26:34.123+0000", "error": "Conflict",
                "message": "room 1 is already booked on 20201010", "path": "/bookings",
                "code": "DOUBLE_BOOKING", "correlationId": "r-1",
            })
        );
    }

    #[test]
    fn every_failed_ask_has_its_status_and_retry_after() {
        let second = Duration::from_secs(1);
        let partner =
            Unavailable::Partner { partner: "delivery".into(), reason: "stopped".into(), retry_after: 5 * second };
        let table: Vec<(AskError<No>, u16, Option<&str>)> = vec![
            (AskError::Rejected(No(RefusalClass::Invalid, Some("usedate"))), 400, None),
            (AskError::Rejected(No(RefusalClass::Gone, None)), 404, None),
            (AskError::Rejected(No(RefusalClass::Conflict, None)), 409, None),
            (AskError::NotFound { kind: "order".into(), address: "9".into() }, 404, None),
            (AskError::Reused, 422, None),
            (AskError::RefusedByOperator { reason: "boom".into() }, 409, None),
            (AskError::Moved { sequence: 3 }, 412, None),
            (AskError::Overloaded { retry_after: Duration::from_millis(1) }, 503, Some("1")),
            (AskError::Overloaded { retry_after: Duration::from_millis(1001) }, 503, Some("2")),
            (AskError::Unavailable(Unavailable::ServiceStopped { service: "store/order".into() }), 503, Some("1")),
            (AskError::Unavailable(partner), 503, Some("5")),
            (AskError::Expired(second), 503, Some("1")),
            (AskError::InProgress { retry_after: Duration::ZERO }, 409, Some("1")),
            (AskError::Accepted, 202, None),
            (AskError::TimedOut(second), 504, None),
            (AskError::Unsettled { reason: "x".into() }, 504, None),
            (AskError::Unreadable { reason: "x".into() }, 500, None),
        ];
        for (error, status, retry_after) in table {
            let text = format!("{error:?}");
            let problem = Problem::of_ask(error);
            let response = problem.respond(&request("DELETE", "/orders/1", &[], ""));
            assert_eq!(response.status().as_u16(), status, "{text}");
            assert_eq!(response.headers().get("retry-after").map(|v| v.to_str().unwrap()), retry_after, "{text}");
        }
    }

    #[test]
    fn a_refusal_names_the_field_to_blame() {
        let response =
            Problem::refused(&No(RefusalClass::Invalid, Some("usedate"))).respond(&request("POST", "/b", &[], ""));
        assert_eq!(body(&response)["field"], "usedate");
    }
}
