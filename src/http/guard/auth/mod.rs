//! Who sends a request: a token of an issuer that is known here, or an API key.

mod api_keys;
mod caller;
mod issuer;
mod keys;
mod token;

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, PoisonError},
};

use http::{HeaderMap, StatusCode, header};

use super::{Digest, GuardError, bearer};
use crate::{AuthConfig, Timestamp, http::Problem};
use api_keys::ApiKeys;
pub(crate) use caller::Caller;
pub use issuer::{Claims, SigningKey, new_api_key, new_secret};
use keys::Keys;
use token::{Invalid, Rules};

/// The header of API keys; `Authorization: Bearer KEY` is as good.
const API_KEY: &str = "x-api-key";

/// How long a verified token is taken for granted: checking a signature of RSA costs more than a request.
const REMEMBERED: u64 = 60_000;
/// Tokens that are remembered at a time.
const MOST_REMEMBERED: usize = 10_000;

/// Knows who callers are. Made anew by each reload, so that what is remembered is of the keys that hold.
pub(crate) struct Authority {
    keys: Keys,
    api_keys: ApiKeys,
    rules: Rules,
    /// What tells this one from another: a hash of everything that it was made of.
    print: Digest,
    remembered: Mutex<HashMap<Digest, (Caller, Timestamp)>>,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl PartialEq for Authority {
    fn eq(&self, other: &Self) -> bool {
        self.print == other.print
    }
}

impl Authority {
    /// The authority that `config` asks for; `None` when nobody is asked who he is.
    pub(super) fn read(config: &AuthConfig) -> Result<Option<Self>, GuardError> {
        if !config.is_on() {
            return Ok(None);
        }
        let (mut keys, mut print) = (Keys::default(), format!("{config:?}"));
        let mut seen = |text: &str| print.push_str(&Digest::of(text).hex());
        if let Some(secret) = &config.secret {
            let place = std::path::Path::new("STEADFAST__AUTH__SECRET");
            keys.secret(secret.expose()).map_err(|why| GuardError::wrong(place, why))?;
            seen(secret.expose());
        }
        if let Some(path) = &config.secret_file {
            keys.secret_file(path)?;
            seen(&super::error::read(path)?);
        }
        if let Some(path) = &config.jwks_file {
            keys.jwks_file(path)?;
            seen(&super::error::read(path)?);
        }
        let api_keys = match &config.keys_file {
            Some(path) => {
                seen(&super::error::read(path)?);
                ApiKeys::read(path)?
            }
            None => ApiKeys::default(),
        };
        let rules = Rules { issuer: config.issuer.clone(), audience: config.audience.clone(), leeway: config.leeway };
        Ok(Some(Self { keys, api_keys, rules, print: Digest::of(&print), remembered: Mutex::default() }))
    }

    /// Who sends these headers.
    ///
    /// # Errors
    /// 401, with what to send.
    pub(super) fn caller(&self, headers: &HeaderMap, now: Timestamp) -> Result<Caller, Problem> {
        let key = headers.get(API_KEY).map(|key| key.to_str().unwrap_or_default());
        if headers.get_all(header::AUTHORIZATION).iter().count() + headers.get_all(API_KEY).iter().count() > 1 {
            return Err(refused("send one token, or one key"));
        }
        match (key, bearer(headers)) {
            (Some(key), _) => self.api_keys.owner(key).ok_or_else(|| refused("the API key is not known")),
            (None, Some(token)) if token.contains('.') => {
                self.remembered(token, now).map_err(|why| refused(why.to_string()))
            }
            (None, Some(key)) => self.api_keys.owner(key).ok_or_else(|| refused("the API key is not known")),
            (None, None) => Err(unauthorized("say who you are: `Authorization: Bearer TOKEN`".into(), CHALLENGE)),
        }
    }

    fn remembered(&self, token: &str, now: Timestamp) -> Result<Caller, Invalid> {
        if self.keys.is_empty() {
            return Err(Invalid::UnknownKey);
        }
        let print = Digest::of(token);
        let lock = || self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((caller, until)) = lock().get(&print)
            && now < *until
        {
            return Ok(caller.clone());
        }
        let verified = token::verify(token, &self.keys, &self.rules, now)?;
        let until = verified.until.min(Timestamp::from_millis(now.as_millis().saturating_add(REMEMBERED)));
        let mut remembered = lock();
        if remembered.len() >= MOST_REMEMBERED {
            remembered.retain(|_, (_, until)| now < *until);
        }
        if remembered.len() < MOST_REMEMBERED {
            remembered.insert(print, (verified.caller.clone(), until));
        }
        Ok(verified.caller)
    }
}

const CHALLENGE: &str = r#"Bearer realm="steadfast""#;
const INVALID: &str = r#"Bearer realm="steadfast", error="invalid_token""#;

fn refused(why: impl Into<String>) -> Problem {
    unauthorized(why.into(), INVALID)
}

fn unauthorized(why: String, challenge: &'static str) -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", why)
        .with_header(header::WWW_AUTHENTICATE, challenge)
        .with("outcome", "not done".into())
}

#[cfg(test)]
mod tests;
