//! What a dispatcher does with the events that it reads. Reading, lanes, retries, cursors and dead letters
//! are the dispatcher's; whether the end is a command for an entity or a notice for somebody outside is not.

use std::{any::Any, future::Future, sync::Arc, time::Duration};

use futures::future::{BoxFuture, FutureExt};

use super::{super::feed::FeedItem, LetterError};
use crate::actors::entity::{Address, DeadLetter, Entity, Position, Recorded};

/// Turns events into deliveries, each an (event, index), and tries them.
pub(crate) trait Carrier: Send + Sync + 'static {
    /// Name of the cursor, on disk.
    const NAME: &'static str;
    /// Whose events it reads.
    type Source: Entity;

    /// How often and how long a delivery is tried.
    fn patience(&self) -> Patience;

    /// Deliveries that are on their way at the same time. Beyond, nothing more is read.
    fn in_flight(&self) -> usize;

    /// The lanes of what an event leads to, by index; `partition` is the reader's own number for it.
    fn plan(&self, partition: usize, event: &Recorded<Self::Source>) -> Vec<Lane>;

    /// Tries once, in the lane that was planned. Dropping it leaves the delivery tried or not.
    fn attempt(&self, event: &Recorded<Self::Source>, index: u16, lane: &Lane) -> impl Future<Output = Tried> + Send;

    /// How many deliveries of this lane may be tried together, at least one.
    fn together(&self, _lane: &Lane) -> usize {
        1
    }

    /// Tries deliveries of one lane together, at most as many as it [may](Self::together), at least one: what became of
    /// them, in order, up to the first that was not done, at least of one. Those that are left are tried again as this one
    /// is: in order, and so that what was done after all is recognised. Dropping it leaves a beginning of them tried.
    fn attempt_together(
        &self,
        deliveries: &[(&Recorded<Self::Source>, u16)],
        lane: &Lane,
    ) -> impl Future<Output = Vec<Tried>> + Send {
        async move {
            match deliveries {
                [(event, index), ..] => vec![self.attempt(event, *index, lane).await],
                [] => Vec::new(),
            }
        }
    }

    /// What operators see of a delivery that is put aside.
    fn letter(&self, event: &Recorded<Self::Source>, index: u16, why: Undelivered, attempts: u32) -> DeadLetter;

    /// Tries once more because an operator says so; later deliveries of the same lane may be done already.
    fn retry(&self, event: &Recorded<Self::Source>, index: u16)
    -> impl Future<Output = Result<(), LetterError>> + Send;
}

/// A carrier without its types, so that one dispatcher serves all of them.
pub(crate) trait AnyCarrier: Send + Sync {
    fn name(&self) -> &'static str;
    fn patience(&self) -> Patience;
    fn in_flight(&self) -> usize;
    /// The event, when it is one of the carrier's source.
    fn fact(&self, item: FeedItem) -> Option<Fact>;
    fn plan(&self, partition: usize, fact: &Fact) -> Vec<Lane>;
    fn attempt<'a>(&'a self, fact: &'a Fact, index: u16, lane: &'a Lane) -> BoxFuture<'a, Tried>;
    fn together(&self, lane: &Lane) -> usize;
    fn attempt_together<'a>(&'a self, deliveries: Vec<(&'a Fact, u16)>, lane: &'a Lane) -> BoxFuture<'a, Vec<Tried>>;
    fn letter(&self, fact: &Fact, index: u16, why: Undelivered, attempts: u32) -> DeadLetter;
    fn retry<'a>(&'a self, fact: &'a Fact, index: u16) -> BoxFuture<'a, Result<(), LetterError>>;
}

/// An event of a carrier's source, without its type.
pub(crate) struct Fact {
    pub(super) position: Position,
    pub(super) correlation: Arc<str>,
    pub(super) event: Arc<dyn Any + Send + Sync>,
}

impl Fact {
    fn recorded<S: Entity>(&self) -> &Recorded<S> {
        self.event.downcast_ref().expect("a fact goes back to the carrier that made it")
    }
}

impl<C: Carrier> AnyCarrier for C {
    fn name(&self) -> &'static str {
        C::NAME
    }

    fn patience(&self) -> Patience {
        Carrier::patience(self)
    }

    fn in_flight(&self) -> usize {
        Carrier::in_flight(self)
    }

    fn fact(&self, item: FeedItem) -> Option<Fact> {
        let event = item.event.filter(|_| item.kind.as_ref() == C::Source::KIND)?;
        let recorded = event.downcast_ref::<Recorded<C::Source>>()?;
        let (position, correlation) = (recorded.position.clone(), recorded.correlation.clone());
        Some(Fact { position, correlation, event })
    }

    fn plan(&self, partition: usize, fact: &Fact) -> Vec<Lane> {
        Carrier::plan(self, partition, fact.recorded())
    }

    fn attempt<'a>(&'a self, fact: &'a Fact, index: u16, lane: &'a Lane) -> BoxFuture<'a, Tried> {
        Carrier::attempt(self, fact.recorded(), index, lane).boxed()
    }

    fn together(&self, lane: &Lane) -> usize {
        Carrier::together(self, lane).max(1)
    }

    fn attempt_together<'a>(&'a self, deliveries: Vec<(&'a Fact, u16)>, lane: &'a Lane) -> BoxFuture<'a, Vec<Tried>> {
        async move {
            let recorded: Vec<_> = deliveries.iter().map(|(fact, index)| (fact.recorded(), *index)).collect();
            Carrier::attempt_together(self, &recorded, lane).await
        }
        .boxed()
    }

    fn letter(&self, fact: &Fact, index: u16, why: Undelivered, attempts: u32) -> DeadLetter {
        Carrier::letter(self, fact.recorded(), index, why, attempts)
    }

    fn retry<'a>(&'a self, fact: &'a Fact, index: u16) -> BoxFuture<'a, Result<(), LetterError>> {
        Carrier::retry(self, fact.recorded(), index).boxed()
    }
}

/// Deliveries of one lane wait for each other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Lane {
    /// By key, also when it is addressed by its number: one entity, one lane. By number, when nothing had it.
    Target(Address),
    Source(Address),
    /// Keeps the order of each source and of each target.
    Partition(usize),
    /// Nothing else can be for this one.
    Alone(u16, u64, u16),
}

/// What one try came to.
#[derive(Debug, PartialEq)]
pub(crate) enum Tried {
    Done,
    /// Never.
    Refused(Undelivered),
    /// Not now, and it does not count.
    Later {
        reason: String,
        pause: Option<Duration>,
    },
    /// Failed, and it counts; `pause` when the other side says when to come back.
    Failed {
        reason: String,
        pause: Option<Duration>,
    },
}

/// Why something is put aside.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Undelivered {
    pub(crate) reason: String,
    /// Whether nothing has the address.
    pub(crate) not_found: bool,
    pub(crate) rejection: Option<serde_json::Value>,
}

impl Undelivered {
    pub(crate) fn because(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), ..Self::default() }
    }
}

/// How often a delivery is tried, and the pauses in between: from `first`, doubling up to `longest`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Patience {
    /// Tries that failed before the delivery is put aside. Those that were not done for want of a partner
    /// do not count.
    pub(crate) attempts: u32,
    pub(crate) first: Duration,
    pub(crate) longest: Duration,
}

impl Patience {
    pub(crate) const DEFAULT: Self =
        Self { attempts: 10, first: Duration::from_millis(100), longest: Duration::from_secs(10) };

    /// The pause after this many failures in a row, counted from 1.
    pub(super) fn after(&self, failures: u32) -> Duration {
        doubled(self.first, failures.saturating_sub(1)).min(self.longest)
    }
}

pub(super) fn doubled(first: Duration, times: u32) -> Duration {
    first.saturating_mul(1 << times.min(16))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_from_the_first_to_the_longest() {
        let pauses: Vec<u128> =
            [1, 2, 3, 7, 8, 9, u32::MAX].map(|failures| Patience::DEFAULT.after(failures).as_millis()).into();
        assert_eq!(pauses, [100, 200, 400, 6400, 10_000, 10_000, 10_000]);
    }
}
