//! What the dispatchers of policies and connectors and the projectors of views have in common: cursors that others can watch.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering},
    },
};

use tokio::sync::{Notify, watch};

use super::unit::UnitRuntime;
use crate::persistence::PartitionId;

/// A partition of a storage unit that a consumer reads.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) unit: Arc<UnitRuntime>,
    pub(crate) partition: u16,
    cursor: AtomicU64,
}

impl Lane {
    /// Everything up to here has been dealt with.
    pub(crate) fn cursor(&self) -> u64 {
        self.cursor.load(Ordering::Acquire)
    }

    pub(crate) fn durable(&self) -> u64 {
        self.unit.journal.durable(PartitionId(self.partition))
    }
}

/// A policy, a view or a connector as others see it.
pub(crate) struct Consumer {
    pub(crate) name: &'static str,
    pub(crate) system: &'static str,
    pub(crate) service: &'static str,
    pub(crate) lanes: Vec<Lane>,
    /// Wakes the consumer: something to read, or somebody waits for it.
    pub(crate) wake: Arc<Notify>,
    /// Dispatches or row changes that are being worked on.
    pub(crate) busy: AtomicUsize,
    state: AtomicU8,
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
}

impl Consumer {
    pub(crate) fn new(
        name: &'static str,
        (system, service): (&'static str, &'static str),
        units: &[Arc<UnitRuntime>],
    ) -> Arc<Self> {
        let lanes = units
            .iter()
            .flat_map(|unit| {
                (0..unit.journal.partitions()).map(|partition| Lane {
                    unit: unit.clone(),
                    partition,
                    cursor: AtomicU64::new(0),
                })
            })
            .collect();
        Arc::new(Self {
            name,
            system,
            service,
            lanes,
            wake: Arc::new(Notify::new()),
            busy: AtomicUsize::new(0),
            state: AtomicU8::new(0),
            moved: watch::Sender::new(0),
        })
    }

    pub(crate) fn set_state(&self, state: ConsumerState) {
        self.state.store(state as u8, Ordering::Release);
    }

    /// As `/admin/consumers` shows it.
    pub(crate) fn state(&self) -> &'static str {
        match self.state.load(Ordering::Acquire) {
            1 => "running",
            2 => "waiting",
            _ => "stopped",
        }
    }

    /// Tells how far a lane has come. Whoever waits for it is woken by [`tell`](Self::tell).
    pub(crate) fn set_cursor(&self, lane: usize, offset: u64) {
        if let Some(lane) = self.lanes.get(lane) {
            lane.cursor.store(offset, Ordering::Release);
        }
    }

    /// Wakes those who wait for this consumer's cursors.
    pub(crate) fn tell(&self) {
        self.moved.send_modify(|moves| *moves += 1);
    }

    /// The durable heads of all lanes now.
    pub(crate) fn heads(&self) -> Vec<u64> {
        self.lanes.iter().map(Lane::durable).collect()
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
        self.lanes.iter().map(|lane| lane.durable().saturating_sub(lane.cursor())).sum()
    }
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer").field("name", &self.name).field("state", &self.state()).finish_non_exhaustive()
    }
}
