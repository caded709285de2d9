//! `[auth]`: who may use the public listeners.

use std::{path::PathBuf, time::Duration};

use super::{
    error::{ConfigError, Place, Problem},
    secret::Secret,
    section::Section,
};

/// `[auth]`: how clients prove who they are. Without any of the files or the secret, nobody is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthConfig {
    /// Whether addresses that other machines can reach are served although nobody is asked who he is. Default no.
    pub open: bool,
    /// The secret of tokens that are signed with HS256; from the environment only.
    pub secret: Option<Secret>,
    /// The file that has it.
    pub secret_file: Option<PathBuf>,
    /// The file with the public keys of tokens: a JWK Set (RFC 7517).
    pub jwks_file: Option<PathBuf>,
    /// The file with the hashes of API keys.
    pub keys_file: Option<PathBuf>,
    /// What `iss` of a token has to be. Default anything.
    pub issuer: Option<String>,
    /// What has to be among `aud` of a token. Default anything.
    pub audience: Option<String>,
    /// How far the clocks of issuers may differ from ours. Default 30 s, at most 5 min.
    pub leeway: Duration,
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self {
            open: false,
            secret: None,
            secret_file: None,
            jwks_file: None,
            keys_file: None,
            issuer: None,
            audience: None,
            leeway: Duration::from_secs(30),
        }
    }
}

impl AuthConfig {
    /// Whether clients have to prove who they are.
    pub fn is_on(&self) -> bool {
        self.secret.is_some() || [&self.secret_file, &self.jwks_file, &self.keys_file].into_iter().any(Option::is_some)
    }
}

pub(super) fn auth(mut section: Section<'_>) -> Result<AuthConfig, ConfigError> {
    let secret = section.optional::<String>("secret")?;
    if let Some(place @ Place::File { .. }) = secret.as_ref().and_then(|secret| secret.place.clone()) {
        let problem = Problem::SecretInFile { key: "auth.secret".into(), file_key: "auth.secret_file".into() };
        return Err(ConfigError::refused(place, problem));
    }
    let secret_file = section.optional::<PathBuf>("secret_file")?;
    if let (Some(secret), Some(file)) = (&secret, &secret_file)
        && let Some(place) = file.place.as_ref().or(secret.place.as_ref())
    {
        let problem = Problem::Both { key: file.key.clone(), other: secret.key.clone() };
        return Err(ConfigError::refused(place.clone(), problem));
    }
    let default = AuthConfig::default();
    let mut path = |key| section.optional::<PathBuf>(key).map(|file| file.map(|file| file.value));
    let (jwks_file, keys_file) = (path("jwks_file")?, path("keys_file")?);
    let mut text = |key| section.optional::<String>(key).map(|text| text.map(|text| text.value));
    let (issuer, audience) = (text("issuer")?, text("audience")?);
    let config = AuthConfig {
        open: section.or("open", default.open)?.value,
        secret: secret.map(|secret| Secret::new(secret.value.trim())),
        secret_file: secret_file.map(|file| file.value),
        jwks_file,
        keys_file,
        issuer,
        audience,
        leeway: section.bounded("leeway", default.leeway, Duration::ZERO..=Duration::from_mins(5))?.value,
    };
    section.finish()?;
    Ok(config)
}
