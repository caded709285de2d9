//! Cross-origin rules of the gateway: every origin, with credentials.

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use super::request::{Request, Response, empty};

/// Every header of ours that is more than a page's browser shows by itself. A list, for `*` does not count for requests
/// with credentials.
const EXPOSED: &str = "Location, Retry-After, ETag, Link, X-Reason, X-View-Lag, Idempotency-Replayed, \
                       Preference-Applied, X-Request-Id, traceparent";

/// The answer to a preflight; `None` when `request` is none. A preflight asks about a request that is not
/// sent yet, so it is answered for every path.
pub(crate) fn preflight(request: &Request) -> Option<Response> {
    let is_preflight = request.method == Method::OPTIONS
        && request.headers.contains_key(header::ORIGIN)
        && request.headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    if !is_preflight {
        return None;
    }
    let mut response = empty(StatusCode::OK);
    let headers = response.headers_mut();
    let methods = HeaderValue::from_static("GET,HEAD,POST,PUT,PATCH,DELETE,OPTIONS");
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    if let Some(requested) = request.headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, requested.clone());
    }
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("1800"));
    Some(response)
}

/// Lets the page at `origin` read the answer.
pub(crate) fn allow(origin: &HeaderValue, headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
}
