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

    /// Goes on with other numbers. An open one is open for no longer than they say, one whose probes are enough by now is
    /// closed; what was counted in a window of another length is forgotten.
    pub(crate) fn reconfigure(&mut self, config: BreakerConfig, now: Duration) {
        if let Phase::Open { until } = &mut self.phase {
            *until = (*until).min(now + config.open_for);
        }
        if config.window != self.config.window {
            self.pieces = [Calls::default(); PIECES];
            self.current = 0;
        }
        self.config = config;
        // No other probe would be let through, and so none could close it.
        if let Phase::HalfOpen { succeeded, .. } = self.phase
            && succeeded >= config.probes
        {
            self.enter(Phase::Closed);
        }
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
mod tests;
