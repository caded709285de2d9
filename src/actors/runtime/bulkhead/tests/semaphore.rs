use futures::FutureExt;
use tokio::time::Instant;

use super::super::*;

fn limits(places: usize, queue: usize) -> SemaphoreLimits {
    SemaphoreLimits { size: Size::Fixed(places), queue }
}

fn semaphore(places: usize, queue: usize) -> Semaphore {
    Semaphore::new("s", Some(limits(places, queue)))
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(3)
}

/// State, places, held, waiting, refused, expired.
fn books(semaphore: &Semaphore) -> (&'static str, usize, usize, usize, u64, u64) {
    let status = semaphore.status().expect("limited");
    (status.state, status.desired, status.in_flight, status.waiting, status.refused, status.expired)
}

#[tokio::test(start_paused = true)]
async fn without_limits_everybody_is_let_in() {
    let semaphore = Semaphore::new("s", None);
    let all: Vec<_> = (0..1000).map(|_| semaphore.enter(soon()).now_or_never()).collect();
    assert!(all.iter().all(|entered| matches!(entered, Some(Ok(_)))));
    assert_eq!(semaphore.status(), None);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_refuses_at_once_and_who_waits_comes_in_turn() {
    let semaphore = semaphore(2, 2);
    let first = semaphore.enter(soon()).await.expect("free");
    let second = semaphore.enter(soon()).await.expect("free");
    let mut third = Box::pin(semaphore.enter(soon()));
    let mut fourth = Box::pin(semaphore.enter(soon()));
    assert!(futures::poll!(&mut third).is_pending() && futures::poll!(&mut fourth).is_pending());
    let refused = semaphore.enter(soon()).now_or_never().expect("at once").expect_err("full");
    let retry_after = Duration::from_millis(250);
    assert_eq!(refused, BulkheadError::Overloaded { bulkhead: "s".into(), retry_after });
    assert_eq!(books(&semaphore), ("running", 2, 2, 2, 1, 0));
    drop(first);
    let futures::future::Either::Left((Ok(third), fourth)) = futures::future::select(third, fourth).await else {
        panic!("who came first comes in first")
    };
    assert_eq!(books(&semaphore), ("running", 2, 2, 1, 1, 0));
    drop((second, third));
    drop(fourth.await.expect("in turn"));
    assert_eq!(books(&semaphore), ("running", 2, 0, 0, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn who_waits_too_long_is_told_so_and_leaves_the_queue() {
    let semaphore = semaphore(1, 1);
    let held = semaphore.enter(soon()).await.expect("free");
    let expired = semaphore.enter(soon()).await.expect_err("nobody leaves");
    assert_eq!(expired, BulkheadError::Expired(Duration::from_secs(3)));
    assert_eq!(books(&semaphore), ("running", 1, 1, 0, 0, 1));
    drop(held);
    drop(semaphore.enter(soon()).await.expect("free"));
}

#[tokio::test(start_paused = true)]
async fn who_goes_away_takes_no_place_neither_waiting_nor_just_called() {
    let semaphore = semaphore(1, 2);
    let held = semaphore.enter(soon()).await.expect("free");
    let mut gone = Box::pin(semaphore.enter(soon()));
    let mut called = Box::pin(semaphore.enter(soon()));
    assert!(futures::poll!(&mut gone).is_pending() && futures::poll!(&mut called).is_pending());
    drop(gone);
    assert_eq!(books(&semaphore), ("running", 1, 1, 1, 0, 0));
    drop(held);
    assert_eq!(books(&semaphore), ("running", 1, 1, 0, 0, 0), "its permit is on its way");
    drop(called);
    assert_eq!(books(&semaphore), ("running", 1, 0, 0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_closed_one_tells_who_waits_and_keeps_who_is_in() {
    let semaphore = semaphore(1, 2);
    let held = semaphore.enter(soon()).await.expect("free");
    let mut waits = Box::pin(semaphore.enter(soon()));
    assert!(futures::poll!(&mut waits).is_pending());
    semaphore.close();
    let stopped = BulkheadError::Stopped { bulkhead: "s".into() };
    assert_eq!(waits.await.expect_err("closed"), stopped);
    assert_eq!(semaphore.enter(soon()).await.expect_err("closed"), stopped);
    assert_eq!(books(&semaphore), ("stopped", 1, 1, 0, 0, 0));
    semaphore.open();
    drop(held);
    drop(semaphore.enter(soon()).await.expect("open"));
}

#[tokio::test(start_paused = true)]
async fn what_has_a_bound_of_its_own_waits_also_when_the_queue_is_full() {
    let semaphore = semaphore(1, 0);
    let held = semaphore.enter(soon()).await.expect("free");
    assert!(matches!(semaphore.enter_patiently(false).await, Err(BulkheadError::Overloaded { .. })));
    let mut patient = Box::pin(semaphore.enter_patiently(true));
    assert!(futures::poll!(&mut patient).is_pending());
    drop(held);
    drop(patient.await.expect("in turn"));
}

#[tokio::test(start_paused = true)]
async fn a_smaller_one_puts_nobody_out_and_a_larger_one_lets_in_at_once() {
    let semaphore = semaphore(3, 4);
    let held: Vec<_> = (0..3).filter_map(|_| semaphore.enter(soon()).now_or_never()?.ok()).collect();
    assert!(semaphore.resize(Some(limits(1, 1))) && !semaphore.resize(Some(limits(1, 1))));
    assert_eq!(books(&semaphore), ("running", 1, 3, 0, 0, 0));
    assert_eq!(semaphore.status().expect("limited").current, 3, "they have their places");
    let mut waits = Box::pin(semaphore.enter(soon()));
    assert!(futures::poll!(&mut waits).is_pending());
    let mut held = held.into_iter();
    drop((held.next(), held.next()));
    assert!(futures::poll!(&mut waits).is_pending(), "the last of the three is still in");
    assert!(semaphore.resize(Some(limits(2, 1))));
    let entered = waits.await.expect("there is room now");
    assert_eq!(books(&semaphore), ("running", 2, 2, 0, 0, 0));
    let mut waits = Box::pin(semaphore.enter(soon()));
    assert!(futures::poll!(&mut waits).is_pending());
    assert!(semaphore.resize(None), "no limits any more");
    drop(waits.await.expect("everybody is let in"));
    drop((entered, held));
    assert!(semaphore.resize(Some(limits(1, 0))));
    assert_eq!(books(&semaphore), ("running", 1, 0, 0, 0, 0), "all have left");
}

/// Four places of 20 ms are 200 a second, whoever comes and however many.
#[tokio::test(start_paused = true)]
async fn its_capacity_is_its_places_over_the_time_that_one_is_held() {
    let semaphore = semaphore(4, 1000);
    let begun = Instant::now();
    let calls = (0..400).map(|_| async {
        let permit = semaphore.enter_first(Instant::now() + Duration::from_mins(1)).await.expect("in turn");
        tokio::time::sleep(Duration::from_millis(20)).await;
        drop(permit);
    });
    futures::future::join_all(calls).await;
    assert_eq!(begun.elapsed(), Duration::from_secs(2));
    assert_eq!(semaphore.would_admit(Duration::from_millis(1)), Ok(()), "a place is free");
    let held: Vec<_> = (0..4).filter_map(|_| semaphore.enter(soon()).now_or_never()?.ok()).collect();
    let mut waiting: Vec<_> = (0..4).map(|_| Box::pin(semaphore.enter(soon()))).collect();
    for call in &mut waiting {
        assert!(futures::poll!(call).is_pending());
    }
    let retry_after = Duration::from_millis(250);
    assert_eq!(semaphore.would_admit(Duration::from_millis(59)), Err(retry_after), "two rounds of 20 ms, and its own");
    assert_eq!(semaphore.would_admit(Duration::from_millis(60)), Ok(()));
    let late = semaphore.enter(Instant::now() + Duration::from_millis(59)).now_or_never().expect("at once");
    assert_eq!(late.expect_err("late"), BulkheadError::Overloaded { bulkhead: "s".into(), retry_after });
    let status = semaphore.status().expect("limited");
    assert_eq!((status.refused, status.late, status.admitted), (2, 2, 8));
    drop(held);
}

/// Ten callers that want to be busy all the time: one place is not enough, and ten are the most.
#[tokio::test(start_paused = true)]
async fn it_follows_its_load_between_its_bounds() {
    let scale = Scale { min: 1, max: 10, busy_target: 15, idle: Duration::from_secs(30) };
    let semaphore = Semaphore::new("s", Some(SemaphoreLimits { size: Size::Scaled(scale), queue: 100 }));
    let (mut sizes, mut under_way) = (Vec::new(), Vec::new());
    for second in 0..60 {
        let calls = if second < 6 { 10 } else { 0 };
        under_way.extend((0..calls).map(|_| {
            let semaphore = semaphore.clone();
            async move {
                let permit = semaphore.enter_first(Instant::now() + Duration::from_mins(1)).await.expect("in turn");
                tokio::time::sleep(Duration::from_millis(500)).await;
                drop(permit);
            }
            .boxed()
        }));
        let calls = futures::future::join_all(std::mem::take(&mut under_way));
        let look = tokio::time::sleep(LOOK_EVERY);
        futures::future::join(calls, look).await;
        semaphore.look();
        let status = semaphore.status().expect("limited");
        assert_eq!((status.desired, status.min, status.max), (status.current, 1, 10));
        sizes.push(status.desired);
    }
    assert_eq!(sizes[..5], [2, 4, 8, 10, 10]);
    assert_eq!(sizes[59], 1);
    assert!(sizes.is_sorted_by(|a, b| a <= b || sizes[59] == *b), "it shrinks once, to the least: {sizes:?}");
}

#[tokio::test(start_paused = true)]
async fn what_finishes_what_was_begun_comes_before_all_that_is_new() {
    let semaphore = Semaphore::new("s", Some(limits(1, 1)));
    let held = semaphore.enter(soon()).await.expect("free");
    let mut new = Box::pin(semaphore.enter(soon()));
    assert!(futures::poll!(&mut new).is_pending());
    let mut first = Box::pin(semaphore.enter_first(soon()));
    assert!(futures::poll!(&mut first).is_pending(), "it has a queue of its own");
    assert!(matches!(semaphore.enter_first(soon()).now_or_never(), Some(Err(BulkheadError::Overloaded { .. }))));
    drop(held);
    assert!(futures::poll!(&mut new).is_pending());
    drop(first.await.expect("it goes first"));
    drop(new.await.expect("in turn"));
}

/// A place is free to whoever comes also when places have been held for longer than anybody has time: otherwise nobody
/// would ever find out that they are quicker now.
#[tokio::test(start_paused = true)]
async fn a_free_place_is_taken_however_slow_the_last_ones_were() {
    let semaphore = Semaphore::new("s", Some(limits(1, 10)));
    let slow = semaphore.enter(soon()).await.expect("free");
    tokio::time::sleep(Duration::from_mins(1)).await;
    drop(slow);
    let quick = semaphore.enter(soon()).await.expect("free");
    assert!(matches!(semaphore.enter(soon()).now_or_never(), Some(Err(BulkheadError::Overloaded { .. }))), "late");
    drop(quick);
    drop(semaphore.enter(soon()).await.expect("free"));
}

/// Four places of 20 ms, and 800 calls in a second for ten of them: what is let in takes at most three times as long as
/// without load, the places are never empty, and two seconds later nobody is refused any more.
#[tokio::test(start_paused = true)]
async fn at_four_times_its_capacity_it_does_as_much_as_ever_and_is_quick() {
    let semaphore = Semaphore::new("s", Some(limits(4, 256)));
    let call = |semaphore: Semaphore| async move {
        let asked = Instant::now();
        let permit = semaphore.enter(asked + Duration::from_secs(3)).await.ok()?;
        tokio::time::sleep(Duration::from_millis(20)).await;
        drop(permit);
        Some(asked.elapsed())
    };
    let load = |every: Duration, calls: u32| {
        let semaphore = semaphore.clone();
        let calls = (0..calls).map(move |nth| {
            let semaphore = semaphore.clone();
            async move {
                tokio::time::sleep(every * nth).await;
                call(semaphore).await
            }
        });
        futures::future::join_all(calls)
    };
    let answers = load(Duration::from_micros(1250), 8000).await;
    let mut took: Vec<Duration> = answers.iter().flatten().copied().collect();
    took.sort_unstable();
    assert!(took.len() >= 1800, "{} of 2000 are 90 %", took.len());
    let p99 = took[took.len() * 99 / 100];
    assert!(p99 <= Duration::from_millis(60), "{p99:?}");
    let refused = semaphore.status().expect("limited").refused;
    assert_eq!(took.len() as u64 + refused, 8000, "each is done or refused");
    tokio::time::sleep(Duration::from_secs(2)).await;
    let afterwards = load(Duration::from_millis(10), 500).await;
    assert_eq!(afterwards.iter().flatten().count(), 500);
}

/// The first burst: nobody knows how long the work takes, so the queue is full of those who will have no time for it.
#[tokio::test(start_paused = true)]
async fn whose_turn_comes_too_late_is_passed_by_and_the_place_goes_to_who_has_the_time() {
    let semaphore = semaphore(1, 4);
    let within = |millis| Instant::now() + Duration::from_millis(millis);
    let held = semaphore.enter(within(600)).await.expect("free");
    let mut late: Vec<_> = (0..3).map(|_| Box::pin(semaphore.enter(within(600)))).collect();
    for call in &mut late {
        assert!(futures::poll!(call).is_pending());
    }
    let mut in_time = Box::pin(semaphore.enter(within(800)));
    assert!(futures::poll!(&mut in_time).is_pending());
    tokio::time::sleep(Duration::from_millis(400)).await;
    drop(held);
    let place = in_time.now_or_never().expect("at once").expect("400 ms are left for what takes 400 ms");
    for call in late {
        let refused = call.now_or_never().expect("at once").expect_err("200 ms are left for what takes 400 ms");
        assert!(matches!(refused, BulkheadError::Overloaded { .. }), "{refused}");
    }
    assert_eq!(books(&semaphore), ("running", 1, 1, 0, 3, 0));
    assert_eq!(semaphore.status().expect("limited").late, 3);
    drop(place);
}

/// Whoever expects too much of the work is corrected by the next that is let in: nobody is kept out by a mean alone.
#[tokio::test(start_paused = true)]
async fn what_finishes_what_was_begun_is_never_passed_by_and_a_free_place_is_given_whatever_the_last_took() {
    let semaphore = semaphore(1, 4);
    let held = semaphore.enter(soon()).await.expect("free");
    let mut first = Box::pin(semaphore.enter_first(Instant::now() + Duration::from_millis(1100)));
    assert!(futures::poll!(&mut first).is_pending());
    tokio::time::sleep(Duration::from_secs(1)).await;
    drop(held);
    drop(first.now_or_never().expect("at once").expect("it is not new"));
    drop(semaphore.enter(Instant::now() + Duration::from_millis(1)).await.expect("it is free"));
    assert_eq!(books(&semaphore), ("running", 1, 0, 0, 0, 0));
}
