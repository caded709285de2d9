//! What operators ask: the tree, services, consumers, bulkheads, events, dead letters, one entity, one command, faults.

mod audit;
mod chain;
mod commands;
mod doing;
mod entities;
mod events;
mod faults;
mod letters;
mod metrics;
mod services;
mod views;

use std::sync::Arc;

use futures::{FutureExt, future::BoxFuture};
use http::{Method, StatusCode};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use tracing::Instrument;

use super::{
    Problem, admin_contract,
    gateway::reading,
    guard::Operators,
    health::{self, Health},
    openapi::{Document, OPENAPI, Told, page},
    request::{JSON, Request, Response, json as json_response},
    routes::Routes,
    table::Table,
};
use crate::{
    BulkheadStatus, Chain, ConfigurationStatus, ConsumerStatus, LinkStatus, Reloaded, RouteMeter, ServiceStatus,
    System, TreeNode, WaitingLetter,
};

pub use audit::Audit;
use doing::Doing;

/// The routes of the operators' listener.
#[derive(Debug)]
pub(crate) struct Admin {
    table: Table<System>,
    system: System,
    health: Health,
    operators: Operators,
    audit: Audit,
    doing: Doing,
    /// Whether only this machine can reach it.
    loopback: bool,
    probe: Arc<RouteMeter>,
    /// The counters of the contract.
    contract: Arc<RouteMeter>,
}

impl Admin {
    pub(crate) fn new(system: System, health: Health, operators: Operators, audit: Audit, loopback: bool) -> Self {
        let meters = system.requests();
        let own = |route| meters.route("", "", route);
        let (probe, contract) = (own(health::ROUTE), own("/openapi.json"));
        let (table, doing) = (table().counting(&meters), Doing::new());
        Self { table, system, health, operators, audit, doing, loopback, probe, contract }
    }
}

/// Adds every route to a document.
pub(crate) fn describe(document: &mut Document) {
    document.schema("Event", events::schema());
    document.schema("Entity", entities::schema());
    document.schema("Fault", faults::schema());
    table().describe(document);
}

fn table() -> Table<System> {
    let (get, post) = (Method::GET, Method::POST);
    let table = Table::<System>::new()
        .on(get.clone(), "/metrics", metrics::show)
        .says(Told::text("The figures, for Prometheus", "in its text format"))
        .on(get.clone(), "/admin/tree", |system: System, _| async move { Ok(ok(&system.tree().await)) }.boxed())
        .says(Told::with::<TreeNode>("The supervision tree", "the guardian and all below it"))
        .on(get.clone(), "/admin/process", |_: System, _| async move { Ok(ok(&process())) }.boxed())
        .says(Told::with::<ProcessStatus>("Which process answers", "this one"))
        .on(get.clone(), "/admin/services", services::list)
        .says(Told::with::<Vec<ServiceStatus>>("The services", "in the order in which they start"))
        .on(post.clone(), "/admin/services/{system}/{service}/stop", services::stop)
        .says(services::told("Stops a service"))
        .on(post.clone(), "/admin/services/{system}/{service}/start", services::start)
        .says(services::told("Starts a service"))
        .on(post.clone(), "/admin/services/{system}/{service}/restart", services::restart)
        .says(services::told("Stops a service and starts it"))
        .on(post.clone(), "/admin/services/{system}/{service}/redeploy", services::redeploy)
        .says(services::told("Replaces a service's incarnation without a refused request"))
        .on(get.clone(), "/admin/consumers", |system: System, _| {
            async move { Ok(ok(&system.consumers().await)) }.boxed()
        })
        .says(Told::with::<Vec<ConsumerStatus>>("The policies, views and connectors", "each partition of each"))
        .on(post.clone(), "/admin/views/{system}/{view}/rebuild", views::rebuild)
        .says(views::told("Builds a view anew, beside the rows in use").status(StatusCode::ACCEPTED).refused(&[409]))
        .on(get.clone(), "/admin/views/{system}/{view}/rebuild", views::last)
        .says(views::told("How far the last rebuild of a view is"))
        .on(get.clone(), "/admin/breakers", |system: System, _| async move { Ok(ok(&system.links())) }.boxed())
        .says(Told::with::<Vec<LinkStatus>>("The synchronous links and their breakers", "each link"))
        .on(get.clone(), "/admin/bulkheads", |system: System, _| async move { Ok(ok(&system.bulkheads())) }.boxed())
        .says(Told::with::<Vec<BulkheadStatus>>("The bulkheads", "each bulkhead"))
        .on(get.clone(), "/admin/events", events::page)
        .says(events::told())
        .on(get.clone(), "/admin/events/stream", events::stream)
        .says(events::told_of_stream())
        .on(get.clone(), "/admin/chain/{correlation}", chain::show)
        .says(Told::with::<Chain>("What a request led to", "in order").refused(&[404]))
        .on(get.clone(), "/admin/commands/{id}", commands::show)
        .says(commands::told())
        .on(get.clone(), "/admin/quiesce", events::quiesce)
        .says(events::told_of_quiet());
    let table = table
        .on(post.clone(), "/admin/reload", services::reload)
        .says(Told::with::<Reloaded>("Reads the configuration again", "what came of it").refused(&[409]))
        .on(post.clone(), "/admin/drain", services::drain)
        .says(services::told_of_draining())
        .on(get.clone(), "/admin/config", |system: System, _| async move { Ok(ok(&system.configuration())) }.boxed())
        .says(Told::with::<ConfigurationStatus>("The configuration", "what holds, and how the last readings ended"))
        .on(get.clone(), "/admin/dead-letters", letters::list)
        .says(Told::with::<Vec<WaitingLetter>>("The dead letters", "of all policies and connectors"))
        .on(post.clone(), "/admin/dead-letters/{id}/retry", letters::retry)
        .says(letters::told("Delivers a dead letter after all"))
        .on(post.clone(), "/admin/dead-letters/{id}/discard", letters::discard)
        .says(letters::told("Gives a dead letter up"))
        .on(post.clone(), "/admin/faults", faults::inject)
        .says(faults::told_of_injecting())
        .on(get.clone(), "/admin/faults", faults::list)
        .says(faults::told_of_list())
        .on(get.clone(), "/admin/faults/{id}", faults::show)
        .says(faults::told("One fault"))
        .on(Method::DELETE, "/admin/faults/{id}", faults::end)
        .says(faults::told("Ends a fault"));
    table
        .on(get.clone(), "/admin/entities/{kind}", entities::list)
        .says(entities::told_of_list())
        .on(get.clone(), "/admin/entities/{kind}/{id}", entities::show)
        .says(entities::told_of_one())
        .on(get.clone(), "/admin/entities/{kind}/{id}/history", entities::history)
        .says(entities::told_of_history())
        .on(get.clone(), "/admin/entities/{kind}/{id}/at/{sequence}", entities::past)
        .says(entities::told_of_past())
        .on(post.clone(), "/admin/entities/{kind}/{id}/passivate", entities::passivate)
        .says(entities::told_of_passivating())
        .on(get, "/admin/quarantine", entities::quarantine)
        .says(entities::told_of_quarantine())
        .on(post.clone(), "/admin/entities/{kind}/{id}/kill", entities::kill)
        .says(entities::told("Makes an entity fail as a panic would"))
        .on(post.clone(), "/admin/entities/{kind}/{id}/resume", entities::resume)
        .says(entities::told("Takes an entity out of quarantine").refused(&[409]))
        .on(post, "/admin/entities/{kind}/{id}/skip", entities::skip)
        .says(entities::told_of_skipping())
}

impl Routes for Admin {
    fn route<'a>(&'a self, request: &'a Request) -> BoxFuture<'a, Result<Response, Problem>> {
        async move {
            let segments = request.segments().unwrap_or_default();
            if let Some(response) = self.health.answer(&segments).await {
                request.is_of(Some(&self.probe));
                return reading(request, || response);
            }
            let who = self.operators.admit(&request.headers, self.loopback)?;
            if segments == [OPENAPI] {
                request.is_of(Some(&self.contract));
                return reading(request, || ok(&admin_contract(self.system.config())));
            }
            if let Some(response) = page(request, &segments, false) {
                request.is_of(Some(&self.contract));
                return response;
            }
            if matches!(request.method, Method::GET | Method::HEAD | Method::OPTIONS) {
                return self.table.answer(&self.system, request, &segments).await;
            }
            let command = self.table.answering(&self.system, request, &segments);
            self.doing.command(&self.audit, request, &who, command).await
        }
        .instrument(request.log_span())
        .boxed()
    }

    fn is_control(&self, _: &str) -> bool {
        true
    }

    fn ended(&self) -> BoxFuture<'_, ()> {
        self.doing.ended().boxed()
    }
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

/// The answer to a command without a result of its own.
#[derive(Debug, Serialize, JsonSchema)]
struct Done {
    /// What was done.
    status: &'static str,
}

/// Which process answers: whoever redeploys wants to hear another one.
#[derive(Debug, Serialize, JsonSchema)]
struct ProcessStatus {
    /// The version of the program.
    version: &'static str,
    /// Its process id.
    pid: u32,
}

fn process() -> ProcessStatus {
    ProcessStatus { version: env!("CARGO_PKG_VERSION"), pid: std::process::id() }
}

/// A command without a result of its own.
fn done(what: &'static str) -> Response {
    ok(&Done { status: what })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contract_has_every_route() {
        assert_eq!(table().untold(), Vec::<&str>::new());
    }
}
