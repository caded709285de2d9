//! `steadfast token`: tokens and keys for clients.

use std::{path::PathBuf, time::Duration};

use anyhow::anyhow;
use clap::{ArgGroup, Args};
use serde_json::json;
use steadfast::{
    Clock,
    http::{Claims, SigningKey, new_api_key, new_secret},
};

use super::{Exit, data::say_json, say};

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
#[command(group = ArgGroup::new("what").required(true).args(["secret_file", "key_file", "api_key", "new_secret"]))]
pub(super) struct Token {
    /// Signs with HS256 and the secret in this file, as [auth] `secret_file` has it.
    #[arg(long)]
    secret_file: Option<PathBuf>,
    /// Signs with RS256 or `EdDSA` and the private key in this PEM file.
    #[arg(long)]
    key_file: Option<PathBuf>,
    /// Makes an API key instead, and the line for [auth] `keys_file`.
    #[arg(long)]
    api_key: bool,
    /// Makes a secret for `--secret-file` instead.
    #[arg(long)]
    new_secret: bool,
    /// Shows the public part of `--key-file` as a JWK Set, for [auth] `jwks_file`, instead of a token.
    #[arg(long, requires = "key_file")]
    jwks: bool,
    /// Whom it names.
    #[arg(long, default_value = "developer")]
    subject: String,
    /// A role of his, in every system (`owner`) or in one (`store/owner`); may be given more than once.
    #[arg(long = "role")]
    roles: Vec<String>,
    /// How long it holds, at most a year.
    #[arg(long = "for", value_name = "TIME", default_value = "1h", value_parser = lifetime)]
    lifetime: Duration,
    /// Who says so (`iss`).
    #[arg(long)]
    issuer: Option<String>,
    /// For whom it is (`aud`).
    #[arg(long)]
    audience: Option<String>,
    /// What the key is called (`kid`).
    #[arg(long)]
    key_id: Option<String>,
    /// As JSON, for programs.
    #[arg(long)]
    json: bool,
}

const YEAR: Duration = Duration::from_hours(366 * 24);

fn lifetime(text: &str) -> Result<Duration, String> {
    let read = steadfast::read_duration(text).filter(|time| (Duration::from_secs(1)..=YEAR).contains(time));
    read.ok_or_else(|| "a time with its unit, as 90s, 15m, 1h or 7d, from 1s to 366d".to_owned())
}

impl Token {
    pub(super) fn run(self) -> Result<(), Exit> {
        if self.roles.iter().chain([&self.subject]).any(|word| word.is_empty() || word.contains([' ', ',', '\n'])) {
            return Err(Exit::Usage(anyhow!("a subject or role has no blank and no comma")));
        }
        if self.new_secret {
            return self.tell("secret", new_secret().expose());
        }
        if self.api_key {
            let (key, line) = new_api_key(&self.subject, &self.roles);
            if self.json {
                return say_json(&json!({ "key": key.expose(), "line": line }));
            }
            say(&format!("key:  {}\nline: {line}", key.expose()));
            return Ok(());
        }
        let key = match (&self.secret_file, &self.key_file) {
            (Some(file), _) => SigningKey::secret_file(file),
            (None, Some(file)) => SigningKey::key_file(file),
            (None, None) => return Err(Exit::Usage(anyhow!("name a key with --secret-file or --key-file"))),
        };
        let key = key.map_err(|error| Exit::Usage(error.into()))?;
        if self.jwks {
            let jwks = key.jwks(self.key_id.as_deref());
            say(&jwks.ok_or_else(|| Exit::Usage(anyhow!("a secret has no public part")))?);
            return Ok(());
        }
        let claims = Claims {
            subject: self.subject.clone(),
            roles: self.roles.clone(),
            issuer: self.issuer.clone(),
            audience: self.audience.clone(),
            lifetime: self.lifetime,
            key_id: self.key_id.clone(),
        };
        self.tell("token", key.issue(&claims, Clock::system().now()).expose())
    }

    fn tell(&self, name: &str, text: &str) -> Result<(), Exit> {
        if self.json {
            return say_json(&json!({ name: text }));
        }
        say(text);
        Ok(())
    }
}
