//! The fault matrix: each fault is injected into each service, link and storage unit of each system, while the system's
//! traffic goes on. Every command is sent, with the same key, until it is answered as it should be; then the fault has to
//! have happened, everything has to come to rest, and what is there has to be what is there without a fault: each item of
//! each collection, and how often each event happened. The laws of the system are checked besides.
//!
//! ```text
//!   before --> inject --> during: each call until it is done --> end --> quiet --> laws, compare
//! ```
//!
//! In this process, in memory, over real sockets: some hundred and fifty runs, several at a time. Each fault has a bound, so that it
//! is over before those who insist give up.

mod inside;
mod laws;

use std::{sync::Mutex, thread, time::Duration};

use steadfast::{AppendFault, Fault, FaultPlan, FaultStatus};

use crate::common::{
    Request, Response,
    traffic::{Call, LIBRARY, Ledger, Names, PROCUREMENT, STATION, STAY, STORE, System},
    until,
};
use inside::Inside;

/// How long a command is sent again and again. A journal is open again within a second.
const INSISTS: Duration = Duration::from_secs(20);

/// Runs at the same time, of one system: most of their time they wait.
const AT_ONCE: usize = 4;

/// Services that only show what others did: no command ever comes to them.
const SHOW_ONLY: [&str; 3] = ["library/mypage", "stay/mypage", "procurement/mypage"];

/// Below every deadline, and beyond that of every ask (see `inside`).
const SHORT: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_millis(900);

/// What is injected into a service.
fn for_services() -> [FaultPlan; 4] {
    let plan = |fault| FaultPlan::new("", fault).seed(1);
    [
        plan(Fault::latency(SHORT, SHORT)),
        plan(Fault::latency(LONG, Duration::ZERO)).count(1),
        plan(Fault::error("on purpose")).count(3),
        plan(Fault::Panic).count(2),
    ]
}

fn for_links() -> [FaultPlan; 3] {
    let plan = |fault| FaultPlan::new("", fault).seed(1);
    [
        plan(Fault::latency(SHORT, SHORT)),
        plan(Fault::latency(LONG, Duration::ZERO)).count(1),
        plan(Fault::error("on purpose")).count(2),
    ]
}

fn for_units() -> [FaultPlan; 4] {
    let append = |how, count| FaultPlan::new("", Fault::Append(how)).count(count).seed(1);
    [
        append(AppendFault::Reject, 3),
        append(AppendFault::Full, 3),
        append(AppendFault::Fail, 1),
        append(AppendFault::Tear, 1),
    ]
}

impl System<'_> {
    fn check_with(&self, targets: impl IntoIterator<Item = String>, plans: &[FaultPlan]) {
        let (expected, _) = self.run_with(None);
        let targets: Vec<String> = targets.into_iter().collect();
        let cases = targets.iter().flat_map(|target| plans.iter().map(move |plan| plan.clone().at(target)));
        let waiting = Mutex::new(cases);
        let next = || waiting.lock().unwrap().next();
        thread::scope(|scope| {
            let work = || {
                while let Some(plan) = next() {
                    let (ended, fault) = self.run_with(Some(plan));
                    compare(&expected, &ended, &fault.expect("it was injected"));
                }
            };
            let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
            for worker in workers {
                if let Err(panic) = worker.join() {
                    std::panic::resume_unwind(panic);
                }
            }
        });
    }

    /// What is there in the end, and what the fault came to.
    fn run_with(&self, plan: Option<FaultPlan>) -> (Ledger, Option<FaultStatus>) {
        let system = Inside::start(self.name);
        let mut names = Names::default();
        for (nth, call) in self.before.iter().enumerate() {
            system.quiet(); // what is looked for has to be there
            insist(&system, call, &format!("before-{nth}"), &mut names);
        }
        system.quiet();
        let faults = system.system.faults();
        let id = plan.map(|plan| faults.inject(plan).unwrap().id);
        for (nth, call) in self.during.iter().enumerate() {
            insist(&system, call, &format!("during-{nth}"), &mut names);
        }
        // It may still happen to what follows; one that has ended by itself is told as well.
        system.quiet();
        let fault = id.map(|id| faults.list().into_iter().find(|fault| fault.id == id).unwrap());
        faults.end_all();
        system.quiet();
        laws::check(self.name, &system);
        (Ledger::read(self, &system.client, &system.admin, &names), fault)
    }
}

/// The fault has happened, and the end is as without it.
fn compare(expected: &Ledger, ended: &Ledger, fault: &FaultStatus) {
    let shows_only = SHOW_ONLY.contains(&fault.target.as_str());
    assert_eq!(fault.fired > 0, !shows_only, "whether it happened at all: {fault:?}");
    for (what, expected) in &expected.0 {
        assert_eq!(&ended.0[what], expected, "{what} after {fault:?}");
    }
}

/// Sends a call until it is answered as it should be; another definite answer fails the test.
fn insist(system: &Inside, call: &Call, key: &str, names: &mut Names) {
    let line = names.fill(call.line).unwrap_or_else(|| panic!("nothing is named so: {}", call.line));
    let mut request = Request::of_httpie(&line);
    if !line.contains("GET ") {
        request = request.header("Idempotency-Key", key);
    }
    let answer = until(INSISTS, || {
        let answer = system.client.send(&request);
        if is_open(&answer) { Err(answer) } else { Ok(answer) }
    });
    let answer = answer.unwrap_or_else(|last| panic!("{line} is not done: {last}"));
    assert_eq!(answer.status, call.answers, "{line}: {answer}");
    if let Some(body) = call.says {
        assert_eq!(answer.text(), body, "{line}: {answer}");
    }
    if let Some(name) = call.gives {
        names.learn(name, &answer);
    }
}

/// Whether the answer is "not now", or not known yet.
fn is_open(answer: &Response) -> bool {
    let is_in_progress = || answer.json()["code"] == "IN_PROGRESS";
    matches!(answer.status, 503 | 504) || (answer.status == 409 && is_in_progress())
}

/// Each service, each link and each storage unit of a system.
fn check(system: &System<'_>, units: &[&str]) {
    let links = Inside::start(system.name).system.links();
    assert!(!links.is_empty(), "{} has links", system.name);
    let services = system.services.iter().map(|service| format!("{}/{service}", system.name));
    system.check_with(services, &for_services());
    system.check_with(links.iter().map(|link| format!("link/{}", link.link)), &for_links());
    system.check_with(units.iter().map(|unit| format!("storage/{unit}")), &for_units());
    health(system);
}

/// A service whose health is down is told, and works.
fn health(system: &System<'_>) {
    let inside = Inside::start(system.name);
    let name = |service: &str| format!("{}/{service}", system.name);
    for service in system.services {
        let id = inside.system.faults().inject(FaultPlan::new(name(service), Fault::HealthDown)).unwrap().id;
        let probe = inside.client.get("/readyz").is(503);
        assert!(probe.text().contains(&format!("{}: not well by the injected fault {id}", name(service))), "{probe}");
        assert!(inside.system.faults().end(id).unwrap().fired > 0);
        inside.client.get("/readyz").is(200);
    }
}

#[test]
fn a_fault_that_never_happened_and_an_end_that_differs_are_noticed() {
    let never = FaultPlan::new("library/order", Fault::Panic).probability(1e-9).seed(1);
    let unmet = std::panic::catch_unwind(|| LIBRARY.check_with(["library/order".to_owned()], &[never]));
    assert!(unmet.is_err(), "a fault that never happened passed for one that did no harm");
    let panics = || FaultPlan::new("library/order", Fault::Panic).count(1);
    let (expected, _) = LIBRARY.run_with(None);
    let [rest @ .., _] = LIBRARY.during else { panic!("no traffic") };
    let [rest @ .., _] = rest else { panic!("no traffic") };
    let less = System { during: rest, ..LIBRARY };
    let (ended, fault) = less.run_with(Some(panics()));
    let fault = fault.unwrap();
    assert_eq!(fault.fired, 1);
    let differs = std::panic::catch_unwind(|| compare(&expected, &ended, &fault));
    assert!(differs.is_err(), "an order that was not canceled passed for one that was");
}

#[test]
fn the_store_ends_as_without_it_whatever_fault_is_injected() {
    check(&STORE, &["main", "alarm"]);
}

#[test]
fn stay_ends_as_without_it_whatever_fault_is_injected() {
    check(&STAY, &["main"]);
}

#[test]
fn library_ends_as_without_it_whatever_fault_is_injected() {
    check(&LIBRARY, &["main"]);
}

#[test]
fn station_ends_as_without_it_whatever_fault_is_injected() {
    check(&STATION, &["main"]);
}

#[test]
fn procurement_ends_as_without_it_whatever_fault_is_injected() {
    check(&PROCUREMENT, &["main", "notification"]);
}
