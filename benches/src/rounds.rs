//! Interleaved rounds, medians, and callers that ask one after the other.

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Result;
use tokio::task::JoinSet;

/// Rounds of each subject: the median of five forgives two that were disturbed.
pub(crate) const ROUNDS: usize = 5;

/// The figures of one round, by name.
pub(crate) type Figures = Vec<(&'static str, f64)>;

/// How long things are measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// Short, to see whether it works.
    pub(crate) quick: bool,
    pub(crate) rounds: usize,
    pub(crate) warm_up: Duration,
    pub(crate) round: Duration,
    /// How long a lag is watched.
    pub(crate) watch: Duration,
}

impl Times {
    pub(crate) fn new(quick: bool) -> Self {
        let seconds = Duration::from_secs;
        if quick {
            Self { quick, rounds: 2, warm_up: seconds(1), round: seconds(1), watch: seconds(5) }
        } else {
            Self { quick, rounds: ROUNDS, warm_up: seconds(3), round: seconds(5), watch: seconds(60) }
        }
    }
}

/// The middle one.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Has `callers` tasks each call, wait and call again for `time`; calls per second.
///
/// Every task has a generator of its own with a fixed seed, so that each subject meets the same sequence of ids.
///
/// # Errors
/// The first error of any call: a rate of calls that fail is no rate.
pub(crate) async fn drive<C, F>(callers: usize, time: Duration, call: C) -> Result<f64>
where
    C: Fn(u64) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<()>> + Send,
{
    let done = Arc::new(AtomicU64::new(0));
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for seed in 0..callers {
        let (call, done) = (call.clone(), done.clone());
        tasks.spawn(async move {
            let mut random = fastrand::Rng::with_seed(seed as u64);
            let mut own = 0;
            // The clock is read every 16 calls, so that it is no part of what is measured.
            while begun.elapsed() < time {
                for _ in 0..16 {
                    call(random.u64(..)).await?;
                }
                own += 16;
            }
            done.fetch_add(own, Ordering::Relaxed);
            anyhow::Ok(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(done.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_one() {
        assert!((median(vec![5.0, 1.0, 3.0]) - 3.0).abs() < f64::EPSILON);
    }

    #[tokio::test]
    async fn a_call_that_fails_ends_the_measurement() {
        let failing = |_| async { anyhow::bail!("no") };
        assert!(drive(2, Duration::from_secs(1), failing).await.is_err());
    }
}
