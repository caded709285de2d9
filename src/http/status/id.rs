//! The id in a status link: which command of which entity, and as what its answer is shown.
//!
//! Opaque to clients: one version byte, the parts, and a check over all of it, in hexadecimal digits. The check finds
//! typing errors and cut links; it keeps nothing secret. Whoever has the link learns what became of that one command.

use http::Method;
use sha2::{Digest, Sha256};

use crate::{CommandAddress, CommandId, Key};

/// The layout. Links outlive a release: raised with every change, and older ones are read for a day at least.
const VERSION: u8 = 1;
const CHECK: usize = 4;
/// Longer than any that is given out: a kind, a key and two names.
const MAX_BYTES: usize = 1024;

/// Where the outcome of a command is, and what shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StatusId {
    pub(crate) address: CommandAddress,
    pub(crate) collection: String,
    pub(crate) route: Route,
}

/// What of a resource was called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    Method(Method),
    Procedure(Method, String),
}

/// The methods that lead to commands. Their places are in links: never change, only add.
const METHODS: [Method; 5] = [Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::GET];

/// Why a text is no id of a status link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoStatusId {
    #[error("it is not made of pairs of hexadecimal digits, at most {}", MAX_BYTES)]
    NotHexadecimal,
    #[error("it was cut or changed on the way: its check does not fit")]
    Changed,
    #[error("it is of a version that is not known here")]
    Version,
}

impl StatusId {
    /// The address of the status, below `base`.
    pub(crate) fn href(&self, base: &str) -> String {
        format!("{base}/{}/{}", super::COMMANDS, self.text())
    }

    pub(super) fn text(&self) -> String {
        let (method, procedure) = match &self.route {
            Route::Method(method) => (method, ""),
            Route::Procedure(method, name) => (method, name.as_str()),
        };
        let place = METHODS.iter().position(|known| known == method).unwrap_or_default();
        let method = u8::try_from(place).unwrap_or_default();
        let is_procedure = u8::from(matches!(self.route, Route::Procedure(..)));
        let mut bytes = vec![VERSION];
        bytes.extend(self.address.command.to_bits().to_be_bytes());
        bytes.extend([method, is_procedure]);
        for text in [self.address.kind.as_ref(), self.address.key.as_str(), &self.collection, procedure] {
            // A key has at most 200 bytes, and names are ours.
            let length = u8::try_from(text.len()).unwrap_or(u8::MAX);
            bytes.push(length);
            bytes.extend(text.bytes().take(length.into()));
        }
        bytes.extend(check(&bytes));
        hex(&bytes)
    }

    /// Reads the id of a link.
    ///
    /// # Errors
    /// [`NoStatusId`] says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, NoStatusId> {
        let bytes = unhex(text).ok_or(NoStatusId::NotHexadecimal)?;
        let (content, given) = bytes.split_last_chunk::<CHECK>().ok_or(NoStatusId::Changed)?;
        if check(content) != *given {
            return Err(NoStatusId::Changed);
        }
        let (version, rest) = content.split_first().ok_or(NoStatusId::Changed)?;
        if *version != VERSION {
            return Err(NoStatusId::Version);
        }
        Self::of_parts(rest).ok_or(NoStatusId::Changed)
    }

    fn of_parts(rest: &[u8]) -> Option<Self> {
        let (command, rest) = rest.split_first_chunk::<16>()?;
        let ([method, is_procedure], rest) = rest.split_first_chunk::<2>()?;
        let (kind, rest) = part(rest)?;
        let (key, rest) = part(rest)?;
        let (collection, rest) = part(rest)?;
        let (procedure, rest) = part(rest)?;
        let method = METHODS.get(usize::from(*method))?.clone();
        let route = match is_procedure {
            0 => Route::Method(method),
            _ => Route::Procedure(method, procedure),
        };
        let address = CommandAddress {
            kind: kind.into(),
            key: Key::new(key).ok()?,
            command: CommandId::from_bits(u128::from_be_bytes(*command)),
        };
        rest.is_empty().then_some(Self { address, collection, route })
    }
}

/// A text with its length before it, and what follows.
fn part(bytes: &[u8]) -> Option<(String, &[u8])> {
    let (length, rest) = bytes.split_first()?;
    let (text, rest) = rest.split_at_checked(usize::from(*length))?;
    Some((String::from_utf8(text.to_vec()).ok()?, rest))
}

fn check(content: &[u8]) -> [u8; CHECK] {
    let mut hash = Sha256::new();
    hash.update(b"status link");
    hash.update(content);
    let mut check = [0; CHECK];
    for (to, from) in check.iter_mut().zip(hash.finalize()) {
        *to = from;
    }
    check
}

fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(half.into(), 16).unwrap_or_default();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if text.len() > 2 * MAX_BYTES || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    pairs.iter().map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id() -> StatusId {
        let (kind, key, command) = ("store.order".into(), Key::new("배트맨/1").unwrap(), CommandId::from_bits(7));
        let route = Route::Method(Method::POST);
        StatusId { address: CommandAddress { kind, key, command }, collection: "orders".into(), route }
    }

    #[test]
    fn an_id_is_fixed_because_links_outlive_a_release() {
        let text = concat!(
            "010000000000000000000000000000000700000b73746f72652e6f726465720bebb0b0ed8ab8eba7a82f31",
            "066f726465727300"
        );
        let id = id().text();
        assert_eq!(id.get(..text.len()), Some(text), "{id}");
        assert_eq!(id.len(), text.len() + 2 * CHECK);
        assert_eq!(StatusId::parse(&id.to_uppercase()), StatusId::parse(&id));
    }

    #[test]
    fn what_is_no_id_says_why() {
        let text = id().text();
        for (bad, why) in [
            ("", NoStatusId::Changed),
            ("zz", NoStatusId::NotHexadecimal),
            ("abc", NoStatusId::NotHexadecimal),
            (text.get(..text.len() - 2).unwrap(), NoStatusId::Changed),
            (&format!("{text}00"), NoStatusId::Changed),
            (&"00".repeat(MAX_BYTES + 1), NoStatusId::NotHexadecimal),
        ] {
            assert_eq!(StatusId::parse(bad), Err(why), "{bad}");
        }
        let mut newer = vec![VERSION + 1];
        newer.extend(check(&newer));
        assert_eq!(StatusId::parse(&hex(&newer)), Err(NoStatusId::Version));
    }

    fn methods() -> impl Strategy<Value = Method> {
        prop::sample::select(METHODS.to_vec())
    }

    proptest! {
        #[test]
        fn every_id_is_read_as_it_was_written(
            bits in any::<u128>(), key in "\\PC{1,50}", collection in "[a-zA-Z]{0,30}", name in prop::option::of("[a-zA-Z]{0,30}"),
            method in methods(),
        ) {
            let address = CommandAddress {
                kind: "store.order".into(), key: Key::new(key).unwrap(), command: CommandId::from_bits(bits),
            };
            let route = name.map_or(Route::Method(method.clone()), |name| Route::Procedure(method, name));
            let id = StatusId { address, collection, route };
            prop_assert_eq!(StatusId::parse(&id.text()), Ok(id));
        }

        #[test]
        fn a_changed_digit_is_noticed(at in any::<prop::sample::Index>(), by in 1u32..16) {
            let mut text = id().text().into_bytes();
            let at = at.index(text.len());
            let digit = char::from(text[at]).to_digit(16).unwrap();
            text[at] = u8::try_from(char::from_digit((digit + by) % 16, 16).unwrap()).unwrap();
            prop_assert!(StatusId::parse(std::str::from_utf8(&text).unwrap()).is_err());
        }

        /// With the check made right, so that the parts themselves meet the bytes.
        #[test]
        fn arbitrary_bytes_never_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200), known in any::<bool>()) {
            if known && let Some(version) = bytes.first_mut() {
                *version = VERSION;
            }
            bytes.extend(check(&bytes));
            let _parsed = StatusId::parse(&hex(&bytes));
        }
    }
}
