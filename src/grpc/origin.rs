//! What a command has of the call that it comes from: its id, its stream, its correlation, its deadline.

use std::{sync::Arc, time::Duration};

use prost::Message;
use sha2::{Digest, Sha256};
use tonic::{Request, Status, metadata::MetadataMap};

use crate::{
    AskRequest, Command, CommandId, Entity, Key, NumberedId,
    http::{Caller, Correlation},
};

/// Longest key taken: it is hashed, so this only keeps metadata sane.
const MAX_KEY: usize = 255;

/// Where a command comes from.
pub(super) struct Origin {
    pub(super) command: CommandId,
    /// The stream that a creation begins: a repeated call meets the same one.
    pub(super) stream: Key,
    repeatable: bool,
    fingerprint: u128,
    correlation: Option<Arc<str>>,
    timeout: Option<Duration>,
}

impl Origin {
    /// Of a call to `method`.
    ///
    /// # Errors
    /// `InvalidArgument` when the key is not 1 to 255 visible ASCII characters.
    pub(super) fn of<M: Message>(request: &Request<M>, method: &str) -> Result<Self, Status> {
        let metadata = request.metadata();
        let key = key(metadata)?;
        let (command, stream) = if let Some(key) = key {
            let mut parts = vec![key.as_bytes(), method.as_bytes()];
            // Two users who choose the same key do not meet.
            parts.extend(request.extensions().get::<Caller>().map(|caller| caller.subject().as_bytes()));
            (CommandId::derived("grpc", &parts), Key::derived("grpc", &parts))
        } else {
            let stream = format!("{:032x}", fastrand::u128(..));
            (CommandId::from_bits(fastrand::u128(..)), Key::new(stream).expect("32 hexadecimal digits are a key"))
        };
        let hash = Sha256::digest(request.get_ref().encode_to_vec());
        let fingerprint = hash.iter().take(16).fold(0, |bits, byte| bits << 8 | u128::from(*byte));
        let correlation = request.extensions().get::<Correlation>().map(|correlation| correlation.id.clone());
        let (repeatable, timeout) = (key.is_some(), timeout(metadata));
        Ok(Self { command, stream, repeatable, fingerprint, correlation, timeout })
    }

    /// The id of a new entity.
    pub(super) fn new_entity(&self) -> NumberedId {
        NumberedId::Key(self.stream.clone())
    }

    /// An ask with all of this. It waits for `within`, and no longer than the caller.
    pub(super) fn with<E: Entity, C: Command<E>>(&self, ask: AskRequest<E, C>, within: Duration) -> AskRequest<E, C> {
        let within = self.timeout.map_or(within, |timeout| timeout.min(within));
        let ask = ask.within(within);
        let ask = match &self.correlation {
            Some(correlation) => ask.correlation(correlation.clone()),
            None => ask,
        };
        if self.repeatable {
            ask.command_id(self.command).fingerprint(self.fingerprint)
        } else {
            ask.known_as(self.command)
        }
    }
}

fn key(metadata: &MetadataMap) -> Result<Option<&str>, Status> {
    let mut given = metadata.get_all("idempotency-key").iter();
    let Some(first) = given.next() else { return Ok(None) };
    let text = first.to_str().unwrap_or_default();
    let is_key = (1..=MAX_KEY).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if is_key && given.next().is_none() {
        return Ok(Some(text));
    }
    let message = format!("idempotency-key must be given once, with 1 to {MAX_KEY} visible ASCII characters");
    Err(Status::invalid_argument(message))
}

/// `grpc-timeout`: up to 8 digits and a unit.
fn timeout(metadata: &MetadataMap) -> Option<Duration> {
    let given = metadata.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = given.split_at_checked(given.len().checked_sub(1)?)?;
    let number: u64 = digits.parse().ok().filter(|_| digits.len() <= 8)?;
    Some(match unit {
        "H" => Duration::from_secs(number.saturating_mul(3600)),
        "M" => Duration::from_secs(number.saturating_mul(60)),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grpc::v1::PlaceOrderRequest;

    fn call(metadata: &[(&'static str, &str)], quantity: i32) -> Request<PlaceOrderRequest> {
        let mut request = Request::new(PlaceOrderRequest { product_id: 1, quantity });
        for (name, value) in metadata {
            request.metadata_mut().append(*name, value.parse().unwrap());
        }
        request
    }

    #[test]
    fn a_key_names_the_command_and_its_stream_whatever_the_request_says() {
        let origin = |key, method, quantity| Origin::of(&call(&[("idempotency-key", key)], quantity), method).unwrap();
        let (first, again) = (origin("k", "PlaceOrder", 1), origin("k", "PlaceOrder", 2));
        assert_eq!((first.command, &first.stream), (again.command, &again.stream));
        assert_ne!(first.fingerprint, again.fingerprint);
        for other in [origin("k", "Pay", 1), origin("l", "PlaceOrder", 1)] {
            assert!(other.command != first.command && other.stream != first.stream);
        }
        let of = |name: &str| {
            let mut request = call(&[("idempotency-key", "k")], 1);
            request.extensions_mut().insert(Caller::new(name, Vec::new()));
            Origin::of(&request, "PlaceOrder").unwrap()
        };
        assert_eq!(of("anna").stream, of("anna").stream);
        assert!(of("anna").stream != of("bert").stream && of("anna").command != first.command, "users do not meet");
        let fresh = || Origin::of(&call(&[], 1), "PlaceOrder").unwrap();
        assert!(!fresh().repeatable && fresh().command != fresh().command);
    }

    #[test]
    fn a_key_that_is_no_key_is_refused() {
        for bad in ["", "a b", &"x".repeat(256)] {
            assert!(Origin::of(&call(&[("idempotency-key", bad)], 1), "Pay").is_err(), "{bad:?}");
        }
        assert!(Origin::of(&call(&[("idempotency-key", "a"), ("idempotency-key", "b")], 1), "Pay").is_err());
    }

    #[test]
    fn a_timeout_has_digits_and_a_unit() {
        let read = |text: &str| timeout(call(&[("grpc-timeout", text)], 1).metadata());
        assert_eq!(read("2S"), Some(Duration::from_secs(2)));
        assert_eq!(read("250m"), Some(Duration::from_millis(250)));
        assert_eq!(read("99999999H"), Some(Duration::from_hours(99_999_999)));
        for bad in ["", "S", "1", "-1S", "123456789S", "1s"] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }
}
