//! Whoever follows the events as they come.

use std::time::Duration;

use futures::{StreamExt, stream::BoxStream};

use super::{
    super::{EventQuery, EventsError, FollowedEvent, System, bus::MOST_FOLLOWERS},
    fixture::*,
};

type Events = BoxStream<'static, Result<FollowedEvent, EventsError>>;

async fn add(system: &System, n: i64) {
    system.entities::<Tally>().ask(&key(&n.to_string()), Add { n }).await.expect("added");
}

/// The keys are the numbers in the order in which they were added: the id tells which event it is.
async fn take(events: &mut Events, count: usize) -> Vec<(u64, String)> {
    let mut taken = Vec::new();
    for _ in 0..count {
        let FollowedEvent { cursor, envelope } = events.next().await.expect("goes on").expect("readable");
        taken.push((envelope["id"].as_u64().expect("a number"), cursor));
    }
    taken
}

fn behind(cursor: &str) -> EventQuery {
    EventQuery { after: Some(cursor.to_owned()), ..EventQuery::default() }
}

fn ids(taken: &[(u64, String)]) -> Vec<u64> {
    let mut ids: Vec<u64> = taken.iter().map(|(id, _)| *id).collect();
    ids.sort_unstable();
    ids
}

#[tokio::test(start_paused = true)]
async fn each_event_comes_once_and_whoever_breaks_off_goes_on_behind_any_of_them() {
    let system = start(&memory()).await;
    for n in 1..=3 {
        add(&system, n).await;
    }
    let mut now = system.follow(EventQuery::default()).await.expect("begins");
    let mut all = system.follow(behind("")).await.expect("begins");
    for n in 4..=40 {
        add(&system, n).await;
    }
    assert_eq!(ids(&take(&mut now, 37).await), (4..=40).collect::<Vec<_>>());
    let taken = take(&mut all, 40).await;
    assert_eq!(ids(&taken), (1..=40).collect::<Vec<_>>());
    for (at, (_, cursor)) in taken.iter().enumerate() {
        let mut rest = system.follow(behind(cursor)).await.expect("goes on");
        // Of several partitions they may come in another order.
        assert_eq!(ids(&take(&mut rest, 39 - at).await), ids(&taken[at + 1..]), "behind event {at}");
    }
    // What comes while somebody waits wakes him.
    let (woken, ()) = tokio::join!(take(&mut now, 1), add(&system, 41));
    assert_eq!(ids(&woken), [41]);
}

#[tokio::test(start_paused = true)]
async fn whoever_wants_few_is_sent_behind_all_that_he_does_not_want() {
    let system = start(&memory()).await;
    let query = EventQuery { correlation: Some("mine".to_owned()), ..EventQuery::default() };
    let mut mine = system.follow(query.clone()).await.expect("begins");
    for n in 1..=50 {
        add(&system, n).await;
    }
    system.entities::<Tally>().ask(&key("x"), Add { n: 1 }).correlation("mine").await.expect("added");
    let (id, cursor) = take(&mut mine, 1).await.remove(0);
    assert_eq!(id, 51);
    let page = system.events(behind(&cursor)).await.expect("readable");
    assert_eq!(page.events, Vec::<serde_json::Value>::new(), "nothing is looked at twice");
}

#[tokio::test]
async fn no_more_may_follow_than_there_is_room_for() {
    let system = start(&memory()).await;
    let mut followers = Vec::new();
    for _ in 0..MOST_FOLLOWERS {
        followers.push(system.follow(EventQuery::default()).await.expect("there is room"));
    }
    assert_eq!(system.follow(EventQuery::default()).await.err(), Some(EventsError::TooManyFollowers));
    drop(followers.pop());
    // One that is refused for another reason leaves its place.
    assert_eq!(system.follow(behind("x")).await.err(), Some(EventsError::NoCursor("x".to_owned())));
    followers.push(system.follow(EventQuery::default()).await.expect("there is room again"));
}

#[tokio::test]
async fn it_ends_with_the_system() {
    let system = start(&memory()).await;
    let mut events = system.follow(EventQuery::default()).await.expect("begins");
    add(&system, 1).await;
    assert_eq!(ids(&take(&mut events, 1).await), [1]);
    let (last, _) = tokio::join!(events.next(), system.shutdown(Duration::from_secs(5)));
    assert_eq!(last, None);
}
