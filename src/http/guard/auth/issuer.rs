//! Tokens and keys for development and for whoever has no issuer of his own.

use std::{path::Path, time::Duration};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::{
    hmac,
    rand::{SecureRandom, SystemRandom},
    rsa,
    signature::{Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair},
};
use serde_json::{Map, Value, json};
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, pem::PemObject};

use super::super::{Digest, GuardError, error};
use crate::{Secret, Timestamp};

/// What API keys begin with, so that one that leaks is recognised.
const API_KEY: &str = "sf_";
/// Shorter secrets are refused by whoever checks the token.
const SHORTEST_SECRET: usize = 32;

/// Signs tokens: HS256 with a secret, RS256 or `EdDSA` with a private key.
pub struct SigningKey(Kind);

enum Kind {
    Secret(hmac::Key),
    Rsa(Box<RsaKeyPair>),
    Ed25519(Ed25519KeyPair),
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

/// What a token says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// Whom it names.
    pub subject: String,
    /// His roles, as `owner` or `store/owner`.
    pub roles: Vec<String>,
    /// Who says so.
    pub issuer: Option<String>,
    /// For whom it is.
    pub audience: Option<String>,
    /// How long it holds.
    pub lifetime: Duration,
    /// What its key is called.
    pub key_id: Option<String>,
}

impl SigningKey {
    /// The secret in a file; blanks around it are not part of it.
    ///
    /// # Errors
    /// It cannot be read, or it is shorter than 32 bytes.
    pub fn secret_file(path: &Path) -> Result<Self, GuardError> {
        let secret = error::read(path)?;
        let secret = secret.trim();
        if secret.len() < SHORTEST_SECRET {
            return Err(GuardError::wrong(
                path,
                format_args!("a secret of HS256 has at least {SHORTEST_SECRET} bytes"),
            ));
        }
        Ok(Self(Kind::Secret(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()))))
    }

    /// The private key in a PEM file: RSA (PKCS#1 or #8) or Ed25519 (PKCS#8).
    ///
    /// # Errors
    /// It cannot be read, or it is no such key.
    pub fn key_file(path: &Path) -> Result<Self, GuardError> {
        let text = error::read(path)?;
        let unknown = || GuardError::wrong(path, "it has no private key of RSA or Ed25519 as PEM");
        let kind = match PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|_| unknown())? {
            PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()).map(Box::new).map(Kind::Rsa),
            PrivateKeyDer::Pkcs8(der) => {
                let der = der.secret_pkcs8_der();
                let ed25519 = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map(Kind::Ed25519);
                ed25519.or_else(|_| RsaKeyPair::from_pkcs8(der).map(Box::new).map(Kind::Rsa))
            }
            PrivateKeyDer::Sec1(_) | _ => return Err(unknown()),
        };
        kind.map(Self).map_err(|_| unknown())
    }

    /// A token that holds from `now` on.
    pub fn issue(&self, claims: &Claims, now: Timestamp) -> Secret {
        let seconds = now.as_millis() / 1000;
        let mut header =
            Map::from_iter([("alg".to_owned(), Value::from(self.algorithm())), ("typ".to_owned(), "JWT".into())]);
        header.extend(claims.key_id.as_ref().map(|id| ("kid".to_owned(), id.as_str().into())));
        let mut said = Map::from_iter([
            ("sub".to_owned(), Value::from(claims.subject.as_str())),
            ("iat".to_owned(), seconds.into()),
            ("exp".to_owned(), seconds.saturating_add(claims.lifetime.as_secs()).into()),
            ("roles".to_owned(), claims.roles.clone().into()),
        ]);
        for (name, value) in [("iss", &claims.issuer), ("aud", &claims.audience)] {
            said.extend(value.as_ref().map(|value| (name.to_owned(), value.as_str().into())));
        }
        let encode = |text: String| BASE64_URL_SAFE_NO_PAD.encode(text);
        let signed =
            format!("{}.{}", encode(Value::Object(header).to_string()), encode(Value::Object(said).to_string()));
        let signature = BASE64_URL_SAFE_NO_PAD.encode(self.sign(signed.as_bytes()));
        Secret::new(format!("{signed}.{signature}"))
    }

    fn algorithm(&self) -> &'static str {
        match self.0 {
            Kind::Secret(_) => "HS256",
            Kind::Rsa(_) => "RS256",
            Kind::Ed25519(_) => "EdDSA",
        }
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.0 {
            Kind::Secret(key) => hmac::sign(key, message).as_ref().to_vec(),
            Kind::Ed25519(key) => key.sign(message).as_ref().to_vec(),
            Kind::Rsa(key) => {
                let mut signature = vec![0; rsa_length(key)];
                key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
                    .expect("the length is that of its modulus");
                signature
            }
        }
    }

    /// The public part as a JWK Set, for `[auth] jwks_file`; `None` of a secret, which has none.
    pub fn jwks(&self, key_id: Option<&str>) -> Option<String> {
        use ring::signature::KeyPair;
        let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let parts = match &self.0 {
            Kind::Secret(_) => return None,
            Kind::Ed25519(key) => {
                vec![("kty", "OKP".to_owned()), ("crv", "Ed25519".to_owned()), ("x", encode(key.public_key().as_ref()))]
            }
            Kind::Rsa(key) => {
                let parts: rsa::PublicKeyComponents<Vec<u8>> = key.public().into();
                vec![("kty", "RSA".to_owned()), ("n", encode(&parts.n)), ("e", encode(&parts.e))]
            }
        };
        let named = [("alg", self.algorithm().to_owned()), ("use", "sig".to_owned())];
        let id = key_id.map(|id| ("kid", id.to_owned()));
        let members = parts.into_iter().chain(named).chain(id);
        let jwk: Map<String, Value> = members.map(|(name, value)| (name.to_owned(), value.into())).collect();
        Some(json!({ "keys": [jwk] }).to_string())
    }
}

fn rsa_length(key: &RsaKeyPair) -> usize {
    key.public().modulus_len()
}

/// A secret for HS256: 48 random bytes in 64 characters.
pub fn new_secret() -> Secret {
    Secret::new(random::<48>())
}

/// A new API key, and the line of `[auth] keys_file` that knows it.
pub fn new_api_key(subject: &str, roles: &[String]) -> (Secret, String) {
    let key = format!("{API_KEY}{}", random::<32>());
    let roles = if roles.is_empty() { "-".to_owned() } else { roles.join(",") };
    let line = format!("{subject} {roles} {}", Digest::of(&key).hex());
    (Secret::new(key), line)
}

fn random<const BYTES: usize>() -> String {
    let mut bytes = [0; BYTES];
    SystemRandom::new().fill(&mut bytes).expect("the system has randomness");
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::guard::auth::{Caller, keys::Keys, token};

    fn claims() -> Claims {
        let (issuer, audience) = (Some("dev".to_owned()), Some("steadfast".to_owned()));
        let (lifetime, key_id) = (Duration::from_mins(1), Some("k1".to_owned()));
        Claims { subject: "anna".into(), roles: vec!["owner".into()], issuer, audience, lifetime, key_id }
    }

    fn is_good(token: &Secret, keys: &Keys) {
        let rules =
            token::Rules { issuer: Some("dev".into()), audience: Some("steadfast".into()), leeway: Duration::ZERO };
        let verified = token::verify(token.expose(), keys, &rules, Timestamp::from_millis(1_000_500)).unwrap();
        assert_eq!(verified.caller, Caller::new("anna", vec!["owner".into()]));
        assert_eq!(verified.until, Timestamp::from_millis(1_060_000));
    }

    #[test]
    fn what_is_signed_with_a_secret_is_verified_with_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        std::fs::write(&path, format!("{}\n", new_secret().expose())).unwrap();
        let key = SigningKey::secret_file(&path).unwrap();
        let mut keys = Keys::default();
        keys.secret_file(&path).unwrap();
        is_good(&key.issue(&claims(), Timestamp::from_millis(1_000_000)), &keys);
        assert!(key.jwks(None).is_none());
        std::fs::write(&path, "short").unwrap();
        assert!(SigningKey::secret_file(&path).is_err());
        assert!(SigningKey::key_file(&path).is_err());
    }

    #[test]
    fn what_is_signed_with_a_private_key_is_verified_with_its_public_one() {
        let directory = tempfile::tempdir().unwrap();
        let (pem, jwks) = (directory.path().join("key.pem"), directory.path().join("jwks.json"));
        // ring makes no keys of RSA: one of these was made for this test
        let ed25519 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap().serialize_pem();
        for (text, algorithm) in [(ed25519.as_str(), "EdDSA"), (include_str!("rsa_of_tests.pem"), "RS256")] {
            std::fs::write(&pem, text).unwrap();
            let key = SigningKey::key_file(&pem).unwrap();
            assert_eq!(key.algorithm(), algorithm);
            std::fs::write(&jwks, key.jwks(Some("k1")).unwrap()).unwrap();
            let mut keys = Keys::default();
            keys.jwks_file(&jwks).unwrap();
            is_good(&key.issue(&claims(), Timestamp::from_millis(1_000_000)), &keys);
        }
    }

    #[test]
    fn new_keys_differ() {
        assert_eq!(new_secret().expose().len(), 64);
        let (one, line) = new_api_key("shop", &["owner".into(), "hq".into()]);
        let (other, bare) = new_api_key("shop", &[]);
        assert_ne!(one, other);
        assert!(one.expose().starts_with("sf_") && line == format!("shop owner,hq {}", Digest::of(one.expose()).hex()));
        assert!(bare.starts_with("shop - "));
    }
}
