//! All entities of one kind: where they are, who may reach them, how a message gets in.

use std::{
    any::Any,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{sync::oneshot, time::Instant};

use super::{
    budget::Room,
    bulkhead::BulkheadError,
    cell::{Cell, Phase},
    clock::Clock,
    entities::stopped,
    faults::Subject,
    idle::ByAge,
    kinds::Kinds,
    lane::Lane,
    limits::EntityLimits,
    mailbox::{Body, Claim, Envelope, MAILBOX_RETRY, Meta, OPEN_ASKS, ReplyPort, TurnResult, Watch},
    meters::KindMeter,
    numbers::Directory,
    series::Nth,
    service::ServiceRuntime,
    unit::UnitRuntime,
};
use crate::{
    actors::entity::{Address, AnyCommand, AskError, Entity, Key, Unavailable},
    maps::Map,
    persistence::{PartitionId, StreamId},
};

/// Hosts the cells of one kind; one shard per partition.
pub(crate) struct Host<E: Entity> {
    pub(crate) kind: Arc<str>,
    pub(crate) service: Arc<ServiceRuntime>,
    pub(crate) unit: Arc<UnitRuntime>,
    pub(crate) directory: Directory,
    pub(crate) config: EntityLimits,
    pub(crate) kinds: Kinds,
    pub(crate) meter: KindMeter,
    shards: Box<[Shard<E>]>,
    /// The same cells, for those who look for idle ones.
    pub(super) by_age: ByAge<Arc<Cell<E>>>,
    /// Cells in quarantine.
    pub(super) quarantined: AtomicUsize,
    /// Cells that are there for a probe only, at most one.
    pub(super) probing: AtomicUsize,
}

/// The cells of one partition.
struct Shard<E: Entity>(Mutex<Map<Key, Arc<Cell<E>>>>);

/// A message on its way: the answer to come, and the claim on it.
pub(crate) type Sent<E> = (oneshot::Receiver<TurnResult<E>>, Arc<Claim>);

/// When a message is decided at all.
#[derive(Debug, Default)]
pub(super) struct Terms {
    /// Only while the entity is at this sequence.
    pub(super) expecting: Option<u64>,
    /// Only when what is before it in its series was done.
    pub(super) nth: Option<Nth>,
    /// Whether something injected may keep it from that.
    pub(super) watch: Watch,
}

/// A message at the door of its service.
#[derive(Clone, Copy)]
struct Comes {
    lane: Lane,
    bytes: usize,
    /// Whether the service sends it to itself.
    is_inside: bool,
    deadline: Instant,
}

impl<E: Entity> Host<E> {
    pub(crate) fn new(
        service: Arc<ServiceRuntime>,
        unit: Arc<UnitRuntime>,
        config: EntityLimits,
        kinds: Kinds,
    ) -> Arc<Self> {
        let shards = (0..unit.journal.partitions()).map(|_| Shard(Mutex::new(Map::default()))).collect();
        let directory = Directory::default();
        Arc::new(Self {
            kind: E::KIND.into(),
            service,
            unit,
            directory,
            config,
            kinds,
            meter: KindMeter::default(),
            shards,
            by_age: ByAge::default(),
            quarantined: AtomicUsize::new(0),
            probing: AtomicUsize::new(0),
        })
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.service.clock
    }

    pub(crate) fn stream(&self, key: &Key) -> StreamId {
        StreamId { kind: self.kind.clone(), key: key.shared() }
    }

    /// The stream as text, for derived ids. On disk by way of them: never change.
    pub(crate) fn stream_name(key: &Key) -> String {
        format!("{}/{key}", E::KIND)
    }

    fn partition(&self, key: &Key) -> PartitionId {
        PartitionId::of(&self.kind, key.as_str(), self.unit.journal.partitions())
    }

    pub(super) fn shard(&self, partition: PartitionId) -> MutexGuard<'_, Map<Key, Arc<Cell<E>>>> {
        let shard = self.shards.get(usize::from(partition.0)).expect("one shard per partition");
        shard.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The cell with this key, if it is in memory.
    pub(crate) fn cell(&self, key: &Key) -> Option<Arc<Cell<E>>> {
        self.shard(self.partition(key)).get(key).cloned()
    }

    /// Every cell in memory.
    pub(crate) fn cells(&self) -> Vec<Arc<Cell<E>>> {
        self.shards
            .iter()
            .flat_map(|shard| {
                shard.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect::<Vec<_>>()
            })
            .collect()
    }

    /// How many cells are in memory, besides those that are being probed.
    pub(crate) fn in_memory(&self) -> usize {
        let all: usize =
            self.shards.iter().map(|shard| shard.0.lock().unwrap_or_else(PoisonError::into_inner).len()).sum();
        all.saturating_sub(self.probing.load(Ordering::Relaxed))
    }

    /// Drops every cell, after `leave` took leave of it, under the shard's lock: quick.
    pub(crate) fn clear(&self, mut leave: impl FnMut(&Arc<Cell<E>>)) {
        for shard in &self.shards {
            let mut cells = shard.0.lock().unwrap_or_else(PoisonError::into_inner);
            cells.drain().for_each(|(_, cell)| leave(&cell));
        }
        self.by_age.clear();
        self.shrink();
    }

    /// Gives back the room of cells that have left.
    pub(super) fn shrink(&self) {
        for shard in &self.shards {
            let mut cells = shard.0.lock().unwrap_or_else(PoisonError::into_inner);
            if cells.capacity() > 64 && cells.len() < cells.capacity() / 4 {
                cells.shrink_to_fit();
            }
        }
    }

    /// The key that an address stands for.
    ///
    /// # Errors
    /// `NotFound` for a number that nothing has.
    pub(crate) fn resolve(&self, address: &Address) -> Result<Key, AskError<E::Rejection>> {
        match address {
            Address::Key(key) => Ok(key.clone()),
            Address::Number(number) => self
                .directory
                .find(*number)
                .ok_or_else(|| AskError::NotFound { kind: E::KIND.to_owned(), address: number.to_string() }),
        }
    }

    /// Puts a message into a mailbox, or decides it at once when the entity is idle in memory. A command waits before
    /// for a place in its service's bulkhead, if that has one; it holds it until its events are durable. Waiting is boxed, so
    /// that whoever need not wait does not carry what that needs.
    ///
    /// # Errors
    /// Nothing was taken: service stopped, bulkhead, mailbox or budget full, no place in time, entity quarantined.
    pub(super) async fn send(
        self: &Arc<Self>,
        key: &Key,
        body: Body<E>,
        meta: Meta,
        deadline: Instant,
        terms: Terms,
    ) -> Result<Sent<E>, AskError<E::Rejection>> {
        let comes = Comes {
            lane: Lane::of(&body, &meta),
            bytes: size_of::<Envelope<E>>() + body_bytes(&body),
            is_inside: meta.is_inside,
            deadline,
        };
        let room = match self.enter(comes)? {
            Some(room) => room,
            None => Box::pin(self.wait_at_the_door(comes)).await?,
        };
        let (mut port, answer, claim) = ReplyPort::new(room);
        if self.service.places.is_limited() && matches!(body, Body::Command(_)) {
            let place = Box::pin(async {
                match comes.lane {
                    Lane::New => self.service.places.enter(deadline).await,
                    Lane::First | Lane::Read => self.service.places.enter_first(deadline).await,
                }
            });
            port.holds(place.await.map_err(|error| self.no_place(&error))?);
        }
        let Terms { expecting, nth, watch } = terms;
        port.is_of(nth);
        self.push(key, Envelope { body, meta, port, deadline, expecting, watch })?;
        Ok((answer, claim))
    }

    /// Lets a message into the service; `None` while its door is held.
    fn enter(&self, comes: Comes) -> Result<Option<Room>, AskError<E::Rejection>> {
        let is_held = || !comes.is_inside && self.service.door.is_held();
        if is_held() {
            if comes.lane == Lane::First {
                // Whoever sees it through tries again; waiting here it would hold up the stop of its own policy.
                return Err(AskError::Unavailable(stopped(&self.service.full_name)));
            }
            return Ok(None);
        }
        self.service.intake().map_err(AskError::Unavailable)?;
        if comes.lane == Lane::New {
            self.service.is_in_time(comes.deadline).map_err(AskError::Unavailable)?;
        }
        let Some(room) = self.service.budget.take(comes.bytes, comes.lane) else {
            self.meter.no_room();
            return Err(AskError::Overloaded { retry_after: MAILBOX_RETRY });
        };
        // Whoever holds the door from now on waits for it.
        Ok(Some(room).filter(|_| !is_held()))
    }

    async fn wait_at_the_door(&self, comes: Comes) -> Result<Room, AskError<E::Rejection>> {
        loop {
            self.service.admits(comes.deadline).await?;
            if let Some(room) = self.enter(comes)? {
                return Ok(room);
            }
        }
    }

    /// Sends a probe to a cell of its own.
    ///
    /// # Errors
    /// As [`send`](Self::send), but never for want of room in the service's budget.
    pub(crate) fn send_probe(
        self: &Arc<Self>,
        key: &Key,
        deadline: Instant,
    ) -> Result<Sent<E>, AskError<E::Rejection>> {
        self.service.intake().map_err(AskError::Unavailable)?;
        let (port, answer, claim) = ReplyPort::new(self.service.budget.beside());
        let meta = Meta::fresh("");
        let (body, watch) = (Body::Probe, Watch::No);
        self.push(key, Envelope { body, meta, port, deadline, expecting: None, watch })?;
        Ok((answer, claim))
    }

    /// Drops the cell with this key, if it is at rest.
    pub(crate) fn drop_if_at_rest(&self, key: &Key) {
        let mut cells = self.shard(self.partition(key));
        let Some(cell) = cells.get(key) else { return };
        let mut inner = cell.lock();
        if inner.is_at_rest() {
            inner.phase = Phase::Gone;
            inner.active = None;
            drop(inner);
            cells.remove(key);
        }
    }

    /// What an asker is told whose command had no place. It was not begun.
    fn no_place(&self, error: &BulkheadError) -> AskError<E::Rejection> {
        match error {
            BulkheadError::Overloaded { retry_after, .. } => AskError::Overloaded { retry_after: *retry_after },
            // Not the entity was late: more is asked of the service than it can do.
            BulkheadError::Expired(_) => AskError::Overloaded { retry_after: MAILBOX_RETRY },
            BulkheadError::Exhausted { .. }
            | BulkheadError::Stopped { .. }
            | BulkheadError::Stuck(_)
            | BulkheadError::Died(_) => AskError::Unavailable(stopped(&self.service.full_name)),
        }
    }

    fn push(self: &Arc<Self>, key: &Key, envelope: Envelope<E>) -> Result<(), AskError<E::Rejection>> {
        let partition = self.partition(key);
        loop {
            let cell = self.cell_or_new(key, partition);
            let mut inner = cell.lock();
            match &inner.phase {
                // It left the map between the two locks: look again.
                Phase::Gone => continue,
                Phase::Quarantined(reason) => {
                    let reason = reason.to_string();
                    return Err(AskError::Unavailable(Unavailable::Quarantined { reason }));
                }
                Phase::Idle | Phase::Running | Phase::Backoff | Phase::Draining => {}
            }
            // Again under the lock: a service that is being stopped drains each queue once.
            self.service.intake().map_err(AskError::Unavailable)?;
            let asks_too_much = inner.asks.len() >= OPEN_ASKS && matches!(envelope.body, Body::Command(_));
            let lane = Lane::of(&envelope.body, &envelope.meta);
            if !inner.queue.has_room(lane, self.config.mailbox) || asks_too_much {
                self.meter.no_room();
                return Err(AskError::Overloaded { retry_after: MAILBOX_RETRY });
            }
            if inner.phase != Phase::Idle {
                inner.queue.push_back(envelope);
                return Ok(());
            }
            // Nothing waits for an idle cell. Taken under the lock, so that a service that stops waits for this run.
            let stay = self.service.stay();
            inner.phase = Phase::Running;
            let active = if inner.lost { None } else { inner.active.take() };
            let active = active.filter(|active| active.epoch == self.unit.epoch());
            if let Some(active) = active {
                if envelope.watch != Watch::No {
                    // It may have to wait, and then not on the asker's task.
                    inner.active = Some(active);
                    inner.queue.push_back(envelope);
                    drop(inner);
                    self.spawn_run(cell);
                    return Ok(());
                }
                drop(inner);
                self.run_at_once(&cell, active, envelope);
            } else {
                inner.queue.push_back(envelope);
                drop(inner);
                self.spawn_run(cell);
            }
            drop(stay);
            return Ok(());
        }
    }

    fn cell_or_new(&self, key: &Key, partition: PartitionId) -> Arc<Cell<E>> {
        let mut cells = self.shard(partition);
        if let Some(cell) = cells.get(key) {
            return cell.clone();
        }
        let cell = Cell::new(key.clone(), partition);
        cells.insert(key.clone(), cell.clone());
        drop(cells);
        self.by_age.enter(cell.clone());
        cell
    }

    /// Runs the cell, whose phase the caller has set to `Running`. Callable from any thread.
    pub(crate) fn spawn_run(self: &Arc<Self>, cell: Arc<Cell<E>>) {
        let host = self.clone();
        self.service.spawn(async move { host.run(cell).await });
    }

    /// A command to the entity with this key, as faults see it.
    pub(crate) fn subject<'a>(&'a self, key: &'a Key) -> Subject<'a> {
        Subject::Command { service: &self.service.full_name, kind: E::KIND, key: key.as_str() }
    }

    /// A `Box<dyn AnyCommand<E>>` that went through a place that does not know `E`.
    pub(crate) fn unbox(command: Box<dyn Any + Send>) -> Box<dyn AnyCommand<E>> {
        *command.downcast::<Box<dyn AnyCommand<E>>>().expect("a continuation boxes commands for its target's kind")
    }
}

fn body_bytes<E: Entity>(body: &Body<E>) -> usize {
    match body {
        Body::Command(command) => size_of_val(command.as_ref()),
        Body::Read | Body::Outcome(_) | Body::Probe | Body::Kill => 0,
    }
}
