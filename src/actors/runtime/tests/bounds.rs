//! The budget of a service: what happens at each of its bounds.

use std::{sync::Arc, time::Duration};

use futures::FutureExt;

use super::{
    super::{System, bulkhead::Permit, service::ServiceRuntime},
    fixture::*,
};
use crate::actors::entity::{AskError, NumberedId};

const LONG: Duration = Duration::from_mins(5);

pub(super) fn service(system: &System, name: &str) -> Arc<ServiceRuntime> {
    system.inner.services.iter().find(|service| service.full_name == name).expect("a service").clone()
}

/// Takes a place of the service, as a command does that takes its time.
pub(super) async fn occupy(system: &System, name: &str) -> Permit {
    let deadline = tokio::time::Instant::now() + LONG;
    service(system, name).places.enter(deadline).await.expect("a free place")
}

/// Adds 1 to this tally, however long it takes.
pub(super) async fn add(system: &System, to: String) -> Result<i64, AskError<TallyRejection>> {
    system.entities::<Tally>().ask(&key(&to), Add { n: 1 }).within(LONG).await
}

/// Asked so far that it waits.
pub(super) fn waits<F: Future + Unpin>(asked: &mut F) -> bool {
    asked.now_or_never().is_none()
}

fn overloaded<T: std::fmt::Debug>(answer: Option<Result<T, AskError<TallyRejection>>>) -> Duration {
    match answer {
        Some(Err(AskError::Overloaded { retry_after })) => retry_after,
        other => panic!("it is refused at once: {other:?}"),
    }
}

/// Another service takes work, whatever this one has to do.
async fn the_neighbour_works(system: &System) {
    let errands = system.entities::<Errand>();
    assert_eq!(errands.get(&NumberedId::number(7)).await.expect("readable").map(|current| current.sequence), None);
    let refused = errands.ask(&NumberedId::number(7), RunErrand { to: 1, n: 1 }).await;
    assert!(matches!(refused, Err(AskError::NotFound { .. })), "{refused:?}");
}

#[tokio::test(start_paused = true)]
async fn beyond_the_messages_of_a_service_commands_are_refused_at_once_and_none_is_lost() {
    let config = "[service.t.tally]\nbudget_messages = 3\n[bulkhead.t.tally]\nmax = 1";
    let system = start_with(&memory(), config).await;
    let held = occupy(&system, "t/tally").await;
    let mut asked: Vec<_> = (0..3).map(|n| Box::pin(add(&system, format!("a{n}")))).collect();
    assert!(asked.iter_mut().all(waits));
    assert!(overloaded(add(&system, "a3".to_owned()).now_or_never()) > Duration::ZERO);
    let budget = service(&system, "t/tally").budget_status();
    assert_eq!((budget.messages, budget.messages_limit, budget.in_flight, budget.refused), (3, 3, 3, 1));
    the_neighbour_works(&system).await;
    drop(held);
    for call in asked {
        assert_eq!(call.await, Ok(1));
    }
    assert_eq!(add(&system, "a3".to_owned()).await, Ok(1));
    assert_eq!(service(&system, "t/tally").budget_status().in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn beyond_the_bytes_of_a_service_commands_are_refused_at_once_and_none_is_lost() {
    let config = "[service.t.tally]\nbudget_bytes = \"64 KiB\"\n[bulkhead.t.tally]\nmax = 1\nqueue = 10000";
    let system = start_with(&memory(), config).await;
    let held = occupy(&system, "t/tally").await;
    let mut asked = Vec::new();
    let refused = loop {
        let mut call = Box::pin(add(&system, format!("a{}", asked.len())));
        match call.as_mut().now_or_never() {
            None => asked.push(call),
            refused => break refused,
        }
        assert!(asked.len() < 4000, "the budget of messages would be next");
    };
    assert!(overloaded(refused) > Duration::ZERO);
    let budget = service(&system, "t/tally").budget_status();
    assert_eq!((budget.bytes_limit, budget.messages, budget.refused), (64 << 10, asked.len(), 1));
    assert!(budget.bytes <= 48 << 10 && budget.bytes > 44 << 10, "new work leaves a quarter: {budget:?}");
    the_neighbour_works(&system).await;
    drop(held);
    assert!(futures::future::join_all(asked).await.iter().all(|answer| *answer == Ok(1)));
    assert_eq!(service(&system, "t/tally").budget_status().bytes, 0);
}

/// Decided and not durable is under way as well: it waits in no mailbox.
#[tokio::test(start_paused = true)]
async fn beyond_the_work_in_flight_of_a_service_commands_are_refused_at_once_and_none_is_lost() {
    let storage = memory();
    let system = start_with(&storage, "[service.t.tally]\nin_flight = 2").await;
    let disk = storage.memory_unit("main").expect("in memory");
    add(&system, "z".to_owned()).await.expect("added");
    settled(&system).await;
    disk.hold();
    let mut asked: Vec<_> = (0..2).map(|n| Box::pin(add(&system, format!("a{n}")))).collect();
    assert!(asked.iter_mut().all(waits));
    settle(|| disk.waiting() == 2).await;
    assert!(overloaded(add(&system, "a2".to_owned()).now_or_never()) > Duration::ZERO);
    let read = system.entities::<Tally>().get(&key("a0")).await;
    assert!(matches!(read, Err(AskError::Overloaded { .. })), "a read that would have to wait is work as well");
    assert_eq!(
        system.entities::<Tally>().get(&key("z")).await.expect("readable").map(|z| z.state.total),
        Some(1),
        "one at rest is read whatever is under way"
    );
    let budget = service(&system, "t/tally").budget_status();
    assert_eq!((budget.messages, budget.in_flight, budget.in_flight_limit, budget.refused), (0, 2, 2, 2));
    let places = service(&system, "t/tally").places_status();
    assert_eq!((places.max, places.in_flight, places.refused), (2, 2, 2), "without places of its own");
    the_neighbour_works(&system).await;
    disk.release();
    for call in asked {
        assert_eq!(call.await, Ok(1));
    }
    assert_eq!(add(&system, "a2".to_owned()).await, Ok(1));
}

/// Recoveries that wait are bounded too; an entity in memory needs none.
#[tokio::test(start_paused = true)]
async fn beyond_the_recoveries_of_a_service_entities_are_refused_at_once_and_none_is_lost() {
    let system = start_with(&memory(), "[service.t.tally]\nrecoveries = 1\nrecovery_queue = 1").await;
    add(&system, "z".to_owned()).await.expect("added");
    let tally = service(&system, "t/tally");
    let held = tally.recoveries.enter_patiently(false).await.expect("free");
    let mut first = Box::pin(add(&system, "a0".to_owned()));
    assert!(waits(&mut first));
    settle(|| tally.budget_status().recoveries_waiting == 1).await;
    let refused = add(&system, "a1".to_owned()).await;
    assert!(matches!(refused, Err(AskError::Overloaded { .. })), "{refused:?}");
    let budget = tally.budget_status();
    assert_eq!((budget.recoveries, budget.recoveries_limit, budget.recoveries_waiting), (1, 1, 1));
    assert_eq!((budget.recoveries_waiting_limit, budget.recoveries_refused), (1, 1));
    assert_eq!(add(&system, "z".to_owned()).await, Ok(2), "it is in memory");
    the_neighbour_works(&system).await;
    drop(held);
    assert_eq!(first.await, Ok(1));
    assert_eq!(add(&system, "a1".to_owned()).await, Ok(1), "the same entity, later");
}

/// Who asks another entity has an answer to come, which nobody else could bring home.
#[tokio::test(start_paused = true)]
async fn an_entity_with_an_open_step_waits_for_its_recovery_whatever_the_bound() {
    let config = "[service.t.errand]\nrecoveries = 1\nrecovery_queue = 0\n[bulkhead.t.tally]\nmax = 1\n\
                  [link]\ntimeout = \"4m\"";
    let system = start_with(&memory(), config).await;
    add(&system, "a".to_owned()).await.expect("added");
    settled(&system).await;
    let place = occupy(&system, "t/tally").await;
    let errands = system.entities::<Errand>();
    let asked = Box::pin(errands.ask(&key("e"), RunErrand { to: 1, n: 4 }).within(LONG).answered());
    let mut asked = asked.fuse();
    assert!(waits(&mut asked));
    settle(|| service(&system, "t/tally").places_status().waiting == 1).await;
    let errand = service(&system, "t/errand");
    let held = errand.recoveries.enter_patiently(false).await.expect("free");
    system.kill_entity("errand", "e").await.expect("killed");
    settle(|| errand.budget_status().recoveries_waiting == 1).await;
    assert_eq!(errand.budget_status().recoveries_refused, 0);
    drop((held, place));
    let answered = asked.await.expect("the answer came home");
    assert_eq!(answered.reply, 5);
}

/// Lets others go on until it is so.
pub(super) async fn settle(so: impl Fn() -> bool) {
    for _ in 0..10_000 {
        if so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("it never comes to that");
}
