use std::{collections::HashMap, path::Path};

use super::{
    super::{Digest, GuardError, error},
    Caller,
    token::is_subject,
};

/// Keys of one file.
const MOST: usize = 10_000;

/// Who has which API key, by the key's hash.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ApiKeys(HashMap<Digest, Caller>);

impl ApiKeys {
    /// Reads `path`: on each line a subject, its roles with commas between them (`-` for none), and its key's hash.
    pub(super) fn read(path: &Path) -> Result<Self, GuardError> {
        let text = error::read(path)?;
        Self::parse(&text).map_err(|why| GuardError::wrong(path, why))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut keys = HashMap::new();
        for (number, line) in error::lines(text) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [subject, roles, hash] = words.as_slice() else {
                return Err(format!("line {number} is not a subject, roles and a hash"));
            };
            let hash = Digest::parse(hash).ok_or_else(|| format!("line {number} does not end with a SHA-256 hash"))?;
            if !is_subject(subject) {
                return Err(format!("the subject in line {number} is too long"));
            }
            let roles = roles.split(',').filter(|role| !["", "-"].contains(role)).map(str::to_owned).collect();
            if keys.insert(hash, Caller::new(subject, roles)).is_some() {
                return Err(format!("the key in line {number} is there twice"));
            }
        }
        match keys.len() {
            0 => Err("it has no key".to_owned()),
            1..=MOST => Ok(Self(keys)),
            _ => Err(format!("it has more than {MOST} keys")),
        }
    }

    /// Whose key this is. Looked up by its hash, which the client cannot choose: the time tells nothing.
    pub(super) fn owner(&self, key: &str) -> Option<Caller> {
        self.0.get(&Digest::of(key)).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_that_of_its_owner() {
        let hash = |key: &str| Digest::of(key).hex();
        let text = format!("# partners\nshop owner,stay/host {}\n\nprobe - {}\n", hash("k1"), hash("k2"));
        let keys = ApiKeys::parse(&text).unwrap();
        assert_eq!(keys.owner("k1"), Some(Caller::new("shop", vec!["owner".into(), "stay/host".into()])));
        assert_eq!(keys.owner("k2"), Some(Caller::new("probe", vec![])));
        assert_eq!(keys.owner("k3"), None);
        assert_eq!(keys.owner(&hash("k1")), None, "a hash is no key");
    }

    #[test]
    fn a_wrong_file_is_refused_by_its_line() {
        let hash = Digest::of("k").hex();
        for (text, why) in [
            (String::new(), "it has no key"),
            ("shop owner".to_owned(), "line 1 is not a subject, roles and a hash"),
            ("\nshop owner key".to_owned(), "line 2 does not end with a SHA-256 hash"),
            (format!("a - {hash}\nb - {hash}"), "the key in line 2 is there twice"),
        ] {
            assert_eq!(ApiKeys::parse(&text).unwrap_err(), why, "{text}");
        }
    }
}
