//! The keys that tokens are signed with, each bound to one algorithm.

use std::path::Path;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use ring::{
    hmac,
    signature::{self, RsaPublicKeyComponents, UnparsedPublicKey},
};
use serde::Deserialize;

use super::super::{GuardError, error};

/// Shorter secrets are weaker than the hash that they are used with (RFC 7518, 3.2).
const SHORTEST_SECRET: usize = 32;
/// Keys of one set: a few issuers, each with the old and the new one.
const MOST_KEYS: usize = 64;

/// The algorithms that a token may be signed with. `none` is not among them, and a token cannot choose: its key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(super) enum Algorithm {
    #[serde(rename = "HS256")]
    Hs256,
    #[serde(rename = "RS256")]
    Rs256,
    #[serde(rename = "EdDSA")]
    EdDsa,
}

/// A key with its one algorithm.
pub(super) struct Key {
    /// What tokens call it.
    id: Option<String>,
    verifier: Verifier,
}

enum Verifier {
    Hs256(hmac::Key),
    Rs256(RsaPublicKeyComponents<Vec<u8>>),
    EdDsa(UnparsedPublicKey<Vec<u8>>),
}

/// Every key that tokens are checked with.
#[derive(Default)]
pub(super) struct Keys(Vec<Key>);

impl Keys {
    /// Adds a secret of HS256.
    ///
    /// # Errors
    /// It is too short.
    pub(super) fn secret(&mut self, secret: &str) -> Result<(), String> {
        self.0.push(Key { id: None, verifier: hs256(secret.as_bytes())? });
        Ok(())
    }

    /// Adds a secret of HS256 from its file; blanks around it are not part of it.
    pub(super) fn secret_file(&mut self, path: &Path) -> Result<(), GuardError> {
        self.secret(error::read(path)?.trim()).map_err(|why| GuardError::wrong(path, why))
    }

    /// Adds the keys of a JWK Set. Keys for something else than signatures are left out.
    pub(super) fn jwks_file(&mut self, path: &Path) -> Result<(), GuardError> {
        self.jwks(&error::read(path)?).map_err(|why| GuardError::wrong(path, why))
    }

    fn jwks(&mut self, text: &str) -> Result<(), String> {
        // what serde_json says of a value names its kind and place, and quotes texts: none of it is repeated
        let set: JwkSet = serde_json::from_str(text)
            .map_err(|error| format!("it is no JWK Set (line {}, column {})", error.line(), error.column()))?;
        if set.keys.len() > MOST_KEYS {
            return Err(format!("it has more than {MOST_KEYS} keys"));
        }
        let before = self.0.len();
        for (jwk, nth) in set.keys.into_iter().zip(1..) {
            if jwk.is_for_signatures() {
                self.0.push(jwk.key().map_err(|why| format!("key {nth}: {why}"))?);
            }
        }
        if self.0.len() == before { Err("it has no key for signatures".to_owned()) } else { Ok(()) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a key of this algorithm and name signed `message`. A token without a name may be of any key of its
    /// algorithm; keys without a name are tried for every name.
    ///
    /// # Errors
    /// No key comes into question, or none of those that do.
    pub(super) fn verify(
        &self,
        algorithm: Algorithm,
        id: Option<&str>,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), NotSigned> {
        let comes_into_question =
            |key: &&Key| key.algorithm() == algorithm && (id.is_none() || key.id.is_none() || key.id.as_deref() == id);
        let mut found = NotSigned::UnknownKey;
        for key in self.0.iter().filter(comes_into_question) {
            match key.verify(message, signature) {
                Ok(()) => return Ok(()),
                Err(_) => found = NotSigned::Otherwise,
            }
        }
        Err(found)
    }
}

/// Why a signature does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotSigned {
    UnknownKey,
    Otherwise,
}

impl Key {
    fn algorithm(&self) -> Algorithm {
        match self.verifier {
            Verifier::Hs256(_) => Algorithm::Hs256,
            Verifier::Rs256(_) => Algorithm::Rs256,
            Verifier::EdDsa(_) => Algorithm::EdDsa,
        }
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), ring::error::Unspecified> {
        match &self.verifier {
            Verifier::Hs256(key) => hmac::verify(key, message, signature),
            Verifier::Rs256(key) => key.verify(&signature::RSA_PKCS1_2048_8192_SHA256, message, signature),
            Verifier::EdDsa(key) => key.verify(message, signature),
        }
    }
}

#[derive(Deserialize)]
struct JwkSet {
    keys: Vec<Jwk>,
}

/// A key as RFC 7517 and RFC 8037 have it; members that do not matter here are left out.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    crv: Option<String>,
    k: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
}

impl Jwk {
    fn is_for_signatures(&self) -> bool {
        self.usage.as_deref().is_none_or(|usage| usage == "sig")
    }

    fn key(self) -> Result<Key, String> {
        let (algorithm, verifier) = match self.kty.as_str() {
            "oct" => ("HS256", hs256(&part(self.k.as_deref(), "k")?)?),
            "RSA" => {
                let (n, e) = (part(self.n.as_deref(), "n")?, part(self.e.as_deref(), "e")?);
                let bits = n.iter().skip_while(|byte| **byte == 0).count() * 8;
                if bits < 2048 {
                    return Err(format!("an RSA key of {bits} bits is too short, 2048 is the least"));
                }
                ("RS256", Verifier::Rs256(RsaPublicKeyComponents { n, e }))
            }
            "OKP" if self.crv.as_deref() == Some("Ed25519") => {
                let x = part(self.x.as_deref(), "x")?;
                if x.len() != 32 {
                    return Err("`x` of an Ed25519 key has 32 bytes".to_owned());
                }
                ("EdDSA", Verifier::EdDsa(UnparsedPublicKey::new(&signature::ED25519, x)))
            }
            _ => return Err("only oct, RSA, and OKP with Ed25519 are known".to_owned()),
        };
        if self.alg.as_deref().is_some_and(|given| given != algorithm) {
            return Err(format!("`alg` of a key of this kind is {algorithm}"));
        }
        Ok(Key { id: self.kid, verifier })
    }
}

fn hs256(secret: &[u8]) -> Result<Verifier, String> {
    if secret.len() < SHORTEST_SECRET {
        return Err(format!("a secret of HS256 has at least {SHORTEST_SECRET} bytes"));
    }
    Ok(Verifier::Hs256(hmac::Key::new(hmac::HMAC_SHA256, secret)))
}

fn part(text: Option<&str>, name: &str) -> Result<Vec<u8>, String> {
    let text = text.ok_or_else(|| format!("`{name}` is missing"))?;
    BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| format!("`{name}` is no base64url"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(jwks: &str) -> String {
        Keys::default().jwks(jwks).unwrap_err()
    }

    #[test]
    fn a_key_is_refused_by_its_place_and_never_told() {
        let short = BASE64_URL_SAFE_NO_PAD.encode("correct horse");
        for (text, why) in [
            ("{", "it is no JWK Set (line 1, column 1)"),
            (r#"{"keys":[]}"#, "it has no key for signatures"),
            (r#"{"keys":[{"kty":"oct","use":"enc","k":"AA"}]}"#, "it has no key for signatures"),
            (
                &format!(r#"{{"keys":[{{"kty":"oct","k":"{short}"}}]}}"#),
                "key 1: a secret of HS256 has at least 32 bytes",
            ),
            (r#"{"keys":[{"kty":"oct"}]}"#, "key 1: `k` is missing"),
            (r#"{"keys":[{"kty":"EC","crv":"P-256"}]}"#, "key 1: only oct, RSA, and OKP with Ed25519 are known"),
            (
                r#"{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}"#,
                "key 1: an RSA key of 24 bits is too short, 2048 is the least",
            ),
            (r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AQAB"}]}"#, "key 1: `x` of an Ed25519 key has 32 bytes"),
        ] {
            assert_eq!(refusal(text), why, "{text}");
        }
        let key = BASE64_URL_SAFE_NO_PAD.encode("x".repeat(32));
        let wrong = format!(r#"{{"keys":[{{"kty":"oct","alg":"RS256","k":"{key}"}}]}}"#);
        assert_eq!(refusal(&wrong), "key 1: `alg` of a key of this kind is HS256");
        let of = |count: usize| {
            format!(r#"{{"keys":[{}]}}"#, vec![format!(r#"{{"kty":"oct","k":"{key}"}}"#); count].join(","))
        };
        assert!(Keys::default().jwks(&of(MOST_KEYS)).is_ok());
        assert_eq!(refusal(&of(MOST_KEYS + 1)), "it has more than 64 keys");
    }

    /// RFC 8037, A.4: what the standard says is signed with the key of A.2.
    #[test]
    fn the_example_of_the_standard_is_verified() {
        let mut keys = Keys::default();
        let jwk =
            r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
        keys.jwks(jwk).unwrap();
        let message = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
        let signature = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
        let verify = |algorithm, id, message: &[u8]| keys.verify(algorithm, id, message, &signature);
        assert_eq!(verify(Algorithm::EdDsa, None, message), Ok(()));
        assert_eq!(verify(Algorithm::EdDsa, Some("a"), message), Ok(()));
        assert_eq!(verify(Algorithm::EdDsa, Some("b"), message), Err(NotSigned::UnknownKey));
        assert_eq!(verify(Algorithm::EdDsa, None, b"another"), Err(NotSigned::Otherwise));
        for other in [Algorithm::Hs256, Algorithm::Rs256] {
            assert_eq!(verify(other, None, message), Err(NotSigned::UnknownKey), "{other:?}");
        }
    }
}
