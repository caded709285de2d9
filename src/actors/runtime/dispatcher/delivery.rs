//! One delivery, from the event to done or put aside.

use std::{sync::Arc, time::Duration};

use super::{
    super::{
        consumer::{Consumer, ConsumerState},
        entities::Entities,
        mailbox::about,
    },
    carrier::{AnyCarrier, Fact, Lane, Tried, Undelivered, doubled},
    progress_id,
};
use crate::{
    actors::{
        entity::{PolicyProgress, PutAside},
        supervision::Stop,
    },
    spans,
};

/// The first pause while something waits that does not count; it doubles up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(10);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// What the deliveries of one run need on their way.
pub(super) struct Delivery {
    pub(super) carrier: Arc<dyn AnyCarrier>,
    pub(super) progress: Entities<PolicyProgress>,
    pub(super) consumer: Arc<Consumer>,
    pub(super) stop: Stop,
}

/// A delivery on its way.
pub(super) struct Outgoing {
    /// Index among the consumer's lanes.
    pub(super) partition: usize,
    pub(super) fact: Arc<Fact>,
    /// Index among the event's deliveries.
    pub(super) index: u16,
    pub(super) lane: Lane,
}

/// What became of deliveries of one lane that went on their way together, in their order.
#[derive(Default)]
pub(super) struct Came {
    /// Done or put aside.
    pub(super) settled: Vec<Outgoing>,
    /// The next one, and what its first try came to: it is seen through alone.
    pub(super) stuck: Option<(Outgoing, Tried)>,
    /// Those for which nothing was done: they go again.
    pub(super) rest: Vec<Outgoing>,
    /// Seen through until the stop came: to be dispatched by the next run.
    pub(super) given_up: Option<Outgoing>,
}

impl Came {
    /// The lane of all of them.
    pub(super) fn lane(&self) -> Option<&Lane> {
        let stuck = self.stuck.as_ref().map(|(outgoing, _)| outgoing);
        let all = self.settled.iter().chain(stuck).chain(&self.rest).chain(&self.given_up);
        all.map(|outgoing| &outgoing.lane).next()
    }

    pub(super) fn settled(outgoing: Outgoing) -> Self {
        Self { settled: vec![outgoing], ..Self::default() }
    }

    pub(super) fn given_up(outgoing: Outgoing) -> Self {
        Self { given_up: Some(outgoing), ..Self::default() }
    }
}

impl Outgoing {
    /// What whoever collects traces sees of it.
    fn span(&self, consumer: &str) -> tracing::Span {
        let id = || {
            let at = &self.fact.position;
            spans::delivery_id(consumer, &at.unit, at.partition, at.offset, self.index)
        };
        spans::delivery(&self.fact.correlation, consumer, id)
    }

    /// Lines about it name the request that it goes back to.
    fn log(&self) -> tracing::Span {
        about(&self.fact.correlation)
    }
}

impl Delivery {
    /// The deliveries that an event leads to.
    pub(super) fn plan(&self, partition: usize, fact: &Arc<Fact>) -> Vec<Outgoing> {
        let outgoing = |(index, lane)| {
            let index = u16::try_from(index).expect("an event leads to a handful of deliveries");
            Outgoing { partition, fact: fact.clone(), index, lane }
        };
        self.carrier.plan(partition, fact).into_iter().enumerate().map(outgoing).collect()
    }

    /// Tries deliveries of one lane together, once.
    pub(super) async fn together(self: Arc<Self>, series: Vec<Outgoing>) -> Came {
        let _spans: Vec<_> = series.iter().map(|outgoing| outgoing.span(self.carrier.name())).collect();
        let deliveries: Vec<_> = series.iter().map(|outgoing| (&*outgoing.fact, outgoing.index)).collect();
        let tried = match series.first() {
            Some(first) => self.carrier.attempt_together(deliveries, &first.lane).await,
            None => Vec::new(),
        };
        let mut came = Came::default();
        let mut tried = tried.into_iter();
        for outgoing in series {
            match tried.next().filter(|_| came.stuck.is_none()) {
                Some(Tried::Done) => came.settled.push(outgoing),
                Some(not_done) => came.stuck = Some((outgoing, not_done)),
                None => came.rest.push(outgoing),
            }
        }
        came
    }

    /// Tries until it is done or put aside, or the stop comes; `tried` is what a first try has come to.
    pub(super) async fn see_through(self: Arc<Self>, outgoing: Outgoing, mut tried: Option<Tried>) -> Came {
        let patience = self.carrier.patience();
        let _span = outgoing.span(self.carrier.name());
        let (mut failures, mut waits) = (0, 0u32);
        loop {
            let tried = match tried.take() {
                Some(tried) => tried,
                None => self.carrier.attempt(&outgoing.fact, outgoing.index, &outgoing.lane).await,
            };
            let pause = match tried {
                Tried::Done => break,
                Tried::Refused(why) => {
                    if self.put_aside(&outgoing, why, failures + 1).await {
                        break;
                    }
                    return Came::given_up(outgoing);
                }
                Tried::Failed { reason, pause } => {
                    failures += 1;
                    let position = &outgoing.fact.position;
                    outgoing.log().in_scope(|| {
                        tracing::warn!(consumer = self.carrier.name(), %position, reason, failures, "delivery failed");
                    });
                    if failures >= patience.attempts {
                        if self.put_aside(&outgoing, Undelivered::because(reason), failures).await {
                            break;
                        }
                        return Came::given_up(outgoing);
                    }
                    pause.unwrap_or_else(|| patience.after(failures))
                }
                Tried::Later { reason, pause } => {
                    let position = &outgoing.fact.position;
                    outgoing.log().in_scope(|| {
                        tracing::debug!(consumer = self.carrier.name(), %position, reason, "delivery waits");
                    });
                    self.consumer.set_state(ConsumerState::Waiting);
                    waits += 1;
                    pause.unwrap_or_else(|| doubled(FIRST_WAIT, waits - 1)).min(LONGEST_WAIT)
                }
            };
            tokio::select! {
                () = self.stop.requested() => return Came::given_up(outgoing),
                () = tokio::time::sleep(pause) => {}
            }
        }
        Came::settled(outgoing)
    }

    /// Journals a letter before the cursor may pass it; false when the stop came first.
    async fn put_aside(&self, outgoing: &Outgoing, why: Undelivered, attempts: u32) -> bool {
        let position = &outgoing.fact.position;
        let log = outgoing.log();
        log.in_scope(|| {
            tracing::warn!(consumer = self.carrier.name(), %position, reason = why.reason, "put aside");
        });
        let letter = self.carrier.letter(&outgoing.fact, outgoing.index, why, attempts);
        let id = progress_id(self.carrier.name(), &position.unit, position.partition);
        let mut failures = 0;
        loop {
            let asked = self.progress.ask(&id, PutAside { letter: letter.clone() });
            match asked.correlation(outgoing.fact.correlation.clone()).await {
                Ok(()) => return true,
                Err(error) => {
                    self.consumer.set_state(ConsumerState::Waiting);
                    log.in_scope(|| {
                        let consumer = self.carrier.name();
                        tracing::warn!(consumer, %error, "a dead letter cannot be journaled; trying again");
                    });
                }
            }
            failures += 1;
            tokio::select! {
                () = self.stop.requested() => return false,
                () = tokio::time::sleep(super::carrier::Patience::DEFAULT.after(failures)) => {}
            }
        }
    }
}
