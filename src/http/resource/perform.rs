//! Commands and procedures: what is taken of the request, and what the answer is.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use serde_json::{Map, Value};

use super::{
    Action, Call, Change, Done, Procedure, Recalled, Resource, Said, Target, command::LastAsked, procedure::Answer,
};
use crate::{
    Key,
    http::{
        Fields, Item, Problem, body,
        hal::Place,
        idempotency::Origin,
        request::{HAL, JSON, Request, Response, empty, json as json_response, plain, set, written},
        status::{self, Route, StatusId},
    },
};

/// Why a procedure says `false`.
const REASON: HeaderName = HeaderName::from_static("x-reason");
/// Tells a first answer that is given again.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// A sequence that no entity is at.
const NOWHERE: u64 = u64::MAX;

/// What a request's `If-Match` or `If-None-Match` lists.
pub(super) enum Tags {
    Any,
    Of(Vec<u64>),
}

impl Resource {
    pub(super) async fn command(
        &self,
        action: &Action,
        request: &Request,
        target: Target,
        place: &Place,
    ) -> Result<Response, Problem> {
        let declared = &self.shape.fields;
        let (body, whole) = match request.method {
            Method::DELETE => (Map::new(), false),
            Method::PATCH => (body::object(request)?, false),
            _ => (body::object(request)?, true),
        };
        let fields = Fields::of(declared, &body)?;
        let fields = if whole { fields.or_nothing(declared) } else { fields };
        fields.require(declared)?;
        let in_path = match target {
            Target::Item(key) => Some(key),
            Target::Collection | Target::Procedure(_) | Target::Search | Target::Finder(_) => None,
        };
        let in_body = match &in_path {
            None if self.natural_key => Some(self.key_of(&body)?),
            _ => None,
        };
        let origin = Origin::of(request, || {
            let content = fields.canonical();
            let content = in_body.as_ref().map_or(content.clone(), |key| format!("{key} {content}"));
            (self.address(in_path.as_deref()), content)
        })?;
        let expecting = match &in_path {
            Some(key) => self.expecting(request, key).await?,
            None => None,
        };
        let (patient, asked) = (prefers_async(request), LastAsked::default());
        let key = in_path.or(in_body);
        let call = Call { key, fields, origin, expecting, patient, asked: asked.clone() };
        match action.call(call).await {
            Ok(done) => Ok(self.done(&done, place)),
            Err(problem) => self.unsettled(problem, &asked, Route::Method(request.method.clone()), place),
        }
    }

    /// Whatever leaves the outcome open tells where it will be told: the one place where this is done.
    fn unsettled(&self, problem: Problem, asked: &LastAsked, route: Route, place: &Place) -> Result<Response, Problem> {
        let Some(address) = asked.get().filter(|_| problem.is_unsettled()) else { return Err(problem) };
        let href = StatusId { address, collection: self.shape.collection.to_owned(), route }.href(&place.base);
        if problem.status() == StatusCode::ACCEPTED {
            Ok(status::accepted(&href))
        } else {
            Err(problem.with_status(href))
        }
    }

    /// What was kept of a command, as its first answer was; `None` when this resource does not show it.
    pub(crate) fn recall(&self, route: &Route, kept: &Recalled, place: &Place) -> Option<Result<Response, Problem>> {
        match route {
            Route::Method(method) => {
                let action = match method.as_str() {
                    "POST" => self.create.as_ref(),
                    "PUT" => self.replace.as_ref(),
                    "PATCH" => self.merge.as_ref(),
                    "DELETE" => self.remove.as_ref(),
                    _ => None,
                };
                let done = action?.recall(kept)?;
                Some(done.map(|done| self.done(&done, place)))
            }
            Route::Procedure(method, name) => {
                let mut named = self.procedures.iter().filter(|known| known.name == name && known.method == *method);
                let said = named.next()?.perform.recall(kept)?;
                Some(said.map(|said| self.said(said, place)))
            }
        }
    }

    /// The canonical path of the collection, an item or a procedure, as idempotency keys are bound to it.
    fn address(&self, segment: Option<&str>) -> String {
        let segment = segment.map(|segment| format!("/{segment}")).unwrap_or_default();
        format!("/{}/{}{segment}", self.system, self.shape.collection)
    }

    /// The natural key in the body of a creation: one that the path of an item can have.
    fn key_of(&self, body: &Map<String, Value>) -> Result<String, Problem> {
        let field = self.shape.key;
        let value = body.get(field.name).map(|value| field.coerce(value)).transpose()?.unwrap_or_default();
        let text = match &value {
            Value::Null => return Err(Problem::missing(field.name)),
            Value::String(text) if text.trim().is_empty() => return Err(Problem::missing(field.name)),
            Value::String(text) => text.clone(),
            Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
        };
        Key::new(&text).map_err(|why| Problem::field(field.name, format_args!("is refused: {why}")))?;
        // clients take dots out of a path before they send it
        let is_item = matches!(self.target(&[text.as_str().into()]), Some(Target::Item(_)));
        if !is_item || matches!(text.as_str(), "." | "..") {
            return Err(Problem::field(field.name, format_args!("is refused: no item can be called {text}")));
        }
        Ok(text)
    }

    fn done(&self, done: &Done, place: &Place) -> Response {
        let mut response = match done.change {
            Change::Removed => empty(StatusCode::NO_CONTENT),
            Change::Changed => self.item_response(StatusCode::OK, &done.item, place),
            Change::Created => {
                let mut response = self.item_response(StatusCode::CREATED, &done.item, place);
                set(&mut response, header::LOCATION, &self.shape.href(&done.item.key, place));
                response
            }
        };
        if done.replayed {
            set(&mut response, REPLAYED, "true");
        }
        response
    }

    pub(super) async fn perform(
        &self,
        procedure: &Procedure,
        request: &Request,
        place: &Place,
    ) -> Result<Response, Problem> {
        let fields = Fields::of(&procedure.parameters, &body::parameters(request)?)?;
        fields.require_all(&procedure.parameters)?;
        let segment = Some(procedure.name).filter(|name| !name.is_empty());
        let origin = Origin::of(request, || (self.address(segment), fields.canonical()))?;
        let (patient, asked) = (prefers_async(request), LastAsked::default());
        let call = Call { key: None, fields, origin, expecting: None, patient, asked: asked.clone() };
        match procedure.perform.call(call).await {
            Ok(said) => Ok(self.said(said, place)),
            Err(problem) => {
                let route = Route::Procedure(procedure.method.clone(), procedure.name.to_owned());
                self.unsettled(problem, &asked, route, place)
            }
        }
    }

    fn said(&self, Said { answer, reason, item, replayed }: Said, place: &Place) -> Response {
        let mut response = match answer {
            Answer::Truth(truth) => json_response(StatusCode::OK, JSON, &truth),
            Answer::Text(text) => plain(StatusCode::OK, text),
        };
        if let Some(reason) = reason {
            set(&mut response, REASON, &reason);
        }
        if let Some(key) = item {
            set(&mut response, header::LOCATION, &self.shape.href(&key, place));
        }
        if replayed {
            set(&mut response, REPLAYED, "true");
        }
        response
    }

    /// The sequence that `If-Match` demands. One tag is left to the entity, which compares and decides in
    /// one turn; of several, the present one is taken. `*` is about a replacement that would create: what else is asked of
    /// an item that is not there, the entity refuses anyway.
    async fn expecting(&self, request: &Request, key: &str) -> Result<Option<u64>, Problem> {
        let failed =
            || Problem::new(StatusCode::PRECONDITION_FAILED, "PRECONDITION_FAILED", "If-Match names no such version");
        match tags(request, header::IF_MATCH) {
            None => Ok(None),
            Some(Tags::Any) => match &self.source {
                Some(source) if self.natural_key && request.method == Method::PUT => {
                    // The entity says so, as below: it knows what it has done.
                    Ok(source.item(key).await?.0.is_none().then_some(NOWHERE))
                }
                Some(_) | None => Ok(None),
            },
            Some(Tags::Of(sequences)) => match (sequences.as_slice(), &self.source) {
                ([], _) => Err(failed()),
                ([one], _) => Ok(Some(*one)),
                // Also when none of them is the present one, the entity says so: the request may be a repetition of
                // one that it has done, which is answered whatever happened since.
                ([first, ..], Some(source)) => {
                    let now = source.item(key).await?.0.and_then(|item| item.sequence);
                    Ok(now.filter(|now| sequences.contains(now)).or(Some(*first)))
                }
                ([first, ..], None) => Ok(Some(*first)),
            },
        }
    }

    pub(super) fn item_response(&self, status: StatusCode, item: &Item, place: &Place) -> Response {
        let mut response = written(status, HAL, self.shape.item(item, place));
        entity_tag(&mut response, item);
        response
    }
}

/// `Prefer: respond-async`, whatever else is preferred (RFC 7240).
fn prefers_async(request: &Request) -> bool {
    let given = request.headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let mut preferences = given.flat_map(|list| list.split(','));
    preferences.any(|one| one.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("respond-async"))
}

pub(super) fn entity_tag(response: &mut Response, item: &Item) {
    if let Some(sequence) = item.sequence {
        let tag = ["\"", &sequence.to_string(), "\""].concat();
        let tag = HeaderValue::from_maybe_shared(Bytes::from(tag)).expect("digits between quotes");
        response.headers_mut().insert(header::ETAG, tag);
    }
}

/// The entity tags of a condition, `None` when the request has none. What is none of ours matches nothing;
/// a weak tag matches only where nothing is written (`If-None-Match`).
pub(super) fn tags(request: &Request, name: HeaderName) -> Option<Tags> {
    let weak_matches = name == header::IF_NONE_MATCH;
    let given: Vec<Cow<'_, str>> =
        request.headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
    if given.is_empty() {
        return None;
    }
    let tags = || given.iter().flat_map(|list| list.split(',')).map(str::trim);
    if tags().any(|tag| tag == "*") {
        return Some(Tags::Any);
    }
    let sequence = |tag: &str| {
        let strong = if weak_matches { tag.strip_prefix("W/").unwrap_or(tag) } else { tag };
        strong.strip_prefix('"')?.strip_suffix('"')?.parse().ok()
    };
    Some(Tags::Of(tags().filter_map(sequence).collect()))
}
