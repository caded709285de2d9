//! Which request all of this goes back to: `X-Request-Id` and W3C `traceparent`.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::digits::hex;

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Longest `X-Request-Id` taken over: it is kept with every event of the request.
const MAX_REQUEST_ID: usize = 128;

/// The correlation of one request, and the trace it belongs to.
#[derive(Clone, Debug)]
pub(crate) struct Correlation {
    pub(crate) id: Arc<str>,
    traceparent: HeaderValue,
}

impl Correlation {
    /// `X-Request-Id` when it is 1 to 128 visible ASCII bytes, else the trace id of `traceparent`, else
    /// fresh ones. A malformed header is replaced, never an error: it says nothing about the request.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let given = headers.get(&TRACEPARENT).filter(|value| value.to_str().is_ok_and(is_traceparent));
        let traceparent = given.cloned().unwrap_or_else(fresh_traceparent);
        let id = headers.get(&REQUEST_ID).and_then(|value| value.to_str().ok()).filter(|text| {
            (1..=MAX_REQUEST_ID).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
        });
        let id = id.unwrap_or_else(|| text(&traceparent).get(3..35).expect("a traceparent is 55 ASCII bytes"));
        Self { id: id.into(), traceparent }
    }

    /// The trace that it belongs to, and its caller's place in it.
    pub(crate) fn traceparent(&self) -> &str {
        text(&self.traceparent)
    }

    /// Tells the client.
    pub(crate) fn write(&self, headers: &mut HeaderMap) {
        headers.insert(REQUEST_ID, HeaderValue::from_str(&self.id).expect("visible ASCII, as checked above"));
        headers.insert(TRACEPARENT, self.traceparent.clone());
    }
}

/// A value that was checked, or made here.
fn text(value: &HeaderValue) -> &str {
    value.to_str().expect("visible ASCII, as checked above")
}

fn fresh_traceparent() -> HeaderValue {
    // not 0, which the standard forbids
    let (trace, span) = (hex::<32>(fastrand::u128(1..)), hex::<16>(fastrand::u64(1..).into()));
    let value = [b"00-", trace.as_slice(), b"-", &span, b"-00"].concat();
    HeaderValue::from_maybe_shared(Bytes::from(value)).expect("hexadecimal digits and dashes")
}

/// `00-<32 hex>-<16 hex>-<2 hex>`, lower case, ids not all zero; the form that version 00 has.
fn is_traceparent(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let [version, trace, span, flags] = parts.as_slice() else { return false };
    let hex =
        |part: &str, digits| part.len() == digits && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    *version == "00"
        && hex(trace, 32)
        && hex(span, 16)
        && hex(flags, 2)
        && trace.bytes().any(|byte| byte != b'0')
        && span.bytes().any(|byte| byte != b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_request_id_goes_before_the_trace_id() {
        let both = Correlation::of(&headers(&[("x-request-id", "abc-1"), ("traceparent", PARENT)]));
        assert_eq!(&*both.id, "abc-1");
        let trace = Correlation::of(&headers(&[("traceparent", PARENT)]));
        assert_eq!(&*trace.id, "4bf92f3577b34da6a3ce929d0e0e4736");
        let mut answer = HeaderMap::new();
        trace.write(&mut answer);
        assert_eq!(answer[TRACEPARENT], PARENT);
    }

    #[test]
    fn what_is_malformed_is_replaced() {
        for bad in ["", "with blank", &"x".repeat(129)] {
            let correlation = Correlation::of(&headers(&[("x-request-id", bad)]));
            assert_eq!(correlation.id.len(), 32, "{bad:?}");
        }
        assert_eq!(Correlation::of(&headers(&[("x-request-id", &"x".repeat(128))])).id.len(), 128);
        for bad in ["00-0-0-00", &PARENT.to_uppercase(), &PARENT.replace("00-4", "ff-4"), &format!("{PARENT}-x")] {
            assert!(!is_traceparent(bad), "{bad}");
        }
        assert!(!is_traceparent("00-00000000000000000000000000000000-00f067aa0ba902b7-01"));
    }

    #[test]
    fn two_requests_without_headers_differ() {
        let fresh = || Correlation::of(&HeaderMap::new());
        assert_ne!(fresh().id, fresh().id);
        assert!(is_traceparent(fresh().traceparent()));
    }
}
