//! Real threads in real time; nothing here waits for less than an end.

use std::{
    sync::{Mutex, mpsc},
    time::Duration,
};

use super::*;
use crate::actors::supervision::{Process, Running, Stop};

const LIMITS: BulkheadLimits =
    BulkheadLimits { threads: 2, queue: 2, hard_limit: Duration::from_mins(1), max_leaked: 2 };

/// A bulkhead with its supervisor, which runs until this is dropped.
struct Fixture {
    bulkhead: Bulkhead,
    supervisor: PoolSupervisor,
    stop: Stop,
    running: Option<tokio::task::JoinHandle<()>>,
}

impl Fixture {
    async fn start(limits: BulkheadLimits) -> Self {
        let bulkhead = Bulkhead::new("b", limits);
        let host = Arc::new(ActixHost::default());
        let supervisor = PoolSupervisor { bulkhead: bulkhead.clone(), host };
        let mut fixture = Self { bulkhead, supervisor, stop: Stop::new(), running: None };
        fixture.run().await;
        fixture
    }

    async fn run(&mut self) {
        self.stop = Stop::new();
        let running: Running = self.supervisor.start(self.stop.clone()).await.expect("starts");
        #[expect(clippy::disallowed_methods, reason = "the fixture owns it")]
        let running = tokio::spawn(async move { running.await.expect("ends well") });
        self.running = Some(running);
    }

    async fn ended(&mut self) {
        self.stop.request();
        self.running.take().expect("runs").await.expect("ends");
    }

    fn status(&self) -> BulkheadStatus {
        self.bulkhead.status()
    }

    /// Waits until the books say so.
    async fn becomes(&self, what: &str, is: impl Fn(&BulkheadStatus) -> bool) {
        let waiting = async {
            while !is(&self.status()) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(20), waiting).await;
        assert!(in_time.is_ok(), "{what}: {:?}", self.status());
    }

    /// Work that goes on until the sender is dropped; it is begun when this returns.
    async fn block(&self) -> (tokio::task::JoinHandle<Result<u8, BulkheadError>>, mpsc::Sender<()>) {
        let (release, blocked) = mpsc::channel::<()>();
        let busy = self.status().busy + self.status().leaked;
        let bulkhead = self.bulkhead.clone();
        let blocked = Mutex::new(blocked);
        #[expect(clippy::disallowed_methods, reason = "the test awaits it")]
        let call =
            tokio::spawn(
                async move { bulkhead.run(move || blocked.lock().expect("ours").recv().map_or(7, |()| 0)).await },
            );
        self.becomes("begun", |status| status.busy + status.leaked > busy).await;
        (call, release)
    }
}

#[tokio::test]
async fn calls_run_on_threads_of_their_own_and_answer() {
    let fixture = Fixture::start(LIMITS).await;
    let here = std::thread::current().id();
    let there = fixture.bulkhead.run(move || std::thread::current().id()).await.expect("runs");
    assert_ne!(there, here);
    let calls = (0..100u64).map(|n| {
        let bulkhead = fixture.bulkhead.clone();
        async move {
            loop {
                match bulkhead.run(move || n * n).await {
                    Ok(square) => return square,
                    Err(BulkheadError::Overloaded { .. }) => tokio::task::yield_now().await,
                    Err(other) => panic!("{other}"),
                }
            }
        }
    });
    let squares = futures::future::join_all(calls).await;
    assert_eq!(squares, (0..100).map(|n| n * n).collect::<Vec<u64>>());
    let status = fixture.status();
    assert_eq!((status.state, status.kind, status.leaked, status.replaced), ("running", "threads", 0, 0));
}

#[tokio::test]
async fn a_full_bulkhead_refuses_at_once_and_takes_again_when_there_is_room() {
    let fixture = Fixture::start(LIMITS).await;
    let (first, release_first) = fixture.block().await;
    let (second, release_second) = fixture.block().await;
    let waiting: Vec<_> = (0..LIMITS.queue).map(|n| Box::pin(fixture.bulkhead.run(move || n))).collect();
    let mut waiting: Vec<_> = waiting.into_iter().map(futures::FutureExt::fuse).collect();
    for call in &mut waiting {
        assert!(futures::poll!(call).is_pending());
    }
    let refused = fixture.bulkhead.run(|| 0).await;
    assert_eq!(refused, Err(BulkheadError::Overloaded { bulkhead: "b".into() }));
    let status = fixture.status();
    assert_eq!((status.queue, status.busy, status.refused, status.live), (2, 2, 1, 2));
    drop((release_first, release_second));
    assert_eq!((first.await.unwrap(), second.await.unwrap()), (Ok(7), Ok(7)));
    for (n, call) in waiting.into_iter().enumerate() {
        assert_eq!(call.await, Ok(n));
    }
    assert_eq!(fixture.bulkhead.run(|| 1).await, Ok(1));
}

#[tokio::test]
async fn a_call_whose_caller_has_gone_is_not_begun() {
    let fixture = Fixture::start(BulkheadLimits { threads: 1, ..LIMITS }).await;
    let (blocked, release) = fixture.block().await;
    let begun = Arc::new(AtomicBool::new(false));
    let tell = begun.clone();
    let mut withdrawn = Box::pin(fixture.bulkhead.run(move || tell.store(true, Ordering::Release)));
    assert!(futures::poll!(&mut withdrawn).is_pending());
    drop(withdrawn);
    drop(release);
    blocked.await.unwrap().expect("done");
    assert_eq!(fixture.bulkhead.run(|| 1).await, Ok(1), "it came after the other one");
    assert!(!begun.load(Ordering::Acquire));
}

#[tokio::test]
async fn a_panic_is_told_to_its_caller_and_its_thread_is_replaced() {
    let fixture = Fixture::start(BulkheadLimits { threads: 1, ..LIMITS }).await;
    for round in 1..=3u64 {
        let died = fixture.bulkhead.run(|| -> u8 { panic!("no such gateway") }).await;
        assert_eq!(died, Err(BulkheadError::Died("panicked: no such gateway".into())));
        assert_eq!(fixture.bulkhead.run(|| 1).await, Ok(1), "somebody else takes over");
        assert_eq!((fixture.status().replaced, fixture.status().leaked), (round, 0));
    }
}

#[tokio::test]
async fn a_stuck_thread_is_given_up_replaced_and_counted_until_it_comes_back() {
    let limits = BulkheadLimits { threads: 1, hard_limit: Duration::from_millis(50), ..LIMITS };
    let fixture = Fixture::start(limits).await;
    let (stuck, release) = fixture.block().await;
    assert_eq!(stuck.await.unwrap(), Err(BulkheadError::Stuck(limits.hard_limit)));
    fixture.becomes("replaced", |status| status.live == 1).await;
    let status = fixture.status();
    assert_eq!((status.leaked, status.replaced, status.state), (1, 1, "running"));
    assert_eq!(fixture.bulkhead.run(|| 1).await, Ok(1));
    drop(release);
    fixture.becomes("the lost thread ends", |status| status.leaked == 0).await;
    assert_eq!(fixture.bulkhead.run(|| 2).await, Ok(2));
}

#[tokio::test]
async fn beyond_the_leaks_that_are_allowed_calls_are_refused_until_a_thread_comes_back() {
    let limits = BulkheadLimits { threads: 1, max_leaked: 1, hard_limit: Duration::from_millis(50), ..LIMITS };
    let fixture = Fixture::start(limits).await;
    let (first, release_first) = fixture.block().await;
    first.await.unwrap().expect_err("stuck");
    let (second, release_second) = fixture.block().await;
    let mut waiting = Box::pin(fixture.bulkhead.run(|| 0));
    assert!(futures::poll!(&mut waiting).is_pending());
    second.await.unwrap().expect_err("stuck");
    // The thread that got stuck last is not replaced: too many are lost already.
    let exhausted = Err(BulkheadError::Exhausted { bulkhead: "b".into() });
    assert_eq!(waiting.await, exhausted);
    assert_eq!(fixture.bulkhead.run(|| 0).await, exhausted);
    let status = fixture.status();
    assert_eq!((status.state, status.leaked, status.live, status.replaced), ("exhausted", 1, 0, 1));
    assert_eq!(status.refused, 1);
    drop((release_first, release_second));
    fixture.becomes("both are back", |status| status.state == "running" && status.leaked == 0).await;
    assert_eq!(fixture.bulkhead.run(|| 3).await, Ok(3));
}

#[tokio::test]
async fn a_stop_ends_the_threads_and_what_waits_is_not_begun() {
    let mut fixture = Fixture::start(BulkheadLimits { threads: 1, ..LIMITS }).await;
    let (blocked, release) = fixture.block().await;
    let mut waiting = Box::pin(fixture.bulkhead.run(|| 0));
    assert!(futures::poll!(&mut waiting).is_pending());
    fixture.stop.request();
    let stopped = Err(BulkheadError::Stopped { bulkhead: "b".into() });
    assert_eq!(waiting.await, stopped);
    assert_eq!(fixture.bulkhead.run(|| 0).await, stopped);
    drop(release);
    assert_eq!(blocked.await.unwrap(), Ok(7), "what was begun is waited for");
    fixture.ended().await;
    assert_eq!((fixture.status().state, fixture.status().live), ("stopped", 0));
    fixture.run().await;
    assert_eq!(fixture.bulkhead.run(|| 4).await, Ok(4));
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_thread_that_does_not_come_back() {
    let mut fixture = Fixture::start(BulkheadLimits { threads: 1, ..LIMITS }).await;
    let (_blocked, _release) = fixture.block().await;
    let ended = tokio::time::timeout(Duration::from_secs(20), fixture.ended()).await;
    assert!(ended.is_ok(), "it ends all the same");
    // The next run gives its thread up and has one of its own.
    fixture.run().await;
    assert_eq!(fixture.bulkhead.run(|| 5).await, Ok(5));
    assert_eq!(fixture.status().leaked, 1);
}

#[tokio::test]
async fn a_supervisor_that_is_killed_leaves_a_closed_bulkhead_and_the_next_one_opens_it() {
    let mut fixture = Fixture::start(LIMITS).await;
    assert_eq!(fixture.bulkhead.run(|| 1).await, Ok(1));
    fixture.running.take().expect("runs").abort();
    fixture.becomes("closed", |status| status.state == "stopped").await;
    fixture.run().await;
    assert_eq!(fixture.bulkhead.run(|| 6).await, Ok(6));
    fixture.becomes("the old threads end", |status| status.leaked == 0).await;
}
