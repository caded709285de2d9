//! The commands of a kind, by how they ended.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::Instant;

use crate::{
    actors::entity::{AskError, Outcome},
    measure::{Buckets, Histogram},
};

/// How a command ended, as its asker was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
enum Told {
    Done,
    Replayed,
    Accepted,
    Refused,
    NotDone,
    Unknown,
    /// The asker went away before it was told.
    Abandoned,
}

/// The names of [`Told`], in its order.
const NAMES: [&str; 7] = ["done", "replayed", "accepted", "refused", "not_done", "unknown", "abandoned"];

impl Told {
    fn of<R>(answer: Result<bool, &AskError<R>>) -> Self {
        match answer {
            Ok(false) => Self::Done,
            Ok(true) => Self::Replayed,
            Err(AskError::Accepted) => Self::Accepted,
            Err(error) => match error.outcome() {
                Outcome::Refused => Self::Refused,
                Outcome::NotDone => Self::NotDone,
                Outcome::Unknown => Self::Unknown,
            },
        }
    }
}

/// What is counted of one kind of entity.
#[derive(Debug, Default)]
pub(crate) struct KindMeter {
    /// How long commands took, by how they ended.
    told: [Buckets; NAMES.len()],
    /// Messages that found no room in a mailbox or in the service's budget.
    pub(crate) refused: AtomicU64,
    /// How long it took to bring an entity back.
    pub(crate) recoveries: Buckets,
}

impl KindMeter {
    /// A command is asked. It counts when the value is dropped.
    pub(crate) fn command(&self) -> CommandMeter<'_> {
        CommandMeter { kind: self, begun: Instant::now(), told: Told::Abandoned }
    }

    pub(crate) fn no_room(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// How many commands ended how.
    pub(super) fn outcomes(&self) -> Vec<(&'static str, u64)> {
        NAMES.iter().zip(&self.told).map(|(name, buckets)| (*name, buckets.read().count)).collect()
    }

    /// How long they took, however they ended.
    pub(super) fn seconds(&self) -> Histogram {
        self.told.iter().fold(Histogram::default(), |sum, buckets| sum.and(&buckets.read()))
    }
}

/// One command on its way.
#[derive(Debug)]
pub(crate) struct CommandMeter<'a> {
    kind: &'a KindMeter,
    begun: Instant,
    told: Told,
}

impl CommandMeter<'_> {
    /// It is answered: `Ok` with whether the answer is one that was given before. The name of that outcome.
    pub(crate) fn ended<R>(mut self, answer: Result<bool, &AskError<R>>) -> &'static str {
        self.told = Told::of(answer);
        NAMES.get(self.told as usize).copied().unwrap_or_default()
    }

    /// Nothing was begun for it, and it is asked again under a meter of its own: this one does not count.
    pub(crate) fn never_begun(self) {
        std::mem::forget(self);
    }
}

impl Drop for CommandMeter<'_> {
    fn drop(&mut self) {
        if let Some(buckets) = self.kind.told.get(self.told as usize) {
            buckets.took(self.begun.elapsed());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn counted(meter: &KindMeter) -> Vec<(&'static str, u64)> {
        meter.outcomes().into_iter().filter(|(_, count)| *count > 0).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn each_command_counts_once_as_it_ended_and_when_nobody_waited_as_abandoned() {
        let meter = KindMeter::default();
        assert_eq!(meter.command().ended::<()>(Ok(false)), "done");
        assert_eq!(meter.command().ended::<()>(Ok(true)), "replayed");
        for error in [
            AskError::Rejected(()),
            AskError::Accepted,
            AskError::Expired(Duration::ZERO),
            AskError::TimedOut(Duration::ZERO),
        ] {
            assert_ne!(meter.command().ended(Err(&error)), "done");
        }
        meter.command().never_begun();
        let waits = meter.command();
        tokio::time::advance(Duration::from_secs(2)).await;
        drop(waits);
        let all = ["done", "replayed", "accepted", "refused", "not_done", "unknown", "abandoned"];
        assert_eq!(counted(&meter), all.map(|name| (name, 1)));
        let seconds = meter.seconds();
        assert_eq!((seconds.count, seconds.sum), (7, 2_000_000));
    }
}
