//! Faults on purpose, in a running system.
//!
//! ```text
//!                       service, kind, entity                              link
//! asker --> mailbox --> latency --> turn: error or panic      asker --> latency, error --> the callee's mailbox
//!                                     |
//!                        storage      v                       health
//!               append: latency, reject, fail, tear, full     a probe: not well
//! ```
//!
//! What happens to whom is decided in `book` from plans and seeds alone; `control` asks it, waits and logs; in `slow` appends
//! stand in line. A fault acts before anything is written, so whoever meets one may try again.

mod book;
mod chance;
mod control;
mod elsewhere;
mod fault;
mod plan;
mod slow;
mod status;
mod target;

pub use fault::{AppendFault, Fault, FaultId, UnknownFault};
pub use plan::{FaultPlan, InjectError};
pub use status::{FaultEnd, FaultStatus};

pub(crate) use control::{FaultControl, injected};
pub(crate) use slow::Slow;
pub(crate) use target::Subject;

use super::system::System;
use crate::actors::entity::{Address, Key, Number};
use target::{Places, Scope};

/// The faults of a system. Cheap to clone; all clones are the same.
#[derive(Debug, Clone)]
pub struct Faults(System);

impl System {
    /// What is injected, and what can be.
    pub fn faults(&self) -> Faults {
        Faults(self.clone())
    }
}

impl Faults {
    /// Injects a fault; it acts on whatever comes from now on.
    ///
    /// # Errors
    /// [`InjectError`]; nothing has changed.
    #[expect(clippy::needless_pass_by_value, reason = "a plan is made to be injected")]
    pub fn inject(&self, plan: FaultPlan) -> Result<FaultStatus, InjectError> {
        plan.check()?;
        let scope = self.places().find(&plan.target).map_err(|why| InjectError::of(&plan.target, why))?;
        let scope = self.with_key(scope, &plan.target)?;
        plan.check_in(&scope)?;
        self.control().inject(&plan, scope)
    }

    /// The active faults in the order in which they were injected, then those that ended, the last first: at most 32
    /// and 64.
    pub fn list(&self) -> Vec<FaultStatus> {
        self.control().list()
    }

    /// Ends a fault at once, also for those who wait in it; what it has come to.
    ///
    /// # Errors
    /// No active fault has this id.
    pub fn end(&self, id: FaultId) -> Result<FaultStatus, UnknownFault> {
        self.control().end(id).ok_or_else(|| UnknownFault(id.to_string()))
    }

    /// Ends all faults.
    pub fn end_all(&self) {
        for fault in self.list().into_iter().filter(FaultStatus::is_active) {
            // One that has ended meanwhile needs no end.
            drop(self.end(fault.id));
        }
    }

    /// The fault by which a service, its names in any case, has to say now that it is not well. Each look counts.
    pub fn down(&self, system: &str, service: &str) -> Option<FaultId> {
        if !self.control().any() {
            return None;
        }
        let is = |name: &str, wanted: &str| name.eq_ignore_ascii_case(wanted);
        let mut services = self.0.inner.services.iter();
        let known = services.find(|known| is(known.name, service) && is(known.system, system))?;
        self.control().down(&known.full_name)
    }

    /// All services that have to say now that they are not well, `<system>/<service>`, and by which fault.
    pub fn all_down(&self) -> Vec<(String, FaultId)> {
        if !self.control().any() {
            return Vec::new();
        }
        let services = self.0.inner.services.iter();
        services
            .filter_map(|service| Some((service.full_name.clone(), self.control().down(&service.full_name)?)))
            .collect()
    }

    fn control(&self) -> &FaultControl {
        &self.0.inner.faults
    }

    fn places(&self) -> Places {
        let inner = &self.0.inner;
        Places {
            services: inner.services.iter().map(|service| service.full_name.clone()).collect(),
            kinds: inner.hosts.iter().map(|host| host.kind().to_owned()).collect(),
            links: self.0.links().into_iter().map(|link| link.link).collect(),
            units: inner.units.iter().map(|unit| unit.name.to_string()).collect(),
        }
    }

    /// An entity is known by its number or key to people, and by its key to faults. One that is not there yet has only
    /// a key.
    fn with_key(&self, scope: Scope, target: &str) -> Result<Scope, InjectError> {
        let Scope::Entity { kind, id, .. } = scope else { return Ok(scope) };
        let host = self.0.inner.hosts.iter().find(|host| host.kind() == kind);
        let address = match id.parse() {
            Ok(number) => Some(Address::Number(Number::new(number))),
            Err(_) => Key::new(id.as_str()).ok().map(Address::Key),
        };
        let key = host.zip(address).and_then(|(host, address)| host.key_of(&address));
        let key = key.ok_or_else(|| {
            let there_are = vec![format!("{kind}/<number or key>")];
            InjectError::NoTarget { target: target.to_owned(), sort: "entity", there_are }
        })?;
        Ok(Scope::Entity { kind, id, key: Some(key.to_string()) })
    }
}
