//! The books of a pool, without threads.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use futures::FutureExt;
use tokio::{sync::oneshot, time::Instant};

use super::super::{
    pool::{Next, Pool, Waiting, WorkerId},
    slots::{Job, Wake},
    *,
};

fn pool(threads: usize) -> Arc<Pool> {
    let (queue, hard_limit) = (8, Duration::from_mins(1));
    let pool = Pool::new("b", ThreadLimits { threads: Size::Fixed(threads), queue, hard_limit, max_leaked: 2 });
    pool.open();
    pool
}

/// A job, and what its caller holds.
fn job() -> (Job, oneshot::Receiver<Duration>) {
    let (give_up, caller) = oneshot::channel();
    (Job { work: Box::new(|| ()), give_up }, caller)
}

/// A way to wake somebody, and how often it was used.
fn wake() -> (Wake, Arc<AtomicUsize>) {
    let woken = Arc::new(AtomicUsize::new(0));
    let counts = woken.clone();
    let wake = move || {
        counts.fetch_add(1, Ordering::AcqRel);
    };
    (Box::new(wake), woken)
}

fn waits(pool: &Pool, worker: WorkerId) -> bool {
    matches!(pool.next(worker, Instant::now()), Next::Wait)
}

/// A job that came after a new thread had looked for work, and before it could be woken, lay there until another came.
#[test]
fn who_can_be_woken_now_looks_for_what_has_come_meanwhile() {
    let pool = pool(1);
    let worker = pool.hire(0).expect("wanted");
    assert!(waits(&pool, worker), "it looks by itself, and there is nothing");
    let (job, _caller) = job();
    pool.submit(job).expect("taken");
    let (wake, woken) = wake();
    pool.can_be_woken(worker, wake);
    assert_eq!(woken.load(Ordering::Acquire), 1);
    assert!(matches!(pool.next(worker, Instant::now()), Next::Work(_)));
}

/// The same with a stop in between: the thread stayed for ever.
#[test]
fn who_can_be_woken_now_hears_that_the_pool_was_closed_meanwhile() {
    let pool = pool(1);
    let worker = pool.hire(0).expect("wanted");
    assert!(waits(&pool, worker));
    pool.close();
    let (wake, woken) = wake();
    pool.can_be_woken(worker, wake);
    assert_eq!(woken.load(Ordering::Acquire), 1);
    assert!(matches!(pool.next(worker, Instant::now()), Next::Leave));
}

/// A thread that is being started may never come: a job must not wait for it while another thread has nothing to do.
#[test]
fn a_job_wakes_somebody_who_can_be_woken() {
    let pool = pool(2);
    let _starting = pool.hire(0).expect("wanted");
    let idle = pool.hire(1).expect("wanted");
    let (wake, woken) = wake();
    pool.can_be_woken(idle, wake);
    assert!(waits(&pool, idle));
    let before = woken.load(Ordering::Acquire);
    let (job, _caller) = job();
    pool.submit(job).expect("taken");
    assert_eq!(woken.load(Ordering::Acquire), before + 1);
}

/// A wake-up for each job cost as much as the job.
#[tokio::test(start_paused = true)]
async fn the_supervisor_is_woken_for_a_job_only_when_it_would_look_too_late() {
    let woken = |pool: &Pool| pool.changed.notified().now_or_never().is_some();
    for (hard_limit, too_late) in [(LOOK_EVERY * 2, false), (LOOK_EVERY, false), (LOOK_EVERY / 2, true)] {
        let limits = ThreadLimits { threads: Size::Fixed(1), queue: 8, hard_limit, max_leaked: 2 };
        let pool = Pool::new("b", limits);
        pool.open();
        let worker = pool.hire(0).expect("wanted");
        let begin = || {
            let (job, caller) = job();
            pool.submit(job).expect("taken");
            assert!(matches!(pool.next(worker, Instant::now()), Next::Work(_)));
            (woken(&pool), caller)
        };
        assert!(begin().0, "nobody has looked yet");
        assert_eq!(pool.look(Instant::now()).1, Some(Instant::now() + hard_limit));
        tokio::time::advance(hard_limit / 4).await;
        assert!(!begin().0, "it looks when the one before would be stuck, which is sooner");
        tokio::time::advance(hard_limit).await;
        assert!(waits(&pool, worker));
        assert_eq!(pool.look(Instant::now()).1, None);
        let (is_woken, caller) = begin();
        assert_eq!(is_woken, too_late, "{hard_limit:?}");
        tokio::time::advance(hard_limit).await;
        pool.look(Instant::now());
        assert_eq!(caller.await, Ok(hard_limit), "given up in time");
    }
}

#[test]
fn who_has_done_a_job_is_told_whether_another_waits() {
    let pool = pool(1);
    let worker = pool.hire(0).expect("wanted");
    let callers: Vec<_> = [job(), job()].map(|(job, caller)| (pool.submit(job).expect("taken"), caller)).into();
    for waiting in [Waiting::Some, Waiting::None] {
        assert!(matches!(pool.next(worker, Instant::now()), Next::Work(_)));
        assert_eq!(pool.survived(worker), waiting);
    }
    drop(callers);
}
