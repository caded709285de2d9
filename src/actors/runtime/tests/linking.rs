//! What an ask meets on a link: retries, a full link, an open breaker.

use std::time::Duration;

use tokio::time::Instant;

use super::fixture::*;
use crate::{
    BreakerState, LinkStatus, SupervisionConfig, System,
    actors::entity::{AskError, Outcome, Unavailable},
    persistence::{Journal, PartitionId},
};

/// A system with some tallies; its errands ask them over `t.errand.tally`.
async fn shop(link: &str) -> System {
    let system = start_with(&memory(), &format!("[link.t.errand.tally]\n{link}")).await;
    for tally in ["a", "b", "c", "d"] {
        system.entities::<Tally>().ask(&key(tally), Add { n: 1 }).await.expect("added");
    }
    system
}

fn link(system: &System) -> LinkStatus {
    let links = system.links();
    assert_eq!(links.len(), 1);
    links.into_iter().next().expect("one link")
}

fn durable(system: &System) -> u64 {
    let of_unit =
        |journal: &dyn Journal| (0..journal.partitions()).map(|p| journal.durable(PartitionId(p))).sum::<u64>();
    system.inner.units.iter().map(|unit| of_unit(unit.journal.as_ref())).sum()
}

type Errands = Result<i64, AskError<ErrandRejection>>;

async fn run(system: &System, errand: &str, to: u64, n: i64) -> Errands {
    system.entities::<Errand>().ask(&key(errand), RunErrand { to, n }).await
}

#[tokio::test(start_paused = true)]
async fn after_a_few_failures_nothing_is_begun_until_a_probe_succeeds() {
    let system = shop("breaker = { consecutive_failures = 3, open_for = \"30s\" }").await;
    for to in 1..=3 {
        let failed = run(&system, &format!("e{to}"), to, i64::MIN).await.expect_err("the tally panics");
        assert_eq!(failed.outcome(), Outcome::NotDone, "{failed:?}");
    }
    let status = link(&system);
    assert_eq!((status.state, status.opened, status.calls, status.failed), (BreakerState::Open, 1, 3, 3));
    let written = durable(&system);
    let refused = run(&system, "e", 4, 5).await.expect_err("open");
    assert_eq!(refused.outcome(), Outcome::NotDone);
    let retry_after = refused.retry_after().expect("it says when");
    assert!(retry_after <= Duration::from_secs(30) && retry_after > Duration::from_secs(29), "{retry_after:?}");
    assert!(matches!(refused, AskError::Unavailable(Unavailable::Partner { .. })), "{refused:?}");
    assert_eq!(durable(&system), written, "nothing was written");
    let status = link(&system);
    assert_eq!((status.refused_open, status.calls), (1, 3), "the tally was not asked");

    tokio::time::sleep(Duration::from_secs(31)).await;
    assert_eq!(link(&system).state, BreakerState::HalfOpen);
    assert_eq!(run(&system, "e", 4, 5).await, Ok(6));
    let status = link(&system);
    assert_eq!((status.state, status.opened, status.in_flight), (BreakerState::Closed, 1, 0));
}

#[tokio::test]
async fn a_partner_that_says_no_or_is_stopped_opens_nothing() {
    let system = shop("breaker = { consecutive_failures = 1, minimum_calls = 1, failure_rate = 1 }").await;
    system.stop_service("t/tally").await.expect("stopped");
    for errand in ["e", "f", "g"] {
        run(&system, errand, 1, 5).await.expect_err("stopped");
    }
    system.start_service("t/tally").await.expect("started");
    assert_eq!(run(&system, "e", 1, 5).await, Ok(6), "it is there at once");
    let status = link(&system);
    assert_eq!((status.state, status.window_calls, status.failed), (BreakerState::Closed, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn what_was_not_done_is_tried_again_within_the_deadline() {
    let system = shop("attempts = 3\npause = \"100ms\"").await;
    system.stop_service("t/tally").await.expect("stopped");
    let before = Instant::now();
    run(&system, "e", 1, 5).await.expect_err("stopped");
    let status = link(&system);
    assert_eq!((before.elapsed().as_millis() / 100, status.calls, status.retried), (3, 3, 2));
    let system = shop("attempts = 10\npause = \"300ms\"").await;
    system.stop_service("t/tally").await.expect("stopped");
    let before = Instant::now();
    run(&system, "e", 1, 5).await.expect_err("stopped");
    // 300 ms, 600 ms; after 1.2 s more the second that all attempts have would be over.
    assert_eq!((before.elapsed().as_millis() / 100, link(&system).calls), (9, 3));
}

#[tokio::test(start_paused = true)]
async fn other_limits_hold_while_the_link_is_used_and_are_told_once() {
    let system = shop("attempts = 1").await;
    system.stop_service("t/tally").await.expect("stopped");
    run(&system, "e", 1, 5).await.expect_err("stopped");
    assert_eq!((link(&system).calls, link(&system).in_flight_limit), (1, 256));
    let say = |text: &str| {
        let config = SupervisionConfig::parse(&format!("[link.t.errand.tally]\n{text}"), "test").expect("valid");
        system.inner.kinds.links().reconfigure(&config)
    };
    assert_eq!(say("attempts = 3\npause = \"10ms\"\nin_flight = 7"), ["t.errand.tally"]);
    run(&system, "e", 1, 5).await.expect_err("stopped");
    assert_eq!((link(&system).calls, link(&system).in_flight_limit), (4, 7));
    assert!(say("attempts = 3\npause = \"10ms\"\nin_flight = 7").is_empty(), "the same");

    system.start_service("t/tally").await.expect("started");
    assert_eq!(say("breaker = { consecutive_failures = 1, open_for = \"10m\" }"), ["t.errand.tally"]);
    run(&system, "f", 2, i64::MIN).await.expect_err("the tally panics");
    assert_eq!(link(&system).state, BreakerState::Open);
    say("breaker = { open_for = \"1ms\" }");
    tokio::time::sleep(Duration::from_millis(2)).await;
    assert_eq!(run(&system, "g", 3, 5).await, Ok(6), "an operator's reload is heeded by an open breaker");
}

/// Nothing on the way to the refusal waits: in paused time it takes none at all.
#[tokio::test(start_paused = true)]
async fn an_open_breaker_answers_at_once_and_says_when_to_come_again() {
    let system = shop("breaker = { consecutive_failures = 1 }").await;
    run(&system, "f", 2, i64::MIN).await.expect_err("the tally panics");
    let before = Instant::now();
    for errand in 0..100 {
        let refused = run(&system, &format!("e{errand}"), 1, 5).await.expect_err("open");
        assert!(refused.retry_after().is_some_and(|after| after > Duration::from_secs(4)), "{refused:?}");
    }
    assert_eq!((before.elapsed(), link(&system).refused_open), (Duration::ZERO, 100));
}
