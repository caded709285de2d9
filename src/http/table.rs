//! Routes that are no resources: a method, a pattern, a function.

use std::{fmt, future::ready, ops::RangeInclusive, sync::Arc};

use bytes::Bytes;
use futures::{FutureExt, future::BoxFuture};
use http::{HeaderMap, Method, StatusCode, header};
use serde_json::{Map, Value};

use super::{
    Problem, body,
    openapi::{Document, Told},
    request::{PathSegment, Request, Response, empty, set},
};
use crate::{RequestMeters, RouteMeter};

/// What a pattern took from a request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Vars {
    path: Vec<String>,
    query: Vec<(String, String)>,
    headers: HeaderMap,
    /// As it came.
    body: Bytes,
}

impl Vars {
    /// The n-th variable of the pattern.
    pub(crate) fn segment(&self, n: usize) -> &str {
        self.path.get(n).map_or("", String::as_str)
    }

    /// The first query parameter of this name.
    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// The number that a query parameter is, `default` where it is absent.
    ///
    /// # Errors
    /// 400 for what is no number of this range.
    pub(crate) fn number(&self, name: &str, default: usize, range: RangeInclusive<usize>) -> Result<usize, Problem> {
        let Some(text) = self.query(name) else { return Ok(default) };
        let number = text.parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| Problem::field(name, format!("must be {} to {}", range.start(), range.end())))
    }

    /// A header as text; `None` when it is absent or no visible ASCII.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The object that the body is.
    ///
    /// # Errors
    /// As [`body::object`].
    pub(crate) fn object(&self) -> Result<Map<String, Value>, Problem> {
        body::object_of(&Method::POST, self.headers.get(header::CONTENT_TYPE), &self.body)
    }
}

type Answer = BoxFuture<'static, Result<Response, Problem>>;
type Handler<S> = fn(S, Vars) -> Answer;

/// Routes in the order in which they are listed to a client that is lost.
pub(crate) struct Table<S> {
    routes: Vec<Route<S>>,
    /// The counters of each, in the same order; none while they are not counted.
    meters: Vec<Arc<RouteMeter>>,
}

struct Route<S> {
    method: Method,
    pattern: &'static str,
    handler: Handler<S>,
    told: Option<Told>,
}

impl<S: Clone> Table<S> {
    pub(crate) fn new() -> Self {
        Self { routes: Vec::new(), meters: Vec::new() }
    }

    /// `pattern` has literal segments (any case) and variables (`{name}`).
    pub(crate) fn on(mut self, method: Method, pattern: &'static str, handler: Handler<S>) -> Self {
        self.routes.push(Route { method, pattern, handler, told: None });
        self
    }

    /// What the contract has of the route before this.
    pub(crate) fn says(mut self, told: Told) -> Self {
        if let Some(route) = self.routes.last_mut() {
            route.told = Some(told);
        }
        self
    }

    /// Adds every route that says something.
    pub(crate) fn describe(&self, document: &mut Document) {
        for Route { method, pattern, told, .. } in &self.routes {
            if let Some(told) = told {
                told.describe(method, pattern, document);
            }
        }
    }

    /// The routes of which the contract has nothing.
    #[cfg(test)]
    pub(crate) fn untold(&self) -> Vec<&'static str> {
        self.routes.iter().filter(|route| route.told.is_none()).map(|route| route.pattern).collect()
    }

    /// With its requests counted by pattern.
    pub(crate) fn counting(mut self, meters: &RequestMeters) -> Self {
        self.meters = self.routes.iter().map(|route| meters.route("", "", route.pattern)).collect();
        self
    }

    pub(crate) async fn answer(
        &self,
        state: &S,
        request: &Request,
        segments: &[PathSegment<'_>],
    ) -> Result<Response, Problem> {
        self.answering(state, request, segments)?.await
    }

    /// What answers a request, which does nothing until it is awaited.
    ///
    /// # Errors
    /// 404 and 405, and 400 for a query that cannot be read.
    pub(crate) fn answering(
        &self,
        state: &S,
        request: &Request,
        segments: &[PathSegment<'_>],
    ) -> Result<Answer, Problem> {
        let query = body::pairs(request.query.as_bytes()).map_err(|why| Problem::invalid("MALFORMED_QUERY", why))?;
        let known: Vec<_> = self
            .routes
            .iter()
            .enumerate()
            .filter_map(|(at, Route { method, pattern, handler, .. })| {
                matched(pattern, segments).map(|path| (method, path, handler, at))
            })
            .collect();
        if known.is_empty() {
            let exist: Value =
                self.routes.iter().map(|Route { method, pattern, .. }| format!("{method} {pattern}")).collect();
            return Err(Problem::not_found(format!("{} does not exist", request.path)).with("available", exist));
        }
        request.is_of(known.first().and_then(|(.., at)| self.meters.get(*at)));
        let method = if request.method == Method::HEAD { &Method::GET } else { &request.method };
        if let Some((_, path, handler, _)) = known.iter().find(|(offered, ..)| *offered == method) {
            let (path, headers, body) = (path.clone(), request.headers.clone(), request.body.clone());
            return Ok(handler(state.clone(), Vars { path, query, headers, body }));
        }
        let mut allow: Vec<&str> = known.iter().map(|(method, ..)| method.as_str()).collect();
        if allow.contains(&"GET") {
            allow.push("HEAD");
        }
        allow.push("OPTIONS");
        let allow = allow.join(", ");
        if request.method != Method::OPTIONS {
            return Err(Problem::method_not_allowed(&request.method, allow));
        }
        let mut response = empty(StatusCode::OK);
        set(&mut response, header::ALLOW, &allow);
        Ok(ready(Ok(response)).boxed())
    }
}

impl<S> fmt::Debug for Table<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.routes.iter().map(|route| (&route.method, route.pattern))).finish()
    }
}

/// The variables of `pattern`, when `segments` match it.
fn matched(pattern: &str, segments: &[PathSegment<'_>]) -> Option<Vec<String>> {
    let pattern: Vec<&str> = pattern.trim_start_matches('/').split('/').collect();
    if pattern.len() != segments.len() {
        return None;
    }
    let mut variables = Vec::new();
    for (expected, segment) in pattern.into_iter().zip(segments) {
        if expected.starts_with('{') {
            variables.push(segment.to_string());
        } else if !expected.eq_ignore_ascii_case(segment) {
            return None;
        }
    }
    Some(variables)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::request::{JSON, json, tests::request};

    fn table() -> Table<()> {
        Table::new().on(Method::GET, "/admin/tree", |(), _| async { Ok(empty(StatusCode::OK)) }.boxed()).on(
            Method::POST,
            "/admin/entities/{kind}/{id}/kill",
            |(), vars| {
                async move {
                    let seen = format!("{} {} {:?}", vars.segment(0), vars.segment(1), vars.query("why"));
                    Ok(json(StatusCode::OK, JSON, &seen))
                }
                .boxed()
            },
        )
    }

    async fn answer(method: &str, url: &str) -> Result<Response, Response> {
        let request = request(method, url, &[], "");
        let answer = table().answer(&(), &request, &request.segments().unwrap()).await;
        answer.map_err(|problem| problem.respond(&request))
    }

    #[tokio::test]
    async fn variables_and_parameters_reach_the_handler() {
        let response = answer("POST", "/Admin/entities/order/1/kill?why=x%20y").await.unwrap();
        assert_eq!(response.body(), r#""order 1 Some(\"x y\")""#);
        assert_eq!(answer("HEAD", "/admin/tree").await.unwrap().status(), 200);
    }

    #[tokio::test]
    async fn a_wrong_method_is_405_and_a_wrong_path_404_with_what_exists() {
        let refused = answer("PUT", "/admin/tree").await.unwrap_err();
        assert_eq!(
            (refused.status().as_u16(), &refused.headers()["allow"]),
            (405, &"GET, HEAD, OPTIONS".parse().unwrap())
        );
        assert_eq!(answer("OPTIONS", "/admin/tree").await.unwrap().headers()["allow"], "GET, HEAD, OPTIONS");
        let lost = answer("GET", "/admin/trees").await.unwrap_err();
        let body: Value = serde_json::from_slice(lost.body()).unwrap();
        assert_eq!(lost.status(), 404);
        assert_eq!(body["available"][1], "POST /admin/entities/{kind}/{id}/kill");
    }
}
