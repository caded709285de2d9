//! Cross-origin rules of the gateway: its origins, with credentials.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use super::request::{Request, Response, empty};

/// Every header of ours that is more than a page's browser shows by itself. A list, for `*` does not count for requests
/// with credentials.
const EXPOSED: &str = "Location, Retry-After, ETag, Link, X-Reason, X-View-Lag, Idempotency-Replayed, \
                       Preference-Applied, X-Request-Id, traceparent, WWW-Authenticate, RateLimit, RateLimit-Policy";

/// Whose web pages may use a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origins {
    Nobody,
    Everybody,
    These(Arc<[String]>),
}

impl Origins {
    /// What is configured, and otherwise every page on a loopback address, as the old front ends need it, and none on
    /// others.
    pub(crate) fn of(configured: Option<Arc<[String]>>, loopback: bool) -> Self {
        match configured {
            Some(origins) if origins.iter().any(|origin| origin == "*") => Self::Everybody,
            Some(origins) => Self::These(origins),
            None if loopback => Self::Everybody,
            None => Self::Nobody,
        }
    }

    /// Whether pages of this origin may.
    pub(crate) fn have(&self, origin: &HeaderValue) -> bool {
        match self {
            Self::Nobody => false,
            Self::Everybody => true,
            Self::These(origins) => {
                origins.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(origin.as_bytes()))
            }
        }
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_those_configured_or_those_of_the_old_front_ends() {
        let listed = || Some(Arc::from(["https://Shop.example".to_owned()]));
        let all = || Some(Arc::from(["*".to_owned()]));
        for (configured, loopback, shop, other) in [
            (None, true, true, true),
            (None, false, false, false),
            (listed(), true, true, false),
            (listed(), false, true, false),
            (all(), false, true, true),
            (Some(Arc::from([])), true, false, false),
        ] {
            let origins = Origins::of(configured, loopback);
            let have = |origin: &'static str| origins.have(&HeaderValue::from_static(origin));
            assert_eq!((have("https://shop.example"), have("null")), (shop, other), "{origins:?}");
        }
    }
}
