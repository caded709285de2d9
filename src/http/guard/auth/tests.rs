use super::*;
use crate::http::request::tests::request;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn authority(files: &[(&str, &str)]) -> Authority {
    let directory = tempfile::tempdir().unwrap();
    let mut config = AuthConfig::default();
    for (name, text) in files {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        match *name {
            "secret" => config.secret_file = Some(path),
            "keys" => config.keys_file = Some(path),
            _ => config.jwks_file = Some(path),
        }
    }
    Authority::read(&config).unwrap().unwrap()
}

fn caller(authority: &Authority, headers: &[(&str, &str)]) -> Result<String, String> {
    let headers = request("GET", "/", headers, "").headers;
    let now = Timestamp::from_millis(1_700_000_000_000);
    let told = |problem: Problem| problem.respond(&request("GET", "/", &[], "")).headers()["www-authenticate"].clone();
    let caller = authority.caller(&headers, now);
    caller.map(|caller| caller.subject().to_string()).map_err(|why| told(why).to_str().unwrap().to_owned())
}

/// `{"alg":"HS256"}` `{"sub":"anna","exp":1700000060}`, signed with [`SECRET`].
fn token() -> String {
    let signed = format!("{}.{}", part(r#"{"alg":"HS256"}"#), part(r#"{"sub":"anna","exp":1700000060}"#));
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET.as_bytes());
    let tag = ring::hmac::sign(&key, signed.as_bytes());
    format!("{signed}.{}", base64::Engine::encode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, tag))
}

fn part(text: &str) -> String {
    base64::Engine::encode(&base64::prelude::BASE64_URL_SAFE_NO_PAD, text)
}

#[test]
fn a_token_or_a_key_says_who_somebody_is() {
    let line = format!("shop owner {}", Digest::of("sf_key").hex());
    let authority = authority(&[("secret", SECRET), ("keys", &line)]);
    let bearer = |text: &str| caller(&authority, &[("authorization", &format!("Bearer {text}"))]);
    for _ in 0..2 {
        assert_eq!(bearer(&token()), Ok("anna".into()), "also when it is remembered");
    }
    assert_eq!(bearer("sf_key"), Ok("shop".into()));
    assert_eq!(caller(&authority, &[("x-api-key", "sf_key")]), Ok("shop".into()));
    assert_eq!(caller(&authority, &[]), Err(CHALLENGE.to_owned()));
    assert_eq!(caller(&authority, &[("authorization", "Basic YTpi")]), Err(CHALLENGE.to_owned()));
    for wrong in [bearer("sf_other"), bearer("a.b.c"), caller(&authority, &[("x-api-key", "sf_other")])] {
        assert_eq!(wrong, Err(INVALID.to_owned()));
    }
    let both = [("authorization", "Bearer sf_key"), ("x-api-key", "sf_key")];
    assert_eq!(caller(&authority, &both), Err(INVALID.to_owned()));
}

#[test]
fn what_is_remembered_is_bounded_and_ends_with_its_token() {
    let authority = authority(&[("secret", SECRET)]);
    let token = token();
    let now = |millis: u64| Timestamp::from_millis(1_700_000_000_000 + millis);
    authority.remembered(&token, now(0)).unwrap();
    assert!(authority.remembered(&token, now(59_000)).is_ok());
    assert_eq!(authority.remembered(&token, now(200_000)), Err(Invalid::Expired), "the leeway is 30 s");
    let mut remembered = authority.remembered.lock().unwrap();
    for number in 0..MOST_REMEMBERED {
        remembered.insert(Digest::of(&number.to_string()), (Caller::new("a", vec![]), now(1000)));
    }
    drop(remembered);
    authority.remembered(&token, now(1)).unwrap();
    assert!(authority.remembered.lock().unwrap().len() <= MOST_REMEMBERED + 1);
    authority.remembered.lock().unwrap().remove(&Digest::of(&token));
    authority.remembered(&token, now(2000)).unwrap();
    assert_eq!(authority.remembered.lock().unwrap().len(), 1, "what has expired makes room");
}

#[test]
fn nothing_of_it_is_printed() {
    let authority = authority(&[("secret", SECRET)]);
    assert!(!format!("{authority:?}").contains(SECRET));
}

#[test]
fn without_files_nobody_is_asked() {
    assert!(Authority::read(&AuthConfig::default()).unwrap().is_none());
    let missing = AuthConfig { jwks_file: Some("/nowhere/jwks.json".into()), ..AuthConfig::default() };
    assert_eq!(Authority::read(&missing).unwrap_err().to_string(), "cannot use /nowhere/jwks.json");
}
