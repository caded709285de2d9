//! What a policy sends in one lane goes together, and stays in order and once whatever happens in the middle.

use std::time::Duration;

use tokio::time::Instant;

use super::{fixture::*, talker::*};
use crate::{
    AppendFault, Fault as Injected, FaultPlan, System,
    persistence::{Fault, Faults, Operation},
};

/// To one entity, and each to a new one in the order of their source.
const LANES: [To; 2] = [To::Ear, To::Ears];

/// Had each to wait for the append of the one before, there would be 200 seconds of that.
#[tokio::test(start_paused = true)]
async fn what_waits_in_a_lane_shares_the_time_of_its_appends() {
    // The talk, the first one alone, then 64, 64, 64 and 7, or all the others; and cursors, for which all of them wait.
    for (to, seconds) in LANES.into_iter().zip([6..=15, 3..=8]) {
        let system = talkers(&memory()).await;
        let slow = Injected::latency(Duration::from_secs(1), Duration::ZERO);
        system.faults().inject(FaultPlan::new("storage/main", slow)).expect("injected");
        let begun = Instant::now();
        talk(&system, "a", to, 0..200).await;
        system.quiesce(Duration::from_mins(1)).await.expect("everything comes to rest");
        let took = begun.elapsed();
        assert!(seconds.contains(&took.as_secs()), "{to:?}: {took:?}");
        assert_eq!(heard(&system, to).await, (0..200).collect::<Vec<_>>());
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_one_is_put_aside_and_those_behind_it_are_done_in_order() {
    for to in LANES {
        let system = talkers(&memory()).await;
        talk(&system, "a", to, (0..20).chain([REFUSED, REFUSED + 1]).chain(20..40).chain([REFUSED + 2])).await;
        settled(&system).await;
        assert_eq!(heard(&system, to).await, (0..40).collect::<Vec<_>>(), "{to:?}");
        assert_eq!(system.dead_letters().await.expect("readable").len(), 3, "{to:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_the_middle_has_what_is_behind_it_wait() {
    for (to, first) in LANES.into_iter().zip([PANICS, PANICS + 100]) {
        let system = talkers(&memory()).await;
        let numbers: Vec<u64> = (0..10).chain([first, 10, 11, first + 1]).chain(12..90).collect();
        talk(&system, "a", to, numbers.clone()).await;
        settled(&system).await;
        assert_eq!(heard(&system, to).await, numbers, "{to:?}");
        assert!(system.dead_letters().await.expect("readable").is_empty(), "{to:?}");
    }
}

/// The answer to a step comes later: the next command of the series, decided before, would meet a walker that is away.
#[tokio::test(start_paused = true)]
async fn one_that_asks_somebody_else_is_finished_before_the_next_is_decided() {
    let system = talkers(&memory()).await;
    system.entities::<Tally>().ask(&key("t"), Add { n: 1 }).await.expect("added");
    talk(&system, "a", To::Walker, 0..30).await;
    settled(&system).await;
    assert!(system.dead_letters().await.expect("readable").is_empty(), "none was refused");
    let tally = system.entities::<Tally>().get(&key("t")).await.expect("readable").expect("there");
    assert_eq!(tally.state.total, 31);
}

/// How much each of three talkers says.
const SAID: u64 = 9;

async fn all_talk(system: &System, to: To) {
    for talker in 0..3 {
        talk(system, &format!("talker{talker}"), to, talker * 100..talker * 100 + SAID).await;
    }
}

/// Each talker was heard to the end, in its order.
fn check(heard: &[u64], what: &str) {
    for talker in 0..3 {
        let own: Vec<u64> = heard.iter().copied().filter(|n| n / 100 == talker).collect();
        assert_eq!(own, (talker * 100..talker * 100 + SAID).collect::<Vec<_>>(), "{what}: {heard:?}");
    }
}

/// With a storage that has events to react to and a fault for the n-th append from then on; whether it met one, and what
/// was heard in the end.
async fn with_fault(nth: u64, fault: Fault, to: To) -> (bool, Vec<u64>) {
    let storage = memory();
    let system = talkers(&storage).await;
    system.stop_service("t/ear").await.expect("stopped"); // nothing is heard before the fault is there
    all_talk(&system, to).await;
    drop(system);
    let storage = storage.reopen_memory().expect("memory");
    let faults = Faults::nth(nth, fault);
    let system = talkers(&storage.with_faults(&faults)).await;
    let rest = system.quiesce(Duration::from_millis(500)).await;
    assert!(rest.is_ok() || faults.fired().is_some(), "nothing was in the way: {rest:?}");
    drop(system);
    let storage = storage.reopen_memory().expect("memory");
    let system = talkers(&storage).await;
    settled(&system).await;
    assert!(system.dead_letters().await.expect("readable").is_empty());
    (faults.fired() == Some(Operation::Append), heard(&system, to).await)
}

/// Whatever becomes of the n-th append, told or not: after a restart all is there, once, in order.
#[tokio::test(start_paused = true)]
async fn whichever_append_fails_nothing_is_lost_or_overtaken() {
    for (fault, to) in
        [Fault::Tear, Fault::Lose, Fault::Delay].into_iter().flat_map(|fault| LANES.map(|to| (fault, to)))
    {
        let mut nth = 0;
        loop {
            nth += 1;
            let (fired, heard) = with_fault(nth, fault, to).await;
            check(&heard, &format!("{fault:?} of append {nth}, {to:?}"));
            if !fired {
                break;
            }
        }
        assert!(nth > 3 * SAID, "{fault:?}: {nth} appends met it");
    }
}

/// An append in the middle of a series is refused, and nothing else happens: those behind it were decided already, and none
/// of them may be applied before it.
#[tokio::test(start_paused = true)]
async fn a_refused_append_takes_those_behind_it_along() {
    for (to, count) in LANES.into_iter().flat_map(|to| [1, 2, 7, 20].map(|count| (to, count))) {
        let system = talkers(&memory()).await;
        system.stop_service("t/ear").await.expect("stopped");
        all_talk(&system, to).await;
        let plan = FaultPlan::new("storage/main", Injected::Append(AppendFault::Reject)).probability(0.3);
        let id = system.faults().inject(plan.count(count).seed(count)).expect("injected").id;
        system.start_service("t/ear").await.expect("started");
        system.quiesce(Duration::from_mins(10)).await.expect("everything comes to rest");
        let status = system.faults().list().into_iter().find(|fault| fault.id == id).expect("known");
        assert!(status.fired >= count.min(3), "{status:?}");
        check(&heard(&system, to).await, &format!("{to:?}, {count} refused"));
    }
}
