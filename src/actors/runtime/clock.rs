//! The one source of time.

use tokio::time::Instant;

use crate::actors::entity::Timestamp;

/// Tells the time of decisions. Cheap to clone.
///
/// Deadlines and timers use tokio's monotonic clock; this one is for timestamps, which are data.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System,
    Following { start: Timestamp, since: Instant },
}

impl Clock {
    /// The machine's wall clock.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that shows `start` now and then follows tokio's clock, so that a test can pause it.
    pub fn starting_at(start: Timestamp) -> Self {
        Self(Source::Following { start, since: Instant::now() })
    }

    /// The time now. May step back when the machine's clock is set back.
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everything else takes the time from")]
    pub fn now(&self) -> Timestamp {
        let millis = match &self.0 {
            Source::System => std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX)),
            Source::Following { start, since } => {
                start.as_millis().saturating_add(u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX))
            }
        };
        Timestamp::from_millis(millis)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_following_clock_moves_with_paused_time() {
        let clock = Clock::starting_at(Timestamp::from_millis(1_000));
        tokio::time::advance(Duration::from_millis(250)).await;
        assert_eq!(clock.now(), Timestamp::from_millis(1_250));
    }
}
