//! Probes of running services, in paused time.

use std::time::Duration;

use super::{
    super::{ProbeState, declare::Place, probe::Seen},
    fixture::*,
};
use crate::{
    Fault, FaultPlan, ServiceStatus, System,
    actors::entity::{AskError, Unavailable},
};

const QUICK: &str = r#"
[probe.t.tally]
delay = "1s"
period = "1s"
timeout = "500ms"
threshold = 3
[[supervisor]]
name = "services"
at_most = 2
within = "60s"
"#;

fn tally(system: &System) -> ServiceStatus {
    system.services().into_iter().find(|service| service.service == "tally").expect("it is listed")
}

/// The tally's service once `is` holds, within an hour that costs nothing.
async fn until(system: &System, what: &str, is: impl Fn(&ServiceStatus) -> bool) -> ServiceStatus {
    for _ in 0..36_000 {
        let status = tally(system);
        if is(&status) {
            return status;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("never {what}: {:#?}", tally(system));
}

async fn add(system: &System, to: &str) -> Result<i64, AskError<TallyRejection>> {
    system.entities::<Tally>().ask(&key(to), Add { n: 1 }).await
}

#[tokio::test(start_paused = true)]
async fn a_service_that_answers_is_well_and_its_probes_leave_nothing_behind() {
    let system = start_with(&memory(), QUICK).await;
    assert_eq!(tally(&system).probe.expect("it has one").state, ProbeState::Waiting);
    add(&system, "a").await.expect("added");
    let status = until(&system, "probed", |status| status.probe.as_ref().is_some_and(|probe| probe.probes >= 20)).await;
    let probe = status.probe.clone().expect("it has one");
    assert_eq!((probe.state, probe.failed, probe.failures, probe.threshold), (ProbeState::Well, 0, 0, 3));
    assert_eq!(status.live, 1, "the tally: {status:?}");
    assert_eq!((status.restarts, status.state), (0, "running"));
}

#[tokio::test(start_paused = true)]
async fn a_full_budget_is_not_taken_for_illness() {
    let config = format!("{QUICK}[service.t.tally]\nbudget_messages = 1\n");
    let system = start_with(&memory(), &config).await;
    let service = system.inner.services.iter().find(|service| service.name == "tally").expect("there").clone();
    let _all = service.budget.take(1, super::super::lane::Lane::Read).expect("room");
    assert!(matches!(add(&system, "a").await, Err(AskError::Overloaded { .. })));
    let status = until(&system, "probed", |status| status.probe.as_ref().is_some_and(|probe| probe.probes >= 5)).await;
    assert_eq!(status.probe.expect("it has one").failed, 0);
}

/// Recoveries that never end: no command for an entity that is not in memory would ever be answered.
#[tokio::test(start_paused = true)]
async fn a_service_that_is_stuck_is_restarted_then_given_up_alone_and_started_by_an_operator() {
    let system = start_with(&memory(), QUICK).await;
    add(&system, "a").await.expect("added");
    let service = system.inner.services.iter().find(|service| service.name == "tally").expect("there").clone();
    let ever = tokio::time::Instant::now() + Duration::from_hours(10);
    let mut stuck = Vec::new();
    for _ in 0..16 {
        stuck.push(service.recoveries.enter(ever).await.expect("all of them"));
    }

    let ill = until(&system, "restarted", |status| status.restarts > 0).await;
    let reason = ill.last_reason.expect("it says why");
    assert_eq!(reason, "3 probes failed in a row; the last: t.tally: no answer within 500ms");
    let given_up = until(&system, "given up", |status| status.state == "failed").await;
    assert_eq!(given_up.restarts, 2, "{given_up:#?}");
    let reason = given_up.last_reason.expect("it says why");
    assert!(reason.starts_with("given up after more than 2 restarts within 60s: 3 probes failed"), "{reason}");
    let then: Vec<&str> = given_up.failures.iter().map(|failure| failure.then.as_str()).collect();
    assert!(matches!(then[..], [a, b, "given up"] if a.starts_with("started again") && b.starts_with("started again")));

    let refused = add(&system, "a").await.expect_err("given up");
    assert!(matches!(refused, AskError::Unavailable(Unavailable::ServiceStopped { .. })), "{refused:?}");
    assert!(refused.retry_after().is_some());
    let paused = system.consumers().await;
    assert!(paused.iter().filter(|consumer| consumer.service == "tally").all(|consumer| consumer.state == "stopped"));
    assert_eq!(system.degraded().len(), 1, "{:?}", system.degraded());
    assert!(system.degraded()[0].starts_with("t/tally: failed: given up"), "{:?}", system.degraded());
    assert_eq!(system.not_ready(), Vec::<String>::new(), "its neighbours serve");
    let neighbour = system.services().into_iter().find(|service| service.service == "errand").expect("listed");
    assert_eq!((neighbour.state, neighbour.restarts), ("running", 0));

    drop(stuck);
    assert_eq!(system.start_service("t/tally").await.expect("started").state, "running");
    assert_eq!(add(&system, "a").await, Ok(2), "what was acknowledged is there");
    let well =
        until(&system, "well", |status| status.probe.as_ref().is_some_and(|p| p.state == ProbeState::Well)).await;
    assert_eq!((well.state, system.degraded().len()), ("running", 0));
}

#[tokio::test(start_paused = true)]
async fn a_health_that_is_down_by_a_fault_is_healed_when_that_ends() {
    let system = start_with(&memory(), QUICK).await;
    let down = || FaultPlan::new("t/tally", Fault::HealthDown);
    let fault = system.faults().inject(down()).expect("injected").id;
    let ill = until(&system, "restarted", |status| status.restarts == 1).await;
    let reason = format!("3 probes failed in a row; the last: not well by the injected fault {fault}");
    assert_eq!(ill.last_reason, Some(reason));
    let fired = system.faults().end(fault).expect("active").fired;
    assert!(fired >= 3, "each probe has met it: {fired}");
    let well =
        until(&system, "well", |status| status.probe.as_ref().is_some_and(|p| p.state == ProbeState::Well)).await;
    assert_eq!((well.restarts, well.state), (1, "running"));
}

#[tokio::test(start_paused = true)]
async fn without_a_threshold_failed_probes_are_shown_and_nothing_is_restarted() {
    let config = QUICK.replace("threshold = 3", "threshold = 0");
    let system = start_with(&memory(), &config).await;
    system.faults().inject(FaultPlan::new("t/tally", Fault::HealthDown)).expect("injected");
    let ill = until(&system, "ill", |status| status.probe.as_ref().is_some_and(|probe| probe.failed >= 20)).await;
    assert_eq!((ill.state, ill.restarts, ill.probe.expect("it has one").state), ("running", 0, ProbeState::Ill));
}

#[tokio::test(start_paused = true)]
async fn a_storage_that_takes_no_writes_is_no_reason_to_restart_what_stands_on_it() {
    let storage = memory();
    let system = start_with(&storage, QUICK).await;
    let tally = system.inner.services.iter().find(|service| service.name == "tally").expect("there").clone();
    let hosts: Vec<_> =
        system.inner.hosts.iter().filter(|host| std::sync::Arc::ptr_eq(host.service(), &tally)).cloned().collect();
    let unit = system.inner.units[0].clone();
    let probe = system.probe(&Place { service: tally, unit }, &hosts);
    assert_eq!(probe.look(0).await, Seen::Well);
    storage.memory_unit("main").expect("in memory").poison("injected");
    assert!(matches!(probe.look(1).await, Seen::Excused(why) if why.contains("injected")));
}
