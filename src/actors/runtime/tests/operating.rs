//! What operators see and do.

use std::time::Duration;

use super::{
    super::{EventQuery, EventsError, Service, StartError, System},
    fixture::*,
};
use crate::actors::entity::{AskError, NumberedId, ServiceDeclaration, Unavailable};

#[tokio::test]
async fn a_stopped_service_refuses_and_a_started_one_serves_again() {
    let system = start(&memory()).await;
    let tallies = system.entities::<Tally>();
    tallies.ask(&key("a"), Add { n: 1 }).await.expect("added");
    let stopped = system.stop_service("t/tally").await.expect("stopped");
    assert_eq!((stopped.state, stopped.live), ("stopped", 0));
    let refused = tallies.ask(&key("a"), Add { n: 1 }).await;
    assert!(matches!(refused, Err(AskError::Unavailable(Unavailable::ServiceStopped { .. }))), "{refused:?}");
    assert_eq!(system.start_service("t/tally").await.expect("started").state, "running");
    assert_eq!(tallies.ask(&key("a"), Add { n: 1 }).await, Ok(2));
    assert!(system.stop_service("t/nobody").await.is_err());
}

#[tokio::test]
async fn the_tree_shows_storage_services_bulkheads_and_edge() {
    let system = start(&memory()).await;
    let tree = system.tree().await;
    let names: Vec<&str> = tree.children.iter().map(|child| child.name.as_str()).collect();
    assert_eq!(names, ["storage", "services", "bulkheads", "edge"]);
    let services = &tree.children[1].children;
    assert!(services.iter().any(|service| service.name == "t/tally" && service.children.len() == 5), "{tree:#?}");
}

#[tokio::test]
async fn only_public_events_are_shown_page_by_page() {
    let system = start(&memory()).await;
    let tallies = system.entities::<Tally>();
    tallies.ask(&key("a"), Add { n: 1 }).correlation("first").await.expect("added");
    system.entities::<Errand>().ask(&key("e"), RunErrand { to: 1, n: 4 }).correlation("second").await.expect("done");
    settled(&system).await;
    let all = system.events(EventQuery::default()).await.expect("readable");
    let types: Vec<_> = all.events.iter().map(|event| event["eventType"].as_str().expect("text")).collect();
    assert_eq!(types.iter().filter(|name| **name == "Added").count(), 3);
    assert!(types.contains(&"Finished") && !types.contains(&"Begun"));
    let query = EventQuery { correlation: Some("second".to_owned()), ..EventQuery::default() };
    let chain = system.events(query).await.expect("readable");
    assert_eq!(chain.events.len(), 3, "the errand, what it added, and what the policy added: {:?}", chain.events);
    let mut paged = Vec::new();
    let mut after = None;
    loop {
        let query = EventQuery { after: after.clone(), limit: 1, ..EventQuery::default() };
        let page = system.events(query).await.expect("readable");
        if page.events.is_empty() {
            break;
        }
        paged.extend(page.events);
        after = Some(page.next);
    }
    assert_eq!(paged.len(), all.events.len());
}

/// A consumer that an event does not concern is not woken by it; `/admin/consumers` showed it behind for as long as
/// nothing else happened.
#[tokio::test]
async fn a_consumer_that_has_nothing_to_do_has_no_lag() {
    let system = start(&memory()).await;
    let tallies = system.entities::<Tally>();
    for _ in 0..3 {
        tallies.ask(&key("a"), Add { n: 1 }).await.expect("added");
    }
    settled(&system).await;
    system.entities::<Errand>().ask(&key("e"), RunErrand { to: 1, n: 4 }).await.expect("done");
    let mut looks = 0;
    // Progress is written a moment after what it is about, by which it is behind once more.
    while system.consumers().await.iter().any(|consumer| consumer.lag > 0) {
        looks += 1;
        assert!(looks < 50, "{:#?}", system.consumers().await);
    }
}

#[tokio::test]
async fn a_cursor_that_no_page_gave_is_refused() {
    let system = start(&memory()).await;
    let query = EventQuery { after: Some("x".to_owned()), ..EventQuery::default() };
    assert_eq!(system.events(query).await.unwrap_err(), EventsError::NoCursor("x".to_owned()));
}

#[tokio::test]
async fn a_stopped_service_does_not_even_say_what_it_does_not_have() {
    let system = start(&memory()).await;
    system.stop_service("t/tally").await.expect("stopped");
    let nobody = system.entities::<Tally>().ask(&NumberedId::number(9), Add { n: 1 }).await;
    assert!(matches!(nobody, Err(AskError::Unavailable(_))), "{nobody:?}");
}

#[tokio::test]
async fn a_killed_entity_heals_itself() {
    let system = start(&memory()).await;
    let tallies = system.entities::<Tally>();
    tallies.ask(&key("a"), Add { n: 1 }).await.expect("added");
    system.kill_entity("t.tally", "1").await.expect("killed");
    assert_eq!(tallies.ask(&key("a"), Add { n: 1 }).await, Ok(2));
    let seen = system.inspect("tally", "1").await.expect("there");
    assert_eq!((seen["sequence"].as_u64(), seen["state"]["total"].as_i64()), (Some(2), Some(2)));
}

#[tokio::test]
async fn a_policy_of_another_service_and_a_name_used_twice_are_refused() {
    let misplaced = Service::new("errand").entity::<Errand>().policy(CountErrands);
    let tally = Service::new("tally").listed::<Tally>();
    let refused = System::builder(memory()).service("t", tally).service("t", misplaced).start().await;
    assert!(matches!(refused, Err(StartError::ForeignTarget { .. })), "{refused:?}");
    let (one, two) = (Service::new("one").entity::<Tally>(), Service::new("two").entity::<Tally>());
    let refused = System::builder(memory()).service("t", one).service("t", two).start().await;
    assert!(matches!(refused, Err(StartError::NameTaken { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_shutdown_kills_nothing_and_refuses_from_then_on() {
    let system = start(&memory()).await;
    let tallies = system.entities::<Tally>();
    tallies.ask(&key("a"), Add { n: 1 }).await.expect("added");
    let report = system.shutdown(Duration::from_secs(10)).await;
    assert!(report.killed.is_empty(), "{report:?}");
    assert!(tallies.ask(&key("a"), Add { n: 1 }).await.is_err());
}
