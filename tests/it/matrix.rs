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
//! A system is one value of [`System`]: see `tests/common/traffic`. What a call needs is data, and the test holds it to both
//! halves: with the service stopped a call that needs it has to be refused, and one that does not has to succeed.

use crate::common::{
    Request, Response, Server, Setup,
    traffic::{Call, Collection, Key, LIBRARY, Ledger, Names, PROCUREMENT, STATION, STAY, STORE, System, call},
};

/// How a stopped service comes back.
#[derive(Clone, Copy, Debug)]
enum Back {
    /// An operator starts it.
    Started,
    /// The process is killed, and another one starts everything on the same data.
    Killed,
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
        Ledger::read(self, &server.client(), &server.admin(), &names)
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
    server.admin().get("/admin/quiesce?within=60s").is(200);
}

#[test]
fn n1_to_n4_whichever_service_of_the_store_is_stopped_the_end_is_the_same() {
    STORE.check();
}

#[test]
fn stay_n1_to_n4_whichever_service_is_stopped_the_end_is_the_same() {
    STAY.check();
}

#[test]
fn library_n1_to_n5_whichever_service_is_stopped_the_end_is_the_same() {
    LIBRARY.check();
}

#[test]
fn station_n1_to_n3_whichever_service_is_stopped_the_end_is_the_same() {
    STATION.check();
}

#[test]
fn procurement_n1_to_n5_whichever_service_is_stopped_the_end_is_the_same() {
    PROCUREMENT.check();
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
