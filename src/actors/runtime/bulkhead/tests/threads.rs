//! Real threads in real time; nothing here waits for less than an end.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    time::Duration,
};

use super::super::*;
use crate::actors::supervision::{Process, Running, Stop};

const LIMITS: ThreadLimits =
    ThreadLimits { threads: Size::Fixed(2), queue: 2, hard_limit: Duration::from_mins(1), max_leaked: 2 };

/// A pool with its supervisor, which runs until this is dropped.
struct Fixture {
    bulkhead: ThreadPool,
    supervisor: PoolSupervisor,
    stop: Stop,
    running: Option<tokio::task::JoinHandle<()>>,
}

impl Fixture {
    async fn start(limits: ThreadLimits) -> Self {
        let bulkhead = ThreadPool::new("b", limits);
        let host = Arc::new(ActixHost::default());
        let supervisor = PoolSupervisor { threads: bulkhead.clone(), host };
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
        let busy = self.status().in_flight + self.status().leaked;
        let bulkhead = self.bulkhead.clone();
        let blocked = Mutex::new(blocked);
        #[expect(clippy::disallowed_methods, reason = "the test awaits it")]
        let call =
            tokio::spawn(
                async move { bulkhead.run(move || blocked.lock().expect("ours").recv().map_or(7, |()| 0)).await },
            );
        self.becomes("begun", |status| status.in_flight + status.leaked > busy).await;
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
    assert_eq!(
        refused,
        Err(BulkheadError::Overloaded { bulkhead: "b".into(), retry_after: Duration::from_millis(20) })
    );
    let status = fixture.status();
    assert_eq!((status.waiting, status.in_flight, status.refused, status.current), (2, 2, 1, 2));
    drop((release_first, release_second));
    assert_eq!((first.await.unwrap(), second.await.unwrap()), (Ok(7), Ok(7)));
    for (n, call) in waiting.into_iter().enumerate() {
        assert_eq!(call.await, Ok(n));
    }
    assert_eq!(fixture.bulkhead.run(|| 1).await, Ok(1));
}

#[tokio::test]
async fn a_call_whose_caller_has_gone_is_not_begun() {
    let fixture = Fixture::start(ThreadLimits { threads: Size::Fixed(1), ..LIMITS }).await;
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
    let fixture = Fixture::start(ThreadLimits { threads: Size::Fixed(1), ..LIMITS }).await;
    for round in 1..=3u64 {
        let died = fixture.bulkhead.run(|| -> u8 { panic!("no such gateway") }).await;
        assert_eq!(died, Err(BulkheadError::Died("panicked: no such gateway".into())));
        assert_eq!(fixture.bulkhead.run(|| 1).await, Ok(1), "somebody else takes over");
        assert_eq!((fixture.status().replaced, fixture.status().leaked), (round, 0));
    }
}

#[tokio::test]
async fn a_stuck_thread_is_given_up_replaced_and_counted_until_it_comes_back() {
    let limits = ThreadLimits { threads: Size::Fixed(1), hard_limit: Duration::from_millis(50), ..LIMITS };
    let fixture = Fixture::start(limits).await;
    let (stuck, release) = fixture.block().await;
    assert_eq!(stuck.await.unwrap(), Err(BulkheadError::Stuck(limits.hard_limit)));
    fixture.becomes("replaced", |status| status.current == 1).await;
    let status = fixture.status();
    assert_eq!((status.leaked, status.replaced, status.state), (1, 1, "running"));
    assert_eq!(fixture.bulkhead.run(|| 1).await, Ok(1));
    drop(release);
    fixture.becomes("the lost thread ends", |status| status.leaked == 0).await;
    assert_eq!(fixture.bulkhead.run(|| 2).await, Ok(2));
}

#[tokio::test]
async fn beyond_the_leaks_that_are_allowed_calls_are_refused_until_a_thread_comes_back() {
    let limits =
        ThreadLimits { threads: Size::Fixed(1), max_leaked: 1, hard_limit: Duration::from_millis(50), ..LIMITS };
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
    assert_eq!((status.state, status.leaked, status.current, status.replaced), ("exhausted", 1, 0, 1));
    assert_eq!(status.refused, 1);
    drop((release_first, release_second));
    fixture.becomes("both are back", |status| status.state == "running" && status.leaked == 0).await;
    assert_eq!(fixture.bulkhead.run(|| 3).await, Ok(3));
}

#[tokio::test]
async fn a_stop_ends_the_threads_and_what_waits_is_not_begun() {
    let mut fixture = Fixture::start(ThreadLimits { threads: Size::Fixed(1), ..LIMITS }).await;
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
    assert_eq!((fixture.status().state, fixture.status().current), ("stopped", 0));
    fixture.run().await;
    assert_eq!(fixture.bulkhead.run(|| 4).await, Ok(4));
}

#[tokio::test]
async fn a_stop_does_not_wait_for_a_thread_that_does_not_come_back() {
    let mut fixture = Fixture::start(ThreadLimits { threads: Size::Fixed(1), ..LIMITS }).await;
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

#[tokio::test]
async fn a_smaller_pool_ends_threads_when_they_have_nothing_to_do_and_kills_no_call() {
    let fixture = Fixture::start(ThreadLimits { threads: Size::Fixed(3), ..LIMITS }).await;
    let (first, release_first) = fixture.block().await;
    let (second, release_second) = fixture.block().await;
    let (third, release_third) = fixture.block().await;
    let mut waits = Box::pin(fixture.bulkhead.run(|| 9));
    assert!(futures::poll!(&mut waits).is_pending());
    assert!(fixture.bulkhead.resize(ThreadLimits { threads: Size::Fixed(1), ..LIMITS }));
    assert!(!fixture.bulkhead.resize(ThreadLimits { threads: Size::Fixed(1), ..LIMITS }), "it is so already");
    let status = fixture.status();
    assert_eq!((status.desired, status.current, status.in_flight, status.waiting), (1, 3, 3, 1));
    drop((release_first, release_second, release_third));
    for call in [first, second, third] {
        assert_eq!(call.await.unwrap(), Ok(7), "what was begun is done");
    }
    assert_eq!(waits.await, Ok(9), "what waited is done");
    fixture.becomes("two threads have left", |status| status.current == 1).await;
    assert_eq!((fixture.status().replaced, fixture.status().leaked), (0, 0), "nobody died");
    assert!(fixture.bulkhead.resize(LIMITS));
    fixture.becomes("there are two again", |status| status.current == 2).await;
    let (first, release_first) = fixture.block().await;
    let (second, release_second) = fixture.block().await;
    drop((release_first, release_second));
    assert_eq!((first.await.unwrap(), second.await.unwrap()), (Ok(7), Ok(7)), "both work");
}

/// Idle threads that leave may have been the ones that were woken for a job.
#[tokio::test]
async fn a_pool_that_changes_its_size_all_the_time_does_every_call_once() {
    let fixture = Fixture::start(ThreadLimits { queue: 1000, ..LIMITS }).await;
    let done = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let calls = (0..200).map(|_| {
        let done = done.clone();
        fixture.bulkhead.run(move || done.fetch_add(1, Ordering::AcqRel))
    });
    let resizes = async {
        for round in 0..2_000 {
            let size = Size::Fixed(1 + round % 4);
            fixture.bulkhead.resize(ThreadLimits { threads: size, queue: 1000, ..LIMITS });
            tokio::task::yield_now().await;
        }
    };
    let all = futures::future::join(futures::future::join_all(calls), resizes);
    let ended = tokio::time::timeout(Duration::from_mins(1), all).await;
    let (ended, ()) = ended.unwrap_or_else(|_| panic!("a call is forgotten: {:?}", fixture.status()));
    assert!(ended.iter().all(Result::is_ok), "{ended:?}");
    assert_eq!(done.load(Ordering::Acquire), 200);
    assert_eq!((fixture.status().replaced, fixture.status().leaked), (0, 0));
}

/// Real threads, and looks at their load that the test makes itself.
#[tokio::test]
async fn threads_follow_their_load_between_their_bounds() {
    let scale = Scale { min: 1, max: 3, busy_target: 50, idle: Duration::from_millis(1) };
    let limits = ThreadLimits { threads: Size::Scaled(scale), ..LIMITS };
    let fixture = Fixture::start(limits).await;
    fixture.becomes("the least", |status| status.current == 1).await;
    let (first, release_first) = fixture.block().await;
    let mut others: Vec<_> = (0..2).map(|_| Box::pin(fixture.bulkhead.run(|| 8))).collect();
    for call in &mut others {
        assert!(futures::poll!(call).is_pending());
    }
    fixture.becomes("more, since somebody waits", |status| status.current > 1 && status.desired <= 3).await;
    for call in others {
        assert_eq!(call.await, Ok(8), "beside the one that takes its time");
    }
    drop(release_first);
    assert_eq!(first.await.unwrap(), Ok(7));
    fixture.becomes("the least again", |status| status.current == 1 && status.desired == 1).await;
    assert_eq!((fixture.status().replaced, fixture.status().leaked), (0, 0));
}
