//! A policy or a connector at work: reads events at its own durable cursor, turns them into deliveries
//! (commands for entities, notices for somebody outside), and sees each of them through.
//!
//! ```text
//! feed --> read (per partition, in order) --> plan --> lanes (each in order: one delivery, or a series together)
//!                                                       | done, or put aside as a dead letter
//!                              cursor <-- window <------+
//! ```

mod carrier;
mod commands;
mod delivery;
mod lanes;
mod retry;
#[cfg(test)]
mod tests;
mod window;

use std::{
    sync::{Arc, atomic::Ordering},
    task::Poll,
    time::Duration,
    vec,
};

use futures::{
    StreamExt,
    future::{BoxFuture, FutureExt, join_all},
    stream::FuturesUnordered,
};
use tokio::time::Instant;

pub use self::retry::LetterError;
use self::{
    carrier::Fact,
    delivery::{Came, Delivery, Outgoing},
    lanes::Lanes,
    window::Window,
};
pub(crate) use self::{
    carrier::{AnyCarrier, Carrier, Lane, Patience, Tried, Undelivered},
    commands::Commands,
    retry::{LetterPlace, Retry},
};
use super::{
    consumer::{Consumer, ConsumerState},
    entities::Entities,
    feed::{Batch, FeedItem},
    kinds::Kinds,
};
use crate::actors::{
    entity::{Advance, DeadLetterId, PolicyProgress, ProgressId, Recorded},
    supervision::{Failure, Process, Running, Stop},
};

/// Records that are read of one partition at a time.
const BATCH: usize = 256;

/// How often progress is journaled: after a crash at most so much is dispatched again (and recognised by
/// its targets).
const PROGRESS_EVERY: Duration = Duration::from_millis(500);

/// Events that may be skipped before the cursor is journaled although nothing was dispatched: bounds what
/// is read again after a start.
const SKIPPED: u64 = 4096;

/// How long a stop waits for deliveries on their way.
const STOP_LIMIT: Duration = Duration::from_secs(2);

/// Pause after the journal could not be read.
const READ_RETRY: Duration = Duration::from_millis(200);

/// The process behind one policy or connector.
pub(crate) struct Dispatcher {
    pub(crate) carrier: Arc<dyn AnyCarrier>,
    pub(crate) progress: Entities<PolicyProgress>,
    pub(crate) consumer: Arc<Consumer>,
    pub(crate) kinds: Kinds,
}

/// One run of it.
struct Dispatching {
    delivery: Arc<Delivery>,
    consumer: Arc<Consumer>,
    progress: Entities<PolicyProgress>,
    kinds: Kinds,
    partitions: Vec<Partition>,
    lanes: Lanes,
    on_their_way: FuturesUnordered<BoxFuture<'static, Came>>,
    /// The partition that is read first the next time.
    first: usize,
}

/// One partition of one storage unit, as far as this consumer has come.
struct Partition {
    /// Everything up to here has been read and taken.
    read: u64,
    /// What was read behind it and waits for room; at most [`BATCH`] events.
    ahead: Option<Ahead>,
    window: Window,
    /// The cursor in the journal.
    journaled: u64,
    /// Whether something was dispatched since.
    dispatched: bool,
    /// What the journal knew of dispatches above the cursor when this run began.
    known: PolicyProgress,
}

/// Events of one partition that have been read and not yet taken.
struct Ahead {
    items: vec::IntoIter<FeedItem>,
    /// Once they are taken, everything up to here is.
    upto: u64,
}

impl Process for Dispatcher {
    fn start(&self, stop: Stop) -> BoxFuture<'static, Result<Running, Failure>> {
        let delivery = Delivery {
            carrier: self.carrier.clone(),
            progress: self.progress.clone(),
            consumer: self.consumer.clone(),
            stop: stop.clone(),
        };
        let (consumer, progress, kinds) = (self.consumer.clone(), self.progress.clone(), self.kinds.clone());
        let name = self.carrier.name();
        async move {
            // A predecessor that was killed has left its count behind.
            consumer.busy.store(0, Ordering::Release);
            let mut partitions = Vec::with_capacity(consumer.lanes.len());
            for (index, lane) in consumer.lanes.iter().enumerate() {
                let id = progress_id(name, &lane.unit.name, lane.partition);
                let known = progress.get(&id).await.map_err(|error| Failure::new(format!("progress: {error}")))?;
                let known = known.map(|current| current.state).unwrap_or_default();
                let cursor = known.cursor();
                consumer.set_cursor(index, cursor);
                consumer.set_kept(index, cursor);
                let window = Window::default();
                let (read, ahead, journaled, dispatched) = (cursor, None, cursor, false);
                partitions.push(Partition { read, ahead, window, journaled, dispatched, known });
            }
            let cursors: Vec<u64> = partitions.iter().map(|partition| partition.journaled).collect();
            if consumer.begin(&cursors).is_err() {
                let waits = async move {
                    stop.requested().await;
                    consumer.set_state(ConsumerState::Stopped);
                    Ok(())
                };
                return Ok(waits.boxed());
            }
            let dispatching = Dispatching {
                delivery: Arc::new(delivery),
                consumer,
                progress,
                kinds,
                partitions,
                lanes: Lanes::default(),
                on_their_way: FuturesUnordered::new(),
                first: 0,
            };
            Ok(dispatching.run(stop).boxed())
        }
        .boxed()
    }
}

/// Nobody may react to dead letters of its own: each would lead to the next.
fn is_own_letter(name: &str, fact: &Fact) -> bool {
    fact.event.downcast_ref::<Recorded<PolicyProgress>>().is_some_and(|event| event.id.policy == name)
}

pub(crate) fn progress_id(name: &str, unit: &str, partition: u16) -> ProgressId {
    ProgressId { policy: name.to_owned(), unit: unit.to_owned(), partition }
}

impl Dispatching {
    async fn run(mut self, stop: Stop) -> Result<(), Failure> {
        self.consumer.set_state(ConsumerState::Running);
        let mut journal_at = Instant::now() + PROGRESS_EVERY;
        let consumer = self.consumer.clone();
        loop {
            let more = match self.read().await {
                Ok(more) => more,
                Err(reason) => {
                    tracing::error!(consumer = self.delivery.carrier.name(), reason, "the feed cannot be read");
                    tokio::time::sleep(READ_RETRY).await;
                    true
                }
            };
            let keep = consumer.is_to_keep();
            if keep {
                let moved = self.partitions.iter_mut().filter(|partition| partition.cursor() > partition.journaled);
                moved.for_each(|partition| partition.dispatched = true);
            }
            if keep || Instant::now() >= journal_at {
                self.journal_progress().await;
                journal_at = Instant::now() + PROGRESS_EVERY;
            }
            tokio::select! {
                biased;
                () = stop.requested() => break,
                Some(came) = self.on_their_way.next() => {
                    self.settle(came);
                    self.settle_what_else_is_done().await;
                }
                () = std::future::ready(()), if more && self.has_room() => {}
                () = consumer.wake.notified() => {}
                () = tokio::time::sleep_until(journal_at), if self.has_progress() => {}
            }
        }
        self.finish().await;
        self.consumer.set_state(ConsumerState::Stopped);
        Ok(())
    }

    fn has_room(&self) -> bool {
        self.lanes.on_their_way() < self.delivery.carrier.in_flight()
    }

    /// Reads a piece of every partition; says whether there may be more. Each time another one comes first,
    /// so that one with a long backlog does not keep all the room to itself.
    async fn read(&mut self) -> Result<bool, String> {
        let consumer = self.consumer.clone();
        let mut more = false;
        let (first, lanes) = (self.first, consumer.lanes.len());
        self.first = (first + 1) % lanes.max(1);
        let order = (0..lanes).map(|turn| (first + turn) % lanes);
        for (index, lane) in order.filter_map(|index| Some((index, consumer.lanes.get(index)?))) {
            let has_room = self.has_room();
            let Some(partition) = self.partitions.get_mut(index) else { continue };
            let has_news = lane.head() > partition.read && lane.why_held().is_none();
            if !has_room || !has_news || partition.window.is_full() {
                continue;
            }
            if partition.ahead.is_none() {
                let batch = lane.read(&self.kinds, &consumer.followed, partition.read, BATCH).await;
                let Batch { items, upto } = batch.map_err(|error| error.to_string())?;
                partition.ahead = Some(Ahead { items: items.into_iter(), upto });
            }
            more |= self.take_what_there_is_room_for(index);
            self.show_cursor(index);
        }
        consumer.tell();
        Ok(more)
    }

    /// Takes events of a partition that have been read, one by one, since each may lead to deliveries; whether the
    /// partition has moved.
    fn take_what_there_is_room_for(&mut self, index: usize) -> bool {
        let mut moved = false;
        while self.has_room() {
            let Some(partition) = self.partitions.get_mut(index).filter(|partition| !partition.window.is_full()) else {
                break;
            };
            let Some(ahead) = &mut partition.ahead else { break };
            let Some(item) = ahead.items.next() else {
                let upto = ahead.upto;
                moved |= upto > partition.read;
                partition.ahead = None;
                self.skip(index, upto);
                break;
            };
            let offset = item.offset;
            if item.event.is_none() {
                partition.ahead = None;
                self.consumer.hold(index, &item);
                self.skip(index, offset - 1);
                break;
            }
            match self.delivery.carrier.fact(item) {
                Some(fact) => self.take(index, &Arc::new(fact)),
                None => self.skip(index, offset),
            }
            moved = true;
        }
        moved
    }

    fn skip(&mut self, index: usize, offset: u64) {
        if let Some(partition) = self.partitions.get_mut(index) {
            partition.read = partition.read.max(offset);
        }
    }

    /// Plans what one event leads to and sends it on its way.
    fn take(&mut self, index: usize, fact: &Arc<Fact>) {
        let Some(partition) = self.partitions.get_mut(index) else { return };
        let offset = fact.position.offset;
        partition.read = offset;
        if is_own_letter(self.delivery.carrier.name(), fact) {
            return;
        }
        let outgoing = self.delivery.plan(index, fact);
        let known = |id: &Outgoing| partition.known.knows(DeadLetterId { offset, index: id.index });
        let outgoing: Vec<_> = outgoing.into_iter().filter(|outgoing| !known(outgoing)).collect();
        if outgoing.is_empty() {
            return;
        }
        partition.window.open(offset, outgoing.len());
        partition.dispatched = true;
        for outgoing in outgoing {
            self.consumer.busy.fetch_add(1, Ordering::AcqRel);
            if let Some(outgoing) = self.lanes.enter(outgoing) {
                self.send(outgoing, None);
            }
        }
    }

    fn send(&self, outgoing: Outgoing, tried: Option<Tried>) {
        self.on_their_way.push(self.delivery.clone().see_through(outgoing, tried).boxed());
    }

    /// What waits in a lane goes: together, as far as there is room, but one in any case.
    fn send_next(&mut self, lane: &Lane) {
        let carrier = &self.delivery.carrier;
        let room = carrier.in_flight().saturating_sub(self.lanes.on_their_way());
        let mut series = self.lanes.next(lane, carrier.together(lane).min(room.max(1)));
        if series.len() > 1 {
            self.on_their_way.push(self.delivery.clone().together(series).boxed());
        } else if let Some(outgoing) = series.pop() {
            self.send(outgoing, None);
        }
    }

    /// Deliveries were done or put aside: the next of their lane go, and the cursors move. One that gave up because of a
    /// stop is neither: the cursor stays before it, and the next run dispatches it again.
    fn settle(&mut self, came: Came) {
        let Some(lane) = came.lane().cloned() else { return };
        let Came { settled, stuck, rest, given_up } = came;
        self.lanes.came_back(settled.len() + rest.len());
        for Outgoing { partition: index, fact, .. } in &settled {
            self.consumer.busy.fetch_sub(1, Ordering::AcqRel);
            if let Some(partition) = self.partitions.get_mut(*index) {
                partition.window.settle(fact.position.offset);
            }
            self.show_cursor(*index);
        }
        // After a stop nothing new is begun: what waits is dispatched by the next run.
        if given_up.is_none() && !self.delivery.stop.is_requested() {
            self.lanes.again(&lane, rest);
            match stuck {
                Some((outgoing, tried)) => self.send(outgoing, Some(tried)),
                None => self.send_next(&lane),
            }
        }
        if self.on_their_way.is_empty() {
            self.consumer.set_state(ConsumerState::Running);
        }
        self.consumer.tell();
    }

    /// So that looking at every partition, which comes next, serves all that are done by now.
    async fn settle_what_else_is_done(&mut self) {
        for _ in 0..BATCH {
            let Poll::Ready(Some(came)) = futures::poll!(self.on_their_way.next()) else { break };
            self.settle(came);
        }
    }

    fn show_cursor(&self, index: usize) {
        if let Some(partition) = self.partitions.get(index) {
            self.consumer.set_cursor(index, partition.cursor());
        }
    }

    fn has_progress(&self) -> bool {
        self.partitions.iter().any(Partition::is_worth_journaling)
    }

    /// Journals the cursors that moved, in one group commit. One that cannot be journaled now is tried again
    /// later.
    async fn journal_progress(&mut self) {
        let (progress, consumer, name) = (&self.progress, &self.consumer, self.delivery.carrier.name());
        let lanes = consumer.lanes.iter().zip(&mut self.partitions).enumerate();
        let worth = lanes.filter(|(_, (_, partition))| partition.is_worth_journaling());
        let advances = worth.map(|(index, (lane, partition))| async move {
            let cursor = partition.cursor();
            let id = progress_id(name, &lane.unit.name, lane.partition);
            match progress.ask(&id, Advance { cursor }).await {
                Ok(()) => {
                    partition.journaled = cursor;
                    consumer.set_kept(index, cursor);
                    partition.dispatched = partition.window.len() > 0;
                }
                Err(error) => tracing::debug!(consumer = name, %error, "progress is journaled later"),
            }
        });
        join_all(advances).await;
    }

    /// Waits for what is on its way, at most [`STOP_LIMIT`], and journals how far it came.
    async fn finish(&mut self) {
        let limit = tokio::time::sleep(STOP_LIMIT);
        tokio::pin!(limit);
        loop {
            tokio::select! {
                came = self.on_their_way.next() => match came {
                    Some(came) => self.settle(came),
                    None => break,
                },
                () = &mut limit => break,
            }
        }
        self.consumer.busy.store(0, Ordering::Release);
        for partition in &mut self.partitions {
            partition.dispatched = true;
        }
        self.journal_progress().await;
    }
}

impl Partition {
    fn cursor(&self) -> u64 {
        self.window.cursor(self.read)
    }

    fn is_worth_journaling(&self) -> bool {
        let moved = self.cursor().saturating_sub(self.journaled);
        moved > 0 && (self.dispatched || moved >= SKIPPED)
    }
}
