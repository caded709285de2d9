use std::borrow::Cow;

use http::{Method, StatusCode, header};
use serde_json::{Value, json};

use super::{Action, Call, Change, Done, Finder, Found, Resource};
use crate::http::{
    Fields, Item, Problem, body,
    hal::{Place, link, template},
    idempotency::Origin,
    list,
    paging::{links, page},
    query::Query,
    request::{HAL, Request, Response, empty, json as json_response, set},
};

/// What of a resource a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// `/orders`
    Collection,
    /// `/orders/1`
    Item(String),
    /// `/orders/search`
    Search,
    /// `/orders/search/findByX`
    Finder(String),
}

impl Target {
    /// Of the segments behind the collection; `None` when no resource has such a path.
    pub(crate) fn of(rest: &[String]) -> Option<Self> {
        match rest {
            [] => Some(Self::Collection),
            [search] if search == "search" => Some(Self::Search),
            [key] => Some(Self::Item(key.clone())),
            [search, finder] if search == "search" => Some(Self::Finder(finder.clone())),
            _ => None,
        }
    }
}

/// What a request's `If-Match` or `If-None-Match` lists.
enum Tags {
    Any,
    Of(Vec<u64>),
}

impl Resource {
    /// Answers any request for `target`.
    ///
    /// # Errors
    /// 404, 405 and everything that reading and commanding can lead to.
    pub(crate) async fn handle(&self, request: &Request, target: Target, place: &Place) -> Result<Response, Problem> {
        let allow =
            self.methods(&target).ok_or_else(|| Problem::not_found(format!("{} does not exist", request.path)))?;
        if request.method == Method::OPTIONS {
            let mut response = empty(StatusCode::OK);
            set(&mut response, header::ALLOW, &allow);
            return Ok(response);
        }
        let method = if request.method == Method::HEAD { &Method::GET } else { &request.method };
        match (method, target) {
            (&Method::GET, Target::Collection) => self.list(request, place).await,
            (&Method::GET, Target::Item(key)) => self.read(request, &key, place).await,
            (&Method::GET, Target::Search) => Ok(self.searches(place)),
            (&Method::GET, Target::Finder(name)) => self.find(request, &name, place).await,
            (_, Target::Search | Target::Finder(_)) => Err(Problem::method_not_allowed(&request.method, allow)),
            (method, target) => match self.action(method, &target) {
                Some(action) => self.command(action, request, target, place).await,
                None => Err(Problem::method_not_allowed(&request.method, allow)),
            },
        }
    }

    /// The methods that `target` offers; `None` when this resource has no such target.
    fn methods(&self, target: &Target) -> Option<String> {
        let mut methods = vec!["GET", "HEAD"];
        match target {
            Target::Collection => methods.extend(self.create.as_ref().map(|_| "POST")),
            Target::Item(_) => {
                methods.extend(self.replace.as_ref().map(|_| "PUT"));
                methods.extend(self.merge.as_ref().map(|_| "PATCH"));
                methods.extend(self.remove.as_ref().map(|_| "DELETE"));
            }
            Target::Search => {
                self.finders.first()?;
            }
            Target::Finder(name) => {
                self.finder_named(name)?;
            }
        }
        methods.push("OPTIONS");
        Some(methods.join(", "))
    }

    fn action(&self, method: &Method, target: &Target) -> Option<&Action> {
        match (method.as_str(), target) {
            ("POST", Target::Collection) => self.create.as_ref(),
            ("PUT", Target::Item(_)) => self.replace.as_ref(),
            ("PATCH", Target::Item(_)) => self.merge.as_ref(),
            ("DELETE", Target::Item(_)) => self.remove.as_ref(),
            _ => None,
        }
    }

    async fn command(
        &self,
        action: &Action,
        request: &Request,
        target: Target,
        place: &Place,
    ) -> Result<Response, Problem> {
        let declared = &self.shape.fields;
        let fields = match request.method.as_str() {
            "DELETE" => Fields::default(),
            "PATCH" => Fields::of(declared, &body::object(request)?)?,
            _ => Fields::of(declared, &body::object(request)?)?.or_nothing(declared),
        };
        let key = match target {
            Target::Item(key) => Some(key),
            Target::Collection | Target::Search | Target::Finder(_) => None,
        };
        let item = key.as_ref().map(|key| format!("/{key}")).unwrap_or_default();
        let address = format!("/{}/{}{item}", self.system, self.shape.collection);
        let origin = Origin::of(request, &address, &fields.canonical())?;
        let expecting = match &key {
            Some(key) => self.expecting(request, key).await?,
            None => None,
        };
        let done = action(Call { key, fields, origin, expecting }).await?;
        Ok(self.done(&done, place))
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
            set(&mut response, "idempotency-replayed", "true");
        }
        response
    }

    /// The sequence that `If-Match` demands. One tag is left to the entity, which compares and decides in
    /// one turn; of several, the present one is taken.
    async fn expecting(&self, request: &Request, key: &str) -> Result<Option<u64>, Problem> {
        let failed =
            || Problem::new(StatusCode::PRECONDITION_FAILED, "PRECONDITION_FAILED", "If-Match names no such version");
        match tags(request, header::IF_MATCH) {
            None | Some(Tags::Any) => Ok(None),
            Some(Tags::Of(sequences)) => match sequences.as_slice() {
                [] => Err(failed()),
                [one] => Ok(Some(*one)),
                // Also when none of them is the present one, the entity says so: the request may be a repetition of
                // one that it has done, which is answered whatever happened since.
                [first, ..] => {
                    let now = self.source.item(key).await?.and_then(|item| item.sequence);
                    Ok(now.filter(|now| sequences.contains(now)).or(Some(*first)))
                }
            },
        }
    }

    async fn read(&self, request: &Request, key: &str, place: &Place) -> Result<Response, Problem> {
        let item = self.source.item(key).await?;
        let item = item.ok_or_else(|| Problem::not_found(format!("there is no {} {key}", self.shape.relation)))?;
        let known = match (tags(request, header::IF_NONE_MATCH), item.sequence) {
            (Some(Tags::Any), _) => true,
            (Some(Tags::Of(sequences)), Some(now)) => sequences.contains(&now),
            (Some(Tags::Of(_)) | None, _) => false,
        };
        if known {
            let mut response = empty(StatusCode::NOT_MODIFIED);
            entity_tag(&mut response, &item);
            return Ok(response);
        }
        Ok(self.item_response(StatusCode::OK, &item, place))
    }

    async fn list(&self, request: &Request, place: &Place) -> Result<Response, Problem> {
        if let Some(finder) = &self.single
            && let Some(value) = parameter(request, finder)?
        {
            return self.found(request, finder, value, place).await;
        }
        let query = Query::of(&request.query, &self.shape)?;
        let caught_up = self.source.catch_up(Self::CATCH_UP).await?;
        let list = list::read(&self.source, &self.shape, query.clone(), &self.scans).await?;
        let mut body = json!({
            "_embedded": self.shape.embedded(&list.items, place),
            "_links": links(&self.shape, place, &query, list.total, !self.finders.is_empty()),
        });
        if let (Some(page), Value::Object(members)) = (page(&self.shape, &query, list.total), &mut body) {
            members.insert("page".into(), page);
        }
        Ok(with_lag(json_response(StatusCode::OK, HAL, &body), caught_up))
    }

    async fn find(&self, request: &Request, name: &str, place: &Place) -> Result<Response, Problem> {
        let finder = self.finder_named(name).ok_or_else(|| Problem::not_found(format!("there is no search {name}")))?;
        let missing = || Problem::missing(finder.parameter.first().copied().unwrap_or("parameter"));
        let value = parameter(request, finder)?.ok_or_else(missing)?;
        self.found(request, finder, value, place).await
    }

    async fn found(
        &self,
        request: &Request,
        finder: &Finder,
        value: String,
        place: &Place,
    ) -> Result<Response, Problem> {
        let nothing = Problem::not_found(format!("there is no {} for {value}", self.shape.relation));
        let Found { items, caught_up } = (finder.find)(value).await?;
        if finder.single {
            let item = items.first().ok_or(nothing)?;
            return Ok(with_lag(self.item_response(StatusCode::OK, item, place), caught_up));
        }
        let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
        let own = format!("{}/{}/search/{}{query}", place.base, self.shape.collection, finder.name);
        let body = json!({ "_embedded": self.shape.embedded(&items, place), "_links": { "self": link(own) } });
        Ok(with_lag(json_response(StatusCode::OK, HAL, &body), caught_up))
    }

    fn searches(&self, place: &Place) -> Response {
        let own = format!("{}/{}/search", place.base, self.shape.collection);
        let mut links = serde_json::Map::new();
        for finder in &self.finders {
            let parameter = finder.parameter.first().copied().unwrap_or_default();
            links.insert(finder.name.into(), template(format!("{own}/{}{{?{parameter}}}", finder.name)));
        }
        links.insert("self".into(), link(own));
        json_response(StatusCode::OK, HAL, &json!({ "_links": links }))
    }

    fn finder_named(&self, name: &str) -> Option<&Finder> {
        self.finders.iter().find(|finder| finder.name == name)
    }

    fn item_response(&self, status: StatusCode, item: &Item, place: &Place) -> Response {
        let mut response = json_response(status, HAL, &self.shape.item(item, place));
        entity_tag(&mut response, item);
        response
    }
}

fn parameter(request: &Request, finder: &Finder) -> Result<Option<String>, Problem> {
    let pairs = body::pairs(request.query.as_bytes()).map_err(|why| Problem::invalid("MALFORMED_QUERY", why))?;
    Ok(pairs.into_iter().find(|(name, _)| finder.parameter.contains(&name.as_str())).map(|(_, value)| value))
}

fn entity_tag(response: &mut Response, item: &Item) {
    if let Some(sequence) = item.sequence {
        set(response, header::ETAG, &format!("\"{sequence}\""));
    }
}

/// Tells a client that it may not see its own last writes.
fn with_lag(mut response: Response, caught_up: bool) -> Response {
    if !caught_up {
        set(&mut response, "x-view-lag", "behind");
    }
    response
}

/// The entity tags of a condition, `None` when the request has none. What is none of ours matches nothing;
/// a weak tag matches only where nothing is written (`If-None-Match`).
fn tags(request: &Request, name: header::HeaderName) -> Option<Tags> {
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
