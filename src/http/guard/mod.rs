//! Who is let in, and how much of each.
//!
//! ```text
//! [server] trusted_proxies --> Proxies    whose request it is
//! [limits.rate]            --> Rates      whether he has asked too often: 429
//! [auth]                   --> Authority  who he says he is, and whether that is true: 401
//!                              permit     what he may do with a resource: 403
//! [admin] token_file       --> Operators  who may use the operators' listener
//! ```
//!
//! All of it happens before a body is read, so before anything of a request reaches a mailbox.
//!
//! Everything here holds secrets or hashes of them; none of it prints what it holds. All of it is read anew by a reload:
//! first everything is read and checked, then everything is replaced, so that a wrong file changes nothing.

mod auth;
mod digest;
mod error;
mod operators;
mod permit;
mod proxies;
mod rate;
mod tls;
mod watch;

use std::{
    net::IpAddr,
    sync::{Arc, PoisonError, RwLock},
};

use http::{HeaderMap, header};
use tokio_rustls::TlsAcceptor;

use super::{Audit, Problem};
use crate::{AddressRange, Clock, Prepared, RateConfig, Reloads, SupervisionConfig, Timestamp};
use auth::Authority;
pub(crate) use auth::Caller;
pub use auth::{Claims, SigningKey, new_api_key, new_secret};
pub(crate) use digest::Digest;
pub use error::GuardError;
pub(crate) use operators::Operators;
use operators::Tokens;
pub(crate) use permit::{may_command, may_read};
use proxies::Proxies;
pub(crate) use rate::Spent;
use rate::{Client, Rates};
use tls::{Acceptor, Certificate, Present};
pub use watch::KeyWatch;

/// What stands between the sockets and the routes of a process. All clones are one.
#[derive(Clone, Debug, Default)]
pub struct Guard(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    operators: Operators,
    authority: RwLock<Option<Arc<Authority>>>,
    rates: Rates,
    proxies: Proxies,
    certificate: Arc<Present>,
    /// Speaks TLS with that certificate; `None` without one.
    acceptor: Option<Acceptor>,
    /// Whose web pages may use the public address; `None` when that follows from the address.
    origins: Option<Arc<[String]>>,
    /// The configuration that holds.
    config: RwLock<SupervisionConfig>,
}

/// Everything that the files say, read and checked.
struct Loaded {
    operators: Option<Tokens>,
    authority: Option<Authority>,
    rates: RateConfig,
    certificate: Option<Certificate>,
}

impl Loaded {
    fn read(config: &SupervisionConfig) -> Result<Self, GuardError> {
        Ok(Self {
            operators: config.admin.token_file.as_deref().map(Tokens::read).transpose()?,
            authority: Authority::read(&config.auth)?,
            rates: config.rate.clone(),
            certificate: config.server.tls.as_ref().map(Certificate::read).transpose()?,
        })
    }
}

impl Guard {
    /// The guard that `config` asks for.
    ///
    /// # Errors
    /// A file that cannot be read, or that is not as it has to be.
    pub fn of(config: &SupervisionConfig) -> Result<Self, GuardError> {
        let certificate = Arc::<Present>::default();
        let guard = Self(Arc::new(Inner {
            acceptor: config.server.tls.is_some().then(|| Acceptor::new(certificate.clone())),
            certificate,
            proxies: Proxies::new(config.server.trusted_proxies.clone()),
            origins: config.server.cors_origins.clone().map(Arc::from),
            config: config.clone().into(),
            ..Inner::default()
        }));
        guard.apply(Loaded::read(config)?);
        Ok(guard)
    }

    /// A process that reads the files of keys again when they change, and writes that down in `audit`.
    pub fn watch(&self, audit: Audit, clock: Clock) -> KeyWatch {
        KeyWatch::new(self.clone(), audit, clock)
    }

    pub(crate) fn operators(&self) -> Operators {
        self.0.operators.clone()
    }

    /// Speaks TLS with the certificate that holds; `None` when the public listeners do not.
    pub(crate) fn acceptor(&self) -> Option<TlsAcceptor> {
        self.0.acceptor.as_ref().map(Acceptor::get)
    }

    /// How much `address` may have of what all clients share: a quarter, and all where it is a proxy's whose word counts,
    /// which comes for many, or this machine's, which is our own.
    pub(crate) fn share_of(&self, address: IpAddr, all: usize) -> usize {
        if self.trusts(address) || address.to_canonical().is_loopback() { all } else { (all / 4).max(1) }
    }

    /// Whether this is the address of a proxy whose word counts.
    pub(crate) fn trusts(&self, address: IpAddr) -> bool {
        self.0.proxies.have(address)
    }

    /// Whose web pages may use the public address.
    pub(crate) fn origins(&self) -> Option<Arc<[String]>> {
        self.0.origins.clone()
    }

    /// Whose request it is that came from `peer`: behind a proxy whose word counts, the one that it names. What others claim
    /// is taken out of the headers.
    pub(crate) fn client(&self, peer: IpAddr, headers: &mut HeaderMap) -> IpAddr {
        self.0.proxies.client(peer, headers)
    }

    /// Lets a request of `client` in that is not open to everybody: finds out who sends it; `None` where nobody is asked.
    /// What it leaves on accounts is added to `spent`, also when it is refused.
    ///
    /// # Errors
    /// 401 or 429. Nothing of the request was done.
    pub(crate) fn admit(
        &self,
        client: Option<IpAddr>,
        headers: &HeaderMap,
        at: Timestamp,
        spent: &mut Vec<Spent>,
    ) -> Result<Option<Caller>, Problem> {
        if let Some(client) = client {
            self.spend(Client::Address(AddressRange::client(client)), at, spent)?;
        }
        let Some(authority) = reloaded(&self.0.authority) else { return Ok(None) };
        let caller = authority.caller(headers, at)?;
        self.spend(Client::Subject(caller.subject().clone()), at, spent)?;
        Ok(Some(caller))
    }

    fn spend(&self, client: Client, at: Timestamp, spent: &mut Vec<Spent>) -> Result<(), Problem> {
        match self.0.rates.spend(client, at) {
            Ok(left) => spent.extend(left),
            Err((problem, left)) => {
                spent.push(left);
                return Err(problem);
            }
        }
        Ok(())
    }

    /// What holds, of which only what differs is told.
    fn apply(&self, loaded: Loaded) -> Vec<String> {
        let operators = self.0.operators.replace(loaded.operators);
        let authority = replace(&self.0.authority, loaded.authority);
        let rates = self.0.rates.replace(loaded.rates);
        let tls = self.0.certificate.replace(loaded.certificate);
        let all = [("admin.token_file", operators), ("auth", authority), ("limits.rate", rates), ("server.tls", tls)];
        all.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name.to_owned()).collect()
    }

    fn config(&self) -> SupervisionConfig {
        self.0.config.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Reloads for Guard {
    fn prepare(&self, config: &SupervisionConfig) -> Result<Prepared, String> {
        let mut config = config.clone();
        let held = self.config();
        // Whether somebody is asked at all does not change while clients are connected.
        if config.admin.token_file.is_some() != held.admin.token_file.is_some() {
            config.admin.token_file = held.admin.token_file;
        }
        if config.server.tls.is_some() != held.server.tls.is_some() {
            config.server.tls.clone_from(&held.server.tls);
        }
        if config.auth.is_on() != held.auth.is_on() {
            config.auth = held.auth;
        }
        let loaded = Loaded::read(&config).map_err(|error| match std::error::Error::source(&error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        })?;
        let guard = self.clone();
        Ok(Box::new(move || {
            *guard.0.config.write().unwrap_or_else(PoisonError::into_inner) = config;
            guard.apply(loaded)
        }))
    }
}

/// The present value of what a reload replaces.
fn reloaded<T>(value: &RwLock<Option<Arc<T>>>) -> Option<Arc<T>> {
    value.read().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Makes `new` what holds. Whether it differs from what did.
fn replace<T: PartialEq>(value: &RwLock<Option<Arc<T>>>, new: Option<T>) -> bool {
    let new = new.map(Arc::new);
    let mut held = value.write().unwrap_or_else(PoisonError::into_inner);
    let differs = *held != new;
    if differs {
        *held = new;
    }
    differs
}

/// The token of `Authorization: Bearer TOKEN`.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    Some(token.trim()).filter(|token| scheme.eq_ignore_ascii_case("bearer") && !token.is_empty())
}
