//! Probes: alive, started, ready.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use futures::future::BoxFuture;
use http::StatusCode;
use serde_json::json;
use tokio::sync::Notify;

use super::request::{JSON, PathSegment, Response, json as json_response};

/// Whether this instance wants traffic. Lowered before anything is closed, never raised again. All clones
/// are one.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<Wanted>);

#[derive(Debug, Default)]
struct Wanted {
    is_lowered: AtomicBool,
    lowered: Notify,
}

impl Readiness {
    /// From now on every readiness probe answers 503.
    pub fn lower(&self) {
        self.0.is_lowered.store(true, Ordering::Release);
        self.0.lowered.notify_waiters();
    }

    /// Whether it was lowered.
    pub fn is_lowered(&self) -> bool {
        self.0.is_lowered.load(Ordering::Acquire)
    }

    /// Waits until it is lowered.
    ///
    /// # Cancel safety
    /// Safe: a dropped wait loses nothing.
    pub async fn lowered(&self) {
        let lowered = self.0.lowered.notified(); // before the look: what comes after it is not missed
        if !self.is_lowered() {
            lowered.await;
        }
    }
}

/// Whether what this listener serves can be served, with the reasons when not. Ready it may be without some of it: what
/// is away, and why.
pub(crate) type Ready = Arc<dyn Fn() -> BoxFuture<'static, Result<Vec<String>, Vec<String>>> + Send + Sync>;

/// What their paths begin with.
const FIRST: [&str; 4] = ["livez", "readyz", "startupz", "actuator"];

/// Answers probes.
#[derive(Clone)]
pub(crate) struct Health {
    readiness: Readiness,
    ready: Ready,
    started: Arc<AtomicBool>,
}

/// The route that all probes are counted as.
pub(crate) const ROUTE: &str = "probe";

/// Whether a path is that of a probe.
pub(crate) fn is_probe(path: &str) -> bool {
    const PROBES: [&str; 4] = ["/livez", "/readyz", "/startupz", "/actuator/health"];
    PROBES.iter().any(|probe| path.strip_prefix(probe).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Health").field("readiness", &self.readiness).finish_non_exhaustive()
    }
}

impl Health {
    pub(crate) fn new(readiness: Readiness, ready: Ready) -> Self {
        Self { readiness, ready, started: Arc::default() }
    }

    /// The answer to a probe; `None` when the path is none.
    pub(crate) async fn answer(&self, segments: &[PathSegment<'_>]) -> Option<Response> {
        if !segments.first().is_some_and(|first| FIRST.contains(&first.as_ref())) {
            return None;
        }
        let segments: Vec<&str> = segments.iter().map(AsRef::as_ref).collect();
        let ready = match segments.as_slice() {
            // a process that answers is alive; what is stuck inside is the supervisors' business
            ["livez"] | ["actuator", "health", "liveness"] => Ok(Vec::new()),
            ["startupz"] if self.started.load(Ordering::Acquire) => Ok(Vec::new()),
            ["startupz"] => (self.ready)().await.map(|_| Vec::new()),
            ["readyz"] | ["actuator", "health"] | ["actuator", "health", "readiness"] => self.ready().await,
            _ => return None,
        };
        Some(match ready {
            Ok(away) => {
                if !matches!(segments.as_slice(), ["livez"] | ["actuator", "health", "liveness"]) {
                    self.started.store(true, Ordering::Release);
                }
                let body = if away.is_empty() {
                    json!({ "status": "UP" })
                } else {
                    json!({ "status": "UP", "degraded": away })
                };
                json_response(StatusCode::OK, JSON, &body)
            }
            Err(reasons) => {
                let body = json!({ "status": "DOWN", "reasons": reasons });
                json_response(StatusCode::SERVICE_UNAVAILABLE, JSON, &body)
            }
        })
    }

    async fn ready(&self) -> Result<Vec<String>, Vec<String>> {
        if self.readiness.is_lowered() {
            return Err(vec!["shutting down".to_owned()]);
        }
        (self.ready)().await
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use futures::FutureExt;

    use super::*;

    pub(crate) fn healthy() -> Health {
        Health::new(Readiness::default(), Arc::new(|| async { Ok(Vec::new()) }.boxed()))
    }

    async fn probe(health: &Health, path: &str) -> u16 {
        let segments: Vec<_> = path.split('/').map(PathSegment::from).collect();
        health.answer(&segments).await.unwrap().status().as_u16()
    }

    #[tokio::test]
    async fn probes_tell_alive_started_and_ready_apart() {
        let down = Arc::new(AtomicBool::new(true));
        let state = down.clone();
        let ready: Ready = Arc::new(move || {
            let down = state.load(Ordering::Acquire);
            async move { if down { Err(vec!["store/order is in backoff".into()]) } else { Ok(Vec::new()) } }.boxed()
        });
        let health = Health::new(Readiness::default(), ready);
        assert_eq!(
            [probe(&health, "livez").await, probe(&health, "startupz").await, probe(&health, "readyz").await],
            [200, 503, 503]
        );
        down.store(false, Ordering::Release);
        assert_eq!([probe(&health, "startupz").await, probe(&health, "actuator/health").await], [200, 200]);
        down.store(true, Ordering::Release);
        assert_eq!([probe(&health, "startupz").await, probe(&health, "actuator/health/readiness").await], [200, 503]);
        let response = health.answer(&["readyz".into()]).await.unwrap();
        assert_eq!(response.body(), r#"{"status":"DOWN","reasons":["store/order is in backoff"]}"#);
    }

    #[tokio::test]
    async fn what_is_away_is_told_and_the_rest_is_ready() {
        let away: Ready = Arc::new(|| async { Ok(vec!["store/delivery: failed: ill".to_owned()]) }.boxed());
        let health = Health::new(Readiness::default(), away);
        let response = health.answer(&["readyz".into()]).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.body(), r#"{"status":"UP","degraded":["store/delivery: failed: ill"]}"#);
    }

    #[tokio::test]
    async fn draining_lowers_readiness_and_nothing_else() {
        let health = healthy();
        assert_eq!(probe(&health, "readyz").await, 200);
        health.readiness.lower();
        assert_eq!([probe(&health, "readyz").await, probe(&health, "actuator/health").await], [503, 503]);
        assert_eq!([probe(&health, "livez").await, probe(&health, "actuator/health/liveness").await], [200, 200]);
    }
}
