//! The traffic of each system that shows what it does, and what is there in the end, in words that do not depend on
//! the numbers of one run. Whoever lets something go wrong meanwhile compares the ends.

mod ledger;
mod library;
mod names;
mod procurement;
mod station;
mod stay;
mod store;

pub(crate) use ledger::Ledger;
pub(crate) use library::LIBRARY;
pub(crate) use names::Names;
pub(crate) use procurement::PROCUREMENT;
pub(crate) use station::STATION;
pub(crate) use stay::STAY;
pub(crate) use store::STORE;

/// A system and the traffic that shows what it does.
pub(crate) struct System<'a> {
    pub(crate) name: &'static str,
    pub(crate) services: &'static [&'static str],
    pub(crate) collections: &'static [Collection],
    /// Done while everything runs.
    pub(crate) before: &'static [Call],
    /// Done while a service is stopped. Calls on one thing come in an order that does not depend on who is stopped:
    /// the end has to be the same.
    pub(crate) during: &'a [Call],
}

/// What clients see of a system.
pub(crate) struct Collection {
    pub(crate) name: &'static str,
    /// Who answers for it.
    pub(crate) service: &'static str,
    pub(crate) key: Key,
    /// Fields that are the key of something that the traffic names, and of what kind that is.
    pub(crate) references: &'static [(&'static str, &'static str)],
    /// Fields that may differ, and why.
    pub(crate) ignored: &'static [(&'static str, &'static str)],
}

/// What the key of an item is.
#[derive(Clone, Copy)]
pub(crate) enum Key {
    /// The field with the key of something that the traffic names, and of what kind that is.
    Named(&'static str, &'static str),
    /// What clients choose.
    Natural,
    /// The field whose number is drawn by whoever comes first, such as a policy: it may differ.
    Drawn(&'static str),
}

/// One request of the traffic.
#[derive(Clone, Copy)]
pub(crate) struct Call {
    /// As `HTTPie` takes it; `{order-a}` stands for the key that has this name, one of the kind `order`.
    pub(crate) line: &'static str,
    /// The services without which it is refused.
    pub(crate) needs: &'static [&'static str],
    pub(crate) answers: u16,
    /// The whole body, for procedures, which answer with one status whatever they think.
    pub(crate) says: Option<&'static str>,
    /// The name of what it creates, at the end of `Location`, or of the one item that it finds: `<kind>-<which>`.
    pub(crate) gives: Option<&'static str>,
}

/// A call that needs these services and answers with this status.
pub(crate) const fn call(line: &'static str, needs: &'static [&'static str], answers: u16) -> Call {
    Call { line, needs, answers, says: None, gives: None }
}

impl Call {
    /// Has this body.
    pub(crate) const fn says(self, body: &'static str) -> Self {
        Self { says: Some(body), ..self }
    }

    /// Names what it creates or finds.
    pub(crate) const fn gives(self, name: &'static str) -> Self {
        Self { gives: Some(name), ..self }
    }
}
