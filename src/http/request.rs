//! What handlers see of a request, and how answers are written.

use std::{
    borrow::Cow,
    fmt,
    net::IpAddr,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use serde::Serialize;
use tracing::Span;

use super::{correlation::Correlation, guard::Caller};
use crate::{RouteMeter, Timestamp};

/// An answer, complete; one that goes on (`live`) is its head.
pub(crate) type Response = http::Response<Bytes>;

/// A segment of a path, percent-decoded.
pub(crate) type PathSegment<'a> = Cow<'a, str>;

/// A request whose limits were checked and whose body was read.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: Method,
    /// As it came, percent-encoded.
    pub(crate) path: String,
    /// As it came, without the question mark.
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) correlation: Correlation,
    /// When it arrived.
    pub(crate) at: Timestamp,
    /// The other end of the connection, or whom a trusted proxy there asks for; `None` without a socket.
    pub(crate) peer: Option<IpAddr>,
    /// Whether it came by TLS.
    pub(crate) secure: bool,
    /// Who sends it; `None` when nobody is asked.
    pub(crate) caller: Option<Caller>,
    /// Where it is counted, once it is known what its path names.
    pub(crate) route: OnceLock<Arc<RouteMeter>>,
}

impl Request {
    /// It is counted there from now on.
    pub(crate) fn is_of(&self, route: Option<&Arc<RouteMeter>>) {
        if let Some(route) = route {
            self.route.get_or_init(|| route.clone());
        }
    }

    /// For lines of the log that are about this request. Made where something may be logged, and not for each request: it
    /// costs a tenth of what a read does.
    pub(crate) fn log_span(&self) -> Span {
        // Of the highest level, so that it is there whatever is logged.
        tracing::error_span!("request", method = %self.method, path = self.path, correlation = &*self.correlation.id)
    }

    /// Logs something about this request.
    pub(crate) fn in_log(&self, log: impl FnOnce()) {
        self.log_span().in_scope(log);
    }

    /// The header as text; `None` when it is absent or no visible ASCII.
    pub(crate) fn header(&self, name: impl header::AsHeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The percent-decoded segments; one slash at the end is ignored. `None` when there is an empty
    /// segment or one that is no UTF-8: such a path exists nowhere.
    pub(crate) fn segments(&self) -> Option<Vec<PathSegment<'_>>> {
        let path = self.path.strip_prefix('/')?;
        if path.is_empty() {
            return Some(Vec::new());
        }
        let path = path.strip_suffix('/').unwrap_or(path);
        path.split('/').map(|segment| percent_decode(segment).filter(|text| !text.is_empty())).collect()
    }

    /// Scheme and host for links, from the forwarding proxy or the request itself, without a slash at
    /// the end. What is no host name falls back to `localhost`: it would end up in links.
    pub(crate) fn origin(&self) -> Origin<'_> {
        let first = |name: HeaderName| self.header(name).and_then(|list| list.split(',').next()).map(str::trim);
        let is_host = |host: &&str| {
            !host.is_empty()
                && host
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'_' | b'[' | b']'))
        };
        let host = first(FORWARDED_HOST).filter(is_host).or_else(|| first(header::HOST).filter(is_host));
        let https = first(FORWARDED_PROTO).is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"));
        Origin { https: https || self.secure, host: host.unwrap_or("localhost") }
    }
}

const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// What links begin with.
#[derive(Clone, Debug)]
pub(crate) struct Origin<'a> {
    https: bool,
    host: &'a str,
}

impl Origin<'_> {
    /// This, and what follows.
    pub(crate) fn with(&self, path: &str) -> String {
        [if self.https { "https" } else { "http" }, "://", self.host, path].concat()
    }
}

impl fmt::Display for Origin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.with(""))
    }
}

/// Resources and everything HAL.
pub(crate) const HAL: HeaderValue = HeaderValue::from_static("application/hal+json;charset=UTF-8");
/// Everything else that is JSON.
pub(crate) const JSON: HeaderValue = HeaderValue::from_static("application/json;charset=UTF-8");

/// An answer with a JSON body; texts are the only keys of its objects.
pub(crate) fn json(status: StatusCode, media_type: HeaderValue, body: &impl Serialize) -> Response {
    written(status, media_type, serde_json::to_vec(body).expect("texts are the keys"))
}

/// An answer whose body is written.
pub(crate) fn written(status: StatusCode, media_type: HeaderValue, body: Vec<u8>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, media_type);
    response
}

/// An answer that is text as it is.
pub(crate) fn plain(status: StatusCode, text: String) -> Response {
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain;charset=UTF-8"));
    response
}

/// An answer without a body.
pub(crate) fn empty(status: StatusCode) -> Response {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}

/// A header value of ours; text that cannot be one (it came from a client) is left out by the caller.
pub(crate) fn set(response: &mut Response, name: impl header::IntoHeaderName, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        response.headers_mut().insert(name, value);
    }
}

fn percent_decode(segment: &str) -> Option<Cow<'_, str>> {
    if !segment.as_bytes().contains(&b'%') {
        return Some(segment.into());
    }
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let (high, low) = (hex(rest.next()?)?, hex(rest.next()?)?);
            bytes.push(high << 4 | low);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok().map(Cow::from)
}

pub(super) fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// `text` as it may stand in a path segment or a query value.
pub(crate) fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b',') {
            encoded.push(char::from(byte));
        } else {
            let digit = |half: u8| char::from_digit(half.into(), 16).unwrap_or_default().to_ascii_uppercase();
            encoded.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    encoded
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A request as the frame hands it on.
    pub(crate) fn request(method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> Request {
        let (path, query) = url.split_once('?').unwrap_or((url, ""));
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| {
                let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
                (HeaderName::from_bytes(name.as_bytes()).unwrap(), value)
            })
            .collect();
        Request {
            method: method.parse().unwrap(),
            path: path.into(),
            query: query.into(),
            correlation: Correlation::of(&headers),
            headers,
            body: body.to_owned().into(),
            at: Timestamp::from_millis(1_625_721_994_123),
            peer: None,
            secure: false,
            caller: None,
            route: OnceLock::new(),
        }
    }

    #[test]
    fn segments_are_decoded_and_a_last_slash_is_ignored() {
        let segments = |path: &str| -> Option<Vec<String>> {
            let request = request("GET", path, &[], "");
            request.segments().map(|segments| segments.into_iter().map(Cow::into_owned).collect())
        };
        assert_eq!(segments("/"), Some(vec![]));
        assert_eq!(segments("/orders/"), Some(vec!["orders".into()]));
        assert_eq!(segments("/rooms/%ED%98%B8"), Some(vec!["rooms".into(), "호".into()]));
        for nowhere in ["//", "/a//b", "/a/%zz", "/a/%ff", "*", "/a/%"] {
            assert_eq!(segments(nowhere), None, "{nowhere}");
        }
    }

    #[test]
    fn links_begin_with_what_the_client_or_its_proxy_asked() {
        let origin = |headers: &[(&str, &str)]| request("GET", "/", headers, "").origin().to_string();
        assert_eq!(origin(&[("host", "localhost:8088")]), "http://localhost:8088");
        assert_eq!(origin(&[]), "http://localhost");
        let forwarded = [("host", "inner"), ("x-forwarded-host", "shop.example, x"), ("x-forwarded-proto", "https")];
        assert_eq!(origin(&forwarded), "https://shop.example");
        assert_eq!(origin(&[("host", "a/../<b>")]), "http://localhost");
    }

    #[test]
    fn encoding_is_undone_by_decoding() {
        assert_eq!(percent_decode(&percent_encode("배트맨 &=/")).as_deref(), Some("배트맨 &=/"));
    }
}
