//! (signatures; another helper is writing this)
#[derive(Debug, Clone, Default)] pub struct SupervisionConfig { pub server: ServerConfig, pub limits: Limits }
#[derive(Debug, Clone, Default)] pub struct ServerConfig;
#[derive(Debug, Clone, Default)] pub struct Limits;
#[derive(Debug, Clone)] pub struct Stop(pub tokio_util::sync::CancellationToken);
#[derive(Debug, thiserror::Error)] #[error("{0}")] pub struct Failure(pub String);
pub type Run = futures::future::BoxFuture<'static, Result<(), Failure>>;
/// Two phases: starting (bind, load), then running until `stop` is requested.
pub trait Process: Send + Sync + 'static { fn start(&self, stop: Stop) -> futures::future::BoxFuture<'static, Result<Run, Failure>>; }
