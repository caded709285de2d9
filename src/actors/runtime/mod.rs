//! (signatures; the founder is writing the bodies)
use std::{sync::Arc, time::Duration, future::{Future, IntoFuture}, pin::Pin, marker::PhantomData};
use serde::Serialize;
use crate::actors::entity::*;
use crate::persistence::Storage;
use crate::actors::supervision::{Process, SupervisionConfig};

/// A service: entity kinds, policies and views that stop, start and fail together.
#[derive(Debug)] pub struct Service;
impl Service {
    pub fn new(name: &'static str) -> Self { let _ = name; todo!() }
    pub fn entity<E: Entity>(self) -> Self { todo!() }
    /// An entity that is also listed: registers its `Listing` view.
    pub fn listed<E: Listed>(self) -> Self { todo!() }
    pub fn policy<P: Policy>(self, policy: P) -> Self { let _ = policy; todo!() }
    pub fn view<V: View>(self) -> Self { todo!() }
}
#[derive(Debug)] pub struct SystemBuilder;
impl SystemBuilder {
    pub fn supervision(self, config: SupervisionConfig) -> Self { let _ = config; todo!() }
    /// Registers a service under `<system>/<service>`.
    pub fn service(self, system: &'static str, service: Service) -> Self { let _ = (system, service); todo!() }
    /// Adds a process to the edge: started last, stopped first.
    pub fn edge(self, name: &'static str, process: impl FnOnce(System) -> Arc<dyn Process> + Send + 'static) -> Self { let _ = (name, process); todo!() }
    pub async fn start(self) -> Result<System, StartError> { todo!() }
}
#[derive(Debug, thiserror::Error)] #[error("start")] pub struct StartError;

/// A running system. Cheap to clone.
#[derive(Clone, Debug)] pub struct System;
impl System {
    pub fn builder(storage: Storage) -> SystemBuilder { let _ = storage; todo!() }
    /// The entities of one kind. Panics when `E` is not registered (a promise of the composition root).
    pub fn entities<E: Entity>(&self) -> Entities<E> { todo!() }
    pub fn views<V: View>(&self) -> Views<V> { todo!() }
    pub fn list<E: Listed>(&self) -> Views<Listing<E>> { todo!() }
    pub fn clock(&self) -> Clock { todo!() }
    pub fn config(&self) -> &SupervisionConfig { todo!() }

    pub fn services(&self) -> Vec<ServiceStatus> { todo!() }
    /// `name` is `<system>/<service>`, any case. Returns when it is done.
    pub async fn stop_service(&self, name: &str) -> Result<ServiceStatus, ServiceError> { let _ = name; todo!() }
    pub async fn start_service(&self, name: &str) -> Result<ServiceStatus, ServiceError> { let _ = name; todo!() }
    pub async fn restart_service(&self, name: &str) -> Result<ServiceStatus, ServiceError> { let _ = name; todo!() }
    /// The supervision tree, as /admin/tree shows it.
    pub async fn tree(&self) -> serde_json::Value { todo!() }
    pub fn consumers(&self) -> Vec<ConsumerStatus> { todo!() }
    /// Ok when every policy and view is at the durable head and no ask is open; else what lags.
    pub async fn quiesce(&self, within: Duration) -> Result<(), Vec<String>> { let _ = within; todo!() }
    pub async fn dead_letters(&self) -> Result<Vec<WaitingLetter>, ViewError> { todo!() }
    pub async fn retry_dead_letter(&self, id: &str) -> Result<(), LetterError> { let _ = id; todo!() }
    pub async fn discard_dead_letter(&self, id: &str) -> Result<(), LetterError> { let _ = id; todo!() }
    /// The journal's business events, a page, in an order that keeps each partition's.
    pub async fn events(&self, query: EventQuery) -> Result<EventPage, ViewError> { let _ = query; todo!() }
    /// Makes the entity fail as a panic would: `kind` full or short, `id` number or key.
    pub async fn kill_entity(&self, kind: &str, id: &str) -> Result<(), InspectError> { let _ = (kind, id); todo!() }
    /// State, sequence, phase of one entity.
    pub async fn inspect(&self, kind: &str, id: &str) -> Result<serde_json::Value, InspectError> { let _ = (kind, id); todo!() }
    /// Whether everything that was started is running: readiness, with the reasons when not.
    pub async fn ready(&self) -> Result<(), Vec<String>> { todo!() }
    pub async fn shutdown(&self, limit: Duration) -> ShutdownReport { let _ = limit; todo!() }
    /// Resolves when the supervision tree gave up, with the reason.
    pub async fn gave_up(&self) -> String { todo!() }
}
#[derive(Debug, Clone, Serialize)] pub struct ShutdownReport { pub killed: Vec<String> }
#[derive(Debug, Clone, Serialize)] pub struct ServiceStatus { pub system: String, pub service: String, pub state: &'static str }
#[derive(Debug, Clone, Serialize)] pub struct ConsumerStatus { pub name: String, pub system: String, pub service: String, pub unit: String, pub partition: u16, pub cursor: u64, pub lag: u64, pub state: &'static str }
#[derive(Debug, Clone, Serialize)] pub struct WaitingLetter { pub id: String, pub policy: String, pub letter: DeadLetter }
#[derive(Debug, Clone, Default)] pub struct EventQuery { pub system: Option<String>, pub kind: Option<String>, pub correlation: Option<String>, pub after: Option<String>, pub limit: usize }
#[derive(Debug, Clone, Serialize)] pub struct EventPage { pub events: Vec<serde_json::Value>, pub next: Option<String> }
#[derive(Debug, thiserror::Error)] #[non_exhaustive] pub enum ServiceError { #[error("no service {0}")] Unknown(String), #[error("{0}")] Failed(String) }
#[derive(Debug, thiserror::Error)] #[non_exhaustive] pub enum LetterError { #[error("no such dead letter")] Unknown, #[error("still not delivered: {0}")] StillRefused(String), #[error("{0}")] Unavailable(String) }
#[derive(Debug, thiserror::Error)] #[non_exhaustive] pub enum InspectError { #[error("no kind {0}")] UnknownKind(String), #[error("no such entity")] NotFound, #[error("{0}")] Unavailable(String) }
#[derive(Debug, Clone, thiserror::Error)] #[non_exhaustive] pub enum ViewError { #[error("not available: {0}")] Unavailable(Unavailable), #[error("{0}")] Store(String) }

/// A cheap, cloneable address of all entities of one kind.
#[derive(Clone, Debug)] pub struct Entities<E>(PhantomData<fn() -> E>);
impl<E: Entity> Entities<E> {
    pub fn ask<C: Command<E>>(&self, id: &E::Id, command: C) -> AskRequest<E, C> { let _ = (id, command); todo!() }
    /// The durable state; `None` for an id without events. Never creates anything.
    pub async fn get(&self, id: &E::Id) -> Result<Option<Current<E>>, AskError<E::Rejection>> { let _ = id; todo!() }
}
#[derive(Debug, Clone)] pub struct Current<E> { pub state: E, pub number: Number, pub sequence: u64, pub key: Key }
#[must_use = "nothing is sent until awaited"] #[derive(Debug)] pub struct AskRequest<E, C>(PhantomData<fn() -> (E, C)>);
impl<E: Entity, C: Command<E>> AskRequest<E, C> {
    pub fn within(self, deadline: Duration) -> Self { let _ = deadline; todo!() }
    /// From the caller's `Idempotency-Key`; asking twice with one id gives the first answer.
    pub fn command_id(self, id: CommandId) -> Self { let _ = id; todo!() }
    /// Hash of the request; the same command id with another fingerprint is `AskError::Reused`.
    pub fn fingerprint(self, of: u128) -> Self { let _ = of; todo!() }
    pub fn correlation(self, id: impl Into<Arc<str>>) -> Self { let _ = id.into(); todo!() }
    /// Only when the entity is at this sequence (If-Match); else `AskError::Moved`.
    pub fn expecting(self, sequence: u64) -> Self { let _ = sequence; todo!() }
    /// The reply with what is known around it.
    pub async fn answered(self) -> Result<Answered<C::Reply>, AskError<E::Rejection>> { todo!() }
}
#[derive(Debug, Clone)] pub struct Answered<R> { pub reply: R, /// The reply is a repeat of the first one.
    pub replayed: bool, pub number: Number, pub sequence: u64 }
impl<E: Entity, C: Command<E>> IntoFuture for AskRequest<E, C> {
    type Output = Result<C::Reply, AskError<E::Rejection>>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;
    fn into_future(self) -> Self::IntoFuture { todo!() }
}
/// Rows of one view, as its readers see them (listed rows only).
#[derive(Clone, Debug)] pub struct Views<V>(PhantomData<fn() -> V>);
impl<V: View> Views<V> {
    /// Waits until the projector has reached the durable head seen now; false when `within` passed first.
    pub async fn catch_up(&self, within: Duration) -> Result<bool, ViewError> { let _ = within; todo!() }
    pub async fn get(&self, key: &V::Key) -> Result<Option<V>, ViewError> { let _ = key; todo!() }
    /// How many rows are listed.
    pub async fn count(&self) -> Result<u64, ViewError> { todo!() }
    /// At most `limit` listed rows after `after` whose key bytes start with `prefix`, by key.
    pub async fn scan(&self, prefix: &[u8], after: Option<&V::Key>, limit: usize) -> Result<Vec<(V::Key, V)>, ViewError> { let _ = (prefix, after, limit); todo!() }
}
/// The one source of time.
#[derive(Clone, Debug)] pub struct Clock;
impl Clock { pub fn system() -> Self { Self } pub fn now(&self) -> Timestamp { todo!() } }
