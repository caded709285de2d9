//! Whether calls are made at all: a pure function of what came of those before, and of the time.
//!
//! ```text
//!            share of failed or slow calls, or failures in a row
//!   closed ------------------------------------------------------> open
//!      ^                                                            |  open_for
//!      |  all probes succeed                                        v
//!      +------------------------------------------------------ half open --- a probe fails ---> open
//! ```
//!
//! After M. Nygard, *Release It!*, and the sliding window of resilience4j. A result counts only for the state in which
//! its call was let through.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use crate::actors::supervision::BreakerConfig;

/// Pieces that the window is counted in: what is older leaves in steps of a tenth.
const PIECES: usize = 10;

/// When another look is worth it while all probes are under way.
const PROBED: Duration = Duration::from_millis(100);

/// What a breaker does with calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// All are made.
    Closed,
    /// None is made.
    Open,
    /// A few are made, to see how the callee is.
    HalfOpen,
}

/// What came of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Succeeded,
    Failed,
    /// It says nothing about the callee.
    Void,
}

/// That a call is made; its result comes back with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "without its result a probe is never over"]
pub(crate) struct Permit {
    generation: u64,
}

/// What the calls of some time came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Calls {
    pub(crate) all: u32,
    pub(crate) failed: u32,
    pub(crate) slow: u32,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    Closed,
    Open { until: Duration },
    HalfOpen { under_way: u32, succeeded: u32 },
}

/// One breaker. Times are since any fixed moment, and never go back.
#[derive(Debug)]
pub(crate) struct Breaker {
    config: BreakerConfig,
    phase: Phase,
    /// Raised with every change of the phase.
    generation: u64,
    pieces: [Calls; PIECES],
    /// The number of the piece that is counted in now, since time began.
    current: u128,
    in_a_row: u32,
    opened: u64,
    half_opened: u64,
    closed: u64,
}

impl Breaker {
    pub(crate) fn new(config: BreakerConfig) -> Self {
        let pieces = [Calls::default(); PIECES];
        let (phase, opened, half_opened, closed) = (Phase::Closed, 0, 0, 0);
        Self { config, phase, generation: 0, pieces, current: 0, in_a_row: 0, opened, half_opened, closed }
    }

    /// Goes on with other numbers. An open one is open for no longer than they say; what was counted in a window of
    /// another length is forgotten.
    pub(crate) fn reconfigure(&mut self, config: BreakerConfig, now: Duration) {
        if let Phase::Open { until } = &mut self.phase {
            *until = (*until).min(now + config.open_for);
        }
        if config.window != self.config.window {
            self.pieces = [Calls::default(); PIECES];
            self.current = 0;
        }
        self.config = config;
    }

    /// Lets a call through, or says when to come again.
    pub(crate) fn admit(&mut self, now: Duration) -> Result<Permit, Duration> {
        self.look(now)?;
        if let Phase::Open { .. } = self.phase {
            self.enter(Phase::HalfOpen { under_way: 0, succeeded: 0 });
        }
        if let Phase::HalfOpen { under_way, .. } = &mut self.phase {
            *under_way += 1;
        }
        Ok(Permit { generation: self.generation })
    }

    /// Whether a call would be let through now; if not, when to come again.
    pub(crate) fn look(&self, now: Duration) -> Result<(), Duration> {
        match self.phase {
            Phase::Open { until } if now < until => Err(until.saturating_sub(now)),
            Phase::HalfOpen { under_way, succeeded } if under_way + succeeded >= self.config.probes => Err(PROBED),
            Phase::Closed | Phase::Open { .. } | Phase::HalfOpen { .. } => Ok(()),
        }
    }

    /// Takes what came of a call that took so long.
    pub(crate) fn settle(&mut self, permit: Permit, verdict: Verdict, took: Duration, now: Duration) {
        if permit.generation != self.generation {
            return;
        }
        let slow = self.config.slow_call.is_some_and(|limit| took > limit);
        match &mut self.phase {
            Phase::Open { .. } => {}
            Phase::HalfOpen { under_way, succeeded } => {
                *under_way = under_way.saturating_sub(1);
                match verdict {
                    Verdict::Void => {}
                    Verdict::Succeeded if !slow => {
                        *succeeded += 1;
                        if *succeeded >= self.config.probes {
                            self.enter(Phase::Closed);
                        }
                    }
                    Verdict::Succeeded | Verdict::Failed => self.open(now),
                }
            }
            Phase::Closed => {
                if verdict != Verdict::Void {
                    self.count(verdict == Verdict::Failed, slow, now);
                }
            }
        }
    }

    fn count(&mut self, failed: bool, slow: bool, now: Duration) {
        self.turn_to(now);
        let at = usize::try_from(self.current % PIECES as u128).unwrap_or_default();
        if let Some(piece) = self.pieces.get_mut(at) {
            piece.all += 1;
            piece.failed += u32::from(failed);
            piece.slow += u32::from(slow);
        }
        self.in_a_row = if failed { self.in_a_row + 1 } else { 0 };
        let calls = self.sum();
        let at_least = |part: u32, rate: u32| u64::from(part) * 100 >= u64::from(calls.all) * u64::from(rate);
        let enough = calls.all >= self.config.minimum_calls;
        let by_share = enough && at_least(calls.failed, self.config.failure_rate);
        let by_time = enough && self.config.slow_call.is_some() && at_least(calls.slow, self.config.slow_rate);
        let row = self.config.consecutive_failures;
        if by_share || by_time || (row > 0 && self.in_a_row >= row) {
            self.open(now);
        }
    }

    fn open(&mut self, now: Duration) {
        self.enter(Phase::Open { until: now + self.config.open_for });
    }

    fn enter(&mut self, phase: Phase) {
        match phase {
            Phase::Open { .. } => self.opened += 1,
            Phase::HalfOpen { .. } => self.half_opened += 1,
            Phase::Closed => self.closed += 1,
        }
        self.phase = phase;
        self.generation += 1;
        self.pieces = [Calls::default(); PIECES];
        self.in_a_row = 0;
    }

    /// Forgets what has left the window.
    fn turn_to(&mut self, now: Duration) {
        let piece = now.as_nanos() / (self.config.window.as_nanos() / PIECES as u128).max(1);
        let passed = usize::try_from(piece.saturating_sub(self.current)).unwrap_or(usize::MAX).min(PIECES);
        for step in 1..=passed {
            let at = usize::try_from((self.current + step as u128) % PIECES as u128).unwrap_or_default();
            if let Some(piece) = self.pieces.get_mut(at) {
                *piece = Calls::default();
            }
        }
        if passed == PIECES {
            self.pieces = [Calls::default(); PIECES];
        }
        self.current = self.current.max(piece);
    }

    fn sum(&self) -> Calls {
        self.pieces.iter().fold(Calls::default(), |sum, piece| Calls {
            all: sum.all.saturating_add(piece.all),
            failed: sum.failed.saturating_add(piece.failed),
            slow: sum.slow.saturating_add(piece.slow),
        })
    }

    /// What it does with calls now.
    pub(crate) fn state(&self, now: Duration) -> BreakerState {
        match self.phase {
            Phase::Closed => BreakerState::Closed,
            Phase::Open { until } if now < until => BreakerState::Open,
            Phase::Open { .. } | Phase::HalfOpen { .. } => BreakerState::HalfOpen,
        }
    }

    /// The calls in the window.
    pub(crate) fn calls(&mut self, now: Duration) -> Calls {
        self.turn_to(now);
        self.sum()
    }

    /// How often it has opened.
    pub(crate) fn opened(&self) -> u64 {
        self.opened
    }

    /// How often it has let calls through to see how the callee is.
    pub(crate) fn half_opened(&self) -> u64 {
        self.half_opened
    }

    /// How often it has closed again.
    pub(crate) fn closed(&self) -> u64 {
        self.closed
    }
}

#[cfg(test)]
mod tests {
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
        /// Whatever comes: an open one lets nothing through before its time, probes are never more than allowed, and
        /// when all calls succeed it is closed in the end.
        #[test]
        fn the_laws_of_a_breaker(
            steps in prop::collection::vec((0u8..4, 0u32..3_000, 0u32..2_000), 0..200),
            probes in 1u32..4,
            row in 0u32..4,
        ) {
            let config = BreakerConfig {
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
                        }
                        Err(wait) => {
                            prop_assert_ne!(before, BreakerState::Closed);
                            prop_assert!(wait <= config.open_for && wait > Duration::ZERO);
                        }
                    },
                    _ => {
                        if let Some(permit) = under_way.pop() {
                            breaker.settle(permit, if what == 2 { Failed } else { Succeeded }, took * MS, now);
                        }
                    }
                }
                let probing = under_way.iter().filter(|permit| permit.generation == breaker.generation).count();
                prop_assert!(breaker.state(now) != BreakerState::HalfOpen || probing <= probes as usize);
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
}
