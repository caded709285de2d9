//! `Idempotency-Key`: the same key and request again get the first answer.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::{Problem, request::Request};
use crate::{CommandId, Key, digits::hex};

/// Longest key taken: it is hashed, so this only keeps headers sane.
const MAX_KEY: usize = 255;

/// What a command carries about the request that it comes from.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    /// From the client's key; random when there is none.
    pub(crate) command_id: CommandId,
    /// Whether there is a key, so that the request may come again.
    pub(crate) repeatable: bool,
    /// Key of the stream that a creation begins: a retry meets the same stream.
    pub(crate) stream: Key,
    /// Tells a retry from another request under the same key; 0 when there is none.
    pub(crate) fingerprint: u128,
    /// The request that all of this goes back to.
    pub(crate) correlation: Arc<str>,
}

impl Origin {
    /// Of a request. Only where it has a key, `told` says what that is bound to: the resource (its canonical path, so that
    /// two spellings are one) and the canonical content.
    ///
    /// # Errors
    /// 400 when the key is not 1 to 255 visible ASCII bytes, or given twice.
    pub(crate) fn of(request: &Request, told: impl FnOnce() -> (String, String)) -> Result<Self, Problem> {
        let correlation = request.correlation.id.clone();
        let Some(key) = key(request)? else {
            let stream = hex::<32>(fastrand::u128(..));
            let stream = std::str::from_utf8(&stream).ok().and_then(|digits| Key::new(digits).ok());
            return Ok(Self {
                command_id: CommandId::from_bits(fastrand::u128(..)),
                repeatable: false,
                stream: stream.expect("32 hexadecimal digits are a key"),
                fingerprint: 0,
                correlation,
            });
        };
        let (resource, content) = told();
        // Two users who choose the same key do not meet; where nobody is asked who he is, all are one.
        let subject = request.caller.as_ref().map_or("", |caller| caller.subject());
        let parts = [key, request.method.as_str(), &resource, subject].map(str::as_bytes);
        Ok(Self {
            command_id: CommandId::derived("http", &parts),
            repeatable: true,
            stream: Key::derived("http", &parts),
            fingerprint: fingerprint(&content, &request.query),
            correlation,
        })
    }
}

fn key(request: &Request) -> Result<Option<&str>, Problem> {
    let mut given = request.headers.get_all("idempotency-key").iter();
    let Some(first) = given.next() else { return Ok(None) };
    let text = first.to_str().unwrap_or_default();
    let visible = (1..=MAX_KEY).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if !visible || given.next().is_some() {
        let message = format!("Idempotency-Key must be given once, with 1 to {MAX_KEY} visible ASCII characters");
        return Err(Problem::invalid("INVALID_IDEMPOTENCY_KEY", message));
    }
    Ok(Some(text))
}

/// The first 128 bits of SHA-256 over the canonical content and the query.
fn fingerprint(content: &str, query: &str) -> u128 {
    let mut hash = Sha256::new();
    for part in [content, query] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().iter().take(16).fold(0, |bits, byte| bits << 8 | u128::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{guard::Caller, request::tests::request};

    fn told(resource: &str, content: &str) -> (String, String) {
        (resource.to_owned(), content.to_owned())
    }

    fn origin(method: &str, resource: &str, key: &str, content: &str) -> Origin {
        Origin::of(&request(method, "/x", &[("idempotency-key", key)], ""), || told(resource, content)).unwrap()
    }

    #[test]
    fn command_and_stream_follow_from_key_method_and_resource_alone() {
        let first = origin("POST", "/store/orders", "k", r#"{"a":1}"#);
        let again = origin("POST", "/store/orders", "k", r#"{"a":2}"#);
        assert_eq!((first.command_id, &first.stream), (again.command_id, &again.stream));
        assert_ne!(first.fingerprint, again.fingerprint);
        for (method, resource, key) in
            [("PUT", "/store/orders", "k"), ("POST", "/store/orders/1", "k"), ("POST", "/store/orders", "l")]
        {
            let other = origin(method, resource, key, r#"{"a":1}"#);
            assert_ne!(first.command_id, other.command_id);
            assert_ne!(first.stream, other.stream);
        }
    }

    #[test]
    fn derivation_is_fixed_because_retries_outlive_a_release() {
        let origin = origin("POST", "/store/orders", "k", "{}");
        assert_eq!(origin.command_id.to_string(), origin.stream.as_str());
        assert_eq!(origin.stream.as_str(), "134208001edd71edb8156e9a2fedbeea");
    }

    #[test]
    fn two_users_with_the_same_key_do_not_meet() {
        let of = |caller: Option<&str>| {
            let mut request = request("POST", "/x", &[("idempotency-key", "k")], "");
            request.caller = caller.map(|name| Caller::new(name, Vec::new()));
            Origin::of(&request, || told("/store/orders", "{}")).unwrap()
        };
        let (anna, again, bert, nobody) = (of(Some("anna")), of(Some("anna")), of(Some("bert")), of(None));
        assert_eq!((anna.command_id, &anna.stream), (again.command_id, &again.stream));
        for other in [bert, nobody] {
            assert!(anna.command_id != other.command_id && anna.stream != other.stream);
        }
    }

    #[test]
    fn without_a_key_every_request_is_its_own() {
        let fresh = || Origin::of(&request("POST", "/x", &[], ""), || unreachable!("there is no key")).unwrap();
        assert!(!fresh().repeatable);
        assert_ne!(fresh().command_id, fresh().command_id);
        assert_ne!(fresh().stream, fresh().stream);
    }

    #[test]
    fn a_key_that_is_no_key_is_400() {
        for bad in ["", "a b", "é", &"x".repeat(256)] {
            let request = request("POST", "/x", &[("idempotency-key", bad)], "");
            assert_eq!(Origin::of(&request, || told("/x", "")).unwrap_err().status(), 400, "{bad:?}");
        }
        let twice = request("POST", "/x", &[("idempotency-key", "a"), ("idempotency-key", "b")], "");
        assert_eq!(Origin::of(&twice, || told("/x", "")).unwrap_err().status(), 400);
        let longest = request("POST", "/x", &[("idempotency-key", &"x".repeat(255))], "");
        assert!(Origin::of(&longest, || told("/x", "")).is_ok());
    }
}
