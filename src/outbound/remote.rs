//! Asks to other processes, as HTTP requests: `POST <target>/asks`.
//!
//! | what came | what may be assumed |
//! |---|---|
//! | no connection | not done |
//! | 200 with an answer | what the entity says |
//! | 4xx, 503 | not done: refused before anything was begun |
//! | anything else; no complete answer in time | unknown |

use std::{path::Path, time::Duration};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::{
    client::legacy::{Client, Error, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};

use super::excerpt;
use crate::{Remote, RemoteAnswer, RemoteAsk, RemoteError, RemoteTarget};

/// An answer is an entity's reply; a longer one is not read.
const LONGEST_ANSWER: usize = 4 * 1024 * 1024;

/// Idle connections to one process that are kept; more are closed.
const KEPT: usize = 64;

/// For how long.
const KEPT_FOR: Duration = Duration::from_secs(30);

/// Carries asks over HTTP/1.1, with connections that are used again.
#[derive(Debug, Clone)]
pub struct HttpAsks(Client<HttpConnector, Full<Bytes>>);

impl Default for HttpAsks {
    fn default() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(KEPT_FOR)
            .pool_max_idle_per_host(KEPT)
            .pool_timer(TokioTimer::new())
            // An ask is sent once: whether it is sent again is decided by who knows its outcome.
            .retry_canceled_requests(false)
            .build(connector);
        Self(client)
    }
}

impl Remote for HttpAsks {
    fn ask(
        &self,
        target: &RemoteTarget,
        ask: RemoteAsk,
        within: Duration,
    ) -> BoxFuture<'static, Result<RemoteAnswer, RemoteError>> {
        let (client, target) = (self.0.clone(), target.clone());
        Box::pin(async move {
            let request = request(&target, &ask).await?;
            let asked = async {
                let response = client.request(request).await.map_err(|error| failed(&error))?;
                let status = response.status();
                let body = Limited::new(response.into_body(), LONGEST_ANSWER).collect().await;
                let body = body.map_err(|error| RemoteError::Lost(format!("its answer broke off: {error}")))?;
                answered(status, &body.to_bytes())
            };
            let late = |_| RemoteError::Lost(format!("no answer within {within:?}"));
            tokio::time::timeout(within, asked).await.map_err(late)?
        })
    }
}

async fn request(target: &RemoteTarget, ask: &RemoteAsk) -> Result<Request<Full<Bytes>>, RemoteError> {
    let unsendable = |error: String| RemoteError::NotReached(error);
    let body = serde_json::to_vec(ask).map_err(|error| unsendable(error.to_string()))?;
    let mut request = Request::post(format!("{}/asks", target.url))
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::USER_AGENT, concat!("steadfast/", env!("CARGO_PKG_VERSION")));
    if let Some(file) = &target.token_file {
        request = request.header(header::AUTHORIZATION, format!("Bearer {}", token(file).await?));
    }
    request.body(Full::new(body.into())).map_err(|error| unsendable(error.to_string()))
}

/// Read anew for each ask, so that a token may change while we run.
async fn token(file: &Path) -> Result<String, RemoteError> {
    let text = tokio::fs::read_to_string(file)
        .await
        .map_err(|error| RemoteError::NotReached(format!("the token in {}: {error}", file.display())))?;
    Ok(text.trim().to_owned())
}

/// Nothing was sent when there was no connection. Where one broke, nobody knows.
fn failed(error: &Error) -> RemoteError {
    let reason = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ");
    if error.is_connect() { RemoteError::NotReached(reason) } else { RemoteError::Lost(reason) }
}

fn answered(status: StatusCode, body: &[u8]) -> Result<RemoteAnswer, RemoteError> {
    if status == StatusCode::OK {
        return serde_json::from_slice(body)
            .map_err(|error| RemoteError::Lost(format!("its answer cannot be read: {error}: {}", excerpt(body))));
    }
    let reason = format!("it answered {status}: {}", excerpt(body));
    let is_refused = status.is_client_error() || status == StatusCode::SERVICE_UNAVAILABLE;
    Err(if is_refused { RemoteError::NotReached(reason) } else { RemoteError::Lost(reason) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_assumed_follows_from_the_status() {
        let reply = answered(StatusCode::OK, br#"{"reply":{"id":1}}"#);
        assert_eq!(reply, Ok(RemoteAnswer::Reply(serde_json::json!({"id": 1}))));
        let no = answered(StatusCode::OK, br#"{"error":"Reused"}"#);
        assert_eq!(no, Ok(RemoteAnswer::Error(crate::AskError::Reused)));
        for refused in [400, 401, 403, 404, 413, 429, 503] {
            let status = StatusCode::from_u16(refused).unwrap();
            assert!(matches!(answered(status, b"no"), Err(RemoteError::NotReached(_))), "{refused}");
        }
        for unknown in [201, 302, 500, 502, 504] {
            let status = StatusCode::from_u16(unknown).unwrap();
            assert!(matches!(answered(status, b"no"), Err(RemoteError::Lost(_))), "{unknown}");
        }
        assert!(matches!(answered(StatusCode::OK, b"<html>"), Err(RemoteError::Lost(_))), "it may have been done");
    }
}
