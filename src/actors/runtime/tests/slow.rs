//! A storage that is slow on purpose: appends wait in their order, and nothing is lost or done twice by it.

use std::time::Duration;

use futures::future::join_all;
use tokio::time::{Instant, sleep};

use super::fixture::*;
use crate::{
    AppendFault, Fault, FaultPlan, FaultStatus, System,
    actors::entity::{AskError, CommandId, Outcome},
};

type Added = Result<i64, AskError<TallyRejection>>;

async fn shop() -> System {
    let system = start(&memory()).await;
    for tally in ["a", "b"] {
        add(&system, tally).await.expect("added");
    }
    settled(&system).await;
    system
}

async fn add(system: &System, tally: &str) -> Added {
    system.entities::<Tally>().ask(&key(tally), Add { n: 1 }).await
}

async fn total(system: &System, tally: &str) -> i64 {
    system.entities::<Tally>().get(&key(tally)).await.expect("readable").expect("there").state.total
}

fn slow(system: &System, millis: u64) -> FaultStatus {
    let fault = Fault::latency(Duration::from_millis(millis), Duration::ZERO);
    system.faults().inject(FaultPlan::new("storage/main", fault)).expect("injected")
}

fn only(system: &System) -> FaultStatus {
    system.faults().list().remove(0)
}

#[tokio::test(start_paused = true)]
async fn each_append_waits_by_itself_and_none_overtakes_another() {
    let system = shop().await;
    slow(&system, 200);
    let begun = Instant::now();
    let added = join_all((0..20).map(|n| add(&system, if n % 2 == 0 { "a" } else { "b" }))).await;
    assert_eq!(begun.elapsed().as_millis(), 200, "all at the same time");
    let expected: Vec<Added> = (0..20).map(|n| Ok(2 + n / 2)).collect();
    assert_eq!(added, expected);
    let reads = Instant::now();
    assert_eq!((total(&system, "a").await, total(&system, "b").await), (11, 11));
    assert_eq!(reads.elapsed().as_millis(), 0, "what is at rest is read as ever");
    assert_eq!((only(&system).fired, only(&system).waiting), (20, 0));
}

#[tokio::test(start_paused = true)]
async fn its_end_is_the_end_of_all_waiting_and_who_comes_then_comes_behind() {
    let system = shop().await;
    let id = slow(&system, 300_000).id;
    let begun = Instant::now();
    let ends = async {
        sleep(Duration::from_millis(50)).await;
        assert_eq!(only(&system).waiting, 1);
        system.faults().end(id).expect("active");
        add(&system, "a").await // before anybody who waited has gone on
    };
    assert_eq!(tokio::join!(add(&system, "a"), ends), (Ok(2), Ok(3)));
    assert_eq!(begun.elapsed().as_millis(), 50);
    assert!(!system.inner.units[0].faults.any(), "and then it costs nothing any more");
}

/// As with a disk that hangs: what is begun is waited for, and what could not be in time is not begun.
#[tokio::test(start_paused = true)]
async fn what_would_come_too_late_is_refused_before_anything_is_written() {
    let system = shop().await;
    slow(&system, 10_000);
    let begun = Instant::now();
    let later = async {
        sleep(Duration::from_secs(5)).await;
        add(&system, "b").await
    };
    let (first, refused) = tokio::join!(add(&system, "a"), later);
    assert_eq!((first, begun.elapsed().as_secs()), (Ok(2), 10));
    let refused = refused.expect_err("nothing was answered for longer than it may take");
    assert_eq!(refused.outcome(), Outcome::NotDone, "{refused:?}");
    assert_eq!((only(&system).fired, total(&system, "b").await), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_fails_meanwhile_takes_nothing_of_what_waits() {
    let system = shop().await;
    slow(&system, 30);
    let fails = async {
        sleep(Duration::from_millis(10)).await;
        let plan = FaultPlan::new("storage/main", Fault::Append(AppendFault::Fail)).count(1);
        system.faults().inject(plan).expect("injected");
        add(&system, "b").await.expect_err("nobody knows")
    };
    let (waited, failed) = tokio::join!(add(&system, "a"), fails);
    assert_eq!(failed.outcome(), Outcome::Unknown);
    let refused = waited.expect_err("the journal takes no more writes");
    assert_eq!(refused.outcome(), Outcome::NotDone, "{refused:?}");
    while !system.not_ready().is_empty() {
        sleep(Duration::from_millis(10)).await;
    }
    assert_eq!((total(&system, "a").await, total(&system, "b").await), (1, 1));
    assert_eq!((add(&system, "a").await, add(&system, "b").await), (Ok(2), Ok(2)));
}

/// What was done long ago is asked for again behind an append that comes to nothing: who asked was told that it was not done.
#[tokio::test(start_paused = true)]
async fn a_repeat_that_waited_for_a_failed_append_is_not_told_that_nothing_was_done() {
    let system = shop().await;
    let repeatable = || {
        let asked = system.entities::<Tally>().ask(&key("a"), Add { n: 1 });
        asked.command_id(CommandId::from_bits(7)).into_future()
    };
    assert_eq!(repeatable().await, Ok(2));
    slow(&system, 30);
    let fails = async {
        sleep(Duration::from_millis(10)).await;
        let plan = FaultPlan::new("storage/main", Fault::Append(AppendFault::Fail)).count(1);
        system.faults().inject(plan).expect("injected");
        add(&system, "b").await.expect_err("nobody knows");
    };
    let (waited, repeated, ()) = tokio::join!(add(&system, "a"), repeatable(), fails);
    assert_eq!(waited.expect_err("not written").outcome(), Outcome::NotDone);
    let told = repeated.expect_err("behind it");
    assert_eq!(told.outcome(), Outcome::Unknown, "{told:?}");
    while !system.not_ready().is_empty() {
        sleep(Duration::from_millis(10)).await;
    }
    assert_eq!((repeatable().await, total(&system, "a").await), (Ok(2), 2));
}

/// Faults come and go while everybody writes: who overtook another one would be refused by the journal's fence.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_comes_while_it_begins_and_ends_is_in_order() {
    const ADDS: i64 = 300;
    let system = shop().await;
    let writers = ["a", "b"].map(|tally| {
        let system = system.clone();
        async move {
            for before in 1..=ADDS {
                assert_eq!(add(&system, tally).await, Ok(before + 1));
            }
        }
    });
    let faults = async {
        let mut fired = 0;
        while fired < 100 {
            let id = slow(&system, 1).id;
            sleep(Duration::from_micros(700)).await;
            fired += system.faults().end(id).expect("active").fired;
            tokio::task::yield_now().await;
            if total(&system, "a").await > ADDS && total(&system, "b").await > ADDS {
                return fired;
            }
        }
        fired
    };
    let [a, b] = writers;
    let ((), (), fired) = tokio::join!(a, b, faults);
    assert!(fired > 0, "nothing waited");
    assert_eq!((total(&system, "a").await, total(&system, "b").await), (ADDS + 1, ADDS + 1));
}
