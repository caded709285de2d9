use proptest::prelude::*;

use super::*;

const S: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

fn config() -> BreakerConfig {
    BreakerConfig::default() // 20 calls within 10 s, 50 %, open for 5 s, 1 probe
}

/// Makes calls that end at once.
fn call(breaker: &mut Breaker, verdicts: &[Verdict], now: Duration) {
    for verdict in verdicts {
        let permit = breaker.admit(now).expect("lets it through");
        breaker.settle(permit, *verdict, MS, now);
    }
}

use Verdict::{Failed, Succeeded, Void};

fn opened(at: Duration) -> Breaker {
    let mut breaker = Breaker::new(config());
    call(&mut breaker, &[Failed; 20], at);
    assert_eq!(breaker.state(at), BreakerState::Open);
    breaker
}

#[test]
fn it_opens_at_the_share_of_failures_and_not_below_nor_with_too_few_calls() {
    let mut breaker = Breaker::new(config());
    call(&mut breaker, &[Failed; 19], S);
    assert_eq!(breaker.state(S), BreakerState::Closed, "too few");
    let mut breaker = Breaker::new(config());
    call(&mut breaker, &[Succeeded; 11], S);
    call(&mut breaker, &[Failed; 9], S);
    assert_eq!(breaker.state(S), BreakerState::Closed, "9 of 20");
    call(&mut breaker, &[Void; 30], S);
    assert_eq!(breaker.calls(S), Calls { all: 20, failed: 9, slow: 0 });
    call(&mut breaker, &[Failed; 2], S);
    assert_eq!((breaker.state(S), breaker.opened()), (BreakerState::Open, 1), "11 of 22");
}

#[test]
fn other_numbers_hold_at_once_and_an_open_one_is_open_no_longer_than_they_say() {
    let mut breaker = Breaker::new(config());
    call(&mut breaker, &[Failed; 4], S);
    breaker.reconfigure(BreakerConfig { minimum_calls: 5, ..config() }, S);
    call(&mut breaker, &[Failed], S);
    assert_eq!(breaker.state(S), BreakerState::Open, "what was counted before counts");
    breaker.reconfigure(BreakerConfig { open_for: S, ..config() }, 2 * S);
    assert_eq!(breaker.admit(2 * S), Err(S));
    breaker.reconfigure(BreakerConfig { open_for: 60 * S, ..config() }, 2 * S);
    assert_eq!(breaker.admit(2 * S), Err(S), "nor longer than was said before");
    let mut breaker = Breaker::new(config());
    call(&mut breaker, &[Failed; 19], 100 * S);
    breaker.reconfigure(BreakerConfig { window: 60 * S, ..config() }, 100 * S);
    assert_eq!(breaker.calls(100 * S), Calls::default(), "another window begins anew");
    call(&mut breaker, &[Failed; 19], 100 * S);
    call(&mut breaker, &[Failed], 155 * S);
    assert_eq!(breaker.state(155 * S), BreakerState::Open, "and has its own length");
}

#[test]
fn what_has_left_the_window_does_not_count() {
    let mut breaker = Breaker::new(config());
    call(&mut breaker, &[Failed; 19], S);
    call(&mut breaker, &[Failed], 12 * S);
    assert_eq!(breaker.calls(12 * S), Calls { all: 1, failed: 1, slow: 0 });
    call(&mut breaker, &[Failed; 18], 20 * S);
    assert_eq!(breaker.calls(20 * S).all, 19);
    call(&mut breaker, &[Failed], 21 * S);
    assert_eq!(breaker.state(21 * S), BreakerState::Open);
}

#[test]
fn an_open_one_says_when_to_come_again_and_then_lets_one_probe_through() {
    let mut breaker = opened(S);
    assert_eq!(breaker.admit(S), Err(5 * S));
    assert_eq!(breaker.admit(5_999 * MS), Err(MS));
    assert_eq!(breaker.look(6 * S), Ok(()));
    assert_eq!(breaker.state(6 * S), BreakerState::HalfOpen);
    let probe = breaker.admit(6 * S).expect("a probe");
    assert_eq!(breaker.admit(6 * S), Err(PROBED), "one at a time");
    breaker.settle(probe, Succeeded, MS, 7 * S);
    assert_eq!(breaker.state(7 * S), BreakerState::Closed);
    call(&mut breaker, &[Failed; 19], 7 * S);
    assert_eq!(breaker.state(7 * S), BreakerState::Closed, "it counts anew");
}

#[test]
fn a_probe_that_fails_opens_it_again_and_one_that_says_nothing_is_given_back() {
    let mut breaker = opened(S);
    call(&mut breaker, &[Void, Void, Failed], 6 * S);
    assert_eq!((breaker.admit(6 * S), breaker.opened()), (Err(5 * S), 2));
}

#[test]
fn all_probes_have_to_succeed() {
    let mut breaker = Breaker::new(BreakerConfig { probes: 3, minimum_calls: 1, ..config() });
    call(&mut breaker, &[Failed], S);
    let probes: Vec<_> = (0..3).map(|_| breaker.admit(6 * S).expect("a probe")).collect();
    assert_eq!(breaker.admit(6 * S), Err(PROBED));
    for probe in probes {
        assert_eq!(breaker.state(6 * S), BreakerState::HalfOpen);
        breaker.settle(probe, Succeeded, MS, 6 * S);
    }
    assert_eq!(breaker.state(6 * S), BreakerState::Closed);
}

/// A reload that asked for fewer probes than had succeeded left it half open for good: none was let through any more.
#[test]
fn it_closes_when_fewer_probes_are_wanted_than_have_succeeded() {
    let wants = |probes| BreakerConfig { probes, minimum_calls: 1, ..config() };
    let half_open = |probes, succeeded: usize| {
        let mut breaker = Breaker::new(wants(probes));
        call(&mut breaker, &[Failed], S);
        call(&mut breaker, &vec![Succeeded; succeeded], 6 * S);
        assert_eq!(breaker.state(6 * S), BreakerState::HalfOpen);
        breaker
    };
    let mut breaker = half_open(2, 1);
    breaker.reconfigure(wants(1), 6 * S);
    assert_eq!((breaker.state(6 * S), breaker.closed()), (BreakerState::Closed, 1));
    let mut breaker = half_open(3, 2);
    let last = breaker.admit(6 * S).expect("a probe");
    breaker.reconfigure(wants(2), 6 * S);
    breaker.settle(last, Void, MS, 6 * S);
    assert_eq!(breaker.look(6 * S), Ok(()));
    let mut breaker = half_open(3, 1);
    breaker.reconfigure(wants(2), 6 * S);
    call(&mut breaker, &[Succeeded], 6 * S);
    assert_eq!(breaker.state(6 * S), BreakerState::Closed, "one more was wanted");
}

#[test]
fn a_result_from_before_it_opened_changes_nothing() {
    let mut breaker = Breaker::new(config());
    let late = breaker.admit(S).expect("let through");
    call(&mut breaker, &[Failed; 20], S);
    breaker.settle(late, Succeeded, 9 * S, 7 * S);
    assert_eq!(breaker.state(5 * S), BreakerState::Open);
    let probe = breaker.admit(7 * S).expect("a probe");
    breaker.settle(late, Failed, 9 * S, 7 * S);
    breaker.settle(probe, Succeeded, MS, 7 * S);
    breaker.settle(probe, Failed, MS, 7 * S);
    assert_eq!((breaker.state(7 * S), breaker.opened()), (BreakerState::Closed, 1));
}

#[test]
fn failures_in_a_row_open_it_however_few_calls_there_are() {
    let mut breaker = Breaker::new(BreakerConfig { consecutive_failures: 5, open_for: 30 * S, ..config() });
    call(&mut breaker, &[Failed, Failed, Failed, Failed, Succeeded, Failed, Failed, Failed, Void, Failed], S);
    assert_eq!(breaker.state(S), BreakerState::Closed);
    call(&mut breaker, &[Failed], 50 * S);
    assert_eq!(breaker.admit(50 * S), Err(30 * S));
}

#[test]
fn slow_calls_open_it_and_a_slow_probe_opens_it_again() {
    let slow = BreakerConfig { slow_call: Some(100 * MS), slow_rate: 80, minimum_calls: 5, ..config() };
    let mut breaker = Breaker::new(slow);
    for took in [100, 101, 150, 200] {
        let permit = breaker.admit(S).expect("lets it through");
        breaker.settle(permit, Succeeded, took * MS, S);
    }
    assert_eq!(breaker.calls(S), Calls { all: 4, failed: 0, slow: 3 });
    let permit = breaker.admit(S).expect("lets it through");
    breaker.settle(permit, Succeeded, S, S);
    assert_eq!(breaker.state(S), BreakerState::Open, "4 of 5");
    let probe = breaker.admit(6 * S).expect("a probe");
    breaker.settle(probe, Succeeded, S, 6 * S);
    assert_eq!(breaker.admit(6 * S), Err(5 * S));
}

proptest! {
    /// Whatever comes, other numbers too: an open one lets nothing through before its time, probes are never more than
    /// allowed, and when all calls succeed it is closed in the end.
    #[test]
    fn the_laws_of_a_breaker(
        steps in prop::collection::vec((0u8..5, 0u32..3_000, 0u32..2_000), 0..200),
        probes in 1u32..4,
        row in 0u32..4,
    ) {
        let mut config = BreakerConfig {
            probes,
            consecutive_failures: row,
            minimum_calls: 3,
            slow_call: Some(S),
            window: S,
            ..config()
        };
        let mut breaker = Breaker::new(config);
        let (mut now, mut under_way) = (Duration::ZERO, Vec::new());
        for (what, passed, took) in steps {
            now += passed * MS;
            let before = breaker.state(now);
            match what {
                0 | 1 => match breaker.admit(now) {
                    Ok(permit) => {
                        prop_assert_ne!(before, BreakerState::Open);
                        under_way.push(permit);
                        let probing = under_way.iter().filter(|permit| permit.generation == breaker.generation).count();
                        let half_open = breaker.state(now) == BreakerState::HalfOpen;
                        prop_assert!(!half_open || probing <= config.probes as usize);
                    }
                    Err(wait) => {
                        prop_assert_ne!(before, BreakerState::Closed);
                        prop_assert!(wait <= config.open_for && wait > Duration::ZERO);
                    }
                },
                2 => {
                    config.probes = 1 + took % 3;
                    breaker.reconfigure(config, now);
                }
                _ => {
                    if let Some(permit) = under_way.pop() {
                        breaker.settle(permit, if what == 3 { Failed } else { Succeeded }, took * MS, now);
                    }
                }
            }
            prop_assert!(breaker.calls(now).failed <= breaker.calls(now).all);
        }
        for permit in under_way {
            breaker.settle(permit, Succeeded, MS, now);
        }
        for _ in 0..100 {
            now += S;
            if let Ok(permit) = breaker.admit(now) {
                breaker.settle(permit, Succeeded, MS, now);
            }
        }
        prop_assert_eq!(breaker.state(now), BreakerState::Closed);
    }
}
