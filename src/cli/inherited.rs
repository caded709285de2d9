//! Sockets that the process was started with: `LISTEN_FDS`, as systemd and `steadfast hold` pass them.
//!
//! `LISTEN_FDNAMES` says which is which. Without names the first is the public one and the second the operators'.

use std::{collections::BTreeMap, net::TcpListener};

use anyhow::anyhow;
use listenfd::ListenFd;

use super::Exit;

pub(super) const PUBLIC: &str = "public";
pub(super) const ADMIN: &str = "admin";

/// The sockets that nobody has taken yet, by name.
#[derive(Debug, Default)]
pub(super) struct Inherited(BTreeMap<String, TcpListener>);

impl Inherited {
    /// Those that the environment tells of. To be called once, before there is another thread: it takes the variables out
    /// of the environment, so that no child takes the sockets for its own.
    ///
    /// # Errors
    /// One that is no TCP socket, or names that do not fit.
    pub(super) fn of_environment() -> Result<Self, Exit> {
        let names = std::env::var("LISTEN_FDNAMES").ok();
        let mut passed = ListenFd::from_env();
        let names = named(passed.len(), names.as_deref()).map_err(|why| Exit::Usage(anyhow!("LISTEN_FDS: {why}")))?;
        let mut sockets = BTreeMap::new();
        for (index, name) in names.into_iter().enumerate() {
            let taken = passed.take_tcp_listener(index);
            let socket = taken.map_err(|error| Exit::Usage(anyhow!("the inherited socket `{name}`: {error}")))?;
            sockets.extend(socket.map(|socket| (name, socket)));
        }
        Ok(Self(sockets))
    }

    /// The one with this name.
    pub(super) fn take(&mut self, name: &str) -> Option<TcpListener> {
        self.0.remove(name)
    }

    /// Refuses what nobody took: whoever connected there would wait for ever.
    ///
    /// # Errors
    /// The name of one, and those that somebody would take.
    pub(super) fn finish(self, services: impl Iterator<Item = String>) -> Result<(), Exit> {
        let Some(name) = self.0.into_keys().next() else { return Ok(()) };
        let known = [PUBLIC.to_owned(), ADMIN.to_owned()].into_iter().chain(services).collect::<Vec<_>>().join(", ");
        Err(Exit::Usage(anyhow!(
            "the inherited socket `{name}` is none that this process serves: {known} (systemd: FileDescriptorName=; a \
             service's only with --service-ports)"
        )))
    }
}

/// What the sockets are called, in their order.
///
/// # Errors
/// More names than sockets or fewer, a name that comes twice, or one without a name that stands for nothing.
fn named(count: usize, names: Option<&str>) -> Result<Vec<String>, String> {
    const IN_ORDER: [&str; 2] = [PUBLIC, ADMIN];
    // What systemd says of a socket that was not given a name, depending on its version.
    const NAMELESS: [&str; 3] = ["", "unknown", "connection"];
    let given: Vec<&str> = match names.filter(|names| !names.is_empty()) {
        None => vec![""; count],
        Some(names) => names.split(':').collect(),
    };
    if given.len() != count {
        return Err(format!("{count} sockets were passed and LISTEN_FDNAMES has {} names", given.len()));
    }
    let mut all: Vec<String> = Vec::with_capacity(count);
    for (index, name) in given.into_iter().enumerate() {
        let name = if NAMELESS.contains(&name) {
            *IN_ORDER.get(index).ok_or_else(|| format!("socket {} has no name", index + 1))?
        } else {
            name
        };
        if all.iter().any(|known| known == name) {
            return Err(format!("two sockets are called `{name}`"));
        }
        all.push(name.to_owned());
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_are_known_by_name_and_else_by_their_order() {
        let named = |count, names| named(count, names).map_err(|_| ());
        let texts = |names: &[&str]| Ok(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        for (count, names, expected) in [
            (0, None, texts(&[])),
            (1, None, texts(&["public"])),
            (2, None, texts(&["public", "admin"])),
            (2, Some(""), texts(&["public", "admin"])),
            (2, Some("unknown:unknown"), texts(&["public", "admin"])),
            (3, None, Err(())),
            (2, Some("admin:public"), texts(&["admin", "public"])),
            (2, Some("store/order:public"), texts(&["store/order", "public"])),
            (2, Some("public"), Err(())),
            (1, Some("public:admin"), Err(())),
            (2, Some("public:public"), Err(())),
            (2, Some("admin:unknown"), Err(())), // the second without a name is the operators'
        ] {
            assert_eq!(named(count, names), expected, "{count} {names:?}");
        }
    }

    #[test]
    fn a_socket_that_nobody_takes_is_refused_by_name() {
        let socket = || TcpListener::bind("127.0.0.1:0").unwrap();
        let mut inherited = Inherited([("public".to_owned(), socket()), ("shop".to_owned(), socket())].into());
        assert!(inherited.take("public").is_some() && inherited.take("public").is_none());
        let Err(Exit::Usage(why)) = inherited.finish(["store/order".to_owned()].into_iter()) else { panic!("refused") };
        assert!(why.to_string().contains("`shop`") && why.to_string().contains("store/order"), "{why}");
        assert!(Inherited::default().finish(std::iter::empty()).is_ok());
    }
}
