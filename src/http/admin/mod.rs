//! What operators ask: the tree, services, consumers, bulkheads, events, dead letters, one entity, one command, faults.

mod chain;
mod commands;
mod entities;
mod events;
mod faults;
mod letters;
mod metrics;
mod services;
mod views;

use std::sync::Arc;

use futures::{FutureExt, future::BoxFuture};
use http::{Method, StatusCode, header};
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Problem,
    gateway::reading,
    health::{self, Health},
    request::{JSON, Request, Response, json as json_response},
    routes::Routes,
    table::Table,
};
use crate::{RouteMeter, System};

/// The routes of the operators' listener.
#[derive(Debug)]
pub(crate) struct Admin {
    table: Table<System>,
    health: Health,
    /// Whether only this machine can reach it.
    loopback: bool,
    probe: Arc<RouteMeter>,
}

impl Admin {
    pub(crate) fn new(system: System, health: Health, loopback: bool) -> Self {
        let (get, post, meters) = (Method::GET, Method::POST, system.requests());
        let table = Table::new(system)
            .on(get.clone(), "/metrics", metrics::show)
            .on(get.clone(), "/admin/tree", |system, _| async move { Ok(ok(&system.tree().await)) }.boxed())
            .on(get.clone(), "/admin/process", |_, _| async move { Ok(ok(&process())) }.boxed())
            .on(get.clone(), "/admin/services", services::list)
            .on(post.clone(), "/admin/services/{system}/{service}/stop", services::stop)
            .on(post.clone(), "/admin/services/{system}/{service}/start", services::start)
            .on(post.clone(), "/admin/services/{system}/{service}/restart", services::restart)
            .on(post.clone(), "/admin/services/{system}/{service}/redeploy", services::redeploy)
            .on(get.clone(), "/admin/consumers", |system, _| async move { Ok(ok(&system.consumers().await)) }.boxed())
            .on(post.clone(), "/admin/views/{system}/{view}/rebuild", views::rebuild)
            .on(get.clone(), "/admin/views/{system}/{view}/rebuild", views::last)
            .on(get.clone(), "/admin/breakers", |system, _| async move { Ok(ok(&system.links())) }.boxed())
            .on(get.clone(), "/admin/bulkheads", |system, _| async move { Ok(ok(&system.bulkheads())) }.boxed())
            .on(get.clone(), "/admin/events", events::page)
            .on(get.clone(), "/admin/chain/{correlation}", chain::show)
            .on(get.clone(), "/admin/commands/{id}", commands::show)
            .on(get.clone(), "/admin/quiesce", events::quiesce)
            .on(post.clone(), "/admin/reload", services::reload)
            .on(get.clone(), "/admin/dead-letters", letters::list)
            .on(post.clone(), "/admin/dead-letters/{id}/retry", letters::retry)
            .on(post.clone(), "/admin/dead-letters/{id}/discard", letters::discard)
            .on(post.clone(), "/admin/faults", faults::inject)
            .on(get.clone(), "/admin/faults", faults::list)
            .on(get.clone(), "/admin/faults/{id}", faults::show)
            .on(Method::DELETE, "/admin/faults/{id}", faults::end)
            .on(get.clone(), "/admin/entities/{kind}/{id}", entities::show)
            .on(get, "/admin/quarantine", entities::quarantine)
            .on(post.clone(), "/admin/entities/{kind}/{id}/kill", entities::kill)
            .on(post.clone(), "/admin/entities/{kind}/{id}/resume", entities::resume)
            .on(post, "/admin/entities/{kind}/{id}/skip", entities::skip)
            .counting(&meters);
        Self { table, health, loopback, probe: meters.route("", "", health::ROUTE) }
    }
}

impl Routes for Admin {
    fn route<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Response, Problem>> {
        async move {
            let segments = request.segments().unwrap_or_default();
            if let Some(response) = self.health.answer(&segments).await {
                request.is_of(Some(&self.probe));
                return reading(request, || response);
            }
            admitted(request, self.loopback)?;
            self.table.answer(request, &segments).await
        }
        .boxed()
    }

    fn is_control(&self, _: &str) -> bool {
        true
    }
}

/// There is no token yet, so only this machine is served, and no web page in an operator's browser: a
/// page may send a POST anywhere, but not without its origin.
fn admitted(request: &Request, loopback: bool) -> Result<(), Problem> {
    let forbidden = |why| Err(Problem::new(StatusCode::FORBIDDEN, "FORBIDDEN", why));
    if !loopback {
        return forbidden("operators are served on a loopback address only");
    }
    if request.headers.contains_key(header::ORIGIN) {
        return forbidden("web pages are not served here");
    }
    Ok(())
}

fn ok(body: &impl Serialize) -> Response {
    match serde_json::to_value(body) {
        Ok(body) => json_response(StatusCode::OK, JSON, &body),
        Err(error) => {
            tracing::error!(%error, "an answer of ours cannot be written as JSON");
            json_response(StatusCode::INTERNAL_SERVER_ERROR, JSON, &Value::Null)
        }
    }
}

/// Which process answers: whoever redeploys wants to hear another one.
fn process() -> Value {
    json!({ "version": env!("CARGO_PKG_VERSION"), "pid": std::process::id() })
}

/// A command without a result of its own.
fn done(what: &str) -> Response {
    ok(&json!({ "status": what }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::request::tests::request;

    #[test]
    fn other_machines_and_web_pages_are_not_served() {
        let status = |headers: &[(&str, &str)], loopback| {
            let request = request("POST", "/admin/services/store/order/stop", headers, "");
            admitted(&request, loopback).map_err(|problem| problem.status().as_u16())
        };
        assert_eq!(status(&[], true), Ok(()));
        assert_eq!(status(&[], false), Err(403));
        assert_eq!(status(&[("origin", "http://evil")], true), Err(403));
    }
}
