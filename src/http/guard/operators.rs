//! Who operators are: a token each, or everybody on this machine.

use std::{
    net::IpAddr,
    path::Path,
    sync::{Arc, RwLock},
};

use http::{HeaderMap, StatusCode, header};

use super::{Digest, GuardError, bearer, error, reloaded};
use crate::http::Problem;

/// Shorter tokens could be guessed.
const SHORTEST: usize = 16;
/// Operators at a time.
const MOST: usize = 64;
/// What an operator is called whose token has no name before it, and one that needs no token.
const UNNAMED: &str = "operator";
const LOCAL: &str = "local";

/// The operators' tokens. All clones are one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Operators(Arc<RwLock<Option<Arc<Tokens>>>>);

/// What a file of tokens says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Tokens(Vec<(Arc<str>, Digest)>);

impl Tokens {
    /// Reads `path`: on each line a token, or a name and a token.
    pub(crate) fn read(path: &Path) -> Result<Self, GuardError> {
        let text = error::read(path)?;
        Self::parse(&text).map_err(|why| GuardError::wrong(path, why))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut tokens = Vec::new();
        for (number, line) in error::lines(text) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (name, token) = match words.as_slice() {
                [token] => (UNNAMED, *token),
                [name, token] => (*name, *token),
                _ => return Err(format!("line {number} is not a name and a token")),
            };
            if token.len() < SHORTEST {
                return Err(format!("the token in line {number} is shorter than {SHORTEST} characters"));
            }
            tokens.push((name.into(), Digest::of(token)));
        }
        match tokens.len() {
            0 => Err("it has no token".to_owned()),
            1..=MOST => Ok(Self(tokens)),
            _ => Err(format!("it has more than {MOST} tokens")),
        }
    }
}

impl Operators {
    /// From now on these are the operators; `None`: everybody on this machine. Whether they are others than before.
    pub(crate) fn replace(&self, tokens: Option<Tokens>) -> bool {
        super::replace(&self.0, tokens)
    }

    fn tokens(&self) -> Option<Arc<Tokens>> {
        reloaded(&self.0)
    }

    /// The name of the operator who sent these headers.
    ///
    /// # Errors
    /// 401 without a token that is known; 403 for a web page, and without tokens for other machines.
    pub(crate) fn admit(&self, headers: &HeaderMap, loopback: bool) -> Result<Arc<str>, Problem> {
        let forbidden = |why| Problem::new(StatusCode::FORBIDDEN, "FORBIDDEN", why);
        // A page may send a POST anywhere, but not without its origin.
        if headers.contains_key(header::ORIGIN) {
            return Err(forbidden("web pages are not served here"));
        }
        let Some(tokens) = self.tokens() else {
            if !loopback {
                return Err(forbidden("without [admin] token_file, operators are served on a loopback address only"));
            }
            // A page that had its own name point to this machine reads without an origin, but under that name.
            if !names_this_machine(headers) {
                return Err(forbidden(
                    "without [admin] token_file, operators are served as localhost or by address only",
                ));
            }
            return Ok(LOCAL.into());
        };
        let given = bearer(headers).map(Digest::of);
        // every token is compared, so that the time does not tell which one is near
        let known = |given: Digest| {
            tokens.0.iter().fold(None, |found, known| if known.1.is(&given) { Some(known) } else { found })
        };
        given.and_then(known).map(|(name, _)| name.clone()).ok_or_else(|| {
            Problem::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "operators send `Authorization: Bearer TOKEN`")
                .with_header(header::WWW_AUTHENTICATE, r#"Bearer realm="steadfast operators""#)
        })
    }
}

fn names_this_machine(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST) else { return true };
    let Ok(host) = host.to_str() else { return false };
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::request::tests::request;

    fn status(operators: &Operators, headers: &[(&str, &str)], loopback: bool) -> Result<String, u16> {
        let headers = request("POST", "/admin/reload", headers, "").headers;
        let admitted = operators.admit(&headers, loopback);
        admitted.map(|name| name.to_string()).map_err(|problem| problem.status().as_u16())
    }

    #[test]
    fn without_tokens_only_this_machine_is_served_and_no_web_page() {
        let operators = Operators::default();
        assert_eq!(status(&operators, &[], true), Ok("local".into()));
        assert_eq!(status(&operators, &[], false), Err(403));
        assert_eq!(status(&operators, &[("origin", "http://evil")], true), Err(403));
        for (host, served) in
            [("127.0.0.1:9900", true), ("LocalHost", true), ("[::1]:9900", true), ("evil.example:9900", false)]
        {
            assert_eq!(status(&operators, &[("host", host)], true).is_ok(), served, "{host}");
        }
    }

    #[test]
    fn with_tokens_everybody_is_asked_and_known_by_name() {
        let operators = Operators::default();
        let text = "# the night shift\nanna 0123456789abcdef\n\n  fedcba9876543210  \n";
        operators.replace(Some(Tokens::parse(text).unwrap()));
        for loopback in [true, false] {
            let with = |value: &str| status(&operators, &[("authorization", value), ("host", "ops.example")], loopback);
            assert_eq!(with("Bearer 0123456789abcdef"), Ok("anna".into()));
            assert_eq!(with("bearer fedcba9876543210"), Ok("operator".into()));
            for wrong in ["Bearer 0123456789abcdeg", "Basic 0123456789abcdef", "Bearer", "", "Bearer "] {
                assert_eq!(with(wrong), Err(401), "{wrong}");
            }
            assert_eq!(status(&operators, &[], loopback), Err(401));
        }
        let page = [("authorization", "Bearer 0123456789abcdef"), ("origin", "http://evil")];
        assert_eq!(status(&operators, &page, true), Err(403));
    }

    #[test]
    fn a_file_of_tokens_is_refused_without_telling_them() {
        for (text, why) in [
            ("", "it has no token"),
            ("# only\n", "it has no token"),
            ("anna short", "the token in line 1 is shorter than 16 characters"),
            ("\nanna b 0123456789abcdef", "line 2 is not a name and a token"),
        ] {
            assert_eq!(Tokens::parse(text).unwrap_err(), why, "{text}");
        }
        let many = |count: usize| "0123456789abcdef\n".repeat(count);
        assert!(Tokens::parse(&many(MOST)).is_ok());
        assert_eq!(Tokens::parse(&many(MOST + 1)).unwrap_err(), "it has more than 64 tokens");
        assert!(!format!("{:?}", Tokens::parse("anna 0123456789abcdef").unwrap()).contains("0123456789abcdef"));
    }
}
