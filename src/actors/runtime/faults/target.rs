//! Where a fault acts: the words of an operator, and the places of a running system.

use std::fmt;

use super::fault::FaultKind;

/// Where a fault acts, in the system's own names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scope {
    /// `<system>/<service>`.
    Service(String),
    /// `<system>.<entity>`.
    Kind(String),
    /// A kind and what a person calls the entity; the key once it is known.
    Entity { kind: String, id: String, key: Option<String> },
    /// `<system>.<caller>.<callee>`.
    Link(String),
    /// One storage unit, or all.
    Storage(Option<String>),
}

/// What is there to be hit.
#[derive(Debug, Clone, Default)]
pub(crate) struct Places {
    pub(crate) services: Vec<String>,
    pub(crate) kinds: Vec<String>,
    pub(crate) links: Vec<String>,
    pub(crate) units: Vec<String>,
}

/// What meets a fault.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Subject<'a> {
    /// A command, before it is handled.
    Command { service: &'a str, kind: &'a str, key: &'a str },
    /// A call of a link, before it is made; with the entity that makes it.
    Call { link: &'a str, kind: &'a str, key: &'a str },
    /// An append, before the journal has it.
    Append { unit: &'a str, kind: &'a str, key: &'a str },
    /// A look at a service's health.
    Probe { service: &'a str },
}

/// Why a target is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoTarget {
    /// Nothing is called that; what there is of that sort.
    Unknown { sort: &'static str, there_are: Vec<String> },
    /// The short name of a kind that several systems have.
    Ambiguous { there_are: Vec<String> },
}

impl Places {
    /// The place that an operator means: names in any case, kinds also in short.
    ///
    /// # Errors
    /// [`NoTarget`].
    pub(crate) fn find(&self, target: &str) -> Result<Scope, NoTarget> {
        if target.eq_ignore_ascii_case("storage") {
            return Ok(Scope::Storage(None));
        }
        match target.split_once('/') {
            None => self.kind(target).map(Scope::Kind).map_err(|why| self.perhaps_a_service(target, why)),
            Some((first, unit)) if first.eq_ignore_ascii_case("storage") => {
                known("storage unit", &self.units, unit).map(|unit| Scope::Storage(Some(unit)))
            }
            Some((first, link)) if first.eq_ignore_ascii_case("link") => {
                known("link", &self.links, link).map(Scope::Link)
            }
            Some((first, rest)) => self.below(target, first, rest),
        }
    }

    /// `<system>/<service>` or `<kind>/<id>`.
    fn below(&self, target: &str, first: &str, rest: &str) -> Result<Scope, NoTarget> {
        let no_service = match known("service", &self.services, target) {
            Ok(service) => return Ok(Scope::Service(service)),
            Err(unknown) => unknown,
        };
        let is_system = |name: &String| name.split_once('/').is_some_and(|(system, _)| is(system, first));
        match self.kind(first) {
            Ok(kind) if !rest.is_empty() => Ok(Scope::Entity { kind, id: rest.to_owned(), key: None }),
            Err(ambiguous @ NoTarget::Ambiguous { .. }) => Err(ambiguous),
            // A slip in the service of a system that is there, not in a kind.
            Ok(_) | Err(NoTarget::Unknown { .. }) if self.services.iter().any(is_system) => Err(no_service),
            Ok(kind) => Err(NoTarget::Unknown { sort: "entity", there_are: vec![format!("{kind}/<id>")] }),
            Err(unknown) => Err(unknown),
        }
    }

    /// Whoever gives a service without its system means that service.
    fn perhaps_a_service(&self, name: &str, why: NoTarget) -> NoTarget {
        let is_meant = |service: &&String| service.split_once('/').is_some_and(|(_, short)| is(short, name));
        let there_are: Vec<String> = self.services.iter().filter(is_meant).cloned().collect();
        match why {
            NoTarget::Unknown { sort, .. } if !there_are.is_empty() => NoTarget::Unknown { sort, there_are },
            NoTarget::Unknown { .. } | NoTarget::Ambiguous { .. } => why,
        }
    }

    fn kind(&self, name: &str) -> Result<String, NoTarget> {
        if let Some(kind) = self.kinds.iter().find(|kind| is(kind, name)) {
            return Ok(kind.clone());
        }
        let short = |kind: &&String| kind.split_once('.').is_some_and(|(_, short)| is(short, name));
        let found: Vec<&String> = self.kinds.iter().filter(short).collect();
        match found.as_slice() {
            [one] => Ok((*one).clone()),
            [] => Err(NoTarget::Unknown { sort: "kind", there_are: self.kinds.clone() }),
            _ => Err(NoTarget::Ambiguous { there_are: found.into_iter().cloned().collect() }),
        }
    }
}

fn known(sort: &'static str, names: &[String], wanted: &str) -> Result<String, NoTarget> {
    let found = names.iter().find(|name| is(name, wanted)).cloned();
    found.ok_or_else(|| NoTarget::Unknown { sort, there_are: names.to_vec() })
}

fn is(name: &str, wanted: &str) -> bool {
    name.eq_ignore_ascii_case(wanted)
}

impl Scope {
    /// Whether this subject is in it. Names are the system's own.
    pub(crate) fn has(&self, subject: &Subject<'_>) -> bool {
        match (self, subject) {
            (Self::Service(own), Subject::Command { service, .. } | Subject::Probe { service }) => own == service,
            (Self::Kind(own), Subject::Command { kind, .. }) => own == kind,
            (Self::Entity { kind: own, key: Some(own_key), .. }, Subject::Command { kind, key, .. }) => {
                own == kind && own_key == key
            }
            (Self::Link(own), Subject::Call { link, .. }) => own == link,
            (Self::Storage(own), Subject::Append { unit, .. }) => own.as_deref().is_none_or(|own| own == *unit),
            _ => false,
        }
    }

    /// Whether such a fault can act here; what can when not.
    pub(crate) fn takes(&self, fault: FaultKind) -> Result<(), &'static str> {
        let takes = match self {
            Self::Service(_) => !matches!(fault, FaultKind::Append),
            Self::Kind(_) | Self::Entity { .. } => !matches!(fault, FaultKind::Append | FaultKind::Health),
            Self::Link(_) => matches!(fault, FaultKind::Latency | FaultKind::Error),
            Self::Storage(_) => matches!(fault, FaultKind::Latency | FaultKind::Append),
        };
        if takes {
            return Ok(());
        }
        Err(match self {
            Self::Service(_) => "a service takes latency, error, panic and health",
            Self::Kind(_) | Self::Entity { .. } => "a kind or an entity takes latency, error and panic",
            Self::Link(_) => "a link takes latency and error",
            Self::Storage(_) => "storage takes latency and append",
        })
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Service(name) | Self::Kind(name) => f.write_str(name),
            Self::Entity { kind, id, .. } => write!(f, "{kind}/{id}"),
            Self::Link(name) => write!(f, "link/{name}"),
            Self::Storage(None) => f.write_str("storage"),
            Self::Storage(Some(unit)) => write!(f, "storage/{unit}"),
        }
    }
}

impl<'a> Subject<'a> {
    /// The entity that it belongs to, by which a share is chosen.
    pub(crate) fn entity(&self) -> Option<(&'a str, &'a str)> {
        match self {
            Self::Command { kind, key, .. } | Self::Call { kind, key, .. } | Self::Append { kind, key, .. } => {
                Some((kind, key))
            }
            Self::Probe { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places() -> Places {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Places {
            services: names(&["store/order", "store/delivery", "library/order", "station/POS"]),
            kinds: names(&["store.order", "store.delivery", "library.order", "station.sale"]),
            links: names(&["store.order.delivery"]),
            units: names(&["main", "alarm"]),
        }
    }

    #[test]
    fn targets_are_found_in_any_case_and_kinds_also_in_short() {
        for (target, found) in [
            ("store/delivery", "store/delivery"),
            ("Store/DELIVERY", "store/delivery"),
            ("station/pos", "station/POS"),
            ("store.order", "store.order"),
            ("sale", "station.sale"),
            ("store.order/17", "store.order/17"),
            ("sale/17", "station.sale/17"),
            ("sale/a/b", "station.sale/a/b"),
            ("link/store.order.delivery", "link/store.order.delivery"),
            ("storage", "storage"),
            ("storage/alarm", "storage/alarm"),
        ] {
            assert_eq!(places().find(target).map(|scope| scope.to_string()), Ok(found.to_owned()), "{target}");
        }
    }

    #[test]
    fn what_is_not_there_is_told_with_what_is() {
        let sort = |target: &str| match places().find(target) {
            Err(NoTarget::Unknown { sort, there_are }) => (sort, there_are.len()),
            other => panic!("{target}: {other:?}"),
        };
        assert_eq!(sort("store/kitchen"), ("service", 4));
        assert_eq!(sort("kitchen"), ("kind", 4));
        let there_are = vec!["station/POS".to_owned()];
        assert_eq!(places().find("pos"), Err(NoTarget::Unknown { sort: "kind", there_are }));
        assert_eq!(sort("kitchen/1"), ("kind", 4));
        assert_eq!(sort("sale/"), ("entity", 1));
        assert_eq!(sort(""), ("kind", 4));
        assert_eq!(sort("link/store.order.kitchen"), ("link", 1));
        assert_eq!(sort("storage/kitchen"), ("storage unit", 2));
        for target in ["order", "order/17"] {
            let there_are = vec!["store.order".to_owned(), "library.order".to_owned()];
            assert_eq!(places().find(target), Err(NoTarget::Ambiguous { there_are }), "{target}");
        }
    }

    #[test]
    fn a_scope_has_what_is_below_it_and_nothing_else() {
        let command = Subject::Command { service: "store/order", kind: "store.order", key: "k" };
        let entity = |key: &str| Scope::Entity { kind: "store.order".into(), id: "1".into(), key: Some(key.into()) };
        assert!(Scope::Service("store/order".into()).has(&command));
        assert!(Scope::Kind("store.order".into()).has(&command));
        assert!(entity("k").has(&command) && !entity("other").has(&command));
        assert!(!Scope::Service("store/delivery".into()).has(&command));
        assert!(!Scope::Link("store.order.delivery".into()).has(&command));
        assert!(!Scope::Storage(None).has(&command));
        let append = Subject::Append { unit: "main", kind: "store.order", key: "k" };
        assert!(Scope::Storage(None).has(&append) && Scope::Storage(Some("main".into())).has(&append));
        assert!(!Scope::Storage(Some("alarm".into())).has(&append) && !entity("k").has(&append));
        assert!(Scope::Service("store/order".into()).has(&Subject::Probe { service: "store/order" }));
        let call = Subject::Call { link: "store.order.delivery", kind: "store.order", key: "k" };
        assert!(Scope::Link("store.order.delivery".into()).has(&call) && !entity("k").has(&call));
    }
}
