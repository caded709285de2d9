//! The failure matrix: whichever service of a system is stopped, the others go on; what needs it is refused and
//! leaves nothing; and once it is back, everything ends as if it had never been away.
//!
//! Two runs per service, for the process may also be killed in between, and one in which nothing is stopped:
//!
//! ```text
//!   before (all run) --> stop --> during: done, or refused with 503 --> start or kill --> what was refused, again
//!                                                                           compare <-----------+
//! ```
//!
//! A system is one value of [`System`]: see `library.rs`. What a call needs is data, and the test holds it to both
//! halves: with the service stopped a call that needs it has to be refused, and one that does not has to succeed.

mod ledger;
mod library;
mod names;
mod procurement;
mod station;
mod stay;
mod store;

use crate::common::{Request, Response, Server, Setup};
use ledger::Ledger;
use names::Names;

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

/// How a stopped service comes back.
#[derive(Clone, Copy, Debug)]
enum Back {
    /// An operator starts it.
    Started,
    /// The process is killed, and another one starts everything on the same data.
    Killed,
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

impl System<'_> {
    /// The whole matrix of this system.
    pub(crate) fn check(&self) {
        let expected = self.run(None);
        for service in self.services {
            for back in [Back::Started, Back::Killed] {
                let ended = self.run(Some((service, back)));
                for (what, expected) in &expected.0 {
                    assert_eq!(&ended.0[what], expected, "{what} after {}/{service} was stopped, {back:?}", self.name);
                }
            }
        }
    }

    /// What is there in the end.
    fn run(&self, outage: Option<(&str, Back)>) -> Ledger {
        let stopped = outage.map(|(service, _)| service);
        let mut server = Setup::default().system(self.name).start();
        let mut names = Names::default();
        for call in self.before {
            quiet(&server); // what is looked for has to be there
            let line = names.fill(call.line).unwrap_or_else(|| panic!("nothing is named so: {}", call.line));
            self.expect(call, &line, &server, &mut names, stopped);
        }
        quiet(&server);
        if let Some(service) = stopped {
            self.operate(&server, service, "stop");
            self.reads(&server, service);
        }
        let mut again = Vec::new();
        for call in self.during {
            // A call about something that could not be created waits with it.
            let Some(line) = names.fill(call.line) else {
                again.push(call);
                continue;
            };
            match stopped.filter(|stopped| call.needs.contains(stopped)) {
                Some(service) => {
                    let refused = send(&server, &line);
                    assert_eq!(refused.status, 503, "{line} while {service} is stopped: {refused}");
                    assert!(refused.header("retry-after").is_some(), "{line}: {refused}");
                    again.push(call);
                }
                None => self.expect(call, &line, &server, &mut names, stopped),
            }
        }
        if let Some((service, back)) = outage {
            assert!(
                again.iter().all(|call| call.needs.contains(&service) || call.line.contains('{')),
                "only what needs {service} waits for it"
            );
            match back {
                Back::Started => self.operate(&server, service, "start"),
                Back::Killed => server.restart(),
            }
        }
        for call in again {
            let line = names.fill(call.line).unwrap_or_else(|| panic!("nothing is named so: {}", call.line));
            self.expect(call, &line, &server, &mut names, stopped);
        }
        quiet(&server);
        Ledger::read(self, &server, &names)
    }

    fn expect(&self, call: &Call, line: &str, server: &Server, names: &mut Names, stopped: Option<&str>) {
        let answer = send(server, line);
        assert_eq!(answer.status, call.answers, "{}: {line} with {stopped:?} stopped: {answer}", self.name);
        if let Some(body) = call.says {
            assert_eq!(answer.text(), body, "{}: {line} with {stopped:?} stopped: {answer}", self.name);
        }
        if let Some(name) = call.gives {
            names.learn(name, &answer);
        }
    }

    /// The stopped service answers nobody, and all others do.
    fn reads(&self, server: &Server, stopped: &str) {
        for collection in self.collections {
            let answer = server.client().send(&Request::new("GET", &format!("/{}", collection.name)));
            let expected = if collection.service == stopped { 503 } else { 200 };
            assert_eq!(answer.status, expected, "/{} while {stopped} is stopped: {answer}", collection.name);
        }
    }

    fn operate(&self, server: &Server, service: &str, verb: &str) {
        server.admin().post(&format!("/admin/services/{}/{service}/{verb}", self.name)).is(200);
    }
}

fn send(server: &Server, line: &str) -> Response {
    server.client().http(line)
}

fn quiet(server: &Server) {
    server.admin().get("/admin/quiesce?within=15s").is(200);
}

#[test]
fn a_call_that_is_said_to_need_more_or_less_than_it_does_is_noticed() {
    const ORDERS: Collection =
        Collection { name: "orders", service: "order", key: Key::Named("id", "order"), references: &[], ignored: &[] };
    const REQUEST: &str = "POST :8088/orders item=COSMOS";
    for (needs, stopped) in [(&["order"][..], "rent"), (&["order", "rent", "delivery"][..], "delivery")] {
        let during = [call(REQUEST, needs, 201).gives("order-new")];
        let (services, collections) = (&["order"], &[ORDERS]);
        let system = System { name: "library", services, collections, before: &[], during: &during };
        let run = std::panic::catch_unwind(|| system.run(Some((stopped, Back::Started))));
        assert!(run.is_err(), "{needs:?} passed for the needs of {REQUEST}");
        assert!(system.run(Some(("mypage", Back::Started))).0["/orders"][0].contains("order-new"));
    }
}
