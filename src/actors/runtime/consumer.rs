//! What the dispatchers of policies and connectors and the projectors of views have in common: cursors that others can watch.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering},
    },
};

use tokio::sync::{Notify, watch};

use super::{
    feed::{Batch, FeedItem, Followed},
    kinds::Kinds,
    unit::UnitRuntime,
};
use crate::persistence::{PartitionId, ReadError};

/// A partition of a storage unit that a consumer reads.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) unit: Arc<UnitRuntime>,
    pub(crate) partition: u16,
    cursor: AtomicU64,
    /// The cursor that it would have after a crash.
    kept: AtomicU64,
    /// Why this run goes no further here.
    held: Mutex<Option<Arc<str>>>,
}

impl Lane {
    /// Everything up to here has been dealt with.
    pub(crate) fn cursor(&self) -> u64 {
        self.cursor.load(Ordering::Acquire)
    }

    /// Everything up to here has been dealt with, also after a crash.
    pub(crate) fn kept(&self) -> u64 {
        self.kept.load(Ordering::Acquire)
    }

    /// Why this run goes no further here; `None` while it does.
    pub(crate) fn why_held(&self) -> Option<Arc<str>> {
        self.held().clone()
    }

    fn held(&self) -> MutexGuard<'_, Option<Arc<str>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything up to here can be read.
    pub(crate) fn head(&self) -> u64 {
        self.unit.feed.head(self.partition)
    }

    /// The next events after `after` that are `followed`, at most `limit`.
    ///
    /// # Errors
    /// What the journal says; nothing is skipped.
    pub(crate) async fn read(
        &self,
        kinds: &Kinds,
        followed: &Followed,
        after: u64,
        limit: usize,
    ) -> Result<Batch, ReadError> {
        self.unit.feed.read(kinds, followed, self.partition, after, limit).await
    }
}

/// A policy, a view or a connector as others see it.
pub(crate) struct Consumer {
    pub(crate) name: &'static str,
    pub(crate) system: &'static str,
    pub(crate) service: &'static str,
    pub(crate) lanes: Vec<Lane>,
    /// What it reads of them, and is woken by.
    pub(crate) followed: Followed,
    /// Wakes the consumer: something to read, or somebody waits for it.
    pub(crate) wake: Arc<Notify>,
    /// Dispatches or row changes that are being worked on.
    pub(crate) busy: AtomicUsize,
    state: AtomicU8,
    /// Why it cannot go on for good.
    refused: Mutex<Option<Arc<str>>>,
    /// Whether it is to keep its cursors now, however little they have moved.
    keep: AtomicBool,
    moved: watch::Sender<u64>,
}

/// What a consumer is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum ConsumerState {
    Stopped = 0,
    Running = 1,
    /// It cannot go on in some partition: the target or the storage refuses, or too much waits there.
    Waiting = 2,
    /// What it would have to read next was deleted. Shown as well while it is [held](Consumer::hold) in some partition.
    Refused = 3,
}

impl Consumer {
    pub(crate) fn new(
        name: &'static str,
        (system, service): (&'static str, &'static str),
        units: &[Arc<UnitRuntime>],
        kinds: &[&'static str],
    ) -> Arc<Self> {
        let lanes = units
            .iter()
            .flat_map(|unit| {
                (0..unit.journal.partitions()).map(|partition| Lane {
                    unit: unit.clone(),
                    partition,
                    cursor: AtomicU64::new(0),
                    kept: AtomicU64::new(0),
                    held: Mutex::default(),
                })
            })
            .collect();
        Arc::new(Self {
            name,
            system,
            service,
            lanes,
            followed: Followed::Of(kinds.into()),
            wake: Arc::new(Notify::new()),
            busy: AtomicUsize::new(0),
            state: AtomicU8::new(0),
            refused: Mutex::default(),
            keep: AtomicBool::new(false),
            moved: watch::Sender::new(0),
        })
    }

    pub(crate) fn set_state(&self, state: ConsumerState) {
        self.state.store(state as u8, Ordering::Release);
    }

    /// As `/admin/consumers` shows it.
    pub(crate) fn state(&self) -> &'static str {
        let is_held = || self.lanes.iter().any(|lane| lane.why_held().is_some());
        match self.state.load(Ordering::Acquire) {
            1 | 2 if is_held() => "refused",
            1 => "running",
            2 => "waiting",
            3 => "refused",
            _ => "stopped",
        }
    }

    /// Tells how far a lane has come. Whoever waits for it is woken by [`tell`](Self::tell).
    pub(crate) fn set_cursor(&self, lane: usize, offset: u64) {
        if let Some(lane) = self.lanes.get(lane) {
            lane.cursor.store(offset, Ordering::Release);
        }
    }

    /// Tells that a lane would have this cursor after a crash.
    pub(crate) fn set_kept(&self, lane: usize, offset: u64) {
        if let Some(lane) = self.lanes.get(lane) {
            lane.kept.store(offset, Ordering::Release);
        }
    }

    /// Asks it to keep its cursors soon.
    pub(crate) fn keep_soon(&self) {
        self.keep.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    /// Whether it was asked to, since it last looked.
    pub(crate) fn is_to_keep(&self) -> bool {
        self.keep.swap(false, Ordering::AcqRel)
    }

    /// Whether everything behind these cursors, one for each lane, is still there.
    ///
    /// # Errors
    /// What is not, and what to do; the consumer is refused from then on, until it is started again.
    pub(crate) fn begin(&self, cursors: &[u64]) -> Result<(), Arc<str>> {
        for lane in &self.lanes {
            *lane.held() = None;
        }
        let missing = self.lanes.iter().zip(cursors).find_map(|(lane, cursor)| {
            let first = lane.unit.journal.first(PartitionId(lane.partition));
            (cursor + 1 < first).then(|| (lane, cursor + 1, first))
        });
        let refused: Option<Arc<str>> = missing.map(|(lane, next, first)| {
            let (name, unit, partition) = (self.name, &lane.unit.name, lane.partition);
            format!(
                "{name} has to go on at position {next} of {unit}/{partition}, and the first that is there is {first}: \
                 older history was deleted; restore a backup that has it, or go back to what had read it"
            )
            .into()
        });
        refused.clone_into(&mut self.refused());
        match refused {
            Some(reason) => {
                tracing::error!(consumer = self.name, reason = reason.as_ref(), "refused");
                self.set_state(ConsumerState::Refused);
                Err(reason)
            }
            None => Ok(()),
        }
    }

    /// Holds a lane before an event that this release cannot decode, until the consumer is started again: a later release
    /// may have written it, whose own run then reacts to it.
    pub(crate) fn hold(&self, lane: usize, item: &FeedItem) {
        let Some(lane) = self.lanes.get(lane) else { return };
        let (name, unit, partition) = (self.name, &lane.unit.name, lane.partition);
        let (kind, offset) = (&item.kind, item.offset);
        let reason = format!(
            "{name} has to go on at position {offset} of {unit}/{partition}, and this release cannot decode that event of \
             {kind}: run one that can"
        );
        tracing::error!(consumer = name, reason, "held");
        *lane.held() = Some(reason.into());
    }

    /// Why it cannot go on for good; `None` while it can.
    pub(crate) fn why_refused(&self) -> Option<Arc<str>> {
        self.refused().clone()
    }

    fn refused(&self) -> MutexGuard<'_, Option<Arc<str>>> {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes those who wait for this consumer's cursors.
    pub(crate) fn tell(&self) {
        self.moved.send_modify(|moves| *moves += 1);
    }

    /// The heads of all lanes now.
    pub(crate) fn heads(&self) -> Vec<u64> {
        self.lanes.iter().map(Lane::head).collect()
    }

    /// Whether every lane has reached `heads`.
    pub(crate) fn has_reached(&self, heads: &[u64]) -> bool {
        self.lanes.iter().zip(heads).all(|(lane, head)| lane.cursor() >= *head)
    }

    /// Waits until every lane has reached `heads`; the caller sets the limit.
    pub(crate) async fn reached(&self, heads: &[u64]) {
        let mut moved = self.moved.subscribe();
        // Once: it then reads until there is nothing more. Waking it at each of its tells would keep a core
        // busy with both while it cannot go on.
        self.wake.notify_one();
        while !self.has_reached(heads) {
            if moved.changed().await.is_err() {
                return;
            }
        }
    }

    /// How many events it is behind, all lanes together.
    pub(crate) fn lag(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.head().saturating_sub(lane.cursor())).sum()
    }
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer").field("name", &self.name).field("state", &self.state()).finish_non_exhaustive()
    }
}
