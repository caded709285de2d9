//! Asks of other processes: `POST /asks`, for links whose target this process is. Off unless `[server] accept_asks`.

use std::{fmt, path::PathBuf};

use http::{HeaderValue, Method, StatusCode, header};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{
    Problem,
    guard::may_command,
    request::{JSON, Request, Response, json},
};
use crate::{AnswerError, RemoteAnswer, RemoteAsk, System};

/// The segment at which they come in.
pub(crate) const ASKS: &str = "asks";

/// Answers asks, when it may.
pub(crate) struct Asks {
    system: System,
    /// `None`: they are off.
    open: Option<Door>,
}

/// Who is let in.
struct Door {
    token_file: Option<PathBuf>,
}

impl Asks {
    pub(crate) fn of(system: &System) -> Self {
        let server = &system.config().server;
        let open = server.accept_asks.then(|| Door { token_file: server.asks_token_file.clone() });
        Self { system: system.clone(), open }
    }

    /// Whether it asks by itself who somebody is.
    pub(crate) fn has_token(&self) -> bool {
        self.open.as_ref().is_some_and(|door| door.token_file.is_some())
    }

    /// Answers one.
    ///
    /// # Errors
    /// 403 while asks are off, 401 without the token, 400 for what is no ask, 404 for a command that nobody may ask from
    /// outside: nothing was begun.
    pub(crate) async fn answer(&self, request: &Request) -> Result<Response, Problem> {
        if request.method != Method::POST {
            return Err(Problem::method_not_allowed(&request.method, "POST".to_owned()));
        }
        let Some(door) = &self.open else {
            let message = "this process takes no asks of others: [server] accept_asks is false";
            return Err(Problem::new(StatusCode::FORBIDDEN, "ASKS_OFF", message));
        };
        door.admit(request).await?;
        // Where callers say who they are, and asks have no token of their own, this is for operators.
        may_command(request.caller.as_ref(), ASKS, &[])?;
        let invalid = |error: serde_json::Error| Problem::invalid("MALFORMED_ASK", format!("this is no ask: {error}"));
        let ask: RemoteAsk = serde_json::from_slice(&request.body).map_err(invalid)?;
        let answer = self.system.answer(ask).await.map_err(|error| match error {
            AnswerError::Unknown { .. } => Problem::not_found(error.to_string()),
            AnswerError::Unreadable { .. } => Problem::invalid("MALFORMED_ASK", error.to_string()),
        })?;
        answered(&answer)
    }
}

impl Door {
    async fn admit(&self, request: &Request) -> Result<(), Problem> {
        let Some(file) = &self.token_file else { return Ok(()) };
        let token = tokio::fs::read_to_string(file).await.map_err(|error| {
            tracing::error!(file = %file.display(), %error, "the token of asks cannot be read; asks are refused");
            Problem::unavailable("UNAVAILABLE", "the token of asks cannot be read", std::time::Duration::from_secs(5))
        })?;
        let shown = request.header(header::AUTHORIZATION).and_then(|shown| shown.strip_prefix("Bearer "));
        // Digests, so that the time tells nothing of how much of it was right.
        let digest = |text: &str| Sha256::digest(text.trim().as_bytes());
        if !token.trim().is_empty() && shown.is_some_and(|shown| digest(shown) == digest(&token)) {
            return Ok(());
        }
        let why = "an ask has to show the token of [server] asks_token_file";
        Err(Problem::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", why)
            .with_header(header::WWW_AUTHENTICATE, r#"Bearer realm="steadfast asks""#))
    }
}

fn answered(answer: &RemoteAnswer) -> Result<Response, Problem> {
    let unwritable = |error: serde_json::Error| {
        // It was done; that it cannot be said is unknown to the asker.
        tracing::error!(%error, "an answer to another process cannot be written");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "UNREADABLE", "the answer cannot be written")
    };
    let body: Value = serde_json::to_value(answer).map_err(unwritable)?;
    let media_type: HeaderValue = JSON;
    Ok(json(StatusCode::OK, media_type, &body))
}

impl fmt::Debug for Asks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Asks").field("on", &self.open.is_some()).finish_non_exhaustive()
    }
}
