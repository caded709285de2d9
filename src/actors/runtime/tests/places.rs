//! The places in which a service handles its commands.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use super::{
    super::{Clock, Configuration, ConfigurationSource, ReloadError, Service, System},
    bounds::{add, occupy, service, settle, waits},
    fixture::*,
};
use crate::actors::{
    entity::{AskError, ServiceDeclaration, Timestamp, Unavailable},
    supervision::SupervisionConfig,
};

/// Desired, in flight, waiting, refused.
fn places(system: &System, name: &str) -> (usize, usize, usize, u64) {
    let status = system.bulkheads().into_iter().find(|bulkhead| bulkhead.name == name).expect("listed");
    assert_eq!(status.kind, "semaphore");
    (status.desired, status.in_flight, status.waiting, status.refused)
}

fn asked(system: &System, n: usize) -> impl Future<Output = Result<i64, AskError<TallyRejection>>> + use<'_> {
    add(system, format!("a{n}"))
}

#[tokio::test(start_paused = true)]
async fn a_place_is_held_until_the_events_are_durable_and_beyond_the_queue_commands_are_refused() {
    let storage = memory();
    let system = start_with(&storage, "[bulkhead.t.tally]\nmax = 2\nqueue = 1").await;
    let disk = storage.memory_unit("main").expect("in memory");
    add(&system, "z".to_owned()).await.expect("added");
    settled(&system).await;
    disk.hold();
    let mut calls: Vec<_> = (0..3).map(|n| Box::pin(asked(&system, n))).collect();
    assert!(calls.iter_mut().all(waits));
    assert_eq!(places(&system, "t/tally"), (2, 2, 1, 0));
    settle(|| disk.waiting() == 2).await;
    let refused = asked(&system, 3).await;
    assert!(matches!(refused, Err(AskError::Overloaded { .. })), "{refused:?}");
    assert_eq!(places(&system, "t/tally"), (2, 2, 1, 1));
    let current = system.entities::<Tally>().get(&key("z")).await.expect("readable").expect("there");
    assert_eq!(current.state.total, 1, "a read needs no place");
    assert_eq!(disk.waiting(), 2, "the third was not decided");
    disk.release();
    for call in calls {
        assert_eq!(call.await, Ok(1));
    }
    assert_eq!(places(&system, "t/tally"), (2, 0, 0, 1));
    assert_eq!(asked(&system, 3).await, Ok(1));
}

#[tokio::test(start_paused = true)]
async fn a_command_that_has_no_place_by_its_deadline_is_withdrawn() {
    let system = start_with(&memory(), "[bulkhead.t.tally]\nmax = 1").await;
    let held = occupy(&system, "t/tally").await;
    let within = Duration::from_millis(300);
    let expired = system.entities::<Tally>().ask(&key("a"), Add { n: 1 }).within(within).await;
    assert!(matches!(expired, Err(AskError::Overloaded { .. })), "{expired:?}");
    drop(held);
    assert_eq!(add(&system, "a".to_owned()).await, Ok(1), "nothing was written before");
}

#[tokio::test(start_paused = true)]
async fn a_service_that_stops_tells_who_waits_for_a_place() {
    let system = start_with(&memory(), "[bulkhead.t.tally]\nmax = 1").await;
    let _held = occupy(&system, "t/tally").await;
    let mut call = Box::pin(asked(&system, 0));
    assert!(waits(&mut call));
    system.stop_service("t/tally").await.expect("stopped");
    let stopped = call.await;
    assert!(matches!(stopped, Err(AskError::Unavailable(Unavailable::ServiceStopped { .. }))), "{stopped:?}");
    assert_eq!(system.bulkheads().iter().find(|bulkhead| bulkhead.name == "t/tally").expect("listed").state, "stopped");
    system.start_service("t/tally").await.expect("started");
    let mut call = Box::pin(asked(&system, 0));
    assert!(waits(&mut call), "the place is taken still");
}

/// Otherwise whoever asks a slow partner would keep out all who need none.
#[tokio::test(start_paused = true)]
async fn who_asks_another_entity_holds_no_place_meanwhile() {
    let config = "[bulkhead.t.tally]\nmax = 1\n[bulkhead.t.errand]\nmax = 1\nqueue = 0\n[link]\ntimeout = \"4m\"";
    let system = start_with(&memory(), config).await;
    add(&system, "a".to_owned()).await.expect("added");
    settled(&system).await;
    let held = occupy(&system, "t/tally").await;
    let errands = system.entities::<Errand>();
    let run =
        async |name: &str| errands.ask(&key(name), RunErrand { to: 1, n: 4 }).within(Duration::from_mins(5)).await;
    let (mut first, mut second) = (Box::pin(run("e")), Box::pin(run("f")));
    for (call, asking) in [(&mut first, 1), (&mut second, 2)] {
        assert!(waits(call));
        settle(|| service(&system, "t/tally").places_status().waiting == asking).await;
        assert_eq!(places(&system, "t/errand"), (1, 0, 0, 0));
    }
    assert_eq!(service(&system, "t/errand").budget_status().in_flight, 2, "they are under way all the same");
    drop(held);
    let totals = [first.await, second.await];
    assert!(totals.iter().all(Result::is_ok), "{totals:?}");
}

/// A system whose configuration is this text, as it stands.
async fn reloadable(text: &Arc<Mutex<String>>) -> System {
    let read = text.clone();
    let source = ConfigurationSource::new(move || {
        let supervision = SupervisionConfig::parse(&read.lock().expect("ours"), "test")?;
        Ok(Configuration { supervision, ..Configuration::default() })
    });
    let supervision = source.read().expect("valid").supervision;
    let tally = Service::new("tally").listed::<Tally>();
    System::builder(memory())
        .supervision(supervision)
        .clock(Clock::starting_at(Timestamp::from_millis(1_000_000)))
        .source(source)
        .service("t", tally)
        .start()
        .await
        .expect("starts")
}

#[tokio::test]
async fn a_reload_changes_the_bounds_at_once_and_takes_nobody_s_place() {
    let text = Arc::new(Mutex::new("[bulkhead.t.tally]\nmax = 1\n".to_owned()));
    let system = reloadable(&text).await;
    let held = occupy(&system, "t/tally").await;
    let mut calls: Vec<_> = (0..2).map(|n| Box::pin(asked(&system, n))).collect();
    assert!(calls.iter_mut().all(waits));
    *text.lock().unwrap() = "[bulkhead.t.tally]\nmax = 2\nqueue = 7\n[service]\nin_flight = 50\n".to_owned();
    let reloaded = system.reload().await.expect("valid");
    assert_eq!(
        (reloaded.resized, reloaded.needs_restart),
        (vec!["t/tally".to_owned(), "steadfast/main".to_owned()], vec![])
    );
    for call in calls {
        assert_eq!(call.await, Ok(1), "there is room for one beside the one that is held");
    }
    assert_eq!(service(&system, "t/tally").budget_status().in_flight_limit, 50);
    assert_eq!(places(&system, "t/tally"), (2, 1, 0, 0));
    let _second = occupy(&system, "t/tally").await;
    *text.lock().unwrap() = "[bulkhead.t.tally]\nmax = 1\n".to_owned();
    system.reload().await.expect("valid");
    assert_eq!(places(&system, "t/tally"), (1, 2, 0, 0), "who is in stays in");
    let mut call = Box::pin(asked(&system, 0));
    assert!(waits(&mut call));
    drop(held);
    assert!(waits(&mut call), "the other one is in still");
    text.lock().unwrap().clear();
    system.reload().await.expect("valid");
    assert_eq!(call.await, Ok(2), "without bounds of its own");
    assert_eq!(system.reload().await.expect("valid").resized, Vec::<String>::new(), "nothing differs");
    for (section, text_of) in [("bulkhead.t.taly", "[bulkhead.t.taly]\nmax = 1"), ("service.t.x", "[service.t.x]")] {
        *text.lock().unwrap() = text_of.to_owned();
        let refused = system.reload().await;
        assert!(matches!(&refused, Err(ReloadError::Unused { section: found }) if found == section), "{refused:?}");
    }
    *text.lock().unwrap() = "[service]\ncommand_keys = 7\n".to_owned();
    assert_eq!(system.reload().await.expect("valid").needs_restart, ["service"]);
}

/// More commands than places, at a disk that does not answer: the places grow, within their bounds, and each command
/// is done once.
#[tokio::test(start_paused = true)]
async fn places_follow_the_load_while_commands_are_done_once_each() {
    const COMMANDS: usize = 40;
    let storage = memory();
    let config = "[bulkhead.t.tally]\nautoscale = { min = 1, max = 10, busy_target = 15, idle = \"30s\" }";
    let system = start_with(&storage, config).await;
    let disk = storage.memory_unit("main").expect("in memory");
    let status = || service(&system, "t/tally").places_status();
    assert_eq!((status().min, status().max, status().desired), (1, 10, 1));
    disk.hold();
    let mut calls: Vec<_> = (0..COMMANDS).map(|n| Box::pin(asked(&system, n % 7))).collect();
    assert!(calls.iter_mut().all(waits));
    let mut sizes = vec![status().desired];
    while status().desired < 10 {
        settle(|| status().desired > *sizes.last().expect("one")).await;
        settle(|| status().in_flight == status().desired).await;
        sizes.push(status().desired);
    }
    assert_eq!(sizes, [1, 2, 4, 8, 10], "doubled every second");
    assert_eq!(status().waiting, COMMANDS - 10);
    disk.release();
    let answers = futures::future::join_all(calls).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    let mut total = 0;
    for n in 0..7 {
        let current = system.entities::<Tally>().get(&key(&format!("a{n}"))).await.expect("readable").expect("there");
        total += usize::try_from(current.state.total).expect("positive");
    }
    assert_eq!(total, COMMANDS, "each once");
    assert_eq!(status().desired, 10, "not at once");
    tokio::time::sleep(Duration::from_secs(33)).await;
    let after = status();
    assert_eq!((after.desired, after.current, after.in_flight), (1, 1, 0));
}
