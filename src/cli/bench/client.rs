//! What sends requests: connections that are kept, one request at a time.

use std::{fmt, time::Duration};

use anyhow::{Context, anyhow, bail};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use steadfast::Secret;
use tokio::{net::TcpStream, time::timeout};
use tokio_util::task::TaskTracker;

/// An answer that takes longer is missing: longer than any deadline of the server's.
const PATIENCE: Duration = Duration::from_secs(30);
/// A page of a thousand rows is far below.
const MAX_BODY: usize = 64 * 1024 * 1024;

/// A listener, the path under which everything is, and who asks there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cli) struct Site {
    authority: String,
    prefix: String,
    token: Option<Secret>,
}

impl Site {
    /// The site of `http://host:port[/prefix]`.
    ///
    /// # Errors
    /// Another scheme, no host, or a query.
    pub(in crate::cli) fn of(url: &str) -> anyhow::Result<Self> {
        let rest = url.strip_prefix("http://").ok_or_else(|| anyhow!("{url} does not begin with http://"))?;
        let (authority, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if authority.is_empty() || prefix.contains('?') {
            bail!("{url} is not http://host:port or http://host:port/path");
        }
        let authority = if authority.contains(':') { authority.to_owned() } else { format!("{authority}:80") };
        let prefix = match prefix.trim_end_matches('/') {
            "" => String::new(),
            prefix => format!("/{prefix}"),
        };
        Ok(Self { authority, prefix, token: None })
    }

    /// The same with a token, if there is one, in every request.
    pub(in crate::cli) fn known_by(mut self, token: Option<Secret>) -> Self {
        self.token = token;
        self
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority, self.prefix)
    }
}

/// A request.
#[derive(Clone)]
pub(in crate::cli) struct Call {
    method: Method,
    path: String,
    body: Option<(&'static str, Bytes)>,
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

impl Call {
    pub(in crate::cli) fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), body: None }
    }

    pub(super) fn post(path: impl Into<String>) -> Self {
        Self { method: Method::POST, path: path.into(), body: None }
    }

    pub(super) fn delete(path: impl Into<String>) -> Self {
        Self { method: Method::DELETE, path: path.into(), body: None }
    }

    pub(super) fn patch(path: impl Into<String>) -> Self {
        Self { method: Method::PATCH, path: path.into(), body: None }
    }

    pub(super) fn json(mut self, body: &Value) -> Self {
        self.body = Some(("application/json", body.to_string().into()));
        self
    }

    /// Fields of a form, none of which needs to be encoded.
    pub(super) fn form(mut self, fields: &str) -> Self {
        self.body = Some(("application/x-www-form-urlencoded", fields.to_owned().into()));
        self
    }

    fn request(&self, site: &Site) -> http::Result<Request<Full<Bytes>>> {
        let request = Request::builder().method(&self.method).uri(format!("{}{}", site.prefix, self.path));
        let request = request.header(header::HOST, &site.authority);
        let request = match &site.token {
            Some(token) => request.header(header::AUTHORIZATION, format!("Bearer {}", token.expose())),
            None => request,
        };
        match &self.body {
            None => request.body(Full::default()),
            Some((kind, body)) => request.header(header::CONTENT_TYPE, *kind).body(Full::new(body.clone())),
        }
    }
}

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub(in crate::cli) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    fn header(&self, name: header::HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// When to come back.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        self.header(header::RETRY_AFTER)?.parse().ok().map(Duration::from_secs)
    }

    /// The number at the end of `Location`.
    pub(super) fn located(&self) -> Option<u64> {
        self.header(header::LOCATION)?.rsplit('/').next()?.parse().ok()
    }

    /// The body; null when it is not JSON.
    pub(in crate::cli) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The stable code of a problem document; `None` when it is none.
    pub(super) fn code(&self) -> Option<String> {
        let is_problem = self.header(header::CONTENT_TYPE)?.starts_with("application/problem+json");
        is_problem.then(|| self.json().get("code")?.as_str().map(str::to_owned)).flatten()
    }
}

/// There was no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub(in crate::cli) struct NoAnswer {
    pub(super) why: String,
    /// Whether the request may have arrived.
    pub(super) sent: bool,
}

/// One client: at most one connection, and one request at a time.
#[derive(Debug)]
pub(in crate::cli) struct Client {
    site: Site,
    tasks: TaskTracker,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Client {
    /// A client that connects when it needs to. Its connections are tasks of `tasks`; they end with it.
    pub(in crate::cli) fn new(site: &Site, tasks: &TaskTracker) -> Self {
        Self { site: site.clone(), tasks: tasks.clone(), sender: None }
    }

    /// The answer to a request.
    ///
    /// # Errors
    /// No answer within [`PATIENCE`], or the connection broke.
    ///
    /// # Cancel safety
    /// The request may have been sent; the next one gets a connection of its own.
    pub(super) async fn send(&mut self, call: &Call) -> Result<Answer, NoAnswer> {
        match timeout(PATIENCE, self.exchange(call)).await {
            Ok(answered) => answered,
            Err(_) => Err(NoAnswer { why: format!("no answer within {PATIENCE:?}"), sent: true }),
        }
    }

    /// As [`send`](Self::send), for what has to succeed.
    pub(in crate::cli) async fn must(&mut self, call: &Call) -> anyhow::Result<Answer> {
        let answer = self.send(call).await.with_context(|| format!("{} {}", call.method, call.path))?;
        if !(200..300).contains(&answer.status) {
            let body = String::from_utf8_lossy(&answer.body);
            bail!("{} {}: {} {body}", call.method, call.path, answer.status);
        }
        Ok(answer)
    }

    async fn exchange(&mut self, call: &Call) -> Result<Answer, NoAnswer> {
        let unsent = |why: String| NoAnswer { why, sent: false };
        let request = call.request(&self.site).map_err(|error| unsent(error.to_string()))?;
        // Given back only by a whole answer: what is broken, or was given up, is not used again.
        let mut sender = match self.sender.take().filter(|sender| !sender.is_closed()) {
            Some(sender) => sender,
            None => self.connect().await.map_err(|error| unsent(format!("cannot connect: {error:#}")))?,
        };
        sender.ready().await.map_err(|error| unsent(format!("not connected: {error}")))?;
        let broken = |error: hyper::Error| NoAnswer { why: format!("broken off: {error}"), sent: !error.is_canceled() };
        let (head, body) = sender.send_request(request).await.map_err(broken)?.into_parts();
        let body = Limited::new(body, MAX_BODY).collect().await;
        let body = body.map_err(|error| NoAnswer { why: format!("broken off: {error}"), sent: true })?.to_bytes();
        self.sender = Some(sender);
        Ok(Answer { status: head.status.as_u16(), headers: head.headers, body })
    }

    async fn connect(&self) -> anyhow::Result<SendRequest<Full<Bytes>>> {
        let stream = TcpStream::connect(&self.site.authority).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        self.tasks.spawn(async move {
            // Whoever waits for the answer is told as well.
            drop(connection.await);
        });
        Ok(sender)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_an_address_with_a_path() {
        let site = |url| Site::of(url).map(|site| site.to_string()).ok();
        assert_eq!(site("http://127.0.0.1:8088").as_deref(), Some("http://127.0.0.1:8088"));
        assert_eq!(site("http://shop/stay/").as_deref(), Some("http://shop:80/stay"));
        for bad in ["https://shop", "shop:80", "http://", "http:///stay", "http://shop/?a=b"] {
            assert_eq!(site(bad), None, "{bad}");
        }
    }

    #[test]
    fn only_a_problem_document_has_a_code() {
        let answer = |kind: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, kind.parse().unwrap());
            headers.insert(header::RETRY_AFTER, "2".parse().unwrap());
            Answer { status: 503, headers, body: r#"{"code":"OVERLOADED"}"#.into() }
        };
        assert_eq!(answer("application/problem+json;charset=UTF-8").code().as_deref(), Some("OVERLOADED"));
        assert_eq!(answer("application/json").code(), None);
        assert_eq!(answer("text/plain").retry_after(), Some(Duration::from_secs(2)));
    }
}
