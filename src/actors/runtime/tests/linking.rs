//! What an ask meets on a link: retries, a full link, an open breaker.

use std::time::Duration;

use tokio::time::Instant;

use super::fixture::*;
use crate::{
    BreakerState, LinkStatus, System,
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
