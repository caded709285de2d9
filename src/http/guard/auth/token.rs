//! A JSON Web Token (RFC 7519, as RFC 8725 advises): signed by a known key with its algorithm, not expired, for us.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    Caller,
    keys::{Algorithm, Keys, NotSigned},
};
use crate::Timestamp;

/// The longest token: half of what all headers may have.
const MOST_BYTES: usize = 16 * 1024;
/// The longest subject: it is in logs and counts requests.
const MOST_SUBJECT: usize = 256;
/// Roles of one token.
const MOST_ROLES: usize = 64;

/// Why a token does not count, in the words that its client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Invalid {
    #[error("the token is no signed JWT")]
    Malformed,
    #[error("the token is signed with an algorithm that is not known here")]
    Algorithm,
    #[error("the token is signed with a key that is not known here")]
    UnknownKey,
    #[error("the signature of the token is wrong")]
    Signature,
    #[error("the token has no usable `exp`")]
    NoExpiry,
    #[error("the token has expired")]
    Expired,
    #[error("the token does not hold yet")]
    NotYet,
    #[error("the token is of another issuer")]
    Issuer,
    #[error("the token is for somebody else")]
    Audience,
    #[error("the token has no usable `sub`")]
    Subject,
    #[error("the `roles` of the token are not a list of at most 64 texts")]
    Roles,
}

/// What a token has to say.
#[derive(Clone, Debug, Default)]
pub(super) struct Rules {
    pub(super) issuer: Option<String>,
    pub(super) audience: Option<String>,
    pub(super) leeway: Duration,
}

/// Whom a token names, and until when.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Verified {
    pub(super) caller: Caller,
    pub(super) until: Timestamp,
}

#[derive(Deserialize)]
struct Header {
    alg: Value,
    kid: Option<String>,
    typ: Option<String>,
    crit: Option<Value>,
}

/// Checks a token at `now`.
pub(super) fn verify(token: &str, keys: &Keys, rules: &Rules, now: Timestamp) -> Result<Verified, Invalid> {
    let parts: Vec<&str> = token.split('.').collect();
    let [header, claims, signature] = parts.as_slice() else { return Err(Invalid::Malformed) };
    let signed = token.get(..header.len() + 1 + claims.len()).ok_or(Invalid::Malformed)?;
    if token.len() > MOST_BYTES {
        return Err(Invalid::Malformed);
    }
    let head: Header = serde_json::from_slice(&decode(header)?).map_err(|_| Invalid::Malformed)?;
    let is_access = |typ: &str| ["jwt", "at+jwt", "application/at+jwt"].contains(&typ.to_ascii_lowercase().as_str());
    // extensions that have to be understood (RFC 7515, 4.1.11): none is
    if head.crit.is_some() || !head.typ.as_deref().is_none_or(is_access) {
        return Err(Invalid::Malformed);
    }
    let algorithm: Algorithm = serde_json::from_value(head.alg).map_err(|_| Invalid::Algorithm)?;
    keys.verify(algorithm, head.kid.as_deref(), signed.as_bytes(), &decode(signature)?).map_err(|why| match why {
        NotSigned::UnknownKey => Invalid::UnknownKey,
        NotSigned::Otherwise => Invalid::Signature,
    })?;
    let claims: Map<String, Value> = serde_json::from_slice(&decode(claims)?).map_err(|_| Invalid::Malformed)?;
    rules.verified(&claims, now)
}

impl Rules {
    fn verified(&self, claims: &Map<String, Value>, now: Timestamp) -> Result<Verified, Invalid> {
        let leeway = u64::try_from(self.leeway.as_millis()).unwrap_or(u64::MAX);
        let expires = claims.get("exp").and_then(moment).ok_or(Invalid::NoExpiry)?;
        let until = expires.saturating_add(leeway);
        if now.as_millis() >= until {
            return Err(Invalid::Expired);
        }
        // one that is there and is no number does not count as absent
        if let Some(begin) = claims.get("nbf") {
            let begin = moment(begin).ok_or(Invalid::NotYet)?;
            if now.as_millis().saturating_add(leeway) < begin {
                return Err(Invalid::NotYet);
            }
        }
        if let Some(issuer) = &self.issuer
            && claims.get("iss").and_then(Value::as_str) != Some(issuer)
        {
            return Err(Invalid::Issuer);
        }
        if let Some(audience) = &self.audience {
            let is_named = match claims.get("aud") {
                Some(Value::Array(all)) => all.iter().any(|one| one.as_str() == Some(audience)),
                Some(one) => one.as_str() == Some(audience),
                None => false,
            };
            if !is_named {
                return Err(Invalid::Audience);
            }
        }
        let subject = claims.get("sub").and_then(Value::as_str).filter(|subject| is_subject(subject));
        let subject = subject.ok_or(Invalid::Subject)?;
        let roles = match claims.get("roles") {
            None => Vec::new(),
            Some(Value::Array(roles)) if roles.len() <= MOST_ROLES => {
                let roles = roles.iter().map(|role| role.as_str().map(str::to_owned));
                roles.collect::<Option<Vec<String>>>().ok_or(Invalid::Roles)?
            }
            Some(_) => return Err(Invalid::Roles),
        };
        Ok(Verified { caller: Caller::new(subject, roles), until: Timestamp::from_millis(until) })
    }
}

/// Whether a text may name somebody: it is written to logs.
pub(super) fn is_subject(text: &str) -> bool {
    (1..=MOST_SUBJECT).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// Seconds since 1970, with or without a fraction, as milliseconds.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked just before")]
fn moment(value: &Value) -> Option<u64> {
    let seconds = value.as_f64().filter(|seconds| (0.0..1e12).contains(seconds))?;
    Some((seconds * 1000.0) as u64)
}

fn decode(part: &str) -> Result<Vec<u8>, Invalid> {
    BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|_| Invalid::Malformed)
}

#[cfg(test)]
mod tests {
    use ring::hmac;
    use serde_json::json;

    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn token(header: &Value, claims: &Value, secret: &str) -> String {
        let encode = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(header), encode(claims));
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes())))
    }

    fn check(token: &str, rules: &Rules) -> Result<Verified, Invalid> {
        let mut keys = Keys::default();
        keys.secret(SECRET).unwrap();
        verify(token, &keys, rules, NOW)
    }

    fn claims(changes: &Value) -> Value {
        let mut claims = json!({"sub": "anna", "exp": 1_700_000_060, "roles": ["owner", "stay/host"]});
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
    }

    fn hs256(changes: &Value, rules: &Rules) -> Result<Verified, Invalid> {
        check(&token(&json!({"alg": "HS256", "typ": "JWT"}), &claims(changes), SECRET), rules)
    }

    #[test]
    fn a_good_token_names_its_caller() {
        let verified = hs256(&json!({}), &Rules::default()).unwrap();
        assert_eq!(verified.until, Timestamp::from_millis(1_700_000_060_000));
        assert_eq!(verified.caller, Caller::new("anna", vec!["owner".into(), "stay/host".into()]));
    }

    #[test]
    fn a_token_counts_only_within_its_time() {
        let leeway = |seconds| Rules { leeway: Duration::from_secs(seconds), ..Rules::default() };
        for (changes, seconds, expected) in [
            (json!({"exp": 1_700_000_000}), 0, Err(Invalid::Expired)),
            (json!({"exp": 1_700_000_000}), 1, Ok(())),
            (json!({"exp": 1_699_999_990.5}), 10, Ok(())),
            (json!({"exp": 1_699_999_989}), 10, Err(Invalid::Expired)),
            (json!({"exp": null}), 10, Err(Invalid::NoExpiry)),
            (json!({"exp": "1700000060"}), 10, Err(Invalid::NoExpiry)),
            (json!({"exp": -1}), 10, Err(Invalid::NoExpiry)),
            (json!({"nbf": 1_700_000_001}), 0, Err(Invalid::NotYet)),
            (json!({"nbf": 1_700_000_001}), 1, Ok(())),
            (json!({"nbf": "never"}), 10, Err(Invalid::NotYet)),
        ] {
            assert_eq!(hs256(&changes, &leeway(seconds)).map(|_| ()), expected, "{changes}");
        }
    }

    #[test]
    fn a_token_counts_only_from_our_issuer_and_for_us() {
        let (issuer, audience) = (Some("https://login".to_owned()), Some("steadfast".to_owned()));
        let rules = Rules { issuer, audience, leeway: Duration::ZERO };
        for (changes, expected) in [
            (json!({"iss": "https://login", "aud": "steadfast"}), Ok(())),
            (json!({"iss": "https://login", "aud": ["other", "steadfast"]}), Ok(())),
            (json!({"aud": "steadfast"}), Err(Invalid::Issuer)),
            (json!({"iss": ["https://login"], "aud": "steadfast"}), Err(Invalid::Issuer)),
            (json!({"iss": "https://login"}), Err(Invalid::Audience)),
            (json!({"iss": "https://login", "aud": ["other"]}), Err(Invalid::Audience)),
            (json!({"iss": "https://login", "aud": "steadfast", "sub": ""}), Err(Invalid::Subject)),
            (json!({"iss": "https://login", "aud": "steadfast", "sub": "a\nb"}), Err(Invalid::Subject)),
            (json!({"iss": "https://login", "aud": "steadfast", "sub": 7}), Err(Invalid::Subject)),
            (json!({"iss": "https://login", "aud": "steadfast", "roles": "owner"}), Err(Invalid::Roles)),
            (json!({"iss": "https://login", "aud": "steadfast", "roles": [1]}), Err(Invalid::Roles)),
            (json!({"iss": "https://login", "aud": "steadfast", "roles": vec!["r"; 65]}), Err(Invalid::Roles)),
        ] {
            assert_eq!(hs256(&changes, &rules).map(|_| ()), expected, "{changes}");
        }
    }

    #[test]
    fn no_token_chooses_how_it_is_checked() {
        let with = |header: Value, secret: &str| {
            check(&token(&header, &claims(&json!({})), secret), &Rules::default()).map(|_| ())
        };
        assert_eq!(with(json!({"alg": "HS256"}), SECRET), Ok(()));
        assert_eq!(with(json!({"alg": "HS256"}), "ffffffffffffffffffffffffffffffff"), Err(Invalid::Signature));
        for other in ["none", "None", "HS512", "hs256", "ES256", ""] {
            assert_eq!(with(json!({"alg": other}), SECRET), Err(Invalid::Algorithm), "{other}");
        }
        // a secret is no public key: what it signs is not looked at under another name
        assert_eq!(with(json!({"alg": "RS256"}), SECRET), Err(Invalid::UnknownKey));
        assert_eq!(with(json!({"alg": "EdDSA"}), SECRET), Err(Invalid::UnknownKey));
        assert_eq!(with(json!({"alg": "HS256", "crit": ["exp"]}), SECRET), Err(Invalid::Malformed));
        assert_eq!(with(json!({"alg": "HS256", "typ": "dpop+jwt"}), SECRET), Err(Invalid::Malformed));
    }

    #[test]
    fn what_was_changed_does_not_count() {
        let whole = token(&json!({"alg": "HS256"}), &claims(&json!({})), SECRET);
        let rules = Rules::default();
        let parts: Vec<&str> = whole.split('.').collect();
        let forged = BASE64_URL_SAFE_NO_PAD.encode(claims(&json!({"sub": "eve"})).to_string());
        for wrong in [
            format!("{}.{forged}.{}", parts[0], parts[2]),
            format!("{}.{}.", parts[0], parts[1]),
            format!("{}.{}", parts[0], parts[1]),
            format!("{whole}.x"),
            format!("{whole}="),
            format!("{whole}A"),
            whole[..whole.len() - 1].to_owned(),
            String::new(),
            "..".to_owned(),
            "é.é.é".to_owned(),
        ] {
            assert!(check(&wrong, &rules).is_err(), "{wrong}");
        }
        assert!(check(&whole, &rules).is_ok());
    }
}
